package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A hotline freezes by an ID number, which is no secret. A thief with its key
// could stop every card whose holder's number leaked, or find out who has a
// card. So each hotline has a limit; requests count whether or not a card was
// found, and all of them stand in the audit record.
const (
	tickHotline      = "hotline_freeze" // one counted request; key: hotline
	tickHotlineLimit = "hotline_limit"  // the limit was reported; key: hotline
)

// HotlineFreeze is a hotline's request to freeze a holder's card.
type HotlineFreeze struct {
	BusinessNo liuma.BusinessNo
	IDNumber   string
	Digest     [32]byte // of the whole request but the client's token
}

// FreezeByHotline freezes the card of a holder who called. A hotline may do
// nothing else; in particular it cannot unfreeze (I-12). A repetition gets the
// outcome of the first request, and is not counted. A crash leaves the freeze,
// its count, its notice and its audit entry, or none of them.
func (a *Authority) FreezeByHotline(ctx context.Context, c Caller, q HotlineFreeze) (Verification, error) {
	if c.Client.Kind != store.ClientHotline || c.Client.Stopped {
		return Verification{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	id, err := registry.ParseIDNumber(q.IDNumber)
	if err != nil {
		return Verification{}, liuma.AtField(liuma.Outward(err), "id_number")
	}
	holder := a.vault.Index(vault.IndexIDNumber, id.Canonical())
	start := a.NewRow(c, liuma.ActionFreeze, Request{BusinessNo: q.BusinessNo, Digest: q.Digest}, "")
	var row store.Request
	var refused error // committed together with the count
	var reached bool
	err = a.store.Update(ctx, func(tx store.Tx) (e audit.Entry, err error) {
		r := start
		refused, reached = nil, false
		if err := LookNumber(tx, r); err != nil {
			return audit.Entry{}, err
		}
		if refused, e, err = a.countHotline(tx, c, r); err != nil || refused != nil {
			reached = e.Event == audit.HotlineLimited
			return e, err
		}
		found, err := tx.CardByHolder(holder)
		if errors.Is(err, store.ErrNotFound) || err == nil && found.Version == 0 {
			refused = liuma.FailField(liuma.CodeNotFound, "id_number", nil)
			return a.Entry(c.Actor(), audit.FreezeTried, liuma.CardID{}, r.BusinessNo, string(liuma.CodeNotFound)), nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		card, err := a.ReadCard(tx, found.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		r.Card = card.ID
		Decide(&r, a.Now(), "", "")
		if err := TakeNumber(tx, r); err != nil {
			return audit.Entry{}, err
		}
		row = r
		return a.DecidedEntry(c, audit.CardFrozen, r), a.FreezeCard(tx, &card, c.Client.Name)
	})
	if err == nil && reached {
		a.log.Error("hotline reached its limit of freezes: is its key in other hands?", "hotline", c.Client.ID)
	}
	if err == nil && refused != nil {
		return Verification{}, a.inWall(refused)
	}
	if err != nil {
		return a.Repeat(ctx, c, err)
	}
	return a.Answer(ctx, c, row)
}

// countHotline counts a request of a hotline, before anything is looked up, or
// refuses it. Reaching the limit is reported once an hour, so that further
// requests fill neither the log nor the audit record.
func (a *Authority) countHotline(tx store.Tx, c Caller, r store.Request) (refused error, e audit.Entry, err error) {
	now, key := a.Now(), a.vault.Index(vault.IndexPhone, "hotline\x00"+c.Client.ID)
	until, err := a.hotlineSpent(tx, key, a.PolicyFor(c, "").Hotline)
	if err != nil {
		return nil, e, err
	}
	if until.IsZero() {
		return nil, e, tx.InsertTick(store.Tick{Kind: tickHotline, Key: key, At: now})
	}
	refused = &liuma.Error{Code: liuma.CodeHotlineLimit, Until: until}
	lately, err := tx.Ticks(tickHotlineLimit, key, now.Add(-time.Hour))
	if err != nil || len(lately) > 0 {
		return refused, e, err
	}
	e = a.Entry(c.Actor(), audit.HotlineLimited, liuma.CardID{}, r.BusinessNo, string(liuma.CodeHotlineLimit))
	return refused, e, tx.InsertTick(store.Tick{Kind: tickHotlineLimit, Key: key, At: now})
}

// hotlineSpent says until when a hotline may freeze no more; zero if it may.
func (a *Authority) hotlineSpent(r store.Reader, key vault.Index, most policy.Hotline) (until time.Time, err error) {
	const day = 24 * time.Hour
	tried, err := r.Ticks(tickHotline, key, a.Now().Add(-day))
	if err != nil {
		return time.Time{}, err
	}
	until = later(SpentUntil(tried, most.Hour, time.Hour), SpentUntil(tried, most.Day, day))
	if !until.After(a.Now()) {
		return time.Time{}, nil // the hour is over, and the day is not spent
	}
	return until, nil
}
