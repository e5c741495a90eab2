package model

import (
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Model is the state of a store by S3's rules.
type Model struct {
	buckets map[string]*bucket
	minPart int64
	serial  int
	known   map[string]bool // symbols that answers contained
	tokens  map[string]token
	seen    map[int]bool // serial numbers of versions whose time was in an answer
	showing []int        // the same of the step that is being applied
	naming  []string     // symbols in its answer
	step    int          // the step that is being applied
	made    int          // symbols that it made
	elapsed int          // hours since the program began, by Wait
}

type bucket struct {
	versioning types.BucketVersioningStatus
	lock       *lockRule
	keys       map[string][]*version // newest first, never empty
	uploads    []*upload             // oldest first
	ended      map[string]*completed // uploads that became objects
}

// lockRule is the object lock configuration of a bucket.
type lockRule struct {
	mode types.ObjectLockRetentionMode // empty: no default retention
	days int32
}

// info is what a request says about an object besides its bytes.
type info struct {
	contentType, cacheControl, disposition, encoding, language, expires string

	// class is empty for STANDARD.
	class, redirect string

	meta map[string]string
	tags map[string]string
}

// version is a version of an object, or a delete marker.
type version struct {
	id     string
	serial int
	marker bool
	info
	data  []byte
	etag  string
	sum   sum
	plain bool // no checksum was asked for: sum is S3's own
	parts []*part
	lockState
}

// lockState is what protects a version.
type lockState struct {
	mode  types.ObjectLockMode
	until *time.Time
	ends  int // hours after the program began
	hold  types.ObjectLockLegalHoldStatus
}

type part struct {
	number int32
	data   []byte
	etag   string
	sum    sum
	serial int
}

type upload struct {
	id, key   string
	serial    int
	info      info
	algorithm types.ChecksumAlgorithm // empty: none was asked for
	kind      types.ChecksumType
	parts     map[int32]*part
	lockState
}

// completed is an upload that became an object.
type completed struct {
	key     string
	request types.CompletedMultipartUpload
	answer  *Want
}

// New returns the model of an empty store. minPart is the least size of a part
// that is not the last one, in bytes.
func New(minPart int64) *Model {
	return &Model{buckets: map[string]*bucket{}, minPart: minPart,
		known: map[string]bool{}, tokens: map[string]token{}, seen: map[int]bool{}}
}

// name returns a new symbol.
func (m *Model) name(kind string) string {
	m.made++
	s := symbol(kind, m.step, m.made)
	m.naming = append(m.naming, s)
	return s
}

// nextSerial returns the serial number of what the step makes next. It depends on
// the step only, so that it stays when other steps are dropped.
func (m *Model) nextSerial() int {
	m.serial++
	return m.step*perStep + m.serial
}

// perStep is more than a step makes.
const perStep = 16

// modified returns the time of a version for an answer.
func (m *Model) modified(serial int) *time.Time {
	m.showing = append(m.showing, serial)
	return stamp(serial, 0)
}

// add makes v the current version of key.
func (m *Model) add(b *bucket, key string, v *version) {
	if v.serial == 0 {
		v.serial = m.nextSerial()
	}
	if b.versioning == types.BucketVersioningStatusEnabled {
		v.id = m.name("v")
	} else {
		v.id = "null"
		b.remove(key, "null")
	}
	b.keys[key] = slices.Insert(b.keys[key], 0, v)
}

func (b *bucket) remove(key, id string) {
	b.keys[key] = slices.DeleteFunc(slices.Clone(b.keys[key]), func(v *version) bool { return v.id == id })
	if len(b.keys[key]) == 0 {
		delete(b.keys, key)
	}
}

// current returns the object that a request without a version id is about, nil
// if there is none or it is deleted.
func (b *bucket) current(key string) *version {
	if all := b.keys[key]; len(all) > 0 && !all[0].marker {
		return all[0]
	}
	return nil
}

func (b *bucket) version(key, id string) *version {
	for _, v := range b.keys[key] {
		if v.id == id {
			return v
		}
	}
	return nil
}

func (b *bucket) upload(key, id string) *upload {
	for _, u := range b.uploads {
		if u.id == id && u.key == key {
			return u
		}
	}
	return nil
}

// shown returns the version id for an answer: a bucket that never had
// versioning has none.
func (b *bucket) shown(v *version) *string {
	if b.versioning == "" {
		return nil
	}
	return &v.id
}

// sorted returns the keys in the order of their bytes.
func (b *bucket) sorted() []string { return sortedKeys(b.keys) }

// find returns the version that a request is about. The refusal is nil if it is
// an object.
func (m *Model) find(bucket, key, id *string) (*bucket, *version, *Want) {
	b := m.buckets[*bucket]
	switch {
	case b == nil:
		return nil, nil, fail("NoSuchBucket")
	case len(*key) > maxKey:
		return b, nil, fail("KeyTooLongError")
	case id == nil:
		return m.findCurrent(b, *key)
	case *id != "null" && !isSymbol(*id):
		return b, nil, fail("InvalidArgument")
	}
	v := b.version(*key, *id)
	if v == nil {
		return b, nil, fail("NoSuchVersion")
	}
	if v.marker {
		return b, v, fail("MethodNotAllowed").header("X-Amz-Delete-Marker", "true").header("X-Amz-Version-Id", v.id)
	}
	return b, v, nil
}

func (m *Model) findCurrent(b *bucket, key string) (*bucket, *version, *Want) {
	if v := b.current(key); v != nil {
		return b, v, nil
	}
	w := fail("NoSuchKey")
	if all := b.keys[key]; len(all) > 0 {
		w.header("X-Amz-Delete-Marker", "true").header("X-Amz-Version-Id", all[0].id)
		return b, all[0], w
	}
	return b, nil, w
}

// Apply applies a step and returns what S3 answers. It reports false, and
// changes nothing, if the step refers to what does not exist, because the step
// that makes it was dropped, or if S3's answer is not known.
func (m *Model) Apply(s Step) (*Want, bool) {
	apply, ok := rules[reflect.TypeOf(s.Input)]
	if !ok || !m.resolves(reflect.ValueOf(s.Input)) {
		return nil, false
	}
	m.step, m.made, m.serial, m.showing, m.naming = s.ID, 0, 0, nil, nil
	if m.unclear(s) {
		return nil, false
	}
	w := apply(m, s)
	if w == nil {
		return nil, false
	}
	if key := reflect.ValueOf(s.Input).Elem().FieldByName("Key"); key.IsValid() && !key.IsNil() {
		w.Opaque = w.Opaque || !inXML(key.Elem().String())
		if key.Elem().Len() > maxKey && w.Code != "" {
			w.Or = append(w.Or, "KeyTooLongError") // whatever else is wrong
		}
	}
	for _, serial := range m.showing {
		if w.Out == nil {
			break
		}
		m.seen[serial] = true
	}
	for _, name := range m.naming {
		m.known[name] = true
	}
	return w, true
}

// unclear reports whether a request takes a legal hold off an object that it
// makes in a bucket that has none.
func (m *Model) unclear(s Step) bool {
	v := reflect.ValueOf(s.Input).Elem()
	hold := v.FieldByName("ObjectLockLegalHoldStatus")
	if !hold.IsValid() || hold.String() != string(types.ObjectLockLegalHoldStatusOff) {
		return false
	}
	b := m.buckets[v.FieldByName("Bucket").Elem().String()]
	return b != nil && b.lock == nil
}

// resolves reports whether the store has named every symbol in a request.
func (m *Model) resolves(v reflect.Value) bool {
	ok := true
	walkInput(v, func(s string) {
		_, found := replaceSymbols(s, func(name string) (string, bool) { return "", m.known[name] || isBucket(name) })
		ok = ok && found
	}, func(t time.Time) {
		serial, _, is := stamped(t)
		ok = ok && (!is || m.seen[serial])
	})
	return ok
}

// walkInput calls the functions for each string and time in a request.
func walkInput(v reflect.Value, str func(string), when func(time.Time)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if t, ok := v.Interface().(*time.Time); ok {
			when(*t)
			return
		}
		walkInput(v.Elem(), str, when)
	case reflect.String:
		str(v.String())
	case reflect.Slice:
		for i := range v.Len() {
			walkInput(v.Index(i), str, when)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walkInput(v.Field(i), str, when)
			}
		}
	}
}

// maxKey is the longest key, in bytes of UTF-8.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
const maxKey = 1024

// inXML reports whether XML 1.0 can express s.
func inXML(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// val returns what p points to, and the zero value for nil.
func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
