package api

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/relay"
	"github.com/codeguardians/s3gateway/policy"
)

// inlineTypes are those that a browser may show in the gateway's origin: none
// of them runs anything. SVG and HTML are not among them, nor PDF, which a
// sandbox keeps from being shown anyway.
var inlineTypes = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/avif": true, "text/plain": true,
}

// served are the backend's headers that a download shows. User metadata and
// whatever else a backend sends stay behind.
var served = []string{"Content-Type", "Content-Length", "Content-Range", "Content-Encoding", "Content-Language",
	"Etag", "Last-Modified", "Accept-Ranges"}

// download streams a file. A HEAD without conditions is answered out of the
// metadata.
func (d *door) download(w http.ResponseWriter, r *http.Request) error {
	mode, err := dispositionOf(r)
	if err != nil {
		return err
	}
	header := conditionsOf(r)
	if r.Method == http.MethodHead && len(header) == 0 {
		return d.headFile(w, r, mode)
	}
	id, err := d.id(r)
	if err != nil {
		return err
	}
	if err := d.may(r, gateway.Read, id); err != nil {
		return err
	}
	if served, err := d.serveRanges(w, r, id, mode, header); served || err != nil {
		return err
	}
	resp, err := d.fetch(r, id, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return d.serve(w, r, id, mode, resp)
}

// headFile answers HEAD as GET would.
func (d *door) headFile(w http.ResponseWriter, r *http.Request, mode string) error {
	o, err := d.head(w, r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", o.ContentType)
	h.Set("Content-Length", strconv.FormatInt(o.Size, 10))
	describe(h, o)
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	if o.ContentEncoding != "" {
		h.Set("Content-Encoding", o.ContentEncoding)
	}
	guardFile(h, mode, d.fileOf(r, o).Filename)
	w.WriteHeader(http.StatusOK)
	return nil
}

// fetch asks the backend, with the range if there is one. If-Range (RFC 9110
// section 13.1.5), which not every store knows, becomes a condition: should it
// fail, the whole file is meant.
func (d *door) fetch(r *http.Request, id string, header http.Header) (*http.Response, error) {
	rng, ifRange := singleRange(r), r.Header.Get("If-Range")
	if rng == "" {
		return d.Store.Get(r.Context(), r.Method, id, header)
	}
	ranged := header.Clone()
	ranged.Set("Range", rng)
	if ifRange == "" {
		return d.Store.Get(r.Context(), r.Method, id, ranged)
	}
	// A condition of the client's own under that name stays in force, and what
	// is no strong validator never matches: the range is then left out.
	name, at := ifRangeCondition(ifRange)
	if name == "" || header.Get(name) != "" {
		return d.Store.Get(r.Context(), r.Method, id, header)
	}
	ranged.Set(name, ifRange)
	resp, err := d.Store.Get(r.Context(), r.Method, id, ranged)
	if err != nil {
		return nil, err
	}
	// A store takes any later date for "not modified since"; If-Range means
	// this very date.
	modified, _ := http.ParseTime(resp.Header.Get("Last-Modified"))
	otherDate := resp.StatusCode == http.StatusPartialContent && !at.IsZero() && !at.Equal(modified)
	if resp.StatusCode != http.StatusPreconditionFailed && !otherDate {
		return resp, nil
	}
	resp.Body.Close()
	return d.Store.Get(r.Context(), r.Method, id, header)
}

// singleRange is the Range of a GET when it asks for one range of bytes.
func singleRange(r *http.Request) string {
	values := r.Header.Values("Range")
	if r.Method != http.MethodGet || len(values) != 1 {
		return ""
	}
	set, ok := strings.CutPrefix(strings.TrimSpace(values[0]), "bytes=")
	from, to, dashed := strings.Cut(strings.TrimSpace(set), "-")
	if !ok || !dashed || from+to == "" || !digits(from) || !digits(to) {
		return ""
	}
	if _, ok := resolveRange(from, to, math.MaxInt64); !ok { // stores differ on one that ends before it begins
		return ""
	}
	return "bytes=" + from + "-" + to
}

func digits(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
}

// serve passes the backend's answer on.
func (d *door) serve(w http.ResponseWriter, r *http.Request, id, mode string, resp *http.Response) error {
	if judgedHere(r) && resp.StatusCode < 300 && noneMatch(r, resp.Header.Get("Etag")) {
		resp.StatusCode = http.StatusNotModified
	}
	if err := readSmall(r, resp); err != nil {
		return err // while it can still be told
	}
	h := w.Header()
	if resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotModified {
		if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
			d.showLength(r, id, h, resp.Header.Get("Content-Range"))
		}
		return backend.ReadError(resp)
	}
	for _, name := range served {
		if value := resp.Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/octet-stream") // or net/http guesses, and a browser believes it
	}
	name := originalName(resp.Header)
	if name == "" {
		name = safeNameOf(id)
	}
	guardFile(h, mode, name)
	if resp.StatusCode == http.StatusOK {
		describe(h, d.known(r, id, resp.Header))
	}
	if resp.StatusCode == http.StatusNotModified {
		notModified(h, r.Header.Get("If-None-Match"))
	}
	w.WriteHeader(resp.StatusCode)
	if r.Method == http.MethodHead || resp.StatusCode == http.StatusNotModified {
		return nil
	}
	if _, err := relay.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("a download of %s was cut off: %w", id, err)
	}
	return nil
}

// smallFile is the size up to which a file is read before its header goes out, so
// that a fault of the storage is a refusal and not a cut.
const smallFile = 32 << 10

// readSmall reads the body of a small answer.
func readSmall(r *http.Request, resp *http.Response) error {
	if r.Method == http.MethodHead || resp.StatusCode >= 300 || resp.ContentLength <= 0 || resp.ContentLength > smallFile {
		return nil
	}
	all := make([]byte, resp.ContentLength)
	if _, err := io.ReadFull(resp.Body, all); err != nil {
		return backend.Fault(r.Context(), err)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(all), resp.Body}
	return nil
}

// showLength tells with a 416 how long the file is (RFC 9110 section 15.5.17):
// a client that has the whole of it sees so. Not every store says it.
func (d *door) showLength(r *http.Request, id string, h http.Header, said string) {
	if said == "" {
		o, _, err := d.Store.Head(r.Context(), id)
		if err != nil {
			return
		}
		said = fmt.Sprintf("bytes */%d", o.Size)
	}
	h.Set("Content-Range", said)
}

// known is what a backend's answer tells of a file's bytes. The SHA-256 of a
// multipart object is in no header: the metadata has it, if they are of the same
// bytes.
func (d *door) known(r *http.Request, id string, answer http.Header) Object {
	o := objectFrom(id, answer)
	if o.SHA256 == "" && strings.Contains(o.ETag, "-") {
		if kept, _, err := d.Store.Head(r.Context(), id); err == nil && kept.ETag == o.ETag {
			o.SHA256 = kept.SHA256
		}
	}
	return o
}

// notModified leaves what a 304 may say (RFC 9110 section 15.4.5). A cache
// updates what it holds with the headers of a 304, and those of a store may be
// bare: it must not learn another filename or type from them. A store that
// leaves the ETag out has just said that the one asked for holds.
func notModified(h http.Header, asked string) {
	h.Del("Content-Disposition")
	h.Del("Content-Type")
	h.Del("Content-Length")
	h.Del("Content-Range")
	if h.Get("Etag") == "" && strings.Count(asked, `"`) == 2 {
		h.Set("Etag", strings.TrimPrefix(strings.TrimSpace(asked), "W/"))
	}
}

// guardFile keeps a file that somebody uploaded from acting in the gateway's
// origin, and out of shared caches.
func guardFile(h http.Header, mode, filename string) {
	h.Set("Content-Disposition", contentDisposition(shown(mode, h.Get("Content-Type")), filename))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-cache")
}

// shown is the disposition that a type may have.
func shown(mode, contentType string) string {
	essence, _, _ := strings.Cut(contentType, ";")
	if !inlineTypes[policy.CanonicalType(strings.ToLower(strings.TrimSpace(essence)))] {
		return "attachment"
	}
	return mode
}

func dispositionOf(r *http.Request) (string, error) {
	mode, _, err := param(r, "disposition")
	switch {
	case err != nil:
		return "", err
	case mode == "" || mode == "attachment":
		return "attachment", nil
	case mode == "inline":
		return mode, nil
	}
	return "", invalid(gateway.UnprocessableValue, "disposition", "must be attachment or inline")
}
