package signer

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const vectorsDir = "../../shared/testdata/sigv4"

// vectorContext is context.json of the aws-c-auth suite.
type vectorContext struct {
	Credentials struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
	}
	Region, Service string
	Timestamp       time.Time
	Normalize       bool
}

// readVector reads a request file by hand: the vectors hold bytes in the
// request line, and folded header lines, that net/http refuses.
func readVector(t *testing.T, file string) (*http.Request, Target) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n\n")
	lines := bufio.NewScanner(strings.NewReader(head))
	lines.Scan()
	method, rest, _ := strings.Cut(lines.Text(), " ")
	uri := rest[:strings.LastIndex(rest, " ")]
	r := &http.Request{Method: method, RequestURI: uri, Header: http.Header{}, ContentLength: int64(len(body))}
	last := ""
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			continue
		}
		if line[0] == ' ' { // obs-fold, as net/http reads it
			values := r.Header[last]
			values[len(values)-1] += " " + strings.TrimSpace(line)
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "host") {
			r.Host = strings.TrimSpace(value)
			continue
		}
		last = http.CanonicalHeaderKey(name)
		r.Header.Add(last, strings.TrimSpace(value))
	}
	target, err := ParseTarget(uri)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	r.Header.Set("Test-Payload", hex.EncodeToString(sum[:]))
	return r, target
}

func readText(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n")
}

// cleansPath reports a path that the general SigV4 would normalise and S3 does
// not.
func cleansPath(path string) bool {
	return strings.Contains(path, "//") || strings.Contains(path, "/.")
}

// proofOf parses a signed vector the way Verify does, with the vector's own
// service in the key.
func proofOf(t *testing.T, r *http.Request, target Target, secret string) (*proof, variant) {
	t.Helper()
	c, err := readClaim(r.Header, target)
	if err != nil || c == nil {
		t.Fatalf("claim: %v %v", c, err)
	}
	if c.date == "" {
		if err := c.requestDate(r.Header); err != nil {
			t.Fatal(err)
		}
	}
	return &proof{
		claim: c, scope: c.scope.String(), signature: decodeSignature(c.signature),
		key:       deriveKey(secret, c.scope.date, c.scope.region, c.scope.service),
		canonical: canonical{r: r, query: sortedQuery(target.Query), names: c.names, signedHeaders: c.signedHeaders},
	}, variant{host: r.Host, path: target.signedPath, payload: r.Header.Get("Test-Payload")}
}

func checkVector(t *testing.T, r *http.Request, target Target, secret, canonicalRequest, stringToSign string) {
	t.Helper()
	p, v := proofOf(t, r, target, secret)
	request, ok := p.matches(nil, v)
	if string(request) != canonicalRequest {
		t.Errorf("canonical request\n%s\nwant\n%s", request, canonicalRequest)
	}
	if got := string(appendStringToSign(nil, p.claim.date, p.scope, request)); got != stringToSign {
		t.Errorf("string to sign\n%s\nwant\n%s", got, stringToSign)
	}
	if !ok {
		t.Error("the signature of the vector does not verify")
	}
	v.path += "x"
	if _, ok := p.matches(nil, v); ok {
		t.Error("the signature verifies over another path")
	}
}

func TestVectorsOfTheCommonRuntime(t *testing.T) {
	contexts, _ := filepath.Glob(filepath.Join(vectorsDir, "aws-c-auth-v4", "*", "context.json"))
	if len(contexts) == 0 {
		t.Skipf("the official vectors are absent: %s", vectorsDir)
	}
	ran := 0
	for _, file := range contexts {
		dir := filepath.Dir(file)
		var c vectorContext
		if err := json.Unmarshal([]byte(readText(t, file)), &c); err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{"header", "query"} {
			t.Run(filepath.Base(dir)+"/"+form, func(t *testing.T) {
				r, target := readVector(t, filepath.Join(dir, form+"-signed-request.txt"))
				if c.Normalize && cleansPath(target.RawPath) {
					t.Skip("the vector normalises its path, S3 never does")
				}
				ran++
				if strings.Contains(dir, "session-token") || strings.Contains(dir, "post-sts-header-after") {
					// The token that is added after signing is not in the canonical query.
					target.Query = withoutLateToken(target.Query, readText(t, filepath.Join(dir, form+"-canonical-request.txt")))
				}
				checkVector(t, r, target, c.Credentials.SecretAccessKey,
					readText(t, filepath.Join(dir, form+"-canonical-request.txt")),
					readText(t, filepath.Join(dir, form+"-string-to-sign.txt")))
			})
		}
	}
	if ran < 60 {
		t.Errorf("only %d vectors ran", ran)
	}
}

func withoutLateToken(query []Param, canonical string) []Param {
	if strings.Contains(canonical, querySecurityToken) {
		return query
	}
	var kept []Param
	for _, p := range query {
		if p.Key != querySecurityToken {
			kept = append(kept, p)
		}
	}
	return kept
}

func TestVectorsOfBotocore(t *testing.T) {
	requests, _ := filepath.Glob(filepath.Join(vectorsDir, "botocore-aws4", "*", "*.sreq"))
	if len(requests) == 0 {
		t.Skipf("the official vectors are absent: %s", vectorsDir)
	}
	for _, file := range requests {
		base := strings.TrimSuffix(file, ".sreq")
		t.Run(filepath.Base(base), func(t *testing.T) {
			r, target := readVector(t, file)
			// One .sreq carries another vector's signature; .authz is the value
			// that the suite compares with.
			r.Header.Set("Authorization", readText(t, base+".authz"))
			checkVector(t, r, target, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", readText(t, base+".creq"), readText(t, base+".sts"))
		})
	}
}
