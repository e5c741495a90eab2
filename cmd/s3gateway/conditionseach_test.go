package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/proxy"
)

const (
	longAgo   = "Mon, 01 Jan 2001 00:00:00 GMT"
	farFuture = "Thu, 01 Jan 2099 00:00:00 GMT"
)

// failing are the conditions that S3 knows, each with a value that does not
// hold for the object of (*world).operation. ETAG stands for that object's.
var failing = []struct{ header, value string }{
	{"If-Match", `"0123456789abcdef0123456789abcdef"`},
	{"If-Match", `"0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef"`},
	{"If-None-Match", "*"},
	{"If-None-Match", "ETAG"},
	{"If-None-Match", `"0123456789abcdef0123456789abcdef", ETAG`},
	{"If-None-Match", "W/ETAG"},
	{"If-Modified-Since", farFuture},
	{"If-Unmodified-Since", longAgo},
	{"If-Range", "ETAG"},
	{"x-amz-if-match-last-modified-time", longAgo},
	{"x-amz-if-match-size", "999"},
	{"x-amz-if-match-initiated-time", longAgo},
	{"x-amz-copy-source-if-match", `"0123456789abcdef0123456789abcdef"`},
	{"x-amz-copy-source-if-none-match", "ETAG"},
	{"x-amz-copy-source-if-none-match", "*"},
	{"x-amz-copy-source-if-none-match", `"0123456789abcdef0123456789abcdef", ETAG`},
	{"x-amz-copy-source-if-modified-since", farFuture},
	{"x-amz-copy-source-if-unmodified-since", longAgo},
}

// conditional is a request of an operation with one more header.
func (w *world) conditional(op proxy.Operation, key, header, value string) *http.Request {
	w.t.Helper()
	r := w.operation(w.bucket, op, key, true)
	head, err := w.store.Client(w.t).HeadObject(w.t.Context(), &s3.HeadObjectInput{Bucket: &w.bucket, Key: &key})
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set(header, strings.ReplaceAll(value, "ETAG", *head.ETag))
	r.Header.Del("Authorization")
	sign(w.t, r, r.Header.Get("X-Amz-Content-Sha256"), testSecret, time.Now())
	return r
}

// Each condition on each operation of the table is enforced or refused by its
// name: none is dropped.
func TestEachConditionOfEachOperationIsEnforcedOrRefused(t *testing.T) {
	w := newWorld(t, append(open, "S3_EXPOSE_BUCKETS=*")...)
	const key = "dir/conditions.txt"
	for _, op := range proxy.NewTable().Operations() {
		if slices.Contains([]string{"PostObject", "DeleteBucket"}, op.Name) {
			continue // a form's conditions have their own test; a bucket is needed below
		}
		for _, c := range failing {
			ranged := c.header == "If-Range"
			if ranged && (op.Name == "GetObject" || op.Name == "HeadObject") {
				continue // the next test
			}
			r := w.conditional(op, key, c.header, c.value)
			before := w.store.Snapshot(t, w.bucket)
			a := do(t, r)
			named := a.status == http.StatusNotImplemented && (r.Method == http.MethodHead || strings.Contains(string(a.body), strings.ToLower(c.header)))
			enforced := a.status == http.StatusPreconditionFailed || a.status == http.StatusNotModified && op.Method != http.MethodPut
			if !named && !enforced {
				t.Errorf("%s with %s: %s: %d %.200s", op.Name, c.header, c.value, a.status, a.body)
			}
			if now := w.store.Snapshot(t, w.bucket); !enforcedNothing(before, now) {
				t.Errorf("%s with %s: %s changed the bucket", op.Name, c.header, c.value)
			}
		}
		w.abortUploads()
	}
}

// abortUploads ends all uploads of the bucket, past the gateway: the local store
// lists no second page of them.
func (w *world) abortUploads() {
	w.t.Helper()
	for _, name := range w.store.Uploads(w.t, w.bucket) {
		key, id, _ := strings.Cut(name, " ")
		_, err := w.store.Client(w.t).AbortMultipartUpload(w.t.Context(), &s3.AbortMultipartUploadInput{Bucket: &w.bucket, Key: &key, UploadId: &id})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func enforcedNothing[M ~map[K]V, K, V comparable](before, now M) bool {
	for k, v := range before {
		if now[k] != v {
			return false
		}
	}
	return len(before) == len(now)
}

// A form has no conditions, so a header that is one is refused.
func TestAConditionBesideAFormIsRefused(t *testing.T) {
	w := newWorld(t, open...)
	r := w.postForm(`,["starts-with","$key",""]`, []byte("hello"), map[string]string{"key": "a"}, nil)
	r.Header.Set("If-None-Match", "*")
	a := do(t, r)
	a.isS3Error(t, http.StatusNotImplemented, "NotImplemented")
	if !strings.Contains(string(a.body), "if-none-match") {
		t.Errorf("%s", a.body)
	}
	w.unchanged()
}

// Conditions that hold let the request pass, in every spelling that RFC 9110 has.
func TestConditionsThatHoldLetARequestPass(t *testing.T) {
	w := newWorld(t, open...)
	const key, other = "dir/holds.txt", `"0123456789abcdef0123456789abcdef"`
	table := map[string]proxy.Operation{}
	for _, op := range proxy.NewTable().Operations() {
		table[op.Name] = op
	}
	for _, c := range []struct{ op, header, value string }{
		{"GetObject", "If-Match", "ETAG"},
		{"GetObject", "If-Match", other + ", ETAG"},
		{"GetObject", "If-Match", "*"},
		{"GetObject", "If-None-Match", other},
		{"GetObject", "If-None-Match", other + `, W/"x"`},
		{"HeadObject", "If-Match", other + ", ETAG"},
		{"PutObject", "If-Match", "ETAG"},
		{"CopyObject", "If-Match", "ETAG"},
		{"CopyObject", "x-amz-copy-source-if-match", "ETAG"},
		{"CopyObject", "x-amz-copy-source-if-match", other + ", ETAG"},
		{"CopyObject", "x-amz-copy-source-if-none-match", other},
		{"CopyObject", "x-amz-copy-source-if-modified-since", longAgo},
		{"UploadPartCopy", "x-amz-copy-source-if-unmodified-since", farFuture},
		{"CompleteMultipartUpload", "If-Match", "ETAG"},
		{"DeleteObject", "If-Match", "ETAG"},
		{"DeleteObject", "If-Match", "*"},
		{"DeleteObject", "x-amz-if-match-size", "4"},
	} {
		if a := do(t, w.conditional(table[c.op], key, c.header, c.value)); a.status >= 300 {
			t.Errorf("%s with %s: %s: %d %.200s", c.op, c.header, c.value, a.status, a.body)
		}
	}
}

// A copy with If-None-Match: * makes an object that is not there.
func TestACopyUnderIfNoneMatchMakesANewObject(t *testing.T) {
	w := newWorld(t, open...)
	w.plant("source", "text/plain", []byte("source"))
	in := &s3.CopyObjectInput{Bucket: &w.bucket, Key: aws.String("target"), CopySource: aws.String(w.bucket + "/source"), IfNoneMatch: aws.String("*")}
	if _, err := w.s3().CopyObject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s3().CopyObject(t.Context(), in); statusOf(err) != http.StatusPreconditionFailed {
		t.Errorf("the second copy: %v", err)
	}
}

// DeleteObjects deletes of its entries those whose conditions hold.
func TestABatchDeletesOnlyWhatItsConditionsName(t *testing.T) {
	w := newWorld(t, open...)
	heads := map[string]*s3.HeadObjectOutput{}
	for _, key := range []string{"etag", "size", "time", "right", "free"} {
		w.plant(key, "text/plain", []byte("four"))
		head, err := w.store.Client(t).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &w.bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		heads[key] = head
	}
	out, err := w.s3().DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &w.bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("etag"), ETag: aws.String(`"0123456789abcdef0123456789abcdef"`)},
		{Key: aws.String("size"), Size: aws.Int64(5)},
		{Key: aws.String("time"), LastModifiedTime: aws.Time(heads["time"].LastModified.Add(-time.Hour))},
		{Key: aws.String("right"), ETag: heads["right"].ETag, Size: aws.Int64(4), LastModifiedTime: heads["right"].LastModified},
		{Key: aws.String("free")},
		{Key: aws.String("none"), ETag: aws.String(`"0123456789abcdef0123456789abcdef"`)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var deleted, failed []string
	for _, d := range out.Deleted {
		deleted = append(deleted, *d.Key)
	}
	for _, e := range out.Errors {
		failed = append(failed, *e.Key+" "+*e.Code)
	}
	slices.Sort(deleted)
	slices.Sort(failed)
	if got := fmt.Sprint(deleted, failed); got != "[free right] [etag PreconditionFailed none NoSuchKey size PreconditionFailed time PreconditionFailed]" {
		t.Errorf("%s", got)
	}
	left := w.store.Snapshot(t, w.bucket)
	for key, there := range map[string]bool{"etag": true, "size": true, "time": true, "right": false, "free": false} {
		if _, ok := left[key]; ok != there {
			t.Errorf("%s is there: %v", key, ok)
		}
	}
}

// TestAConditionalDeleteLosesNoWrite races a conditional delete with writes of
// the same key: what a write stored and acknowledged is never deleted under the
// ETag of what was there before.
func TestAConditionalDeleteLosesNoWrite(t *testing.T) {
	w := newWorld(t, open...)
	writes := map[string]func(ctx context.Context, key string) error{
		"PutObject": func(ctx context.Context, key string) error {
			_, err := w.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: &key, Body: strings.NewReader("new")})
			return err
		},
		"CopyObject": func(ctx context.Context, key string) error {
			_, err := w.s3().CopyObject(ctx, &s3.CopyObjectInput{Bucket: &w.bucket, Key: &key, CopySource: aws.String(w.bucket + "/source")})
			return err
		},
	}
	w.plant("source", "text/plain", []byte("new"))
	for name, write := range writes {
		for round := range 60 {
			key := name + strconv.Itoa(round)
			seed, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: &key, Body: bytes.NewReader([]byte("seed"))})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			start := make(chan struct{})
			var put, deleted error
			wg.Go(func() { <-start; put = write(t.Context(), key) })
			wg.Go(func() {
				<-start
				_, deleted = w.s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &w.bucket, Key: &key, IfMatch: seed.ETag})
			})
			close(start)
			wg.Wait()
			if s := statusOf(deleted); put != nil || s != http.StatusOK && s != http.StatusPreconditionFailed && s != http.StatusConflict {
				t.Fatalf("%s: write %v, delete %v", key, put, deleted)
			}
			got, err := w.s3().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &w.bucket, Key: &key})
			if err != nil {
				t.Fatalf("%s: the acknowledged write is gone; the delete said %d: %v", key, statusOf(deleted), err)
			}
			body, _ := io.ReadAll(got.Body)
			got.Body.Close()
			if string(body) != "new" {
				t.Fatalf("%s holds %q", key, body)
			}
		}
	}
}

// An empty value of a parameter that names or selects something is refused on
// every operation: an empty versionId would name the current object.
func TestAnEmptyValueOfATellingParameterIsRefused(t *testing.T) {
	w := newWorld(t, append(open, "S3_EXPOSE_BUCKETS=*")...)
	const key = "dir/empty.txt"
	for _, op := range proxy.NewTable().Operations() {
		if op.Level != proxy.ObjectLevel {
			continue
		}
		for _, param := range []string{"versionId", "uploadId", "partNumber"} {
			r := w.operation(w.bucket, op, key, true)
			query := r.URL.Query()
			query.Set(param, "")
			r.URL.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
			r.Header.Del("Authorization")
			sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), testSecret, time.Now())
			before := w.store.Snapshot(t, w.bucket)
			a := do(t, r)
			var doc struct{ Code, ArgumentName string }
			_ = xml.Unmarshal(a.body, &doc)
			refused := a.status == http.StatusBadRequest && (op.Method == http.MethodHead || doc.Code == "InvalidArgument" && doc.ArgumentName == param)
			if !refused && a.status != http.StatusNotImplemented {
				t.Errorf("%s with %s=: %d %.200s", op.Name, param, a.status, a.body)
			}
			if now := w.store.Snapshot(t, w.bucket); !enforcedNothing(before, now) {
				t.Errorf("%s with %s= changed the bucket", op.Name, param)
			}
		}
	}
	for _, source := range []string{"?versionId=", "?versionid=x"} {
		r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/copy", nil, "X-Amz-Copy-Source", "/"+w.bucket+"/dir/empty.txt"+source)
		sign(t, r, hexSHA256(nil), testSecret, time.Now())
		do(t, r).isS3Error(t, http.StatusBadRequest, "InvalidArgument")
	}
	body := "<Delete><Object><Key>dir/empty.txt</Key><VersionId></VersionId></Object></Delete>"
	r := newRequest(t, "POST", w.url+"/"+w.bucket+"?delete", strings.NewReader(body))
	sign(t, r, hexSHA256([]byte(body)), testSecret, time.Now())
	if a := do(t, r); !strings.Contains(string(a.body), "<Code>InvalidArgument</Code>") {
		t.Errorf("an empty VersionId in a batch: %d %s", a.status, a.body)
	}
	if _, there := w.store.Snapshot(t, w.bucket)["dir/empty.txt"]; !there {
		t.Error("the object was deleted")
	}
}

// A conditional delete on one replica keeps writes on the others waiting. While
// Redis is away, such a delete is refused and nothing else is.
func TestAConditionalDeleteHoldsAcrossReplicas(t *testing.T) {
	all, redis := newReplicas(t, 2)
	for round := range 40 {
		key := "key" + strconv.Itoa(round)
		etag := do(t, all[0].signedPut(key, []byte("seed"))).header.Get("ETag")
		var wg sync.WaitGroup
		start := make(chan struct{})
		var put answer
		var deleted error
		write := all[0].signedPut(key, []byte("new"))
		wg.Go(func() { <-start; put = do(t, write) })
		wg.Go(func() {
			<-start
			_, deleted = all[1].s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &all[1].bucket, Key: &key, IfMatch: &etag})
		})
		close(start)
		wg.Wait()
		if s := statusOf(deleted); put.status != 200 || s != 200 && s != 412 && s != 409 {
			t.Fatalf("write %d %s, delete %v", put.status, put.body, deleted)
		}
		if got := all[0].signed("GET", key); got.status != 200 || string(got.body) != "new" {
			t.Fatalf("round %d: the acknowledged write is gone: %d %s; the delete said %d", round, got.status, got.body, statusOf(deleted))
		}
	}
	etag := do(t, all[0].signedPut("kept", []byte("seed"))).header.Get("ETag")
	redis.Stop()
	a := doConditionalDelete(t, all[0], "kept", etag)
	a.isS3Error(t, 503, "ServiceUnavailable")
	if !strings.Contains(string(a.body), "Redis") || a.header.Get("Retry-After") == "" {
		t.Errorf("%s %v", a.body, a.header)
	}
	if got := do(t, all[0].signedPut("kept", []byte("new"))); got.status != 200 {
		t.Errorf("a write while Redis is away: %d", got.status)
	}
	if got := all[0].signed("DELETE", "kept"); got.status != 204 {
		t.Errorf("a plain delete while Redis is away: %d", got.status)
	}
}

func doConditionalDelete(t *testing.T, w *world, key, etag string) answer {
	t.Helper()
	r := newRequest(t, "DELETE", w.url+"/"+w.bucket+"/"+key, nil, "If-Match", etag)
	sign(t, r, hexSHA256(nil), testSecret, time.Now())
	return do(t, r)
}

// The upload API has conditions on downloads and on changes of a file; elsewhere
// one is refused and nothing is done.
func TestTheUploadAPIPassesOverNoCondition(t *testing.T) {
	w := newWorld(t, open...)
	w.plant(copySource, "image/png", png(100))
	for _, c := range []struct{ method, path, header, value string }{
		{"PUT", "direct?filename=a.png", "If-None-Match", "*"},
		{"PUT", "direct?filename=a.png", "If-Match", `"x"`},
		{"POST", "presigned", "If-None-Match", "*"},
		{"POST", "delete", "If-Match", `"x"`},
		{"POST", "copy", "If-Unmodified-Since", longAgo},
		{"DELETE", copySource, "If-Unmodified-Since", longAgo},
		{"DELETE", copySource, "If-None-Match", "*"},
		{"PATCH", "metadata/" + copySource, "If-Unmodified-Since", longAgo},
	} {
		a := do(t, newRequest(t, c.method, w.rest(c.path), strings.NewReader(`{}`), c.header, c.value, "Content-Type", "application/json"))
		a.isProblem(t, http.StatusNotImplemented, c.header)
	}
	w.unchanged()
	for _, c := range []struct{ method, path, body string }{
		{"DELETE", copySource, ""},
		{"PATCH", "metadata/" + copySource, `{"tags":{"a":"b"}}`},
		{"POST", "copy", `{"file_id":"` + copySource + `","move":true}`},
	} {
		a := do(t, newRequest(t, c.method, w.rest(c.path), strings.NewReader(c.body), "If-Match", `"0123456789abcdef0123456789abcdef"`, "Content-Type", "application/json"))
		a.isProblem(t, http.StatusPreconditionFailed, "")
	}
	w.unchanged()
}
