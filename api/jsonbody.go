package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/fairshare"
)

// maxJSON bounds a JSON body, in bytes.
const maxJSON = 64 << 10

// readJSON reads an object into fields, by name. A name that is not among them
// is refused: a misspelt expires_in would otherwise silently mean the default.
// So is one that is there twice: two readers might take different ones. null is
// the same as absent.
func (d *door) readJSON(r *http.Request, fields map[string]any) error {
	return d.readJSONUpTo(r, maxJSON, fields)
}

// readJSONUpTo is readJSON for a body of at most so many bytes. Its memory is the
// uploads'.
func (d *door) readJSONUpTo(r *http.Request, most int64, fields map[string]any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	patch := r.Method == http.MethodPatch && kind == "application/merge-patch+json"
	if err != nil || kind != "application/json" && !patch {
		return invalid(gateway.UnsupportedMediaType, "Content-Type", "must be application/json")
	}
	tooLong := gateway.Errorf(gateway.EntityTooLarge, "The JSON body is longer than %d bytes.", most)
	if r.ContentLength > most {
		return tooLong
	}
	sent, err := verified(r.Header, newBody(r))
	if err != nil {
		return err
	}
	doc, err := d.Budget.document(r, sent, most)
	if gateway.CodeOf(err) == gateway.EntityTooLarge {
		return tooLong
	}
	if err != nil {
		return err
	}
	defer doc.Release()
	return readMembers(json.NewDecoder(bytes.NewReader(doc.Raw)), fields)
}

// document reads a small body into memory of the budget.
func (b *Budget) document(r *http.Request, body io.Reader, most int64) (*fairshare.Document, error) {
	var memory *fairshare.Pool
	if b != nil {
		memory = b.Memory
	}
	return memory.ReadDocument(r.Context(), body, most)
}

// readMembers reads one object, member by member.
func readMembers(in *json.Decoder, fields map[string]any) error {
	broken := func(err error) error {
		return gateway.Errorf(gateway.InvalidRequest, "The body is not a JSON object.").Because(err)
	}
	if open, err := in.Token(); err != nil || open != json.Delim('{') {
		return broken(err)
	}
	for seen := map[string]bool{}; in.More(); {
		token, err := in.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return broken(err)
		}
		target, known := fields[name]
		if !known {
			return invalid(gateway.UnprocessableValue, clip(name, 64), "is not a field here: there are %s",
				strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		if seen[name] {
			return invalid(gateway.InvalidArgument, name, "is given more than once")
		}
		seen[name] = true
		if err := readMember(in, name, target); err != nil {
			return err
		}
	}
	if _, err := in.Token(); err != nil {
		return broken(err)
	}
	if _, err := in.Token(); err != io.EOF {
		return broken(errors.New("something follows the object"))
	}
	return nil
}

// readMember reads the value of one member.
func readMember(in *json.Decoder, name string, target any) error {
	if list, ok := target.(*idList); ok {
		return list.read(in, name)
	}
	var raw json.RawMessage
	if err := in.Decode(&raw); err != nil {
		return gateway.Errorf(gateway.InvalidRequest, "The body is not a JSON object.").Because(err)
	}
	if err := readField(raw, target); err != nil {
		return invalid(gateway.InvalidArgument, name, "is not %s", err)
	}
	return nil
}

// readField reads one value. null leaves the target as it is.
func readField(raw json.RawMessage, target any) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	err := json.Unmarshal(raw, target)
	if texts, ok := target.(*map[string]*string); ok && err == nil {
		err = namedOnce(raw, len(*texts))
	}
	if err == nil {
		return nil
	}
	switch target.(type) {
	case *string:
		return errors.New("text")
	case *bool:
		return errors.New("true or false")
	case *map[string]*string:
		return errors.New("an object of texts, each name once")
	}
	return errors.New("a whole number")
}

// namedOnce refuses an object of texts that names one of its n members twice.
func namedOnce(raw json.RawMessage, n int) error {
	in := json.NewDecoder(bytes.NewReader(raw))
	tokens := 0
	for {
		if _, err := in.Token(); err != nil {
			break // its end: the object was read before
		}
		tokens++
	}
	if tokens != 2*n+2 { // a name and a text each, and the braces
		return errors.New("a name is there twice")
	}
	return nil
}

// idList is a list of file ids. Reading it stops at the first one too many.
type idList struct {
	ids  []string
	most int
}

func (l *idList) read(in *json.Decoder, name string) error {
	notOne := invalid(gateway.InvalidArgument, name, "is not a list of texts")
	open, err := in.Token()
	if err == nil && open == nil {
		return nil
	}
	if err != nil || open != json.Delim('[') {
		return notOne
	}
	for in.More() {
		token, err := in.Token()
		id, ok := token.(string)
		if err != nil || !ok {
			return notOne
		}
		if len(l.ids) == l.most {
			return invalid(gateway.UnprocessableValue, name, "must be 1 to %d ids", l.most)
		}
		l.ids = append(l.ids, id)
	}
	if _, err := in.Token(); err != nil {
		return notOne
	}
	return nil
}
