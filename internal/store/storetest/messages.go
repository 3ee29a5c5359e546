package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

func messageID(i int) string { return fmt.Sprintf("message%019d", i) }

// message has every member set; it waits.
func message(i int) store.Message {
	return store.Message{ID: messageID(i), Kind: "notice", Card: cardID(1), Template: "pin_set", Language: "zh-CN",
		Region: "330500", Sealed: []byte{0, 7, 255}, State: store.MessageWaiting, Tries: 3, NextAt: at(i),
		Expires: at(i + 600), Ref: fmt.Sprint("ref", i), Fault: "timeout", At: at(1), DoneAt: at(2), Way: liuma.ByVoice}
}

func getMessage(i int) func(store.Reader) (store.Message, error) {
	return func(r store.Reader) (store.Message, error) { return r.Message(messageID(i)) }
}

func insertMessages(t *testing.T, s store.Store, ms ...store.Message) {
	t.Helper()
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, m := range ms {
			if err := tx.InsertMessage(m); err != nil {
				return err
			}
		}
		return nil
	})
}

func messages(t *testing.T, open Open) {
	s, reopen := open(t)
	full, bare := message(1), store.Message{ID: messageID(2)}
	whole(t, full)
	insertMessages(t, s, full, bare)
	s = reopen()
	same(t, mustGet(t, s, getMessage(1)), full)
	same(t, mustGet(t, s, getMessage(2)), bare)
	_, err := get(t, s, getMessage(3))
	wantErr(t, err, store.ErrNotFound)
	taken := message(3)
	taken.ID = full.ID
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertMessage(taken) }), store.ErrExists)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateMessage(message(3)) }), store.ErrNotFound)
	same(t, mustGet(t, s, getMessage(1)), full)

	next := store.Message{ID: full.ID, Kind: "code", Card: full.Card, // a text stays its card's
		Template: "code", Language: "en", Region: "33",
		Sealed: []byte("other"), State: store.MessageDelivered, Tries: 9, NextAt: at(90), Expires: at(91), Ref: "other",
		Fault: "refused", At: at(92), DoneAt: at(93)}
	for _, m := range []store.Message{next, {ID: full.ID, Card: full.Card}, full} { // changed to other values, to zero, and back
		mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateMessage(m) })
		same(t, mustGet(t, s, getMessage(1)), m)
	}
}

// messagesDue checks which messages a sender gets, and in which order.
func messagesDue(t *testing.T, open Open) {
	s, _ := open(t)
	var all []store.Message
	for i := range 7 {
		m := message(i)
		m.NextAt = at(50 - i) // IDs and times have different orders
		all = append(all, m)
	}
	all[1].NextAt = all[0].NextAt // same time: in the order of IDs
	all[3].State = store.MessageSent
	all[4].Kind = "code"
	all[5].NextAt = time.Time{} // due at once
	all[6].State = store.MessageDead
	insertMessages(t, s, all...)
	due := func(kind string, now, limit int) []store.Message {
		return mustGet(t, s, func(r store.Reader) ([]store.Message, error) { return r.DueMessages(kind, at(now), limit) })
	}
	same(t, due("notice", 100, 10), []store.Message{all[5], all[2], all[0], all[1]})
	same(t, due("notice", 100, 3), []store.Message{all[5], all[2], all[0]})
	same(t, due("notice", 48, 10), []store.Message{all[5], all[2]}) // a message is due at its NextAt
	same(t, due("notice", 47, 10), []store.Message{all[5]})
	same(t, due("code", 100, 10), []store.Message{all[4]})
	same(t, due("", 100, 10), nil)
	same(t, due("notice", 100, 0), nil)
	same(t, due("notice", 100, -1), nil)

	// Taken up by a sender: not due before its lease ends, and then again.
	all[5].NextAt = at(60)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateMessage(all[5]) })
	same(t, due("notice", 59, 10), []store.Message{all[2], all[0], all[1]})
	same(t, due("notice", 60, 10), []store.Message{all[2], all[0], all[1], all[5]})
	// Done: never again.
	all[5].State = store.MessageSent
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateMessage(all[5]) })
	same(t, due("notice", 1000, 10), []store.Message{all[2], all[0], all[1]})
}

func messageLists(t *testing.T, open Open) {
	s, _ := open(t)
	states := []store.MessageState{store.MessageDead, store.MessageWaiting, store.MessageDead, store.MessageSent,
		store.MessageDead, store.MessageDelivered}
	var all []store.Message
	for i, state := range states {
		m := message(i)
		m.State, m.At = state, at(100-i)
		all = append(all, m)
	}
	insertMessages(t, s, all[5], all[3], all[4], all[0], all[2], all[1])
	page := func(state store.MessageState, after string, limit int) []store.Message {
		return mustGet(t, s, func(r store.Reader) ([]store.Message, error) { return r.Messages(state, after, limit) })
	}
	same(t, page("", "", 100), all)
	same(t, page("", messageID(1), 2), all[2:4])
	same(t, page("", messageID(5), 100), nil)
	same(t, page("", "", 0), nil)
	same(t, page("", "", -1), nil)
	same(t, page(store.MessageDead, "", 100), []store.Message{all[0], all[2], all[4]})
	same(t, page(store.MessageDead, messageID(0), 1), []store.Message{all[2]})
	same(t, page(store.MessageDead, messageID(4), 100), nil)
	same(t, page(store.MessageWaiting, "", 100), []store.Message{all[1]})
	same(t, page(store.MessageSent, "", 0), nil)
	same(t, page(store.MessageSent, "", -1), nil)
	same(t, page("other", "", 100), nil)
}

func messageRefs(t *testing.T, open Open) {
	s, _ := open(t)
	byRef := func(ref string) (store.Message, error) {
		return get(t, s, func(r store.Reader) (store.Message, error) { return r.MessageByRef(ref) })
	}
	older, newer, unsent := message(2), message(1), message(3)
	older.Ref, older.At = "17", at(10)
	newer.Ref, newer.At = "17", at(20)
	unsent.Ref = ""
	insertMessages(t, s, newer, older, unsent)
	got, err := byRef("17")
	must(t, err)
	same(t, got, newer) // the gateway started its references again
	for _, ref := range []string{"", "18"} {
		_, err := byRef(ref)
		wantErr(t, err, store.ErrNotFound)
	}
	unsent.Ref = "18"
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateMessage(unsent) })
	got, err = byRef("18")
	must(t, err)
	same(t, got, unsent)
}

func messagePrune(t *testing.T, open Open) {
	s, _ := open(t)
	var all []store.Message
	for i, state := range []store.MessageState{store.MessageWaiting, store.MessageSent, store.MessageDelivered,
		store.MessageDead, store.MessageSent, store.MessageSent} {
		m := message(i)
		m.State, m.DoneAt = state, at(10*i)
		all = append(all, m)
	}
	all[5].DoneAt = time.Time{} // not done, in any state
	insertMessages(t, s, all...)
	prune := func(before int) (n int64) {
		mustUpdate(t, s, func(tx store.Tx) (err error) {
			n, err = tx.PruneMessages(at(before))
			return err
		})
		return n
	}
	if n := prune(10); n != 0 {
		t.Errorf("pruned %d messages that wait or were not done before", n)
	}
	if n := prune(31); n != 3 {
		t.Errorf("pruned %d messages, want three", n)
	}
	left := mustGet(t, s, func(r store.Reader) ([]store.Message, error) { return r.Messages("", "", 100) })
	same(t, left, []store.Message{all[0], all[4], all[5]})
}

// messageWithChange queues a message in the transaction of a change: both are
// kept or neither.
func messageWithChange(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	boom := errors.New("boom")
	for i, end := range []error{nil, boom} {
		err := update(t, s, func(tx store.Tx) error {
			c := bareCard(1)
			c.Version = liuma.Version(40 + i)
			return errors.Join(rewrite(tx, c), tx.InsertMessage(message(i)), end)
		})
		wantErr(t, err, end)
	}
	s = reopen()
	left := mustGet(t, s, func(r store.Reader) ([]store.Message, error) { return r.Messages("", "", 100) })
	same(t, left, []store.Message{message(0)})
	if c := mustGet(t, s, getCard(cardID(1))); c.Version != 40 {
		t.Errorf("the card has version %d, want that of the message", c.Version)
	}
}
