package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"
	"github.com/rs/cors"

	gateway "github.com/codeguardians/s3gateway"
)

// linkSuffix at the end of a download path asks for a link. It is matched on
// the path as sent: an id that ends in /url is written with %2Furl.
const linkSuffix = "/url"

// The operations that an Idempotency-Key belongs to.
const (
	opDirect  = "DirectUpload"
	opPresign = "PresignUpload"
)

const opDownload = "DownloadFile"

// The operations that a POST to an upload may stand for.
const (
	opCreateUpload    = "CreateUpload"
	opUploadOffset    = "UploadOffset"
	opTerminateUpload = "TerminateUpload"
)

// route is one path of the door with its methods.
type route struct {
	path string // below Root; {id:.*} is what mux matches there
	// methods are the operations by method; HEAD goes where GET goes.
	methods map[string]operation
	// tus adds the protocol's version to every answer.
	tus bool
}

// operation is a handler with its name in logs and metrics.
type operation struct {
	name   string
	handle handlerFunc
	// public needs no key.
	public bool
}

// routes are in order of matching. The last one takes what none before it
// took: an id to delete, or a path that does not exist.
func (d *door) routes() []route {
	return []route{
		{path: "/direct", methods: map[string]operation{
			"POST": {name: opDirect, handle: acceptsJSON(d.direct)},
			"PUT":  {name: opDirect, handle: acceptsJSON(d.direct)}}},
		{path: "/resumable", tus: true, methods: map[string]operation{
			"OPTIONS": {name: "ResumableOptions", handle: d.tusOptions, public: true},
			"POST":    {name: opCreateUpload, handle: d.tus(withoutIdempotency(d.tusCreate))}}},
		{path: "/resumable/{id:.*}", tus: true, methods: map[string]operation{
			"OPTIONS": {name: "ResumableOptions", handle: d.tusOptions, public: true},
			"HEAD":    {name: opUploadOffset, handle: d.tus(changesNothing(d.tusHead))},
			"GET":     {name: "UploadedFile", handle: acceptsJSON(changesNothing(d.tusGet))},
			"PATCH":   {name: "ResumeUpload", handle: d.tus(d.tusPatch)},
			"POST":    {name: "ResumeUpload", handle: d.tus(d.tusOverride)},
			"DELETE":  {name: opTerminateUpload, handle: d.tus(d.tusTerminate)}}},
		{path: "/presigned", methods: map[string]operation{"POST": {name: opPresign, handle: acceptsJSON(changesNothing(d.presignUpload))}}},
		{path: "/complete/{id:.*}", methods: map[string]operation{"POST": {name: "CompleteUpload", handle: acceptsJSON(d.complete)}}},
		{path: "/copy", methods: map[string]operation{"POST": {name: "CopyFile", handle: acceptsJSON(withoutIdempotency(d.copyFile))}}},
		{path: "/delete", methods: map[string]operation{"POST": {name: "DeleteFiles", handle: acceptsJSON(d.deleteBatch)}}},
		{path: "/list", methods: map[string]operation{"GET": {name: "ListFiles", handle: acceptsJSON(d.list)}}},
		{path: "/health", methods: map[string]operation{"GET": {name: "Health", handle: d.health, public: true}}},
		{path: "/openapi.json", methods: map[string]operation{"GET": {name: "OpenAPI", handle: d.openAPI, public: true}}},
		{path: "/docs", methods: map[string]operation{"GET": {name: "OpenAPIPage", handle: d.openAPIPage, public: true}}},
		{path: "/download/{id:.*}" + linkSuffix, methods: map[string]operation{"GET": {name: "PresignDownload", handle: acceptsJSON(d.presignDownload)}}},
		{path: "/download/{id:.*}", methods: map[string]operation{"GET": {name: opDownload, handle: d.download}}},
		{path: "/metadata/{id:.*}", methods: map[string]operation{
			"GET":   {name: "FileMetadata", handle: acceptsJSON(d.metadata)},
			"PATCH": {name: "ChangeFile", handle: acceptsJSON(d.patch)}}},
		{path: "/{id:.*}", methods: map[string]operation{"DELETE": {name: "DeleteFile", handle: d.delete}}},
	}
}

// Route is one operation of the door: a method and a path below Root.
type Route struct{ Method, Path, Name string }

// Routes gives every operation, for those who go through all of them.
func Routes() []Route {
	var all []Route
	for _, rt := range (&door{}).routes() {
		for _, method := range slices.Sorted(maps.Keys(rt.methods)) {
			all = append(all, Route{method, rt.path, rt.methods[method].name})
		}
	}
	return all
}

// router matches on the path as sent. Without SkipClean it would answer a path
// with // or .. by a redirect, and an upload would be lost.
func (d *door) router() http.Handler {
	m := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for _, rt := range d.routes() {
		m.Path(Root + rt.path).Handler(d.dispatch(rt))
	}
	m.NotFoundHandler = d.adapt(d.record("Unknown", d.unknown))
	return m
}

// dispatch chooses by method: 405 has to name the methods of this path only,
// and nothing of it may depend on a key.
func (d *door) dispatch(rt route) http.Handler {
	byMethod := map[string]http.Handler{}
	for method, op := range rt.methods {
		h := d.guard(op.name, op.handle)
		if op.public {
			h = d.adapt(d.record(op.name, op.handle))
		}
		byMethod[method] = h
	}
	if _, own := byMethod[http.MethodHead]; !own && byMethod[http.MethodGet] != nil {
		byMethod[http.MethodHead] = byMethod[http.MethodGet]
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(byMethod)), func(m string) bool { return m == http.MethodOptions })
	allow := strings.Join(append(names, http.MethodOptions), ", ")
	refuse := d.adapt(d.record("Unknown", d.wrongMethod(rt, allow)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rt.tus {
			w.Header().Set("Tus-Resumable", tusVersion)
		}
		if h, ok := byMethod[r.Method]; ok {
			h.ServeHTTP(w, r)
			return
		}
		refuse.ServeHTTP(w, r)
	})
}

func (d *door) wrongMethod(rt route, allow string) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		// Every path matches the last route; only one below the prefix is a
		// file, another one does not exist.
		id, err := url.PathUnescape(mux.Vars(r)["id"])
		if rt.path == "/{id:.*}" && (err != nil || !strings.HasPrefix(id, string(d.prefix))) {
			return d.unknown(w, r)
		}
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return gateway.Errorf(gateway.MethodNotAllowed, "%s is not allowed here. Allowed: %s.", clip(r.Method, 32), allow)
	}
}

func (d *door) unknown(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return gateway.Errorf(noSuchRoute, "There is nothing at this path.")
}

// clip bounds what a refusal repeats of a client's own words.
func clip(s string, most int) string {
	return strings.ToValidUTF8(gateway.Clip(s, most), "\uFFFD")
}

// noSuchRoute is this door's own code.
const noSuchRoute gateway.Code = "NoSuchRoute"

// id gives the file id of a request's path, and notes it: also one that is
// refused.
func (d *door) id(r *http.Request) (string, error) {
	id, err := d.prefix.parseID(mux.Vars(r)["id"])
	gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Bucket, f.Key = d.Bucket, id })
	return id, err
}

// cors lets web pages of the configured origins read the door's answers, errors
// too. Preflights need no key: browsers send none. rs/cors takes an empty list
// for "every origin", so without origins it is left out.
func (d *door) cors(next http.Handler) http.Handler {
	if len(d.CORSAllowedOrigins) == 0 {
		return next
	}
	// A page of the internet may use a gateway of a private network, cookies and
	// client certificates only if its origin is named in full.
	named := !slices.ContainsFunc(d.CORSAllowedOrigins, func(o string) bool { return strings.Contains(o, "*") })
	return cors.New(cors.Options{
		AllowedOrigins: d.CORSAllowedOrigins,
		AllowedMethods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"Allow", "Content-Disposition", "Content-Length", "Content-Range", "Accept-Ranges", "ETag",
			"Idempotency-Replayed", "Last-Modified", "Location", "RateLimit", "RateLimit-Policy", "Repr-Digest", "Retry-After", "X-Cache", "X-File-Id", "X-File-Url",
			"Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm", "Upload-Offset",
			"Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Expires"},
		AllowCredentials:    named,
		AllowPrivateNetwork: named,
		MaxAge:              600,
	}).Handler(next)
}
