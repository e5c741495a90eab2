package api

import (
	"slices"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	tagUploads   = "Uploads"
	tagResumable = "Resumable uploads"
	tagDownloads = "Downloads"
	tagFiles     = "Files"
	tagService   = "Service"
)

// exampleID is the file of the examples.
const exampleID = "uploads/2026/01/15/6f1d2c3b-4a59-4e68-9d70-8b1a2c3d4e5f-note.txt"

func text() map[string]any { return map[string]any{"type": "string"} }

func number(least, most, absent int) map[string]any {
	return map[string]any{"type": "integer", "minimum": least, "maximum": most, "default": absent}
}

func oneOf(values ...any) map[string]any { return map[string]any{"type": "string", "enum": values} }

var fileIDParam = paramDoc{"file_id", "path", "Percent-encoded once; its slashes may be left as they are.", text(), exampleID}

var (
	idempotencyParam = paramDoc{idempotencyHeader, "header",
		"1 to 255 characters, with or without quotes. The same request under the same key gets the first answer again for 24 hours.", text(), nil}
	filenameParam = paramDoc{"filename", "query", "The file's name, where the body is the file itself. Content-Disposition may say it too.", text(), nil}
	ifMatchParam  = paramDoc{"If-Match", "header", "Only the file with this ETag is changed, copied or deleted.", text(), nil}
	expiresParam  = paramDoc{"expires_in", "query", "The link's life in seconds.", map[string]any{"type": "integer", "minimum": 1, "maximum": maxExpires}, 60}
	dispoParam    = paramDoc{"disposition", "query", "`inline` shows images and plain text in the browser; all else is an attachment.", oneOf("attachment", "inline"), "inline"}
)

// The parameters of tus.
var (
	uploadIDParam = paramDoc{"upload_id", "path", "From the Location of the creation.", text(), nil}
	tusParam      = paramDoc{"Tus-Resumable", "header", "The protocol's version.", oneOf(tusVersion), tusVersion}
	checksumParam = paramDoc{"Upload-Checksum", "header", "Algorithm, a space, and the chunk's sum in base64.", text(), nil}
	offsetParam   = paramDoc{"Upload-Offset", "header", "Where the chunk begins.", map[string]any{"type": "integer", "minimum": 0}, 0}
	lengthParam   = paramDoc{"Upload-Length", "header", "The file's size in bytes.", map[string]any{"type": "integer", "minimum": 0}, 12}
)

// memberDocs say what a member means, the same wherever it stands.
var memberDocs = map[string]map[string]any{
	"file_id":          {"description": "The file's id, its key in the bucket."},
	"filename":         {"description": "The original name."},
	"file_url":         {"description": "Where the file can be had."},
	"file_size":        {"description": "In bytes."},
	"upload_timestamp": {"format": "date-time"},
	"expires_at":       {"format": "date-time"},
	"etag":             {"description": "Without quotes."},
	"sha256":           {"description": "In hex."},
	"version_id":       {"description": "Where the bucket keeps versions."},
	"metadata":         {"description": "What S3 clients keep with the object."},
	"expires_in":       {"description": "In seconds, 1 to 604800."},
	"headers":          {"description": "What the upload must carry."},
	"fields":           {"description": "Of a form, to be sent before its file."},
	"next_cursor":      {"description": "The `cursor` of the next page; null on the last."},
	"move":             {"description": "Remove the old file afterwards."},
	"size":             {"description": "In bytes: the upload must have just so many."},
	"content_type":     {"description": "The media type."},
	"code":             {"description": "What is wrong, in the words of S3."},
	"detail":           {"description": "What is wrong and what to do."},
}

var headerText = map[string]string{
	"Location": "The file's metadata.", "ETag": "The file's.", "Repr-Digest": "The file's SHA-256 (RFC 9530).",
	replayedHeader: "true on an answer that was given before.", "Content-Disposition": "The original name (RFC 6266).",
	"Upload-Offset": "How many bytes are there.", "Upload-Expires": "Until when the upload can go on.", "Upload-Length": "The file's size, once it is known.",
	"X-File-Id": "The finished file's id, percent-encoded.", "X-File-Url": "Where the finished file can be had.",
	"Tus-Version": "1.0.0", "Tus-Extension": "What of tus is offered.", "Tus-Checksum-Algorithm": "For Upload-Checksum.", "Tus-Max-Size": "MAX_FILE_SIZE.",
	"Last-Modified": "The file's.", "Accept-Ranges": "bytes", "Content-Range": "What of the file this is.", "Retry-After": "In seconds.",
}

// Refusals that several operations share.
var (
	idCodes    = []gateway.Code{gateway.InvalidArgument, gateway.KeyTooLong, gateway.NoSuchKey}
	jsonCodes  = []gateway.Code{gateway.UnsupportedMediaType, gateway.UnprocessableValue, gateway.InvalidArgument, gateway.EntityTooLarge, gateway.IncompleteBody, gateway.RequestTimeout, gateway.StreamEnded, gateway.BadDigest, gateway.InvalidDigest}
	typeCodes  = []gateway.Code{gateway.EntityTooLarge, gateway.TypeNotAllowed, gateway.NameNotAllowed, gateway.UnprocessableValue, gateway.InvalidArgument}
	storeCodes = []gateway.Code{gateway.Conflict, gateway.QuotaExceeded, gateway.MissingContentLength, gateway.KeyTooLong}
	chunkCodes = codes(typeCodes, storeCodes, []gateway.Code{gateway.UnsupportedMediaType, gateway.PreconditionFailed, gateway.NoSuchUpload, gateway.IncompleteBody,
		gateway.RequestTimeout, gateway.StreamEnded, gateway.BadDigest, gateway.InvalidDigest, gateway.SHA256Mismatch, uploadLocked, uploadExpired, chunkMismatch})
	asJSON = []gateway.Code{gateway.NotAcceptable}
)

func codes(lists ...[]gateway.Code) []gateway.Code { return slices.Concat(lists...) }

var created = answerDoc{201, "The stored file.", file{}, []string{"Location", "ETag", "Repr-Digest", replayedHeader}}

func jsonBody(schema any, examples map[string]any) []bodyDoc {
	return []bodyDoc{{"application/json", schema, examples}}
}

var chunkBody = []bodyDoc{{tusChunk, map[string]any{}, map[string]any{"a chunk": "hello, file\n"}}}

// opDocs are the operations by name.
func opDocs() map[string]opDoc {
	return map[string]opDoc{
		opDirect: {tag: tagUploads, summary: "Upload a file",
			description: "As a form, or as the raw body with its name in `filename`. Nothing is stored before the whole file was checked. `Content-Digest`, `Repr-Digest`, `Content-MD5` and `x-amz-checksum-*` are compared.",
			params:      []paramDoc{filenameParam, idempotencyParam},
			bodies: []bodyDoc{
				{"multipart/form-data", map[string]any{"type": "object", "required": []string{fileField}, "properties": map[string]any{
					fileField:   map[string]any{"type": "string", "contentMediaType": "application/octet-stream"},
					sha256Field: map[string]any{"type": "string", "description": "The file's SHA-256 in hex, which is compared."},
				}}, map[string]any{"a form": map[string]any{fileField: "hello, file\n"}}},
				{"*/*", map[string]any{}, map[string]any{"the file itself": "hello, file\n"}},
			},
			answers:  []answerDoc{created},
			refusals: codes(asJSON, typeCodes, storeCodes, []gateway.Code{gateway.UnsupportedMediaType, gateway.BadDigest, gateway.InvalidDigest, gateway.IncompleteBody, gateway.RequestTimeout, gateway.StreamEnded})},
		opPresign: {tag: tagUploads, summary: "Get a link to upload one file", params: []paramDoc{idempotencyParam},
			description: "Type, and size and SHA-256 where they are given, are signed into the link. `method: POST` gives a form.",
			bodies: jsonBody(presignRequest{}, map[string]any{
				"a link": map[string]any{"filename": "photo.png", "content_type": "image/png", "expires_in": 3600},
				"a form": map[string]any{"filename": "photo.png", "method": "POST", "size": 1024},
			}),
			answers:  []answerDoc{{200, "The link.", uploadLink{}, []string{replayedHeader}}},
			refusals: codes(asJSON, jsonCodes, typeCodes, storeCodes)},
		"CompleteUpload": {tag: tagUploads, summary: "Ask for a file that came by a link", answers: []answerDoc{created},
			refusals: codes(asJSON, idCodes, typeCodes, storeCodes)},
		"CopyFile": {tag: tagFiles, summary: "Copy or move a file", params: []paramDoc{ifMatchParam}, answers: []answerDoc{created},
			bodies:   jsonBody(copyRequest{}, map[string]any{"a copy": map[string]any{"file_id": exampleID, "filename": "copy.txt"}}),
			refusals: codes(asJSON, jsonCodes, idCodes, typeCodes, storeCodes, []gateway.Code{gateway.PreconditionFailed})},
		"DeleteFiles": {tag: tagFiles, summary: "Delete up to 1,000 files", description: "A file that was not there counts as deleted.",
			bodies:   jsonBody(batchRequest{}, map[string]any{"two files": map[string]any{"file_ids": []any{exampleID, "elsewhere/x"}}}),
			answers:  []answerDoc{{200, "What became of each.", batchAnswer{}, nil}},
			refusals: codes(asJSON, jsonCodes, idCodes)},
		"ListFiles": {tag: tagFiles, summary: "List files in the order of their ids", params: []paramDoc{
			{"prefix", "query", "Of the ids; UPLOAD_PREFIX when absent.", text(), nil},
			{"date", "query", "The uploads of a day, month or year (UTC). Not together with another prefix.", text(), "2026-01"},
			{"limit", "query", "", number(1, maxLimit, defaultLimit), 10},
			{"cursor", "query", "`next_cursor` of the page before.", text(), nil}},
			answers:  []answerDoc{{200, "One page.", listing{}, nil}},
			refusals: codes(asJSON, []gateway.Code{gateway.InvalidArgument, gateway.UnprocessableValue, gateway.KeyTooLong})},
		"Health": {tag: tagService, summary: "Whether the storage can be used", description: "Needs no key; bucket and detail are for callers with one.",
			answers: []answerDoc{{200, "It can.", health{}, nil}, {503, "It cannot now.", health{}, []string{"Retry-After"}}}},
		"PresignDownload": {tag: tagDownloads, summary: "Get a link to download a file", params: []paramDoc{expiresParam, dispoParam},
			answers:  []answerDoc{{200, "The link.", downloadLink{}, nil}},
			refusals: codes(asJSON, idCodes, []gateway.Code{gateway.UnprocessableValue})},
		"DownloadFile": {tag: tagDownloads, summary: "Download a file", params: []paramDoc{dispoParam,
			{"Range", "header", "Up to 16 ranges of bytes.", text(), nil}, {"If-None-Match", "header", "ETags that the client has.", text(), nil}},
			description: "If-Match, If-Modified-Since, If-Unmodified-Since and If-Range work as in RFC 9110 too.",
			answers: []answerDoc{
				{200, "The file.", raw{}, []string{"Content-Disposition", "ETag", "Last-Modified", "Repr-Digest", "Accept-Ranges"}},
				{206, "A part of the file.", raw{}, []string{"Content-Range", "ETag"}}, {304, "The client has it.", nil, []string{"ETag"}}},
			refusals: codes(idCodes, []gateway.Code{gateway.InvalidRange, gateway.PreconditionFailed, gateway.UnprocessableValue})},
		"FileMetadata": {tag: tagFiles, summary: "What is known of a file", answers: []answerDoc{{200, "The file.", fileMetadata{}, nil}},
			refusals: codes(asJSON, idCodes)},
		"ChangeFile": {tag: tagFiles, summary: "Change name and tags", params: []paramDoc{ifMatchParam},
			description: "A JSON merge patch (RFC 7396), also as `application/merge-patch+json`: what is not named stays, a tag that is null goes.",
			bodies:      jsonBody(changeRequest{}, map[string]any{"name and tags": map[string]any{"filename": "holiday.txt", "tags": map[string]any{"album": "2026", "draft": nil}}}),
			answers:     []answerDoc{{200, "The file as it is now.", fileMetadata{}, nil}},
			refusals:    codes(asJSON, jsonCodes, idCodes, typeCodes, storeCodes, []gateway.Code{gateway.PreconditionFailed})},
		"DeleteFile": {tag: tagFiles, summary: "Delete a file", params: []paramDoc{
			{"missing_ok", "query", "A file that is not there is no error.", map[string]any{"type": "boolean", "default": false}, true},
			ifMatchParam},
			answers:  []answerDoc{{204, "It is gone.", nil, nil}},
			refusals: codes(idCodes, []gateway.Code{gateway.PreconditionFailed})},
		"ResumableOptions": {tag: tagResumable, summary: "What of tus 1.0 is offered", untagged: true, description: "Needs no key.",
			answers: []answerDoc{{204, "In the headers.", nil, []string{"Tus-Version", "Tus-Extension", "Tus-Checksum-Algorithm", "Tus-Max-Size"}}}},
		"CreateUpload": {tag: tagResumable, summary: "Begin a resumable upload", optionalBody: true,
			description: "tus 1.0 (tus.io): any tus client does all of this. The body may be the first bytes.",
			params: []paramDoc{lengthParam, checksumParam,
				{"Upload-Defer-Length", "header", "1, in place of Upload-Length.", text(), nil},
				{"Upload-Metadata", "header", "`filename`, `filetype` and `sha256`, each with its value in base64.", text(), "filename bm90ZS50eHQ=,filetype dGV4dC9wbGFpbg=="}},
			bodies:   chunkBody,
			answers:  []answerDoc{{201, "The upload is at Location.", nil, []string{"Location", "Upload-Offset", "Upload-Expires", "X-File-Id", "X-File-Url"}}},
			refusals: chunkCodes},
		"UploadOffset": {tag: tagResumable, summary: "How far an upload is",
			answers:  []answerDoc{{200, "In the headers.", nil, []string{"Upload-Offset", "Upload-Length", "Upload-Expires", "X-File-Id", "X-File-Url"}}},
			refusals: chunkCodes},
		"UploadedFile": {tag: tagResumable, summary: "The finished file", untagged: true, answers: []answerDoc{{200, "The file.", file{}, []string{"ETag", "Repr-Digest"}}},
			refusals: codes(asJSON, []gateway.Code{gateway.NoSuchUpload, gateway.NoSuchKey, uploadUnfinished, uploadExpired, noSuchRoute})},
		"ResumeUpload": {tag: tagResumable, summary: "Append a chunk", description: "POST with X-HTTP-Method-Override stands for PATCH, HEAD or DELETE.",
			params: []paramDoc{offsetParam, lengthParam, checksumParam, {"X-HTTP-Method-Override", "header", "With POST.", oneOf("PATCH", "HEAD", "DELETE"), "PATCH"}},
			bodies: chunkBody,
			answers: []answerDoc{{204, "The chunk is kept; the file too, if it was the last.", nil, []string{"Upload-Offset", "Upload-Expires", "X-File-Id", "X-File-Url"}},
				{200, "To POST for HEAD.", nil, nil}, {201, "To POST without an upload id.", nil, nil}},
			refusals: codes(chunkCodes, []gateway.Code{offsetMismatch, gateway.MethodNotAllowed})},
		"TerminateUpload": {tag: tagResumable, summary: "End an upload", description: "A finished file stays.",
			answers: []answerDoc{{204, "It is gone.", nil, nil}}, refusals: chunkCodes},
		"OpenAPI":     {tag: tagService, summary: "This document", answers: []answerDoc{{200, "OpenAPI 3.1.", map[string]any{"type": "object"}, nil}}},
		"OpenAPIPage": {tag: tagService, summary: "This document as a page", answers: []answerDoc{{200, "HTML.", raw{}, nil}}},
	}
}
