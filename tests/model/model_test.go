package model

import (
	"context"
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
	runPrograms(t, target, setting(t, programsVariable, 200))
}

// runPrograms runs programs side by side, and shrinks and reports those that
// fail.
func runPrograms(t *testing.T, target *Target, programs int) {
	seed := setting(t, seedVariable, 1)
	left := atomic.Int64{}
	left.Store(int64(setting(t, failuresVariable, 3)))
	began, totals := time.Now(), &Totals{}
	var next, runs, failed atomic.Int64
	var wg sync.WaitGroup
	run := func(p Program) *Failure {
		return Run(t.Context(), target, p, fmt.Sprintf("m%d-%d-", os.Getpid(), runs.Add(1)), totals)
	}
	kinds := &kinds{count: map[string]int{}}
	stop := make(chan struct{})
	go report(t.Context(), stop, target, totals, programs)
	workers := 4 * runtime.GOMAXPROCS(0)
	if target.Wait != nil {
		workers = 1
	}
	for range workers {
		wg.Go(func() {
			for n := next.Add(1) - 1; n < int64(programs); n = next.Add(1) - 1 {
				p := Generate(target, uint64(seed)+uint64(n))
				f := run(p)
				if f == nil {
					continue
				}
				failed.Add(1)
				if kinds.add(f.Kind()) > 1 || left.Add(-1) < 0 {
					continue
				}
				q, f := Shrink(p, f, run)
				t.Errorf("seed %d, %d of %d steps:\n%s%s", p.Seed, len(q.Steps), len(p.Steps), q, f)
			}
		})
	}
	wg.Wait()
	close(stop)
	t.Logf("%s: %d programs from seed %d in %v: %d steps, %d not sent, %d checks at the end, %d programs failed", target.Name, programs, seed,
		time.Since(began).Round(time.Millisecond), totals.Steps.Load(), totals.Skipped.Load(), totals.Checks.Load(), failed.Load())
	for i, d := range target.Departures {
		t.Logf("  %6d × %s: %s", totals.Departed[i].Load(), d.Name, d.Reason)
	}
	for _, kind := range sortedKeys(kinds.count) {
		t.Errorf("  %d programs failed by %s", kinds.count[kind], kind)
	}
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

// report prints the progress until stop is closed.
func report(ctx context.Context, stop chan struct{}, target *Target, totals *Totals, programs int) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			fmt.Printf("%s: %d of %d programs, %d steps, %d checks\n", target.Name, totals.Programs.Load(), programs, totals.Steps.Load(), totals.Checks.Load())
		}
	}
}
