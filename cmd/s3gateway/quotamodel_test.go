package main

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/quota"
)

// stored is what there is in the bucket, by its own listings. uploads are those
// that may be unfinished: MinIO forgets some in its listing of them.
func (w *world) stored(uploads []types.MultipartUpload) (sum quota.Usage) {
	w.t.Helper()
	ctx, client := w.t.Context(), w.store.Client(w.t)
	for _, u := range uploads {
		parts, err := client.ListParts(ctx, &s3.ListPartsInput{Bucket: &w.bucket, Key: u.Key, UploadId: u.UploadId})
		if err != nil {
			continue // it ended
		}
		for _, p := range parts.Parts {
			sum.Bytes += *p.Size
		}
	}
	versions, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &w.bucket})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range versions.Versions {
		if !strings.HasPrefix(*v.Key, ".s3gateway/") {
			sum.Bytes += *v.Size
			sum.Objects++
		}
	}
	return sum
}

// countedRight compares what the gateway thinks with what there is.
func (w *world) countedRight(after string, uploads ...types.MultipartUpload) {
	w.t.Helper()
	got, want := w.used("QUOTA_BYTES"), w.stored(uploads)
	if got != want {
		w.t.Fatalf("after %s: counted %+v, stored %+v", after, got, want)
	}
}

// used is what the gateway thinks is stored under a quota.
func (w *world) used(name string) (used quota.Usage) {
	w.t.Helper()
	eventually(w.t, name+" is counted", func() bool {
		for _, r := range w.app.quotas.Reports() {
			if r.Name == name {
				used = r.Used
				return true
			}
		}
		return false
	})
	return used
}

// quotaModel does what clients do, in any order, and holds what is counted against
// what is stored.
type quotaModel struct {
	*world
	random  *rand.Rand
	name    string // of the quota
	most    quota.Usage
	trace   []string
	refused int
	// Of the program that runs:
	uploads  []types.MultipartUpload
	resumes  []*resumable
	files    []string                 // of the upload API
	versions []types.ObjectIdentifier // some that there are or were
}

func one[T any](random *rand.Rand, of []T) T { return of[random.IntN(len(of))] }

func (m *quotaModel) key() string { return one(m.random, []string{"a", "b", "c", "dir/d"}) }

// A few of them fill the quota.
func (m *quotaModel) body() []byte { return bytes.Repeat([]byte("x"), m.random.IntN(300)) }

// check compares after each step; a step that is refused changes nothing.
func (m *quotaModel) check(step string, err error) {
	m.t.Helper()
	said := fmt.Sprint(err)
	if strings.Contains(said, "QuotaExceeded") || strings.Contains(said, "507") {
		m.refused++
	}
	m.trace = append(m.trace, fmt.Sprintf("%s (%.200s)", step, said))
	got, want := m.used(m.name), m.stored(m.uploads)
	for _, u := range m.resumes {
		want.Bytes += u.offset
	}
	if got != want || want.Bytes > m.most.Bytes || want.Objects > m.most.Objects {
		m.t.Fatalf("counted %+v, stored %+v, the quota is %+v, after\n%s", got, want, m.most, strings.Join(m.trace, "\n"))
	}
}

// answered is a status of the upload API as check reads it.
func answered(a answer) error {
	if a.status/100 == 2 {
		return nil
	}
	return fmt.Errorf("%d %s", a.status, a.body)
}

func (m *quotaModel) saw(key string, version *string) {
	if version != nil {
		m.versions = append(m.versions, types.ObjectIdentifier{Key: &key, VersionId: version})
	}
}

func (m *quotaModel) put() {
	key := m.key()
	out, err := m.s3().PutObject(m.t.Context(), &s3.PutObjectInput{Bucket: &m.bucket, Key: &key, Body: bytes.NewReader(m.body())})
	if err == nil {
		m.saw(key, out.VersionId)
	}
	m.check("PutObject", err)
}

func (m *quotaModel) putIfNew() {
	key := m.key()
	_, err := m.s3().PutObject(m.t.Context(), &s3.PutObjectInput{Bucket: &m.bucket, Key: &key, Body: bytes.NewReader(m.body()), IfNoneMatch: aws.String("*")})
	m.check("PutObject If-None-Match", err)
}

func (m *quotaModel) putRefused() {
	a := do(m.t, m.signedPut(m.key(), m.body(), "Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfA=="))
	m.check("PutObject with a wrong Content-MD5", answered(a))
}

func (m *quotaModel) putForm() {
	fields := map[string]string{"key": m.key()}
	a := do(m.t, m.postForm(`,["starts-with","$key",""]`, m.body(), fields, nil))
	m.check("form", answered(a))
}

func (m *quotaModel) delete() {
	key := m.key()
	_, err := m.s3().DeleteObject(m.t.Context(), &s3.DeleteObjectInput{Bucket: &m.bucket, Key: &key})
	m.check("DeleteObject", err)
}

func (m *quotaModel) deleteVersion() {
	if len(m.versions) == 0 {
		return
	}
	v := one(m.random, m.versions)
	_, err := m.s3().DeleteObject(m.t.Context(), &s3.DeleteObjectInput{Bucket: &m.bucket, Key: v.Key, VersionId: v.VersionId})
	m.check("DeleteObject of a version", err)
}

func (m *quotaModel) deleteMany() {
	objects := []types.ObjectIdentifier{{Key: aws.String("a")}, {Key: aws.String("dir/d")}, {Key: aws.String("not there")}}
	if len(m.versions) > 0 {
		// Twice, as clients that repeat themselves do.
		v := one(m.random, m.versions)
		objects = append(objects, v, v)
	}
	_, err := m.s3().DeleteObjects(m.t.Context(), &s3.DeleteObjectsInput{Bucket: &m.bucket, Delete: &types.Delete{Objects: objects}})
	m.check("DeleteObjects", err)
}

func (m *quotaModel) copy() {
	key, source := m.key(), m.key()
	in := &s3.CopyObjectInput{Bucket: &m.bucket, Key: &key, CopySource: aws.String(m.bucket + "/" + source)}
	if key == source {
		in.MetadataDirective = types.MetadataDirectiveReplace
	}
	_, err := m.s3().CopyObject(m.t.Context(), in)
	m.check("CopyObject", err)
}

func (m *quotaModel) create() {
	key := m.key()
	out, err := m.s3().CreateMultipartUpload(m.t.Context(), &s3.CreateMultipartUploadInput{Bucket: &m.bucket, Key: &key})
	if err == nil {
		m.uploads = append(m.uploads, types.MultipartUpload{Key: &key, UploadId: out.UploadId})
	}
	m.check("CreateMultipartUpload", err)
}

func (m *quotaModel) part() {
	if len(m.uploads) == 0 {
		return
	}
	u, n := one(m.random, m.uploads), int32(1+m.random.IntN(4))
	if m.random.IntN(2) == 0 {
		_, err := m.s3().UploadPartCopy(m.t.Context(), &s3.UploadPartCopyInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId, PartNumber: &n,
			CopySource: aws.String(m.bucket + "/" + m.key())})
		m.check("UploadPartCopy", err)
		return
	}
	_, err := m.s3().UploadPart(m.t.Context(), &s3.UploadPartInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId, PartNumber: &n, Body: bytes.NewReader(m.body())})
	m.check("UploadPart", err)
}

func (m *quotaModel) complete() {
	if len(m.uploads) == 0 {
		return
	}
	u := one(m.random, m.uploads)
	listed, err := m.s3().ListParts(m.t.Context(), &s3.ListPartsInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId})
	if err != nil || len(listed.Parts) == 0 {
		return
	}
	p := listed.Parts[len(listed.Parts)-1] // one alone may have any size; the others are thrown away
	out, err := m.s3().CompleteMultipartUpload(m.t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: p.PartNumber, ETag: p.ETag}}}})
	if err == nil {
		m.saw(*u.Key, out.VersionId)
	}
	m.check("CompleteMultipartUpload", err)
}

func (m *quotaModel) abort() {
	if len(m.uploads) == 0 {
		return
	}
	u := one(m.random, m.uploads)
	_, err := m.s3().AbortMultipartUpload(m.t.Context(), &s3.AbortMultipartUploadInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId})
	m.check("AbortMultipartUpload", err)
}

// ask sends a request of the upload API; a file that it makes is known from now on.
func (m *quotaModel) ask(step, method, path, contentType string, body []byte) answer {
	a := do(m.t, newRequest(m.t, method, m.rest(path), unsized{bytes.NewReader(body)}, "Content-Type", contentType))
	if a.status == http.StatusCreated {
		m.files = append(m.files, fmt.Sprint(a.json(m.t)["file_id"]))
	}
	m.check(step, answered(a))
	return a
}

func (m *quotaModel) direct() {
	m.ask("direct upload", "PUT", "direct?filename=x.bin", "application/octet-stream", m.body())
}

func (m *quotaModel) changeFile() {
	if len(m.files) == 0 {
		return
	}
	id := one(m.random, m.files)
	const json = "application/json"
	switch m.random.IntN(5) {
	case 0:
		m.ask("copy of a file", "POST", "copy", json, fmt.Appendf(nil, `{"file_id":%q}`, id))
	case 1:
		m.ask("move of a file", "POST", "copy", json, fmt.Appendf(nil, `{"file_id":%q,"move":true}`, id))
	case 2:
		m.ask("rename of a file", "PATCH", "metadata/"+id, json, []byte(`{"filename":"other.bin"}`))
	case 3:
		m.ask("deletion of a file", "DELETE", id, "", nil)
	default:
		m.ask("deletion of files", "POST", "delete", json, fmt.Appendf(nil, `{"file_ids":[%q,%q]}`, id, one(m.random, m.files)))
	}
}

func (m *quotaModel) begin() {
	u, a := m.createUpload("", int64(1+m.random.IntN(500)))
	if a.status == http.StatusCreated {
		m.resumes = append(m.resumes, u)
	}
	m.check("begin of a resumable upload", answered(a))
}

func (m *quotaModel) resume() {
	if len(m.resumes) == 0 {
		return
	}
	i := m.random.IntN(len(m.resumes))
	u := m.resumes[i]
	over := func() { m.resumes = slices.Delete(m.resumes, i, i+1) }
	if m.random.IntN(5) == 0 {
		a := u.request("DELETE", nil)
		over()
		m.check("end of a resumable upload", answered(a))
		return
	}
	total, _ := strconv.Atoi(u.request("HEAD", nil).header.Get("Upload-Length"))
	a := u.patch(make([]byte, min(m.random.IntN(300), total-int(u.offset))))
	switch id := a.header.Get("X-File-Id"); {
	case a.status == http.StatusInsufficientStorage: // which ends it
		over()
	case id != "":
		m.files = append(m.files, id)
		over()
	}
	m.check("chunk of a resumable upload", answered(a))
}

// removeVersions takes every version and delete marker out of the bucket.
func (w *world) removeVersions(client *s3.Client) {
	w.t.Helper()
	listed, err := client.ListObjectVersions(w.t.Context(), &s3.ListObjectVersionsInput{Bucket: &w.bucket})
	if err != nil {
		w.t.Fatal(err)
	}
	var gone []types.ObjectIdentifier
	for _, v := range listed.Versions {
		gone = append(gone, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
	}
	for _, d := range listed.DeleteMarkers {
		gone = append(gone, types.ObjectIdentifier{Key: d.Key, VersionId: d.VersionId})
	}
	for _, o := range gone {
		if _, err := client.DeleteObject(w.t.Context(), &s3.DeleteObjectInput{Bucket: &w.bucket, Key: o.Key, VersionId: o.VersionId}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// empty takes all away again, through the gateway.
func (m *quotaModel) empty() {
	ctx, client := m.t.Context(), m.s3()
	for _, u := range m.uploads {
		client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId})
	}
	for _, u := range m.resumes {
		u.request("DELETE", nil)
	}
	m.removeVersions(client)
	m.uploads, m.resumes, m.files, m.versions = nil, nil, nil, nil
	m.check("taking everything away", nil)
	if left := m.used(m.name); left != (quota.Usage{}) {
		m.t.Fatalf("of nothing, %+v is counted", left)
	}
	m.trace = nil
}

// Whatever clients do, what is counted is what is stored, to the byte and the
// object, never more than the quota, also where old versions stay.
// S3GATEWAY_PROGRAMS=n runs n programs.
func TestWhatIsCountedIsWhatIsStored(t *testing.T) {
	kinds := []types.BucketVersioningStatus{"", types.BucketVersioningStatusEnabled, types.BucketVersioningStatusSuspended}
	const perGateway, steps = 300, 20 // a multiple of the kinds
	programs, _ := strconv.Atoi(cmp.Or(os.Getenv("S3GATEWAY_PROGRAMS"), "30"))
	seed, refused := stepsSeed(t), 0
	for first := 0; first < programs; first += perGateway {
		for kind, versioning := range kinds {
			t.Run(fmt.Sprintf("versioning %s from %d", versioning, first), func(t *testing.T) {
				m := newQuotaModel(t, versioning)
				for i := first + kind; i < min(first+perGateway, programs); i += len(kinds) {
					m.trace = append(m.trace, fmt.Sprintf("S3GATEWAY_TEST_SEED=%d S3GATEWAY_PROGRAMS=3:", seed+uint64(i-kind)))
					m.random = rand.New(rand.NewPCG(seed+uint64(i), 0))
					for range steps {
						one(m.random, quotaSteps)(m)
					}
					m.empty()
				}
				refused += m.refused
			})
		}
	}
	t.Logf("%d programs of %d steps, %d steps refused for the quota", programs, steps, refused)
	if refused < programs/10 {
		t.Error("the quota was hardly ever full")
	}
}

var quotaSteps = []func(m *quotaModel){
	(*quotaModel).put, (*quotaModel).put, (*quotaModel).putIfNew, (*quotaModel).putRefused, (*quotaModel).putForm, (*quotaModel).delete, (*quotaModel).deleteVersion,
	(*quotaModel).deleteMany, (*quotaModel).copy, (*quotaModel).direct, (*quotaModel).changeFile, (*quotaModel).changeFile, (*quotaModel).begin, (*quotaModel).resume, (*quotaModel).resume,
	(*quotaModel).create, (*quotaModel).part, (*quotaModel).part, (*quotaModel).part, (*quotaModel).complete, (*quotaModel).abort,
}

// newQuotaModel is one over a bucket that has versions, had them, or never did.
func newQuotaModel(t *testing.T, versioning types.BucketVersioningStatus) *quotaModel {
	t.Helper()
	store := testbed.Open(t)
	bucket := store.Bucket(t)
	if versioning != "" {
		setVersioning(t, store, bucket, types.BucketVersioningStatusEnabled)
	}
	most := quota.Usage{Bytes: 600, Objects: 4}
	file := fmt.Sprintf("buckets: [{name: %s, quota_bytes: %d, quota_objects: %d}]\n", bucket, most.Bytes, most.Objects)
	m := &quotaModel{name: "bucket " + bucket, most: most, world: newWorldOn(t, store, bucket, append(slices.Clone(open), yamlFile(t, file))...)}
	if versioning == types.BucketVersioningStatusSuspended {
		// Old versions of its time with versions are there as well.
		for _, key := range []string{"a", "b"} {
			a := do(t, m.signedPut(key, make([]byte, 50)))
			m.saw(key, aws.String(a.header.Get("X-Amz-Version-Id")))
		}
		setVersioning(t, store, bucket, versioning)
	}
	return m
}

// stepsSeed is another one each time, or the one to be seen again.
func stepsSeed(t *testing.T) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("S3GATEWAY_TEST_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("the same steps again: S3GATEWAY_TEST_SEED=%d", seed)
	return seed
}

func setVersioning(t *testing.T, store *testbed.Store, bucket string, status types.BucketVersioningStatus) {
	t.Helper()
	_, err := store.Client(t).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Changes of one key at the same time give back what was there once.
func TestChangesAtOnceAreCountedOnce(t *testing.T) {
	w := newWorld(t, append(open, "QUOTA_BYTES=1MB")...)
	for round := range 10 {
		if a := do(t, w.signedPut("a", make([]byte, 10_000))); a.status != 200 {
			t.Fatal(a.status, string(a.body))
		}
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				switch i % 4 {
				case 0:
					w.signed("DELETE", "a")
				case 1:
					w.s3().DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &w.bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("a")}}}})
				default:
					do(t, w.signedPut("a", make([]byte, 100*i+round)))
				}
			})
		}
		all.Wait()
		w.countedRight("round " + strconv.Itoa(round))
	}
}

// Uploads at once never store more than the quota, and what is given back can
// be used again.
func TestUploadsAtOnceStayWithinTheQuota(t *testing.T) {
	const most, size = 100_000, 7_000
	w := newWorld(t, append(open, "QUOTA_BYTES="+strconv.Itoa(most))...)
	for round := range 3 {
		answers := make(chan int, 50)
		for i := range cap(answers) {
			go func() { answers <- do(t, w.signedPut(fmt.Sprintf("r%d/%d", round, i), make([]byte, size))).status }()
		}
		stored := 0
		for range cap(answers) {
			switch status := <-answers; status {
			case http.StatusOK:
				stored++
			case http.StatusInsufficientStorage:
			default:
				t.Errorf("status %d", status)
			}
		}
		if stored != most/size {
			t.Errorf("round %d: %d were stored, there is room for %d", round, stored, most/size)
		}
		w.countedRight("uploads at once")
		for i := range cap(answers) {
			w.s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &w.bucket, Key: aws.String(fmt.Sprintf("r%d/%d", round, i))})
		}
		w.countedRight("deleting all")
	}
}

// A key that is written without a pause by several clients takes no more room
// than its largest object, whoever wrote it before.
func TestAKeyThatIsWrittenWithoutAPause(t *testing.T) {
	w := newWorld(t, append(open, "QUOTA_BYTES=10000")...)
	w.used("QUOTA_BYTES")
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for range 20 {
				if a := do(t, w.signedPut("a", make([]byte, 1000))); a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	all.Wait()
	w.countedRight("writing without a pause")
}

// What was there before its bucket had versions stays as one behind a delete
// marker, whichever request puts that there.
func TestADeleteMarkerGivesNothingBack(t *testing.T) {
	store := testbed.Open(t)
	bucket := store.Bucket(t)
	w := newWorldOn(t, store, bucket, append(open, "QUOTA_BYTES=1MB")...)
	for _, key := range []string{"a", "b", "c"} {
		do(t, w.signedPut(key, make([]byte, 100)))
	}
	setVersioning(t, store, bucket, types.BucketVersioningStatusEnabled)
	remove := func(keys ...string) {
		t.Helper()
		var objects []types.ObjectIdentifier
		for _, key := range keys {
			objects = append(objects, types.ObjectIdentifier{Key: &key})
		}
		if _, err := w.s3().DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: objects}}); err != nil {
			t.Fatal(err)
		}
		w.countedRight(fmt.Sprint("deleting ", keys))
	}
	w.signed("DELETE", "a")
	w.countedRight("deleting a")
	remove("a", "b", "b")
	setVersioning(t, store, bucket, types.BucketVersioningStatusSuspended)
	remove("c") // the marker takes its place
}
