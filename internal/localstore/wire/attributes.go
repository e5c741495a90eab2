package wire

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// knownAttributes are what x-amz-object-attributes may name.
var knownAttributes = []string{"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}

type attributesDocument struct {
	XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ GetObjectAttributesResponse"`
	ETag         string   `xml:",omitempty"`
	Checksum     *attributesChecksum
	ObjectParts  *attributesParts
	StorageClass string `xml:",omitempty"`
	ObjectSize   *int64
}

type attributesChecksum struct {
	Value        *element
	ChecksumType string
}

type attributesParts struct {
	PartsCount           int
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	Part                 []attributesPart
}

type attributesPart struct {
	PartNumber int
	Size       int64
	Checksum   *element
}

func (x *exchange) attributes() (*answer, error) {
	wanted, err := x.wantedAttributes()
	if err != nil {
		return nil, err
	}
	after, err := x.headerCount("x-amz-part-number-marker", 0)
	if err != nil {
		return nil, err
	}
	limit, err := x.headerCount("x-amz-max-parts", localstore.MaxListed)
	if err != nil {
		return nil, err
	}
	ref, err := x.ref()
	if err != nil {
		return nil, err
	}
	limit = min(limit, localstore.MaxListed)
	v, parts, truncated, err := x.store.ObjectParts(ref, after, limit)
	if err != nil {
		return nil, err
	}
	var doc attributesDocument
	for _, name := range wanted {
		doc.add(name, v)
	}
	if v.Parts > 0 && slices.Contains(wanted, "ObjectParts") {
		doc.ObjectParts = &attributesParts{PartsCount: v.Parts, PartNumberMarker: after, NextPartNumberMarker: after, MaxParts: limit, IsTruncated: truncated}
		for _, p := range parts {
			doc.ObjectParts.NextPartNumberMarker = p.Number
			doc.ObjectParts.Part = append(doc.ObjectParts.Part, attributesPart{p.Number, p.Size, checksumElement(p.Checksum)})
		}
	}
	a := document(doc)
	a.header["Last-Modified"] = []string{httpDate(v.Modified)}
	setVersion(a.header, v)
	return a, nil
}

func (d *attributesDocument) add(name string, v localstore.Version) {
	switch name {
	case "ETag":
		d.ETag = v.ETag // without quotes, here alone
	case "Checksum":
		if e := checksumElement(v.Checksum); e != nil {
			d.Checksum = &attributesChecksum{e, v.Checksum.Type}
		}
	case "StorageClass":
		d.StorageClass = storageClass(v.Meta.StorageClass)
	case "ObjectSize":
		d.ObjectSize = &v.Size
	}
}

func (x *exchange) wantedAttributes() ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(strings.Join(x.header["X-Amz-Object-Attributes"], ","), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !slices.Contains(knownAttributes, name) {
			return nil, invalidArgument("x-amz-object-attributes", name, "Invalid attribute name specified.")
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, invalidRequest("The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	}
	return names, nil
}

// headerCount returns a number in a header.
func (x *exchange) headerCount(name string, absent int) (int, error) {
	value := x.header.Get(name)
	if value == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 {
		return 0, invalidArgument(name, value, "Provided %s not an integer or within integer range", name)
	}
	return int(n), nil
}
