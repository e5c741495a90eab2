package proxy

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
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
// backend's account is nobody's business. Where anything is hidden the pages are
// the gateway's own: the backend's would be short, and its tokens may name what
// is hidden.
func (d *Door) listBuckets(x *exchange) error {
	own := len(d.Buckets.Mapped) > 0 || !d.Buckets.open() || !d.Policy.SeesEvery(x.caller)
	most, err := mostBuckets(x.query)
	if err != nil && own {
		return err
	}
	shown := listBucketsResult{Xmlns: xmlns, Owner: &owner{ID: hostID, DisplayName: hostID}}
	all, err := d.fetchBuckets(x, own)
	if err != nil {
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
	if !own {
		shown.ContinuationToken, shown.Prefix = all.ContinuationToken, all.Prefix
		return x.answerXML(http.StatusOK, shown)
	}
	shown.Buckets.Bucket = append(shown.Buckets.Bucket, d.mappedBuckets(x, all.Buckets.Bucket)...)
	return x.answerXML(http.StatusOK, shown.page(x.query, most))
}

// maxBuckets is the most that a page may have, as on AWS.
const maxBuckets = 10_000

// mostBuckets reads max-buckets, which is maxBuckets where it is absent.
func mostBuckets(query []signer.Param) (int, error) {
	text := get(query, "max-buckets")
	if text == "" {
		return maxBuckets, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxBuckets {
		return 0, gateway.Errorf(gateway.InvalidArgument, "Argument max-buckets must be an integer between 1 and %d", maxBuckets).
			With("ArgumentName", "max-buckets").With("ArgumentValue", text)
	}
	return n, nil
}

// fetchBuckets gives the page of the backend that was asked for, or all of its
// buckets.
func (d *Door) fetchBuckets(x *exchange, whole bool) (all listBucketsResult, err error) {
	req := x.request()
	if !whole {
		err = d.fetch(x, req, &all)
		return all, err
	}
	token := ""
	for range maxPages {
		req := req
		req.Header, req.Query = req.Header.Clone(), nil
		if token != "" {
			req.Query = []signer.Param{{Key: "continuation-token", Value: token}}
		}
		var page listBucketsResult
		if err := d.fetch(x, req, &page); err != nil {
			return all, err
		}
		all.Buckets.Bucket = append(all.Buckets.Bucket, page.Buckets.Bucket...)
		if page.ContinuationToken == "" || page.ContinuationToken == token {
			return all, nil
		}
		token = page.ContinuationToken
	}
	return all, backend.Broken("it lists buckets without end")
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
func (r listBucketsResult) page(query []signer.Param, most int) listBucketsResult {
	all := r.Buckets.Bucket
	slices.SortFunc(all, func(a, b bucketEntry) int { return strings.Compare(a.Name, b.Name) })
	r.Prefix = get(query, "prefix")
	after := get(query, "continuation-token")
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
	region := x.at.Backend.Region
	if err := checkLocation(wanted.LocationConstraint, region); err != nil {
		return err
	}
	x.out.Del("Content-Type")
	x.out.Del("Content-Md5")
	req := x.request()
	if region != "" && region != defaultRegion {
		req = rewritten(x, createBucketDocument{Xmlns: xmlns, LocationConstraint: region})
	}
	x.w.Header().Set("Location", "/"+x.addr.Bucket)
	return d.forward(x, req)
}

// checkLocation refuses a bucket that its client wants in another region than the
// backend's. The default region and "auto" stand for wherever the endpoint is.
func checkLocation(wanted, region string) error {
	if slices.Contains([]string{"", region, defaultRegion, "auto"}, wanted) {
		return nil
	}
	return (&gateway.Error{Code: "IllegalLocationConstraintException", Status: http.StatusBadRequest,
		Message: "The " + clip(wanted) + " location constraint is incompatible for the region specific endpoint this request was sent to. Buckets are made in " + cmp.Or(region, defaultRegion) + "."}).
		With("LocationConstraint", clip(wanted))
}

// clip bounds what a refusal repeats of a client's own words.
func clip(s string) string { return gateway.Clip(s, 64) }

// checkNewBucket answers for a bucket that is there where clients make none, as S3
// does to its owner: rclone asks for a bucket before it stores anything in it,
// also one whose caller may make none, and goes on at this answer alone.
func (d *Door) checkNewBucket(x *exchange) error {
	if d.Buckets.mayChange(x.addr.Bucket) == nil || x.auth.Anonymous || !d.Policy.Visible(x.caller, x.addr.Bucket) {
		return nil
	}
	resp, err := x.at.Backend.Do(x.r.Context(), backend.Request{Method: http.MethodHead, Bucket: x.at.Bucket})
	if err != nil {
		return clientGone(x.r.Context(), err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	return &gateway.Error{Code: "BucketAlreadyOwnedByYou", Status: http.StatusConflict,
		Message: "Your previous request to create the named bucket succeeded and you already own it."}
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

// deleteSetting asks the backend whether it knows the setting at all before it is
// told to delete it: one that passes over the query, as MinIO does, would delete
// the bucket.
func (d *Door) deleteSetting(x *exchange) error {
	ask := x.request()
	ask.Method, ask.Header = http.MethodGet, ask.Header.Clone()
	resp, err := x.at.Backend.Do(x.r.Context(), ask)
	if err != nil {
		return clientGone(x.r.Context(), err)
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotImplemented {
		return notImplemented(x.op.Name + " at this backend")
	}
	return d.forward(x, x.request())
}
