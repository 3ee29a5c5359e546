package authority

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// A card's row has no name, registry phone or number of a physical card. They are read
// from the registry each time, so that a change there counts at once. When the registry
// changes something that the holder must be told, the change is noted, and the notices
// are sent here, some in each round. So an import of a million changes holds nothing
// up, and the notices of an import made while no server ran are sent when one starts.

// Facts are the registry's facts about a card's holder. If the person's row is gone or
// was altered, that is a fault of this authority, and not a wrong name.
func (a *Authority) Facts(r store.Reader, card store.Card) (registry.Facts, error) {
	_, f, err := a.registry.Of(r, card.Holder)
	if err != nil {
		a.log.Error("the person of a card cannot be read", "card", card.ID, "err", err)
		return registry.Facts{}, liuma.Fail(liuma.CodeUnavailable, err)
	}
	return f, nil
}

// unknownHolder stands for a masked name that cannot be read.
const unknownHolder = "*"

// nameOf is the masked name of a card's holder. A contested card's number belongs to
// another person, whose name must not be shown to those who know the card.
func (a *Authority) nameOf(r store.Reader, card store.Card) (string, error) {
	if card.Contested {
		return unknownHolder, nil
	}
	f, err := a.Facts(r, card)
	return f.MaskedName(), err
}

// maskedName is the name of a card's holder in notices and on the page for freeze
// codes. It never fails, because a freeze or its notice must not fail for lack of a
// name.
func (a *Authority) maskedName(r store.Reader, card store.Card) string {
	name, err := a.nameOf(r, card)
	if err != nil {
		return unknownHolder
	}
	return name
}

const (
	noticePerson = "person_changed"
	noticeShown  = "person_shown"

	// tellPage is how many changes are listed at once, and tellTime how long one round
	// of telling may take, since the saves of each second wait meanwhile.
	tellPage = 256
	tellTime = time.Second
)

// registryPlace names the registry in notices.
func registryPlace() liuma.Text {
	return locale.Both(func(w *locale.Words) string { return w.Notice.Registry() })
}

// tellChanges tells holders of the registry's changes about them, until all are told or
// the round's time is up. A change that cannot be told stays for the next round and
// does not stop the others.
func (a *Authority) tellChanges(ctx context.Context) error {
	var after liuma.CardID
	var errs []error
	for began := time.Now(); ; {
		var page []store.PersonChange
		err := a.store.View(ctx, func(r store.Reader) (err error) {
			page, err = r.PersonChanges(after, tellPage)
			return err
		})
		if err != nil {
			return fmt.Errorf("list changes of people: %w", err)
		}
		for _, c := range page {
			if time.Since(began) > tellTime || ctx.Err() != nil {
				return errors.Join(append(errs, ctx.Err())...)
			}
			if err := a.tellChange(ctx, c.Card); err != nil && len(errs) < 3 {
				errs = append(errs, fmt.Errorf("tell card %s of a change: %w", c.Card, err))
			}
			after = c.Card
		}
		if len(page) < tellPage {
			return errors.Join(errs...)
		}
	}
}

// tellChange writes the entry in the card's stream, queues the notice and drops the
// note, in one transaction: a crash leaves all three or none (I-8).
func (a *Authority) tellChange(ctx context.Context, id liuma.CardID) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.PersonChange(id)
		if errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		if err := tx.DeletePersonChange(id); err != nil {
			return audit.Entry{}, err
		}
		e := a.Entry("system", audit.PersonChanged, id, "", "ok")
		e.Note = "what=" + strings.Join(c.What, ",")
		card, err := a.ReadCard(tx, id)
		if errors.Is(err, store.ErrNotFound) { // the database was restored from before the card's enrolment
			return e, nil
		}
		if err != nil {
			return e, err
		}
		if i := slices.Index(c.What, store.ChangedShown); i >= 0 {
			if err := a.tellShown(tx, card); err != nil {
				return e, err
			}
			if c.What = slices.Delete(c.What, i, i+1); len(c.What) == 0 {
				e.Event = audit.PersonTold
				return e, nil
			}
		}
		if slices.Contains(c.What, store.ChangedPerson) {
			return e, a.tellContested(tx, card, c)
		}
		return e, a.TellPersonChanged(tx, card, c.What)
	})
}

// TellPersonChanged notifies a holder of the registry's changes about them. The
// registry's phone is not used: an attacker who can change it there must not get the
// notice of that. If the card is contested, its number belongs to another person, whose
// changes its phone is not told.
func (a *Authority) TellPersonChanged(tx store.Tx, card store.Card, what []string) error {
	if len(what) == 0 || card.Contested {
		return nil
	}
	_, err := a.tellAll(tx, card, noticePerson, registryPlace(), func(language string) map[string]string {
		return map[string]string{"what": changedWords(what, language)}
	})
	return err
}

// tellShown notifies a holder that the data held about them was written out. If the
// card is contested, its number belongs to another person, about whom its phone is told
// nothing.
func (a *Authority) tellShown(tx store.Tx, card store.Card) error {
	if card.Contested {
		return nil
	}
	return a.Tell(tx, card, noticeShown, registryPlace(), nil)
}

// changedWords names in a notice the changed values.
func changedWords(what []string, language string) string {
	in := locale.In(locale.Lang(language))
	say := in.Notice
	words := map[string]string{
		store.ChangedName: say.ChangedName(), store.ChangedPhone: say.ChangedPhone(),
		store.ChangedRegion: say.ChangedRegion(), store.ChangedCardNo: say.ChangedCardNo(),
	}
	var said []string
	for _, w := range what {
		if t, ok := words[w]; ok {
			said = append(said, t)
		}
	}
	return in.Listed(said)
}

// tellContested notifies the bound phone of a card whose number now belongs to another
// person. It uses the name that the card was enrolled under.
func (a *Authority) tellContested(tx store.Tx, card store.Card, c store.PersonChange) error {
	name := unknownHolder
	if f, err := a.registry.Was(c); err == nil {
		name = f.MaskedName()
	} else {
		a.log.Error("the person whom a card was enrolled for cannot be read", "card", card.ID, "err", err)
	}
	return a.Tell(tx, card, noticeFrozen, registryPlace(), map[string]string{"holder": name})
}
