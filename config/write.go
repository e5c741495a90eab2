package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write prints every setting as it is in force, one per line: name, value,
// source; then the entries of the YAML file. Secrets are [redacted]; what is not
// set is "-". The error is w's.
func (c *Config) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		if s.value == nil {
			continue
		}
		text := s.value.show(c)
		if text == "" {
			text = "-"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.name, text, c.Source(s.name))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	lines := showEntries("backend", c.Backends, backendMembers, func(b *Backend) *string { return &b.Where })
	lines = append(lines, showEntries("bucket", c.Buckets, bucketMembers, func(b *Bucket) *string { return &b.Where })...)
	lines = append(lines, showEntries("caller", c.Callers, callerMembers, func(k *Caller) *string { return &k.Where })...)
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// Reference prints a Markdown table of every setting: name, default, meaning.
// The error is w's.
func Reference(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, s := range settings {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.name, s.shownDefault(), s.shownMeaning())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s setting) shownDefault() string {
	switch {
	case s.derived != "":
		return s.derived
	case s.def != "":
		return "`" + s.def + "`"
	}
	return "none"
}

func (s setting) shownMeaning() string {
	switch {
	case s.notYet && s.def != "":
		return s.meaning + "; only the default is available in this version"
	case s.notYet:
		return s.meaning + "; not available in this version: refused"
	}
	return s.meaning
}
