package rig

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// Table counts outcomes by a label of the caller.
type Table struct {
	title string
	began time.Time
	order []string
	rows  map[string]*tableRow
}

type tableRow struct {
	runs, steps int
	bad         map[workload.Class]int
}

// NewTable returns an empty table.
func NewTable(title string) *Table {
	return &Table{title: title, began: time.Now(), rows: map[string]*tableRow{}}
}

// Add counts one run.
func (t *Table) Add(label string, steps int, bad []workload.Violation) {
	r := t.rows[label]
	if r == nil {
		r = &tableRow{bad: map[workload.Class]int{}}
		t.rows[label] = r
		t.order = append(t.order, label)
	}
	r.runs++
	r.steps += steps
	for _, v := range bad {
		r.bad[v.Class]++
	}
}

// Runs returns how many runs were counted, and Bad how many violations.
func (t *Table) Runs() (n int) {
	for _, r := range t.rows {
		n += r.runs
	}
	return n
}

// Bad returns how many violations were counted.
func (t *Table) Bad() (n int) {
	for _, r := range t.rows {
		for _, c := range r.bad {
			n += c
		}
	}
	return n
}

// Write prints the table.
func (t *Table) Write(w io.Writer) {
	fmt.Fprintf(w, "\n%s (%s)\n", t.title, time.Since(t.began).Round(time.Second))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{"", "runs", "acknowledged"}
	for _, c := range workload.Classes {
		head = append(head, string(c))
	}
	fmt.Fprintln(tw, strings.Join(head, "\t"))
	total := tableRow{bad: map[workload.Class]int{}}
	for _, label := range slices.Clone(t.order) {
		r := t.rows[label]
		r.write(tw, label)
		total.runs += r.runs
		total.steps += r.steps
		for c, n := range r.bad {
			total.bad[c] += n
		}
	}
	total.write(tw, "total")
	_ = tw.Flush()
}

func (r *tableRow) write(w io.Writer, label string) {
	cells := []string{label, fmt.Sprint(r.runs), fmt.Sprint(r.steps)}
	for _, c := range workload.Classes {
		cells = append(cells, fmt.Sprint(r.bad[c]))
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}
