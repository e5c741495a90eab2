package proxy

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/signer"
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
	shown := listBucketsResult{Xmlns: xmlns, Owner: &owner{ID: hostID, DisplayName: hostID}}
	var all listBucketsResult
	req := x.request()
	if len(d.Buckets.Mapped) > 0 {
		req.Query = nil // the pages are the gateway's own
	}
	if err := d.fetch(x, req, &all); err != nil {
		return err
	}
	for _, b := range all.Buckets.Bucket {
		if d.Buckets.Visible(b.Name) && d.Policy.Visible(x.caller, b.Name) {
			if b.BucketRegion != "" {
				b.BucketRegion = d.regionForClients(b.BucketRegion)
			}
			shown.Buckets.Bucket = append(shown.Buckets.Bucket, b)
		}
	}
	if len(d.Buckets.Mapped) == 0 {
		shown.ContinuationToken, shown.Prefix = all.ContinuationToken, all.Prefix
		return x.answerXML(http.StatusOK, shown)
	}
	shown.Buckets.Bucket = append(shown.Buckets.Bucket, d.mappedBuckets(x, all.Buckets.Bucket)...)
	return x.answerXML(http.StatusOK, shown.page(x.query))
}

// mappedBuckets are the rows of the bucket map. One has its backend's date where
// that is known; the epoch stands for a date that nobody was asked for.
func (d *Door) mappedBuckets(x *exchange, known []bucketEntry) []bucketEntry {
	dates := map[string]string{}
	for _, b := range known {
		dates[b.Name] = b.CreationDate
	}
	var rows []bucketEntry
	for name, m := range d.Buckets.Mapped {
		if !d.Policy.Visible(x.caller, name) {
			continue
		}
		entry := bucketEntry{Name: name, CreationDate: "1970-01-01T00:00:00.000Z"}
		if date := dates[m.Bucket]; date != "" && m.Backend == d.Buckets.Client {
			entry.CreationDate = date
		}
		rows = append(rows, entry)
	}
	return rows
}

// page cuts the page that was asked for out of all buckets, by name. The token
// of the next page is the last name of this one.
func (r listBucketsResult) page(query []signer.Param) listBucketsResult {
	all := r.Buckets.Bucket
	slices.SortFunc(all, func(a, b bucketEntry) int { return strings.Compare(a.Name, b.Name) })
	r.Prefix = get(query, "prefix")
	after := get(query, "continuation-token")
	most, err := strconv.Atoi(get(query, "max-buckets"))
	if err != nil || most < 1 {
		most = len(all)
	}
	r.Buckets.Bucket = nil
	for _, b := range all {
		if b.Name <= after || !strings.HasPrefix(b.Name, r.Prefix) {
			continue
		}
		if len(r.Buckets.Bucket) == most {
			r.ContinuationToken = r.Buckets.Bucket[most-1].Name
			break
		}
		r.Buckets.Bucket = append(r.Buckets.Bucket, b)
	}
	return r
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
