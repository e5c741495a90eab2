package signer

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	gateway "github.com/codeguardians/s3gateway"
)

// Transport signs requests for the backend: the last step before the wire, after
// everything that could still change them. It is safe for concurrent use; do not
// copy it after use.
//
// The payload hash is the request's X-Amz-Content-Sha256 header; without one it
// is UNSIGNED-PAYLOAD, which needs TLS on AWS. Every header of the request is
// signed except those in unsignedOutbound, so give it an allow-listed set. The
// URL comes from SetTarget, its query from BuildQuery.
type Transport struct {
	// Base sends the signed request; nil means http.DefaultTransport.
	Base http.RoundTripper
	// Credentials is required; wrap it in aws.CredentialsCache unless static.
	Credentials aws.CredentialsProvider
	// Region of the scope; "" means us-east-1.
	Region string
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	once   sync.Once
	signer *v4.Signer
}

// unsignedOutbound are headers that hops after us, and net/http itself, edit or
// add; signing them breaks the request there (GCS rewrites Accept-Encoding).
var unsignedOutbound = []string{
	"Accept-Encoding", "Connection", "Proxy-Connection", "Keep-Alive", "Te", "Upgrade",
	"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
}

// credentialHeaders never travel from the client to the backend.
var credentialHeaders = []string{"Authorization", "X-Amz-Security-Token", "X-Amz-Date", "Date"}

// RoundTrip sends a signed copy of r; r itself is not changed. A query that the
// signer would rewrite is a *gateway.Error InvalidURI, missing credentials are
// ServiceUnavailable.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	signed, err := t.sign(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the RoundTripper contract; nothing was read
		}
		return nil, err
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	return base.RoundTrip(signed)
}

func (t *Transport) sign(r *http.Request) (*http.Request, error) {
	t.once.Do(func() { t.signer = newS3Signer() })
	if err := checkQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	credentials, err := t.Credentials.Retrieve(r.Context())
	if err != nil {
		return nil, gateway.Errorf(gateway.ServiceUnavailable, "The storage credentials are not available; try again later.").Because(err)
	}
	signed := r.WithContext(r.Context())
	signed.Header = r.Header.Clone()
	if signed.Header == nil {
		signed.Header = http.Header{}
	}
	u := *r.URL // the SDK's signer writes the query
	signed.URL = &u
	for _, name := range credentialHeaders {
		signed.Header.Del(name)
	}
	spacesForTabs(signed.Header)
	kept := takeOut(signed.Header, unsignedOutbound)
	hash := signed.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		hash = UnsignedPayload
		signed.Header.Set("X-Amz-Content-Sha256", hash)
	}
	plain := announceChunks(signed)
	if err := t.signer.SignHTTP(r.Context(), credentials, signed, hash, serviceS3, t.region(), t.now()); err != nil {
		return nil, gateway.Errorf(gateway.ServiceUnavailable, "The request to the storage could not be signed.").Because(err)
	}
	for name, values := range kept {
		signed.Header[name] = values
	}
	t.signChunks(signed, plain, credentials)
	return signed, nil
}

// newS3Signer signs paths as S3 does, once encoded and as written, and keeps
// headers where they are.
func newS3Signer() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
		o.DisableHeaderHoisting = true
	})
}

// spacesForTabs puts a space in the place of each tab, which in a header means
// the same (RFC 9110 section 5.6.3). Signers do not agree on it: MinIO's takes
// white space together where the SDK's takes spaces, and would refuse the
// gateway's signature, so that a client could make it look as if the gateway's
// own key was wrong.
func spacesForTabs(h http.Header) {
	for _, values := range h {
		for i, v := range values {
			values[i] = strings.ReplaceAll(v, "\t", " ")
		}
	}
}

func takeOut(h http.Header, names []string) http.Header {
	kept := http.Header{}
	for _, name := range names {
		if values, ok := h[name]; ok {
			kept[name] = values
			delete(h, name)
		}
	}
	return kept
}

// checkQuery refuses what net/url, which the SDK's signer uses, would drop or
// change: a bare ';' loses its pair, a bare '+' becomes a space.
func checkQuery(rawQuery string) error {
	if strings.ContainsAny(rawQuery, ";+") {
		return gateway.Errorf(gateway.InvalidURI, "The query cannot be signed as it is: encode ';' and '+'.")
	}
	if _, err := url.ParseQuery(rawQuery); err != nil {
		return gateway.Errorf(gateway.InvalidURI, "The query cannot be signed as it is.").Because(err)
	}
	return nil
}

func (t *Transport) region() string {
	if t.Region == "" {
		return "us-east-1"
	}
	return t.Region
}

func (t *Transport) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// SetTarget points u at a decoded path and a query from BuildQuery, so that the
// bytes on the wire are EncodePath(path): Go ignores a RawPath that is not an
// encoding of Path, and would then choose its own.
func SetTarget(u *url.URL, path, rawQuery string) {
	u.Path, u.RawPath = path, EncodePath(path)
	u.Opaque, u.RawQuery, u.ForceQuery = "", rawQuery, false
}
