package config

import (
	"errors"
	"strings"
	"testing"
)

func TestDotenvLines(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"plain", "A=b", "A=b"},
		{"spaces around", "  A =  b c  ", "A=b c"},
		{"export", "export\tA=b", "A=b"},
		{"a variable called exported", "exported=b", "exported=b"},
		{"empty", "A=", "A="},
		{"a comment after an empty value", "A=  # Optional", "A="},
		{"a comment after a value", "A=b # c", "A=b"},
		{"a # inside a value", "A=b#c", "A=b#c"},
		{"a value that begins with #", "A=#c", "A=#c"},
		{"= in the value", "A=b==", "A=b=="},
		{"nothing is expanded", "A=$HOME${B}`x`", "A=$HOME${B}`x`"},
		{"single quotes keep all", `A=' b # \n"c '  # d`, `A= b # \n"c `},
		{"double quotes unescape what a shell does", `A="b \"c\" \\ \$ \n # d"`, `A=b "c" \ $ \n # d`},
		{"empty quotes", `A=""`, "A="},
		{"a quote inside a value", `A=b"c`, `A=b"c`},
		{"a comment", "#A=b", ""},
		{"no =", "A", "!"},
		{"YAML's colon", "A: b", "!"},
		{"a name with a dash", "A-B=c", "!"},
		{"a name that begins with a digit", "1A=c", "!"},
		{"no name", "=c", "!"},
		{"unclosed quote", `A="b`, "!"},
		{"escaped last quote", `A="b\"`, "!"},
		{"text after the quote", `A="b"c`, "!"},
		{"# straight after the quote", `A="b"#c`, "!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := parseDotenv(".env", tt.line+"\n")
			got := ""
			for _, name := range d.order {
				got = name + "=" + d.values[name].text
			}
			if len(d.problems) > 0 {
				got = "!"
			}
			if got != tt.want {
				t.Errorf("got %q, want %q (%v)", got, tt.want, d.problems)
			}
		})
	}
}

func TestYAMLValues(t *testing.T) {
	src := `# a comment
max_file_size: 10MiB
allowed_file_types: [image/*, "application/pdf"]
s3_expose_buckets:
  - files
  - logs-*
s3_enabled: yes
s3_bucket_name: 0123
s3_access_key_id: 1e5
s3_secret_access_key: |
  minio/123
file_cleanup_days: 07
s3_region:
log_level: ~
`
	c, _, err := Load(Options{Dir: folder(t, map[string]string{"c.yaml": src}), ConfigFile: "c.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxFileSize != 10<<20 || strings.Join(c.AllowedFileTypes, " ") != "image/* application/pdf" || strings.Join(c.ExposeBuckets, " ") != "files logs-*" {
		t.Errorf("%v %v %v", c.MaxFileSize, c.AllowedFileTypes, c.ExposeBuckets)
	}
	if c.BucketName != "0123" || c.AccessKeyID != "1e5" || c.SecretAccessKey.Reveal() != "minio/123" || c.FileCleanupDays != 7 || c.S3Enabled != EnabledTrue || c.Region != "" || c.LogLevel != "info" {
		t.Errorf("texts that look like numbers changed: %q %q %d", c.BucketName, c.AccessKeyID, c.FileCleanupDays)
	}
}

func TestYAMLRefusals(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"unknown", "log_level: info\n\n  # c\nmax_filesize: 1\n", "c.yaml:4:1: max_filesize: unknown; did you mean max_file_size?"},
		{"upper case", "MAX_FILE_SIZE: 1\n", "c.yaml:1:1: MAX_FILE_SIZE: unknown; did you mean max_file_size?"},
		{"nothing near", "frobnicate: 1\n", "c.yaml:1:1: frobnicate: unknown; see"},
		{"a section in the wrong place", "limits: []\n", "c.yaml:1:1: limits: not a section of its own; it stands in an entry of buckets or callers"},
		{"itself", "config_file: d.yaml\n", "c.yaml:1:1: config_file: names the file"},
		{"twice", "log_level: info\nlog_level: debug\n", "c.yaml:2:1: not YAML; "},
		{"a list for one value", "max_file_size: [1, 2]\n", "c.yaml:1:16: max_file_size: not a plain value; write a single value"},
		{"a mapping", "allowed_file_types: {a: b}\n", "not a plain value; write a single value or a list"},
		{"a list in a list", "allowed_file_types: [[a]]\n", "not a plain value"},
		{"an anchor", "log_level: &a info\n", "not a plain value"},
		{"a tag", "log_level: !!str info\n", "not a plain value"},
		{"a merge key", "<<: {a: b}\n", "c.yaml:1:1: not the name of a setting"},
		{"a number as name", "1: b\n", "c.yaml:1:1: not the name of a setting"},
		{"a list", "- a\n", "not settings; write name: value"},
		{"two documents", "log_level: info\n---\nlog_level: debug\n", "c.yaml:3:"},
		{"tabs", "a:\n\t- b\n", "not YAML"},
		{"Windows", "\ufeff# c\r\n\r\n# d\r\n# e\r\nlog_level: info\r\n# f\r\nmax_filesize: 1\r\n", "c.yaml:7:1: max_filesize: unknown; did you mean max_file_size?"},
		{"a bad value has its place", "log_level: info\nmax_file_size: 10M\n", `MAX_FILE_SIZE="10M": not a size; `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Load(Options{Dir: folder(t, map[string]string{"c.yaml": tt.src}), ConfigFile: "c.yaml"})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestEmptyYAMLIsFine(t *testing.T) {
	for _, src := range []string{"", "\n", "# only a comment\n", "---\n", "~\n"} {
		if y := parseYAML("c.yaml", src, outside{}); len(y.values)+len(y.problems) > 0 {
			t.Errorf("%q: %v %v", src, y.values, y.problems)
		}
	}
}

// A stack that grows without end cannot be recovered from.
func TestANestedFileIsRefusedBeforeItIsParsed(t *testing.T) {
	for name, src := range map[string]string{
		"lists": strings.Repeat("[", 300_000), "objects": strings.Repeat("{", 300_000), "both, apart": "a: " + strings.Repeat("[{\n ", 300_000),
		"dashes": strings.Repeat("- ", 300_000), "dashes with tabs": strings.Repeat("-\t", 300_000),
	} {
		y := parseYAML("c.yaml", src, outside{})
		if len(y.problems) != 1 || !strings.Contains(y.problems[0].Error(), "too deeply nested") {
			t.Errorf("%s: %.200v", name, y.problems)
		}
	}
	wide := "callers:\n" + strings.Repeat("  - {name: a, grants: [{bucket: b}]} # - - [ ]\n", 3000)
	for _, p := range parseYAML("c.yaml", wide, outside{}).problems {
		if strings.Contains(p.Error(), "nested") {
			t.Fatal(p)
		}
	}
}

func FuzzDotenv(f *testing.F) {
	f.Add(seedBlock)
	f.Add("A='b' # c\nexport B=\"\\\"\"\n=x\nA")
	f.Fuzz(func(t *testing.T, src string) {
		d := parseDotenv(".env", src)
		if len(d.values) != len(d.order) || len(d.order)+len(d.problems)+len(d.warnings) > strings.Count(src, "\n")+1 {
			t.Fatalf("%d values, %d names, %d problems", len(d.values), len(d.order), len(d.problems))
		}
		for name, v := range d.values {
			if !variableName(name) || strings.Contains(v.text, "\n") || !strings.Contains(src, name) {
				t.Fatalf("%q=%q", name, v.text)
			}
			// What was read can be written in single quotes and read back.
			if strings.ContainsAny(v.text, "'") {
				continue
			}
			again := parseDotenv(".env", name+"='"+v.text+"' # c")
			if again.values[name].text != v.text {
				t.Fatalf("%q came back as %q", v.text, again.values[name].text)
			}
		}
	})
}

func FuzzYAML(f *testing.F) {
	f.Add("max_file_size: 10MiB\nallowed_file_types: [a, b]\n")
	f.Add("callers:\n  - name: a\n    access_keys: [{id: AKx, secret_env: X}]\n    grants: [{bucket: '*', actions: [read], from: [10.0.0.0/8]}]\n")
	f.Add("buckets: [{name: abc, prefix: x/, public: read}]\nbackends:\n- {name: b, region: r}\n")
	f.Add("? [a]\n: &x *x\n---\n<<: !!str |\n x")
	f.Fuzz(func(t *testing.T, src string) {
		nothing := func(string) (string, error) { return "", errors.New("nothing") }
		y := parseYAML("c.yaml", src, outside{file: nothing, env: nothing, aws: nothing})
		for name := range y.values {
			if _, known := find(name); !known {
				t.Fatalf("took %q", name)
			}
		}
		for _, p := range y.problems {
			if !strings.HasPrefix(p.Name, "c.yaml") {
				t.Fatalf("no place: %v", p)
			}
		}
	})
}

func TestProblemsUnwrap(t *testing.T) {
	var one Problem
	if err := error(Problems{{Name: "A", Wrong: "b"}}); !errors.As(err, &one) || one.Name != "A" {
		t.Error("a Problem cannot be found in Problems")
	}
}
