package main

import (
	"strings"
	"testing"
	"time"
)

// A refused signature names its likely cause in the log at DEBUG, and not to the
// client.
func TestTheLogNamesTheLikelyCauseOfARefusedSignature(t *testing.T) {
	w := newWorld(t, open...)
	for _, c := range []struct {
		name, secret, header string
		at                   time.Duration
		code, want           string
	}{
		{"a wrong secret", "wrong-secret-of-forty-characters-or-so-0", "", 0, "SignatureDoesNotMatch", "wrong secret key"},
		{"a proxy in front", "wrong-secret-of-forty-characters-or-so-0", "Via", 0, "SignatureDoesNotMatch", "set PUBLIC_URL or TRUSTED_PROXIES"},
		{"a clock that is off", testSecret, "", -time.Hour, "RequestTimeTooSkewed", "the client's clock is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRequest(t, "GET", w.url+"/"+w.bucket+"/a.txt", nil)
			sign(t, r, "UNSIGNED-PAYLOAD", c.secret, time.Now().Add(c.at))
			if c.header != "" {
				r.Header.Set(c.header, "1.1 proxy")
			}
			got := do(t, r)
			got.isS3Error(t, 403, c.code)
			if strings.Contains(string(got.body), c.want) {
				t.Errorf("the client is told: %s", got.body)
			}
			eventually(t, "the log says "+c.want, func() bool { return strings.Contains(w.log.String(), c.want) })
		})
	}
	w.unchanged()
}
