package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
)

// tusCreate makes an upload, with its first bytes if the body has some.
func (d *door) tusCreate(w http.ResponseWriter, r *http.Request) error {
	u, err := d.newUpload(r)
	if err != nil {
		return err
	}
	first, err := d.firstChunk(r, u)
	if err != nil {
		return err
	}
	if err := d.saveUpload(r.Context(), u, nil); err != nil {
		return err
	}
	w.Header().Set("Location", d.absolute(r, Root+"/resumable/"+u.id))
	if first != nil {
		unlock, err := d.hold(w, r, u.id)
		if err != nil {
			return err
		}
		defer unlock()
		// Whoever sends it all again would not find what is left of this one.
		first.endOnMismatch = true
		if err := d.receive(r, u, first, nil); err != nil {
			if u.ended {
				w.Header().Del("Location")
			}
			return err
		}
		w.Header().Set("Upload-Offset", strconv.FormatInt(u.offset(), 10))
	}
	d.describeUpload(w, r, u)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// newUpload judges what is declared at creation.
func (d *door) newUpload(r *http.Request) (*upload, error) {
	if err := d.may(r, gateway.Write, d.prefix.dayOf(d.Now())); err != nil {
		return nil, err
	}
	if r.Header.Get("Upload-Concat") != "" {
		return nil, invalid(gateway.NotImplemented, "Upload-Concat", "is not offered: send the file as one upload")
	}
	length, err := uploadLength(r.Header)
	if err != nil {
		return nil, err
	}
	meta, err := readUploadMetadata(r.Header)
	if err != nil {
		return nil, err
	}
	name, err := cleanFilename(cmp.Or(meta["filename"], meta["name"], "file"))
	if err != nil {
		return nil, err
	}
	key, err := d.prefix.newID(d.Random, d.Now(), safeName(name))
	if err != nil {
		return nil, err
	}
	if err := d.may(r, gateway.Write, key); err != nil {
		return nil, err
	}
	declared := strings.TrimSpace(cmp.Or(meta["filetype"], meta["content_type"]))
	if strings.ContainsFunc(declared, unicode.IsControl) {
		// No store can be told of it, and the upload would never end.
		return nil, invalid(gateway.InvalidArgument, "Upload-Metadata", "has a filetype with a control character")
	}
	limits := d.Policy.LimitsFor(callerOf(r), d.Bucket, key)
	if err := errors.Join(limits.CheckSize(length), limits.CheckDeclared(declared, key), limits.CheckOriginal(name)); err != nil {
		return nil, err
	}
	if err := d.room(r, key, length); err != nil {
		return nil, err
	}
	partSize, err := d.Budget.fixedPart(length)
	if err != nil {
		return nil, err
	}
	if err := d.checkOpen(r); err != nil {
		return nil, err
	}
	id, err := newUploadID(d.Random, callerOf(r).Name)
	return &upload{id: id, state: uploadState{
		Owner: callerOf(r).Owner(), Key: key, Filename: name, Declared: declared, Metadata: r.Header.Get("Upload-Metadata"),
		SHA256: strings.ToLower(meta["sha256"]), Length: length, PartSize: partSize,
	}}, err
}

// ownedBy is the part of an id that tells whose upload it is: the beginning of a
// hash of the caller's name, so that a listing finds a caller's uploads.
func ownedBy(caller string) []byte {
	sum := sha256.Sum256([]byte("upload of " + caller))
	return sum[:5]
}

func idText(b []byte) string { return strings.ToLower(base32.StdEncoding.EncodeToString(b)) }

// newUploadID makes a name with 120 random bits: whoever has it and the caller's
// key may write the upload.
func newUploadID(random io.Reader, caller string) (string, error) {
	var b [15]byte
	if _, err := io.ReadFull(cmp.Or(random, io.Reader(rand.Reader)), b[:]); err != nil {
		return "", fmt.Errorf("random bytes for an upload id: %w", err)
	}
	return idText(append(ownedBy(caller), b[:]...)), nil
}

// checkOpen refuses one more upload of a caller who has MAX_OPEN_UPLOADS open.
// Creations at the same moment may overshoot by their number.
func (d *door) checkOpen(r *http.Request) error {
	if d.MaxOpenUploads <= 0 {
		return nil
	}
	open, err := d.Resumable.countRecords(r.Context(), uploadRecords+idText(ownedBy(callerOf(r).Name)), d.MaxOpenUploads)
	if err != nil || open < d.MaxOpenUploads {
		return err
	}
	return gateway.Errorf(gateway.SlowDown, "%d uploads are open (MAX_OPEN_UPLOADS). Finish or end one of them first.", open).With("Setting", "MAX_OPEN_UPLOADS")
}

// countRecords counts the records below a prefix, up to most.
func (s *Store) countRecords(ctx context.Context, prefix string, most int) (n int, err error) {
	in := &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &prefix, MaxKeys: aws.Int32(int32(min(most, 1000)))}
	pages := s3.NewListObjectsV2Paginator(s.Client.S3(), in)
	for pages.HasMorePages() && n < most {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fromSDK(err)
		}
		n += len(page.Contents)
	}
	return n, nil
}

// firstChunk is the body of a creation, nil for none. A file of no bytes is
// whole without one.
func (d *door) firstChunk(r *http.Request, u *upload) (*chunk, error) {
	if r.Header.Get("Content-Type") != tusChunk && (r.ContentLength != 0 || u.state.Length != 0) {
		if r.ContentLength != 0 {
			return nil, invalid(gateway.UnsupportedMediaType, "Content-Type", "of a creation with a body must be %s", tusChunk)
		}
		return nil, nil
	}
	return d.openChunk(r, u)
}
