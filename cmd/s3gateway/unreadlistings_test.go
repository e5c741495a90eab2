package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Listings that are not read share memory with uploads, on both doors, however many
// clients ask for them; a client that reads gets its own all the same.
func TestUnreadListingsShareMemoryWithUploads(t *testing.T) {
	const budget, clients = 128 << 20, 50
	w := newFiled(t, twoCallers, fmt.Sprint("UPLOAD_BUFFER_BYTES=", budget))
	long := strings.Repeat(strings.Repeat("é", 100)+"/", 4)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 250 {
				if a := do(t, w.signedPut(fmt.Sprintf("uploads/%s%d%03d", strings.ReplaceAll(url.PathEscape(long), "%2F", "/"), i, j), []byte("x"))); a.status != http.StatusOK {
					t.Errorf("%d %s", a.status, a.body)
					return
				}
			}
		})
	}
	all.Wait()
	listing := newRequest(t, "GET", w.url+"/"+w.bucket+"?list-type=2", nil)
	signAs(t, listing, hexSHA256(nil), greedyPair, time.Now())
	signed := "GET /" + w.bucket + "?list-type=2 HTTP/1.1\r\nHost: HOST\r\n"
	for name, values := range listing.Header {
		signed += name + ": " + values[0] + "\r\n"
	}
	for name, text := range map[string]string{
		"S3":         signed + "\r\n",
		"upload API": "GET /api/v1/upload/list?limit=1000 HTTP/1.1\r\nHost: HOST\r\nX-Api-Key: " + greedyKey + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			here := *w
			here.t = t
			before := inUse()
			here.dialSlow(clients, text)
			goroutinesSettle(t)
			// Each has buffers of its own, and a little of what is shared is under way.
			if took := inUse() - before; took > budget+clients*256<<10 {
				t.Errorf("%d unread listings take %d bytes", clients, took)
			} else {
				t.Logf("%d unread listings take %d bytes", clients, took)
			}
		})
	}
	r := newRequest(t, "GET", w.url+"/"+w.bucket+"?list-type=2&max-keys=10", nil)
	signAs(t, r, hexSHA256(nil), modestPair, time.Now())
	if a := do(t, r); a.status != http.StatusOK || strings.Count(string(a.body), "<Key>") != 10 {
		t.Errorf("the listing of another caller: %d %.200s", a.status, a.body)
	}
}
