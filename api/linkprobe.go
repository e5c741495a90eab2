package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
	"github.com/codeguardians/s3gateway/verify"
)

// copySource is the header that makes a copy of a PUT. AWS refuses it on a link
// that did not sign it. MinIO takes it, and whoever has a link could copy any
// object that the gateway's credentials can read. So how a store takes it is
// tried once, before the first link to PUT to is given away.
const copySource = "X-Amz-Copy-Source"

// pin is a copy source of nothing, which is signed into a link's query: a header
// of that name then has to be the same nothing. Stores that refuse the unsigned
// header get links without it.
var pin = signer.Param{Key: strings.ToLower(copySource)}

// wrongMD5 is that of no body.
const wrongMD5 = "AAAAAAAAAAAAAAAAAAAAAA=="

// linkProbeKey is never stored: each of the requests for it is one to refuse.
const linkProbeKey = gateway.ReservedPrefix + "link-probe"

// signPut makes a link to PUT one file to.
func (l *BackendLinks) signPut(ctx context.Context, to linkTarget, key string, query []signer.Param, header http.Header, now time.Time) (string, error) {
	pinned, err := l.mustPin(ctx, now)
	if err != nil {
		return "", err
	}
	return signPinned(ctx, to, key, query, header, pinned, now)
}

func signPinned(ctx context.Context, to linkTarget, key string, query []signer.Param, header http.Header, pinned bool, now time.Time) (string, error) {
	if pinned {
		query = append(query, pin)
		header = header.Clone()
		header.Set(copySource, "")
	}
	return to.sign(ctx, http.MethodPut, key, query, header, now)
}

// mustPin reports whether links need the pin. A store on which links can be
// turned into copies either way gets none.
func (l *BackendLinks) mustPin(ctx context.Context, now time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pinned != nil {
		return *l.pinned, nil
	}
	to, err := l.target(ctx, 60, now)
	if err != nil {
		return false, err
	}
	to.at = func(key string) *url.URL { return l.Client.ObjectURL(nil, l.Bucket, key) } // the way that this gateway has
	for _, pinned := range []bool{false, true} {
		safe, err := l.refusesCopies(ctx, to, pinned, now)
		if err != nil {
			return false, err
		}
		if !safe {
			continue
		}
		if safe, err = l.refusesMarks(ctx, to, pinned, now); err != nil {
			return false, err
		}
		if !safe {
			return false, gateway.Errorf(gateway.ServiceUnavailable,
				"This storage takes metadata on a link that the link did not sign, so what comes by it cannot be told from what was checked: use PRESIGN_VIA=gateway, or forms (method POST).").
				With("Setting", "PRESIGN_VIA")
		}
		l.pinned = &pinned
		return pinned, nil
	}
	return false, gateway.Errorf(gateway.ServiceUnavailable,
		"This storage lets whoever has a link copy other files with it: use PRESIGN_VIA=gateway, or forms (method POST).").With("Setting", "PRESIGN_VIA")
}

// refusesMarks tries a link with a mark that it did not sign, which must be
// refused: who reads a file by a link straight to the backend is shown its mark,
// and could send it along with another file. Of a store that takes it, the wrong
// MD5 keeps it from storing something.
func (l *BackendLinks) refusesMarks(ctx context.Context, to linkTarget, pinned bool, now time.Time) (bool, error) {
	status, code, err := l.try(ctx, to, pinned, http.Header{verify.MarkHeader: {"probe"}, "Content-Md5": {wrongMD5}}, now)
	return status == http.StatusForbidden || code == gateway.AccessDenied, err // MinIO says so with 400
}

// refusesCopies tries a link with an unsigned copy source, which must be refused,
// and, where it is pinned, as a client would: with a wrong MD5, so that what is
// refused is the body and not the signature, and nothing is stored.
func (l *BackendLinks) refusesCopies(ctx context.Context, to linkTarget, pinned bool, now time.Time) (bool, error) {
	status, _, err := l.try(ctx, to, pinned, http.Header{copySource: {"/" + l.Bucket + "/" + linkProbeKey + "-source"}}, now)
	if err != nil || status != http.StatusForbidden || !pinned {
		return status == http.StatusForbidden, err
	}
	status, _, err = l.try(ctx, to, pinned, http.Header{"Content-Md5": {wrongMD5}}, now)
	return status == http.StatusBadRequest, err
}

func (l *BackendLinks) try(ctx context.Context, to linkTarget, pinned bool, header http.Header, now time.Time) (status int, code gateway.Code, err error) {
	link, err := signPinned(ctx, to, linkProbeKey, nil, http.Header{}, pinned, now)
	if err != nil {
		return 0, "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, link, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	r.Header = header
	resp, err := l.Client.Plain(r)
	if err != nil {
		return 0, "", &gateway.Error{
			Code: gateway.ServiceUnavailable, Message: "The storage backend is not reachable. Please try again.", RetryAfter: bufferRetry, Err: err,
		}
	}
	defer resp.Body.Close()
	refused := backend.ReadError(resp)
	if resp.StatusCode >= http.StatusInternalServerError {
		return 0, "", refused
	}
	return resp.StatusCode, refused.Code, nil
}
