package config

import (
	"errors"
	"path"
	"strconv"
	"strings"
)

// Limits are what a bucket or a caller has of its own. The zero value has none.
type Limits struct {
	// MaxFileSize (max_file_size) in bytes, 0 for no limit. Nil: none of its
	// own.
	MaxFileSize *int64
	// MinFileSize (min_file_size) in bytes. Nil: none.
	MinFileSize *int64
	// AllowedFileTypes (allowed_file_types) as in Config. Empty: none of its
	// own.
	AllowedFileTypes []string
	// DeniedFileTypes (denied_file_types) are media types as well. Empty: none.
	DeniedFileTypes []string
	// AllowedExtensions (allowed_extensions) in lower case, without a dot.
	// Empty: any.
	AllowedExtensions []string
	// DeniedExtensions (denied_extensions) as AllowedExtensions. Empty: none.
	DeniedExtensions []string
	// AllowedNames (allowed_names) are patterns of the last segment of a key.
	// Empty: any.
	AllowedNames []string
	// VerifyContent (verify_content) says whether bytes must agree with the
	// declared type. Nil: where types are limited.
	VerifyContent *bool
	// QuotaBytes (quota_bytes) and QuotaObjects (quota_objects) are the most
	// that may be stored where the limits hold, together. 0: no quota.
	QuotaBytes, QuotaObjects int64
}

// PartLimits are limits in a part of a bucket, or of the buckets of a caller: an
// entry of limits.
type PartLimits struct {
	// Buckets (bucket) are names and patterns; those of a bucket have none.
	// Empty: every bucket.
	Buckets []string
	// Prefix (prefix) is what the keys begin with. Empty: any key.
	Prefix string
	Limits
	Where string
}

// limitMembers are the members of every entry that has limits.
func limitMembers[R any](at func(*R) *Limits) []member[R] {
	list := func(name string, field func(*Limits) *[]string, k kind[string]) member[R] {
		return several(name, func(r *R) *[]string { return field(at(r)) }, k)
	}
	return []member[R]{
		one("max_file_size", func(r *R) **int64 { return &at(r).MaxFileSize }, optional(size)),
		one("min_file_size", func(r *R) **int64 { return &at(r).MinFileSize }, optional(size)),
		list("allowed_file_types", func(l *Limits) *[]string { return &l.AllowedFileTypes }, mediaType),
		list("denied_file_types", func(l *Limits) *[]string { return &l.DeniedFileTypes }, mediaType),
		list("allowed_extensions", func(l *Limits) *[]string { return &l.AllowedExtensions }, extension),
		list("denied_extensions", func(l *Limits) *[]string { return &l.DeniedExtensions }, extension),
		list("allowed_names", func(l *Limits) *[]string { return &l.AllowedNames }, namePattern),
		one("verify_content", func(r *R) **bool { return &at(r).VerifyContent }, optional(truth)),
		one("quota_bytes", func(r *R) *int64 { return &at(r).QuotaBytes }, unlessZero(size)),
		one("quota_objects", func(r *R) *int64 { return &at(r).QuotaObjects }, unlessZero(number)),
	}
}

// number reads how many there may be of something.
var number = kind[int64]{
	parse: func(text string) (int64, error) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !digits(text) {
			return 0, errors.New("not a whole number")
		}
		return n, nil
	},
	show:     func(n int64) string { return strconv.FormatInt(n, 10) },
	accepted: "accepted: a whole number, for example 100000",
}

// extension reads the end of a file name.
var extension = kind[string]{
	parse: func(text string) (string, error) {
		text = strings.ToLower(strings.TrimPrefix(text, "."))
		if text == "" || len(text) > 32 || !only(text, letters+"0123456789_-+~") {
			return "", errors.New("not an extension")
		}
		return text, nil
	},
	show:     asIs,
	accepted: "accepted: extensions without the name, for example png or .png",
}

// namePattern reads a pattern of file names.
var namePattern = textOf("accepted: file names in which * stands for any characters and ? for one, for example invoice-*.pdf", func(text string) error {
	if _, err := path.Match(text, ""); err != nil || strings.ContainsAny(text, `/[]\`) {
		return errors.New("not a name or pattern")
	}
	return nil
})

func (p *Limits) limits() bool {
	return p.MaxFileSize != nil || p.MinFileSize != nil || p.VerifyContent != nil || p.QuotaBytes > 0 || p.QuotaObjects > 0 ||
		len(p.AllowedFileTypes)+len(p.DeniedFileTypes)+len(p.AllowedExtensions)+len(p.DeniedExtensions)+len(p.AllowedNames) > 0
}

// checkLimits refuses limits that nothing could keep, and parts that limit
// nothing.
func (l *loader) checkLimits(what, where string, of Limits, parts []PartLimits) {
	for i, p := range append([]PartLimits{{Limits: of, Where: where}}, parts...) {
		if p.MinFileSize != nil && p.MaxFileSize != nil && *p.MaxFileSize > 0 && *p.MinFileSize > *p.MaxFileSize {
			l.wrong(p.Where, what+": min_file_size is larger than max_file_size", "no file could be stored; change one of them")
		}
		if i > 0 && !p.limits() && !l.problemNear(p.Where) {
			l.wrong(p.Where, what+": limits without a limit", "add one, for example max_file_size")
		}
	}
}
