package backend

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReadSecret(t *testing.T) {
	quiet(t)
	m := &manager{text: "the-secret-of-a-caller"}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "READER")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "reader-secret")
	const id = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gateway/web"
	if got, err := ReadSecret(t.Context(), id); err != nil || got != "the-secret-of-a-caller" || m.id != id {
		t.Errorf("%q %v", got, err)
	}
	m.change("", false)
	if _, err := ReadSecret(t.Context(), id); err == nil {
		t.Error("an empty secret is one")
	}
	m.change("the-secret-of-a-caller", true)
	if _, err := ReadSecret(t.Context(), id); err == nil || !strings.Contains(err.Error(), "AccessDeniedException") || strings.Contains(err.Error(), "gateway/web") {
		t.Errorf("%v", err)
	}
}
