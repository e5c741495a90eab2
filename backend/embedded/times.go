//go:build !slim

package embedded

import (
	"os"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/backend/meta"
)

// timed is metadata to which the time of the file belongs. The store sets a
// version aside, and makes it the current one again, by copying its bytes and
// then each attribute: the version would have been written when it was replaced,
// or when what replaced it was removed. And it turns the file of an object into
// its delete marker, which would be as old as the object.
type timed struct{ meta.MetadataStorer }

const (
	// timeAttribute stands for the file's own time, and is stored nowhere else.
	timeAttribute = "s3gateway-time"
	// markerAttribute is the store's name for what makes a file a delete marker.
	markerAttribute = "delete-marker"
)

// ListAttributes names the time last, behind what sets it to now.
func (s timed) ListAttributes(bucket, object string) ([]string, error) {
	names, err := s.MetadataStorer.ListAttributes(bucket, object)
	return append(names, timeAttribute), err
}

// RetrieveAttribute knows the time.
func (s timed) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	if attribute != timeAttribute {
		return s.MetadataStorer.RetrieveAttribute(f, bucket, object, attribute)
	}
	info, err := os.Stat(pathOf(f, bucket, object))
	if err != nil {
		return nil, err
	}
	return info.ModTime().AppendFormat(nil, time.RFC3339Nano), nil
}

// StoreAttribute sets the time; that of a delete marker is now.
func (s timed) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if attribute == timeAttribute {
		modified, err := time.Parse(time.RFC3339Nano, string(value))
		if err != nil {
			return err
		}
		return os.Chtimes(pathOf(f, bucket, object), time.Time{}, modified)
	}
	if err := s.MetadataStorer.StoreAttribute(f, bucket, object, attribute, value); err != nil || attribute != markerAttribute {
		return err
	}
	return os.Chtimes(pathOf(f, bucket, object), time.Time{}, time.Now())
}

// pathOf is the path of an object's file; that of an open one without a name is
// in /proc.
func pathOf(f *os.File, bucket, object string) string {
	if f != nil {
		return f.Name()
	}
	return filepath.Join(bucket, object)
}
