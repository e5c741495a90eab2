package backend

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/codeguardians/s3gateway/signer"
)

// Bounds of what is remembered of buckets that are not in the endpoint's region.
const (
	maxStrayBuckets = 1024
	maxRegions      = 64
)

// regions knows which buckets are in another region than the endpoint's, and
// signs for those. It is safe for concurrent use.
type regions struct {
	of *lru.Cache[string, string]

	mu    sync.Mutex
	wires map[wire]http.RoundTripper
}

// wire is a way to the backend: a region to sign for, over the patient
// connections or the others.
type wire struct {
	region  string
	patient bool
}

func newRegions() *regions {
	of, err := lru.New[string, string](maxStrayBuckets)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &regions{of: of, wires: map[wire]http.RoundTripper{}}
}

// regionOf is the region that a bucket was last met in.
func (c *Client) regionOf(bucket string) string {
	if region, ok := c.regions.of.Get(bucket); ok {
		return region
	}
	return c.Region
}

// wireTo is what signs for a region, nil when too many were met: no backend has
// that many.
func (c *Client) wireTo(region string, patient bool) http.RoundTripper {
	c.regions.mu.Lock()
	defer c.regions.mu.Unlock()
	w, ok := c.regions.wires[wire{region, patient}]
	if ok || len(c.regions.wires) >= 2*maxRegions {
		return w
	}
	w = c.over(c.connections(patient))
	if c.Transport == nil {
		w = &signer.Transport{Base: w, Credentials: c.Credentials, Region: region, Now: c.now}
	}
	c.regions.wires[wire{region, patient}] = w
	return w
}

// inRegion is the endpoint for a bucket of another region. On AWS each region has
// an address of its own; everywhere else only the signature differs. The address
// that an answer names is never gone to.
func (e Endpoint) inRegion(region string) Endpoint {
	if host := e.URL.Hostname(); host == AWSEndpoint(e.Region).Host || host == "s3.amazonaws.com" {
		e.URL = AWSEndpoint(region)
	}
	e.Region = region
	return e
}

// elsewhere gives the region in which an answer says the bucket is, "" if it says
// no such thing (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html).
// What it reads of the answer's body can be read again.
func elsewhere(resp *http.Response, asked string) string {
	region := ""
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		region = resp.Header.Get("X-Amz-Bucket-Region")
	case http.StatusBadRequest:
		if region = resp.Header.Get("X-Amz-Bucket-Region"); region == "" {
			region = malformedRegion(resp)
		}
	}
	if region == asked || !validRegion(region) {
		return ""
	}
	return region
}

// malformedRegion is the region that an AuthorizationHeaderMalformed asks for.
func malformedRegion(resp *http.Response) string {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorDocument))
	rest := resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), rest), rest}
	var doc struct {
		XMLName      xml.Name `xml:"Error"`
		Code, Region string
	}
	if err != nil || xml.Unmarshal(raw, &doc) != nil || doc.Code != "AuthorizationHeaderMalformed" {
		return ""
	}
	return doc.Region
}

// validRegion takes what a region's name is made of: it becomes a part of a host
// name and of a signature's scope.
func validRegion(name string) bool {
	return name != "" && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		name[0] != '-' && name[len(name)-1] != '-'
}
