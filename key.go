package gateway

import (
	"path"
	"strings"
)

// CleanKey is what a store that cleans keys, as MinIO does, would make of one:
// without empty, "." and ".." segments. A slash at its end stays.
func CleanKey(key string) string {
	clean := strings.TrimPrefix(path.Clean("/"+key), "/")
	if clean != "" && strings.HasSuffix(key, "/") {
		clean += "/"
	}
	return clean
}
