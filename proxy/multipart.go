package proxy

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// createMultipartUpload judges the declared type; the bytes show with part 1.
func (d *Door) createMultipartUpload(x *exchange) error {
	limits := d.limits(x)
	if err := limits.CheckDeclared(x.header.Get("Content-Type"), x.addr.Key); err != nil {
		return err
	}
	if err := d.stamp(x); err != nil {
		return err
	}
	return d.named(x)
}

// completeDocument is the body of CompleteMultipartUpload
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
type completeDocument struct {
	XMLName xml.Name        `xml:"CompleteMultipartUpload"`
	Xmlns   string          `xml:"xmlns,attr,omitempty"`
	Parts   []completedPart `xml:"Part"`
}

type completedPart struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumMD5       string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumSHA512    string `xml:",omitempty"`
	ChecksumXXHASH128 string `xml:",omitempty"`
	ChecksumXXHASH3   string `xml:",omitempty"`
	ChecksumXXHASH64  string `xml:",omitempty"`
	ETag              string
	PartNumber        int
}

const xmlns = "http://s3.amazonaws.com/doc/2006-03-01/"

// completeMultipartUpload checks the whole object before it comes to be: the
// parts that the backend lists, with exactly the ETags that go on, are summed
// and judged. A refusal ends the upload, so that nothing of it is left.
func (d *Door) completeMultipartUpload(x *exchange) error {
	doc, err := d.readDocument(x)
	if err != nil {
		return err
	}
	var complete completeDocument
	if err := doc.parse(&complete); err != nil {
		return err
	}
	if n := len(complete.Parts); n == 0 || n > maxPartNumber {
		return malformed(errors.New("a complete names 1 to 10000 parts"))
	}
	if err := inOrder(complete.Parts); err != nil {
		return err
	}
	if limits := d.limits(x); !limits.Open() {
		if err := d.checkParts(x, limits, complete.Parts); err != nil {
			return err
		}
	}
	if err := d.pinWrite(x); err != nil {
		return err
	}
	complete.Xmlns = xmlns
	return d.forwardLate(x, rewritten(x, complete))
}

func inOrder(parts []completedPart) error {
	for i, p := range parts {
		if p.PartNumber < 1 || p.PartNumber > maxPartNumber {
			return gateway.Errorf(gateway.InvalidArgument, "Part number must be an integer between 1 and %d, inclusive.", maxPartNumber)
		}
		if i > 0 && p.PartNumber <= parts[i-1].PartNumber {
			return gateway.Errorf(gateway.InvalidPartOrder, "")
		}
	}
	return nil
}

// checkParts judges the object that the named parts make.
func (d *Door) checkParts(x *exchange, limits policy.Limits, named []completedPart) error {
	listed, err := d.listParts(x)
	if err != nil {
		return err
	}
	parts := make([]policy.Part, 0, len(named))
	for _, p := range named {
		have, ok := listed[p.PartNumber]
		if !ok || have.etag != strings.Trim(p.ETag, `"`) {
			return gateway.Errorf(gateway.InvalidPart, "").With("PartNumber", decimal(int64(p.PartNumber)))
		}
		parts = append(parts, policy.Part{Number: p.PartNumber, Size: have.size})
	}
	over, err := limits.CheckParts(parts)
	if over {
		d.abort(x)
	}
	return err
}

type listedPart struct {
	etag string
	size int64
}

// listPartsResult is the part of ListParts' answer that is used.
type listPartsResult struct {
	IsTruncated          bool
	NextPartNumberMarker string
	Part                 []struct {
		PartNumber int
		ETag       string
		Size       int64
	}
}

// maxPages bounds the listing: 10,000 parts at a page of at least 100.
const maxPages = 100

// listParts asks the backend for every part of the upload.
func (d *Door) listParts(x *exchange) (map[int]listedPart, error) {
	parts, marker := map[int]listedPart{}, ""
	for range maxPages {
		query := []signer.Param{{Key: "uploadId", Value: get(x.query, "uploadId")}}
		if marker != "" {
			query = append(query, signer.Param{Key: "part-number-marker", Value: marker})
		}
		var page listPartsResult
		// A client's own key and who pays are the same for a part list.
		header := http.Header{}
		for name, values := range x.out {
			if strings.HasPrefix(name, "X-Amz-Server-Side-Encryption-Customer-") || name == "X-Amz-Request-Payer" {
				header[name] = values
			}
		}
		if err := d.fetch(x, backend.Request{Method: http.MethodGet, Bucket: x.at.Bucket, Key: x.at.Key, Query: query, Header: header}, &page); err != nil {
			return nil, err
		}
		for _, p := range page.Part {
			parts[p.PartNumber] = listedPart{etag: strings.Trim(p.ETag, `"`), size: p.Size}
		}
		if !page.IsTruncated || page.NextPartNumberMarker == "" || page.NextPartNumberMarker == marker {
			return parts, nil
		}
		marker = page.NextPartNumberMarker
	}
	return nil, backend.Broken("it lists more parts than an upload can have")
}

// abortTimeout bounds the clean-up after a refusal; it runs on although the
// client may have left.
const abortTimeout = 30 * time.Second

func (d *Door) abort(x *exchange) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), abortTimeout)
	defer cancel()
	resp, err := x.at.Backend.Do(ctx, backend.Request{Method: http.MethodDelete, Bucket: x.at.Bucket, Key: x.at.Key,
		Query: []signer.Param{{Key: "uploadId", Value: get(x.query, "uploadId")}}})
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode >= http.StatusMultipleChoices {
			err = errors.New(resp.Status)
		}
	}
	if err != nil {
		d.Log.Error().Err(err).Str("bucket", x.addr.Bucket).Str("key", x.addr.Key).Msg("a refused multipart upload could not be aborted")
	}
}
