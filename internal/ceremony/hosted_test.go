package ceremony_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func identity(f registry.Facts) envelope.Subject {
	return envelope.Subject{IDNumber: f.IDNumber, Name: f.Name, Phone: f.Phone}
}

// enrollHosted plays an enrolment at the hosted door and returns its ID token's
// claims.
func enrollHosted(t *testing.T, env *testkit.Env, ch authority.Caller, f registry.Facts) store.Handle {
	t.Helper()
	q := env.PushFor(ch, liuma.ActionEnroll, identity(f), &f)
	p, h := env.OpenPage(ch, q)
	if p.Step != ceremony.StepConfirm || p.NameMasked == f.Name || p.IDMasked == f.IDNumber || p.ChannelName.ZH == "" {
		t.Fatalf("confirm: %+v", p)
	}
	p, err := env.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	if p = env.GivePIN(p, h, liuma.RoleNew, "112233"); p.Step != ceremony.StepPIN || p.Code != liuma.CodeWeakPIN || p.Sentence.ZH == "" {
		t.Fatalf("weak PIN: %+v", p)
	}
	if p = env.GivePIN(p, h, liuma.RoleNew, goodPIN); p.Step != ceremony.StepDone || p.CardNoMasked == "" {
		t.Fatalf("done: %+v", p)
	}
	back := env.WayBack(p, h)
	if back.Get("code") == "" || back.Get("state") != "state-1" || back.Get("iss") != env.System.Config.Issuer {
		t.Fatalf("way back: %v", back)
	}
	g, err := env.Authority().RedeemCode(t.Context(), ch, back.Get("code"), testkit.RedirectURI, testkit.Verifier)
	if err != nil || g.Nonce != "nonce-1" || g.BusinessNo != q.BusinessNo || g.Card == "" {
		t.Fatalf("grant: %+v, %v", g, err)
	}
	v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo)
	if err != nil || v.Verdict != liuma.Right || !v.Redeemed || v.Card != g.Card {
		t.Fatalf("by business number: %+v, %v", v, err)
	}
	return g.Card
}

func TestHostedStory(t *testing.T) {
	env := testkit.New(t, testkit.Options{Shape: "2/3"})
	one, two := env.Channel("zj-hrss"), env.Channel("national")
	who := env.People[0]
	card := enrollHosted(t, env, one, who)

	p, h := env.OpenPage(two, env.PushFor(two, liuma.ActionLink, envelope.Subject{IDNumber: who.IDNumber, Name: who.Name}, nil))
	p, err := env.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	if p = env.GivePIN(p, h, liuma.RoleCurrent, wrongPIN); p.Step != ceremony.StepPIN || p.Code != liuma.CodeRefused || p.TriesLeft != nil {
		t.Fatalf("wrong PIN without a link: %+v", p)
	}
	if p = env.GivePIN(p, h, liuma.RoleCurrent, goodPIN); p.Step != ceremony.StepDone {
		t.Fatalf("link: %+v", p)
	}

	q := env.PushFor(one, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil)
	p, h = env.OpenPage(one, q)
	for left := 5; left >= 1; left-- {
		p = env.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
		if p.Step != ceremony.StepPIN || p.TriesLeft == nil || *p.TriesLeft != left {
			t.Fatalf("wrong: %+v", p)
		}
	}
	if v, err := env.Authority().Verification(t.Context(), one, q.BusinessNo); err != nil || v.State != authority.StatePending {
		t.Fatalf("while it goes on: %+v, %v", v, err)
	}
	p = env.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
	if p.Step != ceremony.StepRefused || p.Until.IsZero() {
		t.Fatalf("sixth wrong PIN: %+v", p)
	}
	if back := env.WayBack(p, h); back.Get("error") != "access_denied" || back.Get("code") != "" {
		t.Fatalf("way back of a refusal: %v", back)
	}
	p, h = env.OpenPage(one, env.PushFor(one, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil))
	if p = env.GivePIN(p, h, liuma.RoleCurrent, goodPIN); p.Step != ceremony.StepRefused || p.Code != liuma.CodeLocked {
		t.Fatalf("right PIN while locked: %+v", p)
	}
}

// TestHostedPageHasOneBrowser: a browser with the address may look and begin;
// once one has begun, no other goes on, sees a name or gets the authorization
// code.
func TestHostedPageHasOneBrowser(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	a := env.Authority()
	pushed, err := a.Push(t.Context(), ch, env.PushFor(ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil))
	if err != nil {
		t.Fatal(err)
	}
	address := ceremony.Hand{RequestURI: pushed.RequestURI}
	var p ceremony.Page
	for range 3 { // reloads and prefetches change nothing
		if p, err = a.LookAt(t.Context(), ch.Client.ID, pushed.RequestURI, ceremony.Hand{}); err != nil || p.Elsewhere {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if _, err := a.LookAt(t.Context(), "other", pushed.RequestURI, ceremony.Hand{}); liuma.CodeOf(err) != liuma.CodeRequestURIInvalid {
		t.Errorf("another channel's request: %v", err)
	}
	first, err := a.Begin(t.Context(), p.ID, address)
	if err != nil || first.Bound == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, err := a.Begin(t.Context(), p.ID, address); liuma.CodeOf(err) != liuma.CodeCeremonyElsewhere {
		t.Errorf("second browser: %v", err)
	}
	second, err := a.LookAt(t.Context(), ch.Client.ID, pushed.RequestURI, ceremony.Hand{})
	if err != nil || !second.Elsewhere || second.NameMasked != "" || second.AAD != nil {
		t.Errorf("second browser sees %+v, %v", second, err)
	}
	_, err = a.GivePIN(t.Context(), p.ID, address, ceremony.Given{Try: 1, Current: env.SealPage(first, liuma.RoleCurrent, goodPIN)})
	if liuma.CodeOf(err) != liuma.CodeCeremonyElsewhere {
		t.Errorf("PIN from a second browser: %v", err)
	}
	if _, err := a.WayBack(t.Context(), p.ID, address); liuma.CodeOf(err) != liuma.CodeCeremonyElsewhere {
		t.Errorf("code for a second browser: %v", err)
	}
}

// TestHostedTryIsMadeOnce submits one page many times at once (I-11).
func TestHostedTryIsMadeOnce(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	p, h := env.OpenPage(ch, env.PushFor(ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil))
	g := ceremony.Given{Try: p.Try, Current: env.SealPage(p, liuma.RoleCurrent, wrongPIN)}
	var wg sync.WaitGroup
	made := make([]bool, 20)
	for i := range made {
		wg.Go(func() {
			_, err := env.Authority().GivePIN(context.Background(), p.ID, h, g)
			made[i] = err == nil
			if err != nil && liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	n := 0
	for _, m := range made {
		if m {
			n++
		}
	}
	after, err := env.Authority().Look(t.Context(), p.ID, h)
	if n != 1 || err != nil || after.TriesLeft == nil || *after.TriesLeft != 5 {
		t.Errorf("%d submissions were tries, page %+v, %v", n, after, err)
	}
}

func TestHostedCodes(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch, other := env.Channel("zj-hrss"), env.Channel("other")
	a := env.Authority()
	for i, tt := range []struct {
		name string
		do   func(code string, card store.Handle) error
	}{
		{"wrong verifier", func(code string, _ store.Handle) error {
			_, err := a.RedeemCode(t.Context(), ch, code, testkit.RedirectURI, testkit.Verifier+"x")
			return err
		}},
		{"wrong redirect", func(code string, _ store.Handle) error {
			_, err := a.RedeemCode(t.Context(), ch, code, testkit.RedirectURI+"/", testkit.Verifier)
			return err
		}},
		{"another channel", func(code string, _ store.Handle) error {
			_, err := a.RedeemCode(t.Context(), other, code, testkit.RedirectURI, testkit.Verifier)
			return err
		}},
		{"late", func(code string, _ store.Handle) error {
			env.Clock.Advance(61 * time.Second)
			_, err := a.RedeemCode(t.Context(), ch, code, testkit.RedirectURI, testkit.Verifier)
			return err
		}},
		{"twice", func(code string, _ store.Handle) error {
			if _, err := a.RedeemCode(t.Context(), ch, code, testkit.RedirectURI, testkit.Verifier); err != nil {
				t.Fatal(err)
			}
			_, err := a.RedeemCode(t.Context(), ch, code, testkit.RedirectURI, testkit.Verifier)
			return err
		}},
		{"after a change", func(code string, card store.Handle) error {
			env.Change(ch, card, goodPIN, otherPIN)
			_, err := a.RedeemCode(t.Context(), ch, code, testkit.RedirectURI, testkit.Verifier)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			card := env.Enroll(ch, env.People[i], goodPIN)
			p, h := env.OpenPage(ch, env.PushFor(ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil))
			p = env.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
			code := env.WayBack(p, h).Get("code")
			if code == "" {
				t.Fatalf("no code: %+v", p)
			}
			if err := tt.do(code, card); liuma.CodeOf(err) != liuma.CodeCodeInvalid && liuma.CodeOf(err) != liuma.CodeReceiptStale {
				t.Errorf("redeemed: %v", err)
			}
		})
	}
}

// TestHostedGoesOnUnderANewPush: after the app was killed, and when evidence
// was missing.
func TestHostedGoesOnUnderANewPush(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch, reg := env.Channel("zj-hrss"), env.RegistryClient("mohrss")
	who := env.People[0]
	card := env.Enroll(ch, who, goodPIN)
	q := env.PushFor(ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil)
	p, h := env.OpenPage(ch, q)
	p = env.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
	again, h2 := env.OpenPage(ch, q) // another web view
	if again.ID != p.ID || again.TriesLeft == nil || *again.TriesLeft != 5 {
		t.Fatalf("a new push forgot: %+v", again)
	}
	if _, err := env.Authority().Agree(t.Context(), p.ID, h); liuma.CodeOf(err) != liuma.CodeCeremonyElsewhere {
		t.Errorf("the old web view still acts: %v", err)
	}
	if _, err := physical(env, reg, who, authority.PhysicalLost, ""); err != nil {
		t.Fatal(err)
	}
	p = env.GivePIN(again, h2, liuma.RoleCurrent, goodPIN)
	if p.Step != ceremony.StepRefused || p.Code != liuma.CodeEvidenceRequired {
		t.Fatalf("lost card: %+v", p)
	}
	back := env.WayBack(p, h2)
	if back.Get("error") != string(liuma.CodeEvidenceRequired) || back.Get("challenge") == "" {
		t.Fatalf("way back: %v", back)
	}
	q.Challenge = back.Get("challenge")
	q.Evidence = env.Evidence(who, q.Challenge)
	p, h = env.OpenPage(ch, q)
	if p = env.GivePIN(p, h, liuma.RoleCurrent, goodPIN); p.Step != ceremony.StepDone {
		t.Fatalf("with evidence: %+v", p)
	}
	changed := q
	changed.Purpose = "something else"
	if _, err := env.Authority().Push(t.Context(), ch, changed); liuma.CodeOf(err) == "" {
		t.Error("a business number was pushed for another purpose")
	}
}

func TestHostedEnds(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	a := env.Authority()
	subject := envelope.Subject{Card: string(card)}

	q := env.PushFor(ch, liuma.ActionVerify, subject, nil)
	p, h := env.OpenPage(ch, q)
	if p, err := a.Leave(t.Context(), p.ID, h); err != nil || p.Step != ceremony.StepLeft {
		t.Fatalf("leave: %+v, %v", p, err)
	}
	if v, err := a.Verification(t.Context(), ch, q.BusinessNo); err != nil || v.Code != liuma.CodeLeft || v.Verdict != "" {
		t.Errorf("left: %+v, %v", v, err)
	}
	pushed, err := a.Push(t.Context(), ch, env.PushFor(ch, liuma.ActionVerify, subject, nil))
	if err != nil {
		t.Fatal(err)
	}
	env.Clock.Advance(91 * time.Second)
	if _, err := a.LookAt(t.Context(), ch.Client.ID, pushed.RequestURI, ceremony.Hand{}); liuma.CodeOf(err) != liuma.CodeRequestURIInvalid {
		t.Errorf("a request nobody opened in time: %v", err)
	}
	q = env.PushFor(ch, liuma.ActionVerify, subject, nil)
	p, h = env.OpenPage(ch, q)
	env.Clock.Advance(14 * time.Minute)
	if p, err = a.Extend(t.Context(), p.ID, h); err != nil || !p.Expires.Equal(env.Clock.Now().Add(10*time.Minute)) {
		t.Fatalf("extend: %+v, %v", p, err)
	}
	env.Clock.Advance(11 * time.Minute)
	if p, err := a.Look(t.Context(), p.ID, h); err != nil || p.Step != ceremony.StepExpired {
		t.Errorf("expired: %+v, %v", p, err)
	}
	_, err = a.GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: 1, Current: env.SealPage(p, liuma.RoleCurrent, goodPIN)})
	if liuma.CodeOf(err) != liuma.CodeCeremonyExpired {
		t.Errorf("PIN after time: %v", err)
	}
}

// TestPageHoldsNothingPersonal searches a page, and the bytes for its pad, for
// the holder's data (I-6, for data other than the PIN).
func TestPageHoldsNothingPersonal(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	f := env.People[0]
	p, h := env.OpenPage(ch, env.PushFor(ch, liuma.ActionEnroll, identity(f), &f))
	p, err := env.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%+v", p)
	for _, aad := range p.AAD {
		all += string(aad)
	}
	for _, s := range []string{f.Name, f.IDNumber, f.Phone, f.CardNo} {
		if strings.Contains(all, s) {
			t.Errorf("the page holds %q", s)
		}
	}
}
