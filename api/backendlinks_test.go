package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/verify"
)

// linksTo makes links to a backend with the credentials.
func linksTo(t *testing.T, c aws.Credentials, h http.Handler) *BackendLinks {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := backend.New(backend.Endpoint{Name: "fake", URL: at, Region: "eu-west-1", PathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })}, zerolog.Nop(), time.Now)
	t.Cleanup(client.Close)
	return &BackendLinks{Client: client, Bucket: "b"}
}

func TestALinkEndsWithItsCredentials(t *testing.T) {
	now := testTime
	keys := aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret", SessionToken: "a/token"}
	ending := func(in time.Duration) aws.Credentials {
		c := keys
		c.CanExpire, c.Expires = true, now.Add(in)
		return c
	}
	for _, c := range []struct {
		name        string
		credentials aws.Credentials
		life        int // 0: refused
	}{
		{"keys without an end", keys, 3600},
		{"keys that live longer", ending(2 * time.Hour), 3600},
		{"keys that end before", ending(90 * time.Second), 90},
		{"keys that have ended", ending(0), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			to, err := linksTo(t, c.credentials, http.NotFoundHandler()).target(t.Context(), 3600, now)
			if c.life == 0 {
				if gateway.CodeOf(err) != gateway.ServiceUnavailable {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || to.life != c.life {
				t.Fatalf("%d seconds, %v", to.life, err)
			}
			link, err := to.sign(t.Context(), http.MethodGet, "uploads/ä b", nil, nil, now)
			u, bad := url.Parse(link)
			if err != nil || bad != nil || u.Query().Get("X-Amz-Security-Token") != "a/token" || u.EscapedPath() != "/b/uploads/%C3%A4%20b" ||
				!strings.Contains(u.Query().Get("X-Amz-Credential"), "/eu-west-1/s3/") {
				t.Errorf("%s %v", link, err)
			}
		})
	}
}

// What a store does with an unsigned copy source decides how links are signed.
func TestLinksThatCouldBeTurnedIntoCopiesAreNotMade(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(r *http.Request) int
		pinned bool
		err    string
	}{
		{"the store refuses what was not signed", func(*http.Request) int { return 403 }, false, ""},
		{"it refuses what differs from what was signed", func(r *http.Request) int {
			switch {
			case !r.URL.Query().Has("x-amz-copy-source"):
				return 404
			case r.Header.Get(copySource) != "" || r.Header.Get(verify.MarkHeader) != "":
				return 403
			}
			return 400
		}, true, ""},
		{"it takes both", func(*http.Request) int { return 404 }, false, "PRESIGN_VIA=gateway"},
		{"it does not know what was signed", func(r *http.Request) int {
			if r.URL.Query().Has("x-amz-copy-source") {
				return 403
			}
			return 404
		}, false, "PRESIGN_VIA=gateway"},
		{"it takes metadata that was not signed", func(r *http.Request) int {
			if r.Header.Get(verify.MarkHeader) != "" {
				return 400 // of the MD5: the signature passed
			}
			return 403
		}, false, "metadata on a link"},
		{"it is not well", func(*http.Request) int { return 503 }, false, "ServiceUnavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			links := linksTo(t, aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ContentLength != 0 || r.URL.Path != "/b/"+linkProbeKey {
					t.Errorf("a probe that could store something: %s", r.URL)
				}
				w.WriteHeader(c.answer(r))
			}))
			pinned, err := links.mustPin(t.Context(), time.Now())
			if c.err == "" && (err != nil || pinned != c.pinned) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v %v", pinned, err)
			}
		})
	}
}
