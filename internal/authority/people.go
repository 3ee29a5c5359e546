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

// A card keeps no name, registry phone or number of a physical card: they are read
// from the registry each time, so that a change there counts at once. What a
// holder is to be told of is noted with the change and told here, a part each
// round: an import of a million changes holds up nobody, and an import without a
// server is told of when one starts.

// Facts are what the registry says of a card's holder. A person who is gone, or
// whose row was altered, is a fault of this authority and no wrong name.
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

// nameOf is the masked name of a card's holder. Under a contested card's number
// stands another person, whom those who know the card are not told of.
func (a *Authority) nameOf(r store.Reader, card store.Card) (string, error) {
	if card.Contested {
		return unknownHolder, nil
	}
	f, err := a.Facts(r, card)
	return f.MaskedName(), err
}

// maskedName is how notices and the page for freeze codes name a card's holder. A
// freeze, or a notice of one, must not fail for want of a name.
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

	// tellPage is how many changes are listed at once, and tellTime how long one
	// round of telling may take, beside the saves of each second.
	tellPage = 256
	tellTime = time.Second
)

// registryPlace names the registry in notices.
func registryPlace() liuma.Text {
	return locale.Both(func(w *locale.Words) string { return w.Notice.Registry() })
}

// tellChanges tells holders what the registry changed about them, until all are
// told or the round's time is up. A change that cannot be told stays for the next
// round and stops no other.
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
		if errors.Is(err, store.ErrNotFound) { // restored from before its enrolment
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

// TellPersonChanged notifies a holder of what the registry changed. The registry's
// phone is no contact: whoever can change it there must not get the notice of it. Under
// the number of a contested card is another person, of whom its phone hears nothing.
func (a *Authority) TellPersonChanged(tx store.Tx, card store.Card, what []string) error {
	if len(what) == 0 || card.Contested {
		return nil
	}
	_, err := a.tellAll(tx, card, noticePerson, registryPlace(), func(language string) map[string]string {
		return map[string]string{"what": changedWords(what, language)}
	})
	return err
}

// tellShown notifies a holder that what is held about them was written out. Under
// the number of a contested card is another person, of whom its phone hears nothing.
func (a *Authority) tellShown(tx store.Tx, card store.Card) error {
	if card.Contested {
		return nil
	}
	return a.Tell(tx, card, noticeShown, registryPlace(), nil)
}

// changedWords names in a notice what was changed.
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

// tellContested notifies the bound phone of a card whose number is another
// person's now, under the name that the card was enrolled for.
func (a *Authority) tellContested(tx store.Tx, card store.Card, c store.PersonChange) error {
	name := unknownHolder
	if f, err := a.registry.Was(c); err == nil {
		name = f.MaskedName()
	} else {
		a.log.Error("the person whom a card was enrolled for cannot be read", "card", card.ID, "err", err)
	}
	return a.Tell(tx, card, noticeFrozen, registryPlace(), map[string]string{"holder": name})
}
