package verify

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// judge reads an object once, as an upload is read, and marks it.
func (g *Gate) judge(ctx context.Context, key, version string) error {
	ctx, cancel := context.WithCancel(ctx) // ends the body of a refused one
	defer cancel()
	resp, err := g.get(ctx, key, version)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if g.Verified(key, resp.Header) {
		return nil // somebody else was faster
	}
	caller, came := g.linkOf(key, resp.Header)
	sum, err := g.read(caller, key, resp)
	switch {
	case refused(err):
		g.Log.Warn().Err(err).Str("bucket", g.Bucket).Str("key", key).Bool("deleted", came).
			Msg("a file that came past the gateway breaks the policy")
		if came {
			g.remove(ctx, key, resp.Header)
		}
		return err
	case err != nil:
		return err
	case version != "":
		return nil // a copy would become the newest version
	}
	return g.keep(ctx, key, resp.Header, sum)
}

func (g *Gate) get(ctx context.Context, key, version string) (*http.Response, error) {
	req := backend.Request{Method: http.MethodGet, Bucket: g.Bucket, Key: key}
	if version != "" {
		req.Query = []signer.Param{{Key: "versionId", Value: version}}
	}
	resp, err := g.Client.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, backend.ReadError(resp)
	}
	return resp, nil
}

// read judges the bytes by the limits of the caller whose link they came by and
// gives their SHA-256. An object that was in the bucket before has no caller;
// then the limits of the bucket hold.
func (g *Gate) read(caller, key string, resp *http.Response) (sum []byte, err error) {
	who := gateway.Caller{Name: caller}
	admitted, _, err := g.Policy.LimitsFor(who, g.Name, key).Admit(policy.Upload{
		Caller: who, Bucket: g.Name, Key: key, ContentType: resp.Header.Get("Content-Type"), Size: resp.ContentLength,
	}, resp.Body)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	n, err := io.Copy(hash, admitted)
	if err == nil && n != resp.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return hash.Sum(nil), err
}

// refused reports whether the policy said no, and not the way to the backend.
func refused(err error) bool {
	switch gateway.CodeOf(err) {
	case gateway.EntityTooLarge, gateway.EntityTooSmall, gateway.TypeNotAllowed, gateway.NameNotAllowed:
		return true
	}
	return false
}

// errChanged tells that the object was replaced while it was checked.
func errChanged(cause error) error {
	return &gateway.Error{
		Code: gateway.ServiceUnavailable, Message: "The file was replaced while it was checked. Please try again.",
		RetryAfter: retryAfter, Err: cause,
	}
}

// keep copies the object onto itself with the mark, if it still is the one that
// was read. An ETag alone is not proof of that: it is an MD5, of which two files
// can be made to agree. So the store's own SHA-256 of the copy is compared.
func (g *Gate) keep(ctx context.Context, key string, was http.Header, sum []byte) error {
	mark, err := g.mark(checked, key, wholeSize(was), was.Get("Content-Type"))
	if err != nil {
		return err
	}
	done := g.change(key)
	defer done(false)
	stored, err := g.copy(ctx, key, was, mark)
	if err != nil {
		e := gateway.AsError(err)
		done(e.Status != 0 && e.Status < 500)
		if e.Code == gateway.PreconditionFailed || e.Code == gateway.NoSuchKey {
			return errChanged(err)
		}
		return err
	}
	done(true)
	if stored != "" && stored != base64.StdEncoding.EncodeToString(sum) {
		err := errors.New("the bytes that were marked are not those that were read")
		g.Log.Error().Err(err).Str("bucket", g.Bucket).Str("key", key).Msg("a file was replaced while it was marked: it is deleted")
		g.remove(ctx, key, http.Header{})
		return errChanged(err)
	}
	return nil
}

// change announces a change of the object to the cache, under every name that it
// may have there.
func (g *Gate) change(key string) func(known bool) {
	return g.Cache.Change(g.Client.Name, g.Bucket, key, gateway.CleanKey(key)).Done
}

// remove deletes what was refused: the version that was read, or, without
// versions, the object if it is still the one. Nobody is served it either way.
func (g *Gate) remove(ctx context.Context, key string, was http.Header) {
	done := g.change(key)
	defer done(false)
	req := backend.Request{Method: http.MethodDelete, Bucket: g.Bucket, Key: key, Header: http.Header{}}
	send := g.Client.Do
	if version := was.Get("X-Amz-Version-Id"); version != "" && version != "null" {
		req.Query = []signer.Param{{Key: "versionId", Value: version}}
	} else if etag := was.Get("Etag"); etag != "" {
		send = func(ctx context.Context, req backend.Request) (*http.Response, error) {
			return g.Client.DeleteIf(ctx, req, backend.DeleteConditions{Match: etag})
		}
	}
	resp, err := send(ctx, req)
	if gateway.CodeOf(err) == gateway.PreconditionFailed || gateway.CodeOf(err) == gateway.NoSuchKey {
		done(true)
		return // another one has taken its place
	}
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode >= http.StatusMultipleChoices {
			err = backend.ReadError(resp)
		}
	}
	if err != nil {
		g.Log.Error().Err(err).Str("bucket", g.Bucket).Str("key", key).Msg("a file that was refused could not be deleted")
		return
	}
	done(true)
}

// metaPrefix begins user metadata in canonical form.
const metaPrefix = "X-Amz-Meta-"

func ours(name string) bool {
	return strings.EqualFold(name, MarkHeader) || strings.EqualFold(name, LinkHeader)
}
