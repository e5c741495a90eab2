package quota

import (
	"context"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
)

// object measures one version of an object, the one that is read by its key
// alone where version is empty. What is not there has no size; a delete marker
// has none either.
func (g *Guard) object(q *request, bucket, key, version string) func(context.Context) (state, error) {
	return g.head(g.headOf(q, bucket, key, version))
}

// headOf is the question for the size of one version.
func (g *Guard) headOf(q *request, bucket, key, version string) *s3.HeadObjectInput {
	in := &s3.HeadObjectInput{Bucket: &bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = q.customerKey()
	return in
}

func (g *Guard) head(in *s3.HeadObjectInput) func(context.Context) (state, error) {
	return func(ctx context.Context) (state, error) {
		ctx, cancel := context.WithTimeout(ctx, measureTimeout)
		defer cancel()
		out, err := g.Client.S3().HeadObject(ctx, in)
		switch {
		case err == nil:
			return state{Usage: Usage{aws.ToInt64(out.ContentLength), 1}, version: aws.ToString(out.VersionId)}, nil
		case absent(err):
			return state{}, nil
		}
		return state{}, err
	}
}

// currentObject measures the object that is read by its key. Whether the next write
// takes its place depends on the bucket too: MinIO's HEAD of an object from before
// versions names none.
func (g *Guard) currentObject(q *request) func(context.Context) (state, error) {
	measure := g.object(q, q.bucket, q.key, "")
	return func(ctx context.Context) (state, error) {
		s, err := measure(ctx)
		if err == nil && s.Objects > 0 && !s.versioned() {
			s.stays = g.versions.kept(ctx, g.Client.S3(), q.bucket, g.Keeper.options.Now())
		}
		return s, err
	}
}

// hidden measures what a delete marker may be in front of: the version of an
// object from before its bucket had versions.
func (g *Guard) hidden(q *request, bucket, key string) func(context.Context) (state, error) {
	null := g.object(q, bucket, key, "null")
	return func(ctx context.Context) (state, error) {
		s, err := null(ctx)
		if unsupported(err) {
			return state{}, nil
		}
		return s, err
	}
}

// absent reports the answers for what is not there: 404, and 405 for a delete
// marker that was asked for by its version.
func absent(err error) bool {
	return status(err) == http.StatusNotFound || status(err) == http.StatusMethodNotAllowed
}

// part measures one part of an upload. MinIO lists nothing behind a marker that is
// no part, so an answer counts only when it shows the part or the one before it;
// otherwise the whole list does.
func (g *Guard) part(bucket, key, upload string, n int) func(context.Context) (state, error) {
	return func(ctx context.Context) (state, error) {
		ctx, cancel := context.WithTimeout(ctx, measureTimeout)
		defer cancel()
		in := &s3.ListPartsInput{
			Bucket: &bucket, Key: &key, UploadId: &upload, MaxParts: aws.Int32(2), PartNumberMarker: aws.String(strconv.Itoa(max(n-2, 0))),
		}
		out, err := g.Client.S3().ListParts(ctx, in)
		if err == nil && len(out.Parts) == 0 && n > 2 {
			in.MaxParts, in.PartNumberMarker = nil, nil
			return sumParts(ctx, g.Client.S3(), in, func(p types.Part) bool { return aws.ToInt32(p.PartNumber) == int32(n) })
		}
		if absent(err) {
			return state{}, nil
		}
		if err != nil {
			return state{}, err
		}
		s := state{}
		for _, p := range out.Parts {
			if aws.ToInt32(p.PartNumber) == int32(n) {
				s.Bytes = aws.ToInt64(p.Size)
			}
		}
		return s, nil
	}
}

// parts measures all parts of an upload.
func (g *Guard) parts(bucket, key, upload string) func(context.Context) (state, error) {
	return func(ctx context.Context) (state, error) {
		ctx, cancel := context.WithTimeout(ctx, measureTimeout)
		defer cancel()
		return sumParts(ctx, g.Client.S3(), &s3.ListPartsInput{Bucket: &bucket, Key: &key, UploadId: &upload}, nil)
	}
}

// sumParts sums the parts of an upload that count, or all of them. An upload that
// ended has none.
func sumParts(ctx context.Context, client *s3.Client, in *s3.ListPartsInput, counts func(types.Part) bool) (s state, err error) {
	pages := s3.NewListPartsPaginator(client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		switch {
		case absent(err):
			return state{}, nil
		case err != nil:
			return state{}, err
		}
		for _, p := range page.Parts {
			if counts == nil || counts(p) {
				s.Bytes += aws.ToInt64(p.Size)
			}
		}
	}
	return s, nil
}

// incoming is what a request stores.
func (g *Guard) incoming(ctx context.Context, q *request) (Usage, error) {
	switch q.kind {
	case putsObject:
		if q.record {
			return Usage{Bytes: q.length}, nil
		}
		return Usage{max(q.length, 0), 1}, nil
	case putsPart:
		return Usage{max(q.length, 0), 0}, nil
	case completes:
		return Usage{0, 1}, nil // its bytes are counted as those of its parts
	case copiesObject, copiesPart:
	default:
		return Usage{}, nil
	}
	bucket, key, version, err := q.source()
	if err != nil {
		return Usage{}, err
	}
	from := *q
	from.header = http.Header{}
	for _, name := range []string{"Algorithm", "Key", "Key-Md5"} {
		if v := q.header.Get("X-Amz-Copy-Source-Server-Side-Encryption-Customer-" + name); v != "" {
			from.header.Set("X-Amz-Server-Side-Encryption-Customer-"+name, v)
		}
	}
	// What is measured is what the request pins: a source that is small for a
	// moment must not be charged in place of the one that is copied.
	in := g.headOf(&from, bucket, key, version)
	if etag := q.header.Get("X-Amz-Copy-Source-If-Match"); etag != "" {
		in.IfMatch = &etag
	}
	source, err := g.head(in)(ctx)
	if status(err) == http.StatusPreconditionFailed {
		return Usage{}, gateway.Errorf(gateway.PreconditionFailed, "").With("Condition", "x-amz-copy-source-If-Match").Because(err)
	}
	if err != nil {
		return Usage{}, gateway.Errorf(gateway.ServiceUnavailable, "The size of the copy source is not known, so that it cannot be held against the quota. Please try again.").Because(err)
	}
	if q.kind == copiesPart {
		return Usage{q.copied(source.Bytes), 0}, nil
	}
	return source.Usage, nil
}
