package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/quota"
)

// claimTime is how long a request that finishes an upload is left alone. One that
// takes longer may have died.
const claimTime = 5 * time.Second

// whole says that all bytes are stored, and the file is not yet made of them.
func (u *upload) whole() bool { return !u.state.Done && u.offset() == u.state.Length }

// finishPending makes the file of an upload that a request left whole: it died
// over it, or on another replica is just about to.
func (d *door) finishPending(r *http.Request, u *upload, tail io.Reader) error {
	if !u.whole() {
		return nil
	}
	if d.Now().Before(u.state.Expires.Add(claimTime - uploadLife)) {
		return lockedOut()
	}
	err := d.receive(r, u, &chunk{body: http.NoBody}, tail)
	if err == nil && u.state.Done {
		// Also where the request only asked how far the upload is.
		d.changed(r, u.state.Key)
	}
	return err
}

// finish makes the file of a whole upload: it has been judged, its checksums
// were compared.
func (w *uploadWriter) finish() error {
	stored, err := w.store()
	if missingUpload(err) || conditionFailed(err) {
		stored, err = w.alreadyThere(err)
	}
	if err != nil {
		return err
	}
	w.u.file = &stored
	w.stale = append(w.stale, w.u.state.Pieces...)
	if w.u.state.Earlier.Name != "" {
		w.stale = append(w.stale, w.u.state.Earlier)
	}
	w.u.state = uploadState{
		Owner: w.u.state.Owner, Key: w.u.state.Key, Filename: w.u.state.Filename, Metadata: w.u.state.Metadata,
		Length: stored.Size, Stored: stored.Size, Saved: w.u.state.Saved, Done: true,
	}
	if err := w.save(nil); err != nil {
		// The file is there; only the upload's own address does not tell so.
		w.log.Warn().Err(err).Str("key", stored.Key).Msg("the end of an upload could not be noted")
	}
	return nil
}

// store makes the object: a file within one part as a single PutObject, which
// the first of several requests wins.
func (w *uploadWriter) store() (Object, error) {
	if err := w.gather(); err != nil {
		return Object{}, err
	}
	s, key, body := w.Resumable, w.u.state.Key, w.buf.bytes[:w.n]
	if w.up == nil {
		if err := errors.Join(w.declaredSHA256(hexOf(sha256Of(body))), w.stillOurs()); err != nil {
			return Object{}, err
		}
		ctx, cancel := context.WithTimeout(w.ctx, storeTime)
		defer cancel()
		contentType := policy.DetectType(w.u.state.Declared, key, body[:min(len(body), policy.SniffLen)])
		ctx = quota.Replacing(ctx, w.counted())
		return s.changing(key, func() (Object, error) { return s.putWhole(ctx, key, body, w.options(contentType)) })
	}
	if w.n > 0 {
		if err := w.sendPart(); err != nil {
			return Object{}, err
		}
	}
	if err := w.declaredSHA256(hexOf(w.up.sha.Sum(nil))); err != nil {
		return Object{}, err
	}
	earlier, err := w.earlier()
	if err != nil {
		return Object{}, err
	}
	w.up.done = completed(append(earlier, w.u.state.Parts...))
	// Two that complete one multipart upload at once are more than some stores
	// can take. From here on the state says that the upload is whole, and
	// whoever finds it so completes it if this request does not.
	if w.u.state.Whole.IsZero() {
		w.u.state.Whole = w.Now().UTC().Truncate(time.Second)
	}
	if err := w.save(nil); err != nil {
		return Object{}, err
	}
	return s.changing(key, func() (Object, error) { return w.up.completeAsStored(w.ctx) })
}

// declaredSHA256 compares the file with the sha256 of its Upload-Metadata.
func (w *uploadWriter) declaredSHA256(sum string) error {
	if w.u.state.SHA256 == "" || w.u.state.SHA256 == sum {
		return nil
	}
	err := gateway.Errorf(gateway.SHA256Mismatch, "The file's SHA-256 is not the one in Upload-Metadata. The upload was ended.")
	err.Field = "sha256"
	return err
}

func missingUpload(err error) bool { return gateway.CodeOf(err) == gateway.NoSuchUpload }

// alreadyThere finds the file that an earlier request finished without coming to
// note it.
func (w *uploadWriter) alreadyThere(cause error) (Object, error) {
	ctx, cancel := context.WithTimeout(w.ctx, storeTime)
	defer cancel()
	o, _, err := w.Store.Head(ctx, w.u.state.Key)
	if err != nil {
		if missingUpload(cause) {
			return o, w.partsGone(cause)
		}
		return o, cause
	}
	if o.SHA256 == "" && w.up != nil {
		o.SHA256 = hexOf(w.up.sha.Sum(nil))
		w.up.tag(ctx, o)
	}
	return o, nil
}

// partsGone is the refusal for an upload whose parts the store has not: it ends
// the upload. But some stores show neither parts nor object while they join
// them, so a request that another one overtook, or that found the upload whole,
// is told to ask again.
func (w *uploadWriter) partsGone(cause error) error {
	if err := w.stillOurs(); err != nil {
		return err
	}
	if w.pending && w.Now().Before(w.u.state.Whole.Add(settleTime)) {
		return lockedOut().Because(cause)
	}
	return gateway.Errorf(gateway.NoSuchUpload, "The parts of the upload are gone. Begin again.").Because(cause)
}

// completeAsStored is complete for parts that more than one request may have
// sent. Two that send the same bytes make the same parts, but where ETags are no
// hashes (encrypted buckets) the later one changes the ETag.
func (m *multipartUpload) completeAsStored(ctx context.Context) (Object, error) {
	stored, err := m.complete(ctx)
	if gateway.CodeOf(err) != gateway.InvalidPart {
		return stored, err
	}
	same, failed := m.takeETags(ctx)
	if failed != nil || !same {
		return stored, err
	}
	return m.complete(ctx)
}

// takeETags takes the ETags that the backend has now, if by their checksums the
// parts are the same.
func (m *multipartUpload) takeETags(ctx context.Context) (bool, error) {
	byNumber := map[int32]int{}
	for i, p := range m.done {
		byNumber[*p.PartNumber] = i
	}
	pages := s3.NewListPartsPaginator(m.Client.S3(), &s3.ListPartsInput{Bucket: &m.Bucket, Key: &m.key, UploadId: &m.id})
	found := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, fromSDK(err)
		}
		for _, p := range page.Parts {
			i, ok := byNumber[aws.ToInt32(p.PartNumber)]
			if !ok {
				continue
			}
			if m.done[i].ChecksumCRC64NVME == nil || aws.ToString(p.ChecksumCRC64NVME) != *m.done[i].ChecksumCRC64NVME {
				return false, nil
			}
			m.done[i].ETag = p.ETag
			found++
		}
	}
	return found == len(m.done), nil
}
