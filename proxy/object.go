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
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// putObject stores an object: size and type are judged before its first byte
// goes on, its proofs before its last.
func (d *Door) putObject(x *exchange) error { return d.receive(x, 0) }

// uploadPart stores a part. The size limit is the object's, so a part alone
// must keep it; the first part shows the type.
func (d *Door) uploadPart(x *exchange) error {
	number, err := partNumber(x)
	if err != nil {
		return err
	}
	return d.receive(x, number)
}

func (d *Door) receive(x *exchange, part int) error {
	body, err := x.auth.OpenBody(x.r, signer.BodyOptions{VerifyPayloadHash: x.at.Backend.VerifyPayload})
	if err != nil {
		return err
	}
	defer body.Close()
	admitted, _, err := d.Policy.Limits(x.addr.Bucket, x.addr.Key).Admit(policy.Upload{
		Caller: x.caller, Bucket: x.addr.Bucket, Key: x.addr.Key,
		ContentType: x.header.Get("Content-Type"), Size: body.Length(), Part: part,
	}, body)
	if err != nil {
		return err
	}
	return d.upload(x, body, admitted)
}

const maxPartNumber = 10000

func partNumber(x *exchange) (int, error) {
	n, err := strconv.Atoi(get(x.query, "partNumber"))
	if err != nil || n < 1 || n > maxPartNumber {
		return 0, gateway.Errorf(gateway.InvalidArgument, "Part number must be an integer between 1 and %d, inclusive.", maxPartNumber).
			With("ArgumentName", "partNumber").With("ArgumentValue", get(x.query, "partNumber"))
	}
	return n, nil
}

// source is the object that a copy reads.
type source struct {
	addr    address
	at      Location
	version string
}

// parseSource reads x-amz-copy-source: "/bucket/key?versionId=id", the first
// slash optional, percent-encoded once. The version is cut off the raw value,
// where a question mark in the key is still encoded.
func (d *Door) parseSource(x *exchange) (source, error) {
	bad := func() (source, error) {
		return source{}, gateway.Errorf(gateway.InvalidArgument,
			"Copy Source must mention the source bucket and key: sourcebucket/sourcekey.").With("ArgumentName", "x-amz-copy-source")
	}
	raw, version, _ := strings.Cut(x.header.Get("X-Amz-Copy-Source"), "?versionId=")
	plain, err := url.PathUnescape(raw)
	if err != nil || strings.Contains(version, "&") {
		return bad()
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	if bucket == "" || key == "" || strings.HasPrefix(plain, "arn:") {
		return bad()
	}
	s := source{addr: address{Bucket: bucket, Key: key}, version: version}
	if err := checkNames(s.addr); err != nil {
		return source{}, err
	}
	if s.at, err = d.Buckets.Locate(bucket, false); err != nil {
		return source{}, err
	}
	if s.at.Backend != x.at.Backend {
		return source{}, notImplemented("a copy between two backends")
	}
	s.at.Key = key
	if err := s.at.checkKey("copy source", key); err != nil {
		return source{}, err
	}
	return s, d.Policy.May(x.caller, gateway.Read, bucket, key)
}

// header is the copy source as it goes to the backend.
func (s source) header() string {
	value := "/" + s.at.Bucket + "/" + signer.EncodePath(s.at.Key)
	if s.version != "" {
		value += "?versionId=" + s.version
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
	head              []byte // the first bytes of the range, if asked for
}

// examine asks the backend about a copy's source; with sniff also for the bytes
// at offset. A source that its client encrypted is read with the client's key.
func (d *Door) examine(x *exchange, s source, offset int64, sniff bool) (facts, error) {
	header := http.Header{}
	for name, values := range x.out {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Copy-Source-Server-Side-"); ok {
			header["X-Amz-Server-Side-"+rest] = values
		}
	}
	resp, err := d.ask(x, s, http.MethodHead, header.Clone())
	if err != nil {
		return facts{}, err
	}
	resp.Body.Close()
	f := facts{etag: resp.Header.Get("Etag"), contentType: resp.Header.Get("Content-Type"), size: resp.ContentLength}
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

// ask sends a request about a copy's source.
func (d *Door) ask(x *exchange, s source, method string, header http.Header) (*http.Response, error) {
	resp, err := x.at.Backend.Do(x.r.Context(), backend.Request{
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
	x.out.Set("X-Amz-Copy-Source", s.header())
	limits := d.Policy.Limits(x.addr.Bucket, x.addr.Key)
	if limits.Open() {
		return d.forwardLate(x, x.request())
	}
	f, err := d.examine(x, s, 0, limits.Types.NeedsBytes())
	if err != nil {
		return err
	}
	contentType := f.contentType
	if strings.EqualFold(x.header.Get("X-Amz-Metadata-Directive"), "REPLACE") {
		contentType = x.header.Get("Content-Type")
	}
	if err := d.admitCopy(x, f, policy.Upload{ContentType: contentType, Size: f.size}); err != nil {
		return err
	}
	return d.forwardLate(x, x.request())
}

// admitCopy judges a copy as an upload of the source's size, type and bytes,
// and makes the backend copy exactly what was judged.
func (d *Door) admitCopy(x *exchange, f facts, u policy.Upload) error {
	u.Caller, u.Bucket, u.Key = x.caller, x.addr.Bucket, x.addr.Key
	if _, _, err := d.Policy.Limits(u.Bucket, u.Key).Admit(u, bytes.NewReader(f.head)); err != nil {
		return err
	}
	const name = "X-Amz-Copy-Source-If-Match"
	if own := x.out.Get(name); own != "" && own != "*" && strings.Trim(own, `"`) != strings.Trim(f.etag, `"`) {
		return gateway.Errorf(gateway.PreconditionFailed, "").With("Condition", strings.ToLower(name))
	}
	x.out.Set(name, f.etag)
	return nil
}

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
	x.out.Set("X-Amz-Copy-Source", s.header())
	limits := d.Policy.Limits(x.addr.Bucket, x.addr.Key)
	if limits.Open() {
		return d.forwardLate(x, x.request())
	}
	offset, last, err := copyRange(x.out.Get("X-Amz-Copy-Source-Range"))
	if err != nil {
		return err
	}
	f, err := d.examine(x, s, offset, number == 1 && limits.Types.NeedsBytes())
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
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if !ok || !strings.HasPrefix(header, "bytes=") || err1 != nil || err2 != nil || first < 0 || last < first {
		return 0, 0, bad
	}
	return first, last, nil
}
