package proxy

import (
	"encoding/xml"
	"io"
	"net/http"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

// maxAnswer bounds an answer that is read whole to be written anew: a listing
// of 10,000 buckets, or a batch of 1,000 deletes with keys of 1,024 bytes.
const maxAnswer = 8 << 20

// fetch sends a request and reads the XML of the answer into a value.
func (d *Door) fetch(x *exchange, req backend.Request, into any) error {
	resp, err := d.send(x, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := readAnswer(resp.Body)
	if err != nil {
		return clientGone(x.r.Context(), err)
	}
	if failed := x.asErrorDocument(raw); failed != nil {
		return failed
	}
	if err := xml.Unmarshal(raw, into); err != nil {
		return backend.Broken("its answer to %s is no document: %w", x.op.Name, err)
	}
	return nil
}

// readAnswer reads an answer whole, through its limit. It waits for no memory: what
// the answer is to may have been done.
func readAnswer(body io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		err = backend.Broken("its answer is larger than %d bytes", maxAnswer)
	}
	return raw, err
}

// asErrorDocument gives the error that hides in an answer with status 200.
func (x *exchange) asErrorDocument(raw []byte) error {
	var doc struct {
		XMLName       xml.Name
		Code, Message string
	}
	if xml.Unmarshal(raw, &doc) != nil || doc.XMLName.Local != "Error" {
		return nil
	}
	status := http.StatusInternalServerError
	if a, known := answers[gateway.Code(doc.Code)]; known {
		status = a.status // for a client that has not seen the 200 yet
	}
	return backend.Refused(status, doc.Code, x.at.unnamed(doc.Message), nil)
}

// answerXML writes a document as the whole answer.
func (x *exchange) answerXML(status int, doc any) error {
	raw := marshal(doc)
	x.w.Header().Set("Content-Type", "application/xml")
	x.w.Header().Set("Content-Length", decimal(int64(len(raw))))
	x.w.WriteHeader(status)
	_, err := x.w.Write(raw)
	if err != nil {
		return broken(x, err)
	}
	return nil
}
