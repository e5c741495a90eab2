package main

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// heapPeak returns how far the live heap rises while f runs, in bytes. The
// collector runs before each look, so that garbage counts for little, however
// large the heap of the tests before is.
func heapPeak(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	sample := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() int64 {
		runtimemetrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	runtime.GC()
	before, peak := read(), int64(0)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			runtime.GC()
			peak = max(peak, read()-before)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return peak
}

// documentRequest is a signed request with an XML document and its digest.
func (w *world) documentRequest(method, target string, doc []byte, keys aws.Credentials) *http.Request {
	w.t.Helper()
	r := newRequest(w.t, method, w.url+"/"+w.bucket+target, bytes.NewReader(doc))
	sum := md5.Sum(doc)
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	signAs(w.t, r, hexSHA256(doc), keys, time.Now())
	return r
}

func (w *world) document(method, target string, doc []byte) answer {
	w.t.Helper()
	return do(w.t, w.documentRequest(method, target, doc, aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}))
}

// directly sends a document to the store in the process and reads the answer.
func (w *world) directly(method, target string, doc []byte) {
	r := newRequest(w.t, method, w.store.Endpoint.String()+"/"+w.bucket+target, bytes.NewReader(doc))
	sum := md5.Sum(doc)
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	resp, err := w.store.Transport.RoundTrip(r)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		w.t.Errorf("the store itself: %d, %v", resp.StatusCode, err)
	}
}

// wrap is a document of one root around n times the same text.
func wrap(root, entry string, n int) []byte {
	return []byte("<" + root + ">" + strings.Repeat(entry, n) + "</" + root + ">")
}

// A document of empty entries is refused at the first one too many, and what is
// decoded of a document costs at most eight times its size.
func TestADocumentCostsAFewTimesItsSize(t *testing.T) {
	w := newWorld(t, open...)
	parts := &strings.Builder{}
	for i := range 10_000 {
		fmt.Fprintf(parts, "<Part><PartNumber>%d</PartNumber><ETag>\"%032x\"</ETag></Part>", i+1, i)
	}
	keys := &strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(keys, "<Object><Key>%s%d</Key></Object>", strings.Repeat("k", 900), i)
	}
	upload, err := w.s3().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	complete := "/a?uploadId=" + *upload.UploadId
	for _, c := range []struct {
		name, target string
		doc          []byte
		status       int
		code         string
	}{
		{"8 MiB of empty parts", complete, wrap("CompleteMultipartUpload", "<Part/>", 8<<20/7-100), 400, "EntityTooLarge"},
		{"2 MiB of empty parts", complete, wrap("CompleteMultipartUpload", "<Part/>", 2<<20/7-100), 400, "MalformedXML"},
		{"2 MiB of unknown elements", complete, wrap("CompleteMultipartUpload", "<a/>", 2<<20/4-100), 400, "MalformedXML"},
		{"one part of 2 MiB of members", complete, wrap("CompleteMultipartUpload", "<Part>"+strings.Repeat("<a/>", 500_000)+"</Part>", 1), 400, "MalformedXML"},
		{"10,000 parts", complete, wrap("CompleteMultipartUpload", parts.String(), 1), 400, "InvalidPart"},
		{"2 MiB of empty objects", "?delete", wrap("Delete", "<Object/>", 2<<20/9-100), 400, "MalformedXML"},
		{"1,000 objects", "?delete", wrap("Delete", keys.String(), 1), 200, ""},
		{"1 MiB of tags", "/a?tagging", wrap("Tagging", "<TagSet/>", 1<<20/9-100), 400, "MalformedXML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, at := range []int{1, 4} {
				method := http.MethodPost
				if strings.HasSuffix(c.target, "tagging") {
					method = http.MethodPut
				}
				// What the store takes for the document is not the gateway's, and is in
				// this process when the store is.
				store := int64(0)
				if c.code == "" && w.store.Transport != nil {
					store = heapPeak(func() {
						var all sync.WaitGroup
						for range at {
							all.Go(func() { w.directly(method, c.target, c.doc) })
						}
						all.Wait()
					})
				}
				began := time.Now()
				peak := heapPeak(func() {
					var all sync.WaitGroup
					for range at {
						all.Go(func() {
							a := w.document(method, c.target, c.doc)
							late := a.status == http.StatusOK && c.code == "InvalidPart" // behind white space
							if a.status != c.status && !late || c.code != "" && !strings.Contains(string(a.body), "<Code>"+c.code+"</Code>") {
								t.Errorf("%d %.300s", a.status, a.body)
							}
						})
					}
					all.Wait()
				})
				// The client's signing is in the process too.
				size := int64(len(c.doc))
				t.Logf("%d at once: %d KiB, peak %d KiB (the store alone %d KiB), %v", at, size>>10, peak>>10, store>>10, time.Since(began).Round(time.Millisecond))
				if peak-store > int64(at)*(8*size+2<<20) {
					t.Errorf("%d of them took %d bytes, %.1f times their size", at, peak-store, float64(peak-store)/float64(int64(at)*size))
				}
			}
		})
	}
	if _, err := w.s3().AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("a"), UploadId: upload.UploadId}); err != nil {
		t.Fatal(err)
	}
	w.unchanged()
}

const strangersFile = `
callers:
  - name: reader
    access_keys: [{id: READERKEY, secret: reader-secret-of-16-or-more}]
    api_keys: [{key: reader-api-key-of-16-or-more}]
    grants: [{bucket: BUCKET, actions: [read]}]
`

// unreadBody reports when it is read.
type unreadBody struct{ asked chan struct{} }

// Read reports that the body was asked for.
func (b unreadBody) Read([]byte) (int, error) {
	select {
	case b.asked <- struct{}{}:
	default:
	}
	return 0, fmt.Errorf("the body was asked for")
}

// A document of a caller whom no grant could allow anything is not read.
func TestADocumentIsReadAfterSomeGrantCouldApply(t *testing.T) {
	w := newFiled(t, strangersFile)
	const size = 64 << 10
	for name, c := range map[string]struct {
		method, target string
		rest           bool
	}{
		"Complete":         {"POST", "/a?uploadId=0123", false},
		"DeleteObjects":    {"POST", "?delete", false},
		"PutObjectTagging": {"PUT", "/a?tagging", false},
		"batch delete":     {"POST", "delete", true},
		"copy":             {"POST", "copy", true},
		"presigned":        {"POST", "presigned", true},
	} {
		t.Run(name, func(t *testing.T) {
			body := unreadBody{make(chan struct{}, 1)}
			var r *http.Request
			if c.rest {
				r = newRequest(t, c.method, w.rest(c.target), body, "X-Api-Key", "reader-api-key-of-16-or-more", "Content-Type", "application/json", "Expect", "100-continue")
			} else {
				r = newRequest(t, c.method, w.url+"/"+w.bucket+c.target, body, "Expect", "100-continue")
			}
			r.ContentLength = size
			if !c.rest {
				signAs(t, r, "UNSIGNED-PAYLOAD", aws.Credentials{AccessKeyID: "READERKEY", SecretAccessKey: "reader-secret-of-16-or-more"}, time.Now())
			}
			a := doBy(t, &http.Transport{ExpectContinueTimeout: 20 * time.Second, DisableKeepAlives: true}, r)
			if a.status != http.StatusForbidden {
				t.Errorf("%d %s", a.status, a.body)
			}
			select {
			case <-body.asked:
				t.Error("its body was asked for")
			default:
			}
		})
	}
	w.unchanged()
}

// A batch of keys that no grant covers leaves one record with their number and
// the first few.
func TestARefusedBatchLeavesOneAuditRecord(t *testing.T) {
	w := newFiled(t, `
callers:
  - name: writer
    access_keys: [{id: WRITERKEY, secret: writer-secret-of-16-or-more}]
    api_keys: [{key: writer-api-key-of-16-or-more}]
    grants: [{bucket: BUCKET, prefix: mine/, actions: [delete]}]
`)
	ids, objects := &strings.Builder{}, &strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(ids, `,"uploads/2026/01/02/%s%d"`, strings.Repeat("a", 30), i)
		fmt.Fprintf(objects, `<Object><Key>theirs/%d</Key></Object>`, i)
	}
	for name, r := range map[string]*http.Request{
		"upload API": newRequest(t, "POST", w.rest("delete"), strings.NewReader(`{"file_ids":[`+ids.String()[1:]+`]}`),
			"X-Api-Key", "writer-api-key-of-16-or-more", "Content-Type", "application/json"),
		"S3 endpoint": w.documentRequest("POST", "?delete", wrap("Delete", objects.String(), 1), aws.Credentials{AccessKeyID: "WRITERKEY", SecretAccessKey: "writer-secret-of-16-or-more"}),
	} {
		before := len(w.log.String())
		a, records := w.audit(r)
		grown := len(w.log.String()) - before
		if a.status != http.StatusOK || len(records) != 1 || grown > 16<<10 {
			t.Errorf("%s: status %d, %d records, %d bytes of log", name, a.status, len(records), grown)
			continue
		}
		if got := records[0]; got.Outcome != "refused" || got.Code != "AccessDenied" || got.Caller != "writer" || got.Count != 1000 || len(got.Keys) == 0 || len(got.Keys) > 10 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	w.unchanged()
}

// Every document is read in one way: a document type, an entity, depth, a second
// root and a member that is there twice are refused on all of them.
func TestOddDocumentsAreRefusedEverywhere(t *testing.T) {
	w := newWorld(t, open...)
	upload, err := w.s3().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	complete := "/a?uploadId=" + *upload.UploadId
	deep := func(root string) string {
		return "<" + root + ">" + strings.Repeat("<x>", 40) + strings.Repeat("</x>", 40) + "</" + root + ">"
	}
	for _, c := range []struct{ method, target, root string }{
		{"POST", complete, "CompleteMultipartUpload"}, {"POST", "?delete", "Delete"}, {"PUT", "/a?tagging", "Tagging"},
		{"PUT", "?tagging", "Tagging"}, {"PUT", "/a?retention", "Retention"}, {"PUT", "/a?legal-hold", "LegalHold"}, {"PUT", "/a?acl", "AccessControlPolicy"},
		{"PUT", "?acl", "AccessControlPolicy"}, {"PUT", "?cors", "CORSConfiguration"}, {"PUT", "?lifecycle", "LifecycleConfiguration"},
		{"PUT", "?versioning", "VersioningConfiguration"}, {"PUT", "?encryption", "ServerSideEncryptionConfiguration"},
		{"PUT", "?object-lock", "ObjectLockConfiguration"}, {"PUT", "?notification", "NotificationConfiguration"}, {"POST", "/a?restore", "RestoreRequest"},
	} {
		for name, doc := range map[string]string{
			"a document type": "<!DOCTYPE x><" + c.root + "/>",
			"an entity":       `<!DOCTYPE x [<!ENTITY a "b">]><` + c.root + ">&a;</" + c.root + ">",
			"unknown entity":  "<" + c.root + ">&a;</" + c.root + ">",
			"depth":           deep(c.root),
			"two roots":       "<" + c.root + "/><" + c.root + "/>",
			"cut off":         "<" + c.root + ">",
			"another root":    "<Other/>",
		} {
			if a := w.document(c.method, c.target, []byte(doc)); a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "<Code>MalformedXML</Code>") {
				t.Errorf("%s %s, %s: %d %.200s", c.method, c.target, name, a.status, a.body)
			}
		}
	}
	for name, c := range map[string]struct{ target, doc string }{
		"key":         {"?delete", "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>"},
		"version":     {"?delete", "<Delete><Object><Key>a</Key><VersionId>null</VersionId><VersionId>x</VersionId></Object></Delete>"},
		"quiet":       {"?delete", "<Delete><Quiet>true</Quiet><Quiet>false</Quiet><Object><Key>a</Key></Object></Delete>"},
		"part number": {complete, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"},
		"etag":        {complete, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><ETag>y</ETag></Part></CompleteMultipartUpload>"},
		"nested key":  {"?delete", "<Delete><Object><Key>a<b/></Key></Object></Delete>"},
	} {
		if a := w.document("POST", c.target, []byte(c.doc)); a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "<Code>MalformedXML</Code>") {
			t.Errorf("%s twice: %d %.200s", name, a.status, a.body)
		}
	}
	for name, doc := range map[string]string{
		"twice": `{"Version":"2012-10-17","Version":"x"}`, "twice below": `{"Statement":[{"Effect":"Allow","Effect":"Deny"}]}`,
		"deep": strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000), "two": `{}{}`, "a list": `[]`, "cut off": `{"a":`,
	} {
		if a := w.document("PUT", "?policy", []byte(doc)); a.status != http.StatusBadRequest {
			t.Errorf("bucket policy, %s: %d %.200s", name, a.status, a.body)
		}
	}
	if _, err := w.s3().AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("a"), UploadId: upload.UploadId}); err != nil {
		t.Fatal(err)
	}
	w.unchanged()
}

// The JSON of the upload API names each member once, is not deep, and stops at
// the first id too many.
func TestOddJSONIsRefusedEverywhere(t *testing.T) {
	w := newWorld(t, open...)
	many := "[" + strings.Repeat(`"",`, 1<<20) + `""]`
	for name, c := range map[string]struct {
		path, doc string
		status    int
	}{
		"ids twice":            {"delete", `{"file_ids":["a"],"file_ids":["b"]}`, 400},
		"ids are deep":         {"delete", `{"file_ids":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, 400},
		"too many ids":         {"delete", `{"file_ids":` + many + `}`, 422},
		"name twice":           {"presigned", `{"filename":"a.bin","filename":"b.bin","content_type":"text/plain"}`, 400},
		"escaped name twice":   {"presigned", `{"filename":"a.bin","\u0066ilename":"b.bin","content_type":"text/plain"}`, 400},
		"two objects":          {"presigned", `{"filename":"a.bin"}{}`, 400},
		"copy names twice":     {"copy", `{"file_id":"uploads/a","file_id":"uploads/b"}`, 400},
		"another letter case":  {"copy", `{"FILE_ID":"uploads/a"}`, 422},
		"not an object at all": {"copy", `["file_id"]`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			var a answer
			peak := heapPeak(func() {
				a = do(t, newRequest(t, "POST", w.rest(c.path), strings.NewReader(c.doc), "Content-Type", "application/json", "Content-Length", strconv.Itoa(len(c.doc))))
			})
			if a.status != c.status {
				t.Errorf("%d %s", a.status, a.body)
			}
			t.Logf("%d KiB of JSON, peak %d KiB", len(c.doc)>>10, peak>>10)
			if peak > int64(8*len(c.doc)+2<<20) {
				t.Errorf("%d bytes of JSON took %d", len(c.doc), peak)
			}
		})
	}
	w.unchanged()
}
