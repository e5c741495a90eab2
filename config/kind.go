package config

import (
	"errors"
	"reflect"
	"strings"
)

// kind is one way to read a text and to show what was read. parse gets text
// without spaces around it, never empty; its error says what is wrong and, for
// secrets, never the text. show gives a text that parse reads back to the same.
type kind[T any] struct {
	parse    func(string) (T, error)
	show     func(T) string
	accepted string
}

// value is one field of a Config with its kind.
type value interface {
	set(c *Config, text string) error
	// same reports whether the field is equal in both, copy takes it from one
	// to the other.
	same(a, b *Config) bool
	copy(to, from *Config)
	show(c *Config) string
	accepted() string
}

type field[T any] struct {
	at   func(*Config) *T
	kind kind[T]
}

// of binds a field of Config to the kind that reads it.
func of[T any](at func(*Config) *T, k kind[T]) value { return field[T]{at, k} }

func (f field[T]) set(c *Config, text string) error {
	v, err := f.kind.parse(text)
	if err != nil {
		return err
	}
	*f.at(c) = v
	return nil
}

func (f field[T]) same(a, b *Config) bool { return reflect.DeepEqual(*f.at(a), *f.at(b)) }
func (f field[T]) copy(to, from *Config)  { *f.at(to) = *f.at(from) }

func (f field[T]) show(c *Config) string { return f.kind.show(*f.at(c)) }
func (f field[T]) accepted() string      { return f.kind.accepted }

// listOf reads a list with commas. Empty items are skipped (people leave a
// comma at the end) and a repeated one counts once.
func listOf[T any](k kind[T]) kind[[]T] {
	return kind[[]T]{
		parse: func(text string) ([]T, error) {
			var list []T
			seen := map[string]bool{}
			for item := range strings.SplitSeq(text, ",") {
				if item = strings.TrimSpace(item); item == "" {
					continue
				}
				v, err := k.parse(item)
				if err != nil {
					return nil, err
				}
				if s := k.show(v); !seen[s] {
					seen[s] = true
					list = append(list, v)
				}
			}
			if len(list) == 0 {
				return nil, errors.New("a list without an item")
			}
			return list, nil
		},
		show: func(list []T) string {
			items := make([]string, len(list))
			for i, v := range list {
				items[i] = k.show(v)
			}
			return strings.Join(items, ",")
		},
		accepted: k.accepted + "; several with commas",
	}
}

// oneOf reads one of a few words, in any case.
func oneOf(words ...string) kind[string] {
	return kind[string]{
		parse: func(text string) (string, error) {
			for _, w := range words {
				if strings.EqualFold(text, w) {
					return w, nil
				}
			}
			return "", errors.New("not one of the words")
		},
		show:     asIs,
		accepted: "accepted: " + strings.Join(words, ", "),
	}
}

// textOf reads a text that check accepts.
func textOf(accepted string, check func(string) error) kind[string] {
	return kind[string]{
		parse:    func(text string) (string, error) { return text, check(text) },
		show:     asIs,
		accepted: accepted,
	}
}

// secretOf reads a secret that check accepts.
func secretOf(accepted string, check func(string) error) kind[Secret] {
	return kind[Secret]{
		parse: func(text string) (Secret, error) { return Secret(text), check(text) },
		show: func(s Secret) string {
			if s == "" {
				return ""
			}
			return redacted
		},
		accepted: accepted,
	}
}

func asIs(s string) string { return s }
