package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func letterID(i int) string { return fmt.Sprintf("letter%020d", i) }

// letter has every member set; it is under way in batch b1.
func letter(i int) store.Letter {
	return store.Letter{ID: letterID(i), Card: cardID(1), Template: "pin_set", Region: "330500", Sealed: []byte{0, 9, 255},
		State: store.LetterPrinting, Batch: "b1", Sheet: 3, Prints: 2, At: at(i), PrintedAt: at(i + 1), EndedAt: at(i + 2), Why: store.LetterReturned, Address: vault.MAC{byte(i), 7}}
}

// posted is one that is done.
func posted(i int) store.Letter {
	l := letter(i)
	l.State, l.Sealed = store.LetterDone, nil
	return l
}

// waiting is one that nobody printed yet.
func waiting(i int) store.Letter {
	return store.Letter{ID: letterID(i), Card: cardID(1), Template: "pin_set", Sealed: []byte{1}, State: store.LetterWaiting, At: at(i)}
}

func insertLetters(t *testing.T, s store.Store, all ...store.Letter) {
	t.Helper()
	mustUpdate(t, s, func(tx store.Tx) error {
		var errs []error
		for _, l := range all {
			errs = append(errs, tx.InsertLetter(l))
		}
		return errors.Join(errs...)
	})
}

// letters come back as they went in.
func letters(t *testing.T, open Open) {
	s, reopen := open(t)
	full, bare := letter(1), store.Letter{ID: letterID(2)}
	whole(t, full)
	insertLetters(t, s, full, bare)
	s = reopen()
	read := func(i int) (store.Letter, error) {
		return get(t, s, func(r store.Reader) (store.Letter, error) { return r.Letter(letterID(i)) })
	}
	for i, want := range []store.Letter{full, bare} {
		got, err := read(i + 1)
		must(t, err)
		same(t, got, want)
	}
	_, err := read(3)
	wantErr(t, err, store.ErrNotFound)
	twin := letter(3)
	twin.ID = full.ID
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertLetter(twin) }), store.ErrExists)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateLetter(letter(3)) }), store.ErrNotFound)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteLetter(letterID(3)) }), store.ErrNotFound)
	for _, l := range []store.Letter{{ID: full.ID}, waiting(1), posted(1), full} { // to zero, to other values, and back
		mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateLetter(l) })
		got, err := read(1)
		must(t, err)
		same(t, got, l)
	}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteLetter(full.ID) })
	_, err = read(1)
	wantErr(t, err, store.ErrNotFound)
}

// letterLists: by card, batch, state, and since when they wait.
func letterLists(t *testing.T, open Open) {
	s, _ := open(t)
	var all []store.Letter
	for i := 1; i <= 6; i++ {
		l := waiting(i)
		l.At = at(50 - i)
		if i > 4 {
			l = posted(i)
			l.Card = cardID(2)
		}
		all = append(all, l)
	}
	all[3] = letter(4)
	all[3].Card = liuma.CardID{}
	insertLetters(t, s, all...)
	list := func(what string, read func(store.Reader) ([]store.Letter, error), want ...int) {
		t.Helper()
		var got, names []string
		for _, i := range want {
			names = append(names, letterID(i))
		}
		for _, l := range mustGet(t, s, read) {
			got = append(got, l.ID)
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: %q, want %q", what, got, names)
		}
	}
	of := func(f func(r store.Reader) ([]store.Letter, error)) func(store.Reader) ([]store.Letter, error) {
		return f
	}
	list("of a card", of(func(r store.Reader) ([]store.Letter, error) { return r.LettersOf(cardID(1)) }), 1, 2, 3)
	list("of no card", of(func(r store.Reader) ([]store.Letter, error) { return r.LettersOf(liuma.CardID{}) }))
	list("in a batch", of(func(r store.Reader) ([]store.Letter, error) { return r.LettersIn("b1") }), 4, 5, 6)
	list("in no batch", of(func(r store.Reader) ([]store.Letter, error) { return r.LettersIn("") }))
	list("waiting", of(func(r store.Reader) ([]store.Letter, error) { return r.WaitingLetters(9) }), 3, 2, 1)
	list("waiting, two of them", of(func(r store.Reader) ([]store.Letter, error) { return r.WaitingLetters(2) }), 3, 2)
	list("all", of(func(r store.Reader) ([]store.Letter, error) { return r.Letters("", "", 9) }), 1, 2, 3, 4, 5, 6)
	list("all after one", of(func(r store.Reader) ([]store.Letter, error) { return r.Letters("", letterID(2), 2) }), 3, 4)
	list("done", of(func(r store.Reader) ([]store.Letter, error) { return r.Letters(store.LetterDone, letterID(5), 9) }), 6)
}

// lettersEnd: one that came back stays so, and only those that ended are dropped.
func lettersEnd(t *testing.T, open Open) {
	s, reopen := open(t)
	back := posted(1)
	insertLetters(t, s, back, posted(2), waiting(3))
	back.State = store.LetterBack
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateLetter(back) })
	s = reopen()
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateLetter(waiting(1)) }), store.ErrDecided)
	prune := func(before, want int) {
		t.Helper()
		mustUpdate(t, s, func(tx store.Tx) error {
			n, err := tx.PruneLetters(at(before))
			if n != int64(want) {
				t.Errorf("before %d: %d dropped, want %d", before, n, want)
			}
			return err
		})
	}
	prune(3, 0)
	prune(4, 1)
	prune(999, 1)
	left := mustGet(t, s, func(r store.Reader) ([]store.Letter, error) { return r.Letters("", "", 9) })
	same(t, left, []store.Letter{waiting(3)})
}

func letterSamples() map[string]sample {
	return map[string]sample{
		"letters": {func(tx store.Tx, i int) error { return tx.InsertLetter(letter(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Letter(letterID(i)); return err }),
			[]func(store.Reader) error{func(r store.Reader) error {
				all, err := r.Letters("", "", 9)
				if err == nil && !slices.ContainsFunc(all, func(l store.Letter) bool { return l.ID == letterID(1) }) {
					err = store.ErrSeal // queues pass over what is refused
				}
				return err
			}}},
	}
}
