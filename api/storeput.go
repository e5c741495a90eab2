package api

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

// Put is the one upload writer. A body of known length goes to the backend as it
// comes (putStream). Any other fills one buffer; if it ends within that, it is a
// single PutObject with its SHA-256 in front of it, a longer one is a multipart
// upload whose Complete is sent after the body's end.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, o PutOptions) (Object, error) {
	return s.changing(key, func() (Object, error) { return s.put(ctx, key, body, o) })
}

// changing announces a change of an object to the cache, and ends it there.
func (s *Store) changing(key string, write func() (Object, error)) (Object, error) {
	change := s.Cache.Change(s.Client.Name, s.Bucket, key)
	defer change.Done(false)
	stored, err := write()
	// A refusal, ours or the backend's, is an outcome; silence is none.
	change.Done(err == nil || kindOf(gateway.AsError(err)).status < 500)
	return stored, err
}

func (s *Store) put(ctx context.Context, key string, body io.Reader, o PutOptions) (Object, error) {
	if s.streams(o) {
		return s.putStream(ctx, key, body, o)
	}
	want := o.Budget.partSize(1)
	if o.AtMost >= 0 {
		want = min(want, max(o.AtMost, 1))
	}
	first, err := o.Budget.open(ctx, want)
	if err != nil {
		return Object{}, err
	}
	defer first.release()
	src := &parts{src: bufio.NewReaderSize(body, 16)} // the smallest that can look one byte ahead
	n, last, err := src.fillBuffer(ctx, first)
	if err != nil {
		return Object{}, err
	}
	if last {
		return s.putWhole(ctx, key, first.bytes[:n], o)
	}
	up := &multipartUpload{Store: s, key: key, options: o, src: src}
	return up.run(ctx, first)
}

// parts cuts a body into pieces.
type parts struct{ src *bufio.Reader }

// fillBuffer fills a buffer, which grows as long as bytes arrive.
func (p *parts) fillBuffer(ctx context.Context, b *buffer) (n int, last bool, err error) {
	for {
		got, last, err := p.fill(b.bytes[n:])
		if n += got; last || err != nil {
			return n, last, err
		}
		if grown, err := b.grow(ctx); err != nil || !grown {
			return n, false, err
		}
	}
}

// fill fills buf. last says that the body ended with it. io.ReadFull will not
// do: it says ErrUnexpectedEOF both for a short body and for one cut off.
func (p *parts) fill(buf []byte) (n int, last bool, err error) {
	const patience = 100 // reads without a byte, as bufio has it
	for idle := 0; n < len(buf); {
		got, err := p.src.Read(buf[n:])
		n += got
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
		if idle++; got > 0 {
			idle = 0
		}
		if idle >= patience {
			return n, false, io.ErrNoProgress
		}
	}
	_, err = p.src.Peek(1)
	if err == io.EOF {
		return n, true, nil
	}
	return n, false, err
}

func (s *Store) putWhole(ctx context.Context, key string, body []byte, o PutOptions) (Object, error) {
	sum := sha256Of(body)
	header, err := s.objectHeader(key, o)
	if err != nil {
		return Object{}, err
	}
	header.Set(checksumSHA, base64.StdEncoding.EncodeToString(sum))
	resp, err := s.send(ctx, backend.Request{
		Method: http.MethodPut, Bucket: s.Bucket, Key: key, Header: header, PayloadHash: hexOf(sum),
	}, body)
	if err != nil {
		return Object{}, err
	}
	stored := s.storedAs(key, int64(len(body)), o, resp)
	stored.SHA256 = hexOf(sum)
	return stored, nil
}

// send makes a request out of memory, which can be sent again, and gives the
// headers of a successful answer. The body is the pieces one after another.
func (s *Store) send(ctx context.Context, req backend.Request, pieces ...[]byte) (http.Header, error) {
	// The transport may still read a body whose answer came early, while the
	// buffer is already another upload's.
	loans := make([]*loan, len(pieces))
	for i, piece := range pieces {
		loans[i] = &loan{bytes: piece}
		defer loans[i].end()
		req.Length += int64(len(piece))
	}
	again := func() io.ReadCloser {
		readers := make([]io.Reader, len(loans))
		for i, l := range loans {
			readers[i] = l.reader()
		}
		return io.NopCloser(io.MultiReader(readers...))
	}
	req.GetBody = func() (io.ReadCloser, error) { return again(), nil }
	req.Proven = true // by the hash or checksum that each of them has
	req.Body = again()
	resp, err := s.Client.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return nil, backend.ReadError(resp)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, minBuffer) // so that the connection is used again
	return resp.Header, nil
}

// objectHeader is what is kept with an object, the mark of the gateway too.
func (s *Store) objectHeader(key string, o PutOptions) (http.Header, error) {
	h := http.Header{"Content-Type": {o.ContentType}}
	if o.New {
		h.Set("If-None-Match", "*")
	}
	if o.Filename != "" {
		h.Set(filenameMeta, escapeName(o.Filename))
	}
	return h, s.Gate.Stamp(key, h)
}

// userMetadata gives the user metadata among headers as the typed client takes
// them.
func userMetadata(h http.Header) map[string]string {
	metadata := map[string]string{}
	for name := range h {
		if bare, ok := strings.CutPrefix(name, metaPrefix); ok {
			metadata[strings.ToLower(bare)] = h.Get(name)
		}
	}
	return metadata
}

// storedAs describes what was just stored. Its time is the backend's, as that
// of Last-Modified will be.
func (s *Store) storedAs(key string, size int64, o PutOptions, answer http.Header) Object {
	at, err := http.ParseTime(answer.Get("Date"))
	if err != nil {
		at = o.Now
	}
	return Object{
		Key: key, Size: size, ContentType: o.ContentType, Filename: o.Filename, Modified: at,
		ETag: bareETag(answer.Get("Etag")), VersionID: versionID(answer),
	}
}
