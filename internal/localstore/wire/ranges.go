package wire

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/precondition"
)

// readRange returns the part of the version that a Range header asks for, nil for
// all of it. What is no range of bytes, or more than one of them, is the whole, as
// on S3.
func (x *exchange) readRange(v localstore.Version) (*localstore.Range, error) {
	value := x.header.Get("Range")
	if value == "" || !x.ifRange(v) {
		return nil, nil
	}
	first, last, ok := parseRange(value)
	if !ok {
		return nil, nil
	}
	switch {
	case first < 0 && last > 0 && v.Size == 0: // the last bytes of none
		return nil, nil
	case first < 0: // the last bytes
		first, last = max(v.Size-last, 0), v.Size-1
	case last < 0 || last >= v.Size:
		last = v.Size - 1
	}
	if first >= v.Size {
		f := refuse(localstore.InvalidRange, "The requested range is not satisfiable").
			with("RangeRequested", value).with("ActualObjectSize", strconv.FormatInt(v.Size, 10))
		f.header = http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", v.Size)}}
		return nil, f
	}
	return &localstore.Range{Offset: first, Length: last - first + 1}, nil
}

// ifRange reports whether the range counts for this version (RFC 9110 section
// 13.1.5).
func (x *exchange) ifRange(v localstore.Version) bool {
	value := x.header.Get("If-Range")
	return value == "" || precondition.RangeHolds(value, precondition.State{Exists: true, ETag: quoted(v.ETag), Modified: seconds(v.Modified)}, x.now())
}

// parseRange reads "bytes=first-last". last is -1 where it is open; first is -1
// for the last bytes, and last then their number.
func parseRange(value string) (first, last int64, ok bool) {
	unit, spec, _ := strings.Cut(value, "=")
	if !strings.EqualFold(unit, "bytes") {
		return 0, 0, false
	}
	from, to, found := strings.Cut(spec, "-")
	if !found || from == "" && to == "" {
		return 0, 0, false
	}
	first, last = -1, -1
	if from != "" {
		if first, ok = offset(from); !ok {
			return 0, 0, false
		}
	}
	if to != "" {
		if last, ok = offset(to); !ok || first > last {
			return 0, 0, false
		}
	}
	return first, last, true
}

// offset reads a number of digits alone. One that is too large is the largest.
func offset(s string) (int64, bool) {
	if strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, s != "" && (err == nil || n > 0)
}
