package api

import (
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/testbed"
)

// keepVersions switches the versions of a bucket on.
func keepVersions(t *testing.T, bed *testbed.Store, bucket string) {
	t.Helper()
	if _, err := bed.Client(t).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
}

// suspendVersions has a bucket keep no more of them.
func suspendVersions(t *testing.T, bed *testbed.Store, bucket string) {
	t.Helper()
	if _, err := bed.Client(t).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}}); err != nil {
		t.Fatal(err)
	}
}

// wantRecords compares what is stored below the gateway's own prefix, with
// replaced versions and delete markers, with the wanted number of records.
func wantRecords(t *testing.T, s *Store, want int) {
	t.Helper()
	var found []oldRecord
	if err := s.eachRecord(t.Context(), gateway.ReservedPrefix, func(r oldRecord) error {
		found = append(found, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, r := range found {
		if !r.current || strings.HasPrefix(r.key, backend.ProbeKeys) {
			t.Errorf("left: %+v", r)
		}
	}
	if len(found) != want {
		t.Errorf("%d records, want %d: %+v", len(found), want, found)
	}
}

// A record is written several times in its life; of a bucket with versions one
// version stays, and of a refused request, and of the trial of conditions, none.
func TestVersionsOfRecordsDoNotPileUp(t *testing.T) {
	var files *Store
	w := newOnce(t, func(o *Options) { files = o.Records.(crashing).RecordStore.(*Store) })
	keepVersions(t, w.bed, w.bucket)
	w.upload("k1", "a.txt", "hello")
	w.upload("k1", "a.txt", "hello")
	w.upload("k2", "b.txt", "hello")
	wantRecords(t, files, 2)
	if got := w.upload("k3", "c.html", "<html>"); got.status != 415 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	wantRecords(t, files, 2)
}

// A record that is written again stays, whatever the bucket does with versions
// meanwhile, and nothing of what it held before does.
func TestARecordIsReplacedWhateverTheBucketDoesWithVersions(t *testing.T) {
	var files *Store
	w := newOnce(t, func(o *Options) { files = o.Records.(crashing).RecordStore.(*Store) })
	const key = gateway.ReservedPrefix + "tus/x"
	read := func() (string, RecordState) {
		t.Helper()
		body, state, err := files.OpenRecord(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text), state
	}
	if _, err := files.WriteRecord(t.Context(), key, nil, []byte("0")); err != nil {
		t.Fatal(err)
	}
	for i, change := range []func(*testing.T, *testbed.Store, string){
		func(*testing.T, *testbed.Store, string) {}, keepVersions, suspendVersions, func(*testing.T, *testbed.Store, string) {}, keepVersions, suspendVersions,
	} {
		change(t, w.bed, w.bucket)
		_, old := read()
		want := strconv.Itoa(i + 1)
		if _, err := files.WriteRecord(t.Context(), key, &old, []byte(want)); err != nil {
			t.Fatal(i, err)
		}
		if got, _ := read(); got != want {
			t.Errorf("%d: %q is read", i, got)
		}
		wantRecords(t, files, 1)
	}
}
