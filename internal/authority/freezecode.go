package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// A freeze needs little proof that the card is one's own, because the holder can undo
// it with PIN and one-time code. The ways to freeze are: a channel with a link
// (freeze.go), the page of a ceremony, a freeze code from a notice, the hotline.

// TickResetPlanned marks a reset that was planned by the number of the physical
// card (key: holder). A freeze, a reset or a rebinding deletes it.
const TickResetPlanned = "reset_planned"

// FreezeView holds what the page for freeze codes may show.
type FreezeView struct {
	NameMasked string
	At         time.Time // when it was frozen
}

// FreezeCard freezes a card, unless it is frozen already, and notifies the holder. In
// either case all open tickets of the card end. The caller writes the audit
// entry.
func (a *Authority) FreezeCard(tx store.Tx, card *store.Card, at liuma.Text) error {
	if card.Frozen {
		return a.stopTickets(tx, card)
	}
	card.Frozen, card.FrozenAt = true, a.Now()
	if err := a.stopped(tx, card); err != nil {
		return err
	}
	return a.Tell(tx, *card, noticeFrozen, at, nil)
}

// FreezeByCode freezes the card whose notice carried the freeze code. It needs no
// log-in. The code is looked up first, by one keyed hash: a right code works whatever
// was tried before, from this source or any other. source names the sender of
// the request (an address, say).
//
// A crash before the commit leaves the card as it was, and the code unused.
func (a *Authority) FreezeByCode(ctx context.Context, source, typed string) (FreezeView, error) {
	code, formed := parseFreezeCode(typed)
	var v FreezeView
	done := false
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		v, done, err = a.frozenByCode(r, code, formed)
		return err
	})
	if err == nil && !done {
		v, err = a.freezeByCode(ctx, code)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = a.inWall(a.wrongFreezeCode(ctx, source))
	}
	if err != nil {
		return FreezeView{}, liuma.Outward(err)
	}
	return v, nil
}

// frozenByCode looks a freeze code up and says whether it has already done its work,
// so that sending it again writes nothing.
func (a *Authority) frozenByCode(r store.Reader, code string, formed bool) (v FreezeView, done bool, err error) {
	if !formed {
		return v, false, store.ErrNotFound
	}
	card, used, err := a.cardOfFreezeCode(r, code)
	if err != nil || !used {
		return v, false, err
	}
	open, err := openTickets(r, card.ID)
	if err != nil || len(open) > 0 || card.IsClosing() {
		return v, false, err
	}
	return a.freezeView(r, card), true, nil
}

func (a *Authority) freezeByCode(ctx context.Context, code string) (v FreezeView, err error) {
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		card, _, err := a.cardOfFreezeCode(tx, code)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := a.FreezeCard(tx, &card, officialPage()); err != nil {
			return audit.Entry{}, err
		}
		v = a.freezeView(tx, card)
		return a.Entry("holder", audit.CardFrozen, card.ID, "", "ok"), a.useFreezeCode(tx, code)
	})
	return v, err
}

func (a *Authority) freezeView(r store.Reader, card store.Card) FreezeView {
	return FreezeView{NameMasked: a.maskedName(r, card), At: a.ToWall(card.FrozenAt)}
}

// cardOfFreezeCode finds the card of a valid freeze code, and says whether the
// code was used. A used code stays valid as long as the card is frozen, so that
// pressing the button twice does no harm.
func (a *Authority) cardOfFreezeCode(r store.Reader, code string) (card store.Card, used bool, err error) {
	f, err := r.FreezeCode(a.freezeMAC(code))
	if err != nil {
		return store.Card{}, false, err
	}
	if !a.Now().Before(f.Expires) {
		return store.Card{}, false, store.ErrNotFound
	}
	used = !f.Used.IsZero()
	card, err = a.ReadCard(r, f.Card)
	if err == nil && !card.ErasedAt.IsZero() {
		return store.Card{}, false, store.ErrNotFound
	}
	if err == nil && !card.Retiring.IsZero() {
		return store.Card{}, false, liuma.Fail(liuma.CodeCardClosed, nil) // a closed card has nothing to stop
	}
	if err == nil && used && !card.Frozen {
		return store.Card{}, false, store.ErrNotFound
	}
	return card, used, err
}

func (a *Authority) useFreezeCode(tx store.Tx, code string) error {
	f, err := tx.FreezeCode(a.freezeMAC(code))
	if err != nil || !f.Used.IsZero() {
		return err
	}
	f.Used = a.Now()
	return tx.UpdateFreezeCode(f)
}

// A freeze code has eleven of the 30 written.CodeLetters: 30^11 = 1.8e16 codes, 54
// bits. With N valid codes, a guess freezes somebody's card with a chance of N/1.8e16.
// If a province sent a million notices within a week (N = 1e6), an attacker with 1,000
// guesses a second freezes one card in 200 days; with 1e8 notices a week, one in two
// days. The owner undoes such a freeze with PIN and one-time code, and the guess shows
// nothing about the holder but a masked name.
//
// Version 0.1.0 sent codes of eight characters (39 bits). They stop cards until they
// expire, seven days after the last authority was updated. The release after this one
// can take only eleven characters.
const (
	freezeCodeSize = 11
	freezeCodeOld  = 8
	freezeCodeLife = 7 * 24 * time.Hour
)

// parseFreezeCode reads a typed freeze code, in the form of this release or of 0.1.0.
func parseFreezeCode(typed string) (string, bool) {
	code, formed := written.Code(typed)
	return code, formed && (len(code) == freezeCodeSize || len(code) == freezeCodeOld)
}

func (a *Authority) freezeMAC(code string) vault.MAC {
	return a.vault.RowMAC("freeze-code", []byte(code))
}
