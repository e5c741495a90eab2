package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one setting that cannot be started with.
type Problem struct {
	// Name is the variable, or file, line and column where there is none.
	Name string
	// Value is what was given, [redacted] for a secret; empty when the problem
	// is not about one value.
	Value string
	// Wrong says what is wrong.
	Wrong string
	// Accepted says what is accepted or what to do. It may be empty.
	Accepted string
	// Where is file and line, empty for the environment.
	Where string
}

// Error gives the problem on one line: NAME="value": what is wrong; what is
// accepted (where).
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Name)
	if p.Value != "" {
		b.WriteString("=" + quote(p.Value))
	}
	b.WriteString(": " + p.Wrong)
	if p.Accepted != "" {
		b.WriteString("; " + p.Accepted)
	}
	if p.Where != "" {
		b.WriteString(" (" + p.Where + ")")
	}
	return b.String()
}

// Problems is every problem of one Load, in the order of the settings.
type Problems []Problem

// Error gives one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each problem, for errors.As.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, one := range p {
		errs[i] = one
	}
	return errs
}

// Warning is something that the operator should know and the start log says.
type Warning struct {
	// Name is the variable concerned.
	Name string
	// Text says what is odd and what to do. It never carries a secret.
	Text string
	// Where is file and line, empty for the environment.
	Where string
}

// String gives the warning on one line.
func (w Warning) String() string {
	s := w.Name + ": " + w.Text
	if w.Where != "" {
		s += " (" + w.Where + ")"
	}
	return s
}

// longest is how much of a value a problem shows, in bytes.
const longest = 120

// quote shows a value on one line, whatever bytes it has.
func quote(s string) string {
	if len(s) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strconv.Quote(s)
}

// visible hides in a value what may be a secret though the setting is not one:
// passwords and query tokens in URLs.
func visible(value string) string {
	scheme := strings.Index(value, "://")
	if scheme < 0 {
		return value
	}
	if at := strings.LastIndexByte(value, '@'); at > scheme {
		value = value[:scheme+3] + redacted + value[at:]
	}
	if query := strings.IndexAny(value, "?#"); query >= 0 {
		value = value[:query+1] + redacted
	}
	return value
}
