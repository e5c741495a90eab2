package proxy

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/internal/fairshare"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
	"github.com/codeguardians/s3gateway/verify"
)

// Callers finds who an access key belongs to.
type Callers interface {
	ByAccessKey(accessKeyID string) (gateway.Caller, bool)
}

// Door serves the S3 API. Its fields are set once, before the first request;
// it is then safe for concurrent use.
type Door struct {
	Table    *Table
	Verifier *signer.Verifier
	Callers  Callers
	Policy   *policy.Policy
	Buckets  *Buckets
	Cache    *cache.Metadata
	// Memory is what documents are read into, shared with uploads; nil has no
	// bound.
	Memory *fairshare.Pool
	// Gate tells which objects came past the gateway and were not judged yet;
	// nil is none.
	Gate *verify.Gate
	// Ready gives the refusal while there is no usable backend; nil is ready.
	Ready func() error
	// Domains are the host names of virtual-host style; none means path style.
	Domains []string
	// PublicURL is how clients reach the gateway, nil when that is not known.
	PublicURL *url.URL
	// ForwardedProto gives the scheme that a trusted proxy says the client used,
	// "" for any other peer. Nil means never.
	ForwardedProto func(*http.Request) string
	// OwnOrigins reports whether the gateway has CORS rules of its own for a
	// bucket, which are applied before this door. For all others, and where it
	// is nil, the backend's count.
	OwnOrigins func(bucket string) bool
	// PassHeaders are further x-amz-* headers that every operation knows.
	PassHeaders []string
	// KeepAlive is the pause after which a client that waits for a long copy or
	// Complete gets a byte of white space; zero means 10 seconds.
	KeepAlive time.Duration
	// FormTime is how long a browser's form may take up to its file: its signature
	// is read until then. Zero means 20 seconds.
	FormTime time.Duration
	Log      zerolog.Logger
}

// exchange is one request on its way through the stages. Each stage fills in
// what it found out.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	target signer.Target
	// header is the request's headers with the x-amz-* query parameters of a
	// presigned request in their place.
	header http.Header
	query  []signer.Param
	addr   address
	level  Level // of the path; a form has a bucket's path and an object's key
	form   *form // of a browser's form upload, otherwise nil
	op     *Operation
	auth   *signer.Auth
	caller gateway.Caller
	at     Location
	out    http.Header         // x-amz-* and HTTP headers that go on
	origin string              // of a page, for the CORS rules of the backend
	body   *fairshare.Document // that was read, nil before
}

// stages is the way of every request of this door, in order. What is cheap and
// needs no trust comes first; the signature is checked on the untouched request
// before any header counts; everything that needs no body comes before the body
// is touched, so that a client that asked with Expect: 100-continue never sends
// it in vain. The rate per address stands before all this, in the middleware
// that both doors share.
func stages() []func(*Door, *exchange) error {
	return []func(*Door, *exchange) error{
		(*Door).parse,
		(*Door).ready,
		(*Door).authenticate,
		(*Door).limitCaller,
		(*Door).findOperation,
		(*Door).locate,
		(*Door).authorise,
		(*Door).checkIDs,
		(*Door).checkPayloadMode,
		(*Door).chooseHeaders,
		(*Door).serve,
	}
}

// ServeHTTP runs the stages; the first that fails answers.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Door = gateway.DoorS3 })
	x := &exchange{w: w, r: r}
	defer func() { x.body.Release() }()
	x.setIdentity()
	way := stages()
	if r.Method == http.MethodOptions {
		way = preflightStages()
	}
	for _, stage := range way {
		if err := stage(d, x); err != nil {
			WriteError(w, r, err)
			return
		}
	}
}

// setIdentity puts the gateway's own request id on the answer, before anything
// can fail.
func (x *exchange) setIdentity() {
	h := x.w.Header()
	h.Set("X-Amz-Request-Id", gateway.RecordFrom(x.r.Context()).Snapshot().ID)
	h.Set("X-Amz-Id-2", hostID)
}

func (d *Door) parse(x *exchange) (err error) {
	if x.target, err = signer.ParseTarget(x.r.RequestURI); err != nil {
		return err
	}
	x.addr = resolve(d.Domains, x.r.Host, x.target.Path)
	x.level = x.addr.level()
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) {
		f.Bucket, f.Key = x.addr.Bucket, x.addr.Key
	})
	return checkNames(x.addr)
}

func (d *Door) ready(*exchange) error {
	if d.Ready == nil {
		return nil
	}
	return d.Ready()
}

// authenticate is the one place where a request of this door is believed.
func (d *Door) authenticate(x *exchange) (err error) {
	form := isForm(x.r, x.addr, len(x.target.Query))
	if form {
		err = d.readForm(x)
	} else {
		x.auth, err = d.Verifier.Verify(x.r, x.target)
	}
	if err != nil {
		return err
	}
	if !x.auth.Anonymous {
		var known bool
		if x.caller, known = d.Callers.ByAccessKey(x.auth.AccessKeyID); !known {
			// Removed between the check of the signature and now.
			return gateway.Errorf(gateway.InvalidAccessKeyID, "")
		}
		if x.caller.Link && x.auth.V2 {
			return gateway.Errorf(gateway.AccessDenied, "This access key works with Signature Version 4 only.")
		}
		if x.caller.Link && !x.auth.Presigned && !form {
			return gateway.Errorf(gateway.AccessDenied, "This access key works in presigned links and forms only.")
		}
	}
	if form {
		if x.header, err = x.formHeaders(); err != nil {
			return err
		}
	} else {
		x.header = x.r.Header.Clone()
	}
	if !form {
		x.target = x.auth.Target
	}
	for name, values := range x.auth.Promoted {
		x.header[name] = values
	}
	if x.auth.Anonymous {
		signer.KeepAnonymous(x.header)
	}
	x.query = x.target.Forward()
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) { f.Caller = x.caller.Name })
	return nil
}

func (d *Door) limitCaller(x *exchange) error {
	return policy.PassageFrom(x.r.Context()).Caller(d.Policy, x.caller)
}

func (d *Door) findOperation(x *exchange) (err error) {
	var known []signer.Param
	if x.op, err = d.Table.Find(x.level, x.r.Method, x.query, x.header); err == nil {
		known, err = d.Table.Params(x.op, x.query)
	}
	if err != nil {
		if gateway.CodeOf(err) == gateway.NotImplemented {
			d.Log.Warn().Str("request", x.line()).Err(err).Msg("operation not served")
		}
		return err
	}
	x.query = known
	if err := x.checkV2(); err != nil {
		return err
	}
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) { f.Operation, f.Action = x.op.Name, x.op.Action })
	return x.checkOverrides()
}

// checkV2 keeps a link of Signature Version 2 to what it is for, and refuses a
// parameter that has a meaning and that it does not sign.
func (x *exchange) checkV2() error {
	if !x.auth.V2 {
		return nil
	}
	if !x.op.LinkV2 {
		return gateway.Errorf(gateway.AccessDenied, "A link of Signature Version 2 does not allow %s: sign it with Version 4.", x.op.Name)
	}
	for _, p := range x.query {
		if p.Key != "x-id" && !signer.CoversV2(p.Key) {
			return gateway.Errorf(gateway.AccessDenied, "The query parameter %s is not signed by a signature of Version 2.", p.Key).With("ArgumentName", p.Key)
		}
	}
	return nil
}

// line is the request line without what signs it, for the log.
func (x *exchange) line() string {
	line := x.r.Method + " " + x.target.RawPath
	if len(x.query) > 0 {
		line += "?" + signer.BuildQuery(x.query)
	}
	return line
}

// checkOverrides refuses response-* parameters that are no header values: they
// become headers of the answer, and a line break in one would begin another.
// Nobody's are refused too, as by S3: anybody could link to a picture of a public
// bucket as to a page.
func (x *exchange) checkOverrides() error {
	for _, p := range x.query {
		switch {
		case !slices.Contains(responseParams, p.Key):
		case x.caller.Anonymous():
			return gateway.Errorf(gateway.InvalidRequest, "Request specific response headers cannot be used for anonymous GET requests.").
				With("ArgumentName", p.Key)
		case hasControl(p.Value):
			return gateway.Errorf(gateway.InvalidArgument, "The value of %s has a control character.", p.Key).With("ArgumentName", p.Key)
		}
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// locate finds the backend's names. It stands before authorise: where keys are
// files, one that would alias another must not be judged under the name it has
// here.
func (d *Door) locate(x *exchange) (err error) {
	if x.addr.Bucket == "" {
		x.at = d.Buckets.Service()
		return nil
	}
	if x.at, err = d.Buckets.Locate(x.addr.Bucket, x.op.Name == "CreateBucket"); err != nil {
		if x.caller.Anonymous() {
			// As for a bucket that exists: a stranger cannot tell which do.
			if refused := d.authorise(x); refused != nil {
				return refused
			}
			return gateway.Errorf(gateway.AccessDenied, policy.MessageUnsigned)
		}
		return err
	}
	if x.op.Name == "CreateBucket" {
		return d.checkNewBucket(x)
	}
	if x.at.Prefix != "" && x.op.Level == BucketLevel && x.op.Action == gateway.Manage {
		// They would be the settings of everything beside the prefix too.
		return notImplemented(x.op.Name + " on a bucket that is a part of another")
	}
	if x.at.renamed && x.op.NamesBuckets {
		// The backend would take the names for its own, and tell its own.
		return notImplemented(x.op.Name + " on a bucket that has another name at its backend")
	}
	x.at, err = x.at.at("key", x.addr.Key)
	return err
}

// checkIDs refuses ids of versions and uploads that the backend would take for
// others: what is decided and counted here must be what is changed there.
func (d *Door) checkIDs(x *exchange) error {
	for _, p := range x.query {
		var err error
		switch p.Key {
		case "versionId":
			err = x.at.Backend.CheckVersion(p.Value)
		case "uploadId":
			err = x.at.Backend.CheckUpload(p.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkPayloadMode refuses signed chunks where no object's bytes come: what they
// would prove is never read. Unsigned ones promise nothing there, and some
// clients name them for every request.
func (d *Door) checkPayloadMode(x *exchange) error {
	switch x.auth.PayloadHash {
	case signer.StreamingSigned, signer.StreamingSignedTrailer:
		if x.op.Body == NoBody {
			return gateway.Errorf(gateway.InvalidRequest, "The value of x-amz-content-sha256 header is invalid: %s has no body in chunks.", x.op.Name)
		}
	}
	return nil
}

func (d *Door) chooseHeaders(x *exchange) (err error) {
	if err := checkConditions(x); err != nil {
		return err
	}
	x.origin = d.originOf(x)
	in, promised := takePromised(x)
	if x.out, err = outboundHeaders(x.op, in, d.PassHeaders); err != nil {
		return err
	}
	maps.Copy(x.out, promised)
	return nil
}

func (d *Door) serve(x *exchange) error {
	if x.op.Shows == ShowsAbout {
		if err := d.settle(x); err != nil {
			return err
		}
	}
	if x.op.handle != nil {
		return x.op.handle(d, x)
	}
	switch x.op.Body {
	case DocumentBody:
		return d.forwardDocument(x)
	default:
		switch {
		case x.op.Cached:
			return d.head(x)
		case x.op.Shows == ShowsObject:
			return d.read(x)
		}
		return d.forward(x, x.request())
	}
}

// request is the plain request to the backend, without a body.
func (x *exchange) request() backend.Request {
	return backend.Request{
		Method: x.op.Method, Bucket: x.at.Bucket, Key: x.at.Key,
		Query: without(x.query, "x-id"), Header: x.out,
	}
}
