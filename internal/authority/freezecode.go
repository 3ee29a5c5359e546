package authority

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Anyone with some sign that a card is theirs may freeze it, because PIN and
// one-time code undo a freeze. The ways are: a channel with a link (freeze.go),
// the page of a ceremony, a freeze code from a notice, the hotline.

// Limits of wrong freeze codes. There are 6.5e11 freeze codes. The limit over
// all sources keeps guesses from freezing strangers' cards. It is so high that
// a few addresses cannot use it up and so keep holders from freezing theirs.
const (
	tickFreezeCode   = "freeze_code" // key: source, or zero for all
	freezeCodePeriod = time.Hour
	freezeCodeSource = 10
	freezeCodeAll    = 3000
)

// TickResetPlanned marks a reset that was planned by the number of the physical
// card (key: holder). A freeze, a reset or a rebinding deletes it.
const TickResetPlanned = "reset_planned"

// FreezeView holds what the page for freeze codes may show.
type FreezeView struct {
	NameMasked string
	At         time.Time // since when it is frozen
}

// FreezeCard freezes a card, unless it is frozen already, and notifies the
// holder. The caller writes the audit entry.
func (a *Authority) FreezeCard(tx store.Tx, card *store.Card, at liuma.Text) error {
	if card.Frozen {
		return nil
	}
	card.Frozen, card.FrozenAt = true, a.Now()
	err := errors.Join(tx.UpdateCard(*card), tx.DeleteCodesOf(card.ID), tx.DeleteCardTicks(card.ID, TickResetPlanned))
	if err != nil {
		return err
	}
	return a.Tell(tx, *card, noticeFrozen, at, nil)
}

// parseFreezeCode brings a typed freeze code to its canonical spelling.
func parseFreezeCode(s string) (string, bool) {
	if len(s) > 64 {
		return "", false
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９', r >= 'Ａ' && r <= 'Ｚ', r >= 'ａ' && r <= 'ｚ':
			r -= '０' - '0'
		case r == ' ' || r == '-' || r == '　' || r == '\t':
			return -1
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}, s)
	return s, len(s) == freezeCodeSize && strings.Trim(s, freezeAlphabet) == ""
}

// FreezeByCode freezes the card whose notice carried the freeze code. It needs
// no log-in. source names the sender of the request (an address, say); only its
// blind index is kept, and only while it counts.
func (a *Authority) FreezeByCode(ctx context.Context, source, typed string) (FreezeView, error) {
	code, formed := parseFreezeCode(typed)
	from := a.vault.Index(vault.IndexPhone, "freeze-source\x00"+source)
	var v FreezeView
	var refused error
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		v, refused = FreezeView{}, nil
		now := a.Now()
		e := a.Entry("holder", audit.FreezeTried, liuma.CardID{}, "", string(liuma.CodeFreezeCodeInvalid))
		if until, err := a.freezeCodesSpent(tx, from); err != nil {
			return audit.Entry{}, err
		} else if !until.IsZero() {
			refused = &liuma.Error{Code: liuma.CodeFreezeCodeLimit, Until: until}
			return audit.Entry{}, nil
		}
		card, err := a.cardOfFreezeCode(tx, code, formed)
		if errors.Is(err, store.ErrNotFound) {
			refused = liuma.Fail(liuma.CodeFreezeCodeInvalid, nil)
			return e, errors.Join(tx.InsertTick(store.Tick{Kind: tickFreezeCode, Key: from, At: now}),
				tx.InsertTick(store.Tick{Kind: tickFreezeCode, At: now}))
		}
		if err != nil {
			return audit.Entry{}, err
		}
		f, err := a.Facts(card)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := a.FreezeCard(tx, &card, officialPage()); err != nil {
			return audit.Entry{}, err
		}
		v = FreezeView{NameMasked: f.MaskedName(), At: a.ToWall(card.FrozenAt)}
		return a.Entry("holder", audit.CardFrozen, card.ID, "", "ok"), a.useFreezeCode(tx, code)
	})
	if err = errors.Join(err, a.inWall(refused)); err != nil {
		return FreezeView{}, liuma.Outward(err)
	}
	return v, nil
}

// freezeCodesSpent says until when one source, or all of them, may try no more.
func (a *Authority) freezeCodesSpent(r store.Reader, from vault.Index) (until time.Time, err error) {
	since := a.Now().Add(-freezeCodePeriod)
	for _, l := range []struct {
		key  vault.Index
		most int
	}{{from, freezeCodeSource}, {vault.Index{}, freezeCodeAll}} {
		tried, err := r.Ticks(tickFreezeCode, l.key, since)
		if err != nil {
			return time.Time{}, err
		}
		until = later(until, SpentUntil(tried, l.most, freezeCodePeriod))
	}
	return until, nil
}

// cardOfFreezeCode finds the card of a valid freeze code. A used code stays
// valid as long as the card is frozen, so that pressing the button twice does
// no harm.
func (a *Authority) cardOfFreezeCode(r store.Reader, code string, formed bool) (store.Card, error) {
	if !formed {
		return store.Card{}, store.ErrNotFound
	}
	f, err := r.FreezeCode(a.freezeMAC(code))
	if err != nil {
		return store.Card{}, err
	}
	if !a.Now().Before(f.Expires) {
		return store.Card{}, store.ErrNotFound
	}
	card, err := a.ReadCard(r, f.Card)
	if err == nil && !f.Used.IsZero() && !card.Frozen {
		return store.Card{}, store.ErrNotFound
	}
	return card, err
}

func (a *Authority) useFreezeCode(tx store.Tx, code string) error {
	f, err := tx.FreezeCode(a.freezeMAC(code))
	if err != nil || !f.Used.IsZero() {
		return err
	}
	f.Used = a.Now()
	return tx.UpdateFreezeCode(f)
}
