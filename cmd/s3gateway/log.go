package main

import (
	"bytes"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"regexp"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// newLogger writes for people on a terminal and JSON everywhere else.
func newLogger(w io.Writer, level string) zerolog.Logger {
	terminal := isTerminal(w)
	w = redacting{w}
	if terminal {
		w = console(w)
	}
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel // config has refused every other word
	}
	return zerolog.New(w).Level(parsed).With().Timestamp().Logger()
}

// console is the form for people. A record of the audit log has no level and no
// message of its own, so they get some; and a caller is who asks, not the place in
// the code that the library means by the word.
func console(w io.Writer) zerolog.ConsoleWriter {
	return zerolog.ConsoleWriter{
		Out: w, TimeFormat: time.TimeOnly,
		PartsOrder: []string{zerolog.TimestampFieldName, zerolog.LevelFieldName, zerolog.MessageFieldName, zerolog.CallerFieldName},
		FormatCaller: func(caller any) string {
			if caller == nil {
				return ""
			}
			return fmt.Sprintf("caller=%v", caller)
		},
		FormatPrepare: func(line map[string]any) error {
			if line["log"] == "audit" {
				line[zerolog.LevelFieldName], line[zerolog.MessageFieldName] = "info", "audit"
				delete(line, "log")
			}
			return nil
		},
	}
}

// redacting keeps signatures out of the log. A query is in none of its lines; but
// where somebody encoded the question mark of a link, all of it is a key.
type redacting struct{ to io.Writer }

var proofs = regexp.MustCompile(`(X-Amz-S(?:ignature|ecurity-Token)(?:=|%3D|%3d))[^&%"\\\s]+`)

// Write takes one line.
func (r redacting) Write(line []byte) (int, error) {
	text := line
	if bytes.Contains(line, []byte("X-Amz-S")) { // most have none, and ReplaceAll copies all that it is given
		text = proofs.ReplaceAll(line, []byte("${1}[redacted]"))
	}
	if _, err := r.to.Write(text); err != nil {
		return 0, err
	}
	return len(line), nil
}

// isTerminal reports whether a person is likely to read w, and nobody else.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// stdLogger carries what net/http has to say (failed handshakes, clients that
// send no HTTP) into the log.
func stdLogger(log zerolog.Logger) *stdlog.Logger {
	return stdlog.New(log.With().Str("from", "net/http").Logger(), "", 0)
}
