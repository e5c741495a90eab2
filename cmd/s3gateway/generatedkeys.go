package main

import (
	"bufio"
	"bytes"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	keysFile     = "gateway-keys.env"
	keyIDName    = "GATEWAY_ACCESS_KEY_ID"
	secretName   = "GATEWAY_SECRET_ACCESS_KEY"
	keyIDPrefix  = "S3GW"
	secretLength = 40
	// secretLetters has no sign that a shell, a URL or a double click treats
	// specially. 40 of 62 letters are 238 bits.
	secretLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

var (
	keyIDForm  = regexp.MustCompile(`^[A-Za-z0-9]{16,128}$`)
	secretForm = regexp.MustCompile(`^[A-Za-z0-9_-]{32,128}$`)
)

// loadOrCreateKeys returns the gateway's own key pair kept in the data folder
// dir, making one at the first call (created is then true). path names the
// file, two lines in the form of an environment file, mode 0600; it appears
// whole or not at all. A file that others may read, that is no plain file, or
// whose content is not understood is refused, with an error that says what to
// do and never carries the secret. The caller runs the store of dir, so there
// are no two callers at once; if there are, both get the same keys.
func loadOrCreateKeys(dir string, random io.Reader) (accessKeyID, secret string, created bool, path string, err error) {
	path = filepath.Join(dir, keysFile)
	accessKeyID, secret, err = readKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return accessKeyID, secret, false, path, err
	}
	accessKeyID, secret, err = newKeys(random)
	if err != nil {
		return "", "", false, path, fmt.Errorf("gateway keys: no random numbers: %w", err)
	}
	text := keyIDName + "=" + accessKeyID + "\n" + secretName + "=" + secret + "\n"
	err = createFile(path, []byte(text))
	if errors.Is(err, fs.ErrExist) {
		accessKeyID, secret, err = readKeys(path)
		return accessKeyID, secret, false, path, err
	}
	if err != nil {
		return "", "", false, path, fmt.Errorf("gateway keys: %w", err)
	}
	return accessKeyID, secret, true, path, nil
}

// createFile makes a new file of mode 0600 with all of content, or fails with
// fs.ErrExist. On a file system without hard links it may replace a file made
// at the same moment.
func createFile(path string, content []byte) error {
	temp, err := writeTemp(path, content)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	switch err := os.Link(temp, path); {
	case err == nil:
		return syncDir(filepath.Dir(path))
	case errors.Is(err, fs.ErrExist):
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	return os.Rename(temp, path)
}

func readKeys(path string) (accessKeyID, secret string, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", "", fmt.Errorf("gateway keys: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", "", fmt.Errorf("gateway keys: %s is not a plain file: remove it, or set %s and %s", path, keyIDName, secretName)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", "", fmt.Errorf("gateway keys: %s may be read or written by others (mode %04o): chmod 600 it, and remove it to get new keys if they may have been seen", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", fmt.Errorf("gateway keys: %w", err)
	}
	return parseKeys(path, text)
}

func parseKeys(path string, text []byte) (accessKeyID, secret string, err error) {
	values := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if name, value, found := strings.Cut(strings.TrimSpace(lines.Text()), "="); found {
			values[name] = value
		}
	}
	accessKeyID, secret = values[keyIDName], values[secretName]
	if !keyIDForm.MatchString(accessKeyID) || !secretForm.MatchString(secret) {
		return "", "", fmt.Errorf("gateway keys: %s does not hold %s and %s: remove it to get new keys", path, keyIDName, secretName)
	}
	return accessKeyID, secret, nil
}

func newKeys(random io.Reader) (accessKeyID, secret string, err error) {
	id := make([]byte, 10) // 16 letters of base32
	if _, err := io.ReadFull(random, id); err != nil {
		return "", "", err
	}
	letters := make([]byte, 0, secretLength)
	var one [1]byte
	for len(letters) < secretLength {
		if _, err := io.ReadFull(random, one[:]); err != nil {
			return "", "", err
		}
		// 248 is the largest multiple of 62 in a byte: no letter is likelier.
		if one[0] < 248 {
			letters = append(letters, secretLetters[one[0]%62])
		}
	}
	return keyIDPrefix + base32.StdEncoding.EncodeToString(id), string(letters), nil
}

// writeTemp writes content, synced, to a new file of mode 0600 beside path.
func writeTemp(path string, content []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// syncDir makes a new name in a folder durable. Not every file system can do
// that, and none needs it for correctness while it is up, so failures don't count.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
