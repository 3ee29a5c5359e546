package rows

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/liuma-pin/liuma/internal/store"
)

// Known is what this process has found out about a row that stays in its memory: that the
// seal is right (I-13), and for some types what the body says. Whoever reads the row from the
// file again begins with a new one. Safe for concurrent use.
type Known struct {
	sealed atomic.Bool
	value  atomic.Value // always of the table's type
}

// Sealed is of a row that this process sealed itself.
func Sealed() *Known {
	k := &Known{}
	k.sealed.Store(true)
	return k
}

// says returns the value of a row whose seal was right and whose body was decoded before.
func says[T any](k *Known) (v T, ok bool) {
	if k == nil {
		return v, false
	}
	if v, ok = k.value.Load().(T); ok {
		v, ok = apart(v)
	}
	return v, ok
}

func (k *Known) isSealed() bool { return k != nil && k.sealed.Load() }

// learn keeps that a row's seal was right, and its value.
func learn[T any](k *Known, v T) {
	if k == nil {
		return
	}
	k.sealed.Store(true)
	if mine, ok := apart(v); ok {
		k.value.Store(mine)
	}
}

// apart returns a copy that shares no memory with a value, so that whoever changes one
// leaves the other; false for the types whose values are not kept.
func apart[T any](v T) (T, bool) {
	switch v := any(&v).(type) {
	case *claim:
	case *store.Client:
		v.Keys, v.Regions, v.Actions, v.RedirectURIs = bytes.Clone(v.Keys), slices.Clone(v.Regions), slices.Clone(v.Actions), slices.Clone(v.RedirectURIs)
	default:
		var none T
		return none, false
	}
	return v, true
}
