package policy

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// OwnLimits are limits that a bucket or a caller has of its own, everywhere or
// in a part of it. The zero value has none.
type OwnLimits struct {
	// Buckets are names and patterns of those where the limits of a caller
	// hold; empty for every bucket. Those of a bucket have none.
	Buckets []string
	// Prefix is what the keys begin with that the limits hold for, byte for
	// byte; "" for any key.
	Prefix string
	// MaxSize and MinSize in decoded bytes, 0 for no limit; nil: none of its
	// own.
	MaxSize, MinSize *int64
	// Types are those that are allowed; nil: none of its own.
	Types *Types
	// DeniedTypes are refused by declaration, extension and first bytes,
	// whatever else is allowed; nil for none.
	DeniedTypes *Types
	// Extensions are those that a name must end with, in lower case and
	// without a dot; empty for any.
	Extensions []string
	// DeniedExtensions may be nowhere in a name: not in a.php.png either.
	DeniedExtensions []string
	// Names are patterns of which the last segment of a key must fit one (*
	// stands for any characters, ? for one); empty for any.
	Names []string
	// VerifyContent says whether the first bytes must agree with the declared
	// type; nil: where types are limited.
	VerifyContent *bool
}

// ownLimits are OwnLimits made ready, with the names that they have in refusals.
type ownLimits struct {
	OwnLimits
	patterns []pattern
	types    *Types
	denied   *Types
	of       string // the entry that they stand in
	maxOf    string
	minOf    string
}

// compileLimits makes the limits of one entry ready: those that hold everywhere
// and those of its parts, the most specific one last.
func compileLimits(entry string, everywhere OwnLimits, parts []OwnLimits) ([]ownLimits, error) {
	var all []ownLimits
	var problems []error
	for i, o := range append([]OwnLimits{everywhere}, parts...) {
		if i == 0 && o.empty() {
			continue
		}
		own, err := o.compile(entry)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: limits %d: %w", entry, i, err))
		}
		all = append(all, own)
	}
	slices.SortStableFunc(all, func(a, b ownLimits) int {
		return cmp.Or(cmp.Compare(len(a.Prefix), len(b.Prefix)), cmp.Compare(a.width(), b.width()))
	})
	return all, errors.Join(problems...)
}

// empty reports whether nothing is limited, so that most entries cost nothing.
func (o OwnLimits) empty() bool {
	return o.MaxSize == nil && o.MinSize == nil && o.Types == nil && o.DeniedTypes == nil && len(o.Extensions) == 0 &&
		len(o.DeniedExtensions) == 0 && len(o.Names) == 0 && o.VerifyContent == nil
}

func (o OwnLimits) compile(entry string) (own ownLimits, err error) {
	own = ownLimits{OwnLimits: o, of: entry}
	if len(o.Buckets) > 0 {
		own.of += " in " + strings.Join(o.Buckets, ", ")
	}
	if o.Prefix != "" {
		own.of += fmt.Sprintf(", keys that begin %q", o.Prefix)
	}
	if own.patterns, err = bucketPatterns(o.Buckets); err != nil {
		return own, err
	}
	for _, name := range o.Names {
		if _, err := path.Match(name, ""); err != nil || name == "" {
			return own, fmt.Errorf("%q is no pattern of names", name)
		}
	}
	own.maxOf, own.minOf = "max_file_size of "+own.of, "min_file_size of "+own.of
	own.types = namedTypes(o.Types, "allowed_file_types of "+own.of)
	own.denied = namedTypes(o.DeniedTypes, "denied_file_types of "+own.of)
	return own, nil
}

// namedTypes copies a list and gives it the name of the setting that made it.
func namedTypes(t *Types, setting string) *Types {
	if t == nil {
		return nil
	}
	own := *t
	own.setting = setting
	return &own
}

// width orders limits of the same prefix: any bucket, patterns, names.
func (o *ownLimits) width() int {
	switch {
	case len(o.patterns) == 0:
		return 0
	case slices.ContainsFunc(o.patterns, func(p pattern) bool { return p.wild }):
		return 1
	}
	return 2
}

func (o *ownLimits) fits(bucket, key string) bool {
	return strings.HasPrefix(key, o.Prefix) && (len(o.patterns) == 0 || covers(o.patterns, bucket))
}
