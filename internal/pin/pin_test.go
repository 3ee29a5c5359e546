package pin

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

const canary = "495172"

func mustPIN(t testing.TB, s string) PIN {
	t.Helper()
	p, err := Parse([]byte(s), len(s) != Digits)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return p
}

// leaks reports every way in which the canary could show: as text, as
// hexadecimal, as decimal or octal bytes.
func leaks(out string) bool {
	b := []byte(canary)
	lower := strings.ToLower(out)
	for _, form := range []string{
		canary,
		fmt.Sprintf("%x", b), fmt.Sprintf("% x", b), fmt.Sprintf("%#v", b),
		strings.Trim(fmt.Sprintf("%d", b), "[]"), strings.Trim(fmt.Sprintf("%o", b), "[]"),
		strings.Trim(fmt.Sprintf("%U", b), "[]"), strings.Trim(fmt.Sprintf("%c", b), "[]"),
		strings.Trim(fmt.Sprintf("%b", b), "[]"), strings.Trim(fmt.Sprintf("%q", b), `"`),
		"0x34, 0x39, 0x35", "52,57,53",
	} {
		if strings.Contains(lower, strings.ToLower(form)) {
			return true
		}
	}
	return false
}

type exported struct{ PIN PIN }
type pointed struct{ PIN *PIN }
type hidden struct{ pin PIN }
type hiddenPointer struct{ pin *PIN }
type deep struct {
	inner hidden
	list  []hidden
	named map[string]PIN
	any   any
}

func carriers(p PIN) map[string]any {
	return map[string]any{
		"value": p, "pointer": &p,
		"exported": exported{p}, "pointer to exported": &exported{p},
		"exported pointer": pointed{&p}, "hidden": hidden{p}, "pointer to hidden": &hidden{p},
		"hidden pointer": hiddenPointer{&p}, "pointer to hidden pointer": &hiddenPointer{&p},
		"slice": []PIN{p, p}, "array": [2]PIN{p}, "map": map[string]PIN{"k": p},
		"slice of hidden": []hidden{{p}}, "map of hidden": map[string]*hidden{"k": {p}},
		"deep":         &deep{hidden{p}, []hidden{{p}}, map[string]PIN{"k": p}, p},
		"reflected":    reflect.ValueOf(hidden{p}),
		"hidden field": reflect.ValueOf(hidden{p}).Field(0),
	}
}

func TestPINPrintsNothingUnderAnyVerb(t *testing.T) {
	p := mustPIN(t, canary)
	verbs := "vTtbcdoOqxXUeEfFgGspw"
	flags := []string{"", "+", "#", " ", "0", "-", "+#", "# ", "10", "10.2", ".3"}
	for name, c := range carriers(p) {
		for _, verb := range verbs {
			for _, flag := range flags {
				format := "%" + flag + string(verb)
				if out := fmt.Sprintf(format, c); leaks(out) {
					t.Errorf("%s under %q prints %s", name, format, out)
				}
				if out := fmt.Errorf(format, c).Error(); leaks(out) { //nolint:govet // formats are the test
					t.Errorf("%s in an error under %q prints %s", name, format, out)
				}
			}
		}
		if out := fmt.Sprint(c) + fmt.Sprintln(c); leaks(out) {
			t.Errorf("%s prints %s", name, out)
		}
	}
	for _, verb := range "vdoxXsqcUbeg" {
		if out := fmt.Sprintf("%"+string(verb), p); out != redacted {
			t.Errorf("%%%c prints %q, want %q", verb, out, redacted)
		}
	}
	if p.String() != redacted || p.GoString() != redacted {
		t.Error("String or GoString does not redact")
	}
}

func TestLeaksIsSharp(t *testing.T) {
	// The table above proves only as much as leaks can see, so leaks is tested
	// as well.
	b := []byte(canary)
	for _, out := range []string{
		canary, fmt.Sprintf("%v", b), fmt.Sprintf("%x", canary), fmt.Sprintf("%X", b), fmt.Sprintf("%#v", b),
		fmt.Sprintf("%+v", struct{ b []byte }{b}), fmt.Sprintf("%#v", [6]byte(b)), fmt.Sprintf("%c", b),
	} {
		if !leaks(out) {
			t.Errorf("a leak went unseen: %s", out)
		}
	}
}

func TestPINIsOutOfReachOfReflection(t *testing.T) {
	p := mustPIN(t, canary)
	typ := reflect.TypeFor[PIN]()
	for i := range typ.NumField() {
		if k := typ.Field(i).Type.Kind(); k != reflect.Func {
			t.Errorf("field %s is a %v: fmt can look into it", typ.Field(i).Name, k)
		}
	}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&p)), unsafe.Sizeof(p))
	if bytes.Contains(raw, []byte(canary)) {
		t.Error("the value itself holds the digits")
	}
	if typ.Comparable() {
		t.Error("PIN can be compared with ==, which is neither equality nor constant time")
	}
}

func TestPINEncodesToNothing(t *testing.T) {
	p := mustPIN(t, canary)
	for name, c := range carriers(p) {
		if strings.HasPrefix(name, "reflected") || name == "hidden field" {
			continue // reflect.Value is not for encoders
		}
		if out, err := json.Marshal(c); err != nil || leaks(string(out)) {
			t.Errorf("JSON of %s: %s, %v", name, out, err)
		}
		if out, err := xml.Marshal(c); leaks(string(out)) {
			t.Errorf("XML of %s: %s, %v", name, out, err)
		}
		var buf bytes.Buffer
		err := gob.NewEncoder(&buf).Encode(c)
		if leaks(buf.String()) || err != nil && leaks(err.Error()) {
			t.Errorf("gob of %s leaks", name)
		}
	}
	if out, err := json.Marshal(exported{p}); err != nil || string(out) != `{"PIN":"••••••"}` {
		t.Errorf("JSON: %s, %v", out, err)
	}
	if json.Unmarshal([]byte(`{"PIN":"495172"}`), &exported{}) == nil {
		t.Error("a PIN was read past Parse")
	}
}

func TestPINLogsAsNothing(t *testing.T) {
	p := mustPIN(t, canary)
	var buf bytes.Buffer
	for _, h := range []slog.Handler{
		slog.NewTextHandler(&buf, nil), slog.NewJSONHandler(&buf, nil),
	} {
		log := slog.New(h).With("with", p)
		for name, c := range carriers(p) {
			log.Info(name, "c", c, slog.Group("g", "c", c))
		}
		log.Info("pin", "pin", p, "err", fmt.Errorf("about %v", p))
	}
	if leaks(buf.String()) {
		t.Errorf("logged: %s", buf.String())
	}
	if !strings.Contains(buf.String(), redacted) {
		t.Error("nothing was logged")
	}
}

func TestFactsPrintNothing(t *testing.T) {
	f := Facts{IDNumber: canary, Phone: canary, CardNo: canary}
	for _, c := range []any{f, &f, struct{ F Facts }{f}, []Facts{f}, map[string]Facts{"k": f}} {
		for _, verb := range "vsqxXd" {
			for _, flag := range []string{"", "+", "#"} {
				if out := fmt.Sprintf("%"+flag+string(verb), c); leaks(out) {
					t.Errorf("%T under %%%s%c prints %s", c, flag, verb, out)
				}
			}
		}
		if out, err := json.Marshal(c); err != nil || leaks(string(out)) {
			t.Errorf("JSON of %T: %s, %v", c, out, err)
		}
		var buf bytes.Buffer
		slog.New(slog.NewTextHandler(&buf, nil)).Info("f", "f", c)
		slog.New(slog.NewJSONHandler(&buf, nil)).Info("f", "f", c)
		if leaks(buf.String()) {
			t.Errorf("logged: %s", buf.String())
		}
	}
}

func TestWipeClearsTheOneMemory(t *testing.T) {
	p := mustPIN(t, canary)
	q := p
	var lent []byte
	if err := p.Use(func(b []byte) error { lent = b; return nil }); err != nil {
		t.Fatal(err)
	}
	if string(lent) != canary || cap(lent) != Digits {
		t.Fatalf("lent %d bytes, capacity %d", len(lent), cap(lent))
	}
	q.Wipe()
	if !bytes.Equal(lent, make([]byte, Digits)) {
		t.Error("the memory still holds the digits")
	}
	for name, x := range map[string]PIN{"copy": p, "wiped": q, "zero": {}} {
		called := false
		if err := x.Use(func([]byte) error { called = true; return nil }); !errors.Is(err, ErrWiped) || called {
			t.Errorf("%s: Use gives %v, called %v", name, err, called)
		}
		x.Wipe()
		if out := fmt.Sprintf("%v %+v %#v %v", x, x, x, hidden{x}); leaks(out) || !strings.Contains(out, redacted) {
			t.Errorf("%s prints %s", name, out)
		}
	}
}

func TestWipeWaitsForTheLastLending(t *testing.T) {
	p := mustPIN(t, canary)
	var lent []byte
	err := p.Use(func(b []byte) error {
		lent = b
		p.Wipe()
		if string(b) != canary {
			t.Error("wiped under the borrower's hands")
		}
		if err := p.Use(func([]byte) error { return nil }); !errors.Is(err, ErrWiped) {
			t.Errorf("lent again after Wipe: %v", err)
		}
		return nil
	})
	if err != nil || !bytes.Equal(lent, make([]byte, Digits)) {
		t.Errorf("after the lending: %v, %d bytes left", err, len(bytes.Trim(lent, "\x00")))
	}
}

func TestUseReturnsAndSurvivesItsBorrower(t *testing.T) {
	p := mustPIN(t, canary)
	want := errors.New("borrower's")
	if err := p.Use(func([]byte) error { return want }); !errors.Is(err, want) {
		t.Errorf("error %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = p.Use(func([]byte) error { panic("borrower") })
	}()
	p.Wipe()
	if b := p.cell().b; !bytes.Equal(b[:], make([]byte, MaxBytes)) {
		t.Error("a panic kept the memory from being wiped")
	}
}

func TestConcurrentUseAndWipe(t *testing.T) {
	p, q := mustPIN(t, canary), mustPIN(t, canary)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range 100 {
				_ = p.Use(func(b []byte) error {
					if string(b) != canary {
						t.Error("lent bytes changed")
					}
					return nil
				})
				p.Equal(q)
			}
			if i == 16 {
				p.Wipe()
			}
		})
	}
	wg.Wait()
	if p.Equal(q) {
		t.Error("a wiped PIN equals one")
	}
}

func TestEqual(t *testing.T) {
	a, b := mustPIN(t, canary), mustPIN(t, canary)
	if !a.Equal(b) || !a.Equal(a) {
		t.Error("equal PINs differ")
	}
	for _, other := range []string{"495173", "595172", "49517249", "495172a!", canary + canary} {
		if o := mustPIN(t, other); a.Equal(o) || o.Equal(a) {
			t.Errorf("different PINs are equal (length %d)", len(other))
		}
	}
	if (PIN{}).Equal(PIN{}) || a.Equal(PIN{}) || (PIN{}).Equal(a) {
		t.Error("the zero PIN equals something")
	}
	b.Wipe()
	if a.Equal(b) || b.Equal(b) {
		t.Error("a wiped PIN equals something")
	}
	if !(PIN{}).IsZero() || a.IsZero() || a.Passphrase() || !mustPIN(t, "correct horse").Passphrase() || (PIN{}).Passphrase() {
		t.Error("IsZero or Passphrase is off")
	}
}
