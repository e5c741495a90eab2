package config

import (
	"errors"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// claims is a member whose names are those of claims of a token, each with the
// value that it must have.
func claims[R any](name string, at func(*R) *map[string]string) member[R] {
	const accepted = "accepted: claims with a value each, for example {sub: alice} or {groups: uploaders, email_verified: true}"
	return member[R]{
		name: name,
		show: func(r *R) string {
			all := *at(r)
			if len(all) == 0 {
				return ""
			}
			var shown []string
			for _, claim := range slices.Sorted(maps.Keys(all)) {
				shown = append(shown, quote(claim)+": "+quote(all[claim]))
			}
			return "{" + strings.Join(shown, ", ") + "}"
		},
		read: func(y *yamlReader, _ member[R], r *R, n ast.Node) {
			pairs, _, ok := mapping(n)
			if !ok {
				y.refuse(n.GetToken(), name, "not an entry", accepted)
				return
			}
			all := map[string]string{}
			for _, pair := range pairs {
				key, ok := pair.Key.(*ast.StringNode)
				value, plain := scalar(pair.Value)
				if !ok || !plain || key.Value == "" || value == "" || all[key.Value] != "" {
					y.refuse(pair.Key.GetToken(), name, "not a claim with a plain value", accepted)
					return
				}
				all[key.Value] = value
			}
			*at(r) = all
		},
	}
}

// issuer reads the identifier of an issuer, which is compared byte for byte. A
// key set that is read without TLS could be anybody's.
var issuer = textOf("accepted: https:// and host, perhaps a path, exactly as the issuer names itself; http:// on this machine only", func(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("not the URL of an issuer")
	}
	address, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && address.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return errors.New("neither https nor on this machine")
	}
	return nil
})
