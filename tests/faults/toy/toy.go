// Package toy is a store with known faults. It shows that the harness sees
// them: a harness that finds nothing in a broken store proves nothing of a
// sound one.
//
// It keeps bytes in files and names in bbolt, and answers as much of S3 as the
// basic workload needs: objects without versions.
package toy

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// Fault is one way in which the toy is wrong.
type Fault string

// The faults.
const (
	Sound            Fault = ""
	NoSync           Fault = "names are not synced"
	NamedBeforeSync  Fault = "bytes are named before they are synced"
	FolderNotSynced  Fault = "the folder of the bytes is not synced"
	RemovedTooEarly  Fault = "old bytes are removed before the new name is on disk"
	Abandoned        Fault = "bytes of unfinished writes are never collected"
	OverwriteInPlace Fault = "bytes are replaced in their file"
	ErrorsIgnored    Fault = "a failed sync is not noticed"
)

// Faults lists those that a power cut shows. ErrorsIgnored needs a disk that
// fails.
var Faults = []Fault{NoSync, NamedBeforeSync, FolderNotSynced, RemovedTooEarly, Abandoned, OverwriteInPlace}

// Store is a toy store. It answers S3 requests as an http.RoundTripper.
type Store struct {
	dir   string
	fault Fault
	db    *bolt.DB
}

type row struct {
	File, Note, ETag string
	Size             int64
}

// Open returns an opener of toy stores with one fault.
func Open(fault Fault) workload.Opener {
	return func(dir string) (workload.Store, error) {
		s := &Store{dir: filepath.Join(dir, "blobs"), fault: fault}
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			return nil, err
		}
		if err := syncPath(dir); err != nil {
			return nil, err
		}
		db, err := bolt.Open(filepath.Join(dir, "names.db"), 0o600, &bolt.Options{NoSync: fault == NoSync, NoFreelistSync: true})
		if err != nil {
			return nil, err
		}
		s.db = db
		if err := syncPath(dir); err != nil {
			return nil, err
		}
		return s, db.Update(func(tx *bolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists([]byte("names"))
			return err
		})
	}
}

func syncPath(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Transport returns the store.
func (s *Store) Transport() http.RoundTripper { return s }

// Health returns nil: the toy does not know.
func (s *Store) Health() error { return nil }

// Close closes the names.
func (s *Store) Close() error { return s.db.Close() }

// Settle removes files without a name, and returns those that stay.
func (s *Store) Settle(context.Context) ([]string, error) {
	named := map[string]bool{}
	err := s.each(func(_ string, r row) { named[r.File] = true })
	if err != nil {
		return nil, err
	}
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, e := range list {
		switch {
		case named[e.Name()]:
		case s.fault == Abandoned:
			left = append(left, e.Name())
		default:
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, e.Name())))
		}
	}
	return left, err
}

func (s *Store) each(fn func(key string, r row)) error {
	return s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("names")).ForEach(func(k, v []byte) error {
			var r row
			if err := json.Unmarshal(v, &r); err != nil {
				return err
			}
			fn(string(k), r)
			return nil
		})
	})
}

func (s *Store) get(key string) (r row, ok bool, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		v := tx.Bucket([]byte("names")).Get([]byte(key))
		if ok = v != nil; !ok {
			return nil
		}
		return json.Unmarshal(v, &r)
	})
	return r, ok, err
}

// store writes the bytes and returns their file.
func (s *Store) store(key string, b []byte) (string, error) {
	f, err := os.CreateTemp(s.dir, "*")
	if s.fault == OverwriteInPlace {
		name := hex.EncodeToString([]byte(key))
		f, err = os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return "", err
	}
	if s.fault != NamedBeforeSync {
		if err := f.Sync(); err != nil && s.fault != ErrorsIgnored {
			return "", err
		}
	}
	if s.fault != FolderNotSynced {
		if err := syncPath(s.dir); err != nil && s.fault != ErrorsIgnored {
			return "", err
		}
	}
	return filepath.Base(f.Name()), nil
}

func (s *Store) put(key, note string, b []byte) (string, error) {
	old, there, err := s.get(key)
	if err != nil {
		return "", err
	}
	if there && s.fault == RemovedTooEarly {
		_ = os.Remove(filepath.Join(s.dir, old.File))
		_ = syncPath(s.dir)
	}
	file, err := s.store(key, b)
	if err != nil {
		return "", err
	}
	sum := md5.Sum(b)
	r := row{file, note, `"` + hex.EncodeToString(sum[:]) + `"`, int64(len(b))}
	v, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	err = s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("names")).Put([]byte(key), v) })
	if err == nil && there && old.File != file {
		_ = os.Remove(filepath.Join(s.dir, old.File))
	}
	if s.fault == NamedBeforeSync {
		_ = syncPath(filepath.Join(s.dir, file))
	}
	return r.ETag, err
}

func (s *Store) remove(key string) error {
	old, there, err := s.get(key)
	if err != nil || !there {
		return err
	}
	err = s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("names")).Delete([]byte(key)) })
	if err == nil {
		err = os.Remove(filepath.Join(s.dir, old.File))
	}
	return err
}

// RoundTrip answers one request.
func (s *Store) RoundTrip(req *http.Request) (*http.Response, error) {
	status, header, body, err := s.answer(req)
	if err != nil {
		status, body = 500, "<Error><Code>InternalError</Code></Error>"
		if !errors.Is(err, fs.ErrNotExist) {
			status = 503
		}
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: header,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func (s *Store) answer(req *http.Request) (int, http.Header, string, error) {
	header := http.Header{}
	bucket, key, object := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	query := req.URL.Query()
	switch {
	case !object || key == "":
		return s.bucket(bucket, query.Has("versions"), query.Has("uploads"))
	case req.Method == http.MethodPut:
		var b []byte
		if req.Body != nil {
			var err error
			if b, err = io.ReadAll(req.Body); err != nil {
				return 0, header, "", err
			}
		}
		etag, err := s.put(bucket+"/"+key, req.Header.Get("X-Amz-Meta-Note"), b)
		header.Set("ETag", etag)
		return 200, header, "", err
	case req.Method == http.MethodDelete:
		return 204, header, "", s.remove(bucket + "/" + key)
	}
	r, there, err := s.get(bucket + "/" + key)
	if err != nil || !there {
		return 404, header, "<Error><Code>NoSuchKey</Code></Error>", err
	}
	b, err := os.ReadFile(filepath.Join(s.dir, r.File))
	header.Set("ETag", r.ETag)
	header.Set("X-Amz-Meta-Note", r.Note)
	return 200, header, string(b), err
}

// bucket answers the three listings, and everything else of a bucket with 200.
func (s *Store) bucket(bucket string, versions, uploads bool) (int, http.Header, string, error) {
	rows := map[string]row{}
	err := s.each(func(k string, r row) {
		if rest, ok := strings.CutPrefix(k, bucket+"/"); ok && !uploads {
			rows[rest] = r
		}
	})
	entry := "<Contents><Key>%s</Key><Size>%d</Size></Contents>"
	if versions {
		entry = "<Version><Key>%s</Key><Size>%d</Size><VersionId>null</VersionId><IsLatest>true</IsLatest></Version>"
	}
	var out strings.Builder
	out.WriteString("<Result>")
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&out, entry, k, rows[k].Size)
	}
	out.WriteString("</Result>")
	return 200, http.Header{}, out.String(), err
}
