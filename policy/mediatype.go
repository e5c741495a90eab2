package policy

import (
	"mime"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

const (
	octetStream = "application/octet-stream"
	textPlain   = "text/plain"
	zipArchive  = "application/zip"
	oggMedia    = "application/ogg"
)

// mediaType is one media type: its essence as written (lower case, without
// parameters) and the one name under which its format is compared.
type mediaType struct{ name, canon string }

func newMediaType(essence string) mediaType {
	return mediaType{name: essence, canon: CanonicalType(essence)}
}

// aliases are further names of a format, beyond those that mimetype knows.
var aliases = map[string]string{
	"binary/octet-stream": octetStream,

	"image/jpg":                "image/jpeg",
	"image/pjpeg":              "image/jpeg",
	"image/x-png":              "image/png",
	"image/tif":                "image/tiff",
	"image/x-tiff":             "image/tiff",
	"image/ico":                "image/x-icon",
	"image/vnd.microsoft.icon": "image/x-icon",

	"audio/m4a":    "audio/mp4",
	"audio/x-m4a":  "audio/mp4",
	"audio/x-mp3":  "audio/mpeg",
	"audio/x-flac": "audio/flac",
	"audio/x-aac":  "audio/aac",
	"audio/aacp":   "audio/aac",
	"audio/x-ogg":  "audio/ogg",
	"video/x-m4v":  "video/mp4",
	"video/x-mpeg": "video/mpeg",

	"application/csv":             "text/csv",
	"text/x-csv":                  "text/csv",
	"text/comma-separated-values": "text/csv",
	"text/json":                   "application/json",
	"application/x-json":          "application/json",
	"text/x-markdown":             "text/markdown",
	"text/yaml":                   "application/yaml",
	"text/x-yaml":                 "application/yaml",
	"application/x-yaml":          "application/yaml",
	"text/x-vcard":                "text/vcard",
	"text/ecmascript":             "text/javascript",
	"application/ecmascript":      "text/javascript",

	"application/x-gtar":           "application/x-tar",
	"application/x-tgz":            "application/gzip",
	"application/x-compressed-tar": "application/gzip",
	"application/x-bzip":           "application/x-bzip2",
	"application/bzip2":            "application/x-bzip2",
	"application/x-zstd":           "application/zstd",
	"application/rar":              "application/vnd.rar",
	"application/x-dosexec":        "application/vnd.microsoft.portable-executable",
	"application/x-msdownload":     "application/vnd.microsoft.portable-executable",
	"application/x-msdos-program":  "application/vnd.microsoft.portable-executable",

	"application/font-woff":   "font/woff",
	"application/x-font-woff": "font/woff",
	"application/font-woff2":  "font/woff2",
	"application/x-font-otf":  "font/otf",
	"font/opentype":           "font/otf",
}

// parents are ancestors that mimetype's tree lacks: what the first bytes of
// such a file may look like when its own marks come late or do not exist.
var parents = map[string][]string{
	"image/heic":             {"image/heif"}, // major brand mif1, heic only among the compatible ones
	"image/heic-sequence":    {"image/heif-sequence"},
	"image/avif":             {"image/heif"},
	"audio/opus":             {"audio/ogg", oggMedia},
	"audio/x-matroska":       {"video/matroska"},
	"application/yaml":       {textPlain},
	"application/toml":       {textPlain},
	"application/sql":        {textPlain},
	"application/x-tex":      {textPlain},
	"application/x-pem-file": {textPlain},

	"application/vnd.ms-word.document.macroenabled.12":                        {docx},
	"application/vnd.ms-excel.sheet.macroenabled.12":                          {xlsx},
	"application/vnd.ms-powerpoint.presentation.macroenabled.12":              {pptx},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.template": {docx},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.template":    {xlsx},
	"application/vnd.openxmlformats-officedocument.presentationml.slideshow":  {pptx},
}

// generic lists the formats found by their bytes that every reader also reads
// as a more general one, so that they may stand under that name too. None of
// them runs anything under the general name that the general name would not
// run anyway; SVG and HTML under text/plain are not such a case.
var generic = map[string]string{
	"image/apng":                           "image/png",
	"application/geo+json":                 "application/json",
	"application/vnd.cyclonedx+json":       "application/json",
	"model/gltf+json":                      "application/json",
	"application/rss+xml":                  "text/xml",
	"application/atom+xml":                 "text/xml",
	"application/gpx+xml":                  "text/xml",
	"application/vnd.google-earth.kml+xml": "text/xml",
	"audio/ogg":                            oggMedia,
	"video/ogg":                            oggMedia,
}

// suffixes are the structured syntax suffixes of RFC 6838 §4.2.8 (RFC 6839)
// with the format that they stand for.
var suffixes = []struct{ suffix, format string }{
	{"+xml", "text/xml"},
	{"+json", "application/json"},
	{"+zip", zipArchive},
}

// CanonicalType returns the one name of a format: audio/x-wav is audio/wav, image/jpg
// is image/jpeg. essence is in lower case and has no parameters. A type that nobody
// knows keeps its name.
func CanonicalType(essence string) string {
	if name, ok := aliases[essence]; ok {
		essence = name
	}
	if node := mimetype.Lookup(essence); node != nil {
		return node.String()
	}
	return essence
}

// ancestors lists what a file of a canonical type may look like by its first
// bytes: text/plain for text/csv, application/zip for docx. The root,
// application/octet-stream, is nobody's ancestor here.
func ancestors(of string) []string {
	var list []string
	node := mimetype.Lookup(of)
	if node != nil {
		for p := node.Parent(); p != nil && p.Parent() != nil; p = p.Parent() {
			list = append(list, p.String())
		}
	} else if strings.HasPrefix(of, "text/") {
		list = append(list, textPlain) // text formats without marks of their own, such as text/css
	}
	for _, p := range parents[of] {
		list = append(append(list, p), ancestors(p)...)
	}
	for _, s := range suffixes {
		if strings.HasSuffix(of, s.suffix) {
			list = append(append(list, s.format), ancestors(s.format)...)
		}
	}
	return list
}

// looksLike reports whether a file of a canonical type may be found as found.
func looksLike(of, found string) bool {
	return of == found || slices.Contains(ancestors(of), found)
}

// declaration reads a Content-Type. It counts unless it is absent or says no
// more than "bytes"; it is well-formed when every client reads the same type
// out of it.
//
// A comma is refused even inside quotes: fetch (WHATWG) splits the header there
// and takes the last type, so `image/png,text/html` is HTML to a browser. A
// wildcard is no type, and parameters that do not parse hide what comes after.
func declaration(declared string) (m mediaType, counts, wellFormed bool) {
	declared = strings.TrimSpace(declared)
	if declared == "" {
		return mediaType{}, false, true
	}
	essence, _, err := mime.ParseMediaType(declared)
	if err != nil || !strings.Contains(essence, "/") || strings.ContainsAny(declared, ",*") {
		return mediaType{name: declared}, true, false
	}
	m = newMediaType(essence)
	return m, m.canon != octetStream, true
}
