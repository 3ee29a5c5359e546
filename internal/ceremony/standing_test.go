package ceremony_test

import (
	"context"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func physical(env *testkit.Env, c authority.Caller, f registry.Facts, ev authority.PhysicalEvent, to string) (authority.PhysicalView, error) {
	bn := env.BusinessNo()
	return env.Authority().SetPhysical(context.Background(), c, authority.PhysicalRequest{
		BusinessNo: bn, IDNumber: f.IDNumber, CardNo: f.CardNo, Event: ev, ReplacedBy: to, Digest: testkit.Digest(string(bn)),
	})
}

func TestPhysicalCardLostFoundCancelledReplaced(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch, reg := env.Channel("zj-hrss"), env.RegistryClient("mohrss")
	who := env.People[0]
	card := env.Enroll(ch, who, goodPIN)
	a := env.Authority()

	v, err := physical(env, reg, who, authority.PhysicalLost, "")
	if err != nil || v.Standing != liuma.StandingSuspended || !v.HasCard {
		t.Fatalf("lost: %+v, %v", v, err)
	}
	_, err = a.Verify(t.Context(), ch, env.VerifyRequest(ch, card, goodPIN))
	if e := wantCode(t, err, liuma.CodeEvidenceRequired); e.Challenge == "" {
		t.Error("no challenge to get evidence for")
	}
	challenge := env.Challenge(ch)
	q := env.VerifyRequestFor(ch, challenge, card, goodPIN)
	q.Evidence = env.Evidence(who, challenge.Value)
	got, err := a.Verify(t.Context(), ch, q)
	if err != nil || got.Verdict != liuma.Right {
		t.Fatalf("PIN and evidence: %+v, %v", got, err)
	}
	if _, err := a.Redeem(t.Context(), ch, got.Receipt); err != nil {
		t.Errorf("receipt of PIN and evidence: %v", err)
	}
	again := env.VerifyRequestFor(ch, challenge, card, goodPIN)
	again.Evidence = q.Evidence
	_, err = a.Verify(t.Context(), ch, again)
	wantCode(t, err, liuma.CodeEvidenceUsed)

	if v, err := physical(env, reg, who, authority.PhysicalFound, ""); err != nil || v.Standing != liuma.StandingActive {
		t.Fatalf("found: %+v, %v", v, err)
	}
	if v := env.Verify(ch, card, goodPIN); v.Verdict != liuma.Right {
		t.Fatalf("after found: %+v", v)
	}
	if _, err := physical(env, reg, who, authority.PhysicalCancelled, ""); err != nil {
		t.Fatal(err)
	}
	if v := env.Verify(ch, card, goodPIN); v.Verdict != liuma.Suspended || v.Code != liuma.CodeCancelled {
		t.Fatalf("after cancelled: %+v", v)
	}
	_, err = physical(env, reg, who, authority.PhysicalFound, "")
	wantCode(t, err, liuma.CodeCancelled)

	if v, err := physical(env, reg, who, authority.PhysicalReplaced, "Z98765432"); err != nil || v.Standing != liuma.StandingActive {
		t.Fatalf("replaced: %+v, %v", v, err)
	}
	if v := env.Verify(ch, card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("links and PIN should survive a replacement: %+v", v)
	}
	_, err = physical(env, reg, who, authority.PhysicalLost, "")
	wantCode(t, err, liuma.CodeNotFound) // the old number is no longer current
}

// TestOnlyARegistryReportsAndNoChannelUnfreezes: a channel can neither report a
// physical card as found nor end a freeze (I-12).
func TestOnlyARegistryReportsAndNoChannelUnfreezes(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch, reg := env.Channel("zj-hrss"), env.RegistryClient("mohrss")
	who := env.People[0]
	card := env.Enroll(ch, who, goodPIN)
	_, err := physical(env, ch, who, authority.PhysicalFound, "")
	wantCode(t, err, liuma.CodeForbidden)

	freeze := authority.Request{BusinessNo: env.BusinessNo(), Subject: env.VerifyRequest(ch, card, goodPIN).Subject}
	for range 2 {
		if v, err := env.Authority().Freeze(t.Context(), ch, freeze); err != nil || v.Code != "" {
			t.Fatalf("freeze: %+v, %v", v, err)
		}
	}
	for _, p := range []string{goodPIN, wrongPIN} {
		if v := env.Verify(ch, card, p); v.Verdict != liuma.Suspended || v.Code != liuma.CodeFrozen {
			t.Errorf("frozen card: %+v", v)
		}
	}
	if v := env.Change(ch, card, goodPIN, otherPIN); v.Verdict != liuma.Suspended {
		t.Errorf("change on a frozen card: %+v", v)
	}
	if v, err := physical(env, reg, who, authority.PhysicalFound, ""); err != nil || v.Standing != liuma.StandingFrozen {
		t.Errorf("a registry's word lifted a freeze: %+v, %v", v, err)
	}
	view, err := env.Authority().Card(t.Context(), ch, card)
	if err != nil || view.Standing != liuma.StandingFrozen || view.NameMasked == who.Name {
		t.Errorf("%+v, %v", view, err)
	}
}

func TestChangeRefuses(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	for _, tt := range []struct{ old, chosen, rule string }{
		{goodPIN, goodPIN, "current"},
		{goodPIN, "123456", ""},
		{wrongPIN, "112233", ""},
	} {
		_, err := env.Authority().Change(t.Context(), ch, env.ChangeRequest(ch, card, tt.old, tt.chosen))
		e := wantCode(t, err, liuma.CodeWeakPIN)
		if tt.rule != "" && e.Reason != tt.rule {
			t.Errorf("reason %s, want %s", e.Reason, tt.rule)
		}
	}
	if v := env.Change(ch, card, wrongPIN, otherPIN); v.Verdict != liuma.Wrong || *v.TriesLeft != 5 {
		t.Errorf("weak choices cost tries, or a wrong old PIN did not: %+v", v)
	}
	q := env.ChangeRequest(ch, card, goodPIN, otherPIN)
	q.Old, q.New = q.New, q.Old // a thief in between swaps the roles
	_, err := env.Authority().Change(t.Context(), ch, q)
	wantCode(t, err, liuma.CodeEnvelopeInvalid)
	if v := env.Verify(ch, card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("after refused changes: %+v", v)
	}
}
