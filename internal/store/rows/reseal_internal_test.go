package rows

import (
	"reflect"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma/internal/store"
)

// TestEveryTableIsSealedAnew: a table that a pass forgot would be unreadable
// after the old key is dropped.
func TestEveryTableIsSealedAnew(t *testing.T) {
	var passed []string
	for _, r := range newTables().resealedTables() {
		passed = append(passed, r.table.Name)
	}
	for _, table := range Tables() {
		if table.Name != newTables().resealing.Name && !table.Steady && !slices.Contains(passed, table.Name) {
			t.Errorf("a pass does not go through %s", table.Name)
		}
	}
}

// TestEveryEncryptedValueIsKnown: a member named Sealed of any row is encrypted
// anew with it.
func TestEveryEncryptedValueIsKnown(t *testing.T) {
	for _, v := range []any{&whole{}, &claim{}, &number{}, &store.Request{}, &store.Intent{}, &store.Person{}, &store.Client{}, &usedEvidence{},
		&store.SealKey{}, &start{}, &store.Ceremony{}, &store.Code{}, &mark{}, &store.FreezeCode{}, &store.Message{}, &shared{}, &store.Resealing{},
		&store.Conflict{}, &store.PersonChange{}} {
		known := map[*[]byte]bool{}
		for _, in := range innerOf(v) {
			known[in.sealed] = true
		}
		for _, found := range sealedIn(reflect.ValueOf(v).Elem()) {
			if !known[found] {
				t.Errorf("%T has an encrypted value that would stay under an old key", v)
			}
			delete(known, found)
		}
		if len(known) > 0 {
			t.Errorf("%T: values that are no member named Sealed", v)
		}
	}
}

// sealedIn finds the members named Sealed.
func sealedIn(v reflect.Value) (all []*[]byte) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch p, ok := f.Addr().Interface().(*[]byte); {
		case ok && v.Type().Field(i).Name == "Sealed":
			all = append(all, p)
		case f.Kind() == reflect.Struct && f.NumField() > 0 && f.Type().Field(0).IsExported():
			all = append(all, sealedIn(f)...)
		}
	}
	return all
}
