package api

import (
	"net/http"

	gateway "github.com/codeguardians/s3gateway"
)

// health is the state of the store.
type health struct {
	Status    string  `json:"status"`
	S3Enabled bool    `json:"s3_enabled"`
	Bucket    *string `json:"bucket"`
	Detail    *string `json:"detail"`
}

// health asks the backend. Anyone may know whether the service is up; bucket
// and reason are for those who may use it.
func (d *door) health(w http.ResponseWriter, r *http.Request) error {
	var err error
	if d.Health != nil {
		err = d.Health(r.Context())
	}
	answer, status := health{Status: "healthy", S3Enabled: d.S3Enabled}, http.StatusOK
	if err != nil {
		answer.Status, status = "unhealthy", http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter(gateway.AsError(err).RetryAfter))
	}
	if caller, refused := d.Auth.Caller(r); refused == nil {
		gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Caller = caller.Name })
		answer.Bucket = &d.Bucket
		if err != nil {
			e := gateway.AsError(err)
			detail := detailOf(e, kindOf(e))
			answer.Detail = &detail
		} else if d.Degraded != nil && d.Degraded() != nil {
			detail := gateway.AsError(d.Degraded()).Message
			answer.Detail = &detail
		}
	}
	return writeJSON(w, r, status, answer)
}
