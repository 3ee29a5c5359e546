package envelope

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func wireExample(t testing.TB) (Envelope, []byte) {
	t.Helper()
	_, public := newKey(t)
	e, err := Seal(public, example(), []byte("739146"))
	must(t, err)
	data, err := json.Marshal(e)
	must(t, err)
	return e, data
}

func TestJSONRoundTrip(t *testing.T) {
	e, data := wireExample(t)
	var got Envelope
	must(t, json.Unmarshal(data, &got))
	if !reflect.DeepEqual(got, e) {
		t.Error("another envelope came back")
	}
	// As a member of a larger document, too.
	var doc struct{ New Envelope }
	must(t, json.Unmarshal([]byte(`{"new":`+string(data)+`}`), &doc))
	if !reflect.DeepEqual(doc.New, e) {
		t.Error("another envelope came back from a member")
	}
}

func TestJSONIsStrict(t *testing.T) {
	_, data := wireExample(t)
	good := string(data)
	kid, enc, ct := func() (string, string, string) {
		var e Envelope
		must(t, json.Unmarshal(data, &e))
		return e.Encode()
	}()
	object := func(kid, enc, ct string) string {
		return `{"kid":"` + kid + `","enc":"` + enc + `","ct":"` + ct + `"}`
	}
	if object(kid, enc, ct) != good {
		t.Fatalf("members are not where this test expects them: %s", good)
	}
	// The last character of 65 bytes carries four bits that must be zero. So a
	// lax decoder would decode some neighbouring character to the same bytes.
	loose := enc[:len(enc)-1] + string(enc[len(enc)-1]+1)
	for name, doc := range map[string]string{
		"null":               `null`,
		"array":              `[]`,
		"string":             `"x"`,
		"empty":              `{}`,
		"missing ct":         `{"kid":"` + kid + `","enc":"` + enc + `"}`,
		"unknown member":     strings.Replace(good, `{`, `{"alg":"x",`, 1),
		"repeated member":    strings.Replace(good, `{`, `{"kid":"`+kid+`",`, 1),
		"upper-case member":  strings.Replace(good, `"kid"`, `"KID"`, 1),
		"number":             strings.Replace(good, `"`+kid+`"`, `1`, 1),
		"null member":        strings.Replace(good, `"`+kid+`"`, `null`, 1),
		"nested":             strings.Replace(good, `"`+kid+`"`, `{"a":"b"}`, 1),
		"kid empty":          object("", enc, ct),
		"kid long":           object(strings.Repeat("a", 65), enc, ct),
		"kid with a dot":     object("a.b", enc, ct),
		"enc short":          object(kid, enc[1:], ct),
		"enc padded":         object(kid, enc+"=", ct),
		"enc standard":       object(kid, strings.Repeat("+", len(enc)), ct),
		"enc loose bits":     object(kid, loose, ct),
		"enc with a newline": object(kid, `\n`+enc[1:], ct),
		"ct short":           object(kid, enc, ct[4:]),
		"ct long":            object(kid, enc, ct+"AAAA"),
		"ct with a newline":  object(kid, enc, ct[:len(ct)-1]+`\n`),
	} {
		var e Envelope
		err := e.UnmarshalJSON([]byte(doc))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantInvalid(t, err)
		if !reflect.DeepEqual(e, Envelope{}) {
			t.Errorf("%s: envelope was changed", name)
		}
	}
	var e Envelope
	wantInvalid(t, e.UnmarshalJSON([]byte(good+good)))
}

func FuzzJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Envelope
		if err := e.UnmarshalJSON(data); err != nil {
			wantInvalid(t, err)
			return
		}
		again, err := json.Marshal(e)
		must(t, err)
		var back Envelope
		must(t, back.UnmarshalJSON(again))
		if !reflect.DeepEqual(e, back) {
			t.Error("an accepted envelope does not survive its own encoding")
		}
	})
}

func FuzzUnpad(f *testing.F) {
	f.Fuzz(func(t *testing.T, plain []byte) {
		secret, err := unpad(plain)
		if err != nil {
			return
		}
		again, err := pad(secret)
		must(t, err)
		if !bytes.Equal(again, plain) {
			t.Errorf("a secret has two padded forms")
		}
	})
}
