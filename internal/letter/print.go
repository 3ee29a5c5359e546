package letter

import (
	"cmp"
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
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// resumeAfter is how long a batch may be under way before the next export takes it over,
// because its maker died or had a full disk.
const resumeAfter = 10 * time.Minute

// batchSize is the length of a batch's name: eight characters that are read aloud.
const batchSize = 8

// Order is what to print.
type Order struct {
	// Batch names a batch to be printed again; empty: the next one. Without Again, only a
	// batch whose file was never finished is returned.
	Batch string `json:"batch,omitempty"`
	Again bool   `json:"again,omitempty"`
	// Chinese leaves out the English lines.
	Chinese bool `json:"chinese,omitempty"`
}

// Batch is a batch of letters, ready to be printed. It holds names and addresses.
type Batch struct {
	ID      string `json:"id"` // empty: no letter waits
	Sheets  int    `json:"sheets"`
	Letters int    `json:"letters"`
	// Unsent are letters that were given up instead, for example because the registry has
	// no address any more.
	Unsent  int    `json:"unsent,omitempty"`
	Resumed bool   `json:"resumed,omitempty"`
	HTML    string `json:"html,omitempty"`
}

// page is one sheet of paper.
type page struct {
	no      int
	to      registry.Facts
	letters []store.Letter
	parts   []sealedPart
}

// Print returns a batch: one that was begun and never finished, or else waiting letters,
// the oldest first. The caller calls Printed when its file is written; until then a later
// call returns the same batch again. Errors: ErrNone, ErrPrinted, ErrEnded.
//
// The letters are assigned to the batch before anything is returned. So a crash leaves
// them waiting, or in a batch that is resumed; never in two.
func (b *Letters) Print(ctx context.Context, actor string, in Scope, o Order) (out Batch, err error) {
	chosen, out, err := b.choose(ctx, in, o)
	if err != nil || len(chosen) == 0 {
		return Batch{}, err
	}
	fresh := out.ID == ""
	if fresh {
		out.ID = written.NewCode(batchSize)
	}
	var pages []page
	err = b.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		pages, out.Letters, out.Unsent = nil, 0, 0
		if pages, err = b.take(tx, chosen, &out, fresh, o.Again); err != nil {
			return audit.Entry{}, err
		}
		e := audit.Entry{At: b.now(), Actor: actor, Event: audit.LetterPrinted, Outcome: "ok"}
		if e.Note = fmt.Sprintf("batch=%s sheets=%d letters=%d", out.ID, len(pages), out.Letters); out.Unsent > 0 {
			e.Note += fmt.Sprintf(" unsent=%d", out.Unsent)
		}
		if !fresh {
			e.Note += " again"
		}
		return e, nil
	})
	if err != nil {
		return Batch{}, fmt.Errorf("letter: print: %w", err)
	}
	if out.Sheets = len(pages); out.Sheets == 0 {
		return out, nil
	}
	out.HTML, err = b.render(out.ID, pages, o.Chinese)
	return out, err
}

// choose picks the letters of the order, and their batch.
func (b *Letters) choose(ctx context.Context, in Scope, o Order) (ids []string, out Batch, err error) {
	if o.Batch != "" {
		out.ID, err = b.batchNamed(ctx, in, o)
	} else {
		out.ID, err = b.unfinished(ctx, in)
	}
	if err != nil {
		return nil, out, err
	}
	if out.Resumed = out.ID != ""; out.Resumed {
		err = b.c.Store.View(ctx, func(r store.Reader) error {
			all, err := r.LettersIn(out.ID)
			for _, l := range all {
				ids = append(ids, l.ID)
			}
			return err
		})
		return ids, out, err
	}
	ids, err = b.oldest(ctx, in)
	return ids, out, err
}

// batchNamed finds a batch by its name, whoever made it, if the member may print all of
// it.
func (b *Letters) batchNamed(ctx context.Context, in Scope, o Order) (string, error) {
	id, formed := written.Code(o.Batch)
	if !formed || len(id) != batchSize {
		return "", ErrNone
	}
	return id, b.c.Store.View(ctx, func(r store.Reader) error {
		all, err := r.LettersIn(id)
		if err != nil {
			return err
		}
		open := 0
		for _, l := range all {
			switch {
			case !in.has(l):
				return ErrNone
			case l.State == store.LetterPrinting:
				open++
			case l.State == store.LetterPrinted && o.Again:
				open++
			case l.State == store.LetterPrinted:
				return ErrPrinted
			}
		}
		switch {
		case len(all) == 0:
			return ErrNone
		case open == 0:
			return ErrEnded
		}
		return nil
	})
}

// unfinished is the oldest batch whose file was not written in time, if all of it is in
// the scope; empty: there is none.
func (b *Letters) unfinished(ctx context.Context, in Scope) (string, error) {
	since, beyond := map[string]time.Time{}, map[string]bool{}
	err := b.each(ctx, store.LetterPrinting, func(l store.Letter) {
		if !in.has(l) {
			beyond[l.Batch] = true
		}
		since[l.Batch] = l.PrintedAt
	})
	best := ""
	for batch, at := range since {
		if beyond[batch] || b.now().Sub(at) < resumeAfter {
			continue
		}
		if best == "" || at.Before(since[best]) || at.Equal(since[best]) && batch < best {
			best = batch
		}
	}
	return best, err
}

// oldest are the letters of the people who have waited longest.
func (b *Letters) oldest(ctx context.Context, in Scope) ([]string, error) {
	type waits struct {
		id   string
		card liuma.CardID
		at   time.Time
	}
	var all []waits
	err := b.each(ctx, store.LetterWaiting, func(l store.Letter) {
		if in.has(l) {
			all = append(all, waits{l.ID, l.Card, l.At})
		}
	})
	slices.SortFunc(all, func(x, y waits) int { return cmp.Or(x.at.Compare(y.at), strings.Compare(x.id, y.id)) })
	cards, letters := map[liuma.CardID]int{}, 0
	var ids []string
	for _, w := range all {
		if _, there := cards[w.card]; !there && len(cards) == maxSheets || letters == 2*maxSheets {
			continue
		}
		cards[w.card]++
		letters++
		ids = append(ids, w.id)
	}
	return ids, err
}

// each walks through the letters in a state, in steps.
func (b *Letters) each(ctx context.Context, state store.LetterState, f func(store.Letter)) error {
	for after, more := "", true; more; {
		var found []store.Letter
		err := b.c.Store.View(ctx, func(r store.Reader) (err error) {
			found, err = r.Letters(state, after, pageOfLetter)
			return err
		})
		if err != nil {
			return fmt.Errorf("letter: list: %w", err)
		}
		for _, l := range found {
			after = l.ID
			f(l)
		}
		more = len(found) == pageOfLetter
	}
	return nil
}

// take assigns letters to a batch, or gives them up, and lays them out on sheets.
func (b *Letters) take(tx store.Tx, ids []string, out *Batch, fresh, again bool) ([]page, error) {
	var taken []store.Letter
	for _, id := range ids {
		l, err := tx.Letter(id)
		switch {
		case errors.Is(err, store.ErrNotFound): // erased meanwhile
			continue
		case err != nil:
			return nil, err
		case fresh && l.State != store.LetterWaiting: // another export took it
			continue
		case !fresh && l.State != store.LetterPrinting && !(again && l.State == store.LetterPrinted):
			continue
		}
		taken = append(taken, l)
	}
	slices.SortFunc(taken, func(x, y store.Letter) int {
		return cmp.Or(cmp.Compare(x.Sheet, y.Sheet), x.At.Compare(y.At), strings.Compare(x.ID, y.ID))
	})
	pages, err := b.lay(tx, taken, out, fresh)
	if err != nil {
		return nil, err
	}
	for _, p := range pages {
		for i, l := range p.letters {
			if fresh {
				l.State, l.Batch, l.Sheet, l.PrintedAt = store.LetterPrinting, out.ID, p.no, b.now()
			}
			l.Prints++
			l.Address = b.addressMAC(l.Card, p.to)
			p.letters[i] = l
			if err := tx.UpdateLetter(l); err != nil {
				return nil, err
			}
		}
		out.Letters += len(p.letters)
	}
	return pages, nil
}

// lay puts the letters of each person on as few sheets as they need.
func (b *Letters) lay(tx store.Tx, taken []store.Letter, out *Batch, fresh bool) (pages []page, err error) {
	last := map[liuma.CardID]int{} // the sheet that a card's last letter is on
	for _, l := range taken {
		to, part, why, err := b.address(tx, l)
		if err != nil {
			return nil, err
		}
		if why == notNow {
			continue
		}
		if why != "" {
			out.Unsent++
			l.State, l.Why, l.EndedAt, l.Sealed = store.LetterBack, why, b.now(), nil
			if err := tx.UpdateLetter(l); err != nil {
				return nil, err
			}
			continue
		}
		at, there := last[l.Card]
		switch {
		case there && fresh && len(pages[at].letters) < maxOnASheet, there && !fresh && pages[at].no == l.Sheet:
		default:
			at, last[l.Card] = len(pages), len(pages)
			pages = append(pages, page{no: len(pages) + 1, to: to})
			if !fresh {
				pages[at].no = l.Sheet
			}
		}
		pages[at].letters, pages[at].parts = append(pages[at].letters, l), append(pages[at].parts, part)
	}
	return pages, nil
}

// notNow says that a row which the letter needs was altered. The letter waits until that
// is repaired, and raises an alarm if that takes long. It delays no other letter.
const notNow = "altered"

// address is the present address of a letter's person, or the reason why the letter goes
// to nobody.
func (b *Letters) address(r store.Reader, l store.Letter) (to registry.Facts, p sealedPart, why string, err error) {
	card, err := r.Card(l.Card)
	if errors.Is(err, store.ErrNotFound) || err == nil && (card.Contested || !card.ErasedAt.IsZero()) {
		return to, p, store.LetterNoPerson, nil
	}
	if errors.Is(err, store.ErrSeal) {
		return to, p, notNow, nil
	}
	if err != nil {
		return to, p, "", err
	}
	if p, err = b.unseal(l); err != nil {
		return to, p, store.LetterDamaged, nil //nolint:nilerr // the reason is in the result, and the other letters go on
	}
	_, to, err = b.c.Registry.Of(r, card.Holder)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && to.Address == "":
		return to, p, store.LetterNoAddress, nil
	case errors.Is(err, store.ErrSeal), errors.Is(err, vault.ErrUnseal), errors.Is(err, registry.ErrFacts):
		return to, p, notNow, nil
	case err != nil:
		return to, p, "", err
	}
	may, err := b.May(r, l.Card, to)
	if err == nil && !may {
		why = store.LetterNoAddress
	}
	return to, p, why, err
}

// Printed records that a batch's file is written. Doing it again changes nothing. ErrNone.
func (b *Letters) Printed(ctx context.Context, actor string, in Scope, batch string) error {
	return b.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		all, err := tx.LettersIn(batch)
		if err != nil {
			return audit.Entry{}, err
		}
		n := 0
		for _, l := range all {
			if !in.has(l) {
				return audit.Entry{}, ErrNone
			}
			if l.State != store.LetterPrinting {
				continue
			}
			l.State = store.LetterPrinted
			if err := tx.UpdateLetter(l); err != nil {
				return audit.Entry{}, err
			}
			n++
		}
		if n == 0 {
			return audit.Entry{}, nil
		}
		return audit.Entry{At: b.now(), Actor: actor, Event: audit.LetterPrinted, Outcome: "ok", Note: fmt.Sprintf("batch=%s letters=%d written", batch, n)}, nil
	})
}
