package workload

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Mode is how a bucket treats versions.
type Mode string

// The modes of a bucket.
const (
	Plain     Mode = "plain"
	Versioned Mode = "versioned"
	Suspended Mode = "suspended"
)

// anyID stands for a version whose ID no answer named.
const anyID = "?"

// Version is one version of a key.
type Version struct {
	ID     string
	Marker bool   `json:",omitempty"`
	Value  Value  `json:",omitempty"`
	Note   string `json:",omitempty"` // ID of the step that stored it
	Tag    string `json:",omitempty"` // ID of the step that tagged it
}

// History is the versions of a key, newest first.
type History []Version

// Upload is a multipart upload.
type Upload struct {
	Bucket, Key string
	Note        string // "" where it is not known
	// Parts has, for each number, the parts that may be there.
	Parts map[int][]Part
	// Open and Gone report what it may be: both, after an unknown outcome.
	Open, Gone bool
}

// State is what a store must hold. Each key has the histories that are
// possible: one, but for the steps whose outcome is unknown.
type State struct {
	Buckets map[string]Mode
	Keys    map[string][]History // by bucket/key
	Uploads map[string]*Upload
	// Strays are bucket/key pairs where an upload without a known ID may be.
	Strays map[string]bool
	// Retry is Complete steps to repeat: an SDK does so after a broken answer.
	Retry []Step
	// Completed is the last Complete of each key that was answered.
	Completed map[string]Step
}

// NewState returns the state of an empty store with the three buckets.
func NewState() *State {
	return &State{
		Buckets: map[string]Mode{"plain": Plain, "versioned": Versioned, "suspended": Suspended},
		Keys:    map[string][]History{}, Uploads: map[string]*Upload{}, Strays: map[string]bool{},
		Completed: map[string]Step{},
	}
}

func path(bucket, key string) string { return bucket + "/" + key }

func split(p string) (bucket, key string) {
	bucket, key, _ = strings.Cut(p, "/")
	return bucket, key
}

// Clone returns a deep copy.
func (s *State) Clone() *State {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a type of this package that JSON cannot hold
	}
	out := NewState()
	if err := json.Unmarshal(b, out); err != nil {
		panic(err)
	}
	return out
}

func (s *State) histories(p string) []History {
	if h := s.Keys[p]; h != nil {
		return h
	}
	return []History{nil}
}

// current returns the version that a GET without a version ID finds, and
// whether that is certain.
func (s *State) current(p string) (v *Version, certain bool) {
	h := s.histories(p)
	if len(h) != 1 {
		return nil, false
	}
	if len(h[0]) == 0 || h[0][0].Marker {
		return nil, true
	}
	return &h[0][0], true
}

// Apply changes the state by one step and its result.
func (s *State) Apply(step Step, r Result) {
	switch step.Action {
	case CreateUpload:
		s.applyCreate(step, r)
		return
	case UploadPart, CopyPart:
		s.applyPart(step, r)
		return
	case Abort:
		s.endUpload(step.Upload, r.Outcome())
		return
	case Complete:
		s.applyComplete(step, r)
		return
	}
	keys := step.Keys
	if len(keys) == 0 {
		keys = []string{step.Key}
	}
	for _, key := range keys {
		s.change(step, key, r, r.outcomeOf(key))
	}
}

func (s *State) change(step Step, key string, r Result, o Outcome) {
	if o == Refused {
		return
	}
	var next []History
	for _, h := range s.histories(path(step.Bucket, key)) {
		if o == Unknown {
			next = append(next, h)
		}
		next = append(next, effect(s.Buckets[step.Bucket], step, r, h))
	}
	s.Keys[path(step.Bucket, key)] = distinct(next)
}

func distinct(list []History) []History {
	var out []History
	for _, h := range list {
		if !slices.ContainsFunc(out, func(o History) bool { return sameHistory(o, h) }) {
			out = append(out, h)
		}
	}
	return out
}

func sameHistory(a, b History) bool {
	return slices.EqualFunc(a, b, func(x, y Version) bool {
		return x.ID == y.ID && x.Marker == y.Marker && x.Note == y.Note && x.Tag == y.Tag
	})
}

// effect returns the history after a step that was done.
func effect(m Mode, step Step, r Result, h History) History {
	h = slices.Clone(h)
	if step.Action == DeleteVersion {
		return slices.DeleteFunc(h, func(v Version) bool { return v.ID == step.Version })
	}
	if step.Action == Tag {
		if len(h) > 0 {
			h[0].Tag = step.ID
		}
		return h
	}
	marker := step.Action == Delete || step.Action == DeleteBatch
	// Complete changes nothing where it was done before.
	if step.Action == Complete && len(h) > 0 && h[0].Note == step.note() {
		return h
	}
	v := Version{ID: r.Version, Marker: marker, Value: step.Value, Note: step.note(), Tag: step.Tag}
	if marker {
		v.Value, v.Note, v.Tag = nil, "", ""
	}
	switch m {
	case Plain:
		if marker {
			return nil
		}
		v.ID = "null"
		return History{v}
	case Suspended:
		v.ID = "null"
		h = slices.DeleteFunc(h, func(v Version) bool { return v.ID == "null" })
	default:
		if v.ID == "" {
			v.ID = anyID
		}
	}
	return append(History{v}, h...)
}

func (s *State) applyCreate(step Step, r Result) {
	switch r.Outcome() {
	case Done:
		s.Uploads[r.Upload] = &Upload{Bucket: step.Bucket, Key: step.Key, Note: step.ID, Parts: map[int][]Part{}, Open: true}
	case Unknown:
		s.Strays[path(step.Bucket, step.Key)] = true
	}
}

func (s *State) applyPart(step Step, r Result) {
	u, o := s.Uploads[step.Upload], r.Outcome()
	if u == nil || o == Refused {
		return
	}
	p := Part{Number: step.Number, Value: step.Value, ETag: etag(step.Value)}
	if o == Done {
		u.Parts[step.Number] = []Part{p}
		return
	}
	old := u.Parts[step.Number]
	if len(old) == 0 {
		old = []Part{{}} // none
	}
	u.Parts[step.Number] = append(old, p)
}

func (s *State) endUpload(id string, o Outcome) {
	u := s.Uploads[id]
	switch {
	case u == nil || o == Refused:
	case o == Done:
		u.Open, u.Gone = false, true
	default:
		u.Gone = true
	}
}

func (s *State) applyComplete(step Step, r Result) {
	o := r.Outcome()
	if u := s.Uploads[step.Upload]; u != nil && u.Open {
		s.change(step, step.Key, r, o)
	}
	s.endUpload(step.Upload, o)
	s.Retry = slices.DeleteFunc(s.Retry, func(c Step) bool { return c.Upload == step.Upload })
	switch o {
	case Unknown:
		s.Retry = append(s.Retry, step)
	case Done:
		s.Completed[path(step.Bucket, step.Key)] = step
	}
}

// Interrupt changes the state for the steps that had begun and not ended when
// the store was killed.
func (s *State) Interrupt(begun map[string]Step) {
	for _, id := range slices.Sorted(maps.Keys(begun)) {
		s.Apply(begun[id], Result{})
	}
}

// Replay applies notes in their order. It returns the violations that the
// program noted itself.
func (s *State) Replay(lines []Line) (begun map[string]Step, bad []Violation) {
	begun = map[string]Step{}
	for _, l := range lines {
		switch {
		case l.Begin != nil:
			begun[l.Begin.ID] = *l.Begin
		case l.End != nil:
			s.Apply(begun[l.End.ID], *l.End)
			delete(begun, l.End.ID)
		case l.Bad != nil:
			bad = append(bad, *l.Bad)
		case l.Adopt != nil:
			*s = *l.Adopt.Clone()
		}
	}
	return begun, bad
}
