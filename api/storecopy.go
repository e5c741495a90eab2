package api

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

// maxCopy is the largest object that S3 copies in one request, in bytes.
const maxCopy = 5 << 30

// Copy copies within the backend. It names all metadata anew, because a new name
// is metadata too; tags come along by themselves.
func (s *Store) Copy(ctx context.Context, from Object, key, filename string) error {
	if from.Size > maxCopy {
		return invalid(gateway.UnprocessableValue, "file_id", "is larger than the %d bytes that the storage can copy or rename", int64(maxCopy))
	}
	resp, err := s.Client.Do(ctx, backend.Request{Method: http.MethodHead, Bucket: s.Bucket, Key: from.Key})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return backend.ReadError(resp)
	}
	found := objectFrom(from.Key, resp.Header)
	if !s.Gate.Verified(from.Key, resp.Header) || found.ETag != from.ETag || found.ContentType != from.ContentType || found.Size != from.Size {
		return replaced() // it was checked a moment ago
	}
	in, err := s.copyInput(resp.Header, from.Key, key, filename)
	if err != nil {
		return err
	}
	in.Bucket, in.Key = &s.Bucket, &key
	in.CopySource = aws.String(s.Bucket + "/" + signer.EncodePath(from.Key) + s.versionOf(resp.Header))
	in.CopySourceIfMatch = aws.String(`"` + from.ETag + `"`)
	change := s.Cache.Change(s.Client.Name, s.Bucket, key)
	defer change.Done(false)
	_, err = s.Client.S3().CopyObject(ctx, in)
	if err != nil {
		e := fromSDK(err)
		change.Done(kindOf(gateway.AsError(e)).status < 500)
		return e
	}
	change.Done(true)
	return nil
}

// versionOf pins a copy's source by its version, where it has one that no later
// write replaces.
func (s *Store) versionOf(h http.Header) string {
	id := h.Get("X-Amz-Version-Id")
	if id == "" || id == "null" {
		return ""
	}
	return "?versionId=" + signer.EncodeQuery(id)
}

// copyInput keeps what the source has, under another original name and with the
// mark of the target.
func (s *Store) copyInput(h http.Header, from, key, filename string) (*s3.CopyObjectInput, error) {
	in := backend.CopyInput(h)
	own := http.Header{filenameMeta: {escapeName(filename)}}
	if err := s.Gate.Stamp(key, own); err != nil {
		return nil, err
	}
	for name := range in.Metadata {
		if strings.HasPrefix(name, reservedMeta) {
			delete(in.Metadata, name)
		}
	}
	maps.Copy(in.Metadata, userMetadata(own))
	return in, nil
}

// SetTags replaces the tags of an object.
func (s *Store) SetTags(ctx context.Context, key string, tags map[string]string) error {
	if !s.Tags {
		return gateway.Errorf(gateway.NotImplemented, "The storage has no tags.")
	}
	change := s.Cache.Change(s.Client.Name, s.Bucket, key)
	defer change.Done(false)
	set := &types.Tagging{TagSet: []types.Tag{}}
	for name, value := range tags {
		set.TagSet = append(set.TagSet, types.Tag{Key: &name, Value: &value})
	}
	_, err := s.Client.S3().PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &s.Bucket, Key: &key, Tagging: set})
	if err != nil {
		e := fromSDK(err)
		change.Done(kindOf(gateway.AsError(e)).status < 500)
		return e
	}
	change.Done(true)
	return nil
}

// DeleteAll removes the newest version of each.
func (s *Store) DeleteAll(ctx context.Context, keys []string) (map[string]error, error) {
	list := make([]types.ObjectIdentifier, len(keys))
	for i, key := range keys {
		list[i].Key = &key
	}
	change, known := s.Cache.Change(s.Client.Name, s.Bucket, keys...), false
	defer func() { change.Done(known) }()
	out, err := s.Client.S3().DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &s.Bucket, Delete: &types.Delete{Objects: list, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return nil, fromSDK(err)
	}
	known = true
	failed := map[string]error{}
	for _, e := range out.Errors {
		if code := gateway.Code(aws.ToString(e.Code)); code != gateway.NoSuchKey {
			failed[aws.ToString(e.Key)] = &gateway.Error{Code: code, Message: aws.ToString(e.Message), Status: statusOf(code)}
		}
	}
	return failed, nil
}

// statusOf is the status of a failure in a batch, where S3 gives only a code.
func statusOf(code gateway.Code) int {
	if k, ok := kinds[code]; ok {
		return k.status
	}
	return http.StatusServiceUnavailable
}
