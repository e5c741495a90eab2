package config

import "strings"

// ours begins the names that are taken for settings of the gateway when they
// stand in the environment, which has names of many others.
var ours = []string{
	"S3_", "GATEWAY_", "UPLOAD_", "RATE_LIMIT", "CACHE_", "OIDC_", "MAX_FILE",
	"ALLOWED_", "FILE_CLEANUP", "CORS_", "PRESIGN_", "QUOTA_", "TRUSTED_PROX",
	"WEBHOOK_", "CLAMD_", "CDN_BASE", "POLICY_SCOPE",
}

// looksOurs reports whether an unknown name in the environment is worth a
// warning: by its beginning, or because it is one letter off.
func looksOurs(name string) bool {
	upper := strings.ToUpper(name)
	if serviceLink(upper) {
		return false
	}
	for _, p := range ours {
		if strings.HasPrefix(upper, p) {
			return true
		}
	}
	_, far := nearest(upper)
	return len(name) >= 8 && far <= 1
}

// serviceLink reports whether Kubernetes put the name there for a service that
// happens to be called gateway, s3 or cache
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
func serviceLink(name string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_TCP") || strings.Contains(name, "_UDP")
}

// suggestion names the nearest known setting, written by style, or gives
// otherwise when none is near.
func suggestion(name string, style func(string) string, otherwise string) string {
	return suggestFrom(settingNames(), strings.ToUpper(name), style, otherwise)
}

// suggestFrom is suggestion among some names.
func suggestFrom(names []string, name string, style func(string) string, otherwise string) string {
	best, far := nearestOf(names, name)
	if far > max(2, len(name)/4) {
		return otherwise
	}
	return "did you mean " + style(best) + "?"
}

func settingNames() []string {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.name
	}
	return names
}

func nearest(name string) (string, int) { return nearestOf(settingNames(), name) }

// nearestOf gives the name with the least edit distance. A name that goes on
// where the unknown one stops (S3_ENDPOINT) is one edit away.
func nearestOf(names []string, name string) (string, int) {
	best, least := "", len(name)+longest
	for _, known := range names {
		d := distance(name, known)
		if len(name) > 3 && strings.HasPrefix(known, name+"_") {
			d = min(d, 1)
		}
		if d < least {
			best, least = known, d
		}
	}
	return best, least
}

// distance is the Levenshtein distance in bytes. Names longer than any setting
// could be are simply far.
func distance(a, b string) int {
	if len(a) > longest {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// shortName makes an unknown name fit to be shown on a line.
func shortName(s string) string {
	if variableName(s) && len(s) <= 64 {
		return s
	}
	return "a name"
}
