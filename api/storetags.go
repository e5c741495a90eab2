package api

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
)

// tagCount is how many tags an object has, in the answer to a HEAD. Objects
// without tags carry none.
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html)
const tagCount = "X-Amz-Tagging-Count"

// tagCounts is what was learned of a backend's HEAD: an absent count means no
// tags only where a count was seen, since other backends never send one. The
// zero value has learned nothing. It is safe for concurrent use.
type tagCounts struct{ seen, missed atomic.Bool }

// none reports an object that is known to have no tags.
func (c *tagCounts) none(head http.Header) bool {
	count := head.Get(tagCount)
	if count != "" {
		c.seen.Store(true)
	}
	return count == "0" || count == "" && c.seen.Load() && !c.missed.Load()
}

// compare notes a backend that had tags and did not count them.
func (c *tagCounts) compare(head http.Header, tags url.Values) {
	if head.Get(tagCount) == "" && len(tags) > 0 {
		c.missed.Store(true)
	}
}

// tagsOf gives the tags of an object whose HEAD is known, with a request of
// their own only if there may be any.
func (s *Store) tagsOf(ctx context.Context, key string, head http.Header) (url.Values, error) {
	if !s.Tags || s.counts.none(head) {
		return nil, nil
	}
	tags, err := s.readTags(ctx, key)
	s.counts.compare(head, tags)
	return tags, err
}

// readTags gives no tags where the backend has none, or does not let the
// gateway read them.
func (s *Store) readTags(ctx context.Context, key string) (url.Values, error) {
	out, err := s.Client.S3().GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &s.Bucket, Key: &key})
	if err != nil {
		e := gateway.AsError(fromSDK(err))
		if e.Status == http.StatusForbidden || e.Code == gateway.NotImplemented || e.Code == "NoSuchTagSet" {
			s.Log.Debug().Err(err).Msg("the tags of an object cannot be read")
			return nil, nil
		}
		return nil, e
	}
	tags := url.Values{}
	for _, t := range out.TagSet {
		tags.Set(aws.ToString(t.Key), aws.ToString(t.Value))
	}
	return tags, nil
}
