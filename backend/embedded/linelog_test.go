package embedded

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestChildsLinesBecomeEvents(t *testing.T) {
	var out bytes.Buffer
	l := &lineLog{log: zerolog.New(&out), secret: "s3cret"}
	for _, piece := range []string{
		"first li", "ne\nsecond\n\n", "\x1b[31m[INTERNAL ERROR]: disk\x1b[0m\n", "key s3cret\n",
		strings.Repeat("x", 3*maxLine) + "\n", "forged\r\"}\x00\n", "panic: oh no\n\tgoroutine 1\n", "tail",
	} {
		if n, err := fmt.Fprint(l, piece); n != len(piece) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	if last := l.close(); last != "panic: oh no" {
		t.Errorf("last words %q", last)
	}
	for _, want := range []string{
		`{"level":"debug","process":"embedded store","message":"first line"}`,
		`{"level":"warn","process":"embedded store","message":"[INTERNAL ERROR]: disk"}`,
		`"message":"key [redacted]"`,
		`"message":"` + strings.Repeat("x", maxLine) + `"`,
		`"message":"forged\"}"`,
		`{"level":"warn","process":"embedded store","message":"panic: oh no"}`,
		`{"level":"warn","process":"embedded store","message":"goroutine 1"}`,
		`{"level":"warn","process":"embedded store","message":"tail"}`,
	} {
		if !strings.Contains(out.String(), want+"\n") && !strings.Contains(out.String(), want) {
			t.Errorf("no event %s in\n%s", want, out.String())
		}
	}
}
