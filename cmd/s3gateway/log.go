package main

import (
	"io"
	stdlog "log"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// newLogger writes for people on a terminal and JSON everywhere else.
func newLogger(w io.Writer, level string) zerolog.Logger {
	if isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel // config has refused every other word
	}
	return zerolog.New(w).Level(parsed).With().Timestamp().Logger()
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
