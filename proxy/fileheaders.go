package proxy

import (
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// maxHTTPMetadata is S3's limit on the metadata of HTTP itself (Content-Type,
// Cache-Control and so on) of one object, in bytes. The embedded store has little
// more room than that, and says so with a 500.
const maxHTTPMetadata = 2 << 10

// httpMetadata are the headers that are kept with an object.
var httpMetadata = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"}

// checkFileHeaders refuses what the embedded store would overlook: encryption
// that does not happen, a storage class that is none, access rules that do not
// hold. Other backends decide for themselves.
func checkFileHeaders(op *Operation, h http.Header) error {
	size := 0
	for _, name := range httpMetadata {
		size += len(h.Get(name))
	}
	if size > maxHTTPMetadata {
		return gateway.Errorf(gateway.MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size.").
			With("Size", decimal(int64(size))).With("MaxSizeAllowed", decimal(maxHTTPMetadata))
	}
	if class := h.Get("X-Amz-Storage-Class"); class != "" && class != "STANDARD" {
		return gateway.Errorf(gateway.InvalidStorageClass, "The storage class you specified is not valid: the embedded store has STANDARD only.")
	}
	if err := checkFileEncryption(h); err != nil {
		return err
	}
	if op.Action == gateway.Write {
		if err := checkFileACL(h); err != nil {
			return err
		}
	}
	if h.Get("X-Amz-Website-Redirect-Location") != "" {
		return notImplemented("x-amz-website-redirect-location on the embedded store")
	}
	return nil
}

func checkFileEncryption(h http.Header) error {
	switch algorithm := h.Get("X-Amz-Server-Side-Encryption"); algorithm {
	case "":
	case "AES256", "aws:kms", "aws:kms:dsse":
		return notImplemented("server-side encryption on the embedded store")
	default:
		return gateway.Errorf(gateway.InvalidEncryptionAlgorithm, "The encryption request that you specified is not valid. The valid value is AES256.").
			With("ArgumentName", "x-amz-server-side-encryption").With("ArgumentValue", algorithm)
	}
	for name := range h {
		if strings.Contains(name, "Server-Side-Encryption") {
			return notImplemented("server-side encryption on the embedded store")
		}
	}
	return nil
}

// checkFileACL refuses access rules on an object of the embedded store, which
// has none, as S3 does for a bucket with ACLs switched off
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html).
func checkFileACL(h http.Header) error {
	acl := h.Get("X-Amz-Acl")
	refused := acl != "" && acl != "private" && acl != "bucket-owner-full-control"
	for name := range h {
		refused = refused || strings.HasPrefix(name, "X-Amz-Grant-")
	}
	if refused {
		return gateway.Errorf(gateway.ACLNotSupported, "The bucket does not allow ACLs.")
	}
	return nil
}
