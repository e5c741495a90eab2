package main

import (
	"cmp"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/counted"
	"github.com/codeguardians/s3gateway/internal/localstore"
)

// metrics are what /metrics shows. Labels have few values: no key, no address,
// no caller is one.
type metrics struct {
	registry  *prometheus.Registry
	codes     map[gateway.Code]bool
	requests  *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	cache     *prometheus.CounterVec
	inFlight  prometheus.Gauge
	durations *prometheus.HistogramVec
}

func newMetrics(redis *sharing) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "s3gateway", Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(), codes: map[gateway.Code]bool{},
		requests: counter("requests_total", "Requests that were answered, by HTTP status.", "door", "operation", "status"),
		refusals: counter("refusals_total", "Requests that were refused or failed, by error code.", "door", "code"),
		bytes:    counter("bytes_total", "Bytes of bodies: in are requests', out answers'.", "door", "direction"),
		cache:    counter("cache_requests_total", "Answers that the metadata cache could have given.", "result"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "s3gateway", Name: "requests_in_flight", Help: "Requests under way."}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "s3gateway", Name: "request_seconds",
			Help: "Time from the request's header to the end of its answer.", Buckets: []float64{.005, .02, .1, .5, 2, 10, 60, 600}}, []string{"door"}),
	}
	for _, code := range gateway.Codes() {
		m.codes[code] = true
	}
	m.registry.MustRegister(m.requests, m.refusals, m.bytes, m.cache, m.inFlight, m.durations,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if redis.redis != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "s3gateway", Name: "redis_up",
			Help: "1 while Redis answers, 0 while limits are local."}, func() float64 {
			if redis.Err() != nil {
				return 0
			}
			return 1
		}))
	}
	return m
}

// watchStore shows what the scrub of the embedded store has done.
func (m *metrics) watchStore(s *localstore.ScrubFigures) {
	for _, c := range []struct {
		name, help string
		value      *atomic.Int64
	}{
		{"store_scrubbed_bytes_total", "Bytes that the scrub of the embedded store has read.", &s.Bytes},
		{"store_scrubbed_rows_total", "Rows of the database that it has read.", &s.Rows},
		{"store_damaged_total", "Rows and files that it found damaged.", &s.Damaged},
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "s3gateway", Name: c.name, Help: c.help},
			func() float64 { return float64(c.value.Load()) }))
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "s3gateway", Name: "store_scrub_finished_seconds",
		Help: "When the last whole pass of the scrub ended, in seconds since 1970; 0: none yet."},
		func() float64 { return float64(s.Finished.Load()) }))
}

// handler serves /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count counts each request when it is over. It stands right inside of
// recordRequests, whose record and recorder it reads.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen, recorded := w.(*recorder)
		if !recorded {
			next.ServeHTTP(w, r)
			return
		}
		body := &counted.Body{ReadCloser: r.Body}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = body
		}
		m.inFlight.Inc()
		began := time.Now()
		defer func() {
			m.inFlight.Dec()
			status := seen.status
			if status == 0 {
				status = statusClientGone
			}
			f := gateway.RecordFrom(r.Context()).Snapshot()
			m.observe(f, status, body.Bytes(), seen.bytes, time.Since(began))
		}()
		next.ServeHTTP(w, r)
	})
}

// observe counts one request. f is its record, in and out are the bytes of its
// bodies.
func (m *metrics) observe(f gateway.Fields, status int, in, out int64, took time.Duration) {
	door, operation := cmp.Or(string(f.Door), "none"), cmp.Or(f.Operation, "none")
	m.requests.WithLabelValues(door, operation, strconv.Itoa(status)).Inc()
	m.bytes.WithLabelValues(door, "in").Add(float64(in))
	m.bytes.WithLabelValues(door, "out").Add(float64(out))
	m.durations.WithLabelValues(door).Observe(took.Seconds())
	if f.Cache != "" {
		m.cache.WithLabelValues(f.Cache).Inc()
	}
	if f.Err == nil {
		return
	}
	code := gateway.CodeOf(f.Err)
	if !m.codes[code] {
		code = "Other" // a backend's own: it may have any name
	}
	m.refusals.WithLabelValues(door, string(code)).Inc()
}
