package proxy

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/fairshare"
	"github.com/codeguardians/s3gateway/signer"
)

// list serves the listings of keys. What belongs to the gateway itself is not
// in them: where a page could name it, the page is read and those entries are
// cut out; every other page of a bucket under its own name is streamed.
func (d *Door) list(x *exchange) error {
	req := x.request()
	if err := x.at.checkToken(get(x.query, "continuation-token")); err != nil {
		return err
	}
	req.Query = withPrefix(req.Query, x.at.Prefix)
	if !x.at.renamed && !has(x.query, metadataParam) && !strings.HasPrefix(gateway.ReservedPrefix, get(x.query, "prefix")) {
		return d.forward(x, req)
	}
	return d.forwardNamed(x, req)
}

// keyParams are the parameters of listings that are keys or begin one.
var keyParams = []string{"prefix", "marker", "start-after", "key-marker"}

// withPrefix puts the backend's prefix before every key of a listing's query.
// A continuation token has it in it.
func withPrefix(query []signer.Param, prefix string) []signer.Param {
	if prefix == "" {
		return query
	}
	mapped, asked := make([]signer.Param, 0, len(query)+1), false
	for _, p := range query {
		if slices.Contains(keyParams, p.Key) && (p.Value != "" || p.Key == "prefix") {
			p = signer.Param{Key: p.Key, Value: prefix + p.Value}
		}
		if p.Key == "continuation-token" {
			p = signer.Param{Key: p.Key, Value: backendToken(p.Value, prefix)}
		}
		asked = asked || p.Key == "prefix"
		mapped = append(mapped, p)
	}
	if !asked {
		mapped = append(mapped, signer.Param{Key: "prefix", Value: prefix})
	}
	return mapped
}

// named serves an operation whose answer names its bucket and key.
func (d *Door) named(x *exchange) error {
	if !x.at.renamed {
		return d.forward(x, x.request())
	}
	return d.forwardNamed(x, x.request())
}

// forwardNamed sends a request and puts the client's names into the answer.
func (d *Door) forwardNamed(x *exchange, req backend.Request) error {
	answer, err := d.wholeAnswer(x, req)
	if err != nil {
		return err
	}
	defer answer.memory.Release()
	raw, err := (names{bucket: x.addr.Bucket, at: x.at}).apply(answer.raw)
	if err != nil {
		return err
	}
	answer.raw = nil
	answer.memory.Keep(int64(cap(raw))) // for as long as the client takes to read it
	copyAnswer(x.w.Header(), answer.header)
	x.w.Header().Set("Content-Length", decimal(int64(len(raw))))
	x.w.WriteHeader(answer.status)
	if _, err := x.w.Write(raw); err != nil {
		return broken(x, err)
	}
	return nil
}

// wholeAnswer is an answer of the backend that was read whole. Nothing of the
// backend's own is held any more.
type wholeAnswer struct {
	raw    []byte
	memory *fairshare.Grant
	status int
	header http.Header
}

// listedCost is what an entry of a listing may take until the answer is made, in
// bytes: in the store in the process, as it was read, and rewritten.
const listedCost = 16 << 10

func (d *Door) wholeAnswer(x *exchange, req backend.Request) (a wholeAnswer, err error) {
	entries := int64(maxListed)
	if n, err := strconv.ParseInt(get(x.query, "max-keys"), 10, 64); err == nil {
		entries = min(max(n, 1), maxListed)
	}
	if a.memory, err = d.Memory.ForAnswer(x.r.Context(), entries*listedCost); err != nil {
		return a, err
	}
	defer func() {
		if err != nil {
			a.memory.Release()
		}
	}()
	resp, err := d.sendChange(x, req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if a.raw, err = readAnswer(resp.Body); err != nil {
		return a, clientGone(x.r.Context(), err)
	}
	a.status, a.header = resp.StatusCode, resp.Header
	return a, nil
}

// maxListed is the longest page of a listing
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
const maxListed = 1000

// The elements that carry names in S3's listings and multipart answers
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and
// the pages of the other listings).
var (
	// listed stand for one key or folder each.
	listed = map[string]bool{"Contents": true, "Version": true, "DeleteMarker": true, "Upload": true, "CommonPrefixes": true}
	// bucketElements are the bucket, as children of the root.
	bucketElements = map[string]bool{"Name": true, "Bucket": true}
	// keyElements are keys or beginnings of keys, at any place.
	keyElements = map[string]bool{
		"Key": true, "Prefix": true, "Marker": true, "NextMarker": true, "StartAfter": true, "KeyMarker": true, "NextKeyMarker": true,
	}
)

// ownMetaElement begins the elements of the gateway's own metadata, in MinIO's
// listings with metadata.
const ownMetaElement = "X-Amz-Meta-S3gateway-"

// names are those that a client uses for a bucket, and where it is.
type names struct {
	bucket string
	at     Location
}

// edit replaces the bytes from begin to end.
type edit struct {
	begin, end int
	text       string
}

// apply cuts the gateway's own keys out of an answer, puts the client's names
// in the place of the backend's, and leaves every other byte as it is.
func (n names) apply(raw []byte) ([]byte, error) {
	if !n.at.renamed && !bytes.Contains(raw, []byte(strings.TrimSuffix(gateway.ReservedPrefix, "/"))) && !bytes.Contains(raw, []byte(ownMetaElement)) {
		return raw, nil
	}
	out, err := n.edit(raw)
	if err == nil {
		return out, nil
	}
	text, restore := legible(raw)
	if out, err = n.edit(text); err != nil {
		return nil, err
	}
	return restore(out), nil
}

func (n names) edit(raw []byte) ([]byte, error) {
	s := nameScanner{names: n, decoder: xml.NewDecoder(bytes.NewReader(raw)), raw: raw, encoded: bytes.Contains(raw, encodedNames)}
	if err := s.scan(); err != nil {
		return nil, err
	}
	var out []byte
	copied := 0
	for _, e := range s.edits {
		out = append(append(out, raw[copied:e.begin]...), e.text...)
		copied = e.end
	}
	return append(out, raw[copied:]...), nil
}

// encodedNames is in an answer whose names are percent-encoded. No name has it: its
// brackets would be escaped.
var encodedNames = []byte("<EncodingType>url</EncodingType>")

// nameScanner finds the edits of one answer.
type nameScanner struct {
	names
	raw     []byte
	decoder *xml.Decoder
	encoded bool // names are percent-encoded, as the client asked
	path    []string
	edits   []edit
	// of the open entry: where it begins, how many edits were before it, and
	// whether it is about a key of the gateway.
	entryAt, entryEdits int
	inEntry, reserved   bool
	hidden              int
	ownMetaAt           int  // where the open element of the gateway's metadata begins
	count               edit // of KeyCount, when there is one
	version             edit // takes NextVersionIdMarker out, when there is one
	skips               bool // the next page begins behind the gateway's own keys
}

func (s *nameScanner) scan() error {
	for {
		begin := int(s.decoder.InputOffset())
		token, err := s.decoder.RawToken()
		if errors.Is(err, io.EOF) && len(s.path) == 0 {
			s.finish()
			return nil
		}
		if err != nil {
			return err
		}
		end := int(s.decoder.InputOffset())
		switch t := token.(type) {
		case xml.StartElement:
			s.path = append(s.path, t.Name.Local)
			switch {
			case len(s.path) == 2 && listed[t.Name.Local]:
				s.inEntry, s.reserved, s.entryAt, s.entryEdits = true, false, begin, len(s.edits)
			case strings.HasPrefix(t.Name.Local, ownMetaElement):
				s.ownMetaAt = begin
			case len(s.path) == 2 && t.Name.Local == "NextVersionIdMarker":
				s.version.begin = begin
			}
		case xml.CharData:
			s.text(string(t), begin, end)
		case xml.EndElement:
			if strings.HasPrefix(t.Name.Local, ownMetaElement) {
				s.edits = append(s.edits, edit{s.ownMetaAt, end, ""})
			}
			if len(s.path) == 2 && t.Name.Local == "NextVersionIdMarker" {
				s.version.end = end
			}
			s.path = s.path[:max(0, len(s.path)-1)]
			if len(s.path) == 1 && s.inEntry {
				s.closeEntry(end)
			}
		}
	}
}

func (s *nameScanner) text(text string, begin, end int) {
	if len(s.path) < 2 {
		return
	}
	element := s.path[len(s.path)-1]
	switch {
	case len(s.path) == 2 && bucketElements[element]:
		s.edits = append(s.edits, edit{begin, end, escapeText(s.bucket)})
	case len(s.path) == 2 && element == "KeyCount":
		s.count = edit{begin, end, text}
	case len(s.path) == 2 && nextPage[element] && s.behindReserved(element, text) != "":
		s.edits = append(s.edits, edit{begin, end, escapeText(s.behindReserved(element, text))})
		s.skips = true
	case len(s.path) == 2 && tokens[element] && s.at.Prefix != "":
		s.edits = append(s.edits, edit{begin, end, escapeText(clientToken(text, s.at.Prefix))})
	case keyElements[element]:
		key := s.cutPrefix(text)
		s.reserved = s.reserved || isReserved(s.plain(key))
		if key != text {
			s.edits = append(s.edits, edit{begin, end, escapeText(key)})
		}
	}
}

// closeEntry drops an entry that is about the gateway's own.
func (s *nameScanner) closeEntry(end int) {
	s.inEntry = false
	if s.reserved {
		s.edits = append(s.edits[:s.entryEdits], edit{s.entryAt, end, ""})
		s.hidden++
	}
}

// nextPage are the elements by which a client asks for the next page.
var nextPage = map[string]bool{"NextMarker": true, "NextKeyMarker": true, "NextContinuationToken": true}

// lastReserved is behind every key that the gateway makes for itself.
const lastReserved = gateway.ReservedPrefix + "~"

// behindReserved gives a marker behind the gateway's own keys for one that names
// such a key, "" for any other. A client is not shown the ids of other callers'
// uploads, and need not go through pages of nothing. Tokens are keys on Ceph,
// and keys in base64 on MinIO and the embedded store; AWS's show none.
//
// Only what is under the prefix byte for byte is: a key that a store may clean to
// such a one lies elsewhere in the order, and a marker never goes back.
func (s *nameScanner) behindReserved(element, marker string) string {
	if gateway.Reserved(s.plain(marker)) {
		return lastReserved
	}
	if plain, err := base64.StdEncoding.DecodeString(marker); err == nil && element == "NextContinuationToken" && gateway.Reserved(string(plain)) {
		return base64.StdEncoding.EncodeToString([]byte(lastReserved))
	}
	return ""
}

// finish takes what is hidden off the KeyCount of ListObjectsV2, which stands
// before or after the keys.
func (s *nameScanner) finish() {
	count, err := strconv.Atoi(s.count.text)
	if err == nil && s.hidden > 0 {
		s.count.text = strconv.Itoa(max(count-s.hidden, 0))
		s.edits = append(s.edits, s.count)
	}
	if s.skips && s.version.end > 0 {
		s.edits = append(s.edits, s.version)
	}
	slices.SortFunc(s.edits, func(a, b edit) int { return cmp.Compare(a.begin, b.begin) })
}

// plain is a name of the answer without the encoding that its client asked for. Of
// any other answer a percent sign is one.
func (s *nameScanner) plain(name string) string {
	if plain, err := url.QueryUnescape(name); s.encoded && err == nil {
		return plain
	}
	return name
}

// cutPrefix takes the backend's prefix off a key; what is left keeps its encoding.
func (s *nameScanner) cutPrefix(key string) string {
	prefix := s.at.Prefix
	if rest, ok := strings.CutPrefix(key, prefix); ok || !s.encoded {
		return rest
	}
	for i := range len(key) + 1 {
		if plain, err := url.QueryUnescape(key[:i]); err == nil && plain == prefix {
			return key[i:]
		}
	}
	return key
}

func escapeText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
