// Package objstore runs the acceptance test of thanos-io/objstore against the
// endpoint in S3_ENDPOINT, in each form of its S3 client.
package objstore

import (
	"os"
	"strings"
	"testing"

	"github.com/thanos-io/objstore"
	"github.com/thanos-io/objstore/exthttp"
	"github.com/thanos-io/objstore/providers/s3"
)

func TestAcceptance(t *testing.T) {
	for name, change := range map[string]func(*s3.Config){
		"Default":     func(*s3.Config) {},
		"ListV1":      func(c *s3.Config) { c.ListObjectsVersion = "v1" },
		"ContentMD5":  func(c *s3.Config) { c.SendContentMd5 = true },
		"NoMultipart": func(c *s3.Config) { c.DisableMultipart = true },
	} {
		t.Run(name, func(t *testing.T) {
			objstore.AcceptanceTest(t, bucket(t, change))
		})
		t.Run(name+"/Prefixed", func(t *testing.T) {
			objstore.AcceptanceTest(t, objstore.NewPrefixedBucket(bucket(t, change), "some/prefix"))
		})
	}
}

func bucket(t *testing.T, change func(*s3.Config)) objstore.Bucket {
	config := s3.Config{
		Endpoint:   strings.TrimPrefix(os.Getenv("S3_ENDPOINT"), "http://"),
		Insecure:   true,
		AccessKey:  os.Getenv("S3_ACCESS_KEY"),
		SecretKey:  os.Getenv("S3_SECRET_KEY"),
		Region:     os.Getenv("S3_REGION"),
		HTTPConfig: exthttp.DefaultHTTPConfig,
		PartSize:   5 << 20,
		MaxRetries: 1,
	}
	change(&config)
	b, remove, err := s3.NewTestBucketFromConfig(t, config.Region, config, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	return b
}
