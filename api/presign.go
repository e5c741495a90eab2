package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// uploadLink is the answer to a request for an upload URL.
type uploadLink struct {
	URL       string            `json:"upload_url"`
	FileURL   string            `json:"file_url"`
	ID        string            `json:"file_id"`
	Filename  string            `json:"filename"`
	ExpiresIn int               `json:"expires_in"`
	ExpiresAt string            `json:"expires_at"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers"`          // what the client must send along
	Fields    map[string]string `json:"fields,omitempty"` // of a form, before its file
}

// promise is what a client says of the file that it is going to send. All of it
// is signed into the link, so that nothing else is taken there.
type promise struct {
	filename    string
	contentType string
	method      string // PUT or POST
	size        *int64 // nil for any that is allowed
	sha256      string // in hex, "" for any
	life        int    // of the link, in seconds
}

// presignUpload gives a URL to send one file to. What is promised is judged now.
// The bytes are judged by the same policy on the wire, where the URL is the S3
// door's, and before they are served, where it is the backend's.
func (d *door) presignUpload(w http.ResponseWriter, r *http.Request) error {
	if err := d.may(r, gateway.Write, d.prefix.dayOf(d.Now())); err != nil {
		return err
	}
	once, err := d.once(r, opPresign)
	if err != nil {
		return err
	}
	p, err := d.readPromise(r)
	if err != nil {
		return err
	}
	if once != nil {
		return d.linkOnce(w, r, once, p)
	}
	link, _, err := d.newLink(r, p, d.Now())
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, link)
}

// newLink makes the link for a new file, and gives the promise as it was
// settled.
func (d *door) newLink(r *http.Request, p promise, now time.Time) (uploadLink, promise, error) {
	id, err := d.prefix.newID(d.Random, now, safeName(p.filename))
	if err != nil {
		return uploadLink{}, p, err
	}
	if p.contentType, err = d.admitLink(r, id, p); err != nil {
		return uploadLink{}, p, err
	}
	link, err := d.linkTo(r, id, p, now)
	return link, p, err
}

// linkTo signs the link for a file. The same file, promise and time give the
// same link.
func (d *door) linkTo(r *http.Request, id string, p promise, now time.Time) (link uploadLink, err error) {
	to, err := d.linkTarget(r, p.life, now)
	if err != nil {
		return uploadLink{}, err
	}
	link = uploadLink{
		FileURL: d.fileURL(r, id), ID: id, Filename: p.filename, ExpiresIn: to.life,
		ExpiresAt: timestamp(now.Add(time.Duration(to.life) * time.Second)),
		Method:    p.method, Headers: map[string]string{},
	}
	// In the query of a PUT the original name is signed, and the client need not
	// send it.
	metadata := []signer.Param{{Key: filenameMeta, Value: escapeName(p.filename)}}
	if d.Links != nil {
		metadata = append(metadata, d.Links.metadata(r, id))
	}
	if p.method == http.MethodPost {
		link.URL, link.Fields, err = d.signForm(r, to, id, p, metadata, now)
		return link, err
	}
	header := p.header()
	for name := range header {
		link.Headers[name] = header.Get(name)
	}
	link.URL, err = d.signPut(r.Context(), to, id, metadata, header, now)
	return link, err
}

func (d *door) signPut(ctx context.Context, to linkTarget, key string, query []signer.Param, header http.Header, now time.Time) (string, error) {
	if d.Links != nil {
		return d.Links.signPut(ctx, to, key, query, header, now)
	}
	return to.sign(ctx, http.MethodPut, key, query, header, now)
}

func (d *door) readPromise(r *http.Request) (p promise, err error) {
	var expires *int64
	if err := d.may(r, gateway.Write, d.prefix.dayOf(d.Now())); err != nil {
		return p, err // before the body is read
	}
	err = d.readJSON(r, map[string]any{
		"filename": &p.filename, "content_type": &p.contentType, "expires_in": &expires,
		"size": &p.size, "sha256": &p.sha256, "method": &p.method,
	})
	if err != nil {
		return p, err
	}
	if p.filename, err = cleanFilename(p.filename); err != nil {
		return p, err
	}
	if p.life, err = d.life(expires); err != nil {
		return p, err
	}
	switch p.method {
	case "":
		p.method = http.MethodPut
	case http.MethodPut, http.MethodPost:
	default:
		return p, invalid(gateway.UnprocessableValue, "method", "must be PUT or POST")
	}
	p.sha256 = strings.ToLower(p.sha256)
	if p.sha256 != "" && !isSHA256(p.sha256) {
		return p, invalid(gateway.UnprocessableValue, "sha256", "is not a SHA-256 in hex")
	}
	return p, p.settleSize()
}

// settleSize pins an empty file by its hash: a length of 0 is not signed by
// every client's library, and this one's.
func (p *promise) settleSize() error {
	if p.size == nil {
		return nil
	}
	if *p.size < 0 {
		return invalid(gateway.UnprocessableValue, "size", "must not be negative")
	}
	if *p.size > maxSinglePut {
		return invalid(gateway.UnprocessableValue, "size", "must be at most %d: one request holds no more", int64(maxSinglePut))
	}
	if *p.size > 0 {
		return nil
	}
	if p.sha256 != "" && p.sha256 != signer.EmptyHash {
		return invalid(gateway.UnprocessableValue, "sha256", "is not that of an empty file")
	}
	p.sha256 = signer.EmptyHash
	return nil
}

// header is what a PUT must carry. The hash is there twice: in
// x-amz-content-sha256 every store compares it, from x-amz-checksum-sha256 the
// store keeps it with the object.
func (p *promise) header() http.Header {
	h := http.Header{"Content-Type": {p.contentType}}
	if p.size != nil && *p.size > 0 {
		h.Set("Content-Length", strconv.FormatInt(*p.size, 10))
	}
	if p.sha256 != "" {
		h.Set("X-Amz-Content-Sha256", p.sha256)
		h.Set(checksumSHA, base64SHA256(p.sha256))
	}
	return h
}

func base64SHA256(inHex string) string {
	raw, _ := hex.DecodeString(inHex) // it was checked
	return base64.StdEncoding.EncodeToString(raw)
}

// admitLink judges what is declared of a file that is to come, and gives the
// type that the link is signed for.
func (d *door) admitLink(r *http.Request, id string, p promise) (string, error) {
	if err := d.may(r, gateway.Write, id); err != nil {
		return "", err
	}
	declared := p.contentType
	if declared == "" {
		byExtension, ok := policy.TypeByExtension(id)
		if !ok {
			return "", invalid(gateway.UnprocessableValue, "content_type", "is missing, and the filename's extension names no type")
		}
		declared = byExtension
	}
	if !validHeaderValue(declared) {
		return "", invalid(gateway.UnprocessableValue, "content_type", "is not a media type")
	}
	limits := d.Policy.LimitsFor(callerOf(r), d.Bucket, id)
	if p.size != nil {
		if err := limits.CheckSize(*p.size); err != nil {
			return "", err
		}
		if err := d.room(r, id, *p.size); err != nil {
			return "", err
		}
	}
	return declared, cmp.Or(limits.CheckDeclared(declared, id), limits.CheckOriginal(p.filename))
}

// complete answers for a file that came by a link as direct upload does. What
// came through the S3 door was judged on its way, so there is nothing to check
// but that it came; what came straight to the backend is judged now. It asks for
// the right to write, as the link did: whoever may upload without reading can
// do all of an upload, and a reader has metadata.
func (d *door) complete(w http.ResponseWriter, r *http.Request) error {
	id, err := d.id(r)
	if err != nil {
		return err
	}
	if err := d.may(r, gateway.Write, id); err != nil {
		return err
	}
	// Whoever uploads needs no grant of read to be told that the file is there. Who
	// is denied it is told nothing of it.
	if err := d.notDenied(r, gateway.Read, id); err != nil {
		return err
	}
	o, _, err := d.stat(r.Context(), id)
	if err != nil {
		return err
	}
	if d.Links == nil {
		gateway.RecordFrom(r.Context()).Changed() // nothing: only what came past the gateway is marked here
	}
	return d.created(w, r, o)
}
