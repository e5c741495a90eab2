package proxy

import (
	"encoding/xml"
	"net/http"
	"slices"
)

// regionForClients is a bucket's region as clients must know it: they sign for
// the region that they are told, and the gateway takes signatures for its own
// only, whatever region of its backend the bucket is in.
func (d *Door) regionForClients(backends string) string {
	regions := d.Verifier.Regions
	if len(regions) == 0 {
		regions = []string{defaultRegion}
	}
	if slices.Contains(regions, backends) {
		return backends
	}
	return regions[0]
}

// nameRegion puts that region into an answer that names one.
func (d *Door) nameRegion(h http.Header) {
	const name = "X-Amz-Bucket-Region"
	if region := h.Get(name); region != "" {
		h.Set(name, d.regionForClients(region))
	}
}

// locationConstraint is the answer of GetBucketLocation
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html).
type locationConstraint struct {
	XMLName xml.Name `xml:"LocationConstraint"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Region  string   `xml:",chardata"`
}

// bucketLocation asks the backend, so that its refusals pass, and names the
// region that clients sign for: minio-go and others ask for nothing else.
func (d *Door) bucketLocation(x *exchange) error {
	var found locationConstraint
	if err := d.fetch(x, x.request(), &found); err != nil {
		return err
	}
	region := found.Region
	switch region {
	case "":
		region = defaultRegion
	case "EU":
		region = "eu-west-1"
	}
	answer := locationConstraint{Xmlns: xmlns, Region: d.regionForClients(region)}
	if answer.Region == defaultRegion {
		answer.Region = "" // as S3 names it
	}
	return x.answerXML(http.StatusOK, answer)
}
