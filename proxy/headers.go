package proxy

import (
	"net/http"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// forwarded are the headers of HTTP itself that go on to the backend.
var forwarded = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Md5", "Content-Type", "Expires", "If-Match", "If-Modified-Since",
	"If-None-Match", "If-Unmodified-Since", "Range",
}

// commonHeaders are the x-amz-* headers that every operation knows.
var commonHeaders = []string{"x-amz-expected-bucket-owner", "x-amz-request-payer"}

// ended are the x-amz-* headers that end at the gateway: they belong to the
// client's signature or its framing, or only name its software.
var ended = []string{
	"x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-user-agent",
	"x-amz-trailer", "x-amz-decoded-content-length", "x-amz-id-2", "x-amz-request-id",
}

// forbiddenMeta are user metadata that a store or the gateway acts on. MinIO
// unpacks an archive under the first two, past size, type and grants.
var forbiddenMeta = []string{
	"x-amz-meta-snowball-", "x-amz-meta-minio-snowball-", "x-amz-meta-s3gateway-",
}

// outboundHeaders picks what goes on to the backend. Nothing is dropped
// silently but what ended lists and what is not S3's at all.
func outboundHeaders(op *Operation, in http.Header, passed []string) (http.Header, error) {
	out := make(http.Header, len(in))
	for _, name := range forwarded {
		if v := in[name]; len(v) > 0 {
			out[name] = slices.Clone(v)
		}
	}
	for name, values := range in {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-minio-") {
			return nil, gateway.Errorf(gateway.AccessDenied, "The header %s is not allowed through this gateway.", lower)
		}
		if !strings.HasPrefix(lower, "x-amz-") || slices.Contains(ended, lower) {
			continue
		}
		if err := admitAmz(op, lower, passed); err != nil {
			return nil, err
		}
		out[name] = slices.Clone(values)
	}
	dropFraming(out)
	return out, nil
}

// admitAmz decides on one x-amz-* header.
func admitAmz(op *Operation, name string, passed []string) error {
	for _, prefix := range forbiddenMeta {
		if strings.HasPrefix(name, prefix) {
			return gateway.Errorf(gateway.AccessDenied, "The header %s is not allowed through this gateway.", name)
		}
	}
	for _, known := range [][]string{op.Headers, commonHeaders, passed} {
		if slices.ContainsFunc(known, func(pattern string) bool { return matchesName(pattern, name) }) {
			return nil
		}
	}
	return notImplemented("the header " + name + " on " + op.Name)
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
	values := h.Values("Content-Encoding")
	if len(values) == 0 {
		return
	}
	var kept []string
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if part = strings.TrimSpace(part); part != "" && !strings.EqualFold(part, "aws-chunked") {
			kept = append(kept, part)
		}
	}
	if len(kept) == 0 {
		h.Del("Content-Encoding")
		return
	}
	h.Set("Content-Encoding", strings.Join(kept, ","))
}

// needsManage reports whether a header asks for more than writing an object:
// access rules, retention, or a redirect.
func needsManage(h http.Header) bool {
	switch h.Get("X-Amz-Acl") {
	case "", "private", "bucket-owner-full-control":
	default:
		return true
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
	"Expires", "Last-Modified", "Location", "Retry-After",
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
	for name, values := range from {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && lower != "x-amz-request-id" && lower != "x-amz-id-2" && lower != "x-amz-meta-s3gateway-mark" {
			to[answeredName(name, lower)] = values
		}
	}
	if len(to["Content-Type"]) == 0 {
		to["Content-Type"] = nil
	}
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
