package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

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

// maxJSON bounds a JSON body, in bytes.
const maxJSON = 64 << 10

// readJSON reads an object into fields, by name. A name that is not among them
// is refused: a misspelt expires_in would otherwise silently mean the default.
// null is the same as absent.
func readJSON(r *http.Request, fields map[string]any) error { return readJSONUpTo(r, maxJSON, fields) }

// readJSONUpTo is readJSON for a body of at most so many bytes.
func readJSONUpTo(r *http.Request, most int64, fields map[string]any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	patch := r.Method == http.MethodPatch && kind == "application/merge-patch+json"
	if err != nil || kind != "application/json" && !patch {
		return invalid(gateway.UnsupportedMediaType, "Content-Type", "must be application/json")
	}
	sent, err := verified(r.Header, newBody(r))
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(sent, most+1))
	if err != nil {
		return err
	}
	if int64(len(raw)) > most {
		return gateway.Errorf(gateway.EntityTooLarge, "The JSON body is longer than %d bytes.", most)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return gateway.Errorf(gateway.InvalidRequest, "The body is not a JSON object.").Because(err)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		target, ok := fields[name]
		if !ok {
			return invalid(gateway.UnprocessableValue, clip(name, 64), "is not a field here: there are %s",
				strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		if err := readField(members[name], target); err != nil {
			return invalid(gateway.InvalidArgument, name, "is not %s", err)
		}
	}
	return nil
}

// readField reads one value. null leaves the target as it is.
func readField(raw json.RawMessage, target any) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	err := json.Unmarshal(raw, target)
	if err == nil {
		return nil
	}
	switch target.(type) {
	case *string:
		return errors.New("text")
	case *bool:
		return errors.New("true or false")
	case *[]string:
		return errors.New("a list of texts")
	case *map[string]*string:
		return errors.New("an object of texts")
	}
	return errors.New("a whole number")
}
