package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// expectContinueFrom is the body length from which the backend is asked before
// the body is sent: below it, the round trip costs more than a wasted body.
const expectContinueFrom = 1 << 20

// Client speaks to one backend. It is safe for concurrent use.
type Client struct {
	Endpoint
	// Guard, set before the first request, has all requests pass it.
	Guard Guard
	// Locks, set before the first request, keep conditional changes apart from
	// writes. All clients of one store need the same; New sets a client's own.
	Locks     KeyLocks
	transport *http.Transport
	plain     http.RoundTripper
	patient   *http.Transport // waits long for an answer
	regions   *regions
	tried     tried
	isMinIO   atomic.Bool // an answer said so
	// mismatches counts answers whose bytes were not those of their checksum.
	mismatches atomic.Int64
	log        zerolog.Logger
	now        func() time.Time
	s3         *s3.Client
}

// New makes a client; nothing is dialled before the first request.
func New(e Endpoint, log zerolog.Logger, now func() time.Time) *Client {
	transport := newTransport(e)
	c := &Client{Endpoint: e, Locks: NewKeyLocks(), transport: transport, patient: transport.Clone(), regions: newRegions(), log: log, now: now}
	c.patient.ResponseHeaderTimeout = patientTimeout
	wire := c.over(c.connections(false))
	c.plain = wire
	c.s3 = s3.New(s3.Options{
		BaseEndpoint:               aws.String(e.URL.String()),
		Region:                     e.Region,
		Credentials:                e.Credentials,
		UsePathStyle:               e.PathStyle,
		HTTPClient:                 &http.Client{Transport: wire, CheckRedirect: neverFollow},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(notRefusals)}, o.Retryables...)
		}),
	})
	return c
}

// connections returns what carries requests: the store in the process, or
// connections that wait shorter or longer for an answer.
func (c *Client) connections(patient bool) http.RoundTripper {
	switch {
	case c.Transport != nil:
		return c.Transport
	case patient:
		return c.patient
	}
	return c.transport
}

// notRefusals keeps what the gateway itself refused from being tried again.
func notRefusals(err error) aws.Ternary {
	var own *gateway.Error
	if errors.As(err, &own) && !errors.Is(err, errFault) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// neverFollow leaves redirects to the caller: the place that a backend names is
// not the one that was configured, and the credentials do not go there.
func neverFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// S3 is the typed client of the same backend, over the same connections.
func (c *Client) S3() *s3.Client { return c.s3 }

// Close drops idle connections.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.patient.CloseIdleConnections()
}

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
	// signer.UnsignedPayload or a STREAMING literal. Empty means
	// UnsignedPayload with a body, and the hash of nothing without one.
	PayloadHash string
	// Proven says that the gateway has verified the body or made its proof: a
	// backend that finds other bytes got them changed.
	Proven bool
	// Patient waits an hour for the answer to begin instead of five minutes: a
	// store that joins parts or copies may be silent for long.
	Patient bool
	// Stay leaves the answer as it is when the bucket is in another region.
	Stay bool
}

// Do sends one request and gives the answer as it came. Nothing is retried,
// except on another connection where the one that was kept turned out to be
// closed (resend), and once where the bucket is in another region, which is
// remembered; both only while the body can still be sent whole. Other redirects
// are not followed. Whoever calls closes the answer's body. A backend that
// cannot be reached is a ServiceUnavailable error; a *gateway.Error of the
// request's own body comes back as it is.
func (c *Client) Do(ctx context.Context, req Request) (*http.Response, error) {
	if req.Header == nil {
		req.Header = http.Header{}
	}
	whole, asked := !c.ProvesReads && readsWhole(req), req.Header.Get(checksumMode) != ""
	if whole {
		req.Header.Set(checksumMode, "ENABLED")
	}
	body, hash, err := openBody(&req)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Amz-Content-Sha256", hash)
	region := c.regionOf(req.Bucket)
	resp, err := c.send(ctx, req, body, region)
	if err == nil && req.Bucket != "" && !req.Stay {
		if other := elsewhere(resp, region); other != "" {
			c.regions.of.Add(req.Bucket, other)
			c.log.Warn().Str("backend", c.Name).Str("bucket", req.Bucket).Str("region", other).
				Msg("the bucket is in another region than the endpoint; requests for it are signed for that one")
			if body.again() {
				resp.Body.Close()
				resp, err = c.send(ctx, req, body, other)
			}
		}
	}
	if err != nil {
		body.abandon()
		return nil, unreachable(err)
	}
	body.settle()
	if err := asChanged(req, resp); err != nil {
		return nil, err
	}
	if whole {
		c.checkRead(resp, req.Key, asked)
	}
	return resp, nil
}

// Plain sends a request as it is, with no signature but one that it carries: as a
// client with a link would.
func (c *Client) Plain(r *http.Request) (*http.Response, error) { return c.plain.RoundTrip(r) }

// send sends the request to a region.
func (c *Client) send(ctx context.Context, req Request, body *replay, region string) (*http.Response, error) {
	at := &c.Endpoint
	if region != c.Region {
		other := c.inRegion(region)
		at = &other
	}
	signed := c.wireTo(region, req.Patient)
	if signed == nil {
		return nil, errors.New("the backend names more regions than there are")
	}
	host, path := at.target(req.Bucket, req.Key)
	u := &url.URL{Scheme: at.URL.Scheme, Host: host}
	signer.SetTarget(u, path, signer.BuildQuery(req.Query))
	// Without the protocol's version net/http would not wait for 100 Continue.
	out := (&http.Request{
		Method: req.Method, URL: u, Host: host, Header: req.Header, Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if body != nil {
		out.ContentLength, out.GetBody = req.Length, req.GetBody
	}
	return resend(signed, out, body)
}

// openBody makes the request's body one that can be sent again, nil for none, and
// gives the payload hash that goes with it.
func openBody(req *Request) (*replay, string, error) {
	if req.Body == nil || req.Length == 0 {
		// A body of length zero must be NoBody, or Go sends it chunked. It is
		// read all the same: what is verified at its end must be.
		if req.Body != nil {
			defer req.Body.Close()
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, "", err
			}
		}
		return nil, cmp.Or(req.PayloadHash, signer.EmptyHash), nil
	}
	if req.Length >= expectContinueFrom {
		req.Header.Set("Expect", "100-continue")
	}
	return newReplay(req.Body), cmp.Or(req.PayloadHash, signer.UnsignedPayload), nil
}

// unreachable is the refusal for a backend that gave no answer. An error that
// is typed already says better what happened: the client's body failed, or
// there are no credentials to sign with.
func unreachable(err error) *gateway.Error {
	var own *gateway.Error
	if errors.As(err, &own) {
		if own.Code == gateway.ServiceUnavailable && own.RetryAfter == 0 {
			waiting := *own
			waiting.RetryAfter = retryAfter
			return &waiting
		}
		return own
	}
	return &gateway.Error{
		Code:       gateway.ServiceUnavailable,
		Message:    "The storage backend is not reachable. Please try again.",
		RetryAfter: retryAfter,
		Err:        fmt.Errorf("%w: %w", errFault, err),
	}
}

// retryAfter is what a client is told to wait while the backend is away.
const retryAfter = 2 * time.Second
