package verify

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/policy"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// newGate makes a gate over a new bucket of the test store.
func newGate(t *testing.T) (*Gate, *testbed.Store) {
	t.Helper()
	store := testbed.Open(t)
	types, err := policy.ParseTypes([]string{"image/png"})
	if err != nil {
		t.Fatal(err)
	}
	client := backend.New(backend.Endpoint{
		Name: store.Name, URL: store.Endpoint, Transport: store.Transport, Region: store.Region, PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(store.AccessKeyID, store.SecretAccessKey, ""),
	}, zerolog.Nop(), time.Now)
	t.Cleanup(client.Close)
	return New(&Gate{
		Client: client, Bucket: store.Bucket(t), Prefix: "uploads", Name: "files",
		Policy: &policy.Policy{Types: types, MaxFileSize: 20 << 20}, Key: []byte("a key of the test"), Random: rand.Reader, Log: zerolog.Nop(),
	}), store
}

func picture(size int) []byte {
	return append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), make([]byte, size-16)...)
}

func put(t *testing.T, g *Gate, store *testbed.Store, key string, body []byte, metadata map[string]string) *s3.PutObjectOutput {
	t.Helper()
	out, err := store.Client(t).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &g.Bucket, Key: &key, Body: bytes.NewReader(body), ContentType: aws.String("image/png"), Metadata: metadata,
		CacheControl: aws.String("max-age=60"), Tagging: aws.String("colour=blue"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestALargeObjectIsMarkedInParts(t *testing.T) {
	g, store := newGate(t)
	g.maxCopy, g.copyPart = 6<<20, 5<<20
	const key = "uploads/gross & klein.png"
	put(t, g, store, key, picture(11<<20), map[string]string{"title": "a b"})
	if err := g.Check(t.Context(), key, ""); err != nil {
		t.Fatal(err)
	}
	got, err := store.Client(t).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &g.Bucket, Key: aws.String(key)})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(body, picture(11<<20)) {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if !strings.HasSuffix(*got.ETag, `-3"`) || got.Metadata["title"] != "a b" || aws.ToString(got.ContentType) != "image/png" || aws.ToString(got.CacheControl) != "max-age=60" {
		t.Errorf("%+v", got)
	}
	tags, err := store.Client(t).GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &g.Bucket, Key: aws.String(key)})
	if err != nil || len(tags.TagSet) != 1 {
		t.Errorf("tags %v %v", tags, err)
	}
	if ok, err := g.state(t.Context(), key); !ok || err != nil {
		t.Errorf("the mark does not hold: %v", err)
	}
	if left := store.Uploads(t, g.Bucket); len(left) > 0 {
		t.Errorf("uploads left: %v", left)
	}
}

func TestAViolationIsDeletedByItsVersion(t *testing.T) {
	g, store := newGate(t)
	c := store.Client(t)
	if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &g.Bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	const key = "uploads/a.png"
	good := put(t, g, store, key, picture(100), nil)
	page := []byte("<!DOCTYPE html><script>alert(1)</script>")
	bad := put(t, g, store, key, page, map[string]string{"s3gateway-link": g.Link(key, "")})
	if err := g.Check(t.Context(), key, *good.VersionId); err != nil {
		t.Errorf("an old version that is good: %v", err)
	}
	if err := g.Check(t.Context(), key, ""); gateway.CodeOf(err) != gateway.TypeNotAllowed {
		t.Errorf("%v", err)
	}
	versions, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &g.Bucket})
	if err != nil || len(versions.Versions) != 1 || *versions.Versions[0].VersionId != *good.VersionId || len(versions.DeleteMarkers) > 0 {
		t.Errorf("left: %+v %v, but not %s", versions, err, *bad.VersionId)
	}
}

func TestMarksHoldForWhatTheySay(t *testing.T) {
	g := New(&Gate{Prefix: "uploads", Key: []byte("k"), Random: rand.Reader})
	mark, err := g.mark(checked, "uploads/a", 10, "image/png")
	if err != nil {
		t.Fatal(err)
	}
	facts := func(mark, length, rng, kind string) http.Header {
		return http.Header{MarkHeader: {mark}, "Content-Length": {length}, "Content-Range": {rng}, "Content-Type": {kind}}
	}
	other := New(&Gate{Prefix: "uploads", Key: []byte("another"), Random: rand.Reader})
	for name, c := range map[string]struct {
		gate   *Gate
		key    string
		answer http.Header
		want   bool
	}{
		"the object":        {g, "uploads/a", facts(mark, "10", "", "image/png"), true},
		"a range of it":     {g, "uploads/a", facts(mark, "3", "bytes 2-4/10", "image/png"), true},
		"another size":      {g, "uploads/a", facts(mark, "11", "", "image/png"), false},
		"another type":      {g, "uploads/a", facts(mark, "10", "", "text/html"), false},
		"another key":       {g, "uploads/b", facts(mark, "10", "", "image/png"), false},
		"another secret":    {other, "uploads/a", facts(mark, "10", "", "image/png"), false},
		"the other kind":    {g, "uploads/a", facts("w"+mark[1:], "10", "", "image/png"), false},
		"none":              {g, "uploads/a", http.Header{}, false},
		"beside the prefix": {g, "uploadsx", http.Header{}, true},
		"the gateway's own": {New(&Gate{Key: []byte("k")}), gateway.ReservedPrefix + "a", http.Header{}, true},
		"no gate":           {nil, "uploads/a", http.Header{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.gate.Verified(c.key, c.answer); got != c.want {
				t.Errorf("verified: %v", got)
			}
		})
	}
}

func TestALinkNamesItsCaller(t *testing.T) {
	g := New(&Gate{Prefix: "uploads", Key: []byte("k")})
	for _, name := range []string{"", "anna", "a.b", "Jörg"} {
		if got, came := g.linkOf("uploads/a", http.Header{LinkHeader: {g.Link("uploads/a", name)}}); got != name || !came {
			t.Errorf("%q: %q %v", name, got, came)
		}
		if _, came := g.linkOf("uploads/b", http.Header{LinkHeader: {g.Link("uploads/a", name)}}); came {
			t.Errorf("%q holds for another key", name)
		}
	}
	if _, came := g.linkOf("uploads/a", http.Header{LinkHeader: {"YW5uYQ."}}); came {
		t.Error("a name without its sum holds")
	}
}
