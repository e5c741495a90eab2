package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	gateway "github.com/codeguardians/s3gateway"
)

// invalid is a refusal of one parameter: 400 when it cannot be read, 422 when
// its value is not allowed.
func invalid(code gateway.Code, field, format string, args ...any) error {
	err := gateway.Errorf(code, "%s %s.", field, fmt.Sprintf(format, args...))
	err.Field = field
	return err
}

// param gives one query parameter. Twice is refused: whoever reads the log and
// whoever serves the request might take different ones.
func param(r *http.Request, name string) (value string, given bool, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", false, invalid(gateway.InvalidArgument, name, "cannot be read: the query is malformed")
	}
	switch values := query[name]; len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", false, invalid(gateway.InvalidArgument, name, "is given more than once")
}

func intParam(r *http.Request, name string, absent, least, most int) (int, error) {
	value, given, err := param(r, name)
	if err != nil || !given {
		return absent, err
	}
	n, err := strconv.Atoi(value)
	if errors.Is(err, strconv.ErrRange) {
		return 0, invalid(gateway.UnprocessableValue, name, "must be from %d to %d", least, most)
	}
	if err != nil {
		return 0, invalid(gateway.InvalidArgument, name, "is not a whole number")
	}
	return inRange(name, n, least, most)
}

func inRange(name string, n, least, most int) (int, error) {
	if n < least || n > most {
		return 0, invalid(gateway.UnprocessableValue, name, "must be from %d to %d", least, most)
	}
	return n, nil
}

func boolParam(r *http.Request, name string) (bool, error) {
	value, given, err := param(r, name)
	if err != nil || !given {
		return false, err
	}
	switch value {
	case "true", "1", "": // a bare ?name means yes
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, invalid(gateway.InvalidArgument, name, "is neither true nor false")
}
