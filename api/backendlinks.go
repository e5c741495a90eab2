package api

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
	"github.com/codeguardians/s3gateway/verify"
)

// BackendLinks makes links that go straight to the backend (PRESIGN_VIA=backend).
// What comes by them is judged by Gate before it is served.
type BackendLinks struct {
	// Client is the backend, Bucket the bucket's name there.
	Client *backend.Client
	Bucket string
	// PublicURL is where clients reach the backend; nil is the client's URL.
	PublicURL *url.URL
	Gate      *verify.Gate

	mu     sync.Mutex
	pinned *bool // how PUT links are signed; nil while that is not known
}

// target signs with the backend's own credentials. A link by temporary ones ends
// with them, so it is not said to live longer.
func (l *BackendLinks) target(ctx context.Context, life int, now time.Time) (t linkTarget, err error) {
	credential, err := l.Client.Credentials.Retrieve(ctx)
	if err != nil {
		return t, gateway.Errorf(gateway.ServiceUnavailable, "The storage credentials are not available; try again later.").Because(err)
	}
	if credential.CanExpire {
		left := int(credential.Expires.Sub(now) / time.Second)
		if left < 1 {
			return t, &gateway.Error{
				Code: gateway.ServiceUnavailable, Message: "The storage credentials are about to end; try again later.", RetryAfter: bufferRetry,
			}
		}
		life = min(life, left)
	}
	return linkTarget{
		bucket: l.Bucket, region: l.Client.Region, credential: credential, life: life,
		at: func(key string) *url.URL { return l.Client.ObjectURL(l.PublicURL, l.Bucket, key) },
	}, nil
}

// metadata is what a link makes its request carry besides the original name:
// whose limits hold.
func (l *BackendLinks) metadata(r *http.Request, key string) signer.Param {
	return signer.Param{Key: http.CanonicalHeaderKey(verify.LinkHeader), Value: l.Gate.Link(key, callerOf(r).Name)}
}
