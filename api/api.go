package api

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/drain"
	"github.com/codeguardians/s3gateway/policy"
)

// Root is the path that the door stands behind.
const Root = "/api/v1/upload"

// Options are all that the door needs. Store, Bucket, Policy, Auth, Region and
// CursorKey are required.
type Options struct {
	// Store holds the files; Bucket is its name as clients of the S3 door
	// know it.
	Store  ObjectStore
	Bucket string

	Policy *policy.Policy
	Auth   *policy.RESTAuth
	// Callers give the link credentials; nil makes no links.
	Callers *policy.Callers

	// Health asks the backend now; nil is always healthy.
	Health func(context.Context) error
	// Degraded gives what is not as it should be although requests are served,
	// for those who are told details of health; nil is nothing ever.
	Degraded func() error
	// Room refuses a file of so many bytes before they are sent, where Store
	// would refuse it for a quota; nil refuses none.
	Room func(ctx context.Context, id string, bytes int64) error
	// Ready is nil, or gives the refusal for every request but health while
	// there is no usable store.
	Ready func() error

	// S3Enabled is shown by health.
	S3Enabled bool
	// UploadPrefix is the folder of all ids; empty is the whole bucket.
	UploadPrefix string
	// UploadExpiry is the life of a link that names none; 0 is an hour.
	UploadExpiry time.Duration
	// PublicURL is how clients reach the gateway; nil is the request's own
	// Host, if that is loopback.
	PublicURL *url.URL
	// Links makes links that go straight to the backend; nil is links to the S3
	// door.
	Links *BackendLinks
	// CDNBaseURL is the base of file_url; nil is none.
	CDNBaseURL *url.URL
	// CORSAllowedOrigins are the web origins that may read answers; none
	// allows no other origin.
	CORSAllowedOrigins []string
	// Region is the scope of the links' signatures.
	Region string
	// Resumable keeps the states of resumable uploads in its bucket, which is
	// Store's; nil offers none. UploadLocks are those of its uploads; nil holds
	// within this process.
	Resumable   *Store
	UploadLocks UploadLocks
	// MaxOpenUploads bounds the unfinished resumable uploads of a caller; 0: any
	// number.
	MaxOpenUploads int
	// Budget bounds the buffers of all uploads together; nil is no bound.
	Budget *Budget
	// CursorKey authenticates list cursors. Replicas share it.
	CursorKey []byte
	// Records keeps the answers of requests with an Idempotency-Key, and
	// IdempotencyKey, which replicas share, hides whose they are. Without one
	// of them such requests are refused.
	Records        RecordStore
	IdempotencyKey []byte

	Now    func() time.Time // nil is time.Now
	Random io.Reader        // of file ids; nil is crypto/rand
	Log    zerolog.Logger
}

// door is the REST door.
type door struct {
	Options
	prefix prefix
	log    zerolog.Logger

	described described
}

// defaultExpiry is a link's life where neither request nor setting names one.
const defaultExpiry = time.Hour

// New makes the door. It answers Root and everything below it.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.UploadExpiry <= 0 {
		o.UploadExpiry = defaultExpiry
	}
	if o.UploadLocks == nil {
		o.UploadLocks = &localLocks{}
	}
	d := &door{Options: o, prefix: newPrefix(o.UploadPrefix), log: o.Log}
	return drain.Middleware(d.cors(d.router()))
}

// guard puts the stages before a handler, outermost first. The limit by address
// stands outside of the door. Who comes before the caller's rate, because the
// rate is the caller's; both come before the question whether there is a store,
// so that a stranger learns nothing of it; what may be done with which key only
// the handlers know. None of the stages touches the body.
func (d *door) guard(name string, h handlerFunc) http.Handler {
	return d.adapt(d.record(name, d.who(d.callerRate(d.ready(knownConditions(name, h))))))
}

// record names the operation in the request's record.
func (d *door) record(name string, next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) {
			f.Door, f.Operation = gateway.DoorREST, name
		})
		return next(w, r)
	}
}

// changesNothing marks an operation that needs the right to change something and
// does not do so itself: it gives a link, or tells how far an upload is.
func changesNothing(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := next(w, r)
		if err == nil {
			gateway.RecordFrom(r.Context()).Changed()
		}
		return err
	}
}

type callerKey struct{}

// who authenticates the request.
func (d *door) who(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		caller, err := d.Auth.Caller(r)
		if err != nil {
			return err
		}
		gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Caller = caller.Name })
		return next(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
	}
}

// callerOf is the caller that who found; anonymous where who did not stand
// before, and then the policy allows nothing.
func callerOf(r *http.Request) gateway.Caller {
	c, _ := r.Context().Value(callerKey{}).(gateway.Caller)
	return c
}

func (d *door) callerRate(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		passage := policy.PassageFrom(r.Context())
		passage.Tell(w.Header())
		if err := passage.Caller(d.Policy, callerOf(r)); err != nil {
			return err
		}
		return next(w, r)
	}
}

func (d *door) ready(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if d.Ready != nil {
			if err := d.Ready(); err != nil {
				return err
			}
		}
		return next(w, r)
	}
}

// may asks the policy about a key, notes it in the record and counts the request
// for the rates of the bucket.
func (d *door) may(r *http.Request, a gateway.Action, key string) error {
	return d.ask(r, a, key, policy.OneKey)
}

// mayAny refuses where the caller could be granted the action on no key at all.
// Each key is still to be asked for.
func (d *door) mayAny(r *http.Request, a gateway.Action) error {
	return d.ask(r, a, "", policy.SomeKey)
}

// notDenied refuses where a denial of the caller holds, and asks for no grant.
func (d *door) notDenied(r *http.Request, a gateway.Action, key string) error {
	return d.Policy.DeniesAny(r.Context(), d.asking(r, a, key, policy.OneKey))
}

func (d *door) ask(r *http.Request, a gateway.Action, key string, keys policy.Keys) error {
	gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Action, f.Bucket, f.Key = a, d.Bucket, key })
	if err := d.Policy.Judge(r.Context(), d.asking(r, a, key, keys)); err != nil {
		return err
	}
	return policy.PassageFrom(r.Context()).Bucket(d.Policy, callerOf(r), d.Bucket, a)
}

// asking is a question under the conditions of this request.
func (d *door) asking(r *http.Request, a gateway.Action, key string, keys policy.Keys) policy.Request {
	facts := gateway.RecordFrom(r.Context()).Snapshot()
	address, _ := netip.ParseAddr(facts.Client) // none for a unix socket
	return policy.Request{Caller: callerOf(r), Action: a, Bucket: d.Bucket, Key: key, Keys: keys, Address: address, Now: facts.Start}
}
