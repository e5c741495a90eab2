package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// opDoc is what is said of an operation. Its path, methods, name, and whether it
// needs a key come from the routes, its refusals' statuses from kinds.
type opDoc struct {
	tag, summary, description string
	params                    []paramDoc
	bodies                    []bodyDoc
	optionalBody              bool
	answers                   []answerDoc
	// untagged is an operation of tus that needs no Tus-Resumable.
	untagged bool
	// refusals are the codes of its problems.
	refusals []gateway.Code
}

// paramDoc is one parameter.
type paramDoc struct {
	name, in, description string
	schema                map[string]any
	example               any // nil leaves it out of the example request
}

// bodyDoc is one form of a request's body, with its examples by name.
type bodyDoc struct {
	contentType string
	schema      any // a Go value whose type is the schema, or the schema itself
	examples    map[string]any
}

// answerDoc is one successful answer. value is nil for no body, a Go value whose
// type is the schema, or raw for a file's bytes.
type answerDoc struct {
	status      int
	description string
	value       any
	headers     []string
}

// raw stands for bytes of any type.
type raw struct{}

// openAPI writes the OpenAPI 3.1 document of the routes
// (https://spec.openapis.org/oas/v3.1.1.html).
func openAPI(routes []route) ([]byte, error) {
	s := newSchemas()
	paths, ids := map[string]any{}, map[string]int{}
	for _, rt := range routes {
		item := map[string]any{}
		for _, method := range slices.Sorted(maps.Keys(rt.methods)) {
			op := rt.methods[method]
			doc, ok := opDocs()[op.name]
			if !ok {
				return nil, fmt.Errorf("api: the operation %s is not documented", op.name)
			}
			id := op.name
			if len(rt.methods) > 1 && rt.shared(op.name) && method != http.MethodPost {
				id += method
			}
			if ids[id]++; ids[id] > 1 { // the same under another path
				id += strconv.Itoa(ids[id])
			}
			item[strings.ToLower(method)] = operationObject(s, rt, op, doc, id, true)
			if _, own := rt.methods[http.MethodHead]; method == http.MethodGet && !own {
				item["head"] = operationObject(s, rt, op, doc, id+"HEAD", false)
			}
		}
		paths[Root+rt.documentedPath()] = item
	}
	problem := s.ref(problemShape{})
	return json.MarshalIndent(map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Upload API", "version": "1", "description": openAPIText,
		},
		"servers":  []any{map[string]any{"url": "/"}},
		"security": []any{map[string]any{"bearer": []any{}}, map[string]any{"apiKey": []any{}}},
		"tags":     tagObjects(),
		"paths":    paths,
		"components": map[string]any{
			"schemas": s.named,
			"securitySchemes": map[string]any{
				"bearer": map[string]any{"type": "http", "scheme": "bearer", "description": "A key of API_KEYS, or a token of OIDC_ISSUER."},
				"apiKey": map[string]any{"type": "apiKey", "in": "header", "name": "X-API-Key"},
			},
			"responses": map[string]any{"Problem": map[string]any{
				"description": "A refusal (RFC 9457), also one of the storage behind the gateway, under its own code.",
				"content":     map[string]any{"application/problem+json": map[string]any{"schema": problem}},
			}},
		},
	}, "", " ")
}

const openAPIText = "Files in and out over plain HTTP and JSON. " +
	"A path's other methods are answered with 405 and `Allow`, other paths with 404 and the code `NoSuchRoute`, OPTIONS with 204. " +
	"This document, its page and the health need no key."

// shared reports an operation that stands under several methods.
func (rt route) shared(name string) bool {
	n := 0
	for _, op := range rt.methods {
		if op.name == name {
			n++
		}
	}
	return n > 1
}

// idName is what the id in a route's path is called.
func (rt route) idName() string {
	if rt.tus {
		return "upload_id"
	}
	return "file_id"
}

// documentedPath is a route's path as OpenAPI writes it.
func (rt route) documentedPath() string {
	return strings.ReplaceAll(rt.path, "{id:.*}", "{"+rt.idName()+"}")
}

func operationObject(s *schemas, rt route, op operation, doc opDoc, id string, body bool) map[string]any {
	o := map[string]any{"operationId": id, "summary": doc.summary, "tags": []string{doc.tag}, "responses": responses(s, op, doc, body)}
	if !body {
		o["summary"] = doc.summary + ": the headers only"
	}
	if doc.description != "" {
		o["description"] = doc.description
	}
	if op.public {
		o["security"] = []any{}
	}
	params := []any{}
	for _, p := range doc.allParams(rt) {
		q := map[string]any{"name": p.name, "in": p.in, "description": p.description, "schema": p.schema}
		if p.in == "path" {
			q["required"] = true
		}
		if p.example != nil {
			q["example"] = p.example
		}
		params = append(params, q)
	}
	if len(params) > 0 {
		o["parameters"] = params
	}
	if len(doc.bodies) > 0 && body {
		o["requestBody"] = map[string]any{"required": !doc.optionalBody, "content": contents(s, doc.bodies)}
	}
	return o
}

func (doc opDoc) allParams(rt route) []paramDoc {
	all := slices.Clone(doc.params)
	if rt.tus && !doc.untagged {
		all = append(all, tusParam)
	}
	switch {
	case !strings.Contains(rt.path, "{id:"):
	case rt.tus:
		all = append(all, uploadIDParam)
	default:
		all = append(all, fileIDParam)
	}
	return all
}

func contents(s *schemas, bodies []bodyDoc) map[string]any {
	all := map[string]any{}
	for _, b := range bodies {
		examples := map[string]any{}
		for name, value := range b.examples {
			examples[name] = map[string]any{"value": value}
		}
		all[b.contentType] = map[string]any{"schema": s.ref(b.schema), "examples": examples}
	}
	return all
}

// responses are the answers, and the refusals by their status.
func responses(s *schemas, op operation, doc opDoc, body bool) map[string]any {
	all := map[string]any{"default": map[string]any{"$ref": "#/components/responses/Problem"}}
	codes := map[int][]gateway.Code{}
	for _, code := range doc.codes(op) {
		codes[kinds[code].status] = append(codes[kinds[code].status], code)
	}
	for status, list := range codes {
		all[strconv.Itoa(status)] = refusalObject(s, list, body)
	}
	for _, a := range doc.answers {
		o := map[string]any{"description": a.description}
		switch {
		case a.value == nil || !body:
		case a.value == raw{}:
			o["content"] = map[string]any{"*/*": map[string]any{"schema": map[string]any{}}}
		default:
			o["content"] = map[string]any{"application/json": map[string]any{"schema": s.ref(a.value)}}
		}
		headers := map[string]any{}
		for _, name := range a.headers {
			headers[name] = map[string]any{"description": headerText[name], "schema": map[string]any{"type": "string"}}
		}
		if len(headers) > 0 {
			o["headers"] = headers
		}
		all[strconv.Itoa(a.status)] = o
	}
	return all
}

// codes are an operation's refusals with those of the stages before it.
func (doc opDoc) codes(op operation) []gateway.Code {
	all := slices.Clone(doc.refusals)
	if !op.public {
		all = append(all, stageCodes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stageCodes are the refusals of the stages that stand before every operation
// with a key, and those of the storage that any operation may meet.
var stageCodes = []gateway.Code{gateway.InvalidRequest, gateway.Unauthenticated, gateway.AccessDenied, gateway.SlowDown,
	gateway.ServiceUnavailable, gateway.NoSuchBucket, gateway.Internal, gateway.NotImplemented}

func refusalObject(s *schemas, list []gateway.Code, body bool) map[string]any {
	slices.Sort(list)
	var text []string
	for _, code := range list {
		text = append(text, fmt.Sprintf("`%s`: %s", code, kinds[code].title))
	}
	o := map[string]any{"description": strings.Join(text, "; ") + ".", "x-problem-codes": list}
	if body {
		o["content"] = map[string]any{"application/problem+json": map[string]any{"schema": s.ref(problemShape{})}}
	}
	return o
}

func tagObjects() (all []any) {
	for _, name := range []string{tagUploads, tagResumable, tagDownloads, tagFiles, tagService} {
		all = append(all, map[string]any{"name": name})
	}
	return all
}
