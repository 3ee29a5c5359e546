package ceremony_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// verified plays a verification with the right PIN through a link of x.ch.
func (x *phoned) verified(card store.Handle) (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	p, h := x.OpenPage(x.ch, x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepDone, "")
	return p, h
}

// guess makes one wrong guess on the page through a link of x.ch and returns its
// outcome.
func (x *phoned) guess(card store.Handle) ceremony.Page {
	x.T.Helper()
	p, h := x.OpenPage(x.ch, x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil))
	return x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
}

// linkAgain links the card once more, as another account would, and returns the
// new handle. evidence says that evidence comes with the PIN.
func (x *phoned) linkAgain(c authority.Caller, secret string, evidence bool) store.Handle {
	x.T.Helper()
	v := x.tryLink(c, secret, evidence, "")
	if v.Verdict != liuma.Right || len(v.Card) != 32 || strings.Trim(string(v.Card), "abcdefghijklmnopqrstuvwxyz234567") != "" {
		x.T.Fatalf("link: %+v", v)
	}
	return v.Card
}

func (x *phoned) tryLink(c authority.Caller, secret string, evidence bool, replaces store.Handle) authority.Verification {
	x.T.Helper()
	q := x.LinkRequest(c, x.who, secret)
	q.Replaces = replaces
	if evidence {
		q.Evidence = x.Evidence(x.who, q.Challenge)
	}
	v, err := x.Authority().Link(x.T.Context(), c, q)
	if err != nil {
		x.T.Fatal(err)
	}
	return v
}

// evidenced is a verification with evidence through a link of x.ch.
func (x *phoned) evidenced(card store.Handle, secret string) authority.Verification {
	x.T.Helper()
	q := x.VerifyRequest(x.ch, card, secret)
	q.Evidence = x.Evidence(x.who, q.Challenge)
	v, err := x.Authority().Verify(x.T.Context(), x.ch, q)
	if err != nil {
		x.T.Fatal(err)
	}
	return v
}

func (x *phoned) links() (all []store.Link) {
	x.T.Helper()
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) error {
		card, err := r.CardByHolder(x.System.Vault.Index("id-number", x.who.IDNumber))
		if err != nil {
			return err
		}
		all, err = r.Links(card.ID)
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return all
}

func (x *phoned) link(h store.Handle) store.Link {
	x.T.Helper()
	for _, l := range x.links() {
		if l.Handle == h {
			return l
		}
	}
	x.T.Fatalf("no link %s", h)
	return store.Link{}
}

func (x *phoned) isKnown(h store.Handle) bool {
	x.T.Helper()
	var card store.Card
	l := x.link(h)
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) (err error) {
		card, err = r.Card(l.Card)
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return x.Authority().KnownLink(card, l)
}

func events(t *testing.T, env *testkit.Env) (all []audit.Recorded) {
	t.Helper()
	err := env.System.Store.View(t.Context(), func(r store.Reader) (err error) {
		all, err = storetest.Record(r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func countEvents(t *testing.T, env *testkit.Env, ev audit.Event, outcome string) (n int) {
	t.Helper()
	for _, e := range events(t, env) {
		if e.Event == ev && e.Outcome == outcome {
			n++
		}
	}
	return n
}

// TestALinkBelongsToItsAccount: a thief who saw the PIN links the card in the
// holder's own channel, from another account. The thief gets a handle and an age
// of their own, the holder a notice, and for 72 hours no change without evidence.
func TestALinkBelongsToItsAccount(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	stolen := x.linkAgain(x.ch, goodPIN, false)
	if stolen == x.card {
		t.Fatal("another account got the holder's handle")
	}
	if got := x.Notices(x.who.Phone); !slices.Equal(got, []string{"pin_set", "channel_linked"}) {
		t.Errorf("notices: %v", got)
	}
	change := func() error {
		_, err := x.Authority().Change(t.Context(), x.ch, x.ChangeRequest(x.ch, stolen, goodPIN, otherPIN))
		return err
	}
	wantCode(t, change(), liuma.CodeEvidenceRequired)
	x.Clock.Advance(72*time.Hour - time.Second)
	wantCode(t, change(), liuma.CodeEvidenceRequired)
	if v := x.Change(x.ch, x.card, goodPIN, goodPIN[:5]+"9"); v.Verdict != liuma.Right {
		t.Errorf("the holder, by the PIN alone: %+v", v)
	}
}

// TestASubOpensNothing: it names the card in receipts, and neither a request nor
// a push may name it.
func TestASubOpensNothing(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	sub := store.Handle(x.System.Vault.Handle(liuma.ChannelID(x.ch.Client.ID), x.link(x.card).Card))
	if v := x.Verify(x.ch, sub, goodPIN); v.Code != liuma.CodeRefused || v.Verdict != "" {
		t.Errorf("verify: %+v", v)
	}
	if _, err := x.Authority().Card(t.Context(), x.ch, sub); liuma.CodeOf(err) != liuma.CodeNotFound {
		t.Errorf("card: %v", err)
	}
	for _, a := range []liuma.Action{liuma.ActionVerify, liuma.ActionChange, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		_, err := x.Authority().Push(t.Context(), x.ch, x.PushFor(x.ch, a, envelope.Subject{Card: string(sub)}, nil))
		wantCode(t, err, liuma.CodeRefused)
	}
	q := x.PushFor(x.ch, liuma.ActionLink, identity(x.who), nil)
	q.Replaces = sub
	_, err := x.Authority().Push(t.Context(), x.ch, q)
	wantCode(t, err, liuma.CodeRefused)
	other := x.linkAgain(x.ch, goodPIN, false)
	if v := x.Verify(x.ch, other, goodPIN); v.Verdict != liuma.Right || v.Card != other {
		t.Errorf("by the handle: %+v", v)
	}
}

// TestWhenALinkIsKnown: each way to be known, and each way to be a stranger
// again.
func TestWhenALinkIsKnown(t *testing.T) {
	const hold = 72 * time.Hour
	for name, tt := range map[string]struct {
		do   func(x *phoned) store.Handle
		want bool
	}{
		"an enrolment, at once": {func(x *phoned) store.Handle { return x.card }, true},
		"PIN alone, too early": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, false)
			x.Clock.Advance(hold - time.Second)
			return h
		}, false},
		"PIN alone, after 72 hours": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, false)
			x.Clock.Advance(hold)
			return h
		}, true},
		"PIN and evidence, at once": {func(x *phoned) store.Handle { return x.linkAgain(x.ch, goodPIN, true) }, true},
		"a later verification with evidence": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, false)
			if v := x.evidenced(h, goodPIN); v.Verdict != liuma.Right {
				x.T.Fatalf("%+v", v)
			}
			return h
		}, true},
		"a wrong PIN with evidence": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, false)
			x.evidenced(h, wrongPIN)
			return h
		}, false},
		"a change elsewhere": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, true)
			x.Change(x.ch, x.card, goodPIN, otherPIN)
			x.Clock.Advance(hold)
			return h
		}, false},
		"the new PIN, too early": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, true)
			x.Change(x.ch, x.card, goodPIN, otherPIN)
			x.Clock.Advance(hold)
			x.Verify(x.ch, h, otherPIN)
			x.Clock.Advance(hold - time.Second)
			x.Verify(x.ch, h, otherPIN) // a later right PIN is not the first
			return h
		}, false},
		"the new PIN for 72 hours": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, true)
			x.Change(x.ch, x.card, goodPIN, otherPIN)
			x.Clock.Advance(hold)
			x.Verify(x.ch, h, otherPIN)
			x.Clock.Advance(hold - time.Second)
			x.Verify(x.ch, h, otherPIN)
			x.Clock.Advance(time.Second)
			return h
		}, true},
		"the link of a change": {func(x *phoned) store.Handle {
			x.Change(x.ch, x.card, goodPIN, otherPIN)
			return x.card
		}, true},
		"the link of a change, by its age": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, false)
			x.Clock.Advance(hold)
			x.Change(x.ch, h, goodPIN, otherPIN)
			return h
		}, true},
		"the link of a reset": {func(x *phoned) store.Handle {
			x.Clock.Advance(time.Minute)
			x.resetTo(otherPIN)
			return x.card
		}, true},
		"another link after a reset": {func(x *phoned) store.Handle {
			h := x.linkAgain(x.ch, goodPIN, true)
			x.Clock.Advance(time.Minute)
			x.resetTo(otherPIN)
			return h
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			if got := x.isKnown(tt.do(x)); got != tt.want {
				t.Errorf("known: %v", got)
			}
		})
	}
}

// TestTenWrongMakeAStranger: since the last right one, until a right PIN comes
// together with evidence.
func TestTenWrongMakeAStranger(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	wrong := func(n int) {
		for range n {
			if v := x.Verify(x.ch, x.card, wrongPIN); v.Verdict != liuma.Wrong {
				t.Fatalf("%+v", v)
			}
			x.Clock.Advance(5 * time.Hour)
		}
	}
	right := func() {
		if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
			t.Fatalf("%+v", v)
		}
	}
	wrong(9)
	right()
	wrong(9)
	if !x.isKnown(x.card) {
		t.Fatal("a stranger after nine")
	}
	wrong(1)
	if x.isKnown(x.card) {
		t.Error("known after ten")
	}
	right()
	x.Clock.Advance(100 * time.Hour)
	right()
	if x.isKnown(x.card) {
		t.Error("known again by the PIN alone")
	}
	x.evidenced(x.card, wrongPIN)
	if x.isKnown(x.card) {
		t.Error("known again by evidence with a wrong PIN")
	}
	x.evidenced(x.card, goodPIN)
	if !x.isKnown(x.card) || x.link(x.card).Wrong != 0 {
		t.Error("a stranger after PIN and evidence")
	}
}

// TestAGuessCountsAtItsLinkWhenItBegins: the wrong PIN stands in the link's row
// before any keeper is asked, so that losing the verdict gains nothing. A right
// one, and one that no keeper evaluated, are taken back.
func TestAGuessCountsAtItsLinkWhenItBegins(t *testing.T) {
	hook := &hooks{}
	x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
	var during uint32
	hook.set(func(keeper.ID) error { during = x.link(x.card).Wrong; return nil }, nil)
	x.Verify(x.ch, x.card, wrongPIN)
	if during != 1 || x.link(x.card).Wrong != 1 {
		t.Errorf("%d while the keepers work, %d after; want 1, 1", during, x.link(x.card).Wrong)
	}
	x.Verify(x.ch, x.card, goodPIN)
	if during != 2 || x.link(x.card).Wrong != 0 {
		t.Errorf("%d while the keepers work, %d after a right one; want 2, 0", during, x.link(x.card).Wrong)
	}
}

// TestLinksAreFew: three a card and day, and ten in all; the eleventh ends the
// youngest other one that is not known, and a card with ten known ones says what
// to do.
func TestLinksAreFew(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	first := x.Clock.Now()
	for range 3 {
		x.linkAgain(x.ch, goodPIN, true)
		x.Clock.Advance(time.Hour)
	}
	two := x.Channel("national")
	v := x.tryLink(two, goodPIN, true, "")
	if v.Code != liuma.CodeLinkLimit || v.Verdict != "" || v.Card != "" || !v.Until.Equal(first.Add(24*time.Hour)) {
		t.Fatalf("a fourth within a day: %+v", v)
	}
	if v := x.tryLink(two, wrongPIN, false, ""); v.Code != liuma.CodeRefused {
		t.Errorf("a wrong PIN learns of the limit: %+v", v)
	}
	limitOnThePage(x, two, v.Until)
	x.Clock.Advance(day)
	var young []store.Handle
	for len(x.links()) < 10 {
		x.Clock.Advance(9 * time.Hour)
		young = append(young, x.linkAgain(two, goodPIN, false))
	}
	last := young[len(young)-1]
	for _, h := range young[:len(young)-1] {
		if v := x.Verify(two, h, goodPIN); v.Verdict != liuma.Right {
			t.Fatalf("%+v", v)
		}
	}
	x.Clock.Advance(9 * time.Hour)
	eleventh := x.linkAgain(x.ch, goodPIN, false)
	if v := x.Verify(two, last, goodPIN); v.Code != liuma.CodeRefused || len(x.links()) != 10 {
		t.Errorf("the youngest stranger goes on: %+v, %d links", v, len(x.links()))
	}
	told := x.Notices(x.who.Phone)
	if last := slices.Sorted(slices.Values(told[len(told)-2:])); !slices.Equal(last, []string{"channel_linked", "channel_unlinked"}) {
		t.Errorf("notices: %v", told)
	}
	x.Clock.Advance(80 * time.Hour)
	if v := x.tryLink(x.ch, goodPIN, true, ""); v.Code != liuma.CodeLinksFull || v.Verdict != "" || len(x.links()) != 10 {
		t.Errorf("ten known: %+v", v)
	}
	v = x.tryLink(x.ch, goodPIN, false, eleventh)
	if v.Verdict != liuma.Right || x.isKnown(v.Card) || len(x.links()) != 10 {
		t.Errorf("in place of one of them: %+v", v)
	}
	if v := x.Verify(x.ch, eleventh, goodPIN); v.Code != liuma.CodeRefused {
		t.Errorf("the replaced one goes on: %+v", v)
	}
}

// limitOnThePage is the same limit at the hosted door.
func limitOnThePage(x *phoned, two authority.Caller, until time.Time) {
	x.T.Helper()
	q := x.PushFor(two, liuma.ActionLink, identity(x.who), nil)
	p, h := x.OpenPage(two, q)
	p, err := x.Authority().Agree(x.T.Context(), p.ID, h)
	if err != nil {
		x.T.Fatal(err)
	}
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	if x.want(p, ceremony.StepRefused, liuma.CodeLinkLimit); !p.Until.Equal(until) {
		x.T.Errorf("the page says until %v", p.Until)
	}
	if back := x.WayBack(p, h); back.Get("error_description") != string(liuma.CodeLinkLimit) || back.Has("code") {
		x.T.Errorf("way back: %v", back)
	}
	if v, err := x.Authority().Verification(x.T.Context(), two, q.BusinessNo); err != nil || v.Code != liuma.CodeLinkLimit || v.Verdict != "" {
		x.T.Errorf("by business number: %+v, %v", v, err)
	}
}

// TestReplacingALink ends only a link of the same channel and card.
func TestReplacingALink(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	two := x.Channel("national")
	q := x.LinkRequest(two, x.who, goodPIN)
	q.Replaces = x.card // of another channel
	_, err := x.Authority().Link(t.Context(), two, q)
	wantCode(t, err, liuma.CodeNotFound)
	other := &phoned{Env: x.Env, ch: x.ch, who: x.People[1]}
	other.card = x.EnrollPhone(x.ch, other.who, goodPIN)
	if v := x.tryLink(x.ch, goodPIN, false, other.card); v.Verdict != liuma.Right || len(other.links()) != 1 {
		t.Errorf("another card's link: %+v", v)
	}
	p, h := x.OpenPage(x.ch, func() ceremony.Push {
		q := x.PushFor(x.ch, liuma.ActionLink, identity(x.who), nil)
		q.Replaces = x.card
		return q
	}())
	p, err = x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepDone, "")
	x.Return(x.ch, p, h)
	for _, l := range x.links() {
		if l.Handle == x.card {
			t.Error("on the page: the replaced link is there")
		}
	}
}

// TestUnlink: a channel ends its own links, and no other's.
func TestUnlink(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	two := x.Channel("national")
	there := x.linkAgain(two, goodPIN, false)
	wantCode(t, x.Authority().Unlink(t.Context(), two, x.card), liuma.CodeNotFound)
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	if err := x.Authority().Unlink(t.Context(), x.ch, x.card); err != nil {
		t.Fatal(err)
	}
	wantCode(t, x.Authority().Unlink(t.Context(), x.ch, x.card), liuma.CodeNotFound)
	if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeRefused {
		t.Errorf("an ended link: %+v", v)
	}
	if p, err := x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, Current: x.SealPage(p, liuma.RoleCurrent, goodPIN)}); err != nil || p.Step == ceremony.StepDone {
		t.Errorf("a ceremony that was open: %+v, %v", p, err)
	}
	if v := x.Verify(two, there, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("the other link: %+v", v)
	}
	if n := countEvents(t, x.Env, audit.CardUnlinked, "ok"); n != 1 {
		t.Errorf("%d entries", n)
	}
	if got := x.Notices(x.who.Phone); !slices.Contains(got, "channel_unlinked") {
		t.Errorf("notices: %v", got)
	}
}

// TestALinkThatEndsWhileKeepersWork gives no right verdict.
func TestALinkThatEndsWhileKeepersWork(t *testing.T) {
	hook := &hooks{}
	x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
	hook.set(once(func() {
		if err := x.Authority().Unlink(t.Context(), x.ch, x.card); err != nil {
			t.Error(err)
		}
	}), nil)
	if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Unavailable || v.Receipt != "" {
		t.Errorf("%+v", v)
	}
}

// TestEvidenceGetsPastStrangers: thirty wrong PINs by name and ID number close
// the strangers' lane. The holder goes on through the known link; elsewhere the
// right PIN alone gets the one refusal, and with evidence a link, known at once.
func TestEvidenceGetsPastStrangers(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Shape: shape})
			far := x.Channel("any-app")
			for range 9 {
				for range 5 {
					if v := x.tryLink(far, wrongPIN, false, ""); v.Code != liuma.CodeRefused || v.Verdict != "" || v.TriesLeft != nil {
						t.Fatalf("%+v", v)
					}
				}
				if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
					t.Fatalf("the holder: %+v", v)
				}
				x.Clock.Advance(day)
			}
			two := x.Channel("national")
			if v := x.tryLink(two, goodPIN, false, ""); v.Code != liuma.CodeRefused {
				t.Errorf("a right PIN in a closed lane: %+v", v)
			}
			if v := x.tryLink(two, wrongPIN, true, ""); v.Code != liuma.CodeRefused {
				t.Errorf("evidence with a wrong PIN: %+v", v)
			}
			if h := x.linkAgain(two, goodPIN, true); !x.isKnown(h) {
				t.Error("PIN and evidence: not known")
			}
		})
	}
}

// TestEvidenceOfARefusedLinkIsUsed: sending it again tells nobody whether there
// is a card.
func TestEvidenceOfARefusedLinkIsUsed(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	far := x.Channel("any-app")
	for _, who := range []int{0, 1} { // with a card, and without one
		f := x.People[who]
		ch := x.Challenge(far)
		q := x.LinkRequestFor(far, ch, f, wrongPIN)
		q.Evidence = x.Evidence(f, q.Challenge)
		if v, err := x.Authority().Link(t.Context(), far, q); err != nil || v.Code != liuma.CodeRefused {
			t.Errorf("%d: %+v, %v", who, v, err)
		}
		again := x.LinkRequestFor(far, ch, f, wrongPIN)
		again.Evidence = q.Evidence
		_, err := x.Authority().Link(t.Context(), far, again)
		wantCode(t, err, liuma.CodeEvidenceUsed)
	}
}

// TestAPINProvesNothingForAnotherBrowser: while the keepers work on the
// holder's PIN, a thief who can push goes on with the ceremony in another
// browser. The PIN proves nothing there.
func TestAPINProvesNothingForAnotherBrowser(t *testing.T) {
	hook := &hooks{}
	x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
	swapped := func(q ceremony.Push) (p ceremony.Page, thief ceremony.Hand) {
		p, h := x.OpenPage(x.ch, q)
		if p.Step == ceremony.StepConfirm {
			var err error
			if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil {
				t.Fatal(err)
			}
		}
		hook.set(once(func() { _, thief = x.OpenPage(x.ch, q) }), nil)
		defer hook.set(nil, nil)
		x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
		p, err := x.Authority().Look(t.Context(), p.ID, thief)
		if err != nil || p.Elsewhere {
			t.Fatalf("the thief does not have the ceremony: %+v, %v", p, err)
		}
		return p, thief
	}
	q := x.push(liuma.ActionRebind)
	p, h := swapped(q)
	x.want(p, ceremony.StepPIN, "")
	if _, err := x.Authority().GivePhone(t.Context(), p.ID, h, thiefNumber); err == nil {
		t.Error("a number is taken without a PIN of this browser")
	}
	p, h = swapped(x.push(liuma.ActionVerify))
	x.want(p, ceremony.StepRefused, liuma.CodeNotReturned)
	if _, err := x.Authority().SendCode(t.Context(), p.ID, h, liuma.ByText); err == nil {
		t.Error("a browser that gave no PIN goes on with its verdict")
	}
}
