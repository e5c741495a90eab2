package proxy

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// forwarded are the headers of HTTP itself that go on to the backend.
var forwarded = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Md5", "Content-Type", "Expires", "If-Match", "If-Modified-Since",
	"If-None-Match", "If-Range", "If-Unmodified-Since", "Range",
}

// listHeaders may come in several lines, which mean the same as one line with
// commas (RFC 9110 section 5.3). Every other header has one value.
var listHeaders = []string{
	"Cache-Control", "Content-Encoding", "Content-Language", "If-Match", "If-None-Match",
	"X-Amz-Object-Attributes", "X-Amz-Optional-Object-Attributes",
}

// commonHeaders are the x-amz-* headers that every operation knows.
var commonHeaders = []string{"x-amz-expected-bucket-owner", "x-amz-request-payer"}

// ended are the x-amz-* headers that end at the gateway: they belong to the
// client's signature or its framing, or only name its software.
var ended = []string{
	"x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-user-agent",
	"x-amz-trailer", "x-amz-decoded-content-length", "x-amz-id-2", "x-amz-request-id", "x-amz-cf-id",
}

// forbiddenMeta are user metadata that a store or the gateway acts on. MinIO
// unpacks an archive under the first two, past size, type and grants.
var forbiddenMeta = []string{
	"x-amz-meta-snowball-", "x-amz-meta-minio-snowball-", "x-amz-meta-s3gateway-",
}

func isForbiddenMeta(lower string) bool {
	return slices.ContainsFunc(forbiddenMeta, func(prefix string) bool { return strings.HasPrefix(lower, prefix) })
}

// promisedName is the original name of a file, which the upload API signs into
// its links. Nobody else can sign with a link's credential.
const promisedName = "X-Amz-Meta-S3gateway-Filename"

// takePromised parts what a link of the gateway's own says of the file to be
// from the headers that a client may send.
func takePromised(x *exchange) (rest, promised http.Header) {
	name := x.header[promisedName]
	if !x.caller.Link || x.op.Action != gateway.Write || len(name) != 1 {
		return x.header, nil
	}
	rest = x.header.Clone()
	delete(rest, promisedName)
	return rest, http.Header{promisedName: name}
}

// answerHeaders are the x-amz-* headers that only ever are in answers. Clients echo
// what a HEAD told them; in a request they mean nothing.
var answerHeaders = []string{
	"x-amz-abort-date", "x-amz-abort-rule-id", "x-amz-access-point-alias", "x-amz-archive-status", "x-amz-bucket-arn", "x-amz-bucket-location-name",
	"x-amz-bucket-location-type", "x-amz-bucket-region", "x-amz-copy-source-version-id", "x-amz-delete-marker", "x-amz-expiration", "x-amz-missing-meta",
	"x-amz-mp-parts-count", "x-amz-object-size", "x-amz-replication-status", "x-amz-request-charged", "x-amz-restore", "x-amz-restore-output-path",
	"x-amz-tagging-count", "x-amz-version-id",
}

// outboundHeaders picks what goes on to the backend. Nothing is dropped
// silently but what ended and answerHeaders list, what a read does not know, and
// what is not S3's at all. A header that the
// client's Connection gives to the next hop only (RFC 9110 section 7.6.1) can
// neither go on nor be left out without a change of meaning: it is refused.
func outboundHeaders(op *Operation, in http.Header, passed []string) (http.Header, error) {
	out := make(http.Header, len(in))
	for _, name := range forwarded {
		if v := in[name]; len(v) > 0 {
			out[name] = slices.Clone(v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		values, lower := in[name], strings.ToLower(name)
		if strings.HasPrefix(lower, "x-minio-") {
			return nil, gateway.Errorf(gateway.AccessDenied, "The header %s is not allowed through this gateway.", lower)
		}
		if !strings.HasPrefix(lower, "x-amz-") || slices.Contains(ended, lower) {
			continue
		}
		known, err := admitAmz(op, lower, passed)
		if err != nil {
			return nil, err
		}
		if !known {
			continue
		}
		out[name] = slices.Clone(values)
	}
	if err := oneValueEach(out); err != nil {
		return nil, err
	}
	for token := range strings.SplitSeq(strings.Join(in["Connection"], ","), ",") {
		if name := http.CanonicalHeaderKey(strings.TrimSpace(token)); len(out[name]) > 0 {
			return nil, gateway.Errorf(gateway.InvalidRequest, "The header %s is named in Connection.", strings.ToLower(name))
		}
	}
	dropFraming(out)
	return out, nil
}

// oneValueEach joins the lines of lists and user metadata, as their signature
// does, and refuses a second line of any other header: the gateway would judge
// the first Content-Type or x-amz-acl and the backend take the last.
func oneValueEach(h http.Header) error {
	for name, values := range h {
		switch {
		case len(values) < 2:
		case slices.Contains(listHeaders, name) || strings.HasPrefix(name, "X-Amz-Meta-"):
			h[name] = []string{strings.Join(values, ",")}
		default:
			return gateway.Errorf(gateway.InvalidRequest, "The header %s was sent more than once.", strings.ToLower(name))
		}
	}
	return nil
}

// admitAmz decides on one x-amz-* header: whether the operation knows it. One that
// it does not know is refused where it could change anything.
func admitAmz(op *Operation, name string, passed []string) (known bool, err error) {
	if isForbiddenMeta(name) {
		return false, gateway.Errorf(gateway.AccessDenied, "The header %s is not allowed through this gateway.", name)
	}
	for _, list := range [][]string{op.Headers, op.Conditions, commonHeaders, passed} {
		if slices.ContainsFunc(list, func(pattern string) bool { return matchesName(pattern, name) }) {
			return true, nil
		}
	}
	if op.reads() || slices.Contains(answerHeaders, name) {
		return false, nil
	}
	return false, notImplemented("the header " + name + " on " + op.Name)
}

func matchesName(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// dropFraming takes the aws-chunked token out of Content-Encoding: the client's
// framing ends here and must not become a property of the object.
func dropFraming(h http.Header) {
	if kept := signer.ContentEncoding(h["Content-Encoding"]); kept != "" {
		h.Set("Content-Encoding", kept)
		return
	}
	h.Del("Content-Encoding")
}

// needsManage reports whether a header asks for more than writing an object:
// access rules, retention, or a redirect.
func needsManage(h http.Header) bool {
	for _, acl := range h["X-Amz-Acl"] {
		if acl != "private" && acl != "bucket-owner-full-control" {
			return true
		}
	}
	for name := range h {
		lower := strings.ToLower(name)
		for _, prefix := range []string{"x-amz-grant-", "x-amz-object-lock-", "x-amz-bypass-governance-retention", "x-amz-website-redirect-location"} {
			if strings.HasPrefix(lower, prefix) {
				return true
			}
		}
	}
	return false
}

// answered are the headers of HTTP itself that come back to the client.
var answered = []string{
	"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding",
	"Content-Language", "Content-Length", "Content-Range", "Content-Type", "Etag",
	"Expires", "Last-Modified", "Retry-After",
}

// copyAnswer writes the backend's headers to the client, less those that name
// the backend or belong to its connection. Without a Content-Type of the
// backend there is none: net/http would guess one from the bytes, and a guess
// of text/html is stored cross-site scripting.
func copyAnswer(to, from http.Header) {
	for _, name := range answered {
		if v := from[name]; len(v) > 0 {
			to[name] = v
		}
	}
	copyAmz(to, from)
	if len(to["Content-Type"]) == 0 {
		to["Content-Type"] = nil
	}
}

// copyAmz writes what S3 itself says in headers.
func copyAmz(to, from http.Header) {
	for name, values := range from {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !ownAnswer(lower) {
			to[answeredName(name, lower)] = values
		}
	}
}

// ownAnswer reports headers that are not the client's to see: request ids are the
// gateway's own, and so is its metadata. A client that copies an object with
// the metadata it was shown would be refused for them.
func ownAnswer(lower string) bool {
	return lower == "x-amz-request-id" || lower == "x-amz-id-2" || strings.HasPrefix(lower, "x-amz-meta-s3gateway-")
}

// answeredName gives user metadata their names in lower case, as S3 answers:
// net/http capitalized them when it read the backend's answer, and boto3 and
// s3cmd hand on the rest of the name as it came ("Color" for "color").
func answeredName(name, lower string) string {
	if strings.HasPrefix(lower, "x-amz-meta-") {
		return lower
	}
	return name
}
