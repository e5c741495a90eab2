package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// racers is how many write one key at once.
const racers = 32

// condition is what a conditional write expects of the key.
type condition struct{ ifMatch, ifNoneMatch *string }

// statusOf gives the status of a write: 200 without an error.
func statusOf(err error) int {
	var answered *smithyhttp.ResponseError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &answered):
		return answered.HTTPStatusCode()
	}
	return 0
}

// putIf is a conditional PutObject, prepared.
func (w *world) putIf(key string, n int, c condition) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := w.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: &key, Body: bytes.NewReader(racerBody(n)), IfMatch: c.ifMatch, IfNoneMatch: c.ifNoneMatch})
		return err
	}
}

// completeIf is a conditional CompleteMultipartUpload of an upload of its own.
func (w *world) completeIf(key string, n int, c condition) func(context.Context) error {
	w.t.Helper()
	created, err := w.s3().CreateMultipartUpload(w.t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: &key})
	if err != nil {
		w.t.Fatal(err)
	}
	part, err := w.s3().UploadPart(w.t.Context(), &s3.UploadPartInput{Bucket: &w.bucket, Key: &key, UploadId: created.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(racerBody(n))})
	if err != nil {
		w.t.Fatal(err)
	}
	return func(ctx context.Context) error {
		_, err := w.s3().CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &w.bucket, Key: &key, UploadId: created.UploadId, IfMatch: c.ifMatch, IfNoneMatch: c.ifNoneMatch,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}}},
		})
		return err
	}
}

func racerBody(n int) []byte { return fmt.Appendf(nil, "the bytes of racer %d", n) }

// TestOfManyConditionalWritesOneWins sends conditional writes of one key at the
// same moment: exactly one is done, and its bytes are there.
func TestOfManyConditionalWritesOneWins(t *testing.T) {
	for _, versioned := range []bool{false, true} {
		w := newWorld(t, open...)
		if versioned {
			if _, err := w.s3().PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &w.bucket,
				VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
				t.Fatal(err)
			}
		}
		for name, prepare := range map[string]func(string, int, condition) func(context.Context) error{"PutObject": w.putIf, "CompleteMultipartUpload": w.completeIf} {
			for _, create := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, new key %v, versions %v", name, create, versioned), func(t *testing.T) {
					w.t = t
					w.race(fmt.Sprintf("%s-%v/key", name, create), create, prepare)
				})
			}
		}
	}
}

func (w *world) race(key string, create bool, prepare func(string, int, condition) func(context.Context) error) {
	for round := range 3 {
		key := key + strconv.Itoa(round)
		c := condition{ifNoneMatch: aws.String("*")}
		if !create {
			seed, err := w.s3().PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: &key, Body: bytes.NewReader([]byte("seed"))})
			if err != nil {
				w.t.Fatal(err)
			}
			c = condition{ifMatch: seed.ETag}
		}
		var writes [racers]func(context.Context) error
		for n := range writes {
			writes[n] = prepare(key, n, c)
		}
		winner := w.atOnce(writes[:])
		got, err := w.s3().GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: &w.bucket, Key: &key})
		if err != nil {
			w.t.Fatal(err)
		}
		body, _ := io.ReadAll(got.Body)
		got.Body.Close()
		if !bytes.Equal(body, racerBody(winner)) {
			w.t.Errorf("the winner is %d, the object is %q", winner, body)
		}
	}
}

// atOnce runs writes together and gives the one that was done.
func (w *world) atOnce(writes []func(context.Context) error) (winner int) {
	w.t.Helper()
	var wg sync.WaitGroup
	start, statuses := make(chan struct{}), make([]int, len(writes))
	for n, write := range writes {
		wg.Go(func() {
			<-start
			statuses[n] = statusOf(write(w.t.Context()))
		})
	}
	close(start)
	wg.Wait()
	count := map[int]int{}
	for n, status := range statuses {
		count[status]++
		if status == http.StatusOK {
			winner = n
		}
	}
	// 409 is S3's for a write that met another one at work.
	if count[http.StatusOK] != 1 || count[http.StatusPreconditionFailed]+count[http.StatusConflict] != len(writes)-1 {
		w.t.Fatalf("statuses %v", count)
	}
	return winner
}

// TestACounterUnderConditionsLosesNothing lets writers add one to a number by
// read, If-Match and write, each until it came through once.
func TestACounterUnderConditionsLosesNothing(t *testing.T) {
	w := newWorld(t, open...)
	key := aws.String("counter")
	if _, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: key, Body: bytes.NewReader([]byte("0"))}); err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context) (n int, etag *string) {
		got, err := w.s3().GetObject(ctx, &s3.GetObjectInput{Bucket: &w.bucket, Key: key})
		if err != nil {
			t.Error(err)
			return 0, nil
		}
		defer got.Body.Close()
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Error(err)
		}
		if n, err = strconv.Atoi(string(body)); err != nil {
			t.Error(err)
		}
		return n, got.ETag
	}
	var wg sync.WaitGroup
	for range racers / 2 {
		wg.Go(func() {
			for t.Context().Err() == nil && !t.Failed() {
				n, etag := read(t.Context())
				_, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: key, Body: bytes.NewReader([]byte(strconv.Itoa(n + 1))), IfMatch: etag})
				switch statusOf(err) {
				case http.StatusOK:
					return
				case http.StatusPreconditionFailed, http.StatusConflict:
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, _ := read(t.Context()); n != racers/2 {
		t.Errorf("%d writers added up to %d", racers/2, n)
	}
}

// TestADeletedObjectDoesNotComeBackByACondition races a delete and a write that
// expects the object: the one that came first decides.
func TestADeletedObjectDoesNotComeBackByACondition(t *testing.T) {
	w := newWorld(t, open...)
	for round := range 150 {
		key := aws.String("gone")
		seed, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: key, Body: bytes.NewReader([]byte("seed"))})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		start := make(chan struct{})
		wg.Go(func() {
			<-start
			if _, err := w.s3().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &w.bucket, Key: key}); err != nil {
				t.Error(err)
			}
		})
		var put error
		wg.Go(func() {
			<-start
			_, put = w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: key, Body: bytes.NewReader([]byte("new")), IfMatch: seed.ETag})
		})
		close(start)
		wg.Wait()
		_, err = w.s3().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &w.bucket, Key: key})
		// Whether the write was first or not, the delete is done behind it.
		if there := err == nil; there {
			t.Fatalf("round %d: the write said %d, and the object is there behind its deletion", round, statusOf(put))
		}
	}
}
