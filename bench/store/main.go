// Command store compares the embedded store, through the gateway, with MinIO
// alone, on the same disk and with every write synced. It starts both, runs each
// load on the one and then on the other, round by round, and prints medians and
// their ratio. Only ratios of one run mean something: machines differ, and so do
// moments on one machine.
//
//	go run ./bench/store --gateway bin/s3gateway --minio .cache/minio
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// load is one kind of request, repeated by clients side by side.
type load struct {
	name    string
	method  string
	size    int
	clients int
	keys    int // how many keys the requests go around
	// perByte compares CPU time of the server for each GiB, otherwise requests
	// for each second are compared.
	perByte bool
	goal    string
}

var loads = []load{
	{name: "PUT 4 KiB", method: http.MethodPut, size: 4 << 10, clients: 16, keys: 5000, goal: ">= 1.5 x"},
	{name: "GET 4 KiB", method: http.MethodGet, size: 4 << 10, clients: 32, keys: 1000, goal: ">= 1.5 x"},
	{name: "PUT 64 MiB", method: http.MethodPut, size: 64 << 20, clients: 4, keys: 4, perByte: true, goal: "<= 0.8 x"},
	{name: "GET 64 MiB", method: http.MethodGet, size: 64 << 20, clients: 4, keys: 4, perByte: true, goal: "<= 0.5 x"},
}

func main() {
	gateway := flag.String("gateway", "bin/s3gateway", "the gateway's binary")
	minio := flag.String("minio", ".cache/minio", "MinIO's binary")
	dir := flag.String("dir", "", "folder on the disk to measure; empty: the system's for temporary files")
	rounds := flag.Int("rounds", 5, "rounds of each load on each server")
	seconds := flag.Duration("round", 4*time.Second, "how long a round takes")
	flag.Parse()
	if err := run(*gateway, *minio, *dir, *rounds, *seconds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(gateway, minio, dir string, rounds int, round time.Duration) error {
	folder, err := os.MkdirTemp(dir, "s3gateway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	var servers []*server
	for _, start := range []func() (*server, error){
		func() (*server, error) { return startGateway(gateway, folder) },
		func() (*server, error) { return startMinIO(minio, folder) },
	} {
		s, err := start()
		if err != nil {
			return err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	fmt.Printf("%-12s %26s %26s %8s  %s\n", "", servers[0].name, servers[1].name, "ratio", "goal")
	for _, l := range loads {
		figures := [2][]float64{}
		for i, s := range servers {
			if l.method == http.MethodGet {
				if err := s.fill(l); err != nil {
					return fmt.Errorf("%s: %w", servers[i].name, err)
				}
			}
		}
		for range rounds {
			for i, s := range servers {
				figure, err := s.measure(l, round)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", s.name, l.name, err)
				}
				figures[i] = append(figures[i], figure)
			}
		}
		print(l, figures)
	}
	return nil
}

func print(l load, figures [2][]float64) {
	unit := "requests/s"
	if l.perByte {
		unit = "CPU-s/GiB"
	}
	text := func(f []float64) string {
		slices.Sort(f)
		return fmt.Sprintf("%.2f (%.2f-%.2f) %s", f[len(f)/2], f[0], f[len(f)-1], unit)
	}
	own, other := text(figures[0]), text(figures[1])
	ratio := figures[0][len(figures[0])/2] / figures[1][len(figures[1])/2]
	fmt.Printf("%-12s %26s %26s %8.2f  %s\n", l.name, own, other, ratio, l.goal)
}

// fill stores what is read later.
func (s *server) fill(l load) error {
	put := l
	put.method = http.MethodPut
	body := bodyOf(l.size)
	for i := range l.keys {
		if err := s.request(put, i, body); err != nil {
			return err
		}
	}
	return nil
}

func bodyOf(size int) []byte {
	return bytes.Repeat([]byte("0123456789abcdef"), size/16)
}

// measure runs a load for a while and returns requests for each second, or CPU
// seconds of the server for each GiB.
func (s *server) measure(l load, round time.Duration) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	body, next := bodyOf(l.size), atomic.Int64{}
	before, began := s.cpu(), time.Now()
	for range l.clients {
		running.Go(func() {
			for time.Since(began) < round && failed.Load() == nil {
				if err := s.request(l, int(next.Add(1))%l.keys, body); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	running.Wait()
	took, used := time.Since(began).Seconds(), s.cpu()-before
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	if l.perByte {
		return used / (float64(done.Load()) * float64(l.size) / (1 << 30)), nil
	}
	return float64(done.Load()) / took, nil
}

// request sends one request and reads its answer.
func (s *server) request(l load, key int, body []byte) error {
	url := fmt.Sprintf("http://%s/%s/%s-%d", s.address, bucket, strings.ReplaceAll(l.name[4:], " ", ""), key)
	var reader io.Reader
	if l.method == http.MethodPut {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequest(l.method, url, reader)
	if err != nil {
		return err
	}
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	keys := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
	if err := signer.SignHTTP(context.Background(), keys, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now()); err != nil {
		return err
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return fmt.Errorf("%s %s: %s %s", l.method, url, resp.Status, text)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && l.method == http.MethodGet && n != int64(l.size) {
		err = fmt.Errorf("%s: %d bytes, want %d", url, n, l.size)
	}
	return err
}

var signer = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
