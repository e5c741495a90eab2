package signer

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// Param is one pair of a query, in the order sent.
type Param struct {
	// Key and Value are percent-decoded; a '+' stays a plus, because that is
	// how S3 signs it.
	Key, Value string
	// HasEquals tells ?acl from ?acl=; both are signed as "acl=".
	HasEquals bool

	signedKey, signedValue string // strict encoding, set by ParseTarget
}

// Target is a request line's target, parsed by hand: net/url drops pairs with
// ';', turns '+' into a space, and forgets the order. The zero value has no
// path and verifies nothing.
type Target struct {
	// RawPath is the path as sent, before '?'; never empty.
	RawPath string
	// Path is RawPath percent-decoded, without any cleaning: it may hold empty
	// and dot segments and bytes that are not UTF-8.
	Path string
	// RawQuery is what follows the first '?', as sent.
	RawQuery string
	// Query is every pair of RawQuery, order and duplicates kept. Empty pairs
	// (&&) carry nothing and are left out.
	Query []Param

	signedPath string // RawPath in strict encoding
}

// ParseTarget reads a request target in origin-form or absolute-form (RFC 9112
// section 3.2), as in http.Request.RequestURI. An escape that cannot be decoded
// is a *gateway.Error InvalidURI.
func ParseTarget(requestURI string) (Target, error) {
	origin, ok := originForm(requestURI)
	if !ok {
		return Target{}, invalidURI("the request target is neither a path nor an http URL")
	}
	rawPath, rawQuery, _ := strings.Cut(origin, "?")
	if rawPath == "" {
		rawPath = "/"
	}
	path, ok := decode(rawPath)
	if !ok {
		return Target{}, invalidURI("the path holds a percent sign that starts no escape")
	}
	query, err := parseQuery(rawQuery)
	if err != nil {
		return Target{}, err
	}
	return Target{
		RawPath: rawPath, Path: path, RawQuery: rawQuery, Query: query,
		signedPath: normalizePath(rawPath),
	}, nil
}

// spaced reads the target with a '+' in the query as a space, and reports whether
// that is another reading.
func (t Target) spaced() (Target, bool) {
	if !strings.Contains(t.RawQuery, "+") {
		return t, false
	}
	query, err := parseQuery(strings.ReplaceAll(t.RawQuery, "+", "%20"))
	t.Query = query
	return t, err == nil
}

// originForm cuts scheme and authority off an absolute-form target.
func originForm(uri string) (string, bool) {
	if strings.HasPrefix(uri, "/") {
		return uri, true
	}
	for _, scheme := range []string{"http://", "https://"} {
		if len(uri) < len(scheme) || !strings.EqualFold(uri[:len(scheme)], scheme) {
			continue
		}
		rest := uri[len(scheme):]
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			return rest[i:], true
		}
		return "/", true
	}
	return "", false
}

// maxParams bounds the pairs of a query, empty ones too: each costs more memory than
// it has bytes, for as long as the request lasts. No request of S3 has so many.
const maxParams = 256

func parseQuery(raw string) ([]Param, error) {
	if raw == "" {
		return nil, nil
	}
	if strings.Count(raw, "&") >= maxParams {
		return nil, invalidURI("the query has more than " + strconv.Itoa(maxParams) + " parameters")
	}
	params := make([]Param, 0, 8)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		rawKey, rawValue, hasEquals := strings.Cut(pair, "=")
		key, ok1 := decode(rawKey)
		value, ok2 := decode(rawValue)
		if !ok1 || !ok2 {
			return nil, invalidURI("the query holds a percent sign that starts no escape")
		}
		params = append(params, Param{
			Key: key, Value: value, HasEquals: hasEquals,
			signedKey: strictOf(rawKey, key), signedValue: strictOf(rawValue, value),
		})
	}
	return params, nil
}

func strictOf(raw, decoded string) string {
	if isStrict(raw, false) {
		return raw
	}
	return EncodeQuery(decoded)
}

func invalidURI(why string) *gateway.Error {
	return gateway.Errorf(gateway.InvalidURI, "Couldn't parse the specified URI: %s.", why)
}

// Get gives the first value of key, matched exactly, and whether there is one.
func (t Target) Get(key string) (string, bool) {
	for i := range t.Query {
		if t.Query[i].Key == key {
			return t.Query[i].Value, true
		}
	}
	return "", false
}

// Has reports whether the query holds key, matched exactly.
func (t Target) Has(key string) bool {
	_, ok := t.Get(key)
	return ok
}

// hasFold is Has in any letter case.
func (t Target) hasFold(key string) bool {
	return slices.ContainsFunc(t.Query, func(p Param) bool { return strings.EqualFold(p.Key, key) })
}

// Duplicate names an x-amz-* key that the query holds more than once, in any
// letter case, or gives "". Two parsers that pick different ones of a pair are
// how a checked value and a used value drift apart.
func (t Target) Duplicate() string {
	var few [16]string // enough for every honest request, without a map
	names := few[:0]
	for i := range t.Query {
		if isAmz(t.Query[i].Key) {
			names = append(names, t.Query[i].Key)
		}
	}
	if len(names) > len(few) {
		return duplicateOfMany(names)
	}
	for i, name := range names {
		for _, earlier := range names[:i] {
			if strings.EqualFold(name, earlier) {
				return name
			}
		}
	}
	return ""
}

// duplicateOfMany stays linear when an attacker sends thousands of names.
func duplicateOfMany(names []string) string {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		lower := strings.ToLower(name)
		if seen[lower] {
			return name
		}
		seen[lower] = true
	}
	return ""
}

// Promoted gives the x-amz-* query parameters that stand for headers, the
// credentials of a presigned query left out; nil when there are none. They are
// part of the signed query, so a verified request has signed them.
func (t Target) Promoted() http.Header {
	var h http.Header
	for _, p := range t.Query {
		if isAmz(p.Key) && !isCredential(p.Key) {
			if h == nil {
				h = http.Header{}
			}
			h.Add(p.Key, p.Value)
		}
	}
	dropEmptyChecksum(h)
	return h
}

// dropEmptyChecksum takes out the checksum of no bytes, and the name of its
// algorithm. The AWS SDK for JavaScript signs one into every link for an
// upload, having no body at that time; S3 and MinIO do not look at it, and
// nothing could ever be uploaded by such a link if it counted. Any other
// checksum in a query does count.
func dropEmptyChecksum(promoted http.Header) {
	for name := range promoted {
		algorithm, isChecksum := strings.CutPrefix(strings.ToLower(name), checksumPrefix)
		sum, known := NewChecksum(algorithm)
		if isChecksum && known && promoted.Get(name) == base64.StdEncoding.EncodeToString(sum.Sum(nil)) {
			promoted.Del(name)
			promoted.Del("X-Amz-Sdk-Checksum-Algorithm")
		}
	}
}

// Forward gives the query without its x-amz-* parameters: what may go on to a
// backend once Promoted went into the headers.
func (t Target) Forward() []Param {
	var params []Param
	for _, p := range t.Query {
		if !isAmz(p.Key) {
			params = append(params, p)
		}
	}
	return params
}

// BuildQuery writes a query for the wire, in the given order and strictly
// encoded, every pair with its '=' because that is how S3 signs it. No byte in
// it can be read two ways, so the SDK's signer, which rebuilds the query through
// net/url, keeps every pair.
func BuildQuery(params []Param) string {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(EncodeQuery(p.Key))
		b.WriteByte('=')
		b.WriteString(EncodeQuery(p.Value))
	}
	return b.String()
}
