package quota

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
)

// Until what is there has been counted nothing is stored, people are told why,
// and the log says it once.
func TestNothingIsStoredBeforeItIsCounted(t *testing.T) {
	var log bytes.Buffer
	k := NewKeeper(Options{Every: time.Hour, Wait: 10 * time.Millisecond, Now: time.Now, Log: zerolog.New(&log)})
	q := Quota{Name: "bucket a", Places: []Place{{Backend: "away", Bucket: "a"}}, Most: Usage{Bytes: 10}, BytesSetting: "quota_bytes of bucket a"}
	k.Use(NewRules([]Quota{q}))
	for range 2 {
		for _, q := range k.all() {
			k.count(t.Context(), q)
		}
	}
	_, _, err := k.reserve(t.Context(), &q, Usage{1, 1}, q.Most)
	if e := gateway.AsError(err); e.Code != gateway.ServiceUnavailable || e.RetryAfter <= 0 || !strings.Contains(e.Message, "bucket a") || strings.Contains(e.Message, "away") {
		t.Errorf("%+v", e)
	}
	if err := k.Err(); gateway.CodeOf(err) != gateway.ServiceUnavailable {
		t.Errorf("health: %v", err)
	}
	if n := strings.Count(log.String(), "could not be counted"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, &log)
	}
	if len(k.Reports()) != 0 {
		t.Errorf("%+v", k.Reports())
	}
	_ = k.local.Counted(t.Context(), q.Name, Usage{9, 1}, Usage{})
	if _, over, err := k.reserve(t.Context(), &q, Usage{1, 1}, q.Most); over != Fits || err != nil {
		t.Errorf("after counting: %v %v", over, err)
	}
}

// A counting that failed is tried again soon, not when the next one would be.
func TestACountingThatFailedIsTriedAgain(t *testing.T) {
	now := time.Unix(0, 0)
	k := NewKeeper(Options{Every: time.Hour, Now: func() time.Time { return now }})
	q := Quota{Name: "q", Places: []Place{{Backend: "away"}}}
	_ = k.local.Counted(t.Context(), q.Name, Usage{}, Usage{})
	for _, after := range []time.Duration{0, time.Hour, soon, soon} {
		now = now.Add(after)
		if after > 0 && !k.due(t.Context(), q.Name) {
			t.Errorf("%v after a counting that failed it is not tried again", after)
		}
		k.count(t.Context(), &q)
		if k.due(t.Context(), q.Name) {
			t.Error("it is tried without a pause")
		}
	}
}

// A replica that starts counts what others have counted: when it ended it may
// not have settled everything.
func TestAReplicaThatStartsCounts(t *testing.T) {
	now := time.Unix(0, 0)
	k := NewKeeper(Options{Every: time.Hour, Now: func() time.Time { return now }})
	_ = k.local.Counted(t.Context(), "q", Usage{}, Usage{})
	if k.due(t.Context(), "q") {
		t.Error("all replicas that start count at once")
	}
	now = now.Add(soon)
	if !k.due(t.Context(), "q") {
		t.Error("it waits for the next counting")
	}
}

// Who waits for the counting is served when it is done.
func TestAWriteWaitsForTheFirstCounting(t *testing.T) {
	k := NewKeeper(Options{Every: time.Hour, Wait: time.Minute, Now: time.Now})
	q := Quota{Name: "q", Most: Usage{Bytes: 10}} // of no place: there is nothing to list
	k.Use(NewRules([]Quota{q}))
	done := make(chan error, 1)
	go func() {
		_, _, err := k.reserve(context.Background(), &q, Usage{1, 1}, q.Most)
		done <- err
	}()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go k.Run(ctx)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A quota is counted at the start, every hour, and soon where it is in doubt; not
// again before ten times the time that it took.
func TestWhenAQuotaIsDue(t *testing.T) {
	now := time.Unix(0, 0)
	k := NewKeeper(Options{Every: time.Hour, Now: func() time.Time { return now }})
	due := func(want bool, when string) {
		t.Helper()
		if got := k.due(t.Context(), "q"); got != want {
			t.Errorf("%s: due %v", when, got)
		}
	}
	due(true, "at the start")
	_ = k.local.Counted(t.Context(), "q", Usage{}, Usage{})
	k.counted["q"] = counting{number: 1, at: now, took: 10 * time.Second}
	due(false, "after it")
	k.doubt("q")
	now = now.Add(99 * time.Second)
	due(false, "in doubt, too early")
	now = now.Add(time.Second)
	due(true, "in doubt")
	delete(k.doubtful, "q")
	due(false, "without doubt")
	now = now.Add(time.Hour)
	due(true, "an hour later")
	_ = k.local.Counted(t.Context(), "q", Usage{}, Usage{})
	due(false, "when another one counted it")
}

// A new configuration has those quotas counted that it brings or moves; to list
// the others would only cost.
func TestWhichQuotasANewConfigurationHasCounted(t *testing.T) {
	quota := func(places ...Place) Quota { return Quota{Name: "q", Places: places} }
	old := quota(Place{Backend: "b", Prefix: "a/", Meaning: "every bucket"})
	for _, c := range []struct {
		name    string
		now     Quota
		counted bool
	}{
		{"the same", old, false},
		{"the same, larger", Quota{Name: "q", Places: old.Places, Most: Usage{Bytes: 5}}, false},
		{"another name", Quota{Name: "r", Places: old.Places}, true},
		{"another prefix", quota(Place{Backend: "b", Prefix: "a", Meaning: "every bucket"}), true},
		{"another backend", quota(Place{Backend: "c", Prefix: "a/", Meaning: "every bucket"}), true},
		{"other buckets", quota(Place{Backend: "b", Prefix: "a/", Meaning: "every bucket but x"}), true},
		{"one bucket", quota(Place{Backend: "b", Bucket: "x", Prefix: "a/"}), true},
		{"one place more", quota(old.Places[0], Place{Backend: "b", Bucket: "x"}), true},
	} {
		k := NewKeeper(Options{})
		k.Use(NewRules([]Quota{old}))
		k.Use(NewRules([]Quota{c.now}))
		if got := k.doubtful[c.now.Name]; got != c.counted {
			t.Errorf("%s: counted %v, want %v", c.name, got, c.counted)
		}
	}
}
