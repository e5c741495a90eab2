package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// changesVariable says how many changes of valid requests are tried.
const changesVariable = "S3GATEWAY_CHANGES"

const changedKey, changedBefore, changedAfter = "dir/k 1", "what was there before", "what the request stores"

// shape is a valid request, written anew each time: a signature has its time.
type shape struct {
	name string
	make func() *http.Request
	// covered is how much of the written request is covered by the signature or has
	// no meaning: nil for all of it.
	covered func(raw []byte) int
}

// requestLine covers what a link covers: its body and most headers are whose it is.
func requestLine(raw []byte) int { return bytes.IndexByte(raw, '\n') }

// upToTheFile covers a form without its file, which nobody signed.
func upToTheFile(raw []byte) int {
	return bytes.Index(raw, []byte("filename="))
}

func (w *world) shapes() []shape {
	at := w.url + "/" + w.bucket + "/" + strings.ReplaceAll(changedKey, " ", "%20")
	signed := func(method, body string, headers ...string) *http.Request {
		r := newRequest(w.t, method, at, strings.NewReader(body), headers...)
		sign(w.t, r, hexSHA256([]byte(body)), testSecret, time.Now())
		return r
	}
	link := func(method, body string) *http.Request {
		r := newRequest(w.t, method, at+"?X-Amz-Expires=60", strings.NewReader(body))
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		keys := aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}
		target, _, err := signer.PresignHTTP(w.t.Context(), keys, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		if err != nil {
			w.t.Fatal(err)
		}
		if r.URL, err = url.Parse(target); err != nil {
			w.t.Fatal(err)
		}
		return r
	}
	escaped := strings.ReplaceAll(changedKey, " ", "%20")
	return []shape{
		{"a signed PUT", func() *http.Request {
			return signed("PUT", changedAfter, "Content-Type", "text/plain", "X-Amz-Meta-Colour", "blue", "X-Amz-Tagging", "a=b")
		}, nil},
		{"a signed GET", func() *http.Request { return signed("GET", "") }, nil},
		{"a signed DELETE", func() *http.Request { return signed("DELETE", "") }, nil},
		{"a link to PUT", func() *http.Request { return link("PUT", changedAfter) }, requestLine},
		{"a link to GET", func() *http.Request { return link("GET", "") }, nil},
		{"a link to DELETE", func() *http.Request { return link("DELETE", "") }, nil},
		{"signed chunks", func() *http.Request { return w.chunkedPut(escaped, []byte(changedAfter), chunking{}) }, nil},
		{"signed chunks with a trailer", func() *http.Request {
			return w.chunkedPut(escaped, []byte(changedAfter), chunking{trailer: true})
		}, nil},
		{"a form", func() *http.Request {
			return w.postForm(fmt.Sprintf(`,{"key":%q},{"Content-Type":"text/plain"}`, changedKey), []byte(changedAfter),
				map[string]string{"key": changedKey, "Content-Type": "text/plain"}, nil)
		}, upToTheFile},
	}
}

// changes are the single changes of a written request.
var changes = []struct {
	name string
	make func(raw []byte, within int, rnd *rand.Rand) []byte
}{
	{"a bit", func(raw []byte, within int, rnd *rand.Rand) []byte {
		raw[rnd.IntN(within)] ^= 1 << rnd.IntN(8)
		return raw
	}},
	{"another byte", func(raw []byte, within int, rnd *rand.Rand) []byte {
		const interesting = "\x00\t\n\r %&+,-./0123456789:;<=>?@ABCXYZ[]_abcxyz~\x7f\xff"
		raw[rnd.IntN(within)] = interesting[rnd.IntN(len(interesting))]
		return raw
	}},
	{"a byte less", func(raw []byte, within int, rnd *rand.Rand) []byte {
		at := rnd.IntN(within)
		return slices.Delete(raw, at, at+1)
	}},
	{"a byte more", func(raw []byte, within int, rnd *rand.Rand) []byte {
		const interesting = "\t\n\r %&+,-./0123456789:;=?@Aa_~"
		return slices.Insert(raw, rnd.IntN(within), interesting[rnd.IntN(len(interesting))])
	}},
	{"a byte twice", func(raw []byte, within int, rnd *rand.Rand) []byte {
		at := rnd.IntN(within)
		return slices.Insert(raw, at, raw[at])
	}},
	{"letter case", func(raw []byte, within int, rnd *rand.Rand) []byte {
		for range 100 {
			if at := rnd.IntN(within); raw[at]|0x20 >= 'a' && raw[at]|0x20 <= 'z' {
				raw[at] ^= 0x20
				break
			}
		}
		return raw
	}},
	{"a line less", func(raw []byte, within int, rnd *rand.Rand) []byte {
		from, to := lineAt(raw, rnd.IntN(within))
		return slices.Delete(raw, from, to)
	}},
	{"a line twice", func(raw []byte, within int, rnd *rand.Rand) []byte {
		from, to := lineAt(raw, rnd.IntN(within))
		return slices.Insert(raw, to, bytes.Clone(raw[from:to])...)
	}},
	{"two parameters in another order", func(raw []byte, _ int, rnd *rand.Rand) []byte {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		path, query, found := strings.Cut(string(line), "?")
		if !found {
			return raw
		}
		query, proto, _ := strings.Cut(query, " ")
		all := strings.Split(query, "&")
		rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return append([]byte(path+"?"+strings.Join(all, "&")+" "+proto+"\n"), rest...)
	}},
}

func lineAt(raw []byte, at int) (from, to int) {
	from = bytes.LastIndexByte(raw[:at], '\n') + 1
	if to = bytes.IndexByte(raw[at:], '\n'); to < 0 {
		return from, len(raw)
	}
	return from, at + to + 1
}

// seenState is what a change could change.
type seenState struct {
	objects map[string]string // ETags
	object  string            // headers of the one that requests are about
}

func (w *world) state() seenState {
	w.t.Helper()
	s := seenState{objects: map[string]string{}}
	for key, o := range w.store.Snapshot(w.t, w.bucket) {
		s.objects[key] = o.ETag
	}
	if _, there := s.objects[changedKey]; there {
		head, err := w.store.Client(w.t).HeadObject(w.t.Context(), &s3.HeadObjectInput{Bucket: &w.bucket, Key: aws.String(changedKey)})
		if err != nil {
			w.t.Fatal(err)
		}
		s.object = fmt.Sprint(aws.ToString(head.ContentType), head.Metadata, aws.ToString(head.ContentEncoding), aws.ToString(head.CacheControl), aws.ToInt32(head.TagCount))
	}
	return s
}

func (s seenState) equal(o seenState) bool {
	return maps.Equal(s.objects, o.objects) && s.object == o.object
}

// restore puts the bucket back as it is before each request.
func (w *world) restore() {
	w.t.Helper()
	for key := range w.store.Snapshot(w.t, w.bucket) {
		if _, err := w.store.Client(w.t).DeleteObject(w.t.Context(), &s3.DeleteObjectInput{Bucket: &w.bucket, Key: &key}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.plant(changedKey, "text/before", []byte(changedBefore))
}

// sendRaw sends what may be no request. The status is 0 without an answer.
func (w *world) sendRaw(raw []byte) (status int, body []byte) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(300 * time.Millisecond)) // for one that waits for a body that does not come
	if _, err := conn.Write(raw); err != nil {
		return 0, nil
	}
	method, _, _ := strings.Cut(string(raw[:min(8, len(raw))]), " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// A valid request of any shape, with any single change, is refused and changes
// nothing, or means what it meant before.
func TestAChangedRequestIsRefusedOrMeansTheSame(t *testing.T) {
	tries := 3000
	if s := os.Getenv(changesVariable); s != "" {
		var err error
		if tries, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("S3GATEWAY_TEST_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("the same changes again: S3GATEWAY_TEST_SEED=%d", seed)
	names := []string{}
	for _, s := range (&world{t: t}).shapes() {
		names = append(names, s.name)
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait for what does not come
			w := newWorld(t, append(slices.Clone(open), "CACHE_ENTRIES=0")...)
			w.clock.live = true
			changed := &changedRequests{world: w, shape: w.shapes()[i], rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
			changed.begin()
			for range tries / len(names) {
				if changed.one(); t.Failed() {
					break
				}
			}
			changed.settle("at the end")
			t.Logf("%d refused, %d meant the same, %d without an answer", changed.refused, changed.same, changed.unanswered)
		})
	}
}

// changedRequests tries changes of one shape.
type changedRequests struct {
	*world
	shape          shape
	rnd            *rand.Rand
	before, after  seenState
	status         int
	answer         string
	refused, same  int
	unanswered     int
	sinceLastCheck []string
}

// begin learns what the request does as it is.
func (c *changedRequests) begin() {
	c.restore()
	c.before = c.state()
	var raw bytes.Buffer
	if err := c.shape.make().Write(&raw); err != nil {
		c.t.Fatal(err)
	}
	status, body := c.sendRaw(raw.Bytes())
	if status < 200 || status > 299 {
		c.t.Fatalf("%s is refused as it is: %d %s", c.shape.name, status, body)
	}
	c.status, c.answer, c.after = status, string(body), c.state()
	c.restore()
	c.before = c.state()
}

func (c *changedRequests) one() {
	var b bytes.Buffer
	if err := c.shape.make().Write(&b); err != nil {
		c.t.Fatal(err)
	}
	raw := b.Bytes()
	within := len(raw)
	if c.shape.covered != nil {
		within = c.shape.covered(raw)
	}
	change := changes[c.rnd.IntN(len(changes))]
	raw = change.make(bytes.Clone(raw), within, c.rnd)
	status, body := c.sendRaw(raw)
	c.sinceLastCheck = append(c.sinceLastCheck, fmt.Sprintf("%s: %d %q", change.name, status, raw))
	switch {
	case status >= 300:
		if c.refused++; c.refused%50 == 0 {
			c.settle("refused")
		}
		return
	case status == 0:
		eventually(c.t, "the gateway gave it up, or has done it", func() bool {
			return strings.Contains(c.scrape(), "s3gateway_requests_in_flight 0")
		})
		if c.unanswered++; c.state().equal(c.before) {
			return
		}
	case strings.HasPrefix(c.shape.name, "a signed GET") || strings.HasPrefix(c.shape.name, "a link to GET"):
		if string(body) != c.answer {
			c.t.Errorf("%s, %s: answered %d %q to %q", c.shape.name, change.name, status, body, raw)
		}
	}
	if now := c.state(); !now.equal(c.after) {
		c.t.Errorf("%s, %s: status %d, and the bucket holds %v, want %v, after %q", c.shape.name, change.name, status, now, c.after, raw)
	}
	c.same++
	if !c.after.equal(c.before) {
		c.restore()
		c.before = c.state()
	}
	c.sinceLastCheck = nil
}

// settle fails the test if a request that was refused changed something.
func (c *changedRequests) settle(when string) {
	if now := c.state(); !now.equal(c.before) {
		c.t.Errorf("%s, %s: the bucket holds %v, want %v; since it was looked at:\n%s", c.shape.name, when, now, c.before, strings.Join(c.sinceLastCheck, "\n"))
	}
	c.sinceLastCheck = nil
}
