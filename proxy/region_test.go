package proxy

import (
	"net/http"
	"strings"
	"testing"
)

// Clients sign for the region that an answer names, so it must be one that the
// gateway takes.
func TestClientsAreToldTheRegionThatTheyMaySignFor(t *testing.T) {
	for _, c := range []struct{ backends, constraint, header, location string }{
		{"eu-west-1", "eu-west-1", "eu-central-1", "eu-central-1"},
		{"eu-central-1", "eu-central-1", "eu-central-1", "eu-central-1"},
		{"us-east-1", "", "us-east-1", ""},
		{"eu-west-1", "EU", "eu-central-1", "eu-central-1"},
	} {
		r := newRig(t, func(r *rig) { r.door.Verifier.Regions = []string{"eu-central-1", "us-east-1"} })
		r.backend.answers(func(w http.ResponseWriter, q *http.Request, _ seen) {
			w.Header().Set("X-Amz-Bucket-Region", c.backends)
			if q.Method == http.MethodGet {
				_, _ = w.Write([]byte(`<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + c.constraint + `</LocationConstraint>`))
			}
		})
		if a := r.do(call{method: "HEAD", path: "/bucket"}); a.header.Get("X-Amz-Bucket-Region") != c.header {
			t.Errorf("%s: HEAD says %q", c.backends, a.header.Get("X-Amz-Bucket-Region"))
		}
		if a := r.do(call{path: "/bucket", query: "location"}); a.status != 200 || !strings.Contains(a.body, `">`+c.location+`</LocationConstraint>`) {
			t.Errorf("%s: %d %s", c.constraint, a.status, a.body)
		}
	}
}

func TestARefusedRegionNeverReachesAClient(t *testing.T) {
	r := newRig(t)
	r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
		w.Header().Set("Location", "http://bucket.s3.backend.example/")
		w.WriteHeader(http.StatusMovedPermanently)
		_, _ = w.Write([]byte("<Error><Code>PermanentRedirect</Code><Message>m</Message><Endpoint>backend.example</Endpoint></Error>"))
	})
	a := r.do(call{path: "/bucket/key"})
	r.refused(a, 503, "ServiceUnavailable", "Access denied to S3 bucket")
	if strings.Contains(a.body, "backend.example") || a.header.Get("Location") != "" {
		t.Errorf("%s %v", a.body, a.header)
	}
}
