package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/config"
)

var update = flag.Bool("update", false, "write the generated parts of README.md and testdata anew")

// The table of settings in the README is made from the one in the code.
func TestReadmeListsEverySetting(t *testing.T) {
	const path = "../../README.md"
	const begin, end = "<!-- settings: made by `s3gateway config --reference` -->\n", "<!-- end of settings -->"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(readme), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("README.md has lost the marks around its settings")
	}
	var want bytes.Buffer
	if err := config.Reference(&want); err != nil {
		t.Fatal(err)
	}
	if have == want.String() {
		return
	}
	if !*update {
		t.Fatal("README.md's settings are not those of the code: go test ./cmd/s3gateway -run Readme -update")
	}
	if err := os.WriteFile(path, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
