package ceremony_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// renumbered is another valid number of the same day and place.
func renumbered(t testing.TB, number string, sequence int) string {
	t.Helper()
	digits := number[:14] + fmt.Sprintf("%03d", sequence)
	for _, check := range "0123456789X" {
		if id, err := registry.ParseIDNumber(digits + string(check)); err == nil {
			return id.Canonical()
		}
	}
	t.Fatal("no check character fits")
	return ""
}

// corrected is a holder whose number is to be corrected.
type corrected struct {
	*phoned
	bureau authority.Caller
	is     registry.Facts // the holder under the new number
}

func newCorrected(t *testing.T, o testkit.Options) *corrected {
	t.Helper()
	x := &corrected{phoned: newPhoned(t, o)}
	x.bureau = x.RegistryClient("bureau")
	x.is = x.who
	x.is.IDNumber = renumbered(t, x.who.IDNumber, 997)
	return x
}

func (x *corrected) request(former, number, cardNo string) authority.CorrectionRequest {
	return authority.CorrectionRequest{BusinessNo: x.BusinessNo(), FormerIDNumber: former, IDNumber: number, CardNo: cardNo,
		Digest: testkit.Digest(former, number, cardNo)}
}

func (x *corrected) report() (authority.CorrectionView, error) {
	return x.System.Authority.CorrectNumber(context.Background(), x.bureau, x.request(x.who.IDNumber, x.is.IDNumber, x.who.CardNo))
}

// reported has a correction reported, and its holder told.
func (x *corrected) reported() authority.CorrectionView {
	x.T.Helper()
	v, err := x.report()
	if err == nil && !v.Done && v.Until.IsZero() {
		x.told()
		v, err = x.report()
	}
	if err != nil {
		x.T.Fatal(err)
	}
	return v
}

// told has the gateway take all messages.
func (x *corrected) told() {
	x.T.Helper()
	x.Sent()
	x.maintained()
}

func (x *corrected) maintained() {
	x.T.Helper()
	if err := x.System.Authority.MaintainOnce(context.Background()); err != nil {
		x.T.Fatal(err)
	}
}

func (x *corrected) index(number string) vault.Index {
	return x.System.Vault.Index(vault.IndexIDNumber, number)
}

// links reports whether a link by a number succeeds.
func (x *corrected) linksBy(f registry.Facts) bool {
	x.T.Helper()
	v, err := x.Authority().Link(context.Background(), x.ch, x.LinkRequest(x.ch, f, goodPIN))
	if err != nil {
		x.T.Fatal(err)
	}
	full := v.Code == liuma.CodeLinksFull || v.Code == liuma.CodeLinkLimit // the PIN was right
	if v.Verdict != liuma.Right && v.Code != liuma.CodeRefused && !full {
		x.T.Fatalf("link: %+v", v)
	}
	return v.Verdict == liuma.Right || full
}

// applies is the error code of an application for a card under a number.
func (x *corrected) applies(f registry.Facts) liuma.Code {
	x.T.Helper()
	_, err := x.Authority().Enroll(context.Background(), x.ch, x.EnrollRequest(x.ch, f, otherPIN))
	if err == nil {
		return ""
	}
	return liuma.CodeOf(err)
}

// want checks where the card is: under the new number or the old one, and nowhere else.
func (x *corrected) wantUnder(isNew bool) {
	x.T.Helper()
	if old, now := x.linksBy(x.who), x.linksBy(x.is); old == isNew || now != isNew {
		x.T.Errorf("links by the old number %v, by the new one %v; want the new one: %v", old, now, isNew)
	}
	if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
		x.T.Errorf("the link and the PIN: %+v", v)
	}
	for number, want := range map[string]bool{x.who.IDNumber: !isNew, x.is.IDNumber: isNew} {
		held, err := x.System.Authority.HeldOf(context.Background(), x.index(number))
		if err != nil || held.Card.IsZero() == want {
			x.T.Errorf("keepers hold %v under the number that leads to the card %v: %v", held.Card, want, err)
		}
	}
}

func (x *corrected) notices(name string) (n int) {
	for _, got := range x.Notices(x.who.Phone) {
		if got == name {
			n++
		}
	}
	return n
}

// TestACorrectedNumberCarriesTheCardAlong, after 72 hours in which its holder is
// told and the PIN is neither recovered nor the phone changed.
func TestACorrectedNumberCarriesTheCardAlong(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newCorrected(t, testkit.Options{Shape: shape})
			v := x.reported()
			until := x.Clock.Now().Add(72 * time.Hour)
			if v.Done || !v.HasCard || v.Until.Sub(until).Abs() > time.Minute {
				t.Fatalf("%+v, want it to wait until %v", v, until)
			}
			if again := x.reported(); again != v {
				t.Errorf("told again: %+v", again)
			}
			if n := x.notices("id_number_correction"); n != 1 {
				t.Errorf("told %d times", n)
			}
			x.wantUnder(false)
			for _, action := range []liuma.Action{liuma.ActionReset, liuma.ActionRebind} {
				p, _ := x.agreed(x.push(action))
				x.want(p, ceremony.StepRefused, liuma.CodeNumberCorrecting)
				if !p.Until.Equal(v.Until) {
					t.Errorf("%s: until %v", action, p.Until)
				}
			}
			if code := x.applies(x.is); code != liuma.CodeNotInRegistry {
				t.Errorf("an application under the new number while it waits: %q", code)
			}
			x.Clock.Advance(72*time.Hour - time.Minute)
			x.maintained()
			x.wantUnder(false)
			x.Clock.Advance(2 * time.Minute)
			x.maintained()
			x.wantUnder(true)
			for f, want := range map[registry.Facts]liuma.Code{x.who: liuma.CodeNotInRegistry, x.is: liuma.CodeAlreadyEnrolled} {
				if code := x.applies(f); code != want {
					t.Errorf("an application: %q, want %q", code, want)
				}
			}
			if again := x.reported(); !again.Done {
				t.Errorf("told again when it counts: %+v", again)
			}
			x.resetWithOldEvidence()
			x.weakByTheNewNumber()
			events := ""
			for _, ev := range []audit.Event{audit.CorrectionReceived, audit.CorrectionOpened, audit.CorrectionBegun, audit.CorrectionDone} {
				events += fmt.Sprint(len(x.recorded(ev)), " ")
			}
			if events != "4 1 1 1 " { // told three times more, each with an entry
				t.Errorf("entries: %s", events)
			}
		})
	}
}

// resetWithOldEvidence: what a provider signed about the old number is refused.
func (x *corrected) resetWithOldEvidence() {
	x.T.Helper()
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	ch := x.Challenge(x.ch)
	q.Challenge, q.Evidence = ch.Value, x.Evidence(x.who, ch.Value)
	if _, err := x.Authority().Push(context.Background(), x.ch, q); liuma.CodeOf(err) != liuma.CodeEvidenceInvalid {
		x.T.Errorf("evidence about the old number: %v", err)
	}
}

// weakByTheNewNumber: the rules about the holder's own number know the new one.
func (x *corrected) weakByTheNewNumber() {
	x.T.Helper()
	_, err := x.Authority().Change(context.Background(), x.ch, x.ChangeRequest(x.ch, x.card, goodPIN, x.is.IDNumber[11:17]))
	if liuma.CodeOf(err) != liuma.CodeWeakPIN {
		x.T.Errorf("a PIN of the new number's digits: %v", err)
	}
}

// TestAFreezeStopsACorrection for good: the owner who was told keeps the card,
// whatever the registry says again, until an operator decides.
func TestAFreezeStopsACorrection(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	x.reported()
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
		t.Fatal(err)
	}
	// From the freeze on: unfreezing before the next round must not let it go on.
	card := x.links()[0].Card
	err := x.System.Store.View(t.Context(), func(r store.Reader) error {
		c, err := r.Card(card)
		if err == nil && !c.Correcting.IsZero() {
			t.Error("the frozen card still has the correction")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	x.maintained()
	if _, err := x.report(); liuma.CodeOf(err) != liuma.CodeCorrectionStopped {
		t.Errorf("told again: %v", err)
	}
	x.Clock.Advance(100 * time.Hour)
	x.maintained()
	err = x.System.Store.View(t.Context(), func(r store.Reader) error {
		c, err := r.Card(card)
		if err == nil && (c.Holder != x.index(x.who.IDNumber) || !c.Correcting.IsZero()) {
			t.Errorf("the card moved: %+v", c)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := x.System.Registry.Corrections(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].State != "stopped" || list[0].Why != "frozen" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := x.System.Registry.CancelCorrection(t.Context(), "operator", list[0].ID, "the holder was heard"); err != nil {
		t.Fatal(err)
	}
	if _, err := x.report(); liuma.CodeOf(err) != liuma.CodeCorrectionStopped {
		t.Errorf("told again after an operator cancelled it: %v", err)
	}
	if code := x.applies(x.is); code != liuma.CodeNotInRegistry {
		t.Errorf("the new number is somebody's: %q", code)
	}
}

// TestAPutBackCorrectionMovesNothing: who writes to the database brings back the
// row of a correction that was stopped, and the card does not follow it.
func TestAPutBackCorrectionMovesNothing(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	x.reported()
	x.SQL("CREATE TABLE stolen AS SELECT * FROM corrections")
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
		t.Fatal(err)
	}
	x.maintained()
	x.SQL("DELETE FROM corrections", "INSERT INTO corrections SELECT * FROM stolen", "DROP TABLE stolen")
	x.Clock.Advance(73 * time.Hour)
	x.maintained()
	list, err := x.System.Registry.Corrections(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].State != "stopped" {
		t.Errorf("%+v, %v", list, err)
	}
	held, err := x.System.Authority.HeldOf(t.Context(), x.index(x.is.IDNumber))
	if err != nil || !held.Card.IsZero() {
		t.Errorf("the card moved at the keepers: %v, %v", held.Card, err)
	}
}

// TestADeletedCorrectionOpensNothing: while one waits the PIN cannot be recovered,
// also when its row is deleted.
func TestADeletedCorrectionOpensNothing(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	x.reported()
	x.SQL("DELETE FROM corrections")
	p, _ := x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepRefused, liuma.CodeNumberCorrecting)
}

// TestCorrectionsThatAreRefused, each with a code of its own.
func TestCorrectionsThatAreRefused(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	other, third := x.People[1], x.People[2]
	x.EnrollPhone(x.ch, other, otherPIN)
	free := renumbered(t, x.who.IDNumber, 991)
	wrong := free[:17] + "0"
	if wrong == free {
		wrong = free[:17] + "1"
	}
	for name, c := range map[string]struct {
		q    authority.CorrectionRequest
		want liuma.Code
	}{
		"the same number":          {x.request(x.who.IDNumber, " "+x.who.IDNumber, x.who.CardNo), liuma.CodeCorrectionSame},
		"an unknown number":        {x.request(free, x.is.IDNumber, x.who.CardNo), liuma.CodeNotInRegistry},
		"another person's card":    {x.request(x.who.IDNumber, x.is.IDNumber, other.CardNo), liuma.CodeNotFound},
		"a number that has a card": {x.request(x.who.IDNumber, other.IDNumber, x.who.CardNo), liuma.CodeCorrectionHasCard},
		"another person's number":  {x.request(x.who.IDNumber, third.IDNumber, x.who.CardNo), liuma.CodeCorrectionContested},
		"a wrong check digit":      {x.request(x.who.IDNumber, wrong, x.who.CardNo), liuma.CodeIDNumberInvalid},
		"fifteen digits":           {x.request("330521195503070", free, x.who.CardNo), liuma.CodeIDNumber15},
	} {
		if _, err := x.System.Authority.CorrectNumber(t.Context(), x.bureau, c.q); liuma.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := x.System.Authority.CorrectNumber(t.Context(), x.ch, x.request(x.who.IDNumber, free, x.who.CardNo)); liuma.CodeOf(err) != liuma.CodeForbidden {
		t.Errorf("a channel: %v", err)
	}
	conflicts, err := x.System.Registry.Conflicts(t.Context(), "")
	if err != nil || len(conflicts) != 1 || conflicts[0].Former == "" {
		t.Errorf("conflicts: %+v, %v", conflicts, err)
	}
	x.reported()
	for name, q := range map[string]authority.CorrectionRequest{
		"of the same person":     x.request(x.who.IDNumber, free, x.who.CardNo),
		"to the same number":     x.request(third.IDNumber, x.is.IDNumber, third.CardNo),
		"to the one that leaves": x.request(third.IDNumber, x.who.IDNumber, third.CardNo),
	} {
		if _, err := x.System.Authority.CorrectNumber(t.Context(), x.bureau, q); liuma.CodeOf(err) != liuma.CodeCorrectionWaits {
			t.Errorf("another correction %s: %v", name, err)
		}
	}
	p, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(other.Phone))
	if err != nil {
		t.Fatal(p, err)
	}
	if _, err := x.System.Authority.CorrectNumber(t.Context(), x.bureau, x.request(other.IDNumber, free, other.CardNo)); liuma.CodeOf(err) != liuma.CodeFrozen {
		t.Errorf("of a frozen card: %v", err)
	}
	_, err = x.System.Authority.SetPhysical(t.Context(), x.bureau, authority.PhysicalRequest{IDNumber: other.IDNumber, CardNo: other.CardNo,
		Event: authority.PhysicalCancelled, BusinessNo: x.BusinessNo()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.System.Authority.CorrectNumber(t.Context(), x.bureau, x.request(other.IDNumber, free, other.CardNo)); liuma.CodeOf(err) != liuma.CodeCancelled {
		t.Errorf("of a cancelled card: %v", err)
	}
}

// TestAPersonWithoutACardIsCorrectedAtOnce, unless keepers know of a card that the
// database has lost: nobody gets a second one under another number (I-13).
func TestAPersonWithoutACardIsCorrectedAtOnce(t *testing.T) {
	x := newCorrected(t, testkit.Options{Shape: "2/3"})
	bare, is := x.People[3], x.People[3]
	is.IDNumber = renumbered(t, bare.IDNumber, 996)
	v, err := x.System.Authority.CorrectNumber(t.Context(), x.bureau, x.request(bare.IDNumber, is.IDNumber, bare.CardNo))
	if err != nil || !v.Done {
		t.Fatalf("%+v, %v", v, err)
	}
	if code := x.applies(bare); code != liuma.CodeNotInRegistry {
		t.Errorf("an application under the old number: %q", code)
	}
	if code := x.applies(is); code != "" {
		t.Errorf("an application under the new number: %q", code)
	}
	x.SQL("DELETE FROM cards")
	if v, err = x.report(); liuma.CodeOf(err) != liuma.CodeCorrectionStopped {
		t.Errorf("of a card that only keepers know: %+v, %v", v, err)
	}
	if code := x.applies(x.is); code != liuma.CodeNotInRegistry {
		t.Errorf("an application under its new number: %q", code)
	}
}

// alter changes the store as a test needs it.
func (x *corrected) alter(f func(store.Tx) error) {
	x.T.Helper()
	err := x.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: x.Clock.Now(), Actor: "test", Event: audit.RowsPruned, Outcome: "ok"}, f(tx)
	})
	if err != nil {
		x.T.Fatal(err)
	}
}
