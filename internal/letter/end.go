package letter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
)

// named finds letters by the name on paper or in a list: a letter's ID, a sheet (batch,
// hyphen, number) or a batch. All of them must be in the scope, or none is found.
func named(r store.Reader, in Scope, name string) (all []store.Letter, batch bool, err error) {
	name = strings.TrimSpace(name)
	if l, err := r.Letter(name); err == nil || !errors.Is(err, store.ErrNotFound) {
		all = []store.Letter{l}
		if err == nil && !in.has(l) {
			err = ErrNone
		}
		return all, false, err
	}
	typed, sheet := name, 0
	if at := strings.LastIndexByte(name, '-'); at >= 0 {
		if n, err := strconv.Atoi(written.Number(name[at+1:])); err == nil && n > 0 && len(name[at+1:]) <= 3 {
			typed, sheet = name[:at], n
		}
	}
	code, formed := written.Code(typed)
	if !formed || len(code) != batchSize {
		return nil, false, ErrNone
	}
	found, err := r.LettersIn(code)
	for _, l := range found {
		if !in.has(l) {
			return nil, false, ErrNone
		}
		if sheet == 0 || l.Sheet == sheet {
			all = append(all, l)
		}
	}
	if err == nil && len(all) == 0 {
		err = ErrNone
	}
	return all, sheet == 0, err
}

// Done records that a batch, a sheet or a letter was posted, and returns the number of
// letters, without those that were posted already. The letters' content is wiped,
// including the freeze code, of which the store keeps only the MAC. Errors: ErrNone,
// ErrNotPrinted, ErrEnded.
//
// A crash before the commit leaves them printed; repeat it then.
func (b *Letters) Done(ctx context.Context, actor string, in Scope, name string) (n int, err error) {
	err = b.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		n = 0
		all, batch, err := named(tx, in, name)
		if err != nil {
			return audit.Entry{}, err
		}
		e := audit.Entry{At: b.now(), Actor: actor, Event: audit.LetterPosted, Outcome: "ok"}
		for _, l := range all {
			switch {
			case l.State == store.LetterWaiting || l.State == store.LetterPrinting:
				return audit.Entry{}, ErrNotPrinted
			case l.State != store.LetterPrinted:
				continue
			}
			l.State, l.EndedAt, l.Sealed = store.LetterDone, b.now(), nil
			if err := tx.UpdateLetter(l); err != nil {
				return audit.Entry{}, err
			}
			if n++; !batch {
				e.Card = l.Card
			}
			e.Note = "batch=" + l.Batch
		}
		if n == 0 {
			return audit.Entry{}, ErrEnded
		}
		e.Note += " letters=" + strconv.Itoa(n)
		return e, nil
	})
	return n, err
}

// Back records that a sheet or a letter did not reach its person. No more letters go to
// that address, and clerks who look the person up see it. Errors: ErrNone, ErrBatch,
// ErrNotPrinted, ErrEnded.
func (b *Letters) Back(ctx context.Context, actor string, in Scope, name string) (n int, err error) {
	err = b.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		n = 0
		all, batch, err := named(tx, in, name)
		if err != nil {
			return audit.Entry{}, err
		}
		if batch {
			return audit.Entry{}, ErrBatch
		}
		e := audit.Entry{At: b.now(), Actor: actor, Event: audit.LetterReturned, Outcome: "ok"}
		for _, l := range all {
			switch l.State {
			case store.LetterWaiting, store.LetterPrinting:
				return audit.Entry{}, ErrNotPrinted
			case store.LetterBack:
				continue
			}
			l.State, l.Why, l.EndedAt, l.Sealed = store.LetterBack, store.LetterReturned, b.now(), nil
			if err := tx.UpdateLetter(l); err != nil {
				return audit.Entry{}, err
			}
			n++
			e.Card, e.Note = l.Card, "sheet="+sheetName(l)
		}
		if n == 0 {
			return audit.Entry{}, ErrEnded
		}
		return e, nil
	})
	return n, err
}

// sheetName is the name that is printed on a sheet, by which it is found again.
func sheetName(l store.Letter) string {
	if l.Batch == "" {
		return ""
	}
	return fmt.Sprintf("%s-%d", l.Batch, l.Sheet)
}

// View is a letter as who prints sees it in a list: no name, no address, no text.
type View struct {
	ID        string            `json:"id"`
	Template  string            `json:"template"`
	Region    liuma.Region      `json:"region"`
	State     store.LetterState `json:"state"`
	Batch     string            `json:"batch,omitempty"`
	Sheet     string            `json:"sheet,omitempty"` // as it is printed
	Prints    int               `json:"prints,omitempty"`
	At        time.Time         `json:"at"`
	PrintedAt time.Time         `json:"printed_at,omitzero"`
	EndedAt   time.Time         `json:"ended_at,omitzero"`
	Why       string            `json:"why,omitempty"`
}

// List lists the letters of a scope in a state, or in all, in the order of their IDs after
// one, at most limit.
func (b *Letters) List(ctx context.Context, in Scope, state store.LetterState, after string, limit int) ([]View, error) {
	out := []View{}
	for more := true; more && len(out) < limit; {
		var found []store.Letter
		err := b.c.Store.View(ctx, func(r store.Reader) (err error) {
			found, err = r.Letters(state, after, pageOfLetter)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("letter: list: %w", err)
		}
		more = len(found) == pageOfLetter
		for _, l := range found {
			if after = l.ID; in.has(l) && len(out) < limit {
				out = append(out, View{ID: l.ID, Template: l.Template, Region: l.Region, State: l.State, Batch: l.Batch, Sheet: sheetName(l),
					Prints: l.Prints, At: b.c.ToWall(l.At), PrintedAt: b.wall(l.PrintedAt), EndedAt: b.wall(l.EndedAt), Why: l.Why})
			}
		}
	}
	return out, nil
}

func (b *Letters) wall(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return b.c.ToWall(t)
}

// Queue is the state of the queue.
type Queue struct {
	Waiting int       `json:"waiting"` // to be printed
	Printed int       `json:"printed"` // to be posted, those of unfinished batches too
	Due     int       `json:"due"`     // of both, those that wait longer than Overdue
	Oldest  time.Time `json:"oldest,omitzero"`
	// Partial says that there are more letters than were counted.
	Partial bool `json:"partial,omitempty"`
}

// mostCounted is how many letters Look reads.
const mostCounted = 2000

// Look returns the state of the queue.
func Look(ctx context.Context, s store.Store, now time.Time) (q Queue, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		waiting, err := r.WaitingLetters(mostCounted)
		if err != nil {
			return err
		}
		count := func(l store.Letter, since time.Time) {
			if now.Sub(since) >= Overdue {
				q.Due++
			}
			if q.Oldest.IsZero() || since.Before(q.Oldest) {
				q.Oldest = since
			}
		}
		for _, l := range waiting {
			count(l, l.At)
		}
		q.Waiting, q.Partial = len(waiting), len(waiting) == mostCounted
		for _, state := range []store.LetterState{store.LetterPrinting, store.LetterPrinted} {
			all, err := r.Letters(state, "", mostCounted)
			if err != nil {
				return err
			}
			for _, l := range all {
				count(l, l.PrintedAt)
			}
			q.Printed, q.Partial = q.Printed+len(all), q.Partial || len(all) == mostCounted
		}
		return nil
	})
	return q, err
}
