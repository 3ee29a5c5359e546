package vault

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
)

func idToken() IDToken {
	return IDToken{
		Issuer: issuer, Channel: "zj-hrss", Subject: strings.Repeat("a", 32), Card: strings.Repeat("b", 32), BusinessNo: "20260401-000017",
		Action: liuma.ActionVerify, PurposeHash: [32]byte{1, 2, 31: 9}, ACR: "urn:liuma:acr:pin", AMR: []string{"pin"}, PINAge: 12,
		Nonce: "n-0S6_WzA2Mj", AccessHash: "77QmUPtjPfzWtF2AnpK9RQ",
		AuthTime: now().Add(-time.Second), IssuedAt: now(), Expires: now().Add(minute),
	}
}

func TestIDTokenOnTheWire(t *testing.T) {
	v := newTestVault(t)
	token, err := v.SignIDToken(idToken())
	must(t, err)
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	key := v.ReceiptKeys().Keys[0]
	payload, err := jws.Verify(key.Key)
	must(t, err)
	if h := jws.Signatures[0].Protected; h.KeyID != key.KeyID || h.ExtraHeaders[jose.HeaderType] != "JWT" {
		t.Errorf("header %+v", h)
	}
	var got map[string]any
	must(t, json.Unmarshal(payload, &got))
	want := map[string]any{
		"iss": issuer, "aud": "zj-hrss", "sub": strings.Repeat("a", 32), "liuma_card": strings.Repeat("b", 32), "nonce": "n-0S6_WzA2Mj",
		"exp": float64(now().Unix() + 60), "iat": float64(now().Unix() - 5), "auth_time": float64(now().Unix() - 5), // dated back
		"acr": "urn:liuma:acr:pin", "amr": []any{"pin"}, "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
		"liuma_business_no": "20260401-000017", "liuma_action": "verify",
		"liuma_purpose_hash": base64.RawURLEncoding.EncodeToString(append([]byte{1, 2, 31: 9}, nil...)),
		"pin_age":            float64(12), // and no phone_age: no phone is bound
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims %v, want %v", got, want)
	}
}

func TestSignIDTokenRefusesWhatLacksAMember(t *testing.T) {
	v := newTestVault(t)
	for name, change := range map[string]func(*IDToken){
		"no issuer":          func(r *IDToken) { r.Issuer = "" },
		"no channel":         func(r *IDToken) { r.Channel = "" },
		"no subject":         func(r *IDToken) { r.Subject = "" },
		"no card":            func(r *IDToken) { r.Card = "" },
		"no business number": func(r *IDToken) { r.BusinessNo = "" },
		"unknown action":     func(r *IDToken) { r.Action = "other" },
		"no purpose":         func(r *IDToken) { r.PurposeHash = [32]byte{} },
		"no acr":             func(r *IDToken) { r.ACR = "" },
		"no amr":             func(r *IDToken) { r.AMR = nil },
		"a PIN of tomorrow":  func(r *IDToken) { r.PINAge = -1 },
		"a phone of then":    func(r *IDToken) { r.PhoneAge = new(-1) },
		"no nonce":           func(r *IDToken) { r.Nonce = "" },
		"no at_hash":         func(r *IDToken) { r.AccessHash = "" },
		"no auth_time":       func(r *IDToken) { r.AuthTime = time.Time{} },
		"before the verdict": func(r *IDToken) { r.IssuedAt = r.AuthTime.Add(-time.Second) },
		"ends at once":       func(r *IDToken) { r.Expires = r.IssuedAt },
	} {
		token := idToken()
		change(&token)
		if signed, err := v.SignIDToken(token); err == nil || signed != "" {
			t.Errorf("%s: signed", name)
		}
	}
	must(t, v.Close())
	if _, err := v.SignIDToken(idToken()); err == nil {
		t.Error("a closed vault signs")
	}
}

// One key signs both, so only the content of a token tells a receipt from an ID
// token. Neither may ever pass for the other.
func TestIDTokenIsNoReceipt(t *testing.T) {
	v := newTestVault(t)
	token, err := v.SignIDToken(idToken())
	must(t, err)
	_, err = ParseReceipt(token, v.ReceiptKeys(), issuer, "zj-hrss", now())
	wantCode(t, err, liuma.CodeReceiptInvalid)

	// A token with a receipt's members but an ID token's type is refused as
	// well.
	receiptToken, err := v.SignReceipt(receipt())
	must(t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(receiptToken, ".")[1])
	must(t, err)
	dressed, err := v.sign(v.signing.Load().idTokens, payload)
	must(t, err)
	_, err = ParseReceipt(dressed, v.ReceiptKeys(), issuer, "zj-hrss", now())
	wantCode(t, err, liuma.CodeReceiptInvalid)
	_, err = ParseReceipt(receiptToken, v.ReceiptKeys(), issuer, "zj-hrss", now())
	must(t, err)

	// And a receipt is no ID token: it has another type, and no nonce, which
	// clients of OpenID Connect must require.
	jws, err := jose.ParseSignedCompact(receiptToken, []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	if typ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; typ == idTokenType {
		t.Errorf("a receipt has typ %v", typ)
	}
	var claims map[string]any
	must(t, json.Unmarshal(payload, &claims))
	for _, name := range []string{"nonce", "at_hash", "auth_time"} {
		if _, there := claims[name]; there {
			t.Errorf("a receipt has %s", name)
		}
	}
}
