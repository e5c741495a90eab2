package signer

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	gateway "github.com/codeguardians/s3gateway"
)

// Presign makes a URL that is valid for expires (1 s to 7 days) from now. The
// headers given are signed, and whoever uses the URL has to send exactly them;
// an X-Amz-Content-Sha256 among them pins the payload, a Content-Length its
// size. u comes from SetTarget and is not changed.
func Presign(ctx context.Context, creds aws.Credentials, method string, u *url.URL, header http.Header, region string, expires time.Duration, now time.Time) (string, error) {
	if expires < time.Second || expires > MaxExpires {
		return "", gateway.Errorf(gateway.InvalidArgument, "A presigned URL lives from 1 to %d seconds.", int(MaxExpires/time.Second))
	}
	if err := checkQuery(u.RawQuery); err != nil {
		return "", err
	}
	target := *u
	target.RawQuery = withExpires(u.RawQuery, expires)
	r := &http.Request{Method: method, URL: &target, Host: u.Host, Header: header.Clone()}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.ContentLength = contentLength(r.Header)
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		hash = UnsignedPayload
	}
	signed, _, err := newS3Signer().PresignHTTP(ctx, creds, r, hash, serviceS3, region, now)
	if err != nil {
		return "", gateway.Errorf(gateway.Internal, "The URL could not be signed.").Because(err)
	}
	return signed, nil
}

func withExpires(rawQuery string, expires time.Duration) string {
	pair := queryExpires + "=" + strconv.FormatInt(int64(expires/time.Second), 10)
	if rawQuery == "" {
		return pair
	}
	return rawQuery + "&" + pair
}

// contentLength gives the length to sign: the SDK's signer reads it from the
// request and not from the header. 0, which it does not sign, for none.
func contentLength(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
