package config

import (
	"fmt"
	"strings"
)

// given is one setting's text, what of it may be shown, and where it stood.
type given struct {
	text, shown, where string
}

// dotenv is what a .env file says.
type dotenv struct {
	values   map[string]given
	order    []string
	problems Problems
	warnings []Warning
}

// parseDotenv reads lines of NAME=value as a POSIX shell would, without
// expanding anything:
//
//   - # begins a comment at the start of a line or after a space, also right
//     after the = of an empty value, and is part of the value elsewhere;
//   - 'single quotes' keep everything, "double quotes" know \" \\ \$ and \`;
//   - spaces around the name, the = and an unquoted value do not count, nor does
//     a leading export.
//
// A line that is none of this is a problem, told without its text: what does not
// parse may be half a secret.
func parseDotenv(file, src string) dotenv {
	d := dotenv{values: map[string]given{}}
	src = strings.TrimPrefix(src, "\ufeff") // Windows editors begin files with it
	number := 0
	for line := range strings.Lines(src) {
		number++
		where := fmt.Sprintf("%s:%d", file, number)
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, wrong := dotenvLine(line)
		if wrong != "" {
			d.problems = append(d.problems, Problem{Name: where, Wrong: wrong, Accepted: "write NAME=value"})
			continue
		}
		if _, twice := d.values[name]; twice {
			d.warnings = append(d.warnings, Warning{Name: name, Text: "given twice; the last one counts", Where: where})
		} else {
			d.order = append(d.order, name)
		}
		d.values[name] = given{text: text, shown: text, where: where}
	}
	return d
}

// dotenvLine takes one line apart; wrong says why it cannot.
func dotenvLine(line string) (name, text, wrong string) {
	if rest, ok := strings.CutPrefix(line, "export"); ok && rest != strings.TrimLeft(rest, " \t") {
		line = strings.TrimLeft(rest, " \t")
	}
	name, rest, ok := strings.Cut(line, "=")
	name = strings.TrimRight(name, " \t")
	if !ok || !variableName(name) {
		return "", "", "not a setting"
	}
	value := strings.TrimLeft(rest, " \t")
	switch {
	case value == "":
		return name, "", ""
	case value[0] == '#' && len(value) < len(rest):
		return name, "", ""
	case value[0] == '\'' || value[0] == '"':
		text, rest, ok = unquote(value)
		if !ok {
			return "", "", "a quote that is not closed on its line"
		}
		if after := strings.TrimLeft(rest, " \t"); after != "" && (after[0] != '#' || after == rest) {
			return "", "", "text after the closing quote"
		}
		return name, text, ""
	}
	return name, strings.TrimRight(uncomment(value), " \t"), ""
}

// uncomment cuts a comment off an unquoted value.
func uncomment(value string) string {
	for i := 1; i < len(value); i++ {
		if value[i] == '#' && (value[i-1] == ' ' || value[i-1] == '\t') {
			return value[:i]
		}
	}
	return value
}

// unquote reads the quoted text that s begins with.
func unquote(s string) (text, rest string, ok bool) {
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return b.String(), s[i+1:], true
		case quote == '"' && s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0:
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// variableName reports whether s is a POSIX name.
func variableName(s string) bool {
	return s != "" && only(s, letters+"0123456789_") && !digits(s[:1])
}
