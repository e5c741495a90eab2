package proxy

import (
	"strings"
	"unicode/utf8"

	gateway "github.com/codeguardians/s3gateway"
)

// Limits of names in S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
const (
	maxKey     = 1024
	maxSegment = 255 // of a file system, for keys that are files
)

// storeTemp is the embedded store's own folder within a bucket. It leaves every
// folder of that name out of its listings.
const storeTemp = ".sgwtmp"

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

// checkFileKey refuses a key that a store with files for objects would clean
// into another one or cannot hold. what names the place it came from.
func checkFileKey(what, key string) error {
	if !utf8.ValidString(key) || strings.IndexFunc(key, notInXML) >= 0 {
		return gateway.Errorf(gateway.InvalidArgument,
			"The %s has a control character or a byte that is not UTF-8, which the embedded store cannot list.", what)
	}
	segments := strings.Split(strings.TrimSuffix(key, "/"), "/")
	for _, s := range segments {
		switch {
		case s == "" || s == "." || s == "..":
			return gateway.Errorf(gateway.InvalidArgument,
				"The %s has the segment %q, which the embedded store cannot hold: it keeps objects as files.", what, s)
		case len(s) > maxSegment:
			return gateway.Errorf(gateway.KeyTooLong,
				"The %s has a segment of %d bytes; the embedded store holds at most %d between slashes.", what, len(s), maxSegment)
		case s == storeTemp:
			// Further down it lists nothing of that name, and no quota would count it.
			return gateway.Errorf(gateway.InvalidArgument, "The %s has the segment %q, which belongs to the embedded store.", what, storeTemp)
		}
	}
	return nil
}

// notInXML reports characters that XML 1.0 cannot hold, section 2.2. The
// embedded store would list each of them as U+FFFD: a key that nobody put.
func notInXML(c rune) bool {
	return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF
}
