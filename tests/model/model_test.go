package model

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// Settings of the tests, from the environment: how many programs to run, the
// seed of the first, and how many failures to print.
const (
	programsVariable = "S3GATEWAY_MODEL_PROGRAMS"
	seedVariable     = "S3GATEWAY_MODEL_SEED"
	failuresVariable = "S3GATEWAY_MODEL_FAILURES"
)

func setting(t testing.TB, name string, or int) int {
	value := os.Getenv(name)
	if value == "" {
		return or
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("%s is %q, want a number", name, value)
	}
	return n
}

// newClient returns a client whose requests say only what the program says.
func newClient(endpoint string, transport http.RoundTripper, credentials aws.CredentialsProvider) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint), Region: "us-east-1", UsePathStyle: true, Credentials: credentials,
		HTTPClient: &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

func TestMinIOFollowsTheRulesOfS3ButForNamedDepartures(t *testing.T) {
	if name := os.Getenv(testbed.StoreVariable); name != "minio" {
		t.Skipf("%s is %q, and not minio: make test-model-minio", testbed.StoreVariable, name)
	}
	store := testbed.Open(t)
	target := &Target{Name: "minio", Keys: PlainKeys, MinPart: 5 << 20, Departures: minioDepartures,
		Client: newClient(store.Endpoint.String(), http.DefaultTransport, credentials.NewStaticCredentialsProvider(store.AccessKeyID, store.SecretAccessKey, ""))}
	runPrograms(t, func() (*Target, func()) { return target, func() {} }, setting(t, programsVariable, 200))
}

// batch is how many programs run on one store, so that what they leave behind
// does not fill the disk.
const batch = 500

// suite runs programs and collects their failures.
type suite struct {
	t      *testing.T
	seed   int
	totals Totals
	kinds  kinds
	runs   atomic.Int64
	failed atomic.Int64
	left   atomic.Int64 // failures that are still to be shrunk and printed
}

// runPrograms runs programs on stores that open returns, and reports those that
// fail.
func runPrograms(t *testing.T, open func() (target *Target, done func()), programs int) {
	s := &suite{t: t, seed: setting(t, seedVariable, 1), kinds: kinds{count: map[string]int{}}}
	s.left.Store(int64(setting(t, failuresVariable, 3)))
	began, name, departures := time.Now(), "", []Departure(nil)
	stop := make(chan struct{})
	go s.progress(stop, programs)
	for first := 0; first < programs; first += batch {
		target, done := open()
		name, departures = target.Name, target.Departures
		s.batch(target, first, min(batch, programs-first))
		done()
	}
	close(stop)
	t.Logf("%s: %d programs from seed %d in %v: %d steps, %d not sent, %d checks at the end, %d programs failed", name, programs, s.seed,
		time.Since(began).Round(time.Millisecond), s.totals.Steps.Load(), s.totals.Skipped.Load(), s.totals.Checks.Load(), s.failed.Load())
	for i, d := range departures {
		t.Logf("  %6d × %s: %s", s.totals.Departed[i].Load(), d.Name, d.Reason)
	}
	for _, kind := range sortedKeys(s.kinds.count) {
		t.Errorf("  %d programs failed by %s", s.kinds.count[kind], kind)
	}
}

// batch runs programs side by side, one after the other if they set the clock.
func (s *suite) batch(target *Target, first, programs int) {
	var next atomic.Int64
	var wg sync.WaitGroup
	workers := 4 * runtime.GOMAXPROCS(0)
	if target.Wait != nil {
		workers = 1
	}
	for range workers {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < programs; n = int(next.Add(1)) - 1 {
				s.program(target, Generate(target, uint64(s.seed+first+n)))
			}
		})
	}
	wg.Wait()
}

// program runs a program. If it fails it is shrunk, unless one that failed in the
// same way was.
func (s *suite) program(target *Target, p Program) {
	run := func(p Program) *Failure {
		return Run(s.t.Context(), target, p, fmt.Sprintf("m%d-%d-", os.Getpid(), s.runs.Add(1)), &s.totals)
	}
	f := run(p)
	if f == nil {
		return
	}
	s.failed.Add(1)
	if s.kinds.add(f.Kind()) > 1 || s.left.Add(-1) < 0 {
		return
	}
	q, f := Shrink(p, f, run)
	s.t.Errorf("seed %d, %d of %d steps:\n%s%s", p.Seed, len(q.Steps), len(p.Steps), q, f)
}

// kinds counts failures by their kind.
type kinds struct {
	sync.Mutex
	count map[string]int
}

func (k *kinds) add(kind string) int {
	k.Lock()
	defer k.Unlock()
	k.count[kind]++
	return k.count[kind]
}

// progress prints what was done until stop is closed.
func (s *suite) progress(stop chan struct{}, programs int) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			fmt.Printf("%d runs of %d programs, %d steps, %d checks\n", s.totals.Programs.Load(), programs, s.totals.Steps.Load(), s.totals.Checks.Load())
		}
	}
}
