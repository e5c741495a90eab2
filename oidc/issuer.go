// Package oidc checks bearer tokens of one OpenID Connect issuer: JSON Web
// Tokens (RFC 7519) that are signed with a key of the issuer's key set.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	discovery "github.com/coreos/go-oidc/v3/oidc"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
)

// Bounds of what is asked of an issuer, and of how long its answers count.
const (
	maxAnswer     = 1 << 20          // bytes of a document
	maxKeys       = 200              // of one set
	fetchTimeout  = 5 * time.Second  // of one document
	renewInterval = 10 * time.Minute // a key that the issuer withdrew ends within it
	keysExpire    = 24 * time.Hour   // without a word of the issuer
	retryMost     = time.Minute
)

// Options say whose tokens are taken.
type Options struct {
	// Issuer is its identifier, exactly as tokens name it in iss.
	Issuer string
	// Transport reaches it. Nil: http.DefaultTransport.
	Transport http.RoundTripper
	// Now is the clock that tokens and keys are judged by. Nil: time.Now.
	Now func() time.Time
	// RefetchAfter is how long at least lies between two questions for keys
	// that clients cause by naming an unknown one. 0: 30 s.
	RefetchAfter time.Duration
	// RetryAfter is the first pause after a failure; it doubles up to a minute.
	// 0: 1 s.
	RetryAfter time.Duration
	Log        zerolog.Logger
}

// Issuer holds the keys of an issuer. It is for concurrent use.
type Issuer struct {
	Options
	client *http.Client
	// fetching is held by the one who asks the issuer.
	fetching chan struct{}

	mu      sync.Mutex
	jwksURL string
	keys    []key
	fetched time.Time // of the keys
	asked   time.Time // for the last time because of an unknown key
	err     error     // of the last question, nil after a good answer
}

// CheckURL refuses an issuer that anybody on the way could speak for: it must
// have https, or be on this machine.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("not the URL of an issuer")
	}
	if !trusted(u) {
		return errors.New("neither https nor on this machine")
	}
	return nil
}

func trusted(u *url.URL) bool {
	if u.Scheme != "http" {
		return u.Scheme == "https"
	}
	address, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && address.IsLoopback()
}

// New makes an Issuer that has no keys until Run was answered.
func New(o Options) (*Issuer, error) {
	if err := CheckURL(o.Issuer); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RefetchAfter == 0 {
		o.RefetchAfter = 30 * time.Second
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = time.Second
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	i := &Issuer{Options: o, fetching: make(chan struct{}, 1), err: errors.New("not asked yet")}
	issuer, _ := url.Parse(o.Issuer)
	i.client = &http.Client{Timeout: fetchTimeout, Transport: bounded{o.Transport}, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 || !trusted(r.URL) || issuer.Scheme == "https" && r.URL.Scheme != "https" {
			return errors.New("a redirect that is not followed")
		}
		return nil
	}}
	return i, nil
}

// Run asks the issuer for its keys until ctx ends: at once, again after a
// failure, and then at intervals, so that keys come and go as the issuer says.
func (i *Issuer) Run(ctx context.Context) {
	pause := i.RetryAfter
	for {
		err := i.fetch(ctx)
		wait := renewInterval
		if err == nil {
			pause = i.RetryAfter
		} else if ctx.Err() == nil {
			i.Log.Warn().Err(err).Dur("again_in", pause).Msg("OIDC_ISSUER gives no keys")
			// Spread, so that replicas do not come back all at once.
			wait = pause/2 + rand.N(pause/2+1)
			pause = min(2*pause, retryMost)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// Err is why the issuer's keys are not, or may not be, those of this moment.
func (i *Issuer) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err == nil {
		return nil
	}
	return gateway.Errorf(gateway.ServiceUnavailable, "OIDC_ISSUER does not answer as it should. The log says why.").Because(i.err)
}

// fetch asks for the keys, for one caller at a time.
func (i *Issuer) fetch(ctx context.Context) error {
	select {
	case i.fetching <- struct{}{}:
		defer func() { <-i.fetching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	i.mu.Lock()
	address := i.jwksURL
	i.mu.Unlock()
	var keys []key
	var err error
	if address == "" {
		address, err = i.discover(ctx)
	}
	if err == nil {
		keys, err = i.fetchKeys(ctx, address)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
	if err != nil {
		i.jwksURL = "" // it may have moved
		return err
	}
	i.jwksURL, i.keys, i.fetched = address, keys, i.Now()
	return nil
}

// discover reads the address of the keys (OpenID Connect Discovery 1.0 §4). The
// document must name the issuer that was asked for.
func (i *Issuer) discover(ctx context.Context) (string, error) {
	provider, err := discovery.NewProvider(discovery.ClientContext(ctx, i.client), i.Issuer)
	if err != nil {
		return "", shorten(err)
	}
	var doc struct {
		JWKSURL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&doc); err != nil {
		return "", shorten(err)
	}
	u, err := url.Parse(doc.JWKSURL)
	if err != nil || u.Host == "" || !trusted(u) || u.Scheme == "http" && i.Issuer[:5] == "https" {
		return "", errors.New("jwks_uri is not an https address")
	}
	return doc.JWKSURL, nil
}

// shorten bounds an error that repeats what the issuer answered.
func shorten(err error) error {
	var network net.Error
	if errors.As(err, &network) {
		return err
	}
	if text := err.Error(); len(text) > 200 {
		return fmt.Errorf("%.200q", text)
	}
	return fmt.Errorf("%q", err.Error())
}
