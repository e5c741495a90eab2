package proxy

import (
	"net/http"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

// retryReplaced is what the client of an object is told that is never still.
const retryReplaced = 5 * time.Second

// verifyAttempts bounds how often an object is checked for one request: whoever
// has a link may replace it again and again.
const verifyAttempts = 3

// judged asks for an object, by an answer that carries its user metadata, until
// the answer is of one that was judged: what came past the gateway is checked
// first. at and version name the object that ask asks for.
func (d *Door) judged(x *exchange, at Location, version string, ask func() (*http.Response, error)) (*http.Response, error) {
	resp, err := ask()
	if err != nil || !d.Gate.Covers(at.Backend, at.Bucket, at.Key) {
		return resp, err
	}
	if version == "null" {
		version = "" // the one that can be replaced
	}
	for range verifyAttempts {
		if d.Gate.Verified(at.Key, resp.Header) {
			return resp, nil
		}
		resp.Body.Close()
		if err := d.Gate.Check(x.r.Context(), at.Key, version); err != nil {
			return nil, clientGone(x.r.Context(), err)
		}
		if resp, err = ask(); err != nil || version != "" {
			return resp, err // a version stays what it was when it was checked
		}
	}
	resp.Body.Close()
	return nil, &gateway.Error{
		Code: gateway.ServiceUnavailable, Message: "The object is being replaced. Please try again.", RetryAfter: retryReplaced,
	}
}

// sendRead is send for an operation that shows an object. The type that the
// client wants in the answer is put there behind the check: a mark binds the
// object's own.
func (d *Door) sendRead(x *exchange, req backend.Request) (*http.Response, error) {
	asked, shown := req.Header, ""
	if d.Gate.Covers(x.at.Backend, x.at.Bucket, x.at.Key) {
		shown = get(req.Query, responseType)
		req.Query = without(req.Query, responseType)
	}
	resp, err := d.judged(x, x.at, get(x.query, "versionId"), func() (*http.Response, error) {
		req.Header = asked.Clone()
		return d.send(x, req)
	})
	if err == nil && shown != "" {
		resp.Header.Set("Content-Type", shown)
	}
	return resp, err
}

// responseType is the parameter that replaces the Content-Type of an answer.
const responseType = "response-content-type"

// settle has an object checked before an operation whose answer does not carry
// its metadata.
func (d *Door) settle(x *exchange) error {
	if !d.Gate.Covers(x.at.Backend, x.at.Bucket, x.at.Key) {
		return nil
	}
	header := http.Header{}
	for name, values := range x.out {
		if strings.HasPrefix(name, "X-Amz-Server-Side-Encryption-Customer-") || name == "X-Amz-Request-Payer" {
			header[name] = values
		}
	}
	resp, err := d.sendRead(x, backend.Request{Method: http.MethodHead, Bucket: x.at.Bucket, Key: x.at.Key, Query: x.version(), Header: header})
	if err == nil {
		resp.Body.Close()
	}
	return err
}

// stamp marks the object that this request makes as one that was judged.
func (d *Door) stamp(x *exchange) error {
	if !d.Gate.Covers(x.at.Backend, x.at.Bucket, x.at.Key) {
		return nil
	}
	return d.Gate.Stamp(x.at.Key, x.out)
}

// keptByCopy are the headers that a copy takes over with its source's metadata
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
var keptByCopy = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"}

// takeMetadata makes a copy that keeps its source's metadata one that names them.
// What a store would act on stays behind, as it is refused from a client: under
// a source's own "snowball" metadata MinIO would unpack the copy.
func takeMetadata(out, of http.Header) {
	out.Set("X-Amz-Metadata-Directive", "REPLACE")
	for name := range out {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			out.Del(name)
		}
	}
	for _, name := range keptByCopy {
		out.Del(name)
		if v := of.Get(name); v != "" {
			out.Set(name, v)
		}
	}
	for name, values := range of {
		if strings.HasPrefix(name, "X-Amz-Meta-") && (!isForbiddenMeta(strings.ToLower(name)) || name == promisedName) {
			out[name] = []string{strings.Join(values, ",")}
		}
	}
	dropFraming(out)
}
