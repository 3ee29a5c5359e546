package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Link brings the holder's card into one more channel, by its PIN. Until the
// PIN was right the caller has no link, so wrong, unknown, unset, locked and
// a name that does not fit all look the same and take the same time.
func (a *Authority) Link(ctx context.Context, c Caller, q LinkRequest) (Verification, error) {
	if err := c.permit(liuma.ActionLink, q.Region); err != nil {
		return Verification{}, err
	}
	id, err := registry.ParseIDNumber(q.Subject.IDNumber)
	if err != nil {
		return Verification{}, atField(house(err), "subject.id_number")
	}
	name, err := registry.ParseName(q.Subject.Name)
	if err != nil {
		return Verification{}, atField(house(err), "subject.name")
	}
	if err := a.checkChallenge(c, q.hosted, q.Challenge); err != nil {
		return a.repeatedOr(ctx, c, q.BusinessNo, q.Digest, err)
	}
	// Held also for a holder without a card, so that two requests at once
	// queue up alike for everybody.
	holder := a.Vault.Index(vault.IndexIDNumber, id.Canonical())
	release, err := a.slots.take(ctx, slotKey(holder), busyWait)
	if err != nil {
		return Verification{}, err
	}
	defer release()
	hold := a.pace(ctx, c)
	v, err := a.link(ctx, c, q, holder, name)
	if err != nil || v.Verdict != liuma.Right {
		hold()
	}
	return v, err
}

func (a *Authority) link(ctx context.Context, c Caller, q LinkRequest, holder vault.Index, name string) (Verification, error) {
	row := a.row(c, liuma.ActionLink, q.BusinessNo, q.Purpose, q.Digest)
	row.Ceremony = q.hosted.id()
	p := a.policyFor(c, q.Region)
	// Opened before the look-up: a bad envelope is the caller's own mistake
	// and is told as such, whoever the holder is.
	b := binding(c, liuma.ActionLink, liuma.RoleCurrent, boundSubject(q.hosted, q.Subject), q.BusinessNo, q.Purpose, q.Challenge)
	guess, err := a.openPIN(ctx, b, q.PIN, "pin", p.Passphrase)
	if err != nil {
		return a.repeatedOr(ctx, c, q.BusinessNo, q.Digest, err)
	}
	defer guess.Wipe()
	card, err := a.cardOf(ctx, row, holder, name)
	if errors.Is(err, errUnlinked) {
		return a.refuseNow(ctx, c, row)
	}
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	release, err := a.slots.take(ctx, cardSlot(card.ID), busyWait)
	if err != nil {
		return a.refuseNow(ctx, c, row) // that a card is in use is nobody's news either
	}
	defer release()
	row.Card = card.ID
	at := &attempt{caller: c, row: row, pin: guess, hosted: q.hosted, policy: p}
	at.onRight = func(tx store.Tx, card *store.Card, row *store.Request) (err error) {
		at.links, err = a.ensureLink(tx, row.Channel, card.ID, row.DecidedAt)
		if err != nil || !at.links {
			return err
		}
		return a.tellIn(tx, *card, noticeLinked, row.Channel, nil)
	}
	done, err := a.attempt(ctx, at)
	if liuma.CodeOf(err) == liuma.CodeEvidenceRequired {
		row.Card = liuma.CardID{}
		return a.refuseNow(ctx, c, row) // a lost card is nobody's news without a link
	}
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	return a.view(ctx, c, done)
}

// cardOf finds a holder's card whose PIN is set and whose name fits.
func (a *Authority) cardOf(ctx context.Context, row store.Request, holder vault.Index, name string) (store.Card, error) {
	var card store.Card
	err := a.Store.View(ctx, func(r store.Reader) error {
		if err := lookRequest(r, row.Channel, row.BusinessNo, row.Digest); err != nil {
			return err
		}
		found, err := r.CardByHolder(holder)
		if err != nil {
			return err
		}
		card, err = a.checkedCard(r, found.ID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Card{}, errUnlinked
	}
	if err != nil {
		return store.Card{}, err
	}
	f, err := a.facts(card)
	if err != nil {
		return store.Card{}, err
	}
	if card.Version == 0 || f.Name != name {
		return store.Card{}, errUnlinked
	}
	return card, nil
}

// repeatedOr answers a repetition whose challenge or seal key has meanwhile
// gone; otherwise it returns err.
func (a *Authority) repeatedOr(ctx context.Context, c Caller, bn liuma.BusinessNo, digest [32]byte, err error) (Verification, error) {
	look := a.Store.View(ctx, func(r store.Reader) error {
		return lookRequest(r, c.channel(), bn, digest)
	})
	if look != nil {
		return a.repeated(ctx, c, look)
	}
	return Verification{}, err
}
