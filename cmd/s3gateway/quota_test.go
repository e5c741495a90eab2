package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/quota"
)

// Whatever way bytes come by, a quota that is one byte too small keeps them out,
// and one that fits takes them.
func TestTheQuotaHoldsOnEveryWayToStoreBytes(t *testing.T) {
	for _, way := range ways {
		for _, c := range []struct {
			name  string
			quota int
			want  refusal
		}{
			{"exactly the quota", limit, refusal{}},
			{"one byte over", limit - 1, refusal{507, "QuotaExceeded"}},
		} {
			t.Run(way.name+"/"+c.name, func(t *testing.T) {
				w := newWorld(t, "MAX_FILE_SIZE=0", "ALLOWED_FILE_TYPES=image/png", "QUOTA_BYTES="+strconv.Itoa(c.quota))
				want, inPlace := c.want, method(way) == http.MethodPatch
				if inPlace {
					want = refusal{} // it takes no more room than before
				}
				got := way.put(w, "picture.png", "image/png", png(limit))
				if got != want {
					t.Fatalf("got %+v, want %+v", got, want)
				}
				if want != (refusal{}) {
					w.unchanged()
					return
				}
				w.holds(limit, inPlace)
			})
		}
	}
}

const quotaFile = `
buckets:
  - name: BUCKET
    quota_objects: 6
    limits:
      - {prefix: small/, quota_bytes: 100}
callers:
  - name: web
    access_keys: [{id: WEBKEY, secret: web-secret-of-16-or-more}]
    api_keys: [{key: web-api-key-of-16-or-more}]
    quota_bytes: 1000
    limits:
      - {bucket: BUCKET, prefix: web/few/, quota_objects: 1}
    grants:
      - {bucket: BUCKET, prefix: web/, actions: [list, read, write, delete]}
      - {bucket: BUCKET, prefix: small/, actions: [write]}
`

// Each quota holds for its place and its caller, all that fit hold, and a refusal
// names the one that has no room.
func TestQuotasOfBucketsCallersAndPrefixes(t *testing.T) {
	w := newFiled(t, quotaFile)
	put := func(r *http.Request, setting string) {
		t.Helper()
		a := do(t, r)
		if setting == "" {
			if a.status != http.StatusOK {
				t.Errorf("%s: %d %s", r.URL.Path, a.status, a.body)
			}
			return
		}
		before := w.store.Snapshot(t, w.bucket)
		a.isS3Error(t, http.StatusInsufficientStorage, "QuotaExceeded")
		if !strings.Contains(string(a.body), "("+setting+")") || !strings.Contains(string(a.body), "<Setting>"+setting+"</Setting>") {
			t.Errorf("the refusal does not name %q: %s", setting, a.body)
		}
		w.store.Unchanged(t, w.bucket, before)
	}
	web := func(key string, size int) *http.Request { return w.signedPutBy(webKeys, key, make([]byte, size)) }
	first := func(key string, size int) *http.Request { return w.signedPut(key, make([]byte, size)) }

	put(web("small/a", 101), "quota_bytes of bucket "+w.bucket+`, keys that begin "small/"`)
	put(web("small/a", 100), "")
	put(first("small/b", 1), "quota_bytes of bucket "+w.bucket+`, keys that begin "small/"`)
	put(first("small/a", 0), "") // a smaller one in its place
	put(first("small/b", 100), "")

	put(web("web/1", 901), "quota_bytes of caller web") // 100 lie in small/, where it may write too
	put(web("web/1", 900), "")
	put(first("web/2", 5), "") // others are not held to it, but what they store counts
	put(web("web/3", 1), "quota_bytes of caller web")
	put(web("web/1", 895), "")
	put(web("web/few/1", 0), "")
	put(web("web/few/2", 0), "quota_objects of caller web in "+w.bucket+`, keys that begin "web/few/"`)

	put(first("elsewhere", 5000), "")
	put(first("one too many", 0), "quota_objects of bucket "+w.bucket)
	put(first("elsewhere", 6000), "")
	if a := w.signed("DELETE", "web/2"); a.status != http.StatusNoContent {
		t.Fatal(a.status)
	}
	put(first("room again", 0), "")
}

// The upload API refuses before the file is sent, and says what the quota is.
func TestAQuotaIsNamedByTheUploadAPI(t *testing.T) {
	w := newWorld(t, append(open, "QUOTA_BYTES=1000")...)
	w.used("QUOTA_BYTES") // before that a creation is not held against it
	const detail = "The storage quota is used up: it is 1000 bytes (QUOTA_BYTES). Delete some first, or ask for more."
	for name, r := range map[string]*http.Request{
		"file itself": newRequest(t, "PUT", w.rest("direct?filename=a.bin"), bytes.NewReader(make([]byte, 1001))),
		"link":        newRequest(t, "POST", w.rest("presigned"), strings.NewReader(`{"filename":"a.bin","content_type":"application/octet-stream","size":1001}`), "Content-Type", "application/json"),
		"resumable":   newRequest(t, "POST", w.rest("resumable"), nil, "Tus-Resumable", "1.0.0", "Upload-Length", "1001"),
	} {
		a := do(t, r)
		a.isProblem(t, http.StatusInsufficientStorage, detail)
		if got := a.json(t); got["code"] != "QuotaExceeded" || got["quota_bytes"] != "1000" || got["setting"] != "QUOTA_BYTES" {
			t.Errorf("%s: %v", name, got)
		}
	}
	w.unchanged()
}

// What was there before the gateway counts, also what others put past it once it
// is counted again, and a quota that is changed holds at once.
func TestWhatIsThereBeforeCounts(t *testing.T) {
	store := testbed.Open(t)
	bucket := store.Bucket(t)
	body := func(n int) *bytes.Reader { return bytes.NewReader(make([]byte, n)) }
	past := func(key string, n int) {
		t.Helper()
		if _, err := store.Client(t).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body(n)}); err != nil {
			t.Fatal(err)
		}
	}
	past("old/1", 600)
	past(".s3gateway/tus/x", 5000) // the gateway's own
	upload, err := store.Client(t).CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: aws.String("old/2")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Client(t).UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: aws.String("old/2"), UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: body(200)}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s3gateway.yaml")
	write(t, path, "quota_bytes: 1000\n")
	w := newWorldOn(t, store, bucket, append(open, "CONFIG_FILE="+path)...)
	do(t, w.signedPut("new", make([]byte, 201))).isS3Error(t, 507, "QuotaExceeded")
	if a := do(t, w.signedPut("new", make([]byte, 200))); a.status != 200 {
		t.Fatal(a.status, string(a.body))
	}
	write(t, path, "quota_bytes: 2000\n")
	w.app.reload(w.load)
	if a := do(t, w.signedPut("new", make([]byte, 1200))); a.status != 200 {
		t.Fatal(a.status, string(a.body))
	}
	write(t, path, "quota_bytes: 10\n")
	w.app.reload(w.load)
	do(t, w.signedPut("newer", make([]byte, 1))).isS3Error(t, 507, "QuotaExceeded")
	if a := do(t, w.signedPut("new", make([]byte, 1199))); a.status != 200 {
		t.Error("what is over its quota cannot become less: ", a.status)
	}
	past("old/1", 500)
	w.clock.Advance(time.Hour)
	w.app.quotas.Use(quotasOf(w.app.current.Load().config, w.app.client.Name))
	eventually(t, "it is counted again", func() bool { return w.used("QUOTA_BYTES") == quota.Usage{Bytes: 1899, Objects: 2} })
	if !strings.Contains(w.scrape(), `s3gateway_quota_used{of="bytes",quota="QUOTA_BYTES"} 1899`) ||
		!strings.Contains(w.scrape(), `s3gateway_quota_most{of="bytes",quota="QUOTA_BYTES"} 10`) {
		t.Errorf("metrics: %s", w.scrape())
	}
}

// What was under way when a quota was put in force, and came after it was counted,
// is counted soon.
func TestAnUploadThatAQuotaFoundUnderWayIsCounted(t *testing.T) {
	store := testbed.Open(t)
	path := filepath.Join(t.TempDir(), "s3gateway.yaml")
	write(t, path, "quota_bytes: 1MiB\n")
	w := newWorldOn(t, store, store.Bucket(t), append(open, "CONFIG_FILE="+path)...)
	body, rest := io.Pipe()
	r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/slow", body, "Expect", "100-continue")
	r.ContentLength = 1000
	signAs(t, r, "UNSIGNED-PAYLOAD", aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}, time.Now())
	done := make(chan int, 1)
	go func() {
		resp, err := (&http.Transport{ExpectContinueTimeout: 20 * time.Second, DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			done <- 0
			return
		}
		resp.Body.Close()
		done <- resp.StatusCode
	}()
	if _, err := rest.Write(make([]byte, 500)); err != nil { // it was asked for: the request is under way
		t.Fatal(err)
	}
	write(t, path, "buckets: [{name: "+w.bucket+", quota_bytes: 5000}]\n")
	w.app.reload(w.load)
	name := "bucket " + w.bucket
	eventually(t, "the quota is counted", func() bool {
		return slices.ContainsFunc(w.app.quotas.Reports(), func(r quota.Report) bool { return r.Name == name })
	})
	if _, err := rest.Write(make([]byte, 500)); err != nil {
		t.Fatal(err)
	}
	rest.Close()
	if status := <-done; status != 200 {
		t.Fatal(status)
	}
	w.clock.Advance(2 * time.Minute)
	eventually(t, "what came later is counted too", func() bool { return w.used(name) == quota.Usage{Bytes: 1000, Objects: 1} })
}

// A quota that was away for a while is counted before anything is stored under
// it again, and one that holds for other places than before is counted soon.
func TestAQuotaThatChangesItsPlaceIsCounted(t *testing.T) {
	store := testbed.Open(t)
	path := filepath.Join(t.TempDir(), "s3gateway.yaml")
	with := func(buckets, prefix string) string {
		return "buckets: [" + buckets + "]\ncallers: [{name: web, quota_bytes: 9000, access_keys: [{id: WEBKEY, secret: web-secret-of-16-or-more}], " +
			"grants: [{bucket: \"*\", prefix: \"" + prefix + "\", actions: [write]}]}]\n"
	}
	bucket := store.Bucket(t)
	limited := "{name: " + bucket + ", quota_bytes: 1000}"
	write(t, path, with(limited, "web/"))
	w := newWorldOn(t, store, bucket, append(open, "CONFIG_FILE="+path)...)
	w.used("bucket " + bucket)
	w.used("caller web")
	reload := func(file string) {
		t.Helper()
		write(t, path, file)
		w.app.reload(w.load)
	}
	reload(with("", "web/"))
	if a := do(t, w.signedPut("large", make([]byte, 5000))); a.status != 200 {
		t.Fatal(a.status)
	}
	reload(with(limited, ""))
	do(t, w.signedPut("more", make([]byte, 1))).isS3Error(t, 507, "QuotaExceeded")
	w.clock.Advance(2 * time.Minute)
	eventually(t, "what lies where the caller may write now is counted", func() bool { return w.used("caller web") == quota.Usage{Bytes: 5000, Objects: 1} })
}

// What replicas change at once is counted once, and a key that all of them write
// leaves the room of the others alone.
func TestReplicasChangeTheSameKeys(t *testing.T) {
	all, _ := newReplicas(t, 3, "QUOTA_BYTES=10000")
	all[0].used("QUOTA_BYTES")
	var running sync.WaitGroup
	refused := make(chan answer, 1000)
	for i := range 6 {
		w := all[i%3]
		running.Go(func() {
			for n := range 20 {
				w.signed("DELETE", "b")
				for key, size := range map[string]int{"a": 1000 + n, "b": 500} {
					if a := do(t, w.signedPut(key, make([]byte, size))); a.status != http.StatusOK {
						refused <- a
					}
				}
			}
		})
	}
	running.Wait()
	close(refused)
	for a := range refused {
		t.Errorf("%d %s", a.status, a.body)
	}
	stored := all[0].stored(nil)
	if used, _, err := all[0].app.redis.quotas.Used(t.Context(), "QUOTA_BYTES"); used != stored || err != nil {
		t.Errorf("counted %+v (%v), stored %+v", used, err, stored)
	}
}

// Replicas share one book. While Redis is away each goes by what it knew, and
// what it stored then is counted when Redis is back.
func TestQuotasHoldAcrossReplicas(t *testing.T) {
	all, redis := newReplicas(t, 3, "QUOTA_BYTES=9000")
	stored := make(chan bool, 30)
	for i := range cap(stored) {
		go func() {
			stored <- do(t, all[i%3].signedPut(fmt.Sprintf("a%d", i), make([]byte, 1000))).status == http.StatusOK
		}()
	}
	n := 0
	for range cap(stored) {
		if <-stored {
			n++
		}
	}
	if n != 9 {
		t.Errorf("%d files were stored on three replicas, there is room for 9", n)
	}
	if a := all[1].signed("DELETE", "a0"); a.status != http.StatusNoContent {
		t.Fatal(a.status)
	}
	all[0].signed("DELETE", "a1")
	for key := range all[0].store.Snapshot(t, all[0].bucket) {
		all[2].signed("DELETE", key)
	}
	for i := range 9 {
		if a := do(t, all[i%3].signedPut(fmt.Sprintf("b%d", i), make([]byte, 1000))); a.status != http.StatusOK {
			t.Errorf("after deleting: %d %s", a.status, a.body)
		}
	}
	for _, w := range all {
		do(t, w.signedPut("c", []byte("x"))).isS3Error(t, 507, "QuotaExceeded")
	}
	// The last one to store something knows best.
	redis.Stop()
	last := all[2]
	last.signed("DELETE", "b0")
	for range 2 {
		if a := do(t, last.signedPut("b0", make([]byte, 1000))); a.status != http.StatusOK {
			t.Errorf("while Redis is away: %d %s", a.status, a.body)
		}
	}
	do(t, last.signedPut("c", []byte("x"))).isS3Error(t, 507, "QuotaExceeded")
	last.signed("DELETE", "b1")
	redis.Start()
	eventually(t, "what was deleted meanwhile is counted", func() bool {
		last.clock.Advance(time.Minute)
		return do(t, last.signedPut("c", []byte("x"))).status == http.StatusOK
	})
}
