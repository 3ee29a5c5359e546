package testkit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
)

// Verifier is the PKCE verifier of every push in tests.
const Verifier = "test-verifier-test-verifier-test-verifier-test"

// RedirectURI is the redirect URI of every ceremony in tests.
const RedirectURI = "https://channel.example/back"

func (e *Env) back() ceremony.Return {
	sum := sha256.Sum256([]byte(Verifier))
	return ceremony.Return{RedirectURI: RedirectURI, State: "state-1", Nonce: "nonce-1",
		CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:])}
}

// Subject names a person as a channel would in a push.
func Subject(f registry.Facts) envelope.Subject {
	return envelope.Subject{IDNumber: f.IDNumber, Name: f.Name, Phone: f.Phone}
}

// PushFor makes a push about a subject; evidence only where f is given.
func (e *Env) PushFor(c authority.Caller, a liuma.Action, s envelope.Subject, f *registry.Facts) ceremony.Push {
	e.T.Helper()
	q := ceremony.Push{BusinessNo: e.BusinessNo(), Action: a, Subject: s, Purpose: purpose, Return: e.back()}
	if f != nil {
		q.Challenge = e.Challenge(c).Value
		q.Evidence = e.Evidence(*f, q.Challenge)
	}
	return q
}

// OpenPage pushes a request and opens its page in a browser of its own.
func (e *Env) OpenPage(c authority.Caller, q ceremony.Push) (ceremony.Page, ceremony.Hand) {
	e.T.Helper()
	return e.OpenPageIn(c, q, ceremony.Hand{})
}

// OpenPageIn pushes a request and opens its page in a browser that may have
// begun it before.
func (e *Env) OpenPageIn(c authority.Caller, q ceremony.Push, h ceremony.Hand) (ceremony.Page, ceremony.Hand) {
	e.T.Helper()
	pushed, err := e.Authority().Push(context.Background(), c, q)
	e.must(err)
	p, err := e.Authority().LookAt(context.Background(), c.Client.ID, pushed.RequestURI, ceremony.Hand{})
	e.must(err)
	p, err = e.Authority().Begin(context.Background(), p.ID, ceremony.Hand{Secret: h.Secret, RequestURI: pushed.RequestURI})
	e.must(err)
	return p, ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}
}

// SealPage seals a PIN as the pad on the page would.
func (e *Env) SealPage(p ceremony.Page, role liuma.Role, secret string) *envelope.Envelope {
	e.T.Helper()
	sealed, err := envelope.SealAAD(p.SealKey, p.SealKeyID, p.AAD[role], []byte(secret))
	e.must(err)
	return &sealed
}

// GivePIN types one PIN into the page. A page that takes no PIN (locked,
// frozen) has no pad, and is returned unchanged.
func (e *Env) GivePIN(p ceremony.Page, h ceremony.Hand, role liuma.Role, secret string) ceremony.Page {
	e.T.Helper()
	if p.Step == ceremony.StepRefused {
		return p
	}
	g := ceremony.Given{Try: p.Try}
	sealed := e.SealPage(p, role, secret)
	if role == liuma.RoleNew {
		g.New = sealed
	} else {
		g.Current = sealed
	}
	next, err := e.Authority().GivePIN(context.Background(), p.ID, h, g)
	e.must(err)
	return next
}

// WayBack goes back to the channel and returns the parameters.
func (e *Env) WayBack(p ceremony.Page, h ceremony.Hand) url.Values {
	e.T.Helper()
	w, err := e.Authority().WayBack(context.Background(), p.ID, h)
	e.must(err)
	u, err := url.Parse(w.URL)
	e.must(err)
	return u.Query()
}

// Return goes back to the channel, which redeems the code, and returns the grant.
func (e *Env) Return(c authority.Caller, p ceremony.Page, h ceremony.Hand) ceremony.Grant {
	e.T.Helper()
	g, err := e.Authority().RedeemCode(context.Background(), c, e.WayBack(p, h).Get("code"), RedirectURI, Verifier)
	e.must(err)
	return g
}
