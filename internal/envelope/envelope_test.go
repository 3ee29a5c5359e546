package envelope

import (
	"bytes"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

// example has no empty member and no two equal ones.
func example() Binding {
	return Binding{
		Channel: "zj-hrss",
		Action:  liuma.ActionChange,
		Role:    liuma.RoleOld,
		Subject: Subject{
			Card:     "mzxw6ytboi2dknrxgezdgnbvgy3tqojq",
			IDNumber: "11010519491231002X",
			Name:     "王秀英",
			Phone:    "13800138000",
		},
		BusinessNo:  "20260401-000017",
		PurposeHash: PurposeHash("查询社保缴费年限"),
		SealKeyID:   "Zk3v9Qm2T4uJ8sXc1BnRyA",
		Challenge:   "AAECAwQFBgcICQoLDA0ODwAAAZcAAAAAEBESExQVFhcYGRobHB0eHw",
	}
}

func newKey(t testing.TB) (hpke.PrivateKey, []byte) {
	t.Helper()
	scalar, public, err := GenerateKey()
	must(t, err)
	if len(scalar) != PrivateSize || len(public) != PublicSize {
		t.Fatalf("key sizes %d, %d", len(scalar), len(public))
	}
	private, err := ParsePrivate(scalar)
	must(t, err)
	return private, public
}

func wantInvalid(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*liuma.Error](err); !ok || e.Code != liuma.CodeEnvelopeInvalid {
		t.Errorf("error %v, want %s", err, liuma.CodeEnvelopeInvalid)
	}
}

func TestSealThenOpen(t *testing.T) {
	private, public := newKey(t)
	for _, secret := range []string{"8", "739146", "correct horse 电池", strings.Repeat("p", MaxSecret)} {
		e, err := Seal(public, example(), []byte(secret))
		must(t, err)
		if len(e.Enc) != EncSize || len(e.Ciphertext) != CiphertextSize {
			t.Errorf("%d-byte secret: sizes %d, %d", len(secret), len(e.Enc), len(e.Ciphertext))
		}
		got, err := Open(private, example(), e)
		if err != nil || string(got) != secret {
			t.Errorf("%d-byte secret: %q, %v", len(secret), got, err)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	_, public := newKey(t)
	compressed := append([]byte{2}, public[1:33]...)
	offCurve := bytes.Clone(public)
	offCurve[64] ^= 1
	badID := example()
	badID.SealKeyID = "no spaces"
	for _, c := range []struct {
		name   string
		public []byte
		b      Binding
		secret string
	}{
		{"empty secret", public, example(), ""},
		{"secret too long", public, example(), strings.Repeat("p", MaxSecret+1)},
		{"compressed key", compressed, example(), "739146"},
		{"identity", []byte{0}, example(), "739146"},
		{"point off the curve", offCurve, example(), "739146"},
		{"no key", nil, example(), "739146"},
		{"key id", public, badID, "739146"},
	} {
		if _, err := Seal(c.public, c.b, []byte(c.secret)); err == nil {
			t.Errorf("%s: sealed", c.name)
		}
	}
}

// members has a function for each leaf of a Binding that changes this leaf
// alone.
func members() map[string]func(*Binding) {
	return map[string]func(*Binding){
		"Channel":          func(b *Binding) { b.Channel = "js-hrss" },
		"Action":           func(b *Binding) { b.Action = liuma.ActionVerify },
		"Role":             func(b *Binding) { b.Role = liuma.RoleNew },
		"Subject.Card":     func(b *Binding) { b.Subject.Card = strings.Repeat("a", 32) },
		"Subject.IDNumber": func(b *Binding) { b.Subject.IDNumber = "11010519491231002x" }, // same number, other spelling
		"Subject.Name":     func(b *Binding) { b.Subject.Name = "王秀英 " },
		"Subject.Phone":    func(b *Binding) { b.Subject.Phone = "" },
		"BusinessNo":       func(b *Binding) { b.BusinessNo = "20260401-000018" },
		"PurposeHash":      func(b *Binding) { b.PurposeHash[31] ^= 1 },
		"SealKeyID":        func(b *Binding) { b.SealKeyID = "Zk3v9Qm2T4uJ8sXc1BnRyB" },
		"Challenge":        func(b *Binding) { b.Challenge = b.Challenge[:53] + "x" },
	}
}

func leaves(typ reflect.Type, prefix string) []string {
	var names []string
	for f := range typ.Fields() {
		if f.Type.Kind() == reflect.Struct {
			names = append(names, leaves(f.Type, prefix+f.Name+".")...)
			continue
		}
		names = append(names, prefix+f.Name)
	}
	return names
}

func TestEveryMemberOfTheBindingCounts(t *testing.T) {
	private, public := newKey(t)
	sealed, err := Seal(public, example(), []byte("739146"))
	must(t, err)
	changes := members()
	names := leaves(reflect.TypeFor[Binding](), "")
	if len(names) != len(changes) {
		t.Fatalf("Binding has %d members, the table has %d", len(names), len(changes))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			b := example()
			changes[name](&b)
			if reflect.DeepEqual(b, example()) {
				t.Fatal("the change changes nothing")
			}
			if bytes.Equal(b.AAD(), example().AAD()) {
				t.Error("AAD is the same")
			}
			_, err := Open(private, b, sealed)
			wantInvalid(t, err)
			// A forger who also renames the key in the envelope is refused as
			// well.
			forged := sealed
			forged.SealKeyID = b.SealKeyID
			_, err = Open(private, b, forged)
			wantInvalid(t, err)
		})
	}
}

// Bytes that move from one member to its neighbour make another binding.
func TestAADIsInjectiveAcrossNeighbours(t *testing.T) {
	a, b := example(), example()
	a.Subject.IDNumber, a.Subject.Name = "AB", "C"
	b.Subject.IDNumber, b.Subject.Name = "A", "BC"
	if bytes.Equal(a.AAD(), b.AAD()) {
		t.Error("two bindings share one AAD")
	}
}

func TestEnvelopesDoNotServeElsewhere(t *testing.T) {
	private, public := newKey(t)
	otherPrivate, _ := newKey(t)
	oldPIN, newPIN := example(), example()
	newPIN.Role = liuma.RoleNew
	eOld, err := Seal(public, oldPIN, []byte("739146"))
	must(t, err)
	eNew, err := Seal(public, newPIN, []byte("295037"))
	must(t, err)

	_, err = Open(private, newPIN, eOld)
	wantInvalid(t, err)
	_, err = Open(private, oldPIN, eNew)
	wantInvalid(t, err)
	_, err = Open(otherPrivate, oldPIN, eOld)
	wantInvalid(t, err)
	mixed := eOld
	mixed.Ciphertext = eNew.Ciphertext
	_, err = Open(private, newPIN, mixed)
	wantInvalid(t, err)
}

func TestOpenRefusesDamage(t *testing.T) {
	private, public := newKey(t)
	sealed, err := Seal(public, example(), []byte("739146"))
	must(t, err)
	for name, damage := range map[string]func(*Envelope){
		"enc bit":          func(e *Envelope) { e.Enc = flip(e.Enc, 40) },
		"enc compressed":   func(e *Envelope) { e.Enc = append([]byte{2}, e.Enc[1:33]...) },
		"enc identity":     func(e *Envelope) { e.Enc = make([]byte, EncSize) },
		"enc empty":        func(e *Envelope) { e.Enc = nil },
		"ciphertext bit":   func(e *Envelope) { e.Ciphertext = flip(e.Ciphertext, 0) },
		"tag bit":          func(e *Envelope) { e.Ciphertext = flip(e.Ciphertext, CiphertextSize-1) },
		"ciphertext short": func(e *Envelope) { e.Ciphertext = e.Ciphertext[:CiphertextSize-1] },
		"ciphertext long":  func(e *Envelope) { e.Ciphertext = append(bytes.Clone(e.Ciphertext), 0) },
		"ciphertext empty": func(e *Envelope) { e.Ciphertext = nil },
		"key id empty":     func(e *Envelope) { e.SealKeyID = "" },
	} {
		e := sealed
		damage(&e)
		if _, err := Open(private, example(), e); err == nil {
			t.Errorf("%s: opened", name)
		} else {
			wantInvalid(t, err)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// A sender that pads differently is refused although its encryption is right.
func TestOpenRefusesOtherPadding(t *testing.T) {
	private, public := newKey(t)
	good, err := pad([]byte("739146"))
	must(t, err)
	_, err = Open(private, example(), sealRaw(t, public, example(), good))
	must(t, err)
	for name, plain := range map[string][]byte{
		"byte after the secret": flip(good, prefix+6),
		"last byte":             flip(good, PlainSize-1),
		"length zero":           make([]byte, PlainSize),
		"length past the end":   append([]byte{0, MaxSecret + 1}, good[prefix:]...),
		"length far past":       append([]byte{0xff, 0xff}, good[prefix:]...),
	} {
		_, err := Open(private, example(), sealRaw(t, public, example(), plain))
		if err == nil {
			t.Errorf("%s: opened", name)
			continue
		}
		wantInvalid(t, err)
		if !errors.Is(err, errPadding) {
			t.Errorf("%s: %v, want the padding to be refused", name, err)
		}
	}
}

func sealRaw(t *testing.T, public []byte, b Binding, plain []byte) Envelope {
	t.Helper()
	key, err := kem().NewPublicKey(public)
	must(t, err)
	enc, s, err := hpke.NewSender(key, hpke.HKDFSHA256(), hpke.AES128GCM(), []byte(label))
	must(t, err)
	ct, err := s.Seal(b.AAD(), plain)
	must(t, err)
	return Envelope{SealKeyID: b.SealKeyID, Enc: enc, Ciphertext: ct}
}

func TestSubjectPrintsRedacted(t *testing.T) {
	b := example()
	secrets := []string{b.Subject.IDNumber, b.Subject.Name, b.Subject.Phone, b.Subject.Card,
		fmt.Sprintf("%x", b.Subject.Name), fmt.Sprintf("%X", b.Subject.Phone)}
	var out strings.Builder
	for _, v := range []any{b, &b, b.Subject, &b.Subject, []Subject{b.Subject}, map[string]Subject{"a": b.Subject}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	}
	for _, s := range secrets {
		if strings.Contains(out.String(), s) {
			t.Errorf("output holds %q", s)
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed at all")
	}
	if _, err := json.Marshal(b.Subject); err == nil {
		t.Error("a subject was written as JSON")
	}
}
