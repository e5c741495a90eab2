package quota

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/proxy"
)

// kinds are what the operations change of what is stored; those that are not
// here change nothing of it.
var kinds = map[string]kind{
	"PutObject": putsObject, "CopyObject": copiesObject, "UploadPart": putsPart, "UploadPartCopy": copiesPart,
	"CompleteMultipartUpload": completes, "AbortMultipartUpload": aborts, "DeleteObject": deletes, "DeleteObjects": deletesMany,
}

// storesNothing are the operations that write or delete, and of which quotas
// know nothing.
var storesNothing = map[string]string{
	"CreateMultipartUpload": "nothing is stored yet",
	"PutObjectTagging":      "tags are no bytes of objects",
	"DeleteObjectTagging":   "tags are no bytes of objects",
	"RestoreObject":         "the copy is the archive's",
}

// Each operation of the S3 door's table is read as what it is, so that a new one
// that stores fails here until it is counted.
func TestEveryOperationIsReadAsWhatItChanges(t *testing.T) {
	var reasons []string
	for _, op := range proxy.NewTable().Operations() {
		path := "/bucket/key"
		if op.Level != proxy.ObjectLevel {
			path = "/bucket"
		}
		query := ""
		for _, name := range op.Tells {
			query += "&" + name + "=1"
		}
		r := httptest.NewRequest(op.Method, path+"?"+strings.TrimPrefix(query, "&"), nil)
		if op.TellingHeader != "" {
			r.Header.Set(op.TellingHeader, "bucket/source")
		}
		key, _ := strings.CutPrefix(path, "/bucket/")
		if op.Level != proxy.ObjectLevel {
			key = ""
		}
		got, known := read(r, "bucket", key).kind, kinds[op.Name]
		if op.Name == "PostObject" || r.Method == http.MethodGet || r.Method == http.MethodHead {
			continue // the guard passes over what reads
		}
		if got != known {
			t.Errorf("%s is read as %d, want %d", op.Name, got, known)
		}
		writes := slices.Contains([]gateway.Action{gateway.Write, gateway.Delete, gateway.DeleteVersion}, op.Action) || op.Body == proxy.ObjectBody
		if known == changesNothing && writes {
			reasons = append(reasons, op.Name)
			if storesNothing[op.Name] == "" {
				t.Errorf("%s: it needs a kind, or a reason in storesNothing", op.Name)
			}
		}
	}
	for name := range storesNothing {
		if !slices.Contains(reasons, name) {
			t.Errorf("%s needs no reason", name)
		}
	}
}

// What is sent plain has the length that it has, whatever its headers say.
func TestTheLengthThatCounts(t *testing.T) {
	for _, tt := range []struct {
		hash, decoded string
		want          int64
	}{
		{"UNSIGNED-PAYLOAD", "1", 10}, {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "4", 4}, {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x", 10}, {"", "", 10},
	} {
		r := httptest.NewRequest("PUT", "/b/k", strings.NewReader("0123456789"))
		r.Header.Set("X-Amz-Content-Sha256", tt.hash)
		r.Header.Set("X-Amz-Decoded-Content-Length", tt.decoded)
		if got := read(r, "b", "k").length; got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}

// A copy counts what it takes of its source.
func TestWhatACopyTakes(t *testing.T) {
	for text, want := range map[string]int64{
		"": 100, "bytes=0-0": 1, "bytes=10-19": 10, "bytes=0-99": 100, "bytes=5-2": 100, "bytes=-5-3": 100, "bytes=0-1000": 100, "x": 100,
	} {
		q := request{header: http.Header{"X-Amz-Copy-Source-Range": {text}}}
		if got := q.copied(100); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string][3]string{
		"b/k": {"b", "k", ""}, "/b/a/k%20%2B": {"b", "a/k +", ""}, "b/k?versionId=v": {"b", "k", "v"}, "b/a%3Fb?versionId=v%2B": {"b", "a?b", "v+"},
	} {
		q := request{header: http.Header{"X-Amz-Copy-Source": {text}}}
		bucket, key, version, err := q.source()
		if got := [3]string{bucket, key, version}; got != want || err != nil {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
}
