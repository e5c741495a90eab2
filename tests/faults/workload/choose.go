package workload

import (
	"fmt"
	"maps"
	"slices"
)

// choice makes a step of one kind, if there is one to make.
type choice struct {
	weight int
	make   func(*worker) (Step, bool)
}

var basic = []choice{
	{10, (*worker).put},
	{3, (*worker).remove},
}

var full = []choice{
	{10, (*worker).put},
	{3, (*worker).copy},
	{3, (*worker).remove},
	{3, (*worker).removeVersion},
	{2, (*worker).removeBatch},
	{3, (*worker).createUpload},
	{5, (*worker).uploadPart},
	{4, (*worker).complete},
	{1, (*worker).abort},
	{1, (*worker).again},
	{2, (*worker).tag},
}

// next returns a random step that makes sense in the present state.
func (w *worker) next() Step {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	choices, total := full, 0
	if w.p.Basic {
		choices = basic
	}
	for _, c := range choices {
		total += c.weight
	}
	for {
		n := w.rnd.IntN(total)
		i := slices.IndexFunc(choices, func(c choice) bool { n -= c.weight; return n < 0 })
		if step, ok := choices[i].make(w); ok {
			return step
		}
	}
}

func (w *worker) step(a Action) Step {
	w.n++
	return Step{ID: fmt.Sprintf("%s-%x-%d", w.name, w.p.Seed, w.n), Action: a, Bucket: w.bucket(), Key: w.key()}
}

func (w *worker) bucket() string {
	if w.p.Basic {
		return "plain"
	}
	return []string{"plain", "versioned", "suspended"}[w.rnd.IntN(3)]
}

// keysPerWorker is few, so that steps meet.
const keysPerWorker = 5

func (w *worker) key() string {
	return fmt.Sprintf("%s/%s", w.name, []string{"a", "b", "b/c", "d ü", "e"}[w.rnd.IntN(keysPerWorker)])
}

// size returns the length of an object: often small, often near the lengths at
// which a store changes its ways.
func (w *worker) size() int64 {
	edges := []int64{0, 1, 511, 512, 4096, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10}
	switch w.rnd.IntN(10) {
	case 0:
		return w.rnd.Int64N(1 << 20)
	case 1, 2, 3:
		return w.rnd.Int64N(100 << 10)
	case 4, 5:
		return max(0, edges[w.rnd.IntN(len(edges))]+w.rnd.Int64N(3)-1)
	default:
		return w.rnd.Int64N(4 << 10)
	}
}

func (w *worker) put() (Step, bool) {
	s := w.step(Put)
	s.Value = random(w.rnd.Uint64(), w.size())
	return s, true
}

// copy copies within a bucket, also an object onto itself.
func (w *worker) copy() (Step, bool) {
	s := w.step(Copy)
	s.Source = w.key()
	v, _ := w.p.state.current(path(s.Bucket, s.Source))
	if v == nil {
		return s, false
	}
	s.Value, s.Tag = v.Value, v.Tag
	return s, true
}

func (w *worker) tag() (Step, bool) {
	s := w.step(Tag)
	v, _ := w.p.state.current(path(s.Bucket, s.Key))
	return s, v != nil
}

func (w *worker) remove() (Step, bool) { return w.step(Delete), true }

func (w *worker) removeBatch() (Step, bool) {
	s := w.step(DeleteBatch)
	for range 1 + w.rnd.IntN(3) {
		if key := w.key(); !slices.Contains(s.Keys, key) {
			s.Keys = append(s.Keys, key)
		}
	}
	return s, true
}

func (w *worker) removeVersion() (Step, bool) {
	s := w.step(DeleteVersion)
	h := w.p.state.histories(path(s.Bucket, s.Key))
	if s.Bucket == "plain" || len(h) != 1 || len(h[0]) == 0 {
		return s, false
	}
	v := h[0][w.rnd.IntN(len(h[0]))]
	if len(h[0]) > 4 {
		v = h[0][len(h[0])-1]
	}
	s.Version = v.ID
	return s, v.ID != anyID
}

func (w *worker) createUpload() (Step, bool) {
	return w.step(CreateUpload), len(w.uploads()) < 2
}

func (w *worker) uploads() []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(w.p.state.Uploads)) {
		if u := w.p.state.Uploads[id]; w.owns(u.Key) && u.Open && !u.Gone {
			out = append(out, id)
		}
	}
	return out
}

func (w *worker) ofUpload(a Action) (Step, *Upload, bool) {
	s, open := w.step(a), w.uploads()
	if len(open) == 0 {
		return s, nil, false
	}
	s.Upload = open[w.rnd.IntN(len(open))]
	u := w.p.state.Uploads[s.Upload]
	s.Bucket, s.Key = u.Bucket, u.Key
	return s, u, true
}

// smallestPart is what S3 asks of all parts but the last.
const smallestPart = 5 << 20

// uploadPart sends the first part, the first again, or a second one, by bytes or
// as a copy.
func (w *worker) uploadPart() (Step, bool) {
	s, u, ok := w.ofUpload(UploadPart)
	if !ok {
		return s, false
	}
	s.Number = 1
	if first := u.Parts[1]; len(first) == 1 && first[0].Value.Size() >= smallestPart {
		s.Number = 2
	}
	s.Value = random(w.rnd.Uint64(), w.size())
	if s.Number == 1 && w.rnd.IntN(12) == 0 {
		s.Value = random(w.rnd.Uint64(), smallestPart+w.size())
	}
	source := w.key()
	if v, _ := w.p.state.current(path(s.Bucket, source)); v != nil && w.rnd.IntN(3) == 0 {
		s.Action, s.Source, s.Value = CopyPart, source, v.Value
	}
	return s, true
}

func (w *worker) complete() (Step, bool) {
	s, u, ok := w.ofUpload(Complete)
	if !ok || len(u.Parts) == 0 || u.Note == "" {
		return s, false
	}
	s.Note = u.Note
	for _, n := range slices.Sorted(maps.Keys(u.Parts)) {
		p := u.Parts[n]
		if len(p) != 1 || p[0].ETag == "" {
			return s, false
		}
		s.Parts = append(s.Parts, p[0])
		s.Value = append(s.Value, p[0].Value...)
	}
	for _, p := range s.Parts[:len(s.Parts)-1] {
		if p.Value.Size() < smallestPart {
			return s, false
		}
	}
	return s, true
}

func (w *worker) abort() (Step, bool) {
	s, _, ok := w.ofUpload(Abort)
	return s, ok
}

// again repeats a Complete that was answered, or one whose outcome is unknown.
func (w *worker) again() (Step, bool) {
	var all []Step
	for _, s := range w.p.state.Retry {
		if w.owns(s.Key) {
			all = append(all, s)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(w.p.state.Completed)) {
		if s := w.p.state.Completed[k]; len(all) == 0 && w.owns(s.Key) {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return Step{}, false
	}
	return all[w.rnd.IntN(len(all))], true
}
