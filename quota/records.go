package quota

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
)

// A record of the gateway with bytes of a file that is not whole yet says whose
// they are. They count as the file's.
const (
	// RecordKey is the header with the file's key, percent-encoded.
	RecordKey = "X-Amz-Meta-S3gateway-Key"
	// RecordBytes is the header with the number of bytes that count, in decimal.
	RecordBytes = "X-Amz-Meta-S3gateway-Bytes"

	// countedRecords is where those records lie.
	countedRecords = gateway.ReservedPrefix + "tus"
)

type replacingKey struct{}

// Replacing has a write need n bytes less of a quota: so many of its bytes are
// counted already, in records that go as soon as it is done.
func Replacing(ctx context.Context, n int64) context.Context {
	return context.WithValue(ctx, replacingKey{}, n)
}

// growth is what storing so much under a window adds, without what is counted
// already.
func (c *change) growth(v *visit, incoming Usage) Usage {
	growth := v.growth(incoming)
	n, _ := c.ctx.Value(replacingKey{}).(int64)
	growth.Bytes -= n
	return growth
}

// record is the resource of a request that writes or removes a record with bytes
// of a file, nil for any other record.
func (g *Guard) record(ctx context.Context, rules *Rules, q *request) ([]resource, error) {
	if !strings.HasPrefix(q.key, countedRecords) {
		return nil, nil
	}
	target, bytes := q.header.Get(RecordKey), q.header.Get(RecordBytes)
	switch q.kind {
	case putsObject:
		n, err := strconv.ParseInt(bytes, 10, 64)
		if err != nil {
			return nil, nil
		}
		q.record, q.length = true, n
	case deletes:
		now, err := g.headRecord(ctx, q.bucket, q.key, q.version())
		if err != nil {
			return nil, err
		}
		target = now.target
	}
	key, err := url.PathUnescape(target)
	if err != nil || key == "" {
		return nil, nil
	}
	r := resource{
		name: g.Client.Name + " " + q.bucket + "/" + q.key + "?versionId=" + q.version(), current: q.version() == "",
		quotas: rules.of(g.Client.Name, q.bucket, gateway.CleanKey(key)),
		measure: func(ctx context.Context) (state, error) {
			now, err := g.headRecord(ctx, q.bucket, q.key, q.version())
			return now.state, err
		},
	}
	if len(r.quotas) == 0 {
		return nil, nil
	}
	return []resource{r}, nil
}

// recorded is what a record says.
type recorded struct {
	state
	target string
}

func (g *Guard) headRecord(ctx context.Context, bucket, key, version string) (recorded, error) {
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	return headRecord(ctx, g.Client.S3(), bucket, key, version)
}

// headRecord reads what a record says. One that is not there says nothing.
func headRecord(ctx context.Context, client *s3.Client, bucket, key, version string) (recorded, error) {
	in := &s3.HeadObjectInput{Bucket: &bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	out, err := client.HeadObject(ctx, in)
	if absent(err) {
		return recorded{}, nil
	}
	if err != nil {
		return recorded{}, err
	}
	meta := http.Header{}
	for name, value := range out.Metadata {
		meta.Set("X-Amz-Meta-"+name, value)
	}
	n, _ := strconv.ParseInt(meta.Get(RecordBytes), 10, 64)
	return recorded{state{Usage: Usage{Bytes: max(n, 0)}, version: aws.ToString(out.VersionId)}, meta.Get(RecordKey)}, nil
}

// records sums the bytes of unfinished files in the gateway's records.
func (l *lister) records(ctx context.Context) error {
	pages := s3.NewListObjectsV2Paginator(l.client.S3(), &s3.ListObjectsV2Input{Bucket: &l.bucket, Prefix: aws.String(countedRecords)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			now, err := headRecord(ctx, l.client.S3(), l.bucket, aws.ToString(o.Key), "")
			if err != nil {
				return err
			}
			if key, err := url.PathUnescape(now.target); err == nil && strings.HasPrefix(key, l.prefix) {
				l.add(key, now.Bytes, 0)
			}
		}
	}
	return nil
}
