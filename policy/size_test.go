package policy

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/codeguardians/s3gateway"
	"pgregory.net/rapid"
)

func TestSizeReader(t *testing.T) {
	for _, tt := range []struct {
		name string
		body string
		max  int64
		want string
		over bool
	}{
		{"shorter", "abc", 4, "abc", false},
		{"exactly the limit", "abcd", 4, "abcd", false},
		{"one byte more", "abcde", 4, "abcd", true},
		{"far more", strings.Repeat("x", 100000), 4, "xxxx", true},
		{"empty", "", 4, "", false},
		{"no limit", "abc", 0, "abc", false},
		{"negative means no limit", "abc", -1, "abc", false},
	} {
		for kind, wrap := range map[string]func(io.Reader) io.Reader{
			"plain": func(r io.Reader) io.Reader { return r }, "one byte at a time": iotest.OneByteReader,
			"data with the end": iotest.DataErrReader, "half reads": iotest.HalfReader,
		} {
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				r := NewSizeReader(wrap(strings.NewReader(tt.body)), tt.max)
				got, err := io.ReadAll(r)
				if string(got) != tt.want {
					t.Errorf("handed out %d bytes, want %d", len(got), len(tt.want))
				}
				if (gateway.CodeOf(err) == gateway.EntityTooLarge) != tt.over || !tt.over && err != nil {
					t.Errorf("got %v, want too large %v", err, tt.over)
				}
				if n, again := r.Read(make([]byte, 10)); tt.over && (n != 0 || again != err) {
					t.Errorf("after the error: %d bytes, %v", n, again)
				}
			})
		}
	}
}

// A source that fails at the limit fails with its own error: the object may not
// have been too large.
func TestSizeReaderKeepsTheErrorOfItsSource(t *testing.T) {
	cut := errors.New("cut off")
	for _, body := range []string{"abc", "abcd"} {
		got, err := io.ReadAll(NewSizeReader(io.MultiReader(strings.NewReader(body), iotest.ErrReader(cut)), 4))
		if string(got) != body || err != cut {
			t.Errorf("%q: got %q, %v", body, got, err)
		}
	}
}

func TestSizeReaderNeverHandsOutMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "body")
		most := rapid.Int64Range(1, 200).Draw(t, "limit")
		r := NewSizeReader(bytes.NewReader(body), most)
		var got []byte
		var err error
		for err == nil {
			p := make([]byte, rapid.IntRange(0, 300).Draw(t, "buffer"))
			var n int
			n, err = r.Read(p)
			got = append(got, p[:n]...)
		}
		want := body[:min(int64(len(body)), most)]
		if !bytes.Equal(got, want) || (err == io.EOF) != (int64(len(body)) <= most) {
			t.Fatalf("got %d bytes and %v of %d under %d", len(got), err, len(body), most)
		}
	})
}

func TestCheckSizeSaysTheLimit(t *testing.T) {
	limits := Limits{MaxSize: 10485760}
	for n, ok := range map[int64]bool{-1: true, 0: true, 10485760: true, 10485761: false, 1 << 62: false} {
		if err := limits.CheckSize(n); (err == nil) != ok {
			t.Errorf("%d: got %v", n, err)
		}
	}
	if err := (Limits{}).CheckSize(1 << 62); err != nil {
		t.Errorf("no limit: %v", err)
	}
	e := gateway.AsError(limits.CheckSize(10485761))
	if e.Code != gateway.EntityTooLarge || e.Message != "File too large. Maximum size: 10485760 bytes" {
		t.Errorf("got %v", e)
	}
	for _, want := range []gateway.Detail{{Name: "MaxSizeAllowed", Value: "10485760"}, {Name: "ProposedSize", Value: "10485761"}} {
		if !strings.Contains(strings.Join(details(e), " "), want.Name+"="+want.Value) {
			t.Errorf("details %v lack %v", e.Details, want)
		}
	}
}

func details(e *gateway.Error) (list []string) {
	for _, d := range e.Details {
		list = append(list, d.Name+"="+d.Value)
	}
	return list
}

func TestCheckParts(t *testing.T) {
	images := parseTypes(t, "image/*")
	for _, tt := range []struct {
		name   string
		limits Limits
		parts  []Part
		want   gateway.Code
	}{
		{"the sum is the limit", Limits{MaxSize: 9000, Types: images}, []Part{{1, 4500}, {2, 4500}}, ""},
		{"the sum is over the limit, no part is", Limits{MaxSize: 9000, Types: AnyType()}, []Part{{1, 4500}, {2, 4501}}, gateway.EntityTooLarge},
		{"the sum is the smallest size, no part is", Limits{MinSize: 9000, Types: AnyType()}, []Part{{1, 4500}, {2, 4500}}, ""},
		{"the sum is under the smallest size", Limits{MinSize: 9000, Types: AnyType()}, []Part{{1, 4500}, {2, 4499}}, gateway.EntityTooSmall},
		{"the sum overflows", Limits{MaxSize: 9000, Types: AnyType()}, []Part{{1, 1 << 62}, {2, 1 << 62}}, gateway.InvalidPart},
		{"a negative size", Limits{MaxSize: 9000, Types: AnyType()}, []Part{{1, 9000}, {2, -5}, {3, 5}}, gateway.InvalidPart},
		{"no part 1 under a type rule", Limits{Types: images}, []Part{{2, 9000}}, gateway.InvalidPart},
		{"no part at all under a type rule", Limits{Types: images}, nil, gateway.InvalidPart},
		{"no part 1 without a type rule", Limits{Types: AnyType()}, []Part{{2, 9000}}, ""},
		{"an empty part 1 before others under a type rule", Limits{Types: images}, []Part{{1, 0}, {2, 9000}}, gateway.EntityTooSmall},
		{"a short part 1 before others under a type rule", Limits{Types: images}, []Part{{1, SniffLen - 1}, {2, 9000}}, gateway.EntityTooSmall},
		{"an empty part 1 alone", Limits{Types: images}, []Part{{1, 0}}, ""},
		{"a short part 1 without a type rule", Limits{Types: AnyType()}, []Part{{1, 0}, {2, 9000}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			over, err := tt.limits.CheckParts(tt.parts)
			if sized := tt.name == "the sum is over the limit, no part is" || tt.name == "the sum is under the smallest size"; gateway.CodeOf(err) != tt.want || over != sized {
				t.Errorf("got %v %v, want %q", over, err, tt.want)
			}
		})
	}
}

func TestLimitsByScope(t *testing.T) {
	for _, tt := range []struct {
		scope       Scope
		prefix, key string
		hold        bool
	}{
		{ScopeAll, "uploads", "x", true},
		{"", "uploads", "x", true},
		{"other", "uploads", "x", true},
		{ScopeUploads, "uploads", "uploads/x", true},
		{ScopeUploads, "uploads/", "uploads/x", true},
		{ScopeUploads, "uploads", "uploads//x", true},
		{ScopeUploads, "", "x", true},
		{ScopeUploads, "uploads", "uploads", false},
		{ScopeUploads, "uploads", "uploadsx/x", false},
		{ScopeUploads, "uploads", "x/uploads/x", false},
		{ScopeUploads, "uploads", "Uploads/x", false},
	} {
		p := &Policy{MaxFileSize: 5, Types: parseTypes(t, "image/png"), Scope: tt.scope, UploadPrefix: tt.prefix}
		l := p.Limits("files", tt.key)
		if hold := l.MaxSize == 5 && !l.Types.Any(); hold != tt.hold || !hold && (l.MaxSize != 0 || !l.Types.Any()) {
			t.Errorf("%q under %q in scope %q: %+v, want hold %v", tt.key, tt.prefix, tt.scope, l, tt.hold)
		}
	}
}
