package main

import (
	"sync"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/config"
)

// lastError is an error that is replaced as a whole.
type lastError struct {
	mu  sync.Mutex
	err error
}

func (l *lastError) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lastError) get() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// reload reads the configuration again and puts it in force, all of it or
// nothing. What was in force stays when any of it is refused; a request that is
// under way ends under what it began with. It is not for concurrent use.
func (a *app) reload(load func() (*config.Config, []config.Warning, error)) {
	cfg, warnings, err := load()
	for _, w := range warnings {
		a.log.Warn().Msg(w.String())
	}
	var fixed []string
	if err == nil && a.current.Load().config.Emptied(cfg) {
		err = settingsError("%s:1:1: the file is empty, as one that is being written; to take all settings out of it restart the gateway", cfg.ConfigFile)
	}
	if err == nil {
		cfg, fixed = a.current.Load().config.Renew(cfg)
		err = a.use(cfg)
	}
	a.refused.set(err)
	if err != nil {
		a.log.Error().Err(err).Msg("the changed configuration is refused; the earlier one stays in force")
		return
	}
	a.log.Info().Str("policy", policyLine(cfg)).Msg("the changed configuration is in force")
	if len(fixed) > 0 {
		a.log.Warn().Strs("settings", fixed).Msg("these have changed too and take effect at the next start")
	}
}

// configFiles are those whose change may change the configuration.
func (a *app) configFiles() []string { return a.current.Load().config.Files() }

// degraded is why not everything is as it should be although requests are
// served: for /readyz, and its message for those who are told details of health.
func (a *app) degraded() error {
	if err := a.refused.get(); err != nil {
		return gateway.Errorf(gateway.Internal, "The changed configuration was refused, and the earlier one is in force. The log says why.").Because(err)
	}
	if err := a.storeErr(); err != nil {
		return err
	}
	if err := a.redis.Err(); err != nil {
		return err
	}
	if err := a.quotas.Err(); err != nil {
		return err
	}
	return a.issuer.Err()
}
