package rows

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// A body is the members of a struct that are not zero, in the order of their
// declaration: name and value, each after its length. So a value has one
// encoding, a member that is added later is zero in older rows, and a row that
// was written by a later release, with members that are not known here, is
// refused instead of read in part.
//
// A time is its Unix milliseconds, a number 8 bytes, a list its elements each
// after its length; a type with MarshalBinary encodes itself.

var errBody = errors.New("the body does not decode")

// encode encodes the struct that v points to.
func encode(v any) ([]byte, error) { return appendStruct(nil, reflect.ValueOf(v).Elem()) }

func appendStruct(b []byte, v reflect.Value) ([]byte, error) {
	for i := range v.NumField() {
		f := v.Field(i)
		if isZero(f) {
			continue
		}
		value, err := appendValue(nil, f)
		if err != nil {
			return nil, fmt.Errorf("store: encode %s.%s: %w", v.Type(), v.Type().Field(i).Name, err)
		}
		b = appendPart(appendPart(b, []byte(v.Type().Field(i).Name)), value)
	}
	return b, nil
}

func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// isZero takes a list without elements for none.
func isZero(f reflect.Value) bool {
	if t, ok := f.Interface().(time.Time); ok {
		return t.IsZero()
	}
	return f.Kind() == reflect.Slice && f.Len() == 0 || f.IsZero()
}

func appendValue(b []byte, f reflect.Value) ([]byte, error) {
	switch x := f.Interface().(type) {
	case time.Time:
		return binary.BigEndian.AppendUint64(b, uint64(x.UnixMilli())), nil
	case encoding.BinaryMarshaler:
		own, err := x.MarshalBinary()
		return append(b, own...), err
	}
	switch f.Kind() {
	case reflect.String:
		return append(b, f.String()...), nil
	case reflect.Bool:
		return append(b, 1), nil
	case reflect.Int, reflect.Int64:
		return binary.BigEndian.AppendUint64(b, uint64(f.Int())), nil
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return binary.BigEndian.AppendUint64(b, f.Uint()), nil
	case reflect.Array:
		if f.Type().Elem().Kind() == reflect.Uint8 {
			return append(b, f.Bytes()...), nil
		}
	case reflect.Slice:
		if f.Type().Elem().Kind() == reflect.Uint8 {
			return append(b, f.Bytes()...), nil
		}
		for i := range f.Len() {
			element, err := appendValue(nil, f.Index(i))
			if err != nil {
				return nil, err
			}
			b = appendPart(b, element)
		}
		return b, nil
	case reflect.Struct:
		return appendStruct(b, f)
	}
	return nil, fmt.Errorf("type %s has no encoding", f.Type())
}

// decode fills the struct that into points to, which is zero.
func decode(b []byte, into any) error { return readStruct(b, reflect.ValueOf(into).Elem()) }

func readStruct(b []byte, v reflect.Value) error {
	next := 0 // members come in order, each at most once
	for len(b) > 0 {
		var name, value []byte
		var err error
		if name, b, err = readPart(b); err != nil {
			return err
		}
		if value, b, err = readPart(b); err != nil {
			return err
		}
		for next < v.NumField() && v.Type().Field(next).Name != string(name) {
			next++
		}
		if next == v.NumField() {
			return fmt.Errorf("%w: a member that is not known or out of place", errBody)
		}
		if err := readValue(value, v.Field(next)); err != nil {
			return fmt.Errorf("%s: %w", v.Type().Field(next).Name, err)
		}
		next++
	}
	return nil
}

func readPart(b []byte) (part, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, errBody
	}
	return b[size : size+int(n)], b[size+int(n):], nil
}

func readValue(b []byte, f reflect.Value) error {
	switch x := f.Addr().Interface().(type) {
	case *time.Time:
		if len(b) != 8 {
			return errBody
		}
		*x = time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC()
		return nil
	case encoding.BinaryUnmarshaler:
		return x.UnmarshalBinary(b)
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(string(b))
		return nil
	case reflect.Bool:
		if len(b) != 1 || b[0] != 1 {
			return errBody
		}
		f.SetBool(true)
		return nil
	case reflect.Array:
		if f.Type().Elem().Kind() != reflect.Uint8 || len(b) != f.Len() {
			return errBody
		}
		reflect.Copy(f, reflect.ValueOf(b))
		return nil
	case reflect.Slice:
		return readList(b, f)
	case reflect.Struct:
		return readStruct(b, f)
	}
	return readNumber(b, f)
}

func readNumber(b []byte, f reflect.Value) error {
	if len(b) != 8 {
		return errBody
	}
	n := binary.BigEndian.Uint64(b)
	switch {
	case f.CanInt() && !f.OverflowInt(int64(n)):
		f.SetInt(int64(n))
	case f.CanUint() && !f.OverflowUint(n):
		f.SetUint(n)
	default:
		return errBody
	}
	return nil
}

func readList(b []byte, f reflect.Value) error {
	if f.Type().Elem().Kind() == reflect.Uint8 {
		f.SetBytes(append([]byte(nil), b...))
		return nil
	}
	for len(b) > 0 {
		part, rest, err := readPart(b)
		if err != nil {
			return err
		}
		element := reflect.New(f.Type().Elem()).Elem()
		if err := readValue(part, element); err != nil {
			return err
		}
		f.Set(reflect.Append(f, element))
		b = rest
	}
	return nil
}
