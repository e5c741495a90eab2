package api

import (
	"cmp"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/drain"
)

// kind is how a code looks on this door.
type kind struct {
	status int
	title  string
}

// statusClientGone is what the log shows for a client that left (nginx's 499);
// nobody is there to read it.
const statusClientGone = 499

// kinds translates every code. 400 is for what cannot be parsed, 422 for a value
// that is not allowed.
var kinds = map[gateway.Code]kind{
	gateway.AccessDenied:                 {http.StatusForbidden, "Access denied"},
	gateway.AccessForbidden:              {http.StatusForbidden, "Access denied"},
	gateway.ACLNotSupported:              {http.StatusBadRequest, "Access rules not supported"},
	gateway.AuthHeaderMalformed:          {http.StatusBadRequest, "Malformed credentials"},
	gateway.AuthQueryParametersError:     {http.StatusBadRequest, "Malformed credentials"},
	gateway.BadDigest:                    {http.StatusBadRequest, "Checksum mismatch"},
	gateway.BucketAlreadyExists:          {http.StatusConflict, "Conflict"},
	gateway.Conflict:                     {http.StatusConflict, "Conflict"},
	gateway.EntityTooLarge:               {http.StatusRequestEntityTooLarge, "File too large"},
	gateway.EntityTooSmall:               {http.StatusBadRequest, "File too small"},
	gateway.ExpiredLink:                  {http.StatusForbidden, "Link expired"},
	gateway.HeadersTooLarge:              {http.StatusRequestHeaderFieldsTooLarge, "Headers too large"},
	gateway.IncompleteBody:               {http.StatusBadRequest, "Incomplete body"},
	gateway.Internal:                     {http.StatusInternalServerError, "Internal error"},
	gateway.InvalidAccessKeyID:           {http.StatusForbidden, "Access denied"},
	gateway.InvalidArgument:              {http.StatusBadRequest, "Invalid parameter"},
	gateway.InvalidBucketName:            {http.StatusBadRequest, "Invalid bucket name"},
	gateway.InvalidDigest:                {http.StatusBadRequest, "Invalid checksum"},
	gateway.InvalidEncryptionAlgorithm:   {http.StatusBadRequest, "Invalid encryption"},
	gateway.InvalidPart:                  {http.StatusBadRequest, "Invalid part"},
	gateway.InvalidPartOrder:             {http.StatusBadRequest, "Invalid part order"},
	gateway.InvalidRange:                 {http.StatusRequestedRangeNotSatisfiable, "Range not satisfiable"},
	gateway.InvalidRequest:               {http.StatusBadRequest, "Invalid request"},
	gateway.InvalidStorageClass:          {http.StatusBadRequest, "Invalid storage class"},
	gateway.InvalidToken:                 {http.StatusForbidden, "Access denied"},
	gateway.InvalidURI:                   {http.StatusBadRequest, "Invalid URI"},
	gateway.KeyTooLong:                   {http.StatusBadRequest, "File id too long"},
	gateway.MalformedTrailer:             {http.StatusBadRequest, "Malformed trailer"},
	gateway.InvalidPolicyDocument:        {http.StatusBadRequest, "Invalid policy document"},
	gateway.MalformedPOSTRequest:         {http.StatusBadRequest, "Malformed form"},
	gateway.MaxPostPreDataLengthExceeded: {http.StatusBadRequest, "Form too large"},
	gateway.MalformedPolicy:              {http.StatusBadRequest, "Malformed policy"},
	gateway.MalformedXML:                 {http.StatusBadRequest, "Malformed XML"},
	gateway.MetadataTooLarge:             {http.StatusBadRequest, "Metadata too large"},
	gateway.MethodNotAllowed:             {http.StatusMethodNotAllowed, "Method not allowed"},
	gateway.MissingContentLength:         {http.StatusLengthRequired, "Length required"},
	gateway.MissingSecurityHeader:        {http.StatusBadRequest, "Missing header"},
	gateway.NameNotAllowed:               {http.StatusUnprocessableEntity, "File name not allowed"},
	gateway.NoSuchBucket:                 {http.StatusServiceUnavailable, "Storage not available"},
	gateway.NoSuchKey:                    {http.StatusNotFound, "File not found"},
	offsetMismatch:                       {http.StatusConflict, "Wrong offset"},
	uploadUnfinished:                     {http.StatusConflict, "Upload not finished"},
	uploadLocked:                         {http.StatusLocked, "Upload locked"},
	uploadExpired:                        {http.StatusGone, "Upload expired"},
	chunkMismatch:                        {460, "Checksum mismatch"}, // tus, section "Checksum"
	noSuchRoute:                          {http.StatusNotFound, "Not found"},
	gateway.NoSuchUpload:                 {http.StatusNotFound, "Upload not found"},
	gateway.NotAcceptable:                {http.StatusNotAcceptable, "Not acceptable"},
	gateway.NotImplemented:               {http.StatusNotImplemented, "Not implemented"},
	gateway.PreconditionFailed:           {http.StatusPreconditionFailed, "Precondition failed"},
	gateway.QuotaExceeded:                {http.StatusInsufficientStorage, "Quota exceeded"},
	gateway.RequestTimeTooSkewed:         {http.StatusForbidden, "Clock skew"},
	gateway.RequestTimeout:               {http.StatusRequestTimeout, "Request timeout"},
	gateway.StreamEnded:                  {http.StatusRequestTimeout, "Request ended for others"},
	gateway.SHA256Mismatch:               {http.StatusBadRequest, "Checksum mismatch"},
	gateway.ServiceUnavailable:           {http.StatusServiceUnavailable, "Storage not available"},
	gateway.SignatureDoesNotMatch:        {http.StatusForbidden, "Access denied"},
	gateway.SlowDown:                     {http.StatusTooManyRequests, "Too many requests"},
	gateway.TypeNotAllowed:               {http.StatusUnsupportedMediaType, "File type not allowed"},
	gateway.Unauthenticated:              {http.StatusUnauthorized, "Authentication required"},
	gateway.UnprocessableValue:           {http.StatusUnprocessableEntity, "Value not allowed"},
	gateway.UnsupportedMediaType:         {http.StatusUnsupportedMediaType, "Unsupported media type"},
	gateway.UnsupportedSignatureVersion:  {http.StatusBadRequest, "Unsupported signature version"},
	gateway.URITooLong:                   {http.StatusRequestURITooLong, "URI too long"},
}

// kindOf gives status and title for an error: by its code, for a code of the
// backend's own by the backend's status. A backend's 5xx is not the gateway's
// failure but the client's reason to come again.
func kindOf(e *gateway.Error) kind {
	if k, ok := kinds[e.Code]; ok && !(e.Code == gateway.Internal && e.Status != 0) {
		return k
	}
	switch {
	case e.Status >= 400 && e.Status < 500:
		return kind{e.Status, cmp.Or(http.StatusText(e.Status), "Refused")}
	case e.Status >= 500:
		return kind{http.StatusServiceUnavailable, "Storage not available"}
	}
	return kinds[gateway.Internal]
}

// detailOf is the text for the client. The backend's own words are shown, but
// for its refusals of the gateway, which have the documented text.
func detailOf(e *gateway.Error, k kind) string {
	switch {
	case e.Code == gateway.NoSuchBucket && e.Status != 0:
		return backend.MessageNotEnabled
	case e.Code == gateway.AccessDenied && e.Status != 0:
		return backend.MessageAccessDenied
	case e.Code == gateway.NoSuchKey && e.Status != 0:
		return "There is no file with this id."
	case e.Code == gateway.Internal && e.Status == 0:
		return "Something went wrong in the gateway. The log has the reason under this request's id."
	}
	return cmp.Or(e.Message, k.title+".")
}

// WriteError writes err as application/problem+json (RFC 9457). It is the
// only way in which this door refuses, also for middleware that stands outside
// of it, such as the limit by address. A client that is still sending can read
// the answer (package drain).
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e := gateway.AsError(err)
	k := kindOf(e)
	gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Err = err })
	body, failed := encode(problemOf(r, e, k))
	if failed != nil {
		body = []byte(`{"type":"about:blank","title":"Internal error","status":500}` + "\n")
		k = kinds[gateway.Internal]
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if e.RetryAfter > 0 || k.status == http.StatusServiceUnavailable || k.status == http.StatusTooManyRequests {
		h.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	if k.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", challenge(r))
	}
	drain.Before(w, r)
	w.WriteHeader(k.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that left needs no answer
	}
	drain.Body(w, r)
}

// challenge says whether credentials were missing or refused (RFC 6750 §3).
func challenge(r *http.Request) string {
	if r.Header.Get("Authorization") == "" {
		return `Bearer realm="s3gateway"`
	}
	return `Bearer realm="s3gateway", error="invalid_token"`
}

// retryAfter is in whole seconds, rounded up, at least one.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

// problemOf keeps the members of RFC 9457 section 3.1 apart from the extensions,
// so that no detail can replace one.
func problemOf(r *http.Request, e *gateway.Error, k kind) map[string]any {
	p := map[string]any{}
	for _, d := range e.Details {
		p[snakeCase(d.Name)] = d.Value
	}
	if e.Field != "" {
		p["field"] = e.Field
	}
	if id := gateway.RecordFrom(r.Context()).Snapshot().ID; id != "" {
		p["request_id"] = id
	}
	p["type"] = "urn:s3gateway:problem:" + string(e.Code)
	p["title"] = k.title
	p["status"] = k.status
	p["detail"] = detailOf(e, k)
	p["instance"] = r.URL.EscapedPath() // without the query, which may hold a secret
	p["code"] = string(e.Code)
	return p
}

// snakeCase turns the names of S3's XML elements into members: MaxSizeAllowed
// into max_size_allowed.
func snakeCase(name string) string {
	var b strings.Builder
	lower := false
	for _, c := range name {
		if unicode.IsUpper(c) && lower {
			b.WriteByte('_')
		}
		lower = !unicode.IsUpper(c)
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
