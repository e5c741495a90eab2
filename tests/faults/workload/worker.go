package workload

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Program is one run of random steps against a store. Each worker has keys that
// no other touches, so that it knows what they must hold.
type Program struct {
	Client  *s3.Client
	Seed    uint64
	Workers int
	Steps   int  // per worker; negative: until the context ends
	Basic   bool // only the bucket "plain", and no uploads or copies
	// Lenient allows the answers of a store whose disk refuses writes.
	Lenient bool
	// Retry sends a request again until it is answered, as SDKs do.
	Retry bool
	// Stop, where it is not nil, ends the program between two steps.
	Stop func() bool
	// Note writes a line to the record of the run before the program goes on.
	Note func(Line)

	mu    sync.Mutex
	state *State
}

// Run runs the program on a store in the given state, and returns the state in
// which the store must be afterwards.
func (p *Program) Run(ctx context.Context, s *State) *State {
	p.state = s.Clone()
	var wg sync.WaitGroup
	for i := range p.Workers {
		w := p.worker(fmt.Sprintf("w%d", i), uint64(i))
		wg.Go(func() { w.run(ctx) })
	}
	wg.Wait()
	return p.state
}

func (p *Program) worker(name string, seed uint64) *worker {
	return &worker{p: p, name: name, rnd: rand.New(rand.NewPCG(p.Seed, seed))}
}

type worker struct {
	p    *Program
	name string
	rnd  *rand.Rand
	n    int
}

func (w *worker) run(ctx context.Context) {
	for _, step := range w.retries() {
		w.do(ctx, step)
	}
	stop := w.p.Stop
	if stop == nil {
		stop = func() bool { return false }
	}
	for i := 0; i != w.p.Steps && ctx.Err() == nil && !stop(); i++ {
		w.do(ctx, w.next())
		if w.rnd.IntN(4) == 0 {
			w.read(ctx)
		}
	}
}

// retries returns the steps that a client sends again after a broken answer, and
// some that were answered before.
func (w *worker) retries() []Step {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	var out []Step
	for _, s := range w.p.state.Retry {
		if w.owns(s.Key) {
			out = append(out, s)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(w.p.state.Completed)) {
		if s := w.p.state.Completed[k]; w.owns(s.Key) && w.rnd.IntN(8) == 0 {
			out = append(out, s)
		}
	}
	return out
}

func (w *worker) owns(key string) bool { return strings.HasPrefix(key, w.name+"/") }

// do runs one step: it is noted before it begins, and its answer before the next.
func (w *worker) do(ctx context.Context, step Step) Result {
	r := w.once(ctx, step)
	for again := w.p.Retry; again && w.open(r) && ctx.Err() == nil; {
		time.Sleep(5 * time.Millisecond)
		r = w.once(ctx, step)
	}
	return r
}

// open reports whether a client sends the step again.
func (w *worker) open(r Result) bool {
	return r.Outcome() == Unknown || r.Status == NotSent
}

func (w *worker) once(ctx context.Context, step Step) Result {
	w.p.Note(Line{Begin: &step})
	r := Do(ctx, w.p.Client, step)
	if ctx.Err() != nil {
		r.Status = 0
	}
	w.p.mu.Lock()
	if u := w.p.state.Uploads[step.Upload]; step.Action == Abort && r.Status == 404 && u.Gone {
		r.Status, r.Error = 204, "" // the attempt before, which was not answered
	}
	w.p.state.Apply(step, r)
	w.p.mu.Unlock()
	w.p.Note(Line{End: &r})
	if !w.p.allowed(r) && ctx.Err() == nil {
		w.bad(BadAnswer, "%s: status %d: %s", step, r.Status, r.Error)
	}
	for key, code := range r.Failed {
		if !w.p.Lenient {
			w.bad(BadAnswer, "%s: %s: %s", step, key, code)
		}
	}
	return r
}

func (p *Program) allowed(r Result) bool {
	switch {
	case r.Outcome() == Done:
		return r.Error == ""
	case p.Retry:
		return r.Status == 0 || r.Status == NotSent || r.Status == 503
	default:
		return p.Lenient && (r.Status == 507 || r.Status == 503)
	}
}

func (w *worker) bad(c Class, format string, args ...any) {
	w.p.Note(Line{Bad: &Violation{c, fmt.Sprintf(format, args...)}})
}

// patience is how long reads may be refused while the store opens its database
// again on a disk that refuses writes.
const patience = 2 * time.Second

// read compares the current version of one key with the state, sometimes a
// range of it.
func (w *worker) read(ctx context.Context) {
	bucket, key := w.bucket(), w.key()
	v, certain := w.current(bucket, key)
	if !certain {
		return
	}
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	var want Value
	if v != nil {
		want = v.Value
		if n := want.Size(); n > 1 && !w.p.Basic && w.rnd.IntN(2) == 0 {
			from := w.rnd.Int64N(n)
			to := from + w.rnd.Int64N(n-from)
			in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", from, to))
			want = want.Slice(from, to-from+1)
		}
	}
	o, err := get(ctx, w.p.Client, in)
	for end := time.Now().Add(patience); w.p.Lenient && StatusOf(err) == 503 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
		o, err = get(ctx, w.p.Client, in)
	}
	status := StatusOf(err)
	switch {
	case ctx.Err() != nil || w.p.Retry && (status <= 0 || status == 503):
	case status >= 500 && w.p.Lenient: // a disk that refuses writes can be read
		w.bad(BadAnswer, "GET %s/%s: %v", bucket, key, err)
	case v == nil && status != 404:
		w.bad(Resurrected, "%s/%s was deleted: GET %v, step %q", bucket, key, err, o.note)
	case v == nil:
	case status == 404:
		w.bad(Lost, "%s/%s of step %s: %v", bucket, key, v.Note, err)
	case err != nil:
		w.bad(Corrupt, "%s/%s of step %s: %v", bucket, key, v.Note, err)
	case o.note != v.Note || sum(o.body) != want.Sum():
		w.bad(Corrupt, "%s/%s of step %s: read headers of %q and wrong bytes: %t", bucket, key, v.Note, o.note, sum(o.body) != want.Sum())
	}
}

func (w *worker) current(bucket, key string) (*Version, bool) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	v, certain := w.p.state.current(path(bucket, key))
	if v != nil {
		c := *v
		v = &c
	}
	return v, certain
}
