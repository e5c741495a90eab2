package main

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// setsFile has callers whose rights end at a prefix.
const setsFile = `
buckets: [{name: BUCKET, public: read}]
callers:
  - name: narrow
    access_keys: [{id: NARROW, secret: the-secret-of-narrow}]
    grants:
      - {bucket: BUCKET, actions: [list]}
      - {bucket: BUCKET, prefix: shown/, actions: [read, read-version]}
  - name: denied
    access_keys: [{id: DENIED, secret: the-secret-of-denied}]
    grants:
      - {bucket: BUCKET, actions: [list, read, read-version]}
      - {bucket: BUCKET, prefix: hidden/, actions: [read], deny: true}
  - name: reader
    access_keys: [{id: READER, secret: the-secret-of-reader}]
    grants:
      - {bucket: BUCKET, actions: [list, read, write, delete]}
  - name: historian
    access_keys: [{id: HISTORIAN, secret: the-secret-of-historian}]
    grants:
      - {bucket: BUCKET, actions: [list, read, read-version, write]}
      - {bucket: BUCKET, prefix: hidden/, actions: [read], deny: true}
  - name: purger
    access_keys: [{id: PURGER, secret: the-secret-of-purger}]
    grants:
      - {bucket: BUCKET, actions: [delete-version]}
      - {bucket: BUCKET, prefix: hidden/, actions: [delete], deny: true}
`

// keysOf are the keys of a caller of setsFile.
func keysOf(name string) aws.Credentials {
	return aws.Credentials{AccessKeyID: strings.ToUpper(name), SecretAccessKey: "the-secret-of-" + name}
}

// as sends a request below the bucket as a caller of setsFile; "" is anonymous.
func (w *world) as(caller, method, path, body string, headers ...string) answer {
	w.t.Helper()
	r := newRequest(w.t, method, w.url+"/"+w.bucket+path, strings.NewReader(body), headers...)
	if strings.HasPrefix(body, "<") {
		sum := md5.Sum([]byte(body))
		r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	if caller != "" {
		signAs(w.t, r, hexSHA256([]byte(body)), keysOf(caller), time.Now())
	}
	return do(w.t, r)
}

// A listing with metadata shows what a HEAD of every key would, so that reading
// every one of them must be granted and none denied, whatever prefix is listed.
func TestAListingWithMetadataNeedsReadOverTheWholeSet(t *testing.T) {
	store, bucket := versionedBucket(t)
	w := newWorldOn(t, store, bucket, append([]string{yamlFile(t, strings.ReplaceAll(setsFile, "BUCKET", bucket))}, open...)...)
	for _, key := range []string{"shown/a", "hidden/a"} {
		do(t, w.signedPut(key, []byte("x"), "X-Amz-Meta-Note", "note-of-"+strings.TrimSuffix(key, "/a"), "X-Amz-Tagging", "tag=tag-of-"+strings.TrimSuffix(key, "/a")))
	}
	for _, list := range []string{"list-type=2", "versions"} {
		for _, c := range []struct {
			caller, prefix string
			status         int
		}{
			{"narrow", "", 403}, {"narrow", "h", 403}, {"narrow", "hidden/", 403}, {"narrow", "hidden/a", 403}, {"narrow", "s", 403},
			{"narrow", "shown/", 200}, {"narrow", "shown/a", 200},
			{"denied", "", 403}, {"denied", "h", 403}, {"denied", "hidden", 403}, {"denied", "hidden/", 403}, {"denied", "hidden/a", 403},
			{"denied", "shown/", 200}, {"denied", "s", 200},
			{"reader", "shown/", map[string]int{"list-type=2": 200, "versions": 403}[list]},
		} {
			a := w.as(c.caller, "GET", "?"+list+"&metadata=true&prefix="+url.QueryEscape(c.prefix), "")
			if a.status != c.status {
				t.Errorf("%s, %s of %q with metadata: %d, want %d", c.caller, list, c.prefix, a.status, c.status)
			}
			if strings.Contains(string(a.body), "of-hidden") {
				t.Errorf("%s, %s of %q shows metadata of hidden/: %s", c.caller, list, c.prefix, a.body)
			}
			if a := w.as(c.caller, "GET", "?"+list+"&prefix="+url.QueryEscape(c.prefix), ""); a.status != 200 {
				t.Errorf("%s, %s of %q without metadata: %d", c.caller, list, c.prefix, a.status)
			}
		}
	}
}

// keptVersions makes a key with an old version, a deleted one and a current one.
func keptVersions(t *testing.T, store *testbed.Store, bucket string) (old, deleted string) {
	t.Helper()
	ctx, client := t.Context(), store.Client(t)
	put := func(key, body string) string {
		t.Helper()
		out, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.VersionId)
	}
	put("was", "the null version") // while versioning is off
	setVersioning(t, store, bucket, types.BucketVersioningStatusEnabled)
	old = put("k", "an old secret")
	put("k", "what is there now")
	deleted = put("gone", "a deleted secret")
	for _, key := range []string{"gone", "was"} {
		if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
	put("hidden/k", "hidden")
	return old, deleted
}

// What is named by its version, also the current one and null, needs
// read-version: read and a public bucket are about what is there now.
func TestReadIsAboutCurrentVersions(t *testing.T) {
	store := testbed.Open(t)
	bucket := store.Bucket(t)
	old, deleted := keptVersions(t, store, bucket)
	w := newWorldOn(t, store, bucket, append([]string{yamlFile(t, strings.ReplaceAll(setsFile, "BUCKET", bucket))}, open...)...)
	current := w.signed("HEAD", "k").header.Get("X-Amz-Version-Id")
	hidden := w.signed("HEAD", "hidden/k").header.Get("X-Amz-Version-Id")
	const tags = `<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>`
	named := map[string]string{"k": old, "k#": current, "gone": deleted, "was": "null"}
	for key, version := range named {
		key = strings.TrimSuffix(key, "#")
		of := "?versionId=" + version
		for name, c := range map[string]struct {
			method, path, body string
			headers            []string
		}{
			"GetObject":           {"GET", "/" + key + of, "", nil},
			"HeadObject":          {"HEAD", "/" + key + of, "", nil},
			"GetObjectAttributes": {"GET", "/" + key + of + "&attributes", "", []string{"X-Amz-Object-Attributes", "ETag"}},
			"GetObjectTagging":    {"GET", "/" + key + of + "&tagging", "", nil},
			"PutObjectTagging":    {"PUT", "/" + key + of + "&tagging", tags, nil},
			"DeleteObjectTagging": {"DELETE", "/" + key + of + "&tagging", "", nil},
			"CopyObject":          {"PUT", "/copy", "", []string{"X-Amz-Copy-Source", "/" + bucket + "/" + key + of}},
			"UploadPartCopy":      {"PUT", "/copy?partNumber=1&uploadId=" + w.multipart("copy"), "", []string{"X-Amz-Copy-Source", "/" + bucket + "/" + key + of}},
		} {
			for _, caller := range []string{"", "reader"} {
				a := w.as(caller, c.method, c.path, c.body, c.headers...)
				if a.status != http.StatusForbidden {
					t.Errorf("%q, %s of %s version %s: %d %s", caller, name, key, version, a.status, a.body)
				}
				if strings.Contains(string(a.body), "secret") || strings.Contains(string(a.body), "null version") {
					t.Errorf("%q reads %s", caller, a.body)
				}
			}
			if a := w.as("historian", c.method, c.path, c.body, c.headers...); a.status >= 300 {
				t.Errorf("historian, %s of %s version %s: %d %s", name, key, version, a.status, a.body)
			}
		}
	}
	for caller, status := range map[string]int{"": 200, "reader": 200, "historian": 200} {
		if a := w.as(caller, "GET", "/k", ""); a.status != status || string(a.body) != "what is there now" {
			t.Errorf("%q reads the current version: %d %s", caller, a.status, a.body)
		}
	}
	if a := w.as("historian", "GET", "/hidden/k?versionId="+hidden, ""); a.status != http.StatusForbidden {
		t.Errorf("a denial of read leaves versions: %d %s", a.status, a.body)
	}
	if a := w.signed("GET", "k?versionId="+old); a.status != http.StatusOK || string(a.body) != "an old secret" {
		t.Errorf("a caller that may do everything: %d %s", a.status, a.body)
	}
	// A copy of what is there now needs read alone: the gateway pins its version.
	if a := w.as("reader", "PUT", "/copied", "", "X-Amz-Copy-Source", "/"+bucket+"/k"); a.status != http.StatusOK {
		t.Errorf("a copy of the current version: %d %s", a.status, a.body)
	}
}

// A denial of delete is one of delete-version, by itself and in a batch, and a
// batch of versions alone needs no right to delete what is current.
func TestADenialOfDeleteHoldsForVersions(t *testing.T) {
	store, bucket := versionedBucket(t)
	w := newWorldOn(t, store, bucket, append([]string{yamlFile(t, strings.ReplaceAll(setsFile, "BUCKET", bucket))}, open...)...)
	hidden := do(t, w.signedPut("hidden/k", []byte("x"))).header.Get("X-Amz-Version-Id")
	shown := do(t, w.signedPut("shown/k", []byte("x"))).header.Get("X-Amz-Version-Id")
	if a := w.as("purger", "DELETE", "/hidden/k?versionId="+hidden, ""); a.status != http.StatusForbidden {
		t.Errorf("delete of a version: %d %s", a.status, a.body)
	}
	a := w.as("purger", "POST", "?delete", "<Delete><Object><Key>hidden/k</Key><VersionId>"+hidden+"</VersionId></Object><Object><Key>shown/k</Key><VersionId>"+shown+"</VersionId></Object></Delete>")
	if a.status != http.StatusOK || strings.Count(string(a.body), "<Error>") != 1 || strings.Count(string(a.body), "<Deleted>") != 1 {
		t.Errorf("batch: %d %s", a.status, a.body)
	}
	if a := w.signed("HEAD", "hidden/k?versionId="+hidden); a.status != http.StatusOK {
		t.Errorf("the version that may not be deleted: %d", a.status)
	}
	if a := w.signed("HEAD", "shown/k?versionId="+shown); a.status != http.StatusNotFound {
		t.Errorf("the version that may be deleted: %d", a.status)
	}
}
