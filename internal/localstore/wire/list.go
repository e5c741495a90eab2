package wire

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// listQuery is what the listings of a bucket have in common.
type listQuery struct {
	localstore.ListInput
	encoded bool // encoding-type=url
}

// readList reads the parameters of a listing. limit names the one of its length.
func (x *exchange) readList(limit, argument string) (q listQuery, err error) {
	q.ListInput = localstore.ListInput{Bucket: x.bucket, Prefix: x.get("prefix"), Delimiter: x.get("delimiter")}
	switch kind := x.get("encoding-type"); {
	case strings.EqualFold(kind, "url"):
		q.encoded = true
	case kind != "":
		return q, invalidArgument("encoding-type", kind, "Invalid Encoding Method specified in Request")
	}
	q.Max, err = x.count(limit, argument)
	return q, err
}

// name returns a name as the listing shows it.
func (q listQuery) name(s string) text {
	if q.encoded {
		s = urlEncoded(s)
	}
	return text(s)
}

// optional is name, nil for an empty one.
func (q listQuery) optional(s string) *text {
	if s == "" {
		return nil
	}
	t := q.name(s)
	return &t
}

func (q listQuery) encoding() string {
	if q.encoded {
		return "url"
	}
	return ""
}

type commonPrefix struct{ Prefix text }

type listedObject struct {
	Key               text
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	Owner             *owner
	StorageClass      string
}

func storageClass(class string) string { return cmp.Or(class, "STANDARD") }

// split parts the entries of a page into objects and common prefixes.
func (x *exchange) split(q listQuery, page localstore.Page, owned bool) (objects []listedObject, prefixes []commonPrefix) {
	for _, e := range page.Entries {
		if e.Prefix != "" {
			prefixes = append(prefixes, commonPrefix{q.name(e.Prefix)})
			continue
		}
		v := e.Version
		o := listedObject{
			Key: q.name(v.Key), LastModified: xmlDate(v.Modified), ETag: quoted(v.ETag), Size: v.Size, StorageClass: storageClass(v.Meta.StorageClass),
			ChecksumAlgorithm: v.Checksum.Algorithm, ChecksumType: v.Checksum.Type,
		}
		if owned {
			o.Owner = &owner{x.owner}
		}
		objects = append(objects, o)
	}
	return objects, prefixes
}

type objectList struct {
	XMLName        xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name           string
	Prefix         text
	Marker         text
	NextMarker     *text
	MaxKeys        int
	Delimiter      *text
	EncodingType   string `xml:",omitempty"`
	IsTruncated    bool
	Contents       []listedObject
	CommonPrefixes []commonPrefix
}

func (x *exchange) listObjects() (*answer, error) {
	q, err := x.readList("max-keys", "maxKeys")
	if err != nil {
		return nil, err
	}
	q.After = x.get("marker")
	page, err := x.store.List(q.ListInput)
	if err != nil {
		return nil, err
	}
	doc := objectList{
		Name: x.bucket, Prefix: q.name(q.Prefix), Marker: q.name(q.After), MaxKeys: q.Max, Delimiter: q.optional(q.Delimiter),
		EncodingType: q.encoding(), IsTruncated: page.Truncated,
	}
	if page.Truncated && q.Delimiter != "" { // otherwise clients take the last key
		doc.NextMarker = q.optional(page.Next)
	}
	doc.Contents, doc.CommonPrefixes = x.split(q, page, true)
	return document(doc), nil
}

type objectListV2 struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                text
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	StartAfter            *text
	KeyCount              int
	MaxKeys               int
	Delimiter             *text
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listedObject
	CommonPrefixes        []commonPrefix
}

func (x *exchange) listObjectsV2() (*answer, error) {
	if kind := x.get("list-type"); kind != "2" {
		return nil, invalidArgument("list-type", kind, "Invalid List Type specified in Request")
	}
	q, err := x.readList("max-keys", "maxKeys")
	if err != nil {
		return nil, err
	}
	after := x.get("start-after")
	q.After = after
	token := x.get("continuation-token")
	if x.has("continuation-token") {
		if q.After, err = readToken(token); err != nil {
			return nil, err
		}
	}
	page, err := x.store.List(q.ListInput)
	if err != nil {
		return nil, err
	}
	doc := objectListV2{
		Name: x.bucket, Prefix: q.name(q.Prefix), ContinuationToken: token, StartAfter: q.optional(after), KeyCount: len(page.Entries),
		MaxKeys: q.Max, Delimiter: q.optional(q.Delimiter), EncodingType: q.encoding(), IsTruncated: page.Truncated,
	}
	if page.Truncated {
		doc.NextContinuationToken = newToken(page.Next)
	}
	doc.Contents, doc.CommonPrefixes = x.split(q, page, x.get("fetch-owner") == "true")
	return document(doc), nil
}

// tokenVersion begins every continuation token, so that its form may change.
const tokenVersion = "\x01"

func newToken(after string) string {
	return base64.URLEncoding.EncodeToString([]byte(tokenVersion + after))
}

func readToken(token string) (string, error) {
	raw, err := base64.URLEncoding.DecodeString(token)
	after, ok := strings.CutPrefix(string(raw), tokenVersion)
	if err != nil || !ok || after == "" {
		return "", invalidArgument("continuation-token", token, "The continuation token provided is incorrect")
	}
	return after, nil
}

type versionList struct {
	XMLName             xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
	Name                string
	Prefix              text
	KeyMarker           text
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       *text
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	Delimiter           *text
	EncodingType        string `xml:",omitempty"`
	IsTruncated         bool
	Entries             []any // listedVersion and listedMarker, in order
	CommonPrefixes      []commonPrefix
}

type versionHead struct {
	Key          text
	VersionID    string `xml:"VersionId"`
	IsLatest     bool
	LastModified string
}

type listedVersion struct {
	XMLName xml.Name `xml:"Version"`
	versionHead
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	Owner             owner
	StorageClass      string
}

type listedMarker struct {
	XMLName xml.Name `xml:"DeleteMarker"`
	versionHead
	Owner owner
}

func (x *exchange) listVersions() (*answer, error) {
	q, err := x.readList("max-keys", "maxKeys")
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
	doc := versionList{
		Name: x.bucket, Prefix: q.name(q.Prefix), KeyMarker: q.name(q.After), VersionIDMarker: q.AfterID, MaxKeys: q.Max,
		Delimiter: q.optional(q.Delimiter), EncodingType: q.encoding(), IsTruncated: page.Truncated,
	}
	if page.Truncated {
		doc.NextKeyMarker, doc.NextVersionIDMarker = q.optional(page.Next), page.NextID
	}
	for _, e := range page.Entries {
		if e.Prefix != "" {
			doc.CommonPrefixes = append(doc.CommonPrefixes, commonPrefix{q.name(e.Prefix)})
		} else {
			doc.Entries = append(doc.Entries, x.listedVersion(q, e.Version))
		}
	}
	return document(doc), nil
}

func (x *exchange) listedVersion(q listQuery, v localstore.Version) any {
	head := versionHead{q.name(v.Key), v.ID, v.Latest, xmlDate(v.Modified)}
	if v.Marker {
		return listedMarker{versionHead: head, Owner: owner{x.owner}}
	}
	return listedVersion{
		versionHead: head, ETag: quoted(v.ETag), ChecksumAlgorithm: v.Checksum.Algorithm, ChecksumType: v.Checksum.Type,
		Size: v.Size, Owner: owner{x.owner}, StorageClass: storageClass(v.Meta.StorageClass),
	}
}
