package proxy

import (
	"cmp"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// maxCopy is the largest source of one copy, in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
const maxCopy = 5 << 30

// copyAcross serves CopyObject and UploadPartCopy from another backend: no store
// reads the other, so that the bytes go through here, as those of an upload do.
// part is 0 for a whole object.
func (d *Door) copyAcross(x *exchange, s source, part int) error {
	if x.out.Get("X-Amz-Checksum-Algorithm") != "" {
		return notImplemented("x-amz-checksum-algorithm on a copy between two backends")
	}
	first, last, err := copyRange(x.out.Get("X-Amz-Copy-Source-Range"))
	if err != nil {
		return err
	}
	if err := d.pinWrite(x); err != nil {
		return err
	}
	f, err := d.examineAcross(x, s)
	if err != nil {
		return err
	}
	s = s.pinned(f.header)
	read := sourceHeaders(x.out)
	read.Set("If-Match", f.etag)
	length := f.size
	if last >= 0 {
		if last >= f.size {
			return gateway.Errorf(gateway.InvalidArgument, "Range specified is not valid for source object of size: %d", f.size)
		}
		length = last - first + 1
		read.Set("Range", "bytes="+decimal(first)+"-"+decimal(last))
	}
	if length > maxCopy {
		return gateway.Errorf(gateway.InvalidRequest,
			"The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxCopy))
	}
	if part == 0 {
		if err := d.describeCopy(x, s, f); err != nil {
			return err
		}
	}
	resp, err := d.ask(x, s, http.MethodGet, read)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.ContentLength != length {
		return gateway.Errorf(gateway.ServiceUnavailable, "The copy's source gives another length than it tells.")
	}
	u := policy.Upload{Caller: x.caller, Bucket: x.addr.Bucket, Key: x.addr.Key, Size: length, Part: part}
	if part == 0 {
		u.ContentType = x.out.Get("Content-Type")
	}
	resp.Body = policy.PassageFrom(x.r.Context()).Incoming(resp.Body)
	admitted, _, err := d.limits(x).Admit(u, resp.Body)
	if err != nil {
		return err
	}
	return d.storeCopy(x, part, length, readCloser{admitted, resp.Body}, resp.Header)
}

// examineAcross asks for the source and compares it with the copy's conditions.
func (d *Door) examineAcross(x *exchange, s source) (facts, error) {
	asking := sourceHeaders(x.out)
	resp, err := d.judged(x, s.at, s.version, func() (*http.Response, error) {
		return d.ask(x, s, http.MethodHead, asking.Clone())
	})
	if err != nil {
		return facts{}, err
	}
	resp.Body.Close()
	if err := x.checkSource(resp.Header); err != nil {
		return facts{}, err
	}
	return facts{etag: resp.Header.Get("Etag"), contentType: resp.Header.Get("Content-Type"), size: resp.ContentLength, header: resp.Header}, nil
}

// describeCopy puts metadata and tags of the source into the request, unless the
// client replaces them.
func (d *Door) describeCopy(x *exchange, s source, f facts) error {
	for _, directive := range []string{"X-Amz-Metadata-Directive", "X-Amz-Tagging-Directive"} {
		switch v := x.out.Get(directive); v {
		case "", "COPY", "REPLACE":
		default:
			return gateway.Errorf(gateway.InvalidArgument, "Unknown directive.").
				With("ArgumentName", strings.ToLower(directive)).With("ArgumentValue", v)
		}
	}
	if x.out.Get("X-Amz-Metadata-Directive") != "REPLACE" {
		takeMetadata(x.out, f.header)
		x.out.Del("X-Amz-Metadata-Directive")
	}
	if x.out.Get("X-Amz-Tagging-Directive") == "REPLACE" {
		return d.stamp(x)
	}
	x.out.Del("X-Amz-Tagging")
	tags, err := d.tagsOf(x, s)
	if err != nil {
		return err
	}
	if tags != "" {
		x.out.Set("X-Amz-Tagging", tags)
	}
	return d.stamp(x)
}

// tagsOf gives the source's tags in the form of x-amz-tagging; none where the
// backend keeps no tags.
func (d *Door) tagsOf(x *exchange, s source) (string, error) {
	resp, err := s.at.Backend.Do(x.r.Context(), backend.Request{
		Method: http.MethodGet, Bucket: s.at.Bucket, Key: s.at.Key, Query: append(s.query(), signer.Param{Key: "tagging"}),
	})
	if err != nil {
		return "", clientGone(x.r.Context(), err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return "", nil
	default:
		return "", backend.ReadError(resp)
	}
	raw, err := readAnswer(resp.Body)
	if err != nil {
		return "", err
	}
	var doc struct {
		Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if err := xml.Unmarshal(raw, &doc); err != nil {
		return "", err
	}
	pairs := make([]string, len(doc.Tags))
	for i, t := range doc.Tags {
		pairs[i] = url.QueryEscape(t.Key) + "=" + url.QueryEscape(t.Value)
	}
	return strings.Join(pairs, "&"), nil
}

// storeCopy sends the bytes of the source to the target and answers as a copy is
// answered: with a document, and with white space while the bytes are on their
// way.
func (d *Door) storeCopy(x *exchange, part int, length int64, body io.ReadCloser, of http.Header) error {
	req := x.request()
	for name := range req.Header {
		if strings.HasPrefix(name, "X-Amz-Copy-Source") || strings.HasSuffix(name, "-Directive") {
			delete(req.Header, name)
		}
	}
	req.Body, req.Length, req.PayloadHash, req.Patient = body, length, signer.UnsignedPayload, true
	x.prove(&req)
	end, known := d.beginChange(x), false
	defer func() { end(known) }()
	late := &lateAnswer{x: x, status: http.StatusOK}
	stop := late.keepAliveEach(cmp.Or(d.KeepAlive, keepAliveAfter))
	defer stop()
	resp, err := x.at.Backend.Do(x.r.Context(), x.fromPage(req))
	stop()
	if err == nil {
		defer resp.Body.Close()
		err = x.noteAnswer(resp, stop)
	}
	known = outcomeKnown(err)
	end(known) // before the client hears of it
	if err != nil {
		return late.fail(clientGone(x.r.Context(), err))
	}
	late.take(resp)
	if id := of.Get("X-Amz-Version-Id"); id != "" && !late.begun {
		x.w.Header().Set("X-Amz-Copy-Source-Version-Id", id)
	}
	doc := copyResult{XMLName: xml.Name{Local: "CopyObjectResult"}, Xmlns: xmlns, ETag: resp.Header.Get("Etag"), LastModified: storedAt(resp.Header)}
	if part > 0 {
		doc.XMLName.Local = "CopyPartResult"
	}
	if !late.begun {
		x.w.Header().Del("Etag") // S3 tells it in the document alone
	}
	return late.finish(marshal(doc))
}

// copyResult is the answer to both operations.
type copyResult struct {
	XMLName            xml.Name
	Xmlns              string `xml:"xmlns,attr"`
	ETag, LastModified string
}

// storedAt is when the backend answered, in the form of S3's documents.
func storedAt(h http.Header) string {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		at = time.Unix(0, 0)
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z")
}
