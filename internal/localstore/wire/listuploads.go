package wire

import (
	"encoding/xml"
	"strconv"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

type uploadList struct {
	XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          text
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      *text
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Prefix             text
	Delimiter          *text
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Upload             []listedUpload
	CommonPrefixes     []commonPrefix
}

type listedUpload struct {
	Key               text
	UploadID          string `xml:"UploadId"`
	Initiator, Owner  owner
	StorageClass      string
	Initiated         string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

func (x *exchange) listUploads() (*answer, error) {
	q, err := x.readList("max-uploads", "maxUploads")
	if err != nil {
		return nil, err
	}
	if q.After = x.get("key-marker"); q.After != "" { // S3 ignores the other marker without it
		q.AfterID = x.get("upload-id-marker")
	}
	page, err := x.store.ListUploads(q.ListInput)
	if err != nil {
		return nil, err
	}
	doc := uploadList{
		Bucket: x.bucket, Prefix: q.name(q.Prefix), KeyMarker: q.name(q.After), UploadIDMarker: q.AfterID, MaxUploads: q.Max,
		Delimiter: q.optional(q.Delimiter), EncodingType: q.encoding(), IsTruncated: page.Truncated,
	}
	if page.Truncated {
		doc.NextKeyMarker, doc.NextUploadIDMarker = q.optional(page.Next), page.NextID
	}
	for _, e := range page.Entries {
		if e.Prefix != "" {
			doc.CommonPrefixes = append(doc.CommonPrefixes, commonPrefix{q.name(e.Prefix)})
			continue
		}
		u := e.Upload
		doc.Upload = append(doc.Upload, listedUpload{
			Key: q.name(u.Key), UploadID: u.ID, Initiator: owner{x.owner}, Owner: owner{x.owner}, StorageClass: storageClass(u.StorageClass),
			Initiated: xmlDate(u.Initiated), ChecksumAlgorithm: u.Algorithm, ChecksumType: u.Type,
		})
	}
	return document(doc), nil
}

type partList struct {
	XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
	Bucket               string
	Key                  text
	UploadID             string `xml:"UploadId"`
	Initiator, Owner     owner
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	EncodingType         string `xml:",omitempty"`
	IsTruncated          bool
	ChecksumAlgorithm    string `xml:",omitempty"`
	ChecksumType         string `xml:",omitempty"`
	Part                 []listedPart
}

type listedPart struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	Checksum     *element
}

func (x *exchange) listParts() (*answer, error) {
	q, err := x.readList("max-parts", "max-parts")
	if err != nil {
		return nil, err
	}
	after, value := 0, x.get("part-number-marker")
	if value != "" {
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return nil, invalidArgument("part-number-marker", value, "Argument part-number-marker must be an integer between 0 and 2147483647")
		}
		after = int(n)
	}
	u, parts, truncated, err := x.store.Parts(x.bucket, x.key, x.get("uploadId"), after, q.Max)
	if err != nil {
		return nil, err
	}
	doc := partList{
		Bucket: x.bucket, Key: q.name(x.key), UploadID: u.ID, Initiator: owner{x.owner}, Owner: owner{x.owner}, StorageClass: storageClass(u.StorageClass),
		PartNumberMarker: after, NextPartNumberMarker: after, MaxParts: q.Max, EncodingType: q.encoding(),
		IsTruncated: truncated && q.Max > 0, ChecksumAlgorithm: u.Algorithm, ChecksumType: u.Type,
	}
	for _, p := range parts {
		doc.NextPartNumberMarker = p.Number
		if u.Algorithm == "" { // the sender chose none
			p.Checksum = localstore.Checksum{}
		}
		doc.Part = append(doc.Part, listedPart{p.Number, xmlDate(p.Modified), quoted(p.ETag), p.Size, checksumElement(p.Checksum)})
	}
	return document(doc), nil
}
