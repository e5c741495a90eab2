package wire

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

func (x *exchange) deleteObject() (*answer, error) {
	ref, err := x.ref()
	if err != nil {
		return nil, err
	}
	in := localstore.DeleteInput{Key: ref.Key, VersionID: ref.VersionID, IfMatch: unquoted(x.header.Get("If-Match")), Bypass: x.bypass()}
	if err := readConditions(&in, x.header.Get("X-Amz-If-Match-Last-Modified-Time"), x.header.Get("X-Amz-If-Match-Size")); err != nil {
		return nil, err
	}
	d, err := x.store.Delete(x.bucket, in)
	if err != nil {
		return nil, x.conditional(err)
	}
	a := empty(http.StatusNoContent)
	setUnlessEmpty(a.header, "X-Amz-Version-Id", d.VersionID)
	if d.Marker {
		a.header["X-Amz-Delete-Marker"] = []string{"true"}
	}
	return a, nil
}

// readConditions reads the conditions of a delete on time and size, "" for none.
func readConditions(in *localstore.DeleteInput, modified, size string) error {
	if modified != "" {
		at, err := parseDate(modified)
		if err != nil {
			return invalidArgument("x-amz-if-match-last-modified-time", modified, "The time must be an HTTP date or in ISO 8601 format")
		}
		in.IfModified = at
	}
	if size != "" {
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil || n < 0 {
			return invalidArgument("x-amz-if-match-size", size, "The size must be a number of bytes")
		}
		in.IfSize = &n
	}
	return nil
}

// parseDate reads a date of a header or a document.
func parseDate(value string) (time.Time, error) {
	if at, err := http.ParseTime(value); err == nil {
		return at, nil
	}
	return time.Parse(time.RFC3339, strings.TrimSpace(value))
}

func (x *exchange) deleteObjects() (*answer, error) {
	list, quiet, err := x.readDeletes()
	if err != nil {
		return nil, err
	}
	all, err := x.store.DeleteAll(x.bucket, list)
	if err != nil {
		return nil, err
	}
	result := tree("DeleteResult")
	for i, d := range all {
		key, version := leaf("Key", list[i].Key), optional("VersionId", list[i].VersionID)
		switch {
		case d.Err != nil:
			f := x.failure(d.Err)
			result.kids = append(result.kids, tree("Error", key, version, leaf("Code", string(f.code)), leaf("Message", f.message)))
		case !quiet:
			result.kids = append(result.kids, tree("Deleted", key, version,
				when(d.Marker, boolean("DeleteMarker", true)), when(d.Marker, leaf("DeleteMarkerVersionId", d.VersionID))))
		}
	}
	return document(result), nil
}

// readDeletes decodes the document of DeleteObjects.
func (x *exchange) readDeletes() (list []localstore.DeleteInput, quiet bool, err error) {
	p, err := x.openDocument(maxDeletes, true)
	if err != nil {
		return nil, false, err
	}
	err = p.each("Delete", func(d *xml.Decoder, start xml.StartElement) error {
		switch start.Name.Local {
		case "Quiet":
			var value string
			err := d.DecodeElement(&value, &start)
			quiet = strings.EqualFold(strings.TrimSpace(value), "true")
			return err
		case "Object":
			if len(list) == localstore.MaxListed {
				return malformed()
			}
			in, err := x.readDelete(d, start)
			list = append(list, in)
			return err
		}
		return malformed()
	})
	if err == nil && len(list) == 0 {
		err = malformed()
	}
	return list, quiet, err
}

func (x *exchange) readDelete(d *xml.Decoder, start xml.StartElement) (localstore.DeleteInput, error) {
	var doc struct {
		Key                          *string
		VersionID                    string `xml:"VersionId"`
		ETag, LastModifiedTime, Size string
		strict
	}
	if err := d.DecodeElement(&doc, &start); err != nil {
		return localstore.DeleteInput{}, err
	}
	if doc.Key == nil || *doc.Key == "" || len(doc.Unknown) > 0 {
		return localstore.DeleteInput{}, malformed()
	}
	in := localstore.DeleteInput{Key: *doc.Key, VersionID: doc.VersionID, IfMatch: unquoted(doc.ETag), Bypass: x.bypass()}
	return in, readConditions(&in, doc.LastModifiedTime, doc.Size)
}
