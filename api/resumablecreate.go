package api

import (
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	gateway "github.com/codeguardians/s3gateway"
)

// tusCreate makes an upload, with its first bytes if the body has some.
func (d *door) tusCreate(w http.ResponseWriter, r *http.Request) error {
	u, err := d.newUpload(r)
	if err != nil {
		return err
	}
	first, err := d.firstChunk(r, u)
	if err != nil {
		return err
	}
	if err := d.saveUpload(r.Context(), u, nil); err != nil {
		return err
	}
	w.Header().Set("Location", d.absolute(r, Root+"/resumable/"+u.id))
	if first != nil {
		unlock, err := d.hold(w, r, u.id)
		if err != nil {
			return err
		}
		defer unlock()
		// Whoever sends it all again would not find what is left of this one.
		first.endOnMismatch = true
		if err := d.receive(r, u, first, nil); err != nil {
			if u.ended {
				w.Header().Del("Location")
			}
			return err
		}
		w.Header().Set("Upload-Offset", strconv.FormatInt(u.offset(), 10))
	}
	d.describeUpload(w, r, u)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// newUpload judges what is declared at creation.
func (d *door) newUpload(r *http.Request) (*upload, error) {
	if err := d.may(r, gateway.Write, d.prefix.dayOf(d.Now())); err != nil {
		return nil, err
	}
	if r.Header.Get("Upload-Concat") != "" {
		return nil, invalid(gateway.NotImplemented, "Upload-Concat", "is not offered: send the file as one upload")
	}
	length, err := uploadLength(r.Header)
	if err != nil {
		return nil, err
	}
	meta, err := readUploadMetadata(r.Header)
	if err != nil {
		return nil, err
	}
	name, err := cleanFilename(cmp.Or(meta["filename"], meta["name"], "file"))
	if err != nil {
		return nil, err
	}
	key, err := d.prefix.newID(d.Random, d.Now(), safeName(name))
	if err != nil {
		return nil, err
	}
	if err := d.may(r, gateway.Write, key); err != nil {
		return nil, err
	}
	declared := strings.TrimSpace(cmp.Or(meta["filetype"], meta["content_type"]))
	if strings.ContainsFunc(declared, unicode.IsControl) {
		// No store can be told of it, and the upload would never end.
		return nil, invalid(gateway.InvalidArgument, "Upload-Metadata", "has a filetype with a control character")
	}
	limits := d.Policy.LimitsFor(callerOf(r), d.Bucket, key)
	if err := errors.Join(limits.CheckSize(length), limits.CheckDeclared(declared, key), limits.CheckOriginal(name)); err != nil {
		return nil, err
	}
	if err := d.room(r, key, length); err != nil {
		return nil, err
	}
	partSize, err := d.Budget.fixedPart(length)
	if err != nil {
		return nil, err
	}
	id, err := newUploadID(d.Random)
	return &upload{id: id, state: uploadState{
		Caller: callerOf(r).Name, Key: key, Filename: name, Declared: declared, Metadata: r.Header.Get("Upload-Metadata"),
		SHA256: strings.ToLower(meta["sha256"]), Length: length, PartSize: partSize,
	}}, err
}

// newUploadID makes a name of 160 random bits: whoever has it and the caller's
// key may write the upload.
func newUploadID(random io.Reader) (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(cmp.Or(random, io.Reader(rand.Reader)), b[:]); err != nil {
		return "", fmt.Errorf("random bytes for an upload id: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:])), nil
}

// firstChunk is the body of a creation, nil for none. A file of no bytes is
// whole without one.
func (d *door) firstChunk(r *http.Request, u *upload) (*chunk, error) {
	if r.Header.Get("Content-Type") != tusChunk && (r.ContentLength != 0 || u.state.Length != 0) {
		if r.ContentLength != 0 {
			return nil, invalid(gateway.UnsupportedMediaType, "Content-Type", "of a creation with a body must be %s", tusChunk)
		}
		return nil, nil
	}
	return d.openChunk(r, u)
}
