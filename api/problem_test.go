package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

func writeTo(t *testing.T, err error) reply {
	t.Helper()
	w := httptest.NewRecorder()
	WriteError(w, httptest.NewRequest("GET", "/api/v1/upload/list?token=hidden", nil), err)
	return reply{w.Code, w.Header(), w.Body.String()}
}

func TestEveryCodeHasAStatusAndATitle(t *testing.T) {
	for _, code := range append(gateway.Codes(), noSuchRoute, offsetMismatch, uploadUnfinished, uploadLocked, uploadExpired, chunkMismatch) {
		k, ok := kinds[code]
		if !ok || k.status < 400 || k.status > 599 || k.title == "" {
			t.Errorf("%s: %+v", code, k)
		}
		got := writeTo(t, &gateway.Error{Code: code, Message: "why"})
		m := got.json(t)
		if got.status != k.status || m["code"] != string(code) || m["status"] != float64(k.status) || m["title"] != k.title {
			t.Errorf("%s: %d %v", code, got.status, m)
		}
		if got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: Content-Type %q", code, got.header.Get("Content-Type"))
		}
	}
}

func TestProblemsSayWhatTheSeedSays(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status int
		detail string
	}{
		{"an unknown error stays in the log", errors.New("dial 10.0.0.7: secret"), 500,
			"Something went wrong in the gateway. The log has the reason under this request's id."},
		{"the backend forbids", &gateway.Error{Code: gateway.AccessDenied, Status: 403, Message: "User arn:x is not"}, 403, "Access denied to S3 bucket"},
		{"the backend lacks the bucket", &gateway.Error{Code: gateway.NoSuchBucket, Status: 404}, 503,
			"S3 file storage is not enabled or not properly configured"},
		{"the backend failed", &gateway.Error{Code: gateway.Internal, Status: 500, Message: "We encountered an internal error."}, 503, "We encountered an internal error."},
		{"a backend's own code", &gateway.Error{Code: "InvalidObjectState", Status: 403, Message: "archived"}, 403, "archived"},
		{"an error without a text", &gateway.Error{Code: gateway.NoSuchUpload}, 404, "Upload not found."},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := writeTo(t, c.err)
			if m := got.json(t); got.status != c.status || m["detail"] != c.detail {
				t.Errorf("%d %q, want %d %q", got.status, m["detail"], c.status, c.detail)
			}
		})
	}
}

func TestAProblemCarriesItsHeadersAndMembers(t *testing.T) {
	err := gateway.Errorf(gateway.SlowDown, "slow").With("MaxSizeAllowed", "5").With("Status", "999").With("type", "evil")
	err.RetryAfter, err.Field = 1500*time.Millisecond, "file"
	got := writeTo(t, err)
	m := got.json(t)
	if got.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q, want 2: rounded up", got.header.Get("Retry-After"))
	}
	if m["max_size_allowed"] != "5" || m["field"] != "file" {
		t.Errorf("members %v", m)
	}
	if m["status"] != float64(429) || m["type"] != "urn:s3gateway:problem:SlowDown" {
		t.Errorf("a detail replaced a member: %v", m)
	}
	if strings.Contains(got.body, "hidden") {
		t.Errorf("the query is shown: %s", got.body)
	}
	if got := writeTo(t, gateway.Errorf(gateway.Unauthenticated, "who")); !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("401 without WWW-Authenticate: %v", got.header)
	}
	if got := writeTo(t, gateway.Errorf(gateway.ServiceUnavailable, "x")); got.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

func TestAHeadRefusalHasNoBody(t *testing.T) {
	w := httptest.NewRecorder()
	WriteError(w, httptest.NewRequest(http.MethodHead, "/x", nil), gateway.Errorf(gateway.NoSuchKey, "no"))
	if w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}
