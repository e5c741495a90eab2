package wire

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// maxCORSRules is S3's
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html).
const maxCORSRules = 100

var corsMethods = []string{"GET", "PUT", "POST", "DELETE", "HEAD"}

type corsConfiguration struct {
	XMLName xml.Name   `xml:"CORSConfiguration"`
	Xmlns   string     `xml:"xmlns,attr"`
	Rules   []corsRule `xml:"CORSRule"`
	strict
}

type corsRule struct {
	ID             string   `xml:",omitempty"`
	AllowedHeaders []string `xml:"AllowedHeader"`
	AllowedMethods []string `xml:"AllowedMethod"`
	AllowedOrigins []string `xml:"AllowedOrigin"`
	ExposeHeaders  []string `xml:"ExposeHeader"`
	MaxAge         *int     `xml:"MaxAgeSeconds"`
	strict
}

// readCORS checks the CORS rules of a bucket.
func (x *exchange) readCORS() ([]byte, error) {
	var doc corsConfiguration
	if err := x.readDocument("CORSConfiguration", &doc); err != nil {
		return nil, err
	}
	if len(doc.Rules) == 0 || len(doc.Rules) > maxCORSRules {
		return nil, malformed()
	}
	for i := range doc.Rules {
		if err := doc.Rules[i].check(); err != nil {
			return nil, err
		}
	}
	doc.Xmlns = namespace
	kept, err := marshalSetting(doc)
	if err == nil && len(kept) > maxCORS {
		return nil, invalidRequest("The CORS configuration is larger than %d bytes.", maxCORS)
	}
	return kept, err
}

// maxCORS is S3's bound of a CORS configuration, in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html).
const maxCORS = 64 << 10

// marshalSetting returns a checked document as it is kept.
func marshalSetting(doc any) ([]byte, error) {
	raw, err := xml.Marshal(doc)
	return append([]byte(xml.Header), raw...), err
}

func (r *corsRule) check() error {
	if len(r.AllowedMethods) == 0 || len(r.AllowedOrigins) == 0 {
		return malformed()
	}
	if len(r.ID) > maxRuleID {
		return refuse(localstore.InvalidArgument, "ID length should not exceed allowed limit of 255")
	}
	for _, m := range r.AllowedMethods {
		if !slices.Contains(corsMethods, m) {
			return invalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is %s", m)
		}
	}
	for _, o := range r.AllowedOrigins {
		if strings.Count(o, "*") > 1 {
			return invalidRequest(`AllowedOrigin "%s" can not have more than one wildcard.`, o)
		}
	}
	for _, h := range r.AllowedHeaders {
		if strings.Count(h, "*") > 1 {
			return invalidRequest(`AllowedHeader "%s" can not have more than one wildcard.`, h)
		}
	}
	for _, h := range r.ExposeHeaders {
		if strings.Contains(h, "*") {
			return invalidRequest(`ExposeHeader "%s" contains wildcard. We currently do not support wildcard for ExposeHeader.`, h)
		}
	}
	for _, h := range slices.Concat(r.AllowedHeaders, r.ExposeHeaders) {
		if !isToken(h) {
			return invalidRequest(`AllowedHeader "%s" contains invalid character.`, h)
		}
	}
	return nil
}

// isToken reports whether s can be the name of a header (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
