package quota

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/fairshare"
)

const (
	// measureTimeout bounds a question about what is stored.
	measureTimeout = 30 * time.Second
	// claimWait is how long one request waits for other replicas that change what
	// it changes, and claimPoll how often it asks. Without any wait, what changes
	// by several of them at once would be counted more than once, until it is
	// counted anew.
	claimWait = time.Second
	claimPoll = 20 * time.Millisecond
	// measuresAtOnce bounds the questions about the keys of one DeleteObjects.
	measuresAtOnce = 16
)

// Guard stands in front of one backend. Its fields are set once, before the first
// request; it is then safe for concurrent use.
type Guard struct {
	// Client asks the backend what is stored.
	Client *backend.Client
	// Keeper has the quotas and their book.
	Keeper *Keeper

	windows  windows
	versions versioning
}

// RoundTrip passes a request on to the backend within the quotas that hold for
// it. The refusal is a *gateway.Error with code QuotaExceeded, or
// ServiceUnavailable while what is stored is not known.
func (g *Guard) RoundTrip(r *http.Request, bucket, key string, next http.RoundTripper) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return next.RoundTrip(r)
	}
	if key == "" {
		defer g.versions.forget(bucket)
	}
	rules := g.Keeper.rulesFor(r.Context())
	resp, err := g.within(r, rules, bucket, key, next)
	if err != nil {
		g.Keeper.missed(rules)
		return nil, err
	}
	resp.Body = &lateBody{ReadCloser: resp.Body, done: func() { g.Keeper.missed(rules) }}
	return resp, nil
}

// within passes a request on within the quotas that held when it came.
func (g *Guard) within(r *http.Request, rules *Rules, bucket, key string, next http.RoundTripper) (*http.Response, error) {
	if rules == nil || len(rules.all) == 0 {
		return next.RoundTrip(r)
	}
	q := read(r, bucket, key)
	resources, err := g.touched(r, rules, &q)
	if err != nil {
		return nil, err
	}
	if len(resources) == 0 {
		return next.RoundTrip(r)
	}
	c := &change{guard: g, request: q, ctx: r.Context(), asked: map[string]Ticket{}}
	if err := c.begin(resources); err != nil {
		return nil, err
	}
	resp, err := next.RoundTrip(c.watchBody(r))
	if err != nil {
		c.end(outcome{kind: unknown})
		return nil, err
	}
	if c.late(resp) {
		o := outcome{kind: inPlace}
		if (state{version: resp.Header.Get("X-Amz-Version-Id")}).versioned() {
			o.kind = unknown
		}
		resp.Body = &lateBody{ReadCloser: resp.Body, done: func() { c.end(o) }}
		return resp, nil
	}
	c.end(q.outcome(resp, c.incoming))
	return resp, nil
}

// Room is backend.Guard.Room.
func (g *Guard) Room(ctx context.Context, bucket, key string, bytes int64) error {
	fit := g.Keeper.rulesFor(ctx).of(g.Client.Name, bucket, countedKey(g.Client, key))
	refused := g.Keeper.room(ctx, fit, Usage{bytes, 1})
	if gateway.CodeOf(refused) != gateway.QuotaExceeded {
		return refused
	}
	// It may take the place of something large.
	none := &request{header: http.Header{}}
	before, err := g.object(none, bucket, key, "")(ctx)
	if err != nil || before.Usage == (Usage{}) || before.versioned() {
		return refused
	}
	return g.Keeper.room(ctx, fit, Usage{bytes, 1}.minus(before.Usage))
}

// touched are the resources that a request changes and that a quota counts. The
// one that may grow comes first.
func (g *Guard) touched(r *http.Request, rules *Rules, q *request) ([]resource, error) {
	if gateway.Reserved(q.key) {
		return g.record(r.Context(), rules, q)
	}
	t := touching{guard: g, rules: rules, seen: map[string]bool{}}
	upload := q.query.Get("uploadId")
	of := []string{"upload", g.Client.UploadName(upload)}
	switch q.kind {
	case putsObject, copiesObject, deletes:
		t.object(q)
	case putsPart, copiesPart:
		number, err := strconv.Atoi(q.query.Get("partNumber"))
		if err != nil {
			return nil, gateway.Errorf(gateway.InvalidArgument, "The part number is not a number.")
		}
		t.add(q, resource{measure: g.part(q.bucket, q.key, upload, number)}, append(of, "part", strconv.Itoa(number))...)
	case completes:
		t.object(q)
		t.add(q, resource{measure: g.parts(q.bucket, q.key, upload)}, of...)
	case aborts:
		t.add(q, resource{measure: g.parts(q.bucket, q.key, upload)}, of...)
	case deletesMany:
		listed, err := names(r)
		if err != nil {
			return nil, err
		}
		for _, n := range listed {
			t.object(&request{bucket: q.bucket, key: n.Key, query: url.Values{"versionId": {n.VersionID}}, header: http.Header{}})
		}
	}
	return t.all, nil
}

// touching collects the resources of one request, each once however often and
// in whatever spelling the request names it.
type touching struct {
	guard *Guard
	rules *Rules
	all   []resource
	seen  map[string]bool
}

// add takes what a request changes of a key; what says which part of it, and is
// empty for the object that is read by the key alone.
func (t *touching) add(q *request, r resource, what ...string) {
	client := t.guard.Client
	if r.quotas = t.rules.of(client.Name, q.bucket, countedKey(client, q.key)); len(r.quotas) == 0 {
		return
	}
	name, alias := client.KeyName(q.key)
	r.name = resourceName(append([]string{client.Name, q.bucket, name}, what...)...)
	r.alias = resourceName(append([]string{client.Name, q.bucket, alias}, what...)...)
	if t.seen[r.name] {
		return
	}
	t.seen[r.name] = true
	t.all = append(t.all, r)
}

func (t *touching) object(q *request) {
	g := t.guard
	if v := q.version(); v != "" {
		t.add(q, resource{measure: g.object(q, q.bucket, q.key, v)}, "version", g.Client.VersionName(v))
		return
	}
	t.add(q, resource{current: true, measure: g.currentObject(q), hidden: g.hidden(q, q.bucket, q.key)})
}

// resourceName joins the parts of a name so that no part can be taken for two:
// a key may hold every character.
func resourceName(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.QueryEscape(p)
	}
	return strings.Join(parts, "/")
}

// countedKey is the key by which places hold an object: on a store that may
// clean keys the cleaned one.
func countedKey(c *backend.Client, key string) string {
	_, alias := c.KeyName(key)
	return alias
}

// outcome is what an answer says of the resource that may grow.
func (q *request) outcome(resp *http.Response, incoming Usage) outcome {
	version := resp.Header.Get("X-Amz-Version-Id")
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		return outcome{kind: unknown}
	case resp.StatusCode >= http.StatusMultipleChoices:
		return outcome{kind: nothing}
	case q.kind == putsObject && version != "" && version != "null":
		return outcome{kind: added, after: state{Usage: incoming, version: version}}
	case q.kind == putsObject, q.kind == putsPart:
		return outcome{kind: replaced, after: state{Usage: incoming, version: version}}
	case q.kind == deletes && resp.Header.Get("X-Amz-Delete-Marker") == "true" && q.version() == "" && version != "" && version != "null":
		return outcome{kind: nothing} // what was there is a version now
	case q.kind == deletes, q.kind == aborts:
		return outcome{kind: replaced}
	}
	return outcome{kind: unknown}
}

// late reports an answer that begins before it is known what became of the
// request: of a copy or Complete, which a backend keeps alive with white space.
func (c *change) late(resp *http.Response) bool {
	switch c.request.kind {
	case copiesObject, copiesPart, completes, deletesMany:
		return resp.StatusCode < http.StatusMultipleChoices
	}
	return false
}

// lateBody has done called when the answer is over, before whoever reads it can
// know that it is.
type lateBody struct {
	io.ReadCloser
	once sync.Once
	done func()
}

// Read reads the answer.
func (b *lateBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(b.done)
	}
	return n, err
}

// Close ends the change too.
func (b *lateBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.done)
	return err
}

// change is one request that changes resources.
type change struct {
	guard    *Guard
	ctx      context.Context
	request  request
	incoming Usage
	windows  []*visit
	asked    map[string]Ticket // the book was asked already, by the names of quotas
	body     *growing          // nil where everything is reserved at once
	extra    []otherTicket
	grants   map[string]*fairshare.Grant // by the names of quotas
}

// begin opens the windows of all resources and reserves the growth of the first.
func (c *change) begin(resources []resource) (err error) {
	if c.incoming, err = c.guard.incoming(c.ctx, &c.request); err != nil {
		return err
	}
	waiting, stop := context.WithTimeout(c.ctx, claimWait)
	defer stop()
	c.windows = make([]*visit, len(resources))
	var enter errgroup.Group
	enter.SetLimit(measuresAtOnce)
	for i, r := range resources {
		enter.Go(func() error {
			c.windows[i] = c.guard.windows.enter(waiting, r)
			return nil
		})
	}
	_ = enter.Wait()
	for i, v := range c.windows {
		growth := Usage{}
		if i == 0 {
			if growth = c.growth(v, c.incoming); c.grows() {
				if err := c.roomFor(v, growth); err != nil {
					c.end(outcome{kind: nothing})
					return err
				}
				growth = c.growth(v, Usage{Bytes: firstReserve, Objects: c.incoming.Objects})
			}
		}
		if err := c.reserve(v, growth); err != nil {
			c.end(outcome{kind: nothing})
			return err
		}
	}
	return nil
}

// roomFor refuses what does not fit beside what is stored, before a byte of it is
// sent. What is reserved meanwhile may still go.
func (c *change) roomFor(v *visit, growth Usage) error {
	return c.guard.Keeper.room(c.ctx, v.quotas, growth)
}

// reserve holds a growth under each quota of a window.
func (c *change) reserve(v *visit, growth Usage) error {
	for _, q := range v.quotas {
		t, ok := c.asked[q.Name]
		if !ok || growth != (Usage{}) {
			var err error
			if t, err = c.hold(q, growth); err != nil {
				return err
			}
			c.asked[q.Name] = Ticket{Count: t.Count, Holder: t.Holder, Local: t.Local}
		}
		c.guard.windows.take(v, q.Name, t)
	}
	return nil
}

// end ends the change of every resource. o is that of the first one; of the
// others nothing happened, or it has to be measured.
func (c *change) end(o outcome) {
	ctx := context.WithoutCancel(c.ctx)
	c.body.end()
	defer c.free()
	others := outcome{kind: unknown}
	if o.kind == nothing {
		others = o
	}
	var exit errgroup.Group
	exit.SetLimit(measuresAtOnce)
	ended := make([]settlement, len(c.windows))
	for i, v := range c.windows {
		own := others
		if i == 0 {
			own = o
		}
		exit.Go(func() error {
			ended[i] = c.guard.windows.exit(ctx, v, own)
			return nil
		})
	}
	_ = exit.Wait()
	all := settlement{}
	for _, s := range ended {
		all.add(s)
	}
	for _, t := range c.extra {
		all.add(settlement{t.quota: entry{count: t.ticket.Count, tickets: []Ticket{t.ticket}}})
	}
	c.guard.Keeper.settle(ctx, all)
}
