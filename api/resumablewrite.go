package api

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// storeTime bounds one write of what a client sent, who may have left.
const storeTime = 2 * time.Minute

// uploadWriter appends one chunk to an upload. Its memory is one part. A part
// that is full goes to the multipart upload and then, with it, the state is
// saved: what a client is told to be there is there.
type uploadWriter struct {
	*door
	ctx    context.Context // outlives the client
	limits policy.Limits
	caller gateway.Caller
	u      *upload
	chunk  *chunk
	src    *parts

	buf    *buffer
	n      int              // bytes in buf, which follow the last part
	up     *multipartUpload // nil before the first part
	head   []byte           // first bytes of the file, once they are in a part
	before int64            // offset that was saved last
	// pending says that the upload was found whole: another request may be
	// making the file.
	pending bool
	// loose says that the multipart upload was made here and is in no saved
	// state: nobody else would abort it.
	loose bool
	// fresh are pieces that no saved state names yet, and stale those that the
	// next one names no more.
	fresh, stale []savedPiece
}

func (w *uploadWriter) random() io.Reader { return cmp.Or(w.Random, io.Reader(rand.Reader)) }

// receive appends a chunk. A refusal by the policy ends the upload; any other
// failure leaves it where it was saved last.
func (d *door) receive(r *http.Request, u *upload, c *chunk, tail io.Reader) error {
	w := &uploadWriter{
		door: d, ctx: lasting(r.Context()), caller: callerOf(r), u: u, chunk: c, before: u.offset(), pending: u.whole(),
		limits: d.Policy.LimitsFor(callerOf(r), d.Bucket, u.state.Key),
		src:    &parts{src: bufio.NewReaderSize(c.body, 16)}, head: u.state.Head,
	}
	err := w.run(r.Context(), tail)
	if failure := gateway.AsError(err); failure != nil && kindOf(failure).status >= http.StatusInternalServerError {
		// Stores fail in words of their own for parts that another request is
		// just making the file of.
		if overtaken := w.stillOurs(); gateway.CodeOf(overtaken) == uploadLocked {
			err = lockedOut().Because(err)
		}
	}
	if !w.ends(err) {
		return err
	}
	u.state.Pieces = append(u.state.Pieces, w.stale...) // the saved state names them
	if failed := d.Resumable.endUpload(r.Context(), u); failed != nil {
		d.log.Error().Err(failed).Str("key", u.state.Key).Msg("a refused upload could not be removed; a sweep will")
	}
	return err
}

// ends tells the refusals that no further chunk could mend. InvalidPart is what
// the store says when two requests wrote different bytes to one offset,
// NoSuchUpload when somebody aborted the parts.
func (w *uploadWriter) ends(err error) bool {
	switch gateway.CodeOf(err) {
	case gateway.TypeNotAllowed, gateway.NameNotAllowed, gateway.EntityTooSmall, gateway.SHA256Mismatch, gateway.InvalidPart, gateway.NoSuchUpload,
		gateway.QuotaExceeded: // what is stored of it would keep others out
		return true
	case gateway.EntityTooLarge:
		return gateway.AsError(err).Field != "Content-Length" // a chunk that is too long can be sent again
	case chunkMismatch, gateway.BadDigest:
		return w.chunk.endOnMismatch
	}
	return false
}

func (w *uploadWriter) run(ctx context.Context, tail io.Reader) (err error) {
	if err := errors.Join(w.limits.CheckSize(w.u.state.Length), w.limits.CheckLargest(w.u.offset()+w.chunk.size)); err != nil {
		return err
	}
	if err := w.open(ctx, tail); err != nil {
		return err
	}
	defer func() {
		w.settlePieces(false)
		w.buf.release()
		if w.loose {
			w.up.abort(w.ctx)
		}
	}()
	for {
		last, err := w.fill()
		if err != nil {
			return errors.Join(err, w.keepBody())
		}
		if done, err := w.advance(last); done || err != nil {
			return err
		}
	}
}

// open takes a buffer that holds the tail and what comes, up to a part, and
// fills in the tail.
func (w *uploadWriter) open(ctx context.Context, tail io.Reader) (err error) {
	want := w.partSize()
	if w.chunk.size >= 0 {
		want = min(want, w.u.state.pieces()+w.u.state.Tail+w.chunk.size)
	}
	if w.buf, err = w.Budget.open(ctx, max(want, 1)); err != nil {
		return err
	}
	if w.buf.most < want {
		w.buf.release()
		return gateway.Errorf(gateway.ServiceUnavailable, "The upload's parts are larger than this gateway's buffers (UPLOAD_BUFFER_BYTES).")
	}
	if _, err := w.buf.growTo(ctx, w.u.state.Tail); err != nil {
		w.buf.release()
		return err
	}
	if w.u.state.UploadID != "" {
		w.up, err = w.u.multipart(w.Resumable, w.options(w.u.state.Type))
	}
	if err == nil && w.u.state.Tail > 0 {
		w.n, err = io.ReadFull(tail, w.buf.bytes[:w.u.state.Tail])
	}
	if err != nil {
		w.buf.release()
	}
	return err
}

func (w *uploadWriter) options(contentType string) PutOptions {
	return PutOptions{ContentType: contentType, Filename: w.u.state.Filename, New: true, Now: w.Now()}
}

// partSize is how many bytes the part under way has when it is full.
func (w *uploadWriter) partSize() int64 {
	size := w.u.state.PartSize
	if size == 0 {
		size = w.Budget.growingPart(w.u.state.partCount() + 1)
	}
	if w.u.state.Length >= 0 {
		size = min(size, w.u.state.Length-w.u.state.Stored)
	}
	return size
}

// fill reads until the part is full, or until the first bytes can be judged.
// last says that the body ended.
func (w *uploadWriter) fill() (last bool, err error) {
	target := w.partSize() - w.u.state.pieces()
	if w.head == nil && w.n < policy.SniffLen {
		target = min(target, policy.SniffLen)
	}
	for {
		upTo := min(target, int64(len(w.buf.bytes)))
		got, last, err := w.src.fill(w.buf.bytes[w.n:max(upTo, int64(w.n))])
		w.n += got
		if last || err != nil || int64(w.n) >= target {
			return last, err
		}
		if grown, err := w.buf.grow(w.ctx); err != nil || !grown {
			return false, err
		}
	}
}

// advance decides what becomes of what is there. done says that the chunk is
// dealt with.
func (w *uploadWriter) advance(last bool) (done bool, err error) {
	at := w.at()
	if err := w.limits.CheckLargest(at); err != nil {
		return true, err
	}
	whole := at == w.u.state.Length
	if whole && !last {
		return true, beyondLength(w.u.state.Length)
	}
	// Bytes that no checksum has proven yet are not judged: they may be what
	// the network made of them.
	if proven := last || !w.chunk.unproven; proven && (whole || w.n >= policy.SniffLen || w.head != nil) {
		if _, err := w.judge(whole); err != nil {
			return true, err
		}
	}
	switch {
	case whole:
		return true, w.finish()
	case last:
		return true, w.keepTail()
	case w.u.state.pieces()+int64(w.n) < w.partSize():
		return false, nil
	}
	return false, w.putPart()
}

// judge asks the policy of this moment about the file's size, declaration and
// first bytes, and gives the type that is stored.
func (w *uploadWriter) judge(whole bool) (string, error) {
	head := w.head
	if head == nil {
		head = w.buf.bytes[:min(w.n, policy.SniffLen)]
	}
	up := policy.Upload{Caller: w.caller, Bucket: w.Bucket, Key: w.u.state.Key, ContentType: w.u.state.Declared, Size: w.u.state.Length}
	if whole {
		up.Size = w.at()
	}
	_, contentType, err := w.limits.Admit(up, bytes.NewReader(head))
	return contentType, err
}

// save writes the state; the upload is then as far as it says.
func (w *uploadWriter) save(tail []byte) error {
	if err := w.saveUpload(w.ctx, w.u, tail); err != nil {
		return err
	}
	w.loose, w.before = false, w.u.offset()
	w.fresh = nil
	w.settlePieces(true)
	return nil
}

// at is how many bytes of the file are there or in the buffer.
func (w *uploadWriter) at() int64 {
	return w.u.state.Stored + w.u.state.pieces() + int64(w.n)
}

// keepTail saves the bytes that fill no part. A chunk that brought nothing is no
// reason to write the record again.
func (w *uploadWriter) keepTail() error {
	if w.at() == w.before && !w.u.resized {
		return nil
	}
	if w.head == nil && w.n >= policy.SniffLen {
		w.u.state.Head = bytes.Clone(w.buf.bytes[:policy.SniffLen])
	}
	if w.n > inlineTail {
		if err := w.addPiece(); err != nil {
			return err
		}
	}
	return w.save(w.buf.bytes[:w.n])
}

// keepBody keeps what came of a body that broke off, unless a checksum was to
// prove it.
func (w *uploadWriter) keepBody() error {
	if w.chunk.unproven || w.at() == w.before || w.limits.CheckLargest(w.at()) != nil {
		return nil
	}
	return w.keepTail()
}

// stillOurs asks whether the state is the one that was read.
func (w *uploadWriter) stillOurs() error {
	ctx, cancel := context.WithTimeout(w.ctx, storeTime)
	defer cancel()
	now, err := w.Resumable.statRecord(ctx, w.u.recordKey())
	if gateway.CodeOf(err) == gateway.NoSuchKey || err == nil && now.ETag != w.u.saved.ETag {
		return lockedOut().Because(err)
	}
	return err
}
