package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/drain"
)

// uploadOnce is an upload under an Idempotency-Key. The same file is: the same
// bytes, filename and declared type. Whether it comes as a form or raw makes no
// difference.
func (d *door) uploadOnce(w http.ResponseWriter, r *http.Request, c *claim, in *incoming, name string, now time.Time) error {
	want := record{State: stateUnderWay, Operation: opDirect, Filename: name, Declared: in.declared}
	if c.known() && (c.record.Filename != want.Filename || c.record.Declared != want.Declared) {
		return anotherRequest()
	}
	if c.done() {
		return d.replayUpload(w, r, c, in)
	}
	if c.busy() { // before the body is asked for
		return underWay()
	}
	id, err := d.prefix.newID(d.Random, now, safeName(name))
	if err != nil {
		return err
	}
	want.FileID = id
	stored, err := d.storeOnce(r, c, in, want)
	if err != nil {
		return err
	}
	if c.done() { // it was stored by a request that broke off
		return d.replayUpload(w, r, c, in)
	}
	kept := &recorder{header: w.Header().Clone(), status: http.StatusOK}
	if err := d.created(kept, r, stored); err != nil {
		c.abandon(r.Context(), err)
		return err
	}
	answer := kept.answer()
	c.finish(r.Context(), stored, answer)
	return answer.write(w)
}

// storeOnce judges the file, takes the key and stores the file under the
// record's id. When the request before got as far as the file, c is done.
func (d *door) storeOnce(r *http.Request, c *claim, in *incoming, want record) (Object, error) {
	before := c.known()
	if before { // a request that broke off fixed the id: judge that one
		want.FileID = c.record.FileID
	}
	admitted, contentType, err := d.admit(r, want.FileID, in)
	if err != nil {
		return Object{}, err
	}
	if err := c.take(r.Context(), want); err != nil {
		return Object{}, err
	}
	if before {
		if in.body = admitted; d.adopt(r, c) {
			return Object{}, nil
		}
	}
	stored, err := d.put(r, c.record.FileID, in, contentType, renewing{admitted, c, r.Context()}, want.Filename)
	if err != nil {
		c.abandon(r.Context(), err)
	}
	return stored, err
}

// adopt looks for the file of a request that broke off behind its last byte,
// and writes the record that it left out.
func (d *door) adopt(r *http.Request, c *claim) bool {
	o, _, err := d.Store.Head(r.Context(), c.record.FileID)
	if err != nil || o.SHA256 == "" {
		return false // not stored, or not to be compared: it is stored again in its place
	}
	kept := &recorder{header: http.Header{}, status: http.StatusOK}
	if d.created(kept, r, o) != nil {
		return false
	}
	c.finish(r.Context(), o, kept.answer())
	return c.done()
}

// replayUpload gives the answer of the first request, if this is the same file.
// To know, its bytes are read and hashed, and kept nowhere.
func (d *door) replayUpload(w http.ResponseWriter, r *http.Request, c *claim, in *incoming) error {
	if err := d.may(r, gateway.Write, c.record.FileID); err != nil {
		return err // what the caller may is asked now, as for a link
	}
	if in.size >= 0 && in.size != c.record.Size {
		return anotherRequest()
	}
	if spared(r, c.record.SHA256) {
		drain.Before(w, r)
		return c.record.Answer.replay(w, r)
	}
	sum := sha256.New()
	n, err := io.Copy(struct{ hash.Hash }{sum}, io.LimitReader(in.body, c.record.Size+1))
	if err != nil {
		return err
	}
	if n != c.record.Size || hex.EncodeToString(sum.Sum(nil)) != c.record.SHA256 {
		return anotherRequest()
	}
	return c.record.Answer.replay(w, r)
}

// spared reports that the body need not come: the client says which bytes they
// are, and waits for 100 Continue. Of one that does not wait the body is read:
// it would take a closed connection for a failure, and come again.
func spared(r *http.Request, sum string) bool {
	raw, err := hex.DecodeString(sum)
	if err != nil || !strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return false
	}
	said, _ := base64.StdEncoding.DecodeString(r.Header.Get(checksumSHA))
	if bytes.Equal(said, raw) {
		return true
	}
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		list, err := digestField(name, r.Header.Values(name))
		for _, e := range list {
			if err == nil && e.hash.Size() == sha256.Size && bytes.Equal(e.want, raw) {
				return true
			}
		}
	}
	return false
}

// recorder keeps an answer before it is given.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header, WriteHeader and Write are those of http.ResponseWriter.
func (k *recorder) Header() http.Header         { return k.header }
func (k *recorder) WriteHeader(status int)      { k.status = status }
func (k *recorder) Write(p []byte) (int, error) { return k.body.Write(p) }

// answered are the headers that belong to an answer and not to its connection.
var answered = []string{"Location", "Etag", "Repr-Digest", "Content-Type", "Cache-Control", "X-Content-Type-Options"}

func (k *recorder) answer() *storedAnswer {
	a := &storedAnswer{Status: k.status, Header: map[string]string{}, Body: k.body.String()}
	for _, name := range answered {
		if value := k.header.Get(name); value != "" {
			a.Header[name] = value
		}
	}
	return a
}

// replay gives the answer again. The first request made the change.
func (a *storedAnswer) replay(w http.ResponseWriter, r *http.Request) error {
	gateway.RecordFrom(r.Context()).Changed()
	w.Header().Set(replayedHeader, "true")
	return a.write(w)
}

// write gives the answer.
func (a *storedAnswer) write(w http.ResponseWriter) error {
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	_, err := io.WriteString(w, a.Body)
	return err
}
