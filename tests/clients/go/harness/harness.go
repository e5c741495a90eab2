// Package harness is what the Go clients share: the environment, the odd keys,
// and cases that print one line each: verdict, name and reason.
package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
)

// MiB is 2^20 bytes.
const MiB = 1 << 20

// Env says where the store is. Store is what finally keeps the bytes.
type Env struct{ Endpoint, AccessKey, SecretKey, Region, Store string }

// FromEnvironment reads what the runner set.
func FromEnvironment() Env {
	return Env{os.Getenv("S3_ENDPOINT"), os.Getenv("S3_ACCESS_KEY"), os.Getenv("S3_SECRET_KEY"), os.Getenv("S3_REGION"), os.Getenv("S3_STORE")}
}

// Key is an entry of keys.json. Refused gives, by store, the codes with which
// a key is refused that the store cannot hold.
type Key struct {
	Name, Key string
	Refused   map[string][]string
}

// Keys reads keys.json from the path in S3_KEYS.
func Keys() []Key {
	var keys []Key
	raw, err := os.ReadFile(os.Getenv("S3_KEYS"))
	if err == nil {
		err = json.Unmarshal(raw, &keys)
	}
	Must(err)
	return keys
}

// Suite runs cases in the order they are added.
type Suite struct{ cases []namedCase }

type namedCase struct {
	name string
	run  func() error
}

// Case adds a case that is named by a sentence.
func (s *Suite) Case(name string, run func() error) { s.cases = append(s.cases, namedCase{name, run}) }

// Run runs the cases and prints their verdicts.
func (s *Suite) Run() {
	for _, c := range s.cases {
		if !strings.Contains(c.name, os.Getenv("CASE")) {
			continue
		}
		verdict, reason := "ok", ""
		if err := c.run(); err != nil {
			verdict, reason = "fail", strings.Join(strings.Fields(err.Error()), " ")
		}
		fmt.Printf("%s\t%s\t%.700s\n", verdict, c.name, reason)
	}
}

// Must ends a client that cannot begin.
func Must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Body gives size bytes that differ at every offset of any period.
func Body(size int, seed uint64) []byte {
	var key [32]byte
	key[0] = byte(seed)
	out := make([]byte, size)
	rand.NewChaCha8(key).Read(out) // never fails
	return out
}

// Bucket gives a name of its own.
func Bucket(client string) string { return fmt.Sprintf("%s-%012x", client, rand.Uint64()>>16) }

// Same is an error unless got equals want.
func Same(what string, got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	if b, ok := want.([]byte); ok {
		have, _ := got.([]byte)
		return fmt.Errorf("%s: %d bytes %.40q, want %d bytes %.40q", what, len(have), have, len(b), b)
	}
	return fmt.Errorf("%s: %#v, want %#v", what, got, want)
}

// Refused is an error unless err has the status and one of the codes. read
// takes both out of the client's own error type.
func Refused(err error, read func(error) (int, string), status int, codes ...string) error {
	if err == nil {
		return fmt.Errorf("was taken, want %d %v", status, codes)
	}
	gotStatus, code := read(err)
	if gotStatus != status || len(codes) > 0 && !slices.Contains(codes, code) {
		return fmt.Errorf("refused with %d %s (%w), want %d %v", gotStatus, code, err, status, codes)
	}
	return nil
}

// Fetch sends a plain request, as a browser with a link does.
func Fetch(method, link, body string, header http.Header) (int, []byte, error) {
	req, err := http.NewRequest(method, link, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// CopySource writes a copy source as S3 wants it: each byte escaped but slashes.
func CopySource(bucket, key string) string {
	return bucket + "/" + strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), "%2F", "/")
}
