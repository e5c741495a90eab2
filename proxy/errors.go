package proxy

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/drain"
	"github.com/codeguardians/s3gateway/signer"
)

// answer is how one code looks on this door.
type answer struct {
	status int
	// code is S3's word, where the gateway's own differs from it.
	code gateway.Code
	// text is the message when the error brings none.
	text string
}

// answers translates every code of the gateway
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var answers = map[gateway.Code]answer{
	gateway.AccessDenied:                 {status: 403, text: "Access Denied."},
	gateway.AccessForbidden:              {status: 403, text: "CORSResponse: This CORS request is not allowed."},
	gateway.ACLNotSupported:              {status: 400, text: "The bucket does not allow ACLs."},
	gateway.AuthHeaderMalformed:          {status: 400, text: "The authorization header that you provided is not valid."},
	gateway.AuthQueryParametersError:     {status: 400, text: "The authorization query parameters that you provided are not valid."},
	gateway.BadDigest:                    {status: 400, text: "The Content-MD5 or checksum value that you specified did not match what the server received."},
	gateway.BucketAlreadyExists:          {status: 409, text: "The requested bucket name is not available."},
	gateway.Conflict:                     {status: 409, text: "A conflicting conditional operation is currently in progress against this resource. Try again."},
	gateway.EntityTooLarge:               {status: 400, text: "Your proposed upload exceeds the maximum allowed object size."},
	gateway.EntityTooSmall:               {status: 400, text: "Your proposed upload is smaller than the minimum allowed object size."},
	gateway.ExpiredLink:                  {status: 403, code: gateway.AccessDenied, text: "Request has expired."},
	gateway.HeadersTooLarge:              {status: 431, text: "Your request header section exceeds the maximum allowed size."},
	gateway.IncompleteBody:               {status: 400, text: "You did not provide the number of bytes specified by the Content-Length HTTP header."},
	gateway.Internal:                     {status: 500, text: "An internal error occurred. Try again."},
	gateway.InvalidAccessKeyID:           {status: 403, text: "The AWS access key ID that you provided does not exist in our records."},
	gateway.InvalidArgument:              {status: 400, text: "Invalid Argument."},
	gateway.InvalidBucketName:            {status: 400, text: "The specified bucket is not valid."},
	gateway.InvalidDigest:                {status: 400, text: "The Content-MD5 or checksum value that you specified is not valid."},
	gateway.InvalidEncryptionAlgorithm:   {status: 400, text: "The encryption request that you specified is not valid. The valid value is AES256."},
	gateway.InvalidPart:                  {status: 400, text: "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part's entity tag."},
	gateway.InvalidPartOrder:             {status: 400, text: "The list of parts was not in ascending order. The parts list must be specified in order by part number."},
	gateway.InvalidRange:                 {status: 416, text: "The requested range is not satisfiable."},
	gateway.InvalidRequest:               {status: 400, text: "Invalid Request."},
	gateway.InvalidStorageClass:          {status: 400, text: "The storage class that you specified is not valid."},
	gateway.InvalidToken:                 {status: 400, text: "The provided token is malformed or otherwise not valid."},
	gateway.InvalidPolicyDocument:        {status: 400, text: "The content of the form does not meet the conditions specified in the policy document."},
	gateway.MalformedPOSTRequest:         {status: 400, text: "The body of your POST request is not well-formed multipart/form-data."},
	gateway.MaxPostPreDataLengthExceeded: {status: 400, text: "Your POST request fields preceding the upload file were too large."},
	gateway.MalformedTrailer:             {status: 400, text: "The request contained trailing data that was not well-formed or did not conform to our published schema."},
	gateway.InvalidURI:                   {status: 400, text: "The specified URI couldn't be parsed."},
	gateway.KeyTooLong:                   {status: 400, text: "Your key is too long."},
	gateway.MalformedPolicy:              {status: 400, text: "The policy is not one JSON object that names each member once."},
	gateway.MalformedXML:                 {status: 400, text: "The XML that you provided was not well formed or did not validate against our published schema."},
	gateway.MetadataTooLarge:             {status: 400, text: "Your metadata headers exceed the maximum allowed metadata size."},
	gateway.MethodNotAllowed:             {status: 405, text: "The specified method is not allowed against this resource."},
	gateway.MissingContentLength:         {status: 411, text: "You must provide the Content-Length HTTP header."},
	gateway.MissingSecurityHeader:        {status: 400, text: "Your request is missing a required header."},
	gateway.NameNotAllowed:               {status: 403, code: gateway.AccessDenied, text: "File name not allowed"},
	gateway.NoSuchBucket:                 {status: 404, text: "The specified bucket does not exist."},
	gateway.NoSuchKey:                    {status: 404, text: "The specified key does not exist."},
	gateway.NoSuchUpload:                 {status: 404, text: "The specified multipart upload does not exist. The upload ID might not be valid, or the multipart upload might have been aborted or completed."},
	gateway.NotAcceptable:                {status: 406, code: gateway.InvalidRequest, text: "None of the accepted types can be given."},
	gateway.NotImplemented:               {status: 501, text: "A header or parameter you provided implies functionality that is not implemented."},
	gateway.PreconditionFailed:           {status: 412, text: "At least one of the preconditions that you specified did not hold."},
	gateway.QuotaExceeded:                {status: 507, text: "The storage quota is used up."},
	gateway.RequestTimeTooSkewed:         {status: 403, text: "The difference between the request time and the server's time is too large."},
	gateway.RequestTimeout:               {status: 400, text: "Your socket connection to the server was not read from or written to within the timeout period."},
	gateway.SHA256Mismatch:               {status: 400, text: "The provided 'x-amz-content-sha256' header does not match what was computed."},
	gateway.StreamEnded:                  {status: 408, code: gateway.RequestTimeout, text: "The request was ended because others wait for what it holds."},
	gateway.ServiceUnavailable:           {status: 503, text: "Service is unable to handle request. Try again."},
	gateway.SignatureDoesNotMatch:        {status: 403, text: "The request signature that we calculated does not match the signature you provided. Check your key and signing method."},
	gateway.SlowDown:                     {status: 503, text: "Please reduce your request rate."},
	gateway.TypeNotAllowed:               {status: 403, code: gateway.AccessDenied, text: "File type not allowed"},
	gateway.Unauthenticated:              {status: 403, code: gateway.AccessDenied, text: "Access Denied."},
	gateway.UnprocessableValue:           {status: 400, code: gateway.InvalidArgument, text: "Invalid Argument."},
	gateway.UnsupportedMediaType:         {status: 415, code: gateway.InvalidRequest, text: "The content type of the request is not supported."},
	gateway.UnsupportedSignatureVersion:  {status: 400, code: gateway.InvalidRequest, text: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."},
	gateway.URITooLong:                   {status: 414, text: "The request line is too long."},
}

// errorDocument is the S3 error document. Details follow the fixed elements.
type errorDocument struct {
	XMLName    xml.Name `xml:"Error"`
	Code       gateway.Code
	Message    string
	Details    []element
	Key        string `xml:",omitempty"`
	BucketName string `xml:",omitempty"`
	Resource   string
	RequestID  string `xml:"RequestId"`
	HostID     string `xml:"HostId"`
}

// echoed bounds what an answer repeats of a request: a key that is served fits, with
// every byte of it escaped.
func echoed(s string) string { return gateway.Clip(s, 3*1100) }

type element struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// WriteError answers a refusal in S3's form: the one translator of this door.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	record := gateway.RecordFrom(r.Context())
	record.Update(func(f *gateway.Fields) { f.Err = err })
	e := gateway.AsError(err)
	status, doc := render(e)
	facts := record.Snapshot()
	doc.Key, doc.BucketName = echoed(facts.Key), echoed(facts.Bucket)
	doc.Resource = echoed(rawPath(r.RequestURI))
	doc.RequestID, doc.HostID = facts.ID, hostID

	h := w.Header()
	h.Set("X-Amz-Request-Id", facts.ID)
	h.Set("X-Amz-Id-2", hostID)
	var body []byte
	switch {
	case status == http.StatusNotModified:
		// It tells of the object, and has no body (RFC 9110 section 15.4.5).
		h.Del("Content-Length")
	case r.Method == http.MethodHead:
		// No body: the code goes where an operator can see it, and where MinIO's
		// clients look for what they show.
		clearObject(h, e.Status)
		h.Set("X-Amz-Error-Code", string(doc.Code))
		h.Set("X-Minio-Error-Code", string(doc.Code))
		h["Content-Type"] = nil
	default:
		clearObject(h, e.Status)
		body = plainQuotes(marshal(doc))
		h.Set("Content-Type", "application/xml")
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	for _, d := range e.Details {
		if d.Name == "Allow" {
			h.Set("Allow", d.Value)
		}
	}
	drain.Before(w, r)
	w.WriteHeader(status)
	if _, err := w.Write(body); err == nil {
		drain.Body(w, r)
	}
}

// plainQuotes writes quotes as S3 does in its refusals: text needs no escape for
// them, and clients search the message without parsing it.
func plainQuotes(doc []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(doc, []byte("&#34;"), []byte(`"`)), []byte("&#39;"), []byte("'"))
}

// rawPath is the path of a request target as it was sent.
func rawPath(target string) string {
	if t, err := signer.ParseTarget(target); err == nil {
		return t.RawPath
	}
	path, _, _ := strings.Cut(target, "?")
	return path
}

// clearObject takes away what an answer that was begun said of the object, but
// what the backend's refusal itself tells.
func clearObject(h http.Header, refused int) {
	for _, name := range answered {
		if !slices.Contains(refusedHeaders[refused], name) {
			h.Del(name)
		}
	}
	h.Del("Location")
}

// hostID is what S3 calls the extended request id. The gateway has none to tell.
const hostID = "s3gateway"

// render gives status and document of an error, without the request's facts.
func render(e *gateway.Error) (int, errorDocument) {
	a, known := answers[e.Code]
	status, code, text := a.status, e.Code, e.Message
	if a.code != "" {
		code = a.code
	}
	if text == "" {
		text = a.text
	}
	switch {
	case e.Status != 0:
		status = e.Status
	case !known:
		a = answers[gateway.Internal]
		status, code, text = a.status, gateway.Internal, a.text
	}
	if reason := e.Detail("Setting"); reason != "" && a.code == gateway.AccessDenied {
		// Clients show the message alone, and the code says nothing of why.
		if found := e.Detail("FoundType"); found != "" {
			text += ": " + found + " by " + e.Detail("FoundBy")
		}
		text += " (" + reason + ")"
	}
	doc := errorDocument{Code: code, Message: text}
	for _, d := range e.Details {
		doc.Details = append(doc.Details, element{XMLName: xml.Name{Local: d.Name}, Value: d.Value})
	}
	return status, doc
}

// marshal writes a document with the XML declaration. Our own types always
// marshal: a failure would be a bug that the golden tests show.
func marshal(doc any) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if err := xml.NewEncoder(&b).Encode(doc); err != nil {
		panic(err)
	}
	return b.Bytes()
}
