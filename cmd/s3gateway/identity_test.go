package main

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/quota"
)

// holdPut sends a PUT but for its last byte and returns when the gateway has
// asked for the body, so that the request is under way at the store. finish
// sends the last byte and returns the status.
func (w *world) holdPut(path string, size int) (finish func() int) {
	w.t.Helper()
	body, rest := io.Pipe()
	r := newRequest(w.t, http.MethodPut, w.url+"/"+w.bucket+"/"+path, body, "Expect", "100-continue")
	r.ContentLength = int64(size)
	sign(w.t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
	done := make(chan int, 1)
	go func() {
		resp, err := (&http.Transport{ExpectContinueTimeout: 20 * time.Second, DisableKeepAlives: true}).RoundTrip(r)
		body.CloseWithError(io.ErrClosedPipe)
		if err != nil {
			done <- 0
			return
		}
		resp.Body.Close()
		done <- resp.StatusCode
	}()
	_, _ = rest.Write(make([]byte, size-1)) // fails where the request was refused
	return func() int {
		_, _ = rest.Write([]byte{0})
		rest.Close()
		return <-done
	}
}

// putPart uploads zeros as a part, whatever the spelling of its number.
func (w *world) putPart(key, upload, number string, size int) int {
	w.t.Helper()
	query := url.Values{"partNumber": {number}, "uploadId": {upload}}
	return do(w.t, w.signedPut(key+"?"+query.Encode(), make([]byte, size))).status
}

// multipart begins a multipart upload.
func (w *world) multipart(key string) string {
	w.t.Helper()
	made, err := w.s3().CreateMultipartUpload(w.t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: &key})
	if err != nil {
		w.t.Fatal(err)
	}
	return *made.UploadId
}

// alone runs a test on one gateway, and on two that share a Redis.
func alone(t *testing.T, settings []string, test func(t *testing.T, one, other *world)) {
	t.Run("one gateway", func(t *testing.T) {
		w := newWorld(t, settings...)
		test(t, w, w)
	})
	t.Run("two replicas", func(t *testing.T) {
		all, _ := newReplicas(t, 2, settings...)
		test(t, all[0], all[1])
	})
}

// shared is what the book of a quota says, that of Redis where there is one.
func (w *world) shared(name string) quota.Usage {
	w.t.Helper()
	if w.app.redis.quotas == nil {
		return w.used(name)
	}
	used, _, err := w.app.redis.quotas.Used(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return used
}

// `01` and `1` are one part for the store, so they must not hold two
// reservations: a part that is held open under one spelling is replaced under
// the other, and its size is then taken off the book twice.
func TestAPartHasOneNumberForItsQuota(t *testing.T) {
	alone(t, append([]string{"QUOTA_BYTES=1000"}, open...), func(t *testing.T, one, other *world) {
		one.used("QUOTA_BYTES")
		other.used("QUOTA_BYTES")
		id := one.multipart("k")
		uploads := []types.MultipartUpload{{Key: aws.String("k"), UploadId: &id}}
		for round := range 3 {
			number := fmt.Sprint(round + 1)
			one.putPart("k", id, number, 900)
			finish := one.holdPut("k?partNumber=0"+number+"&uploadId="+id, 4)
			other.putPart("k", id, number, 4)
			one.putPart("k", id, fmt.Sprint(round+10), 900)
			if status := finish(); status != http.StatusBadRequest {
				t.Errorf("part 0%s: status %d, want 400", number, status)
			}
		}
		if stored := one.stored(uploads); stored.Bytes > 1000 || one.shared("QUOTA_BYTES") != stored {
			t.Errorf("stored %+v under a quota of 1000 bytes, the book says %+v", stored, one.shared("QUOTA_BYTES"))
		}
	})
}

// Odd spellings of a part number are refused by every operation that takes one,
// and nothing is stored under them.
func TestOddSpellingsOfAPartNumberAreRefused(t *testing.T) {
	w := newWorld(t, open...)
	do(t, w.signedPut("source", []byte("source")))
	id := w.multipart("k")
	uploads := []types.MultipartUpload{{Key: aws.String("k"), UploadId: &id}}
	before := w.stored(uploads)
	for _, number := range []string{"01", "0001", "00", "%2B1", "-1", "%201", "1%20", "1%09", "1.0", "1e0", "0x1", "%EF%BC%91"} {
		for name, r := range map[string]*http.Request{
			"UploadPart":     w.signedPut("k?partNumber="+number+"&uploadId="+id, []byte("part")),
			"UploadPartCopy": w.signedPut("k?partNumber="+number+"&uploadId="+id, nil, "X-Amz-Copy-Source", "/"+w.bucket+"/source"),
			"GetObject":      w.signedGetOf("source?partNumber=" + number),
		} {
			if a := do(t, r); a.status != http.StatusBadRequest {
				t.Errorf("%s with partNumber=%s: %d %s", name, number, a.status, a.body)
			}
		}
	}
	if after := w.stored(uploads); after != before {
		t.Errorf("stored %+v, before %+v", after, before)
	}
}

// signedGetOf is a GET of a path below the bucket.
func (w *world) signedGetOf(path string) *http.Request {
	w.t.Helper()
	r := newRequest(w.t, http.MethodGet, w.url+"/"+w.bucket+"/"+path, nil)
	sign(w.t, r, hexSHA256(nil), testSecret, time.Now())
	return r
}

// signedBody sends a request below the bucket, with the digest that a document
// needs.
func (w *world) signedBody(method, path, body string, headers ...string) answer {
	w.t.Helper()
	r := newRequest(w.t, method, w.url+"/"+w.bucket+path, strings.NewReader(body), headers...)
	sum := md5.Sum([]byte(body))
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	sign(w.t, r, hexSHA256([]byte(body)), testSecret, time.Now())
	return do(w.t, r)
}

// versionedBucket is a bucket of the test store that keeps versions.
func versionedBucket(t *testing.T) (*testbed.Store, string) {
	t.Helper()
	store := testbed.Open(t)
	bucket := store.Bucket(t)
	setVersioning(t, store, bucket, types.BucketVersioningStatusEnabled)
	return store, bucket
}

// versionSpellings are what a store that parses its version ids loosely, as
// MinIO does, takes for the same id.
func versionSpellings(id string) []string {
	all := []string{
		strings.ToUpper(id), strings.ReplaceAll(id, "-", ""), "{" + id + "}", "(" + id + ")", "urn:uuid:" + id, "URN:UUID:" + id,
		" " + id, id + " ", "\t" + id, id + "\n",
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == id })
}

// A version has one name: a batch that names it in two spellings must not take
// its size off the book twice, and one that repeats it counts it once.
func TestAVersionHasOneNameInABatch(t *testing.T) {
	store, bucket := versionedBucket(t)
	w := newWorldOn(t, store, bucket, append([]string{"QUOTA_BYTES=100000"}, open...)...)
	var ids []string
	for range 6 {
		ids = append(ids, do(t, w.signedPut("k", make([]byte, 900))).header.Get("X-Amz-Version-Id"))
	}
	w.countedRight("storing versions")
	remove := func(name string, versions ...string) string {
		t.Helper()
		var doc strings.Builder
		doc.WriteString("<Delete>")
		for _, v := range versions {
			doc.WriteString("<Object><Key>k</Key><VersionId>" + strings.NewReplacer("\t", "&#9;", "\n", "&#10;").Replace(v) + "</VersionId></Object>")
		}
		doc.WriteString("</Delete>")
		a := w.signedBody("POST", "?delete", doc.String())
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		w.countedRight(name)
		return string(a.body)
	}
	remove("a batch that names one version twice", ids[0], ids[0])
	remove("a batch in two letter cases", ids[1], strings.ToUpper(ids[1]))
	remove("a batch in all spellings", append(versionSpellings(ids[2]), ids[2])...)
	answered := remove("a batch in other spellings alone", versionSpellings(ids[3])...)
	if store.Name == "minio" && strings.Count(answered, "<Error>") != len(versionSpellings(ids[3])) {
		t.Errorf("other spellings of a version are taken: %s", answered)
	}
	if a := w.signed("GET", "k?versionId="+ids[3]); a.status != http.StatusOK {
		t.Errorf("version %s is gone by another spelling: %d", ids[3], a.status)
	}
}

// Other spellings of a version id are refused by every operation that names a
// version, and change nothing.
func TestOddSpellingsOfAVersionIDAreRefused(t *testing.T) {
	store, bucket := versionedBucket(t)
	if store.Name != "minio" {
		t.Skip("only MinIO reads its version ids loosely")
	}
	w := newWorldOn(t, store, bucket, open...)
	id := do(t, w.signedPut("k", []byte("bytes"))).header.Get("X-Amz-Version-Id")
	for _, spelling := range append(versionSpellings(id), "NULL", " null", "null ") {
		version := url.QueryEscape(spelling)
		for name, r := range map[string]*http.Request{
			"GetObject":        w.signedGetOf("k?versionId=" + version),
			"GetObjectTagging": w.signedGetOf("k?tagging&versionId=" + version),
			"CopyObject":       w.signedPut("copy", nil, "X-Amz-Copy-Source", "/"+w.bucket+"/k?versionId="+strings.ReplaceAll(version, "+", "%20")),
		} {
			do(t, r).isS3Error(t, http.StatusBadRequest, "InvalidArgument")
			_ = name
		}
		w.signedBody("DELETE", "/k?versionId="+strings.ReplaceAll(version, "+", "%20"), "").isS3Error(t, http.StatusBadRequest, "InvalidArgument")
	}
	if a := w.signed("GET", "k?versionId="+id); a.status != http.StatusOK || string(a.body) != "bytes" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// An object whose key looks like a part of an upload is not that part: its bytes
// must not be measured as those of the part.
func TestAKeyThatReadsLikeAPartCountsAsItself(t *testing.T) {
	alone(t, append([]string{"QUOTA_BYTES=1000"}, open...), func(t *testing.T, one, other *world) {
		one.used("QUOTA_BYTES")
		other.used("QUOTA_BYTES")
		id := one.multipart("k")
		uploads := []types.MultipartUpload{{Key: aws.String("k"), UploadId: &id}}
		for n := range 3 {
			part := fmt.Sprintf("k?uploadId=%s&partNumber=%d", id, n+1)
			finish := one.holdPut(part, 4)
			do(t, other.signedPut(url.PathEscape(part), make([]byte, 900)))
			finish()
		}
		if stored := one.stored(uploads); stored.Bytes > 1000 || one.shared("QUOTA_BYTES") != stored {
			t.Errorf("stored %+v under a quota of 1000 bytes, the book says %+v", stored, one.shared("QUOTA_BYTES"))
		}
	})
}

// uploadSpellings are what MinIO takes for the same upload id, by what is odd.
func uploadSpellings(t *testing.T, id string) map[string]string {
	t.Helper()
	decoded, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(string(decoded), ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return map[string]string{
		"what it stands for, not encoded":  name,
		"no deployment":                    encode("." + name),
		"another word for the deployment":  encode("x." + name),
		"slashes around":                   encode("x./" + name + "/"),
		"a line break in the base64":       id[:8] + "\n" + id[8:],
		"bits that the base64 throws away": otherBits(id),
		"padding":                          id + "=",
	}
}

// otherBits is another base64 text that decodes to the same bytes, or the same
// text and "!" where every bit counts.
func otherBits(id string) string {
	decoded, _ := base64.RawURLEncoding.DecodeString(id)
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		other := id[:len(id)-1] + string(c)
		if got, err := base64.RawURLEncoding.DecodeString(other); err == nil && string(got) == string(decoded) && other != id {
			return other
		}
	}
	return id + "!"
}

// An upload has one id: MinIO decodes it from loose base64 and uses what follows
// the first dot.
func TestOddSpellingsOfAnUploadIDAreRefused(t *testing.T) {
	w := newWorld(t, open...)
	if w.store.Name != "minio" {
		t.Skip("only MinIO decodes its upload ids")
	}
	id := w.multipart("k")
	uploads := []types.MultipartUpload{{Key: aws.String("k"), UploadId: &id}}
	if status := w.putPart("k", id, "1", 10); status != http.StatusOK {
		t.Fatal(status)
	}
	for name, spelling := range uploadSpellings(t, id) {
		if spelling == id+"!" {
			continue // every bit of this one counts
		}
		if status := w.putPart("k", spelling, "1", 20); status != http.StatusNotFound && status != http.StatusBadRequest {
			t.Errorf("UploadPart under an id with %s: %d", name, status)
		}
		query := url.Values{"uploadId": {spelling}}.Encode()
		if a := w.signedBody("DELETE", "/k?"+query, ""); a.status != http.StatusNotFound && a.status != http.StatusBadRequest {
			t.Errorf("AbortMultipartUpload under an id with %s: %d", name, a.status)
		}
	}
	if stored := w.stored(uploads); stored.Bytes != 10 {
		t.Errorf("stored %+v, want 10 bytes", stored)
	}
}

// MinIO does not look at the deployment in an upload id, so an id with another
// one is the same upload for the book.
func TestAnUploadOfAnotherDeploymentIsTheSameForItsQuota(t *testing.T) {
	alone(t, append([]string{"QUOTA_BYTES=1000"}, open...), func(t *testing.T, one, other *world) {
		if one.store.Name != "minio" {
			t.Skip("only MinIO decodes its upload ids")
		}
		one.used("QUOTA_BYTES")
		other.used("QUOTA_BYTES")
		id := one.multipart("k")
		decoded, _ := base64.RawURLEncoding.DecodeString(id)
		_, name, _ := strings.Cut(string(decoded), ".")
		elsewhere := base64.RawURLEncoding.EncodeToString([]byte("0cd0a2b3-3c54-4b5a-9c1e-1f0e6e1f0000." + name))
		uploads := []types.MultipartUpload{{Key: aws.String("k"), UploadId: &id}}
		for n := range 3 {
			number := fmt.Sprint(n + 1)
			one.putPart("k", id, number, 900)
			finish := one.holdPut("k?partNumber="+number+"&uploadId="+elsewhere, 4)
			other.putPart("k", id, number, 4)
			finish()
		}
		// Two replicas may count what both changed at once twice, until the next
		// listing, but never leave anything out.
		if stored := one.stored(uploads); stored.Bytes > 1000 || one.shared("QUOTA_BYTES").Bytes < stored.Bytes {
			t.Errorf("stored %+v under a quota of 1000 bytes, the book says %+v", stored, one.shared("QUOTA_BYTES"))
		}
	})
}
