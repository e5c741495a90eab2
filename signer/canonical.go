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
	query         []Param  // sorted, without the signature
	names         []string // of the signed headers, lower-case, sorted
	signedHeaders string   // as the client sent the list
}

// variant is one reading of what the client may have signed.
type variant struct{ host, path, payload string }

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
		dst = appendHeader(dst, c.r, name, v.host)
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

// headerValues gives the values of a signed header as they arrived. net/http
// keeps some headers outside the map.
func headerValues(r *http.Request, name string) []string {
	switch name {
	case "content-length":
		if r.ContentLength < 0 {
			return nil
		}
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	case "transfer-encoding":
		return r.TransferEncoding
	}
	return r.Header[http.CanonicalHeaderKey(name)]
}

// appendHeader writes a header's value: the values in arrival order joined by
// commas, each trimmed and with its runs of spaces collapsed.
func appendHeader(dst []byte, r *http.Request, name, host string) []byte {
	if name == "host" {
		return appendCollapsed(dst, host)
	}
	for i, value := range headerValues(r, name) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCollapsed(dst, value)
	}
	return dst
}

// appendCollapsed collapses runs of the space character only, as AWS's signers
// do; other white space inside a value is part of it.
func appendCollapsed(dst []byte, value string) []byte {
	value = strings.Trim(value, " \t\r\n")
	for i := range len(value) {
		if value[i] == ' ' && value[i-1] == ' ' { // i > 0: the value is trimmed
			continue
		}
		dst = append(dst, value[i])
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
