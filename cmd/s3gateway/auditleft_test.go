package main

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/internal/testlog"
)

// slowStore stands before a store and keeps back the answers to changes, once the
// store has given them: held gets each. Without fate it never gives them; with one
// it answers so.
type slowStore struct {
	*testbed.Store
	held chan int
	fate atomic.Int64 // a status in place of the store's, 0 for none
	slow atomic.Bool
}

func newSlowStore(t *testing.T, real *testbed.Store) *slowStore {
	t.Helper()
	s := &slowStore{held: make(chan int, 100)}
	s.Store = real.Front(t, func(pass http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead || !s.slow.Load() {
				pass.ServeHTTP(w, r)
				return
			}
			kept := httptest.NewRecorder()
			pass.ServeHTTP(kept, r.WithContext(context.WithoutCancel(r.Context())))
			s.held <- kept.Code
			if status := s.fate.Load(); status != 0 {
				w.WriteHeader(int(status))
				return
			}
			<-r.Context().Done()
		}
	})
	return s
}

// hangUp sends a request, and leaves when the store has answered it.
func (s *slowStore) hangUp(t *testing.T, r *http.Request) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	go func() {
		if status := <-s.held; status >= 300 {
			t.Errorf("the store answered %d", status)
		}
		leave()
	}()
	if resp, err := transport().RoundTrip(r.WithContext(ctx)); err == nil {
		resp.Body.Close()
		t.Errorf("answered with %d though nobody waited", resp.StatusCode)
	}
}

// Whoever hangs up after the store made a change, and before it is told, leaves a
// record of it all the same; so does a change that the backend answers with a
// failure of its own. Who leaves before all was sent changes nothing and leaves none.
func TestTheAuditLogOfChangesWithoutAnAnswer(t *testing.T) {
	real := testbed.Open(t)
	bucket := real.Bucket(t)
	store := newSlowStore(t, real)
	file := yamlFile(t, strings.ReplaceAll(auditedFile, "BUCKET", bucket))
	w := newWorldOn(t, store.Store, bucket, append(append([]string{}, open...), file)...)
	partner := aws.Credentials{AccessKeyID: partnerID, SecretAccessKey: partnerSecret}
	picture := string(png(500))
	s3 := func(method, path, body string, headers ...string) *http.Request {
		r := newRequest(t, method, w.url+"/"+bucket+path, strings.NewReader(body), headers...)
		signAs(t, r, hexSHA256([]byte(body)), partner, time.Now())
		return r
	}
	batch := `<Delete><Object><Key>in/b.png</Key></Object><Object><Key>in/c.png</Key></Object></Delete>`
	sum := md5.Sum([]byte(batch))
	for _, key := range []string{"in/a.png", "in/b.png", "in/c.png", "uploads/d.png", "uploads/e.png"} {
		if got := do(t, s3("PUT", "/"+key, picture, "Content-Type", "image/png")); got.status != 200 {
			t.Fatalf("%s: %d %s", key, got.status, got.body)
		}
	}
	rest := func(method, path, body string, headers ...string) *http.Request {
		return newRequest(t, method, w.rest(path), strings.NewReader(body), append([]string{"X-Api-Key", partnerAPI}, headers...)...)
	}
	requests := []struct {
		name    string
		request func() *http.Request
		want    []string
		gone    []string // keys that the store has deleted
	}{
		{"an object", func() *http.Request { return s3("PUT", "/in/new.png", picture, "Content-Type", "image/png") },
			[]string{"unknown s3 partner PutObject write in/new.png"}, nil},
		{"a deletion", func() *http.Request { return s3("DELETE", "/in/a.png", "") },
			[]string{"unknown s3 partner DeleteObject delete in/a.png"}, []string{"in/a.png"}},
		{"a batch", func() *http.Request {
			return s3("POST", "/?delete", batch, "Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
		}, []string{"unknown s3 partner DeleteObjects delete in/b.png", "unknown s3 partner DeleteObjects delete in/c.png"}, []string{"in/b.png", "in/c.png"}},
		{"a deletion by the upload API", func() *http.Request { return rest("DELETE", "uploads/d.png", "") },
			[]string{"unknown rest partner DeleteFile delete uploads/d.png"}, []string{"uploads/d.png"}},
		{"a batch of the upload API", func() *http.Request {
			return rest("POST", "delete", `{"file_ids":["uploads/e.png"]}`, "Content-Type", "application/json")
		}, []string{"unknown rest partner DeleteFiles delete uploads/e.png"}, []string{"uploads/e.png"}},
	}
	store.slow.Store(true)
	for _, c := range requests {
		t.Run(c.name, func(t *testing.T) {
			got := w.auditOf(func() { store.hangUp(t, c.request()) })
			if said := strings.Join(outcomes(got), "\n"); said != strings.Join(c.want, "\n") {
				t.Errorf("left\n%s\nwant\n%s", said, strings.Join(c.want, "\n"))
			}
			for _, a := range got {
				if a.Status != statusClientGone {
					t.Errorf("status %d", a.Status)
				}
			}
			there := real.Snapshot(t, bucket)
			for _, key := range c.gone {
				if _, ok := there[key]; ok {
					t.Errorf("%s is still there: the test shows nothing", key)
				}
			}
		})
	}
	t.Run("an answer of 500", func(t *testing.T) {
		store.fate.Store(http.StatusInternalServerError)
		w.expectAudit("a deletion", s3("DELETE", "/in/new.png", ""), 503, "unknown s3 partner DeleteObject delete in/new.png")
	})
	t.Run("a body that is cut", func(t *testing.T) {
		store.fate.Store(0)
		ctx, hangUp := context.WithCancel(t.Context())
		r := s3("PUT", "/in/cut.png", picture, "Content-Type", "image/png").WithContext(ctx)
		r.Body = &cutBody{Reader: strings.NewReader(picture[:400]), cut: hangUp}
		got := w.auditOf(func() { _, _ = transport().RoundTrip(r) })
		if len(got) != 0 {
			t.Errorf("left %v", outcomes(got))
		}
		if _, ok := real.Snapshot(t, bucket)["in/cut.png"]; ok {
			t.Error("half an object is there")
		}
	})
}

// cutBody gives what it has and then takes the request back.
type cutBody struct {
	*strings.Reader
	cut func()
}

// Read reads, and at the end cuts.
func (b *cutBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		b.cut()
		return n, context.Canceled
	}
	return n, nil
}

// Close closes nothing.
func (b *cutBody) Close() error { return nil }

// A change that a backend may have made leaves a record, however the request
// ended, unless it was refused for certain.
func TestTheAuditLogOfRequestsThatFail(t *testing.T) {
	broken := errors.New("the answer was cut")
	for _, c := range []struct {
		name   string
		status int
		err    error
		begun  bool
		want   string // the outcome, "" for no record
	}{
		{"made", 200, nil, true, "changed"},
		{"made without a backend's help", 200, nil, false, "changed"},
		{"a panic before the answer", 0, nil, true, "unknown"},
		{"a panic before anything", 0, nil, false, ""},
		{"an answer that broke", 200, broken, true, "unknown"},
		{"the backend's failure", 500, &gateway.Error{Code: gateway.Internal, Status: 500}, true, "unknown"},
		{"a failure behind a 200", 200, &gateway.Error{Code: gateway.Internal, Status: 500}, true, "unknown"},
		{"the backend's refusal", 400, &gateway.Error{Code: gateway.InvalidPart, Status: 400}, true, ""},
		{"a refusal behind a 200", 200, &gateway.Error{Code: gateway.InvalidPart, Status: 400}, true, ""},
		{"no answer", 503, &gateway.Error{Code: gateway.ServiceUnavailable}, true, "unknown"},
		{"nobody to ask", 503, &gateway.Error{Code: gateway.ServiceUnavailable}, false, ""},
		{"a client that left", statusClientGone, &gateway.Error{Code: gateway.ServiceUnavailable}, true, "unknown"},
		{"a client that was too slow", 400, &gateway.Error{Code: gateway.RequestTimeout}, true, "unknown"},
		{"a digest that did not fit, what was begun taken back", 400, &gateway.Error{Code: gateway.BadDigest}, true, ""},
		{"a decision, what was begun taken back", 413, &gateway.Error{Code: gateway.EntityTooLarge}, true, "refused"},
		{"a stored answer without an error", 404, nil, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log testlog.Buffer
			audit(zerolog.New(&log), http.MethodPut, c.status, gateway.Fields{Action: gateway.Write, Key: "k", Err: c.err, Begun: c.begun})
			var got audited
			if text := log.String(); text != "" {
				if err := json.Unmarshal([]byte(text), &got); err != nil {
					t.Fatal(err)
				}
			}
			if got.Outcome != c.want {
				t.Errorf("%q, want %q", log.String(), c.want)
			}
		})
	}
}
