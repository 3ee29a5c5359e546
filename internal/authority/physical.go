package authority

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// actionPhysical is the action of a registry client's requests.
const actionPhysical liuma.Action = "physical_card_status"

// SetPhysical takes a registry client's report on a physical card. Channels
// cannot call it: a channel that asks for the PIN must not also decide that a
// lost card is fine.
func (a *Authority) SetPhysical(ctx context.Context, c Caller, q PhysicalRequest) (PhysicalView, error) {
	if c.Client.Kind != store.ClientRegistry || c.Client.Stopped {
		return PhysicalView{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	id, err := registry.ParseIDNumber(q.IDNumber)
	if err != nil {
		return PhysicalView{}, liuma.AtField(liuma.Outward(err), liuma.HolderField(q.IDNumber))
	}
	number, err := registry.ParseCardNo(q.CardNo)
	if err != nil {
		return PhysicalView{}, liuma.AtField(liuma.Outward(err), "card_no")
	}
	var replacement string
	if q.Event == PhysicalReplaced {
		if replacement, err = registry.ParseCardNo(q.ReplacedBy); err != nil {
			return PhysicalView{}, liuma.AtField(liuma.Outward(err), "replaced_by")
		}
	} else if q.ReplacedBy != "" {
		return PhysicalView{}, liuma.FailField(liuma.CodeBadRequest, "replaced_by", errors.New("only with event replaced"))
	}
	row := a.NewRow(c, actionPhysical, Request{BusinessNo: q.BusinessNo, Digest: q.Digest}, "")
	var v PhysicalView
	var refused error // committed together with the count
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		v, refused = PhysicalView{}, nil
		if err := LookNumber(tx, row); err != nil {
			return audit.Entry{}, err
		}
		person, f, err := a.reported(tx, id, number)
		if code := liuma.CodeOf(err); code == liuma.CodeNotInRegistry || code == liuma.CodeNotFound {
			refused = err
			return a.missed(tx, c, row, q.Event, code)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		return a.setPhysical(tx, c, row, q.Event, person, f, replacement, &v)
	})
	if err == nil && refused != nil {
		return PhysicalView{}, liuma.Outward(refused)
	}
	if _, ok := errors.AsType[Repeated](err); ok {
		return a.physicalView(ctx, id)
	}
	return v, liuma.Outward(err)
}

// reported finds the person whose current card a report names.
func (a *Authority) reported(r store.Reader, id registry.IDNumber, number string) (store.Person, registry.Facts, error) {
	person, f, err := a.registry.Find(r, id)
	if err != nil {
		return person, f, err
	}
	given := a.vault.Index(vault.IndexCardNo, number)
	if subtle.ConstantTimeCompare(given[:], person.CardNo[:]) != 1 {
		err = liuma.FailField(liuma.CodeNotFound, "card_no", errors.New("not the person's current card"))
	}
	return person, f, err
}

// missed counts and records a report that names nobody's current card. Otherwise a
// thief with the key could find out who is in the registry, and try card numbers, as
// fast as the server answers. It takes no business number.
func (a *Authority) missed(tx store.Tx, c Caller, row store.Request, ev PhysicalEvent, why liuma.Code) (audit.Entry, error) {
	act := actOf(ev)
	if act == ActCancellation {
		act = ActLoss // the ration of cancellations is small, and nothing was cancelled
	}
	return a.Entry(c.Actor(), audit.PhysicalTried, liuma.CardID{}, row.BusinessNo, string(why)), a.Spend(tx, c, act)
}

func (a *Authority) setPhysical(tx store.Tx, c Caller, row store.Request, ev PhysicalEvent, person store.Person, f registry.Facts, replacement string, v *PhysicalView) (_ audit.Entry, err error) {
	if person.Died { // an import reported the death, and no report takes it back
		return audit.Entry{}, liuma.FailField(liuma.CodeCancelled, "event", nil)
	}
	if person.Physical, err = nextPhysical(person.Physical, ev); err != nil {
		return audit.Entry{}, err
	}
	person.UpdatedAt = a.Now()
	if replacement != "" {
		if err := a.replaceCard(&person, &f, replacement); err != nil {
			return audit.Entry{}, err
		}
	}
	if err := tx.UpsertPerson(person); err != nil {
		return audit.Entry{}, err
	}
	card, err := a.followPhysical(tx, person, replacement != "")
	if err != nil {
		return audit.Entry{}, err
	}
	row.Card = card.ID
	Decide(&row, a.Now(), "", "")
	if err := a.takeRationed(tx, c, row, actOf(ev)); err != nil {
		return audit.Entry{}, err
	}
	*v = a.viewPhysical(person, card)
	e := a.Entry(c.Actor(), audit.PhysicalChanged, card.ID, row.BusinessNo, "ok")
	e.Note = "event=" + string(ev)
	return e, nil
}

// actOf is the ration that a report counts to. Undoing a loss counts as a loss.
func actOf(ev PhysicalEvent) Act {
	switch ev {
	case PhysicalCancelled:
		return ActCancellation
	case PhysicalReplaced:
		return ActReplacement
	}
	return ActLoss
}

// nextPhysical is the state machine of a physical card. A cancelled card stays
// cancelled until another card replaces it.
func nextPhysical(now liuma.PhysicalStatus, ev PhysicalEvent) (liuma.PhysicalStatus, error) {
	switch {
	case ev == PhysicalReplaced:
		return liuma.PhysicalNormal, nil
	case ev == PhysicalCancelled:
		return liuma.PhysicalCancelled, nil
	case now == liuma.PhysicalCancelled:
		return "", liuma.FailField(liuma.CodeCancelled, "event", nil)
	case ev == PhysicalLost:
		return liuma.PhysicalLost, nil
	case ev == PhysicalFound:
		return liuma.PhysicalNormal, nil
	}
	return "", liuma.FailField(liuma.CodeBadRequest, "event", errors.New("want lost, found, cancelled or replaced"))
}

// replaceCard puts the new card number in place of the old one.
func (a *Authority) replaceCard(p *store.Person, f *registry.Facts, number string) error {
	f.CardNo = number
	p.CardNo = a.vault.Index(vault.IndexCardNo, number)
	p.ReplacedBy = p.CardNo
	plain, err := f.Marshal()
	if err != nil {
		return err
	}
	defer clear(plain)
	p.Sealed, err = a.vault.Seal(vault.PersonFacts, p.Holder[:], plain)
	return err
}

// followPhysical brings the electronic card, if there is one, to the person's status,
// and tells its holder of a new card number. Links and PIN stay.
func (a *Authority) followPhysical(tx store.Tx, p store.Person, replaced bool) (store.Card, error) {
	found, err := tx.CardByHolder(p.Holder)
	if errors.Is(err, store.ErrNotFound) {
		return store.Card{}, nil
	}
	if err != nil {
		return store.Card{}, err
	}
	card, err := a.ReadCard(tx, found.ID)
	if err != nil {
		return store.Card{}, err
	}
	if card.Retiring.IsZero() { // a retiring card is being stopped for good
		card.Physical = p.Physical
	}
	card.Region = p.Region
	if err := tx.UpdateCard(card); err != nil || !replaced {
		return card, err
	}
	return card, a.TellPersonChanged(tx, card, []string{store.ChangedCardNo})
}

func (a *Authority) viewPhysical(p store.Person, card store.Card) PhysicalView {
	card.Physical = p.Physical
	has := !card.ID.IsZero() && card.Version > 0
	return PhysicalView{Physical: p.Physical, HasCard: has, Standing: card.Standing(a.Now())}
}

// physicalView answers a repetition with the present state.
func (a *Authority) physicalView(ctx context.Context, id registry.IDNumber) (PhysicalView, error) {
	var v PhysicalView
	err := a.store.View(ctx, func(r store.Reader) error {
		p, _, err := a.registry.Find(r, id)
		if err != nil {
			return err
		}
		card, err := r.CardByHolder(p.Holder)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		v = a.viewPhysical(p, card)
		return nil
	})
	return v, liuma.Outward(err)
}
