package wire

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// setting is a configuration of a bucket, in a sub-resource of the same name.
type setting struct {
	name string
	// absent is the code of GET where it was never put; "" where nothing is an
	// answer, and root then the name of the empty document.
	absent  localstore.Code
	message string
	root    string
	// read decodes and checks the request's document, and returns what is kept.
	// nil: the store does not have it.
	read   func(*exchange) ([]byte, error)
	status int // of PUT, 0: 200
	// initial is the document of a bucket for which none was put.
	initial []byte
	// named is for settings of which a bucket has several, by their id.
	named bool
}

// settings are those with nothing beside GET, PUT and DELETE of a document.
var settings = []setting{
	{name: "cors", absent: "NoSuchCORSConfiguration", message: "The CORS configuration does not exist", read: (*exchange).readCORS},
	{name: "lifecycle", absent: "NoSuchLifecycleConfiguration", message: "The lifecycle configuration does not exist", read: (*exchange).readLifecycle},
	{name: "ownershipControls", absent: "OwnershipControlsNotFoundError", message: "The bucket ownership controls were not found.", read: (*exchange).readOwnership,
		initial: ownershipXML("BucketOwnerEnforced")},
	{name: "publicAccessBlock", absent: "NoSuchPublicAccessBlockConfiguration", message: "The public access block configuration was not found", read: (*exchange).readPublicBlock},
	{name: "tagging", absent: "NoSuchTagSet", message: "The TagSet does not exist.", read: (*exchange).readBucketTags, status: http.StatusNoContent},

	{name: "encryption", absent: "ServerSideEncryptionConfigurationNotFoundError", message: "The server side encryption configuration was not found"},
	{name: "policy", absent: "NoSuchBucketPolicy", message: "The bucket policy does not exist."},
	{name: "policyStatus", absent: "NoSuchBucketPolicy", message: "The bucket policy does not exist."},
	{name: "replication", absent: "ReplicationConfigurationNotFoundError", message: "The replication configuration was not found"},
	{name: "website", absent: "NoSuchWebsiteConfiguration", message: "The specified bucket does not have a website configuration"},
	{name: "accelerate", root: "AccelerateConfiguration"},
	{name: "logging", root: "BucketLoggingStatus"},
	{name: "notification", root: "NotificationConfiguration"},
	{name: "analytics", root: "ListBucketAnalyticsConfigurationResult", named: true},
	{name: "intelligent-tiering", root: "ListBucketIntelligentTieringConfigurationsOutput", named: true},
	{name: "inventory", root: "ListInventoryConfigurationsResult", named: true},
	{name: "metrics", root: "ListMetricsConfigurationsResult", named: true},
}

// bucketSettings are the rows of the table for them, and for those that say more
// than their document.
func bucketSettings() []operation {
	rows := []operation{
		{method: "GET", level: onBucket, tells: []string{"versioning"}, handle: (*exchange).getVersioning},
		{method: "PUT", level: onBucket, tells: []string{"versioning"}, handle: (*exchange).putVersioning, headers: checksumHeaders},
		{method: "GET", level: onBucket, tells: []string{"object-lock"}, handle: (*exchange).getLockConfiguration},
		{method: "PUT", level: onBucket, tells: []string{"object-lock"}, handle: (*exchange).putLockConfiguration,
			headers: join(checksumHeaders, []string{"x-amz-bucket-object-lock-token"})},
		{method: "GET", level: onBucket, tells: []string{"acl"}, handle: (*exchange).getBucketACL},
		{method: "PUT", level: onBucket, tells: []string{"acl"}, handle: (*exchange).putBucketACL, headers: join(aclHeaders, checksumHeaders)},
		{method: "GET", level: onBucket, tells: []string{"requestPayment"}, handle: (*exchange).getPayment},
		{method: "PUT", level: onBucket, tells: []string{"requestPayment"}, handle: setting{name: "requestPayment"}.put, headers: checksumHeaders},
	}
	for _, s := range settings {
		tells := []string{s.name}
		rows = append(rows,
			operation{method: "GET", level: onBucket, tells: tells, handle: s.get},
			operation{method: "PUT", level: onBucket, tells: tells, handle: s.put, params: []string{"id"},
				headers: join(checksumHeaders, []string{"x-amz-transition-default-minimum-object-size", "x-amz-confirm-remove-self-bucket-access", "x-amz-skip-destination-validation"})},
			operation{method: "DELETE", level: onBucket, tells: tells, handle: s.delete, params: []string{"id"}})
	}
	return rows
}

// removed is kept in place of a document that has an initial one.
const removed = "removed"

func (s setting) get(x *exchange) (*answer, error) {
	doc, err := x.store.Setting(x.bucket, s.name)
	switch {
	case err != nil:
		return nil, err
	case string(doc) == removed:
	case doc != nil:
		return documentOf(doc), nil
	case s.initial != nil:
		return documentOf(s.initial), nil
	}
	switch {
	case s.named && x.has("id"):
		return nil, refuse("NoSuchConfiguration", "The specified configuration does not exist.")
	case s.absent != "":
		return nil, refuse(s.absent, "%s", s.message).with("BucketName", x.bucket)
	}
	return document(tree(s.root, when(s.named, boolean("IsTruncated", false)))), nil
}

func (s setting) put(x *exchange) (*answer, error) {
	if s.read == nil {
		return nil, unknown("The store does not have a bucket's " + s.name)
	}
	doc, err := s.read(x)
	if err != nil {
		return nil, err
	}
	if err := x.store.PutSetting(x.bucket, s.name, doc); err != nil {
		return nil, err
	}
	return empty(s.status), nil
}

// delete succeeds where nothing was put, as on S3, but is refused for what the
// store will not have.
func (s setting) delete(x *exchange) (*answer, error) {
	switch {
	case s.initial != nil:
		return empty(http.StatusNoContent), x.store.PutSetting(x.bucket, s.name, []byte(removed))
	case s.read != nil:
		return empty(http.StatusNoContent), x.store.PutSetting(x.bucket, s.name, nil)
	case s.name == "policy" || s.name == "website":
		return empty(http.StatusNoContent), nil
	}
	return nil, unknown("The store does not have a bucket's " + s.name)
}

func (x *exchange) getVersioning() (*answer, error) {
	b, err := x.store.Bucket(x.bucket)
	if err != nil {
		return nil, err
	}
	return document(tree("VersioningConfiguration", optional("Status", b.Versioning))), nil
}

func (x *exchange) putVersioning() (*answer, error) {
	var doc struct {
		XMLName              xml.Name `xml:"VersioningConfiguration"`
		Status               string
		MFADelete, MfaDelete string
		strict
	}
	if err := x.readDocument("VersioningConfiguration", &doc); err != nil {
		return nil, err
	}
	switch {
	case doc.MFADelete == "Enabled" || doc.MfaDelete == "Enabled":
		return nil, unknown("The store does not have MfaDelete")
	case doc.Status == "":
		return nil, refuse("IllegalVersioningConfigurationException", "The Versioning element must be specified")
	case doc.Status != "Enabled" && doc.Status != "Suspended":
		return nil, malformed()
	}
	return empty(http.StatusOK), x.store.SetVersioning(x.bucket, doc.Status)
}

func (x *exchange) getPayment() (*answer, error) {
	return document(tree("RequestPaymentConfiguration", leaf("Payer", "BucketOwner"))), nil
}

func (x *exchange) readBucketTags() ([]byte, error) {
	tags, err := x.readTags(maxBucketTags, "Bucket tag count cannot be greater than 50")
	if err != nil {
		return nil, err
	}
	return taggingXML(tags), nil
}

// ownerships are the values of object ownership. They change nothing here, where
// one owner has everything and lists of access control are refused.
var ownerships = []string{"BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"}

func validOwnership(value string) bool { return slices.Contains(ownerships, value) }

func ownershipXML(value string) []byte {
	return marshal(inS3(tree("OwnershipControls", tree("Rule", leaf("ObjectOwnership", value)))))
}

func (x *exchange) readOwnership() ([]byte, error) {
	var doc struct {
		XMLName xml.Name `xml:"OwnershipControls"`
		Rule    []struct {
			ObjectOwnership string
			strict
		}
		strict
	}
	if err := x.readDocument("OwnershipControls", &doc); err != nil {
		return nil, err
	}
	if len(doc.Rule) != 1 || !validOwnership(doc.Rule[0].ObjectOwnership) {
		return nil, malformed()
	}
	return ownershipXML(doc.Rule[0].ObjectOwnership), nil
}

// publicBlocks are the elements of a public access block.
var publicBlocks = []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}

func (x *exchange) readPublicBlock() ([]byte, error) {
	var doc struct {
		XMLName xml.Name `xml:"PublicAccessBlockConfiguration"`
		Fields  []field  `xml:",any"`
	}
	if err := x.readDocument("PublicAccessBlockConfiguration", &doc); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, f := range doc.Fields {
		value := strings.ToLower(strings.TrimSpace(f.Value))
		if !slices.Contains(publicBlocks, f.XMLName.Local) || value != "true" && value != "false" {
			return nil, malformed()
		}
		values[f.XMLName.Local] = value
	}
	kept := inS3(tree("PublicAccessBlockConfiguration"))
	for _, name := range publicBlocks {
		kept.kids = append(kept.kids, leaf(name, cmp.Or(values[name], "false")))
	}
	return marshal(kept), nil
}
