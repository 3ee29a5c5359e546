package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// errBehind says that a card's row was put back from an older copy.
var errBehind = errors.New("authority: keepers have seen a later row of the card; 'liuma card head' brings it up to them")

const (
	// restorePage is how many cards AcceptRestore lists at once.
	restorePage = 256
	// stepTime is how long one step of AcceptRestore may take: less than a command
	// waits.
	stepTime = 10 * time.Second
)

// TagOf is a holder's tag at the keepers.
func (a *Authority) TagOf(holder vault.Index) ledger.Tag {
	return ledger.Tag(a.vault.Index(vault.IndexTag, string(holder[:])))
}

// targetOf is the card's PIN in the form in which keepers are asked about it. It is
// called in the transaction that writes the card, so the head is the revision after
// that write.
func (a *Authority) targetOf(card store.Card) keeper.Target {
	id := card.ID // Again keeps it, and not the whole row
	return keeper.Target{
		Card: card.ID, Version: card.Version, KeySet: card.KeySet, Verifier: card.Verifier, Tag: a.TagOf(card.Holder),
		Head: keeper.Head{At: card.Rev + 1, Again: func(ctx context.Context) (uint64, error) {
			now, err := a.current(ctx, id)
			return now.Head.At, err
		}},
	}
}

// current is the target of a card's PIN as stored now.
func (a *Authority) current(ctx context.Context, id liuma.CardID) (keeper.Target, error) {
	var card store.Card
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		card, err = a.ReadCard(r, id)
		return err
	})
	if err != nil {
		return keeper.Target{}, err
	}
	target := a.targetOf(card)
	target.Head.At = card.Rev
	return target, nil
}

// rowBehind marks a card whose row is older than a row that a keeper has seen. From
// then on the card is not served, even when its revision rises again (I-13). A row
// that moved on while the keeper answered is not marked. An attacker who undoes the
// mark by putting the row back is met by the next request, which marks it again.
//
// One lying keeper must not stop a card, so the head that q keepers hold decides.
func (a *Authority) rowBehind(ctx context.Context, al keeper.Alarm) {
	if al.Proved {
		a.rowLost(ctx, al)
		return
	}
	now, err := a.current(ctx, al.Card)
	if err == nil && now.Head.At >= al.Head {
		return
	}
	a.log.ErrorContext(ctx, "keeper has seen a later row of a card", "keeper", al.Keeper, "card", al.Card, "head", al.Head, "err", err)
	held, err := a.quorum.Held(ctx, al.Card)
	if err != nil {
		a.log.ErrorContext(ctx, "keepers' heads not compared", "card", al.Card, "err", err)
		return
	}
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		card, err := tx.Card(al.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		// No mark is needed if only this keeper says so, the row has moved on, or the
		// attempt that met the refusal has marked it. The entry names no card, since
		// that would raise the row's revision.
		if card.Rev >= held.Head || card.Behind > 0 {
			e := a.Entry("system", audit.KeeperAlarm, liuma.CardID{}, "", string(al.Fault))
			e.Note = "keeper=" + string(al.Keeper)
			return e, nil
		}
		e := a.Entry("system", audit.KeeperAlarm, card.ID, "", string(al.Fault))
		e.Note = fmt.Sprintf("keeper=%s head=%d row=%d", al.Keeper, held.Head, card.Rev)
		card.Behind = held.Head
		return e, tx.UpdateCard(card)
	})
	if err != nil {
		// A crash or an error here leaves the row unmarked. The keepers refuse the
		// card all the same, and the next refusal marks it.
		a.log.ErrorContext(ctx, "keeper alarm not recorded", "card", al.Card, "err", err)
	}
}

// rowLost marks a card whose row was certainly put back. If the mark cannot be
// written, because the row is still below what this process wrote (store.ErrBehind)
// or its stream has gone further than the row says, only the process's own log tells
// of it.
func (a *Authority) rowLost(ctx context.Context, al keeper.Alarm) {
	note := fmt.Sprintf("keeper=%s head=%d", al.Keeper, al.Head)
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		card, err := tx.Card(al.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		e := a.Entry("system", audit.KeeperAlarm, card.ID, "", string(al.Fault))
		e.Note = fmt.Sprintf("%s row=%d", note, card.Rev)
		card.Behind = max(card.Behind, al.Head)
		return e, tx.UpdateCard(card)
	})
	if err == nil {
		return
	}
	// A crash or an error here leaves the row unmarked. This process refuses it from
	// memory; another process asks the keepers, which were not told of it (I-13).
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e := a.Entry("system", audit.KeeperAlarm, liuma.CardID{}, "", string(al.Fault))
		e.Note = fmt.Sprintf("%s card=%s", note, al.Card)
		return e, nil
	})
	if err != nil {
		a.log.ErrorContext(ctx, "keeper alarm not recorded", "card", al.Card, "err", err)
	}
}

// Raised is the result of an operator's RaiseHead.
type Raised struct {
	From    uint64        `json:"from"` // the row's revision before
	To      uint64        `json:"to"`   // and after: above every head that keepers hold
	Version liuma.Version `json:"version"`
	// Taken says that keepers held a later version of the PIN than the row. The row
	// has that version now.
	Taken bool `json:"taken"`
}

// RaiseHead brings a card's row, which was restored from an older copy, above the
// head that the keepers have seen, so that it is served again; a later version of the
// PIN is taken from the keepers. An operator must decide it: only a person can know
// that the older standing, links and contacts of the row are the right ones.
func (a *Authority) RaiseHead(ctx context.Context, actor string, id liuma.CardID, reason audit.Reason) (Raised, error) {
	ctx, release, err := a.HoldCard(ctx, id)
	if err != nil {
		return Raised{}, err
	}
	defer release()
	held, err := a.quorum.Held(ctx, id)
	if err != nil {
		return Raised{}, liuma.Fail(liuma.CodeUnavailable, err)
	}
	var out Raised
	known := max(held.Head, a.quorum.Forget(id))
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		card, err := tx.Card(id)
		if err != nil {
			return audit.Entry{}, err // ErrNotFound: an enrolment adopts the card
		}
		out = Raised{From: card.Rev, Version: card.Version}
		card.Behind = 0
		if held.Version > card.Version {
			card.Version, card.KeySet, card.Verifier = held.Version, held.KeySet, held.Verifier
			card.Reserved = max(card.Reserved, held.Mark)
			card.Tally.Reset()
			card.PINSetAt, card.PINForm = a.Now(), pin.FormUnknown // the time when it was really set is lost
			out.Version, out.Taken = held.Version, true
			if err := dropIntent(tx, id, held.Version); err != nil {
				return audit.Entry{}, err
			}
		}
		e := a.Entry(actor, audit.CardHeadRaised, id, "", "ok")
		e.Note = reason.Note(fmt.Sprintf("from=%d version=%d", out.From, out.Version))
		// A crash before the commit leaves the row behind; the act is repeated.
		return e, errors.Join(tx.UpdateCard(card), tx.RaiseRev(id, known))
	})
	if err != nil {
		return Raised{}, liuma.Outward(err)
	}
	now, err := a.current(ctx, id)
	out.To = now.Head.At
	return out, liuma.Outward(err)
}

// dropIntent ends a restored intent that the keepers have gone past: it can no longer
// be committed. Its request stays undecided (I-11).
func dropIntent(tx store.Tx, id liuma.CardID, held liuma.Version) error {
	in, err := tx.Intent(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case in.Version > held:
		return nil
	}
	return tx.DeleteIntent(id)
}

// Accepted counts what one step of AcceptRestore did.
type Accepted struct {
	Cards  int64        `json:"cards"`  // looked at
	Raised int64        `json:"raised"` // were behind the keepers
	Failed int64        `json:"failed"` // could not be compared or raised: repeat the act
	Last   liuma.CardID `json:"last"`   // the step ended with this card
	Done   bool         `json:"done"`   // it was the last one
}

// AcceptRestore does RaiseHead for the cards of a database that was restored as a
// whole, where keepers have seen a later head. One call goes through the cards after
// the given one, for about stepTime. A crash leaves the cards done so far raised; the
// act may be repeated.
func (a *Authority) AcceptRestore(ctx context.Context, actor string, after liuma.CardID, reason audit.Reason) (Accepted, error) {
	began := time.Now()
	out := Accepted{Last: after}
	var page []liuma.CardID
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		page, err = r.CardIDs(after, restorePage)
		return err
	})
	if err != nil {
		return out, liuma.Outward(err)
	}
	for _, id := range page {
		if time.Since(began) > stepTime {
			break
		}
		out.Cards, out.Last = out.Cards+1, id
		switch raised, err := a.raiseIfBehind(ctx, actor, id, reason); {
		case ctx.Err() != nil:
			return out, ctx.Err()
		case err != nil:
			out.Failed++
			a.log.ErrorContext(ctx, "card not brought up to the keepers", "card", id, "err", err)
		case raised:
			out.Raised++
		}
	}
	out.Done = out.Cards == int64(len(page)) && len(page) < restorePage
	err = a.store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		e := a.Entry(actor, audit.RestoreAccepted, liuma.CardID{}, "", "ok")
		e.Note = reason.Note(fmt.Sprintf("cards=%d raised=%d failed=%d", out.Cards, out.Raised, out.Failed))
		return e, nil
	})
	return out, liuma.Outward(err)
}

func (a *Authority) raiseIfBehind(ctx context.Context, actor string, id liuma.CardID, reason audit.Reason) (bool, error) {
	held, err := a.quorum.Held(ctx, id)
	if err != nil {
		return false, err
	}
	var card store.Card
	err = a.store.View(ctx, func(r store.Reader) (err error) {
		card, err = r.Card(id)
		return err
	})
	if err != nil || card.Behind == 0 && card.Rev >= held.Head && card.Version >= held.Version {
		return false, err
	}
	_, err = a.RaiseHead(ctx, actor, id, reason)
	return err == nil, err
}
