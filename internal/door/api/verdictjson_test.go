package api

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// TestVerdictsAreWrittenAsJSON: what AppendJSON writes is what encoding/json would write, of an
// empty answer, of each member alone and of all of them together.
func TestVerdictsAreWrittenAsJSON(t *testing.T) {
	at := time.Date(2026, 4, 1, 8, 9, 10, 120_000_000, time.UTC)
	n := 3
	fill := func(f reflect.Value, text string) {
		switch f.Interface().(type) {
		case string:
			f.SetString(text)
		case bool:
			f.SetBool(true)
		case *int:
			f.Set(reflect.ValueOf(&n))
		case time.Time:
			f.Set(reflect.ValueOf(at))
		case *time.Time:
			f.Set(reflect.ValueOf(&at))
		default:
			t.Fatalf("a member of type %s: write it in AppendJSON", f.Type())
		}
	}
	check := func(v verificationView) {
		t.Helper()
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.AppendJSON(nil); err != nil || string(got) != string(want) {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
	check(verificationView{})
	for _, text := range []string{"a", `q"\`, "<&>", "\x00\x1f\x7f", "社保", "\u2028", "\xff"} {
		var all verificationView
		for i := range reflect.TypeFor[verificationView]().NumField() {
			var one verificationView
			fill(reflect.ValueOf(&one).Elem().Field(i), text)
			fill(reflect.ValueOf(&all).Elem().Field(i), text)
			check(one)
		}
		check(all)
	}
	if _, err := (verificationView{At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}).AppendJSON(nil); err == nil {
		t.Error("a time that JSON has no form for was written")
	}
}
