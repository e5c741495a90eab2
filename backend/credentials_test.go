package backend

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// quiet keeps the machine's own AWS settings out of a test.
func quiet(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
}

func TestStaticKeysComeFirst(t *testing.T) {
	quiet(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "FROMENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
	p, err := NewCredentials(t.Context(), CredentialSource{AccessKeyID: "STATIC", SecretAccessKey: "s", SessionToken: "t", SecretID: "unused"})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != "STATIC" || c.SessionToken != "t" {
		t.Errorf("%v %v", c.AccessKeyID, err)
	}
}

func TestTheDefaultChainReadsTheEnvironment(t *testing.T) {
	quiet(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "FROMENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
	p, err := NewCredentials(t.Context(), CredentialSource{Region: testRegion})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != "FROMENV" {
		t.Errorf("%v %v", c.AccessKeyID, err)
	}
}

// manager is a Secrets Manager that holds one secret.
type manager struct {
	mu    sync.Mutex
	text  string
	fails bool
	asked int
	id    string
}

func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	raw, _ := io.ReadAll(r.Body)
	var request struct{ SecretId string }
	_ = json.Unmarshal(raw, &request)
	m.id = request.SecretId
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if m.fails || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"AccessDeniedException","Message":"no"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"Name": "x", "SecretString": m.text})
}

func (m *manager) change(text string, fails bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text, m.fails = text, fails
}

func (m *manager) questions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

// secretOf gives the provider of a secret at a fake Secrets Manager. back says
// how far its clock is behind: what it says lives long has then already ended.
func secretOf(t *testing.T, m *manager, back *time.Duration) aws.CredentialsProvider {
	t.Helper()
	quiet(t)
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "READER")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "reader-secret")
	p, err := NewCredentials(t.Context(), CredentialSource{SecretID: "prod/s3", Region: testRegion, Now: func() time.Time { return time.Now().Add(-*back) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return p
}

func TestKeysFromASecret(t *testing.T) {
	var back time.Duration
	m := &manager{text: `{"access_key_id":"FIRST","secret_access_key":"s"}`}
	p := secretOf(t, m, &back)
	for range 3 {
		if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != "FIRST" || m.id != "prod/s3" {
			t.Fatalf("%v %v, asked for %q", c.AccessKeyID, err, m.id)
		}
	}
	if m.questions() != 1 {
		t.Errorf("the secret was read %d times", m.questions())
	}
}

// A rotated secret is read before the old keys end, and keys outlive an outage
// of Secrets Manager.
func TestASecretIsReadAgainBeforeItsEnd(t *testing.T) {
	back := secretLife + time.Second // now, the life of what is read is over
	m := &manager{text: `{"AccessKeyId":"FIRST","SecretAccessKey":"s","SessionToken":"t"}`}
	p := secretOf(t, m, &back)
	if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != "FIRST" || c.SessionToken != "t" {
		t.Fatalf("%v %v", c.AccessKeyID, err)
	}
	m.change(`{"AccessKeyId":"SECOND","SecretAccessKey":"s"}`, false)
	if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != "SECOND" {
		t.Errorf("after the rotation: %v %v", c.AccessKeyID, err)
	}
	m.change("", true)
	back = 0
	if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != "SECOND" {
		t.Errorf("in an outage: %v %v", c.AccessKeyID, err)
	}
	before := m.questions()
	if _, err := p.Retrieve(t.Context()); err != nil || m.questions() != before {
		t.Errorf("Secrets Manager is asked for each request of an outage: %v", err)
	}
}

// Keys that say when they end are not used beyond, outage or not.
func TestKeysWithAnEndOfTheirOwnEnd(t *testing.T) {
	var back time.Duration
	end := time.Now().Add(time.Minute).UTC() // within refreshBefore: read again at each request
	m := &manager{text: `{"AccessKeyId":"SHORT","SecretAccessKey":"s","Expiration":"` + end.Format(time.RFC3339) + `"}`}
	p := secretOf(t, m, &back)
	for range 2 {
		if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != "SHORT" {
			t.Fatalf("%v %v", c.AccessKeyID, err)
		}
	}
	if m.questions() != 2 {
		t.Errorf("read %d times, want a read at each request so near the end", m.questions())
	}
	m.change("", true)
	back = -time.Hour // it is an hour later
	if c, err := p.Retrieve(t.Context()); err == nil {
		t.Errorf("keys that have ended were used: %s", c.AccessKeyID)
	}
}

func TestASecretThatIsNoneIsNotQuoted(t *testing.T) {
	for _, text := range []string{
		"", "hunter2", `"hunter2"`, `["hunter2"]`, `{"password":"hunter2"}`, `{"access_key_id":"hunter2"}`, `{"access_key_id":"a","secret_access_key":{"x":"hunter2"}}`,
		`{"access_key_id":"a","secret_access_key":"hunter2","expiration":"hunter2"}`, `{"access_key_id":"a","secret_access_key":"hunter2"`,
	} {
		c, err := parseSecret(text)
		if !errors.Is(err, errSecretForm) || strings.Contains(err.Error(), "hunter2") || c.HasKeys() {
			t.Errorf("%s: %v", text, err)
		}
	}
	var back time.Duration
	_, err := secretOf(t, &manager{text: `{"password":"hunter2"}`}, &back).Retrieve(t.Context())
	if !errors.Is(err, errSecretForm) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestSecretsOfAllSpellings(t *testing.T) {
	for _, text := range []string{
		`{"S3_ACCESS_KEY_ID":"A","S3_SECRET_ACCESS_KEY":"B"}`, `{"AWS_ACCESS_KEY_ID":"A","AWS_SECRET_ACCESS_KEY":"B"}`,
		`{"aws_access_key_id":"A","aws_secret_access_key":"B"}`, `{"accessKeyId":"A","secretAccessKey":"B","other":3}`,
	} {
		if c, err := parseSecret(text); err != nil || c.AccessKeyID != "A" || c.SecretAccessKey != "B" || !c.Expires.IsZero() {
			t.Errorf("%s: %v", text, err)
		}
	}
}
