package gateway

import "strings"

// Clip returns at most most bytes of s, for logs and refusals that repeat a client's
// own words. A longer s ends in "…", and is not cut within a character.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
