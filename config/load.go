package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Options says where settings are read. The zero value reads .env in the
// process's working folder and nothing else.
type Options struct {
	// Environ is the environment as os.Environ gives it. Nil: empty.
	Environ []string
	// DotEnv is the path of the .env file. Empty: .env, which may be absent; a
	// file that is named must be there.
	DotEnv string
	// ConfigFile is the YAML file of the command line; it goes before
	// CONFIG_FILE. A file that is named must be there.
	ConfigFile string
	// Dir is what relative paths are relative to. Empty: the working folder.
	Dir string
	// ReadSecret gives the text of an AWS Secrets Manager secret, for the
	// secrets of entries. Its errors show no secret. Nil: none is read.
	ReadSecret func(id string) (string, error)
}

// mostBytes is the largest configuration file that is read.
const mostBytes = 1 << 20

// Load reads, checks and resolves every setting. The error is Problems: all of
// them at once, one per line; the Config is nil then. Warnings come in either
// case. An empty variable counts as not given, so the next source counts.
func Load(o Options) (*Config, []Warning, error) {
	l := loader{
		readAWS: o.ReadSecret,
		cfg:     &Config{sources: map[string]string{}},
		values:  map[string]given{},
		bad:     map[string]bool{},
		others:  map[string]string{},
		taken:   map[string]bool{},
	}
	var err error
	if l.dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, nil, fmt.Errorf("find the working folder: %w", err)
	}
	l.environment(o.Environ)
	l.dotenv(o.DotEnv)
	l.yaml(o.ConfigFile)
	for _, s := range settings {
		l.apply(s)
	}
	l.resolve()
	l.check()
	l.checkSections()
	// A variable that an entry names is no misspelt setting.
	l.warnings = slices.DeleteFunc(l.warnings, func(w Warning) bool { return l.taken[w.Name] })
	if len(l.problems) > 0 {
		return nil, l.warnings, l.problems
	}
	return l.cfg, l.warnings, nil
}

// loader gathers values from the sources, the first one given first.
type loader struct {
	dir      string
	cfg      *Config
	values   map[string]given
	bad      map[string]bool // names with a problem: no check builds on them
	problems Problems
	warnings []Warning
	readAWS  func(id string) (string, error)
	// others are the variables that are no settings, for entries that name
	// them; taken are those that one does.
	others map[string]string
	taken  map[string]bool
}

// offer takes a value if no earlier source gave one.
func (l *loader) offer(name string, v given) {
	v.text = strings.TrimSpace(v.text) // secrets mounted from files end in a newline
	if v.text == "" || l.values[name].text != "" {
		return
	}
	l.values[name] = v
}

func (l *loader) warn(name, where, text string) {
	l.warnings = append(l.warnings, Warning{Name: name, Text: text, Where: where})
}

func (l *loader) environment(environ []string) {
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		_, known := find(name)
		if !known {
			l.others[name] = text
		}
		if known {
			l.offer(name, given{text: text, shown: text})
		} else if variableName(name) && looksOurs(name) {
			l.warnUnknown(name, "")
		}
	}
}

func (l *loader) warnUnknown(name, where string) {
	l.warn(shortName(name), where, "not a setting of s3gateway, ignored; "+suggestion(name, asIs, "see `s3gateway config` for the names"))
}

func (l *loader) dotenv(path string) {
	named := path != ""
	if !named {
		path = ".env"
	}
	src, err := l.readFile(path)
	if err != nil {
		if named || !errors.Is(err, fs.ErrNotExist) {
			l.problems = append(l.problems, fileProblem(path, err))
		}
		return
	}
	d := parseDotenv(path, src)
	l.problems = append(l.problems, d.problems...)
	l.warnings = append(l.warnings, d.warnings...)
	for _, name := range d.order {
		if _, known := find(name); known {
			l.offer(name, d.values[name])
		} else {
			if l.others[name] == "" {
				l.others[name] = d.values[name].text
			}
			l.warnUnknown(name, d.values[name].where)
		}
	}
}

func (l *loader) yaml(flag string) {
	if flag != "" {
		l.values[configFileName] = given{text: flag, shown: flag, where: "flag"}
	}
	path := l.values[configFileName].text
	if path == "" || checkPath(path) != nil {
		return // a bad path is reported when the setting is applied
	}
	src, err := l.readFile(path)
	if err != nil {
		l.bad[configFileName] = true
		l.problems = append(l.problems, fileProblem(path, err))
		return
	}
	y := parseYAML(path, src, outside{file: l.secretFile, env: l.secretVariable, aws: l.secretAWS})
	l.problems = append(l.problems, y.problems...)
	for _, s := range settings {
		l.offer(s.name, y.values[s.name])
	}
	l.cfg.Backends, l.cfg.Buckets, l.cfg.Callers = y.backends, y.buckets, y.callers
	l.cfg.emptyFile = len(y.values)+len(y.backends)+len(y.buckets)+len(y.callers) == 0
}

// secretFile reads a secret that is mounted as a file. The path is not shown:
// somebody may have written the secret there.
func (l *loader) secretFile(path string) (string, error) {
	if err := checkPath(path); err != nil {
		return "", err
	}
	src, err := l.readFile(path)
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		return "", fmt.Errorf("the file cannot be read: %w", err)
	}
	if strings.TrimSpace(src) == "" {
		return "", errors.New("the file is empty")
	}
	return src, nil
}

// secretVariable gives a variable that is no setting.
func (l *loader) secretVariable(name string) (string, error) {
	if !variableName(name) {
		return "", errors.New("not the name of a variable")
	}
	l.taken[name] = true
	if text := l.others[name]; text != "" {
		return text, nil
	}
	return "", errors.New("the variable is not set")
}

// secretAWS gives a secret of AWS Secrets Manager.
func (l *loader) secretAWS(id string) (string, error) {
	if l.readAWS == nil {
		return "", errors.New("secrets are not read from there")
	}
	return l.readAWS(id)
}

// readFile reads a file that settings come from.
func (l *loader) readFile(path string) (string, error) {
	path = l.absolute(path)
	l.cfg.files = append(l.cfg.files, path)
	return readFile(path)
}

// readFile reads a small text file.
func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	src, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(src) > mostBytes:
		return "", errors.New("larger than 1 MiB")
	case !utf8.Valid(src):
		return "", errors.New("not UTF-8 text")
	}
	return string(src), nil
}

// fileProblem shows the reason alone: the path is the name already.
func fileProblem(path string, err error) Problem {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return Problem{Name: quote(path), Wrong: "cannot be read: " + err.Error(), Accepted: "name a file that this user can read"}
}

// apply sets one field, first from the default and then from what was given.
func (l *loader) apply(s setting) {
	v := l.values[s.name]
	if s.ignored != "" {
		if v.text != "" {
			l.warn(s.name, v.where, s.ignored)
		}
		return
	}
	if s.def != "" {
		if err := s.value.set(l.cfg, s.def); err != nil {
			l.refuse(s, err.Error(), s.value.accepted())
		}
	}
	if v.text == "" {
		return
	}
	unset := s.value.show(l.cfg)
	if strings.ContainsFunc(v.text, unicode.IsControl) || !utf8.ValidString(v.text) {
		l.refuse(s, "has control characters or is not UTF-8", s.value.accepted())
		return
	}
	err := s.value.set(l.cfg, v.text)
	switch {
	case s.notYet && (err != nil || s.value.show(l.cfg) != unset):
		l.refuse(s, "not available in this version", "remove it")
	case err != nil:
		l.refuse(s, err.Error(), s.value.accepted())
	default:
		l.cfg.sources[s.name] = source(v)
	}
}

func source(v given) string {
	if v.where == "" {
		return "environment"
	}
	return v.where
}

// refuse adds the problem of one setting.
func (l *loader) refuse(s setting, wrong, accepted string) {
	v := l.values[s.name]
	shown := visible(v.shown)
	if v.text != "" && (s.secret || s.quiet) {
		shown = redacted
	}
	l.bad[s.name] = true
	l.problems = append(l.problems, Problem{Name: s.name, Value: shown, Wrong: wrong, Accepted: accepted, Where: v.where})
}

// absolute makes a path independent of the working folder.
func (l *loader) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.dir, path)
}
