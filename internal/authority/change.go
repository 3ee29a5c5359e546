package authority

import (
	"context"
	"errors"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// Change sets a new PIN on proof of the old one. The new PIN is judged before
// the old one is guessed at, so a weak choice costs no try; the judgement says
// nothing about the PIN that is set, only about the two that were typed.
func (a *Authority) Change(ctx context.Context, c Caller, q ChangeRequest) (Verification, error) {
	if err := c.permit(liuma.ActionChange, q.Region); err != nil {
		return Verification{}, err
	}
	row := a.row(c, liuma.ActionChange, q.BusinessNo, q.Purpose, q.Digest)
	row.Ceremony = q.hosted.id()
	card, err := a.linkedCard(ctx, c, q.Subject.Card, row)
	if errors.Is(err, errUnlinked) {
		return a.refuseUnlinked(ctx, c, row)
	}
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	p := a.policyFor(c, q.Region)
	proof, err := a.proofFor(ctx, c, q.hosted, q.Evidence, q.Challenge, card, p)
	if err != nil {
		return Verification{}, err
	}
	if proof == nil {
		if err := a.lateLink(ctx, c, card); err != nil {
			return Verification{}, a.withChallenge(c, err)
		}
	}
	old, chosen, err := a.openChange(ctx, c, q, card, p)
	if err != nil {
		return Verification{}, err
	}
	defer old.Wipe()
	defer chosen.Wipe()
	release, err := a.slots.take(ctx, cardSlot(card), busyWait)
	if err != nil {
		return Verification{}, err
	}
	defer release()
	row.Card = card
	var intent store.Intent
	done, err := a.attempt(ctx, &attempt{caller: c, row: row, pin: old, proof: proof, marked: q.hosted != nil, hosted: q.hosted, policy: p,
		onRight: func(tx store.Tx, card *store.Card, row *store.Request) (err error) {
			// The request is decided by the flip, or by the intent's end.
			row.Decided, row.Verdict, row.ReceiptID = false, "", ""
			intent, err = a.reserve(tx, card, row.Channel, row.BusinessNo)
			return err
		}})
	if err != nil {
		return a.repeated(ctx, c, a.withChallenge(c, err))
	}
	if done.Decided {
		return a.view(ctx, c, done)
	}
	if err := a.setPIN(ctx, c, intent, chosen); err != nil {
		return Verification{}, err
	}
	return a.Verification(ctx, c, q.BusinessNo)
}

// lateLink asks for evidence as well where the link is new. A PIN alone makes a
// link, so without this whoever saw somebody type theirs could link a channel
// of their own and change it there (I-12). By the time that the link is not
// new the holder has a notice of it, with a freeze code. The link that came
// with the card and its phone is not new in this sense; a card without a bound
// phone has nobody to tell, and is as it was.
func (a *Authority) lateLink(ctx context.Context, c Caller, id liuma.CardID) error {
	if a.Outbox == nil {
		return nil
	}
	err := a.Store.View(ctx, func(r store.Reader) error {
		link, err := r.Link(c.channel(), id)
		if err != nil {
			return err
		}
		card, err := a.checkedCard(r, id)
		if err != nil {
			return err
		}
		contact, err := r.Contact(id)
		if err != nil {
			return err
		}
		if link.At.After(contact.BoundAt) && a.now().Before(link.At.Add(a.recoveryOf(card, c.channel()).Hold)) {
			return &liuma.Error{Code: liuma.CodeEvidenceRequired}
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return house(err)
}

// openChange opens both envelopes and judges the new PIN.
func (a *Authority) openChange(ctx context.Context, c Caller, q ChangeRequest, card liuma.CardID, p policy.Policy) (old, chosen pin.PIN, err error) {
	b := binding(c, liuma.ActionChange, liuma.RoleOld, boundSubject(q.hosted, q.Subject), q.BusinessNo, q.Purpose, q.Challenge)
	if old, err = a.openPIN(ctx, b, q.Old, "old_pin", p.Passphrase); err != nil {
		return pin.PIN{}, pin.PIN{}, err
	}
	b.Role = liuma.RoleNew
	if chosen, err = a.openPIN(ctx, b, q.New, "new_pin", p.Passphrase); err != nil {
		old.Wipe()
		return pin.PIN{}, pin.PIN{}, err
	}
	f, err := a.factsOf(ctx, card)
	if err == nil {
		err = a.judgePIN(p, chosen, f, &old)
	}
	if err != nil {
		old.Wipe()
		chosen.Wipe()
		return pin.PIN{}, pin.PIN{}, err
	}
	return old, chosen, nil
}

// judgePIN refuses a weak PIN by the first rule that it breaks.
func (a *Authority) judgePIN(p policy.Policy, chosen pin.PIN, f registry.Facts, current *pin.PIN) error {
	judge, err := a.judges.of(p.PIN)
	if err != nil {
		return house(err)
	}
	found := judge.Check(chosen, pin.Facts{IDNumber: f.IDNumber, Phone: f.Phone, CardNo: f.CardNo}, current)
	if len(found) == 0 {
		return nil
	}
	return &liuma.Error{Code: liuma.CodeWeakPIN, Field: "new_pin", Reason: string(found[0].Rule), Sentence: found[0].Sentence}
}

// judges keeps one judge per set of rules: making one reads whole lists.
type judges struct {
	mu   sync.Mutex
	made map[pin.Rules]*pin.Judge // guarded by mu
}

func (j *judges) of(r pin.Rules) (*pin.Judge, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if made, ok := j.made[r]; ok {
		return made, nil
	}
	made, err := pin.NewJudge(r)
	if err == nil {
		j.made[r] = made
	}
	return made, err
}
