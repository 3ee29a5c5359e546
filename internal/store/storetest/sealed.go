package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Thief writes to the database of an open store behind its back, as someone who
// has none of the vault's keys. A row is its columns by name; values are int64,
// []byte or nil.
type Thief interface {
	Rows(table string) []map[string]any
	Put(table string, row map[string]any) // inserts, or replaces the row of that key
	Delete(table string, key []byte)
}

// Sealed is an empty store with a vault of its own.
type Sealed struct {
	Store  store.Store
	Thief  Thief
	Alarms func() int // how many were raised so far
}

// sample inserts and reads the rows of one table. read returns the error of
// reading row i by its key; found those of reading row 1 in all other ways.
type sample struct {
	insert func(tx store.Tx, i int) error
	read   func(s store.Store, i int) error
	found  []func(r store.Reader) error
}

func reads(f func(r store.Reader, i int) error) func(store.Store, int) error {
	return func(s store.Store, i int) error { return view(s, func(r store.Reader) error { return f(r, i) }) }
}

// SealedRows breaks I-13: it alters each column of a row of each table, and puts
// in rows made by hand, rows of another key, and rows of another authority.
// Every read of the row is refused with store.ErrSeal and an alarm; no look-up
// succeeds.
func SealedRows(t *testing.T, open func(testing.TB) Sealed) {
	all := samples()
	for _, table := range rows.Tables() {
		t.Run(table.Name, func(t *testing.T) {
			s, ok := all[table.Name]
			if !ok {
				t.Fatal("no sample of this table")
			}
			if ofSpread(table.Name) && !spreads(t, open) {
				t.Skip("the store keeps all rows together, and claims nothing apart from them")
			}
			sealedTable(t, open, table, s)
		})
	}
}

func sealedTable(t *testing.T, open func(testing.TB) Sealed, table rows.Table, s sample) {
	home, other := open(t), open(t)
	one, two := sampled(t, home, table, s)
	foreign, _ := sampled(t, other, table, s)
	for i := 1; i <= 2; i++ {
		if err := s.read(home.Store, i); err != nil {
			t.Errorf("row %d as it was written: %v", i, err)
		}
	}
	refused := func(name string, row map[string]any, i int, back map[string]any) {
		t.Helper()
		home.Thief.Put(table.Name, row)
		before := home.Alarms()
		if err := s.read(home.Store, i); !errors.Is(err, store.ErrSeal) {
			t.Errorf("%s: %v, want %v", name, err, store.ErrSeal)
		}
		if home.Alarms() == before {
			t.Errorf("%s: no alarm", name)
		}
		for n, f := range s.found {
			if err := view(home.Store, f); err == nil {
				t.Errorf("%s: look-up %d succeeds", name, n)
			}
		}
		home.Thief.Delete(table.Name, row["key"].([]byte))
		home.Thief.Put(table.Name, back)
		if err := s.read(home.Store, i); err != nil {
			t.Fatalf("%s: put back: %v", name, err)
		}
	}
	for column, value := range one {
		if column != "key" && column != "home" { // a row in another home is hidden, as one that was deleted
			refused(column+" altered", with(one, column, altered(column, value)), 1, one)
		}
	}
	refused("of another authority", foreign, 1, one)
	refused("made by hand", with(with(one, "seal", make([]byte, 32)), "rev", int64(1)), 1, one)
	if two == nil {
		return // a process start has one row
	}
	moved := maps.Clone(one)
	moved["key"] = two["key"]
	if home, ok := two["home"]; ok {
		moved["home"] = home
	}
	home.Thief.Delete(table.Name, one["key"].([]byte)) // its look-ups are unique
	refusedMove(t, home, table, s, moved)
}

// ofSpread reports whether only a store that spreads its rows writes to a table.
func ofSpread(table string) bool { return table == "numbers" || table == "holders" }

// spreads reports whether a store says apart from its requests where they are.
func spreads(t *testing.T, open func(testing.TB) Sealed) bool {
	s := open(t)
	mustUpdate(t, s.Store, func(tx store.Tx) error { return tx.InsertRequest(request(1)) })
	return len(s.Thief.Rows("numbers")) > 0
}

// refusedMove puts a row under another's key.
func refusedMove(t *testing.T, home Sealed, table rows.Table, s sample, moved map[string]any) {
	t.Helper()
	home.Thief.Put(table.Name, moved)
	before := home.Alarms()
	if err := s.read(home.Store, 2); !errors.Is(err, store.ErrSeal) || home.Alarms() == before {
		t.Errorf("under another key: %v after %d alarms, want %v", err, home.Alarms()-before, store.ErrSeal)
	}
}

// sampled inserts two rows and finds them in the database; two is nil if the
// second Update wrote the same row.
func sampled(t *testing.T, s Sealed, table rows.Table, of sample) (one, two map[string]any) {
	t.Helper()
	known := map[string]bool{}
	added := func() (row map[string]any) {
		for _, r := range s.Thief.Rows(table.Name) {
			if key := string(r["key"].([]byte)); !known[key] {
				known[key], row = true, r
			}
		}
		return row
	}
	for i := 1; i <= 2; i++ {
		must(t, s.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return entry(audit.CardEnrolled), of.insert(tx, i)
		}))
		if i == 1 {
			one = added()
		} else {
			two = added()
		}
	}
	return one, two
}

func with(row map[string]any, column string, value any) map[string]any {
	row = maps.Clone(row)
	row[column] = value
	return row
}

// altered is another value of a column, of its type.
func altered(column string, value any) any {
	switch v := value.(type) {
	case int64:
		return v ^ 1
	case []byte:
		if b := bytes.Clone(v); len(b) > 0 {
			b[len(b)-1] ^= 1
			return b
		}
		return []byte{1}
	}
	if slices.Contains([]string{"due", "ended", "done", "waits"}, column) {
		return int64(1)
	}
	return []byte{1}
}

func view(s store.Store, f func(store.Reader) error) error { return s.View(context.Background(), f) }

func samples() map[string]sample {
	all := map[string]sample{
		"cards": {func(tx store.Tx, i int) error { return tx.InsertCard(card(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Card(cardID(i)); return err }),
			[]func(store.Reader) error{
				func(r store.Reader) error { _, err := r.CardByHolder(index("holder", 1)); return err },
				func(r store.Reader) error { _, err := r.Links(cardID(1)); return err },
				func(r store.Reader) error { _, err := r.Contact(cardID(1)); return err },
				func(r store.Reader) error { _, err := r.CardTicks(cardID(1), "a", time.Time{}); return err },
				func(r store.Reader) error {
					heads, err := r.Streams(audit.Stream{}, 9)
					if len(heads) > 0 && heads[0].Number == 0 {
						err = errors.New("a stream without an end")
					}
					return err
				},
			}},
		"claims": {func(tx store.Tx, i int) error {
			return errors.Join(tx.InsertCard(card(i)), tx.PutLink(store.Link{Channel: "a", Card: cardID(i), Handle: store.Handle(fmt.Sprint(i))}))
		}, reads(func(r store.Reader, i int) error {
			_, err := r.LinkByHandle("a", store.Handle(fmt.Sprint(i)))
			return err
		}), nil},
		"requests": {func(tx store.Tx, i int) error { return tx.InsertRequest(request(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Request("zj-hrss", request(i).BusinessNo); return err }), nil},
		"numbers": {func(tx store.Tx, i int) error { return tx.InsertRequest(request(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Request("zj-hrss", request(i).BusinessNo); return err }), nil},
		"holders": {func(tx store.Tx, i int) error { return tx.InsertCard(card(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.CardByHolder(index("holder", i)); return err }), nil},
		"intents": {func(tx store.Tx, i int) error { return tx.InsertIntent(intent(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Intent(cardID(i)); return err }), nil},
		"persons": {func(tx store.Tx, i int) error {
			return tx.UpsertPerson(store.Person{Holder: index("holder", i), CardNo: index("no", i), Physical: "normal"})
		}, reads(func(r store.Reader, i int) error { _, err := r.Person(index("holder", i)); return err }), nil},
		"clients": {func(tx store.Tx, i int) error {
			return tx.InsertClient(store.Client{ID: fmt.Sprint("c", i), Stopped: true})
		},
			reads(func(r store.Reader, i int) error { _, err := r.Client(fmt.Sprint("c", i)); return err }),
			[]func(store.Reader) error{func(r store.Reader) error { _, err := r.Clients(); return err }}},
		"evidence": {func(tx store.Tx, i int) error { return tx.InsertEvidence("p", index("jti", i), at(i)) }, useEvidence, nil},
		"seal_keys": {func(tx store.Tx, i int) error {
			return tx.InsertSealKey(store.SealKey{ID: fmt.Sprint("k", i), Public: []byte{4}})
		}, reads(func(r store.Reader, _ int) error { _, err := r.SealKeys(); return err }), nil},
	}
	maps.Copy(all, phoneSamples())
	maps.Copy(all, staffSamples())
	maps.Copy(all, ticketSamples())
	maps.Copy(all, letterSamples())
	all["starts"] = sample{func(tx store.Tx, i int) error { return nil },
		reads(func(r store.Reader, _ int) error { _, err := r.Streams(audit.Stream{}, 9); return err }), nil}
	all["shared"] = sample{func(tx store.Tx, i int) error { return tx.InsertClient(store.Client{ID: fmt.Sprint("s", i)}) },
		reads(func(r store.Reader, _ int) error { _, err := r.Shared(); return err }),
		[]func(store.Reader) error{func(r store.Reader) error { _, err := r.Client("s1"); return err }}}
	all["resealing"] = sample{func(tx store.Tx, i int) error { _, err := tx.ResealStep(at(i), 1); return err },
		reads(func(r store.Reader, _ int) error { _, err := r.Resealing(); return err }), nil}
	all["sweeps"] = sample{func(tx store.Tx, i int) error { return tx.SaveSweep(store.Sweep{Kept: uint64(i)}) },
		reads(func(r store.Reader, _ int) error { _, err := r.Sweep(); return err }), nil}
	all["archives"] = sample{nextArchive,
		reads(func(r store.Reader, i int) error { _, err := r.Archives(uint64(i-1), 1); return err }), nil}
	all["clock"] = sample{func(tx store.Tx, i int) error { return tx.SaveClock(clock.State{High: at(i)}) },
		reads(func(r store.Reader, _ int) error { _, err := r.Clock(); return err }), nil}
	all["meters"] = sample{func(tx store.Tx, i int) error { return tx.Meter("m", index("k", i), at(i), 1) },
		reads(func(r store.Reader, i int) error { _, err := r.Metered("m", index("k", i), at(0)); return err }), nil}
	all["sums"] = sample{func(tx store.Tx, i int) error { return tx.PutSum(aSum(i)) },
		reads(findSum), nil}
	all["pad_offers"] = sample{func(tx store.Tx, i int) error { return tx.PutPadOffer(padOffer(i)) },
		reads(func(r store.Reader, i int) error { _, err := r.PadOffer(index("number", i)); return err }),
		[]func(store.Reader) error{func(r store.Reader) error { _, err := r.PadOfferOf("pad1"); return err }}}
	all["keyring"] = sample{putKeyring,
		reads(func(r store.Reader, _ int) error { _, err := r.Keyring(); return err }), nil}
	all["tallies"] = sample{func(tx store.Tx, i int) error { return tx.PutTally(hourTally(i)) },
		reads(func(r store.Reader, i int) error { _, err := r.Tally(hourTally(i).Hour); return err }), nil}
	all["conflicts"] = sample{func(tx store.Tx, i int) error { return tx.PutConflict(conflict(i)) },
		reads(func(r store.Reader, i int) error { _, err := r.Conflict(conflict(i).ID); return err }), nil}
	all["person_changes"] = sample{func(tx store.Tx, i int) error { return tx.PutPersonChange(personChange(i)) },
		reads(func(r store.Reader, i int) error { _, err := r.PersonChange(cardID(i)); return err }), nil}
	all["corrections"] = sample{func(tx store.Tx, i int) error { return tx.PutCorrection(correction(i)) },
		reads(func(r store.Reader, i int) error { _, err := r.Correction(correction(i).ID); return err }),
		[]func(store.Reader) error{
			func(r store.Reader) error { _, err := r.CorrectionOf(index("former", 1)); return err },
			func(r store.Reader) error { _, err := r.CorrectionTo(index("number", 1)); return err },
		}}
	return all
}

// nextArchive makes a digest, and an archive that ends with it.
func nextArchive(tx store.Tx, i int) error {
	n := uint64(i)
	return errors.Join(tx.InsertDigest(store.Digest{Number: n, Token: "token"}, nil),
		tx.InsertArchive(store.Archive{Number: n, Digest: n, Token: "signed", At: at(i)}))
}

// useEvidence tries to use evidence that was used.
func useEvidence(s store.Store, i int) error {
	err := s.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		return entry(audit.CardEnrolled), tx.InsertEvidence("p", index("jti", i), at(9))
	})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

func phoneSamples() map[string]sample {
	return map[string]sample{
		"ceremonies": {func(tx store.Tx, i int) error { return tx.InsertCeremony(ceremony(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Ceremony(ceremonyID(i)); return err }),
			[]func(store.Reader) error{
				func(r store.Reader) error { _, err := r.CeremonyByRequestURI(vault.Home{}, hash("uri", 1)); return err },
				func(r store.Reader) error { _, err := r.CeremonyByCode(vault.Home{}, hash("code", 1)); return err },
			}},
		"closings": {func(tx store.Tx, i int) error {
			return errors.Join(tx.InsertCard(card(i)), tx.PutClosing(store.ClosingDue{Card: cardID(i), At: at(i)}))
		}, reads(func(r store.Reader, i int) error { return dueClosing(r, i) }), nil},
		"former_contacts": {func(tx store.Tx, i int) error {
			return errors.Join(tx.InsertCard(card(i)), tx.PutFormerContact(formerContact(i, i)))
		}, reads(func(r store.Reader, i int) error { _, err := r.FormerContacts(cardID(i)); return err }), nil},
		"notice_contacts": {func(tx store.Tx, i int) error {
			return errors.Join(tx.InsertCard(card(i)), tx.PutNoticeContact(noticeContact(i, i)))
		}, reads(func(r store.Reader, i int) error { _, err := r.NoticeContact(cardID(i)); return err }), nil},
		"codes": {func(tx store.Tx, i int) error {
			return errors.Join(tx.InsertCeremony(ceremony(i)), tx.PutCode(code(i)))
		}, reads(func(r store.Reader, i int) error { _, err := r.Code(ceremonyID(i)); return err }), nil},
		"ticks": {func(tx store.Tx, i int) error {
			return tx.InsertTick(store.Tick{Kind: "a", Key: index("k", i), At: at(i)})
		}, reads(func(r store.Reader, i int) error { _, err := r.Ticks("a", index("k", i), time.Time{}); return err }), nil},
		"freeze_codes": {func(tx store.Tx, i int) error {
			f := freezeCode(i)
			f.Card = cardID(i)
			return errors.Join(tx.InsertCard(card(i)), tx.InsertFreezeCode(f))
		}, reads(func(r store.Reader, i int) error { _, err := r.FreezeCode(vault.MAC{byte(i), 1}); return err }), nil},
		"messages": {func(tx store.Tx, i int) error { return tx.InsertMessage(message(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Message(messageID(i)); return err }),
			[]func(store.Reader) error{
				func(r store.Reader) error { _, err := r.MessageByRef("ref1"); return err },
				func(r store.Reader) error { _, err := r.Messages("", "", 9); return err },
			}},
	}
}

// QueuesGoOn alters the first row of each queue: the others are still given out,
// as many as were asked for, and the altered one is not.
func QueuesGoOn(t *testing.T, open func(testing.TB) Sealed) {
	s := open(t)
	mustUpdate(t, s.Store, func(tx store.Tx) error {
		var errs []error
		for i := range 5 {
			errs = append(errs, tx.InsertIntent(intent(i)), tx.InsertCeremony(ceremony(i)), tx.InsertMessage(message(i)))
		}
		return errors.Join(errs...)
	})
	for _, table := range []string{"intents", "ceremonies", "messages"} {
		for _, row := range s.Thief.Rows(table)[:2] { // by key, which is their order
			s.Thief.Put(table, with(row, "seal", make([]byte, 32)))
		}
	}
	before := s.Alarms()
	must(t, s.Store.View(t.Context(), func(r store.Reader) error {
		intents, err1 := r.Intents(store.Card{}.ID, 2)
		due, err2 := r.DueCeremonies(at(9999), 2)
		texts, err3 := r.DueMessages("notice", at(9999), 2)
		if len(intents) != 2 || intents[0].Card != cardID(2) || len(due) != 2 || due[0].ID != ceremonyID(2) ||
			len(texts) != 2 || texts[0].ID != messageID(2) {
			t.Errorf("intents %v, ceremonies %v, messages %v", intents, due, texts)
		}
		return errors.Join(err1, err2, err3)
	}))
	if n := s.Alarms() - before; n < 6 {
		t.Errorf("%d alarms, want one for each altered row", n)
	}
}
