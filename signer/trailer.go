package signer

import (
	"encoding/base64"
	"hash"
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// trailerSpec is the checksum trailer that a framed body announced.
type trailerSpec struct {
	name string // x-amz-checksum-…, "" for none
	hash hash.Hash
}

// declaredTrailer reads x-amz-trailer: at most one name, of a checksum that we
// know, agreeing with the other headers that name one.
func (a *Auth) declaredTrailer(r *http.Request, allowed bool) (trailerSpec, error) {
	name := strings.ToLower(strings.TrimSpace(a.header(r, "X-Amz-Trailer")))
	if name == "" {
		return trailerSpec{}, nil
	}
	if !allowed {
		return trailerSpec{}, gateway.Errorf(gateway.InvalidRequest, "x-amz-trailer needs one of the STREAMING-…-TRAILER values in x-amz-content-sha256.")
	}
	suffix, isChecksum := strings.CutPrefix(name, checksumPrefix)
	h, known := NewChecksum(suffix)
	if !isChecksum || !known {
		return trailerSpec{}, gateway.Errorf(gateway.InvalidRequest, "The value specified in the x-amz-trailer header is not supported")
	}
	for other := range checksums {
		if a.header(r, checksumPrefix+other) != "" {
			return trailerSpec{}, gateway.Errorf(gateway.InvalidRequest, "Expecting a single x-amz-checksum- header, but there is one beside the trailer.")
		}
	}
	return trailerSpec{name: name, hash: h}, a.checkSDKAlgorithm(r, suffix)
}

// checkSDKAlgorithm compares the algorithm that an SDK announced with the one
// that comes: the trailer's, or without a trailer a header's.
func (a *Auth) checkSDKAlgorithm(r *http.Request, trailer string) error {
	said := strings.ToLower(a.header(r, "X-Amz-Sdk-Checksum-Algorithm"))
	switch {
	case said == "" || said == trailer:
		return nil
	case trailer == "" && a.header(r, checksumPrefix+said) != "":
		return nil
	case trailer == "":
		return gateway.Errorf(gateway.InvalidRequest, "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	return gateway.Errorf(gateway.InvalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid: it differs from x-amz-trailer.")
}

const trailerSignature = "x-amz-trailer-signature"

// receivedTrailers are the lines after the last chunk, by lower-case name.
type receivedTrailers map[string]string

// add takes one line. Only the declared checksum and, in a signed body, its
// signature may come, once each.
func (t receivedTrailers) add(line string, spec trailerSpec, signed bool) error {
	name, value, ok := strings.Cut(line, ":")
	name = strings.ToLower(name)
	expected := name == spec.name && name != "" || signed && name == trailerSignature
	if _, doubled := t[name]; !ok || !expected || doubled {
		return malformedTrailer("a line that was not declared in x-amz-trailer, or came twice")
	}
	t[name] = strings.TrimSpace(value)
	return nil
}

func malformedTrailer(why string) *gateway.Error {
	return gateway.Errorf(gateway.MalformedTrailer, "The request contained trailing data that was not well-formed or did not conform to our published schema: %s.", why)
}

// check compares the trailer's checksum with the payload's.
func (t receivedTrailers) check(spec trailerSpec) error {
	if spec.name == "" {
		return nil
	}
	value, ok := t[spec.name]
	if !ok {
		return malformedTrailer(spec.name + " was declared and did not come")
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(sum) != spec.hash.Size() || strings.ContainsAny(value, "\r\n") {
		return gateway.Errorf(gateway.InvalidRequest, "Value for %s trailing header is invalid.", spec.name)
	}
	if string(sum) != string(spec.hash.Sum(nil)) {
		return badChecksum(strings.TrimPrefix(spec.name, checksumPrefix))
	}
	return nil
}
