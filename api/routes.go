package api

import (
	"maps"
	"net/http"
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

// route is one path of the door with its methods.
type route struct {
	path string // below Root; {id:.*} is what mux matches there
	// methods are the operations by method; HEAD goes where GET goes.
	methods map[string]operation
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
		{"/direct", map[string]operation{
			"POST": {name: opDirect, handle: acceptsJSON(d.direct)},
			"PUT":  {name: opDirect, handle: acceptsJSON(d.direct)}}},
		{"/presigned", map[string]operation{"POST": {name: opPresign, handle: acceptsJSON(d.presignUpload)}}},
		{"/complete/{id:.*}", map[string]operation{"POST": {name: "CompleteUpload", handle: acceptsJSON(d.complete)}}},
		{"/copy", map[string]operation{"POST": {name: "CopyFile", handle: acceptsJSON(withoutIdempotency(d.copyFile))}}},
		{"/delete", map[string]operation{"POST": {name: "DeleteFiles", handle: acceptsJSON(d.deleteBatch)}}},
		{"/list", map[string]operation{"GET": {name: "ListFiles", handle: acceptsJSON(d.list)}}},
		{"/health", map[string]operation{"GET": {name: "Health", handle: d.health, public: true}}},
		{"/download/{id:.*}" + linkSuffix, map[string]operation{"GET": {name: "PresignDownload", handle: acceptsJSON(d.presignDownload)}}},
		{"/download/{id:.*}", map[string]operation{"GET": {name: "DownloadFile", handle: d.download}}},
		{"/metadata/{id:.*}", map[string]operation{
			"GET":   {name: "FileMetadata", handle: acceptsJSON(d.metadata)},
			"PATCH": {name: "ChangeFile", handle: acceptsJSON(d.patch)}}},
		{"/{id:.*}", map[string]operation{"DELETE": {name: "DeleteFile", handle: d.delete}}},
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
		if method == http.MethodGet {
			byMethod[http.MethodHead] = h
		}
	}
	allow := strings.Join(append(slices.Sorted(maps.Keys(byMethod)), http.MethodOptions), ", ")
	refuse := d.adapt(d.record("Unknown", d.wrongMethod(rt, allow)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
		if rt.path == "/{id:.*}" && !strings.HasPrefix(mux.Vars(r)["id"], string(d.prefix)) {
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
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// noSuchRoute is this door's own code.
const noSuchRoute gateway.Code = "NoSuchRoute"

// id gives the file id of a request's path.
func (d *door) id(r *http.Request) (string, error) { return d.prefix.parseID(mux.Vars(r)["id"]) }

// cors lets web pages of the configured origins read the door's answers, errors
// too. Preflights need no key: browsers send none. rs/cors takes an empty list
// for "every origin", so without origins it is left out.
func (d *door) cors(next http.Handler) http.Handler {
	if len(d.CORSAllowedOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: d.CORSAllowedOrigins,
		AllowedMethods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"Content-Disposition", "Content-Length", "Content-Range", "Accept-Ranges", "ETag",
			"Idempotency-Replayed", "Last-Modified", "Location", "RateLimit", "RateLimit-Policy", "Repr-Digest", "Retry-After", "X-Cache"},
		MaxAge: 600,
	}).Handler(next)
}
