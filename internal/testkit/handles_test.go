package testkit_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres/homes"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestHandlesThatLeadNowhere: a claim whose ceremony was forgotten without it goes with the next
// walk. One whose code can still be redeemed stays, and the code makes its link; so it does if
// somebody dropped the claim all the same.
func TestHandlesThatLeadNowhere(t *testing.T) {
	t.Setenv("LIUMA_TEST_STORE", "postgres")
	e := testkit.New(t, testkit.Options{Phones: true})
	x := &watched{Env: e, w: homes.New(rows.Layouts(), actExceptions()...), ch: e.Channel("app")}
	ch, a := x.ch.Channel(), e.System.Authority
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	loose := func() (all []store.HandleKey) {
		t.Helper()
		must(e.System.Store.View(t.Context(), func(r store.Reader) error {
			w, err := r.WalkHandles(nil, 1000)
			all = w.Loose
			return err
		}))
		return all
	}
	// claim is what a token request does that dies before it makes the link.
	claim := func(card liuma.CardID, ceremony string) store.Handle {
		t.Helper()
		h, err := a.ClaimHandle(t.Context(), ch, card, ceremony)
		must(err)
		return h
	}
	enrol := func(i int) (card liuma.CardID) {
		t.Helper()
		who := e.People[i]
		x.begin(liuma.ActionEnroll, testkit.Subject(who), &who)
		x.agree()
		x.code(who.Phone)
		x.pin(ceremony.Given{New: x.sealed(liuma.RoleNew, "739182")})
		x.at(ceremony.StepDone)
		must(e.System.Store.View(t.Context(), func(r store.Reader) error {
			c, err := r.Ceremony(x.p.ID)
			card = c.Card
			return err
		}))
		return card
	}
	leads := func(g ceremony.Grant, card liuma.CardID) {
		t.Helper()
		must(e.System.Store.View(t.Context(), func(r store.Reader) error {
			l, err := r.LinkByHandle(ch, g.Card)
			if l.Card != card {
				t.Errorf("the handle leads to %s, and not %s", l.Card, card)
			}
			return err
		}))
	}

	card := enrol(0)
	redeemable := claim(card, x.p.ID)
	for _, gone := range []string{"one from before", "another"} {
		claim(card, gone)
	}
	if n := len(loose()); n != 3 {
		t.Fatalf("%d claims lead nowhere, and not 3", n)
	}
	must(a.TendHandlesStep(t.Context()))
	if left := loose(); len(left) != 1 || left[0].Handle != redeemable {
		t.Errorf("left are %v, and not %q alone", left, redeemable)
	}
	leads(x.back(), card)
	must(a.TendHandlesStep(t.Context()))
	if left := loose(); len(left) != 0 {
		t.Errorf("left are %v", left)
	}

	card = enrol(1)
	k := store.HandleKey{Channel: ch, Handle: claim(card, x.p.ID), Card: card}
	must(e.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		if did, err := tx.PruneHandle(k); err != nil || !did {
			t.Errorf("not dropped: %v", err)
		}
		return a.Entry("system", audit.RowsPruned, card, "", "ok"), nil
	}))
	leads(x.back(), card)
}
