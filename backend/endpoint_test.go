package backend

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	gateway "github.com/codeguardians/s3gateway"
)

func TestWhereABucketIs(t *testing.T) {
	for _, c := range []struct {
		name, url   string
		pathStyle   bool
		bucket, key string
		host, path  string
	}{
		{"service", "https://s3.example.com", false, "", "", "s3.example.com", "/"},
		{"path style", "https://s3.example.com", true, "bucket", "a//b", "s3.example.com", "/bucket/a//b"},
		{"path style, bucket", "https://s3.example.com/", true, "bucket", "", "s3.example.com", "/bucket"},
		{"below a path", "https://example.com/s3/", true, "bucket", "k", "example.com", "/s3/bucket/k"},
		{"virtual host", "https://s3.example.com", false, "bucket", "k", "bucket.s3.example.com", "/k"},
		{"virtual host, bucket", "https://s3.example.com:444", false, "bucket", "", "bucket.s3.example.com:444", "/"},
		{"dots and a wildcard certificate", "https://s3.example.com", false, "my.bucket", "k", "s3.example.com", "/my.bucket/k"},
		{"dots without TLS", "http://s3.example.com", false, "my.bucket", "k", "my.bucket.s3.example.com", "/k"},
		{"an address has no sub-domains", "http://127.0.0.1:9000", false, "bucket", "k", "127.0.0.1:9000", "/bucket/k"},
		{"IPv6 neither", "http://[::1]:9000", false, "bucket", "k", "[::1]:9000", "/bucket/k"},
		{"names of old buckets", "https://s3.example.com", false, "My_Bucket", "k", "s3.example.com", "/My_Bucket/k"},
	} {
		e := testEndpoint(t, c.url)
		e.PathStyle = c.pathStyle
		if host, path := e.target(c.bucket, c.key); host != c.host || path != c.path {
			t.Errorf("%s: %s %s, want %s %s", c.name, host, path, c.host, c.path)
		}
	}
}

func TestObjectURL(t *testing.T) {
	e := testEndpoint(t, "http://10.0.0.1:9000")
	public := &url.URL{Scheme: "https", Host: "files.example.com"}
	for _, c := range []struct {
		public    *url.URL
		key, want string
	}{
		{nil, "a b/c+d=ü?", "http://10.0.0.1:9000/bucket/a%20b/c%2Bd%3D%C3%BC%3F"},
		{public, "uploads/x", "https://files.example.com/bucket/uploads/x"},
		{public, "%2F//..", "https://files.example.com/bucket/%252F//.."},
	} {
		if got := e.ObjectURL(c.public, "bucket", c.key).String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestAWSEndpoint(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "https://s3.us-east-1.amazonaws.com", "cn-north-1": "https://s3.cn-north-1.amazonaws.com.cn",
	} {
		if got := AWSEndpoint(region).String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// refusal is one failing answer of a backend, and what becomes of it on both
// ways: read raw, and through the SDK.
type refusal struct {
	name   string
	status int
	header map[string]string
	body   string
	want   gateway.Error
}

func refusals() []refusal {
	doc := func(code string) string {
		return "<?xml version=\"1.0\"?>\n<Error><Code>" + code + "</Code><Message>the message</Message><AWSAccessKeyId>" + testKey + "</AWSAccessKeyId><Condition>If-Match</Condition></Error>"
	}
	own := gateway.Error{Code: gateway.ServiceUnavailable, Message: MessageAccessDenied, RetryAfter: retryAfter}
	fault := gateway.Error{Code: gateway.ServiceUnavailable, Message: "The storage backend is not reachable. Please try again.", RetryAfter: retryAfter}
	return []refusal{
		{"a document", 404, nil, doc("NoSuchKey"), gateway.Error{Code: "NoSuchKey", Message: "the message", Status: 404}},
		{"a code that only the backend knows", 507, nil, doc("XMinioStorageFull"), gateway.Error{Code: "XMinioStorageFull", Message: "the message", Status: 507}},
		{"HEAD without a key", 404, nil, "", gateway.Error{Code: gateway.NoSuchKey, Status: 404}},
		{"HEAD refused", 403, nil, "", gateway.Error{Code: gateway.AccessDenied, Status: 403}},
		{"HEAD with MinIO's header", 403, map[string]string{"X-Minio-Error-Code": "InvalidAccessKeyId"}, "", own},
		{"HEAD with a code", 409, map[string]string{"X-Amz-Error-Code": "BucketNotEmpty"}, "", gateway.Error{Code: "BucketNotEmpty", Status: 409}},
		{"a precondition", 412, nil, "", gateway.Error{Code: gateway.PreconditionFailed, Status: 412}},
		{"a range", 416, nil, "", gateway.Error{Code: gateway.InvalidRange, Status: 416}},
		{"an HTML page of a proxy", 502, nil, "<html><body>bad gateway</body>", fault},
		{"a server that could not read the request", 400, nil, "400 Bad Request", fault},
		{"a server that waited for the request", 408, nil, "", fault},
		{"away", 503, nil, "", gateway.Error{Code: gateway.ServiceUnavailable, Status: 503, RetryAfter: retryAfter}},
		{"its own time to wait", 503, map[string]string{"Retry-After": "17"}, doc("SlowDown"), gateway.Error{Code: "SlowDown", Message: "the message", Status: 503, RetryAfter: 17 * time.Second}},
		{"wrong keys", 403, nil, doc("InvalidAccessKeyId"), own},
		{"wrong secret", 403, nil, doc("SignatureDoesNotMatch"), own},
		{"expired", 400, nil, doc("ExpiredToken"), own},
		{"another region", 400, nil, doc("AuthorizationHeaderMalformed"), own},
		{"a clock", 403, nil, doc("RequestTimeTooSkewed"), own},
		{"a proxy that wants its own password", 407, nil, "", own},
		{"a login page", 401, nil, "<html>", own},
		{"a redirect", 301, map[string]string{"Location": "https://elsewhere"}, "", own},
		{"a redirect with a document", 307, nil, doc("TemporaryRedirect"), own},
	}
}

func TestReadError(t *testing.T) {
	for _, c := range refusals() {
		resp := &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.body))}
		for name, value := range c.header {
			resp.Header.Set(name, value)
		}
		e := ReadError(resp)
		if e.Code != c.want.Code || e.Message != c.want.Message || e.Status != c.want.Status || e.RetryAfter != c.want.RetryAfter {
			t.Errorf("%s: %+v, want %+v", c.name, e, c.want)
		}
		for _, d := range e.Details {
			if d.Name != "Condition" || e.Status == 0 {
				t.Errorf("%s shows %v", c.name, d)
			}
		}
		if strings.Contains(e.Message, testKey) {
			t.Errorf("%s tells the key: %s", c.name, e.Message)
		}
	}
}

func TestReadErrorIsBounded(t *testing.T) {
	endless := &counting{Reader: endlessReader{}}
	e := ReadError(&http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(endless)})
	if endless.n > maxErrorDocument || e.Code != gateway.ServiceUnavailable {
		t.Errorf("%d bytes read, %v", endless.n, e)
	}
}

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) { return copy(p, "<Error><Code>"), nil }

// FromSDK gives what ReadError gives for the same answer.
func TestFromSDK(t *testing.T) {
	for _, c := range refusals() {
		resp := &http.Response{StatusCode: c.status, Header: http.Header{}}
		for name, value := range c.header {
			resp.Header.Set(name, value)
		}
		var d document
		_ = xml.Unmarshal([]byte(c.body), &d)
		api := &smithy.GenericAPIError{Code: d.Code, Message: d.Message}
		if d.Code == "" {
			api.Code = "UnknownError" // as the SDK names an answer without a document
		}
		err := &smithy.OperationError{ServiceID: "S3", OperationName: "X", Err: &awshttp.ResponseError{
			ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: resp}, Err: api}}}
		e := gateway.AsError(FromSDK(err))
		if e.Code != c.want.Code || e.Message != c.want.Message || e.Status != c.want.Status || (e.RetryAfter > 0) != (c.want.RetryAfter > 0) {
			t.Errorf("%s: %+v, want %+v", c.name, e, c.want)
		}
	}
	if FromSDK(nil) != nil {
		t.Error("no error became one")
	}
	own := gateway.Errorf(gateway.BadDigest, "x")
	if got := FromSDK(&smithy.OperationError{Err: own}); !errors.Is(got, own) {
		t.Errorf("our own error became %v", got)
	}
	if e := gateway.AsError(FromSDK(io.ErrUnexpectedEOF)); e.Code != gateway.ServiceUnavailable || e.RetryAfter <= 0 {
		t.Errorf("no answer became %v", e)
	}
	if e := gateway.AsError(FromSDK(&awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{Err: io.EOF}})); e.Code != gateway.ServiceUnavailable {
		t.Errorf("an answer without a response became %v", e)
	}
}
