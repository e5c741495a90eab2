package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// maxExpires is the longest life of a link in seconds (SigV4's seven days).
const maxExpires = 604800

// uploadLink is the answer to a request for an upload URL.
type uploadLink struct {
	URL       string            `json:"upload_url"`
	FileURL   string            `json:"file_url"`
	ID        string            `json:"file_id"`
	Filename  string            `json:"filename"`
	ExpiresIn int               `json:"expires_in"`
	ExpiresAt string            `json:"expires_at"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers"` // what the client must send along
}

type downloadLink struct {
	URL       string `json:"download_url"`
	ID        string `json:"file_id"`
	ExpiresIn int    `json:"expires_in"`
}

// presignUpload gives a URL of the S3 door to PUT one file to. Name, type and
// size are judged now; the bytes are judged on the wire, by the same policy.
func (d *door) presignUpload(w http.ResponseWriter, r *http.Request) error {
	if err := d.may(r, gateway.Write, string(d.prefix)); err != nil {
		return err
	}
	var filename, contentType string
	var expires, size *int64
	err := readJSON(r, map[string]any{
		"filename": &filename, "content_type": &contentType, "expires_in": &expires, "size": &size,
	})
	if err != nil {
		return err
	}
	name, err := cleanFilename(filename)
	if err != nil {
		return err
	}
	life, err := d.life(expires)
	if err != nil {
		return err
	}
	id, err := d.prefix.newID(d.Random, d.Now(), safeName(name))
	if err != nil {
		return err
	}
	if contentType, err = d.admitLink(r, id, contentType, size); err != nil {
		return err
	}
	header := http.Header{"Content-Type": {contentType}}
	now := d.Now()
	link, err := d.sign(r, http.MethodPut, id, nil, header, life, now)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, uploadLink{
		URL: link, FileURL: d.fileURL(r, id), ID: id, Filename: name, ExpiresIn: life,
		ExpiresAt: timestamp(now.Add(time.Duration(life) * time.Second)),
		Method:    http.MethodPut, Headers: map[string]string{"Content-Type": contentType},
	})
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

// admitLink judges what is declared of a file that is to come, and gives the
// type that the link is signed for.
func (d *door) admitLink(r *http.Request, id, declared string, size *int64) (string, error) {
	if err := d.may(r, gateway.Write, id); err != nil {
		return "", err
	}
	bytes := int64(-1)
	if size != nil {
		if *size < 0 {
			return "", invalid(gateway.UnprocessableValue, "size", "must not be negative")
		}
		bytes = *size
	}
	if declared == "" {
		byExtension, ok := policy.TypeByExtension(id)
		if !ok {
			return "", invalid(gateway.UnprocessableValue, "content_type", "is missing, and the filename's extension names no type")
		}
		declared = byExtension
	}
	if !validHeaderValue(declared) {
		return "", invalid(gateway.UnprocessableValue, "content_type", "is not a media type")
	}
	limits := d.Policy.Limits(d.Bucket, id)
	if err := limits.CheckSize(bytes); err != nil {
		return "", err
	}
	return declared, limits.Types.CheckDeclared(declared, id)
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

// presignDownload gives a URL of the S3 door to GET a file from.
func (d *door) presignDownload(w http.ResponseWriter, r *http.Request) error {
	life, err := intParam(r, "expires_in", 0, 1, maxExpires)
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
	query := []signer.Param{{Key: "response-content-disposition", Value: contentDisposition("attachment", d.fileOf(r, o).Filename)}}
	link, err := d.sign(r, http.MethodGet, o.Key, query, nil, life, d.Now())
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, downloadLink{URL: link, ID: o.Key, ExpiresIn: life})
}

// sign makes a URL of the S3 door with the caller's link credential, so that
// the caller's rights at the time of use hold.
func (d *door) sign(r *http.Request, method, key string, query []signer.Param, header http.Header, life int, now time.Time) (string, error) {
	base := d.publicURL(r)
	if base == nil {
		return "", gateway.Errorf(gateway.ServiceUnavailable,
			"Links need the address of the gateway: set PUBLIC_URL.").With("Setting", "PUBLIC_URL")
	}
	id, secret := d.Callers.LinkCredential(callerOf(r))
	if id == "" {
		return "", gateway.Errorf(gateway.ServiceUnavailable,
			"Links need a key to sign with: set GATEWAY_ACCESS_KEY_ID and GATEWAY_SECRET_ACCESS_KEY.").
			With("Setting", "GATEWAY_SECRET_ACCESS_KEY")
	}
	u := &url.URL{Scheme: base.Scheme, Host: base.Host}
	signer.SetTarget(u, "/"+d.Bucket+"/"+key, signer.BuildQuery(query))
	credential := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	return signer.Presign(r.Context(), credential, method, u, header, d.Region, time.Duration(life)*time.Second, now)
}
