package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/codeguardians/s3gateway/internal/testlog"
)

const parentMode = "hold-a-store"

// TestMain lets the test binary be the child, and a parent that can be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case Subcommand:
			os.Exit(ChildMain(os.Stdin, os.Stderr))
		case parentMode:
			os.Exit(holdStore(os.Args[2]))
		case "die":
			fmt.Fprintln(os.Stderr, "panic: \x1b[31mof bad input")
			fmt.Fprintln(os.Stderr, "goroutine 1 [running]:")
			os.Exit(3)
		case "sleep":
			signal.Ignore(syscall.SIGTERM)
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

// holdStore runs a store until it is killed.
func holdStore(dir string) int {
	s, err := Start(context.Background(), Options{Dir: dir, Bucket: "files"})
	if err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	fmt.Println("socket", s.Socket())
	select {}
}

// start runs a store in dir for the test.
func start(t *testing.T, dir string, change ...func(*Options)) *Store {
	t.Helper()
	j := &testlog.Buffer{}
	o := Options{Dir: dir, Bucket: "files", Log: zerolog.New(j)}
	for _, c := range change {
		c(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := Start(ctx, o)
	if err != nil {
		t.Fatalf("Start: %v\n%s", err, j)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if log := j.String(); strings.Contains(log, s.Credentials().SecretAccessKey) {
			t.Error("the log carries the secret")
		}
	})
	return s
}

// transport reaches the store's socket.
func transport(t *testing.T, s *Store) *http.Transport {
	t.Helper()
	var d net.Dialer
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", s.Socket())
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func client(t *testing.T, s *Store) *s3.Client {
	t.Helper()
	c := s.Credentials()
	return s3.New(s3.Options{
		BaseEndpoint:     aws.String("http://embedded"),
		UsePathStyle:     true,
		Region:           s.Region(),
		Credentials:      credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
		HTTPClient:       &http.Client{Transport: transport(t, s)},
		RetryMaxAttempts: 1,
	})
}

func put(t *testing.T, c *s3.Client, key, body string) {
	t.Helper()
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("files"), Key: aws.String(key), Body: strings.NewReader(body),
		ContentType: aws.String("text/x-test"), Metadata: map[string]string{"colour": "blue"},
	})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

// wantObject asserts the bytes and the metadata that put stored.
func wantObject(t *testing.T, c *s3.Client, key, body string) {
	t.Helper()
	got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String(key)})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || string(text) != body {
		t.Errorf("get %q = %q, %v; want %q", key, text, err, body)
	}
	if aws.ToString(got.ContentType) != "text/x-test" || got.Metadata["colour"] != "blue" {
		t.Errorf("get %q: type %q, metadata %v", key, aws.ToString(got.ContentType), got.Metadata)
	}
}

func keys(t *testing.T, c *s3.Client) []string {
	t.Helper()
	got, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("files")})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, o := range got.Contents {
		names = append(names, aws.ToString(o.Key))
	}
	return names
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// readLine reads the next line of a helper process.
func readLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("helper process: %v", err)
	}
	return strings.TrimSpace(line)
}

func dataDir(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }

// drained waits for done while it takes what comes.
func drained[T any](done <-chan struct{}, values <-chan T) {
	for {
		select {
		case <-done:
			return
		case <-values:
		}
	}
}
