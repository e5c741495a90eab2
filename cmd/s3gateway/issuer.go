package main

import (
	"context"
	"sync"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/oidc"
	"github.com/codeguardians/s3gateway/policy"
)

// issuerInForce is the issuer whose keys are kept fresh. The zero value has
// none.
type issuerInForce struct {
	mu     sync.Mutex
	issuer *oidc.Issuer
	stop   func() // ends its Run and waits for it
}

// tokensOf is who checks tokens under a configuration, and the issuer that is to
// be used for it; both nil without one. An issuer that stays keeps its keys.
func (a *app) tokensOf(cfg *config.Config, log zerolog.Logger) (policy.Tokens, *oidc.Issuer, error) {
	if cfg.OIDCIssuer == "" {
		return nil, nil, nil
	}
	issuer := a.issuer.get()
	if issuer == nil || issuer.Issuer != cfg.OIDCIssuer {
		var err error
		if issuer, err = oidc.New(oidc.Options{Issuer: cfg.OIDCIssuer, Now: a.now, Log: log}); err != nil {
			return nil, nil, settingsError("OIDC_ISSUER: %w", err)
		}
	}
	return &oidc.Tokens{Issuer: issuer, Audience: cfg.OIDCAudience}, issuer, nil
}

func (f *issuerInForce) get() *oidc.Issuer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.issuer
}

// Err is why tokens may not be checked as they should.
func (f *issuerInForce) Err() error {
	if issuer := f.get(); issuer != nil {
		return issuer.Err()
	}
	return nil
}

// use begins to ask an issuer for its keys and ends asking the one before it.
func (f *issuerInForce) use(issuer *oidc.Issuer) {
	f.mu.Lock()
	before := f.stop
	same := issuer == f.issuer
	if !same {
		f.issuer, f.stop = issuer, nil
		if issuer != nil {
			ctx, cancel := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { issuer.Run(ctx) })
			f.stop = func() { cancel(); running.Wait() }
		}
	}
	f.mu.Unlock()
	if !same && before != nil {
		before()
	}
}
