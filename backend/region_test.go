package backend

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// abroad is a store whose bucket "stray" is in another region: it redirects what
// is signed for the endpoint's, in one of the ways of S3.
type abroad struct {
	*httptest.Server
	redirect func(w http.ResponseWriter)
	seen     []string // region and body of what was taken
	refused  int
	drains   bool // reads what it refuses
}

const strayRegion = "ap-southeast-2"

func newAbroad(t *testing.T, redirect func(http.ResponseWriter)) (*abroad, *Client) {
	t.Helper()
	a := &abroad{redirect: redirect}
	verifier := &signer.Verifier{Secrets: secrets{testKey: testSecret}, Regions: []string{strayRegion}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, err := signer.ParseTarget(r.RequestURI)
		if err == nil {
			_, err = verifier.Verify(r, target)
		}
		if err != nil {
			a.refused++
			if a.drains {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			w.Header().Set("Location", "http://stray.s3.attacker.example/")
			a.redirect(w)
			return
		}
		body, _ := io.ReadAll(r.Body)
		a.seen = append(a.seen, string(body))
	}))
	t.Cleanup(a.Server.Close)
	c := New(testEndpoint(t, a.URL), zerolog.Nop(), time.Now)
	t.Cleanup(c.Close)
	return a, c
}

func TestABucketOfAnotherRegionIsFoundThereAndRemembered(t *testing.T) {
	byHeader := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("X-Amz-Bucket-Region", strayRegion)
			w.WriteHeader(status)
		}
	}
	for name, redirect := range map[string]func(http.ResponseWriter){
		"301 PermanentRedirect": byHeader(301), "307 TemporaryRedirect": byHeader(307), "400 with the region in a header": byHeader(400),
		"400 AuthorizationHeaderMalformed": func(w http.ResponseWriter) {
			w.WriteHeader(400)
			fmt.Fprintf(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>%s</Region></Error>", strayRegion)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := newAbroad(t, redirect)
			for _, size := range []int{0, 5, 3 << 20} {
				body := strings.Repeat("b", size)
				resp, err := c.Do(t.Context(), Request{Method: "PUT", Bucket: "stray", Key: "key", Body: io.NopCloser(strings.NewReader(body)), Length: int64(size)})
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != 200 || a.seen[len(a.seen)-1] != body {
					t.Errorf("%d bytes: %s", size, resp.Status)
				}
			}
			if a.refused != 1 {
				t.Errorf("%d requests went to the wrong region", a.refused)
			}
		})
	}
}

// A long body that the backend refuses without asking for it first is not sent
// again; the next request goes to the right region.
func TestABodyWhoseBeginningIsGoneIsNotSentToAnotherRegion(t *testing.T) {
	a, c := newAbroad(t, func(w http.ResponseWriter) {
		w.Header().Set("X-Amz-Bucket-Region", strayRegion)
		w.WriteHeader(301)
	})
	a.drains = true
	send := func() *http.Response {
		body := strings.NewReader(strings.Repeat("b", expectContinueFrom-1))
		resp, err := c.Do(t.Context(), Request{Method: "PUT", Bucket: "stray", Key: "key", Body: io.NopCloser(body), Length: expectContinueFrom - 1})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp
	}
	if e := ReadError(send()); e.Code != gateway.ServiceUnavailable || !strings.Contains(e.Err.Error(), strayRegion) || strings.Contains(e.Message, strayRegion) {
		t.Errorf("%v", e)
	}
	if resp := send(); resp.StatusCode != 200 || len(a.seen) != 1 {
		t.Errorf("%s, %d taken", resp.Status, len(a.seen))
	}
}

// The bucket of the settings must be in the region of the settings: the typed
// client goes nowhere else, and so health says what to set.
func TestTheProbeNamesTheRegionThatTheBucketIsIn(t *testing.T) {
	_, c := newAbroad(t, func(w http.ResponseWriter) {
		w.Header().Set("X-Amz-Bucket-Region", strayRegion)
		w.WriteHeader(301)
	})
	if err := c.HeadBucket(context.Background(), "stray"); err == nil || !strings.Contains(err.Error(), "the bucket is in the region "+strayRegion) {
		t.Errorf("%v", err)
	}
}

func TestARegionThatIsNoneIsNotGoneTo(t *testing.T) {
	for _, region := range []string{"", "evil.example", "a/b", "-a", "A", "a b", strings.Repeat("a", 33), testRegion} {
		a, c := newAbroad(t, func(w http.ResponseWriter) {
			w.Header()["X-Amz-Bucket-Region"] = []string{region}
			w.WriteHeader(301)
		})
		resp, err := c.Do(t.Context(), Request{Method: "GET", Bucket: "stray", Key: "key"})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 301 || a.refused != 1 {
			t.Errorf("%q: %s, %d requests", region, resp.Status, a.refused)
		}
	}
}

func TestOnlyAWSHasAnAddressForEachRegion(t *testing.T) {
	for address, want := range map[string]string{
		"https://s3.eu-central-1.amazonaws.com": "https://s3.cn-north-1.amazonaws.com.cn", "https://s3.amazonaws.com": "https://s3.cn-north-1.amazonaws.com.cn",
		"https://minio.example:9000": "https://minio.example:9000", "https://s3.eu-central-1.amazonaws.com.evil.example": "https://s3.eu-central-1.amazonaws.com.evil.example",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		e := Endpoint{URL: u, Region: testRegion}.inRegion("cn-north-1")
		if e.URL.String() != want || e.Region != "cn-north-1" {
			t.Errorf("%s: %s", address, e.URL)
		}
	}
}

// An answer that comes early does not wait for a client that sends nothing.
func TestAnEarlyAnswerWaitsForNoClient(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(403)
	})
	client, stop := io.Pipe()
	defer stop.Close()
	go func() { _, _ = stop.Write([]byte("some")) }()
	done := make(chan int)
	go func() {
		resp, err := c.Do(context.Background(), Request{Method: "PUT", Bucket: "bucket", Key: "key", Body: client, Length: 1000})
		if err != nil {
			done <- 0
			return
		}
		resp.Body.Close()
		done <- resp.StatusCode
	}()
	select {
	case status := <-done:
		if status != 403 {
			t.Errorf("status %d", status)
		}
	case <-time.After(10 * time.Second):
		t.Error("waits for the client")
	}
}
