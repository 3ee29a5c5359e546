package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parse reads one value: map[string]any, []any, string, json.Number, bool or
// nil. Objects and arrays may nest to depth. A string with U+FFFD is refused
// like one with a lone surrogate, because it shows that an earlier program
// could not read the original. The kinds are UTF8, Syntax (also for an empty
// document, and for bytes after the value), Deep and Duplicate; if there is a
// Syntax fault anywhere, it is the one returned.
func Parse(data []byte, depth int) (any, *Fault) {
	if !utf8.Valid(data) {
		return nil, &Fault{Kind: UTF8}
	}
	if !json.Valid(data) {
		return nil, &Fault{Kind: Syntax}
	}
	r := reader{data: data}
	return r.any(depth)
}

// any reads the next value of a document that is already known to be
// well-formed.
func (r *reader) any(depth int) (any, *Fault) {
	r.space()
	switch c := r.data[r.at]; c {
	case '{', '[':
		if depth == 0 {
			return nil, &Fault{Kind: Deep}
		}
		r.at++
		if c == '[' {
			return r.list(depth - 1)
		}
		return r.members(depth - 1)
	case '"':
		text, ok := r.text()
		if !ok || strings.ContainsRune(text, utf8.RuneError) {
			return nil, &Fault{Kind: UTF8}
		}
		return text, nil
	}
	begin := r.at
	for r.at < len(r.data) && strings.IndexByte(" \t\n\r,]}", r.data[r.at]) < 0 {
		r.at++
	}
	switch word := string(r.data[begin:r.at]); word {
	case "null":
		return nil, nil
	case "true", "false":
		return word == "true", nil
	default:
		return json.Number(word), nil
	}
}

func (r *reader) list(depth int) (any, *Fault) {
	list := []any{}
	for !r.take(']') {
		r.take(',')
		value, fault := r.any(depth)
		if fault != nil {
			return nil, fault
		}
		list = append(list, value)
	}
	return list, nil
}

func (r *reader) members(depth int) (any, *Fault) {
	object := map[string]any{}
	for !r.take('}') {
		r.take(',')
		r.space()
		name, ok := r.text()
		if !ok {
			return nil, &Fault{Kind: UTF8}
		}
		if _, twice := object[name]; twice {
			return nil, &Fault{Duplicate, SafeName(name)}
		}
		r.take(':')
		value, fault := r.any(depth)
		if fault != nil {
			return nil, &Fault{fault.Kind, join(SafeName(name), fault.Path)}
		}
		object[name] = value
	}
	return object, nil
}

// Object reads an object that has exactly the given names, each with a string.
func Object(data []byte, names ...string) (map[string]string, *Fault) {
	value, fault := Parse(data, 1)
	if fault != nil {
		return nil, fault
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, &Fault{Kind: Type}
	}
	texts := make(map[string]string, len(names))
	for name, v := range object {
		text, ok := v.(string)
		switch {
		case !slices.Contains(names, name):
			return nil, &Fault{Unknown, SafeName(name)}
		case !ok:
			return nil, &Fault{Type, name}
		}
		texts[name] = text
	}
	for _, name := range names {
		if _, ok := texts[name]; !ok {
			return nil, &Fault{Missing, name}
		}
	}
	return texts, nil
}

// ErrNotCanonical means that this release would write the document differently.
var ErrNotCanonical = errors.New("strictjson: not as this release writes it")

// Canonical reads a value and accepts it only in the form in which this release
// writes it, byte for byte. It is for two ends of the same release.
func Canonical[T any](data []byte) (T, error) {
	var v T
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	again, err := json.Marshal(v)
	if err != nil || !bytes.Equal(again, data) {
		return v, ErrNotCanonical
	}
	return v, nil
}
