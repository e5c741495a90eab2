package policy

import (
	"slices"

	"github.com/codeguardians/s3gateway"
)

// Rates are the limits on the traffic of one caller or one bucket. The zero
// value has none of its own.
type Rates struct {
	// Requests per second; nil: the setting's. A zero Rate lifts it.
	Requests *Rate
	// Bytes per second, each way; nil: the setting's. A zero Rate lifts it.
	Bytes *Rate
	// InFlight is how many requests may be under way at once; 0: any number.
	InFlight int64
	// Actions are requests per second of one class of actions: list, read,
	// write, delete (deleting versions too) and manage.
	Actions map[gateway.Action]Rate
}

// classes are the classes of actions that have rates.
var classes = []gateway.Action{gateway.List, gateway.Read, gateway.Write, gateway.Delete, gateway.Manage}

// classOf gives the place of an action in classes, -1 for none.
func classOf(a gateway.Action) int {
	switch a {
	case gateway.DeleteVersion:
		a = gateway.Delete
	case gateway.ReadVersion:
		a = gateway.Read
	}
	return slices.Index(classes, a)
}

// rates are Rates with the names of the settings that made them.
type rates struct {
	requests, bytes *Rate
	inFlight        int64
	entry           string // "caller x"
	actions         [5]Rate
}

// of keeps the rates with the name of the entry that they stand in.
func (o Rates) of(entry string) rates {
	own := rates{inFlight: o.InFlight, entry: entry}
	own.requests = named(o.Requests, "rate of "+entry)
	own.bytes = named(o.Bytes, "rate_bytes of "+entry)
	for action, r := range o.Actions {
		if i := classOf(action); i >= 0 {
			own.actions[i] = *named(&r, "rates."+string(classes[i])+" of "+entry)
		}
	}
	return own
}

func named(r *Rate, setting string) *Rate {
	if r == nil {
		return nil
	}
	with := *r
	with.Setting = setting
	return &with
}

// ratesOfCaller gives the limits of a caller: the settings' in the place of
// those that it does not have itself.
func (p *Policy) ratesOfCaller(name string) rates {
	own := rates{entry: "caller"}
	if p.Rules != nil {
		if c := p.Rules.callers[name]; c != nil {
			own = c.rates
		}
	}
	if own.requests == nil {
		own.requests = &p.Rate
	}
	if own.bytes == nil {
		own.bytes = &p.RateBytes
	}
	return own
}

// ratesOfBucket gives the limits of a bucket, which has only its own.
func (p *Policy) ratesOfBucket(name string) rates {
	if p.Rules != nil {
		if b := p.Rules.buckets[name]; b != nil {
			return b.rates
		}
	}
	return rates{entry: "bucket"}
}
