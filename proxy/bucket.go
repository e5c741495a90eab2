package proxy

import (
	"encoding/xml"
	"net/http"
)

// listBucketsResult is the answer of ListBuckets
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html).
type listBucketsResult struct {
	XMLName           xml.Name   `xml:"ListAllMyBucketsResult"`
	Xmlns             string     `xml:"xmlns,attr,omitempty"`
	Owner             *owner     `xml:",omitempty"`
	Buckets           bucketList `xml:"Buckets"`
	ContinuationToken string     `xml:",omitempty"`
	Prefix            string     `xml:",omitempty"`
}

type owner struct {
	ID          string
	DisplayName string `xml:",omitempty"`
}

type bucketList struct {
	Bucket []bucketEntry
}

type bucketEntry struct {
	Name         string
	CreationDate string
	BucketRegion string `xml:",omitempty"`
	BucketArn    string `xml:",omitempty"`
}

// listBuckets shows the buckets that are exposed. The owner is the gateway: the
// backend's account is nobody's business.
func (d *Door) listBuckets(x *exchange) error {
	var all listBucketsResult
	if err := d.fetch(x, x.request(), &all); err != nil {
		return err
	}
	shown := listBucketsResult{
		Xmlns: xmlns, Owner: &owner{ID: hostID, DisplayName: hostID},
		ContinuationToken: all.ContinuationToken, Prefix: all.Prefix,
	}
	for _, b := range all.Buckets.Bucket {
		if d.Buckets.Visible(b.Name) {
			shown.Buckets.Bucket = append(shown.Buckets.Bucket, b)
		}
	}
	return x.answerXML(http.StatusOK, shown)
}

// createBucket makes a bucket where every bucket is exposed. The document's
// location is the client's idea of a region, which is the gateway's and not the
// backend's, so the backend's own takes its place. Anything else in it (tags, a
// directory bucket) would be lost, and is refused.
func (d *Door) createBucket(x *exchange) error {
	if err := d.Buckets.mayChange(x.addr.Bucket); err != nil {
		return err
	}
	doc, err := d.readDocument(x)
	if err != nil {
		return err
	}
	var wanted createBucketDocument
	if len(doc.raw) > 0 {
		if err := doc.parse(&wanted); err != nil {
			return err
		}
	}
	if len(wanted.Rest) > 0 {
		return notImplemented(wanted.Rest[0].XMLName.Local + " on CreateBucket")
	}
	x.out.Del("Content-Type")
	x.out.Del("Content-Md5")
	req := x.request()
	if region := x.at.Backend.Region; region != "" && region != defaultRegion && !x.at.Backend.FileKeys {
		req = rewritten(x, createBucketDocument{Xmlns: xmlns, LocationConstraint: region})
	}
	x.w.Header().Set("Location", "/"+x.addr.Bucket)
	return d.forward(x, req)
}

// defaultRegion is the one that S3 wants no location constraint for.
const defaultRegion = "us-east-1"

type createBucketDocument struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	Xmlns              string   `xml:"xmlns,attr,omitempty"`
	LocationConstraint string
	Rest               []anyElement `xml:",any"`
}

// deleteBucket removes a bucket where every bucket is exposed.
func (d *Door) deleteBucket(x *exchange) error {
	if err := d.Buckets.mayChange(x.addr.Bucket); err != nil {
		return err
	}
	return d.forward(x, x.request())
}
