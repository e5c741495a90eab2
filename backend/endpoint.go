package backend

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/codeguardians/s3gateway/signer"
)

// Endpoint says where a backend is and how it wants to be spoken to.
type Endpoint struct {
	// Name stands for the backend in logs and cache keys.
	Name string
	// URL is scheme and host, with a port where it is not the scheme's own.
	URL *url.URL
	// Transport answers requests in the process: a store that is part of it. They
	// are not signed, because they reach nothing but it. nil: the backend is
	// dialled at URL.
	Transport http.RoundTripper
	// Region signs outbound requests.
	Region string
	// PathStyle puts the bucket into the path; otherwise it is the first label
	// of the host.
	PathStyle bool
	// Credentials sign outbound requests.
	Credentials aws.CredentialsProvider
	// Trailers is true when the backend takes bodies with a trailing checksum
	// (STREAMING-UNSIGNED-PAYLOAD-TRAILER). Without it the gateway checks the
	// trailer and sends the plain body.
	Trailers bool
	// SignedChunks is true when the backend takes bodies in signed chunks
	// (STREAMING-AWS4-HMAC-SHA256-PAYLOAD), which prove bytes that nothing else
	// proves. Without it they travel unproven.
	SignedChunks bool
	// ConditionalWrites is true when the backend is known to enforce If-Match and
	// If-None-Match on PutObject and CompleteMultipartUpload. Without it that is
	// tried out (Client.EnforcesWrites), and such a request is refused where it
	// does not: nothing else can decide at the moment of the write.
	ConditionalWrites bool
	// ConditionalCopies is true when it enforces them on CopyObject, and
	// ConditionalDeletes when it enforces If-Match on DeleteObject. Without them
	// the gateway compares under a lock of the key (KeyLocks).
	ConditionalCopies, ConditionalDeletes bool
	// IfRange is true when the backend honours If-Range. Without it the gateway
	// resolves the condition before it asks for the range.
	IfRange bool
	// VerifyPayload makes the gateway compare a signed payload hash itself,
	// for a backend that is not trusted to.
	VerifyPayload bool
	// Stall is how long the backend may take or send no byte of a body; zero
	// means 60 seconds.
	Stall time.Duration
	// Names says how the store spells versions, uploads and keys.
	Names Names
	// SparesReserved is true when no rule of a bucket's lifecycle acts on keys
	// under gateway.ReservedPrefix.
	SparesReserved bool
	// ProvesReads is true when the store compares what it reads with checksums of
	// its own before it hands it over, and no network is in between.
	ProvesReads bool
	// CAs alone vouch for the backend's certificate; nil means the system's.
	CAs *x509.CertPool
	// SkipTLSVerify takes any certificate for the backend's.
	SkipTLSVerify bool
}

// AWSEndpoint gives the URL of AWS S3 in a region
// (https://docs.aws.amazon.com/general/latest/gr/s3.html).
func AWSEndpoint(region string) *url.URL {
	suffix := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		suffix = "amazonaws.com.cn"
	}
	return &url.URL{Scheme: "https", Host: "s3." + region + "." + suffix}
}

// Know sets the properties of a backend that follow from its address. Those of
// any other are left as they are: what is not known to be enforced is enforced by
// the gateway, or tried out.
func (e *Endpoint) Know() {
	// Google's XML API has no chunks, and is reached by TLS.
	e.SignedChunks = e.URL.Hostname() != "storage.googleapis.com"
	if onAWS(e.URL) {
		e.ConditionalWrites, e.ConditionalCopies, e.ConditionalDeletes = true, true, true
	}
}

// target gives host and path of a bucket and key in this endpoint's style.
func (e *Endpoint) target(bucket, key string) (host, path string) {
	host = e.URL.Host
	base := strings.TrimSuffix(e.URL.Path, "/")
	switch {
	case bucket == "":
		return host, base + "/"
	case e.virtualHost(bucket):
		return bucket + "." + host, base + "/" + key
	case key == "":
		return host, base + "/" + bucket
	default:
		return host, base + "/" + bucket + "/" + key
	}
}

// virtualHost reports whether a bucket goes into the host name. A dotted name
// does not fit the wildcard certificate of an HTTPS endpoint, an IP address has
// no sub-domains, and the names of old buckets (capitals, underscores) are no
// host names.
func (e *Endpoint) virtualHost(bucket string) bool {
	if e.PathStyle || net.ParseIP(e.URL.Hostname()) != nil || strings.ContainsFunc(bucket, notInHost) {
		return false
	}
	return e.URL.Scheme != "https" || !strings.Contains(bucket, ".")
}

func notInHost(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.'
}

// Format prints where the endpoint is and nothing of its credentials, for every
// verb.
func (e Endpoint) Format(w fmt.State, _ rune) {
	at := ""
	if e.URL != nil {
		at = e.URL.Redacted()
	}
	_, _ = fmt.Fprintf(w, "%s at %s", e.Name, at)
}

// ObjectURL is the plain URL of an object at the backend, in S3's own encoding
// and without a signature. public replaces the endpoint's own address where it is not nil.
func (e *Endpoint) ObjectURL(public *url.URL, bucket, key string) *url.URL {
	at := *e
	if public != nil {
		at.URL = public
	}
	host, path := at.target(bucket, key)
	u := &url.URL{Scheme: at.URL.Scheme, Host: host}
	signer.SetTarget(u, path, "")
	return u
}
