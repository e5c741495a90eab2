package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Odd but harmless things that clients and those between send are passed over: a
// version number on a link, a CDN's header, a header that a client echoes, and a
// plus that stands for a space.
func TestOddButHarmlessRequestsAreServed(t *testing.T) {
	w := newFiled(t, "buckets: [{name: BUCKET, public: read}]\n")
	for _, key := range []string{"k", "a%20b/c"} {
		if a := do(t, w.signedPut(key, []byte("hello"))); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	want := func(name string, a answer, body string) {
		t.Helper()
		if a.status != http.StatusOK || !strings.Contains(string(a.body), body) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	anonymous := func(path string, headers ...string) answer {
		return do(t, newRequest(t, "GET", w.url+"/"+w.bucket+path, nil, headers...))
	}
	want("a version number", anonymous("/k?v=3"), "hello")
	want("CloudFront", anonymous("/k", "X-Amz-Cf-Id", "a"), "hello")
	want("Libcloud", w.signed("GET", "k?Version=2006-03-01"), "hello")
	want("the Java SDK", w.signed("GET", "k", "X-Amz-Te", "append-md5"), "hello")
	_, err := w.s3().CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &w.bucket, Key: aws.String("copy"), CopySource: aws.String(w.bucket + "/k")}, echoing("X-Amz-Bucket-Region", "us-east-1"))
	if err != nil {
		t.Errorf("an echoed header: %v", err)
	}
	want("the copy", w.signed("GET", "copy"), "hello")

	// The list is signed over %20, and sent with a plus.
	r := newRequest(t, "GET", w.url+"/"+w.bucket+"?list-type=2&prefix=a%20b", nil)
	sign(t, r, hexSHA256(nil), testSecret, time.Now())
	r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "%20", "+")
	want("a plus for a space", do(t, r), "<Key>a b/c</Key>")
}

// echoing adds a header to a request before it is signed.
func echoing(name, value string) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, smithyhttp.AddHeaderValue(name, value))
	}
}
