package testbed

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestCapabilities tries each capability on the store and compares with what
// the table promises.
func TestCapabilities(t *testing.T) {
	s := Open(t)
	for c, attempt := range map[Capability]func(testing.TB, *Store) error{
		EmptySegments:   func(t testing.TB, s *Store) error { return holdsKeys(t, s, "a//b", "a/b") },
		DotSegments:     func(t testing.TB, s *Store) error { return holdsKeys(t, s, "x/../b", "x/./b", "b") },
		LongSegments:    func(t testing.TB, s *Store) error { return holdsKeys(t, s, strings.Repeat("k", 1024)) },
		FolderAndObject: func(t testing.TB, s *Store) error { return holdsKeys(t, s, "a", "a/b") },
		BucketPolicy:    keepsPolicy,
		BucketCORS:      keepsCORS,
	} {
		t.Run(string(c), func(t *testing.T) {
			err := attempt(t, s)
			if (err == nil) != s.Has(c) {
				t.Errorf("Has says %v, the store says: %v", s.Has(c), err)
			}
		})
	}
}

// Tests rely on these of every store.
func TestWhatEveryStoreHas(t *testing.T) {
	s := Open(t)
	for name, attempt := range map[string]func(testing.TB, *Store) error{
		"a folder with a body":            func(t testing.TB, s *Store) error { return holdsKeys(t, s, "a/") },
		"versions":                        keepsVersions,
		"object lock":                     locksObjects,
		"tags":                            keepsTags,
		"conditional writes":              writesConditionally,
		"trailing checksums":              checksTrailers,
		"CRC64NVME of a multipart object": completesWithCRC64,
		"lifecycle rules":                 keepsLifecycle,
	} {
		t.Run(name, func(t *testing.T) {
			if err := attempt(t, s); err != nil {
				t.Error(err)
			}
		})
	}
}

// raw sends a signed request whose path is on the wire as given.
func raw(t testing.TB, s *Store, method, bucket, key, hash, body string, header map[string]string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.Endpoint.String()+"/"+bucket+"/"+key, strings.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	req.Header.Set("X-Amz-Content-Sha256", hash)
	req.URL.Opaque = "//" + req.URL.Host + req.URL.Path
	keys := aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(ctx, keys, req, hash, "s3", s.Region, time.Now()); err != nil {
		return err
	}
	resp, err := s.wire.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: status %d: %.300s", method, key, resp.StatusCode, text)
	}
	return err
}

// holdsKeys stores objects under keys and finds exactly those listed.
func holdsKeys(t testing.TB, s *Store, keys ...string) error {
	bucket := s.Bucket(t)
	for _, key := range keys {
		if err := raw(t, s, http.MethodPut, bucket, key, "UNSIGNED-PAYLOAD", "hello", nil); err != nil {
			return err
		}
	}
	listed := s.Snapshot(t, bucket)
	for _, key := range keys {
		if _, ok := listed[key]; !ok {
			return fmt.Errorf("%q is not listed: %v", key, listed)
		}
	}
	return nil
}

func keepsVersions(t testing.TB, s *Store) error {
	bucket, c := s.Bucket(t), s.Client(t)
	_, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		return err
	}
	for range 2 {
		if err := raw(t, s, http.MethodPut, bucket, "k", "UNSIGNED-PAYLOAD", "hello", nil); err != nil {
			return err
		}
	}
	list, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket})
	if err == nil && len(list.Versions) != 2 {
		err = fmt.Errorf("%d versions", len(list.Versions))
	}
	return err
}

func locksObjects(t testing.TB, s *Store) error {
	c, bucket := s.Client(t), "locked-"+strings.ToLower(time.Now().Format("150405.000000"))
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		return err
	}
	key := aws.String("k")
	out, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: key, Body: strings.NewReader("hello"),
		ObjectLockLegalHoldStatus: types.ObjectLockLegalHoldStatusOn})
	if err != nil {
		return err
	}
	_, err = c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: key, VersionId: out.VersionId})
	if err == nil {
		return errors.New("a locked version was deleted")
	}
	_, err = c.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{Bucket: &bucket, Key: key, VersionId: out.VersionId,
		LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOff}})
	return errors.Join(err, s.remove(t.Context(), bucket))
}

func keepsTags(t testing.TB, s *Store) error {
	bucket := s.Bucket(t)
	err := raw(t, s, http.MethodPut, bucket, "k", "UNSIGNED-PAYLOAD", "hello", map[string]string{"X-Amz-Tagging": "a=b"})
	if err != nil {
		return err
	}
	got, err := s.Client(t).GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &bucket, Key: aws.String("k")})
	if err == nil && (len(got.TagSet) != 1 || aws.ToString(got.TagSet[0].Value) != "b") {
		err = fmt.Errorf("tags %v", got.TagSet)
	}
	return err
}

func writesConditionally(t testing.TB, s *Store) error {
	bucket := s.Bucket(t)
	once := map[string]string{"If-None-Match": "*"}
	if err := raw(t, s, http.MethodPut, bucket, "k", "UNSIGNED-PAYLOAD", "hello", once); err != nil {
		return err
	}
	if err := raw(t, s, http.MethodPut, bucket, "k", "UNSIGNED-PAYLOAD", "again", once); err == nil || !strings.Contains(err.Error(), "412") {
		return fmt.Errorf("second write: %v", err)
	}
	return nil
}

func checksTrailers(t testing.TB, s *Store) error {
	bucket := s.Bucket(t)
	header := map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": "x-amz-checksum-crc32c"}
	const mode, frame = "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:%s\r\n\r\n"
	if err := raw(t, s, http.MethodPut, bucket, "k", mode, fmt.Sprintf(frame, "mnG7TA=="), header); err != nil {
		return err
	}
	if err := raw(t, s, http.MethodPut, bucket, "bad", mode, fmt.Sprintf(frame, "AAAAAA=="), header); err == nil {
		return errors.New("a wrong checksum passed")
	}
	if len(s.Snapshot(t, bucket)) != 1 {
		return errors.New("a body with a wrong checksum is stored")
	}
	return nil
}

func completesWithCRC64(t testing.TB, s *Store) error {
	bucket, c, key := s.Bucket(t), s.Client(t), aws.String("k")
	upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: key,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, ChecksumType: types.ChecksumTypeFullObject})
	if err != nil {
		return err
	}
	part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: key, UploadId: upload.UploadId, PartNumber: aws.Int32(1),
		Body: strings.NewReader("hello"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme})
	if err != nil {
		return err
	}
	if len(s.Uploads(t, bucket)) != 1 {
		return errors.New("the upload is not listed")
	}
	done, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: key, UploadId: upload.UploadId,
		ChecksumCRC64NVME: part.ChecksumCRC64NVME, ChecksumType: types.ChecksumTypeFullObject,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC64NVME: part.ChecksumCRC64NVME}}}})
	if err != nil {
		return err
	}
	sum, err := base64.StdEncoding.DecodeString(aws.ToString(done.ChecksumCRC64NVME))
	if err == nil && len(sum) != 8 {
		err = fmt.Errorf("checksum %q", aws.ToString(done.ChecksumCRC64NVME))
	}
	return err
}

func keepsPolicy(t testing.TB, s *Store) error {
	bucket := s.Bucket(t)
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::` + bucket + `/*"]}]}`
	_, err := s.Client(t).PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &text})
	return err
}

func keepsCORS(t testing.TB, s *Store) error {
	bucket := s.Bucket(t)
	_, err := s.Client(t).PutBucketCors(t.Context(), &s3.PutBucketCorsInput{Bucket: &bucket, CORSConfiguration: &types.CORSConfiguration{
		CORSRules: []types.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}}}}})
	return err
}

func keepsLifecycle(t testing.TB, s *Store) error {
	bucket := s.Bucket(t)
	_, err := s.Client(t).PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{Bucket: &bucket,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{ID: aws.String("old"),
			Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("tmp/")},
			Expiration: &types.LifecycleExpiration{Days: aws.Int32(30)}}}}})
	return err
}
