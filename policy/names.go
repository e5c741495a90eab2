package policy

import (
	"path"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway"
)

// CheckDeclared is the part of the rules that needs neither bytes nor a size:
// the name and the declared type. The error is a *gateway.Error with code
// NameNotAllowed or TypeNotAllowed.
func (l Limits) CheckDeclared(declared, key string) error {
	for i := range l.own {
		if err := l.own[i].checkName(key); err != nil {
			return err
		}
		for denied, next := l.own[i].denials(0); denied != nil; denied, next = l.own[i].denials(next) {
			if err := denied.checkDenied(Content{Declared: declared, Key: key}); err != nil {
				return err
			}
		}
	}
	if err := l.Types.CheckDeclared(declared, key); err != nil || l.clean == nil {
		return err
	}
	return l.clean.CheckDeclared(declared, gateway.CleanKey(key))
}

// CheckOriginal judges the name that a file had before it was made safe for its
// key: it is downloaded under that one, so what is denied is denied there too.
func (l Limits) CheckOriginal(name string) error {
	for i := range l.own {
		if err := l.own[i].checkExtensions(name); err != nil {
			return err
		}
		for denied, next := l.own[i].denials(0); denied != nil; denied, next = l.own[i].denials(next) {
			if err := denied.checkDenied(Content{Key: name}); err != nil {
				return err
			}
		}
	}
	return l.Types.CheckDeclared("", name)
}

func (l Limits) checkContent(c Content) error {
	for i := range l.own {
		for denied, next := l.own[i].denials(0); denied != nil; denied, next = l.own[i].denials(next) {
			if err := denied.checkDenied(c); err != nil {
				return err
			}
		}
	}
	by, types := (*ownLimits)(nil), l.Types
	if c.Verify, by = l.verify(); c.Verify == VerifyAlways && types.Any() {
		types.setting = "verify_content of " + by.of
	}
	return types.Check(c)
}

func (f *fitting) limitsNames() bool {
	if f.names != nil || f.extensions != nil {
		return true
	}
	return slices.ContainsFunc(f.places, func(o ownLimits) bool { return len(o.DeniedExtensions) > 0 && o.fits(f.bucket, f.key) })
}

// checkName judges the last segment of a key.
func (f *fitting) checkName(key string) error {
	if !f.limitsNames() {
		return nil
	}
	name := fileName(key)
	if f.names != nil && !slices.ContainsFunc(f.names.Names, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
		return nameNotAllowed("File name not allowed", name, "allowed_names of "+f.names.of)
	}
	if f.extensions != nil && !endsIn(name, f.extensions.Extensions) {
		return nameNotAllowed("File extension not allowed", name, "allowed_extensions of "+f.extensions.of)
	}
	return f.checkExtensions(name)
}

// checkExtensions refuses a name with an extension that is denied.
func (f *fitting) checkExtensions(name string) error {
	for i := range f.places {
		o := &f.places[i]
		if len(o.DeniedExtensions) > 0 && o.fits(f.bucket, f.key) && hasExtension(name, o.DeniedExtensions) {
			return nameNotAllowed("File extension not allowed", name, "denied_extensions of "+o.of)
		}
	}
	return nil
}

func nameNotAllowed(what, name, setting string) error {
	err := gateway.Errorf(gateway.NameNotAllowed, "%s", what)
	err.Field = "filename"
	return err.With("FileName", clip(name)).With("Setting", setting)
}

// fileName is the name that a client gave: the last segment of a key, without
// the UUID that the upload API puts in front of it.
func fileName(key string) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	const uuid = len("00000000-0000-4000-8000-000000000000")
	if len(name) > uuid+1 && name[uuid] == '-' && isUUID(name[:uuid]) {
		return name[uuid+1:]
	}
	return name
}

func isUUID(s string) bool {
	for i := range len(s) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (s[i] == '-') || !dash && strings.IndexByte("0123456789abcdef", s[i]) < 0 {
			return false
		}
	}
	return true
}

// endsIn reports whether the last extension of a name is in a list.
func endsIn(name string, list []string) bool {
	dot := strings.LastIndexByte(name, '.')
	return dot >= 0 && slices.Contains(list, strings.ToLower(name[dot+1:]))
}

// hasExtension reports whether any extension of a name is in a list: a web
// server may run a.php.png by the one in the middle, and Windows drops dots and
// spaces at the end of a name.
func hasExtension(name string, list []string) bool {
	_, rest, more := strings.Cut(name, ".")
	for more {
		var one string
		one, rest, more = strings.Cut(rest, ".")
		if slices.Contains(list, strings.ToLower(strings.TrimSpace(one))) {
			return true
		}
	}
	return false
}
