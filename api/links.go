package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// maxExpires is the longest life of a link in seconds (SigV4's seven days).
const maxExpires = 604800

type downloadLink struct {
	URL       string `json:"download_url"`
	ID        string `json:"file_id"`
	ExpiresIn int    `json:"expires_in"`
}

// life is how long a link lives, in seconds.
func (d *door) life(asked *int64) (int, error) {
	if asked == nil {
		return min(max(int(d.UploadExpiry/time.Second), 1), maxExpires), nil
	}
	if *asked < 1 || *asked > maxExpires {
		return 0, invalid(gateway.UnprocessableValue, "expires_in", "must be from 1 to %d", maxExpires)
	}
	return int(*asked), nil
}

// validHeaderValue keeps out what cannot stand in a header as it is: a signed
// value must reach the S3 door byte for byte, and no proxy may trim it.
func validHeaderValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && s[0] != ' ' && s[len(s)-1] != ' '
}

// presignDownload gives a URL to GET a file from. Where a CDN
// stands before the files it is the CDN's, whose own rules say who may use it
// and for how long.
func (d *door) presignDownload(w http.ResponseWriter, r *http.Request) error {
	life, err := intParam(r, "expires_in", 0, 1, maxExpires)
	if err != nil {
		return err
	}
	mode, err := dispositionOf(r)
	if err != nil {
		return err
	}
	if life == 0 {
		life, _ = d.life(nil)
	}
	o, err := d.head(w, r)
	if err != nil {
		return err
	}
	if d.CDNBaseURL != nil {
		return writeJSON(w, r, http.StatusOK, downloadLink{URL: d.fileURL(r, o.Key), ID: o.Key, ExpiresIn: life})
	}
	now := d.Now()
	to, err := d.linkTarget(r, life, now)
	if err != nil {
		return err
	}
	said := contentDisposition(shown(mode, o.ContentType), d.fileOf(r, o).Filename)
	query := []signer.Param{{Key: "response-content-disposition", Value: said}}
	link, err := to.sign(r.Context(), http.MethodGet, o.Key, query, nil, now)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, downloadLink{URL: link, ID: o.Key, ExpiresIn: to.life})
}

// linkTarget is where links lead, and with what they are signed.
type linkTarget struct {
	// at gives the URL of a key, and of the bucket for the key "".
	at         func(key string) *url.URL
	bucket     string // as it is called there
	region     string
	credential aws.Credentials
	life       int // in seconds, at most what was asked for
}

// linkTarget chooses the target of a link that is to live for life seconds.
func (d *door) linkTarget(r *http.Request, life int, now time.Time) (linkTarget, error) {
	if d.Links != nil {
		return d.Links.target(r.Context(), life, now)
	}
	return d.s3Door(r, life)
}

// sign makes a URL for one request.
func (t linkTarget) sign(ctx context.Context, method, key string, query []signer.Param, header http.Header, now time.Time) (string, error) {
	u := t.at(key)
	u.RawQuery = signer.BuildQuery(query)
	return signer.Presign(ctx, t.credential, method, u, header, t.region, time.Duration(t.life)*time.Second, now)
}

// s3Door is the S3 door of this gateway, with the caller's link credential, so
// that the caller's rights at the time of use hold.
func (d *door) s3Door(r *http.Request, life int) (t linkTarget, err error) {
	base := d.publicURL(r)
	if base == nil {
		return t, gateway.Errorf(gateway.ServiceUnavailable,
			"Links need the address of the gateway: set PUBLIC_URL.").With("Setting", "PUBLIC_URL")
	}
	id, secret := d.Callers.LinkCredential(callerOf(r))
	if id == "" {
		return t, gateway.Errorf(gateway.ServiceUnavailable,
			"Links need a key to sign with: set GATEWAY_ACCESS_KEY_ID and GATEWAY_SECRET_ACCESS_KEY.").
			With("Setting", "GATEWAY_SECRET_ACCESS_KEY")
	}
	return linkTarget{
		bucket: d.Bucket, region: d.Region, life: life,
		credential: aws.Credentials{AccessKeyID: id, SecretAccessKey: secret},
		at: func(key string) *url.URL {
			u := &url.URL{Scheme: base.Scheme, Host: base.Host}
			path := "/" + d.Bucket
			if key != "" {
				path += "/" + key
			}
			signer.SetTarget(u, path, "")
			return u
		},
	}, nil
}
