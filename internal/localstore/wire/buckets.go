package wire

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// maxBuckets is the longest page of ListBuckets.
const maxBuckets = 10_000

type bucketList struct {
	XMLName           xml.Name       `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Buckets           []listedBucket `xml:"Buckets>Bucket"`
	Owner             owner
	Prefix            string `xml:",omitempty"`
	ContinuationToken string `xml:",omitempty"`
}

type listedBucket struct{ Name, CreationDate, BucketRegion string }

func (x *exchange) listBuckets() (*answer, error) {
	limit := maxBuckets
	if value := x.get("max-buckets"); value != "" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxBuckets {
			return nil, invalidArgument("max-buckets", value, "Argument max-buckets must be an integer between 1 and 10000.")
		}
		limit = n
	}
	after := ""
	if x.has("continuation-token") {
		var err error
		if after, err = readToken(x.get("continuation-token")); err != nil {
			return nil, err
		}
	}
	doc := bucketList{Owner: owner{x.owner}, Prefix: x.get("prefix")}
	if region := x.get("bucket-region"); region != "" && region != x.region {
		return document(doc), nil
	}
	list, truncated, err := x.store.Buckets(doc.Prefix, after, limit)
	if err != nil {
		return nil, err
	}
	for _, b := range list {
		doc.Buckets = append(doc.Buckets, listedBucket{b.Name, xmlDate(b.Created), x.region})
	}
	if truncated {
		doc.ContinuationToken = newToken(list[len(list)-1].Name)
	}
	return document(doc), nil
}

func (x *exchange) createBucket() (*answer, error) {
	if err := checkACL(x.header); err != nil {
		return nil, err
	}
	if err := x.checkLocation(); err != nil {
		return nil, err
	}
	ownership := x.header.Get("X-Amz-Object-Ownership")
	if ownership != "" && !validOwnership(ownership) {
		return nil, invalidArgument("x-amz-object-ownership", ownership, "Invalid x-amz-object-ownership header: %s", ownership)
	}
	lock := strings.EqualFold(x.header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true")
	if err := x.store.CreateBucket(localstore.CreateBucketInput{Name: x.bucket, Lock: lock}); err != nil {
		return nil, err
	}
	if ownership != "" {
		if err := x.store.PutSetting(x.bucket, "ownershipControls", marshal(newOwnership(ownership))); err != nil {
			return nil, err
		}
	}
	a := empty(http.StatusOK)
	a.header["Location"] = []string{"/" + x.bucket}
	return a, nil
}

// checkLocation refuses to make a bucket in another region than the store's.
// us-east-1 is taken too, because clients send it as their default.
func (x *exchange) checkLocation() error {
	if x.r.Body == nil || x.r.Body == http.NoBody || x.r.ContentLength == 0 {
		return nil
	}
	var doc struct {
		XMLName            xml.Name `xml:"CreateBucketConfiguration"`
		LocationConstraint string
		Unknown            []unknownElement `xml:",any"`
	}
	if err := x.readDocument("CreateBucketConfiguration", &doc); err != nil {
		return err
	}
	if len(doc.Unknown) > 0 {
		return unknown(doc.Unknown[0].XMLName.Local + " in CreateBucketConfiguration")
	}
	if at := doc.LocationConstraint; at != "" && at != x.region && at != defaultRegion {
		return refuse(invalidLocation, "The specified location-constraint is not valid").with("LocationConstraint", at)
	}
	return nil
}

func (x *exchange) headBucket() (*answer, error) {
	if _, err := x.store.Bucket(x.bucket); err != nil {
		return nil, err
	}
	a := empty(http.StatusOK)
	a.header["X-Amz-Bucket-Region"] = []string{x.region}
	a.header["Content-Type"] = []string{"application/xml"}
	return a, nil
}

func (x *exchange) deleteBucket() (*answer, error) {
	return empty(http.StatusNoContent), x.store.DeleteBucket(x.bucket)
}

type location struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	Region  string   `xml:",chardata"`
}

func (x *exchange) location() (*answer, error) {
	if _, err := x.store.Bucket(x.bucket); err != nil {
		return nil, err
	}
	if x.region == defaultRegion { // which S3 does not name here
		return document(location{}), nil
	}
	return document(location{Region: x.region}), nil
}
