package kills

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// verify compares the files of all uploaders with the listing and with their
// bytes.
func verify(ctx context.Context, all []*uploader) {
	u := all[0]
	listed := u.list(ctx)
	for _, u := range all {
		for id, b := range u.files {
			if !listed[id] {
				u.bad(workload.Lost, "file %s is not listed", id)
				delete(u.files, id)
				continue
			}
			delete(listed, id)
			u.check(ctx, id, b, workload.Corrupt)
		}
	}
	for id := range listed {
		if !adopt(ctx, all, id) {
			a := u.send(ctx, http.MethodGet, uploadPath+"/download/"+escape(id), nil)
			u.bad(workload.Resurrected, "file %s of %d bytes was deleted or never stored", id, len(a.body))
			u.files[id] = a.body // reported once
		}
	}
}

func (u *uploader) check(ctx context.Context, id string, b []byte, c workload.Class) {
	a := u.look(ctx, uploadPath+"/download/"+escape(id))
	if a.status != 200 || !bytes.Equal(a.body, b) {
		u.bad(c, "file %s: status %d, %d bytes, wanted %d", id, a.status, len(a.body), len(b))
	}
}

// looks is how often a client reads again behind a bad network.
const looks = 5

// look sends a GET. Behind a bad network one that was broken off, or that is the
// store's fault, is sent again.
func (u *uploader) look(ctx context.Context, at string) (a answer) {
	for i := 0; i == 0 || i < looks && u.badNetwork && u.again(a); i++ {
		a = u.send(ctx, http.MethodGet, at, nil)
	}
	return a
}

// adopt takes a file whose upload was not answered. It must be whole.
func adopt(ctx context.Context, all []*uploader, id string) bool {
	for _, u := range all {
		for name, b := range u.maybe {
			if strings.HasSuffix(path.Base(id), name) {
				u.check(ctx, id, b, workload.Half)
				u.files[id] = b
				delete(u.maybe, name)
				return true
			}
		}
	}
	return false
}

func (u *uploader) list(ctx context.Context) map[string]bool {
	ids := map[string]bool{}
	for cursor := ""; ; {
		a := u.look(ctx, uploadPath+"/list?prefix=uploads&limit=1000&cursor="+url.QueryEscape(cursor))
		var page struct {
			Files []struct {
				ID string `json:"file_id"`
			} `json:"files"`
			Next string `json:"next_cursor"`
		}
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != 200 {
			u.bad(workload.BadAnswer, "list: status %d: %s", a.status, a.body)
			return ids
		}
		for _, f := range page.Files {
			ids[f.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
	}
}
