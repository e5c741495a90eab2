package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	gateway "github.com/codeguardians/s3gateway"
)

// enabled reads S3_ENABLED in the words that .env files use for booleans.
var enabled = kind[Enabled]{
	parse: func(text string) (Enabled, error) {
		on, err := truth.parse(text)
		if on {
			return EnabledTrue, err
		}
		return EnabledFalse, err
	},
	show: func(e Enabled) string {
		return map[Enabled]string{EnabledTrue: "true", EnabledFalse: "false"}[e]
	},
	accepted: truth.accepted + "; remove it for the embedded store",
}

var truth = kind[bool]{
	parse: func(text string) (bool, error) {
		switch strings.ToLower(text) {
		case "true", "1", "yes", "on":
			return true, nil
		case "false", "0", "no", "off":
			return false, nil
		}
		return false, errors.New("neither true nor false")
	},
	show: func(b bool) string {
		if b {
			return "true"
		}
		return "false"
	},
	accepted: "accepted: true, false (also 1, 0, yes, no, on, off)",
}

// logLevels translates Python's level names, which existing .env files have,
// and zerolog's.
var logLevels = map[string]string{
	"notset": "trace", "trace": "trace", "debug": "debug", "info": "info",
	"warn": "warn", "warning": "warn", "error": "error", "critical": "fatal",
	"fatal": "fatal", "off": "disabled", "disabled": "disabled",
}

var logLevel = kind[string]{
	parse: func(text string) (string, error) {
		if level := logLevels[strings.ToLower(text)]; level != "" {
			return level, nil
		}
		return "", errors.New("not a level")
	},
	show:     asIs,
	accepted: "accepted: TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL, OFF",
}

// bucketName reads the name of one bucket. Upper case and underscores are taken
// because Ceph and the oldest AWS buckets have them.
var bucketName = textOf("accepted: 3 to 63 letters, digits, dots, hyphens and underscores, for example my-files",
	func(name string) error {
		_, err := netip.ParseAddr(name)
		switch {
		case name == "api":
			return errors.New("/api belongs to the REST door, so no bucket can have that name")
		case err == nil:
			return errors.New("looks like an IP address")
		case len(name) < 3 || len(name) > 63 || !only(name, letters+"0123456789.-_") ||
			!only(name[:1]+name[len(name)-1:], letters+"0123456789") || strings.Contains(name, ".."):
			return errors.New("not a bucket name")
		}
		return nil
	})

// strictBucket reports whether the embedded store takes the name too: AWS's
// rules for new buckets.
func strictBucket(name string) bool {
	return name == strings.ToLower(name) && !strings.Contains(name, "_")
}

// bucketPattern reads a bucket name in which * stands for any characters and ?
// for one.
var bucketPattern = textOf("accepted: bucket names, patterns such as logs-*, or *",
	func(text string) error {
		if !strings.ContainsAny(text, "*?") {
			return bucketName.check(text)
		}
		if len(text) > 63 || !only(text, letters+"0123456789.-_*?") {
			return errors.New("not a bucket name or pattern")
		}
		return nil
	})

// check is parse for its error alone.
func (k kind[T]) check(text string) error {
	_, err := k.parse(text)
	return err
}

var region = textOf("accepted: letters, digits and hyphens, for example us-east-1", func(text string) error {
	if len(text) > 64 || !only(text, letters+"0123456789-_.") {
		return errors.New("not a region")
	}
	return nil
})

const keyAccepted = "accepted: visible characters without space, slash and comma, which separate the parts of a credential"

// backendKeyID reads an access key that the backend gave.
var backendKeyID = textOf(keyAccepted, checkKeyID)

func checkKeyID(text string) error {
	if !visibleASCII(text) || strings.ContainsAny(text, "/,") || len(text) > 128 {
		return errors.New("cannot stand in a credential scope")
	}
	return nil
}

// linkKeyPrefix begins the access keys that the gateway makes for links.
const linkKeyPrefix = "GWL"

// gatewayKeyID reads the access key of the S3 door's first caller.
var gatewayKeyID = textOf(keyAccepted+"; 3 to 128 of them, not beginning "+linkKeyPrefix, func(text string) error {
	switch {
	case strings.HasPrefix(text, linkKeyPrefix):
		return errors.New("access keys that begin " + linkKeyPrefix + " are those of links")
	case len(text) < 3:
		return errors.New("too short")
	}
	return checkKeyID(text)
})

// shortestSecret is the least length of a secret of the gateway. Links carry
// signatures made from the master secret, so whoever holds one link can guess
// offline.
const shortestSecret = 16

var (
	backendSecret = secretOf("accepted: visible characters", func(text string) error {
		if !visibleASCII(text) {
			return errors.New("has characters that no key has")
		}
		return nil
	})
	gatewaySecret = secretOf(fmt.Sprintf("accepted: at least %d visible characters, for example from: openssl rand -hex 20", shortestSecret), checkSecret)
)

func checkSecret(text string) error {
	switch {
	case !visibleASCII(text):
		return errors.New("has characters that a header cannot carry")
	case len(text) < shortestSecret:
		return fmt.Errorf("shorter than %d characters", shortestSecret)
	}
	return nil
}

func visibleASCII(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return s != ""
}

// apiKeys reads name=key,name=key. Its errors name the caller, never the key.
var apiKeys = kind[[]APIKey]{
	parse: parseAPIKeys,
	show: func(keys []APIKey) string {
		items := make([]string, len(keys))
		for i, k := range keys {
			items[i] = k.Name + "=" + redacted
		}
		return strings.Join(items, ",")
	},
	accepted: fmt.Sprintf("accepted: name=key, several with commas; names of letters, digits and . _ @ -, keys of at least %d visible characters, for example from: openssl rand -hex 20", shortestSecret),
}

func parseAPIKeys(text string) ([]APIKey, error) {
	var keys []APIKey
	names, secrets := map[string]bool{}, map[string]bool{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, key, ok := strings.Cut(item, "=")
		name, key = strings.TrimSpace(name), strings.TrimSpace(key)
		// A key without a name may be the whole item: it is counted, not shown.
		if !ok || name == "" || len(name) > 64 || !only(name, letters+"0123456789._@-") {
			return nil, fmt.Errorf("key number %d has no valid name", len(keys)+1)
		}
		if err := checkSecret(key); err != nil {
			return nil, fmt.Errorf("the key of %s: %w", name, err)
		}
		if names[name] || secrets[key] {
			return nil, fmt.Errorf("%s: the same name or key twice", name)
		}
		names[name], secrets[key] = true, true
		keys = append(keys, APIKey{Name: name, Key: Secret(key)})
	}
	if len(keys) == 0 {
		return nil, errors.New("a list without an item")
	}
	return keys, nil
}

// tokenChars are those of an HTTP token (RFC 9110 section 5.6.2), except *.
const tokenChars = letters + "0123456789!#$%&'+-.^_`|~"

// mediaType reads type/subtype, type/* or */*.
var mediaType = kind[string]{
	parse: func(text string) (string, error) {
		main, sub, _ := strings.Cut(text, "/")
		token := main != "" && sub != "" && only(main, tokenChars) && (sub == "*" || only(sub, tokenChars))
		if text != "*/*" && !token {
			return "", errors.New("not a media type")
		}
		return strings.ToLower(text), nil
	},
	show:     asIs,
	accepted: "accepted: media types without parameters, for example image/png, image/*, or */* for every type",
}

// prefix reads a key prefix whose every segment any store takes.
var prefix = textOf("accepted: segments with single slashes between them, none of them empty, . or .., for example uploads or team/uploads", checkPrefix)

// reservedSegments are first segments that are not for uploads: the gateway's own,
// and the paths of the upload API, under which an id would be another call.
var reservedSegments = map[string]bool{
	strings.TrimSuffix(gateway.ReservedPrefix, "/"): true,
	"direct": true, "presigned": true, "download": true, "metadata": true, "list": true, "health": true,
	"complete": true, "copy": true, "delete": true, "resumable": true, "openapi.json": true,
}

func checkPrefix(text string) error {
	if first, _, _ := strings.Cut(text, "/"); reservedSegments[first] {
		return errors.New(first + " is reserved")
	}
	return checkFolder(text)
}

// checkFolder refuses segments that not every store keeps, and the gateway's own.
func checkFolder(text string) error {
	if len(text) > 256 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("longer than 256 bytes, or not plain text")
	}
	for i, segment := range strings.Split(text, "/") {
		switch {
		case segment == "", segment == ".", segment == "..":
			return errors.New("has an empty, . or .. segment")
		case len(segment) > 255:
			return errors.New("has a segment of more than 255 bytes")
		case i == 0 && segment+"/" == gateway.ReservedPrefix:
			return errors.New(segment + " is reserved")
		}
	}
	return nil
}

// plain reads any text.
var plain = textOf("accepted: one line of text", func(string) error { return nil })
