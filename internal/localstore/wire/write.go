package wire

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// newObject is what the headers of a request say of an object to be.
type newObject struct {
	meta localstore.Meta
	tags []localstore.Pair
	lock localstore.Lock
	cond localstore.WriteIf
}

func (x *exchange) newObject() (o newObject, err error) {
	if o.meta, err = x.readMeta(); err != nil {
		return o, err
	}
	if o.tags, err = x.headerTags(); err != nil {
		return o, err
	}
	if o.lock, err = x.readLock(); err != nil {
		return o, err
	}
	o.cond, err = x.writeIf()
	return o, err
}

func (x *exchange) putObject() (*answer, error) {
	o, err := x.newObject()
	if err != nil {
		return nil, err
	}
	body, e, err := x.openBody()
	if err != nil {
		return nil, err
	}
	v, err := x.store.Put(x.ctx, localstore.PutInput{
		Bucket: x.bucket, Key: x.key, Meta: o.meta, Tags: o.tags, Lock: o.lock, If: o.cond, Body: body, Expect: e,
	})
	if err != nil {
		return nil, x.conditional(err)
	}
	a := written(v)
	a.header["X-Amz-Object-Size"] = []string{strconv.FormatInt(v.Size, 10)}
	return a, nil
}

func (x *exchange) copyObject() (*answer, error) {
	source, err := x.copySource()
	if err != nil {
		return nil, err
	}
	o, err := x.newObject()
	if err != nil {
		return nil, err
	}
	in := localstore.CopyInput{
		Source: source, SourceIf: x.sourceIf(nil), Bucket: x.bucket, Key: x.key,
		StorageClass: o.meta.StorageClass, WebsiteRedirect: o.meta.WebsiteRedirect, Lock: o.lock, If: o.cond,
	}
	if err := x.readDirectives(&in, o); err != nil {
		return nil, err
	}
	v, from, err := x.store.Copy(x.ctx, in)
	if err != nil {
		return nil, x.copyError(x.conditional(err))
	}
	a := document(tree("CopyObjectResult", leaf("LastModified", xmlDate(v.Modified)), leaf("ETag", quoted(v.ETag)), checksumNode(v.Checksum), optional("ChecksumType", v.Checksum.Type)))
	setNewVersion(a.header, v)
	setSourceVersion(a.header, from)
	return a, nil
}

// readDirectives reads what a copy takes from the request instead of the source.
func (x *exchange) readDirectives(in *localstore.CopyInput, o newObject) error {
	replaceMeta, err := x.replaces("X-Amz-Metadata-Directive", "metadata")
	if err != nil {
		return err
	}
	replaceTags, err := x.replaces("X-Amz-Tagging-Directive", "tagging")
	if err != nil {
		return err
	}
	if replaceMeta {
		in.Meta = &o.meta
	}
	if replaceTags {
		in.Tags = &o.tags
	}
	if in.Algorithm, err = x.checksumAlgorithm(); err != nil {
		return err
	}
	changes := replaceMeta || replaceTags || in.StorageClass != "" || in.WebsiteRedirect != "" || in.Algorithm != ""
	if in.Source == (localstore.Ref{Bucket: x.bucket, Key: x.key}) && !changes {
		return invalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	return nil
}

// checksumAlgorithm returns the algorithm that the request asks for, "" for none.
func (x *exchange) checksumAlgorithm() (string, error) {
	value := x.header.Get("X-Amz-Checksum-Algorithm")
	c, known := findChecksum(value)
	if value != "" && !known {
		return "", invalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]")
	}
	return c.algorithm, nil
}

func (x *exchange) replaces(header, what string) (bool, error) {
	switch value := x.header.Get(header); value {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	default:
		return false, invalidArgument(strings.ToLower(header), value, "Unknown %s directive.", what)
	}
}

// copySource returns the object that x-amz-copy-source names: percent-encoded,
// with or without a slash before the bucket.
func (x *exchange) copySource() (localstore.Ref, error) {
	raw := x.header.Get("X-Amz-Copy-Source")
	path, query, hasQuery := strings.Cut(raw, "?")
	name, err := url.PathUnescape(path)
	if err != nil {
		return localstore.Ref{}, invalidArgument("x-amz-copy-source", raw, "Invalid copy source encoding")
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	ref := localstore.Ref{Bucket: bucket, Key: key}
	switch {
	case !validBucketName(bucket):
		return ref, invalidArgument("x-amz-copy-source", raw, "Invalid copy source bucket name")
	case key == "":
		return ref, invalidArgument("x-amz-copy-source", raw, "Invalid copy source object key")
	case !hasQuery:
		return ref, nil
	}
	version, isVersion := strings.CutPrefix(query, "versionId=")
	ref.VersionID, err = url.QueryUnescape(version)
	if !isVersion || err != nil || ref.VersionID == "" || strings.Contains(version, "&") {
		return ref, invalidArgument("x-amz-copy-source", raw, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	return ref, nil
}

// maxCopy is the largest object that CopyObject takes, in bytes.
const maxCopy = 5 << 30

// sourceIf returns the check of a copy's source: its conditions, its size where
// all of it is copied, and r, which may be nil, within its bounds.
func (x *exchange) sourceIf(r *localstore.Range) func(localstore.Version) error {
	return func(v localstore.Version) error {
		if err := checkRead(x.header, copySourcePrefix, v); err != nil {
			return err
		}
		switch {
		case r == nil && v.Size > maxCopy:
			return invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxCopy))
		case r != nil && r.Offset+r.Length > v.Size:
			return invalidArgument("x-amz-copy-source-range", x.header.Get("X-Amz-Copy-Source-Range"),
				"Range specified is not valid for source object of size: %d", v.Size)
		}
		return nil
	}
}

// copyError says of a source that is a delete marker what S3 does.
func (x *exchange) copyError(err error) error {
	if localstore.CodeOf(err) == localstore.MethodNotAllowed {
		return invalidRequest("The source of a copy request may not specifically refer to a delete marker by version id.")
	}
	return err
}

func setSourceVersion(h http.Header, v localstore.Version) {
	if v.Versioned {
		h["X-Amz-Copy-Source-Version-Id"] = []string{v.ID}
	}
}
