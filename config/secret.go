package config

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is all that is ever printed of a secret.
const redacted = "[redacted]"

// Secret is a text that prints as [redacted] whatever prints it: fmt, log/slog,
// encoding/json and YAML encoders. The zero value is "not set" and prints the
// same, so that output does not tell which secrets exist.
//
// Two misuses that `go vet` refuses get past it, because fmt then looks at the
// bare string: the verbs %p and (of a value that is no error) %w.
type Secret string

// Reveal gives the secret itself, for the one place that uses it.
func (s Secret) Reveal() string { return string(s) }

// String gives [redacted].
func (Secret) String() string { return redacted }

// GoString gives [redacted], for %#v.
func (Secret) GoString() string { return redacted }

// Format writes [redacted] for every verb, %d and %x among them.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText gives [redacted].
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON gives "[redacted]".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalYAML gives [redacted], quoted because it would read as a list.
func (Secret) MarshalYAML() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue gives [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
