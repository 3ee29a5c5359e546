package ceremony

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// In a database that spreads its rows over machines a ceremony lies with its card: of an
// act about a linked card, or about a person who has one, that; of an application the card
// that it will make, whose ID is drawn when it is pushed. Its name, the address of its
// push and its authorization code carry the card's place, masked (vault.Routed), so that
// each step reads and writes on one machine. Where all rows lie together, nothing does.

// routed is a random text with its route, where rows are spread.
func (s *Ceremonies) routed(random string, home vault.Home) string {
	if !s.store.Spreads() {
		return random
	}
	return s.vault.Routed(random, home)
}

// routeOf is the home that a token or a ceremony's name leads to; zero: none.
func (s *Ceremonies) routeOf(token string) vault.Home {
	home, _ := s.vault.RouteOf(token)
	return home
}

// addressOf is the address of a pushed request, with its ceremony's route.
func (s *Ceremonies) addressOf(ceremony, secret string) string {
	return s.routed(requestURIPrefix+secret, s.routeOf(ceremony))
}

// recordOf is the card in whose stream a ceremony's entries stand. Of an act about a linked
// card, in a name with a route, that is so from the push on, so that a step and its entry
// lie together; else from when the card is known.
func (s *Ceremonies) recordOf(c store.Ceremony) liuma.CardID {
	if !c.Card.IsZero() || !s.acts[c.Action].Linked {
		return c.Card
	}
	return liuma.CardID(s.routeOf(c.ID))
}

// pushing is a push on its way into the store.
type pushing struct {
	caller  authority.Caller
	act     Act
	push    Push
	d       details
	secret  string // of the address
	expires time.Time
	home    vault.Home // where a new ceremony will lie
	under   string     // the ceremony that is there under the number
	burntAt uint64     // where there is evidence: what it was burnt for (fresh)

	// What the transaction found or made.
	uri   string
	again bool
}

// fresh refuses evidence that was burnt when the ceremony stood elsewhere: another push
// has brought it since. at is the ceremony's revision and one; zero: there is none yet.
func (p *pushing) fresh(at uint64) error {
	if p.d.Proofs.Evidence != nil && p.burntAt != at {
		return liuma.FailField(liuma.CodeEvidenceUsed, "evidence", nil)
	}
	return nil
}

// pushFirst does what comes before a push is stored, each in a transaction of its own: it
// burns the evidence, and says where the request, its tries and the ceremony will lie.
//
// A crash after the first leaves evidence that passes with this push alone, sent again as
// long as nothing else has moved the ceremony; a provider gives another (I-15). A crash
// after the second leaves a number that takes nothing (I-11): the next push under it goes
// on. Where that is an application, its request then lies with the card that the first
// push drew and its ceremony elsewhere, in transactions over two machines.
func (s *Ceremonies) pushFirst(ctx context.Context, p *pushing, spent error) error {
	if err := s.burnPushed(ctx, p, spent); err != nil {
		return err
	}
	if spent != nil || !s.store.Spreads() {
		return nil //nolint:nilerr // refused by the push itself, unless the ceremony is there and its number with it
	}
	home, err := s.homeFor(ctx, p)
	if err != nil || home == (vault.Home{}) {
		return err
	}
	p.home = home
	return s.engine.ClaimNumber(ctx, p.caller.Channel(), p.push.BusinessNo, liuma.CardID(home))
}

// burnPushed burns the evidence of a push for this push, and for the ceremony as it is
// now: once that was stored, the same evidence is used. A push that would be refused
// anyway burns nothing.
func (s *Ceremonies) burnPushed(ctx context.Context, p *pushing, spent error) error {
	if p.d.Proofs.Evidence == nil {
		return nil
	}
	digest := pushDigest(p.push)
	err := s.store.View(ctx, func(r store.Reader) error {
		p.burntAt, p.under = 0, ""
		there, err := r.Request(p.caller.Channel(), p.push.BusinessNo)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return errors.Join(spent, ownHandles(r, p.caller, p.push))
		case err != nil:
			return err
		case there.Digest != digest || there.Ceremony == "":
			return liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
		}
		p.under = there.Ceremony
		c, err := r.Ceremony(there.Ceremony)
		if errors.Is(err, store.ErrNotFound) {
			return liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
		}
		p.burntAt = c.Revision + 1
		return err
	})
	if err != nil {
		return err
	}
	by := sha256.Sum256(fmt.Appendf(nil, "push %q %q %x %d", p.caller.Channel(), p.push.BusinessNo, digest, p.burntAt))
	return s.engine.BurnEvidence(ctx, p.d.Proofs.Evidence.proof(), by)
}

// homeFor is where a new ceremony will lie. Zero: its handle leads nowhere, which
// ownHandles refuses.
func (s *Ceremonies) homeFor(ctx context.Context, p *pushing) (home vault.Home, err error) {
	c, q := p.caller, p.push
	if q.Action == liuma.ActionEnroll && p.d.Proofs.Evidence != nil {
		return s.homeOfApplicant(ctx, p)
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		switch {
		case q.Subject.Card != "":
			link, err := r.LinkByHandle(c.Channel(), store.Handle(q.Subject.Card))
			home = vault.Home(link.Card)
			return err
		case q.Action == liuma.ActionEnroll:
			home = vault.Home(liuma.NewCardID()) // the card's, if it comes to one
			return nil
		}
		id, err := registry.ParseIDNumber(q.Subject.IDNumber)
		if err != nil {
			return err
		}
		home = vault.Home(liuma.NewCardID()) // of a person without a card: nobody's
		card, err := r.CardByHolder(s.vault.Index(vault.IndexIDNumber, id.Canonical()))
		if err == nil {
			home = vault.Home(card.ID)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return home, err
}

// homeOfApplicant is the card that an application will make, claimed for who was confirmed
// by evidence: before that nobody learns by how long a claim takes that a person is
// registered, or has a card. Of who is not registered nothing is kept, and who has a card
// already applies in vain, or for another one.
func (s *Ceremonies) homeOfApplicant(ctx context.Context, p *pushing) (vault.Home, error) {
	holder := s.vault.Index(vault.IndexIDNumber, p.d.Proofs.Evidence.IDNumber)
	_, err := s.registered(ctx, holder)
	if errors.Is(err, store.ErrNotFound) {
		return vault.Home(liuma.NewCardID()), nil
	}
	if err != nil {
		return vault.Home{}, err
	}
	card, err := s.claimCard(ctx, p.under, holder)
	if err != nil {
		return vault.Home{}, err
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		_, err := r.Card(card)
		return err
	})
	if err == nil {
		card = liuma.NewCardID()
	} else if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return vault.Home(card), err
}

func (s *Ceremonies) registered(ctx context.Context, holder vault.Index) (who store.Person, err error) {
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		who, _, err = s.registry.Of(r, holder)
		return err
	})
	return who, err
}

// claimCard claims a holder for the card that an application will make: the one with which
// its ceremony lies, unless another has been claimed. It is zero where rows lie together.
func (s *Ceremonies) claimCard(ctx context.Context, ceremony string, holder vault.Index) (liuma.CardID, error) {
	if !s.store.Spreads() {
		return liuma.CardID{}, nil
	}
	card := liuma.CardID(s.routeOf(ceremony))
	if card.IsZero() {
		card = liuma.NewCardID()
	}
	return s.engine.ClaimHolder(ctx, holder, card)
}

// newCardIn draws a new card for who applies. Where the holder was claimed it is the card of
// the claim; if that is there already, the one with which the ceremony lies takes the claim
// over, or one of its own.
func (s *Ceremonies) newCardIn(r store.Reader, q asking, who applicant) (store.Card, error) {
	card := s.newCard(who)
	for _, id := range []liuma.CardID{who.card, liuma.CardID(s.routeOf(q.row.Ceremony))} {
		if id.IsZero() {
			continue
		}
		_, err := r.Card(id)
		if errors.Is(err, store.ErrNotFound) {
			card.ID = id
			return card, nil
		}
		if err != nil {
			return card, err
		}
	}
	return card, nil
}
