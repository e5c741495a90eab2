package wire

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

func (x *exchange) createUpload() (*answer, error) {
	o, err := x.newObject()
	if err != nil {
		return nil, err
	}
	kind, err := x.checksumType()
	if err != nil {
		return nil, err
	}
	algorithm, err := x.checksumAlgorithm()
	if err != nil {
		return nil, err
	}
	u, err := x.store.CreateUpload(localstore.CreateUploadInput{
		Bucket: x.bucket, Key: x.key, Meta: o.meta, Tags: o.tags, Lock: o.lock,
		Algorithm: algorithm, Type: kind,
	})
	if err != nil {
		return nil, err
	}
	a := document(tree("InitiateMultipartUploadResult", leaf("Bucket", x.bucket), leaf("Key", x.key), leaf("UploadId", u.ID)))
	setUnlessEmpty(a.header, "X-Amz-Checksum-Algorithm", u.Algorithm)
	setUnlessEmpty(a.header, "X-Amz-Checksum-Type", u.Type)
	return a, nil
}

// checksumType returns the kind of an upload's checksum, "" where none is named.
func (x *exchange) checksumType() (string, error) {
	kind := strings.ToUpper(x.header.Get("X-Amz-Checksum-Type"))
	if kind != "" && kind != localstore.FullObject && kind != localstore.Composite {
		return "", invalidRequest("Value for x-amz-checksum-type header is invalid.")
	}
	return kind, nil
}

func (x *exchange) uploadPart() (*answer, error) {
	n, err := x.partNumber()
	if err != nil {
		return nil, err
	}
	body, e, err := x.openBody()
	if err != nil {
		return nil, err
	}
	p, err := x.store.PutPart(x.ctx, localstore.PartInput{
		Bucket: x.bucket, Key: x.key, UploadID: x.get("uploadId"), Number: n, Body: body, Expect: e,
	})
	if err != nil {
		return nil, err
	}
	a := empty(http.StatusOK)
	a.header["Etag"] = []string{quoted(p.ETag)}
	p.Checksum.Type = "" // it is the upload's, not the part's
	setChecksum(a.header, p.Checksum)
	return a, nil
}

func (x *exchange) copyPart() (*answer, error) {
	n, err := x.partNumber()
	if err != nil {
		return nil, err
	}
	source, err := x.copySource()
	if err != nil {
		return nil, err
	}
	r, err := x.copyRange()
	if err != nil {
		return nil, err
	}
	p, from, err := x.store.CopyPart(x.ctx, localstore.CopyPartInput{
		Source: source, SourceIf: x.sourceIf(r), Range: r, Bucket: x.bucket, Key: x.key, UploadID: x.get("uploadId"), Number: n,
	})
	if err != nil {
		return nil, x.copyError(err)
	}
	u, _, _, err := x.store.Parts(x.bucket, x.key, x.get("uploadId"), n, 0)
	if err != nil {
		return nil, err
	}
	a := document(tree("CopyPartResult", leaf("LastModified", xmlDate(p.Modified)), leaf("ETag", quoted(p.ETag)),
		when(u.Algorithm != "", checksumNode(p.Checksum)))) // not of one that nobody asked for
	setSourceVersion(a.header, from)
	return a, nil
}

// copyRange returns the range of a copied part, nil for the whole source. S3 takes
// no other form than first and last.
func (x *exchange) copyRange() (*localstore.Range, error) {
	value := x.header.Get("X-Amz-Copy-Source-Range")
	if value == "" {
		return nil, nil
	}
	first, last, ok := parseRange(value)
	if !ok || first < 0 || last < 0 || value != fmt.Sprintf("bytes=%d-%d", first, last) {
		return nil, invalidArgument("x-amz-copy-source-range", value, "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	return &localstore.Range{Offset: first, Length: last - first + 1}, nil
}

func (x *exchange) completeUpload() (*answer, error) {
	in, err := x.readComplete()
	if err != nil {
		return nil, err
	}
	v, err := x.store.Complete(x.ctx, in)
	if err != nil {
		return nil, x.conditional(err)
	}
	a := document(tree("CompleteMultipartUploadResult",
		leaf("Location", (&url.URL{Scheme: "http", Host: cmp.Or(x.r.Host, x.r.URL.Host), Path: "/" + x.bucket + "/" + x.key}).String()),
		leaf("Bucket", x.bucket), leaf("Key", x.key), leaf("ETag", quoted(v.ETag)), checksumNode(v.Checksum), optional("ChecksumType", v.Checksum.Type)))
	setNewVersion(a.header, v)
	return a, nil
}

// readComplete reads headers and document of CompleteMultipartUpload. Its checksum
// headers are the object's, not the document's.
func (x *exchange) readComplete() (localstore.CompleteInput, error) {
	in := localstore.CompleteInput{Bucket: x.bucket, Key: x.key, UploadID: x.get("uploadId")}
	var err error
	if in.If, err = x.writeIf(); err != nil {
		return in, err
	}
	in.Checksum, err = declaredChecksum(x.header, func(c checksum, value string) bool {
		sum, parts, _ := strings.Cut(value, "-") // of a composite one, the number of parts follows
		return c.valid(sum) && strings.Trim(parts, "0123456789") == ""
	})
	if err != nil {
		return in, err
	}
	if in.Checksum.Type, err = x.checksumType(); err != nil {
		return in, err
	}
	if value := x.header.Get("X-Amz-Mp-Object-Size"); value != "" {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return in, invalidRequest("Value for x-amz-mp-object-size header is invalid: '%s'", value)
		}
		if n < 0 {
			return in, invalidRequest("Value for x-amz-mp-object-size header is less than zero: '%d'", n)
		}
		in.Size = &n
	}
	in.Parts, err = x.readParts()
	return in, err
}

func (x *exchange) readParts() (parts []localstore.CompletedPart, err error) {
	plain := *x
	plain.header = x.header.Clone()
	for _, c := range checksums {
		plain.header.Del(c.header)
	}
	p, err := plain.openDocument(maxCompletion, false)
	if err != nil {
		return nil, err
	}
	err = p.each("CompleteMultipartUpload", func(d *xml.Decoder, start xml.StartElement) error {
		if start.Name.Local != "Part" || len(parts) == localstore.MaxParts {
			return malformed()
		}
		part, err := readPart(d, start)
		parts = append(parts, part)
		return err
	})
	if err == nil && len(parts) == 0 {
		err = malformed()
	}
	return parts, err
}

func readPart(d *xml.Decoder, start xml.StartElement) (localstore.CompletedPart, error) {
	var doc struct {
		PartNumber *int
		ETag       *string
		Rest       []field `xml:",any"`
	}
	if err := d.DecodeElement(&doc, &start); err != nil {
		return localstore.CompletedPart{}, err
	}
	if doc.PartNumber == nil || doc.ETag == nil {
		return localstore.CompletedPart{}, malformed()
	}
	part := localstore.CompletedPart{Number: *doc.PartNumber, ETag: unquoted(*doc.ETag)}
	if part.Number < 1 || part.Number > localstore.MaxParts {
		return part, invalidArgument("PartNumber", strconv.Itoa(part.Number), "PartNumber must be >= 1")
	}
	for _, other := range doc.Rest {
		algorithm, isChecksum := strings.CutPrefix(other.XMLName.Local, "Checksum")
		c, known := findChecksum(algorithm)
		value := strings.TrimSpace(other.Value)
		if !isChecksum || !known {
			return part, malformed()
		}
		if part.Checksum.Value != "" || !c.valid(value) {
			return part, refuse(localstore.InvalidArgument, "Invalid Base64 or multiple checksums present in request")
		}
		part.Checksum = localstore.Checksum{Algorithm: c.algorithm, Value: value}
	}
	return part, nil
}

func (x *exchange) abortUpload() (*answer, error) {
	var at time.Time
	if value := x.header.Get("X-Amz-If-Match-Initiated-Time"); value != "" {
		var err error
		if at, err = parseDate(value); err != nil {
			return nil, invalidArgument("x-amz-if-match-initiated-time", value, "The time must be an HTTP date or in ISO 8601 format")
		}
		if at.After(x.now()) { // S3 ignores it
			at = time.Time{}
		}
	}
	if err := x.store.Abort(x.bucket, x.key, x.get("uploadId"), at); err != nil {
		return nil, err
	}
	return empty(http.StatusNoContent), nil
}
