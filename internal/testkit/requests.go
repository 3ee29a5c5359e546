package testkit

import (
	"context"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

const purpose = "查询社保缴费年限"

func (e *Env) bind(c authority.Caller, a liuma.Action, r liuma.Role, s envelope.Subject, bn liuma.BusinessNo) envelope.Binding {
	return envelope.Binding{
		Channel: liuma.ChannelID(c.Client.ID), Action: a, Role: r, Subject: s,
		BusinessNo: bn, PurposeHash: envelope.PurposeHash(purpose),
	}
}

// EnrollRequest makes a request as a channel with evidence would.
func (e *Env) EnrollRequest(c authority.Caller, f registry.Facts, secret string) authority.Request {
	e.T.Helper()
	ch, bn := e.Challenge(c), e.BusinessNo()
	s := envelope.Subject{IDNumber: f.IDNumber, Name: f.Name, Phone: f.Phone}
	return authority.Request{
		BusinessNo: bn, Subject: s, Purpose: purpose, Challenge: ch.Value, Evidence: e.Evidence(f, ch.Value),
		New:    e.Seal(ch, e.bind(c, liuma.ActionEnroll, liuma.RoleNew, s, bn), secret),
		Digest: Digest(string(bn), secret),
	}
}

// LinkRequest makes a request to link a person's card.
func (e *Env) LinkRequest(c authority.Caller, f registry.Facts, secret string) authority.Request {
	e.T.Helper()
	return e.LinkRequestFor(c, e.Challenge(c), f, secret)
}

// LinkRequestFor makes a request to link a person's card for a given challenge.
func (e *Env) LinkRequestFor(c authority.Caller, ch authority.Challenge, f registry.Facts, secret string) authority.Request {
	e.T.Helper()
	bn := e.BusinessNo()
	s := envelope.Subject{IDNumber: f.IDNumber, Name: f.Name}
	return authority.Request{
		BusinessNo: bn, Subject: s, Purpose: purpose, Challenge: ch.Value,
		Current: e.Seal(ch, e.bind(c, liuma.ActionLink, liuma.RoleCurrent, s, bn), secret),
		Digest:  Digest(string(bn), secret),
	}
}

// VerifyRequest makes a request to verify a PIN.
func (e *Env) VerifyRequest(c authority.Caller, card store.Handle, secret string) authority.Request {
	e.T.Helper()
	return e.VerifyRequestFor(c, e.Challenge(c), card, secret)
}

// VerifyRequestFor makes a request to verify a PIN for a given challenge.
func (e *Env) VerifyRequestFor(c authority.Caller, ch authority.Challenge, card store.Handle, secret string) authority.Request {
	e.T.Helper()
	bn := e.BusinessNo()
	s := envelope.Subject{Card: string(card)}
	return authority.Request{
		BusinessNo: bn, Subject: s, Purpose: purpose, Challenge: ch.Value,
		Current: e.Seal(ch, e.bind(c, liuma.ActionVerify, liuma.RoleCurrent, s, bn), secret),
		Digest:  Digest(string(bn), secret),
	}
}

// ChangeRequest makes a request to change a PIN.
func (e *Env) ChangeRequest(c authority.Caller, card store.Handle, old, chosen string) authority.Request {
	e.T.Helper()
	ch, bn := e.Challenge(c), e.BusinessNo()
	s := envelope.Subject{Card: string(card)}
	return authority.Request{
		BusinessNo: bn, Subject: s, Purpose: purpose, Challenge: ch.Value,
		Old:    e.Seal(ch, e.bind(c, liuma.ActionChange, liuma.RoleOld, s, bn), old),
		New:    e.Seal(ch, e.bind(c, liuma.ActionChange, liuma.RoleNew, s, bn), chosen),
		Digest: Digest(string(bn), old, chosen),
	}
}

// Enroll enrols a person and returns the card's handle in the channel.
func (e *Env) Enroll(c authority.Caller, f registry.Facts, secret string) store.Handle {
	e.T.Helper()
	v, err := e.Authority().Enroll(context.Background(), c, e.EnrollRequest(c, f, secret))
	e.must(err)
	if v.Verdict != liuma.Right || v.Card == "" {
		e.T.Fatalf("enroll: %+v", v)
	}
	return v.Card
}

// Verify asks for a verdict and fails the test only on an error.
func (e *Env) Verify(c authority.Caller, card store.Handle, secret string) authority.Verification {
	e.T.Helper()
	v, err := e.Authority().Verify(context.Background(), c, e.VerifyRequest(c, card, secret))
	e.must(err)
	return v
}

// Change changes a PIN and fails the test only on an error.
func (e *Env) Change(c authority.Caller, card store.Handle, old, chosen string) authority.Verification {
	e.T.Helper()
	v, err := e.Authority().Change(context.Background(), c, e.ChangeRequest(c, card, old, chosen))
	e.must(err)
	return v
}
