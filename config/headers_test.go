package config

import "testing"

func TestHeadersThatMayPassAndThoseThatNeverDo(t *testing.T) {
	for _, name := range []string{"x-amz-request-tags", "X-Amz-Vendor-*", "x-amz-checksum-sha512", "x-amz-meta-team-*"} {
		if _, err := passedHeader.parse(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "*", "x-amz-*", "x-minio-internal", "x-minio-*", "authorization", "x-amz-c*", "x-amz-meta-*", "x-amz-meta-s*", "x-amz-meta-snowball-auto-extract", "x-amz-meta-minio-snowball-prefix",
		"x-amz-meta-s3gateway-mark", "x-amz-meta-s3gateway-*", "x-amz-security-token", "x-amz-copy-source", "x-amz-copy-source-*",
		"x-amz-date", "x-amz-a b", "x-amz-a*b", "x-amz-snowball-extract", "x-amz-a\r\nb",
	} {
		if v, err := passedHeader.parse(name); err == nil {
			t.Errorf("%s was taken as %s", name, v)
		}
	}
}
