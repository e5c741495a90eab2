package api

import (
	"bytes"
	"context"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/quota"
)

// putPart sends the full buffer. With a checksum still to come nothing is
// saved: the part then counts with the end of the chunk, or is replaced.
func (w *uploadWriter) putPart() error {
	if w.u.state.partCount() == maxParts-1 {
		return gateway.Errorf(gateway.EntityTooLarge, "The file has more than %d parts of the largest size (UPLOAD_BUFFER_BYTES).", maxParts)
	}
	if err := w.gather(); err != nil {
		return err
	}
	if err := w.beginParts(); err != nil {
		return err
	}
	if w.chunk.unproven {
		// Another request may have gone on in the meantime, with other bytes.
		if err := w.stillOurs(); err != nil {
			return err
		}
	}
	if err := w.sendPart(); missingUpload(err) {
		return w.partsGone(err)
	} else if err != nil {
		return err
	}
	if w.chunk.unproven {
		return w.nextBuffer()
	}
	if err := w.save(nil); err != nil {
		return err
	}
	return w.nextBuffer()
}

// beginParts makes the multipart upload, once the first bytes are known.
func (w *uploadWriter) beginParts() error {
	if w.up != nil {
		return nil
	}
	w.head = bytes.Clone(w.buf.bytes[:min(w.n, policy.SniffLen)])
	contentType := policy.DetectType(w.u.state.Declared, w.u.state.Key, w.head)
	up, err := w.u.multipart(w.Resumable, w.options(contentType))
	if err != nil {
		return err
	}
	if err := up.create(w.ctx); err != nil {
		return err
	}
	w.up, w.loose = up, true
	w.u.state.Head, w.u.state.Type = w.head, contentType
	return nil
}

// counted is how many of the bytes in the buffer quotas count already: those that
// the saved state has beside the parts.
func (w *uploadWriter) counted() int64 { return max(min(w.before-w.u.state.Stored, int64(w.n)), 0) }

func (w *uploadWriter) sendPart() error {
	ctx, cancel := context.WithTimeout(w.ctx, storeTime)
	defer cancel()
	ctx = quota.Replacing(ctx, w.counted())
	if err := w.up.uploadPart(ctx, w.u.state.partCount()+1, w.buf.bytes[:w.n]); err != nil {
		return err
	}
	w.n = 0
	if err := w.u.keep(w.up); err != nil {
		return err
	}
	return w.fold()
}

// nextBuffer makes the buffer small again, so that uploads take turns.
func (w *uploadWriter) nextBuffer() error {
	w.buf.restart(max(w.partSize(), 1))
	return nil
}
