package faults

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
	"github.com/codeguardians/s3gateway/tests/faults/kills"
	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// The gateway as a whole on a disk that refuses: writes are 507 or 503 on both
// frontends, reads go on, health says why, and it works again without a restart.
func TestTheGatewaySaysThatItsDiskRefusesAndWorksAgain(t *testing.T) {
	for _, trouble := range diskTroubles {
		if !trouble.fault.Sticky || trouble.fault.Path != "" {
			continue // the object is so small that it has no file
		}
		t.Run(trouble.name, func(t *testing.T) {
			trouble.fault.N = 1
			d := rig.New(t).NewDisk()
			d.Mount()
			g := startGateway(t, d.Dir())
			put(t, g, "before", http.StatusOK)
			d.Inject(trouble.fault)
			put(t, g, "during", http.StatusInsufficientStorage, http.StatusServiceUnavailable)
			if status, body := g.Ask(t.Context(), http.MethodPut, "/direct?filename=during.bin", []byte("x")); status != 507 && status != 503 {
				t.Errorf("upload API: status %d: %s", status, body)
			}
			// Health remembers its last answer for a second.
			await(t, "health does not say that the disk refuses", func() bool {
				status, body := g.Ask(t.Context(), http.MethodGet, "/health", nil)
				return status == 503 && !strings.Contains(body, `"detail":null`)
			})
			if status := get(t, g, "before"); status != http.StatusOK {
				t.Errorf("GET while the disk refuses: status %d", status)
			}
			d.Lift()
			await(t, "the gateway does not get healthy again", func() bool {
				status, _ := g.Ask(t.Context(), http.MethodGet, "/health", nil)
				return status == 200
			})
			put(t, g, "after", http.StatusOK)

			d = cutPower(g, d)
			defer d.Drop()
			g = startGateway(t, d.Dir())
			for key, want := range map[string]int{"before": 200, "during": 404, "after": 200} {
				if status := get(t, g, key); status != want {
					t.Errorf("after a power cut: GET of %q: status %d, wanted %d", key, status, want)
				}
			}
			g.Kill() // before its disk is unmounted
		})
	}
}

// startGateway starts the program with its data on a disk.
func startGateway(t *testing.T, dir string) *kills.Gateway {
	t.Helper()
	program, err := filepath.Abs(*gatewayFlag)
	if err != nil {
		t.Fatal(err)
	}
	g, err := kills.NewGateway(program, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Kill)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

// cutPower cuts the power of a gateway's disk, and returns what is left,
// mounted.
func cutPower(g *kills.Gateway, d *rig.Disk) *rig.Disk {
	d.Hold()
	left := d.Cut(disk.LoseAll, 0)
	d.Die()
	g.Kill()
	d.Drop()
	left.Mount()
	return left
}

func client(g *kills.Gateway) *s3.Client {
	return workload.NewClient(g.URL, g.Keys(), http.DefaultTransport)
}

func put(t *testing.T, g *kills.Gateway, key string, allowed ...int) {
	t.Helper()
	_, err := client(g).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: &key, Body: strings.NewReader(key)})
	for _, status := range allowed {
		if workload.StatusOf(err) == status {
			return
		}
	}
	t.Errorf("PUT of %q: %v, wanted %v", key, err, allowed)
}

func get(t *testing.T, g *kills.Gateway, key string) int {
	t.Helper()
	out, err := client(g).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: &key})
	if err == nil {
		_ = out.Body.Close()
	}
	return workload.StatusOf(err)
}

func await(t *testing.T, otherwise string, fn func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !fn() {
		select {
		case <-ctx.Done():
			t.Fatal(otherwise)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
