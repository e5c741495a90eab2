package wire

import (
	"errors"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// knownAttributes are what x-amz-object-attributes may name.
var knownAttributes = []string{"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}

func (x *exchange) attributes() (*answer, error) {
	wanted, err := x.wantedAttributes()
	if err != nil {
		return nil, err
	}
	after, err := parseCount("x-amz-part-number-marker", x.header.Get("X-Amz-Part-Number-Marker"), 0)
	if err != nil {
		return nil, err
	}
	limit, err := parseCount("x-amz-max-parts", x.header.Get("X-Amz-Max-Parts"), localstore.MaxListed)
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
		return nil, noAttributes(err)
	}
	has := func(name string) bool { return slices.Contains(wanted, name) }
	a := document(tree("GetObjectAttributesResponse",
		when(has("ETag"), leaf("ETag", v.ETag)), // here without quotes
		when(has("Checksum") && v.Checksum.Value != "", tree("Checksum", checksumNode(v.Checksum), leaf("ChecksumType", v.Checksum.Type))),
		when(has("ObjectParts") && v.Parts > 0, partsNode(v, parts, after, limit, truncated)),
		when(has("StorageClass"), classNode(v.Meta.StorageClass)),
		when(has("ObjectSize"), number("ObjectSize", v.Size))))
	a.header["Last-Modified"] = []string{httpDate(v.Modified)}
	setVersion(a.header, v)
	return a, nil
}

// noAttributes makes a delete marker that is named by its version what the current
// one is: here S3 does not tell them apart.
func noAttributes(err error) error {
	var e *localstore.Error
	if !errors.As(err, &e) || e.Code != localstore.MethodNotAllowed {
		return err
	}
	return &localstore.Error{Code: localstore.NoSuchKey, Message: "The specified key does not exist.", Marker: e.Marker}
}

func partsNode(v localstore.Version, parts []localstore.Part, after, limit int, truncated bool) node {
	next := after
	var list []node
	for _, p := range parts {
		next = p.Number
		list = append(list, tree("Part", number("PartNumber", int64(p.Number)), number("Size", p.Size), checksumNode(p.Checksum)))
	}
	return tree("ObjectParts", append([]node{
		number("PartsCount", int64(v.Parts)), number("PartNumberMarker", int64(after)), number("NextPartNumberMarker", int64(next)),
		number("MaxParts", int64(limit)), boolean("IsTruncated", truncated),
	}, list...)...)
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
