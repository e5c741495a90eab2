//go:build !slim

package embedded

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3response"
)

// versionPages is a store whose listing of versions goes on behind its markers.
// The store lists the current version of the marker's key again, and the version
// with the id null on each page; behind that one it finds nothing any more, or
// the same for ever.
type versionPages struct {
	backend.Backend
	versions string // folder of the versions
}

// listedVersion is a version or a delete marker.
type listedVersion struct {
	id      string
	current bool
	written time.Time
	version *s3response.ObjectVersion // or
	marker  *types.DeleteMarkerEntry
}

// ListObjectVersions lists what is left of the marker's key, and then what comes
// behind that key: each of it the store lists from its beginning.
func (s versionPages) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	key, id, most := aws.ToString(in.KeyMarker), aws.ToString(in.VersionIdMarker), int(aws.ToInt32(in.MaxKeys))
	if most <= 0 {
		return s.Backend.ListObjectVersions(ctx, in)
	}
	var left []listedVersion
	if id != "" {
		all, err := s.versionsOfKey(ctx, in.Bucket, key)
		if err != nil {
			return s3response.ListVersionsResult{}, err
		}
		left = behind(all, id)
	}
	more := len(left) >= most
	left = left[:min(len(left), most)]
	behindKey := *in
	if key != "" {
		behindKey.KeyMarker, behindKey.VersionIdMarker = aws.String(lastBelow(in)), nil
	}
	behindKey.MaxKeys = aws.Int32(int32(most - len(left)))
	if more {
		behindKey.MaxKeys = aws.Int32(1) // for what else the answer says
	}
	out, err := s.Backend.ListObjectVersions(ctx, &behindKey)
	if err != nil {
		return out, err
	}
	out.KeyMarker, out.VersionIdMarker, out.MaxKeys = in.KeyMarker, in.VersionIdMarker, in.MaxKeys
	if aws.ToBool(out.IsTruncated) && aws.ToString(out.NextVersionIdMarker) == "" {
		out.NextKeyMarker = aws.String(lastListed(&out)) // the store names what it has not listed, too
	}
	if more {
		out.Versions, out.DeleteMarkers, out.CommonPrefixes = nil, nil, nil
		out.IsTruncated, out.NextKeyMarker, out.NextVersionIdMarker = aws.Bool(true), &key, &left[len(left)-1].id
	}
	for _, v := range slices.Backward(left) {
		if v.marker != nil {
			out.DeleteMarkers = slices.Insert(out.DeleteMarkers, 0, *v.marker)
		} else {
			out.Versions = slices.Insert(out.Versions, 0, *v.version)
		}
	}
	return out, nil
}

// lastBelow is a marker behind which the store finds what comes after the
// marker's key, or after the common prefix that stands for it: a key of UTF-8
// sorts before one with the byte 0xFF.
func lastBelow(in *s3.ListObjectVersionsInput) string {
	key, prefix, delimiter := aws.ToString(in.KeyMarker), aws.ToString(in.Prefix), aws.ToString(in.Delimiter)
	if below, found := strings.CutPrefix(key, prefix); found && delimiter != "" {
		if folder, _, found := strings.Cut(below, delimiter); found {
			return prefix + folder + delimiter + "\xff"
		}
	}
	return key + "\x00"
}

// lastListed is the last key or common prefix of a page.
func lastListed(out *s3response.ListVersionsResult) (last string) {
	for _, v := range out.Versions {
		last = max(last, aws.ToString(v.Key))
	}
	for _, m := range out.DeleteMarkers {
		last = max(last, aws.ToString(m.Key))
	}
	for _, p := range out.CommonPrefixes {
		last = max(last, aws.ToString(p.Prefix))
	}
	return last
}

// versionsOfKey are all versions of one object, newest first. The store reads
// them all for each page, too.
func (s versionPages) versionsOfKey(ctx context.Context, bucket *string, key string) (all []listedVersion, err error) {
	old, err := os.ReadDir(versionsOf(s.versions, *bucket, key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out, err := s.Backend.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{
		Bucket: bucket, Prefix: &key, MaxKeys: aws.Int32(int32(len(old) + 1)), // the key is the first of what begins with it
	})
	if err != nil {
		return nil, err
	}
	for i := range out.Versions {
		if v := &out.Versions[i]; aws.ToString(v.Key) == key {
			all = append(all, listedVersion{id: aws.ToString(v.VersionId), current: aws.ToBool(v.IsLatest), written: aws.ToTime(v.LastModified), version: v})
		}
	}
	for i := range out.DeleteMarkers {
		if m := &out.DeleteMarkers[i]; aws.ToString(m.Key) == key {
			all = append(all, listedVersion{id: aws.ToString(m.VersionId), current: aws.ToBool(m.IsLatest), written: aws.ToTime(m.LastModified), marker: m})
		}
	}
	return newestFirst(all), nil
}

// newestFirst sorts as the store does: by ids, which grow, and the one that is
// null before the first that is older.
func newestFirst(all []listedVersion) []listedVersion {
	slices.SortFunc(all, func(a, b listedVersion) int {
		switch {
		case a.current:
			return -1
		case b.current:
			return 1
		}
		return cmp.Compare(b.id, a.id)
	})
	n := slices.IndexFunc(all, func(v listedVersion) bool { return v.id == nullVersion })
	if n < 0 || all[n].current {
		return all
	}
	null := all[n]
	rest := slices.Delete(all, n, n+1)
	at := slices.IndexFunc(rest, func(v listedVersion) bool { return !v.current && null.written.After(v.written) })
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, at, null)
}

// behind is what comes after a version. One that is gone stood before those with
// smaller ids; null sorts behind all of them, so that all are listed again.
func behind(all []listedVersion, id string) []listedVersion {
	if i := slices.IndexFunc(all, func(v listedVersion) bool { return v.id == id }); i >= 0 {
		return all[i+1:]
	}
	if i := slices.IndexFunc(all, func(v listedVersion) bool { return v.id < id }); i >= 0 {
		return all[i:]
	}
	return nil
}
