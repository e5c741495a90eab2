package main

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
)

// The outcomes of the audit log.
const (
	outcomeRefused = "refused"
	outcomeChanged = "changed"
	// outcomeUnknown is that of a change that was asked of the backend and of which
	// nobody heard how it went.
	outcomeUnknown = "unknown"
)

// auditedCodes are the refusals that are decisions of the gateway: about who
// comes, what may be done, how large, of which type, how fast and how much. What
// is only malformed is in the log of requests.
var auditedCodes = []gateway.Code{
	gateway.AccessDenied, gateway.AccessForbidden, gateway.AuthHeaderMalformed, gateway.AuthQueryParametersError,
	gateway.EntityTooLarge, gateway.EntityTooSmall, gateway.ExpiredLink, gateway.InvalidAccessKeyID, gateway.InvalidToken,
	gateway.MissingSecurityHeader, gateway.NameNotAllowed, gateway.QuotaExceeded, gateway.RequestTimeTooSkewed,
	gateway.SignatureDoesNotMatch, gateway.SlowDown, gateway.TypeNotAllowed, gateway.Unauthenticated,
	gateway.UnsupportedSignatureVersion,
}

// changing are the actions whose success is a change.
var changing = []gateway.Action{gateway.Write, gateway.Delete, gateway.DeleteVersion, gateway.Manage}

// audit writes one record for each decision that refused and for each change,
// whatever LOG_LEVEL is, but for OFF. It holds no text of the client's beside
// bucket and key.
func audit(log zerolog.Logger, method string, status int, f gateway.Fields) {
	entry := func(j gateway.Judged, outcome string) *zerolog.Event {
		line := log.Log().Str("log", "audit").Str("id", f.ID).Str("outcome", outcome).Str("door", string(f.Door)).
			Str("caller", f.Caller).Str("client", f.Client).Str("operation", f.Operation).Str("action", string(j.Action)).
			Str("bucket", j.Bucket).Str("key", j.Key).Int("status", status)
		if j.VersionID != "" {
			line = line.Str("version_id", j.VersionID)
		}
		return line
	}
	refused := refusals(f.Judged)
	for _, many := range refused {
		line := entry(many[0], outcomeRefused).Str("rule", many[0].Rule).Str("code", string(gateway.AccessDenied))
		if len(many) > 1 {
			line = line.Int("count", len(many)).Strs("keys", firstKeys(many))
		}
		line.Send()
	}
	for _, j := range f.Judged {
		if !j.Denied {
			entry(j, outcomeChanged).Send()
		}
	}
	denied := len(refused) > 0
	whole := gateway.Judged{Action: f.Action, Bucket: f.Bucket, Key: f.Key}
	reads := method == http.MethodGet || method == http.MethodHead // settings of a bucket too, which need manage
	changes := slices.Contains(changing, f.Action) && !reads
	e := gateway.AsError(f.Err)
	switch {
	case changes && f.Err == nil && status >= http.StatusOK && status < http.StatusBadRequest:
		entry(whole, outcomeChanged).Send()
	case f.Err != nil && e.Status == 0 && slices.Contains(auditedCodes, e.Code):
		if !denied {
			entry(whole, outcomeRefused).Str("rule", ruleOf(e)).Str("code", string(e.Code)).Send()
		}
	case changes && f.Begun && !refusedForCertain(status, f.Err):
		if len(f.Asked) == 0 {
			f.Asked = []gateway.Judged{whole}
		}
		for _, j := range f.Asked {
			entry(j, outcomeUnknown).Send()
		}
	}
}

// namedRefusals is how many keys a record names of those that one rule refused: a
// batch of a thousand must not write a thousand records.
const namedRefusals = 5

// refusals are the denials of a request, those by one rule together.
func refusals(all []gateway.Judged) (byRule [][]gateway.Judged) {
	type rule struct {
		action gateway.Action
		rule   string
	}
	at := map[rule]int{}
	for _, j := range all {
		if !j.Denied {
			continue
		}
		r := rule{j.Action, j.Rule}
		i, known := at[r]
		if !known {
			i, at[r] = len(byRule), len(byRule)
			byRule = append(byRule, nil)
		}
		byRule[i] = append(byRule[i], j)
	}
	return byRule
}

func firstKeys(all []gateway.Judged) (keys []string) {
	for _, j := range all[:min(len(all), namedRefusals)] {
		keys = append(keys, j.Key)
	}
	return keys
}

// refusedForCertain reports an answer after which nothing can have been changed:
// the backend's or the gateway's refusal of a request that was understood. It is
// none when the client left, whatever was written to where it had been.
func refusedForCertain(status int, err error) bool {
	if code := gateway.CodeOf(err); status == statusClientGone || code == gateway.RequestTimeout || code == gateway.StreamEnded {
		return false
	}
	if err != nil && gateway.AsError(err).Status != 0 {
		status = gateway.AsError(err).Status // the backend's, also behind a 200 that was out already
	}
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError
}

// ruleOf names what refused: the setting that did, or what the client was told.
func ruleOf(e *gateway.Error) string {
	return cmp.Or(e.Detail("Setting"), e.Message, string(e.Code))
}
