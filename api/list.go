package api

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// list gives the files under a prefix in the order of their keys' bytes.
func (d *door) list(w http.ResponseWriter, r *http.Request) error {
	prefix, err := d.listPrefix(r)
	if err != nil {
		return err
	}
	if err := d.may(r, gateway.List, prefix); err != nil {
		return err
	}
	limit, err := intParam(r, "limit", defaultLimit, 1, maxLimit)
	if err != nil {
		return err
	}
	cursor, _, err := param(r, "cursor")
	if err != nil {
		return err
	}
	after, err := d.readCursor(prefix, cursor)
	if err != nil {
		return err
	}
	// Before it is made: those who wait for memory hold none.
	grant, err := d.Budget.memoryPool().ForAnswer(r.Context(), int64(limit)*listedCost)
	if err != nil {
		return err
	}
	defer grant.Release()
	body, err := d.listingAfter(r, prefix, after, limit)
	if err != nil {
		return err
	}
	grant.Keep(int64(cap(body)))
	return writeBody(w, r, http.StatusOK, body)
}

// listingAfter makes the answer.
func (d *door) listingAfter(r *http.Request, prefix, after string, limit int) ([]byte, error) {
	page, err := d.Store.List(r.Context(), prefix, after, limit)
	if err != nil {
		return nil, err
	}
	l := d.listingOf(r, prefix, limit, page)
	if err := d.showUnverified(r.Context(), l.Files); err != nil {
		return nil, err
	}
	return encode(l)
}

// listedCost is what a file of a listing may take while the answer is made, in bytes:
// its key in the page, in the answer, and escaped in its address.
const listedCost = 16 << 10

// showUnverified tells which files nobody has checked yet.
func (d *door) showUnverified(ctx context.Context, files []listed) error {
	keys := make([]string, len(files))
	for i, f := range files {
		keys[i] = f.ID
	}
	unverified, err := d.Store.Unverified(ctx, keys)
	for i := range files {
		if unverified[files[i].ID] {
			files[i].Status = "unverified"
		}
	}
	return err
}

func (d *door) listingOf(r *http.Request, prefix string, limit int, page Page) listing {
	l := listing{Files: []listed{}, Prefix: prefix, Limit: limit}
	last := ""
	for _, o := range page.Objects {
		last = o.Key
		// What has no valid id cannot be asked for here: folder marks, keys
		// with // that the S3 door made, and the gateway's own.
		if checkKey("file_id", o.Key) != nil || strings.HasPrefix(o.Key, gateway.ReservedPrefix) {
			continue
		}
		l.Files = append(l.Files, listed{
			ID: o.Key, Filename: safeNameOf(o.Key), URL: d.fileURL(r, o.Key), Size: o.Size,
			Uploaded: timestamp(o.Modified), ETag: o.ETag,
		})
	}
	l.Count = len(l.Files)
	if page.More && last != "" {
		cursor := d.writeCursor(prefix, last)
		l.NextCursor = &cursor
	}
	return l
}

// listPrefix is the prefix asked for: without one, everything. The upload
// prefix itself is meant as a folder; any other is a prefix as in S3.
func (d *door) listPrefix(r *http.Request) (string, error) {
	asked, given, err := param(r, "prefix")
	if err != nil {
		return "", err
	}
	day, err := dateFolder(r)
	if err != nil {
		return "", err
	}
	if !given || asked == "" || asked == string(d.prefix) || asked+"/" == string(d.prefix) {
		return string(d.prefix) + day, nil
	}
	if day != "" {
		return "", invalid(gateway.UnprocessableValue, "date", "names a folder of %s, so there can be no other prefix", cmp.Or(string(d.prefix), "the bucket"))
	}
	// A folder's own slash is the one empty segment that a prefix may have.
	if err := checkKey("prefix", strings.TrimSuffix(asked, "/")); err != nil {
		return "", err
	}
	if !strings.HasPrefix(asked, string(d.prefix)) {
		err := gateway.Errorf(gateway.AccessDenied, "prefix is outside of %s.", d.prefix)
		err.Field = "prefix"
		return "", err
	}
	return asked, nil
}

// dateLayouts are the spellings of a day, a month or a year, and the folder each
// names.
var dateLayouts = map[string]string{
	"2006-01-02": "2006/01/02/", "2006/01/02": "2006/01/02/", "2006-01": "2006/01/", "2006/01": "2006/01/", "2006": "2006/",
}

// dateFolder is the folder of the uploads of a date (UTC), "" for none.
func dateFolder(r *http.Request) (string, error) {
	asked, given, err := param(r, "date")
	if err != nil || !given {
		return "", err
	}
	for layout, folder := range dateLayouts {
		if day, err := time.Parse(layout, strings.TrimSuffix(asked, "/")); err == nil {
			return day.Format(folder), nil
		}
	}
	return "", invalid(gateway.UnprocessableValue, "date", "must be a day, a month or a year: 2026-01-15, 2026/01/15, 2026-01 or 2026")
}

// cursorMAC is how much of the HMAC a cursor carries.
const cursorMAC = 16

// writeCursor makes the cursor behind a key. It is authenticated and bound to
// its prefix, so that no client comes to rely on what is in it, or leaves the
// prefix by it.
func (d *door) writeCursor(prefix, last string) string {
	return base64.RawURLEncoding.EncodeToString(append(d.cursorSum(prefix, last), last...))
}

func (d *door) readCursor(prefix, cursor string) (after string, err error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(raw) > cursorMAC {
		after = string(raw[cursorMAC:])
		if hmac.Equal(raw[:cursorMAC], d.cursorSum(prefix, after)) {
			return after, nil
		}
	}
	refusal := gateway.Errorf(gateway.InvalidArgument, "cursor is not one of this listing: send next_cursor as it came, with the same prefix.")
	refusal.Field = "cursor"
	return "", refusal
}

func (d *door) cursorSum(prefix, last string) []byte {
	mac := hmac.New(sha256.New, d.CursorKey)
	// No key has a NUL, so no two pairs give the same bytes.
	mac.Write([]byte(prefix + "\x00" + last))
	return mac.Sum(nil)[:cursorMAC]
}
