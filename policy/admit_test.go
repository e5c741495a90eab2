package policy

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/codeguardians/s3gateway"
)

// untouched fails the test when it is read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was touched")
	return 0, io.EOF
}

func TestAdmitRefusesBeforeTheBodyWhenTheHeadersSuffice(t *testing.T) {
	limits := Limits{MaxSize: 10, Types: parseTypes(t, "image/png")}
	for _, tt := range []struct {
		name string
		u    Upload
		want gateway.Code
	}{
		{"declared size over the limit", Upload{Key: "a.png", ContentType: "image/png", Size: 11}, gateway.EntityTooLarge},
		{"declared type", Upload{Key: "a.png", ContentType: "text/html", Size: 5}, gateway.TypeNotAllowed},
		{"extension", Upload{Key: "a.html", ContentType: "image/png", Size: 5}, gateway.TypeNotAllowed},
		{"extension of a part's key", Upload{Key: "a.html", Size: 5, Part: 7}, gateway.TypeNotAllowed},
		{"size of a part", Upload{Key: "a.png", Size: 11, Part: 7}, gateway.EntityTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _, err := limits.Admit(tt.u, untouched{t})
			if gateway.CodeOf(err) != tt.want || r != nil {
				t.Errorf("got %v %v, want %s", r, err, tt.want)
			}
		})
	}
}

func TestAdmitDoesNotLookAtBytesThatDoNotCount(t *testing.T) {
	for name, tt := range map[string]struct {
		types Types
		u     Upload
	}{
		"everything is allowed": {AnyType(), Upload{Key: "a.exe", Size: 5}},
		"a part after the first": {parseTypes(t, "image/png"), Upload{Key: "a.png", Size: 5, Part: 2,
			ContentType: "application/x-www-form-urlencoded"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := (Limits{Types: tt.types}).Admit(tt.u, untouched{t}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAdmitGivesEveryByteAgain(t *testing.T) {
	limits := Limits{MaxSize: 1 << 20, Types: parseTypes(t, "image/png")}
	for _, length := range []int{0, len(pngHead), SniffLen - 1, SniffLen, SniffLen + 1, 3 * SniffLen} {
		body := []byte(pngHead + strings.Repeat("\x80", 3*SniffLen))[:length]
		for kind, wrap := range map[string]func(io.Reader) io.Reader{
			"plain": func(r io.Reader) io.Reader { return r }, "one byte at a time": iotest.OneByteReader,
			"data with the end": iotest.DataErrReader,
		} {
			r, detected, err := limits.Admit(Upload{Key: "a.png", Size: -1}, wrap(bytes.NewReader(body)))
			if err != nil || detected != "image/png" {
				t.Fatalf("%d bytes, %s: %q, %v", length, kind, detected, err)
			}
			if got, err := io.ReadAll(r); !bytes.Equal(got, body) || err != nil {
				t.Errorf("%d bytes, %s: got %d bytes, %v", length, kind, len(got), err)
			}
		}
	}
}

func TestAdmitCountsAcrossTheLook(t *testing.T) {
	body := pngHead + strings.Repeat("\x80", 2*SniffLen)
	for name, most := range map[string]int64{
		"limit inside the look": SniffLen - 5, "limit at its end": SniffLen, "limit behind it": SniffLen + 5,
		"one byte too few": int64(len(body)) - 1,
	} {
		t.Run(name, func(t *testing.T) {
			limits := Limits{MaxSize: most, Types: parseTypes(t, "image/png")}
			r, _, err := limits.Admit(Upload{Key: "a", Size: -1}, strings.NewReader(body))
			n := int64(0)
			if err == nil {
				n, err = io.Copy(io.Discard, r)
			}
			if gateway.CodeOf(err) != gateway.EntityTooLarge || n > most {
				t.Errorf("%d bytes went on under %d: %v", n, most, err)
			}
		})
	}
}

func TestAdmitRefusesByTheBytes(t *testing.T) {
	limits := Limits{Types: parseTypes(t, seedDefaults...)}
	for name, u := range map[string]Upload{
		"whole object": {Key: "a.png", ContentType: "image/png", Size: -1},
		"part 1":       {Key: "a.png", Size: -1, Part: 1},
	} {
		if _, _, err := limits.Admit(u, strings.NewReader(htmlHead)); gateway.CodeOf(err) != gateway.TypeNotAllowed {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A body that was cut off is not a short one: judging its beginning as the whole
// would hide the error of the reader below, a bad chunk signature for one.
func TestAdmitGivesTheErrorOfTheBodyAsItIs(t *testing.T) {
	limits := Limits{MaxSize: 100, Types: parseTypes(t, "image/png")}
	for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("bad signature")} {
		body := io.MultiReader(strings.NewReader(pngHead), iotest.ErrReader(cause))
		if _, _, err := limits.Admit(Upload{Key: "a.png", Size: -1}, body); err != cause {
			t.Errorf("got %v, want %v", err, cause)
		}
	}
	stuck := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, _, err := limits.Admit(Upload{Key: "a.png", Size: -1}, stuck); err != io.ErrNoProgress {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAdmitOfNoBody(t *testing.T) {
	r, _, err := Limits{Types: parseTypes(t, "image/png")}.Admit(Upload{Key: "a.png", Size: 0}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("got %d, %v", n, err)
	}
}
