//go:build !slim

package embedded

import (
	"bytes"
	"os"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
)

// roomForParts is metadata in extended attributes, in which the list of an
// object's parts takes little room. The store sets that list when all parts are
// joined, as the place where each ends: a thousand of them do not fit the 4 KiB
// that ext4 has for all attributes of a file, and the upload would fail at its
// very end. Here the sizes are kept, which are alike and so compress well.
type roomForParts struct{ meta.XattrMeta }

var _ meta.MetadataStorer = roomForParts{}

const (
	// partsAttribute is the store's name of the list.
	partsAttribute = "mp-metadata"
	// sizesMark begins a list of sizes. The store's own begins otherwise.
	sizesMark = "sizes:"
)

// StoreAttribute keeps a list of parts as their sizes. Where even those do not
// fit, the object goes without: it only cannot be read by part number.
func (s roomForParts) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if attribute != partsAttribute {
		return s.XattrMeta.StoreAttribute(f, bucket, object, attribute, value)
	}
	sizes, err := convertParts(value, func(ends []int64) {
		for i := len(ends) - 1; i > 0; i-- {
			ends[i] -= ends[i-1]
		}
	})
	if err != nil {
		return err
	}
	_ = s.XattrMeta.StoreAttribute(f, bucket, object, attribute, append([]byte(sizesMark), sizes...))
	return nil
}

// RetrieveAttribute gives the list of parts as the store made it.
func (s roomForParts) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	value, err := s.XattrMeta.RetrieveAttribute(f, bucket, object, attribute)
	if err != nil || attribute != partsAttribute {
		return value, err
	}
	sizes, marked := bytes.CutPrefix(value, []byte(sizesMark))
	if !marked {
		return value, nil
	}
	return convertParts(sizes, func(sizes []int64) {
		for i := 1; i < len(sizes); i++ {
			sizes[i] += sizes[i-1]
		}
	})
}

func convertParts(value []byte, change func([]int64)) ([]byte, error) {
	parts, err := backend.UnmarshalMpUploadMetadata(value, false)
	if err != nil {
		return nil, err
	}
	change(parts.Parts)
	return backend.MarshalMpUploadMetadata(parts, false)
}
