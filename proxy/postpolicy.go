package proxy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// postPolicy is the signed document of a form: until when, and what its fields
// may say (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).
type postPolicy struct {
	Expiration time.Time         `json:"expiration"`
	Conditions []json.RawMessage `json:"conditions"`
}

// condition is one rule about a field.
type condition struct {
	operator    string // eq, starts-with, content-length-range
	field       string // lower case, without $
	value       string
	least, most int64 // of content-length-range
}

// parsePostPolicy reads the base64 text of the field "policy".
func parsePostPolicy(encoded string) (time.Time, []condition, error) {
	bad := func(err error) (time.Time, []condition, error) {
		return time.Time{}, nil, gateway.Errorf(gateway.InvalidPolicyDocument, "The content of the form does not meet the conditions specified in the policy document: %s", err)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return bad(fmt.Errorf("the policy is not base64"))
	}
	var p postPolicy
	if err := json.Unmarshal(raw, &p); err != nil {
		return bad(fmt.Errorf("the policy is not the JSON of one"))
	}
	if p.Expiration.IsZero() || p.Conditions == nil {
		return bad(fmt.Errorf("the policy needs expiration and conditions"))
	}
	var all []condition
	for _, raw := range p.Conditions {
		some, err := parseCondition(raw)
		if err != nil {
			return bad(err)
		}
		all = append(all, some...)
	}
	return p.Expiration, all, nil
}

func parseCondition(raw json.RawMessage) ([]condition, error) {
	var exact map[string]string
	if json.Unmarshal(raw, &exact) == nil {
		var all []condition
		for field, value := range exact {
			all = append(all, condition{operator: "eq", field: strings.ToLower(field), value: value})
		}
		return all, nil
	}
	var list []any
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return nil, fmt.Errorf("a condition is neither an object of strings nor a list of three")
	}
	operator, _ := list[0].(string)
	operator = strings.ToLower(operator)
	switch operator {
	case "eq", "starts-with":
		field, ok1 := list[1].(string)
		value, ok2 := list[2].(string)
		if !ok1 || !ok2 || !strings.HasPrefix(field, "$") {
			return nil, fmt.Errorf("a condition %s wants $field and a string", operator)
		}
		return []condition{{operator: operator, field: strings.ToLower(field[1:]), value: value}}, nil
	case "content-length-range":
		least, ok1 := wholeNumber(list[1])
		most, ok2 := wholeNumber(list[2])
		if !ok1 || !ok2 || least > most {
			return nil, fmt.Errorf("content-length-range wants two sizes, the smaller one first")
		}
		return []condition{{operator: operator, least: least, most: most}}, nil
	}
	return nil, fmt.Errorf("a condition has an unknown operator")
}

// wholeNumber takes a number, or, as some clients write it, its digits.
func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case float64:
		return int64(n), n >= 0 && n == float64(int64(n))
	case string:
		i, err := strconv.ParseInt(n, 10, 64)
		return i, err == nil && i >= 0
	}
	return 0, false
}

// uncovered are the fields that no condition needs to name.
var uncovered = map[string]bool{"x-amz-signature": true, "awsaccesskeyid": true, "signature": true, "policy": true, "file": true}

// checkPostPolicy applies the policy to a form: not expired, every condition
// met, and the bucket and every field covered by one, so that a browser adds
// nothing that its maker did not mean and takes it to no other bucket.
func checkPostPolicy(f *form, bucket string, size int64, now time.Time) error {
	expiration, conditions, err := parsePostPolicy(f.value("policy"))
	if err != nil {
		return err
	}
	if !now.Before(expiration) {
		return gateway.Errorf(gateway.AccessDenied, "Invalid according to Policy: Policy expired.")
	}
	covered := map[string]bool{}
	for _, c := range conditions {
		covered[c.field] = true
		if err := c.check(f, bucket, size); err != nil {
			return err
		}
	}
	if !covered["bucket"] {
		return extraField("bucket")
	}
	for _, field := range f.fields {
		if !covered[field.name] && !uncovered[field.name] && !strings.HasPrefix(field.name, "x-ignore-") {
			return extraField(field.name)
		}
	}
	return nil
}

func extraField(name string) error {
	return gateway.Errorf(gateway.AccessDenied, "Invalid according to Policy: Extra input fields: %s", name)
}

func (c condition) check(f *form, bucket string, size int64) error {
	if c.operator == "content-length-range" {
		switch {
		case size < c.least:
			return gateway.Errorf(gateway.EntityTooSmall, "").With("ProposedSize", decimal(size)).With("MinSizeAllowed", decimal(c.least))
		case size > c.most:
			return gateway.Errorf(gateway.EntityTooLarge, "").With("ProposedSize", decimal(size)).With("MaxSizeAllowed", decimal(c.most))
		}
		return nil
	}
	value := f.value(c.field)
	if c.field == "bucket" {
		value = bucket
	}
	met := value == c.value
	if c.operator == "starts-with" {
		met = startsWith(c.field, value, c.value)
	}
	if !met {
		return gateway.Errorf(gateway.AccessDenied, "Invalid according to Policy: Policy Condition failed: [%q, %q, %q]", c.operator, "$"+c.field, c.value)
	}
	return nil
}

// startsWith compares prefixes; a Content-Type may be a list, of which each
// must fit.
func startsWith(field, value, prefix string) bool {
	if field != "content-type" {
		return strings.HasPrefix(value, prefix)
	}
	for part := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimSpace(part), prefix) {
			return false
		}
	}
	return true
}
