package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func contact(i int) store.Contact {
	return store.Contact{Card: cardID(i), Phone: index("phone", i), Sealed: []byte{0, 9}, Language: "zh-CN",
		BoundAt: at(1), ConfirmedAt: at(2), HoldUntil: at(3), EveryUse: true}
}

func code(i int) store.Code {
	return store.Code{Ceremony: ceremonyID(i), Card: cardID(1), Phone: index("phone", 1), MAC: vault.MAC{byte(i), 1},
		SentAt: at(1), Expires: at(600), Used: at(2), Way: liuma.ByVoice}
}

func freezeCode(i int) store.FreezeCode {
	return store.FreezeCode{MAC: vault.MAC{byte(i), 1}, Card: cardID(1), Expires: at(i), Used: at(2)}
}

func getContact(id liuma.CardID) func(store.Reader) (store.Contact, error) {
	return func(r store.Reader) (store.Contact, error) { return r.Contact(id) }
}

func getCode(i int) func(store.Reader) (store.Code, error) {
	return func(r store.Reader) (store.Code, error) { return r.Code(ceremonyID(i)) }
}

// twoCards is a store with two cards and nothing else.
func twoCards(t *testing.T, open Open) (store.Store, func() store.Store) {
	t.Helper()
	s, reopen := open(t)
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.InsertCard(card(1)); err != nil {
			return err
		}
		return tx.InsertCard(card(2))
	})
	return s, reopen
}

func contacts(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	a, b := contact(1), store.Contact{Card: cardID(2)}
	whole(t, a)
	put := func(c store.Contact) error {
		return update(t, s, func(tx store.Tx) error { return tx.PutContact(c) })
	}
	must(t, put(a))
	must(t, put(b))
	for range 2 {
		same(t, mustGet(t, s, getContact(a.Card)), a)
		same(t, mustGet(t, s, getContact(b.Card)), b)
		s = reopen()
	}
	wantErr(t, put(contact(9)), store.ErrNotFound) // no such card
	_, err := get(t, s, getContact(cardID(9)))
	wantErr(t, err, store.ErrNotFound)

	b = contact(2)
	b.Phone, b.Language, b.EveryUse = a.Phone, "en", false // a number may serve several cards
	must(t, put(b))
	same(t, mustGet(t, s, getContact(b.Card)), b)
	a = store.Contact{Card: a.Card, Phone: index("phone", 3)} // every other member back to zero
	must(t, put(a))
	same(t, mustGet(t, s, getContact(a.Card)), a)
	same(t, mustGet(t, s, getContact(b.Card)), b)
}

// formerContact of a card ends in second n.
func formerContact(card, n int) store.FormerContact {
	return store.FormerContact{Card: cardID(card), Phone: index("former", n), Sealed: []byte{0, 8}, Language: "en",
		Since: at(1), Until: at(n)}
}

func formerContacts(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	put := func(c store.FormerContact) error {
		return update(t, s, func(tx store.Tx) error { return tx.PutFormerContact(c) })
	}
	of := func(card int) map[vault.Index]store.FormerContact {
		found := map[vault.Index]store.FormerContact{}
		for _, c := range mustGet(t, s, func(r store.Reader) ([]store.FormerContact, error) { return r.FormerContacts(cardID(card)) }) {
			found[c.Phone] = c
		}
		return found
	}
	a, b, c, others := formerContact(1, 10), formerContact(1, 20), formerContact(1, 30), formerContact(2, 10)
	whole(t, a)
	for _, f := range []store.FormerContact{a, b, c, others} {
		must(t, put(f))
	}
	for range 2 {
		same(t, of(1), map[vault.Index]store.FormerContact{a.Phone: a, b.Phone: b, c.Phone: c})
		same(t, of(2), map[vault.Index]store.FormerContact{others.Phone: others})
		s = reopen()
	}
	wantErr(t, put(formerContact(9, 1)), store.ErrNotFound) // no such card
	if len(of(9)) > 0 {
		t.Error("a card that is not there has some")
	}
	b.Until, b.Language = at(40), "zh-CN"
	must(t, put(b)) // in the place of the one with the same number
	same(t, of(1), map[vault.Index]store.FormerContact{a.Phone: a, b.Phone: b, c.Phone: c})

	var n int64
	mustUpdate(t, s, func(tx store.Tx) (err error) { n, err = tx.PruneFormerContacts(at(11)); return err })
	same(t, of(1), map[vault.Index]store.FormerContact{b.Phone: b, c.Phone: c})
	if n != 2 || len(of(2)) > 0 {
		t.Errorf("%d were dropped, and %d of the other card are left", n, len(of(2)))
	}
	for range 2 { // dropping none is no error
		mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteFormerContact(b.Card, b.Phone) })
	}
	same(t, of(1), map[vault.Index]store.FormerContact{c.Phone: c})
}

// noticeContact of a card is number n.
func noticeContact(card, n int) store.NoticeContact {
	return store.NoticeContact{Card: cardID(card), Phone: index("notices", n), Sealed: []byte{0, 9}, Language: "en", Since: at(n)}
}

func noticeContacts(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	put := func(c store.NoticeContact) error {
		return update(t, s, func(tx store.Tx) error { return tx.PutNoticeContact(c) })
	}
	of := func(card int) (store.NoticeContact, error) {
		return get(t, s, func(r store.Reader) (store.NoticeContact, error) { return r.NoticeContact(cardID(card)) })
	}
	is := func(want store.NoticeContact, card int) {
		t.Helper()
		got, err := of(card)
		must(t, err)
		same(t, got, want)
	}
	_, err := of(1)
	wantErr(t, err, store.ErrNotFound)
	a, b := noticeContact(1, 10), noticeContact(2, 10)
	whole(t, a)
	must(t, errors.Join(put(a), put(b)))
	for range 2 {
		is(a, 1)
		is(b, 2)
		s = reopen()
	}
	wantErr(t, put(noticeContact(9, 1)), store.ErrNotFound) // no such card
	a = noticeContact(1, 20)
	must(t, put(a)) // one a card
	is(a, 1)
	if _, err := get(t, s, getContact(cardID(1))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it is a bound phone: %v", err)
	}
	if n := len(mustGet(t, s, func(r store.Reader) ([]store.FormerContact, error) { return r.FormerContacts(cardID(1)) })); n > 0 {
		t.Errorf("%d former numbers", n)
	}
	for range 2 { // dropping none is no error
		mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteNoticeContact(cardID(1)) })
	}
	_, err = of(1)
	wantErr(t, err, store.ErrNotFound)
	is(b, 2)
}

// dueClosing finds the closing of a card among those that are due.
func dueClosing(r store.Reader, card int) error {
	due, err := r.DueClosings(at(99), 99)
	if err == nil && !slices.ContainsFunc(due, func(c store.ClosingDue) bool { return c.Card == cardID(card) }) {
		err = store.ErrSeal // queues pass over what is refused
	}
	return err
}

func closings(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	put := func(c store.ClosingDue) error {
		return update(t, s, func(tx store.Tx) error { return tx.PutClosing(c) })
	}
	due := func(now int) []store.ClosingDue {
		return mustGet(t, s, func(r store.Reader) ([]store.ClosingDue, error) { return r.DueClosings(at(now), 9) })
	}
	a, b := store.ClosingDue{Card: cardID(1), At: at(20)}, store.ClosingDue{Card: cardID(2), At: at(10)}
	whole(t, a)
	must(t, put(a))
	must(t, put(b))
	s = reopen()
	same(t, due(9), nil)
	same(t, due(10), []store.ClosingDue{b})
	same(t, due(20), []store.ClosingDue{b, a})
	a.At = at(5)
	must(t, put(a)) // in the place of the card's
	same(t, due(9), []store.ClosingDue{a})
	wantErr(t, put(store.ClosingDue{Card: cardID(9), At: at(1)}), store.ErrNotFound) // no such card
	drop := func() error { return update(t, s, func(tx store.Tx) error { return tx.DeleteClosing(cardID(1)) }) }
	must(t, drop())
	wantErr(t, drop(), store.ErrNotFound)
	same(t, due(20), []store.ClosingDue{b})
}

func codes(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	insertCeremonies(t, s, ceremony(1), ceremony(2), ceremony(3))
	put := func(c store.Code) error {
		return update(t, s, func(tx store.Tx) error { return tx.PutCode(c) })
	}
	a, bare, other := code(1), store.Code{Ceremony: ceremonyID(2)}, code(3)
	other.Card = cardID(2)
	whole(t, a)
	must(t, put(a))
	must(t, put(bare))
	must(t, put(other))
	s = reopen()
	same(t, mustGet(t, s, getCode(1)), a)
	same(t, mustGet(t, s, getCode(2)), bare)
	wantErr(t, put(code(9)), store.ErrNotFound) // no such ceremony
	_, err := get(t, s, getCode(9))
	wantErr(t, err, store.ErrNotFound)

	a.Phone, a.MAC, a.SentAt, a.Expires, a.Used = index("phone", 7), vault.MAC{7}, at(70), at(71), time.Time{}
	must(t, put(a)) // one open one-time code for each ceremony
	same(t, mustGet(t, s, getCode(1)), a)

	deleteOf := func(id liuma.CardID) {
		mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteCodesOf(id) })
	}
	deleteOf(liuma.CardID{}) // freeze codes without a card do not belong to one
	deleteOf(cardID(9))
	same(t, mustGet(t, s, getCode(2)), bare)
	bare.Card = cardID(1)
	must(t, put(bare))
	deleteOf(cardID(1))
	for i := 1; i <= 2; i++ {
		_, err := get(t, s, getCode(i))
		wantErr(t, err, store.ErrNotFound)
	}
	same(t, mustGet(t, s, getCode(3)), other)
	same(t, mustGet(t, s, getCeremony(1)), ceremony(1)) // the ceremony stays
}

func ticks(t *testing.T, open Open) {
	s, reopen := open(t)
	list := func(kind string, key, since int) []time.Time {
		return mustGet(t, s, func(r store.Reader) ([]time.Time, error) { return r.Ticks(kind, index("k", key), at(since)) })
	}
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, k := range []store.Tick{
			{Kind: "a", Key: index("k", 1), At: at(3)},
			{Kind: "a", Key: index("k", 1), At: at(1)},
			{Kind: "a", Key: index("k", 1), At: at(2)},
			{Kind: "a", Key: index("k", 2), At: at(5)},
			{Kind: "b", Key: index("k", 1), At: at(4)},
		} {
			if err := tx.InsertTick(k); err != nil {
				return err
			}
		}
		return nil
	})
	s = reopen()
	same(t, list("a", 1, 0), []time.Time{at(1), at(2), at(3)})
	same(t, list("a", 1, 1), []time.Time{at(2), at(3)}) // later than since, not at it
	same(t, list("a", 1, 3), nil)
	same(t, list("a", 2, 0), []time.Time{at(5)})
	same(t, list("b", 1, 0), []time.Time{at(4)})
	same(t, list("b", 2, 0), nil)
	same(t, list("", 1, 0), nil)

	// Many at once, all in the same millisecond: each counts.
	const n = 100
	together(t, n, func(i int) error {
		return update(t, s, func(tx store.Tx) error {
			return tx.InsertTick(store.Tick{Kind: "c", Key: index("k", 1), At: at(9).Add(time.Duration(i))})
		})
	})
	if got := list("c", 1, 8); len(got) != n || !got[0].Equal(at(9)) || !got[n-1].Equal(at(9)) {
		t.Errorf("%d ticks of %d in one millisecond", len(got), n)
	}

	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteTicks("a", index("k", 1)) })
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteTicks("a", index("k", 1)) }) // deleting none is no error
	same(t, list("a", 1, 0), nil)
	same(t, list("a", 2, 0), []time.Time{at(5)})
	same(t, list("b", 1, 0), []time.Time{at(4)})
	var pruned int64
	mustUpdate(t, s, func(tx store.Tx) (err error) { pruned, err = tx.PruneTicks(at(5)); return err })
	if pruned != 1 || len(list("b", 1, 0)) != 0 || len(list("a", 2, 0)) != 1 || len(list("c", 1, 0)) != n {
		t.Errorf("pruned %d ticks, want the one before", pruned)
	}
}

func freezeCodes(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	find := func(i int) func(store.Reader) (store.FreezeCode, error) {
		return func(r store.Reader) (store.FreezeCode, error) { return r.FreezeCode(freezeCode(i).MAC) }
	}
	insert := func(f store.FreezeCode) error {
		return update(t, s, func(tx store.Tx) error { return tx.InsertFreezeCode(f) })
	}
	change := func(f store.FreezeCode) error {
		return update(t, s, func(tx store.Tx) error { return tx.UpdateFreezeCode(f) })
	}
	a, b, c := freezeCode(10), freezeCode(20), freezeCode(30)
	whole(t, a)
	b.Used = time.Time{}
	c.Card = cardID(2)
	must(t, insert(a))
	must(t, insert(b))
	must(t, insert(c))
	s = reopen()
	same(t, mustGet(t, s, find(10)), a)
	same(t, mustGet(t, s, find(20)), b)
	taken := freezeCode(10)
	taken.Card = cardID(2)
	wantErr(t, insert(taken), store.ErrExists)
	same(t, mustGet(t, s, find(10)), a)
	orphan := freezeCode(40)
	orphan.Card = cardID(9)
	wantErr(t, insert(orphan), store.ErrNotFound)
	wantErr(t, change(freezeCode(40)), store.ErrNotFound)
	_, err := get(t, s, find(40))
	wantErr(t, err, store.ErrNotFound)

	b.Used, b.Expires = at(5), at(25)
	must(t, change(b))
	same(t, mustGet(t, s, find(20)), b)
	b.Used = time.Time{}
	must(t, change(b))
	same(t, mustGet(t, s, find(20)), b)

	var pruned int64
	prune := func(before int) int64 {
		mustUpdate(t, s, func(tx store.Tx) (err error) { pruned, err = tx.PruneFreezeCodes(at(before)); return err })
		return pruned
	}
	if prune(10) != 0 || prune(11) != 1 {
		t.Errorf("pruned %d freeze codes, want the one that expired", pruned)
	}
	_, err = get(t, s, find(10))
	wantErr(t, err, store.ErrNotFound)
	same(t, mustGet(t, s, find(30)), c)
}
