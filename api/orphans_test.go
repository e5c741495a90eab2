package api

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
)

// Parts whose gateway was killed, and of which nothing is known any more, are
// found by their age. What somebody may still be writing stays.
func TestPartsOfADeadGatewayAreSwept(t *testing.T) {
	b := newReal(t, 0)
	now := time.Now()
	store := b.options.Resumable
	begin := func(key string) {
		if _, err := b.bed.Client(t).CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: aws.String(key)}); err != nil {
			t.Fatal(err)
		}
	}
	orphan := "uploads/2026/11/24/12345678-1234-4234-8234-123456789012-a.bin"
	clients := []string{"uploads/backup.tar", "other/2026/11/24/12345678-1234-4234-8234-123456789012-a.bin"}
	begin(orphan)
	for _, key := range clients {
		begin(key)
	}
	body := randomBytes(statePart + 100)
	path := b.begin(len(body) + 1)
	if got := b.chunk(path, 0, body); got.status != 204 {
		t.Fatal(got.body)
	}
	sweep := func(at time.Time, want int) {
		t.Helper()
		if n, err := store.SweepParts(t.Context(), "uploads", at); n != want || err != nil {
			t.Errorf("swept %d, %v; want %d", n, err, want)
		}
	}
	sweep(now.Add(orphanAge-time.Hour), 0)
	sweep(now.Add(orphanAge+time.Hour), 1)
	sweep(now.Add(orphanAge+time.Hour), 0)
	left := b.multiparts()
	for _, key := range clients {
		if left[key] == "" {
			t.Errorf("%s is gone", key)
		}
	}
	if left[orphan] != "" || len(left) != len(clients)+1 {
		t.Errorf("left: %v", left)
	}
	if got := b.chunk(path, len(body), []byte("x")); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	b.wantFile(path, append(body, 'x'))
	b.abortParts()
}

// A state that cannot be read may be of any parts: none are taken.
func TestPartsStayWhereAStateCannotBeRead(t *testing.T) {
	b := newReal(t, 0)
	key := "uploads/2026/11/24/12345678-1234-4234-8234-123456789012-a.bin"
	if _, err := b.bed.Client(t).CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: &key}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.bed.Client(t).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String(uploadRecords + "x"), Body: bytes.NewReader([]byte("{\n"))}); err != nil {
		t.Fatal(err)
	}
	if n, err := b.options.Resumable.SweepParts(t.Context(), "uploads", time.Now().Add(2*orphanAge)); n != 0 || err == nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if len(b.multiparts()) != 1 {
		t.Error("the parts are gone")
	}
	b.abortParts()
}

// Two replicas without a lock in common read one state. The first that writes it
// wins; the other is told so, and nothing of its chunk counts.
func TestAReplicaThatLostTheStateIsTold(t *testing.T) {
	b := newReal(t, 0)
	path := b.begin(10)
	r, err := http.NewRequest("PATCH", path, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := path[len(Root+"/resumable/"):]
	store := b.options.Resumable
	slow := &upload{id: id}
	tail, err := store.loadState(r.Context(), slow)
	if err != nil {
		t.Fatal(err)
	}
	tail.Close()
	if got := b.chunk(path, 0, []byte("abcd")); got.status != 204 {
		t.Fatal(got.body)
	}
	d := &door{Options: b.options}
	d.Now = time.Now
	err = d.saveUpload(r.Context(), slow, []byte("WRONG"))
	if gateway.CodeOf(err) != uploadLocked || kindOf(gateway.AsError(err)).status != http.StatusLocked {
		t.Fatalf("the slow replica: %v", err)
	}
	b.wantOffset(path, 4)
	if got := b.chunk(path, 4, []byte("efghij")); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	b.wantFile(path, []byte("abcdefghij"))
}
