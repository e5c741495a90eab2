package proxy

import (
	"net/netip"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// question is what the policy is asked about some keys of a bucket.
type question struct {
	action      gateway.Action
	bucket, key string
	keys        policy.Keys
}

// asking is the question under the conditions of this request.
func (x *exchange) asking(q question) policy.Request {
	facts := gateway.RecordFrom(x.r.Context()).Snapshot()
	address, _ := netip.ParseAddr(facts.Client) // none for a unix socket
	return policy.Request{
		Caller: x.caller, Action: q.action, Bucket: q.bucket, Key: q.key, Keys: q.keys, Address: address, Now: facts.Start,
	}
}

// may asks the policy about one key and counts the request for the rates of the
// bucket.
func (d *Door) may(x *exchange, action gateway.Action, bucket, key string) error {
	return d.mayAll(x, question{action: action, bucket: bucket, key: key})
}

// mayAll is may for any keys.
func (d *Door) mayAll(x *exchange, q question) error {
	if err := d.Policy.Judge(x.r.Context(), x.asking(q)); err != nil {
		return err
	}
	return policy.PassageFrom(x.r.Context()).Bucket(d.Policy, x.caller, q.bucket, q.action)
}

// limits are the policy's limits for what is stored under the request's key.
func (d *Door) limits(x *exchange) policy.Limits {
	return d.Policy.LimitsFor(x.caller, x.addr.Bucket, x.addr.Key)
}

// authorise asks the policy whether the caller may.
func (d *Door) authorise(x *exchange) error {
	if x.caller.Link && !x.op.Link {
		return gateway.Errorf(gateway.AccessDenied, "A link does not allow %s.", x.op.Name)
	}
	if x.caller.Anonymous() && !x.op.Public {
		return gateway.Errorf(gateway.AccessDenied, policy.MessageUnsigned)
	}
	if x.op.Probe && d.Policy.Visible(x.caller, x.addr.Bucket) {
		return nil
	}
	questions := d.questions(x)
	if x.op.VersionAction != "" {
		gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) { f.Action = questions[0].action })
	}
	for _, q := range questions {
		if err := d.mayAll(x, q); err != nil {
			return err
		}
	}
	return d.checkReach(x)
}

// questions are all that the policy is asked before anything of the body is read.
func (d *Door) questions(x *exchange) []question {
	op, of := x.op, question{action: x.op.Action, bucket: x.addr.Bucket, key: x.addr.Key}
	switch {
	case op.Name == "DeleteObjects":
		of = d.batchQuestion(x)
	case op.Action == gateway.List:
		of.key = get(x.query, "prefix")
	}
	versioned := has(x.query, "versionId")
	if versioned && op.VersionAction != "" {
		of.action = op.VersionAction
	}
	all := []question{of}
	also := func(action gateway.Action, keys policy.Keys) {
		all = append(all, question{action, of.bucket, of.key, keys})
	}
	if versioned && op.VersionAlso != "" {
		also(op.VersionAlso, policy.OneKey)
	}
	if op.MetadataAction != "" && has(x.query, metadataParam) {
		also(op.MetadataAction, policy.EveryKey) // what a HEAD of each would tell
	}
	if needsManage(x.header) {
		all = append(all, question{action: gateway.Manage, bucket: of.bucket, key: x.addr.Key})
	}
	return all
}

// batchQuestion asks whether a batch could delete anything, or any version: each
// key is asked for when the document is read.
func (d *Door) batchQuestion(x *exchange) question {
	some := question{action: gateway.Delete, bucket: x.addr.Bucket, keys: policy.SomeKey}
	versions := some
	versions.action = gateway.DeleteVersion
	if !d.Policy.DecideBoth(x.asking(some)).Allowed && d.Policy.DecideBoth(x.asking(versions)).Allowed {
		return versions
	}
	return some
}
