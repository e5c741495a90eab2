package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// What was stored while versions were off is the version "null", to HEAD and to
// GET, also after versions were turned on and the object was replaced.
func TestTheNullVersionIsFound(t *testing.T) {
	w := newWorld(t, append(open, "S3_EXPOSE_BUCKETS=*")...)
	put := func(body string) {
		t.Helper()
		if a := do(t, w.signedPut("k", []byte(body))); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	ask := func(when string, status int) {
		t.Helper()
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			r := newRequest(t, method, w.url+"/"+w.bucket+"/k?versionId=null", nil)
			sign(t, r, hexSHA256(nil), testSecret, time.Now())
			a := do(t, r)
			if a.status != status || status == http.StatusOK && a.header.Get("Content-Length") != "3" {
				t.Errorf("%s: %s gives %d %v", when, method, a.status, a.header)
			}
		}
	}
	ask("before there is any", http.StatusNotFound)
	put("old")
	ask("versions off", http.StatusOK)
	if _, err := w.s3().PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &w.bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	ask("versions on", http.StatusOK)
	put("newer")
	ask("behind a newer version", http.StatusOK)
	if _, err := w.s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &w.bucket, Key: aws.String("k"), VersionId: aws.String("null")}); err != nil {
		t.Fatal(err)
	}
	ask("removed", http.StatusNotFound)
}

// A part number that is no number is the client's mistake on every storage.
func TestAPartNumberOfAReadIsANumber(t *testing.T) {
	w := newWorld(t, open...)
	for _, number := range []string{"x", "-1", "%2B1", "1.0", "99999999999999999999", "1%00"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := newRequest(t, method, w.url+"/"+w.bucket+"/k?partNumber="+number, nil)
			sign(t, r, hexSHA256(nil), testSecret, time.Now())
			a := do(t, r)
			if a.status != http.StatusBadRequest {
				t.Errorf("%s %s: %d %s", method, number, a.status, a.body)
			}
			if method == http.MethodGet {
				a.isS3Error(t, http.StatusBadRequest, "InvalidArgument")
			}
		}
	}
	w.unchanged()
}
