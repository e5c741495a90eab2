package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/api"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/internal/drain"
	"github.com/codeguardians/s3gateway/internal/listen"
	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/localstore/wire"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/proxy"
	"github.com/codeguardians/s3gateway/quota"
	"github.com/codeguardians/s3gateway/signer"
	"github.com/codeguardians/s3gateway/verify"
)

// app is the whole graph of one gateway. Everything is built here, by hand.
type app struct {
	handler http.Handler
	admin   http.Handler
	monitor *backend.Monitor
	client  *backend.Client            // nil while the settings are incomplete
	store   *localstore.Store          // nil with a real backend
	scrub   localstore.ScrubFigures    // of the store
	further map[string]*backend.Client // by the names of the file
	keys    keys
	redis   *sharing
	// patience is how long one call of Redis may take, 0 for shared.Patience.
	patience time.Duration
	// wait is how long an embedded store waits for another process to leave its
	// folder.
	wait time.Duration
	// stall is how long a client may send or take no byte, 0 for stallTimeout.
	stall   time.Duration
	issuer  issuerInForce
	current atomic.Pointer[doorsInForce]
	refused lastError // of the configuration that was read last
	lasting
	// sweepers remove what is no longer needed, each once when it is called.
	sweepers []func(context.Context)
}

// lasting are what a change of the configuration leaves as it is: what is
// counted and remembered, and what leads to the backend.
type lasting struct {
	metadata    *cache.Metadata
	traffic     *policy.Traffic
	addresses   *policy.Limiter
	budget      *api.Budget
	uploadLocks api.UploadLocks
	counted     *metrics
	quotas      *quota.Keeper
	log         zerolog.Logger
	now         func() time.Time
}

// doorsInForce are the doors under one configuration. A request goes through
// those that were in force when it began, to its end.
type doorsInForce struct {
	http.Handler
	config *config.Config
}

// storeWait bridges the moment in which the old and the new process of a restart
// overlap.
const storeWait = 5 * time.Second

// limiterEntries bounds how many callers and addresses a limiter remembers.
const limiterEntries = 100_000

// build opens the backend of the settings and puts the doors in front of it.
func build(ctx context.Context, cfg *config.Config, log zerolog.Logger) (*app, error) {
	a := &app{wait: storeWait}
	err := a.openBackend(ctx, cfg, log, time.Now)
	if err == nil {
		err = a.assemble(ctx, cfg, log, time.Now)
	}
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// assemble makes what lasts, over the backend that was opened, and the doors.
func (a *app) assemble(ctx context.Context, cfg *config.Config, log zerolog.Logger, now func() time.Time) (err error) {
	if a.keys, err = loadKeys(cfg); err != nil {
		return err
	}
	if err := a.openFurther(ctx, cfg, log, now); err != nil {
		return err
	}
	if a.redis, err = openRedis(ctx, cfg, a.patience, log); err != nil {
		return err
	}
	a.lasting = lasting{
		metadata: cache.New(cache.Options{Entries: cfg.CacheEntries, TTL: cfg.CacheTTL, Now: now, Shared: a.redis.generations}),
		// One of each: both doors together keep a caller's rate. A flood of
		// addresses pushes no caller out.
		traffic: policy.NewTraffic(policy.TrafficOptions{Entries: limiterEntries, Now: now, StreamNow: time.Now,
			Buckets: a.redis.buckets, Flights: a.redis.flights}),
		addresses: policy.NewLimiter(limiterEntries, now, a.redis.buckets),
		budget:    api.NewBudget(cfg.UploadBufferBytes), uploadLocks: newUploadLocks(a.redis), counted: newMetrics(a.redis), log: log, now: now,
		quotas: newQuotas(a.redis, log, now),
	}
	a.guardBackends()
	files := a.restStore(cfg, nil, log)
	a.sweepers = append(a.sweepers, sweepRecords(files, log, now), sweepUploads(files, log, now), sweepParts(files, cfg.UploadPrefix, log, now))
	if a.store != nil {
		a.sweepers = append(a.sweepers, a.sweepLifecycle(log, now))
		a.counted.watchStore(&a.scrub)
	}
	a.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.current.Load().ServeHTTP(w, r) })
	a.admin = ownHosts(cfg.AdminAddr, adminHandler(a.monitor, a.degraded, a.counted.handler()))
	return a.use(cfg)
}

// parts are what one configuration makes for both doors.
type parts struct {
	cfg     *config.Config
	log     zerolog.Logger
	rules   *policy.Policy
	callers *policy.Callers
	mapped  map[string]proxy.Bucket
	quotas  *quota.Rules
	tokens  policy.Tokens
	gate    *verify.Gate
	links   *api.BackendLinks
}

// use puts the doors under a configuration in force, or says why it cannot be
// used; then nothing has changed.
func (a *app) use(cfg *config.Config) error {
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		return err
	}
	p := parts{cfg: cfg, log: a.log.Level(level)}
	if p.rules, err = newPolicy(cfg); err != nil {
		return err
	}
	if p.callers, err = newCallers(cfg, a.keys, a.now); err != nil {
		return &exitError{code: exitSettings, err: err}
	}
	if p.mapped, err = a.bucketMap(cfg); err != nil {
		return err
	}
	if a.client != nil {
		p.quotas = quotasOf(cfg, a.client.Name)
	}
	tokens, issuer, err := a.tokensOf(cfg, p.log)
	if err != nil {
		return err
	}
	p.tokens = tokens
	p.gate, p.links = a.backendLinks(cfg, p.rules, a.metadata, p.log)
	a.issuer.use(issuer)
	a.quotas.Use(p.quotas)
	a.current.Store(&doorsInForce{Handler: a.handlerOf(p), config: cfg})
	return nil
}

// handlerOf puts what both doors share before them.
func (a *app) handlerOf(p parts) http.Handler {
	rate := rateOf(p.cfg.RateLimitAddress, "RATE_LIMIT_ADDRESS")
	limitAddress := func(fail func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
		return policy.LimitByAddress(a.addresses, rate, p.cfg.TrustedProxies, fail)(next)
	}
	return chain(
		doors{
			domains: p.cfg.Domains,
			// Outside of the limit, so that a page can read that refusal too.
			s3:   allowOrigins(p.cfg)(limitHead(proxy.WriteError, limitAddress(proxy.WriteError, a.s3Door(p)))),
			rest: limitHead(api.WriteError, limitAddress(api.WriteError, a.restDoor(p))),
			page: http.HandlerFunc(frontPage),
		},
		// The record is outermost: it logs what all others answered, panics
		// too. The stall guard stands next to the doors: it moves deadlines on
		// with each byte that they read and write. Draining a refused body has
		// a deadline of its own and so reads past the guard. What slows streams
		// down stands inside of it: waiting is no stall.
		recordRequests(p.log, a.now, p.cfg.TrustedProxies), a.counted.count, recoverPanics(p.log), endOldConnections, drain.Middleware,
		shareFairly, guardStalls(cmp.Or(a.stall, stallTimeout)), a.traffic.Handler, underQuotas(p.quotas),
	)
}

func (a *app) s3Door(p parts) *proxy.Door {
	cfg := p.cfg
	return &proxy.Door{
		Table: proxy.NewTable(),
		Verifier: &signer.Verifier{
			Secrets: p.callers, Regions: regions(cfg.Region), PublicHost: hostOf(cfg.PublicURL),
			ForwardedHost: forwardedHost(cfg.TrustedProxies), Now: a.now,
			V2:       cfg.SigV2 == "links",
			BucketOf: func(host string) string { return proxy.BucketOf(cfg.Domains, host) },
			MakesBucket: func(r *http.Request, t signer.Target) bool {
				return proxy.MakesBucket(cfg.Domains, r, t)
			},
		},
		Callers: p.callers, Policy: p.rules,
		Buckets: &proxy.Buckets{Client: a.client, Exposed: cfg.ExposeBuckets, Mapped: p.mapped},
		Cache:   a.metadata, Memory: a.budget.Memory, Ready: a.monitor.Err, Domains: cfg.Domains, PassHeaders: cfg.PassHeaders,
		PublicURL: cfg.PublicURL, ForwardedProto: forwardedProto(cfg.TrustedProxies),
		OwnOrigins: ownOrigins(cfg), Gate: p.gate, Log: p.log,
	}
}

func (a *app) restDoor(p parts) http.Handler {
	cfg, files := p.cfg, a.restStore(p.cfg, p.gate, p.log)
	return api.New(api.Options{
		Store: files, Resumable: files, UploadLocks: a.uploadLocks,
		Bucket: cfg.BucketName, Budget: a.budget, MaxOpenUploads: cfg.MaxOpenUploads,
		Policy: p.rules, Callers: p.callers,
		Auth: &policy.RESTAuth{
			Mode: cfg.UploadAuth, Callers: p.callers, PublicHost: hostOf(cfg.PublicURL), CORSOrigins: cfg.CORSAllowedOrigins,
			Tokens: p.tokens, OwnUser: listen.OwnUser,
		},
		Room: func(ctx context.Context, id string, bytes int64) error {
			return a.client.Room(ctx, cfg.BucketName, id, bytes)
		},
		Health: a.health, Degraded: a.degraded, Ready: a.monitor.Err,
		S3Enabled: cfg.S3Enabled != config.EnabledFalse, UploadPrefix: cfg.UploadPrefix, UploadExpiry: cfg.UploadExpiry,
		PublicURL: cfg.PublicURL, CDNBaseURL: cfg.CDNBaseURL, CORSAllowedOrigins: cfg.CORSAllowedOrigins,
		Links:  p.links,
		Region: regions(cfg.Region)[0], CursorKey: a.keys.derive("cursor"),
		Records: files, IdempotencyKey: a.keys.shared("idempotency"), Now: a.now, Random: rand.Reader, Log: p.log,
	})
}

// restStore holds the files of the REST door.
func (a *app) restStore(cfg *config.Config, gate *verify.Gate, log zerolog.Logger) *api.Store {
	return &api.Store{
		Client: a.client, Bucket: cfg.BucketName, Cache: a.metadata,
		FullObjectChecksum: true, Tags: true, PublicURL: cfg.PublicEndpointURL, Gate: gate, Log: log,
	}
}

// openBackend makes the client for the store of the settings. With settings
// that are not complete there is none, and both doors answer 503.
func (a *app) openBackend(ctx context.Context, cfg *config.Config, log zerolog.Logger, now func() time.Time) error {
	a.monitor = &backend.Monitor{Fixed: cfg.Incomplete(), Log: log, Now: now}
	if a.monitor.Fixed != nil {
		return nil
	}
	open := a.realEndpoint
	if cfg.Embedded() {
		open = a.openStore
	}
	endpoint, err := open(ctx, cfg, log, now)
	if err != nil {
		return err
	}
	a.client = backend.New(endpoint, log, now)
	a.monitor.Probe = func(ctx context.Context) error { return a.client.HeadBucket(ctx, cfg.BucketName) }
	return nil
}

// health reports whether files can be stored and read.
func (a *app) health(ctx context.Context) error {
	if err := a.monitor.Check(ctx); err != nil {
		return err
	}
	return a.storeErr()
}

// storeErr returns what is wrong with the embedded store although it answers: a disk
// that is full still takes deletes, and one object that is damaged leaves the others.
func (a *app) storeErr() error {
	if a.store == nil {
		return nil
	}
	var wrong *localstore.Error
	if errors.As(a.store.Err(), &wrong) {
		return gateway.Errorf(gateway.ServiceUnavailable, "%s", wrong.Message).Because(wrong)
	}
	return nil
}

// openStore opens the embedded store. It is in the process, so requests to it are
// not signed.
func (a *app) openStore(ctx context.Context, cfg *config.Config, log zerolog.Logger, now func() time.Time) (e backend.Endpoint, err error) {
	a.store, err = localstore.Open(ctx, localstore.Options{Dir: cfg.DataDir, Bucket: cfg.BucketName, NoSync: !cfg.StoreSync, Wait: a.wait, Log: log, Now: now})
	if err != nil {
		if file := (*fs.PathError)(nil); errors.As(err, &file) {
			err = fmt.Errorf("%w: set DATA_DIR to a folder that this user may write to", err)
		}
		return e, fmt.Errorf("DATA_DIR=%q: %w", cfg.DataDir, err)
	}
	e = storeEndpoint(wire.New(a.store, wire.Options{Log: log, Now: now}))
	e.ProvesReads = cfg.ReadCheck != "always"
	return e, nil
}

// storeEndpoint returns the endpoint of an embedded store.
func storeEndpoint(store http.RoundTripper) backend.Endpoint {
	return backend.Endpoint{
		Name: "embedded", URL: &url.URL{Scheme: "http", Host: "localhost"}, Transport: store,
		Region: localstore.Region, PathStyle: true, Trailers: true, ConditionalWrites: true, ConditionalCopies: true, ConditionalDeletes: true,
		IfRange: true, SparesReserved: true, ProvesReads: true, Credentials: aws.AnonymousCredentials{},
	}
}

// realEndpoint is the S3 of the S3_* settings.
func (a *app) realEndpoint(ctx context.Context, cfg *config.Config, _ zerolog.Logger, now func() time.Time) (e backend.Endpoint, err error) {
	e = backend.Endpoint{
		Name: "s3", URL: cfg.EndpointURL, Region: cfg.Region, PathStyle: cfg.ForcePathStyle, Trailers: true,
		SkipTLSVerify: cfg.S3SkipTLSVerify,
	}
	if e.URL == nil {
		e.URL = backend.AWSEndpoint(cfg.Region)
	}
	e.Know()
	if cfg.S3CAFile != "" {
		if e.CAs, err = (listen.File{Setting: "S3_CA_FILE", Path: cfg.S3CAFile}).Pool(); err != nil {
			return e, &exitError{code: exitSettings, err: err}
		}
	}
	e.Credentials, err = backend.NewCredentials(ctx, backend.CredentialSource{
		AccessKeyID: cfg.AccessKeyID, SecretAccessKey: cfg.SecretAccessKey.Reveal(), SessionToken: cfg.SessionToken.Reveal(),
		SecretID: cfg.CredentialsSecretID, Region: cfg.Region, Now: now,
	})
	return e, err
}

// close ends what build started.
func (a *app) close() error {
	var errs []error
	a.redis.close()
	a.issuer.use(nil)
	if a.client != nil {
		a.client.Close()
	}
	for _, c := range a.further {
		c.Close()
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

// regions are the scope regions that clients may sign for: the bucket's, the
// one that most tools default to, and the word for none.
func regions(own string) []string {
	all := []string{own}
	for _, r := range []string{"us-east-1", "auto"} {
		if r != own {
			all = append(all, r)
		}
	}
	if own == "" {
		return all[1:]
	}
	return all
}

func rateOf(r config.Rate, setting string) policy.Rate {
	return policy.Rate{PerSecond: r.PerSecond, Burst: r.Burst, Setting: setting}
}

func hostOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Host
}
