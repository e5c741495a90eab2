package model

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Step is one request of a program.
type Step struct {
	// ID names the step, also when others are dropped: the symbols that it makes
	// contain it.
	ID int
	// Input is a pointer to an input of the SDK. Identifiers and times of the
	// store are symbols.
	Input any
	// Body is the body of an upload.
	Body []byte
	// Header holds headers that the input has no field for.
	Header map[string]string
}

// Program is a list of requests.
type Program struct {
	// Seed is what the program was made from.
	Seed  uint64
	Steps []Step
}

// String returns one line for each step.
func (p Program) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

// String returns the operation and every field that is set.
func (s Step) String() string {
	v := reflect.ValueOf(s.Input).Elem()
	var b strings.Builder
	fmt.Fprintf(&b, "%3d %s", s.ID, s.Operation())
	printFields(&b, v)
	if s.Body != nil {
		fmt.Fprintf(&b, " body=%d bytes %.12q", len(s.Body), s.Body)
	}
	for name, value := range s.Header {
		fmt.Fprintf(&b, " %s=%q", name, value)
	}
	return b.String()
}

// Operation returns the name of S3's operation.
func (s Step) Operation() string {
	return strings.TrimSuffix(reflect.TypeOf(s.Input).Elem().Name(), "Input")
}

func printFields(b *strings.Builder, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() || !v.Type().Field(i).IsExported() {
			continue
		}
		fmt.Fprintf(b, " %s=", v.Type().Field(i).Name)
		printValue(b, f)
	}
}

func printValue(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if t, ok := v.Interface().(*time.Time); ok {
			b.WriteString(timeString(*t))
			return
		}
		printValue(b, v.Elem())
	case reflect.String:
		if s := v.String(); len(s) > 80 {
			fmt.Fprintf(b, "%.20q…(%d bytes)", s, len(s))
		} else {
			fmt.Fprintf(b, "%q", s)
		}
	case reflect.Slice:
		b.WriteString("[")
		for i := range v.Len() {
			printValue(b, v.Index(i))
		}
		b.WriteString("]")
	case reflect.Struct:
		b.WriteString("{")
		printFields(b, v)
		b.WriteString(" }")
	default:
		fmt.Fprint(b, v.Interface())
	}
}

func timeString(t time.Time) string {
	serial, days, ok := stamped(t)
	hours, relative := hoursOf(t)
	switch {
	case relative:
		return fmt.Sprintf("‹begin %+d h›", hours)
	case !ok:
		return t.Format(time.RFC3339)
	case days > 0:
		return fmt.Sprintf("‹time %d + %d days›", serial, days)
	}
	return fmt.Sprintf("‹time %d›", serial)
}
