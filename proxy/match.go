package proxy

import (
	"net/http"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// Table finds the operation of a request. It is immutable and safe for
// concurrent use.
type Table struct {
	rows map[Level]map[string][]*Operation
	all  []*Operation
	// subResources are the query keys that ask for something else than the bytes of
	// an object or the keys of a bucket.
	subResources map[string]bool
}

// NewTable indexes the operations.
func NewTable() *Table {
	t := &Table{rows: map[Level]map[string][]*Operation{}, subResources: map[string]bool{}}
	for _, r := range unserved {
		t.subResources[r.subResource] = true
	}
	for _, op := range operations() {
		if t.rows[op.Level] == nil {
			t.rows[op.Level] = map[string][]*Operation{}
		}
		t.rows[op.Level][op.Method] = append(t.rows[op.Level][op.Method], &op)
		t.all = append(t.all, &op)
		for _, key := range op.Tells {
			t.subResources[key] = !slices.Contains(selectors, key)
		}
	}
	return t
}

// Operations gives every row, for those who go through all of them: no
// operation can be forgotten then.
func (t *Table) Operations() []Operation {
	all := make([]Operation, len(t.all))
	for i, op := range t.all {
		all[i] = *op
	}
	return all
}

// Find gives the operation of a request: of the rows of its level and method
// whose telling keys and header are all there, the one with the most of them.
// A request that no row fits is refused.
func (t *Table) Find(level Level, method string, query []signer.Param, header http.Header) (*Operation, error) {
	rows := t.rows[level][method]
	if len(rows) == 0 {
		return nil, t.noMethod(level, method)
	}
	var best *Operation
	for _, op := range rows {
		if op.fits(query, header) && (best == nil || op.weight() > best.weight()) {
			best = op
		}
	}
	if best == nil {
		return nil, notImplemented("this combination of method and query")
	}
	return best, nil
}

// Params returns the parameters of a request that its operation knows. What it
// does not know is dropped where it can have no meaning (dropParam) and refused
// otherwise: it may change what the backend does. One that is there twice is
// refused: of ?partNumber=2&partNumber=1 the gateway would judge one and the
// backend use the other.
func (t *Table) Params(op *Operation, query []signer.Param) (known []signer.Param, err error) {
	for _, p := range query {
		if p.Key != "x-id" && !slices.Contains(op.Tells, p.Key) && !slices.Contains(op.Params, p.Key) {
			if t.dropParam(op, p.Key) {
				continue
			}
			return nil, notImplemented("the query parameter " + p.Key + " on " + op.Name)
		}
		if has(known, p.Key) {
			return nil, badArgument(p, "The query parameter %s was sent more than once.")
		}
		if err := checkParam(op, p); err != nil {
			return nil, err
		}
		known = append(known, p)
	}
	return known, nil
}

// dropParam reports whether a parameter that an operation does not know has no
// meaning. S3 passes over those that begin with "x-" by its documentation
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequestAuthentication.html),
// and over all others on a read, where they can change nothing: ?v=3, or what a
// campaign adds to a link. The name of a sub-resource asks for something else than
// the object, and of a version for other bytes: those are refused.
func (t *Table) dropParam(op *Operation, name string) bool {
	switch {
	case strings.HasPrefix(name, "x-"):
		return true
	case !op.reads():
		return false
	}
	return !t.subResources[name] && !strings.EqualFold(name, "versionId") && !strings.EqualFold(name, "generation")
}

// reads reports whether the request can change nothing, whatever it says.
func (op *Operation) reads() bool { return op.Method == http.MethodGet || op.Method == http.MethodHead }

// checkParam refuses a value by which a store could take the request for another.
func checkParam(op *Operation, p signer.Param) error {
	switch {
	case p.Value == "" && slices.Contains(needsValue, p.Key):
		return badArgument(p, "The query parameter %s needs a value.")
	// MinIO's router overlooks a parameter with a line break in its value: a
	// DELETE of ?tagging would be one of the object there, and a PUT of a
	// part one of a whole object that no rule has judged.
	case slices.Contains(op.Tells, p.Key) && hasControl(p.Value):
		return badArgument(p, "The value of the query parameter %s has a control character.")
	// MinIO answers 500, or in the words of its library, to one that is no
	// number, and takes "01" for "1": one part would have two names.
	case p.Key == "partNumber" && (strings.Trim(p.Value, "0123456789") != "" || len(p.Value) > 9 || p.Value[0] == '0'):
		return badArgument(p, "The query parameter %s must be an integer between 1 and 10000, inclusive.")
	}
	return nil
}

// needsValue are the parameters that name what a request is about. Stores differ
// on whether an empty upload ID is one, and take an empty version for the current
// one: a part here must not be a whole object there, nor a version everything.
var needsValue = []string{"uploadId", "partNumber", "versionId", "id"}

func badArgument(p signer.Param, text string) *gateway.Error {
	return gateway.Errorf(gateway.InvalidArgument, text, p.Key).
		With("ArgumentName", p.Key).With("ArgumentValue", p.Value)
}

func (t *Table) noMethod(level Level, method string) error {
	allowed := make([]string, 0, len(t.rows[level]))
	for m := range t.rows[level] {
		allowed = append(allowed, m)
	}
	slices.Sort(allowed)
	return gateway.Errorf(gateway.MethodNotAllowed, "The specified method is not allowed against this resource.").
		With("Method", method).With("Allow", strings.Join(allowed, ", "))
}

func notImplemented(what string) *gateway.Error {
	return gateway.Errorf(gateway.NotImplemented, "A header or parameter you provided implies functionality that is not implemented: %s.", what)
}

func (op *Operation) fits(query []signer.Param, header http.Header) bool {
	for _, key := range op.Tells {
		if !has(query, key) {
			return false
		}
	}
	return op.TellingHeader == "" || header.Get(op.TellingHeader) != ""
}

func (op *Operation) weight() int {
	n := len(op.Tells)
	if op.TellingHeader != "" {
		n++
	}
	return n
}
