package proxy

import (
	"slices"

	"github.com/codeguardians/s3gateway/signer"
)

func has(query []signer.Param, key string) bool {
	return slices.ContainsFunc(query, func(p signer.Param) bool { return p.Key == key })
}

func get(query []signer.Param, key string) string {
	for _, p := range query {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

func without(query []signer.Param, key string) []signer.Param {
	return slices.DeleteFunc(slices.Clone(query), func(p signer.Param) bool { return p.Key == key })
}
