package policy

import "strings"

const (
	docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
)

// extensions is fixed here, and not the machine's mime.types, so that the same
// upload is judged alike everywhere. What a browser or a shell would run is in
// it, so that a harmless declaration does not carry such a name in.
var extensions = map[string]string{
	// images
	"apng": "image/apng", "avif": "image/avif", "bmp": "image/bmp",
	"gif": "image/gif", "heic": "image/heic", "heif": "image/heif",
	"ico": "image/x-icon", "jfif": "image/jpeg", "jpe": "image/jpeg",
	"jpeg": "image/jpeg", "jpg": "image/jpeg", "jxl": "image/jxl",
	"png": "image/png", "psd": "image/vnd.adobe.photoshop",
	"svg": "image/svg+xml", "svgz": "image/svg+xml", "tif": "image/tiff",
	"tiff": "image/tiff", "webp": "image/webp",
	// audio and video
	"3gp": "video/3gpp", "aac": "audio/aac", "aif": "audio/aiff",
	"aiff": "audio/aiff", "avi": "video/x-msvideo", "flac": "audio/flac",
	"flv": "video/x-flv", "m3u8": "application/vnd.apple.mpegurl",
	"m4a": "audio/mp4", "m4v": "video/mp4", "mid": "audio/midi",
	"midi": "audio/midi", "mkv": "video/matroska", "mov": "video/quicktime",
	"mp3": "audio/mpeg", "mp4": "video/mp4", "mpeg": "video/mpeg",
	"mpg": "video/mpeg", "oga": "audio/ogg", "ogg": "audio/ogg",
	"ogv": "video/ogg", "opus": "audio/opus", "wav": "audio/wav",
	"weba": "audio/webm", "webm": "video/webm", "wmv": "video/x-ms-asf",
	// text and data
	"atom": "application/atom+xml", "css": "text/css", "csv": "text/csv",
	"eml": "message/rfc822", "geojson": "application/geo+json",
	"gpx": "application/gpx+xml", "htm": "text/html", "html": "text/html",
	"ics": "text/calendar", "js": "text/javascript",
	"json": "application/json", "jsonl": "application/x-ndjson",
	"kml": "application/vnd.google-earth.kml+xml", "log": "text/plain",
	"md": "text/markdown", "mht": "multipart/related",
	"mhtml": "multipart/related", "mjs": "text/javascript",
	"ndjson": "application/x-ndjson", "rss": "application/rss+xml",
	"rtf": "text/rtf", "shtml": "text/html", "sql": "application/sql",
	"srt": "application/x-subrip", "tex": "application/x-tex",
	"toml": "application/toml", "tsv": "text/tab-separated-values",
	"txt": "text/plain", "vcf": "text/vcard", "vtt": "text/vtt",
	"xht": "application/xhtml+xml", "xhtml": "application/xhtml+xml",
	"xml": "text/xml", "xsl": "application/xslt+xml",
	"xslt": "application/xslt+xml", "yaml": "application/yaml",
	"yml": "application/yaml",
	// documents
	"doc": "application/msword", "docx": docx, "epub": "application/epub+zip",
	"docm": "application/vnd.ms-word.document.macroenabled.12",
	"odp":  "application/vnd.oasis.opendocument.presentation",
	"ods":  "application/vnd.oasis.opendocument.spreadsheet",
	"odt":  "application/vnd.oasis.opendocument.text",
	"pdf":  "application/pdf", "ppt": "application/vnd.ms-powerpoint",
	"pptx": pptx, "ps": "application/postscript",
	"pptm": "application/vnd.ms-powerpoint.presentation.macroenabled.12",
	"xls":  "application/vnd.ms-excel", "xlsx": xlsx,
	"xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
	// archives and packages
	"7z": "application/x-7z-compressed", "bz2": "application/x-bzip2",
	"gz": "application/gzip", "rar": "application/vnd.rar",
	"tar": "application/x-tar", "tgz": "application/gzip",
	"xz": "application/x-xz", "zip": zipArchive, "zst": "application/zstd",
	"deb": "application/vnd.debian.binary-package", "rpm": "application/x-rpm",
	// fonts, models, columns
	"glb": "model/gltf-binary", "gltf": "model/gltf+json", "otf": "font/otf",
	"parquet": "application/vnd.apache.parquet", "ttf": "font/ttf",
	"woff": "font/woff", "woff2": "font/woff2",
	// programs
	"apk": "application/vnd.android.package-archive", "bat": "application/x-bat",
	"class": "application/x-java-applet", "cmd": "application/x-bat",
	"com": "application/vnd.microsoft.portable-executable",
	"dll": "application/vnd.microsoft.portable-executable",
	"exe": "application/vnd.microsoft.portable-executable",
	"hta": "application/hta", "jar": "application/java-archive",
	"jsp": "text/x-jsp", "lnk": "application/x-ms-shortcut",
	"msi": "application/x-ms-installer", "php": "text/x-php",
	"phtml": "text/x-php", "pl": "text/x-perl",
	"ps1": "text/x-powershell", "py": "text/x-python", "rb": "text/x-ruby",
	"scr": "application/vnd.microsoft.portable-executable",
	"sh":  "text/x-shellscript", "so": "application/x-sharedlib",
	"swf": "application/x-shockwave-flash", "vbs": "text/vbscript",
	"wasm": "application/wasm",
}

// TypeByExtension gives the media type that the last extension of a key or a
// filename stands for, in any case of letters. It is false for a name without
// an extension, for one that is not in the table and for a key that ends in a
// slash.
func TypeByExtension(name string) (string, bool) {
	name = name[strings.LastIndexByte(name, '/')+1:]
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", false
	}
	t, ok := extensions[strings.ToLower(name[dot+1:])]
	return t, ok
}
