package policy

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway"
)

// withLimits is a policy with limits of its own in a bucket, in parts of it, and of
// a caller.
func withLimits(t *testing.T, bucket OwnLimits, parts []OwnLimits, caller OwnLimits, callerParts ...OwnLimits) *Policy {
	t.Helper()
	rules, err := NewRules(
		[]CallerRules{{Name: "web", Everything: true, Limits: caller, Parts: callerParts}},
		[]BucketRules{{Name: "files", Limits: bucket, Parts: parts}})
	if err != nil {
		t.Fatal(err)
	}
	return &Policy{MaxFileSize: 1000, Types: AnyType(), Rules: rules}
}

func pointer[T any](v T) *T { return &v }

func TestOwnLimitsOfEachKind(t *testing.T) {
	html, png := "<!DOCTYPE html><html><body>hello</body></html>", pngHead+strings.Repeat("\x80", 90)
	typesOf := func(list ...string) *Types { types := parseTypes(t, list...); return &types }
	for _, tt := range []struct {
		name      string
		limits    OwnLimits
		key, kind string
		body      string
		want      gateway.Code
		setting   string
	}{
		{"as small as is allowed", OwnLimits{MinSize: pointer[int64](5)}, "a", "", "12345", "", ""},
		{"one byte too small", OwnLimits{MinSize: pointer[int64](6)}, "a", "", "12345", gateway.EntityTooSmall, "min_file_size of bucket files"},
		{"empty", OwnLimits{MinSize: pointer[int64](1)}, "a", "", "", gateway.EntityTooSmall, "min_file_size of bucket files"},
		{"a denied declaration", OwnLimits{DeniedTypes: typesOf("text/html")}, "a", "text/html", "x", gateway.TypeNotAllowed, "denied_file_types of bucket files"},
		{"a denied extension's type", OwnLimits{DeniedTypes: typesOf("text/html")}, "a.htm", "", "x", gateway.TypeNotAllowed, "denied_file_types of bucket files"},
		{"denied bytes under another declaration", OwnLimits{DeniedTypes: typesOf("text/html")}, "a.png", "image/png", html, gateway.TypeNotAllowed, "denied_file_types of bucket files"},
		{"denied bytes of one that hides its declaration", OwnLimits{DeniedTypes: typesOf("text/html")}, "a", "application/octet-stream", html, gateway.TypeNotAllowed, "denied_file_types of bucket files"},
		{"a declaration that can be read in two ways beside a denial", OwnLimits{DeniedTypes: typesOf("text/html")}, "a", "image/png,text/html", "x", gateway.TypeNotAllowed, "denied_file_types of bucket files"},
		{"another type beside a denial", OwnLimits{DeniedTypes: typesOf("text/html")}, "a.png", "image/png", png, "", ""},
		{"bytes that lie where every type is allowed", OwnLimits{}, "a.png", "image/png", html, "", ""},
		{"bytes that lie and are verified", OwnLimits{VerifyContent: pointer(true)}, "a", "image/png", html, gateway.TypeNotAllowed, "verify_content of bucket files"},
		{"bytes that belie their extension and are verified", OwnLimits{VerifyContent: pointer(true)}, "a.png", "", html, gateway.TypeNotAllowed, "verify_content of bucket files"},
		{"bytes without any declaration, verified", OwnLimits{VerifyContent: pointer(true)}, "a", "", html, "", ""},
		{"honest bytes, verified", OwnLimits{VerifyContent: pointer(true)}, "a.png", "image/png", png, "", ""},
		{"bytes that lie and are believed", OwnLimits{Types: typesOf("image/png"), VerifyContent: pointer(false)}, "a.png", "image/png", html, "", ""},
		{"a wrong declaration that would be believed", OwnLimits{Types: typesOf("image/png"), VerifyContent: pointer(false)}, "a", "text/html", html, gateway.TypeNotAllowed, "allowed_file_types of bucket files"},
		{"nothing declared that could be believed", OwnLimits{Types: typesOf("image/png"), VerifyContent: pointer(false)}, "a", "", html, gateway.TypeNotAllowed, "allowed_file_types of bucket files"},
		{"an allowed extension", OwnLimits{Extensions: []string{"png", "gz"}}, "x/a.tar.GZ", "", "x", "", ""},
		{"another extension", OwnLimits{Extensions: []string{"png"}}, "a.exe", "", "x", gateway.NameNotAllowed, "allowed_extensions of bucket files"},
		{"no extension where some are allowed", OwnLimits{Extensions: []string{"png"}}, "dir.png/a", "", "x", gateway.NameNotAllowed, "allowed_extensions of bucket files"},
		{"a folder where some extensions are allowed", OwnLimits{Extensions: []string{"png"}}, "a.png/", "", "x", gateway.NameNotAllowed, "allowed_extensions of bucket files"},
		{"a denied extension", OwnLimits{DeniedExtensions: []string{"php"}}, "a.PHP", "", "x", gateway.NameNotAllowed, "denied_extensions of bucket files"},
		{"a denied extension before another", OwnLimits{DeniedExtensions: []string{"php"}}, "a.php.png", "", "x", gateway.NameNotAllowed, "denied_extensions of bucket files"},
		{"a denied extension before dots and spaces", OwnLimits{DeniedExtensions: []string{"php"}}, "a.php . ", "", "x", gateway.NameNotAllowed, "denied_extensions of bucket files"},
		{"a denied extension as the name", OwnLimits{DeniedExtensions: []string{"php"}}, "php", "", "x", "", ""},
		{"a name that fits", OwnLimits{Names: []string{"x", "invoice-*.pdf"}}, "2026/invoice-1.pdf", "", "x", "", ""},
		{"a name that does not fit", OwnLimits{Names: []string{"invoice-*.pdf"}}, "invoice-1.pdf/x", "", "x", gateway.NameNotAllowed, "allowed_names of bucket files"},
		{"the name behind an upload's UUID", OwnLimits{Names: []string{"invoice-*.pdf"}}, "u/0c2b3f5e-9d1a-4b7c-8e2f-0123456789ab-invoice-1.pdf", "", "x", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := withLimits(t, tt.limits, nil, OwnLimits{})
			for _, size := range []int64{int64(len(tt.body)), -1} {
				err := admitAll(p.Limits("files", tt.key), Upload{Key: tt.key, ContentType: tt.kind, Size: size}, tt.body)
				if gateway.CodeOf(err) != tt.want {
					t.Fatalf("size %d: got %v, want %q", size, err, tt.want)
				}
				if err != nil && !strings.HasSuffix(strings.Join(details(gateway.AsError(err)), " "), "Setting="+tt.setting) {
					t.Errorf("details %q do not name %s", details(gateway.AsError(err)), tt.setting)
				}
			}
			if err := admitAll(p.Limits("other", tt.key), Upload{Key: tt.key, ContentType: tt.kind, Size: -1}, tt.body); err != nil {
				t.Errorf("in another bucket: %v", err)
			}
		})
	}
}

// admitAll lets an upload in and reads it to its end.
func admitAll(l Limits, u Upload, body string) error {
	r, _, err := l.Admit(u, strings.NewReader(body))
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err == nil && string(got) != body {
		return io.ErrUnexpectedEOF
	}
	return err
}

func TestLimitsOfAPartOfABucket(t *testing.T) {
	size := func(n int64) *int64 { return &n }
	p := withLimits(t, OwnLimits{MaxSize: size(10), DeniedExtensions: []string{"exe"}},
		[]OwnLimits{{Prefix: "raw/film/", MaxSize: size(0)}, {Prefix: "raw/", MaxSize: size(50), MinSize: size(5), DeniedExtensions: []string{"bat"}}},
		OwnLimits{}, OwnLimits{Buckets: []string{"f*"}, Prefix: "raw/film/own/", MaxSize: size(20)},
		OwnLimits{Buckets: []string{"files"}, Prefix: "raw/film/own/", MaxSize: size(30)}, OwnLimits{Buckets: []string{"other"}, MaxSize: size(3)})
	web := gateway.Caller{Name: "web"}
	for _, tt := range []struct {
		bucket, key string
		most, least int64
		setting     string
	}{
		{"files", "a", 10, 0, "max_file_size of bucket files"},
		{"files", "raw/a", 50, 5, `max_file_size of bucket files, keys that begin "raw/"`},
		{"files", "raw", 10, 0, "max_file_size of bucket files"},
		{"files", "raw/film/a", 0, 5, ""},
		{"files", "raw/film/own/a", 30, 5, `max_file_size of caller web in files, keys that begin "raw/film/own/"`},
		{"far", "raw/film/own/a", 20, 0, `max_file_size of caller web in f*, keys that begin "raw/film/own/"`},
		{"other", "x", 3, 0, "max_file_size of caller web in other"},
		{"third", "x", 1000, 0, "MAX_FILE_SIZE"},
	} {
		l := p.LimitsFor(web, tt.bucket, tt.key)
		if l.MaxSize != tt.most || l.MinSize != tt.least || !strings.Contains(l.String(), tt.setting) {
			t.Errorf("%s/%s: %s", tt.bucket, tt.key, l)
		}
	}
	// What is denied anywhere is denied.
	for key, want := range map[string]gateway.Code{"a.exe": gateway.NameNotAllowed, "raw/film/a.exe": gateway.NameNotAllowed, "raw/film/a.bat": gateway.NameNotAllowed, "a.bat": ""} {
		if err := p.LimitsFor(web, "files", key).CheckDeclared("", key); gateway.CodeOf(err) != want {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestLimitsThatNothingCouldMean(t *testing.T) {
	for _, o := range []OwnLimits{{Names: []string{"[a"}}, {Names: []string{""}}, {Buckets: []string{"a/b"}, Prefix: "x"}} {
		if _, err := NewRules([]CallerRules{{Name: "x", Parts: []OwnLimits{o}}}, nil); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// The limits of one upload are found without an allocation, among those of a
// thousand callers.
func BenchmarkLimitsFor(b *testing.B) {
	var callers []CallerRules
	for i := range 1000 {
		callers = append(callers, CallerRules{Name: fmt.Sprintf("caller-%d", i), Limits: OwnLimits{MaxSize: pointer[int64](10)},
			Parts: []OwnLimits{{Buckets: []string{"f*"}, Prefix: "in/", DeniedExtensions: []string{"exe"}}, {Prefix: "in/raw/", MinSize: pointer[int64](1)}}})
	}
	rules, err := NewRules(callers, []BucketRules{{Name: "files", Parts: []OwnLimits{{Prefix: "in/", MaxSize: pointer[int64](5)}}}})
	if err != nil {
		b.Fatal(err)
	}
	p, c := &Policy{Types: AnyType(), Rules: rules}, gateway.Caller{Name: "caller-999"}
	b.ReportAllocs()
	for b.Loop() {
		l := p.LimitsFor(c, "files", "in/raw/a.png")
		if l.CheckSize(3) != nil || l.CheckDeclared("image/png", "in/raw/a.png") != nil {
			b.Fatal("refused")
		}
	}
}
