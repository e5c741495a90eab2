package main

import (
	"context"
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signedDirect asks the store itself, which must be reachable.
func (w *world) signedDirect(method, path string, headers ...string) answer {
	w.t.Helper()
	r := newRequest(w.t, method, w.store.Endpoint.String()+"/"+w.bucket+"/"+path, nil, headers...)
	keys := aws.Credentials{AccessKeyID: w.store.AccessKeyID, SecretAccessKey: w.store.SecretAccessKey}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(context.Background(), keys, r, hexSHA256(nil), "s3", "us-east-1", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	return do(w.t, r)
}

// What an answer tells of the object, it tells through the gateway as directly:
// refusals of conditions and ranges too.
func TestHeadersAreThoseOfTheStore(t *testing.T) {
	w := newWorld(t, append(open, "S3_EXPOSE_BUCKETS=*")...)
	w.store = reachable(t, w.store)
	do(t, w.signedPut("k", []byte("0123456789"), "Content-Type", "text/x", "x-amz-meta-a", "b"))
	told := []string{
		"Etag", "Last-Modified", "Content-Type", "Content-Range", "X-Amz-Meta-A", "X-Amz-Bucket-Region", "X-Amz-Version-Id",
		"X-Amz-Delete-Marker", "X-Amz-Mp-Parts-Count", "X-Amz-Tagging-Count", "Cache-Control", "Expires", "Location",
	}
	// Spelled as MinIO spells its ids: any other is refused by the gateway itself.
	const version = "0cd0a2b3-3c54-4b5a-9c1e-1f0e6e1f0a2b"
	upload := "k?uploadId=" + base64.RawURLEncoding.EncodeToString([]byte(version+"."+version+"x1764538620000000000"))
	for _, c := range [][]string{
		{"GET", "k"}, {"HEAD", "k"}, {"GET", "k", "If-Match", `"x"`}, {"HEAD", "k", "If-Match", `"x"`}, {"GET", "k", "If-None-Match", "*"},
		{"GET", "k", "Range", "bytes=100-"}, {"HEAD", "k", "Range", "bytes=100-"}, {"GET", "k", "Range", "bytes=2-3"},
		{"GET", "none"}, {"HEAD", "none"}, {"PUT", "k", "If-None-Match", "*"}, {"PUT", "k", "If-Match", `"x"`},
		{"GET", "k?versionId=" + version}, {"HEAD", "k?versionId=null"}, {"GET", "k?partNumber=1"}, {"GET", "k?partNumber=2"},
		{"DELETE", "none"}, {"GET", upload}, {"DELETE", upload}, {"HEAD", ""},
		{"GET", "?versioning"}, {"GET", "?policy"}, {"GET", "?cors"}, {"GET", "?acl"}, {"GET", "k?acl"}, {"GET", "k?tagging"},
		{"GET", "?tagging"}, {"GET", "?lifecycle"}, {"GET", "?object-lock"}, {"GET", "k?retention"}, {"GET", "?encryption"},
		{"GET", "?uploads"}, {"GET", "?versions"}, {"GET", "?list-type=2"}, {"GET", "k?attributes", "x-amz-object-attributes", "ETag"},
	} {
		direct, through := w.signedDirect(c[0], c[1], c[2:]...), w.signed(c[0], c[1], c[2:]...)
		if direct.status != through.status {
			t.Errorf("%v: %d directly, %d through the gateway", c, direct.status, through.status)
		}
		for _, name := range told {
			want := direct.header.Get(name)
			if name == "Content-Type" && c[0] == http.MethodHead && direct.status >= 300 {
				want = "" // there is no body that it could be the type of
			}
			if got := through.header.Get(name); got != want {
				t.Errorf("%v: %s is %q directly, %q through the gateway", c, name, want, got)
			}
		}
	}
}
