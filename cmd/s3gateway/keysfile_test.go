package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/codeguardians/s3gateway/config"
)

// A key is added, shown and disabled in files as people write them; the rest of
// the file stays byte for byte.
func TestKeysInTheFile(t *testing.T) {
	const secret = "a-secret-of-thirty-characters-"
	for name, src := range map[string]string{
		"blocks":             "# ours\ncallers:\n  # the web\n  - name: web # front\n    access_keys:\n      - id: OLDKEY # of 2026\n        secret: " + secret + "\n    api_keys:\n      - key: an-old-api-key-of-web\n  - name: b\n",
		"items in braces":    "callers:\n- name: web\n  access_keys:\n  - {id: OLDKEY, secret: " + secret + "}\n  api_keys:\n  - {key: an-old-api-key-of-web}\n",
		"all in braces":      "callers: [{name: web, access_keys: [{id: OLDKEY, secret: " + secret + "}], api_keys: [{key: an-old-api-key-of-web}]}]\n",
		"no API keys":        "callers:\n  - name: web\n    access_keys:\n      - id: OLDKEY\n        secret: " + secret + "\n    # grants\n    grants:\n      - {bucket: \"*\", actions: [read]}\n",
		"Windows":            "\ufeff# ours\r\n\r\ncallers:\r\n  # the web\r\n  - name: web # front\r\n    # two lines\r\n    # of it\r\n    access_keys:\r\n      - id: OLDKEY # of 2026\r\n        secret: " + secret + "\r\n    api_keys:\r\n      - key: an-old-api-key-of-web\r\n",
		"names with accents": "# é\ncallers: [ {  name: web, limits: [{prefix: \"é/\", max_file_size: 1}], access_keys: [ { id: OLDKEY, secret: " + secret + " } ] } ]\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.yaml")
			write(t, path, src)
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
			code, made := command(t, "keys", "new", "--file", path, "--caller", "web")
			if code != exitOK {
				t.Fatal(code, made)
			}
			cfg, _, err := config.Load(config.Options{Dir: t.TempDir(), ConfigFile: path})
			if err != nil {
				t.Fatal(err)
			}
			callers, err := newCallers(cfg, keys{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, after, _ := strings.Cut(made, "not shown again: ")
			key, _, _ := strings.Cut(after, " ")
			if who, ok := callers.ByAPIKey(key); !ok || who.Name != "web" || len(cfg.Callers[0].AccessKeys) != 2 {
				t.Errorf("the keys are not known: %s", made)
			}
			if code, out := command(t, "keys", "disable", "--file", path, "OLDKEY"); code != exitOK {
				t.Fatal(code, out)
			}
			if code, out := command(t, "keys", "disable", "--file", path, "OLDKEY"); code != exitFailed || !strings.Contains(out, "already") {
				t.Error(code, out)
			}
			code, list := command(t, "keys", "list", "--file", path)
			if code != exitOK || !strings.Contains(list, "OLDKEY") || !strings.Contains(list, "disabled") || strings.Contains(list, secret) || strings.Contains(list, "an-old-api") {
				t.Errorf("%d %s", code, list)
			}
			now, _ := os.ReadFile(path)
			rest := string(now)
			for _, line := range strings.SplitAfter(src, "\n") {
				for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \r\n[]{},", r) }) {
					at := strings.Index(rest, word)
					if at < 0 {
						t.Fatalf("%q is gone:\n%s", word, now)
					}
					rest = rest[at+len(word):]
				}
			}
			if strings.Contains(src, "\r") && strings.Count(string(now), "\r\n") != strings.Count(string(now), "\n") {
				t.Errorf("line ends differ: %q", now)
			}
			if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
				t.Errorf("mode %v", info.Mode())
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".c.yaml*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestKeysThatCannotBeEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	const src = "callers:\n  - name: web\n    api_keys:\n    access_keys:\n      - {id: KEYID, secret: a-secret-of-thirty-characters-, disabled: false}\n"
	for _, tt := range []struct {
		args, says string
		code       int
	}{
		{"disable NOKEY", "no caller of the file has a key", exitFailed},
		{"disable KEYID", "left as it is", exitSettings},
		{"new --caller nobody", "no caller nobody", exitFailed},
		{"new --caller web --kind api-key", "left as it is", exitSettings},
		{"new", "--caller", exitSettings},
	} {
		write(t, path, src)
		code, out := command(t, append(append([]string{"keys"}, strings.Fields(tt.args)...), "--file", path)...)
		if now, _ := os.ReadFile(path); code != tt.code || !strings.Contains(out, tt.says) || string(now) != src || strings.Contains(out, "thirty") {
			t.Errorf("%s: %d %s\n%s", tt.args, code, out, now)
		}
	}
	if code, out := command(t, "keys", "list"); code != exitSettings || !strings.Contains(out, "CONFIG_FILE") {
		t.Error(code, out)
	}
	if code, out := command(t, "keys", "--help"); code != exitOK || !strings.Contains(out, "rotate") {
		t.Error(code, out)
	}
}

// Each of many edits at once is in the file in the end.
func TestKeysThatAreEditedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	write(t, path, "callers:\n  - name: web\n    access_keys:\n      - {id: STOLENKEY, secret: a-secret-of-thirty-characters-}\n")
	const most = 8
	var edits sync.WaitGroup
	for i := range most {
		edits.Go(func() {
			args := []string{"keys", "new", "--kind", "access-key", "--caller", "web", "--file", path}
			if i == most/2 {
				args = []string{"keys", "disable", "STOLENKEY", "--file", path}
			}
			if code, out := commandHere(args...); code != exitOK {
				t.Errorf("%d %s", code, out)
			}
		})
	}
	edits.Wait()
	_, list := command(t, "keys", "list", "--file", path)
	if strings.Count(list, "SGWK") != most-1 || strings.Count(list, "disabled") != 1 {
		t.Errorf("%s", list)
	}
}

// A file that root edits stays the gateway's own.
func TestAnEditedFileKeepsItsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	path := filepath.Join(t.TempDir(), "c.yaml")
	write(t, path, "callers:\n  - name: web\n")
	if err := os.Chown(path, 12345, 54321); err != nil {
		t.Fatal(err)
	}
	if code, out := command(t, "keys", "new", "--caller", "web", "--file", path); code != exitOK {
		t.Fatal(code, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if owner := fmt.Sprintf("%+v", info.Sys()); !strings.Contains(owner, "Uid:12345 Gid:54321") || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %s", info.Mode(), owner)
	}
}

// A key goes to nobody but the caller that it was made for.
func TestOnlyAdded(t *testing.T) {
	a, b := storedKey{caller: "a", id: "1"}, storedKey{caller: "b", id: "2"}
	for name, tt := range map[string]struct {
		after []storedKey
		ok    bool
	}{
		"one more":          {[]storedKey{{caller: "a", id: "3"}, a, b}, true},
		"of another caller": {[]storedKey{{caller: "b", id: "3"}, a, b}, false},
		"in its place":      {[]storedKey{{caller: "a", id: "3"}, b}, false},
		"one changed":       {[]storedKey{{caller: "a", id: "3"}, a, {caller: "b", id: "2", disabled: true}}, false},
		"none":              {[]storedKey{a, b}, false},
		"two":               {[]storedKey{{caller: "a", id: "3"}, {caller: "a", id: "4"}, a, b}, false},
	} {
		if err := onlyAdded([]storedKey{a, b}, tt.after, "a", 1); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
