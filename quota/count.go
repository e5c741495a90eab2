package quota

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

const (
	// lookEvery is how often Run looks whether a quota is to be counted.
	lookEvery = 5 * time.Second
	// soon is the least time between two countings of a quota, and restShare how
	// much longer than a counting takes the pause after it is at least: whoever
	// raises doubts must not keep a store busy with listings.
	soon      = time.Minute
	restShare = 10
)

// Run counts what is stored under each quota: at once where that was never done,
// soon where it is in doubt, and otherwise as often as the options say. It
// returns when ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		for _, q := range k.all() {
			if k.due(ctx, q.Name) && ctx.Err() == nil {
				k.count(ctx, q)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.wake:
		}
	}
}

// counting is the last counting of a quota that was heard of.
type counting struct {
	number int64
	at     time.Time
	took   time.Duration
}

// due reports whether a quota is to be counted by this replica now.
func (k *Keeper) due(ctx context.Context, name string) bool {
	used, number, err := k.book().Used(ctx, name)
	if err == nil {
		k.mirror(name, used)
	}
	if err != nil && !errors.Is(err, ErrNotCounted) {
		_, number, err = k.local.Used(ctx, name)
	}
	if err != nil {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	last, known := k.counted[name]
	if !known {
		// Others counted it, and what this replica did when it ended last time
		// it may not have settled.
		k.doubtful[name] = true
	}
	if last.number != number {
		// Another replica did, not long ago.
		last = counting{number: number, at: k.options.Now()}
		k.counted[name] = last
	}
	age := k.options.Now().Sub(last.at)
	return age >= k.options.Every || k.doubtful[name] && age >= max(soon, restShare*last.took)
}

// book is where countings are written down.
func (k *Keeper) book() Book {
	if k.options.Shared != nil {
		return k.options.Shared
	}
	return &k.local
}

// count lists what is stored under one quota, unless another replica does.
func (k *Keeper) count(ctx context.Context, q *Quota) {
	leave, ok := k.claim(ctx, "count "+q.Name)
	if !ok {
		return
	}
	defer leave()
	k.mu.Lock()
	delete(k.doubtful, q.Name)
	k.mu.Unlock()
	began := k.options.Now()
	used, number, err := k.recount(ctx, q)
	k.mu.Lock()
	defer k.mu.Unlock()
	took := k.options.Now().Sub(began)
	k.counted[q.Name] = counting{number, k.options.Now(), took}
	if err != nil {
		k.doubtful[q.Name] = true
		if k.failed[q.Name] == nil && ctx.Err() == nil {
			k.options.Log.Error().Err(err).Str("quota", q.Name).Msg("what is stored could not be counted for a quota; it is tried again")
		}
		k.failed[q.Name] = err
		return
	}
	delete(k.failed, q.Name)
	close(k.changed)
	k.changed = make(chan struct{})
	k.options.Log.Debug().Str("quota", q.Name).Int64("bytes", used.Bytes).Int64("objects", used.Objects).
		Dur("took", took).Msg("quota counted")
}

// recount counts, and gives what is written down then.
func (k *Keeper) recount(ctx context.Context, q *Quota) (used Usage, number int64, err error) {
	book := k.book()
	before, err := book.Grown(ctx, q.Name)
	if err != nil {
		// Redis is away: this replica's own book counts meanwhile.
		book = &k.local
		before, _ = book.Grown(ctx, q.Name)
	}
	found, err := k.list(ctx, q)
	if err != nil {
		return Usage{}, 0, err
	}
	if err := book.Counted(ctx, q.Name, found, before); err != nil {
		return Usage{}, 0, err
	}
	if used, number, err = book.Used(ctx, q.Name); err == nil && book != Book(&k.local) {
		k.mirror(q.Name, used)
	}
	return used, number, err
}

// list sums what is stored in the places of a quota. Uploads come first: what
// becomes an object meanwhile is then seen twice, not never.
func (k *Keeper) list(ctx context.Context, q *Quota) (sum Usage, err error) {
	for i, p := range q.Places {
		v, ok := k.clients.Load(p.Backend)
		if !ok {
			return Usage{}, errors.New("there is no backend " + p.Backend)
		}
		client := v.(*backend.Client)
		buckets := []string{p.Bucket}
		if p.Bucket == "" {
			if buckets, err = bucketsOf(ctx, client); err != nil {
				return Usage{}, err
			}
		}
		for _, bucket := range buckets {
			l := lister{client: client, bucket: bucket, prefix: p.Prefix, counts: func(key string) bool {
				return !gateway.Reserved(key) && q.place(p.Backend, bucket, countedKey(client, key)) == i
			}}
			if p.Bucket == "" && !p.Buckets(bucket) {
				continue
			}
			if err := l.all(ctx); err != nil {
				return Usage{}, err
			}
			sum = sum.plus(l.sum)
		}
	}
	return sum, nil
}

func bucketsOf(ctx context.Context, c *backend.Client) (names []string, err error) {
	pages := s3.NewListBucketsPaginator(c.S3(), &s3.ListBucketsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range page.Buckets {
			names = append(names, aws.ToString(b.Name))
		}
	}
	return names, nil
}

// lister sums what is stored in one bucket under one prefix.
type lister struct {
	client         *backend.Client
	bucket, prefix string
	counts         func(key string) bool
	sum            Usage
}

func (l *lister) all(ctx context.Context) error {
	if err := l.uploads(ctx); err != nil && !gone(err) && !unsupported(err) {
		return err
	}
	if err := l.records(ctx); err != nil && !gone(err) {
		return err
	}
	ofUploads := l.sum
	err := l.versions(ctx)
	if unsupported(err) {
		l.sum = ofUploads
		err = l.objects(ctx)
	}
	if gone(err) {
		return nil // a bucket that is not there holds nothing
	}
	return err
}

func (l *lister) add(key string, size int64, objects int64) {
	if l.counts(key) {
		l.sum = l.sum.plus(Usage{size, objects})
	}
}

func (l *lister) uploads(ctx context.Context) error {
	return l.client.EachUpload(ctx, l.bucket, func(key string, u types.MultipartUpload) error {
		if !strings.HasPrefix(key, l.prefix) || !l.counts(key) {
			return nil
		}
		parts, err := sumParts(ctx, l.client.S3(), &s3.ListPartsInput{Bucket: &l.bucket, Key: &key, UploadId: u.UploadId}, nil)
		if err == nil {
			l.add(key, parts.Bytes, 0)
		}
		return err
	})
}

func (l *lister) versions(ctx context.Context) error {
	return l.client.EachVersion(ctx, l.bucket, l.prefix, func(key string, v types.ObjectVersion) {
		l.add(key, aws.ToInt64(v.Size), 1)
	})
}

func (l *lister) objects(ctx context.Context) error {
	pages := s3.NewListObjectsV2Paginator(l.client.S3(), &s3.ListObjectsV2Input{Bucket: &l.bucket, Prefix: &l.prefix, EncodingType: types.EncodingTypeUrl})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			l.add(backend.ListedName(page.EncodingType, o.Key), aws.ToInt64(o.Size), 1)
		}
	}
	return nil
}

// gone reports a bucket that is not there.
func gone(err error) bool { return status(err) == http.StatusNotFound }

// unsupported reports a listing that a store does not know.
func unsupported(err error) bool {
	return status(err) == http.StatusNotImplemented || status(err) == http.StatusMethodNotAllowed || status(err) == http.StatusBadRequest
}

func status(err error) int {
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		return 0
	}
	return answer.HTTPStatusCode()
}
