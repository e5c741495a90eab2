package proxy

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// refusal gives the answer of the one error writer to an error.
func refusalOf(err error, method, target string) *httptest.ResponseRecorder {
	record := &gateway.Record{}
	record.Update(func(f *gateway.Fields) { f.ID, f.Bucket, f.Key = requestID, "bucket", "a/key" })
	r := httptest.NewRequest(method, target, nil)
	w := httptest.NewRecorder()
	WriteError(w, r.WithContext(gateway.WithRecord(r.Context(), record)), err)
	return w
}

// TestEveryCodeHasItsAnswer compares each refusal with its golden form:
// go test ./proxy -run Answer -update writes them anew.
func TestEveryCodeHasItsAnswer(t *testing.T) {
	const folder = "../testdata/errors"
	for _, code := range gateway.Codes() {
		a, known := answers[code]
		if !known || a.status < 400 || a.text == "" {
			t.Errorf("%s has no row in answers", code)
			continue
		}
		err := (&gateway.Error{Code: code, RetryAfter: 1500 * time.Millisecond}).With("ArgumentName", "x & y").Because(errors.New("secret cause"))
		w := refusalOf(err, "GET", "/bucket/a%2Fkey?X-Amz-Signature=secret")
		got := "HTTP " + http.StatusText(w.Code) + "\nRetry-After: " + w.Header().Get("Retry-After") + "\n\n" + w.Body.String() + "\n"
		if strings.Contains(got, "secret") {
			t.Errorf("%s tells a secret: %s", code, got)
		}
		path := filepath.Join(folder, string(code)+".golden")
		if *update {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, e := os.ReadFile(path)
		if e != nil || string(want) != got {
			t.Errorf("%s (%v):\n%s\nwant\n%s", code, e, got, want)
		}
	}
}

func TestARefusalIsWellFormedWhateverItNames(t *testing.T) {
	for _, key := range []string{"a&b<c>\"'", "\x01\x00\x1f", "\xff\xfe", "]]>", "100%", "日本\u2028", strings.Repeat("k", 1024)} {
		record := &gateway.Record{}
		record.Update(func(f *gateway.Fields) { f.Key, f.Bucket = key, "b" })
		r := httptest.NewRequest("GET", "/b/x%01%FF?a=b", nil)
		w := httptest.NewRecorder()
		WriteError(w, r.WithContext(gateway.WithRecord(r.Context(), record)), gateway.Errorf(gateway.NoSuchKey, "no %s", key))
		var doc errorDocument
		if err := xml.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.Code != "NoSuchKey" || doc.Resource != "/b/x%01%FF" {
			t.Errorf("key %q: %v %+v", key, err, doc)
		}
		if clean := strings.ToValidUTF8(key, "\uFFFD"); strings.IndexFunc(clean, func(c rune) bool { return c < ' ' }) < 0 && clean == key && doc.Key != key {
			t.Errorf("key %q came out as %q", key, doc.Key)
		}
	}
}

func TestUnknownErrorsAreNotShown(t *testing.T) {
	w := refusalOf(errors.New("dial tcp 10.0.0.7:9000: secret"), "GET", "/bucket/key")
	if w.Code != 500 || !strings.Contains(w.Body.String(), "<Code>InternalError</Code>") || strings.Contains(w.Body.String(), "10.0.0.7") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := refusalOf(&gateway.Error{}, "GET", "/"); w.Code != 500 {
		t.Errorf("the zero error: %d", w.Code)
	}
}

func TestHeadHasNoBodyAndTellsTheCode(t *testing.T) {
	r := newRig(t)
	r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
		w.Header().Set("X-Amz-Delete-Marker", "true")
		w.Header().Set("X-Amz-Version-Id", "v1")
		w.Header().Set("Content-Length", "300")
		w.WriteHeader(http.StatusNotFound)
	})
	a := r.do(call{method: "HEAD", path: "/bucket/key"})
	if a.status != 404 || a.body != "" || a.header.Get("X-Amz-Error-Code") != "NoSuchKey" || a.header.Get("X-Minio-Error-Code") != "NoSuchKey" || a.header.Get("X-Amz-Delete-Marker") != "true" ||
		a.header.Get("X-Amz-Version-Id") != "v1" || a.header.Get("Content-Length") == "300" {
		t.Errorf("%d %v %q", a.status, a.header, a.body)
	}
	if a := r.do(call{method: "HEAD", path: "/bucket"}); a.status != 404 || a.header.Get("X-Amz-Error-Code") != "NoSuchBucket" {
		t.Errorf("bucket: %d %v", a.status, a.header)
	}
}

// The headers of an answer that tell about the object stay where they mean
// something, and go where they would describe the error document.
func TestHeadersOfFailingAnswers(t *testing.T) {
	r := newRig(t)
	r.backend.answers(func(w http.ResponseWriter, q *http.Request, _ seen) {
		h := w.Header()
		h.Set("Etag", `"abc"`)
		h.Set("Last-Modified", "Mon, 23 Nov 2026 20:00:00 GMT")
		h.Set("Cache-Control", "max-age=60")
		h.Set("Content-Encoding", "gzip")
		h.Set("X-Amz-Version-Id", "v1")
		if q.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("X-Amz-Delete-Marker", "true")
		h.Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(w, "<Error><Code>MethodNotAllowed</Code><Message>m</Message><Method>GET</Method><ResourceType>DeleteMarker</ResourceType></Error>")
	})
	a := r.do(call{path: "/bucket/key", header: map[string]string{"If-None-Match": `"abc"`}})
	if a.status != 304 || a.body != "" || a.header.Get("Etag") != `"abc"` || a.header.Get("Cache-Control") != "max-age=60" ||
		a.header.Get("X-Amz-Version-Id") != "v1" || a.header.Get("X-Amz-Error-Code") != "" {
		t.Errorf("304: %d %v", a.status, a.header)
	}
	a = r.do(call{path: "/bucket/key", query: "versionId=v1"})
	r.refused(a, 405, "MethodNotAllowed", "<ResourceType>DeleteMarker</ResourceType>")
	if a.header.Get("X-Amz-Delete-Marker") != "true" || a.header.Get("Etag") != "" || a.header.Get("Content-Encoding") != "" || a.header.Get("Cache-Control") != "" {
		t.Errorf("405: %v", a.header)
	}
}

// The backend's refusals of the client pass; those of the gateway itself do
// not, and neither does anything else that names the backend.
func TestBackendErrorsPassOrStay(t *testing.T) {
	leak := "<Resource>/secret-bucket/key</Resource><HostId>secret-host</HostId><RequestId>secret-id</RequestId><Endpoint>secret.endpoint</Endpoint>" +
		"<BucketName>secret-bucket</BucketName><AWSAccessKeyId>secret-key</AWSAccessKeyId><CanonicalRequest>secret</CanonicalRequest>"
	for _, c := range []struct {
		status     int
		code       string
		wantStatus int
		wantCode   string
		part       string
	}{
		{404, "NoSuchKey", 404, "NoSuchKey", "backend says NoSuchKey"},
		{409, "BucketNotEmpty", 409, "BucketNotEmpty", "backend says"},
		{412, "PreconditionFailed", 412, "PreconditionFailed", "<Condition>If-Match</Condition>"},
		{416, "InvalidRange", 416, "InvalidRange", "<ActualObjectSize>3</ActualObjectSize>"},
		{403, "InvalidObjectState", 403, "InvalidObjectState", ""},
		{503, "SlowDown", 503, "SlowDown", ""},
		{403, "AccessDenied", 403, "AccessDenied", ""},
		{403, "InvalidAccessKeyId", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
		{403, "SignatureDoesNotMatch", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
		{400, "ExpiredToken", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
		{400, "InvalidToken", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
		{403, "RequestTimeTooSkewed", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
		{400, "AuthorizationHeaderMalformed", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
		{301, "PermanentRedirect", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
		{307, "TemporaryRedirect", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
		{302, "Found", 503, "ServiceUnavailable", "Access denied to S3 bucket"},
	} {
		r := newRig(t)
		r.backend.refuses(c.status, c.code, leak+"<Condition>If-Match</Condition><ActualObjectSize>3</ActualObjectSize>")
		r.backend.answers(leaking(r.backend.answer))
		for _, method := range []string{"GET", "DELETE"} {
			a := r.do(call{method: method, path: "/bucket/key"})
			r.refused(a, c.wantStatus, c.wantCode, c.part)
			if all := a.body + headerText(a.header); strings.Contains(all, "secret") || strings.Contains(all, backendKey) {
				t.Errorf("%s leaks: %s", c.code, all)
			}
			if (a.status == 503) != (a.header.Get("Retry-After") != "") {
				t.Errorf("%s: Retry-After %q", c.code, a.header.Get("Retry-After"))
			}
		}
	}
}

// leaking adds the headers that a backend's answer must not bring along.
func leaking(next func(http.ResponseWriter, *http.Request, seen)) func(http.ResponseWriter, *http.Request, seen) {
	return func(w http.ResponseWriter, r *http.Request, s seen) {
		for _, name := range []string{"Location", "X-Amz-Request-Id", "X-Amz-Id-2", "Server", "Set-Cookie", "Via", "X-Minio-Deployment-Id", "X-Amz-Meta-S3gateway-Mark", "Strict-Transport-Security"} {
			w.Header().Set(name, "https://secret.example")
		}
		next(w, r, s)
	}
}

func headerText(h http.Header) string {
	var b bytes.Buffer
	_ = h.Write(&b)
	return b.String()
}

func TestABackendThatIsAwayIsA503(t *testing.T) {
	r := newRig(t)
	r.backend.Close()
	for _, c := range []call{
		{method: "GET", path: "/bucket/key"}, {method: "PUT", path: "/bucket/key", body: "x"}, {method: "HEAD", path: "/bucket/key"},
		{method: "PUT", path: "/bucket/key", body: strings.Repeat("x", 5<<20), hash: "UNSIGNED-PAYLOAD"},
	} {
		a := r.do(c)
		if a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "127.0.0.1") {
			t.Errorf("%s: %d %v %s", c.method, a.status, a.header, a.body)
		}
	}
}

func TestNotReadyIsSaidBeforeAnythingElse(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.door.Ready = func() error {
			return &gateway.Error{Code: gateway.ServiceUnavailable, Message: "not yet", RetryAfter: 2 * time.Second}
		}
	})
	a := r.do(call{path: "/bucket/key", anonymous: true})
	r.refused(a, 503, "ServiceUnavailable", "not yet")
	if a.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	r.untouched()
}

func TestEveryAnswerCarriesTheGatewaysIds(t *testing.T) {
	r := newRig(t)
	r.backend.answers(leaking(func(w http.ResponseWriter, _ *http.Request, _ seen) { _, _ = io.WriteString(w, "hello") }))
	for _, c := range []call{{path: "/bucket/key"}, {path: "/bucket/key", anonymous: true}, {path: "/bucket/key", query: "bad"}, {method: "HEAD", path: "/bucket/key"}} {
		a := r.do(c)
		if a.header.Get("X-Amz-Request-Id") != requestID || a.header.Get("X-Amz-Id-2") != hostID || a.header.Get("Server") != "s3gateway" ||
			strings.Contains(headerText(a.header), "secret") {
			t.Errorf("%+v: %v", c, a.header)
		}
	}
}

func TestWhoMayNotIsRefused(t *testing.T) {
	r := newRig(t)
	link := r.linkKeys()
	for _, c := range []struct {
		name         string
		call         call
		status       int
		code, inBody string
	}{
		{"anonymous read", call{path: "/bucket/key", anonymous: true}, 403, "AccessDenied", ""},
		{"anonymous write", call{method: "PUT", path: "/bucket/key", anonymous: true, body: "x"}, 403, "AccessDenied", ""},
		{"unknown key", call{path: "/bucket/key", creds: aws.Credentials{AccessKeyID: "NOBODY", SecretAccessKey: "x"}}, 403, "InvalidAccessKeyId", ""},
		{"wrong secret", call{path: "/bucket/key", creds: aws.Credentials{AccessKeyID: clientKey, SecretAccessKey: "x"}}, 403, "SignatureDoesNotMatch", "<StringToSign>"},
		{"link in a header", call{path: "/bucket/key", creds: link}, 403, "AccessDenied", "presigned"},
		{"link deletes", call{method: "DELETE", path: "/bucket/key", creds: link, presign: true}, 403, "AccessDenied", "DeleteObject"},
		{"link lists", call{path: "/bucket", creds: link, presign: true}, 403, "AccessDenied", "ListObjects"},
		{"link begins a multipart upload", call{method: "POST", path: "/bucket/key", query: "uploads", creds: link, presign: true}, 403, "AccessDenied", ""},
		{"link makes public", call{method: "PUT", path: "/bucket/key", body: "x", creds: link, presign: true, header: map[string]string{"X-Amz-Acl": "public-read"}}, 403, "AccessDenied", ""},
		{"the gateway's own keys", call{path: "/bucket/.s3gateway/x"}, 403, "AccessDenied", ".s3gateway/"},
		{"the gateway's own keys by a slash", call{path: "/bucket//.s3gateway/x"}, 403, "AccessDenied", ".s3gateway/"},
		{"the gateway's own keys by dots", call{path: "/bucket/a/../.s3gateway/x"}, 403, "AccessDenied", ".s3gateway/"},
		{"listing of the gateway's own keys", call{path: "/bucket", query: "prefix=.s3gateway/"}, 403, "AccessDenied", ".s3gateway/"},
		{"a bucket named api", call{path: "/api/v1%2Fupload"}, 400, "InvalidBucketName", ""},
		{"no bucket's name", call{path: "/b%2F..%2Fother/key"}, 400, "InvalidBucketName", ""},
		{"no bucket before the key", call{path: "//key/x"}, 400, "InvalidBucketName", ""},
		{"key too long", call{path: "/bucket/" + strings.Repeat("k", 1025)}, 400, "KeyTooLongError", ""},
		{"NUL", call{path: "/bucket/a\x00b"}, 400, "InvalidArgument", "NUL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.do(c.call)
			r.refused(a, c.status, c.code, c.inBody)
			r.untouched()
		})
	}
	for _, c := range []call{{path: "/bucket/key", creds: link, presign: true}, {method: "PUT", path: "/bucket/key", body: "x", creds: link, presign: true}} {
		if a := r.do(c); a.status != 200 {
			t.Errorf("a link is good for %s: %d %s", c.method, a.status, a.body)
		}
	}
}

func TestTheRateOfACallerIsSlowDown(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.policy.Rate = policy.Rate{PerSecond: 0.1, Burst: 1}
	})
	if a := r.do(call{path: "/bucket/key"}); a.status != 200 {
		t.Fatalf("first: %d", a.status)
	}
	a := r.do(call{path: "/bucket/key"})
	r.refused(a, 503, "SlowDown", "RATE_LIMIT")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// Clients show the message alone: it has to say what was found, and what to set.
func TestARefusalByAnAllowListNamesItsSetting(t *testing.T) {
	refused := gateway.Errorf(gateway.TypeNotAllowed, "File type not allowed").
		With("FoundType", "text/html").With("FoundBy", "first bytes").With("Setting", "ALLOWED_FILE_TYPES")
	if got := refusalOf(refused, "PUT", "/b/a.png").Body.String(); !strings.Contains(got, "<Message>File type not allowed: text/html by first bytes (ALLOWED_FILE_TYPES)</Message>") {
		t.Error(got)
	}
	refused = gateway.Errorf(gateway.NameNotAllowed, "File name not allowed").With("Setting", "denied_extensions of bucket b")
	if got := refusalOf(refused, "PUT", "/b/a.php").Body.String(); !strings.Contains(got, "<Message>File name not allowed (denied_extensions of bucket b)</Message>") {
		t.Error(got)
	}
	large := gateway.Errorf(gateway.EntityTooLarge, "File too large. Maximum size: 1 bytes").With("Setting", "MAX_FILE_SIZE")
	if got := refusalOf(large, "PUT", "/b/a.png").Body.String(); !strings.Contains(got, "<Message>File too large. Maximum size: 1 bytes</Message>") {
		t.Error(got)
	}
}
