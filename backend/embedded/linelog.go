package embedded

import (
	"bytes"
	"strings"
	"sync"

	"github.com/rs/zerolog"
)

const (
	maxLine    = 4 << 10
	crashLines = 40 // of a stack trace, logged at warn
)

// lineLog writes what the child says to the log, one event per line.
type lineLog struct {
	log    zerolog.Logger
	secret string

	mu      sync.Mutex
	partial []byte
	last    string // last line, or the first of a crash
	crash   int    // lines of a crash still to be logged at warn
}

// Write never fails: a child must not block or die for its log.
func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for {
		line, rest, found := bytes.Cut(p, []byte("\n"))
		room := max(0, maxLine-len(l.partial))
		l.partial = append(l.partial, line[:min(len(line), room)]...)
		if !found {
			return n, nil
		}
		l.emit()
		p = rest
	}
}

// close logs an unfinished line and gives the line that tells most about the
// end.
func (l *lineLog) close() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emit()
	return l.last
}

func (l *lineLog) emit() {
	line := clean(string(l.partial))
	l.partial = l.partial[:0]
	if line == "" {
		return
	}
	if l.secret != "" {
		line = strings.ReplaceAll(line, l.secret, "[redacted]")
	}
	if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
		l.crash, l.last = crashLines, line
	}
	level := zerolog.DebugLevel
	if l.crash > 0 || alarming(line) {
		level = zerolog.WarnLevel
	}
	if l.crash > 0 {
		l.crash--
	} else {
		l.last = line
	}
	l.log.WithLevel(level).Str("process", "embedded store").Msg(line)
}

// alarming finds the marks of the store's own errors.
func alarming(line string) bool {
	for _, mark := range []string{"[PANIC]", "[INTERNAL ERROR]", "WARNING", "shutdown "} {
		if strings.Contains(line, mark) {
			return true
		}
	}
	return false
}

// clean takes terminal colours and control bytes out of a line.
func clean(line string) string {
	var b strings.Builder
	colour := false
	for _, r := range line {
		switch {
		case r == '\x1b':
			colour = true
		case colour:
			colour = r != 'm'
		case r == '\t':
			b.WriteByte(' ')
		case r < ' ' || r == 0x7f:
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}
