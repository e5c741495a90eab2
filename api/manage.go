package api

import (
	"cmp"
	"maps"
	"net/http"
	"strings"
	"unicode/utf8"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

const (
	// maxBatch is how many files one request may delete, as with S3.
	maxBatch = 1000
	// maxBatchJSON holds so many ids of the longest kind, in bytes.
	maxBatchJSON = 4 << 20
)

// The bounds of S3 for tags
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
const (
	maxTags     = 10
	maxTagName  = 128 // characters
	maxTagValue = 256
)

// patch changes name and tags of a file, as a JSON merge patch (RFC 7396): what
// is not named stays, a tag that is null goes.
func (d *door) patch(w http.ResponseWriter, r *http.Request) error {
	id, err := d.id(r)
	if err != nil {
		return err
	}
	if err := d.may(r, gateway.Write, id); err != nil {
		return err
	}
	var filename string
	var tags map[string]*string
	if err := d.readJSON(r, map[string]any{"filename": &filename, "tags": &tags}); err != nil {
		return err
	}
	o, err := d.head(w, r)
	if err != nil {
		return err
	}
	if err := ifMatch(r, o); err != nil {
		return err
	}
	merged, err := mergeTags(o.Tags, tags)
	if err != nil {
		return err
	}
	if filename != "" {
		if filename, err = cleanFilename(filename); err != nil {
			return err
		}
		// Storing a name copies the file onto itself: a file that would be
		// refused now is not stored again.
		limits := d.Policy.LimitsFor(callerOf(r), d.Bucket, id)
		for _, name := range []string{filename, safeName(filename)} { // "a.html." is "a.html" on many a disk
			if err := limits.CheckDeclared(o.ContentType, name); err != nil {
				return err
			}
		}
		if err := d.admitCopy(r, o, id); err != nil {
			return err
		}
		if err := d.Store.Copy(r.Context(), o, id, filename); err != nil {
			return err
		}
		d.changed(r, id)
	}
	if len(tags) > 0 {
		etag := ""
		if filename == "" && len(r.Header.Values("If-Match")) > 0 {
			etag = o.ETag
		}
		if err := d.Store.SetTags(r.Context(), id, etag, merged); err != nil {
			return err
		}
		if filename == "" {
			d.changed(r, id)
		}
	}
	return d.metadata(w, r)
}

// changed notes for the audit log a change before an answer that only reads.
func (d *door) changed(r *http.Request, id string) {
	gateway.RecordFrom(r.Context()).Changed(gateway.Judged{Action: gateway.Write, Bucket: d.Bucket, Key: id})
}

// deleted are the audit log's entries for files that were not refused.
func (d *door) deleted(ids []string, refused map[string]error) []gateway.Judged {
	gone := make([]gateway.Judged, 0, len(ids))
	for _, id := range ids {
		if refused[id] == nil {
			gone = append(gone, gateway.Judged{Action: gateway.Delete, Bucket: d.Bucket, Key: id})
		}
	}
	return gone
}

// ifMatch is the condition of a change (RFC 9110 section 13.1.1).
func ifMatch(r *http.Request, o Object) error {
	asked := strings.Join(r.Header.Values("If-Match"), ",")
	if asked == "" || asked == "*" {
		return nil
	}
	for tag := range strings.SplitSeq(asked, ",") {
		if strings.TrimSpace(tag) == `"`+o.ETag+`"` {
			return nil
		}
	}
	err := gateway.Errorf(gateway.PreconditionFailed, "The file is not the one of If-Match any more.")
	err.Field = "If-Match"
	return err
}

func mergeTags(have map[string]string, change map[string]*string) (map[string]string, error) {
	merged := maps.Clone(have)
	if merged == nil {
		merged = map[string]string{}
	}
	for name, value := range change {
		switch {
		case name == sha256Tag:
			return nil, invalid(gateway.UnprocessableValue, "tags", "may not name %s: it is the gateway's own", sha256Tag)
		case name == "" || !validTag(name, maxTagName) || strings.HasPrefix(strings.ToLower(name), "aws:"):
			return nil, invalid(gateway.UnprocessableValue, "tags", "has a name that S3 does not take: 1 to %d letters, digits, spaces and + - = . _ : / @", maxTagName)
		case value == nil:
			delete(merged, name)
		case !validTag(*value, maxTagValue):
			return nil, invalid(gateway.UnprocessableValue, "tags", "has a value that S3 does not take: at most %d letters, digits, spaces and + - = . _ : / @", maxTagValue)
		default:
			merged[name] = *value
		}
	}
	if len(merged) > maxTags {
		return nil, invalid(gateway.UnprocessableValue, "tags", "are more than %d, with those that the file has", maxTags)
	}
	return merged, nil
}

func validTag(s string, most int) bool {
	ok := func(c rune) bool {
		return c >= utf8.RuneSelf && c != utf8.RuneError || c < utf8.RuneSelf && (safeRune(c) || strings.ContainsRune(" +=:/@", c))
	}
	return utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(c rune) bool { return !ok(c) })
}

// copyFile makes a new file of a stored one, within the store; with move the old
// one goes. What would be refused as an upload is refused as a copy.
func (d *door) copyFile(w http.ResponseWriter, r *http.Request) error {
	var from, filename string
	var move bool
	if err := d.may(r, gateway.Write, d.prefix.dayOf(d.Now())); err != nil {
		return err // wherever it is from: the body is not read
	}
	if err := d.readJSON(r, map[string]any{"file_id": &from, "filename": &filename, "move": &move}); err != nil {
		return err
	}
	if err := d.prefix.checkID(from); err != nil {
		return err
	}
	if err := d.may(r, gateway.Read, from); err != nil {
		return err
	}
	if move {
		if err := d.may(r, gateway.Delete, from); err != nil {
			return err
		}
	}
	source, _, err := d.stat(r.Context(), from)
	if err != nil {
		return err
	}
	if err := ifMatch(r, source); err != nil {
		return err
	}
	name, err := cleanFilename(cmp.Or(filename, source.Filename, safeNameOf(from)))
	if err != nil {
		return err
	}
	id, err := d.prefix.newID(d.Random, d.Now(), safeName(name))
	if err != nil {
		return err
	}
	if err := d.may(r, gateway.Write, id); err != nil {
		return err
	}
	if err := d.Policy.LimitsFor(callerOf(r), d.Bucket, id).CheckOriginal(name); err != nil {
		return err
	}
	if err := d.admitCopy(r, source, id); err != nil {
		return err
	}
	if err := d.Store.Copy(r.Context(), source, id, name); err != nil {
		return err
	}
	if move {
		// Not what has replaced it since: of that there is no copy.
		if err := d.Store.Delete(r.Context(), from, source.ETag); err != nil {
			return err
		}
		gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) {
			f.Judged = append(f.Judged, gateway.Judged{Action: gateway.Delete, Bucket: d.Bucket, Key: from})
		})
	}
	stored, _, err := d.Store.Head(r.Context(), id)
	if err != nil {
		return err
	}
	return d.created(w, r, stored)
}

// admitCopy judges a copy as an upload of the same size, type and first bytes.
func (d *door) admitCopy(r *http.Request, source Object, id string) error {
	limits := d.Policy.LimitsFor(callerOf(r), d.Bucket, id)
	if limits.Open() {
		return nil
	}
	var head http.Response
	head.Body = http.NoBody
	if source.Size > 0 && limits.NeedsBytes() {
		body, err := d.openRange(r.Context(), source, byteRange{0, min(source.Size, policy.SniffLen) - 1})
		if err != nil {
			return err
		}
		head.Body = body
	}
	defer head.Body.Close()
	up := policy.Upload{Caller: callerOf(r), Bucket: d.Bucket, Key: id, ContentType: source.ContentType, Size: source.Size}
	_, _, err := limits.Admit(up, head.Body)
	return err
}

// batchResult is what became of one id of a batch.
type batchResult struct {
	ID     string `json:"file_id"`
	Status int    `json:"status"` // as the request for this file alone would have
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
}

type batchAnswer struct {
	Results []batchResult `json:"results"` // in the order of the request
	Deleted int           `json:"deleted"`
	Failed  int           `json:"failed"`
}

// deleteBatch removes up to a thousand files. S3 does not tell whether there was
// one, so one that was not there counts as deleted.
func (d *door) deleteBatch(w http.ResponseWriter, r *http.Request) error {
	if err := d.mayAny(r, gateway.Delete); err != nil {
		return err // of no file: the body is not read
	}
	list := idList{most: maxBatch}
	if err := d.readJSONUpTo(r, maxBatchJSON, map[string]any{"file_ids": &list}); err != nil {
		return err
	}
	ids := list.ids
	if len(ids) == 0 {
		return invalid(gateway.UnprocessableValue, "file_ids", "must be 1 to %d ids", maxBatch)
	}
	refused := map[string]error{}
	var allowed []string
	for _, id := range ids {
		err := d.prefix.checkID(id)
		if err == nil {
			err = d.may(r, gateway.Delete, id)
		}
		if _, again := refused[id]; !again && err == nil {
			allowed = append(allowed, id)
		}
		refused[id] = err
	}
	record := gateway.RecordFrom(r.Context())
	if len(allowed) > 0 {
		record.Asks(d.deleted(allowed, refused)...)
		failed, err := d.Store.DeleteAll(r.Context(), allowed)
		if err != nil {
			return err
		}
		maps.Copy(refused, failed)
	}
	record.Changed(d.deleted(allowed, refused)...)
	answer := batchAnswer{Results: make([]batchResult, 0, len(ids))}
	for _, id := range ids {
		result := batchResult{ID: id, Status: http.StatusNoContent}
		if err := refused[id]; err != nil {
			e := gateway.AsError(err)
			k := kindOf(e)
			result.Status, result.Code, result.Detail = k.status, string(e.Code), detailOf(e, k)
			answer.Failed++
		} else {
			answer.Deleted++
		}
		answer.Results = append(answer.Results, result)
	}
	return writeJSON(w, r, http.StatusOK, answer)
}
