package storetest

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func isDecided(err error) bool { return errors.Is(err, store.ErrDecided) }

// changes is one successful change of every kind, against prepared rows.
func changes() map[string]func(store.Tx) error {
	all := map[string]func(store.Tx) error{
		"InsertCard": func(tx store.Tx) error { return tx.InsertCard(card(2)) },
		"UpdateCard": func(tx store.Tx) error { return rewrite(tx, bareCard(1)) },
		"PutLink": func(tx store.Tx) error {
			return tx.PutLink(store.Link{Channel: "z", Card: cardID(1), Handle: "z1", At: at(7)})
		},
		"DeleteLink":      func(tx store.Tx) error { return tx.DeleteLink("z", "z1") },
		"InsertRequest":   func(tx store.Tx) error { return tx.InsertRequest(request(2)) },
		"UpdateRequest":   func(tx store.Tx) error { return tx.UpdateRequest(request(1)) },
		"InsertIntent":    func(tx store.Tx) error { return tx.InsertIntent(intent(2)) },
		"UpdateIntent":    func(tx store.Tx) error { return tx.UpdateIntent(intent(1)) },
		"DeleteIntent":    func(tx store.Tx) error { return tx.DeleteIntent(cardID(1)) },
		"UpsertPerson":    func(tx store.Tx) error { return tx.UpsertPerson(store.Person{Holder: index("h", 2)}) },
		"InsertPerson":    func(tx store.Tx) error { return tx.InsertPerson(store.Person{Holder: index("h", 3)}) },
		"InsertClient":    func(tx store.Tx) error { return tx.InsertClient(store.Client{ID: "c2"}) },
		"UpdateClient":    func(tx store.Tx) error { return tx.UpdateClient(store.Client{ID: "c1"}) },
		"InsertEvidence":  func(tx store.Tx) error { return tx.InsertEvidence("p", index("jti", 2), at(9)) },
		"PruneEvidence":   func(tx store.Tx) error { _, err := tx.PruneEvidence(at(100)); return err },
		"InsertSealKey":   func(tx store.Tx) error { return tx.InsertSealKey(store.SealKey{ID: "k2"}) },
		"UpdateSealKey":   func(tx store.Tx) error { return tx.UpdateSealKey(store.SealKey{ID: "k1", Public: []byte{4}}) },
		"DeleteSealKey":   func(tx store.Tx) error { return tx.DeleteSealKey("k1") },
		"SaveKeepersSeen": func(tx store.Tx) error { return tx.SaveKeepersSeen(map[string]uint64{"n": 1}) },
	}
	all["InsertDigest"] = func(tx store.Tx) error { return tx.InsertDigest(store.Digest{Number: 1, Token: "t"}, nil) }
	maps.Copy(all, ceremonyChanges())
	return all
}

func ceremonyChanges() map[string]func(store.Tx) error {
	return map[string]func(store.Tx) error{
		"InsertCeremony":   func(tx store.Tx) error { return tx.InsertCeremony(ceremony(2)) },
		"UpdateCeremony":   func(tx store.Tx) error { return tx.UpdateCeremony(ceremony(1)) },
		"DeleteCeremony":   func(tx store.Tx) error { return tx.DeleteCeremony(ceremonyID(1)) },
		"DeleteRequest":    func(tx store.Tx) error { return tx.DeleteRequest(keyOf(request(1))) },
		"PutContact":       func(tx store.Tx) error { return tx.PutContact(store.Contact{Card: cardID(1)}) },
		"PutCode":          func(tx store.Tx) error { return tx.PutCode(store.Code{Ceremony: ceremonyID(1)}) },
		"DeleteCodesOf":    func(tx store.Tx) error { return tx.DeleteCodesOf(cardID(1)) },
		"InsertTick":       func(tx store.Tx) error { return tx.InsertTick(store.Tick{Kind: "a", At: at(9)}) },
		"DeleteTicks":      func(tx store.Tx) error { return tx.DeleteTicks("a", vault.Index{}) },
		"InsertCardTick":   func(tx store.Tx) error { return tx.InsertCardTick(cardID(1), "b", at(9)) },
		"DeleteCardTicks":  func(tx store.Tx) error { return tx.DeleteCardTicks(cardID(1), "a") },
		"PruneTicks":       func(tx store.Tx) error { _, err := tx.PruneTicks(at(9)); return err },
		"InsertFreezeCode": func(tx store.Tx) error { return tx.InsertFreezeCode(freezeCode(2)) },
		"UpdateFreezeCode": func(tx store.Tx) error { return tx.UpdateFreezeCode(freezeCode(1)) },
		"PruneFreezeCodes": func(tx store.Tx) error { _, err := tx.PruneFreezeCodes(at(100)); return err },
		"InsertMessage":    func(tx store.Tx) error { return tx.InsertMessage(message(2)) },
		"UpdateMessage":    func(tx store.Tx) error { return tx.UpdateMessage(store.Message{ID: messageID(1), Card: cardID(1)}) },
		"InsertDraft":      func(tx store.Tx) error { return tx.InsertDraft(justDraft{store.Person{Holder: index("holder", 8)}}) },
		"DeletePerson":     func(tx store.Tx) error { return tx.DeletePerson(index("holder", 7)) },
		"EraseCard":        func(tx store.Tx) error { return tx.EraseCard(cardID(1), at(9)) },
		"InsertLetter":     func(tx store.Tx) error { return tx.InsertLetter(letter(2)) },
		"UpdateLetter":     func(tx store.Tx) error { return tx.UpdateLetter(letter(1)) },
		"DeleteLetter":     func(tx store.Tx) error { return tx.DeleteLetter(letterID(1)) },
		"PruneLetters":     func(tx store.Tx) error { _, err := tx.PruneLetters(at(100)); return err },
		"DeleteMessage":    func(tx store.Tx) error { return tx.DeleteMessage(messageID(3)) },
		"PruneMessages":    func(tx store.Tx) error { _, err := tx.PruneMessages(at(100)); return err },
	}
}

// prepare makes the rows that the changes need, with one entry.
func prepare(t *testing.T, s store.Store) {
	t.Helper()
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(card(1)), tx.InsertRequest(request(1)), tx.InsertIntent(intent(1)),
			tx.InsertClient(store.Client{ID: "c1"}), tx.InsertSealKey(store.SealKey{ID: "k1"}),
			tx.InsertEvidence("p", index("jti", 1), at(1)),
			tx.InsertPerson(store.Person{Holder: index("holder", 7)}),
			tx.PutLink(store.Link{Channel: "z", Card: cardID(1), Handle: "z1"}), prepareCeremony(tx))
	})
}

func prepareCeremony(tx store.Tx) error {
	ended := ceremony(3)
	ended.Ended = at(1)
	done := message(3)
	done.State = store.MessageSent
	return errors.Join(tx.InsertCeremony(ceremony(1)), tx.InsertCeremony(ended), tx.PutContact(contact(1)),
		tx.PutCode(code(1)), tx.InsertTick(store.Tick{Kind: "a", At: at(1)}), tx.InsertCardTick(cardID(1), "a", at(1)), tx.InsertFreezeCode(freezeCode(1)),
		tx.InsertMessage(message(1)), tx.InsertMessage(done), tx.InsertLetter(posted(1)))
}

// ChangeNeedsAuditEntry breaks I-8 with every kind of change: without an
// entry, with half an entry, and with an error beside a good one. Nothing may
// be kept. Then each change is made with its entry, and both are there.
func ChangeNeedsAuditEntry(t *testing.T, open Open) {
	halves := map[string]audit.Entry{
		"none":       {},
		"no time":    {Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"},
		"no actor":   {At: at(1), Event: audit.CardEnrolled, Outcome: "ok"},
		"no event":   {At: at(1), Actor: "system", Outcome: "ok"},
		"no outcome": {At: at(1), Actor: "system", Event: audit.CardEnrolled},
	}
	s, reopen := open(t)
	prepare(t, s)
	before := snapshot(t, s)
	for name, change := range changes() {
		for half, e := range halves {
			err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return e, change(tx) })
			if !errors.Is(err, store.ErrNoAudit) {
				t.Errorf("%s with %s entry: error %v, want %v", name, half, err, store.ErrNoAudit)
			}
		}
		if now := snapshot(t, s); now != before {
			t.Fatalf("%s: kept without an entry\nbefore %s\nafter  %s", name, before, now)
		}
	}
	s = reopen()
	if now := snapshot(t, s); now != before {
		t.Fatalf("kept without an entry\nbefore %s\nafter  %s", before, now)
	}
	for name, change := range changes() {
		s, _ := open(t)
		prepare(t, s)
		before := snapshot(t, s)
		e := entry(audit.CardFrozen)
		e.Note = name
		must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return e, change(tx) }))
		same(t, said(entries(t, s))[1:], []audit.Entry{e})
		if snapshot(t, s) == before && name != "UpdateRequest" && name != "UpdateIntent" && name != "UpdateClient" {
			t.Errorf("%s: entry without the change", name)
		}
	}
}

// snapshot prints all rows that the tests of a store change.
func snapshot(t *testing.T, s store.Store) string {
	t.Helper()
	return mustGet(t, s, func(r store.Reader) (string, error) {
		cards, e1 := r.CountCards()
		card, e13 := r.Card(cardID(1))
		intents, e2 := r.Intents(liuma.CardID{}, 1000)
		clients, e3 := r.Clients()
		keys, e4 := r.SealKeys()
		seen, e5 := r.KeepersSeen()
		log, e6 := Record(r)
		digests, e14 := r.Digests(0, 9)
		persons, e7 := r.CountPersons()
		kept, e8 := r.Links(cardID(1))
		first, e11 := r.Request("zj-hrss", "B1")
		second, e12 := r.Request("zj-hrss", "B2")
		var errs []error
		for _, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e11, e12, e13, e14} {
			if !errors.Is(err, store.ErrNotFound) {
				errs = append(errs, err)
			}
		}
		return fmt.Sprint(cards, card, intents, clients, keys, seen, log, persons, kept, first, second, digests), errors.Join(errs...)
	}) + mustGet(t, s, snapshotCeremonies) +
		fmt.Sprint(evidenceUsed(t, s, "p", index("jti", 1)), evidenceUsed(t, s, "p", index("jti", 2)))
}

func snapshotCeremonies(r store.Reader) (string, error) {
	var all []any
	var errs []error
	add := func(v any, err error) {
		all = append(all, v)
		if !errors.Is(err, store.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	for i := 1; i <= 3; i++ {
		c, err := r.Ceremony(ceremonyID(i))
		add(c, err)
		f, err := r.FreezeCode(freezeCode(i).MAC)
		add(f, err)
		k, err := r.Code(ceremonyID(i))
		add(k, err)
	}
	contact, err := r.Contact(cardID(1))
	add(contact, err)
	ticks, err := r.Ticks("a", vault.Index{}, time.Time{})
	add(ticks, err)
	marks, err := r.CardTicks(cardID(1), "a", time.Time{})
	add(marks, err)
	more, err := r.CardTicks(cardID(1), "b", time.Time{})
	add(more, err)
	messages, err := r.Messages("", "", 100)
	add(messages, err)
	return fmt.Sprint(all...), errors.Join(errs...)
}
