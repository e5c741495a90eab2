package proxy

import (
	"net"
	"net/http"
	"strings"

	"github.com/codeguardians/s3gateway/signer"
)

// address is what a request is about, in the client's names. Key is the decoded
// bytes, never cleaned.
type address struct {
	Bucket, Key string
}

func (a address) level() Level {
	switch {
	case a.Bucket == "":
		return ServiceLevel
	case a.Key == "":
		return BucketLevel
	default:
		return ObjectLevel
	}
}

// resolve reads bucket and key from a decoded path, or, under one of the
// domains of virtual-host style, the bucket from the host
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
func resolve(domains []string, host, path string) address {
	path = strings.TrimPrefix(path, "/")
	if bucket, ok := bucketOfHost(domains, host); ok && bucket != "" {
		return address{Bucket: bucket, Key: path}
	}
	bucket, key, _ := strings.Cut(path, "/")
	return address{Bucket: bucket, Key: key}
}

// UnderDomain reports whether a Host header names one of the virtual-host
// domains or a bucket below one.
func UnderDomain(domains []string, host string) bool {
	_, ok := bucketOfHost(domains, host)
	return ok
}

// bucketOfHost finds the bucket label before one of the domains; it is empty
// for the domain itself.
func bucketOfHost(domains []string, host string) (string, bool) {
	if len(domains) == 0 {
		return "", false
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range domains {
		domain = strings.ToLower(domain)
		if host == domain {
			return "", true
		}
		if bucket, ok := strings.CutSuffix(host, "."+domain); ok {
			return bucket, true
		}
	}
	return "", false
}

// BucketOf gives the bucket that a host names under one of the domains, "" for
// none.
func BucketOf(domains []string, host string) string {
	bucket, _ := bucketOfHost(domains, host)
	return bucket
}

// MakesBucket reports a request that creates a bucket, by its request line
// alone: whose signature may name any region.
func MakesBucket(domains []string, r *http.Request, t signer.Target) bool {
	return r.Method == http.MethodPut && len(t.Query) == 0 && resolve(domains, r.Host, t.Path).level() == BucketLevel
}
