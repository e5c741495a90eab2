package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// idempotencyPrefix is the folder of the records of Idempotency-Key.
	idempotencyPrefix = gateway.ReservedPrefix + "idempotency/"
	// maxRecord bounds such a record, in bytes.
	maxRecord = 64 << 10
	// RecordLife is how long an answer is kept for its Idempotency-Key.
	RecordLife = 24 * time.Hour
	// takeOverAfter is how long a request that gave no sign of life keeps its
	// key; renewAfter is how often a running upload gives one.
	takeOverAfter = 15 * time.Minute
	renewAfter    = 5 * time.Minute
	// underWayRetry is what a client is told whose request is under way.
	underWayRetry = 5 * time.Second
)

// The states of a record. A request that failed without an outcome frees its
// key: the next one may take it at once, under the same file id, so that there
// can never be two files.
const (
	stateUnderWay = "under-way"
	stateFree     = "free"
	stateDone     = "done"
)

// record is what is kept for one Idempotency-Key. It holds no secret: of a link
// only what it is made of, never its signature.
type record struct {
	Owner     string    `json:"owner"` // random, so that no two claims have one ETag
	State     string    `json:"state"`
	Operation string    `json:"operation"`
	Created   time.Time `json:"created"`
	Touched   time.Time `json:"touched"` // last written
	Expires   time.Time `json:"expires"`
	FileID    string    `json:"file_id"`
	// Filename and Declared are the file's as sent; Promise is what a link
	// was asked for, as JSON.
	Filename string          `json:"filename,omitempty"`
	Declared string          `json:"declared,omitempty"`
	Promise  json.RawMessage `json:"promise,omitempty"`
	// Size and SHA256 are of the stored file.
	Size   int64         `json:"size"`
	SHA256 string        `json:"sha256,omitempty"`
	Answer *storedAnswer `json:"answer,omitempty"`
}

// storedAnswer is an answer as it was given.
type storedAnswer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
}

// claim is one request's hold on its Idempotency-Key. A nil claim is a request
// without one. It is safe for concurrent use: an upload is read by the
// transport.
type claim struct {
	door *door
	key  string // of the record's object

	mu     sync.Mutex
	record record
	saved  *RecordState // nil while there is no record
	over   bool         // ended, or taken over: the record is not ours to write
}

// once finds the request's Idempotency-Key and what is known of it.
func (d *door) once(r *http.Request, operation string) (*claim, error) {
	key, err := idempotencyKey(r.Header)
	if key == "" || err != nil {
		return nil, err
	}
	if d.Records == nil || len(d.IdempotencyKey) == 0 {
		return nil, gateway.Errorf(gateway.ServiceUnavailable,
			"Idempotency-Key needs a secret that all replicas share: set GATEWAY_ACCESS_KEY_ID and GATEWAY_SECRET_ACCESS_KEY.").
			With("Setting", "GATEWAY_SECRET_ACCESS_KEY")
	}
	c := &claim{door: d, key: d.recordKeyFor(callerOf(r).Owner(), key)}
	if err := c.load(r.Context()); err != nil {
		return nil, err
	}
	if c.known() && c.record.Operation != operation {
		return nil, anotherRequest()
	}
	return c, nil
}

// load reads the record. One that cannot be read, or is too old, counts as
// none, but is replaced and not made.
func (c *claim) load(ctx context.Context) error {
	c.record, c.saved = record{}, nil
	body, at, err := c.door.Records.OpenRecord(ctx, c.key)
	if gateway.CodeOf(err) == gateway.NoSuchKey {
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxRecord))
	if err != nil {
		return err
	}
	c.saved = &at
	var found record
	if json.Unmarshal(raw, &found) == nil && c.door.Now().Before(found.Expires) {
		c.record = found
	}
	return nil
}

// known reports a record that still counts; done one with its answer.
func (c *claim) known() bool { return c != nil && c.record.State != "" }
func (c *claim) done() bool  { return c.known() && c.record.State == stateDone }

// busy reports that another request holds the key and lives.
func (c *claim) busy() bool {
	return c.known() && c.record.State == stateUnderWay && c.door.Now().Sub(c.record.Touched) < takeOverAfter
}

// take makes the key this request's.
func (c *claim) take(ctx context.Context, want record) error {
	if c.busy() {
		return underWay()
	}
	var err error
	if want.Owner, err = uuid4(c.door.Random); err != nil {
		return err
	}
	c.record = want
	err = c.write(ctx, want.State)
	switch {
	case errors.Is(err, errRecordChanged):
		return underWay()
	case gateway.CodeOf(err) == gateway.NotImplemented:
		return gateway.Errorf(gateway.NotImplemented,
			"The storage has no conditional writes, which Idempotency-Key needs: send the request without it.").Because(err)
	}
	return err
}

// write puts the record, in a new state, in place of the one that was read or
// written last.
func (c *claim) write(ctx context.Context, state string) error {
	now := c.door.Now()
	c.record.State, c.record.Touched = state, now
	if c.record.Expires.IsZero() { // an upload that runs longer than a day keeps its key
		c.record.Expires = now.Add(RecordLife)
	}
	raw, err := json.Marshal(c.record)
	if err != nil {
		return err
	}
	saved, err := c.door.Records.WriteRecord(ctx, c.key, c.saved, raw)
	if err == nil {
		c.saved = &saved
	}
	return err
}

// renew says that the upload still runs, when it is time to. An upload whose
// key was taken over meanwhile ends: another one writes the same file.
func (c *claim) renew(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.door.Now().Sub(c.record.Touched) < renewAfter {
		return nil
	}
	err := c.write(ctx, stateUnderWay)
	if errors.Is(err, errRecordChanged) {
		c.over = true
		return underWay()
	}
	return nil // the store may be away for a moment; the upload itself will tell
}

// finish keeps the answer. The file is stored whatever comes of it: a retry
// then finds the file under the record's id.
func (c *claim) finish(ctx context.Context, stored Object, a *storedAnswer) {
	c.end(ctx, func(ctx context.Context) error {
		c.record.Size, c.record.SHA256, c.record.Answer = stored.Size, stored.SHA256, a
		return c.write(ctx, stateDone)
	})
}

// abandon gives the key back. After a refusal nothing is stored, so that the
// client may send something else; after a failure the outcome may be unknown,
// so that only the same request can go on.
func (c *claim) abandon(ctx context.Context, why error) {
	refused := kindOf(gateway.AsError(why)).status < http.StatusInternalServerError
	c.end(ctx, func(ctx context.Context) error {
		if refused && c.door.Now().Sub(c.record.Touched) < takeOverAfter {
			return c.door.Records.DeleteRecord(ctx, c.key, *c.saved)
		}
		return c.write(ctx, stateFree)
	})
}

// end writes the last word, once, also when the client has gone.
func (c *claim) end(ctx context.Context, last func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := last(ctx); err != nil {
		c.door.log.Warn().Err(err).Msg("the record of an Idempotency-Key could not be written")
	}
}

// renewing is a body that keeps its claim alive while it is read.
type renewing struct {
	io.Reader
	claim *claim
	ctx   context.Context
}

// Read fails when the claim was lost. It looks behind each read, because that is
// where the time goes.
func (b renewing) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if lost := b.claim.renew(b.ctx); lost != nil {
		return n, lost
	}
	return n, err
}

func underWay() error {
	err := gateway.Errorf(gateway.Conflict, "A request with this Idempotency-Key is under way. Please try again.")
	err.Field, err.RetryAfter = idempotencyHeader, underWayRetry
	return err
}

func anotherRequest() error {
	return invalid(gateway.UnprocessableValue, idempotencyHeader, "was used for another request: take a new key for another file")
}
