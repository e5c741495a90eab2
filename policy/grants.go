package policy

import (
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway"
)

// actions are those that a named caller may do, links those that a link may.
var (
	actions = []gateway.Action{
		gateway.List, gateway.Read, gateway.Write, gateway.Delete, gateway.DeleteVersion, gateway.Manage,
	}
	links = []gateway.Action{gateway.Read, gateway.Write}
)

// May decides whether a caller may do something with a key, or, with the key
// "", with the bucket. For a listing, key is its prefix. A named caller may do
// everything, a link may read and write objects, an anonymous caller nothing;
// what belongs to the gateway itself is closed to all. The error is a
// *gateway.Error with code AccessDenied.
//
// The key is compared byte for byte, as the backend uses it.
func (p *Policy) May(c gateway.Caller, a gateway.Action, bucket, key string) error {
	switch {
	case reserved(key):
		return gateway.Errorf(gateway.AccessDenied, "Keys under %s belong to the gateway.", gateway.ReservedPrefix)
	case c.Anonymous():
		return gateway.Errorf(gateway.AccessDenied, "This needs an authenticated caller.")
	case c.Link && (key == "" || !slices.Contains(links, a)):
		return gateway.Errorf(gateway.AccessDenied, "A link may only read or write an object.")
	case !slices.Contains(actions, a):
		return gateway.Errorf(gateway.AccessDenied, "Nobody is granted this action.")
	}
	return nil
}

// reserved also takes the bare name: on a backend with folders an object of
// that name would stand in the way of everything under it.
func reserved(key string) bool {
	return strings.HasPrefix(key, gateway.ReservedPrefix) || key+"/" == gateway.ReservedPrefix
}
