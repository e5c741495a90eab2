package proxy

import (
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/cache"
)

// ChecksumVariant is the cache variant of an answer that carries checksums.
const ChecksumVariant = "checksum"

// head answers HeadObject, from the metadata cache where nothing but the key
// decides the answer. The caller was authorised before.
func (d *Door) head(x *exchange) error {
	key, ok := cacheKey(x)
	if !ok {
		return d.read(x)
	}
	if entry, hit := d.Cache.Get(key); hit {
		setCacheState(x, "hit")
		copyAnswer(x.w.Header(), entry.Header)
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	filling := d.Cache.Fill(key)
	resp, err := d.sendRead(x, x.request())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	setCacheState(x, "miss")
	if resp.StatusCode == http.StatusOK {
		filling.Put(cache.Entry{Header: resp.Header})
	}
	return d.stream(x, resp)
}

// cacheKey gives the key of a plain HEAD; anything in the request that may
// change the answer, and is not part of the key, bypasses the cache.
func cacheKey(x *exchange) (cache.Key, bool) {
	if x.origin != "" || len(without(x.query, "x-id")) > 0 || cleanKey(x.at.Key) != x.at.Key {
		return cache.Key{}, false
	}
	variant := ""
	for name := range x.out {
		switch {
		case name == "X-Amz-Checksum-Mode" && x.out.Get(name) == "ENABLED":
			variant = ChecksumVariant
		case name == "Content-Type" || name == "Content-Md5":
			// Some clients send them with HEAD; no store looks at them there.
		case strings.HasPrefix(name, "X-Amz-") || name != "Cache-Control":
			return cache.Key{}, false
		}
	}
	return cache.Key{Backend: x.at.Backend.Name, Bucket: x.at.Bucket, Object: x.at.Key, Variant: variant}, true
}

func setCacheState(x *exchange, state string) {
	x.w.Header().Set("X-Cache", state)
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) { f.Cache = state })
}
