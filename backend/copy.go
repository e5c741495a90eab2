package backend

import (
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// CopyInput begins a copy that keeps what an object has, by the headers of a
// HEAD or GET of it, its user metadata too, and names all of it anew, so that
// metadata may be added. The store is asked for a SHA-256 of the new object, so
// that one of a multipart object becomes its checksum. Tags come along by
// themselves. Target and source are the caller's to
// fill in.
func CopyInput(h http.Header) *s3.CopyObjectInput {
	text := func(name string) *string {
		if v := h.Get(name); v != "" {
			return &v
		}
		return nil
	}
	in := &s3.CopyObjectInput{
		MetadataDirective: types.MetadataDirectiveReplace,
		ContentType:       text("Content-Type"), ContentEncoding: text("Content-Encoding"), ContentLanguage: text("Content-Language"),
		ContentDisposition: text("Content-Disposition"), CacheControl: text("Cache-Control"),
		StorageClass:            types.StorageClass(h.Get("X-Amz-Storage-Class")),
		WebsiteRedirectLocation: text("X-Amz-Website-Redirect-Location"),
		ServerSideEncryption:    types.ServerSideEncryption(h.Get("X-Amz-Server-Side-Encryption")),
		SSEKMSKeyId:             text("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"),
		ChecksumAlgorithm:       types.ChecksumAlgorithmSha256,
		Metadata:                map[string]string{},
	}
	if at, err := http.ParseTime(h.Get("Expires")); err == nil {
		in.Expires = aws.Time(at.In(time.UTC))
	}
	for name, values := range h {
		if name, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
			in.Metadata[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	return in
}
