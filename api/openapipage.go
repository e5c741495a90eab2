package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// described is the document and its page, written at the first request: they
// depend on the program alone.
type described struct {
	once           sync.Once
	document, page []byte
	err            error
}

func (d *door) describedOnce() *described {
	x := &d.described
	x.once.Do(func() {
		if x.document, x.err = openAPI(d.routes()); x.err == nil {
			x.page, x.err = openAPIPage(x.document)
		}
	})
	return x
}

// openAPI serves the document. It says nothing that this repository does not,
// so it needs no key.
func (d *door) openAPI(w http.ResponseWriter, r *http.Request) error {
	x := d.describedOnce()
	if x.err != nil {
		return x.err
	}
	return writePublic(w, r, "application/json", x.document)
}

// openAPIPage serves the page. It is written here, so that it needs no script
// and nothing of another host; its policy allows its one style sheet alone.
func (d *door) openAPIPage(w http.ResponseWriter, r *http.Request) error {
	x := d.describedOnce()
	if x.err != nil {
		return x.err
	}
	sum := sha256.Sum256([]byte(pageStyle))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	return writePublic(w, r, "text/html; charset=utf-8", x.page)
}

func writePublic(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}

const pageStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}h3{margin-bottom:0}code,pre{font:14px/1.4 ui-monospace,monospace;background:#f4f4f4}
pre{padding:.6rem;overflow:auto}table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}
.method{font-weight:bold}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code,pre{background:#262626}}`

// The parts of the document that the page shows.
type (
	pageDocument struct {
		Info struct{ Title, Description string }
		Tags []struct{ Name string }
		// Paths are by path and method.
		Paths      map[string]map[string]pageOperation
		Components struct{ Schemas map[string]any }
	}
	pageOperation struct {
		Summary, Description string
		Tags                 []string
		Security             *[]any
		Parameters           []struct {
			Name, In, Description string
			Required              bool
		}
		RequestBody struct {
			Content map[string]struct {
				Examples map[string]struct{ Value any }
			}
		}
		Responses map[string]struct{ Description string }
	}
	pageEntry struct {
		Method, Path string
		pageOperation
	}
)

// openAPIPage renders the document, so that the page shows what it says.
func openAPIPage(document []byte) ([]byte, error) {
	var doc pageDocument
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, err
	}
	byTag := map[string][]pageEntry{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if method != "head" {
				byTag[op.Tags[0]] = append(byTag[op.Tags[0]], pageEntry{strings.ToUpper(method), path, op})
			}
		}
	}
	for _, list := range byTag {
		slices.SortFunc(list, func(a, b pageEntry) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	}
	show := func(v any) string {
		if s, ok := v.(string); ok {
			return s
		}
		out, _ := json.MarshalIndent(v, "", "  ")
		return string(out)
	}
	page, err := template.New("page").Funcs(template.FuncMap{"show": show}).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{"Doc": doc, "ByTag": byTag, "Style": template.CSS(pageStyle)})
	return b.Bytes(), err
}

const pageTemplate = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Doc.Info.Title}}</title><style>{{.Style}}</style>
<h1>{{.Doc.Info.Title}}</h1><p>{{.Doc.Info.Description}} <a href="openapi.json">openapi.json</a></p>
{{$by := .ByTag}}{{range .Doc.Tags}}<h2>{{.Name}}</h2>
{{range index $by .Name}}<section><h3>{{.Summary}}</h3><p><code><span class="method">{{.Method}}</span> {{.Path}}</code>{{if .Security}} (no key){{end}}</p>
{{with .Description}}<p>{{.}}</p>{{end}}
{{with .Parameters}}<table>{{range .}}<tr><td><code>{{.Name}}</code><td>{{.In}}<td>{{.Description}}{{end}}</table>{{end}}
{{range $type, $c := .RequestBody.Content}}{{range $name, $e := $c.Examples}}<p>{{$name}}: <code>{{$type}}</code></p><pre>{{show $e.Value}}</pre>{{end}}{{end}}
<table>{{range $status, $a := .Responses}}{{if ne $status "default"}}<tr><td><code>{{$status}}</code><td>{{$a.Description}}{{end}}{{end}}</table></section>
{{end}}{{end}}<h2>Documents</h2>{{range $name, $s := .Doc.Components.Schemas}}<h3>{{$name}}</h3><pre>{{show $s}}</pre>{{end}}</html>
`
