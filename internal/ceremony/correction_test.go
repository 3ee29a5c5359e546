package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/notify"
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

// TestACorrectionSurvivesADeathAtEveryStep kills the process before and after every
// durable step of a move. Afterwards the card is under exactly one of the numbers,
// and the next rounds bring it under the new one.
func TestACorrectionSurvivesADeathAtEveryStep(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/after=%v", shape, after), func(t *testing.T) {
				faults := &testkit.Faults{}
				x := newCorrected(t, testkit.Options{Shape: shape, Faults: faults})
				steps := 0
				for ; ; steps++ {
					faults.DieAt(steps, after)
					_, _ = x.report()
					_ = x.MarkSent()
					_ = x.System.Authority.MaintainOnce(context.Background())
					x.Clock.Advance(73 * time.Hour)
					_ = x.System.Authority.MaintainOnce(context.Background())
					died := faults.Revive()
					restart(x.Env)
					if got := x.cardsUnder(); got != 1 {
						t.Fatalf("step %d: a card under %d of the numbers", steps, got)
					}
					x.reported()
					x.maintained()
					x.Clock.Advance(73 * time.Hour)
					x.maintained()
					x.maintained()
					x.wantUnder(true)
					if !died {
						break
					}
					x.who, x.is = x.is, x.who // and back again
				}
				if steps < 6 {
					t.Errorf("a correction took only %d durable steps", steps)
				}
			})
		}
	}
}

// cardsUnder is how many of the two numbers lead to the card in the database.
func (x *corrected) cardsUnder() (n int) {
	x.T.Helper()
	err := x.System.Store.View(context.Background(), func(r store.Reader) error {
		n = 0
		for _, number := range []string{x.who.IDNumber, x.is.IDNumber} {
			if _, err := r.CardByHolder(x.index(number)); err == nil {
				n++
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return n
}

// retagAway is a keeper that answers no correction while it is set.
type retagAway struct {
	keeper.Keeper
	gone *atomic.Bool
}

func (k retagAway) Retag(ctx context.Context, r keeper.RetagRequest) (keeper.CommitAnswer, error) {
	if k.gone.Load() {
		return keeper.CommitAnswer{}, errors.New("away")
	}
	return k.Keeper.Retag(ctx, r)
}

// TestACorrectionReachesTheKeeperThatWasAway: with one of three away the number
// counts, and the keeper gets it when it is back; with two away nothing counts yet.
func TestACorrectionReachesTheKeeperThatWasAway(t *testing.T) {
	gone := map[keeper.ID]*atomic.Bool{}
	x := newCorrected(t, testkit.Options{Shape: "2/3", Keeper: func(k keeper.Keeper) keeper.Keeper {
		gone[k.ID()] = &atomic.Bool{}
		return retagAway{k, gone[k.ID()]}
	}})
	var ids []keeper.ID
	for id := range gone {
		ids = append(ids, id)
	}
	state := func() string {
		list, err := x.System.Registry.Corrections(t.Context(), "")
		if err != nil || len(list) > 1 {
			t.Fatal(list, err)
		}
		if len(list) == 0 {
			return "settled"
		}
		return list[0].State
	}
	gone[ids[0]].Store(true)
	gone[ids[1]].Store(true)
	x.reported()
	x.Clock.Advance(73 * time.Hour)
	if err := x.System.Authority.MaintainOnce(t.Context()); err == nil || state() != "moving" {
		t.Errorf("two away: %s, %v", state(), err)
	}
	if x.linksBy(x.is) || !x.linksBy(x.who) {
		t.Error("with two keepers away the new number counts")
	}
	gone[ids[1]].Store(false)
	x.maintained()
	if got := state(); got != "moved" {
		t.Errorf("one away: %s", got)
	}
	x.wantUnder(true)
	gone[ids[0]].Store(false)
	x.maintained()
	if got := state(); got != "settled" {
		t.Errorf("all there: %s", got)
	}
	x.wantUnder(true)
}

// refuser is a keeper that holds a number for another card when a correction comes.
type refuser struct {
	keeper.Keeper
	on *atomic.Bool
}

func (k refuser) Retag(ctx context.Context, r keeper.RetagRequest) (keeper.CommitAnswer, error) {
	a, err := k.Keeper.Retag(ctx, r)
	if err != nil || !k.on.Load() {
		return a, err
	}
	// It had taken the tag, and says that it cannot: the worst of both.
	_, err = k.Keeper.Retag(ctx, keeper.RetagRequest{Header: r.Header, Card: r.Card, Head: r.Head, Old: r.New, New: r.Old})
	a.Refusal = &ledger.Refusal{Reason: ledger.TagTaken}
	return a, err
}

// TestARefusedCorrectionIsUndone: keepers that hold the new number for another card
// leave the card where it was, at all of them, and an operator hears of it.
func TestARefusedCorrectionIsUndone(t *testing.T) {
	var on atomic.Bool
	n := 0
	x := newCorrected(t, testkit.Options{Shape: "2/3", Keeper: func(k keeper.Keeper) keeper.Keeper {
		if n++; n == 1 {
			return k // this one takes it
		}
		return refuser{k, &on}
	}})
	x.reported()
	x.Clock.Advance(73 * time.Hour)
	on.Store(true)
	x.System.Authority.MaintainOnce(t.Context())
	on.Store(false)
	x.maintained()
	list, err := x.System.Registry.Corrections(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].State != "stopped" || list[0].Why != "keepers" {
		t.Errorf("%+v, %v", list, err)
	}
	x.wantUnder(false)
	p, _ := x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepCode, "")
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

// TestACorrectionBroughtByAnImport takes the same way; another person under the old
// number is taken once the number is free, and the corrected one does not come back.
func TestACorrectionBroughtByAnImport(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	imported := func(rows ...string) registry.Summary {
		t.Helper()
		file := "id_number,name,phone,card_no,former_id_number\n" + strings.Join(rows, "\n") + "\n"
		sum, err := x.System.Registry.Import(t.Context(), strings.NewReader(file), registry.ImportConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	row := func(f registry.Facts, former string) string {
		return strings.Join([]string{f.IDNumber, f.Name, f.Phone, f.CardNo, former}, ",")
	}
	for range 2 { // every night
		if sum := imported(row(x.is, x.who.IDNumber)); sum.Corrections != 1 || sum.Kept != 1 {
			t.Fatalf("%+v", sum)
		}
		x.maintained()
		x.told()
	}
	if n := x.notices("id_number_correction"); n != 1 {
		t.Errorf("told %d times", n)
	}
	x.wantUnder(false)
	x.Clock.Advance(73 * time.Hour)
	x.maintained()
	x.wantUnder(true)
	if sum := imported(row(x.is, x.who.IDNumber)); sum.Unchanged != 1 || sum.Corrections != 0 {
		t.Errorf("the same row afterwards: %+v", sum)
	}
	back := x.who
	for _, back.CardNo = range []string{x.who.CardNo, "Q11111111"} {
		if sum := imported(row(back, "")); sum.Rejected != 1 {
			t.Errorf("the old row afterwards, card %s: %+v", back.CardNo, sum)
		}
	}
	b := x.who
	b.Name, b.Phone, b.CardNo = "欧阳其他", "13512340000", "Q98765432"
	if sum := imported(row(b, "")); sum.Kept != 1 {
		t.Errorf("the old number's other person: %+v", sum)
	}
	if sum := imported(row(x.is, x.who.IDNumber)); sum.Unchanged != 1 {
		t.Errorf("the same row beside that person: %+v", sum)
	}
	if code := x.applies(b); code != "" {
		t.Errorf("the other person's application: %q", code)
	}
	x.wantTwo(b)
}

// TestANamesakeBringsNoCorrection: a row with somebody's former number and name, and
// neither their phone nor their card number, moves no card. An operator decides, and
// what the row says of phone and card counts only when it is imported after that.
func TestANamesakeBringsNoCorrection(t *testing.T) {
	for _, way := range []string{"another name", "kept", "replaced"} {
		t.Run(way, func(t *testing.T) {
			x := newCorrected(t, testkit.Options{})
			people := x.System.Registry
			imported := func() registry.Summary {
				t.Helper()
				name := x.who.Name
				if way == "another name" {
					name = "欧阳其他"
				}
				file := "id_number,name,phone,card_no,former_id_number\n" +
					strings.Join([]string{x.is.IDNumber, name, "13512340000", "Q98765432", x.who.IDNumber}, ",") + "\n"
				sum, err := people.Import(t.Context(), strings.NewReader(file), registry.ImportConfig{})
				if err != nil || sum.Corrections != 0 || sum.Kept != 0 {
					t.Fatalf("%+v, %v", sum, err)
				}
				return sum
			}
			for range 2 {
				imported()
				x.maintained()
			}
			all, err := people.Conflicts(t.Context(), "")
			if err != nil || len(all) != map[string]int{"kept": 1, "replaced": 1}[way] {
				t.Fatalf("the operator's list: %+v, %v", all, err)
			}
			if n := x.notices("id_number_correction"); n != 0 {
				t.Errorf("told %d times", n)
			}
			x.wantUnder(false)
			if way == "another name" {
				return
			}
			v := all[0]
			if v.Former != registry.MaskIDNumber(x.who.IDNumber) || v.Registered.Name == "" || v.Registered.CardNo == v.Imported.CardNo || !v.HasCard {
				t.Errorf("the operator sees %+v", v)
			}
			if way == "kept" {
				if err := people.KeepRegistered(t.Context(), "operator", v.ID, "seen"); err != nil {
					t.Fatal(err)
				}
				imported()
				if all, err := people.Conflicts(t.Context(), ""); err != nil || len(all) != 0 {
					t.Errorf("listed again: %+v, %v", all, err)
				}
				x.Clock.Advance(73 * time.Hour)
				x.maintained()
				x.wantUnder(false)
				return
			}
			if _, err := people.ReplaceRegistered(t.Context(), "operator", v.ID, "seen"); err != nil {
				t.Fatal(err)
			}
			x.maintained()
			x.told()
			x.Clock.Advance(73 * time.Hour)
			x.maintained()
			x.wantUnder(true)
			if n := x.notices("id_number_correction"); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// wantTwo: the old number is another person's, with a card of their own.
func (x *corrected) wantTwo(b registry.Facts) {
	x.T.Helper()
	if !x.linksBy(x.is) {
		x.T.Error("the corrected holder's card is gone")
	}
	v, err := x.Authority().Link(context.Background(), x.ch, x.LinkRequest(x.ch, b, goodPIN))
	if err != nil || v.Verdict == liuma.Right {
		x.T.Errorf("the corrected holder's PIN opens the other's card: %+v, %v", v, err)
	}
}

// TestAHotlineStopsACorrectionByEitherNumber: the holder reads the new number off
// the identity card, or the old one off an old paper.
func TestAHotlineStopsACorrectionByEitherNumber(t *testing.T) {
	for name, number := range map[string]func(*corrected) string{
		"old": func(x *corrected) string { return x.who.IDNumber },
		"new": func(x *corrected) string { return x.is.IDNumber },
	} {
		t.Run(name, func(t *testing.T) {
			x := newCorrected(t, testkit.Options{})
			line := authority.Caller{Client: x.AddClient(store.Client{ID: "h12333", Kind: store.ClientHotline}, x.NewKey())}
			call := func() error {
				bn := x.BusinessNo()
				_, err := x.Authority().FreezeByHotline(t.Context(), line, authority.HotlineFreeze{BusinessNo: bn, IDNumber: number(x), Digest: testkit.Digest(string(bn))})
				return err
			}
			if err := call(); name == "new" && liuma.CodeOf(err) != liuma.CodeNotFound {
				t.Errorf("before the correction: %v", err)
			}
			if name == "new" {
				x.reported()
				if err := call(); err != nil {
					t.Fatal(err)
				}
				x.maintained()
			}
			if _, err := x.report(); err == nil {
				t.Error("the correction goes on")
			}
			if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeFrozen {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestAnOperatorDecidesWhoseTheNewNumberIs: a correction to another person's number
// waits for an operator. Decided for the corrected one, it goes the same way, and
// the other person gives way when it counts.
func TestAnOperatorDecidesWhoseTheNewNumberIs(t *testing.T) {
	for _, replace := range []bool{false, true} {
		t.Run(fmt.Sprintf("replace=%v", replace), func(t *testing.T) {
			x := newCorrected(t, testkit.Options{Shape: "2/3"})
			people, other := x.System.Registry, x.People[4]
			x.is.IDNumber = other.IDNumber
			for range 2 {
				if _, err := x.report(); liuma.CodeOf(err) != liuma.CodeCorrectionContested {
					t.Fatal(err)
				}
			}
			all, err := people.Conflicts(t.Context(), "")
			if err != nil || len(all) != 1 || all[0].Former != registry.MaskIDNumber(x.who.IDNumber) {
				t.Fatalf("%+v, %v", all, err)
			}
			if !replace {
				if err := people.KeepRegistered(t.Context(), "operator", all[0].ID, "seen"); err != nil {
					t.Fatal(err)
				}
				if _, err := x.report(); liuma.CodeOf(err) != liuma.CodeCorrectionContested {
					t.Errorf("told again: %v", err)
				}
				if all, err := people.Conflicts(t.Context(), ""); err != nil || len(all) != 0 {
					t.Errorf("listed again: %+v, %v", all, err)
				}
				if code := x.applies(other); code != "" {
					t.Errorf("the registered person: %q", code)
				}
				return
			}
			if _, err := people.ReplaceRegistered(t.Context(), "operator", all[0].ID, "seen"); err != nil {
				t.Fatal(err)
			}
			if code := x.applies(other); code != liuma.CodeNotInRegistry {
				t.Errorf("the other person while it waits: %q", code)
			}
			x.maintained()
			x.told()
			x.Clock.Advance(73 * time.Hour)
			x.maintained()
			x.wantUnder(true)
			if n := x.notices("id_number_correction"); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// TestACorrectionOntoANamesakeIsContested: a name in common does not make two registered
// people one, a phone in common does.
func TestACorrectionOntoANamesakeIsContested(t *testing.T) {
	for _, phone := range []bool{false, true} {
		x := newCorrected(t, testkit.Options{})
		other := x.People[4]
		other.Name = x.who.Name
		if phone {
			other.Phone = x.who.Phone
		}
		file := "id_number,name,phone,card_no\n" + strings.Join([]string{other.IDNumber, other.Name, other.Phone, other.CardNo}, ",") + "\n"
		if _, err := x.System.Registry.Import(t.Context(), strings.NewReader(file), registry.ImportConfig{}); err != nil {
			t.Fatal(err)
		}
		x.is.IDNumber = other.IDNumber
		_, err := x.report()
		list, listErr := x.System.Registry.Conflicts(t.Context(), "")
		if listErr != nil {
			t.Fatal(listErr)
		}
		if phone && (err != nil || len(list) != 0) {
			t.Errorf("one person, registered twice: %v, %+v", err, list)
		}
		if !phone && (liuma.CodeOf(err) != liuma.CodeCorrectionContested || len(list) != 1) {
			t.Errorf("a namesake: %v, %+v", err, list)
		}
	}
}

// TestACancelledCorrectionGivesTheNumberBack to the person who was registered there.
func TestACancelledCorrectionGivesTheNumberBack(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	people, other := x.System.Registry, x.People[4]
	x.is.IDNumber = other.IDNumber
	_, _ = x.report()
	all, err := people.Conflicts(t.Context(), "")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if _, err := people.ReplaceRegistered(t.Context(), "operator", all[0].ID, "seen"); err != nil {
		t.Fatal(err)
	}
	x.maintained()
	list, err := people.Corrections(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].State != "waiting" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := people.CancelCorrection(t.Context(), "operator", list[0].ID, "wrong"); err != nil {
		t.Fatal(err)
	}
	p, _ := x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepCode, "")
	if code := x.applies(other); code != "" {
		t.Errorf("the person who was registered: %q", code)
	}
	x.Clock.Advance(100 * time.Hour)
	x.maintained()
	if x.linksBy(x.who) != true {
		t.Error("the holder's card is gone")
	}
}

// waiting is the correction as the store has it.
func (x *corrected) waiting() (c store.Correction) {
	x.T.Helper()
	err := x.System.Store.View(context.Background(), func(r store.Reader) (err error) {
		c, err = r.CorrectionOf(x.index(x.who.IDNumber))
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return c
}

// TestTheWaitBeginsWhenTheHolderWasTold, not when the notice was queued; before that no
// time is told to anybody, and the PIN is not reset.
func TestTheWaitBeginsWhenTheHolderWasTold(t *testing.T) {
	x := newCorrected(t, testkit.Options{})
	if v, err := x.report(); err != nil || !v.HasCard || !v.Until.IsZero() {
		t.Fatalf("%+v, %v", v, err)
	}
	for range 3 {
		x.Clock.Advance(50 * time.Hour)
		x.maintained()
	}
	p, _ := x.agreed(x.push(liuma.ActionReset))
	if x.want(p, ceremony.StepRefused, liuma.CodeNumberCorrecting); !p.Until.IsZero() {
		t.Errorf("until %v", p.Until)
	}
	x.wantUnder(false)
	x.Sent()
	at := x.Clock.Now()
	x.Clock.Advance(10 * time.Hour)
	x.maintained()
	if c := x.waiting(); c.State != store.CorrectionWaiting || c.Until.Sub(at.Add(72*time.Hour)).Abs() > time.Second {
		t.Errorf("until %v, the gateway took it at %v", c.Until, at)
	}
	if n := len(x.recorded(audit.CorrectionTold)); n != 1 {
		t.Errorf("%d entries of it", n)
	}
	x.Clock.Advance(61 * time.Hour)
	x.maintained()
	x.wantUnder(false)
	x.Clock.Advance(2 * time.Hour)
	x.maintained()
	x.wantUnder(true)
}

// TestAnUntoldCorrectionStops: a notice that died, before or after a gateway took it, or
// was deleted; a holder without a phone; and one who was told the same too often. An
// operator lets it go on, and the 72 hours run from then.
func TestAnUntoldCorrectionStops(t *testing.T) {
	dies := func(x *corrected) {
		x.alter(func(tx store.Tx) error {
			m, err := tx.Message(x.waiting().Notice)
			m.State, m.Fault, m.DoneAt = store.MessageDead, notify.FaultUndelivered, x.Clock.Now()
			return errors.Join(err, tx.UpdateMessage(m))
		})
	}
	for name, c := range map[string]struct{ before, after func(*corrected) }{
		"no gateway took it": {after: dies},
		"it was taken, and did not arrive": {after: func(x *corrected) {
			x.told()
			x.Clock.Advance(20 * time.Hour)
			dies(x)
		}},
		"the message was deleted": {after: func(x *corrected) { x.SQL("DELETE FROM messages") }},
		"no phone": {before: func(x *corrected) { // as after a native enrolment
			x.who = x.People[6]
			x.card, x.is = x.Enroll(x.ch, x.who, goodPIN), x.who
			x.is.IDNumber = renumbered(x.T, x.who.IDNumber, 991)
		}},
		"somebody for notices and no phone": {before: func(x *corrected) {
			x.who = x.People[6]
			x.card, x.is = x.Enroll(x.ch, x.who, goodPIN), x.who
			x.is.IDNumber = renumbered(x.T, x.who.IDNumber, 991)
			x.alter(func(tx store.Tx) error {
				return x.System.Authority.NameForNotices(tx, cardOf(x.Env, x.who), daughter, "zh-CN", liuma.Text{ZH: "柜台", EN: "counter"})
			})
		}},
		"held back": {before: func(x *corrected) {
			card := x.links()[0].Card
			x.alter(func(tx store.Tx) error {
				var errs error
				for range authority.NoticesADay {
					c, err := tx.Card(card)
					errs = errors.Join(errs, err, x.System.Authority.Tell(tx, c, "id_number_correction", liuma.Text{ZH: "登记库", EN: "registry"}, nil))
				}
				return errs
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newCorrected(t, testkit.Options{})
			if c.before != nil {
				c.before(x)
			}
			_, err := x.report()
			if c.after != nil {
				if err != nil {
					t.Fatal(err)
				}
				c.after(x)
				x.maintained()
				_, err = x.report()
			}
			if liuma.CodeOf(err) != liuma.CodeCorrectionStopped {
				t.Fatalf("the registry is told %v", err)
			}
			was := x.waiting()
			if was.State != store.CorrectionStopped || was.Why != "untold" {
				t.Fatalf("%+v", was)
			}
			x.Clock.Advance(100 * time.Hour)
			x.maintained()
			x.wantUnder(false)
			x.letGoOn(was.ID)
			x.Clock.Advance(71 * time.Hour)
			x.maintained()
			x.wantUnder(false)
			x.Clock.Advance(2 * time.Hour)
			x.maintained()
			x.wantUnder(true)
		})
	}
}

// letGoOn has an operator decide.
func (x *corrected) letGoOn(id string) {
	x.T.Helper()
	people, ctx := x.System.Registry, context.Background()
	if err := people.GoOn(ctx, "operator", id, "seen at the counter"); err != nil {
		x.T.Fatal(err)
	}
	if err := people.GoOn(ctx, "operator", id, "again"); !errors.Is(err, registry.ErrNotUntold) {
		x.T.Errorf("once more: %v", err)
	}
	if err := people.GoOn(ctx, "operator", "nothing", "again"); !errors.Is(err, registry.ErrUnknownCorrection) {
		x.T.Errorf("another one: %v", err)
	}
	x.maintained()
	if c := x.waiting(); c.State != store.CorrectionWaiting || !c.Decided || c.Until.Sub(x.Clock.Now().Add(72*time.Hour)).Abs() > time.Minute {
		x.T.Errorf("after the decision: %+v", c)
	}
	if n := len(x.recorded(audit.CorrectionGoesOn)); n != 1 {
		x.T.Errorf("%d entries of the decision", n)
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
