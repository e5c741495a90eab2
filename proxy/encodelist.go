package proxy

import (
	"encoding/xml"
	"net/url"
	"strings"
)

// encodedNames are the elements of a listing that encoding-type=url encodes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
var encodedNames = map[string]bool{
	"Key": true, "Prefix": true, "Delimiter": true, "Marker": true, "NextMarker": true,
	"StartAfter": true, "KeyMarker": true, "NextKeyMarker": true,
}

// encodeNames does for a store what it was asked for with encoding-type=url and
// does not do itself. rclone and s3fs decode what comes without looking whether
// it was encoded: they would read "a+b" as "a b", and fail on "100%".
func encodeNames(raw []byte) ([]byte, error) {
	decoder := xml.NewDecoder(strings.NewReader(string(raw)))
	var out []byte
	for depth, copied := 0, 0; ; {
		begin := int(decoder.InputOffset())
		token, err := decoder.RawToken()
		if err != nil {
			if depth != 0 || begin != len(raw) {
				return nil, err
			}
			return append(out, raw[copied:]...), nil
		}
		switch t := token.(type) {
		case xml.EndElement:
			depth--
		case xml.StartElement:
			inside := int(decoder.InputOffset())
			depth++
			switch name := t.Name.Local; {
			case depth == 1: // the document itself
				out = append(append(out, raw[copied:inside]...), "<EncodingType>url</EncodingType>"...)
				copied = inside
			case name == "EncodingType" || encodedNames[name]:
				text, err := elementText(decoder)
				if err != nil {
					return nil, err
				}
				depth--
				out = append(out, raw[copied:begin]...)
				copied = int(decoder.InputOffset())
				if name != "EncodingType" {
					out = append(out, "<"+name+">"+encodeName(text)+"</"+name+">"...)
				}
			}
		}
	}
}

// elementText reads to the end of an element that holds nothing but text.
func elementText(decoder *xml.Decoder) (string, error) {
	var text strings.Builder
	for {
		token, err := decoder.RawToken()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			return text.String(), nil
		}
	}
}

// encodeName encodes as S3 does in listings: a space becomes "+", a slash stays.
func encodeName(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
