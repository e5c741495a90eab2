// Package gocloud runs the conformance tests of gocloud.dev/blob against the
// endpoint in S3_ENDPOINT.
package gocloud

import (
	"context"
	"net/http"
	"os"
	"reflect"
	"testing"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
	"gocloud.dev/blob/s3blob"
)

func TestListV2(t *testing.T) { run(t, s3blob.Options{}) }
func TestListV1(t *testing.T) { run(t, s3blob.Options{UseLegacyList: true}) }

func run(t *testing.T, options s3blob.Options) {
	drivertest.RunConformanceTests(t, func(context.Context, *testing.T) (drivertest.Harness, error) {
		return harness{client(), options}, nil
	}, nil)
}

type harness struct {
	client  *s3.Client
	options s3blob.Options
}

func client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(os.Getenv("S3_ENDPOINT")),
		Region:       os.Getenv("S3_REGION"),
		Credentials:  credentials.NewStaticCredentialsProvider(os.Getenv("S3_ACCESS_KEY"), os.Getenv("S3_SECRET_KEY"), ""),
		UsePathStyle: true,
	})
}

func (h harness) MakeDriver(ctx context.Context) (driver.Bucket, error) {
	return h.open(ctx, "files")
}

func (h harness) MakeDriverForNonexistentBucket(ctx context.Context) (driver.Bucket, error) {
	return h.open(ctx, "no-such-bucket")
}

// open takes the driver out of the bucket around it: the suite wants the one,
// and s3blob exports only the other.
func (h harness) open(ctx context.Context, name string) (driver.Bucket, error) {
	bucket, err := s3blob.OpenBucket(ctx, h.client, name, &h.options)
	if err != nil {
		return nil, err
	}
	field := reflect.ValueOf(bucket).Elem().FieldByName("b")
	return *(*driver.Bucket)(unsafe.Pointer(field.UnsafeAddr())), nil
}

func (harness) HTTPClient() *http.Client { return http.DefaultClient }
func (harness) SupportsCopy() bool       { return true }
func (harness) SkipDownloadAt() bool     { return false }
func (harness) Close()                   {}

// SupportsNonSlashDelimiters is false because MinIO's pages by such a delimiter
// never end.
func (harness) SupportsNonSlashDelimiters() bool { return false }
