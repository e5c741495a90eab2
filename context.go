package gateway

import (
	"context"
	"sync"
	"time"
)

// Record is what one request leaves in the access log. It is filled on the way
// and written once at the end. It is safe for concurrent use through Update.
type Record struct {
	mu sync.Mutex
	Fields
}

// Fields are the facts of a Record.
type Fields struct {
	ID        string // the gateway's own request id
	Start     time.Time
	Client    string // the client's address without a port, "unix" for a socket
	Door      Door
	Operation string // S3 operation name, or the REST route's name
	Action    Action // what it asks for; "" for what changes nothing and needs no right
	Caller    string
	Bucket    string
	Key       string
	Backend   string // request id of the backend's answer
	Cache     string // "hit", "miss" or ""
	Hint      string // for the log at DEBUG: the likely cause of a refusal
	Err       error
	// Begun is set when a backend may have changed something for the request: it
	// was sent whole, and the answer was not that nothing was done.
	Begun  bool
	Judged []Judged
	Asked  []Judged // what a batch asked of the backend, until Changed tells what was done
}

// Judged is one entry of the audit log about a key of its own: a denial, or a
// change that the request made beside the one that it is named for.
type Judged struct {
	Action      Action
	Bucket, Key string
	VersionID   string
	Denied      bool
	Rule        string // what denied it
}

// Changed notes for the audit log what a request changed of one key. Where it is
// used the request's own Action does not count any more.
func (r *Record) Changed(all ...Judged) {
	r.Update(func(f *Fields) {
		f.Action, f.Asked = "", nil
		f.Judged = append(f.Judged, all...)
	})
}

// Asks notes for the audit log the keys that a batch is about to ask the backend
// for: what is told of them when no answer comes.
func (r *Record) Asks(all ...Judged) {
	r.Update(func(f *Fields) { f.Asked = all })
}

// Update changes the record under its lock.
func (r *Record) Update(change func(*Fields)) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.Fields)
}

// Snapshot copies the facts as they are now. A nil record gives zero facts.
func (r *Record) Snapshot() Fields {
	if r == nil {
		return Fields{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Fields
}

type recordKey struct{}

// WithRecord puts the record of a request into its context.
func WithRecord(ctx context.Context, r *Record) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}

// RecordFrom gives the record of the request, nil when there is none; a nil
// *Record takes updates and forgets them.
func RecordFrom(ctx context.Context) *Record {
	r, _ := ctx.Value(recordKey{}).(*Record)
	return r
}
