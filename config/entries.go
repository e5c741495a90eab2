package config

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// member is one name of an entry R of a section.
type member[R any] struct {
	name string
	// needed entries are refused without it.
	needed bool
	// quiet values are not shown in problems.
	quiet bool
	// narrows is true of what makes an entry hold for less: left empty, it would
	// hold for more than somebody meant.
	narrows bool
	// read puts a value into the entry, or refuses it.
	read func(y *yamlReader, m member[R], r *R, n ast.Node)
	// show gives the member as the command config prints it, "" for nothing;
	// lines gives what has lines of its own.
	show  func(r *R) string
	lines func(r *R) []string
}

func needed[R any](m member[R]) member[R] { m.needed = true; return m }
func quiet[R any](m member[R]) member[R]  { m.quiet = true; return m }

func narrows[R any](m member[R]) member[R] { m.narrows = true; return m }

// one is a member with a plain value.
func one[R, T any](name string, at func(*R) *T, k kind[T]) member[R] {
	return member[R]{
		name: name,
		show: func(r *R) string { return k.show(*at(r)) },
		read: func(y *yamlReader, m member[R], r *R, n ast.Node) {
			text, ok := scalar(n)
			if !ok {
				y.refuse(n.GetToken(), name, "not a plain value", k.accepted)
				return
			}
			take(y, m, n, text, at(r), k)
		},
	}
}

// several is a member with a list, or one value for a list of it alone.
func several[R, T any](name string, at func(*R) *[]T, item kind[T]) member[R] {
	k := listOf(item)
	return member[R]{
		name: name,
		show: func(r *R) string { return k.show(*at(r)) },
		read: func(y *yamlReader, m member[R], r *R, n ast.Node) {
			text, ok := scalar(n)
			if !ok {
				text, ok = sequence(n)
			}
			if !ok {
				y.refuse(n.GetToken(), name, "not a plain value or a list of them", item.accepted)
				return
			}
			if list, ok := n.(*ast.SequenceNode); ok {
				if strings.Trim(text, ",") == "" {
					y.refuse(n.GetToken(), name, "a list without an item", item.accepted)
					return
				}
				for _, v := range list.Values {
					// It would be read as two, and "a,*.pdf" as any PDF.
					if text, _ := scalar(v); strings.Contains(text, ",") {
						y.refuse(v.GetToken(), name, "an item with a comma", item.accepted)
						return
					}
				}
			}
			take(y, m, n, text, at(r), k)
		},
	}
}

// take parses a text into its field. An empty one counts as not given.
func take[R, T any](y *yamlReader, m member[R], n ast.Node, text string, to *T, k kind[T]) {
	if text == "" {
		return
	}
	if strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
		y.refuse(n.GetToken(), m.name, "has control characters or is not UTF-8", k.accepted)
		return
	}
	v, err := k.parse(text)
	if err == nil {
		*to = v
		return
	}
	shown := quote(visible(firstLine(n, text)))
	if m.quiet {
		shown = redacted
	}
	y.refuse(n.GetToken(), m.name+"="+shown, err.Error(), k.accepted)
}

// secrets are the four ways of giving a secret: itself, the path of a file (as
// Docker and Kubernetes mount them), the name of a variable, and the name or ARN
// of an AWS Secrets Manager secret.
func secrets[R any](name string, at func(*R) *Secret, k kind[Secret]) []member[R] {
	read := func(get func(y *yamlReader, text string) (string, error)) func(*yamlReader, member[R], *R, ast.Node) {
		return func(y *yamlReader, m member[R], r *R, n ast.Node) {
			text, ok := scalar(n)
			if !ok {
				y.refuse(n.GetToken(), m.name, "not a plain value", k.accepted)
				return
			}
			if text == "" {
				return
			}
			secret, err := get(y, text)
			if err != nil {
				y.refuse(n.GetToken(), m.name, err.Error(), "")
				return
			}
			if *at(r) != "" {
				y.refuse(n.GetToken(), m.name, "the secret is given twice", "keep one of "+name+", "+name+"_file, "+name+"_env and "+name+"_aws")
				return
			}
			// Files end in a newline.
			v, err := k.parse(strings.TrimSpace(secret))
			if err != nil {
				y.refuse(n.GetToken(), m.name, err.Error(), k.accepted)
				return
			}
			*at(r) = v
		}
	}
	nothing := func(*R) string { return "" }
	return []member[R]{
		{name: name, show: func(r *R) string { return k.show(*at(r)) }, read: read(func(_ *yamlReader, text string) (string, error) { return text, nil })},
		{name: name + "_file", show: nothing, read: read(func(y *yamlReader, text string) (string, error) { return y.outside.file(text) })},
		{name: name + "_env", show: nothing, read: read(func(y *yamlReader, text string) (string, error) { return y.outside.env(text) })},
		{name: name + "_aws", show: nothing, read: read(func(y *yamlReader, text string) (string, error) { return y.outside.aws(text) })},
	}
}

// nested is a member that is itself a list of entries.
func nested[R, S any](name string, at func(*R) *[]S, members []member[S], where func(*S) *string) member[R] {
	return member[R]{
		name: name,
		show: func(*R) string { return "" },
		read: func(y *yamlReader, _ member[R], r *R, n ast.Node) {
			*at(r) = entries(y, n, name, members, where)
		},
		lines: func(r *R) []string { return showEntries(name, *at(r), members, where) },
	}
}

// within is a member that is one entry: names with values, not a list of them.
func within[R, S any](name string, at func(*R) *S, members []member[S]) member[R] {
	return member[R]{
		name: name,
		show: func(r *R) string {
			var shown []string
			for _, m := range members {
				if text := m.show(at(r)); text != "" {
					shown = append(shown, m.name+": "+text)
				}
			}
			if len(shown) == 0 {
				return ""
			}
			return "{" + strings.Join(shown, ", ") + "}"
		},
		read: func(y *yamlReader, _ member[R], r *R, n ast.Node) {
			pairs, token, ok := mapping(n)
			if !ok {
				y.refuse(n.GetToken(), name, "not an entry", "write name: value")
				return
			}
			readEntry(y, pairs, token, name, members, at(r))
		},
	}
}

// entries reads a list of entries. Each that can be read at all is in the
// result, so that later checks see references to it.
func entries[R any](y *yamlReader, n ast.Node, section string, members []member[R], where func(*R) *string) []R {
	if _, empty := n.(*ast.NullNode); empty {
		return nil
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		y.refuse(n.GetToken(), section, "not a list", "begin each entry with -")
		return nil
	}
	var all []R
	for _, v := range list.Values {
		pairs, at, ok := mapping(v)
		if !ok {
			y.refuse(v.GetToken(), section, "not an entry", "write name: value")
			continue
		}
		var r R
		*where(&r) = y.where(at)
		readEntry(y, pairs, at, section, members, &r)
		all = append(all, r)
	}
	return all
}

func readEntry[R any](y *yamlReader, pairs []*ast.MappingValueNode, at *token.Token, section string, members []member[R], r *R) {
	given := map[string]bool{}
	for _, pair := range pairs {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			y.refuse(pair.Key.GetToken(), "", "not a name in "+section, "write name: value")
			continue
		}
		i := indexOf(members, key.Value)
		if _, bare := pair.Value.(*ast.NullNode); i < 0 && bare {
			// It may be what stands behind the comma of a secret without quotes.
			y.refuse(key.GetToken(), "a name without a value", "unknown in "+section, "text with a comma needs quotes; known are "+strings.Join(namesOf(members), ", "))
			continue
		}
		if i < 0 {
			y.refuse(key.GetToken(), shortName(key.Value), "unknown in "+section, suggestMember(members, key.Value))
			continue
		}
		text, plain := scalar(pair.Value)
		given[key.Value] = !plain || text != "" // an empty value is none
		if members[i].narrows && !given[key.Value] {
			y.refuse(key.GetToken(), key.Value, "without a value, so that it would not hold", "give it one or remove it")
		}
		members[i].read(y, members[i], r, pair.Value)
	}
	for _, m := range members {
		if m.needed && !given[m.name] {
			y.refuse(at, section, "an entry without "+m.name, "add "+m.name)
		}
	}
}

// mapping gives the pairs of an entry and the place where it begins.
func mapping(n ast.Node) ([]*ast.MappingValueNode, *token.Token, bool) {
	var pairs []*ast.MappingValueNode
	switch v := n.(type) {
	case *ast.MappingNode:
		pairs = v.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{v}
	}
	if len(pairs) == 0 {
		return nil, nil, false
	}
	return pairs, pairs[0].Key.GetToken(), true
}

func indexOf[R any](members []member[R], name string) int {
	for i, m := range members {
		if m.name == name {
			return i
		}
	}
	return -1
}

func suggestMember[R any](members []member[R], name string) string {
	return suggestFrom(namesOf(members), strings.ToLower(name), asIs, "known are "+strings.Join(namesOf(members), ", "))
}

func namesOf[R any](members []member[R]) []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return names
}

// showEntries prints entries, one a line, and what is nested in them below.
func showEntries[R any](section string, all []R, members []member[R], where func(*R) *string) []string {
	var out []string
	for i := range all {
		line := section + ":"
		var below []string
		for _, m := range members {
			if text := m.show(&all[i]); text != "" {
				line += " " + m.name + "=" + text
			}
			if m.lines != nil {
				for _, l := range m.lines(&all[i]) {
					below = append(below, "  "+l)
				}
			}
		}
		out = append(append(out, line+"  ("+*where(&all[i])+")"), below...)
	}
	return out
}
