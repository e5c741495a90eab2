package api

import (
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

// presignDownload gives a URL of the S3 door to GET a file from. Where a CDN
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
	said := contentDisposition(shown(mode, o.ContentType), d.fileOf(r, o).Filename)
	query := []signer.Param{{Key: "response-content-disposition", Value: said}}
	link, err := d.sign(r, http.MethodGet, o.Key, query, nil, life, d.Now())
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, downloadLink{URL: link, ID: o.Key, ExpiresIn: life})
}

// sign makes a URL of the S3 door with the caller's link credential, so that
// the caller's rights at the time of use hold.
func (d *door) sign(r *http.Request, method, key string, query []signer.Param, header http.Header, life int, now time.Time) (string, error) {
	u, credential, err := d.s3Door(r)
	if err != nil {
		return "", err
	}
	signer.SetTarget(u, "/"+d.Bucket+"/"+key, signer.BuildQuery(query))
	return signer.Presign(r.Context(), credential, method, u, header, d.Region, time.Duration(life)*time.Second, now)
}

// s3Door gives the address of the S3 door and the caller's credential for it.
func (d *door) s3Door(r *http.Request) (*url.URL, aws.Credentials, error) {
	base := d.publicURL(r)
	if base == nil {
		return nil, aws.Credentials{}, gateway.Errorf(gateway.ServiceUnavailable,
			"Links need the address of the gateway: set PUBLIC_URL.").With("Setting", "PUBLIC_URL")
	}
	id, secret := d.Callers.LinkCredential(callerOf(r))
	if id == "" {
		return nil, aws.Credentials{}, gateway.Errorf(gateway.ServiceUnavailable,
			"Links need a key to sign with: set GATEWAY_ACCESS_KEY_ID and GATEWAY_SECRET_ACCESS_KEY.").
			With("Setting", "GATEWAY_SECRET_ACCESS_KEY")
	}
	return &url.URL{Scheme: base.Scheme, Host: base.Host}, aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
}
