package embedded

import (
	"bytes"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// A refusal that the store gives without reading the body is read by the one who
// sends it.
func TestARefusalIsReadBehindALargeBody(t *testing.T) {
	s := start(t, dataDir(t))
	c := client(t, s)
	for range 10 {
		_, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: aws.String("files"), Key: aws.String("a"), UploadId: aws.String("00000000-0000-0000-0000-000000000000"),
			PartNumber: aws.Int32(1), Body: bytes.NewReader(make([]byte, 8<<20)),
		})
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != "NoSuchUpload" {
			t.Fatal(err)
		}
	}
}
