//go:build !slim

package embedded

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// sidecar keeps metadata in files. It is the store's own sidecar with its names
// made safe. That one keeps the attributes of K in the folder K/meta/, so an
// object "x/meta/etag" takes the place of an attribute of "x", and one write
// makes a whole bucket unlistable. And it puts those of an older version under
// the absolute path of the data folder, where a bucket of that name would meet
// them and which changes when the folder moves. Here a segment of a key is never
// called "meta", and versions have a tree of their own.
type sidecar struct {
	objects, versions meta.SideCar
	versionDir        string
}

var _ meta.MetadataStorer = sidecar{}

func newSidecar(dir, versionDir string) (sidecar, error) {
	s := sidecar{versionDir: versionDir}
	for name, tree := range map[string]*meta.SideCar{"objects": &s.objects, "versions": &s.versions} {
		path := filepath.Join(dir, name)
		err := os.Mkdir(path, 0o700)
		if err == nil || errors.Is(err, fs.ErrExist) {
			*tree, err = meta.NewSideCar(path)
		}
		if err != nil {
			return sidecar{}, err
		}
	}
	return s, nil
}

// place gives the tree and the path in it that stand for a bucket, which may be
// a path into the folder of versions, or a path of bucket and folder in one.
func (s sidecar) place(bucket string) (meta.SideCar, string) {
	if below, found := strings.CutPrefix(bucket, s.versionDir); found && filepath.IsAbs(bucket) {
		return s.versions, safeNames(below)
	}
	return s.objects, safeNames(bucket)
}

// safeNames lengthens each segment "meta", "meta_", "meta__" … by one "_": no
// two paths become one and none has a segment "meta".
func safeNames(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.TrimRight(segment, "_") == "meta" {
			segments[i] = segment + "_"
		}
	}
	return strings.Join(segments, "/")
}

func (s sidecar) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	tree, bucket := s.place(bucket)
	return tree.RetrieveAttribute(f, bucket, safeNames(object), attribute)
}

// StoreAttribute makes an object of what was a delete marker: the ETag comes with
// each file that takes an object's name, and its metadata is that of the marker,
// of which the store takes nothing away.
func (s sidecar) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if attribute == etagAttribute && f != nil && object != "" {
		if err := ignore(s.DeleteAttribute(bucket, object, markerAttribute), meta.ErrNoSuchKey); err != nil {
			return err
		}
	}
	tree, bucket := s.place(bucket)
	return tree.StoreAttribute(f, bucket, safeNames(object), attribute, value)
}

func (s sidecar) DeleteAttribute(bucket, object, attribute string) error {
	tree, bucket := s.place(bucket)
	return tree.DeleteAttribute(bucket, safeNames(object), attribute)
}

func (s sidecar) ListAttributes(bucket, object string) ([]string, error) {
	tree, bucket := s.place(bucket)
	return tree.ListAttributes(bucket, safeNames(object))
}

func (s sidecar) DeleteAttributes(bucket, object string) error {
	tree, bucket := s.place(bucket)
	return tree.DeleteAttributes(bucket, safeNames(object))
}

func (s sidecar) RenameObject(bucket, oldObject, newObject string) error {
	tree, bucket := s.place(bucket)
	return tree.RenameObject(bucket, safeNames(oldObject), safeNames(newObject))
}

// besideFiles is a store with its metadata in a sidecar. It writes the metadata of
// a multipart upload over that of the version which the upload replaces, before
// it keeps that one, or without keeping it: so such an upload is refused.
type besideFiles struct {
	backend.Backend
	metadata meta.MetadataStorer
}

// CompleteMultipartUpload replaces no version.
func (s besideFiles) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	version, err := s.lost(aws.ToString(in.Bucket), aws.ToString(in.Key))
	if err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	if version != "" {
		return s3response.CompleteMultipartUploadResult{}, "", errReplacesVersion(version)
	}
	return s.Backend.CompleteMultipartUpload(ctx, in)
}

// lost is the id of the current version where it should stay as one and would
// not, or not with its own metadata; else "". A delete marker has none, and is
// lost only where versioning is suspended.
func (s besideFiles) lost(bucket, key string) (version string, err error) {
	status, err := s.metadata.RetrieveAttribute(nil, bucket, "", versioningAttribute)
	if err != nil || len(status) != 1 {
		return "", ignore(err, meta.ErrNoSuchKey)
	}
	if info, err := os.Stat(filepath.Join(bucket, key)); err != nil || !info.Mode().IsRegular() {
		return "", nil // there is none, or the store says what is wrong
	}
	id, err := s.metadata.RetrieveAttribute(nil, bucket, key, versionAttribute)
	switch {
	case errors.Is(err, meta.ErrNoSuchKey):
		version = nullVersion
	case err != nil:
		return "", err
	default:
		version = string(id)
	}
	_, err = s.metadata.RetrieveAttribute(nil, bucket, key, markerAttribute)
	if isMarker, enabled := err == nil, status[0] == 1; enabled && isMarker || !enabled && version == nullVersion {
		return "", nil
	}
	return version, ignore(err, meta.ErrNoSuchKey)
}

func errReplacesVersion(version string) error {
	return s3err.APIError{
		Code: "NotImplemented",
		Description: "On a file system without extended attributes the embedded store cannot keep version " + version +
			" of this object when a multipart upload replaces it. Please store the object in one request, or under another key.",
		HTTPStatusCode: http.StatusNotImplemented,
	}
}
