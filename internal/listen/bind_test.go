package listen

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := Bind("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Bind("unix:" + path); err == nil || !strings.Contains(err.Error(), "another process serves this socket") {
		t.Errorf("a socket in use: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close()
	second, err := Bind("unix:" + path)
	if err != nil {
		t.Fatalf("a socket that nobody answers on: %v", err)
	}
	second.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Bind("unix:" + path); err == nil {
		t.Error("bound over a file")
	}
	if kept, _ := os.ReadFile(path); string(kept) != "precious" {
		t.Error("the file is gone")
	}
}
