package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
)

const issuer = "https://pin.example"

func receipt() Receipt {
	return Receipt{
		ID: "r-0001", Issuer: issuer, Channel: "zj-hrss", Subject: strings.Repeat("a", 32), Card: strings.Repeat("b", 32),
		BusinessNo: "20260401-000017", Action: liuma.ActionVerify, PurposeHash: [32]byte{1, 2, 31: 9},
		ACR: "liuma:pin", AMR: []string{"pin"}, PINAge: 12, PhoneAge: new(0), IssuedAt: now(), Expires: now().Add(minute),
	}
}

func TestReceiptRoundTrip(t *testing.T) {
	v := newTestVault(t)
	r := receipt()
	token, err := v.SignReceipt(r)
	must(t, err)
	r.IssuedAt = r.IssuedAt.Add(-issuedBack)
	for _, at := range []time.Time{now(), now().Add(minute - 1), r.IssuedAt.Add(-maxAhead)} {
		got, err := ParseReceipt(token, v.ReceiptKeys(), issuer, "zj-hrss", at)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("at %v: %+v, %v", at, got, err)
		}
	}
}

// Cut to seconds, a receipt must not live longer than it was given.
func TestReceiptTimesAreCut(t *testing.T) {
	v := newTestVault(t)
	r := receipt()
	r.IssuedAt, r.Expires = r.IssuedAt.Add(900*time.Millisecond), r.Expires.Add(900*time.Millisecond)
	token, err := v.SignReceipt(r)
	must(t, err)
	_, err = ParseReceipt(token, v.ReceiptKeys(), issuer, "zj-hrss", r.Expires)
	wantCode(t, err, liuma.CodeReceiptInvalid)
}

func TestReceiptKeysArePublic(t *testing.T) {
	keys := newTestVault(t).ReceiptKeys()
	if len(keys.Keys) != 1 || !keys.Keys[0].IsPublic() {
		t.Fatalf("keys %+v", keys)
	}
	k := keys.Keys[0]
	thumbprint, err := (&jose.JSONWebKey{Key: k.Key}).Thumbprint(crypto.SHA256)
	must(t, err)
	if want := base64.RawURLEncoding.EncodeToString(thumbprint)[:20]; !strings.HasPrefix(k.KeyID, want) || len(k.KeyID) != 22 {
		t.Errorf("kid %q is not the thumbprint's beginning, %q", k.KeyID, want)
	}
	data, err := json.Marshal(keys)
	must(t, err)
	if strings.Contains(string(data), `"d"`) {
		t.Error("the private key is published")
	}
	var back jose.JSONWebKeySet
	must(t, json.Unmarshal(data, &back))
}

func TestSignReceiptRefusesWhatCannotBeParsed(t *testing.T) {
	v := newTestVault(t)
	for name, change := range map[string]func(*Receipt){
		"no id":              func(r *Receipt) { r.ID = "" },
		"no issuer":          func(r *Receipt) { r.Issuer = "" },
		"no channel":         func(r *Receipt) { r.Channel = "" },
		"no subject":         func(r *Receipt) { r.Subject = "" },
		"no card":            func(r *Receipt) { r.Card = "" },
		"no business number": func(r *Receipt) { r.BusinessNo = "" },
		"unknown action":     func(r *Receipt) { r.Action = "other" },
		"no acr":             func(r *Receipt) { r.ACR = "" },
		"no amr":             func(r *Receipt) { r.AMR = nil },
		"a PIN of tomorrow":  func(r *Receipt) { r.PINAge = -1 },
		"a phone of then":    func(r *Receipt) { r.PhoneAge = new(-1) },
		"no times":           func(r *Receipt) { r.IssuedAt, r.Expires = time.Time{}, time.Time{} },
		"ends at once":       func(r *Receipt) { r.Expires = r.IssuedAt },
	} {
		r := receipt()
		change(&r)
		if _, err := v.SignReceipt(r); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func TestParseReceiptRefuses(t *testing.T) {
	v, other := newTestVault(t), newTestVault(t)
	keys := v.ReceiptKeys()
	token, err := v.SignReceipt(receipt())
	must(t, err)
	foreign, err := other.SignReceipt(receipt())
	must(t, err)
	parts := strings.Split(token, ".")
	for name, c := range map[string]struct {
		token   string
		keys    jose.JSONWebKeySet
		issuer  string
		channel liuma.ChannelID
		at      time.Time
	}{
		"another issuer":   {token, keys, "https://other.example", "zj-hrss", now()},
		"another channel":  {token, keys, issuer, "js-hrss", now()},
		"at its end":       {token, keys, issuer, "zj-hrss", now().Add(minute)},
		"from the future":  {token, keys, issuer, "zj-hrss", now().Add(-issuedBack - maxAhead - time.Second)},
		"no keys":          {token, jose.JSONWebKeySet{}, issuer, "zj-hrss", now()},
		"another's keys":   {token, other.ReceiptKeys(), issuer, "zj-hrss", now()},
		"another's":        {foreign, keys, issuer, "zj-hrss", now()},
		"empty":            {"", keys, issuer, "zj-hrss", now()},
		"long":             {token + strings.Repeat("A", maxReceipt), keys, issuer, "zj-hrss", now()},
		"signature gone":   {parts[0] + "." + parts[1] + ".", keys, issuer, "zj-hrss", now()},
		"mixed signature":  {parts[0] + "." + parts[1] + "." + strings.Split(foreign, ".")[2], keys, issuer, "zj-hrss", now()},
		"payload of other": {parts[0] + "." + strings.Split(foreign, ".")[1][:40] + "." + parts[2], keys, issuer, "zj-hrss", now()},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ParseReceipt(c.token, c.keys, c.issuer, c.channel, c.at)
			wantCode(t, err, liuma.CodeReceiptInvalid)
			if !reflect.DeepEqual(r, Receipt{}) {
				t.Errorf("a receipt beside the error: %+v", r)
			}
		})
	}
}

// forge signs claims with a key of the test, in any header.
func forge(t *testing.T, alg jose.SignatureAlgorithm, key any, typ string, payload []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	must(t, err)
	jws, err := signer.Sign(payload)
	must(t, err)
	token, err := jws.CompactSerialize()
	must(t, err)
	return token
}

func TestParseReceiptIsStrict(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	public, err := key.PublicKey.Bytes()
	must(t, err)
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}}
	good := map[string]any{
		"iss": issuer, "aud": "zj-hrss", "sub": strings.Repeat("a", 32), "card": strings.Repeat("b", 32), "jti": "r-1",
		"iat": now().Unix(), "exp": now().Add(minute).Unix(), "business_no": "b-1", "action": "verify",
		"purpose_hash": base64.RawURLEncoding.EncodeToString(make([]byte, 32)), "acr": "x", "amr": []string{"pin"},
	}
	payload := func(change func(map[string]any)) []byte {
		c := make(map[string]any)
		for k, v := range good {
			c[k] = v
		}
		change(c)
		data, err := json.Marshal(c)
		must(t, err)
		return data
	}
	named := jose.JSONWebKey{Key: key, KeyID: "k"}
	same := payload(func(map[string]any) {})
	if _, err := ParseReceipt(forge(t, jose.ES256, named, receiptType, same), keys, issuer, "zj-hrss", now()); err != nil {
		t.Fatalf("the receipt that the others differ from: %v", err)
	}
	tokens := map[string]string{
		"HS256":        forge(t, jose.HS256, jose.JSONWebKey{Key: public, KeyID: "k"}, receiptType, same),
		"no kid":       forge(t, jose.ES256, key, receiptType, same),
		"other type":   forge(t, jose.ES256, named, "JWT", same),
		"unknown":      forge(t, jose.ES256, named, receiptType, payload(func(c map[string]any) { c["admin"] = true })),
		"two audience": forge(t, jose.ES256, named, receiptType, payload(func(c map[string]any) { c["aud"] = []string{"zj-hrss", "x"} })),
		"short hash":   forge(t, jose.ES256, named, receiptType, payload(func(c map[string]any) { c["purpose_hash"] = "AAAA" })),
		"two objects":  forge(t, jose.ES256, named, receiptType, append(append([]byte{}, same...), same...)),
		"alg none": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k","typ":"`+receiptType+`"}`)) + "." +
			base64.RawURLEncoding.EncodeToString(same) + ".",
	}
	for claim := range good {
		tokens["without "+claim] = forge(t, jose.ES256, named, receiptType, payload(func(c map[string]any) { delete(c, claim) }))
	}
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) {
			_, err := ParseReceipt(token, keys, issuer, "zj-hrss", now())
			wantCode(t, err, liuma.CodeReceiptInvalid)
		})
	}
	twice := jose.JSONWebKeySet{Keys: append(keys.Keys, keys.Keys...)}
	_, err = ParseReceipt(forge(t, jose.ES256, named, receiptType, same), twice, issuer, "zj-hrss", now())
	wantCode(t, err, liuma.CodeReceiptInvalid)
}

func BenchmarkSignReceipt(b *testing.B) {
	v := newTestVault(b)
	for b.Loop() {
		_, err := v.SignReceipt(receipt())
		must(b, err)
	}
}

// Clients compare receipts as text, and a repetition has to give the same one: claims
// are written as encoding/json writes them.
func TestClaimsAreWrittenAsJSON(t *testing.T) {
	for _, text := range []string{"a", `q"\`, "<&>", "\x00\x1f\x7f", "社保", "\u2028", "\xff"} {
		c := claims{Issuer: text, Audience: text, Subject: text, Card: text, ID: text, IssuedAt: 1, Expires: 1 << 40,
			BusinessNo: text, Action: text, PurposeHash: text, ACR: text, AMR: []string{text, "pin"}, PINAge: 7, PhoneAge: new(0)}
		want, err := json.Marshal(c)
		must(t, err)
		if got, err := c.appendJSON(nil); err != nil || string(got) != string(want) {
			t.Errorf("%q, %v\nwant %q", got, err, want)
		}
	}
}

// A key in the process signs what jose would have signed with it.
func TestSignedAsByJose(t *testing.T) {
	v := newTestVault(t)
	for _, s := range []signer{v.signing.Load().receipts, v.signing.Load().idTokens, v.signing.Load().digests, v.signing.Load().archives} {
		ours, err := v.sign(s, []byte(`{"a":1}`))
		must(t, err)
		theirs, err := s.byJose([]byte(`{"a":1}`))
		must(t, err)
		if cut := strings.LastIndex(ours, "."); ours[:cut] != theirs[:strings.LastIndex(theirs, ".")] {
			t.Errorf("%s\nwant %s", ours, theirs)
		}
		jws, err := jose.ParseSignedCompact(ours, []jose.SignatureAlgorithm{jose.ES256})
		must(t, err)
		if _, err := jws.Verify(v.signing.Load().public[0].Key); err != nil {
			t.Error(err)
		}
	}
}
