package model

import (
	"fmt"
	"strings"
	"time"
)

const (
	symbolStart = "‹"
	symbolEnd   = "›"

	// Times before these years are symbols: no store existed then, and S3's rules
	// treat no earlier date in a special way.
	stampsEnd  = 1980
	offsetsEnd = 1990
	// day is what separates the serial number of a version from the days of its
	// retention in a symbolic time.
	day = 24 * 60 * 60
)

// symbol returns the name of an identifier that step makes.
func symbol(kind string, step, n int) string {
	return fmt.Sprintf("%s%s%d.%d%s", symbolStart, kind, step, n, symbolEnd)
}

// isSymbol reports whether s is a symbol and nothing else.
func isSymbol(s string) bool {
	return strings.HasPrefix(s, symbolStart) && strings.HasSuffix(s, symbolEnd)
}

// replaceSymbols replaces each symbol in s by what known returns for it. It
// reports false if known does not have one.
func replaceSymbols(s string, known func(string) (string, bool)) (string, bool) {
	if !strings.Contains(s, symbolStart) {
		return s, true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, symbolStart)
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, _ := strings.Cut(rest, symbolEnd)
		value, ok := known(symbolStart + name + symbolEnd)
		if !ok {
			return "", false
		}
		b.WriteString(value)
		s = after
	}
}

// stamp is the symbol for the time at which the version with this serial number
// was made, or for days after that.
func stamp(serial, days int) *time.Time {
	t := time.Unix(int64(days*day+serial), 0).UTC()
	return &t
}

// stamped returns what stamp encoded, and whether t is a symbol.
func stamped(t time.Time) (serial, days int, ok bool) {
	if t.Year() >= stampsEnd {
		return 0, 0, false
	}
	return int(t.Unix() % day), int(t.Unix() / day), true
}

// offsets is the first of the times that are symbols for hours.
var offsets = time.Date(stampsEnd+5, 1, 1, 0, 0, 0, 0, time.UTC)

// offset is the symbol for a time so many hours after the program began.
func offset(hours int) *time.Time {
	t := offsets.Add(time.Duration(hours) * time.Hour)
	return &t
}

// hoursOf returns what offset encoded, and whether t is such a symbol.
func hoursOf(t time.Time) (hours int, ok bool) {
	if t.Year() < stampsEnd || t.Year() >= offsetsEnd {
		return 0, false
	}
	return int(t.Sub(offsets).Hours()), true
}
