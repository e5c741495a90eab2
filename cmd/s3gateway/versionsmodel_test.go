package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// modelVersion is a version of an object, or a delete marker.
type modelVersion struct {
	id     string
	marker bool
	body   string
	of     string // its metadata, that nothing else has
}

// versionsModel does what clients do to versions, and knows by S3's rules what
// must be there afterwards.
type versionsModel struct {
	*world
	random *rand.Rand
	status types.BucketVersioningStatus
	keys   map[string][]modelVersion // newest first
	done   []string
}

func (m *versionsModel) key() *string {
	return aws.String(one(m.random, []string{"a", "dir/b", "dir/c"}))
}

// content is a body, and metadata, that no other version has.
func (m *versionsModel) content() modelVersion {
	of := fmt.Sprint(len(m.done))
	return modelVersion{of: of, body: strings.Repeat(of, m.random.IntN(50))}
}

// note takes down a step, and fails the test if the store refused it.
func (m *versionsModel) note(err error, step string, args ...any) {
	m.t.Helper()
	m.done = append(m.done, fmt.Sprintf(step, args...))
	if err != nil {
		m.t.Fatalf("%s: %v", strings.Join(m.done, "\n"), err)
	}
}

// add is what a bucket does with a new version: it takes the place of the one
// with the id null where it has that id itself, and stands before the others.
func (m *versionsModel) add(key string, v modelVersion, id *string) {
	m.t.Helper()
	v.id = aws.ToString(id)
	if v.id == "" {
		v.id = "null"
	}
	if (v.id == "null") == (m.status == types.BucketVersioningStatusEnabled) {
		m.t.Fatalf("%s: the version id %q, versioning %q", strings.Join(m.done, "\n"), v.id, m.status)
	}
	m.remove(key, "null", v.id == "null")
	m.keys[key] = slices.Insert(m.keys[key], 0, v)
}

func (m *versionsModel) remove(key, id string, really bool) {
	m.keys[key] = slices.DeleteFunc(m.keys[key], func(v modelVersion) bool { return really && v.id == id })
}

func (m *versionsModel) put() {
	key, v := m.key(), m.content()
	out, err := m.s3().PutObject(m.t.Context(), &s3.PutObjectInput{Bucket: &m.bucket, Key: key, Body: strings.NewReader(v.body), Metadata: map[string]string{"of": v.of}})
	m.note(err, "PutObject %s", *key)
	m.add(*key, v, out.VersionId)
}

func (m *versionsModel) complete() {
	ctx, key, v := m.t.Context(), m.key(), m.content()
	upload, err := m.s3().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &m.bucket, Key: key, Metadata: map[string]string{"of": v.of}})
	if err != nil {
		m.t.Fatal(err)
	}
	part, err := m.s3().UploadPart(ctx, &s3.UploadPartInput{Bucket: &m.bucket, Key: key, UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(v.body)})
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := m.s3().CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &m.bucket, Key: key, UploadId: upload.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC32: part.ChecksumCRC32}}}})
	m.note(err, "CompleteMultipartUpload %s", *key)
	m.add(*key, v, out.VersionId)
}

// some gives one of the versions that fit.
func (m *versionsModel) some(fits func(place int, v modelVersion) bool) (key string, v modelVersion, ok bool) {
	var all []types.ObjectIdentifier
	for _, key := range []string{"a", "dir/b", "dir/c"} {
		for i, v := range m.keys[key] {
			if fits(i, v) {
				all = append(all, types.ObjectIdentifier{Key: &key, VersionId: &v.id})
			}
		}
	}
	if len(all) == 0 {
		return "", v, false
	}
	o := one(m.random, all)
	i := slices.IndexFunc(m.keys[*o.Key], func(v modelVersion) bool { return v.id == *o.VersionId })
	return *o.Key, m.keys[*o.Key][i], true
}

func (m *versionsModel) copy() {
	byID := m.random.IntN(2) == 0
	source, v, ok := m.some(func(place int, v modelVersion) bool { return !v.marker && (place == 0 || byID) })
	key := m.key()
	if !ok || source == *key {
		return
	}
	from := m.bucket + "/" + source
	if byID {
		from += "?versionId=" + v.id
	}
	out, err := m.s3().CopyObject(m.t.Context(), &s3.CopyObjectInput{Bucket: &m.bucket, Key: key, CopySource: &from})
	m.note(err, "CopyObject %s to %s", from, *key)
	m.add(*key, v, out.VersionId)
}

// marked is what a deletion without a version id does, also where nothing is.
func (m *versionsModel) marked(key string, marker *bool, id *string) {
	m.t.Helper()
	// MinIO does not mention a marker that takes the place of the version null.
	untold := m.store.Name == "minio" && m.status == types.BucketVersioningStatusSuspended
	if aws.ToBool(marker) != (m.status != "") && !untold {
		m.t.Fatalf("%s: answered a delete marker: %v, versioning %q", strings.Join(m.done, "\n"), aws.ToBool(marker), m.status)
	}
	if m.status == "" {
		m.remove(key, "null", true)
		return
	}
	m.add(key, modelVersion{marker: true}, id)
}

// untold reports whether MinIO would answer otherwise than it does: where there is
// no object to mark it tells of markers that it does not keep, and a marker with
// the id null is neither removed nor replaced.
func (m *versionsModel) untold(key string) bool {
	there := m.keys[key]
	return m.store.Name == "minio" && m.status != "" &&
		(len(there) == 0 || there[0].marker || slices.ContainsFunc(there, func(v modelVersion) bool { return !m.removable(0, v) }))
}

func (m *versionsModel) delete() {
	key := m.key()
	if m.untold(*key) {
		return
	}
	out, err := m.s3().DeleteObject(m.t.Context(), &s3.DeleteObjectInput{Bucket: &m.bucket, Key: key})
	m.note(err, "DeleteObject %s", *key)
	m.marked(*key, out.DeleteMarker, out.VersionId)
}

func (m *versionsModel) removable(_ int, v modelVersion) bool {
	return m.store.Name != "minio" || !v.marker || v.id != "null"
}

func (m *versionsModel) deleteVersion() {
	key, v, ok := m.some(m.removable)
	if !ok {
		return
	}
	_, err := m.s3().DeleteObject(m.t.Context(), &s3.DeleteObjectInput{Bucket: &m.bucket, Key: &key, VersionId: &v.id})
	m.note(err, "DeleteObject %s %s", key, v.id)
	m.remove(key, v.id, true)
}

func (m *versionsModel) deleteMany() {
	key := m.key()
	if m.untold(*key) {
		return
	}
	objects := []types.ObjectIdentifier{{Key: key}}
	other, v, ok := m.some(m.removable)
	if ok && other != *key {
		objects = append(objects, types.ObjectIdentifier{Key: &other, VersionId: &v.id})
	}
	out, err := m.s3().DeleteObjects(m.t.Context(), &s3.DeleteObjectsInput{Bucket: &m.bucket, Delete: &types.Delete{Objects: objects}})
	m.note(err, "DeleteObjects %s, %s %s", *key, other, v.id)
	if len(out.Deleted) != len(objects) {
		m.t.Fatalf("%s: deleted %+v %+v", strings.Join(m.done, "\n"), out.Deleted, out.Errors)
	}
	for _, d := range out.Deleted {
		if aws.ToString(d.VersionId) != "" {
			m.remove(*d.Key, *d.VersionId, true)
			continue
		}
		m.marked(*d.Key, d.DeleteMarker, d.DeleteMarkerVersionId)
	}
}

func (m *versionsModel) toggle() {
	to := types.BucketVersioningStatusEnabled
	if m.status == to {
		to = types.BucketVersioningStatusSuspended
	}
	setVersioning(m.t, m.store, m.bucket, to)
	m.note(nil, "PutBucketVersioning %s", to)
	m.status = to
}

// check compares everything that is listed and read with the model.
func (m *versionsModel) check() {
	m.t.Helper()
	got, want := m.found(), m.expected()
	if got != want {
		m.t.Fatalf("after\n%s\nthere is\n%s\ninstead of\n%s", strings.Join(m.done, "\n"), got, want)
	}
}

func (m *versionsModel) expected() string {
	var all strings.Builder
	for _, key := range []string{"a", "dir/b", "dir/c"} {
		for _, markers := range []bool{false, true} {
			for i, v := range m.keys[key] {
				if v.marker == markers {
					fmt.Fprintln(&all, key, v.id, v.marker, len(v.body), i == 0)
				}
			}
		}
		for _, v := range m.keys[key] {
			fmt.Fprintln(&all, key, v.id, v.read())
		}
		current := modelVersion{marker: true}
		if len(m.keys[key]) > 0 {
			current = m.keys[key][0]
		}
		fmt.Fprintln(&all, key, "current", !current.marker, current.read())
	}
	return all.String()
}

func (v modelVersion) read() string {
	if v.marker {
		return "is not there"
	}
	return fmt.Sprintf("of %s, %d bytes, %.8s…", v.of, len(v.body), v.body)
}

func (m *versionsModel) found() string {
	var all strings.Builder
	var versions []types.ObjectVersion
	var markers []types.DeleteMarkerEntry
	pages := s3.NewListObjectVersionsPaginator(m.s3(), &s3.ListObjectVersionsInput{Bucket: &m.bucket, MaxKeys: aws.Int32(int32(1 + m.random.IntN(8)))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(m.t.Context())
		if err != nil {
			m.t.Fatal(err)
		}
		versions, markers = append(versions, page.Versions...), append(markers, page.DeleteMarkers...)
	}
	list, err := m.s3().ListObjectsV2(m.t.Context(), &s3.ListObjectsV2Input{Bucket: &m.bucket})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, key := range []string{"a", "dir/b", "dir/c"} {
		for _, v := range versions {
			if *v.Key == key {
				fmt.Fprintln(&all, key, *v.VersionId, false, *v.Size, *v.IsLatest)
			}
		}
		for _, v := range markers {
			if *v.Key == key {
				fmt.Fprintln(&all, key, *v.VersionId, true, 0, *v.IsLatest)
			}
		}
		for _, v := range m.keys[key] {
			fmt.Fprintln(&all, key, v.id, m.get(key, &v.id))
		}
		listed := slices.ContainsFunc(list.Contents, func(o types.Object) bool { return *o.Key == key })
		fmt.Fprintln(&all, key, "current", listed, m.get(key, nil))
	}
	return all.String()
}

func (m *versionsModel) get(key string, id *string) string {
	out, err := m.s3().GetObject(m.t.Context(), &s3.GetObjectInput{Bucket: &m.bucket, Key: &key, VersionId: id})
	if status := statusOf(err); status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
		return "is not there"
	}
	if err != nil {
		return err.Error()
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		return err.Error()
	}
	return modelVersion{of: out.Metadata["of"], body: string(body)}.read()
}

// Whatever clients do to versions, what is listed and read is what S3's rules say.
func TestVersionsAreKeptByTheRulesOfS3(t *testing.T) {
	store := testbed.Open(t)
	bucket := store.Bucket(t)
	seed := stepsSeed(t)
	m := &versionsModel{random: rand.New(rand.NewPCG(seed, 0)), keys: map[string][]modelVersion{}, world: newWorldOn(t, store, bucket, open...)}
	steps := []func(){m.put, m.put, m.complete, m.complete, m.copy, m.delete, m.delete, m.deleteVersion, m.deleteVersion, m.deleteVersion, m.deleteMany, m.toggle}
	for range 100 {
		one(m.random, steps)()
		m.check()
	}
}
