package api

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/relay"
)

// maxRanges is how many ranges of one request are served: each is a request to
// the backend. Of more, as of overlapping ones, the whole file is given (RFC
// 9110 section 14.2).
const maxRanges = 16

// byteRange is one range of a file of known size, in bytes; last is part of it.
type byteRange struct{ first, last int64 }

func (b byteRange) length() int64 { return b.last - b.first + 1 }

// String is as in a Range header.
func (b byteRange) String() string {
	return "bytes=" + strconv.FormatInt(b.first, 10) + "-" + strconv.FormatInt(b.last, 10)
}

// contentRange is as in a part's header.
func (b byteRange) contentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", b.first, b.last, size)
}

// severalRanges is the text of a Range that asks for more than one range, ""
// for any other.
func severalRanges(r *http.Request) string {
	values := r.Header.Values("Range")
	if r.Method != http.MethodGet || len(values) != 1 {
		return ""
	}
	set, ok := strings.CutPrefix(strings.TrimSpace(values[0]), "bytes=")
	if !ok || !strings.Contains(set, ",") {
		return ""
	}
	return set
}

// parseRanges gives the ranges of a set that lie in a file, in the order asked
// for. worth is false where the whole file serves better: too many, overlapping,
// or not readable, as which a Range is to be ignored.
func parseRanges(set string, size int64) (all []byteRange, worth bool) {
	specs := strings.Split(set, ",")
	if len(specs) > maxRanges {
		return nil, false
	}
	for _, spec := range specs {
		from, to, dashed := strings.Cut(strings.TrimSpace(spec), "-")
		if !dashed || from+to == "" || !digits(from) || !digits(to) {
			return nil, false
		}
		b, ok := resolveRange(from, to, size)
		if !ok {
			return nil, false
		}
		if b.length() > 0 {
			all = append(all, b)
		}
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b byteRange) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].first <= sorted[i-1].last {
			return nil, false
		}
	}
	return all, true
}

// resolveRange reads one range; one that lies behind the end has no length.
func resolveRange(from, to string, size int64) (byteRange, bool) {
	first, err1 := strconv.ParseInt(cmp.Or(from, "0"), 10, 64)
	last, err2 := strconv.ParseInt(cmp.Or(to, strconv.FormatInt(size, 10)), 10, 64)
	if err1 != nil || err2 != nil {
		return byteRange{}, false
	}
	if from == "" { // the last bytes
		return byteRange{max(0, size-last), size - 1}, true
	}
	if to != "" && last < first {
		return byteRange{}, false
	}
	if first >= size {
		return byteRange{0, -1}, true
	}
	return byteRange{first, min(last, size-1)}, true
}

// serveRanges answers several ranges as multipart/byteranges. served is false
// where the whole file, or a single range, is to be given instead.
func (d *door) serveRanges(w http.ResponseWriter, r *http.Request, id, mode string, header http.Header) (served bool, err error) {
	set := severalRanges(r)
	if set == "" || judgedHere(r) {
		return false, nil
	}
	o, _, err := d.stat(r.Context(), id)
	if err != nil {
		return true, err
	}
	if !ifRangeHolds(r.Header.Get("If-Range"), o) {
		return false, nil
	}
	ranges, worth := parseRanges(set, o.Size)
	if !worth || o.ETag == "" {
		return false, nil
	}
	if len(ranges) == 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
		return true, gateway.Errorf(gateway.InvalidRange, "None of the ranges lies in the file, which has %d bytes.", o.Size)
	}
	// The client's conditions are the backend's to judge, with the first range.
	header = header.Clone()
	header.Set("Range", ranges[0].String())
	first, err := d.Store.Get(r.Context(), r.Method, id, header)
	if err != nil {
		return true, err
	}
	defer first.Body.Close()
	if first.StatusCode != http.StatusPartialContent {
		return true, d.serve(w, r, id, mode, first)
	}
	if bareETag(first.Header.Get("Etag")) != o.ETag || first.Header.Get("Content-Range") != ranges[0].contentRange(o.Size) {
		return false, nil // it was replaced meanwhile
	}
	return true, d.writeRanges(w, r, o, mode, ranges, first)
}

// ifRangeHolds compares strongly (RFC 9110 section 13.1.5).
func ifRangeHolds(condition string, o Object) bool {
	if condition == "" {
		return true
	}
	if strings.HasSuffix(condition, `"`) {
		return condition == `"`+o.ETag+`"`
	}
	at, err := http.ParseTime(condition)
	return err == nil && at.Equal(o.Modified)
}

func (d *door) writeRanges(w http.ResponseWriter, r *http.Request, o Object, mode string, ranges []byteRange, first *http.Response) error {
	kind := cmp.Or(o.ContentType, "application/octet-stream")
	partHeader := func(b byteRange) textproto.MIMEHeader {
		return textproto.MIMEHeader{"Content-Type": {kind}, "Content-Range": {b.contentRange(o.Size)}}
	}
	var counted countingWriter
	parts := multipart.NewWriter(&counted)
	boundary := parts.Boundary()
	for _, b := range ranges { // a first time, for the length
		_, _ = parts.CreatePart(partHeader(b))
		counted.n += b.length()
	}
	_ = parts.Close()

	h := w.Header()
	h.Set("Content-Type", kind)
	guardFile(h, mode, d.fileOf(r, o).Filename)
	h.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	h.Set("Content-Length", strconv.FormatInt(counted.n, 10))
	h.Set("Etag", `"`+o.ETag+`"`)
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	w.WriteHeader(http.StatusPartialContent)
	parts = multipart.NewWriter(w)
	if err := parts.SetBoundary(boundary); err != nil {
		return err
	}
	for i, b := range ranges {
		body := first.Body
		if i > 0 {
			var err error
			if body, err = d.openRange(r.Context(), o, b); err != nil {
				return err
			}
		}
		out, err := parts.CreatePart(partHeader(b))
		if err == nil {
			_, err = relay.Copy(out, io.LimitReader(body, b.length()))
		}
		body.Close()
		if err != nil {
			return fmt.Errorf("a download of %s was cut off: %w", o.Key, err)
		}
	}
	return parts.Close()
}

// openRange reads a further range of the same bytes.
func (d *door) openRange(ctx context.Context, o Object, b byteRange) (io.ReadCloser, error) {
	header := http.Header{"Range": {b.String()}, "If-Match": {`"` + o.ETag + `"`}}
	resp, err := d.Store.Get(ctx, http.MethodGet, o.Key, header)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusPartialContent || resp.Header.Get("Content-Range") != b.contentRange(o.Size) {
		defer resp.Body.Close()
		return nil, fmt.Errorf("a range of %s is not there any more: %w", o.Key, backend.ReadError(resp))
	}
	return resp.Body, nil
}

type countingWriter struct{ n int64 }

// Write counts.
func (c *countingWriter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
