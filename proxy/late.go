package proxy

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

// keepAliveAfter is how long a client waits for the first byte of such an
// answer, and for each next one, while the backend is silent: well under the
// limits of the clients met so far (60 s and more).
const keepAliveAfter = 10 * time.Second

// forwardLate serves the operations that S3 answers with 200 before they are
// done: white space keeps the connection alive, then the result or an error
// follows (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
// The white space of the backend passes at once, and where it sends none the
// gateway does. The document at its end is read, so that the change ends in the
// cache only when it is really over, and so that the result names this gateway.
func (d *Door) forwardLate(x *exchange, req backend.Request) error {
	req.Patient = true
	end, known := d.beginChange(x), false
	defer func() { end(known) }()
	late := &lateAnswer{x: x, status: http.StatusOK}
	stop := late.keepAliveEach(cmp.Or(d.KeepAlive, keepAliveAfter))
	defer stop()
	resp, err := x.at.Backend.Do(x.r.Context(), x.fromPage(req))
	if err != nil {
		stop()
		known = outcomeKnown(err)
		return late.fail(clientGone(x.r.Context(), err))
	}
	defer resp.Body.Close()
	d.nameRegion(resp.Header)
	if err := x.noteAnswer(resp, stop); err != nil {
		known = outcomeKnown(err)
		return late.fail(err)
	}
	late.take(resp)
	raw, err := late.read(resp.Body)
	stop()
	if err == nil {
		err = x.asErrorDocument(raw)
	}
	if err == nil && checkXML(raw) != nil {
		raw, _ = legible(raw) // a result names its key, and what it names is written anew
	}
	if err == nil && (checkXML(raw) != nil || rootOf(raw) != lateResults[x.op.Name]) {
		err = backend.Broken("its answer is not a whole result")
	}
	known = err == nil
	end(known) // before the client hears of it
	if err != nil {
		return late.fail(clientGone(x.r.Context(), err))
	}
	return late.finish(d.nameResult(x, raw))
}

// lateResults are the roots of their results. A page of a proxy is none, however
// well formed.
var lateResults = map[string]string{
	"CompleteMultipartUpload": "CompleteMultipartUploadResult",
	"CopyObject":              "CopyObjectResult",
	"UploadPartCopy":          "CopyPartResult",
}

// noteAnswer keeps the backend's request id and gives the refusal when its answer
// is one. Before that it calls stop: a refusal writes headers.
func (x *exchange) noteAnswer(resp *http.Response, stop func()) error {
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) {
		f.Backend = resp.Header.Get("X-Amz-Request-Id")
	})
	if resp.StatusCode < http.StatusMultipleChoices {
		return nil
	}
	stop()
	x.allowPage(resp.Header)
	return refusal(x, resp)
}

// lateAnswer writes an answer of which nothing but white space is out yet.
type lateAnswer struct {
	x *exchange

	mu     sync.Mutex // of all below, and of the client's connection
	status int
	begun  bool
	broken error // the client is gone
}

// keepAliveEach sends a byte of white space after every pause, until the function
// that it returns is called. That one waits until nothing is written any more.
func (l *lateAnswer) keepAliveEach(pause time.Duration) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if l.keepAlive() != nil {
					return // the request's context ends too
				}
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(quit)
		<-ended
	})
}

// take lets the backend's answer begin the client's, unless white space has.
func (l *lateAnswer) take(resp *http.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun {
		return
	}
	copyAnswer(l.x.w.Header(), resp.Header)
	l.x.allowPage(resp.Header)
	l.x.w.Header().Del("Content-Length")
	l.status = resp.StatusCode
}

// read answers white space with white space, at once, and gives the document
// behind it. AWS sends the XML declaration before the white space, others none.
func (l *lateAnswer) read(body io.Reader) ([]byte, error) {
	var doc []byte
	buf := make([]byte, 4<<10)
	for {
		n, err := body.Read(buf)
		doc = append(doc, buf[:n]...)
		if len(doc) > maxDocument {
			return nil, backend.Broken("its answer is too large")
		}
		head := declaration(bytes.TrimLeft(doc, xmlSpace))
		rest := bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(doc, xmlSpace), head), xmlSpace)
		if n > 0 && len(rest) == 0 && err == nil {
			if err := l.keepAlive(); err != nil {
				return nil, err
			}
			doc = slices.Clone(head)
		}
		if err == io.EOF {
			return bytes.TrimLeft(doc, xmlSpace), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// xmlSpace is white space in XML (XML 1.0 section 2.3).
const xmlSpace = " \t\r\n"

// keepAlive begins the answer, with the declaration that must come before any
// white space, and sends a byte of it.
func (l *lateAnswer) keepAlive() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	text := " "
	if !l.begun {
		text = xml.Header
		l.begin()
	}
	if _, l.broken = io.WriteString(l.x.w, text); l.broken == nil {
		l.broken = http.NewResponseController(l.x.w).Flush()
	}
	return l.broken
}

func (l *lateAnswer) begin() {
	l.begun = true
	l.x.w.Header().Set("Content-Type", "application/xml")
	l.x.w.WriteHeader(l.status)
}

// finish writes the document.
func (l *lateAnswer) finish(raw []byte) error {
	if !l.begun {
		l.x.w.Header().Set("Content-Length", decimal(int64(len(raw))))
		l.begin()
	} else {
		raw = bytes.TrimPrefix(raw, declaration(raw))
	}
	if _, err := l.x.w.Write(raw); err != nil {
		return broken(l.x, err)
	}
	return nil
}

// declaration is the XML declaration at the beginning of a document, nil if
// there is none or not all of it yet.
func declaration(raw []byte) []byte {
	end := bytes.Index(raw, []byte("?>"))
	if end < 0 || !bytes.HasPrefix(raw, []byte("<?xml")) {
		return nil
	}
	return raw[:end+len("?>")]
}

// fail answers with the error: as a status while nothing is out, and otherwise
// as S3 does, as an Error document under the 200 that the client has seen.
func (l *lateAnswer) fail(err error) error {
	if !l.begun {
		return err
	}
	record := gateway.RecordFrom(l.x.r.Context())
	record.Update(func(f *gateway.Fields) { f.Err = err })
	_, doc := render(gateway.AsError(err))
	facts := record.Snapshot()
	doc.Key, doc.BucketName, doc.RequestID, doc.HostID = facts.Key, facts.Bucket, facts.ID, hostID
	doc.Resource = rawPath(l.x.r.RequestURI)
	return l.finish(marshal(doc))
}

// completeResult is the answer of CompleteMultipartUpload.
type completeResult struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr,omitempty"`
	Location string
	Bucket   string
	Key      string
	Rest     []anyElement `xml:",any"`
}

// anyElement is an element that passes as it is.
type anyElement struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// nameResult puts the gateway's names in the place of the backend's.
func (d *Door) nameResult(x *exchange, raw []byte) []byte {
	if x.op.Name != "CompleteMultipartUpload" {
		return raw
	}
	var result completeResult
	if xml.Unmarshal(raw, &result) != nil {
		return raw
	}
	for i := range result.Rest {
		result.Rest[i].XMLName.Space = ""
	}
	result.XMLName = xml.Name{Local: "CompleteMultipartUploadResult"}
	result.Xmlns, result.Bucket, result.Key = xmlns, x.addr.Bucket, x.addr.Key
	result.Location = d.objectURL(x)
	return marshal(result)
}
