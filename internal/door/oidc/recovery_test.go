package oidc_test

import (
	"crypto/ecdsa"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

const (
	freshPIN  = "815206"
	newNumber = "13800138000"
)

// phoned is a world with phones, and a holder whose card is linked in the
// channel.
type phoned struct {
	*world
	p    *goidc.Provider
	who  registry.Facts
	card string
	sdk  *client.Client // at the native door of the same system
}

func newPhoned(t *testing.T) *phoned {
	t.Helper()
	w := newWorldOf(t, testkit.Options{Phones: true})
	x := &phoned{world: w, p: w.provider(), who: w.People[0]}
	x.card = string(w.EnrollPhone(w.caller, x.who, goodPIN))
	w.Clock.Advance(73 * time.Hour) // a phone that was bound lately resets nothing
	x.sdk = x.native(w.caller.Client, w.key)
	return x
}

// native is the SDK of a client, which is registered if it is not.
func (x *phoned) native(c store.Client, key *ecdsa.PrivateKey) *client.Client {
	x.t.Helper()
	if c.ID != channelID {
		x.AddClient(c, key)
	}
	door := httptest.NewServer(x.System.Door.Handler)
	x.t.Cleanup(door.Close)
	out, err := client.New(client.Config{BaseURL: door.URL, Issuer: x.issuer(), ID: c.ID, KeyID: "k", Key: key, Now: x.Clock.Now})
	must(x.t, err)
	return out
}

// ask is the request that the channel pushes for an action on the card.
func (x *phoned) ask(action string) map[string]any {
	d := x.verifyDetails(x.card)
	d["action"] = action
	return d
}

// open opens the address of a pushed request in a browser that may have begun
// it before, and agrees.
func (x *phoned) open(s session, in ceremony.Hand) (ceremony.Page, ceremony.Hand) {
	x.t.Helper()
	u, err := url.Parse(x.authorize(x.config(x.p), s))
	must(x.t, err)
	uri := u.Query().Get("request_uri")
	p, err := x.Authority().LookAt(x.t.Context(), u.Query().Get("client_id"), uri, ceremony.Hand{})
	must(x.t, err)
	p, err = x.Authority().Begin(x.t.Context(), p.ID, ceremony.Hand{Secret: in.Secret, RequestURI: uri})
	must(x.t, err)
	h := ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}
	if p.Step == ceremony.StepConfirm {
		p, err = x.Authority().Agree(x.t.Context(), p.ID, h)
		must(x.t, err)
	}
	return p, h
}

// evidence has the browser come back for evidence, as a well-written channel
// reads it, and pushes the same request again with it.
func (x *phoned) evidence(s session, p ceremony.Page, h ceremony.Hand) (session, ceremony.Page, ceremony.Hand) {
	x.t.Helper()
	back := x.WayBack(p, h)
	if back.Get("error") != "evidence_required" || back.Get("state") != s.state || back.Get("iss") != x.issuer() || back.Has("code") || back.Get("challenge") == "" {
		x.t.Fatalf("back with %v", back)
	}
	s.details["challenge"], s.details["evidence"] = back.Get("challenge"), x.Evidence(x.who, back.Get("challenge"))
	s = x.push(x.p, s.details)
	p, h = x.open(s, h)
	return s, p, h
}

// asked returns the native door's answer for a business number.
func (x *phoned) asked(s session) *client.Verification {
	x.t.Helper()
	v, err := x.sdk.Verification(x.t.Context(), s.details["business_no"].(string))
	must(x.t, err)
	return v
}

func (x *phoned) pending(s session) {
	x.t.Helper()
	if v := x.asked(s); v.State != "pending" || v.Verdict != "" || v.Code != "" || v.Card != "" || v.Receipt != "" || v.Action != s.details["action"] {
		x.t.Errorf("under way: %+v", v)
	}
}

// done redeems a ceremony's authorization code, and compares the ID token with
// the native door's answer.
func (x *phoned) done(s session, p ceremony.Page, h ceremony.Hand, evidence bool) {
	x.t.Helper()
	if p.Step != ceremony.StepDone {
		x.t.Fatalf("not done: %+v", p)
	}
	if v := x.asked(s); v.State != "done" || v.Right() || v.Card != "" || v.Receipt != "" || v.Redeemed {
		x.t.Errorf("before the code was redeemed, %s: %+v", s.details["action"], v)
	}
	id, c := x.redeem(x.p, s, x.WayBack(p, h))
	if v := x.asked(s); !v.Right() || v.Card != x.card || v.Action != s.details["action"] || v.BusinessNo != s.details["business_no"] ||
		v.TriesLeft != nil || !v.Redeemed || v.Receipt != "" {
		x.t.Errorf("after it, %s: %+v", s.details["action"], v)
	}
	acr := "urn:liuma:acr:pin"
	if evidence {
		acr = "urn:liuma:acr:pin-evidence"
	}
	if c.Card != x.card || id.Subject == x.card || c.Action != s.details["action"] || c.ACR != acr || !slices.Contains(c.AMR, "pin") {
		x.t.Errorf("ID token: %+v %+v", id, c)
	}
}

// TestGoClientOfRecovery: the ceremonies of a bound phone, as a channel sees
// them: pushed, opened, sent back for evidence, pushed again, redeemed; and by
// business number at the native door, before, during and after.
func TestGoClientOfRecovery(t *testing.T) {
	x := newPhoned(t)
	t.Run("reset", func(t *testing.T) {
		s := x.push(x.p, x.ask("reset"))
		x.pending(s)
		p, h := x.open(s, ceremony.Hand{})
		p = x.Code(p, h, x.who.Phone)
		s, p, h = x.evidence(s, p, h)
		x.pending(s)
		x.done(s, x.GivePIN(p, h, liuma.RoleNew, freshPIN), h, true)
	})
	t.Run("unfreeze", func(t *testing.T) {
		_, err := x.sdk.Freeze(t.Context(), client.FreezeRequest{BusinessNo: string(x.BusinessNo()), Subject: client.Subject{Card: x.card}})
		must(t, err)
		s := x.push(x.p, x.ask("unfreeze"))
		p, h := x.open(s, ceremony.Hand{})
		p = x.Code(p, h, x.who.Phone)
		x.pending(s)
		x.done(s, x.GivePIN(p, h, liuma.RoleCurrent, freshPIN), h, false)
		if c, err := x.sdk.Card(t.Context(), x.card); err != nil || c.Standing != "active" {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("rebind", func(t *testing.T) {
		s := x.push(x.p, x.ask("rebind"))
		p, h := x.open(s, ceremony.Hand{})
		p = x.GivePIN(p, h, liuma.RoleCurrent, freshPIN)
		s, p, h = x.evidence(s, p, h)
		p, err := x.Authority().GivePhone(t.Context(), p.ID, h, newNumber)
		must(t, err)
		x.pending(s)
		x.done(s, x.Code(p, h, newNumber), h, true)
	})
}

// TestRecoveryThatCameToNothing: the parameters with which the browser comes
// back, and the native door's answer.
func TestRecoveryThatCameToNothing(t *testing.T) {
	x := newPhoned(t)
	refused := func(s session, p ceremony.Page, h ceremony.Hand, code string) {
		t.Helper()
		back := x.WayBack(p, h)
		if back.Get("error") != "access_denied" || back.Get("error_description") != code || back.Get("state") != s.state || back.Has("code") {
			t.Errorf("back with %v, want %s", back, code)
		}
		if v := x.asked(s); v.State != "decided" || v.Code != code || v.Right() || v.Receipt != "" || v.NextStepZH == "" {
			t.Errorf("%+v, want %s", v, code)
		}
	}
	s := x.push(x.p, x.ask("unfreeze"))
	p, h := x.open(s, ceremony.Hand{})
	refused(s, p, h, "not_frozen")

	s = x.push(x.p, x.ask("reset"))
	p, h = x.open(s, ceremony.Hand{})
	p, err := x.Authority().Leave(t.Context(), p.ID, h)
	must(t, err)
	refused(s, p, h, "left_by_holder")

	// No other channel gets the answer, under any business number.
	other := store.Client{ID: "js-hrss", Kind: store.ClientChannel, Regions: []liuma.Region{""}, Actions: liuma.Actions()}
	if _, err := x.native(other, x.NewKey()).Verification(t.Context(), s.details["business_no"].(string)); client.CodeOf(err) != "not_found" {
		t.Errorf("another channel: %v", err)
	}
	// And the card is as it was.
	if v := x.Verify(x.caller, store.Handle(x.card), goodPIN); v.Verdict != liuma.Right {
		t.Errorf("%+v", v)
	}
}

// TestOneVerdictIsRedeemedOnce: the code of the hosted door is the only thing
// that a hosted verdict is redeemed with. The native door gives no receipt for
// it, before or after (I-14).
func TestOneVerdictIsRedeemedOnce(t *testing.T) {
	x := newPhoned(t)
	s := x.push(x.p, x.ask("verify"))
	p, h := x.open(s, ceremony.Hand{})
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	code := x.WayBack(p, h).Get("code")
	if v := x.asked(s); v.State != "returning" || v.Verdict != "" || v.Card != "" || v.Receipt != "" {
		t.Errorf("before the code was redeemed: %+v", v)
	}
	if _, err := x.exchange(x.config(x.p), code, s.verifier); err != nil {
		t.Fatal(err)
	}
	if v := x.asked(s); !v.Right() || !v.Redeemed || v.Receipt != "" {
		t.Errorf("after it: %+v", v)
	}
	token, err := x.exchange(x.config(x.p), code, s.verifier)
	wantError(t, token, err, "invalid_grant", liuma.CodeCodeInvalid)
}
