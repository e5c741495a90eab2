package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A form whose fields do not come holds its connection for a short time only,
// wherever in them it stops.
func TestAFormThatStopsBeforeItsFileIsEnded(t *testing.T) {
	r := newRig(t, func(r *rig) { r.door.FormTime = 200 * time.Millisecond })
	for name, sent := range map[string]string{
		"three bytes":       "--b",
		"within a field":    "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nab",
		"within a file":     "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nab",
		"nothing of a body": "",
	} {
		conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "POST /bucket HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000\r\n\r\n%s", sent)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "The fields of the form took too long") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
}
