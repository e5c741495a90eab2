package wire

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// param is a query parameter, decoded.
type param struct{ name, value string }

// parse reads bucket, key and query of the request's URL. net/url would drop
// parameters with a semicolon, which is a character of keys.
func (x *exchange) parse() error {
	x.bucket, x.key, _ = strings.Cut(strings.TrimPrefix(x.r.URL.Path, "/"), "/")
	promoted := http.Header(nil)
	for pair := range strings.SplitSeq(x.r.URL.RawQuery, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		value, err2 := url.QueryUnescape(rawValue)
		if err != nil || err2 != nil {
			return refuse("InvalidURI", "Couldn't parse the specified URI.")
		}
		if len(name) > 6 && strings.EqualFold(name[:6], "x-amz-") {
			if promoted == nil {
				promoted = x.r.Header.Clone()
			}
			if canonical := textproto.CanonicalMIMEHeaderKey(name); promoted[canonical] == nil {
				promoted[canonical] = []string{value}
			}
			continue
		}
		x.query = append(x.query, param{name, value})
	}
	if promoted != nil {
		x.header = promoted
	}
	if x.header == nil {
		x.header = http.Header{}
	}
	return nil
}

// has reports whether the query has the parameter.
func (x *exchange) has(name string) bool {
	return slices.ContainsFunc(x.query, func(p param) bool { return p.name == name })
}

// get returns the first value of a query parameter, "" without one.
func (x *exchange) get(name string) string {
	for _, p := range x.query {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// ref returns the object, or the version of it, that the request names.
func (x *exchange) ref() (localstore.Ref, error) {
	version := x.get("versionId")
	if version == "" && x.has("versionId") {
		return localstore.Ref{}, invalidArgument("versionId", "", "Version id cannot be the empty string")
	}
	return localstore.Ref{Bucket: x.bucket, Key: x.key, VersionID: version}, nil
}

// count returns a limit of a listing: at most 1,000, as S3 lowers what is larger.
func (x *exchange) count(name string) (int, error) {
	n, err := parseCount(name, x.get(name), localstore.MaxListed)
	return min(n, localstore.MaxListed), err
}

// parseCount returns the number in a parameter or header, or absent without one.
func parseCount(name, value string, absent int) (int, error) {
	if value == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	switch {
	case err != nil && !strings.HasPrefix(value, "-"):
		return 0, invalidArgument(name, value, "Provided %s not an integer or within integer range", name)
	case err != nil || n < 0:
		return 0, invalidArgument(name, value, "Argument %s must be an integer between 0 and 2147483647", value)
	}
	return int(n), nil
}

// partNumber returns the number of a part that the query names.
func (x *exchange) partNumber() (int, error) {
	value := x.get("partNumber")
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > localstore.MaxParts {
		return 0, invalidArgument("partNumber", value, "Part number must be an integer between 1 and 10000, inclusive.")
	}
	return n, nil
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// reservedNames are the beginnings and ends of names that S3 keeps for itself
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
var (
	reservedPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}
	reservedSuffixes = []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

// validBucketName reports whether S3 allows the name of a bucket.
func validBucketName(name string) bool {
	if !bucketName.MatchString(name) || strings.Contains(name, "..") {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return !slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) &&
		!slices.ContainsFunc(reservedSuffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}
