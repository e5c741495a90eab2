package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/config"
)

var update = flag.Bool("update", false, "write the generated parts of README.md and testdata anew")

// Each test that SECURITY.md names is there: make test-adversary runs them by name.
func TestSecurityNamesTestsThatAreThere(t *testing.T) {
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, folder := range []string{".", "../../proxy", "../../policy", "../../quota", "../../signer", "../../internal"} {
		err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, found := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)`).FindAllSubmatch(source, -1) {
				there[string(found[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names := regexp.MustCompile(`\b(?:Test|Fuzz)\w+`).FindAllString(string(text), -1)
	if len(names) < 20 {
		t.Errorf("only %d tests are named", len(names))
	}
	for _, name := range names {
		if !there[name] {
			t.Errorf("%s is not there", name)
		}
	}
}

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
