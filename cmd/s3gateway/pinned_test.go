package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// swaps is a store in which the source of a copy is replaced at the moments
// that an attacker would try to hit.
type swaps struct {
	*testbed.Store
	t      *testing.T
	real   *testbed.Store
	bucket string
	key    string // of the source

	mu         sync.Mutex
	heads      int
	beforeHead map[int]func() // by its number, from 1
	afterRange func()         // a read of the first bytes
	beforeCopy func()
}

func newSwaps(t *testing.T, versioned bool, key string) *swaps {
	t.Helper()
	real := testbed.Open(t)
	s := &swaps{t: t, real: real, bucket: real.Bucket(t), key: key}
	if versioned {
		setVersioning(t, real, s.bucket, types.BucketVersioningStatusEnabled)
	}
	s.Store = real.Front(t, func(pass http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			source := r.URL.Path == "/"+s.bucket+"/"+s.key
			switch {
			case r.Header.Get("X-Amz-Copy-Source") != "":
				s.run(&s.beforeCopy)
			case r.Method == http.MethodHead && source:
				s.mu.Lock()
				s.heads++
				before := s.beforeHead[s.heads]
				s.mu.Unlock()
				if before != nil {
					before()
				}
			case r.Method == http.MethodGet && source && r.Header.Get("Range") != "":
				defer s.run(&s.afterRange)
			}
			pass.ServeHTTP(w, r)
		}
	})
	return s
}

// run calls a function once.
func (s *swaps) run(f *func()) {
	s.mu.Lock()
	call := *f
	*f = nil
	s.mu.Unlock()
	if call != nil {
		call()
	}
}

// put stores the source past the gateway.
func (s *swaps) put(body []byte, contentType string) {
	if _, err := s.real.Client(s.t).PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: &s.bucket, Key: &s.key, Body: bytes.NewReader(body), ContentType: &contentType}); err != nil {
		s.t.Error(err)
	}
}

// stored is what the store has under a key, "" for nothing.
func (s *swaps) stored(key string) (contentType string, size int64) {
	s.t.Helper()
	out, err := s.real.Client(s.t).HeadObject(s.t.Context(), &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return "", 0
	}
	return aws.ToString(out.ContentType), aws.ToInt64(out.ContentLength)
}

// gif is a picture that is a page as well.
var gif = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;<script>alert(1)</script>")

// eachVersioning runs a test on a bucket without versions and on one with.
func eachVersioning(t *testing.T, test func(t *testing.T, versioned bool)) {
	for _, versioned := range []bool{false, true} {
		t.Run(fmt.Sprintf("versions %v", versioned), func(t *testing.T) { test(t, versioned) })
	}
}

// The type that was checked is the type that is stored, though the source has
// another one, with the same bytes and ETag, when the store copies it.
func TestTheTypeOfACopyIsTheOneThatWasChecked(t *testing.T) {
	eachVersioning(t, func(t *testing.T, versioned bool) {
		s := newSwaps(t, versioned, "uploads/source.gif")
		w := newWorldOn(t, s.Store, s.bucket, "MAX_FILE_SIZE=0", "ALLOWED_FILE_TYPES=image/gif", "CACHE_ENTRIES=0")
		page := func() { s.put(gif, "text/html") }
		copies := func(name string, arm func(), send func() answer, target func(answer) string) {
			t.Run(name, func(t *testing.T) {
				s.put(gif, "image/gif")
				arm()
				a := send()
				if a.status >= 500 && a.status != http.StatusServiceUnavailable {
					t.Fatalf("%d %s", a.status, a.body)
				}
				if got, _ := s.stored(target(a)); a.status < 300 && got != "image/gif" || got == "text/html" {
					t.Errorf("answered %d; %q is stored", a.status, got)
				}
			})
		}
		copies("CopyObject", func() { s.beforeCopy = page }, func() answer {
			return do(t, w.signedPut("copy.gif", nil, "X-Amz-Copy-Source", "/"+s.bucket+"/"+s.key, "X-Amz-Metadata-Directive", "COPY"))
		}, func(answer) string { return "copy.gif" })
		for _, move := range []string{"false", "true"} {
			copies("copy by the upload API, move "+move, func() { s.afterRange = page }, func() answer {
				return do(t, newRequest(t, "POST", w.rest("copy"), strings.NewReader(`{"file_id":"`+s.key+`","move":`+move+`}`), "Content-Type", "application/json"))
			}, func(a answer) string {
				id, _ := a.json(t)["file_id"].(string)
				return id
			})
		}
		copies("a new name by the upload API", func() { s.afterRange = page }, func() answer {
			return do(t, newRequest(t, "PATCH", w.rest("metadata/"+s.key), strings.NewReader(`{"filename":"other.gif"}`), "Content-Type", "application/json"))
		}, func(a answer) string {
			if a.status >= 300 {
				return "nothing" // the attacker's object is there, and no copy of it
			}
			return s.key
		})
	})
}

// What a copy keeps of its source is there, though the gateway names it anew.
func TestACopyKeepsWhatItsSourceHas(t *testing.T) {
	w := newWorld(t, open...)
	_, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("source"), Body: strings.NewReader("bytes"),
		ContentType: aws.String("text/x-own; charset=utf-8"), CacheControl: aws.String("max-age=5"), ContentDisposition: aws.String(`attachment; filename="ä.txt"`),
		ContentLanguage: aws.String("de"), ContentEncoding: aws.String("gzip"), Metadata: map[string]string{"note": "kept", "other": "a, b"}, Tagging: aws.String("tag=value")})
	if err != nil {
		t.Fatal(err)
	}
	for _, directive := range []types.MetadataDirective{"", types.MetadataDirectiveCopy} {
		if _, err := w.s3().CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &w.bucket, Key: aws.String("copy"), CopySource: aws.String(w.bucket + "/source"),
			MetadataDirective: directive, ContentType: aws.String("text/html"), Metadata: map[string]string{"note": "ignored"}}); err != nil {
			t.Fatal(err)
		}
		var seen []string
		for _, key := range []string{"source", "copy"} {
			out, err := w.store.Client(t).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &w.bucket, Key: &key})
			if err != nil {
				t.Fatal(err)
			}
			tags, err := w.store.Client(t).GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &w.bucket, Key: &key})
			if err != nil || len(tags.TagSet) != 1 {
				t.Fatal(err, tags)
			}
			seen = append(seen, fmt.Sprint(aws.ToString(out.ContentType), aws.ToString(out.CacheControl), aws.ToString(out.ContentDisposition),
				aws.ToString(out.ContentLanguage), aws.ToString(out.ContentEncoding), out.Metadata, *tags.TagSet[0].Value))
		}
		if seen[0] != seen[1] {
			t.Errorf("directive %q: the copy has\n%s\nits source\n%s", directive, seen[1], seen[0])
		}
	}
}

// The quota is charged for the source that is copied: one that grows between the
// measurement and the copy, or is small at the moment of the measurement alone,
// is not copied past the quota.
func TestTheSizeOfACopyIsTheOneThatWasCharged(t *testing.T) {
	const most = 10 << 10
	small, large := make([]byte, 4), make([]byte, 24<<10)
	for name, limited := range map[string][]string{"without limits": open, "with limits": {"MAX_FILE_SIZE=1GiB", "ALLOWED_FILE_TYPES=*/*"}} {
		t.Run(name, func(t *testing.T) {
			eachVersioning(t, func(t *testing.T, versioned bool) {
				for attack, arm := range map[string]func(*swaps){
					"it grows before the copy": func(s *swaps) {
						s.put(small, "a/b")
						s.beforeCopy = func() { s.put(large, "a/b") }
					},
					"it is small for the measurement alone": func(s *swaps) {
						s.put(large, "a/b")
						s.beforeHead = map[int]func(){2: func() { s.put(small, "a/b") }}
						s.beforeCopy = func() { s.put(large, "a/b") }
					},
					"it is small for the first measurement alone": func(s *swaps) {
						s.put(small, "a/b")
						s.beforeHead = map[int]func(){2: func() { s.put(large, "a/b") }}
					},
				} {
					for _, way := range []string{"CopyObject", "UploadPartCopy", "upload API"} {
						t.Run(attack+" by "+way, func(t *testing.T) {
							s := newSwaps(t, versioned, "uploads/source.bin")
							file := "buckets: [{name: " + s.bucket + ", limits: [{prefix: copy, quota_bytes: 10KiB}, {prefix: uploads/2, quota_bytes: 10KiB}]}]\n"
							w := newWorldOn(t, s.Store, s.bucket, append([]string{yamlFile(t, file), "CACHE_ENTRIES=0"}, limited...)...)
							for _, r := range []string{"copy", "uploads/2"} {
								w.used(fmt.Sprintf("bucket %s, keys that begin %q", s.bucket, r))
							}
							id := w.multipart("copy")
							arm(s)
							stored := w.copySwapped(s, way, id)
							if stored > most {
								t.Errorf("%d bytes are copied under a quota of %d", stored, most)
							}
						})
					}
				}
			})
		})
	}
}

// copySwapped copies the source by one way and returns how many bytes of it the
// store has then.
func (w *world) copySwapped(s *swaps, way, upload string) int64 {
	w.t.Helper()
	from := []string{"X-Amz-Copy-Source", "/" + s.bucket + "/" + s.key}
	switch way {
	case "CopyObject":
		do(w.t, w.signedPut("copy", nil, from...))
		_, size := s.stored("copy")
		return size
	case "UploadPartCopy":
		do(w.t, w.signedPut("copy?partNumber=1&uploadId="+upload, nil, from...))
		return w.stored([]types.MultipartUpload{{Key: aws.String("copy"), UploadId: &upload}}).Bytes - w.sizeOf(s.key)
	}
	a := do(w.t, newRequest(w.t, "POST", w.rest("copy"), strings.NewReader(`{"file_id":"`+s.key+`"}`), "Content-Type", "application/json"))
	if id, _ := a.json(w.t)["file_id"].(string); id != "" {
		_, size := s.stored(id)
		return size
	}
	return 0
}

// sizeOf is the size of all versions of a key.
func (w *world) sizeOf(key string) (sum int64) {
	w.t.Helper()
	versions, err := w.store.Client(w.t).ListObjectVersions(w.t.Context(), &s3.ListObjectVersionsInput{Bucket: &w.bucket, Prefix: &key})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range versions.Versions {
		sum += *v.Size
	}
	return sum
}
