package main

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/policy"
)

// policyCommand asks the policy of the settings, without a gateway running.
type policyCommand struct {
	Check policyCheckCommand `cmd:"" help:"Say whether a caller may do something, which rule decides, and which limits, rates and quotas hold; exit code 1 when it may not."`
}

type policyCheckCommand struct {
	Caller  string `help:"Name of the caller; empty for an anonymous one." default:""`
	Link    bool   `help:"By a link of the caller."`
	Action  string `help:"What is done: ${enum}." required:"" enum:"list,read,read-version,write,delete,delete-version,manage"`
	Bucket  string `help:"Bucket, as clients name it; empty with --action list for the list of buckets." default:""`
	Key     string `help:"Key, byte for byte; for a list its prefix; empty for the bucket, or whether any key could be granted." default:""`
	Address string `help:"Address of the client, for grants with from." placeholder:"IP"`
	Time    string `help:"Time of the request, for grants with between (default: now)." placeholder:"2027-01-31T12:00:00Z"`
}

// Run prints the decision and the rule that made it, and for a write the limits.
func (c policyCheckCommand) Run(cli *commands, p process) error {
	cfg, _, err := cli.load(p)
	if err != nil {
		return err
	}
	rules, err := newPolicy(cfg)
	if err != nil {
		return err
	}
	r := policy.Request{
		Caller: gateway.Caller{Name: c.Caller, Link: c.Link}, Action: gateway.Action(c.Action),
		Bucket: c.Bucket, Key: c.Key, Now: time.Now(),
	}
	if r.Key == "" && r.Action != gateway.List && r.Action != gateway.Manage {
		r.Keys = policy.SomeKey
	}
	if c.Address != "" {
		if r.Address, err = netip.ParseAddr(c.Address); err != nil {
			return settingsError("--address: not an IP address")
		}
	}
	if c.Time != "" {
		if r.Now, err = time.Parse(time.RFC3339, c.Time); err != nil {
			return settingsError("--time: write it as 2027-01-31T12:00:00Z")
		}
	}
	if err := decide(p.stdout, cfg, rules, r); err != nil {
		return err
	}
	if r.Action == gateway.Write {
		fmt.Fprintln(p.stdout, "limits:", rules.LimitsFor(r.Caller, r.Bucket, r.Key))
	}
	for _, text := range rules.Traffic(r.Caller, r.Bucket, r.Action) {
		fmt.Fprintln(p.stdout, "rate:", text)
	}
	at := locationOf(cfg, r.Bucket, r.Key)
	if r.Action == gateway.Write {
		for _, q := range quotasOf(cfg, config.DefaultBackend).Binding(r.Caller.Name, at.backend, at.bucket, at.key) {
			fmt.Fprintln(p.stdout, "quota:", q)
		}
	}
	if at.renamed {
		fmt.Fprintf(p.stdout, "stored: %s in bucket %s of backend %s\n", cmp.Or(at.key, "every key"), at.bucket, at.shown)
	}
	return nil
}

// decide prints the decision. Who has keys and none of them in use is denied
// whatever the grants say, by a link too.
func decide(w io.Writer, cfg *config.Config, rules *policy.Policy, r policy.Request) error {
	verdict, denied := rules.DecideBoth(r), &exitError{code: exitFailed, err: fmt.Errorf("%s is denied", r.Action)}
	ended, inUse := keysAt(cfg, r.Caller.Name, r.Now)
	if verdict.Allowed && len(ended) > 0 && !inUse {
		fmt.Fprintf(w, "denied: the caller has no key in use: %s\n", strings.Join(ended, ", "))
		return denied
	}
	fmt.Fprintln(w, verdict)
	if !verdict.Allowed {
		return denied
	}
	for _, text := range ended {
		fmt.Fprintln(w, "key:", text)
	}
	if len(ended) == 0 && !inUse {
		fmt.Fprintln(w, "key: none, so nobody can come as this caller")
	}
	return nil
}

// keysAt tells which keys of a caller are not in use at a moment, and whether it
// has another way in: a key that is, a token, or that it needs none.
func keysAt(cfg *config.Config, caller string, now time.Time) (ended []string, inUse bool) {
	at := slices.IndexFunc(cfg.Callers, func(c config.Caller) bool { return c.Name == caller })
	inUse = at < 0 || len(cfg.Callers[at].OIDC) > 0 // not of the file: of the settings, or nobody
	for _, k := range storedKeys(cfg) {
		if k.caller != caller {
			continue
		}
		if state := k.state(now); state != stateInUse {
			ended = append(ended, k.String()+" is "+state)
			continue
		}
		inUse = true
	}
	return ended, inUse
}

// location is where a key is, in the backend's names.
type location struct {
	backend, bucket, key string
	shown                string // the backend's name in the file
	renamed              bool
}

// locationOf finds the place of a client's bucket and key.
func locationOf(cfg *config.Config, bucket, key string) location {
	for _, b := range cfg.Buckets {
		if b.Name == bucket {
			at := location{backend: config.DefaultBackend, bucket: b.Bucket, key: b.Prefix + key, shown: b.Backend}
			if b.Backend != config.DefaultBackend {
				at.backend = furtherName(b.Backend)
			}
			at.renamed = b.Backend != config.DefaultBackend || b.Bucket != b.Name || b.Prefix != ""
			return at
		}
	}
	return location{backend: config.DefaultBackend, bucket: bucket, key: key}
}
