package workload

import (
	"encoding/json"
	"fmt"
)

// Action is what a step does.
type Action string

// The actions of a step.
const (
	Put           Action = "put"
	Copy          Action = "copy"
	Delete        Action = "delete"
	DeleteVersion Action = "delete-version"
	DeleteBatch   Action = "delete-batch"
	CreateUpload  Action = "create-upload"
	UploadPart    Action = "upload-part"
	CopyPart      Action = "copy-part"
	Complete      Action = "complete"
	Abort         Action = "abort"
	Tag           Action = "tag"
)

// Part is one part of an upload.
type Part struct {
	Number int
	Value  Value
	ETag   string
}

// Step is one request that changes the store.
type Step struct {
	ID      string // unique; the objects it stores carry it as metadata
	Action  Action
	Bucket  string
	Key     string
	Keys    []string `json:",omitempty"` // of a batch
	Source  string   `json:",omitempty"` // key of a copy
	Version string   `json:",omitempty"`
	Value   Value    `json:",omitempty"`
	Upload  string   `json:",omitempty"`
	Number  int      `json:",omitempty"`
	Parts   []Part   `json:",omitempty"`
	// Note is what the object carries as metadata, where it is not ID: an upload
	// has the ID of the step that created it.
	Note string `json:",omitempty"`
	// Tag is the tag that a copy takes over from its source.
	Tag string `json:",omitempty"`
}

func (s Step) note() string {
	if s.Note != "" {
		return s.Note
	}
	return s.ID
}

func (s Step) String() string {
	return fmt.Sprintf("%s %s %s/%s size=%d version=%s upload=%s", s.ID, s.Action, s.Bucket, s.Key, s.Value.Size(), s.Version, s.Upload)
}

// Outcome is what a client knows of a step after its answer.
type Outcome int

const (
	Done    Outcome = iota // acknowledged
	Refused                // nothing was changed
	Unknown                // no answer, or one that leaves it open
)

// Result is the answer to a step.
type Result struct {
	ID      string
	Status  int    // of HTTP; 0: no answer; NotSent: no server
	Error   string `json:",omitempty"`
	Version string `json:",omitempty"`
	Upload  string `json:",omitempty"`
	// Failed has the keys of a batch that were not deleted, with their codes.
	Failed map[string]string `json:",omitempty"`
}

// NotSent is the status of a request that met no server.
const NotSent = -1

// Outcome returns what the answer means.
func (r Result) Outcome() Outcome {
	switch {
	case r.Status >= 200 && r.Status < 300:
		return Done
	case r.Status >= 400 && r.Status < 500, r.Status == 507, r.Status == NotSent:
		return Refused
	default:
		return Unknown
	}
}

// outcomeOf returns the outcome for one key.
func (r Result) outcomeOf(key string) Outcome {
	code, failed := r.Failed[key]
	switch {
	case !failed:
		return r.Outcome()
	case code == "InsufficientCapacity" || code == "InsufficientStorage" || code == "AccessDenied":
		return Refused
	default:
		return Unknown
	}
}

// Class is a kind of violation.
type Class string

// The classes of violations.
const (
	Lost        Class = "lost"        // an acknowledged change is not there
	Corrupt     Class = "corrupt"     // bytes or headers are not those that were stored
	Half        Class = "half"        // a change is visible in part
	Resurrected Class = "resurrected" // what was deleted, or never stored, is there
	LeftOver    Class = "left over"   // bytes or rows that nothing names
	BadAnswer   Class = "bad answer"  // a status that the situation does not allow
	NoStart     Class = "no start"    // the store does not open
)

// Classes lists all classes in the order of tables.
var Classes = []Class{Lost, Corrupt, Half, Resurrected, LeftOver, BadAnswer, NoStart}

// Violation is one broken promise.
type Violation struct {
	Class Class
	Text  string
}

func (v Violation) String() string { return string(v.Class) + ": " + v.Text }

// Line is one note of a program: exactly one field is set.
type Line struct {
	Begin  *Step      `json:",omitempty"`
	End    *Result    `json:",omitempty"`
	Bad    *Violation `json:",omitempty"`
	Ready  bool       `json:",omitempty"` // verified; steps follow
	Adopt  *State     `json:",omitempty"` // what was found
	Fact   string     `json:",omitempty"` // for tests: name=value
	Damage *Damage    `json:",omitempty"`
	Finish bool       `json:",omitempty"`
}

func (l Line) encode() string {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // a type of this package that JSON cannot hold
	}
	return string(b)
}

// ParseLine reads a note.
func ParseLine(text string) (Line, error) {
	var l Line
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return l, fmt.Errorf("read a note: %w", err)
	}
	return l, nil
}
