package proxy

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files and generated pages anew")

// The compatibility page is made from the operation table, so that it cannot
// go stale.
func TestCompatibilityPageIsMadeFromTheTable(t *testing.T) {
	const path = "../docs/s3-compatibility.md"
	want := compatibilityPage()
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, want) {
		return
	}
	if !*update {
		t.Fatal("docs/s3-compatibility.md is not what the operation table says: go test ./proxy -run Compatibility -update")
	}
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

func compatibilityPage() []byte {
	var b bytes.Buffer
	b.WriteString("# S3 operations\n\nMade from the operation table (`proxy/operations.go`) by `go test ./proxy -run Compatibility -update`.\n\n" +
		"**Served** operations are understood here: their bodies, sources or answers are read, judged or written anew. " +
		"**Forwarded** ones are authorised and signed anew, and the backend answers; what it does not know, it refuses, and its refusal passes. " +
		"Every other request is refused with NotImplemented.\n\n" +
		"Action is what a caller must be granted; `manage` is also needed for canned ACLs other than private and bucket-owner-full-control, grants, object lock and website redirects.\n\n" +
		"| operation | request | action | here |\n|---|---|---|---|\n")
	rows := operations()
	slices.SortFunc(rows, func(a, b Operation) int {
		if a.Level != b.Level {
			return int(a.Level - b.Level)
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, op := range rows {
		how := "forwarded"
		if op.handle != nil || op.Body != NoBody || op.Cached {
			how = "served"
		}
		action := string(op.Action)
		if op.VersionAction != "" {
			action += ", by version " + string(op.VersionAction)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", op.Name, requestLine(op), action, how)
	}
	fmt.Fprintf(&b, "\n%d operations.\n", len(rows))
	return b.Bytes()
}

func requestLine(op Operation) string {
	path := map[Level]string{ServiceLevel: "/", BucketLevel: "/{bucket}", ObjectLevel: "/{bucket}/{key}"}[op.Level]
	line := op.Method + " " + path
	if len(op.Tells) > 0 {
		line += "?" + strings.Join(op.Tells, "&")
	}
	if op.TellingHeader != "" {
		line += " with " + op.TellingHeader
	}
	return line
}
