package api

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// uploadRecords is where the states lie.
	uploadRecords = gateway.ReservedPrefix + "tus/"
	// uploadIDLength is that of an id in text.
	uploadIDLength = 32
	// uploadLife is how long an upload is kept behind its last byte.
	uploadLife = 24 * time.Hour
	// maxState bounds what is read of a state before its tail: 10,000 parts of
	// the longest ETags, and the header with the metadata.
	maxState = 4 << 20
)

// uploadState is all that is known of an upload. It is stored as one record: this
// as a line of JSON, then the tail, the bytes that are not yet a part. One
// conditional write replaces both, so a state is never half of one request and
// half of another.
type uploadState struct {
	Owner    string    `json:"caller"` // nobody else finds the upload
	Key      string    `json:"key"`    // of the file to be
	Filename string    `json:"filename"`
	Declared string    `json:"declared,omitempty"` // media type, as declared
	Metadata string    `json:"metadata,omitempty"` // Upload-Metadata, as sent
	SHA256   string    `json:"sha256,omitempty"`   // of the file, as declared
	Length   int64     `json:"length"`             // in bytes, -1: deferred
	Expires  time.Time `json:"expires"`
	// Saved counts the writes, so that no two states have one ETag.
	Saved int `json:"saved"`

	// PartSize is the size of each part but the last one; 0: it grows (see
	// Budget.growingPart). It never depends on who writes, so two requests that
	// write the same bytes make the same parts.
	PartSize int64       `json:"part_size,omitempty"`
	UploadID string      `json:"upload_id,omitempty"` // of the multipart upload
	Type     string      `json:"type,omitempty"`      // of the file, with the first part
	Head     []byte      `json:"head,omitempty"`      // first bytes, with the first part
	Parts    []savedPart `json:"parts,omitempty"`
	Stored   int64       `json:"stored"`              // bytes in the parts
	SHAState []byte      `json:"sha_state,omitempty"` // over them, as crypto/sha256 marshals it
	CRCState []byte      `json:"crc_state,omitempty"`
	Tail     int64       `json:"tail"` // bytes behind this line
	// Pieces are records with the bytes before those, in order.
	Pieces []savedPiece `json:"pieces,omitempty"`
	// Earlier is a record with the parts before Parts, and EarlierParts their
	// number.
	Earlier      savedPiece `json:"earlier,omitzero"`
	EarlierParts int        `json:"earlier_parts,omitempty"`
	// Whole is when all bytes were there, as parts.
	Whole time.Time `json:"whole,omitzero"`
	Done  bool      `json:"done,omitempty"`
}

// savedPart is a part of the multipart upload; its number is its place.
type savedPart struct {
	ETag string `json:"e"`
	CRC  string `json:"c,omitempty"`
}

// upload is an upload in one request.
type upload struct {
	id    string
	state uploadState
	saved *RecordState // nil before the first save
	file  *Object      // once it is finished here
	ended bool         // it was refused, and nothing is left of it
	// resized says that this request brought the length.
	resized bool
	// atDone says that the state is among those of finished uploads.
	atDone bool
}

// offset is how far the upload is, in bytes.
func (u *upload) offset() int64 { return u.state.Stored + u.state.pieces() + u.state.Tail }

// recordKey is where the state lies. That of a finished upload lies elsewhere, so
// that a listing of the open ones shows no others.
func (u *upload) recordKey() string {
	if u.atDone {
		return doneRecords + u.id
	}
	return uploadRecords + u.id
}

// loadUpload finds the caller's upload. With the tail asked for, it is what the
// reader gives; it is closed otherwise. Another caller's upload does not exist.
func (d *door) loadUpload(r *http.Request, id string, withTail bool) (*upload, io.ReadCloser, error) {
	missing := gateway.Errorf(gateway.NoSuchUpload, "There is no such upload: it was never made, or has ended.")
	if len(id) != uploadIDLength || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return nil, nil, missing
	}
	u := &upload{id: id}
	tail, err := d.Resumable.loadState(r.Context(), u)
	if gateway.CodeOf(err) == gateway.NoSuchKey {
		return nil, nil, missing
	}
	if err != nil {
		return nil, nil, err
	}
	err = d.mine(r, u)
	if err != nil || !withTail {
		tail.Close()
	}
	return u, tail, err
}

// mine asks whether the caller may go on with an upload.
func (d *door) mine(r *http.Request, u *upload) error {
	switch {
	case u.state.Owner != callerOf(r).Owner():
		return gateway.Errorf(gateway.NoSuchUpload, "There is no such upload: it was never made, or has ended.")
	case !d.Now().Before(u.state.Expires):
		return gateway.Errorf(uploadExpired, "The upload expired at %s.", timestamp(u.state.Expires))
	}
	return d.may(r, gateway.Write, u.state.Key)
}

// loadState reads a state and gives its tail.
func (s *Store) loadState(ctx context.Context, u *upload) (io.ReadCloser, error) {
	body, at, err := s.OpenRecord(ctx, u.recordKey())
	if gateway.CodeOf(err) == gateway.NoSuchKey && !u.atDone {
		u.atDone = true
		if body, at, err = s.OpenRecord(ctx, u.recordKey()); err != nil {
			u.atDone = false
		}
	}
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(body)
	if err := readState(in, &u.state); err != nil {
		body.Close()
		return nil, fmt.Errorf("the state of upload %s cannot be read: %w", u.id, err)
	}
	u.saved = &at
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(in, u.state.Tail), body}, nil
}

func readState(in *bufio.Reader, state *uploadState) error {
	var line []byte
	for {
		piece, err := in.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case len(line) > maxState:
			return errors.New("its first line is too long")
		case err == nil:
			return json.Unmarshal(line, state)
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// saveUpload writes the state with a tail. It moves the expiry on. The error is
// an uploadLocked when another request wrote it since it was read.
func (d *door) saveUpload(ctx context.Context, u *upload, tail []byte) error {
	u.state.Expires = d.Now().Add(uploadLife).UTC().Truncate(time.Second)
	u.state.Saved++
	u.state.Tail = int64(len(tail))
	line, err := json.Marshal(u.state)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(lasting(ctx), storeTime)
	defer cancel()
	open, old := *u, u.saved
	if u.state.Done && !u.atDone {
		u.atDone, old = true, nil
	}
	now, err := d.Resumable.writeRecordWith(ctx, u.recordKey(), old, accountOf(u, int64(len(tail))), append(line, '\n'), tail)
	if errors.Is(err, errRecordChanged) && u.atDone && old == nil {
		// An earlier request finished the upload and did not come to remove its state.
		now, err = d.Resumable.statRecord(ctx, u.recordKey())
	}
	if err != nil {
		u.atDone = open.atDone
	}
	if errors.Is(err, errRecordChanged) {
		return lockedOut().Because(err)
	}
	if err != nil {
		return err
	}
	u.saved = &now
	if u.atDone && !open.atDone && open.saved != nil {
		if err := d.Resumable.DeleteRecord(ctx, open.recordKey(), *open.saved); err != nil {
			d.log.Warn().Err(err).Str("upload", u.id).Msg("the state of a finished upload could not be removed; a sweep will")
		}
	}
	return nil
}

// multipart takes the multipart upload up where the state has it.
func (u *upload) multipart(s *Store, o PutOptions) (*multipartUpload, error) {
	m := &multipartUpload{
		Store: s, key: u.state.Key, options: o, id: u.state.UploadID, size: u.state.Stored,
		sha: sha256.New(), crc64: crc64nvme.New(),
	}
	if u.state.UploadID == "" {
		return m, nil
	}
	return m, errors.Join(thaw(m.sha, u.state.SHAState), thaw(m.crc64, u.state.CRCState))
}

// completed are saved parts as a Complete names them.
func completed(all []savedPart) (parts []types.CompletedPart) {
	for i, p := range all {
		part := types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: aws.String(p.ETag)}
		if p.CRC != "" {
			part.ChecksumCRC64NVME = aws.String(p.CRC)
		}
		parts = append(parts, part)
	}
	return parts
}

func encodeParts(all []savedPart) ([]byte, error) { return json.Marshal(all) }

func decodeParts(raw []byte) (all []savedPart, err error) {
	err = json.Unmarshal(raw, &all)
	return all, err
}

// keep notes the multipart upload in the state.
func (u *upload) keep(m *multipartUpload) (err error) {
	last := m.done[len(m.done)-1]
	u.state.UploadID, u.state.Stored = m.id, m.size
	u.state.Parts = append(u.state.Parts, savedPart{aws.ToString(last.ETag), aws.ToString(last.ChecksumCRC64NVME)})
	if u.state.SHAState, err = freeze(m.sha); err == nil {
		u.state.CRCState, err = freeze(m.crc64)
	}
	return err
}

func freeze(h hash.Hash) ([]byte, error) {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("the hash has no state that can be kept")
	}
	return m.MarshalBinary()
}

func thaw(h hash.Hash, state []byte) error {
	m, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return errors.New("the hash has no state that can be kept")
	}
	return m.UnmarshalBinary(state)
}
