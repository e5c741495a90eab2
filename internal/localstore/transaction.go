package localstore

import (
	"errors"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// errMissing is the cause where a row names what is not there.
var errMissing = errors.New("localstore: a row refers to what does not exist")

// errChanged has a copy begun anew.
var errChanged = errors.New("localstore: the source of a copy has changed")

// transaction is one operation within a write transaction.
type transaction struct {
	tx *kv.Tx
	// dead are the blobs that the operation left without a reference.
	dead []blob.ID
}

// write runs an operation in the next group and returns when the group is on
// disk. fn may run more than once, so it only assigns results. An operation that
// returns an error has changed nothing.
func (s *Store) write(fn func(*transaction) error) error {
	var t *transaction
	err := s.names.Commit(func(tx *kv.Tx) error {
		t = &transaction{tx: tx}
		return fn(t)
	})
	if err != nil {
		return s.translate(err)
	}
	s.collector.add(t.dead)
	return nil
}

// grow is write for an operation that needs space: it is refused while only the
// reserve is left.
func (s *Store) grow(bytes int64, fn func(*transaction) error) error {
	if err := s.space.room(bytes); err != nil {
		return err
	}
	return s.write(fn)
}

// read runs fn on a snapshot. Reading needs no space: while the database waits for
// some, it is not available.
func (s *Store) read(fn func(*kv.Tx) error) error {
	err := s.names.View(fn)
	if errors.Is(err, kv.ErrNoSpace) {
		return unavailable(err)
	}
	return s.translate(err)
}

func unavailable(cause error) error {
	return &Error{Code: ServiceUnavailable, Message: "The store cannot write to its disk.", Err: cause}
}

// translate makes errors of the layers below errors of S3.
func (s *Store) translate(err error) error {
	var own *Error
	var damage *kv.DamageError
	var bytes *blob.DamageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return err
	case errors.Is(err, kv.ErrNoSpace):
		return noSpace(err)
	case errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrUnknownOutcome), errors.Is(err, kv.ErrReadOnly), errors.Is(err, kv.ErrIO):
		return unavailable(err)
	case errors.As(err, &damage), errors.As(err, &bytes), errors.Is(err, errRow):
		s.damaged(err)
		return &Error{Code: InternalError, Message: "The store found damaged data on its disk. Run s3gateway store check.", Err: err}
	}
	return &Error{Code: InternalError, Message: "The store failed.", Err: err}
}

// bucket is a bucket within a transaction.
type bucket struct {
	bucketRow
	name string
	tx   *kv.Tx

	current, versions, nulls, uploads, completed kv.Tree
}

// openBucket returns a bucket, or NoSuchBucket.
func openBucket(tx *kv.Tx, name string) (*bucket, error) {
	row, err := tx.Get(bucketsTree, []byte(name))
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, refuse(NoSuchBucket, "The specified bucket does not exist.")
	}
	b := &bucket{name: name, tx: tx}
	if b.bucketRow, err = decodeBucket(row); err != nil {
		return nil, err
	}
	b.current, b.versions, b.nulls = currentTree(b.id), versionsTree(b.id), nullsTree(b.id)
	b.uploads, b.completed = uploadsTree(b.id), completedTree(b.id)
	return b, nil
}

// versioned reports whether the bucket has ever kept versions.
func (b *bucket) versioned() bool { return b.versioning != "" }

func (b *bucket) save() error { return b.tx.Put(bucketsTree, []byte(b.name), b.encode()) }
