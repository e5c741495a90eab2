package testbed

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestBucketsAreTheTestsOwnAndGoAfterIt(t *testing.T) {
	s := Open(t)
	var first, second string
	t.Run("use", func(t *testing.T) {
		first, second = s.Bucket(t), s.Bucket(t)
		if first == second {
			t.Fatal("two buckets have one name")
		}
		before := s.Snapshot(t, first)
		if len(before) != 0 || len(s.Uploads(t, first)) != 0 {
			t.Errorf("a new bucket is not empty: %v", before)
		}
		s.Unchanged(t, first, before)
		putObject(t, s, first, "k", "hello")
		key := "big"
		if _, err := s.Client(t).CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &first, Key: &key}); err != nil {
			t.Fatal(err)
		}
		if got := s.Snapshot(t, first); len(got) != 1 || got["k"].Size != 5 || got["k"].ETag != `"5d41402abc4b2a76b9719d911017c592"` {
			t.Errorf("snapshot %v", got)
		}
		if got := s.Uploads(t, first); len(got) != 1 || !strings.HasPrefix(got[0], "big ") {
			t.Errorf("uploads %v", got)
		}
	})
	for _, bucket := range []string{first, second} {
		_, err := s.Client(t).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket})
		if err == nil {
			t.Errorf("bucket %s is still there", bucket)
		}
	}
}

func TestLaunchSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"an unknown store", map[string]string{StoreVariable: "ceph"}, "embedded and minio"},
		{"MinIO without a path", map[string]string{StoreVariable: "minio"}, "make minio"},
		{"MinIO that is not built", map[string]string{StoreVariable: "minio", MinIOVariable: "/nowhere/minio"}, "make minio"},
		{"MinIO that ends at once", map[string]string{StoreVariable: "minio", MinIOVariable: "/bin/false"}, "it ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := launch(func(name string) string { return tt.env[name] })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("launch: %v; want %q", err, tt.want)
			}
		})
	}
}

func TestShutdownLeavesNothing(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	var s shared
	store, err := s.open(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.client().ListBuckets(t.Context(), &s3.ListBucketsInput{}); err != nil {
		t.Fatal(err)
	}
	s.shutdown()
	goleak.VerifyNone(t, ignore)
}

func putObject(t *testing.T, s *Store, bucket, key, body string) {
	t.Helper()
	_, err := s.Client(t).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}
