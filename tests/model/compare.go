package model

import (
	"bytes"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"
)

// Difference is a field of an answer that is not as S3's rules demand.
type Difference struct {
	// Path is the field without indexes.
	Path string
	// At is the field with indexes.
	At        string
	Want, Got string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: want %s, got %s", d.At, d.Want, d.Got)
}

// bindings are the values of symbols in one run.
type bindings struct {
	values  map[string]string // by symbol
	symbols map[string]string // by value
	times   map[int]time.Time // by serial number, in whole seconds
	began   time.Time
}

// after returns the time so many hours after the program began.
func (b *bindings) after(hours int) time.Time { return b.began.Add(time.Duration(hours) * time.Hour) }

func newBindings(prefix string, began time.Time) *bindings {
	b := &bindings{began: began.UTC().Truncate(time.Second), values: map[string]string{}, symbols: map[string]string{}, times: map[int]time.Time{}}
	b.values[allBuckets] = prefix
	for _, name := range bucketNames {
		b.values[name] = prefix + strings.Trim(name, symbolStart+symbolEnd)
	}
	return b
}

// equal reports whether got is what want stands for. A symbol without a value
// takes got for its value.
func (b *bindings) equal(want, got string) bool {
	if !isSymbol(want) {
		return want == got
	}
	if value, ok := b.values[want]; ok {
		return value == got
	}
	// Two pages that end with the same key may have the same token.
	if got == "" || got == "null" || b.symbols[got] != "" && !strings.HasPrefix(want, symbolStart+"t") {
		return false
	}
	b.values[want], b.symbols[got] = got, want
	return true
}

// sameTime reports whether got is what want stands for. S3 answers in whole
// seconds in headers, and in milliseconds in documents.
func (b *bindings) sameTime(want, got time.Time) bool {
	if hours, ok := hoursOf(want); ok {
		want = b.after(hours)
	}
	serial, days, ok := stamped(want)
	if !ok {
		return want.Truncate(time.Second).Equal(got.Truncate(time.Second))
	}
	made, ok := b.times[serial]
	if days > 0 {
		// A default retention runs from a moment of the request.
		d := got.Sub(made.AddDate(0, 0, days))
		return !ok || d.Abs() < time.Minute
	}
	if !ok {
		b.times[serial] = got.Truncate(time.Second)
		return true
	}
	return made.Equal(got.Truncate(time.Second))
}

// comparison compares one answer.
type comparison struct {
	*bindings
	want        *Want
	differences []Difference
}

// compare returns what of an answer is not as wanted.
func (b *bindings) compare(want *Want, got Answer) []Difference {
	c := &comparison{bindings: b, want: want}
	switch {
	case got.Code == "" && want.Code == "":
		c.number("status", want.Status, got.Status)
		c.structs("", "", reflect.ValueOf(want.Out).Elem(), reflect.ValueOf(got.Out).Elem())
		if !bytes.Equal(want.Body, got.Body) {
			c.differ("Body", "Body", brief(want.Body), brief(got.Body))
		}
	default:
		c.refusal(got)
	}
	return c.differences
}

func brief(body []byte) string { return fmt.Sprintf("%d bytes %.20q", len(body), body) }

// refusal compares an answer where one side is a refusal.
func (c *comparison) refusal(got Answer) {
	codes := c.want.Or
	if c.want.Code != "" {
		codes = append([]string{c.want.Code}, codes...)
	}
	fits := func(code string) bool {
		return statuses[code] == got.Status && (code == got.Code || c.want.Opaque)
	}
	if got.Code == "" || !slices.ContainsFunc(codes, fits) {
		c.differ("code", "code", fmt.Sprint(c.want.Status, " ", strings.Join(append([]string{c.want.Code}, c.want.Or...), " or ")), fmt.Sprint(got.Status, " ", got.Code))
		return
	}
	if got.Status != c.want.Status {
		return
	}
	for name, value := range c.want.Header {
		if !c.equal(value, got.Header[name]) {
			c.differ("header "+name, "header "+name, value, fmt.Sprintf("%q", got.Header[name]))
		}
	}
}

func (c *comparison) number(path string, want, got int) {
	if want != got {
		c.differ(path, path, fmt.Sprint(want), fmt.Sprint(got))
	}
}

func (c *comparison) differ(path, at, want, got string) {
	c.differences = append(c.differences, Difference{path, at, want, got})
}

// unfixed are the fields that S3's rules for this model do not fix anywhere:
// Expires is ExpiresString again, and no program asks for encryption.
var unfixed = []string{"ResultMetadata", "Body", "Expires", "RequestCharged", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"}

func (c *comparison) structs(path, at string, want, got reflect.Value) {
	t := want.Type()
	for i := range t.NumField() {
		name := t.Field(i).Name
		if !t.Field(i).IsExported() || slices.Contains(unfixed, name) {
			continue
		}
		p, a := strings.TrimPrefix(path+"."+name, "."), strings.TrimPrefix(at+"."+name, ".")
		if slices.Contains(c.want.Any, p) {
			continue
		}
		g := got.Field(i)
		if empty(g) && slices.Contains(c.want.Maybe, p) {
			continue
		}
		c.field(p, a, want.Field(i), g)
	}
}

// empty reports whether an answer has no such field. XML and headers do not
// distinguish an empty string from none.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil() || v.Elem().Kind() == reflect.String && v.Elem().Len() == 0
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

func (c *comparison) field(path, at string, want, got reflect.Value) {
	if empty(want) && empty(got) {
		return
	}
	if w, ok := want.Interface().(*time.Time); ok {
		c.moment(path, at, w, got.Interface().(*time.Time))
		return
	}
	if empty(want) != empty(got) {
		c.differ(path, at, show(want), show(got))
		return
	}
	switch want.Kind() {
	case reflect.Pointer:
		c.field(path, at, want.Elem(), got.Elem())
	case reflect.Struct:
		c.structs(path, at, want, got)
	case reflect.Slice:
		c.list(path, at, want, got)
	case reflect.Map:
		c.metadata(path, at, want.Interface().(map[string]string), got.Interface().(map[string]string))
	case reflect.String:
		c.text(path, at, want.String(), got.String())
	default:
		if !want.Equal(got) {
			c.differ(path, at, show(want), show(got))
		}
	}
}

func (c *comparison) moment(path, at string, want, got *time.Time) {
	switch {
	case want == nil || got == nil:
		c.differ(path, at, fmt.Sprint(want), fmt.Sprint(got))
	case !c.sameTime(*want, *got):
		serial, _, _ := stamped(*want)
		c.differ(path, at, fmt.Sprint(timeString(*want), " = ", c.times[serial].Format(time.RFC3339)), got.Format(time.RFC3339Nano))
	}
}

func (c *comparison) list(path, at string, want, got reflect.Value) {
	if want.Len() != got.Len() {
		c.differ(path, at+" (length)", fmt.Sprint(want.Len(), " ", show(want)), fmt.Sprint(got.Len(), " ", show(got)))
		return
	}
	if slices.Contains(c.want.Sorted, path) {
		want, got = c.sorted(want), c.sorted(got)
	}
	for i := range want.Len() {
		c.field(path, fmt.Sprintf("%s[%d]", at, i), want.Index(i), got.Index(i))
	}
}

// sorted returns a copy of a slice in the order of the keys and version ids.
func (c *comparison) sorted(v reflect.Value) reflect.Value {
	out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(out, v)
	key := func(i int) string {
		k := ""
		for _, name := range []string{"Key", "VersionId"} {
			f := out.Index(i).FieldByName(name)
			if !f.IsValid() || f.IsNil() {
				continue
			}
			s := f.Elem().String()
			if sym, ok := c.symbols[s]; ok {
				s = sym
			}
			k += s + "\x00"
		}
		return k
	}
	keys := make([]string, v.Len())
	order := make([]int, v.Len())
	for i := range order {
		keys[i], order[i] = key(i), i
	}
	sort.SliceStable(order, func(a, b int) bool { return keys[order[a]] < keys[order[b]] })
	for i, from := range order {
		out.Index(i).Set(v.Index(from))
	}
	return out
}

// metadata compares metadata.
func (c *comparison) metadata(path, at string, want, got map[string]string) {
	for name, value := range want {
		g, ok := got[name]
		if !ok || !sameMeta(value, g) {
			c.differ(path, at+"["+name+"]", fmt.Sprintf("%q", value), fmt.Sprintf("%q", g))
		}
	}
	for name, value := range got {
		if _, ok := want[name]; !ok {
			c.differ(path, at+"["+name+"]", "nothing", fmt.Sprintf("%q", value))
		}
	}
}

// sameMeta reports whether a header has the value: as it is if it is US-ASCII,
// and otherwise as encoded words of RFC 2047. S3's example takes bytes that were
// sent without encoding for ISO 8859-1; taking them for UTF-8 is accepted too.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
func sameMeta(want, got string) bool {
	if strings.ContainsFunc(got, func(r rune) bool { return r >= 0x80 }) {
		return false
	}
	value := decodeWord(got)
	return want == value || latin1(want) == value
}

// latin1 returns what the bytes of s are in ISO 8859-1.
func latin1(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// encoded are the fields that encoding-type=url is about.
var encoded = []string{"Key", "Prefix", "Delimiter", "Marker", "NextMarker", "KeyMarker", "NextKeyMarker", "StartAfter"}

func (c *comparison) text(path, at string, want, got string) {
	value := got
	if strings.HasPrefix(path, "Checksum.") && strings.HasPrefix(want, got+"-") {
		return // S3's guide shows composite checksums in attributes without the number of parts
	}
	if c.want.Encoded && slices.Contains(encoded, path[strings.LastIndex(path, ".")+1:]) {
		decoded, err := url.QueryUnescape(got)
		if err != nil || strings.ContainsFunc(got, func(r rune) bool { return r <= 0x20 || r >= 0x7f }) {
			c.differ(path, at, fmt.Sprintf("%q URL-encoded", want), fmt.Sprintf("%q", got))
			return
		}
		value = decoded
	}
	if !c.equal(want, value) {
		c.differ(path, at, fmt.Sprintf("%q", want), fmt.Sprintf("%q", got))
	}
}

func show(v reflect.Value) string {
	if v.Kind() != reflect.Bool && !v.CanInt() && empty(v) {
		return "nothing"
	}
	var b strings.Builder
	printValue(&b, v)
	if b.Len() > 600 {
		return b.String()[:600] + "…"
	}
	return b.String()
}
