package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// file is a stored file in an answer.
type file struct {
	ID          string  `json:"file_id"`
	Filename    string  `json:"filename"`
	URL         string  `json:"file_url"`
	Size        int64   `json:"file_size"`
	ContentType string  `json:"content_type"`
	Uploaded    string  `json:"upload_timestamp"`
	ETag        string  `json:"etag"`
	SHA256      *string `json:"sha256"` // null when the store has none
	VersionID   string  `json:"version_id,omitempty"`
}

// fileMetadata is a file with all that is kept beside it.
type fileMetadata struct {
	file
	Metadata map[string]string `json:"metadata"`
	Tags     map[string]string `json:"tags"`
}

// listed is a file in a listing, which knows less of it.
type listed struct {
	ID       string `json:"file_id"`
	Filename string `json:"filename"`
	URL      string `json:"file_url"`
	Size     int64  `json:"file_size"`
	Uploaded string `json:"upload_timestamp"`
	ETag     string `json:"etag"`
	Status   string `json:"status,omitempty"` // "unverified": came past the gateway and was not checked yet
}

type listing struct {
	Files      []listed `json:"files"`
	Prefix     string   `json:"prefix"`
	Limit      int      `json:"limit"`
	Count      int      `json:"count"`
	NextCursor *string  `json:"next_cursor"`
}

func (d *door) fileOf(r *http.Request, o Object) file {
	f := file{
		ID: o.Key, Filename: o.Filename, URL: d.fileURL(r, o.Key), Size: o.Size, ContentType: o.ContentType,
		Uploaded: timestamp(o.Modified), ETag: o.ETag, VersionID: o.VersionID,
	}
	if f.Filename == "" {
		f.Filename = safeNameOf(o.Key)
	}
	if o.SHA256 != "" {
		f.SHA256 = &o.SHA256
	}
	return f
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// fileURL is where a file can be had: at the CDN, through this door, or, where
// links go straight to the backend, there. Where
// the gateway's own address is not known it is a path, which a client resolves
// against the URL that it asked.
func (d *door) fileURL(r *http.Request, id string) string {
	if d.CDNBaseURL != nil {
		return strings.TrimSuffix(d.CDNBaseURL.String(), "/") + "/" + signer.EncodePath(id)
	}
	if d.Links != nil {
		return d.Store.URL(id).String()
	}
	return d.absolute(r, Root+"/download/"+idPath(id))
}

// absolute is the URL of a path of this door, or the path alone.
func (d *door) absolute(r *http.Request, path string) string {
	base := d.publicURL(r)
	if base == nil {
		return path
	}
	return base.Scheme + "://" + base.Host + strings.TrimSuffix(base.EscapedPath(), "/") + path
}

// publicURL is how clients reach the gateway: as configured, or as this one did
// if it is on this machine. Any other Host may be a client's invention, and a
// signed link must not lead there.
func (d *door) publicURL(r *http.Request) *url.URL {
	if d.PublicURL != nil {
		return d.PublicURL
	}
	if !loopback(r.Host) {
		return nil
	}
	u := &url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u
}

func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && addr.IsLoopback()
}

// metadata tells what is known of a file.
func (d *door) metadata(w http.ResponseWriter, r *http.Request) error {
	o, err := d.head(w, r)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, fileMetadata{d.fileOf(r, o), o.Metadata, o.Tags})
}

// head finds the file of the request's path, after asking who may read it.
func (d *door) head(w http.ResponseWriter, r *http.Request) (Object, error) {
	id, err := d.id(r)
	if err != nil {
		return Object{}, err
	}
	if err := d.may(r, gateway.Read, id); err != nil {
		return Object{}, err
	}
	o, hit, err := d.stat(r.Context(), id)
	if err != nil {
		return Object{}, err
	}
	said := "miss"
	if hit {
		said = "hit"
	}
	w.Header().Set("X-Cache", said)
	gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Cache = said })
	return o, nil
}

// stat is Head for a file that is about to be served: what came past the gateway
// is checked first.
func (d *door) stat(ctx context.Context, id string) (o Object, hit bool, err error) {
	const attempts = 3 // a link's client may replace the file again and again
	for range attempts {
		if o, hit, err = d.Store.Head(ctx, id); err != nil || !o.Unverified {
			return o, hit, err
		}
		if err := d.Store.Check(ctx, id); err != nil {
			return Object{}, false, err
		}
	}
	return Object{}, false, replaced()
}

// delete removes a file. S3 itself does not tell whether there was one.
func (d *door) delete(w http.ResponseWriter, r *http.Request) error {
	id, err := d.id(r)
	if err != nil {
		return err
	}
	if err := d.may(r, gateway.Delete, id); err != nil {
		return err
	}
	missingOK, err := boolParam(r, "missing_ok")
	if err != nil {
		return err
	}
	etag, conditional := "", len(r.Header.Values("If-Match")) > 0
	if conditional || !missingOK {
		o, _, err := d.Store.Head(r.Context(), id)
		switch {
		case err != nil && missingOK && gateway.AsError(err).Code == gateway.NoSuchKey: // gone already
		case err != nil:
			return err
		default:
			if err := ifMatch(r, o); err != nil {
				return err
			}
			if conditional {
				etag = o.ETag
			}
		}
	}
	err = d.Store.Delete(r.Context(), id, etag)
	if gone := gateway.CodeOf(err) == gateway.NoSuchKey && missingOK; err != nil && !gone {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
