package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// incoming is one upload before it is judged.
type incoming struct {
	filename string // as sent, then without folders
	declared string // Content-Type, "" when absent
	size     int64  // in bytes, -1 when not declared
	body     io.Reader
}

// direct takes one file, as a form or as the raw body, and stores it.
func (d *door) direct(w http.ResponseWriter, r *http.Request) error {
	if err := d.may(r, gateway.Write, d.prefix.dayOf(d.Now())); err != nil {
		return err
	}
	once, err := d.once(r, opDirect)
	if err != nil {
		return err
	}
	now := d.Now()
	in, err := d.open(r, now)
	if err != nil {
		return err
	}
	name, err := cleanFilename(in.filename)
	if err != nil {
		return err
	}
	in.filename = name
	if once != nil {
		return d.uploadOnce(w, r, once, in, name, now)
	}
	id, err := d.prefix.newID(d.Random, now, safeName(name))
	if err != nil {
		return err
	}
	admitted, contentType, err := d.admit(r, id, in)
	if err != nil {
		return err
	}
	stored, err := d.put(r, id, in, contentType, admitted, name)
	if err != nil {
		return err
	}
	return d.created(w, r, stored)
}

// admit judges an upload by all that its headers and first bytes tell.
func (d *door) admit(r *http.Request, id string, in *incoming) (io.Reader, string, error) {
	if err := d.may(r, gateway.Write, id); err != nil {
		return nil, "", err
	}
	if err := d.room(r, id, in.size); err != nil {
		return nil, "", err
	}
	limits := d.Policy.LimitsFor(callerOf(r), d.Bucket, id)
	if err := cmp.Or(limits.CheckSize(in.size), limits.CheckOriginal(in.filename)); err != nil {
		return nil, "", err
	}
	up := policy.Upload{Caller: callerOf(r), Bucket: d.Bucket, Key: id, ContentType: in.declared, Size: in.size}
	return limits.Admit(up, in.body)
}

// room refuses a file that a quota has no room for, before it is sent. A size
// that is not known is below zero.
func (d *door) room(r *http.Request, id string, size int64) error {
	if d.Room == nil || size < 0 {
		return nil
	}
	return d.Room(r.Context(), id, size)
}

func (d *door) put(r *http.Request, id string, in *incoming, contentType string, admitted io.Reader, name string) (Object, error) {
	return d.Store.Put(r.Context(), id, admitted, PutOptions{
		ContentType: contentType, Filename: name, AtMost: r.ContentLength, Exact: in.size >= 0,
		Budget: d.Budget, Now: d.Now(),
	})
}

// created answers with a file that was just stored. ETag and Repr-Digest are the
// file's (RFC 9110 section 15.3.2, RFC 9530 section 3), not those of the answer.
func (d *door) created(w http.ResponseWriter, r *http.Request, stored Object) error {
	h := w.Header()
	h.Set("Location", Root+"/metadata/"+idPath(stored.Key))
	describe(h, stored)
	return writeJSON(w, r, http.StatusCreated, d.fileOf(r, stored))
}

// describe sets the headers that identify a file's bytes.
func describe(h http.Header, o Object) {
	if o.ETag != "" {
		h.Set("Etag", `"`+o.ETag+`"`)
	}
	if sum, err := hex.DecodeString(o.SHA256); err == nil && len(sum) == sha256.Size {
		h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
	}
}

// open finds the file in the request. What the headers alone can refuse is
// refused before the body is asked for.
func (d *door) open(r *http.Request, now time.Time) (*incoming, error) {
	if err := uploadHeaders(r.Header); err != nil {
		return nil, err
	}
	kind, err := mediaTypeOf(r.Header)
	if err != nil {
		return nil, err
	}
	sent, err := verified(r.Header, newBody(r))
	if err != nil {
		return nil, err
	}
	limits := d.Policy.LimitsFor(callerOf(r), d.Bucket, d.prefix.dayOf(now))
	if kind != "multipart/form-data" {
		return openRaw(r, kind, sent, limits)
	}
	if limits.CheckLargest(r.ContentLength-formSlack) != nil {
		return nil, limits.CheckLargest(r.ContentLength) // the refusal names the length that was sent
	}
	if err := d.room(r, d.prefix.dayOf(now), r.ContentLength-formSlack); err != nil {
		return nil, err
	}
	f, err := openForm(r, sent)
	if err != nil {
		return nil, err
	}
	return &incoming{filename: f.filename, declared: f.declared, size: -1, body: f}, nil
}

// openRaw takes the whole body for the file: PUT, or POST, with its name in
// ?filename= or in Content-Disposition.
func openRaw(r *http.Request, kind string, sent io.Reader, limits policy.Limits) (*incoming, error) {
	name, given, err := rawFilename(r)
	if err != nil {
		return nil, err
	}
	if !given || strings.HasPrefix(kind, "multipart/") {
		err := gateway.Errorf(gateway.UnsupportedMediaType,
			"Send multipart/form-data with a part named %s, or the file itself with its name in ?filename= or Content-Disposition.", fileField)
		err.Field = "Content-Type"
		return nil, err
	}
	if err := limits.CheckSize(r.ContentLength); err != nil {
		return nil, err
	}
	return &incoming{filename: name, declared: r.Header.Get("Content-Type"), size: r.ContentLength, body: sent}, nil
}

// rawFilename finds the name; two different ones are a mistake that only the
// client can mend.
func rawFilename(r *http.Request) (name string, given bool, err error) {
	refuse := func(why string) error {
		err := gateway.Errorf(gateway.InvalidRequest, "%s.", why)
		err.Field = "filename"
		return err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["filename"]) > 1 {
		return "", false, refuse("filename in the query cannot be read, or is there twice")
	}
	name, given = query.Get("filename"), query.Has("filename")
	for _, said := range r.Header.Values("Content-Disposition") {
		_, params, err := mime.ParseMediaType(said)
		if err != nil {
			return "", false, refuse("Content-Disposition cannot be read")
		}
		other, has := params["filename"]
		if has && given && other != name {
			return "", false, refuse("filename is given twice, and they differ")
		}
		if has {
			name, given = other, true
		}
	}
	return name, given, nil
}

// mediaTypeOf reads the request's Content-Type without its parameters, "" when
// absent. One that cannot be read is refused only where it decides: as the
// file's declaration it is the policy's to judge.
func mediaTypeOf(h http.Header) (string, error) {
	values := h.Values("Content-Type")
	if len(values) == 0 {
		return "", nil
	}
	kind, params, err := mime.ParseMediaType(values[0])
	form := strings.HasPrefix(strings.ToLower(strings.TrimSpace(values[0])), "multipart/form-data")
	if len(values) > 1 || form && (err != nil || params["boundary"] == "") {
		return "", brokenForm("Content-Type is there twice, or names no boundary")
	}
	return kind, nil
}

// uploadHeaders refuses what would change the meaning of the bytes: a coding
// that would be lost with its header, and a piece of a file for the whole (RFC
// 9110 section 14.4).
func uploadHeaders(h http.Header) error {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		err := gateway.Errorf(gateway.UnsupportedMediaType, "Content-Encoding %s is not taken: send the file as it is.", clip(coding, 32))
		err.Field = "Content-Encoding"
		return err
	}
	if h.Get("Content-Range") != "" {
		err := gateway.Errorf(gateway.InvalidRequest, "Content-Range is not taken: send the whole file.")
		err.Field = "Content-Range"
		return err
	}
	return nil
}
