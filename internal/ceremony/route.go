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

// In a database that spreads its rows over machines a ceremony is stored with its card. An
// act about a linked card, or about a person who has one, uses that card; an application
// uses the card that it will make, whose ID is drawn at the push. The ceremony's name, its
// push address and its authorization code carry the card's place, masked (vault.Routed), so
// that each step reads and writes on one machine. Where all rows are on one machine, none
// of these carry a place.

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

// recordOf is the card in whose audit stream a ceremony's entries are written. For an act
// about a linked card whose name carries a route, that is the card from the push on, so
// that a step and its entry are on one machine. Otherwise it is the card from when the card
// is known.
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
	home    vault.Home // where a new ceremony will be stored
	under   string     // the ceremony that stands under the business number already
	burntAt uint64     // with evidence: the ceremony's revision that it was burnt for (fresh)

	// Found or made by the transaction.
	uri   string
	again bool
}

// fresh refuses evidence that was burnt for another revision of the ceremony: another push
// has moved the ceremony since. at is the ceremony's revision plus one; zero: there is no
// ceremony yet.
func (p *pushing) fresh(at uint64) error {
	if p.d.Proofs.Evidence != nil && p.burntAt != at {
		return liuma.FailField(liuma.CodeEvidenceUsed, "evidence", nil)
	}
	return nil
}

// pushFirst does two things before a push is stored, each in a transaction of its own: it
// burns the evidence, and it decides where the request, its tries and the ceremony will be
// stored.
//
// A crash after the first leaves evidence that only this push can use, and only until the
// ceremony is moved by something else; after that a provider must give new evidence (I-15).
// A crash after the second leaves a claimed number without a request (I-11): the next push
// under it goes on. For an application, the request is then stored with the card that the
// first push drew, and the ceremony elsewhere, so its transactions span two machines.
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

// burnPushed burns the evidence of a push for this push and the present revision of the
// ceremony. Once the push is stored, the same evidence is used up. A push that would be
// refused anyway burns nothing.
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

// homeFor is where a new ceremony will be stored. Zero: its handle leads nowhere;
// ownHandles refuses such a push.
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
		home = vault.Home(liuma.NewCardID()) // a person without a card: no card will have this ID
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

// homeOfApplicant is the card that an application will make, claimed for the person whom the
// evidence confirmed. Without evidence nothing is claimed, or the time that it takes would
// tell who is registered and who has a card. For a person who is not registered nothing is
// kept, and one who has a card already applies in vain, or for another one.
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

// claimCard claims a holder for the card that an application will make, and returns the card
// that is claimed: the card under whose ID the ceremony is stored, or one claimed before. It
// is zero in a store that keeps all rows together.
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

// newCardIn draws a new card for an applicant. If the holder was claimed, the card gets the ID
// of the claim; if that card is there already, the ID under which the ceremony is stored, or a
// new one.
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
