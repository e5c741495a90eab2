package backend

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// changedCodes are a store's refusals of a body that is not what its proof says.
var changedCodes = []string{"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "ContentSHA256Mismatch"}

// asChanged turns such a refusal of a body that was proven here into what it is:
// bytes that changed between here and the store, about which a client can do
// nothing but send them again. Any other answer stays as it is.
func asChanged(req Request, resp *http.Response) error {
	if !req.Proven || resp.StatusCode < 400 || resp.StatusCode >= 500 {
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorDocument))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	if err != nil {
		return unreachable(fmt.Errorf("the refusal of an upload could not be read: %w", err))
	}
	code := codeOf(raw)
	signed := req.PayloadHash == signer.StreamingSigned && code == "SignatureDoesNotMatch"
	if !signed && !slices.Contains(changedCodes, code) {
		return nil
	}
	e := gateway.Errorf(gateway.ServiceUnavailable, "The bytes changed on their way to the storage, and nothing was stored. Try again.").
		Because(fmt.Errorf("the backend refused bytes that were proven here: %s", code))
	e.RetryAfter = retryAfter
	return e
}
