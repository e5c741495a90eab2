package config

import (
	"errors"
	"fmt"
	"strings"

	yaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// memberSections are names that stand in entries of other sections.
var memberSections = map[string]string{"grants": "callers", "limits": "buckets or callers", "access_keys": "callers", "api_keys": "callers"}

// section reads one list of entries into the reader.
var sections = map[string]func(y *yamlReader, n ast.Node){
	"backends": func(y *yamlReader, n ast.Node) {
		y.backends = entries(y, n, "backends", backendMembers, func(b *Backend) *string { return &b.Where })
	},
	"buckets": func(y *yamlReader, n ast.Node) {
		y.buckets = entries(y, n, "buckets", bucketMembers, func(b *Bucket) *string { return &b.Where })
	},
	"callers": func(y *yamlReader, n ast.Node) {
		y.callers = entries(y, n, "callers", callerMembers, func(c *Caller) *string { return &c.Where })
	},
}

// outside is how entries get at secrets that do not stand in the file. Errors
// show no content.
type outside struct {
	file func(path string) (string, error)
	env  func(name string) (string, error)
	aws  func(id string) (string, error)
}

// parseYAML reads a file of settings and sections. It works on the syntax tree, because a
// decoder would turn 010 or 1e3 into other numbers before a setting's own rules
// see them, and because every refusal names line and column.
func parseYAML(file, src string, o outside) *yamlReader {
	y := &yamlReader{file: file, outside: o, values: map[string]given{}}
	// Windows editors begin files with a mark, and the parser miscounts the lines
	// that they end.
	src = strings.ReplaceAll(strings.TrimPrefix(src, "\ufeff"), "\r\n", "\n")
	if tooDeep(src) {
		y.refuse(nil, "", "too deeply nested", fmt.Sprintf("at most %d levels", maxNesting))
		return y
	}
	tree, err := parser.ParseBytes([]byte(src), 0)
	if err != nil {
		y.syntax(err)
		return y
	}
	for i, doc := range tree.Docs {
		if i > 0 && doc.Body != nil {
			y.refuse(doc.Body.GetToken(), "", "a second document", "one document only")
			break
		}
		y.document(doc.Body)
	}
	return y
}

// maxNesting is how deep brackets, and dashes on one line, may be nested.
const maxNesting = 1000

// tooDeep reports a file that the parser would go into so deep that its stack
// ends the process: on a reload, a gateway that serves. It counts brackets and
// dashes wherever they stand, in quotes and comments too.
func tooDeep(src string) bool {
	open, dashes := 0, 0
	for i := range len(src) {
		switch src[i] {
		case '[', '{':
			open++
		case ']', '}':
			open = max(open-1, 0)
		case '\n':
			dashes = 0
		case '-':
			if i+1 < len(src) && (src[i+1] == ' ' || src[i+1] == '\t') {
				dashes++
			}
		}
		if open > maxNesting || dashes > maxNesting {
			return true
		}
	}
	return false
}

type yamlReader struct {
	file     string
	outside  outside
	values   map[string]given
	backends []Backend
	buckets  []Bucket
	callers  []Caller
	problems Problems
}

func (y *yamlReader) where(t *token.Token) string {
	if t == nil || t.Position == nil {
		return y.file
	}
	return fmt.Sprintf("%s:%d:%d", y.file, t.Position.Line, t.Position.Column)
}

// refuse adds a problem at a place; name may be empty.
func (y *yamlReader) refuse(t *token.Token, name, wrong, accepted string) {
	p := Problem{Name: y.where(t), Wrong: wrong, Accepted: accepted}
	if name != "" {
		p.Wrong = name + ": " + wrong
	}
	y.problems = append(y.problems, p)
}

// syntax reports what the parser said, without the source that its Error shows
// and its message may quote: that may hold a secret.
func (y *yamlReader) syntax(err error) {
	var e yaml.Error
	if !errors.As(err, &e) {
		y.refuse(nil, "", "not YAML", "")
		return
	}
	said := e.GetMessage()
	if from, to := strings.Index(said, `"`), strings.LastIndex(said, `"`); from < to {
		said = said[:from] + redacted + said[to+1:]
	}
	y.refuse(e.GetToken(), "", "not YAML", said)
}

func (y *yamlReader) document(body ast.Node) {
	switch n := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingNode:
		for _, pair := range n.Values {
			y.pair(pair)
		}
	case *ast.MappingValueNode:
		y.pair(n)
	default:
		y.refuse(n.GetToken(), "", "not settings", "write name: value")
	}
}

func (y *yamlReader) pair(pair *ast.MappingValueNode) {
	at := pair.Key.GetToken()
	key, ok := pair.Key.(*ast.StringNode)
	if !ok {
		y.refuse(at, "", "not the name of a setting", "write name: value")
		return
	}
	name := strings.ToUpper(key.Value)
	row, known := find(name)
	if read := sections[key.Value]; read != nil {
		read(y, pair.Value)
		return
	}
	switch {
	case memberSections[key.Value] != "" && !known:
		y.refuse(at, key.Value, "not a section of its own", "it stands in an entry of "+memberSections[key.Value])
	case !known || key.Value != strings.ToLower(name):
		y.refuse(at, shortName(key.Value), "unknown", suggestFrom(append(settingNames(), "BACKENDS", "BUCKETS", "CALLERS"), name, strings.ToLower, "see `s3gateway config` for the names"))
	case name == configFileName:
		y.refuse(at, key.Value, "names the file that it stands in", "use the environment or --config")
	default:
		text, ok := scalar(pair.Value)
		if !ok && row.list {
			text, ok = sequence(pair.Value)
		}
		if !ok {
			y.refuse(pair.Value.GetToken(), key.Value, "not a plain value", "write a single value"+map[bool]string{true: " or a list of them"}[row.list])
			return
		}
		y.values[name] = given{text: text, shown: firstLine(pair.Value, text), where: y.where(at)}
	}
}

// scalar gives the text of a plain value as it was written.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return v.GetToken().Value, true
	}
	return "", false
}

// firstLine is what may be shown of a text that was read from a node: not what
// stands on further lines of the file, which an indent too deep makes a part of
// the value, and which may be a secret.
func firstLine(n ast.Node, text string) string {
	if list, ok := n.(*ast.SequenceNode); ok {
		items := make([]string, len(list.Values))
		for i, v := range list.Values {
			item, _ := scalar(v)
			items[i] = firstLine(v, item)
		}
		return strings.Join(items, ",")
	}
	text, _, more := strings.Cut(text, "\n")
	if line, _, folded := strings.Cut(strings.TrimSpace(n.GetToken().Origin), "\n"); folded {
		text, more = strings.TrimSpace(line), true
	}
	if more {
		text += "…"
	}
	return text
}

// sequence joins a list of plain values with commas, as the environment has it.
func sequence(n ast.Node) (string, bool) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return "", false
	}
	items := make([]string, len(list.Values))
	for i, v := range list.Values {
		if items[i], ok = scalar(v); !ok {
			return "", false
		}
	}
	return strings.Join(items, ","), true
}
