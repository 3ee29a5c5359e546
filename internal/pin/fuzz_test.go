package pin

import (
	"bytes"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/liuma-pin/liuma/internal/written"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"495172", "", "correct horse", "cafe\u0301 au lait", "春眠不觉\u3000晓处处", "pass\xffword", "\ufeffpassword", "a\u0315\u0300\u05ae\u0062bcdefg"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, typed []byte, passphrase bool) {
		digits := sixDigits(typed)
		secret := bytes.Clone(typed)
		p, err := Parse(secret, passphrase)
		if !bytes.Equal(secret, make([]byte, len(secret))) {
			t.Fatal("what was typed was not wiped")
		}
		if passphrase && utf8.Valid(typed) {
			digits = sixDigits(written.Passphrase(typed))
		}
		if digits && len(typed) <= maxTyped && err != nil || !passphrase && (err == nil) != digits {
			t.Fatalf("six digits: %v, error %v", digits, err)
		}
		if err != nil {
			if !p.IsZero() {
				t.Fatal("an error and a PIN")
			}
			return
		}
		var held []byte
		if err := p.Use(func(b []byte) error { held = bytes.Clone(b); return nil }); err != nil {
			t.Fatal(err)
		}
		n := utf8.RuneCount(held)
		if !utf8.Valid(held) || len(held) > MaxBytes || !digits && (n < MinPassphrase || n > MaxPassphrase) {
			t.Fatalf("took %d characters in %d bytes", n, len(held))
		}
		if digits == p.Passphrase() {
			t.Fatal("six digits and passphrase mixed up")
		}
		again, err := Parse(held, passphrase)
		if err != nil || !again.Equal(p) {
			t.Fatalf("not the same when typed again: %v", err)
		}
	})
}

func FuzzJudge(f *testing.F) {
	f.Add([]byte("850703"), "330501198503070016", "13957268140", "K40582917", []byte("495172"))
	f.Add([]byte("生于1985年3月7日啊"), "33050119850307001x", "+86 139-5726", "６２１７", []byte("four words"))
	f.Add([]byte("ȺȺȺȺȺȺȺȺ"), "", "", "", []byte{})
	f.Add([]byte("ﷺﷺﷺﷺﷺﷺﷺﷺ"), "#", "\xff", "4951", []byte("111111"))
	j := newJudge(f, NationalRules())
	f.Fuzz(func(t *testing.T, typed []byte, id, phone, card string, old []byte) {
		p, err := Parse(typed, true)
		if err != nil {
			return
		}
		var current *PIN
		if q, err := Parse(old, true); err == nil {
			current = &q
		}
		facts := Facts{IDNumber: id, Phone: phone, CardNo: card}
		got := rulesOf(j.Check(p, facts, current))
		if !slices.Equal(got, rulesOf(j.Check(p, facts, current))) {
			t.Fatal("a second look gives something else")
		}
		without := rulesOf(j.Check(p, Facts{}, nil))
		if len(got) < len(without) {
			t.Fatalf("%v with facts, %v without", got, without)
		}
		last := -1
		for _, r := range got {
			at := slices.Index(append(order(), RuleNearCommon), r)
			if at <= last {
				t.Fatalf("out of order: %v", got)
			}
			last = at
		}
		if current != nil && slices.Contains(got, RuleCurrent) != p.Equal(*current) {
			t.Fatal("current is off")
		}
	})
}
