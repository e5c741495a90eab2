package config

import (
	"reflect"
	"slices"
)

// Files are the absolute paths of the files that the configuration was read
// from, and of those that were looked for: .env, CONFIG_FILE and the files of
// secrets.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Emptied reports whether the CONFIG_FILE of a newly read configuration says
// nothing where that of c did: it is being written, or its disk is full.
func (c *Config) Emptied(fresh *Config) bool {
	return fresh.emptyFile && !c.emptyFile && c.ConfigFile != ""
}

// Renew gives the configuration that takes the place of c when a process goes
// on with a newly read one: what can only take effect at a start stays as it is
// in c. fixed are the names of those that differ in fresh.
func (c *Config) Renew(fresh *Config) (renewed *Config, fixed []string) {
	next := *fresh
	for _, s := range settings {
		switch {
		case s.value == nil || s.value.same(c, fresh):
		case !s.live:
			s.value.copy(&next, c)
			fixed = append(fixed, s.name)
		case s.derived != "" && c.Source(s.name) == "default" && fresh.Source(s.name) == "default":
			s.value.copy(&next, c) // it follows from one that stays
		}
	}
	if !sameBackends(c.Backends, fresh.Backends) {
		next.Backends = c.Backends
		fixed = append(fixed, "backends")
	}
	return &next, fixed
}

// sameBackends compares all but the places in the file.
func sameBackends(a, b []Backend) bool {
	return slices.EqualFunc(a, b, func(x, y Backend) bool {
		x.Where, y.Where = "", ""
		return reflect.DeepEqual(x, y)
	})
}
