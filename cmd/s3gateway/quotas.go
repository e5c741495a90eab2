package main

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/quota"
)

const (
	// quotaCounting is how often what is stored is counted anew.
	quotaCounting = time.Hour
	// quotaWait is how long an upload waits for the first counting.
	quotaWait = 5 * time.Second
)

func newQuotas(s *sharing, log zerolog.Logger, now func() time.Time) *quota.Keeper {
	return quota.NewKeeper(quota.Options{Shared: s.quotas, Every: quotaCounting, Wait: quotaWait, Now: now, Log: log})
}

// guardBackends has all requests to the backends pass the quotas and the locks of
// their keys, whichever door
// they come by.
func (a *app) guardBackends() {
	locks := newKeyLocks(a.redis) // one, because two backends may be one store
	if a.client != nil {
		a.client.Guard, a.client.Locks = a.quotas.Guard(a.client), locks
	}
	for _, c := range a.further {
		c.Guard, c.Locks = a.quotas.Guard(c), locks
	}
	a.counted.registry.MustRegister(quotaMetrics{a.quotas}, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "s3gateway", Name: "read_mismatches_total", Help: "Answers of backends that were cut, because their bytes differ from the object's checksum.",
	}, a.mismatches))
}

// mismatches counts those of all backends.
func (a *app) mismatches() float64 {
	total := int64(0)
	if a.client != nil {
		total = a.client.Mismatches()
	}
	for _, c := range a.further {
		total += c.Mismatches()
	}
	return float64(total)
}

// underQuotas holds each request to the quotas that were in force when it began.
func underQuotas(rules *quota.Rules) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(quota.Under(r.Context(), rules)))
		})
	}
}

// quotasOf are the quotas of the configuration, in the backends' names. main is
// the name of the backend of the S3_* settings.
func quotasOf(cfg *config.Config, main string) *quota.Rules {
	m := quotaMap{cfg: cfg, main: main}
	if cfg.QuotaBytes > 0 {
		prefix := ""
		if cfg.PolicyScope == "uploads" {
			prefix = strings.TrimSuffix(cfg.UploadPrefix, "/") + "/"
		}
		m.all = append(m.all, quota.Quota{
			Name: "QUOTA_BYTES", BytesSetting: "QUOTA_BYTES", Most: quota.Usage{Bytes: cfg.QuotaBytes},
			Places: []quota.Place{{Backend: main, Bucket: cfg.BucketName, Prefix: strings.TrimPrefix(prefix, "/")}},
		})
	}
	for _, b := range cfg.Buckets {
		m.add("", "bucket "+b.Name, b.Limits, m.places([]string{b.Name}, ""))
		for _, p := range b.Parts {
			m.add("", fmt.Sprintf("bucket %s, keys that begin %q", b.Name, p.Prefix), p.Limits, m.places([]string{b.Name}, p.Prefix))
		}
	}
	for _, c := range cfg.Callers {
		m.addCaller(c)
	}
	return quota.NewRules(m.all)
}

// quotaMap finds the places of quotas at the backends.
type quotaMap struct {
	cfg  *config.Config
	main string
	all  []quota.Quota
}

// addCaller takes the quotas of a caller. The one of all that it stores holds
// for where it may write: nothing else tells whose an object is.
func (m *quotaMap) addCaller(c config.Caller) {
	var granted []quota.Place
	for _, g := range c.Grants {
		if !g.Deny && slices.Contains(g.Actions, gateway.Write) {
			granted = append(granted, m.places(g.Buckets, g.Prefix)...)
		}
	}
	m.add(c.Name, "caller "+c.Name, c.Limits, granted)
	for _, p := range c.Parts {
		of, buckets := "caller "+c.Name, p.Buckets
		if len(buckets) > 0 {
			of += " in " + strings.Join(buckets, ", ")
		} else {
			buckets = []string{"*"}
		}
		if p.Prefix != "" {
			of += fmt.Sprintf(", keys that begin %q", p.Prefix)
		}
		m.add(c.Name, of, p.Limits, m.places(buckets, p.Prefix))
	}
}

func (m *quotaMap) add(caller, of string, l config.Limits, places []quota.Place) {
	if l.QuotaBytes <= 0 && l.QuotaObjects <= 0 || len(places) == 0 {
		return
	}
	name := of
	for n := 2; slices.ContainsFunc(m.all, func(q quota.Quota) bool { return q.Name == name }); n++ {
		name = fmt.Sprintf("%s (%d)", of, n)
	}
	m.all = append(m.all, quota.Quota{
		Name: name, Caller: caller, Places: places, Most: quota.Usage{Bytes: l.QuotaBytes, Objects: l.QuotaObjects},
		BytesSetting: "quota_bytes of " + of, ObjectsSetting: "quota_objects of " + of,
	})
}

// places are where the keys of some buckets are that begin with a prefix, of
// those buckets that clients see.
func (m *quotaMap) places(names []string, prefix string) (all []quota.Place) {
	fits := func(bucket string) bool { return matchesAny(names, bucket) }
	for _, b := range m.cfg.Buckets {
		if !fits(b.Name) {
			continue
		}
		name := m.main
		if b.Backend != config.DefaultBackend {
			name = furtherName(b.Backend)
		}
		all = append(all, quota.Place{Backend: name, Bucket: b.Bucket, Prefix: b.Prefix + prefix})
	}
	// All others are buckets of the settings' backend under their own names.
	visible := func(bucket string) bool {
		mapped := slices.ContainsFunc(m.cfg.Buckets, func(b config.Bucket) bool { return b.Name == bucket })
		return !mapped && (matchesAny(m.cfg.ExposeBuckets, bucket) || bucket == m.cfg.BucketName)
	}
	wild := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.ContainsAny(name, "*?") })
	for _, name := range names {
		if !slices.Contains(wild, name) && visible(name) {
			all = append(all, quota.Place{Backend: m.main, Bucket: name, Prefix: prefix})
		}
	}
	if len(wild) > 0 {
		mapped := make([]string, len(m.cfg.Buckets))
		for i, b := range m.cfg.Buckets {
			mapped[i] = b.Name
		}
		all = append(all, quota.Place{
			Backend: m.main, Prefix: prefix,
			Buckets: func(bucket string) bool { return visible(bucket) && matchesAny(wild, bucket) },
			Meaning: fmt.Sprintf("%q of %q and %q without %q", wild, m.cfg.ExposeBuckets, m.cfg.BucketName, mapped),
		})
	}
	return all
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}

// quotaMetrics shows how much of each quota is used.
type quotaMetrics struct{ keeper *quota.Keeper }

// Describe sends nothing: which quotas there are changes.
func (quotaMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends what is used of each quota that was counted, and the quota.
func (m quotaMetrics) Collect(to chan<- prometheus.Metric) {
	labels := []string{"quota", "of"}
	used := prometheus.NewDesc("s3gateway_quota_used", "What is stored under a quota, in bytes and objects.", labels, nil)
	most := prometheus.NewDesc("s3gateway_quota_most", "The quota. Without one of bytes or objects there is no line.", labels, nil)
	for _, r := range m.keeper.Reports() {
		for _, of := range []struct {
			what       string
			used, most int64
		}{{"bytes", r.Used.Bytes, r.Most.Bytes}, {"objects", r.Used.Objects, r.Most.Objects}} {
			to <- prometheus.MustNewConstMetric(used, prometheus.GaugeValue, float64(of.used), r.Name, of.what)
			if of.most > 0 {
				to <- prometheus.MustNewConstMetric(most, prometheus.GaugeValue, float64(of.most), r.Name, of.what)
			}
		}
	}
}
