package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	gateway "github.com/codeguardians/s3gateway"
)

// Resumable uploads speak tus 1.0 (https://tus.io/protocols/resumable-upload).
// All that is known of an upload is one record in the bucket (resumablestate.go),
// so any replica goes on where another one stopped.

const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration"
	tusChunk      = "application/offset+octet-stream"
)

// The codes of resumable uploads. 460 is the protocol's own.
const (
	offsetMismatch   gateway.Code = "UploadOffsetMismatch"
	uploadUnfinished gateway.Code = "UploadNotFinished"
	uploadLocked     gateway.Code = "UploadLocked"
	uploadExpired    gateway.Code = "UploadExpired"
	chunkMismatch    gateway.Code = "ChunkChecksumMismatch"
)

// tus stands before the protocol's handlers: another version is refused before
// anything is looked at, and a file that is too large learns the limit.
func (d *door) tus(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if d.Resumable == nil {
			return gateway.Errorf(gateway.NotImplemented, "There are no resumable uploads here.")
		}
		if r.Header.Get("Tus-Resumable") != tusVersion {
			w.Header().Set("Tus-Version", tusVersion)
			err := gateway.Errorf(gateway.PreconditionFailed, "Tus-Resumable must be %s.", tusVersion)
			err.Field = "Tus-Resumable"
			return err
		}
		err := next(w, r)
		if gateway.CodeOf(err) == gateway.EntityTooLarge {
			d.setMaxSize(w, callerOf(r))
		}
		return err
	}
}

func (d *door) setMaxSize(w http.ResponseWriter, c gateway.Caller) {
	if most := d.Policy.LimitsFor(c, d.Bucket, string(d.prefix)).MaxSize; most > 0 {
		w.Header().Set("Tus-Max-Size", strconv.FormatInt(most, 10))
	}
}

// tusOptions tells what is offered. Like a preflight it needs no key, so the
// size is the one for everybody.
func (d *door) tusOptions(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", tusExtensions)
	h.Set("Tus-Checksum-Algorithm", strings.Join(chunkAlgorithms(), ","))
	d.setMaxSize(w, gateway.Caller{})
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tusOverride is a POST that stands for another method, from clients that can
// send no other. Without an id it is a creation: some clients end the address
// with a slash.
func (d *door) tusOverride(w http.ResponseWriter, r *http.Request) error {
	if mux.Vars(r)["id"] == "" {
		return d.record(opCreateUpload, withoutIdempotency(d.tusCreate))(w, r)
	}
	methods := map[string]handlerFunc{
		"PATCH": d.tusPatch, "HEAD": d.record(opUploadOffset, changesNothing(d.tusHead)), "DELETE": d.record(opTerminateUpload, d.tusTerminate),
	}
	next, ok := methods[r.Header.Get("X-HTTP-Method-Override")]
	if !ok {
		w.Header().Set("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH")
		return gateway.Errorf(gateway.MethodNotAllowed, "POST to an upload needs X-HTTP-Method-Override: PATCH, HEAD or DELETE.")
	}
	return next(w, r)
}

// tusHead tells how far an upload is. A request that is still writing it is
// ended first: its client has come back, by another connection.
func (d *door) tusHead(w http.ResponseWriter, r *http.Request) error {
	unlock, err := d.hold(w, r, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	defer unlock()
	u, tail, err := d.loadUpload(r, mux.Vars(r)["id"], true)
	if err != nil {
		return err
	}
	defer tail.Close()
	if err := d.finishPending(r, u, tail); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Upload-Offset", strconv.FormatInt(u.offset(), 10))
	if u.state.Length >= 0 {
		h.Set("Upload-Length", strconv.FormatInt(u.state.Length, 10))
	} else {
		h.Set("Upload-Defer-Length", "1")
	}
	if u.state.Metadata != "" {
		h.Set("Upload-Metadata", u.state.Metadata)
	}
	d.describeUpload(w, r, u)
	w.WriteHeader(http.StatusOK)
	return nil
}

// tusGet gives the finished file as direct upload does.
func (d *door) tusGet(w http.ResponseWriter, r *http.Request) error {
	if d.Resumable == nil {
		return d.unknown(w, r)
	}
	u, _, err := d.loadUpload(r, mux.Vars(r)["id"], false)
	if err != nil {
		return err
	}
	if !u.state.Done {
		err := gateway.Errorf(uploadUnfinished, "The upload is not finished: the offset is %d.", u.offset())
		return err
	}
	o, _, err := d.Store.Head(r.Context(), u.state.Key)
	if err != nil {
		return err
	}
	describe(w.Header(), o)
	return writeJSON(w, r, http.StatusOK, d.fileOf(r, o))
}

// tusPatch appends a chunk.
func (d *door) tusPatch(w http.ResponseWriter, r *http.Request) error {
	if kind := r.Header.Get("Content-Type"); kind != tusChunk {
		return invalid(gateway.UnsupportedMediaType, "Content-Type", "must be %s", tusChunk)
	}
	offset, ok := wholeNumber(r.Header.Values("Upload-Offset"))
	if !ok {
		return invalid(gateway.InvalidArgument, "Upload-Offset", "must be there once, a whole number")
	}
	unlock, err := d.hold(w, r, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	defer unlock()
	u, tail, err := d.loadUpload(r, mux.Vars(r)["id"], true)
	if err != nil {
		return err
	}
	defer tail.Close()
	if err := d.finishPending(r, u, tail); err != nil {
		return err
	}
	if offset != u.offset() {
		w.Header().Set("Upload-Offset", strconv.FormatInt(u.offset(), 10))
		err := gateway.Errorf(offsetMismatch, "Upload-Offset is %d, the upload is at %d.", offset, u.offset())
		err.Field = "Upload-Offset"
		return err
	}
	if err := u.setLength(r.Header); err != nil {
		return err
	}
	next, err := d.openChunk(r, u)
	if err != nil {
		return err
	}
	if !u.state.Done {
		if err := d.receive(r, u, next, tail); err != nil {
			return err
		}
	}
	w.Header().Set("Upload-Offset", strconv.FormatInt(u.offset(), 10))
	d.describeUpload(w, r, u)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tusTerminate ends an upload. A file that is finished stays: DELETE of its id
// is what removes it.
func (d *door) tusTerminate(w http.ResponseWriter, r *http.Request) error {
	unlock, err := d.hold(w, r, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	defer unlock()
	u, _, err := d.loadUpload(r, mux.Vars(r)["id"], false)
	if err != nil {
		return err
	}
	if err := d.Resumable.endUpload(r.Context(), u); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// describeUpload sets what an answer tells of an upload besides its offset. The
// file's id and address come with the answer to the chunk that finished it.
func (d *door) describeUpload(w http.ResponseWriter, r *http.Request, u *upload) {
	h := w.Header()
	h.Set("Upload-Expires", u.state.Expires.UTC().Format(http.TimeFormat))
	if !u.state.Done {
		return
	}
	h.Set("X-File-Id", idPath(u.state.Key))
	h.Set("X-File-Url", d.fileURL(r, u.state.Key))
	if u.file != nil {
		describe(h, *u.file)
	}
}

// lasting is the context of what is stored for a client that may have gone: the
// bytes that came are kept.
func lasting(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
