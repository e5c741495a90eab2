package proxy

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" // Content-MD5 is S3's integrity header, not a secret
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

// Limits of the small documents, in bytes.
const (
	maxDocument         = 1 << 20
	maxDeleteDocument   = 2 << 20
	maxCompleteDocument = 2 << 20
)

func documentLimit(op *Operation) int64 {
	switch op.Name {
	case "DeleteObjects":
		return maxDeleteDocument
	case "CompleteMultipartUpload":
		return maxCompleteDocument
	}
	return maxDocument
}

// document is a small request body, read whole and proven.
type document struct{ raw []byte }

// readBody reads the request's document through its limit and checks every digest
// that came with it: a backend may not compare them, and a document that is
// written anew has digests of its own. The memory is the process's, shared with
// uploads, until the request is over.
func (d *Door) readBody(x *exchange) (document, error) {
	body, err := x.auth.OpenBody(x.r, signer.BodyOptions{VerifyPayloadHash: true, OtherChecksums: checksumsAreObjects(x.op)})
	if err != nil {
		return document{}, err
	}
	defer body.Close()
	limit := documentLimit(x.op)
	if body.Length() > limit {
		return document{}, gateway.Errorf(gateway.EntityTooLarge, "The document of %s is larger than %d bytes.", x.op.Name, limit)
	}
	if x.body, err = d.Memory.ReadDocument(x.r.Context(), body, limit); err != nil {
		return document{}, err
	}
	return document{raw: x.body.Raw}, checkDigests(x, x.body.Raw)
}

// readDocument reads a document that is forwarded as it was sent.
func (d *Door) readDocument(x *exchange) (document, error) {
	doc, err := d.readBody(x)
	if err != nil {
		return document{}, err
	}
	if x.op.Name == "PutBucketPolicy" {
		return doc, checkJSON(doc.raw)
	}
	if len(doc.raw) > 0 {
		if err := checkElements(doc.raw, maxSettingElements); err != nil {
			return document{}, err
		}
	}
	return doc, checkRoot(x.op, doc.raw)
}

// request forwards the document. Its digests are the gateway's
// own, so that the backend compares bytes and not promises.
func (doc document) request(x *exchange) backend.Request {
	req := x.request()
	if len(doc.raw) == 0 {
		return req
	}
	// It announces a checksum that came in a trailer, which ended here.
	req.Header.Del("X-Amz-Sdk-Checksum-Algorithm")
	x.body.Keep(int64(len(doc.raw)))
	sum, md := sha256.Sum256(doc.raw), md5.Sum(doc.raw)
	req.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(md[:]))
	req.PayloadHash = hex.EncodeToString(sum[:])
	req.Length = int64(len(doc.raw))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(doc.raw)), nil }
	req.Body, _ = req.GetBody()
	return req
}

// rewritten forwards another document in the place of the client's, whose
// checksum headers were compared and no longer fit.
func rewritten(x *exchange, doc any) backend.Request {
	for name := range x.out {
		if strings.HasPrefix(name, "X-Amz-Checksum-") && !checksumsAreObjects(x.op) {
			x.out.Del(name)
		}
	}
	return document{raw: plainQuotes(marshal(doc))}.request(x) // a quote is no longer than it was
}

// checksumsAreObjects tells the checksum of the whole object, which a Complete
// carries in its headers, from one of the document.
func checksumsAreObjects(op *Operation) bool { return op.Name == "CompleteMultipartUpload" }

// proven reports whether anything that the client signed or sent along proved
// its document: without, S3 refuses a batch delete.
func (x *exchange) proven() bool {
	if x.auth.PayloadHash != signer.UnsignedPayload || x.header.Get("Content-Md5") != "" {
		return true
	}
	for name := range x.header {
		algorithm, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-checksum-")
		if _, known := signer.NewChecksum(algorithm); ok && known {
			return true
		}
	}
	return false
}

// checksumWords are the x-amz-checksum-* headers that hold no checksum.
var checksumWords = []string{"algorithm", "mode", "type"}

// checkDigests compares Content-MD5 and x-amz-checksum-* with the document.
func checkDigests(x *exchange, raw []byte) error {
	if given := x.header.Get("Content-Md5"); given != "" {
		want, err := base64.StdEncoding.DecodeString(given)
		if err != nil || len(want) != md5.Size {
			return gateway.Errorf(gateway.InvalidDigest, "The Content-MD5 you specified is not valid.")
		}
		if sum := md5.Sum(raw); !hmac.Equal(sum[:], want) {
			return gateway.Errorf(gateway.BadDigest, "The Content-MD5 you specified did not match what we received.")
		}
	}
	if checksumsAreObjects(x.op) {
		return nil
	}
	for name := range x.header {
		algorithm, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-checksum-")
		if !ok || slices.Contains(checksumWords, algorithm) {
			continue
		}
		sum, known := signer.NewChecksum(algorithm)
		if !known {
			return notImplemented("the header " + strings.ToLower(name) + " on " + x.op.Name)
		}
		sum.Write(raw)
		want, err := base64.StdEncoding.DecodeString(x.header.Get(name))
		if err != nil || len(want) != sum.Size() {
			return gateway.Errorf(gateway.InvalidRequest, "Value for %s header is invalid.", strings.ToLower(name))
		}
		if !hmac.Equal(sum.Sum(nil), want) {
			return gateway.Errorf(gateway.BadDigest, "The %s you specified did not match the calculated checksum.", strings.ToUpper(algorithm))
		}
	}
	return nil
}

// maxDepth bounds the nesting of a document: no S3 document comes near it.
const maxDepth = 32

// byteOrderMark may begin a document (XML 1.0 appendix F.1).
var byteOrderMark = []byte("\xef\xbb\xbf")

// parse reads the document into a value, whatever its namespace.
func (doc document) parse(into any) error {
	if err := xml.Unmarshal(doc.raw, into); err != nil {
		return malformed(err)
	}
	return nil
}

func malformed(cause error) *gateway.Error {
	return (&gateway.Error{Code: gateway.MalformedXML}).Because(cause)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// forwardDocument serves an operation with a small document that goes on as it
// was sent.
func (d *Door) forwardDocument(x *exchange) error {
	doc, err := d.readDocument(x)
	if err != nil {
		return err
	}
	return d.forward(x, doc.request(x))
}

// restoreObject serves RestoreObject, but not its way of writing the results of
// a query to any bucket that the gateway can reach, past every rule of it.
func (d *Door) restoreObject(x *exchange) error {
	doc, err := d.readDocument(x)
	if err != nil {
		return err
	}
	var wanted struct {
		OutputLocation *struct{}
	}
	if len(doc.raw) > 0 {
		if err := doc.parse(&wanted); err != nil {
			return err
		}
	}
	if wanted.OutputLocation != nil {
		return notImplemented("OutputLocation on RestoreObject")
	}
	return d.forward(x, doc.request(x))
}
