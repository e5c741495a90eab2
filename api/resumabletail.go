package api

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/quota"
)

// What of an upload fills no part yet lies in two places: up to inlineTail bytes
// with its state, and before them pieces, each a record that never changes. So a
// small chunk rewrites a few KiB and not the whole tail. Sixteen pieces of one
// size become one of the next (mergeAt): a byte is written a few times in all, and
// a tail has a few dozen pieces.

const (
	tailRecords = gateway.ReservedPrefix + "tus-tail/"
	doneRecords = gateway.ReservedPrefix + "tus-done/"
	inlineTail  = 8 << 10
	mergeAt     = 16
)

// savedPiece is a record with bytes of an upload, or with its earlier parts.
type savedPiece struct {
	Name    string `json:"n"`
	Size    int64  `json:"s"`
	Version string `json:"v,omitempty"`
}

// level is the power of mergeAt that the size of a piece has.
func (p savedPiece) level() int { return (bits.Len64(uint64(p.Size/inlineTail)) + 3) / 4 }

// pieces is how many bytes lie in pieces.
func (s *uploadState) pieces() (n int64) {
	for _, p := range s.Pieces {
		n += p.Size
	}
	return n
}

// accountOf is what is said with a record of an upload, so that quotas count its
// bytes as the file's.
func accountOf(u *upload, bytes int64) http.Header {
	return http.Header{quota.RecordKey: {url.PathEscape(u.state.Key)}, quota.RecordBytes: {strconv.FormatInt(bytes, 10)}}
}

// writePiece makes a record of bytes, of which quotas count the first number, and
// the second already elsewhere until that is gone.
func (w *uploadWriter) writePiece(counted, already int64, pieces ...[]byte) (savedPiece, error) {
	var random [10]byte
	if _, err := io.ReadFull(w.random(), random[:]); err != nil {
		return savedPiece{}, err
	}
	p := savedPiece{Name: fmt.Sprintf("%d-%s", w.u.state.Saved+1, strings.ToLower(base32.StdEncoding.EncodeToString(random[:])))}
	for _, b := range pieces {
		p.Size += int64(len(b))
	}
	ctx, cancel := context.WithTimeout(quota.Replacing(w.ctx, already), storeTime)
	defer cancel()
	at, err := w.Resumable.putRecordWith(ctx, pieceKey(w.u.id, p.Name), nil, accountOf(w.u, counted), pieces...)
	p.Version = at.Version
	w.fresh = append(w.fresh, p)
	return p, err
}

func pieceKey(id, name string) string { return tailRecords + id + "/" + name }

// readPiece fills buf with a piece. One that is gone belongs to an upload that
// another request went on with.
func (w *uploadWriter) readPiece(p savedPiece, buf []byte) error {
	ctx, cancel := context.WithTimeout(w.ctx, storeTime)
	defer cancel()
	body, _, err := w.Resumable.OpenRecord(ctx, pieceKey(w.u.id, p.Name))
	if gateway.CodeOf(err) == gateway.NoSuchKey {
		if overtaken := w.stillOurs(); overtaken != nil {
			return overtaken
		}
		return fmt.Errorf("a piece of upload %s is gone: %s", w.u.id, p.Name) // no code of the client's
	}
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.ReadFull(body, buf)
	return err
}

// gather puts the pieces into the buffer, before what is there.
func (w *uploadWriter) gather() error {
	kept := w.u.state.pieces()
	if kept == 0 {
		return nil
	}
	if _, err := w.buf.growTo(w.ctx, kept+int64(w.n)); err != nil {
		return err
	}
	copy(w.buf.bytes[kept:], w.buf.bytes[:w.n])
	at := int64(0)
	for _, p := range w.u.state.Pieces {
		if err := w.readPiece(p, w.buf.bytes[at:][:p.Size]); err != nil {
			return err
		}
		at += p.Size
	}
	w.n += int(kept)
	w.stale, w.u.state.Pieces = append(w.stale, w.u.state.Pieces...), nil
	return nil
}

// addPiece makes a piece of what is in the buffer, and one of several that are
// small.
func (w *uploadWriter) addPiece() error {
	inline := max(w.before-w.u.state.Stored-w.u.state.pieces(), 0)
	p, err := w.writePiece(int64(w.n), inline, w.buf.bytes[:w.n])
	if err != nil {
		return err
	}
	w.n = 0
	w.u.state.Pieces = append(w.u.state.Pieces, p)
	for {
		all := w.u.state.Pieces
		from := len(all) - mergeAt
		if from < 0 || all[from].level() > all[len(all)-1].level() {
			return nil
		}
		if err := w.merge(from); err != nil {
			return err
		}
	}
}

// merge makes one piece of the last ones.
func (w *uploadWriter) merge(from int) error {
	parts, size := w.u.state.Pieces[from:], int64(0)
	for _, p := range parts {
		size += p.Size
	}
	buf, err := w.Budget.take(w.ctx, size)
	if err != nil {
		return err
	}
	defer buf.release()
	at := int64(0)
	for _, p := range parts {
		if err := w.readPiece(p, buf.bytes[at:][:p.Size]); err != nil {
			return err
		}
		at += p.Size
	}
	merged, err := w.writePiece(size, size, buf.bytes[:size])
	if err != nil {
		return err
	}
	w.stale = append(w.stale, parts...)
	w.u.state.Pieces = append(w.u.state.Pieces[:from:from], merged)
	return nil
}

// settlePieces removes the pieces that no saved state names any more: those that
// were replaced, or, when the state was not saved, the new ones.
func (w *uploadWriter) settlePieces(saved bool) {
	gone := w.fresh
	if w.fresh = nil; saved {
		gone, w.stale = w.stale, nil
	}
	w.Resumable.deletePieces(w.ctx, w.u.id, gone)
}

// deletePieces removes records of an upload. What is left is for a sweep.
func (s *Store) deletePieces(ctx context.Context, id string, all []savedPiece) {
	ctx, cancel := context.WithTimeout(lasting(ctx), cleanupTime)
	defer cancel()
	for _, p := range all {
		if err := s.DeleteRecord(ctx, pieceKey(id, p.Name), RecordState{Version: p.Version}); err != nil {
			s.Log.Warn().Err(err).Str("upload", id).Msg("a piece of an upload could not be removed; a sweep will")
		}
	}
}

// sweepPiece removes a piece that no state names.
func (s *Store) sweepPiece(ctx context.Context, r oldRecord) error {
	id, name, _ := strings.Cut(strings.TrimPrefix(r.key, tailRecords), "/")
	u := &upload{id: id}
	tail, err := s.loadState(ctx, u)
	if err == nil {
		tail.Close()
	} else if gateway.CodeOf(err) != gateway.NoSuchKey {
		return err
	}
	for _, p := range append(u.state.Pieces, u.state.Earlier) {
		if p.Name == name {
			return nil
		}
	}
	return s.DeleteRecord(ctx, r.key, r.state)
}

// earlierAt is how many parts a state names itself. Those before are a record, so
// that the state of a large upload stays small.
const earlierAt = 32

// partCount is how many parts there are.
func (s *uploadState) partCount() int { return s.EarlierParts + len(s.Parts) }

// fold moves the parts of a state into the record of the earlier ones.
func (w *uploadWriter) fold() error {
	if len(w.u.state.Parts) < earlierAt {
		return nil
	}
	all, err := w.earlier()
	if err != nil {
		return err
	}
	all = append(all, w.u.state.Parts...)
	line, err := encodeParts(all)
	if err != nil {
		return err
	}
	p, err := w.writePiece(0, 0, line)
	if err != nil {
		return err
	}
	if w.u.state.Earlier.Name != "" {
		w.stale = append(w.stale, w.u.state.Earlier)
	}
	w.u.state.Earlier, w.u.state.EarlierParts, w.u.state.Parts = p, len(all), nil
	return nil
}

// earlier reads the parts that the state does not name itself.
func (w *uploadWriter) earlier() ([]savedPart, error) {
	p := w.u.state.Earlier
	if p.Name == "" {
		return nil, nil
	}
	if p.Size > maxState {
		return nil, errors.New("the list of parts is too long")
	}
	raw := make([]byte, p.Size)
	if err := w.readPiece(p, raw); err != nil {
		return nil, err
	}
	return decodeParts(raw)
}
