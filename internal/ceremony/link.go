package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// link is the act of linking a holder's card in one more channel.
func link() Act {
	return Act{
		Action:    liuma.ActionLink,
		First:     StepConfirm,
		Moves:     []Move{{StepConfirm, StepPIN}, {StepPIN, StepDone}},
		Proofs:    []Proof{ProofPIN},
		Roles:     []liuma.Role{liuma.RoleCurrent},
		Evidenced: StepPIN,
		run:       (*Ceremonies).link,
	}
}

// Link links the holder's card in one more channel, by its PIN: Subject has name and ID
// number, Current is the PIN, Replaces the handle that the new link replaces, or empty;
// evidence is taken but never required. Until the PIN was right the channel has no link.
// So a wrong PIN, an unknown person, a card without a PIN, a lock and a name that does not
// fit all get the same answer after the same time.
func (s *Ceremonies) Link(ctx context.Context, c authority.Caller, q authority.Request) (authority.Verification, error) {
	ask, err := s.native(c, liuma.ActionLink, q)
	if err != nil {
		return authority.Verification{}, err
	}
	return s.rationed(ctx, ask, (*Ceremonies).link)
}

func (s *Ceremonies) link(ctx context.Context, q asking) (authority.Verification, error) {
	id, err := registry.ParseIDNumber(q.request.Subject.IDNumber)
	if err != nil {
		return authority.Verification{}, liuma.AtField(liuma.Outward(err), "subject."+liuma.HolderField(q.request.Subject.IDNumber))
	}
	name, err := registry.ParseName(q.request.Subject.Name)
	if err != nil {
		return authority.Verification{}, liuma.AtField(liuma.Outward(err), "subject.name")
	}
	// The birthday in an ID number tells the channel nothing new. For any other document
	// the registry may know the birthday; cardOf checks that one.
	if id.Document().Type == liuma.DocumentIDNumber {
		if err := s.ofAge(q.policy, "", id.Born()); err != nil {
			return authority.Verification{}, err
		}
	}
	proof, err := s.linkEvidence(ctx, q, id.Canonical(), name)
	if err != nil {
		return s.repeatedOr(ctx, q, err)
	}
	// The slot is also held for a person without a card, so that of two requests at once
	// one waits, whether there is a card or not.
	holder := s.vault.Index(vault.IndexIDNumber, id.Canonical())
	ctx, release, err := s.engine.HoldHolder(ctx, holder)
	if err != nil {
		return authority.Verification{}, err
	}
	defer release()
	hold := s.engine.Pace(ctx, q.caller)
	v, err := s.linkHolder(ctx, q, holder, name, proof)
	if errors.Is(err, authority.ErrClientChanged) {
		return v, err // nobody was looked up, and the door asks again
	}
	if err != nil || v.Verdict != liuma.Right {
		hold()
	}
	return v, err
}

func (s *Ceremonies) linkHolder(ctx context.Context, q asking, holder vault.Index, name string, proof *evidence.Proof) (authority.Verification, error) {
	// Opened before the look-up: a bad envelope is the channel's own mistake, and
	// its answer is the same for every holder.
	guess, err := s.open(ctx, q, liuma.RoleCurrent, q.request.Current, "pin")
	if err != nil {
		return s.repeatedOr(ctx, q, err)
	}
	defer guess.Wipe()
	// Also asked before the look-up: "slow down" then tells nothing about whether there is
	// a card.
	pass, err := s.engine.Allow(guess, q.caller.Channel(), q.source, proof != nil)
	if err != nil {
		return s.repeatedOr(ctx, q, err)
	}
	defer pass.Drop() // does nothing after Saw
	card, err := s.cardOf(ctx, q, holder, name)
	if errors.Is(err, authority.ErrUnlinked) {
		pass.Saw(nobodysCard(holder), liuma.Wrong)
		return s.refuseLink(ctx, q, proof)
	}
	if err != nil {
		return s.engine.Repeat(ctx, q.caller, err)
	}
	ctx, release, err := s.engine.HoldCard(ctx, card)
	if err != nil {
		// The error "in use" would show that there is a card.
		pass.Saw(card, liuma.Wrong)
		return s.refuseLink(ctx, q, proof)
	}
	defer release()
	at := q.attempt(card, guess, proof, s.hooks(q, s.linked(q.request.Replaces)))
	at.Pass = pass
	row, err := s.engine.Attempt(ctx, at)
	if liuma.CodeOf(err) == liuma.CodeEvidenceRequired {
		// Without a link the channel must not learn that the physical card is lost.
		pass.Saw(card, liuma.Wrong)
		return s.refuseLink(ctx, q, proof)
	}
	if err != nil {
		return s.engine.Repeat(ctx, q.caller, err)
	}
	pass.Saw(card, liuma.Wrong) // refused before the keepers were asked
	return s.engine.Answer(ctx, q.caller, row)
}

// nobodysCard stands in for the card of a person who has none, where the guard counts
// guesses by card. A guess that is refused for any reason counts as a wrong one. Otherwise
// a client could bring one PIN close to a limit, and learn from when the limit is reached
// whether a person has a card.
func nobodysCard(holder vault.Index) (id liuma.CardID) {
	copy(id[:], holder[:])
	return id
}

// linkEvidence checks the evidence that came with a link, which needs none. It is compared
// with the values that the channel sent, before the person is looked up, so its answer is
// the same for every holder.
func (s *Ceremonies) linkEvidence(ctx context.Context, q asking, idNumber, name string) (proof *evidence.Proof, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		proof, err = q.evidence.about(r, func() (registry.Facts, error) {
			return registry.Facts{IDNumber: idNumber, Name: name}, nil
		})
		return err
	})
	return proof, liuma.Outward(err)
}

// refuseLink stores the one refusal that all causes share. Evidence is used up as after an
// attempt, so sending it again tells nothing either.
func (s *Ceremonies) refuseLink(ctx context.Context, q asking, proof *evidence.Proof) (authority.Verification, error) {
	h := s.hooks(q, nil)
	after := h.After
	h.After = func(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error) {
		if !q.hosted() {
			if err := s.engine.MarkEvidence(tx, proof); err != nil {
				return "", err
			}
		}
		return after(tx, card, row)
	}
	return s.engine.RefuseNow(ctx, q.caller, q.row, h)
}

// linked returns the function that runs after a right PIN. At the native door it makes the
// link and sends the holder a notice; a ceremony's link is made when its code is redeemed
// (linkReturned). Where no link is possible, the request ends with the reason and no
// verdict, so no channel can take it for success. The PIN was right, so the reason tells
// the person who gave it nothing new.
func (s *Ceremonies) linked(replaces store.Handle) func(store.Tx, *store.Card, *store.Request) (audit.Event, error) {
	return func(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error) {
		err := s.engine.MayLink(tx, *card, *row, replaces)
		if e, ok := refusal(err); ok && noMoreLinks(e.Code) {
			row.Verdict, row.Code, row.Until, row.ReceiptID = "", e.Code, e.Until, ""
			return "", nil
		}
		if err != nil || row.Ceremony != "" {
			return "", err
		}
		l, err := s.engine.MakeLink(tx, *card, *row, replaces)
		if err != nil {
			return "", err
		}
		row.Handle = l.Handle
		return audit.CardLinked, s.engine.TellIn(tx, *card, noticeLinked, row.Channel, nil)
	}
}

// noMoreLinks reports a link that was refused after a right PIN.
func noMoreLinks(c liuma.Code) bool { return c == liuma.CodeLinkLimit || c == liuma.CodeLinksFull }

// cardOf finds, in one view, a holder's card. It must have a PIN, and the name must fit.
func (s *Ceremonies) cardOf(ctx context.Context, q asking, holder vault.Index, name string) (liuma.CardID, error) {
	var id liuma.CardID
	err := s.store.View(ctx, func(r store.Reader) error {
		if err := q.registered(r); err != nil {
			return err
		}
		if err := authority.LookNumber(r, q.row); err != nil {
			return err
		}
		if q.request.Replaces != "" {
			_, err := r.LinkByHandle(q.caller.Channel(), q.request.Replaces)
			if errors.Is(err, store.ErrNotFound) {
				return liuma.FailField(liuma.CodeNotFound, "replaces", err)
			}
			if err != nil {
				return err
			}
		}
		found, err := r.CardByHolder(holder)
		if errors.Is(err, store.ErrNotFound) {
			return authority.ErrUnlinked
		}
		if err != nil {
			return err
		}
		card, err := s.engine.ReadCard(r, found.ID)
		if err != nil {
			return err
		}
		if card.Version == 0 || authority.NotYet(card, s.now()) != nil { // without a link, the channel learns neither
			return authority.ErrUnlinked
		}
		f, err := s.engine.Facts(r, card)
		if err != nil {
			return err
		}
		if !registry.SameName(f.Name, name) || s.ofAge(q.policy, card.Region, f.Born()) != nil {
			return authority.ErrUnlinked
		}
		id = card.ID
		return nil
	})
	return id, err
}

// repeatedOr returns the stored answer if the request is a repetition, even when its
// challenge or seal key has expired meanwhile; otherwise it returns err.
func (s *Ceremonies) repeatedOr(ctx context.Context, q asking, err error) (authority.Verification, error) {
	look := s.store.View(ctx, func(r store.Reader) error {
		if err := q.registered(r); err != nil {
			return err
		}
		return authority.LookNumber(r, q.row)
	})
	if look != nil {
		return s.engine.Repeat(ctx, q.caller, look)
	}
	return authority.Verification{}, err
}
