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
//
// How a type is encoded is looked up once, when the codec is made (forms): to ask the
// type again for every row was a good part of what the store cost a verification.

var errBody = errors.New("the body does not decode")

// forms are how the structs that bodies are made of are encoded. They never change
// once a codec has them, so reading them takes no lock.
type forms map[reflect.Type]*form

// form is how a struct is encoded.
type form struct{ members []memberOf }

// newForms looks up the types of all tables.
func newForms() forms {
	s := forms{}
	for all, i := reflect.TypeFor[tables](), 0; i < all.NumField(); i++ {
		key, ok := all.Field(i).Type.FieldByName("key") // of a kind[T], it takes a *T
		if ok {
			s.learn(key.Type.In(0).Elem())
		}
	}
	return s
}

// memberOf is one member of a struct.
type memberOf struct {
	name  string
	label []byte // the name after its length
	valueOf
}

// valueOf is how the values of one type are encoded: put appends one, read fills a
// zero one from what put appended, and zero says that it is left out. All get a value
// that can be addressed: it is in the struct that a caller points to.
type valueOf struct {
	zero func(reflect.Value) bool
	put  func([]byte, reflect.Value) ([]byte, error)
	read func([]byte, reflect.Value) error
}

// encode encodes the struct that v points to, which is of a table's type.
func (s forms) encode(v any) ([]byte, error) {
	f := reflect.ValueOf(v).Elem()
	return s.of(f.Type()).put(make([]byte, 0, bodySize), f)
}

// bodySize is what most bodies fit in.
const bodySize = 512

// decode fills the struct that into points to, which is zero.
func (s forms) decode(b []byte, into any) error {
	f := reflect.ValueOf(into).Elem()
	return s.of(f.Type()).read(b, f)
}

// of is how a struct is encoded. A type that no table has is looked at anew each time.
func (s forms) of(t reflect.Type) *form {
	if known, ok := s[t]; ok {
		return known
	}
	own := forms{}
	return own.learn(t)
}

// learn looks a struct up, and every struct within it.
func (s forms) learn(t reflect.Type) *form {
	if known, ok := s[t]; ok {
		return known
	}
	made := &form{}
	s[t] = made // before its members: one may hold a list of the same type
	for i := range t.NumField() {
		name := t.Field(i).Name
		m := memberOf{name: name, label: appendPart(nil, []byte(name)), valueOf: s.value(t.Field(i).Type)}
		put := m.put
		m.put = func(b []byte, f reflect.Value) ([]byte, error) {
			b, err := put(b, f)
			if err != nil {
				return nil, fmt.Errorf("store: encode %s.%s: %w", t, name, err)
			}
			return b, nil
		}
		made.members = append(made.members, m)
	}
	return made
}

func (s *form) put(b []byte, v reflect.Value) ([]byte, error) {
	for i := range s.members {
		m := &s.members[i]
		f := v.Field(i)
		if m.zero(f) {
			continue
		}
		var err error
		if b, err = putPart(append(b, m.label...), f, m.put); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (s *form) read(b []byte, v reflect.Value) error {
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
		for next < len(s.members) && s.members[next].name != string(name) {
			next++
		}
		if next == len(s.members) {
			return fmt.Errorf("%w: a member that is not known or out of place", errBody)
		}
		if err := s.members[next].read(value, v.Field(next)); err != nil {
			return fmt.Errorf("%s: %w", s.members[next].name, err)
		}
		next++
	}
	return nil
}

func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// putPart appends a value after its length. Most are shorter than 128 bytes, whose
// length is one byte; room is made before a longer one when its length is known.
func putPart(b []byte, f reflect.Value, put func([]byte, reflect.Value) ([]byte, error)) ([]byte, error) {
	at := len(b)
	b, err := put(append(b, 0), f)
	if err != nil {
		return nil, err
	}
	n := len(b) - at - 1
	if n < 0x80 {
		b[at] = byte(n)
		return b, nil
	}
	var size [binary.MaxVarintLen64]byte
	more := binary.PutUvarint(size[:], uint64(n)) - 1
	b = append(b, size[:more]...)
	copy(b[at+1+more:], b[at+1:at+1+n])
	copy(b[at:], size[:more+1])
	return b, nil
}

func readPart(b []byte) (part, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, errBody
	}
	return b[size : size+int(n)], b[size+int(n):], nil
}

// value looks up how the values of a type are encoded. A type without an encoding is
// an error only where there is something to encode.
func (s forms) value(t reflect.Type) valueOf {
	v := valueOf{zero: reflect.Value.IsZero, put: func([]byte, reflect.Value) ([]byte, error) {
		return nil, fmt.Errorf("type %s has no encoding", t)
	}, read: readNumber}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return valueOf{isNoTime, putTime, readTime}
	case t.Kind() == reflect.Slice:
		v.zero = func(f reflect.Value) bool { return f.Len() == 0 } // a list without elements is none
	}
	s.byKind(t, &v)
	if t.Implements(reflect.TypeFor[encoding.BinaryMarshaler]()) {
		v.put = putItself
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]()) {
		v.read = func(b []byte, f reflect.Value) error {
			return f.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
		}
	}
	return v
}

func (s forms) byKind(t reflect.Type, v *valueOf) {
	switch t.Kind() {
	case reflect.String:
		v.put = func(b []byte, f reflect.Value) ([]byte, error) { return append(b, f.String()...), nil }
		v.read = func(b []byte, f reflect.Value) error { f.SetString(string(b)); return nil }
	case reflect.Bool:
		v.put = func(b []byte, _ reflect.Value) ([]byte, error) { return append(b, 1), nil }
		v.read = readBool
	case reflect.Int, reflect.Int64:
		v.put = func(b []byte, f reflect.Value) ([]byte, error) {
			return binary.BigEndian.AppendUint64(b, uint64(f.Int())), nil
		}
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.put = func(b []byte, f reflect.Value) ([]byte, error) {
			return binary.BigEndian.AppendUint64(b, f.Uint()), nil
		}
	case reflect.Array:
		v.read = func([]byte, reflect.Value) error { return errBody }
		if t.Elem().Kind() == reflect.Uint8 {
			v.put = func(b []byte, f reflect.Value) ([]byte, error) { return append(b, f.Bytes()...), nil }
			v.read = readArray
		}
	case reflect.Slice:
		s.bySlice(t, v)
	case reflect.Struct:
		inner := s.learn(t)
		v.put, v.read = inner.put, inner.read
	}
}

func (s forms) bySlice(t reflect.Type, v *valueOf) {
	if t.Elem().Kind() == reflect.Uint8 {
		v.put = func(b []byte, f reflect.Value) ([]byte, error) { return append(b, f.Bytes()...), nil }
		v.read = func(b []byte, f reflect.Value) error { f.SetBytes(append([]byte(nil), b...)); return nil }
		return
	}
	element := s.value(t.Elem())
	v.put = func(b []byte, f reflect.Value) (_ []byte, err error) {
		for i := range f.Len() {
			if b, err = putPart(b, f.Index(i), element.put); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	v.read = func(b []byte, f reflect.Value) error {
		n, err := countParts(b)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		f.Set(reflect.MakeSlice(t, n, n))
		for i := range n {
			var part []byte
			part, b, _ = readPart(b)
			if err := element.read(part, f.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

func countParts(b []byte) (n int, err error) {
	for ; len(b) > 0; n++ {
		if _, b, err = readPart(b); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func isNoTime(f reflect.Value) bool { return timeOf(f).IsZero() }

func timeOf(f reflect.Value) *time.Time { return f.Addr().Interface().(*time.Time) }

func putTime(b []byte, f reflect.Value) ([]byte, error) {
	return binary.BigEndian.AppendUint64(b, uint64(timeOf(f).UnixMilli())), nil
}

func readTime(b []byte, f reflect.Value) error {
	if len(b) != 8 {
		return errBody
	}
	*timeOf(f) = time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC()
	return nil
}

// putItself encodes what encodes itself. AppendBinary, where a type has it, needs no
// bytes of its own; a pointer is asked, which reflect need not copy the value for.
func putItself(b []byte, f reflect.Value) ([]byte, error) {
	switch x := f.Addr().Interface().(type) {
	case encoding.BinaryAppender:
		return x.AppendBinary(b)
	case encoding.BinaryMarshaler:
		own, err := x.MarshalBinary()
		return append(b, own...), err
	}
	return nil, fmt.Errorf("type %s has no encoding", f.Type())
}

func readBool(b []byte, f reflect.Value) error {
	if len(b) != 1 || b[0] != 1 {
		return errBody
	}
	f.SetBool(true)
	return nil
}

func readArray(b []byte, f reflect.Value) error {
	if len(b) != f.Len() {
		return errBody
	}
	copy(f.Bytes(), b)
	return nil
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
