package api

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// abortParts takes the parts of every upload away, as an operator's lifecycle
// rule does.
func (b *real) abortParts() {
	b.t.Helper()
	for key, id := range b.multiparts() {
		if _, err := b.bed.Client(b.t).AbortMultipartUpload(b.t.Context(), &s3.AbortMultipartUploadInput{Bucket: &b.bucket, Key: &key, UploadId: &id}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// multiparts are the unfinished multipart uploads, by key.
func (b *real) multiparts() map[string]string {
	b.t.Helper()
	found := map[string]string{}
	for _, line := range b.bed.Uploads(b.t, b.bucket) {
		key, id, _ := strings.Cut(line, " ")
		found[key] = id
	}
	return found
}

// A record whose parts are gone is no upload any more: the client hears it once
// and begins again.
func TestAnUploadWhosePartsAreGoneEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		chunk int // sent behind the loss
	}{
		{"within", statePart},
		{"at the end", statePart + 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newReal(t, 0)
			body := randomBytes(2*statePart + 100)
			path := b.begin(len(body))
			if got := b.chunk(path, 0, body[:statePart+50]); got.status != 204 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			b.abortParts()
			b.wantRefusal(b.chunk(path, statePart+50, body[statePart+50:statePart+50+c.chunk]), refusal{404, "NoSuchUpload", "", "Begin again"})
			if got := b.do("HEAD", path, tusHeader(), nil); got.status != 404 {
				t.Errorf("HEAD: %d", got.status)
			}
			if left := b.bed.Snapshot(t, b.bucket); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A tail that never was a part needs none.
func TestAnUploadWithinOnePartLosesNothingWithTheParts(t *testing.T) {
	b := newReal(t, 0)
	body := randomBytes(100)
	path := b.begin(len(body))
	if got := b.chunk(path, 0, body[:50]); got.status != 204 {
		t.Fatal(got.body)
	}
	b.abortParts()
	if got := b.chunk(path, 50, body[50:]); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	b.wantFile(path, body)
}
