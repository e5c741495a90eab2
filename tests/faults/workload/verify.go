package workload

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Verify compares a store with the state it must be in. It returns what was
// broken, and the state as it was found, in which nothing is uncertain.
func Verify(ctx context.Context, c *s3.Client, want *State) (*State, []Violation) {
	v := &verifier{want: want, got: NewState(), sums: map[string]string{}}
	v.got.Buckets, v.got.Retry, v.got.Completed = want.Buckets, want.Retry, want.Completed
	for _, bucket := range slices.Sorted(maps.Keys(want.Buckets)) {
		l, err := lookAt(ctx, c, bucket)
		switch {
		case StatusOf(err) == 404:
			v.bad(Lost, "%v", err)
			continue
		case err != nil:
			v.bad(BadAnswer, "%v", err)
			continue
		}
		v.bucket(bucket, l)
	}
	return v.got, v.list
}

type verifier struct {
	want, got *State
	list      []Violation
	sums      map[string]string
}

func (v *verifier) bad(c Class, format string, args ...any) {
	v.list = append(v.list, Violation{c, fmt.Sprintf(format, args...)})
}

func (v *verifier) bucket(bucket string, l *look) {
	keys := map[string]bool{}
	for p := range v.want.Keys {
		if b, key := split(p); b == bucket {
			keys[key] = true
		}
	}
	for key := range l.keys {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		v.key(bucket, key, l.keys[key])
		v.listed(bucket, key, l)
	}
	for key := range l.current {
		if !keys[key] {
			v.bad(Half, "%s/%s is in the listing of objects and not in that of versions", bucket, key)
		}
	}
	v.uploads(bucket, l)
}

// listed compares the two listings of one key.
func (v *verifier) listed(bucket, key string, l *look) {
	size, listed := l.current[key]
	i := slices.IndexFunc(l.keys[key], func(f found) bool { return f.latest })
	if i < 0 && len(l.keys[key]) > 0 {
		v.bad(Half, "%s/%s has versions and no latest", bucket, key)
		return
	}
	there := i >= 0 && !l.keys[key][i].marker
	if there != listed || there && size != l.keys[key][i].size {
		v.bad(Half, "%s/%s: versions say there=%t, objects say there=%t size=%d", bucket, key, there, listed, size)
	}
}

func (v *verifier) key(bucket, key string, got []found) {
	p := path(bucket, key)
	var why string
	var class Class
	for i, h := range v.want.histories(p) {
		c, text := v.matches(h, got)
		if c == "" {
			v.got.Keys[p] = []History{adopt(h, got)}
			return
		}
		if i == 0 {
			class, why = c, text
		}
	}
	v.bad(class, "%s: %s; expected one of %d: %s; found %s", p, why, len(v.want.histories(p)), describe(v.want.histories(p)), describeFound(got))
	v.got.Keys[p] = []History{guess(v.want.histories(p), got)}
}

// matches reports as an empty class that the store shows a history.
func (v *verifier) matches(h History, got []found) (Class, string) {
	used := make([]bool, len(got))
	for i, want := range h {
		j := pick(want, got, used)
		if j < 0 {
			return Lost, fmt.Sprintf("version %s of step %q is not there", want.ID, want.Note)
		}
		used[j] = true
		if got[j].latest != (i == 0) {
			return Lost, fmt.Sprintf("version %s of step %q is latest: %t", want.ID, want.Note, got[j].latest)
		}
		if want.Marker {
			continue
		}
		if got[j].err != nil {
			return Corrupt, fmt.Sprintf("version %s of step %q: %v", want.ID, want.Note, got[j].err)
		}
		if got[j].note != want.Note || got[j].sum != v.sumOf(want.Value) || got[j].size != want.Value.Size() {
			return v.different(want, got[j])
		}
		if got[j].tag != want.Tag {
			return Lost, fmt.Sprintf("version %s of step %q has tag %q, wanted %q", want.ID, want.Note, got[j].tag, want.Tag)
		}
	}
	for j := range got {
		if !used[j] {
			return Resurrected, fmt.Sprintf("version %s of step %q should not be there", got[j].id, got[j].note)
		}
	}
	return "", ""
}

// pick finds the version that the store shows for one of a history.
func pick(want Version, got []found, used []bool) int {
	for j, f := range got {
		if used[j] || f.marker != want.Marker {
			continue
		}
		if f.id == want.ID || want.ID == anyID && (f.note == want.Note || f.marker) {
			return j
		}
	}
	return -1
}

// different classes a version whose headers and bytes are not both those of the
// history.
func (v *verifier) different(want Version, got found) (Class, string) {
	text := fmt.Sprintf("version %s: headers of step %q, wanted %q; %d bytes, wanted %d; right bytes: %t",
		got.id, got.note, want.Note, got.size, want.Value.Size(), got.sum == v.sumOf(want.Value))
	switch {
	case got.note == want.Note:
		return Corrupt, text
	case got.sum == v.sumOf(want.Value) && want.Value.Size() > 0:
		return Half, text
	default:
		return Lost, text
	}
}

// adopt returns a history with the IDs that the store shows.
func adopt(h History, got []found) History {
	out := slices.Clone(h)
	used := make([]bool, len(got))
	for i := range out {
		j := pick(h[i], got, used)
		used[j] = true
		out[i].ID = got[j].id
	}
	return out
}

// guess returns what to expect next time of a key that was not right, so that
// one fault is reported once.
func guess(wanted []History, got []found) History {
	for _, h := range wanted {
		kept := slices.DeleteFunc(slices.Clone(h), func(v Version) bool {
			return pick(v, got, make([]bool, len(got))) < 0
		})
		if len(kept) == len(got) {
			return adopt(kept, got)
		}
	}
	return nil
}

func (v *verifier) uploads(bucket string, l *look) {
	for id, u := range v.want.Uploads {
		if u.Bucket != bucket {
			continue
		}
		_, there := l.uploads[id]
		switch {
		case there && u.Open:
			v.got.Uploads[id] = &Upload{Bucket: bucket, Key: u.Key, Note: u.Note, Parts: v.parts(id, u, l.parts[id]), Open: true}
		case there:
			v.bad(Resurrected, "upload %s of %s/%s has ended and is listed", id, bucket, u.Key)
		case !u.Gone:
			v.bad(Lost, "upload %s of %s/%s is not listed", id, bucket, u.Key)
		}
	}
	for id, key := range l.uploads {
		if v.want.Uploads[id] != nil {
			continue
		}
		if !v.want.Strays[path(bucket, key)] {
			v.bad(Resurrected, "upload %s of %s/%s was never begun", id, bucket, key)
		}
		if len(l.parts[id]) > 0 {
			v.bad(Resurrected, "upload %s of %s/%s, whose start was not answered, has parts", id, bucket, key)
		}
		v.got.Uploads[id] = &Upload{Bucket: bucket, Key: key, Parts: map[int][]Part{}, Open: true}
	}
}

func (v *verifier) parts(id string, u *Upload, got map[int]Part) map[int][]Part {
	out := map[int][]Part{}
	for n, want := range u.Parts {
		i := slices.IndexFunc(want, func(p Part) bool { return p.ETag == got[n].ETag })
		switch {
		case i < 0:
			v.bad(Lost, "part %d of upload %s has ETag %q", n, id, got[n].ETag)
		case want[i].ETag != "":
			out[n] = want[i : i+1]
		}
	}
	for n := range got {
		if u.Parts[n] == nil {
			v.bad(Resurrected, "part %d of upload %s was never sent", n, id)
		}
	}
	return out
}

func describe(list []History) string {
	var out []string
	for _, h := range list {
		var versions []string
		for _, v := range h {
			versions = append(versions, fmt.Sprintf("%s(%s %dB marker=%t)", v.ID, v.Note, v.Value.Size(), v.Marker))
		}
		out = append(out, fmt.Sprint(versions))
	}
	return fmt.Sprint(out)
}

func describeFound(list []found) string {
	var out []string
	for _, f := range list {
		out = append(out, fmt.Sprintf("%s(%s %dB marker=%t latest=%t)", f.id, f.note, f.size, f.marker, f.latest))
	}
	return fmt.Sprint(out)
}

// sumOf returns the checksum of a value. It keeps what it has computed: copies
// and versions share values.
func (v *verifier) sumOf(value Value) string {
	id := fmt.Sprint(value)
	if v.sums[id] == "" {
		v.sums[id] = value.Sum()
	}
	return v.sums[id]
}
