package staff_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/staff"
)

// authenticator is a passkey of this program's, with a browser around it.
type authenticator struct {
	t        *testing.T
	key      *ecdsa.PrivateKey
	id       []byte
	handle   []byte
	count    uint32
	verifies bool   // whether it asks for the finger
	origin   string // of the page that the browser shows
}

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	id := make([]byte, 16)
	rand.Read(id)
	return &authenticator{t: t, key: key, id: id, verifies: true, origin: origin}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// data is the authenticator's data: whose site, what was asked of the person, the count.
func (a *authenticator) data(host string, attested []byte) []byte {
	sum := sha256.Sum256([]byte(host))
	flags := byte(1) // present
	if a.verifies {
		flags |= 4
	}
	if attested != nil {
		flags |= 64
	}
	out := append(sum[:], flags)
	return append(binary.BigEndian.AppendUint32(out, a.count), attested...)
}

func (a *authenticator) client(kind, challenge string) []byte {
	raw, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	must(a.t, err)
	return raw
}

// create answers what OfferRegistration asks.
func (a *authenticator) create(offer json.RawMessage) []byte {
	a.t.Helper()
	var o struct {
		Challenge              string
		RP                     struct{ ID string }
		User                   struct{ ID string }
		AuthenticatorSelection struct{ ResidentKey, UserVerification string }
	}
	must(a.t, json.Unmarshal(offer, &o))
	if o.AuthenticatorSelection.ResidentKey != "required" || o.AuthenticatorSelection.UserVerification != "required" {
		a.t.Errorf("asked for %+v", o.AuthenticatorSelection)
	}
	var err error
	a.handle, err = base64.RawURLEncoding.DecodeString(o.User.ID)
	must(a.t, err)
	public, err := a.key.PublicKey.Bytes()
	must(a.t, err)
	cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: public[1:33], -3: public[33:]})
	must(a.t, err)
	attested := append(make([]byte, 16), binary.BigEndian.AppendUint16(nil, uint16(len(a.id)))...)
	attested = append(append(attested, a.id...), cose...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": a.data(o.RP.ID, attested)})
	must(a.t, err)
	return a.answer(map[string]any{"clientDataJSON": b64(a.client("webauthn.create", o.Challenge)), "attestationObject": b64(object)})
}

// get answers what OfferLogIn asks.
func (a *authenticator) get(offer json.RawMessage) []byte {
	a.t.Helper()
	var o struct {
		Challenge        string
		RPID             string `json:"rpId"`
		UserVerification string
		AllowCredentials []any
	}
	must(a.t, json.Unmarshal(offer, &o))
	if o.UserVerification != "required" || len(o.AllowCredentials) > 0 {
		a.t.Errorf("asked for %+v", o)
	}
	a.count++
	data, client := a.data(o.RPID, nil), a.client("webauthn.get", o.Challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	must(a.t, err)
	return a.answer(map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(sig), "userHandle": b64(a.handle)})
}

func (a *authenticator) answer(response map[string]any) []byte {
	raw, err := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
	must(a.t, err)
	return raw
}

// invitation is the whole code of a new member.
func (h *house) invitation(a, b staff.Caller, n staff.NewMember) string {
	h.t.Helper()
	p, err := h.Propose(h.t.Context(), a, staff.Change{Kind: staff.KindInvite, Member: n})
	must(h.t, err)
	done, err := h.Approve(h.t.Context(), b, p.ID)
	must(h.t, err)
	return p.Half + "-" + done.Half
}

// withPasskey is a clerk with a passkey.
func withPasskey(t *testing.T) (*house, staff.Caller, staff.Caller, *authenticator) {
	t.Helper()
	h, operator, officer := begun(t)
	code := h.invitation(operator, officer, newMember("zhao", liuma.RoleClerk))
	offer, err := h.OfferRegistration(t.Context(), code)
	must(t, err)
	key := newAuthenticator(t)
	c, err := h.Register(t.Context(), code, key.create(offer), false)
	must(t, err)
	if c.ID != "zhao" {
		t.Fatalf("%+v", c)
	}
	return h, operator, officer, key
}

func (h *house) logIn(a *authenticator) (staff.Session, error) {
	h.t.Helper()
	offer, err := h.OfferLogIn()
	must(h.t, err)
	return h.LogIn(h.t.Context(), a.get(offer))
}

func TestAPasskeySignsItsMemberIn(t *testing.T) {
	h, _, _, key := withPasskey(t)
	for range 2 {
		in, err := h.logIn(key)
		must(t, err)
		if c, err := h.Who(t.Context(), in.Token); err != nil || c.ID != "zhao" || !in.Until.Equal(h.now.Add(staff.SessionLife)) {
			t.Errorf("%+v %v %v", c, in.Until, err)
		}
	}
	if m := h.member("zhao"); len(m.Passkeys) != 1 || m.Passkeys[0].SignCount != 2 || m.Passkeys[0].Software {
		t.Errorf("%+v", m.Passkeys)
	}
	h.recorded("staff:zhao staff.joined ok by=passkey")
	h.recorded("staff:zhao session.begun ok by=passkey")
}

func TestLogInsThatAreRefused(t *testing.T) {
	h, _, officer, key := withPasskey(t)
	for name, spoil := range map[string]func(a *authenticator){
		"another key":       func(a *authenticator) { a.key = newAuthenticator(t).key },
		"another member":    func(a *authenticator) { m := h.member("li"); a.handle = m.Handle[:] },
		"nobody":            func(a *authenticator) { a.handle = make([]byte, 32) },
		"no finger":         func(a *authenticator) { a.verifies = false },
		"another site":      func(a *authenticator) { a.origin = "https://staff.pin.example.cm" },
		"no such passkey":   func(a *authenticator) { a.id = []byte("0123456789abcdef") },
		"without its owner": func(a *authenticator) { a.handle = nil },
	} {
		other := *key
		spoil(&other)
		if _, err := h.logIn(&other); !errors.Is(err, staff.ErrPasskey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.LogIn(t.Context(), []byte("{}")); !errors.Is(err, staff.ErrPasskey) {
		t.Error(err)
	}
	must(t, h.Suspend(t.Context(), officer, "zhao", "left"))
	_, err := h.logIn(key)
	want(t, err, staff.ErrPasskey)
}

// TestAChallengeIsUsedOnce, within five minutes, and for what it was made for.
func TestAChallengeIsUsedOnce(t *testing.T) {
	h, operator, officer, key := withPasskey(t)
	offer, err := h.OfferLogIn()
	must(t, err)
	answer := key.get(offer)
	_, err = h.LogIn(t.Context(), answer)
	must(t, err)
	_, err = h.LogIn(t.Context(), answer)
	want(t, err, staff.ErrChallenge)
	_, err = h.LogIn(t.Context(), key.get(offer)) // signed anew, with the same challenge
	want(t, err, staff.ErrChallenge)
	offer, err = h.OfferLogIn()
	must(t, err)
	answer = key.get(offer)
	h.now = h.now.Add(staff.CodeLife)
	_, err = h.LogIn(t.Context(), answer)
	want(t, err, staff.ErrChallenge)
	// A registration's challenge is one member's, and no log-in's.
	code := h.invitation(operator, officer, newMember("qian", liuma.RoleClerk))
	other := h.invitation(operator, officer, newMember("sun", liuma.RoleClerk))
	offer, err = h.OfferRegistration(t.Context(), code)
	must(t, err)
	_, err = h.Register(t.Context(), other, newAuthenticator(t).create(offer), false)
	want(t, err, staff.ErrChallenge)
	var o map[string]any
	must(t, json.Unmarshal(offer, &o))
	login, err := json.Marshal(map[string]any{"challenge": o["challenge"], "rpId": "staff.pin.example.cn", "userVerification": "required"})
	must(t, err)
	_, err = h.LogIn(t.Context(), key.get(login))
	want(t, err, staff.ErrChallenge)
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	h, operator, officer, key := withPasskey(t)
	code := h.invitation(operator, officer, newMember("qian", liuma.RoleClerk))
	try := func(a *authenticator, code string) error {
		offer, err := h.OfferRegistration(t.Context(), code)
		if err != nil {
			return err
		}
		_, err = h.Register(t.Context(), code, a.create(offer), true)
		return err
	}
	blind, elsewhere, twin := newAuthenticator(t), newAuthenticator(t), newAuthenticator(t)
	blind.verifies, elsewhere.origin, twin.id = false, "https://evil.example", key.id
	for _, a := range []*authenticator{blind, elsewhere, twin} {
		want(t, try(a, code), staff.ErrPasskey)
	}
	want(t, try(newAuthenticator(t), "00000-00000-00000-00000"), staff.ErrCode)
	must(t, try(newAuthenticator(t), code))
	want(t, try(newAuthenticator(t), code), staff.ErrCode) // once
	h.recorded("staff:qian staff.joined ok by=passkey software=true")
	if seen, err := h.List(t.Context(), operator); err != nil || !seen[1].Software {
		t.Errorf("%+v %v", seen, err) // li, qian, wang, zhao
	}
}

// TestACopiedPasskey: a count that does not rise is refused and told, and the challenge
// is used.
func TestACopiedPasskey(t *testing.T) {
	h, _, _, key := withPasskey(t)
	for range 3 {
		_, err := h.logIn(key)
		must(t, err)
	}
	copied := *key
	copied.count = 1
	offer, err := h.OfferLogIn()
	must(t, err)
	answer := copied.get(offer)
	_, err = h.LogIn(t.Context(), answer)
	want(t, err, staff.ErrCopied)
	_, err = h.LogIn(t.Context(), answer)
	want(t, err, staff.ErrChallenge)
	h.recorded("staff:zhao " + string(audit.PasskeyRefused) + " alarm passkey=")
	if m := h.member("zhao"); m.Passkeys[0].SignCount != 3 {
		t.Errorf("%+v", m.Passkeys)
	}
}

// TestTheReplacedPasskeyIsRefused, and its sessions end with it.
func TestTheReplacedPasskeyIsRefused(t *testing.T) {
	h, operator, officer, key := withPasskey(t)
	in, err := h.logIn(key)
	must(t, err)
	h.now = h.now.Add(time.Second)
	p, err := h.Propose(t.Context(), operator, staff.Change{Kind: staff.KindPasskey, Member: staff.NewMember{ID: "zhao"}})
	must(t, err)
	done, err := h.Approve(t.Context(), officer, p.ID)
	must(t, err)
	offer, err := h.OfferRegistration(t.Context(), p.Half+done.Half)
	must(t, err)
	fresh := newAuthenticator(t)
	_, err = h.Register(t.Context(), p.Half+done.Half, fresh.create(offer), false)
	must(t, err)
	_, err = h.Who(t.Context(), in.Token)
	want(t, err, staff.ErrSession)
	_, err = h.logIn(key)
	want(t, err, staff.ErrPasskey)
	_, err = h.logIn(fresh)
	must(t, err)
}

func TestNoPasskeysWithoutPages(t *testing.T) {
	h, _, _ := begun(t)
	for _, console := range []string{"http://staff.example.cn", "https://", "https://staff.example.cn/desk", "staff.example.cn"} {
		if _, err := staff.New(staff.Config{Store: h.store, Challenges: h.vault, Now: time.Now, Console: console}); err == nil {
			t.Errorf("%q was taken", console)
		}
	}
	s, err := staff.New(staff.Config{Store: h.store, Challenges: h.vault, Now: time.Now})
	must(t, err)
	_, err = s.OfferLogIn()
	want(t, err, staff.ErrNoConsole)
	_, err = s.LogIn(t.Context(), nil)
	want(t, err, staff.ErrNoConsole)
	_, err = s.Register(t.Context(), "", nil, false)
	want(t, err, staff.ErrNoConsole)
}

// TestATouchConfirmsOneAct: of the member's own passkey, for the act that it was asked for,
// once; it begins no session, and is none of the log-in's challenges.
func TestATouchConfirmsOneAct(t *testing.T) {
	h, operator, officer, key := withPasskey(t)
	zhao, err := h.logIn(key)
	must(t, err)
	if !zhao.Token.OfPages() {
		t.Error("a log-in's session is not of the pages")
	}
	offer := func(act string) []byte {
		raw, err := h.OfferConfirm(t.Context(), zhao.Caller, act)
		must(t, err)
		var o struct {
			AllowCredentials []struct{ ID string }
			UserVerification string
		}
		must(t, json.Unmarshal(raw, &o))
		if len(o.AllowCredentials) != 1 || o.UserVerification != "required" {
			t.Errorf("%s", raw)
		}
		raw = bytes.ReplaceAll(raw, []byte(`"allowCredentials"`), []byte(`"others"`)) // which get looks at
		return key.get(raw)
	}
	answer := offer("one")
	want(t, h.Confirm(t.Context(), zhao.Caller, "two", answer), staff.ErrChallenge)
	must(t, h.Confirm(t.Context(), zhao.Caller, "one", answer))
	want(t, h.Confirm(t.Context(), zhao.Caller, "one", answer), staff.ErrChallenge)
	h.recorded("staff:zhao passkey.touched ok act=one")
	logIn, err := h.OfferLogIn()
	must(t, err)
	want(t, h.Confirm(t.Context(), zhao.Caller, "one", key.get(logIn)), staff.ErrChallenge)
	_, err = h.LogIn(t.Context(), offer("three"))
	want(t, err, staff.ErrChallenge)
	if _, err := h.OfferConfirm(t.Context(), operator, "one"); !errors.Is(err, staff.ErrPasskey) {
		t.Errorf("who has no passkey: %v", err)
	}
	late := offer("four")
	must(t, h.Suspend(t.Context(), officer, "zhao", "left"))
	want(t, h.Confirm(t.Context(), zhao.Caller, "four", late), staff.ErrPasskey)
	_, err = h.OfferConfirm(t.Context(), zhao.Caller, "five")
	want(t, err, staff.ErrSuspended)
}
