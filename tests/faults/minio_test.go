package faults

import (
	"context"
	"flag"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/tests/faults/kills"
	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

var (
	minioFlag       = flag.String("minio", "", "the program of MinIO; empty: no test with it")
	remoteKillsFlag = flag.Int("remote-kills", 30, "kills of the gateway before MinIO")
)

const (
	minioUser, minioSecret = "faults-root", "faults-root-secret"
	minioBucket            = "files"
)

// startMinIO runs a MinIO with an empty bucket and returns its address.
func startMinIO(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	program, err := filepath.Abs(*minioFlag)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "server", "--quiet", "--address", addr, "--console-address", "127.0.0.1:0", t.TempDir())
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+minioUser, "MINIO_ROOT_PASSWORD="+minioSecret, "MINIO_CI_CD=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	client := workload.NewClient("http://"+addr, credentials.NewStaticCredentialsProvider(minioUser, minioSecret, ""), http.DefaultTransport)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(minioBucket)})
		if err == nil {
			return addr
		}
		select {
		case <-ctx.Done():
			t.Fatalf("MinIO does not serve: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// The gateway before MinIO is killed under load while the network between them
// flips bytes, cuts, truncates and stalls: what the upload API acknowledged is
// there with its bytes, and nothing is there by half.
func TestNothingIsLostByKillsAndABadNetworkBeforeMinIO(t *testing.T) {
	if *minioFlag == "" {
		t.Skip("-minio names no program: make test-faults-minio does")
	}
	program, err := filepath.Abs(*gatewayFlag)
	if err != nil {
		t.Fatal(err)
	}
	g, err := kills.NewGateway(program, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wire, err := kills.NewWire(startMinIO(t), rand.New(rand.NewPCG(*seedFlag, 5)))
	if err != nil {
		t.Fatal(err)
	}
	defer wire.Close()
	g.Settings = []string{
		"S3_ENABLED=true", "S3_ENDPOINT_URL=http://" + wire.Addr, "S3_BUCKET_NAME=" + minioBucket, "S3_REGION=us-east-1",
		"S3_ACCESS_KEY_ID=" + minioUser, "S3_SECRET_ACCESS_KEY=" + minioSecret,
	}
	c := &kills.Campaign{Gateway: g, Rand: rand.New(rand.NewPCG(*seedFlag, 4)), Clients: 4, BadNetwork: true}
	if err := c.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer g.Kill()
	table := rig.NewTable("rounds with kills of the gateway and a bad network before MinIO")
	defer func() {
		table.Write(t.Output())
		for kind := kills.FlipUp; kind <= kills.Stall; kind++ {
			t.Logf("%s: %d times", kind, wire.Happened[kind].Load())
		}
		t.Logf("%d kills", c.Kills)
	}()
	for round := 1; c.Kills < *remoteKillsFlag; round++ {
		before := c.Steps
		bad, err := c.Round(t.Context(), true)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		table.Add("clients repeat what was not answered", c.Steps-before, bad)
		for _, v := range bad {
			t.Errorf("round %d: %s", round, v)
		}
		if round%sweepEvery == 0 {
			t.Logf("%d kills", c.Kills)
		}
	}
}
