package api

import (
	"reflect"
	"strings"
)

// schemas makes JSON Schemas (draft 2020-12, the one of OpenAPI 3.1) of the Go
// types that answers are written from, so that they cannot differ.
type schemas struct{ named map[string]any }

func newSchemas() *schemas { return &schemas{named: map[string]any{}} }

// schemaNames are the types that have a name in the document.
var schemaNames = map[reflect.Type]string{
	reflect.TypeFor[file]():           "File",
	reflect.TypeFor[fileMetadata]():   "FileMetadata",
	reflect.TypeFor[listed]():         "ListedFile",
	reflect.TypeFor[listing]():        "Listing",
	reflect.TypeFor[uploadLink]():     "UploadLink",
	reflect.TypeFor[downloadLink]():   "DownloadLink",
	reflect.TypeFor[health]():         "Health",
	reflect.TypeFor[batchAnswer]():    "BatchAnswer",
	reflect.TypeFor[batchResult]():    "BatchResult",
	reflect.TypeFor[problemShape]():   "Problem",
	reflect.TypeFor[presignRequest](): "PresignRequest",
	reflect.TypeFor[copyRequest]():    "CopyRequest",
	reflect.TypeFor[batchRequest]():   "BatchRequest",
	reflect.TypeFor[changeRequest]():  "ChangeRequest",
}

// problemShape is the members of a problem that are always there, and those
// that some have. Further ones name a limit.
type problemShape struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance"`
	Code      string `json:"code"`
	Field     string `json:"field,omitempty"`
	Setting   string `json:"setting,omitempty"`
	MaxSize   string `json:"max_size_allowed,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// The JSON bodies of requests. A test compares their members with those that
// the handlers read.
type (
	presignRequest struct {
		Filename    string  `json:"filename"`
		ContentType *string `json:"content_type,omitempty"`
		ExpiresIn   *int64  `json:"expires_in,omitempty"`
		Size        *int64  `json:"size,omitempty"`
		SHA256      *string `json:"sha256,omitempty"`
		Method      *string `json:"method,omitempty"`
	}
	copyRequest struct {
		ID       string  `json:"file_id"`
		Filename *string `json:"filename,omitempty"`
		Move     *bool   `json:"move,omitempty"`
	}
	batchRequest struct {
		IDs []string `json:"file_ids"`
	}
	changeRequest struct {
		Filename *string             `json:"filename,omitempty"`
		Tags     *map[string]*string `json:"tags,omitempty"`
	}
)

// ref is the schema of a value's type; a schema that is one already stays.
func (s *schemas) ref(v any) map[string]any {
	if ready, ok := v.(map[string]any); ok {
		return ready
	}
	return s.of(reflect.TypeOf(v))
}

func (s *schemas) of(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(s.of(t.Elem()))
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer", "format": "int64"}
	}
	return map[string]any{"type": "string"}
}

func nullable(s map[string]any) map[string]any {
	s["type"] = []any{s["type"], "null"}
	return s
}

// object is a struct, under its name where it has one. Only what a client sends
// or reads of an answer is in it; a problem alone may have more members.
func (s *schemas) object(t reflect.Type) map[string]any {
	name, ok := schemaNames[t]
	ref := map[string]any{"$ref": "#/components/schemas/" + name}
	if _, have := s.named[name]; ok && have {
		return ref
	}
	properties, required := map[string]any{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		tag, has := f.Tag.Lookup("json")
		if !has {
			continue // the embedded struct itself
		}
		member, options, _ := strings.Cut(tag, ",")
		property := s.of(f.Type)
		for keyword, value := range memberDocs[member] {
			property[keyword] = value
		}
		properties[member] = property
		if options != "omitempty" {
			required = append(required, member)
		}
	}
	o := map[string]any{"type": "object", "properties": properties, "required": required,
		"additionalProperties": t == reflect.TypeFor[problemShape]()}
	if !ok {
		return o
	}
	s.named[name] = o
	return ref
}
