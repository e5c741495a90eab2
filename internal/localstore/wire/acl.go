package wire

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// cannedACLs are those of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html).
var cannedACLs = []string{
	"private", "bucket-owner-full-control", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "log-delivery-write",
}

// checkACL refuses headers of access control lists, but for the two that say what
// is so without them. S3 answers so in a bucket whose owner owns every object.
func checkACL(h http.Header) error {
	canned := h.Get("X-Amz-Acl")
	switch {
	case canned != "" && !slices.Contains(cannedACLs, canned):
		return invalidArgument("x-amz-acl", canned, "")
	case slices.Index(cannedACLs, canned) > 1:
		return refuse("AccessControlListNotSupported", "The bucket does not allow ACLs.")
	}
	for name := range h {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-grant-") {
			return refuse("AccessControlListNotSupported", "The bucket does not allow ACLs.")
		}
	}
	return nil
}

// fullControl is the access control list of everything: its owner has full
// control.
func (x *exchange) fullControl() *answer {
	grantee := x.ownerNode("Grantee")
	grantee.attributes = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"`
	return document(tree("AccessControlPolicy", x.ownerNode("Owner"),
		tree("AccessControlList", tree("Grant", grantee, leaf("Permission", "FULL_CONTROL")))))
}

// ownerNode names the owner of everything as the owner or initiator of something.
func (x *exchange) ownerNode(name string) node { return tree(name, leaf("ID", x.owner)) }

func (x *exchange) getBucketACL() (*answer, error) { return x.fullControl(), nil }

func (x *exchange) putBucketACL() (*answer, error) { return empty(http.StatusOK), x.sameACL() }

func (x *exchange) getObjectACL() (*answer, error) {
	v, err := x.stat()
	if err != nil {
		return nil, err
	}
	a := x.fullControl()
	setVersion(a.header, v)
	return a, nil
}

func (x *exchange) putObjectACL() (*answer, error) {
	v, err := x.stat()
	if err != nil {
		return nil, err
	}
	return about(http.StatusOK, v), x.sameACL()
}

// stat returns the version that the request names.
func (x *exchange) stat() (localstore.Version, error) {
	ref, err := x.ref()
	if err != nil {
		return localstore.Version{}, err
	}
	return x.store.Stat(ref)
}

// sameACL refuses a list that differs from the owner's full control.
func (x *exchange) sameACL() error {
	if err := checkACL(x.header); err != nil || x.header.Get("X-Amz-Acl") != "" {
		return err
	}
	if x.r.ContentLength == 0 {
		return refuse("MissingSecurityHeader", "Your request was missing a required header.").with("MissingHeaderName", "x-amz-acl")
	}
	var doc struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Owner   struct{ ID string }
		Grants  []struct {
			Grantee    struct{ ID, URI, EmailAddress string }
			Permission string
		} `xml:"AccessControlList>Grant"`
	}
	if err := x.readDocument("AccessControlPolicy", &doc); err != nil {
		return err
	}
	for _, g := range doc.Grants {
		if g.Permission != "FULL_CONTROL" || g.Grantee.URI+g.Grantee.EmailAddress != "" || g.Grantee.ID != "" && g.Grantee.ID != x.owner {
			return refuse("AccessControlListNotSupported", "The bucket does not allow ACLs.")
		}
	}
	return nil
}
