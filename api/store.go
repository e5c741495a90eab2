package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/verify"
)

// Store is the ObjectStore over one bucket of a backend. It is safe for
// concurrent use.
type Store struct {
	// Client reaches the backend; Bucket is the bucket's name there.
	Client *backend.Client
	Bucket string
	// Cache holds metadata, shared with the S3 door; nil is none.
	Cache *cache.Metadata
	// FullObjectChecksum says that the backend takes a CRC64NVME checksum of
	// a whole multipart object. Without it each part's SHA-256 is compared.
	FullObjectChecksum bool
	// Tags says that the backend takes object tags: the SHA-256 of a
	// multipart object is kept in one.
	Tags bool
	// PublicURL is where clients reach the backend, nil for its own address.
	PublicURL *url.URL
	// Gate tells which objects came past the gateway and were not judged yet;
	// nil is none.
	Gate *verify.Gate
	// Log takes what no client is told: an upload that could not be aborted.
	Log zerolog.Logger

	counts tagCounts
}

// NewStore makes a Store on a backend that takes tags, and full-object
// checksums where it takes trailing ones. A nil client is for a door that is
// never Ready.
func NewStore(c *backend.Client, bucket string, metadata *cache.Metadata) *Store {
	return &Store{Client: c, Bucket: bucket, Cache: metadata, FullObjectChecksum: c != nil && c.Trailers, Tags: true}
}

var _ ObjectStore = (*Store)(nil)

// headVariant marks this door's cache entries: a HEAD with checksums, and the
// tags, which no header of S3 carries, beside it.
const (
	headVariant = "rest"
	tagsHeader  = "X-S3gateway-Tags"
)

// Head asks the cache, then the backend.
func (s *Store) Head(ctx context.Context, key string) (Object, bool, error) {
	at := cache.Key{Backend: s.Client.Name, Bucket: s.Bucket, Object: key, Variant: headVariant}
	if e, ok := s.Cache.Get(at); ok {
		return s.object(key, e.Header), true, nil
	}
	filling := s.Cache.Fill(at)
	resp, err := s.Client.Do(ctx, backend.Request{
		Method: http.MethodHead, Bucket: s.Bucket, Key: key,
		Header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}},
	})
	if err != nil {
		return Object{}, false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Object{}, false, backend.ReadError(resp)
	}
	header := resp.Header.Clone()
	header.Del(tagsHeader) // ours, whatever a backend may send
	tags, err := s.tagsOf(ctx, key, header)
	if err != nil {
		return Object{}, false, err
	}
	if len(tags) > 0 {
		header.Set(tagsHeader, tags.Encode())
	}
	filling.Put(cache.Entry{Header: header})
	return s.object(key, header), false, nil
}

// object is what a HEAD's headers tell, with the tags that were put beside them.
func (s *Store) object(key string, header http.Header) Object {
	o := withTags(objectFrom(key, header), header)
	o.Unverified = !s.Gate.Verified(key, header)
	return o
}

// withTags reads the tags back. The SHA-256 tag stands in for the checksum only
// on a multipart object, which has none of its own: its ETag has a part count.
func withTags(o Object, header http.Header) Object {
	tags, err := url.ParseQuery(header.Get(tagsHeader))
	if err != nil {
		return o
	}
	for name := range tags {
		o.Tags[name] = tags.Get(name)
	}
	if sum := o.Tags[sha256Tag]; o.SHA256 == "" && len(sum) == 64 && strings.Contains(o.ETag, "-") {
		o.SHA256 = sum
	}
	return o
}

// Delete removes the newest version.
func (s *Store) Delete(ctx context.Context, key, etag string) error {
	change := s.Cache.Change(s.Client.Name, s.Bucket, key)
	defer change.Done(false)
	req := backend.Request{Method: http.MethodDelete, Bucket: s.Bucket, Key: key}
	send := s.Client.Do
	if etag != "" {
		send = func(ctx context.Context, req backend.Request) (*http.Response, error) {
			return s.Client.DeleteIf(ctx, req, backend.DeleteConditions{Match: `"` + etag + `"`})
		}
	}
	resp, err := send(ctx, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotFound {
		e := backend.ReadError(resp)
		change.Done(resp.StatusCode < 500)
		return e
	}
	change.Done(true)
	return nil
}

// List goes by the last key of the page before and not by the backend's
// continuation token, so that a cursor stays good on every replica and after
// the object it stands on is gone.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (Page, error) {
	in := &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &prefix, MaxKeys: aws.Int32(int32(limit)), EncodingType: types.EncodingTypeUrl}
	if after != "" {
		in.StartAfter = &after
	}
	out, err := s.Client.S3().ListObjectsV2(ctx, in)
	if err != nil {
		return Page{}, fromSDK(err)
	}
	page := Page{More: aws.ToBool(out.IsTruncated)}
	for _, o := range out.Contents {
		page.Objects = append(page.Objects, objectFromList(backend.ListedName(out.EncodingType, o.Key), o))
	}
	return page, nil
}

func objectFromList(key string, o types.Object) Object {
	return Object{
		Key: key, Size: aws.ToInt64(o.Size),
		Modified: aws.ToTime(o.LastModified), ETag: bareETag(aws.ToString(o.ETag)),
	}
}

// URL is the object's URL at the backend, in its style.
func (s *Store) URL(key string) *url.URL { return s.Client.ObjectURL(s.PublicURL, s.Bucket, key) }

// fromSDK is backend.FromSDK for a call that may have got no answer at all: the
// SDK then gives an answer without a status.
func fromSDK(err error) error {
	e := gateway.AsError(backend.FromSDK(err))
	if e.Code == gateway.Internal && e.Status == 0 {
		return &gateway.Error{
			Code: gateway.ServiceUnavailable, Message: "The storage backend is not reachable. Please try again.",
			RetryAfter: bufferRetry, Err: err,
		}
	}
	return e
}
