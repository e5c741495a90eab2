package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/internal/testlog"
)

func TestS3OverHTTP2(t *testing.T) {
	w := newWorld(t, append(open, secure(t)...)...)
	client, ctx, key := w.s3(), t.Context(), aws.String("a b/ü+1.bin")
	body := make([]byte, 3<<20)
	rand.Read(body)
	// A stream that cannot be read twice goes out in unsigned chunks with a
	// trailing checksum.
	put, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: key, Body: onlyReader{bytes.NewReader(body)},
		ContentLength: aws.Int64(int64(len(body))), Metadata: map[string]string{"colour": "blue"}},
		s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
	if err != nil {
		t.Fatal(err)
	}
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &w.bucket, Key: key})
	if err != nil || *head.ContentLength != int64(len(body)) || head.Metadata["colour"] != "blue" || *head.ETag != *put.ETag {
		t.Fatalf("%+v, %v", head, err)
	}
	if _, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &w.bucket, Key: aws.String("none")}); sdkRefusal(err).status != 404 {
		t.Errorf("HEAD of nothing: %v", err)
	}
	if err := holds(ctx, client, w.bucket, *key, body); err != nil {
		t.Error(err)
	}
	link, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &w.bucket, Key: key, Range: aws.String("bytes=1-4")})
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t, "GET", link.URL, nil, "Range", "bytes=1-4")
	if a := do(t, r); a.status != 206 || !bytes.Equal(a.body, body[1:5]) || a.proto != "HTTP/2.0" {
		t.Errorf("by link: %d %s, %d bytes", a.status, a.proto, len(a.body))
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &w.bucket, Key: key}); err != nil {
		t.Error(err)
	}
	w.unchanged()
}

func TestManyUploadsShareOneHTTP2Connection(t *testing.T) {
	w := newWorld(t, append(open, secure(t)...)...)
	client, ctx := w.s3(), t.Context()
	body := make([]byte, 5<<20)
	rand.Read(body)
	errs := make(chan error, 8)
	for i := range cap(errs) {
		go func() {
			key := aws.String(strconv.Itoa(i))
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: key, Body: bytes.NewReader(body[i:])})
			if err == nil {
				err = holds(ctx, client, w.bucket, *key, body[i:])
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// holds compares an object with what was put.
func holds(ctx context.Context, client *s3.Client, bucket, key string, want []byte) error {
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if data, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(data, want) {
		return fmt.Errorf("%s: %d bytes came back of %d: %w", key, len(data), len(want), err)
	}
	return nil
}

// One upload that waits, for its rate or for the backend, must not hold up the
// others of its connection.
func TestAWaitingUploadHoldsUpNoOther(t *testing.T) {
	w := &world{t: t}
	cfg, _, err := config.Load(config.Options{Dir: t.TempDir(), Environ: append(secure(t), "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=off")})
	if err != nil {
		t.Fatal(err)
	}
	release, waiting := make(chan struct{}), make(chan struct{})
	w.serve(cfg, zerolog.Nop(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/waits" {
			close(waiting)
			<-release
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	first := make(chan int64, 1)
	full := &endless{8 << 20}
	go func() {
		resp, err := transport().RoundTrip(newRequest(t, "PUT", w.url+"/waits", onlyReader{full}))
		if err != nil {
			first <- -1
			return
		}
		resp.Body.Close()
		first <- full.left
	}()
	<-waiting
	if got := do(t, newRequest(t, "PUT", w.url+"/goes", &endless{2 << 20})); got.status != 200 || got.proto != "HTTP/2.0" {
		t.Errorf("%d %s", got.status, got.proto)
	}
	close(release)
	if left := <-first; left != 0 {
		t.Errorf("the first upload has %d bytes left", left)
	}
}

type onlyReader struct{ io.Reader }

// endless is a body of a client that goes on sending whatever it is told.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	e.left -= n
	return int(n), nil
}

// The refusal of a body that is far from sent must be read, not lost in a
// broken connection: each of twenty, since it is a race.
func TestARefusalIsReadWhileTheBodyIsStillSent(t *testing.T) {
	w := newWorld(t, append([]string{"MAX_FILE_SIZE=1000"}, secure(t)...)...)
	one := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted().pool()}}
	defer one.CloseIdleConnections()
	for proto, client := range map[string]*http.Transport{"HTTP/2.0": transport(), "HTTP/1.1": one} {
		for range 20 {
			const size = 7 << 20
			put := newRequest(t, "PUT", w.url+"/"+w.bucket+"/large.png", &endless{size}, "Content-Type", "image/png")
			put.ContentLength = size
			sign(t, put, "UNSIGNED-PAYLOAD", testSecret, time.Now())
			got := doBy(t, client, put)
			got.isS3Error(t, 400, "EntityTooLarge")
			if got.proto != proto {
				t.Fatal(got.proto)
			}
			post := newRequest(t, "POST", w.rest("direct"), &endless{size}, "Content-Type", "multipart/form-data; boundary=x")
			post.ContentLength = size
			doBy(t, client, post).isProblem(t, 413, "File too large")
		}
	}
	w.unchanged()
}

func TestTheSDKReadsARefusalOverHTTP2(t *testing.T) {
	w := newWorld(t, append([]string{"MAX_FILE_SIZE=1000"}, secure(t)...)...)
	for range 10 {
		_, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("a.png"), ContentType: aws.String("image/png"),
			Body: bytes.NewReader(png(20 << 20))})
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != "EntityTooLarge" {
			t.Fatal(err)
		}
	}
	w.unchanged()
}

func TestTheUploadAPIOverHTTP2(t *testing.T) {
	w := newWorld(t, append(open, secure(t)...)...)
	content, formType := form(t, "a.png", "image/png", png(300_000))
	stored := do(t, newRequest(t, "POST", w.rest("direct"), content, "Content-Type", formType))
	if stored.status != 201 || stored.proto != "HTTP/2.0" {
		t.Fatalf("%d %s %s", stored.status, stored.proto, stored.body)
	}
	got := do(t, newRequest(t, "GET", w.rest("download/"+stored.json(t)["file_id"].(string)), nil))
	if got.status != 200 || !bytes.Equal(got.body, png(300_000)) {
		t.Errorf("%d, %d bytes", got.status, len(got.body))
	}
	link := do(t, newRequest(t, "POST", w.rest("presigned"), strings.NewReader(`{"filename":"b.png","content_type":"image/png"}`), "Content-Type", "application/json"))
	if url, _ := link.json(t)["upload_url"].(string); !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Errorf("a link of an HTTPS door is %s", url)
	}
	// A body without a length is the ordinary case of HTTP/2, and counted.
	content, formType = form(t, "c.png", "image/png", png(300_000))
	r := newRequest(t, "POST", w.rest("direct"), onlyReader{content}, "Content-Type", formType)
	if got := do(t, r); got.status != 201 {
		t.Errorf("without a length: %d %s", got.status, got.body)
	}
	r = newRequest(t, "PUT", w.url+"/"+w.bucket+"/x", onlyReader{strings.NewReader("x")})
	sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
	do(t, r).isS3Error(t, 411, "MissingContentLength")
}

// A client of HTTP/2 that leaves resets its stream, while the connection lives.
func TestAStreamThatIsResetStoresNothing(t *testing.T) {
	w := newWorld(t, append(open, secure(t)...)...)
	broken := errors.New("the client's disk")
	r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/half", io.MultiReader(&endless{1 << 20}, errorReader{broken}))
	r.ContentLength = 2 << 20
	sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
	if _, err := transport().RoundTrip(r); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	eventually(t, "the request is over", func() bool { return strings.Contains(w.log.String(), "half") })
	w.unchanged()
	if got := w.signed("GET", "half"); got.status != 404 || got.proto != "HTTP/2.0" {
		t.Errorf("afterwards: %d %s", got.status, got.proto)
	}
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

func TestClientCertificatesGuardBothDoors(t *testing.T) {
	clients := newAuthority()
	w := newWorld(t, append(open, append(secure(t), "TLS_CLIENT_CA_FILE="+clients.file(t))...)...)
	for name, c := range map[string]struct {
		by *authority
		in bool
	}{"of the right authority": {clients, true}, "of another": {trusted(), false}, "none": {nil, false}} {
		config := &tls.Config{RootCAs: trusted().pool()}
		if c.by != nil {
			pair := c.by.issue(t)
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		client := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
		defer client.CloseIdleConnections()
		for _, url := range []string{w.rest("health"), w.url + "/" + w.bucket} {
			resp, err := client.RoundTrip(newRequest(t, "GET", url, nil))
			if err == nil {
				resp.Body.Close()
			}
			if (err == nil) != c.in {
				t.Errorf("certificate %s, %s: %v", name, url, err)
			}
		}
	}
}

func TestCertificatesThatCannotBeStartedWith(t *testing.T) {
	settings, none := secure(t), filepath.Join(t.TempDir(), "none.pem")
	for _, c := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"no such certificate", []string{"TLS_CERT_FILE=" + none, settings[1]}, `TLS_CERT_FILE="` + none + `"`},
		{"no such key", []string{settings[0], "TLS_KEY_FILE=" + none}, `TLS_KEY_FILE="` + none + `"`},
		{"the key of another", []string{settings[0], secure(t)[1]}, "TLS_KEY_FILE"},
		{"no such authority", append(settings, "TLS_CLIENT_CA_FILE="+none), `TLS_CLIENT_CA_FILE="` + none + `"`},
		{"no such authority of the backend", []string{"S3_ENABLED=true", "S3_BUCKET_NAME=files", "S3_REGION=us-east-1", "S3_CA_FILE=" + none}, `S3_CA_FILE="` + none + `"`},
		{"no authority in the file", []string{"S3_ENABLED=true", "S3_BUCKET_NAME=files", "S3_REGION=us-east-1",
			"S3_CA_FILE=" + strings.TrimPrefix(settings[1], "TLS_KEY_FILE=")}, "no certificate in PEM form"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, command := range []string{"serve", "doctor"} {
				s := &testlog.Buffer{}
				environ := append([]string{"LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=off", "DATA_DIR=" + t.TempDir()}, c.environ...)
				code := run(t.Context(), process{args: []string{command}, environ: environ, stdout: s, stderr: s})
				if code != exitSettings || !strings.Contains(s.String(), c.want) || strings.Contains(s.String(), "BEGIN") {
					t.Errorf("%s: exit code %d: %s", command, code, s)
				}
			}
		})
	}
}

func TestARenewedCertificateIsServedWithoutARestart(t *testing.T) {
	settings := secure(t)
	s := start(t, t.TempDir(), settings)
	s.url = strings.Replace(s.url, "http://", "https://", 1)
	s.healthy(t)
	next := secure(t)
	for i := range settings {
		_, path, _ := strings.Cut(settings[i], "=")
		_, from, _ := strings.Cut(next[i], "=")
		if err := os.Rename(from, path); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the renewal is logged", func() bool {
		transport().CloseIdleConnections()
		s.healthy(t)
		return strings.Contains(s.stderr.String(), "the new certificate is in service")
	})
}

// A backend with a certificate of its own authority.
func TestTLSToTheBackend(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1) }))
	own := newAuthority()
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own.issue(t)}}
	server.Config.ErrorLog = stdLogger(newLogger(io.Discard, "error"))
	server.StartTLS()
	defer server.Close()
	for _, c := range []struct {
		name, setting string
		in            bool
	}{
		{"unknown authority", "S3_REGION=us-east-1", false},
		{"another authority", "S3_CA_FILE=" + newAuthority().file(t), false},
		{"its authority", "S3_CA_FILE=" + own.file(t), true},
		{"not verified", "S3_SKIP_TLS_VERIFY=true", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls.Store(0)
			s := start(t, t.TempDir(), []string{"S3_ENABLED=true", "S3_BUCKET_NAME=files", "S3_ENDPOINT_URL=" + server.URL,
				"S3_ACCESS_KEY_ID=AK", "S3_SECRET_ACCESS_KEY=secret-of-the-backend", c.setting})
			if c.in {
				s.healthy(t)
			} else {
				bothUnavailable(t, s.url, "not properly configured")
				eventually(t, "the log says why", func() bool { return strings.Contains(s.stderr.String(), "x509") })
				if calls.Load() > 0 {
					t.Error("a request went to a server that nobody vouches for")
				}
			}
			if warned := strings.Contains(s.stderr.String(), "S3_SKIP_TLS_VERIFY: true"); warned != strings.HasPrefix(c.setting, "S3_SKIP") {
				t.Errorf("warned: %v\n%s", warned, s.stderr)
			}
		})
	}
}
