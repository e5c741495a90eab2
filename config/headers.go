package config

import (
	"errors"
	"slices"
	"strings"
)

// neverPassed are headers that no setting lets through: the gateway acts on them
// itself, or a backend acts on them past its rules (MinIO unpacks an archive on
// snowball headers).
var neverPassed = []string{
	"x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-trailer", "x-amz-decoded-content-length",
	"x-amz-copy-source", "x-amz-copy-source-range", "x-amz-metadata-directive",
	"x-amz-meta-snowball", "x-amz-meta-minio-snowball", "x-amz-meta-s3gateway", "x-amz-snowball",
}

// passedHeader reads the name of an x-amz-* header, or the beginning of some.
var passedHeader = kind[string]{
	parse: func(text string) (string, error) {
		name := strings.ToLower(text)
		rest, ok := strings.CutPrefix(strings.TrimSuffix(name, "*"), "x-amz-")
		switch {
		case !ok || !only(rest, letters+"0123456789-_"):
			return "", errors.New("not the name of an x-amz-* header")
		case slices.ContainsFunc(neverPassed, func(never string) bool { return overlaps(name, never) }) || strings.Contains(rest, "snowball"):
			return "", errors.New("would let a header through that the gateway itself acts on, or must not pass")
		}
		return name, nil
	},
	show:     asIs,
	accepted: "accepted: names that begin with x-amz-, with a * at the end for any ending, for example x-amz-request-tags or x-amz-vendor-*",
}

// overlaps reports whether a name or pattern covers a header, or one that begins
// with it.
func overlaps(pattern, header string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return strings.HasPrefix(prefix, header) || open && strings.HasPrefix(header, prefix)
}
