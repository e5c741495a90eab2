package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	gateway "github.com/codeguardians/s3gateway"
)

// checkJSON refuses a bucket policy that readers could take for different ones: a
// member that is there twice, deep nesting, more than one value.
func checkJSON(raw []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	refuse := func(cause error) error {
		return gateway.Errorf(gateway.MalformedPolicy, "").Because(cause)
	}
	open, err := decoder.Token()
	if err == nil && open != json.Delim('{') {
		err = errors.New("not an object")
	}
	if err == nil {
		err = checkMembers(decoder, 1)
	}
	if err != nil {
		return refuse(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return refuse(errors.New("not one value"))
	}
	return nil
}

// checkMembers reads an object whose beginning was read.
func checkMembers(decoder *json.Decoder, depth int) error {
	seen := map[json.Token]bool{}
	for decoder.More() {
		name, err := decoder.Token()
		if err == nil && seen[name] {
			err = fmt.Errorf("%.64q is there twice", name)
		}
		if err == nil {
			seen[name] = true
			err = checkValue(decoder, depth)
		}
		if err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

func checkValue(decoder *json.Decoder, depth int) error {
	token, err := decoder.Token()
	delim, nested := token.(json.Delim)
	switch {
	case err != nil || !nested:
		return err
	case depth >= maxDepth:
		return errors.New("nested too deeply")
	case delim == '{':
		return checkMembers(decoder, depth+1)
	}
	for decoder.More() {
		if err := checkValue(decoder, depth+1); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return err
}
