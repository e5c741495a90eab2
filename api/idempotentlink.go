package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// keptPromise is a promise as its record keeps it.
type keptPromise struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Method      string `json:"method"`
	Size        *int64 `json:"size,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	Life        int    `json:"life"` // in seconds
}

func keep(p promise) keptPromise {
	return keptPromise{p.filename, p.contentType, p.method, p.size, p.sha256, p.life}
}

func (k keptPromise) promise() promise {
	return promise{filename: k.Filename, contentType: k.ContentType, method: k.Method, size: k.Size, sha256: k.SHA256, life: k.Life}
}

// linkOnce gives a link under an Idempotency-Key. What is kept is what the link
// is made of: signing it again gives the same link, and whoever may read the
// bucket finds no signature in it. The key lives no longer than the link: behind
// that, a retry gets a link that works.
func (d *door) linkOnce(w http.ResponseWriter, r *http.Request, c *claim, p promise) error {
	asked, err := json.Marshal(keep(p))
	if err != nil {
		return err
	}
	if c.done() {
		return d.replayLink(w, r, c, asked)
	}
	now := d.Now()
	link, settled, err := d.newLink(r, p, now)
	if err != nil {
		return err
	}
	err = c.take(r.Context(), record{
		State: stateDone, Operation: opPresign, FileID: link.ID, Promise: asked, Declared: settled.contentType,
		Created: now, Expires: now.Add(min(RecordLife, time.Duration(link.ExpiresIn)*time.Second)),
	})
	if gateway.CodeOf(err) == gateway.Conflict { // another was first, and is done at once
		if err := c.load(r.Context()); err != nil {
			return err
		}
		if c.done() && c.record.Operation == opPresign {
			return d.replayLink(w, r, c, asked)
		}
	}
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, link)
}

func (d *door) replayLink(w http.ResponseWriter, r *http.Request, c *claim, asked []byte) error {
	var kept keptPromise
	if !bytes.Equal(asked, c.record.Promise) || json.Unmarshal(c.record.Promise, &kept) != nil {
		return anotherRequest()
	}
	kept.ContentType = c.record.Declared
	if err := d.may(r, gateway.Write, c.record.FileID); err != nil {
		return err
	}
	link, err := d.linkTo(r, c.record.FileID, kept.promise(), c.record.Created)
	if err != nil {
		return err
	}
	w.Header().Set(replayedHeader, "true")
	return writeJSON(w, r, http.StatusOK, link)
}
