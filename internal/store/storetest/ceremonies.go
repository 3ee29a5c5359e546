package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func hash(kind string, i int) (h [32]byte) {
	copy(h[:], fmt.Sprintf("%s%08d", kind, i))
	return h
}

func ceremonyID(i int) string { return fmt.Sprintf("ceremony%018d", i) }

// ceremony has every member set, but has not ended.
func ceremony(i int) store.Ceremony {
	return store.Ceremony{
		ID: ceremonyID(i), Channel: "zj-hrss", BusinessNo: liuma.BusinessNo(fmt.Sprintf("C%d", i)),
		Action: liuma.ActionEnroll, Region: "330500", Step: "code", Card: cardID(1), Subject: vault.Index{8}, RequestURI: hash("uri", i),
		Browser: hash("browser", i), Sealed: []byte{0, 1, 255}, Tries: 2, Code: hash("code", i), CodeUntil: at(i + 60),
		CodeUsed: at(i + 50), Revision: 7, At: at(i), Expires: at(i + 900),
	}
}

// bareCeremony sets only the members that every ceremony needs.
func bareCeremony(i int) store.Ceremony {
	return store.Ceremony{ID: ceremonyID(i), Channel: "zj-hrss", BusinessNo: liuma.BusinessNo(fmt.Sprintf("C%d", i))}
}

func getCeremony(i int) func(store.Reader) (store.Ceremony, error) {
	return func(r store.Reader) (store.Ceremony, error) { return r.Ceremony(ceremonyID(i)) }
}

func insertCeremonies(t *testing.T, s store.Store, cs ...store.Ceremony) {
	t.Helper()
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, c := range cs {
			if err := tx.InsertCeremony(c); err != nil {
				return err
			}
		}
		return nil
	})
}

func ceremonies(t *testing.T, open Open) {
	s, reopen := open(t)
	full, bare, bare2 := ceremony(1), bareCeremony(2), bareCeremony(3)
	full.Ended = at(99)
	whole(t, full)
	insertCeremonies(t, s, full, bare, bare2) // two without RequestURI and Code do not collide
	for range 2 {                             // before and after opening again
		same(t, mustGet(t, s, getCeremony(1)), full)
		same(t, mustGet(t, s, getCeremony(2)), bare)
		for name, look := range map[string]func(store.Reader) (store.Ceremony, error){
			"request URI": func(r store.Reader) (store.Ceremony, error) {
				return r.CeremonyByRequestURI(vault.Home{}, full.RequestURI)
			},
			"code": func(r store.Reader) (store.Ceremony, error) { return r.CeremonyByCode(vault.Home{}, full.Code) },
		} {
			if got, err := get(t, s, look); err != nil || got.ID != full.ID {
				t.Errorf("by %s: %q (%v)", name, got.ID, err)
			}
		}
		s = reopen()
	}
	for name, look := range map[string]func(store.Reader) (store.Ceremony, error){
		"zero request URI": func(r store.Reader) (store.Ceremony, error) { return r.CeremonyByRequestURI(vault.Home{}, [32]byte{}) },
		"zero code":        func(r store.Reader) (store.Ceremony, error) { return r.CeremonyByCode(vault.Home{}, [32]byte{}) },
		"browser":          func(r store.Reader) (store.Ceremony, error) { return r.CeremonyByCode(vault.Home{}, full.Browser) },
	} {
		if got, err := get(t, s, look); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("by %s: %q (%v), want %v", name, got.ID, err, store.ErrNotFound)
		}
	}
}

// ceremoniesUnique inserts rows that collide in one member each.
func ceremoniesUnique(t *testing.T, open Open) {
	s, _ := open(t)
	insertCeremonies(t, s, ceremony(1))
	for name, collide := range map[string]func(*store.Ceremony){
		"ID":              func(c *store.Ceremony) { c.ID = ceremonyID(1) },
		"business number": func(c *store.Ceremony) { c.BusinessNo = "C1" },
		"request URI":     func(c *store.Ceremony) { c.RequestURI = hash("uri", 1) },
		"code":            func(c *store.Ceremony) { c.Code = hash("code", 1) },
	} {
		c := ceremony(2)
		collide(&c)
		err := update(t, s, func(tx store.Tx) error { return tx.InsertCeremony(c) })
		if !errors.Is(err, store.ErrExists) {
			t.Errorf("the same %s: error %v, want %v", name, err, store.ErrExists)
		}
	}
	other := ceremony(2)
	other.Channel, other.BusinessNo = "another", "C1" // another channel may use the same number
	insertCeremonies(t, s, other)

	for name, collide := range map[string]func(*store.Ceremony){
		"request URI": func(c *store.Ceremony) { c.RequestURI = hash("uri", 1) },
		"code":        func(c *store.Ceremony) { c.Code = hash("code", 1) },
	} {
		c := other
		collide(&c)
		err := update(t, s, func(tx store.Tx) error { return tx.UpdateCeremony(c) })
		if !errors.Is(err, store.ErrExists) {
			t.Errorf("updated to the same %s: error %v, want %v", name, err, store.ErrExists)
		}
	}
	same(t, mustGet(t, s, getCeremony(2)), other)
}

func ceremonyUpdates(t *testing.T, open Open) {
	s, _ := open(t)
	c := ceremony(1)
	insertCeremonies(t, s, c)
	change := func(c store.Ceremony) error {
		return update(t, s, func(tx store.Tx) error { return tx.UpdateCeremony(c) })
	}
	next := store.Ceremony{ID: c.ID, Channel: "other", BusinessNo: "other", Action: liuma.ActionVerify,
		Region: "3305", Step: "pin", Card: cardID(2), RequestURI: hash("uri", 9), Browser: hash("browser", 9),
		Sealed: []byte("other"), Tries: 3, Code: hash("code", 9), CodeUntil: at(700), CodeUsed: at(701),
		Revision: c.Revision, At: at(702), Expires: at(703), Ended: at(704)}
	must(t, change(next))
	next.Channel, next.BusinessNo, next.Action, next.Revision = c.Channel, c.BusinessNo, c.Action, c.Revision+1
	same(t, mustGet(t, s, getCeremony(1)), next)

	for _, stale := range []uint64{c.Revision, next.Revision + 1, 0, 1<<63 - 2} {
		again := next
		again.Step, again.Revision = "lost", stale
		wantErr(t, change(again), store.ErrConflict)
	}
	// Updates that cannot be compared are refused as well.
	for _, huge := range []uint64{1<<63 - 1, 1<<64 - 1, 1<<63 + next.Revision} {
		again := next
		again.Step, again.Revision = "lost", huge
		if change(again) == nil {
			t.Errorf("revision %d was taken", huge)
		}
	}
	gone := ceremony(9)
	wantErr(t, change(gone), store.ErrNotFound)
	same(t, mustGet(t, s, getCeremony(1)), next)

	first := bareCeremony(2) // its first revision is 0
	insertCeremonies(t, s, first)
	for range 2 {
		must(t, change(first))
		first.Revision++
	}

	zero := bareCeremony(1) // every other member back to zero
	zero.Revision, zero.Action = next.Revision, c.Action
	must(t, change(zero))
	zero.Revision++
	same(t, mustGet(t, s, getCeremony(1)), zero)
}

// ceremonyRace moves a ceremony from the same step in many pages at once: one
// succeeds.
func ceremonyRace(t *testing.T, open Open) {
	const pages, rounds = 50, 3
	s, reopen := open(t)
	insertCeremonies(t, s, ceremony(1))
	for round := range rounds {
		read := mustGet(t, s, getCeremony(1))
		var won atomic.Int64
		together(t, pages, func(i int) error {
			mine := read
			mine.Step, mine.Tries = fmt.Sprint("step", round), i
			err := update(t, s, func(tx store.Tx) error {
				// A row of the card changes together with the step, or not at all.
				if err := tx.InsertTick(store.Tick{Kind: "step", Key: index("k", round), At: at(i)}); err != nil {
					return err
				}
				return tx.UpdateCeremony(mine)
			})
			if err == nil {
				won.Add(1)
				return nil
			}
			return expect(err, store.ErrConflict)
		})
		if won.Load() != 1 {
			t.Fatalf("%d pages went on from one step", won.Load())
		}
		s = reopen()
		ticks := mustGet(t, s, func(r store.Reader) ([]time.Time, error) {
			return r.Ticks("step", index("k", round), time.Time{})
		})
		if got := mustGet(t, s, getCeremony(1)); len(ticks) != 1 || got.Revision != read.Revision+1 {
			t.Errorf("%d rows went with one step, to revision %d", len(ticks), got.Revision)
		}
	}
}

// ceremonyLists checks the lists of open, due and old ceremonies.
func ceremonyLists(t *testing.T, open Open) {
	s, _ := open(t)
	var all []store.Ceremony
	for i := range 6 {
		c := ceremony(i)
		c.At, c.Expires = at(10-i), at(100-i) // IDs and times have different orders
		all = append(all, c)
	}
	all[3].Ended = at(1)
	all[4].Card = cardID(2)
	all[5].Card, all[5].Expires = liuma.CardID{}, time.Time{}
	insertCeremonies(t, s, all...)
	of := func(id liuma.CardID) []store.Ceremony {
		return mustGet(t, s, func(r store.Reader) ([]store.Ceremony, error) { return r.CeremoniesOf(id) })
	}
	same(t, of(cardID(1)), []store.Ceremony{all[2], all[1], all[0]})
	same(t, of(cardID(2)), []store.Ceremony{all[4]})
	same(t, of(cardID(3)), nil)
	same(t, of(liuma.CardID{}), nil) // ceremonies without a card do not belong to one
	forSubject := func(n byte) []store.Ceremony {
		return mustGet(t, s, func(r store.Reader) ([]store.Ceremony, error) { return r.CeremoniesFor(vault.Index{n}) })
	}
	same(t, forSubject(0), nil)
	same(t, forSubject(9), nil)
	whose := all[5] // has no card yet
	whose.Subject = vault.Index{9}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateCeremony(whose) })
	whose.Revision++
	all[5] = whose
	same(t, forSubject(9), []store.Ceremony{whose})
	known := all[0] // has one, and is found by it alone
	known.Subject = vault.Index{9}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateCeremony(known) })
	known.Revision++
	all[0] = known
	same(t, forSubject(9), []store.Ceremony{whose})
	same(t, of(cardID(1)), []store.Ceremony{all[2], all[1], all[0]})

	due := func(now, limit int) []store.Ceremony {
		return mustGet(t, s, func(r store.Reader) ([]store.Ceremony, error) { return r.DueCeremonies(at(now), limit) })
	}
	same(t, due(200, 10), []store.Ceremony{all[5], all[4], all[2], all[1], all[0]})
	same(t, due(200, 2), []store.Ceremony{all[5], all[4]})
	same(t, due(99, 10), []store.Ceremony{all[5], all[4], all[2]}) // one that expires now has not expired before
	same(t, due(200, 0), nil)
	same(t, due(200, -1), nil)

	// Same time of expiry: in the order of IDs.
	c := all[1]
	c.Expires = all[0].Expires
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateCeremony(c) })
	c.Revision++
	same(t, due(200, 10)[3:], []store.Ceremony{all[0], c})
}

func ceremonyPrune(t *testing.T, open Open) {
	s, _ := open(t)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(card(1)) })
	var all []store.Ceremony
	for i := range 4 {
		c := ceremony(i)
		if i > 0 {
			c.Ended = at(10 * i)
		}
		all = append(all, c)
	}
	insertCeremonies(t, s, all...)
	mustUpdate(t, s, func(tx store.Tx) error {
		for i := range all {
			if err := tx.PutCode(code(i)); err != nil {
				return err
			}
		}
		return nil
	})
	prune := func(before int) (n int64) {
		mustUpdate(t, s, func(tx store.Tx) (err error) {
			ended, err := tx.EndedCeremonies(time.Time{}, at(before), 9)
			for _, c := range ended {
				err = errors.Join(err, tx.DeleteCeremony(c.ID))
				n++
			}
			return err
		})
		return n
	}
	for _, c := range []struct{ from, before, limit, first, n int }{{10, 31, 9, 1, 3}, {11, 31, 9, 2, 2}, {20, 31, 9, 2, 2}, {21, 30, 9, 0, 0}, {10, 31, 2, 1, 2}, {31, 10, 9, 0, 0}} {
		must(t, s.View(t.Context(), func(r store.Reader) error {
			ended, err := r.EndedCeremonies(at(c.from), at(c.before), c.limit)
			if len(ended) != c.n || c.n > 0 && ended[0].ID != all[c.first].ID {
				t.Errorf("from %d, before %d: %d ceremonies", c.from, c.before, len(ended))
			}
			return err
		}))
	}
	if n := prune(10); n != 0 {
		t.Errorf("pruned %d that did not end before", n)
	}
	if n := prune(21); n != 2 {
		t.Errorf("pruned %d, want the two that ended before", n)
	}
	for i := range all {
		_, err1 := get(t, s, getCeremony(i))
		_, err2 := get(t, s, getCode(i))
		want := error(nil)
		if i == 1 || i == 2 {
			want = store.ErrNotFound
		}
		wantErr(t, err1, want)
		wantErr(t, err2, want) // one-time codes are dropped with their ceremony
	}
	insertCeremonies(t, s, all[1]) // its business number, address and code are free again
	_, err := get(t, s, getCode(1))
	wantErr(t, err, store.ErrNotFound)
}
