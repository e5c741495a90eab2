package signer

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
)

// The sums of "test data", made with other implementations.
var testDataSums = map[string]string{
	"crc32": "0wiusg==", "crc32c": "M3m0yg==", "crc64nvme": "rsrzr5yYqFU=", "sha1": "9I3YU4IIYIFsddVND1hNyGMyenw=",
	"sha256":    "kW8AJ6V1B0znKjMXd8NHjWUT94alkb2JLaGld78jNfk=",
	"sha512":    "Dh4h7PEF7IU9JNcohnrXBhPCFmOkaTB0sqNhnBvTnWa1iMM3I7tGbHJCToDjymPCSQeKs0e6uUKFAOfuQwWdDQ==",
	"md5":       "63M6AMDJ0zbmVpGjerVCkw==",
	"xxhash64":  "+lb36/ER8bo=",
	"xxhash3":   "jw+pSh/pbMQ=",
	"xxhash128": "8BLDqqIWji+ITOsp/JjN/Q==",
}

func TestEveryChecksumIsThatOfItsName(t *testing.T) {
	for name := range checksums {
		h, ok := NewChecksum(strings.ToUpper(name))
		if !ok {
			t.Fatal(name)
		}
		_, _ = io.WriteString(h, "test data")
		if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != testDataSums[name] {
			t.Errorf("%s = %s, want %s", name, got, testDataSums[name])
		}
	}
}

// A store that does not know an algorithm passes over its header: what every
// store compares goes on, the rest is compared here before the last byte leaves.
func TestDeclaredChecksumsThatStoresMayNotKnow(t *testing.T) {
	for name, c := range checksums {
		if c.compared {
			continue
		}
		t.Run(name, func(t *testing.T) {
			sum, _ := NewChecksum(name)
			for _, v := range []struct {
				name, value string
				code        gateway.Code
			}{
				{"the right one", testDataSums[name], ""},
				{"another one", base64.StdEncoding.EncodeToString(sum.Sum(nil)), gateway.BadDigest},
				{"too short", "AAAA", gateway.InvalidRequest},
				{"not base64", "*", gateway.InvalidRequest},
			} {
				r := &http.Request{Header: http.Header{}, ContentLength: 9, Body: io.NopCloser(strings.NewReader("test data"))}
				r.Header.Set("X-Amz-Checksum-"+name, v.value)
				a := &Auth{PayloadHash: UnsignedPayload}
				b, err := a.OpenBody(r, BodyOptions{})
				var got []byte
				if err == nil {
					got, err = io.ReadAll(b)
				}
				if gateway.CodeOf(err) != v.code || v.code == "" && string(got) != "test data" || v.code != "" && len(got) == 9 {
					t.Errorf("%s: %q, %v", v.name, got, err)
				}
			}
		})
	}
}
