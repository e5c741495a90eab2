package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
)

// keysCommand is about the keys of the callers of the YAML file.
type keysCommand struct {
	New     keysNewCommand     `cmd:"" help:"Make an access key pair and an API key, ready to paste into a caller; with --caller they are written into the file."`
	List    keysListCommand    `cmd:"" help:"Show the keys of the callers of the file, without secrets."`
	Disable keysDisableCommand `cmd:"" help:"Disable a key in the file: a running gateway refuses it as soon as it has read the file again."`
}

type keysNewCommand struct {
	File   string `help:"YAML file to write to (default: that of the settings)." type:"path" placeholder:"FILE"`
	Caller string `help:"Caller of the file who gets the key; without it nothing is stored." placeholder:"NAME"`
	Kind   string `help:"What to make: ${enum}." enum:"access-key,api-key,both" default:"both"`
}

type keysListCommand struct {
	File string `help:"YAML file (default: that of the settings)." type:"path" placeholder:"FILE"`
}

type keysDisableCommand struct {
	File string `help:"YAML file (default: that of the settings)." type:"path" placeholder:"FILE"`
	Key  string `arg:"" help:"Access key ID, or the name of an API key, as keys list shows them."`
}

// Help says how keys are rotated.
func (keysCommand) Help() string {
	return `To rotate a key: "keys new --caller NAME", give the client the new key, and when it uses that, "keys disable KEY". Comments and layout of the file stay. Exit codes: 0 done; 1 no such caller or key, or the file cannot be written; 2 the file is not a valid configuration, or would not be one.`
}

// Run prints fresh keys. The API key goes into the file as its hash, so that the
// file does not hold it; an access key cannot, because a signature is checked
// with the secret itself.
func (c keysNewCommand) Run(cli *commands, p process) error {
	if c.Caller != "" {
		return c.write(cli, p, rand.Reader)
	}
	if c.File != "" {
		return settingsError("--file: say with --caller who gets the key")
	}
	return printKeys(p.stdout, c.Kind, rand.Reader)
}

func printKeys(w io.Writer, kind string, random io.Reader) error {
	if kind != "api-key" {
		id, secret, err := newAccessKey(random)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "# S3 door: give the client both; access_keys of the caller:\naccess_keys:\n  - id: %s\n    secret: %s\n", id, secret)
		if err != nil {
			return err
		}
	}
	if kind != "access-key" {
		key, err := randomText(random, 30)
		if err != nil {
			return err
		}
		key = "sgw_" + key
		sum := sha256.Sum256([]byte(key))
		_, err = fmt.Fprintf(w, "# REST door: give the client this key, which is not shown again: %s\napi_keys:\n  - sha256: %s\n", key, hex.EncodeToString(sum[:]))
		return err
	}
	return nil
}

// newAccessKey makes a pair of the length that S3 clients know: 20 characters
// and 40.
func newAccessKey(random io.Reader) (id, secret string, err error) {
	raw := make([]byte, 10)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	secret, err = randomText(random, 30)
	return "SGWK" + base32.StdEncoding.EncodeToString(raw), secret, err
}

// randomText gives n random bytes in characters that need no quoting anywhere.
func randomText(random io.Reader, n int) (string, error) {
	raw := make([]byte, n)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}
