package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestKeysAreMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	id, secret, created, path, err := loadOrCreateKeys(dir, rand.Reader)
	if err != nil || !created {
		t.Fatalf("first call: created %v, %v", created, err)
	}
	if !regexp.MustCompile(`^S3GW[A-Z2-7]{16}$`).MatchString(id) || !regexp.MustCompile(`^[A-Za-z0-9]{40}$`).MatchString(secret) {
		t.Errorf("keys of an odd form: %q, secret of %d letters", id, len(secret))
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%s: %v, %v", path, info.Mode(), err)
	}
	again, secretAgain, created, _, err := loadOrCreateKeys(dir, rand.Reader)
	if err != nil || created || again != id || secretAgain != secret {
		t.Errorf("second call: created %v, same %v, %v", created, again == id && secretAgain == secret, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}

func TestKeysFileThatIsNotSafeIsRefused(t *testing.T) {
	const good = "GATEWAY_ACCESS_KEY_ID=S3GWAAAAAAAAAAAAAAAA\nGATEWAY_SECRET_ACCESS_KEY=sssssssssssssssssssssssssssssssssssssssa\n"
	tests := []struct {
		name string
		make func(path string) error
		want string
	}{
		{"others may read it", func(p string) error { return errors.Join(os.WriteFile(p, []byte(good), 0o600), os.Chmod(p, 0o640)) }, "chmod 600"},
		{"others may write it", func(p string) error { return errors.Join(os.WriteFile(p, []byte(good), 0o600), os.Chmod(p, 0o602)) }, "chmod 600"},
		{"a link", func(p string) error {
			other := filepath.Join(filepath.Dir(p), "other")
			return errors.Join(os.WriteFile(other, []byte(good), 0o600), os.Symlink(other, p))
		}, "not a plain file"},
		{"a folder", func(p string) error { return os.Mkdir(p, 0o700) }, "not a plain file"},
		{"empty", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "remove it to get new keys"},
		{"cut off", func(p string) error { return os.WriteFile(p, []byte(good[:70]), 0o600) }, "remove it to get new keys"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tt.make(filepath.Join(dir, keysFile)); err != nil {
				t.Fatal(err)
			}
			_, secret, created, path, err := loadOrCreateKeys(dir, rand.Reader)
			if err == nil || created || secret != "" {
				t.Fatalf("created %v, %v", created, err)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "sssss") {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestKeysWithoutRandomNumbersLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	if _, _, created, _, err := loadOrCreateKeys(dir, bytes.NewReader(make([]byte, 20))); err == nil || created {
		t.Errorf("created %v, %v", created, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("the folder holds %v", files)
	}
}

func TestKeysOfASecondWriterWin(t *testing.T) {
	path := filepath.Join(t.TempDir(), keysFile)
	if err := createFile(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := createFile(path, []byte("second")); !errors.Is(err, os.ErrExist) {
		t.Errorf("second: %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "first" {
		t.Errorf("the file holds %q", text)
	}
}
