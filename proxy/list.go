package proxy

import (
	"bytes"
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// list serves the listings of keys. What belongs to the gateway itself is not
// in them: where a page could name it, the page is read and those entries are
// cut out; every other page is streamed.
func (d *Door) list(x *exchange) error {
	encode := x.at.Backend.FileKeys && get(x.query, "encoding-type") == "url" // the embedded store does not
	if !encode && !strings.HasPrefix(gateway.ReservedPrefix, get(x.query, "prefix")) {
		return d.forward(x, x.request())
	}
	resp, err := d.send(x, x.request())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := readAnswer(resp.Body)
	if err != nil {
		return clientGone(x.r.Context(), err)
	}
	if raw, err = hideReserved(raw); err != nil {
		return err
	}
	if encode {
		if raw, err = encodeNames(raw); err != nil {
			return err
		}
	}
	copyAnswer(x.w.Header(), resp.Header)
	x.w.Header().Set("Content-Length", decimal(int64(len(raw))))
	x.w.WriteHeader(resp.StatusCode)
	if _, err := x.w.Write(raw); err != nil {
		return broken(x, err)
	}
	return nil
}

// listed are the elements of a listing that stand for a key or a folder.
var listed = map[string]bool{"Contents": true, "Version": true, "DeleteMarker": true, "Upload": true, "CommonPrefixes": true}

// hideReserved cuts the gateway's own keys out of a listing and leaves every
// other byte as it is, but for the count of the keys.
func hideReserved(raw []byte) ([]byte, error) {
	if !bytes.Contains(raw, []byte(strings.TrimSuffix(gateway.ReservedPrefix, "/"))) {
		return raw, nil
	}
	var kept []byte
	var countAt, countEnd, hidden int
	decoder := xml.NewDecoder(bytes.NewReader(raw))
	for depth, copied := 0, 0; ; {
		begin := int(decoder.InputOffset())
		token, err := decoder.RawToken()
		if err != nil {
			if depth != 0 || begin != len(raw) {
				return nil, err
			}
			kept = append(kept, raw[copied:]...)
			break
		}
		start, isStart := token.(xml.StartElement)
		switch {
		case isStart && depth == 1 && listed[start.Name.Local]:
			end, err := elementEnd(decoder)
			if err != nil {
				return nil, err
			}
			if namesReserved(raw[begin:end]) {
				kept, copied, hidden = append(kept, raw[copied:begin]...), end, hidden+1
			}
		case isStart && depth == 1 && start.Name.Local == "KeyCount":
			kept, copied = append(kept, raw[copied:begin]...), begin
			end, err := elementEnd(decoder)
			if err != nil {
				return nil, err
			}
			countAt, countEnd = len(kept), len(kept)+end-begin
		case isStart:
			depth++
		default:
			if _, ended := token.(xml.EndElement); ended {
				depth--
			}
		}
	}
	return recount(kept, countAt, countEnd, hidden), nil
}

// elementEnd reads to the end of the element that has just begun.
func elementEnd(decoder *xml.Decoder) (int, error) {
	for depth := 1; depth > 0; {
		token, err := decoder.RawToken()
		if err != nil {
			return 0, err
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	return int(decoder.InputOffset()), nil
}

// namesReserved reports whether a listed element is about a key of the gateway,
// also where the client asked for encoded keys.
func namesReserved(element []byte) bool {
	var entry struct{ Key, Prefix string }
	if xml.Unmarshal(element, &entry) != nil {
		return true
	}
	name := entry.Key + entry.Prefix // it has one of them
	plain, err := url.QueryUnescape(name)
	return isReserved(name) || err == nil && isReserved(plain)
}

// recount takes what is hidden off the element KeyCount of ListObjectsV2.
func recount(doc []byte, begin, end, hidden int) []byte {
	var count int
	if begin == end || hidden == 0 || xml.Unmarshal(doc[begin:end], &count) != nil {
		return doc
	}
	element := "<KeyCount>" + strconv.Itoa(max(count-hidden, 0)) + "</KeyCount>"
	return append(doc[:begin:begin], append([]byte(element), doc[end:]...)...)
}
