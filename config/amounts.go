package config

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// unit is a suffix of a size and what it stands for in bytes.
type unit struct {
	name  string
	bytes int64
}

// units: KB, MB … are powers of 1000, KiB, MiB … of 1024.
var units = []unit{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// size reads a number of bytes, 0 or more.
var size = kind[int64]{parse: parseSize, show: showSize,
	accepted: "accepted: bytes, or a number with KB, MB, GB, TB (1000) or KiB, MiB, GiB, TiB (1024), for example 10MiB"}

// parseSize reads "10485760", "10MiB", "1.5 GB"; the units in any case.
func parseSize(text string) (int64, error) {
	number, scale := text, int64(1)
	for _, u := range units {
		if n := len(text) - len(u.name); n >= 0 && strings.EqualFold(text[n:], u.name) {
			number, scale = strings.TrimRight(text[:n], " "), u.bytes
			break
		}
	}
	if !decimal(number) {
		return 0, errors.New("not a size")
	}
	exact, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, errors.New("not a size")
	}
	exact.Mul(exact, new(big.Rat).SetInt64(scale))
	if !exact.IsInt() {
		return 0, errors.New("not a whole number of bytes")
	}
	if !exact.Num().IsInt64() {
		return 0, errors.New("larger than any file")
	}
	return exact.Num().Int64(), nil
}

// decimal reports whether s is digits with at most one point between them, and
// short: big.Rat would otherwise take fractions, exponents and any length.
func decimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return len(s) <= 40 && digits(whole) && (!point || digits(fraction))
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// showSize gives the largest binary unit that divides n, bytes otherwise.
func showSize(n int64) string {
	for _, u := range units[:4] {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// sizeFrom reads a size of at least least bytes.
func sizeFrom(least int64) kind[int64] {
	k := size
	k.parse = func(text string) (int64, error) {
		n, err := parseSize(text)
		if err == nil && n < least {
			err = fmt.Errorf("less than %s", showSize(least))
		}
		return n, err
	}
	k.accepted += ", from " + showSize(least)
	return k
}

// count reads a whole number in a range.
func count(from, to int) kind[int] {
	return kind[int]{
		parse: func(text string) (int, error) {
			n, err := strconv.Atoi(text)
			switch {
			case !digits(strings.TrimPrefix(text, "-")), err != nil:
				return 0, errors.New("not a whole number")
			case n < from || n > to:
				return 0, errors.New("out of range")
			}
			return n, nil
		},
		show:     strconv.Itoa,
		accepted: fmt.Sprintf("accepted: a whole number from %d to %d", from, to),
	}
}

// minutes reads a whole number of minutes in a range.
func minutes(from, to int) kind[time.Duration] {
	n := count(from, to)
	return kind[time.Duration]{
		parse: func(text string) (time.Duration, error) {
			v, err := n.parse(text)
			return time.Duration(v) * time.Minute, err
		},
		show:     func(d time.Duration) string { return strconv.Itoa(int(d / time.Minute)) },
		accepted: n.accepted + " (minutes)",
	}
}

// duration reads Go's form or bare seconds, 0 to most.
func duration(most time.Duration) kind[time.Duration] {
	return kind[time.Duration]{
		parse: func(text string) (time.Duration, error) {
			if digits(text) {
				text += "s"
			}
			d, err := time.ParseDuration(text)
			switch {
			case err != nil:
				return 0, errors.New("not a duration")
			case d < 0 || d > most:
				return 0, errors.New("out of range")
			}
			return d, nil
		},
		show:     time.Duration.String,
		accepted: fmt.Sprintf("accepted: seconds, or a duration such as 500ms, 30s, 2m, 1h, up to %v", most),
	}
}

// requestRate reads "100/s", "600/m:50"; byteRate reads "50MiB/s", "50MB/s:1GB".
var (
	requestRate = rateOf(parseRequests, map[string]float64{"s": 1, "m": 60, "h": 3600},
		"accepted: requests per s, m or h and perhaps a burst, for example 100/s or 100/s:250; or none")
	byteRate = rateOf(parseBytes, map[string]float64{"s": 1},
		"accepted: bytes per second and perhaps a burst, for example 50MiB/s or 50MiB/s:200MiB; or none")
)

func rateOf(amount func(string) (float64, error), per map[string]float64, accepted string) kind[Rate] {
	return kind[Rate]{
		parse:    func(text string) (Rate, error) { return parseRate(text, amount, per) },
		show:     showRate,
		accepted: accepted,
	}
}

func parseRate(text string, amount func(string) (float64, error), per map[string]float64) (Rate, error) {
	if strings.EqualFold(text, "none") {
		return Rate{}, nil
	}
	rate, burst, hasBurst := strings.Cut(text, ":")
	number, period, _ := strings.Cut(rate, "/")
	seconds := per[strings.TrimSpace(period)]
	n, err := amount(strings.TrimSpace(number))
	if err != nil || seconds == 0 {
		return Rate{}, errors.New("not a rate")
	}
	if n <= 0 {
		return Rate{}, errors.New("a rate of nothing lets nobody in")
	}
	r := Rate{PerSecond: n / seconds, Burst: int64(math.Ceil(n))}
	if !hasBurst {
		return r, nil
	}
	b, err := amount(strings.TrimSpace(burst))
	if err != nil || b < 1 || b != math.Trunc(b) {
		return Rate{}, errors.New("the burst is not a whole number from 1")
	}
	r.Burst = int64(b)
	return r, nil
}

// mostPerPeriod keeps rates and bursts well inside float64's and int64's exact
// range: 2^50 bytes a second is a pebibyte.
const mostPerPeriod = 1 << 50

func parseRequests(text string) (float64, error) {
	if !decimal(text) {
		return 0, errors.New("not a number")
	}
	return atMost(strconv.ParseFloat(text, 64))
}

func parseBytes(text string) (float64, error) {
	n, err := parseSize(text)
	return atMost(float64(n), err)
}

func atMost(n float64, err error) (float64, error) {
	if err == nil && n > mostPerPeriod {
		err = errors.New("too large")
	}
	return n, err
}

func showRate(r Rate) string {
	if r.None() {
		return "none"
	}
	return strconv.FormatFloat(r.PerSecond, 'f', -1, 64) + "/s:" + strconv.FormatInt(r.Burst, 10)
}
