package signer

import (
	"crypto/hmac"
	"crypto/sha1" // what Signature Version 2 is made of (HMAC-SHA1 is unbroken)
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// Signature Version 2 is what boto3, AWS CLI v1 and django-storages still write into
// links by default, in us-east-1
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html). It signs
// neither the host nor the body, so it counts in links and forms alone, for the few
// operations that the table marks.

// The query parameters of a link.
const (
	v2Key       = "AWSAccessKeyId"
	v2Signature = "Signature"
	v2Expires   = "Expires"
)

// v2Longest is how far ahead a link may expire: as long as one of Version 4 lives.
const v2Longest = 7 * 24 * time.Hour

// v2Resources are the query parameters that are part of the signed resource: the
// sub-resources of the S3 API and the overrides of answer headers.
var v2Resources = map[string]bool{
	"accelerate": true, "acl": true, "analytics": true, "cors": true, "delete": true, "inventory": true, "lifecycle": true, "location": true, "logging": true,
	"metrics": true, "notification": true, "object-lock": true, "partNumber": true, "policy": true, "replication": true, "requestPayment": true, "restore": true,
	"select": true, "select-type": true, "storageClass": true, "tagging": true, "torrent": true, "uploadId": true, "uploads": true, "versionId": true,
	"versioning": true, "versions": true, "website": true,
	"response-cache-control": true, "response-content-disposition": true, "response-content-encoding": true, "response-content-language": true,
	"response-content-type": true, "response-expires": true,
}

// CoversV2 reports whether a signature of Version 2 covers a query parameter.
func CoversV2(param string) bool { return v2Resources[param] }

// v2Headers are the headers that a link may have in its query, beside the x-amz-*
// ones: boto3 moves them there.
var v2Headers = []string{"content-md5", "content-type"}

// hasV2 reports a link of Version 2.
func hasV2(t Target) bool { return t.Has(v2Key) || t.Has(v2Signature) }

// v2Link is a link of Version 2 being checked.
type v2Link struct {
	r         *http.Request
	target    Target // without what signs it
	promoted  http.Header
	key       string
	signature string // base64
	expires   string // seconds of the Unix epoch, as sent
	until     time.Time
}

// verifyV2 proves a link of Version 2.
func (v *Verifier) verifyV2(r *http.Request, t Target) (*Auth, error) {
	if !v.V2 {
		return nil, errSignatureV2()
	}
	l, err := readV2(r, t)
	if err != nil {
		return nil, err
	}
	now := v.now()
	switch {
	case !now.Before(l.until):
		return nil, gateway.Errorf(gateway.AccessDenied, "Request has expired").With("Expires", l.until.UTC().Format(time.RFC3339)).With("ServerTime", now.UTC().Format(time.RFC3339))
	case l.until.Sub(now) > v2Longest:
		return nil, gateway.Errorf(gateway.AccessDenied, "Expires is more than seven days ahead. Links of Signature Version 2 live no longer than those of Version 4.")
	}
	if err := l.checkAmbiguous(); err != nil {
		return nil, err
	}
	secret, known := v.Secrets.Secret(l.key)
	known = known && secret != ""
	if !known {
		secret = "no secret" // costs the same
	}
	var toSign string
	for _, toSign = range l.stringsToSign(v.bucketOf(r.Host)) {
		if hmac.Equal([]byte(v2Sign(secret, toSign)), []byte(l.signature)) && known {
			return &Auth{AccessKeyID: l.key, Presigned: true, V2: true, Time: now, Expires: l.until.Sub(now), PayloadHash: v2Payload(r.Header), Target: l.target, Promoted: l.promoted}, nil
		}
	}
	if !known {
		return nil, errUnknownKey(&claim{accessKeyID: l.key})
	}
	return nil, gateway.Errorf(gateway.SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. Check your key and signing method.").
		With("AWSAccessKeyId", l.key).With("StringToSign", toSign).With("SignatureProvided", l.signature)
}

func (v *Verifier) bucketOf(host string) string {
	if v.BucketOf == nil {
		return ""
	}
	return v.BucketOf(host)
}

// readV2 takes a link apart: what signs it, and the headers in its query.
func readV2(r *http.Request, t Target) (*v2Link, error) {
	l := &v2Link{r: r, target: t, promoted: http.Header{}}
	l.target.Query = nil
	own := map[string]*string{v2Key: &l.key, v2Signature: &l.signature, v2Expires: &l.expires}
	for _, p := range t.Query {
		lower := strings.ToLower(p.Key)
		switch field := own[p.Key]; {
		case field != nil && *field != "":
			return nil, twice("query parameter", p.Key)
		case field != nil:
			*field = p.Value
		case isAmz(p.Key) || slices.Contains(v2Headers, lower):
			if err := l.promote(lower, p.Value); err != nil {
				return nil, err
			}
		default:
			l.target.Query = append(l.target.Query, p)
		}
	}
	if l.key == "" || l.signature == "" || l.expires == "" {
		return nil, gateway.Errorf(gateway.AccessDenied, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
	}
	seconds, err := strconv.ParseInt(l.expires, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return nil, gateway.Errorf(gateway.AccessDenied, "Invalid date (should be seconds since epoch): %s", l.expires)
	}
	l.until = time.Unix(seconds, 0)
	return l, nil
}

// promote has a query parameter stand for a header, unless that has another value.
func (l *v2Link) promote(name, value string) error {
	canonical := http.CanonicalHeaderKey(name)
	sent := l.r.Header[canonical]
	if len(l.promoted[canonical]) > 0 || len(sent) > 1 || len(sent) == 1 && sent[0] != value {
		return gateway.Errorf(gateway.InvalidRequest, "The link is for %s: %s, and the request has another one.", name, value).With("ArgumentName", name)
	}
	l.promoted[canonical] = []string{value}
	return nil
}

// checkAmbiguous refuses what the string to sign cannot tell apart: its parts are
// decoded values, between line breaks and ampersands.
func (l *v2Link) checkAmbiguous() error {
	refuse := func(name string) error {
		return gateway.Errorf(gateway.InvalidArgument, "The value of %s could be read as something else in a signature of Version 2: sign the link with Version 4.", name).With("ArgumentName", name)
	}
	hasControl := func(s string) bool {
		return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
	}
	for _, p := range l.target.Query {
		if v2Resources[p.Key] && (hasControl(p.Value) || looksLikeMore(p.Value)) {
			return refuse(p.Key)
		}
	}
	for name := range l.headers() {
		if hasControl(l.value(name)) {
			return refuse(name)
		}
	}
	return nil
}

// looksLikeMore reports a value that goes on as another signed parameter would.
func looksLikeMore(value string) bool {
	_, rest, _ := strings.Cut(value, "&")
	for rest != "" {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if name, _, _ := strings.Cut(pair, "="); v2Resources[name] {
			return true
		}
	}
	return false
}

// headers are the names of the headers that are signed, in lower case.
func (l *v2Link) headers() map[string]bool {
	names := map[string]bool{}
	for _, h := range []http.Header{l.r.Header, l.promoted} {
		for name := range h {
			if lower := strings.ToLower(name); isAmz(name) || slices.Contains(v2Headers, lower) {
				names[lower] = true
			}
		}
	}
	return names
}

// value is a header's, from wherever it came.
func (l *v2Link) value(name string) string {
	canonical := http.CanonicalHeaderKey(name)
	values := l.r.Header[canonical]
	if len(values) == 0 {
		values = l.promoted[canonical]
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.TrimSpace(v)
	}
	return strings.Join(trimmed, ",")
}

// stringsToSign are the readings that count: the path as sent and in the strict
// encoding, and what a CDN adds left out and in.
func (l *v2Link) stringsToSign(bucket string) (all []string) {
	paths := []string{l.target.RawPath}
	if l.target.signedPath != l.target.RawPath {
		paths = append(paths, l.target.signedPath)
	}
	withouts := []string{cdnHeader}
	if l.headers()[cdnHeader] {
		withouts = append(withouts, "")
	}
	for _, path := range paths {
		if bucket != "" {
			path = "/" + bucket + path
		}
		for _, without := range withouts {
			all = append(all, l.stringToSign(path, without))
		}
	}
	return all
}

func (l *v2Link) stringToSign(path, without string) string {
	var b strings.Builder
	for _, line := range []string{l.r.Method, l.value("content-md5"), l.value("content-type"), l.expires} {
		b.WriteString(line + "\n")
	}
	var amz []string
	for name := range l.headers() {
		if isAmz(name) && name != without {
			amz = append(amz, name)
		}
	}
	slices.Sort(amz)
	for _, name := range amz {
		b.WriteString(name + ":" + l.value(name) + "\n")
	}
	b.WriteString(path)
	var resources []string
	for _, p := range l.target.Query {
		switch {
		case !v2Resources[p.Key]:
		case p.HasEquals:
			resources = append(resources, p.Key+"="+p.Value)
		default:
			resources = append(resources, p.Key)
		}
	}
	slices.Sort(resources)
	for i, r := range resources {
		b.WriteString(map[bool]string{true: "?", false: "&"}[i == 0] + r)
	}
	return b.String()
}

// v2Payload is the payload's hash, if the client sent one.
func v2Payload(h http.Header) string {
	if v := h.Get("X-Amz-Content-Sha256"); isPayloadHash(v) {
		return strings.ToLower(v)
	}
	return UnsignedPayload
}

// v2Sign is the base64 text of an HMAC-SHA1.
func v2Sign(secret, text string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// verifyFormV2 proves the policy of a form by Version 2.
func (v *Verifier) verifyFormV2(field func(name string) string) (*Auth, error) {
	id, policy, signature := field("awsaccesskeyid"), field("policy"), field("signature")
	secret, known := v.Secrets.Secret(id)
	known = known && secret != ""
	if !known {
		secret = "no secret"
	}
	switch matches := hmac.Equal([]byte(v2Sign(secret, policy)), []byte(signature)); {
	case !known:
		return nil, errUnknownKey(&claim{accessKeyID: id})
	case !matches:
		return nil, gateway.Errorf(gateway.SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. Check your key and signing method.").
			With("AWSAccessKeyId", id).With("StringToSign", policy).With("SignatureProvided", signature)
	}
	return &Auth{AccessKeyID: id, V2: true, Time: v.now(), PayloadHash: UnsignedPayload}, nil
}
