package proxy

import (
	"net/netip"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// may asks the policy about one key, under the conditions of this request, and
// counts the request for the rates of the bucket.
func (d *Door) may(x *exchange, action gateway.Action, bucket, key string) error {
	facts := gateway.RecordFrom(x.r.Context()).Snapshot()
	address, _ := netip.ParseAddr(facts.Client) // none for a unix socket
	r := policy.Request{
		Caller: x.caller, Action: action, Bucket: bucket, Key: key, Address: address, Now: facts.Start,
	}
	if err := d.Policy.Judge(x.r.Context(), r); err != nil {
		return err
	}
	return policy.PassageFrom(x.r.Context()).Bucket(d.Policy, x.caller, bucket, action)
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
	action := x.op.Action
	if x.op.VersionAction != "" && has(x.query, "versionId") {
		action = x.op.VersionAction
		gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) { f.Action = action })
	}
	key := x.addr.Key
	if action == gateway.List {
		key = get(x.query, "prefix")
	}
	if err := d.may(x, action, x.addr.Bucket, key); err != nil {
		return err
	}
	if action == gateway.List && has(x.query, metadataParam) {
		// What a HEAD of each object would tell.
		if err := d.may(x, gateway.Read, x.addr.Bucket, key); err != nil {
			return err
		}
	}
	if needsManage(x.header) {
		return d.may(x, gateway.Manage, x.addr.Bucket, x.addr.Key)
	}
	return nil
}
