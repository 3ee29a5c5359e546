package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// erasable is a holder who wants to be erased.
type erasable struct {
	*phoned
	bureau authority.Caller
	id     liuma.CardID
}

func newErasable(t *testing.T, o testkit.Options) *erasable {
	t.Helper()
	x := &erasable{phoned: newPhoned(t, o)}
	x.bureau = x.RegistryClient("bureau")
	x.id = x.links()[0].Card
	return x
}

func (x *erasable) holder() vault.Index {
	return x.System.Vault.Index(vault.IndexIDNumber, x.who.IDNumber)
}

func (x *erasable) erase(trial bool) (authority.Erasure, error) {
	return x.System.Authority.ErasePerson(context.Background(), "operator", x.holder(), "asked", trial)
}

// wantState erases, in a trial first, which changes nothing.
func (x *erasable) wantState(trial, state authority.ErasedState) authority.Erasure {
	x.T.Helper()
	for range 2 {
		if v, err := x.erase(true); err != nil || v.State != trial {
			x.T.Fatalf("trial: %+v, %v, want %s", v, err, trial)
		}
	}
	v, err := x.erase(false)
	if err != nil || v.State != state {
		x.T.Fatalf("%+v, %v, want %s", v, err, state)
	}
	return v
}

func (x *erasable) refused(want error) {
	x.T.Helper()
	for _, trial := range []bool{true, false} {
		if v, err := x.erase(trial); !errors.Is(err, want) {
			x.T.Errorf("trial %v: %+v, %v, want %v", trial, v, err, want)
		}
	}
}

func (x *erasable) report(ev authority.PhysicalEvent, cardNo, by string) {
	x.T.Helper()
	_, err := x.Authority().SetPhysical(context.Background(), x.bureau, authority.PhysicalRequest{IDNumber: x.who.IDNumber, CardNo: cardNo,
		Event: ev, ReplacedBy: by, BusinessNo: x.BusinessNo()})
	if err != nil {
		x.T.Fatal(err)
	}
}

// sent lets all messages go out, as the outbox would.
func (x *erasable) sent() {
	x.T.Helper()
	x.change(func(tx store.Tx) error {
		all, err := tx.Messages(store.MessageWaiting, "", 500)
		for _, m := range all {
			m.State, m.DoneAt = store.MessageSent, x.Clock.Now()
			err = errors.Join(err, tx.UpdateMessage(m))
		}
		return err
	})
}

func (x *erasable) change(f func(store.Tx) error) {
	x.T.Helper()
	err := x.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: x.Clock.Now(), Actor: "test", Event: audit.RowsPruned, Outcome: "ok"}, f(tx)
	})
	if err != nil {
		x.T.Fatal(err)
	}
}

func (x *erasable) cardNow() (c store.Card) {
	x.T.Helper()
	err := x.System.Store.View(context.Background(), func(r store.Reader) (err error) {
		c, err = r.Card(x.id)
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return c
}

func (x *erasable) held() (registry.Held, error) {
	id, err := registry.ParseIDNumber(x.who.IDNumber)
	if err != nil {
		x.T.Fatal(err)
	}
	return x.System.Registry.Held(context.Background(), "operator", id, "asked")
}

func (x *erasable) maintained() {
	x.T.Helper()
	if err := x.System.Authority.MaintainOnce(context.Background()); err != nil {
		x.T.Fatal(err)
	}
}

// TestErase: who has a card in use, a frozen one, something under way, or not waited
// long enough stays; then all is gone, nothing is found, and the same person begins
// anew with another card.
func TestErase(t *testing.T) {
	away := false
	x := newErasable(t, testkit.Options{Shape: "2/3", Keeper: func(k keeper.Keeper) keeper.Keeper { return &retiresNot{k, &away} }})
	code := x.LastFreezeCode(x.who.Phone)
	x.sent()
	x.maintained() // a keeper that was slow leaves the PIN's intent behind
	x.refused(authority.ErrLive)
	x.report(authority.PhysicalLost, x.who.CardNo, "")
	x.refused(authority.ErrLive)
	x.report(authority.PhysicalCancelled, x.who.CardNo, "")
	frozen := x.cardNow()
	x.change(func(tx store.Tx) error { frozen.Frozen = true; return tx.UpdateCard(frozen) })
	x.refused(authority.ErrFrozen)
	x.change(func(tx store.Tx) error {
		c, err := tx.Card(x.id)
		c.Frozen, c.ReportedAt, c.ReportedUntil = false, x.Clock.Now(), x.Clock.Now().Add(72*time.Hour)
		return errors.Join(err, tx.UpdateCard(c))
	})
	x.refused(authority.ErrReported)
	x.Clock.Advance(72 * time.Hour)
	x.change(func(tx store.Tx) error {
		c, err := tx.Card(x.id)
		c.Frozen = false
		return errors.Join(err, tx.UpdateCard(c))
	})
	x.change(func(tx store.Tx) error { // a notice that waits
		return tx.InsertMessage(store.Message{ID: strings.Repeat("a", 26), Kind: "notice", Card: x.id, State: store.MessageWaiting, NextAt: x.Clock.Now(), At: x.Clock.Now()})
	})
	x.refused(authority.ErrUnderway)
	x.sent()

	// A keeper that is away: the card is stopped, and the wait does not begin.
	away = true
	if _, err := x.erase(false); !errors.Is(err, authority.ErrRetire) {
		t.Fatalf("a keeper was away: %v", err)
	}
	if c := x.cardNow(); c.Retiring.IsZero() || !c.RetiredAt.IsZero() {
		t.Errorf("retiring %v, retired %v", c.Retiring, c.RetiredAt)
	}
	away = false
	x.Clock.Advance(40 * day)
	if v := x.wantState(authority.EraseBegun, authority.EraseBegun); v.Until == nil || !v.Until.Equal(x.Clock.Now().Add(authority.EraseWait)) {
		t.Errorf("until %v", v.Until)
	}
	// A new physical card, by report and by import, does not bring it back.
	x.report(authority.PhysicalReplaced, x.who.CardNo, "Z12345678")
	if c := x.cardNow(); c.Physical != liuma.PhysicalCancelled {
		t.Errorf("a report brought it back: %s", c.Physical)
	}
	x.report(authority.PhysicalCancelled, "Z12345678", "")
	x.maintained()
	x.sent()
	x.Clock.Advance(authority.EraseWait - time.Minute)
	x.wantState(authority.EraseWaiting, authority.EraseWaiting)
	x.Clock.Advance(time.Minute)

	// What is held is written out, and the holder told, before it goes.
	h, err := x.held()
	if err != nil || h.Person == nil || h.Card == nil || len(h.Card.Links) != 1 || h.Card.Contact == nil || len(h.Notices) == 0 {
		t.Fatalf("held: %+v, %v", h, err)
	}
	x.refused(authority.ErrUnderway) // the holder is still to be told
	x.maintained()
	x.sent()
	v := x.wantState(authority.EraseReady, authority.EraseDone)
	if !v.Person || v.Links != 1 || v.Notices < 2 || v.Card != x.id.String() {
		t.Errorf("%+v", v)
	}
	x.nothingLeft(code)

	// The same person begins anew.
	x.imported()
	x.ch = x.Channel("zj-other")
	x.card = x.EnrollPhone(x.ch, x.who, "937104")
	if c := x.links()[0].Card; c == x.id {
		t.Error("the erased card is in use again")
	}
	verified, err := x.Authority().Verify(t.Context(), x.ch, x.VerifyRequest(x.ch, x.card, "937104"))
	if err != nil || verified.Verdict != liuma.Right {
		t.Errorf("the new card: %+v, %v", verified, err)
	}
}

// nothingLeft wants that nothing leads to the person, in the whole database.
func (x *erasable) nothingLeft(code string) {
	x.T.Helper()
	if h, err := x.held(); !errors.Is(err, registry.ErrNobody) {
		x.T.Errorf("held: %+v, %v", h, err)
	}
	x.wantState(authority.EraseNothing, authority.EraseNothing)
	if c := x.cardNow(); c.Version != 0 || c.Region != "" || c.ErasedAt.IsZero() || c.Holder == x.holder() {
		x.T.Errorf("card: %+v", c)
	}
	if _, err := x.Authority().Card(context.Background(), x.ch, x.card); liuma.CodeOf(err) != liuma.CodeNotFound {
		x.T.Errorf("by its handle: %v", err)
	}
	if _, err := x.Authority().FreezeByCode(context.Background(), "a", code); liuma.CodeOf(err) != liuma.CodeFreezeCodeInvalid {
		x.T.Errorf("by its freeze code: %v", err)
	}
	err := x.System.Store.View(context.Background(), func(r store.Reader) error {
		all, err := r.Messages("", "", 500)
		if slices.ContainsFunc(all, func(m store.Message) bool { return m.Card == x.id }) {
			x.T.Error("a notice is left")
		}
		entries, err2 := r.Entries(audit.CardStream(x.id), 0, 500)
		if len(entries) == 0 || entries[len(entries)-1].Event != audit.PersonErased || entries[len(entries)-1].Note != "reason=asked" {
			x.T.Errorf("%d entries", len(entries))
		}
		for i, e := range entries {
			if e.Number != uint64(i+1) {
				x.T.Errorf("entry %d has number %d", i+1, e.Number)
			}
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		x.T.Error(err)
	}
}

// imported imports the holder again.
func (x *erasable) imported() {
	x.T.Helper()
	file := fmt.Sprintf("id_number,name,phone,card_no,region\n%s,%s,%s,%s,%s\n", x.who.IDNumber, x.who.Name, x.who.Phone, x.who.CardNo, x.who.Region)
	sum, err := x.System.Registry.Import(context.Background(), strings.NewReader(file), registry.ImportConfig{})
	if err != nil || sum.Kept != 1 {
		x.T.Fatalf("%+v, %v", sum, err)
	}
}

// retiresNot is a keeper that is away where it is asked to retire a card.
type retiresNot struct {
	keeper.Keeper
	away *bool
}

func (k *retiresNot) Retire(ctx context.Context, h keeper.Header, c liuma.CardID) (keeper.Answer, error) {
	if *k.away && k.ID() == "k3" {
		return keeper.Answer{}, errors.New("away")
	}
	return k.Keeper.Retire(ctx, h, c)
}

// TestEraseWithoutCard: somebody whose physical card was cancelled is erased at once,
// somebody who has one is not; nor is somebody whose card only keepers know.
func TestEraseWithoutCard(t *testing.T) {
	x := newErasable(t, testkit.Options{})
	holder := x.who
	x.who = x.People[1]
	x.refused(authority.ErrLive)
	x.report(authority.PhysicalCancelled, x.who.CardNo, "")
	if v := x.wantState(authority.EraseReady, authority.EraseDone); !v.Person || v.Card != "" {
		t.Errorf("%+v", v)
	}
	if _, err := x.held(); !errors.Is(err, registry.ErrNobody) {
		t.Errorf("held: %v", err)
	}
	x.wantState(authority.EraseNothing, authority.EraseNothing)
	if got := x.recorded(audit.PersonErased); len(got) != 1 || !strings.HasSuffix(got[0], "reason=asked") || strings.Contains(got[0], x.who.IDNumber) {
		t.Errorf("entries %q", got)
	}
	x.who = holder
	x.report(authority.PhysicalCancelled, x.who.CardNo, "")
	x.SQL("DELETE FROM cards")
	x.refused(authority.ErrKept)
	x.SQL("DELETE FROM persons")
	x.refused(authority.ErrKept)
}

// TestEraseAcrossDeaths lets the process die at every durable step: what is there
// afterwards is whole or gone, and erasing again ends the same.
func TestEraseAcrossDeaths(t *testing.T) {
	for _, death := range testkit.Deaths("2/3") {
		after := death.After
		died := true
		for n := 0; died; n++ {
			var f testkit.Faults
			x := newErasable(t, testkit.Options{Faults: &f, Shape: "2/3"})
			x.sent()
			x.report(authority.PhysicalCancelled, x.who.CardNo, "")
			f.DieAt(n, after)
			_, err1 := x.erase(false)
			x.Clock.Advance(authority.EraseWait)
			_, err2 := x.erase(false)
			// What the keepers are told in the background may be the fatal step too.
			if died = f.Revive(); !died && (err1 != nil || err2 != nil) {
				t.Fatalf("step %d: died %v: %v, %v", n, died, err1, err2)
			}
			x.Close()
			x.Open()
			c := x.cardNow()
			whole := c.ErasedAt.IsZero()
			h, err := x.held()
			if whole != (err == nil && h.Card != nil && h.Person != nil) || !whole && !errors.Is(err, registry.ErrNobody) {
				t.Fatalf("step %d, after %v: a half: card erased %v; %+v, %v", n, after, !whole, h, err)
			}
			x.maintained()
			x.sent()
			var v authority.Erasure
			for range 3 {
				if v, err = x.erase(false); err != nil {
					t.Fatalf("step %d: %v", n, err)
				}
				x.Clock.Advance(authority.EraseWait)
			}
			if v.State != authority.EraseNothing && v.State != authority.EraseDone {
				t.Errorf("step %d, after %v: %+v", n, after, v)
			}
			x.Close()
			if n > 20 {
				t.Fatal("it never ends")
			}
			x.Open()
		}
	}
}

// TestNoneIsErasedWhileTheNumberIsCorrected: neither under the number that is being
// corrected nor under the new one, until an operator has decided against it; and what
// was decided against goes with the person.
func TestNoneIsErasedWhileTheNumberIsCorrected(t *testing.T) {
	x := newErasable(t, testkit.Options{})
	other := x.who
	other.IDNumber = renumbered(t, x.who.IDNumber, 997)
	former, err := registry.ParseIDNumber(x.who.IDNumber)
	if err != nil {
		t.Fatal(err)
	}
	number, err := registry.ParseIDNumber(other.IDNumber)
	if err != nil {
		t.Fatal(err)
	}
	got, err := x.System.Registry.CorrectNumber(t.Context(), registry.Correction{Former: former, Number: number, CardNo: x.who.CardNo, Actor: "operator"}, "asked")
	if err != nil {
		t.Fatal(err)
	}
	x.maintained()
	x.sent()
	x.report(authority.PhysicalCancelled, x.who.CardNo, "")
	x.sent()
	x.refused(authority.ErrUnderway)
	mine := x.who.IDNumber
	x.who.IDNumber = other.IDNumber
	x.refused(authority.ErrUnderway)
	x.who.IDNumber = mine
	if err := x.System.Registry.CancelCorrection(t.Context(), "operator", got.Correction.ID, "asked"); err != nil {
		t.Fatal(err)
	}
	x.sent()
	x.wantState(authority.EraseBegun, authority.EraseBegun)
	x.Clock.Advance(authority.EraseWait)
	x.wantState(authority.EraseReady, authority.EraseDone)
	err = x.System.Store.View(t.Context(), func(r store.Reader) error {
		_, err := r.Correction(got.Correction.ID)
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the correction that was decided against is left: %v", err)
	}
	x.wantState(authority.EraseNothing, authority.EraseNothing)
}

// TestErasingWaitsForCeremonies: where ceremonies are kept longer than the wait, it is
// as long, so that no sealed detail of the card outlives its erasing.
func TestErasingWaitsForCeremonies(t *testing.T) {
	x := newErasable(t, testkit.Options{Configure: func(c *config.Config) { c.Retention.Ceremonies = 60 }})
	x.report(authority.PhysicalCancelled, x.who.CardNo, "")
	x.sent()
	if v := x.wantState(authority.EraseBegun, authority.EraseBegun); v.Until == nil || !v.Until.Equal(x.Clock.Now().Add(61*day)) {
		t.Errorf("until %v", v.Until)
	}
	x.Clock.Advance(60 * day)
	x.wantState(authority.EraseWaiting, authority.EraseWaiting)
	x.Clock.Advance(day)
	x.wantState(authority.EraseReady, authority.EraseDone)
}
