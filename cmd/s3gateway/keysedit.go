package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/policy"
)

// storedKey is a key of the file as it is shown.
type storedKey struct {
	caller, id, kind string
	expires          time.Time
	disabled         bool
	where            string
}

// storedKeys are the keys of a configuration in the order of its file. An API
// key has no name of its own; it goes by the beginning of its hash, which tells
// nothing of a key that was made at random.
func storedKeys(cfg *config.Config) (all []storedKey) {
	for _, c := range cfg.Callers {
		for _, k := range c.AccessKeys {
			all = append(all, storedKey{c.Name, k.ID, "access key", k.Expires, k.Disabled, k.Where})
		}
		for _, k := range c.APIKeys {
			hash := k.SHA256
			if hash == "" {
				sum := sha256.Sum256([]byte(k.Key.Reveal()))
				hash = hex.EncodeToString(sum[:])
			}
			all = append(all, storedKey{c.Name, "sha256:" + hash[:16], "API key", k.Expires, k.Disabled, k.Where})
		}
	}
	return all
}

// stateInUse is that of a key that opens a door.
const stateInUse = "in use"

// state tells whether the key is one at a moment.
func (k storedKey) state(now time.Time) string {
	switch {
	case k.disabled:
		return "disabled"
	case !(policy.Validity{Expires: k.expires}).At(now):
		return "expired"
	}
	return stateInUse
}

// String names the key.
func (k storedKey) String() string { return k.kind + " " + k.id }

// loadFile reads the configuration with its file, which must be there.
func loadFile(cli *commands, p process, file string) (*config.Config, error) {
	own := *cli
	if file != "" {
		own.Config = file
	}
	cfg, _, err := own.load(p)
	if err == nil && cfg.ConfigFile == "" {
		return nil, settingsError("no file: say with --file or CONFIG_FILE which")
	}
	return cfg, err
}

// Run prints one key a line.
func (c keysListCommand) Run(cli *commands, p process) error {
	cfg, err := loadFile(cli, p, c.File)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CALLER\tKEY\tKIND\tEXPIRES\tSTATE")
	for _, k := range storedKeys(cfg) {
		expires, state := "never", k.state(time.Now())
		if !k.expires.IsZero() {
			expires = k.expires.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.caller, k.id, k.kind, expires, state)
	}
	return w.Flush()
}

// Run sets disabled: true in the entry of the key.
func (c keysDisableCommand) Run(cli *commands, p process) error {
	cfg, unlock, err := lockedFile(cli, p, c.File)
	if err != nil {
		return err
	}
	defer unlock()
	keys := storedKeys(cfg)
	i := slices.IndexFunc(keys, func(k storedKey) bool { return k.id == c.Key })
	if i < 0 {
		return fmt.Errorf("no caller of the file has a key of this name; see s3gateway keys list")
	}
	if keys[i].disabled {
		return fmt.Errorf("the key is disabled already (%s)", keys[i].where)
	}
	err = editFile(p, cfg, func(src string) (string, error) {
		at, err := place(src, keys[i].where)
		if err != nil {
			return "", err
		}
		return addMember(src, at, "disabled: true", "disabled: true"), nil
	}, func(changed *config.Config) error {
		want := slices.Clone(keys)
		want[i].disabled = true
		return sameKeys(storedKeys(changed), want)
	})
	if err == nil {
		fmt.Fprintf(p.stdout, "disabled: %s of %s\n", c.Key, keys[i].caller)
	}
	return err
}

// sameKeys compares what was read from a changed file with what was meant.
func sameKeys(got, want []storedKey) error {
	if !slices.EqualFunc(got, want, func(a, b storedKey) bool { a.where, b.where = "", ""; return a == b }) {
		return fmt.Errorf("its form is not one that can be edited here; change it by hand")
	}
	return nil
}

// onlyAdded wants every key that was there as it was, and n more of one caller.
func onlyAdded(before, after []storedKey, caller string, n int) error {
	for _, k := range after {
		i := slices.IndexFunc(before, func(b storedKey) bool { return sameKeys([]storedKey{b}, []storedKey{k}) == nil })
		switch {
		case i >= 0:
			before = slices.Delete(before, i, i+1)
		case k.caller == caller && !k.disabled:
			n--
		default:
			n = -1
		}
	}
	if n != 0 || len(before) > 0 {
		return fmt.Errorf("its form is not one that can be edited here; add the key by hand")
	}
	return nil
}

// write makes keys and puts them into the file.
func (c keysNewCommand) write(cli *commands, p process, random io.Reader) error {
	cfg, unlock, err := lockedFile(cli, p, c.File)
	if err != nil {
		return err
	}
	defer unlock()
	i := slices.IndexFunc(cfg.Callers, func(k config.Caller) bool { return k.Name == c.Caller })
	if i < 0 {
		return fmt.Errorf("the file has no caller %s: add it first, with its grants", c.Caller)
	}
	edits, said, err := c.edits(cfg.Callers[i], random)
	if err != nil {
		return err
	}
	err = editFile(p, cfg, func(src string) (string, error) { return addToFile(src, edits) }, func(changed *config.Config) error {
		return onlyAdded(storedKeys(cfg), storedKeys(changed), c.Caller, len(edits))
	})
	if err == nil {
		_, err = io.WriteString(p.stdout, said)
	}
	return err
}

// keyEdit is a key to be added: in front of the key at first, or as a member of
// the caller at where.
type keyEdit struct{ where, first, member, item string }

// edits makes the keys that are asked for; said is what the operator is told.
func (c keysNewCommand) edits(caller config.Caller, random io.Reader) (edits []keyEdit, said string, err error) {
	if c.Kind != "api-key" {
		id, secret, err := newAccessKey(random)
		if err != nil {
			return nil, "", err
		}
		e := keyEdit{where: caller.Where, member: "access_keys", item: fmt.Sprintf("{id: %s, secret: %s}", id, secret)}
		if len(caller.AccessKeys) > 0 {
			e.first = caller.AccessKeys[0].Where
		}
		edits, said = append(edits, e), fmt.Sprintf("access key ID: %s\nsecret access key: %s\n", id, secret)
	}
	if c.Kind != "access-key" {
		key, err := randomText(random, 30)
		if err != nil {
			return nil, "", err
		}
		key = "sgw_" + key
		sum := sha256.Sum256([]byte(key))
		hash := hex.EncodeToString(sum[:])
		e := keyEdit{where: caller.Where, member: "api_keys", item: fmt.Sprintf("{sha256: %s}", hash)}
		if len(caller.APIKeys) > 0 {
			e.first = caller.APIKeys[0].Where
		}
		edits, said = append(edits, e), said+fmt.Sprintf("API key, not shown again: %s (in the file as sha256:%s)\n", key, hash[:16])
	}
	return edits, said, nil
}

// addToFile adds the later one in the file first, so that the places of the
// others stay right.
func addToFile(src string, edits []keyEdit) (string, error) {
	offsets := map[string]int{}
	for _, e := range edits {
		at, err := place(src, cmp.Or(e.first, e.where))
		if err != nil {
			return "", err
		}
		offsets[e.member] = at
	}
	slices.SortStableFunc(edits, func(a, b keyEdit) int { return offsets[b.member] - offsets[a.member] })
	for _, e := range edits {
		at := offsets[e.member]
		if e.first == "" {
			src = addMember(src, at, e.member+":\n  - "+e.item, e.member+": ["+e.item+"]")
			continue
		}
		var ok bool
		if src, ok = addItem(src, at, e.item); !ok {
			return "", settingsError("the list at %s cannot be edited here; add the key by hand", e.first)
		}
	}
	return src, nil
}
