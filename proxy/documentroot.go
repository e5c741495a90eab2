package proxy

import (
	"bytes"
	"encoding/xml"
	"fmt"

	gateway "github.com/codeguardians/s3gateway"
)

// documentRoots are the root elements of the documents, as the API pages of the
// operations have them. MinIO answers another one with 500, and an empty document
// of a setting that it does not know creates a bucket there.
var documentRoots = map[string]string{
	"CompleteMultipartUpload":                  "CompleteMultipartUpload",
	"CreateBucket":                             "CreateBucketConfiguration",
	"DeleteObjects":                            "Delete",
	"PutBucketAccelerateConfiguration":         "AccelerateConfiguration",
	"PutBucketAcl":                             "AccessControlPolicy",
	"PutBucketAnalyticsConfiguration":          "AnalyticsConfiguration",
	"PutBucketCors":                            "CORSConfiguration",
	"PutBucketEncryption":                      "ServerSideEncryptionConfiguration",
	"PutBucketIntelligentTieringConfiguration": "IntelligentTieringConfiguration",
	"PutBucketInventoryConfiguration":          "InventoryConfiguration",
	"PutBucketLifecycleConfiguration":          "LifecycleConfiguration",
	"PutBucketLogging":                         "BucketLoggingStatus",
	"PutBucketMetricsConfiguration":            "MetricsConfiguration",
	"PutBucketNotificationConfiguration":       "NotificationConfiguration",
	"PutBucketOwnershipControls":               "OwnershipControls",
	"PutBucketReplication":                     "ReplicationConfiguration",
	"PutBucketRequestPayment":                  "RequestPaymentConfiguration",
	"PutBucketTagging":                         "Tagging",
	"PutBucketVersioning":                      "VersioningConfiguration",
	"PutBucketWebsite":                         "WebsiteConfiguration",
	"PutObjectAcl":                             "AccessControlPolicy",
	"PutObjectLegalHold":                       "LegalHold",
	"PutObjectLockConfiguration":               "ObjectLockConfiguration",
	"PutObjectRetention":                       "Retention",
	"PutObjectTagging":                         "Tagging",
	"PutPublicAccessBlock":                     "PublicAccessBlockConfiguration",
	"RestoreObject":                            "RestoreRequest",
	"SelectObjectContent":                      "SelectObjectContentRequest",
}

// mayBeEmpty are the operations that mean something without a document: by their
// headers, or by what they leave as it is.
var mayBeEmpty = map[string]bool{
	"CreateBucket": true, "PutBucketAcl": true, "PutObjectAcl": true, "PutObjectRetention": true, "RestoreObject": true,
}

// checkRoot wants the document of this operation and no other. raw is well
// formed.
func checkRoot(op *Operation, raw []byte) error {
	if len(raw) == 0 {
		if mayBeEmpty[op.Name] {
			return nil
		}
		return gateway.Errorf(gateway.MalformedXML, "%s needs a document, and the body is empty.", op.Name)
	}
	want, known := documentRoots[op.Name]
	if root := rootOf(raw); known && root != want {
		return malformed(fmt.Errorf("the document is %.64q, not %s", root, want))
	}
	return nil
}

// rootOf is the name of the root element of a document, "" where there is none.
func rootOf(raw []byte) string {
	decoder := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		if root, ok := token.(xml.StartElement); ok {
			return root.Name.Local
		}
	}
}
