package testbed

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// Signed returns the store at an address of TCP that answers signed requests
// alone, in headers and in links, as every S3 but the one in the process does. It
// ends with the test. A store on TCP is returned as it is.
func (s *Store) Signed(t testing.TB) *Store {
	t.Helper()
	if s.Transport == nil {
		return s
	}
	verifier := &signer.Verifier{Secrets: rootKey{s.AccessKeyID, s.SecretAccessKey}, Regions: []string{s.Region}}
	return s.Front(t, func(pass http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := authenticate(verifier, r); err != nil {
				refuse(w, gateway.AsError(err))
				return
			}
			pass.ServeHTTP(w, r)
		}
	})
}

// authenticate verifies a request and makes headers of the query parameters that
// stand for them.
func authenticate(verifier *signer.Verifier, r *http.Request) error {
	target, err := signer.ParseTarget(r.RequestURI)
	if err != nil {
		return err
	}
	auth, err := verifier.Verify(r, target)
	if err != nil {
		return err
	}
	if auth.Anonymous && r.Method != http.MethodOptions {
		return gateway.Errorf(gateway.AccessDenied, "")
	}
	for name, values := range auth.Promoted {
		r.Header[name] = values
	}
	if auth.PayloadHash == signer.StreamingSigned { // what is behind it checks no signatures of chunks
		body, err := auth.OpenBody(r, signer.BodyOptions{})
		if err != nil {
			return err
		}
		r.Body, r.ContentLength = body, body.Length()
		r.Header.Set("Content-Length", strconv.FormatInt(body.Length(), 10))
		r.Header.Set("X-Amz-Content-Sha256", signer.UnsignedPayload)
		r.Header.Del("X-Amz-Decoded-Content-Length")
		r.Header.Del("Content-Encoding")
	}
	r.URL.RawQuery = signer.BuildQuery(target.Forward())
	return nil
}

func refuse(w http.ResponseWriter, err *gateway.Error) {
	w.WriteHeader(http.StatusForbidden)
	_ = xml.NewEncoder(w).Encode(struct { // a client that left has its answer
		XMLName xml.Name `xml:"Error"`
		Code    gateway.Code
		Message string
	}{Code: err.Code, Message: err.Message})
}

// rootKey is the one key of a store.
type rootKey struct{ id, secret string }

func (k rootKey) Secret(id string) (string, bool) { return k.secret, id == k.id }
