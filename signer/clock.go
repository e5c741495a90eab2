package signer

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// maxSkew is how far a client's clock may be off, as on AWS.
	maxSkew = 15 * time.Minute
	// MaxExpires is the longest life of a presigned URL: seven days.
	MaxExpires = 7 * 24 * time.Hour

	basicISO = "20060102T150405Z"
	dateISO  = "20060102"
)

// parseBasicISO is stricter than time.Parse, which takes fractions of a second
// that the layout does not name.
func parseBasicISO(s string) (time.Time, bool) {
	if len(s) != len(basicISO) {
		return time.Time{}, false
	}
	t, err := time.Parse(basicISO, s)
	return t, err == nil
}

// requestDate sets the time of a header-signed request: x-amz-date, else the
// Date header in one of the forms of HTTP or ISO 8601.
func (c *claim) requestDate(h http.Header) error {
	missing := gateway.Errorf(gateway.AccessDenied, "AWS authentication requires a valid Date or x-amz-date header")
	if v := h.Get("X-Amz-Date"); v != "" {
		t, ok := parseBasicISO(v)
		if !ok {
			return missing
		}
		c.time, c.date = t, v
		return nil
	}
	v := h.Get("Date")
	if len(h["Date"]) > 1 {
		return missing
	}
	t, ok := parseDate(v)
	if !ok {
		return missing
	}
	c.time, c.date = t, t.Format(basicISO)
	return nil
}

func parseDate(v string) (time.Time, bool) {
	if t, ok := parseBasicISO(v); ok {
		return t, true
	}
	if t, err := http.ParseTime(v); err == nil {
		return t.UTC(), true
	}
	for _, layout := range []string{time.RFC1123Z, time.RFC3339} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parseExpires reads X-Amz-Expires: decimal digits, 1 to 604800 seconds.
func (c *claim) parseExpires(v string) error {
	n, err := strconv.ParseUint(v, 10, 63) // takes no sign
	switch {
	case err != nil && strings.HasPrefix(v, "-"):
		return c.malformed("X-Amz-Expires must be non-negative")
	case err != nil:
		return c.malformed("X-Amz-Expires should be a number")
	case n == 0:
		return gateway.Errorf(gateway.AccessDenied, "Request has expired").With("X-Amz-Expires", v)
	case n > uint64(MaxExpires/time.Second):
		return c.malformed("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	}
	c.expires = time.Duration(n) * time.Second
	return nil
}

// presignedDate sets the time of a presigned request from X-Amz-Date.
func (c *claim) presignedDate() error {
	t, ok := parseBasicISO(c.date)
	if !ok {
		return c.malformed(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	c.time = t
	return nil
}

// checkTime applies the window of the claim's form.
func (c *claim) checkTime(now time.Time) error {
	now = now.UTC()
	ahead := c.time.Sub(now)
	if !c.presigned {
		if ahead.Abs() <= maxSkew {
			return nil
		}
		return gateway.Errorf(gateway.RequestTimeTooSkewed, "The difference between the request time and the current time is too large.").
			With("RequestTime", c.date).With("ServerTime", now.Format(time.RFC3339)).
			With("MaxAllowedSkewMilliseconds", strconv.FormatInt(maxSkew.Milliseconds(), 10)).
			Because(fmt.Errorf("the client's clock is %s ahead of ours", ahead.Round(time.Second)))
	}
	if ahead > maxSkew {
		return gateway.Errorf(gateway.AccessDenied, "Request is not valid yet").
			With("ServerTime", now.Format(time.RFC3339)).
			Because(fmt.Errorf("presigned %s in the future", ahead.Round(time.Second)))
	}
	if end := c.time.Add(c.expires); now.After(end) {
		return gateway.Errorf(gateway.AccessDenied, "Request has expired").
			With("X-Amz-Expires", strconv.FormatInt(int64(c.expires/time.Second), 10)).
			With("Expires", end.Format(time.RFC3339)).With("ServerTime", now.Format(time.RFC3339))
	}
	return nil
}
