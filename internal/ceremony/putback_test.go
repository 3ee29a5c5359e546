package ceremony_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// steal copies the rows of corrections and people; putBack brings back what was
// stolen of corrections and of nobody else's numbers, as who writes to the database
// could.
func (x *corrected) steal() {
	x.T.Helper()
	x.SQL("CREATE TABLE stolen AS SELECT * FROM corrections", "CREATE TABLE stolen_people AS SELECT * FROM persons")
}

func (x *corrected) putBack(people bool) {
	x.T.Helper()
	x.SQL("DELETE FROM corrections", "INSERT INTO corrections SELECT * FROM stolen")
	if people {
		x.SQL("DELETE FROM persons", "INSERT INTO persons SELECT * FROM stolen_people")
	}
}

func (x *corrected) noted() {
	x.T.Helper()
	f := x.is
	file := "id_number,name,phone,card_no,former_id_number\n" + strings.Join([]string{f.IDNumber, f.Name, f.Phone, f.CardNo, x.who.IDNumber}, ",") + "\n"
	sum, err := x.System.Registry.Import(x.T.Context(), strings.NewReader(file), registry.ImportConfig{})
	if err != nil || sum.Corrections != 1 {
		x.T.Fatalf("%+v, %v", sum, err)
	}
}

// TestACorrectionFromBeforeTheFreezeIsNotOpenedAgain: a row from before the holder
// was told comes back after the freeze was lifted, and opens nothing: only an
// operator does.
func TestACorrectionFromBeforeTheFreezeIsNotOpenedAgain(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		x := newCorrected(t, testkit.Options{})
		x.noted()
		x.steal()
		x.maintained()
		if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
			t.Fatal(err)
		}
		if deleted {
			x.SQL("DELETE FROM corrections") // so that no round finds it stopped
		}
		x.maintained()
		x.unfrozen()
		x.putBack(false)
		x.maintained()
		x.Clock.Advance(73 * time.Hour)
		x.maintained()
		if n := x.notices("id_number_correction"); n != 1 {
			t.Errorf("deleted %v: told %d times", deleted, n)
		}
		if x.linksBy(x.is) || !x.linksBy(x.who) {
			t.Errorf("deleted %v: a correction that the holder stopped counts", deleted)
		}
	}
}

// TestAMoveOfLastYearIsNotMadeAgain: the row of a move that was carried out, and
// corrected back since, moves the card to no other number, nor its tag at keepers.
func TestAMoveOfLastYearIsNotMadeAgain(t *testing.T) {
	for _, people := range []bool{false, true} {
		var away atomic.Bool
		x := newCorrected(t, testkit.Options{Shape: "2/3", Keeper: func(k keeper.Keeper) keeper.Keeper { return retagAway{k, &away} }})
		x.reported()
		x.Clock.Advance(73 * time.Hour)
		away.Store(true)
		_ = x.System.Authority.MaintainOnce(t.Context()) // begun, and cut off
		x.steal()
		away.Store(false)
		x.maintained()
		x.wantUnder(true)
		x.who, x.is = x.is, x.who
		x.reported()
		x.Clock.Advance(73 * time.Hour)
		x.maintained()
		x.wantUnder(true)
		told := x.notices("id_number_correction")
		x.putBack(people)
		_ = x.System.Authority.MaintainOnce(t.Context())
		_ = x.System.Authority.MaintainOnce(t.Context())
		if held, err := x.System.Authority.HeldOf(t.Context(), x.index(x.is.IDNumber)); err != nil || held.Card.IsZero() {
			t.Errorf("people %v: the keepers moved the card's tag: %v, %v", people, held.Card, err)
		}
		if got := x.notices("id_number_correction"); got != told {
			t.Errorf("people %v: told %d times more", people, got-told)
		}
		if !x.cardIsUnder(x.is) {
			t.Errorf("people %v: the card moved to another number, and nobody was told", people)
		}
	}
}

func (x *corrected) cardIsUnder(f registry.Facts) bool {
	x.T.Helper()
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) error {
		_, err := r.CardByHolder(x.index(f.IDNumber))
		return err
	})
	return err == nil
}

// unfrozen lifts the freeze, as the counter does.
func (x *corrected) unfrozen() {
	x.T.Helper()
	card := x.links()[0].Card
	err := x.System.Store.Update(x.T.Context(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Card(card)
		c.Frozen = false
		return audit.Entry{At: x.Clock.Now(), Actor: "test", Event: audit.CardUnfrozen, Card: card, Outcome: "ok"}, errors.Join(err, tx.UpdateCard(c))
	})
	if err != nil {
		x.T.Fatal(err)
	}
}
