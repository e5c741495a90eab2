package policy

import (
	"cmp"
	"io"
	"math"
	"strconv"

	"github.com/codeguardians/s3gateway"
)

// CheckSize judges the size of a whole object in bytes: declared, of a copy's
// source, or the sum of all parts. The error is a *gateway.Error with code
// EntityTooLarge or EntityTooSmall, and with the elements that S3 gives with it.
// A negative n is a size not known, and passes.
func (l Limits) CheckSize(n int64) error {
	if n >= 0 && n < l.MinSize {
		return tooSmall(l.MinSize, n, l.minSetting)
	}
	if l.clean != nil {
		if err := l.clean.CheckSize(n); err != nil {
			return err
		}
	}
	return l.CheckLargest(n)
}

// CheckLargest is CheckSize for what may be less than the whole object, or more
// (a form around it): a part, the length of a request.
func (l Limits) CheckLargest(n int64) error {
	switch {
	case l.MaxSize > 0 && n > l.MaxSize:
		return tooLarge(l.MaxSize, l.maxSetting).With("ProposedSize", strconv.FormatInt(n, 10))
	case l.clean != nil:
		return l.clean.CheckLargest(n)
	}
	return nil
}

func tooSmall(least, n int64, setting string) *gateway.Error {
	return gateway.Errorf(gateway.EntityTooSmall, "File too small. Minimum size: %d bytes", least).
		With("ProposedSize", strconv.FormatInt(n, 10)).With("MinSizeAllowed", strconv.FormatInt(least, 10)).
		With("Setting", setting)
}

func tooLarge(most int64, setting string) *gateway.Error {
	return gateway.Errorf(gateway.EntityTooLarge, "File too large. Maximum size: %d bytes", most).
		With("MaxSizeAllowed", strconv.FormatInt(most, 10)).With("Setting", cmp.Or(setting, "MAX_FILE_SIZE"))
}

// NewSizeReader hands out at most max bytes of r and fails with EntityTooLarge
// as soon as r has one more; the error stays. What counts is what r gives, so
// it stands after chunk decoding. With a max of 0 it is r itself.
func NewSizeReader(r io.Reader, max int64) io.Reader {
	return newSizeReader(r, Limits{MaxSize: max})
}

// newSizeReader is NewSizeReader with the smallest size too: in the place of the
// end of a body that has fewer bytes it gives EntityTooSmall.
func newSizeReader(r io.Reader, l Limits) io.Reader {
	if l.MaxSize <= 0 && l.MinSize <= 0 {
		return r
	}
	s := &sizeReader{src: r, max: l.MaxSize, least: l.MinSize, maxSetting: l.maxSetting, minSetting: l.minSetting}
	if s.max <= 0 {
		s.max = math.MaxInt64 - 1
	}
	s.left = s.max
	return s
}

type sizeReader struct {
	maxSetting, minSetting string
	src                    io.Reader
	max, left, least       int64
	err                    error
}

// Read asks the source for one byte more than is left, so that an object of
// exactly the limit passes and a longer one is noticed without a read ahead.
func (s *sizeReader) Read(p []byte) (int, error) {
	if s.err != nil || len(p) == 0 {
		return 0, s.err
	}
	if int64(len(p)) > s.left {
		p = p[:s.left+1]
	}
	n, err := s.src.Read(p)
	if int64(n) > s.left {
		n, err = int(s.left), tooLarge(s.max, s.maxSetting)
	}
	s.left -= int64(n)
	if given := s.max - s.left; err == io.EOF && given < s.least {
		err = tooSmall(s.least, given, s.minSetting)
	}
	s.err = err
	return n, err
}

// Part is a part of a multipart upload as the backend lists it. Size is in bytes.
type Part struct {
	Number int
	Size   int64
}

// CheckParts judges a multipart upload before it is completed: the size of the
// whole object, and, while a type rule holds, that its first bytes were seen. A
// type rule needs part 1 (InvalidPart), and, when it is not the only part, a
// part 1 of at least SniffLen bytes (EntityTooSmall): behind an empty part 1 any
// bytes could follow unseen. parts are those that the document names. over says
// that the object's size is refused, which ends the upload; what is wrong with a
// part can be mended by sending it again.
func (l Limits) CheckParts(parts []Part) (over bool, err error) {
	var sum, first int64 = 0, -1
	for _, p := range parts {
		if p.Number == 1 {
			first = p.Size
		}
		if p.Size < 0 || sum > math.MaxInt64-p.Size {
			return false, gateway.Errorf(gateway.InvalidPart, "The sizes of the parts do not add up.")
		}
		sum += p.Size
	}
	if err := l.CheckSize(sum); err != nil || !l.NeedsBytes() {
		return err != nil, err
	}
	if first < 0 {
		return false, gateway.Errorf(gateway.InvalidPart,
			"Part 1 is missing: while ALLOWED_FILE_TYPES holds, an upload begins with part 1.")
	}
	if first < SniffLen && len(parts) > 1 {
		return false, gateway.Errorf(gateway.EntityTooSmall,
			"Part 1 is smaller than %d bytes: while ALLOWED_FILE_TYPES holds, the type is judged by its first bytes.", SniffLen)
	}
	return false, nil
}
