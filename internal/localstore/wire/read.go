package wire

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// getObject serves GetObject and HeadObject.
func (x *exchange) getObject() (*answer, error) {
	ref, err := x.ref()
	if err != nil {
		return nil, err
	}
	if x.has("partNumber") {
		if err := x.checkPart(); err != nil {
			return nil, err
		}
	} else if x.r.Method == http.MethodHead {
		v, err := x.store.Stat(ref)
		if err != nil {
			return nil, err
		}
		a, _, err := x.found(v, nil)
		return a, err
	}
	o, err := x.store.Get(ref)
	if err != nil {
		return nil, err
	}
	a, r, err := x.found(o.Version(), o)
	if err != nil || x.r.Method == http.MethodHead {
		o.Close()
		return a, err
	}
	bytes, err := o.Open(r)
	if err != nil {
		o.Close()
		return nil, err
	}
	a.body = &objectBody{ReadCloser: bytes, object: o, ctx: x.ctx}
	return a, nil
}

// found returns the answer about a version, without its bytes, and which of them
// are to follow. o is needed for a part.
func (x *exchange) found(v localstore.Version, o *localstore.Object) (*answer, localstore.Range, error) {
	h := http.Header{}
	all := localstore.Range{Length: v.Size}
	if err := x.checkVersion(v); err != nil {
		return nil, all, err
	}
	r, err := x.readRange(v)
	checksum := v.Checksum
	if x.has("partNumber") {
		var part localstore.Part
		if part, err = x.findPart(o); err == nil {
			r, checksum = &localstore.Range{Offset: part.Offset, Length: part.Size}, part.Checksum
			if v.Parts > 0 && checksum.Type == localstore.FullObject {
				checksum = localstore.Checksum{} // S3 shows those of parts only where the whole is made of them
			}
			if v.Parts > 0 {
				h["X-Amz-Mp-Parts-Count"] = []string{strconv.Itoa(v.Parts)}
			}
		}
	} else if r != nil && *r != all {
		checksum = localstore.Checksum{} // it is of the whole
	}
	if err != nil {
		return nil, all, err
	}
	x.writeMeta(h, &v)
	x.writeValidators(h, v)
	h["Accept-Ranges"] = []string{"bytes"}
	if strings.EqualFold(x.header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		setChecksum(h, checksum)
	}
	if r == nil || r.Length == 0 {
		return &answer{header: h, length: v.Size}, all, nil
	}
	h["Content-Range"] = []string{fmt.Sprintf("bytes %d-%d/%d", r.Offset, r.Offset+r.Length-1, v.Size)}
	return &answer{status: http.StatusPartialContent, header: h, length: r.Length}, *r, nil
}

// checkVersion evaluates the read's conditions. NotModified has the headers that
// RFC 9110 section 15.4.5 asks for.
func (x *exchange) checkVersion(v localstore.Version) error {
	err := checkRead(x.header, "", v)
	if f, ok := err.(*failure); ok && f.code == "NotModified" {
		f.header = http.Header{}
		x.writeValidators(f.header, v)
		setUnlessEmpty(f.header, "Cache-Control", cmp.Or(x.get("response-cache-control"), v.Meta.CacheControl))
		setUnlessEmpty(f.header, "Expires", cmp.Or(x.get("response-expires"), v.Meta.Expires))
	}
	return err
}

func (x *exchange) writeValidators(h http.Header, v localstore.Version) {
	h["Etag"] = []string{quoted(v.ETag)}
	h["Last-Modified"] = []string{httpDate(v.Modified)}
	setVersion(h, v)
}

// checkPart refuses a part number before its object is looked for.
func (x *exchange) checkPart() error {
	if _, err := x.partNumber(); err != nil {
		return err
	}
	if x.header.Get("Range") != "" {
		return invalidRequest("Cannot specify both Range header and partNumber query parameter")
	}
	return nil
}

// findPart returns the part of the object that the query names.
func (x *exchange) findPart(o *localstore.Object) (localstore.Part, error) {
	n, err := x.partNumber()
	if err != nil {
		return localstore.Part{}, err
	}
	part, err := o.Part(n)
	if localstore.CodeOf(err) == localstore.InvalidRange {
		return part, refuse("InvalidPartNumber", "The requested partnumber is not satisfiable.").
			with("ActualPartCount", strconv.Itoa(max(o.Version().Parts, 1))).with("PartNumberRequested", strconv.Itoa(n))
	}
	return part, err
}

// restore refuses to restore what is never archived: objects are read at once in
// every storage class.
func (x *exchange) restore() (*answer, error) {
	if _, err := x.stat(); err != nil {
		return nil, err
	}
	return nil, refuse("InvalidObjectState", "Restore is not allowed for the object's current storage class")
}

// objectBody is the body of GetObject. Closing it ends the use of the object.
type objectBody struct {
	io.ReadCloser
	object *localstore.Object
	ctx    context.Context
}

// Read reads verified bytes, until the request's context ends.
func (b *objectBody) Read(p []byte) (int, error) {
	if err := context.Cause(b.ctx); err != nil {
		return 0, err
	}
	return b.ReadCloser.Read(p)
}

// Close ends the use of the object.
func (b *objectBody) Close() error {
	err := b.ReadCloser.Close()
	b.object.Close()
	return err
}
