package signer

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// canonical holds the parts of a canonical request
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html)
// but the host and path, of which Verify tries several.
type canonical struct {
	r             *http.Request
	target        Target
	query         []Param  // sorted, without the signature
	names         []string // of the signed headers, lower-case, sorted
	signedHeaders string   // as the client sent the list
}

// variant is one reading of what the client may have signed.
type variant struct {
	host, path, payload string
	// tabs collapses tabs in header values too.
	tabs bool
}

// append writes the canonical request of a variant.
func (c *canonical) append(dst []byte, v variant) []byte {
	dst = append(dst, c.r.Method...)
	dst = append(dst, '\n')
	dst = append(dst, v.path...)
	dst = append(dst, '\n')
	dst = appendQuery(dst, c.query)
	dst = append(dst, '\n')
	for _, name := range c.names {
		dst = append(dst, name...)
		dst = append(dst, ':')
		dst = c.appendHeader(dst, name, v)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	dst = append(dst, c.signedHeaders...)
	dst = append(dst, '\n')
	return append(dst, v.payload...)
}

// sortedQuery gives the pairs in signing order, by encoded key and then encoded
// value, without the signature of a presigned query.
func sortedQuery(query []Param) []Param {
	if len(query) == 0 {
		return nil
	}
	sorted := make([]Param, 0, len(query))
	for _, p := range query {
		if p.Key != querySignature {
			sorted = append(sorted, p)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Param) int {
		if n := strings.Compare(a.signedKey, b.signedKey); n != 0 {
			return n
		}
		return strings.Compare(a.signedValue, b.signedValue)
	})
	return sorted
}

func appendQuery(dst []byte, sorted []Param) []byte {
	for i := range sorted {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, sorted[i].signedKey...)
		dst = append(dst, '=')
		dst = append(dst, sorted[i].signedValue...)
	}
	return dst
}

// headerValues returns the values of a signed header as they arrived. net/http
// keeps some headers outside the map, and a presigned query may hold an x-amz-*
// header that its SignedHeaders name.
func (c *canonical) headerValues(name string) []string {
	switch name {
	case "content-length":
		if c.r.ContentLength < 0 {
			return nil
		}
		return []string{strconv.FormatInt(c.r.ContentLength, 10)}
	case "transfer-encoding":
		return c.r.TransferEncoding
	}
	if values := c.r.Header[http.CanonicalHeaderKey(name)]; len(values) > 0 || !isAmz(name) {
		return values
	}
	for _, p := range c.target.Query {
		if strings.EqualFold(p.Key, name) {
			return []string{p.Value}
		}
	}
	return nil
}

// hasTabs reports whether a signed header has a tab inside its value.
func (c *canonical) hasTabs() bool {
	return slices.ContainsFunc(c.names, func(name string) bool {
		return slices.ContainsFunc(c.headerValues(name), func(v string) bool { return strings.ContainsRune(strings.Trim(v, " \t"), '\t') })
	})
}

// appendHeader writes a header's value: the values in arrival order joined by
// commas, each trimmed and with its runs of spaces collapsed.
func (c *canonical) appendHeader(dst []byte, name string, v variant) []byte {
	if name == "host" {
		return appendCollapsed(dst, v.host, false)
	}
	for i, value := range c.headerValues(name) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCollapsed(dst, value, v.tabs)
	}
	return dst
}

// appendCollapsed collapses runs of the space character, as AWS's signers do. With
// tabs it writes a run of both as one space, as signers do that collapse all white
// space.
func appendCollapsed(dst []byte, value string, tabs bool) []byte {
	value = strings.Trim(value, " \t\r\n")
	blank := func(c byte) bool { return c == ' ' || tabs && c == '\t' }
	for i := range len(value) {
		switch {
		case !blank(value[i]):
			dst = append(dst, value[i])
		case !blank(value[i-1]): // i > 0: the value is trimmed
			dst = append(dst, ' ')
		}
	}
	return dst
}

// appendStringToSign writes the string to sign for a canonical request.
func appendStringToSign(dst []byte, date, scope string, canonicalRequest []byte) []byte {
	sum := sha256.Sum256(canonicalRequest)
	dst = append(dst, algorithm...)
	dst = append(dst, '\n')
	dst = append(dst, date...)
	dst = append(dst, '\n')
	dst = append(dst, scope...)
	dst = append(dst, '\n')
	return hex.AppendEncode(dst, sum[:])
}
