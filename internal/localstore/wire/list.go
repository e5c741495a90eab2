package wire

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// listQuery is what the listings of a bucket have in common.
type listQuery struct {
	localstore.ListInput
	encoding string // "url" or ""
}

// readList reads the parameters of a listing. limit is the one of its length.
func (x *exchange) readList(limit string) (q listQuery, err error) {
	q.ListInput = localstore.ListInput{Bucket: x.bucket, Prefix: x.get("prefix"), Delimiter: x.get("delimiter")}
	q.encoding = strings.ToLower(x.get("encoding-type"))
	if q.encoding != "" && q.encoding != "url" {
		return q, invalidArgument("encoding-type", q.encoding, "Invalid Encoding Method specified in Request")
	}
	q.Max, err = x.count(limit)
	return q, err
}

// leaf returns the element of a name, in the encoding of the listing.
func (q listQuery) leaf(element, name string) node {
	if q.encoding != "" {
		name = urlEncoded(name)
	}
	return node{name: element, text: name, exact: true}
}

// optional is leaf, or no element for an empty name.
func (q listQuery) optional(element, name string) node {
	return when(name != "", q.leaf(element, name))
}

// answer returns a listing: its head, and the rows of its page with the common
// prefixes.
func (q listQuery) answer(root string, page localstore.Page, row func(localstore.Entry) node, head ...node) *answer {
	list := inS3(tree(root, append(head, q.leaf("Prefix", q.Prefix), q.optional("Delimiter", q.Delimiter),
		optional("EncodingType", q.encoding), boolean("IsTruncated", page.Truncated))...))
	var b bytes.Buffer
	b.Grow(1024 + 512*len(page.Entries))
	b.WriteString(xml.Header)
	list.begin(&b)
	for _, e := range page.Entries {
		if e.Prefix == "" {
			n := row(e)
			n.write(&b)
		}
	}
	for _, e := range page.Entries {
		if e.Prefix != "" {
			n := tree("CommonPrefixes", q.leaf("Prefix", e.Prefix))
			n.write(&b)
		}
	}
	list.end(&b)
	return documentOf(b.Bytes())
}

func classNode(class string) node { return leaf("StorageClass", cmp.Or(class, "STANDARD")) }

// object returns the rows of ListObjects.
func (x *exchange) object(q listQuery, owned bool) func(localstore.Entry) node {
	return func(e localstore.Entry) node {
		v := e.Version
		return tree("Contents", q.leaf("Key", v.Key), leaf("LastModified", xmlDate(v.Modified)), leaf("ETag", quoted(v.ETag)),
			optional("ChecksumAlgorithm", v.Checksum.Algorithm), optional("ChecksumType", v.Checksum.Type),
			number("Size", v.Size), when(owned, x.ownerNode("Owner")), classNode(v.Meta.StorageClass))
	}
}

func (x *exchange) listObjects() (*answer, error) {
	q, err := x.readList("max-keys")
	if err != nil {
		return nil, err
	}
	q.After = x.get("marker")
	page, err := x.store.List(q.ListInput)
	if err != nil {
		return nil, err
	}
	return q.answer("ListBucketResult", page, x.object(q, true), leaf("Name", x.bucket), q.leaf("Marker", q.After),
		when(page.Truncated, q.leaf("NextMarker", page.Next)), number("MaxKeys", int64(q.Max))), nil
}

func (x *exchange) listObjectsV2() (*answer, error) {
	if kind := x.get("list-type"); kind != "2" {
		return nil, invalidArgument("list-type", kind, "Invalid List Type specified in Request")
	}
	q, err := x.readList("max-keys")
	if err != nil {
		return nil, err
	}
	after, token, next := x.get("start-after"), x.get("continuation-token"), ""
	q.After = after
	if x.has("continuation-token") {
		if q.After, err = readToken(token); err != nil {
			return nil, err
		}
	}
	page, err := x.store.List(q.ListInput)
	if err != nil {
		return nil, err
	}
	if page.Truncated {
		next = newToken(page.Next)
	}
	return q.answer("ListBucketResult", page, x.object(q, x.get("fetch-owner") == "true"), leaf("Name", x.bucket),
		optional("ContinuationToken", token), optional("NextContinuationToken", next), q.optional("StartAfter", after),
		number("KeyCount", int64(len(page.Entries))), number("MaxKeys", int64(q.Max))), nil
}

// newToken returns a continuation token: the key that the next page follows, in
// the encoding in which the gateway looks for names that it must not show.
func newToken(after string) string { return base64.StdEncoding.EncodeToString([]byte(after)) }

func readToken(token string) (string, error) {
	after, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(after) == 0 {
		return "", invalidArgument("continuation-token", token, "The continuation token provided is incorrect")
	}
	return string(after), nil
}

func (x *exchange) listVersions() (*answer, error) {
	q, err := x.readList("max-keys")
	if err != nil {
		return nil, err
	}
	q.After, q.AfterID = x.get("key-marker"), x.get("version-id-marker")
	if q.AfterID != "" && q.After == "" {
		return nil, invalidArgument("version-id-marker", q.AfterID, "A version-id marker cannot be specified without a key marker.")
	}
	page, err := x.store.ListVersions(q.ListInput)
	if err != nil {
		return nil, err
	}
	row := func(e localstore.Entry) node {
		v := e.Version
		about := []node{q.leaf("Key", v.Key), leaf("VersionId", v.ID), boolean("IsLatest", v.Latest), leaf("LastModified", xmlDate(v.Modified)), x.ownerNode("Owner")}
		if v.Marker {
			return tree("DeleteMarker", about...)
		}
		return tree("Version", append(about, leaf("ETag", quoted(v.ETag)), optional("ChecksumAlgorithm", v.Checksum.Algorithm),
			optional("ChecksumType", v.Checksum.Type), number("Size", v.Size), classNode(v.Meta.StorageClass))...)
	}
	return q.answer("ListVersionsResult", page, row, leaf("Name", x.bucket), q.leaf("KeyMarker", q.After), leaf("VersionIdMarker", q.AfterID),
		when(page.Truncated, q.leaf("NextKeyMarker", page.Next)), when(page.Truncated, optional("NextVersionIdMarker", page.NextID)),
		number("MaxKeys", int64(q.Max))), nil
}

func (x *exchange) listUploads() (*answer, error) {
	q, err := x.readList("max-uploads")
	if err != nil {
		return nil, err
	}
	if q.After = x.get("key-marker"); q.After != "" { // S3 ignores the other marker without it
		q.AfterID = x.get("upload-id-marker")
	}
	page, err := x.store.ListUploads(q.ListInput)
	if err != nil {
		return nil, err
	}
	row := func(e localstore.Entry) node {
		u := e.Upload
		return tree("Upload", q.leaf("Key", u.Key), leaf("UploadId", u.ID), x.ownerNode("Initiator"), x.ownerNode("Owner"), classNode(u.StorageClass),
			leaf("Initiated", xmlDate(u.Initiated)), optional("ChecksumAlgorithm", u.Algorithm), optional("ChecksumType", u.Type))
	}
	return q.answer("ListMultipartUploadsResult", page, row, leaf("Bucket", x.bucket), q.leaf("KeyMarker", q.After), leaf("UploadIdMarker", q.AfterID),
		when(page.Truncated, q.leaf("NextKeyMarker", page.Next)), when(page.Truncated, optional("NextUploadIdMarker", page.NextID)),
		number("MaxUploads", int64(q.Max))), nil
}

func (x *exchange) listParts() (*answer, error) {
	limit, err := x.count("max-parts")
	if err != nil {
		return nil, err
	}
	after, err := parseCount("part-number-marker", x.get("part-number-marker"), 0)
	if err != nil {
		return nil, err
	}
	u, parts, truncated, err := x.store.Parts(x.bucket, x.key, x.get("uploadId"), after, limit)
	if err != nil {
		return nil, err
	}
	next := after
	var rows []node
	for _, p := range parts {
		next = p.Number
		rows = append(rows, tree("Part", number("PartNumber", int64(p.Number)), leaf("LastModified", xmlDate(p.Modified)), leaf("ETag", quoted(p.ETag)),
			number("Size", p.Size), when(u.Algorithm != "", checksumNode(p.Checksum)))) // not of one that nobody asked for
	}
	return document(tree("ListPartsResult", append([]node{
		leaf("Bucket", x.bucket), leaf("Key", x.key), leaf("UploadId", u.ID), x.ownerNode("Initiator"), x.ownerNode("Owner"), classNode(u.StorageClass),
		number("PartNumberMarker", int64(after)), number("NextPartNumberMarker", int64(next)), number("MaxParts", int64(limit)),
		boolean("IsTruncated", truncated && limit > 0), optional("ChecksumAlgorithm", u.Algorithm), optional("ChecksumType", u.Type),
	}, rows...)...)), nil
}
