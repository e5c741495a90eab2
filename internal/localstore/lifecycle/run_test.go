package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// fixture is a store whose time the test sets.
type fixture struct {
	*testing.T
	store   *localstore.Store
	runner  *Runner
	now     time.Time
	elapsed time.Duration
	deleted []string
}

func newFixture(t *testing.T, document string) *fixture {
	f := &fixture{T: t, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	f.store, err = localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), Bucket: "b", NoSync: true, Log: zerolog.Nop(), Now: func() time.Time { return f.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.store.Close() })
	if err := f.store.PutSetting("b", Setting, []byte("<LifecycleConfiguration>"+document+"</LifecycleConfiguration>")); err != nil {
		t.Fatal(err)
	}
	f.runner = &Runner{Store: f.store, Delete: f.delete, Now: func() time.Time { return f.now }, Elapsed: func() time.Duration { return f.elapsed }, Log: zerolog.Nop()}
	return f
}

// delete deletes as the wiring does.
func (f *fixture) delete(_ context.Context, d Deletion) error {
	if d.UploadID != "" {
		f.deleted = append(f.deleted, "upload of "+d.Key)
		return f.store.Abort(d.Bucket, d.Key, d.UploadID, time.Time{})
	}
	in := localstore.DeleteInput{Key: d.Key, VersionID: d.VersionID}
	if d.VersionID == "" {
		in.IfMatch, in.IfModified = d.ETag, d.Modified
	}
	gone, err := f.store.Delete(d.Bucket, in)
	if err != nil {
		return err
	}
	what := d.Key
	if d.VersionID != "" {
		what = map[bool]string{true: "marker of ", false: "version of "}[gone.Marker] + d.Key
	}
	f.deleted = append(f.deleted, what)
	return nil
}

func (f *fixture) put(key string, tags ...localstore.Pair) {
	f.Helper()
	_, err := f.store.Put(f.Context(), localstore.PutInput{Bucket: "b", Key: key, Tags: tags, Body: strings.NewReader(key), Expect: localstore.Expect{Length: int64(len(key))}})
	if err != nil {
		f.Fatal(err)
	}
}

// wait lets days pass, on the clock and otherwise, and runs the rules.
func (f *fixture) wait(days int, want ...string) {
	f.Helper()
	f.now, f.elapsed = f.now.AddDate(0, 0, days), f.elapsed+time.Duration(days)*24*time.Hour
	f.run(want...)
}

func (f *fixture) run(want ...string) {
	f.Helper()
	f.deleted = nil
	if _, err := f.runner.Run(f.Context()); err != nil {
		f.Fatal(err)
	}
	if !slices.Equal(f.deleted, want) {
		f.Errorf("on %s: deleted %q, want %q", f.now.Format(time.DateTime), f.deleted, want)
	}
}

func TestObjectsExpireAtTheMidnightAfterTheirDays(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>tmp/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule>`)
	f.put("tmp/a")
	f.put("kept")
	f.put(".s3gateway/tmp/a")
	f.wait(3) // noon of the third day
	f.now = f.now.Add(11 * time.Hour)
	f.run()
	f.now = f.now.Add(time.Hour)
	f.run("tmp/a")
	f.run()
}

func TestFiltersByTagAndSize(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Enabled</Status><Filter><And><Prefix></Prefix><Tag><Key>k</Key><Value>v</Value></Tag>`+
		`<ObjectSizeGreaterThan>3</ObjectSizeGreaterThan></And></Filter><Expiration><Days>1</Days></Expiration></Rule>`)
	tag := localstore.Pair{Name: "k", Value: "v"}
	f.put("tagged", tag)
	f.put("no", tag)
	f.put("not tagged")
	f.put("otherwise", localstore.Pair{Name: "k", Value: "w"})
	f.wait(2, "tagged")
}

func TestADisabledRuleDoesNothing(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Disabled</Status><Filter></Filter><Expiration><Days>1</Days></Expiration></Rule>`)
	f.put("a")
	f.wait(10)
}

func TestNoncurrentVersionsGoAndSomeAreKept(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Enabled</Status><Filter></Filter>`+
		`<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>`)
	if err := f.store.SetVersioning("b", "Enabled"); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		f.put("a")
	}
	f.wait(1)
	f.wait(2, "version of a", "version of a")
	f.wait(10)
}

func TestAMarkerThatHidesNothingGoes(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Enabled</Status><Filter></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>`)
	if err := f.store.SetVersioning("b", "Enabled"); err != nil {
		t.Fatal(err)
	}
	f.put("hidden")
	for _, key := range []string{"hidden", "alone"} {
		if _, err := f.store.Delete("b", localstore.DeleteInput{Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	f.run("marker of alone")
}

func TestUnfinishedUploadsEnd(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>a</Prefix></Filter>`+
		`<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>`)
	for _, key := range []string{"a", "b"} {
		if _, err := f.store.CreateUpload(localstore.CreateUploadInput{Bucket: "b", Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	f.wait(1)
	f.wait(1, "upload of a")
}

func TestRulesPauseForADayAfterTheClockJumped(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Enabled</Status><Filter></Filter><Expiration><Days>30</Days></Expiration></Rule>`)
	f.put("a")
	f.run()
	f.now = f.now.AddDate(0, 0, 40)
	f.elapsed += time.Hour
	f.run()
	f.now, f.elapsed = f.now.AddDate(0, 0, -40), f.elapsed+time.Hour // it was set right
	f.run()
	f.wait(1)
	f.wait(1)
	f.wait(30, "a")
}

func TestAnObjectThatWasReplacedMeanwhileStays(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Enabled</Status><Filter></Filter><Expiration><Days>1</Days></Expiration></Rule>`)
	f.put("a")
	f.now = f.now.AddDate(0, 0, 3)
	f.runner.Delete = func(ctx context.Context, d Deletion) error {
		f.put("a")
		return f.delete(ctx, d)
	}
	f.run()
	if _, err := f.store.Stat(localstore.Ref{Bucket: "b", Key: "a"}); err != nil {
		t.Error(err)
	}
}

func TestManyVersionsAreReadPageByPage(t *testing.T) {
	f := newFixture(t, `<Rule><ID>r</ID><Status>Enabled</Status><Filter></Filter><Expiration><Days>1</Days></Expiration></Rule>`)
	var want []string
	for i := range 2500 {
		key := fmt.Sprintf("k%04d", i)
		f.put(key)
		want = append(want, key)
	}
	f.wait(2, want...)
}
