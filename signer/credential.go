package signer

import (
	"slices"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// claim is what a request says about its signature, from either form, before
// anything of it is believed.
type claim struct {
	presigned     bool
	accessKeyID   string
	scope         scope
	signedHeaders string   // as sent
	names         []string // signedHeaders split, sorted
	signature     string   // as sent
	date          string   // basic ISO 8601, as it is signed
	time          time.Time
	expires       time.Duration // presigned only
}

// scope is the credential scope: date, region, service, terminator.
type scope struct{ date, region, service, terminator string }

func (s scope) String() string {
	return s.date + "/" + s.region + "/" + s.service + "/" + s.terminator
}

// malformed makes the refusal of a claim in the words of its form.
func (c *claim) malformed(format string, args ...any) *gateway.Error {
	if c.presigned {
		return gateway.Errorf(gateway.AuthQueryParametersError, format, args...)
	}
	return gateway.Errorf(gateway.AuthHeaderMalformed, "The authorization header is malformed; "+format, args...)
}

// credentialPrefix is what S3 puts before its words about a credential in a
// query; those about one in a header have their own.
func (c *claim) credentialPrefix() string {
	if c.presigned {
		return "Error parsing the X-Amz-Credential parameter; "
	}
	return ""
}

// parseCredential splits from the right: an access key of other makes may hold
// a slash.
func (c *claim) parseCredential(s string) error {
	parts := strings.Split(s, "/")
	n := len(parts)
	if n < 5 || parts[0] == "" {
		return c.malformed(`%sthe Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`, c.credentialPrefix())
	}
	c.accessKeyID = strings.Join(parts[:n-4], "/")
	c.scope = scope{date: parts[n-4], region: parts[n-3], service: parts[n-2], terminator: parts[n-1]}
	return nil
}

// parseSignedHeaders takes the list as sent and sorts a copy. Upper case,
// doubled and empty names are refused: they would let one header stand in two
// places of the canonical request.
func (c *claim) parseSignedHeaders(s string) error {
	c.signedHeaders = s
	c.names = strings.Split(s, ";")
	slices.Sort(c.names)
	for i, name := range c.names {
		if !isLowerToken(name) || i > 0 && name == c.names[i-1] {
			return c.malformed("SignedHeaders must be distinct lower-case header names, separated by semicolons.")
		}
	}
	return nil
}

// isLowerToken reports a header name in lower case. Anything else, a decoded line
// break above all, could shift the lines of the canonical request.
func isLowerToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' || !unreserved[c] && !strings.ContainsRune("!#$%&'*+^`|", rune(c)) {
			return false
		}
	}
	return name != ""
}

func (c *claim) signs(name string) bool {
	_, found := slices.BinarySearch(c.names, name)
	return found
}

// parseAuthorization reads the three components of an AWS4-HMAC-SHA256
// Authorization header, in any order, each exactly once.
func parseAuthorization(value string) (*claim, error) {
	c := &claim{}
	_, rest, _ := strings.Cut(value, " ")
	var credential, signedHeaders string
	fields := map[string]*string{"Credential": &credential, "SignedHeaders": &signedHeaders, "Signature": &c.signature}
	for component := range strings.SplitSeq(rest, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(component), "=")
		field := fields[name]
		if field == nil || *field != "" || v == "" {
			return nil, c.malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
		}
		*field = v
	}
	if credential == "" || signedHeaders == "" || c.signature == "" {
		return nil, c.malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
	}
	if err := c.parseCredential(credential); err != nil {
		return nil, err
	}
	return c, c.parseSignedHeaders(signedHeaders)
}

// The parameters of a presigned query. Names are case-sensitive.
const (
	queryAlgorithm     = "X-Amz-Algorithm"
	queryCredential    = "X-Amz-Credential"
	queryDate          = "X-Amz-Date"
	queryExpires       = "X-Amz-Expires"
	querySignedHeaders = "X-Amz-SignedHeaders"
	querySignature     = "X-Amz-Signature"
	querySecurityToken = "X-Amz-Security-Token"
)

// credentialParams are the query parameters that carry the proof itself and
// never stand for a header. All but the last make a query a presigned one.
var credentialParams = [...]string{
	queryAlgorithm, queryCredential, queryDate, queryExpires,
	querySignedHeaders, querySignature, querySecurityToken,
}

func isCredential(key string) bool {
	for _, name := range credentialParams {
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// isPresigned tells by any credential parameter in any letter case, so that a
// half-made or misspelt presigned query is refused instead of passing as
// something else.
func isPresigned(t Target) bool {
	for i := range t.Query {
		key := t.Query[i].Key
		if isAmz(key) && isCredential(key) && !strings.EqualFold(key, querySecurityToken) {
			return true
		}
	}
	return false
}

// parsePresigned reads the credential parameters of a query.
func parsePresigned(t Target) (*claim, error) {
	c := &claim{presigned: true}
	var values [6]string
	for i, name := range credentialParams[:len(values)] {
		values[i], _ = t.Get(name)
		if values[i] == "" {
			return nil, c.malformed("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.").With("Missing", name)
		}
	}
	switch values[0] {
	case algorithm:
	case algorithmECDSA:
		return nil, errECDSA()
	default:
		return nil, c.malformed(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`)
	}
	c.date, c.signature = values[2], values[5] // the order of credentialParams
	if err := c.parseCredential(values[1]); err != nil {
		return nil, err
	}
	if err := c.parseExpires(values[3]); err != nil {
		return nil, err
	}
	return c, c.parseSignedHeaders(values[4])
}

func errECDSA() *gateway.Error {
	return gateway.Errorf(gateway.NotImplemented, "Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not implemented here; sign with AWS4-HMAC-SHA256.")
}
