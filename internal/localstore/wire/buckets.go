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
	prefix, region := x.get("prefix"), x.get("bucket-region")
	list, truncated, err := x.store.Buckets(prefix, after, limit)
	if err != nil {
		return nil, err
	}
	if region != "" && region != x.region {
		list, truncated = nil, false
	}
	buckets, token := tree("Buckets"), ""
	for _, b := range list {
		buckets.kids = append(buckets.kids, tree("Bucket", leaf("Name", b.Name), leaf("CreationDate", xmlDate(b.Created)), leaf("BucketRegion", x.region)))
	}
	if truncated {
		token = newToken(list[len(list)-1].Name)
	}
	return document(tree("ListAllMyBucketsResult", x.ownerNode("Owner"), buckets, optional("ContinuationToken", token), optional("Prefix", prefix))), nil
}

func (x *exchange) createBucket() (*answer, error) {
	err := checkACL(x.header)
	if f, ok := err.(*failure); ok && f.code == localstore.InvalidArgument {
		return nil, err
	}
	if err != nil {
		return nil, refuse("InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
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
		if err := x.store.PutSetting(x.bucket, "ownershipControls", ownershipXML(ownership)); err != nil {
			return nil, err
		}
	}
	a := empty(http.StatusOK)
	a.header["Location"] = []string{"/" + x.bucket}
	a.header["X-Amz-Bucket-Arn"] = []string{"arn:aws:s3:::" + x.bucket}
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
		return unknown("The store does not have " + doc.Unknown[0].XMLName.Local + " in CreateBucketConfiguration")
	}
	if at := doc.LocationConstraint; at != "" && at != x.region && at != defaultRegion {
		return refuse("InvalidLocationConstraint", "The specified location-constraint is not valid").with("LocationConstraint", at)
	}
	return nil
}

func (x *exchange) headBucket() (*answer, error) {
	if _, err := x.store.Bucket(x.bucket); err != nil {
		return nil, err
	}
	a := empty(http.StatusOK)
	a.header["X-Amz-Bucket-Region"] = []string{x.region}
	a.header["X-Amz-Bucket-Arn"] = []string{"arn:aws:s3:::" + x.bucket}
	a.header["Content-Type"] = []string{"application/xml"}
	return a, nil
}

func (x *exchange) deleteBucket() (*answer, error) {
	return empty(http.StatusNoContent), x.store.DeleteBucket(x.bucket)
}

func (x *exchange) location() (*answer, error) {
	region := x.region
	if region == defaultRegion { // which S3 does not name here
		region = ""
	}
	return document(leaf("LocationConstraint", region)), nil
}
