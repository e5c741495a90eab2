package backend

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// UnsignedPayload is the payload hash of a body that is not hashed in advance.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

// expectContinueFrom is the body length from which the backend is asked before
// the body is sent: below it, the round trip costs more than a wasted body.
const expectContinueFrom = 1 << 20

// Client speaks to one backend. It is safe for concurrent use.
type Client struct {
	Endpoint
	transport *http.Transport
	signed    http.RoundTripper
	s3        *s3.Client
}

// New makes a client; nothing is dialled before the first request.
func New(e Endpoint, log zerolog.Logger, now func() time.Time) *Client {
	transport := newTransport(e)
	wire := &logged{next: transport, log: log, now: now}
	c := &Client{
		Endpoint:  e,
		transport: transport,
		signed:    &signer.Transport{Base: wire, Credentials: e.Credentials, Region: e.Region, Now: now},
	}
	c.s3 = s3.New(s3.Options{
		BaseEndpoint:               aws.String(e.URL.String()),
		Region:                     e.Region,
		Credentials:                e.Credentials,
		UsePathStyle:               e.PathStyle,
		HTTPClient:                 &http.Client{Transport: wire},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		APIOptions:                 nil,
	})
	return c
}

// S3 is the typed client of the same backend, over the same connections.
func (c *Client) S3() *s3.Client { return c.s3 }

// UnsignedBody is an option for a single call whose body cannot be read twice:
// the SDK then signs UNSIGNED-PAYLOAD.
func UnsignedBody(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}

// Close drops idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Request is one raw S3 request to the backend.
type Request struct {
	Method string
	// Bucket and Key name the target in the backend's own names. Both empty:
	// the service; Key empty: the bucket. Key is decoded bytes.
	Bucket, Key string
	Query       []signer.Param
	// Header holds what goes on; the client takes it over and may change it.
	Header http.Header
	// Body is nil for none. Length is its exact length.
	Body   io.ReadCloser
	Length int64
	// GetBody, when set, gives the body again, so that a request on a
	// connection that the backend had closed can be sent once more.
	GetBody func() (io.ReadCloser, error)
	// PayloadHash is the value of x-amz-content-sha256: hex SHA-256,
	// UnsignedPayload or a STREAMING literal. Empty means UnsignedPayload with
	// a body, and the hash of nothing without one.
	PayloadHash string
}

// emptyHash is the SHA-256 of no bytes.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Do sends one request and gives the answer as it came: redirects are not
// followed and nothing is retried, except by the transport where it knows that
// no byte was sent. Whoever calls closes the body. A backend that cannot be
// reached is a ServiceUnavailable error.
func (c *Client) Do(ctx context.Context, req Request) (*http.Response, error) {
	host, path := c.target(req.Bucket, req.Key)
	u := &url.URL{Scheme: c.URL.Scheme, Host: host}
	signer.SetTarget(u, path, signer.BuildQuery(req.Query))
	header := req.Header
	if header == nil {
		header = http.Header{}
	}
	out := (&http.Request{Method: req.Method, URL: u, Host: host, Header: header}).WithContext(ctx)
	hash := req.PayloadHash
	switch {
	case req.Body == nil || req.Length == 0:
		// A body of length zero must be NoBody, or Go sends it chunked. It is
		// read all the same: what is verified at its end must be.
		if req.Body != nil {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, err
			}
		}
		out.Body = http.NoBody
		if hash == "" {
			hash = emptyHash
		}
	default:
		out.Body, out.ContentLength, out.GetBody = req.Body, req.Length, req.GetBody
		if hash == "" {
			hash = UnsignedPayload
		}
		if req.Length >= expectContinueFrom {
			header.Set("Expect", "100-continue")
		}
	}
	header.Set("X-Amz-Content-Sha256", hash)
	resp, err := c.signed.RoundTrip(out)
	if err != nil {
		return nil, unreachable(err)
	}
	return resp, nil
}

// unreachable is the refusal for a backend that gave no answer.
func unreachable(err error) *gateway.Error {
	return &gateway.Error{
		Code:       gateway.ServiceUnavailable,
		Message:    "The storage backend is not reachable. Please try again.",
		RetryAfter: retryAfter,
		Err:        err,
	}
}

// retryAfter is what a client is told to wait while the backend is away.
const retryAfter = 2 * time.Second
