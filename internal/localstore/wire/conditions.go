package wire

import (
	"net/http"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

const copySourcePrefix = "X-Amz-Copy-Source-"

// checkRead evaluates the conditions of a read on the version that it found, in
// the order of RFC 9110 section 13.2.2: a condition on entity tags makes the date
// beside it count no more. A condition of a copy has prefix before its name, and
// is never NotModified.
func checkRead(h http.Header, prefix string, v localstore.Version) error {
	match, noneMatch := h[prefix+"If-Match"], h[prefix+"If-None-Match"]
	switch {
	case len(match) > 0:
		if !anyTag(match, v.ETag, true) {
			return preconditionFailed(strings.ToLower(prefix) + "If-Match")
		}
	default:
		if at, ok := headerDate(h, prefix+"If-Unmodified-Since"); ok && seconds(v.Modified).After(at) {
			return preconditionFailed(strings.ToLower(prefix) + "If-Unmodified-Since")
		}
	}
	name := "If-None-Match"
	unchanged := len(noneMatch) > 0 && anyTag(noneMatch, v.ETag, false)
	if at, ok := headerDate(h, prefix+"If-Modified-Since"); ok && len(noneMatch) == 0 {
		name, unchanged = "If-Modified-Since", !seconds(v.Modified).After(at)
	}
	switch {
	case !unchanged:
		return nil
	case prefix != "":
		return preconditionFailed(strings.ToLower(prefix) + name)
	}
	return &failure{code: "NotModified"}
}

// anyTag reports whether a list of entity tags has the one of a version. In the
// strong comparison (RFC 9110 section 8.8.3.2) a weak tag is equal to none.
func anyTag(values []string, etag string, strong bool) bool {
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			tag = strings.TrimSpace(tag)
			opaque, weak := strings.CutPrefix(tag, "W/")
			if tag == "*" || unquoted(opaque) == etag && !(weak && strong) {
				return true
			}
		}
	}
	return false
}

// headerDate returns a date in a header. One that cannot be read does not count.
func headerDate(h http.Header, name string) (time.Time, bool) {
	at, err := http.ParseTime(h.Get(name))
	return at, err == nil
}

// seconds is what the sender of a date could see of a time.
func seconds(t time.Time) time.Time { return t.Truncate(time.Second) }

// writeIf returns the condition of a write. S3 knows If-None-Match only with "*",
// and not both of them
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
func (x *exchange) writeIf() (localstore.WriteIf, error) {
	match, noneMatch := x.header.Get("If-Match"), strings.TrimSpace(x.header.Get("If-None-Match"))
	switch {
	case noneMatch != "" && noneMatch != "*":
		return localstore.WriteIf{}, notImplemented("If-None-Match", "We don't accept the provided value of If-None-Match header for this API")
	case noneMatch != "" && match != "":
		return localstore.WriteIf{}, notImplemented("If-Match,If-None-Match", "Multiple conditional request headers present in the request")
	}
	return localstore.WriteIf{Match: unquoted(match), NoneMatch: noneMatch}, nil
}

// conditional names the condition in the refusal of a write.
func (x *exchange) conditional(err error) error {
	if localstore.CodeOf(err) != localstore.PreconditionFailed {
		return err
	}
	if x.header.Get("If-None-Match") != "" {
		return preconditionFailed("If-None-Match")
	}
	return preconditionFailed("If-Match")
}
