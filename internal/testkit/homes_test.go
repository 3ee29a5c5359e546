package testkit_test

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store/postgres/homes"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// exceptions are what does not keep to one home yet, or need not (docs/NATION.md). Of the
// hosted door it is the ceremonies, which do not lie with their card.
func exceptions() (out []homes.Exception) {
	const (
		told = "what tells a holder counts to the ration of the number that it goes to, and reads the name, in the transaction that it tells of"
	)
	for act, tables := range map[string]map[string]string{
		"native: to the lock": {"ticks": told, "rations": told, "persons": told},
	} {
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			out = append(out, homes.Exception{Act: act, Table: table, Why: tables[table]})
		}
	}
	return out
}

// TestHotPathKeepsToOneHome runs the acts of the hot path against PostgreSQL, and wants
// each of their statements to name where its rows lie, and each of their transactions to
// write in one place.
func TestHotPathKeepsToOneHome(t *testing.T) {
	t.Setenv("LIUMA_TEST_STORE", "postgres")
	e := testkit.New(t, testkit.Options{Phones: true})
	c := e.Channel("app")
	card := e.EnrollPhone(c, e.People[0], "739182")
	w := homes.New(rows.Layouts(), exceptions()...)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := func(act string) context.Context { return w.Act(t.Context(), act) }
	native := func(act, secret string, want liuma.Verdict) authority.Verification {
		t.Helper()
		q := e.VerifyRequest(c, card, secret)
		v, err := e.Authority().Verify(ctx(act), c, q)
		must(err)
		if v.Verdict != want {
			t.Fatalf("%s: %+v", act, v)
		}
		again, err := e.Authority().Verify(ctx("native: repeated"), c, q)
		must(err)
		if !again.Repeated || again.Verdict != want {
			t.Fatalf("%s again: %+v", act, again)
		}
		return v
	}

	native("native: wrong PIN", "111112", liuma.Wrong)
	v := native("native: right PIN", "739182", liuma.Right)
	_, err := e.Authority().Verification(ctx("native: asked by number"), c, v.BusinessNo)
	must(err)
	_, err = e.Authority().Redeem(ctx("native: redeem"), c, v.Receipt)
	must(err)
	for range 6 { // the last of them tells the holder
		_, err = e.Authority().Verify(ctx("native: to the lock"), c, e.VerifyRequest(c, card, "111113"))
		must(err)
	}
	_, err = e.Authority().Verify(ctx("native: no such link"), c, e.VerifyRequest(c, "abcdefghijklmnopqrstuvwxyz234567", "739182"))
	must(err)

	other := e.EnrollPhone(c, e.People[1], "739182")
	q := e.VerifyRequest(c, other, "739182")
	q.Evidence = e.Evidence(e.People[1], q.Challenge)
	_, err = e.Authority().Verify(ctx("native: with evidence"), c, q)
	must(err)

	e.Clock.Advance(time.Minute)
	_, err = e.Authority().UseAssertion(ctx("hosted: assertion"), c, authority.ActPush, "jti-1", e.Clock.Now().Add(time.Minute))
	must(err)
	pushed, err := e.Authority().Push(ctx("hosted: push"), c, e.PushFor(c, liuma.ActionVerify, envelope.Subject{Card: string(other)}, nil))
	must(err)
	p, err := e.Authority().LookAt(ctx("hosted: look"), c.Client.ID, pushed.RequestURI, ceremony.Hand{})
	must(err)
	p, err = e.Authority().Begin(ctx("hosted: begin"), p.ID, ceremony.Hand{RequestURI: pushed.RequestURI})
	must(err)
	h := ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}
	p, err = e.Authority().GivePIN(ctx("hosted: PIN"), p.ID, h, ceremony.Given{Try: p.Try, Current: e.SealPage(p, liuma.RoleCurrent, "739182")})
	must(err)
	way, err := e.Authority().WayBack(ctx("hosted: way back"), p.ID, h)
	must(err)
	_, err = e.Authority().RedeemCode(ctx("hosted: token"), c, codeIn(t, way.URL), testkit.RedirectURI, testkit.Verifier)
	must(err)

	for _, fault := range w.Faults() {
		t.Error(fault)
	}
	for _, act := range []string{"native: right PIN", "native: redeem", "hosted: token"} {
		if w.Heard(act) < 3 {
			t.Errorf("act %q sent %d statements: the watch does not hear it", act, w.Heard(act))
		}
	}
}

func codeIn(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("code")
}
