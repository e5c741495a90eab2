package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	checkanswers "github.com/pb33f/libopenapi-validator/responses"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	gateway "github.com/codeguardians/s3gateway"
)

// described gives the document as it is served, without a key.
func describedBy(t *testing.T, url string) (raw []byte, model *v3.Document, check validator.Validator) {
	t.Helper()
	resp, err := http.Get(url + Root + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %v %s", resp.StatusCode, err, resp.Header, raw)
	}
	document, err := libopenapi.NewDocument(raw)
	if err != nil {
		t.Fatal(err)
	}
	built, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	check, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	t.Cleanup(check.Release)
	return raw, &built.Model, check
}

func TestTheDocumentIsOpenAPI31(t *testing.T) {
	b := newBench(t)
	raw, model, check := describedBy(t, b.srv.URL)
	if ok, errs := check.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Error(e)
		}
	}
	if model.Version != "3.1.0" {
		t.Error(model.Version)
	}
	head := b.do("HEAD", Root+"/openapi.json", nil, nil)
	if head.status != 200 || head.header.Get("Content-Length") != strconv.Itoa(len(raw)) {
		t.Errorf("%d %v", head.status, head.header)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`"operationId": "(\w+)"`).FindAllStringSubmatch(string(raw), -1) {
		if ids[m[1]] {
			t.Errorf("the operationId %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
}

// exampleRequest is one documented example.
type exampleRequest struct {
	name, path, method string
	item               *v3.PathItem
	target             string
	header             http.Header
	body               []byte
}

// examples are all of the document: each example of a body, or one request where
// there is none.
func examples(t *testing.T, model *v3.Document) (all []exampleRequest) {
	t.Helper()
	for path, item := range model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			r := exampleRequest{name: op.OperationId, path: path, method: strings.ToUpper(method), item: item, target: path, header: http.Header{}}
			query := url.Values{}
			for _, p := range op.Parameters {
				switch {
				case p.Example == nil:
				case p.In == "path":
					r.target = strings.Replace(r.target, "{"+p.Name+"}", url.PathEscape(p.Example.Value), 1)
				case p.In == "query":
					query.Set(p.Name, p.Example.Value)
				default:
					r.header.Set(p.Name, p.Example.Value)
				}
			}
			if len(query) > 0 {
				r.target += "?" + query.Encode()
			}
			if op.RequestBody == nil {
				all = append(all, r)
				continue
			}
			for contentType, media := range op.RequestBody.Content.FromOldest() {
				for name, example := range media.Examples.FromOldest() {
					var value any
					if err := example.Value.Decode(&value); err != nil {
						t.Fatal(err)
					}
					all = append(all, r.with(t, name, contentType, value))
				}
			}
		}
	}
	return all
}

func (r exampleRequest) with(t *testing.T, name, contentType string, value any) exampleRequest {
	t.Helper()
	r.name += "/" + name
	r.header = r.header.Clone()
	r.header.Set("Content-Type", contentType)
	switch contentType {
	case "*/*":
		r.header.Set("Content-Type", "text/plain")
		r.target += "?filename=note.txt"
		r.body = []byte(value.(string))
	case "multipart/form-data":
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		part, _ := w.CreateFormFile(fileField, "note.txt")
		_, _ = io.WriteString(part, value.(map[string]any)[fileField].(string))
		w.Close()
		r.header.Set("Content-Type", w.FormDataContentType())
		r.body = b.Bytes()
	case tusChunk:
		r.body = []byte(value.(string))
	default:
		r.body, _ = json.Marshal(value)
	}
	return r
}

func TestEachDocumentedExampleIsAnsweredAsDocumented(t *testing.T) {
	b := newBoth(t, testLimit, []string{"image/png", "text/plain"})
	_, model, check := describedBy(t, b.srv.URL)
	answers := checkanswers.NewResponseBodyValidator(model)
	list := examples(t, model)
	if len(list) < 20 {
		t.Fatalf("%d examples", len(list))
	}
	for _, example := range list {
		t.Run(example.name, func(t *testing.T) {
			b.put(exampleID, "hello, file\n")
			example.target = strings.Replace(example.target, "{upload_id}", b.begin(t, strings.HasPrefix(example.name, "UploadedFile")), 1)
			got := b.do(example.method, example.target, example.header, bytes.NewReader(example.body))
			if got.status < 200 || got.status > 299 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			r := example.request(t, b.srv.URL)
			if example.header.Get("Content-Type") == "application/json" {
				if ok, errs := check.GetRequestBodyValidator().ValidateRequestBodyWithPathItem(r, example.item, example.path); !ok {
					t.Errorf("the request: %v", errs)
				}
			}
			if ok, errs := check.GetParameterValidator().ValidateQueryParamsWithPathItem(r, example.item, example.path); !ok {
				t.Errorf("the query: %v", errs)
			}
			if ok, errs := answers.ValidateResponseBodyWithPathItem(r, got.response(), example.item, example.path); !ok {
				t.Errorf("the answer %s: %v", got.body, errs)
			}
		})
	}
}

func (r exampleRequest) request(t *testing.T, base string) *http.Request {
	t.Helper()
	out, err := http.NewRequest(r.method, base+r.target, bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	out.Header = r.header.Clone()
	out.Header.Set("X-Api-Key", testKey)
	return out
}

func (r reply) response() *http.Response {
	return &http.Response{StatusCode: r.status, Header: r.header, Body: io.NopCloser(strings.NewReader(r.body))}
}

// begin makes an upload, or a finished one, and gives its id.
func (b *both) begin(t *testing.T, finished bool) string {
	t.Helper()
	header, body := http.Header{"Tus-Resumable": {tusVersion}, "Upload-Length": {"12"}, "Upload-Metadata": {"filename bm90ZS50eHQ="}}, ""
	if finished {
		body = "hello, file\n"
		header.Set("Content-Type", tusChunk)
	}
	got := b.do("POST", Root+"/resumable", header, strings.NewReader(body))
	if got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	return got.header.Get("Location")[strings.LastIndexByte(got.header.Get("Location"), '/')+1:]
}

// put stores a file past the gateway.
func (b *both) put(key, body string) {
	b.t.Helper()
	_, err := b.bed.Client(b.t).PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: strings.NewReader(body), ContentType: aws.String("text/plain")})
	if err != nil {
		b.t.Fatal(err)
	}
}

// An answer that is not as documented is found, or the test above would show
// nothing.
func TestAWrongAnswerIsNotAsDocumented(t *testing.T) {
	b := newBench(t)
	_, model, _ := describedBy(t, b.srv.URL)
	answers := checkanswers.NewResponseBodyValidator(model)
	path := Root + "/download/{file_id}/url"
	item, _ := model.Paths.PathItems.Get(path)
	r, _ := http.NewRequest("GET", b.srv.URL+Root+"/download/x/url", nil)
	for _, body := range []string{`{"download_url":"x","file_id":"y"}`, `{"download_url":"x","file_id":"y","expires_in":"z"}`, `{"download_url":"x","file_id":"y","expires_in":1,"more":1}`} {
		got := reply{200, http.Header{"Content-Type": {"application/json"}}, body}
		if ok, _ := answers.ValidateResponseBodyWithPathItem(r, got.response(), item, path); ok {
			t.Errorf("%s passes", body)
		}
	}
}

func TestEveryRouteAndMethodIsDocumented(t *testing.T) {
	b := newBench(t)
	_, model, _ := describedBy(t, b.srv.URL)
	documented := map[string][]string{}
	for path, item := range model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			documented[path] = append(documented[path], strings.ToUpper(method))
		}
	}
	for path, methods := range documented {
		target := strings.Replace(path, "{file_id}", url.PathEscape(exampleID), 1)
		got := b.do("BREW", target, nil, nil)
		allowed := strings.Split(got.header.Get("Allow"), ", ")
		slices.Sort(methods)
		isOptions := func(m string) bool { return m == "OPTIONS" }
		allowed, methods = slices.DeleteFunc(allowed, isOptions), slices.DeleteFunc(slices.Clone(methods), isOptions)
		slices.Sort(allowed)
		if got.status != 405 || !slices.Equal(allowed, methods) {
			t.Errorf("%s: served %v, documented %v", path, allowed, methods)
		}
	}
	for _, rt := range Routes() {
		if !slices.Contains(documented[Root+(route{path: rt.Path, tus: strings.HasPrefix(rt.Path, "/resumable")}).documentedPath()], rt.Method) {
			t.Errorf("%s %s is not documented", rt.Method, rt.Path)
		}
	}
	for name := range opDocs() {
		if !slices.ContainsFunc(Routes(), func(r Route) bool { return r.Name == name }) {
			t.Errorf("%s is documented and not served", name)
		}
	}
}

// otherDoor are the codes that no request to this door can meet: they are of
// signatures, XML, multipart uploads by S3 clients, buckets and their settings,
// or of requests that no operation sees.
var otherDoor = []gateway.Code{
	gateway.AccessForbidden, gateway.AuthHeaderMalformed, gateway.AuthQueryParametersError, gateway.BucketAlreadyExists,
	gateway.EntityTooSmall, gateway.ExpiredLink, gateway.InvalidAccessKeyID, gateway.InvalidBucketName, gateway.InvalidPart,
	gateway.InvalidPartOrder, gateway.InvalidToken, gateway.InvalidPolicyDocument, gateway.MalformedPOSTRequest,
	gateway.MaxPostPreDataLengthExceeded, gateway.MalformedTrailer, gateway.MalformedPolicy, gateway.MalformedXML, gateway.MissingSecurityHeader,
	gateway.RequestTimeTooSkewed, gateway.SignatureDoesNotMatch,
	gateway.UnsupportedSignatureVersion, gateway.ACLNotSupported, gateway.InvalidEncryptionAlgorithm, gateway.InvalidStorageClass,
	gateway.MetadataTooLarge, gateway.InvalidURI, gateway.URITooLong, gateway.HeadersTooLarge,
}

func TestEveryCodeIsDocumentedOrOfTheOtherDoor(t *testing.T) {
	documented := map[gateway.Code]bool{}
	for _, rt := range (&door{}).routes() {
		for _, op := range rt.methods {
			for _, code := range opDocs()[op.name].codes(op) {
				documented[code] = true
			}
		}
	}
	for code := range kinds {
		if documented[code] == slices.Contains(otherDoor, code) {
			t.Errorf("%s: documented %v, and of the other door %v", code, documented[code], !documented[code])
		}
	}
}

// undocumented says what is wrong with an answer of this door, "" for nothing.
// Every answer that any test of this package gets is asked about.
func undocumented(operation, method string, status int, code string) string {
	if operation == "" || operation == "Unknown" || method == http.MethodOptions || status == statusClientGone {
		return ""
	}
	for _, rt := range (&door{}).routes() {
		for _, op := range rt.methods {
			if op.name != operation {
				continue
			}
			doc := opDocs()[op.name]
			if slices.ContainsFunc(doc.answers, func(a answerDoc) bool { return a.status == status }) {
				return ""
			}
			for _, c := range doc.codes(op) {
				if kinds[c].status == status && (code == "" || code == string(c)) {
					return ""
				}
			}
			if _, own := kinds[gateway.Code(code)]; !own && code != "" {
				return "" // the storage's own, which "default" documents
			}
			return operation + " answers " + strconv.Itoa(status) + " " + code + ", which is not documented"
		}
	}
	return operation + " is not documented"
}

// watched notes the status and the problem's code of an answer.
type watched struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	if w.Header().Get("Content-Type") == "application/problem+json" {
		w.body = append(w.body, p...)
	}
	return w.ResponseWriter.Write(p)
}

func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// asDocumented serves a request and fails the test when the REST door's answer
// is not documented.
func asDocumented(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &watched{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		var problem struct{ Code string }
		_ = json.Unmarshal(seen.body, &problem)
		facts := gateway.RecordFrom(r.Context()).Snapshot()
		if facts.Door != gateway.DoorREST || seen.status == 0 {
			return
		}
		if said := undocumented(facts.Operation, r.Method, seen.status, problem.Code); said != "" {
			t.Errorf("%s %s: %s", r.Method, r.URL.Path, said)
		}
	})
}

func TestAnUndocumentedAnswerIsNoticed(t *testing.T) {
	for _, c := range []struct {
		operation string
		status    int
		code      string
		fine      bool
	}{
		{opDirect, 201, "", true}, {opDirect, 413, "EntityTooLarge", true}, {opDirect, 200, "", false},
		{"ListFiles", 404, "NoSuchKey", false}, {"Nothing", 200, "", false}, {"ListFiles", 418, "Teapot", true},
	} {
		if said := undocumented(c.operation, "GET", c.status, c.code); (said == "") != c.fine {
			t.Errorf("%+v: %q", c, said)
		}
	}
}

// The members that a handler reads are in its refusal of one that it does not
// know.
func TestTheDocumentedMembersAreThoseThatAreRead(t *testing.T) {
	b := newBench(t)
	b.store.add(exampleID, "hello")
	raw, _, _ := describedBy(t, b.srv.URL)
	var doc struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for schema, at := range map[string]string{
		"PresignRequest": "POST /presigned", "CopyRequest": "POST /copy", "BatchRequest": "POST /delete", "ChangeRequest": "PATCH /metadata/" + exampleID,
	} {
		method, path, _ := strings.Cut(at, " ")
		got := b.do(method, Root+path, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(`{"zzz":1}`))
		want := "there are " + strings.Join(slices.Sorted(maps.Keys(doc.Components.Schemas[schema].Properties)), ", ") + "."
		if got.status != 422 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want %q", at, got.status, got.body, want)
		}
	}
}

func TestThePageNeedsNoScriptAndNoOtherHost(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Ready = func() error { return gateway.Errorf(gateway.ServiceUnavailable, "away") } })
	resp, err := http.Get(b.srv.URL + Root + "/docs") // without a key, and without a store
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	page := string(raw)
	for _, bad := range []string{"<script", "javascript:", "http://", "https://", "src=", "@import", "url(", " style=", "{{"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(page)
	sum := sha256.Sum256([]byte(style[1]))
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	for _, word := range []string{"/api/v1/upload/download/{file_id}/url", "application/merge-patch+json", "EntityTooLarge", "hello, file", "PresignRequest", "expires_in"} {
		if !strings.Contains(html.UnescapeString(page), word) {
			t.Errorf("the page lacks %q", word)
		}
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
