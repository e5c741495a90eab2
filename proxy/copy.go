package proxy

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/precondition"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// source is the object that a copy reads.
type source struct {
	addr    address
	at      Location
	version string
}

// readSource reads x-amz-copy-source: "/bucket/key?versionId=id", the first
// slash optional, percent-encoded once; a plus is a plus. The version is cut off
// the raw value, where a question mark of the key is still encoded: a bare one
// is refused, because a backend would cut the key there.
func readSource(value string) (a address, version string, err error) {
	bad := func() (address, string, error) {
		return address{}, "", gateway.Errorf(gateway.InvalidArgument,
			"Copy Source must mention the source bucket and key: sourcebucket/sourcekey.").With("ArgumentName", "x-amz-copy-source")
	}
	raw, query, versioned := strings.Cut(value, "?")
	if versioned {
		rawVersion, ok := strings.CutPrefix(query, "versionId=")
		if version, err = url.PathUnescape(rawVersion); !ok || err != nil || version == "" || strings.ContainsAny(rawVersion, "&?") {
			return bad()
		}
	}
	plain, err := url.PathUnescape(raw)
	if err != nil {
		return bad()
	}
	if strings.HasPrefix(plain, "arn:") {
		return address{}, "", notImplemented("an ARN in x-amz-copy-source")
	}
	a.Bucket, a.Key, _ = strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	if a.Bucket == "" || a.Key == "" {
		return bad()
	}
	return a, version, nil
}

// parseSource finds the object that a copy reads and asks whether it may.
func (d *Door) parseSource(x *exchange) (s source, err error) {
	if s.addr, s.version, err = readSource(x.header.Get("X-Amz-Copy-Source")); err != nil {
		return source{}, err
	}
	if err := checkNames(s.addr); err != nil {
		return source{}, err
	}
	if s.at, err = d.Buckets.Locate(s.addr.Bucket, false); err != nil {
		return source{}, err
	}
	if s.at, err = s.at.at("copy source", s.addr.Key); err != nil {
		return source{}, err
	}
	return s, d.may(x, gateway.Read, s.addr.Bucket, s.addr.Key)
}

// header is the copy source as it goes to the backend.
func (s source) header() string {
	value := "/" + s.at.Bucket + "/" + signer.EncodePath(s.at.Key)
	if s.version != "" {
		value += "?versionId=" + signer.EncodeQuery(s.version)
	}
	return value
}

// query names the source's version, if it has one.
func (s source) query() []signer.Param {
	if s.version == "" {
		return nil
	}
	return []signer.Param{{Key: "versionId", Value: s.version}}
}

// facts are what the policy judges of a copy's source.
type facts struct {
	etag, contentType string
	size              int64
	header            http.Header // of a HEAD
	head              []byte      // the first bytes of the range, if asked for
}

// examine asks the backend about a copy's source; with sniff also for the bytes
// at offset. A source that its client encrypted is read with the client's key.
func (d *Door) examine(x *exchange, s source, offset int64, sniff bool) (facts, error) {
	header := sourceHeaders(x.out)
	resp, err := d.judged(x, s.at, s.version, func() (*http.Response, error) {
		return d.ask(x, s, http.MethodHead, header.Clone())
	})
	if err != nil {
		return facts{}, err
	}
	resp.Body.Close()
	if err := x.checkSource(resp.Header); err != nil {
		return facts{}, err
	}
	f := facts{etag: resp.Header.Get("Etag"), contentType: resp.Header.Get("Content-Type"), size: resp.ContentLength, header: resp.Header}
	if f.etag == "" || f.size < 0 {
		return facts{}, backend.Broken("it reports neither size nor ETag of a copy's source")
	}
	if !sniff || f.size <= offset {
		return f, nil
	}
	header.Set("Range", "bytes="+decimal(offset)+"-"+decimal(offset+policy.SniffLen-1))
	header.Set("If-Match", f.etag)
	if resp, err = d.ask(x, s, http.MethodGet, header); err != nil {
		return facts{}, err
	}
	defer resp.Body.Close()
	f.head, err = io.ReadAll(io.LimitReader(resp.Body, policy.SniffLen))
	return f, err
}

// sourceHeaders are the headers of a read of the copy's source: the client's
// key, if it encrypted the source, and who pays.
func sourceHeaders(out http.Header) http.Header {
	h := http.Header{}
	for name, values := range out {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Copy-Source-Server-Side-"); ok {
			h["X-Amz-Server-Side-"+rest] = values
		}
	}
	if payer := out["X-Amz-Request-Payer"]; len(payer) > 0 {
		h["X-Amz-Request-Payer"] = payer
	}
	return h
}

// ask sends a request about a copy's source.
func (d *Door) ask(x *exchange, s source, method string, header http.Header) (*http.Response, error) {
	resp, err := s.at.Backend.Do(x.r.Context(), backend.Request{
		Method: method, Bucket: s.at.Bucket, Key: s.at.Key, Query: s.query(), Header: header,
	})
	if err != nil {
		return nil, clientGone(x.r.Context(), err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, backend.ReadError(resp)
	}
	return resp, nil
}

// copyObject copies within the backend, after the source was judged as an
// upload of the same size, type and bytes would be.
func (d *Door) copyObject(x *exchange) error {
	s, err := d.parseSource(x)
	if err != nil {
		return err
	}
	if s.at.Backend != x.at.Backend {
		return d.copyAcross(x, s, 0)
	}
	release, err := d.holdTarget(x)
	if err != nil {
		return err
	}
	defer release()
	x.out.Set("X-Amz-Copy-Source", s.header())
	limits, conditional := d.limits(x), !precondition.Read(x.out, sourcePrefix).Empty()
	if limits.Open() && !d.gated(x, s) && !conditional {
		return d.forwardLate(x, x.request())
	}
	f, err := d.examine(x, s, 0, limits.NeedsBytes())
	if err != nil {
		return err
	}
	contentType := f.contentType
	switch directive := x.out.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
	case "REPLACE":
		contentType = x.out.Get("Content-Type")
	default:
		// Stores differ on what another word means, and so on the type.
		return gateway.Errorf(gateway.InvalidArgument, "Unknown metadata directive.").
			With("ArgumentName", "x-amz-metadata-directive").With("ArgumentValue", directive)
	}
	if err := d.admitCopy(x, f, policy.Upload{ContentType: contentType, Size: f.size}); err != nil {
		return err
	}
	if err := d.stampCopy(x, s, f.header); err != nil {
		return err
	}
	return d.forwardLate(x, x.request())
}

// gated reports whether source or target of a copy are of those that may come
// past the gateway.
func (d *Door) gated(x *exchange, s source) bool {
	return d.Gate.Covers(s.at.Backend, s.at.Bucket, s.at.Key) || d.Gate.Covers(x.at.Backend, x.at.Bucket, x.at.Key)
}

// admitCopy judges a copy as an upload of the source's size, type and bytes,
// and makes the backend copy exactly what was judged.
func (d *Door) admitCopy(x *exchange, f facts, u policy.Upload) error {
	u.Caller, u.Bucket, u.Key = x.caller, x.addr.Bucket, x.addr.Key
	if _, _, err := d.limits(x).Admit(u, bytes.NewReader(f.head)); err != nil {
		return err
	}
	x.out.Set(copyIfMatch, f.etag)
	return nil
}

const copyIfMatch = "X-Amz-Copy-Source-If-Match"

// uploadPartCopy copies a range into a part, judged as an uploaded part is.
func (d *Door) uploadPartCopy(x *exchange) error {
	number, err := partNumber(x)
	if err != nil {
		return err
	}
	s, err := d.parseSource(x)
	if err != nil {
		return err
	}
	if s.at.Backend != x.at.Backend {
		return d.copyAcross(x, s, number)
	}
	x.out.Set("X-Amz-Copy-Source", s.header())
	limits, conditional := d.limits(x), !precondition.Read(x.out, sourcePrefix).Empty()
	if limits.Open() && !d.gated(x, s) && !conditional {
		return d.forwardLate(x, x.request())
	}
	offset, last, err := copyRange(x.out.Get("X-Amz-Copy-Source-Range"))
	if err != nil {
		return err
	}
	f, err := d.examine(x, s, offset, number == 1 && limits.NeedsBytes())
	if err != nil {
		return err
	}
	size := f.size
	if last >= 0 {
		size = last - offset + 1
		f.head = f.head[:min(int64(len(f.head)), size)]
	}
	if err := d.admitCopy(x, f, policy.Upload{Size: size, Part: number}); err != nil {
		return err
	}
	return d.forwardLate(x, x.request())
}

// copyRange reads "bytes=first-last"; without a header the range is the whole
// object, and last is -1.
func copyRange(header string) (first, last int64, err error) {
	if header == "" {
		return 0, -1, nil
	}
	bad := gateway.Errorf(gateway.InvalidArgument,
		"The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	from, to, ok := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	lower, err1 := strconv.ParseUint(from, 10, 62) // no sign, and no overflow below
	upper, err2 := strconv.ParseUint(to, 10, 62)
	if !ok || !strings.HasPrefix(header, "bytes=") || err1 != nil || err2 != nil || upper < lower {
		return 0, 0, bad
	}
	return int64(lower), int64(upper), nil
}
