package proxy

import (
	"strings"
	"unicode/utf8"

	gateway "github.com/codeguardians/s3gateway"
)

// Limits of names in S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
const maxKey = 1024

// checkNames refuses what no backend is asked about: a bucket that would hide
// the REST door, names that are no bucket's, keys over S3's length, and keys
// that are the gateway's own.
func checkNames(a address) error {
	if a.Bucket == "" && a.Key == "" {
		return nil
	}
	if a.Bucket == "api" || !validBucket(a.Bucket) {
		return gateway.Errorf(gateway.InvalidBucketName, "")
	}
	return checkObjectName(a.Key)
}

// checkObjectName refuses a key on every backend alike.
func checkObjectName(key string) error {
	if len(key) > maxKey {
		return gateway.Errorf(gateway.KeyTooLong, "")
	}
	if strings.IndexByte(key, 0) >= 0 {
		return gateway.Errorf(gateway.InvalidArgument, "Object key contains a NUL byte.")
	}
	if !utf8.ValidString(key) {
		// Keys are UTF-8 in S3; stores that sign what they decode answer that
		// the signature is wrong.
		return gateway.Errorf(gateway.InvalidArgument, "Object key is not UTF-8.")
	}
	if gateway.IsFolderAlias(key) {
		return gateway.Errorf(gateway.InvalidArgument, "Object key has a segment that ends in __XLDIR__, which some stores read as a folder.")
	}
	if isReserved(key) {
		return gateway.Errorf(gateway.AccessDenied, "Keys under %s belong to the gateway.", gateway.ReservedPrefix)
	}
	return nil
}

// isReserved reports a key of the gateway's own, also one that becomes such a
// key where a store cleans keys: MinIO drops slashes at the beginning.
func isReserved(key string) bool {
	return gateway.Reserved(key) || gateway.Reserved(gateway.CleanKey(key))
}

// cleanKey is what a store that cleans keys would make of one. A key that it
// changes may be another's alias there. A slash at the end stays: "a/" is not
// "a" anywhere.
func cleanKey(key string) string {
	return gateway.CleanKey(key)
}

// validBucket takes every name that some S3 takes: dots, dashes, underscores
// and capitals of old buckets among them, and nothing that could leave the
// bucket's place in a path or host.
func validBucket(name string) bool {
	if len(name) < 3 || len(name) > 255 || strings.Contains(name, "..") || name[0] == '.' {
		return false
	}
	return strings.IndexFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_", c)
	}) < 0
}
