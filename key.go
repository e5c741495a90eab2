package gateway

import (
	"path"
	"strings"
)

// CleanKey is what a store that cleans keys, as MinIO does, would make of one:
// without empty, "." and ".." segments. A slash at its end stays.
func CleanKey(key string) string {
	if isClean(key) {
		return key
	}
	clean := strings.TrimPrefix(path.Clean("/"+key), "/")
	if clean != "" && strings.HasSuffix(key, "/") {
		clean += "/"
	}
	return clean
}

// isClean spares the many keys that are clean the making of another.
func isClean(key string) bool {
	for rest := key; rest != ""; {
		segment, after, _ := strings.Cut(rest, "/")
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
		rest = after
	}
	return true
}

// folderSuffix stands in MinIO for the slash at the end of a key.
const folderSuffix = "__XLDIR__"

// IsFolderAlias reports a key that MinIO reads as another one: "a__XLDIR__" is
// its "a/", past every rule about that key, and what lies below such a segment is
// in no listing of it.
func IsFolderAlias(key string) bool { return strings.Contains(key+"/", folderSuffix+"/") }

// Reserved reports a key of the gateway's own: below ReservedPrefix, or its bare
// name, since on a backend with folders an object of that name would stand in the
// way of all below it.
func Reserved(key string) bool {
	return strings.HasPrefix(key, ReservedPrefix) || key+"/" == ReservedPrefix
}
