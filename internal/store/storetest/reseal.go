package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Resealed is an empty store whose vault can be rotated.
type Resealed struct {
	Sealed
	Vault  *vault.Vault
	Rotate func()       // makes a root key that seals from now on
	Drop   func(uint32) // destroys an older one
	Reopen func() store.Store
}

// sealedFor seals a value for a row.
func sealedFor(t testing.TB, v *vault.Vault, p vault.Purpose, id []byte) []byte {
	t.Helper()
	sealed, err := v.Seal(p, id, []byte("plain "+string(p)))
	must(t, err)
	return sealed
}

// populate writes i rows into each table.
func populate(t testing.TB, s Resealed, n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		c := card(i)
		contact := newContact(i)
		contact.Sealed = sealedFor(t, s.Vault, vault.ContactPhone, c.ID[:])
		person := store.Person{Holder: index("holder", i), CardNo: index("no", i)}
		person.Sealed = sealedFor(t, s.Vault, vault.PersonFacts, person.Holder[:])
		key := store.SealKey{ID: fmt.Sprint("k", i), Public: []byte{4}, MadeAt: at(i)}
		key.Sealed = sealedFor(t, s.Vault, vault.SealKey, []byte(key.ID))
		ceremony := ceremony(i)
		ceremony.Sealed = sealedFor(t, s.Vault, vault.CeremonyDetails, []byte(ceremony.ID))
		message := message(i)
		message.Sealed = sealedFor(t, s.Vault, vault.MessageText, []byte(message.ID))
		other, moved := conflict(i), personChange(i)
		other.Person.Sealed = sealedFor(t, s.Vault, vault.PersonFacts, other.Person.Holder[:])
		moved.Sealed = sealedFor(t, s.Vault, vault.PersonFacts, moved.Holder[:])
		corrected := correction(i)
		corrected.Sealed = sealedFor(t, s.Vault, vault.PersonFacts, corrected.Number[:])
		posted := letter(i)
		posted.Sealed = sealedFor(t, s.Vault, vault.LetterText, []byte(posted.ID))
		q := request(i)
		q.Decided, q.Verdict = true, liuma.Right
		freeze := freezeCode(i)
		freeze.Card = c.ID
		former := formerContact(i, i)
		former.Sealed = sealedFor(t, s.Vault, vault.ContactPhone, c.ID[:])
		named := noticeContact(i, i)
		named.Sealed = sealedFor(t, s.Vault, vault.NoticePhone, c.ID[:])
		mustUpdate(t, s.Store, func(tx store.Tx) error {
			return errors.Join(tx.InsertCard(c), tx.PutContact(contact), tx.PutNoticeContact(named), tx.InsertCardTick(c.ID, "a", at(i)),
				tx.PutLink(store.Link{Channel: "a", Card: c.ID, Handle: store.Handle(fmt.Sprint(i))}),
				tx.InsertRequest(q), tx.InsertIntent(intent(i)), tx.UpsertPerson(person),
				tx.InsertClient(store.Client{ID: fmt.Sprint("c", i)}), tx.InsertEvidence("p", index("jti", i), at(i)),
				tx.InsertSealKey(key), tx.InsertCeremony(ceremony), tx.PutCode(code(i)),
				tx.InsertTick(store.Tick{Kind: "a", Key: index("k", i), At: at(i)}), tx.InsertFreezeCode(freeze),
				tx.InsertMessage(message), tx.Meter("a", index("k", i), at(i), 1), tx.PutTally(hourTally(i)), tx.PutSum(aSum(i)), tx.PutPadOffer(padOffer(i)), tx.SaveClock(clock.State{High: at(i)}),
				tx.SaveSweep(store.Sweep{Kept: uint64(i)}), nextArchive(tx, i), tx.PutConflict(other), tx.PutPersonChange(moved), tx.PutCorrection(corrected),
				tx.InsertMember(member(i)), tx.PutStaffSession(staffSession(i)), tx.InsertProposal(proposal(i)), tx.InsertEdition(edition(i)),
				tx.InsertTicket(ticket(i)), tx.InsertLookUp(lookUp(i)), tx.PutDeskPad(deskPad(i)), tx.PutAgency(agency(i)),
				tx.PutFormerContact(former), tx.PutClosing(store.ClosingDue{Card: c.ID, At: at(i)}), tx.InsertLetter(posted))
		})
	}
}

// newContact is a bound phone.
func newContact(i int) store.Contact { c := contact(i); c.Card = cardID(i); return c }

// step does a step of resealing, with no entry.
func step(t testing.TB, s store.Store, limit int) (r store.Resealing) {
	t.Helper()
	must(t, s.Update(t.Context(), func(tx store.Tx) (_ audit.Entry, err error) {
		r, err = tx.ResealStep(at(100), limit)
		return audit.Entry{}, err
	}))
	return r
}

// pass does steps until the pass has ended.
func pass(t testing.TB, s store.Store, limit int) store.Resealing {
	t.Helper()
	for range 1000 {
		if r := step(t, s, limit); r.Ended() {
			return r
		}
	}
	t.Fatal("the pass does not end")
	return store.Resealing{}
}

// everything reads each row that populate wrote, and opens what is sealed in it.
func everything(t testing.TB, s Resealed, n int) error {
	t.Helper()
	unseal := func(p vault.Purpose, id, sealed []byte) error {
		plain, err := s.Vault.Unseal(p, id, sealed)
		if err == nil && string(plain) != "plain "+string(p) {
			err = fmt.Errorf("%s is %q", p, plain)
		}
		return err
	}
	return s.Store.View(t.Context(), func(r store.Reader) error {
		var errs []error
		note := func(err error) { errs = append(errs, err) }
		for i := 1; i <= n; i++ {
			id := cardID(i)
			_, err := r.Card(id)
			note(err)
			contact, err := r.Contact(id)
			note(errors.Join(err, unseal(vault.ContactPhone, id[:], contact.Sealed)))
			holder := index("holder", i)
			p, err := r.Person(holder)
			note(errors.Join(err, unseal(vault.PersonFacts, holder[:], p.Sealed)))
			other, err := r.Conflict(conflict(i).ID)
			note(errors.Join(err, unseal(vault.PersonFacts, holder[:], other.Person.Sealed)))
			moved, err := r.PersonChange(id)
			note(errors.Join(err, unseal(vault.PersonFacts, holder[:], moved.Sealed)))
			corrected, err := r.Correction(correction(i).ID)
			note(errors.Join(err, unseal(vault.PersonFacts, corrected.Number[:], corrected.Sealed)))
			ceremony, err := r.Ceremony(ceremonyID(i))
			note(errors.Join(err, unseal(vault.CeremonyDetails, []byte(ceremonyID(i)), ceremony.Sealed)))
			_, err = r.Tally(hourTally(i).Hour)
			note(err)
			m, err := r.Message(messageID(i))
			note(errors.Join(err, unseal(vault.MessageText, []byte(messageID(i)), m.Sealed)))
			l, err := r.Letter(letterID(i))
			note(errors.Join(err, unseal(vault.LetterText, []byte(letterID(i)), l.Sealed)))
			for _, read := range []func() error{
				func() error { _, err := r.LinkByHandle("a", store.Handle(fmt.Sprint(i))); return err },
				func() error { _, err := r.Request("zj-hrss", request(i).BusinessNo); return err },
				func() error { _, err := r.Intent(id); return err },
				func() error { _, err := r.Member(member(i).ID); return err },
				func() error { _, err := r.StaffSession(staffSession(i).Hash); return err },
				func() error { _, err := r.Proposal(proposal(i).ID); return err },
				func() error { _, err := r.Ticket(ticketID(i)); return err },
				func() error { _, err := r.LookUp(lookUp(i).ID); return err },
				func() error { _, err := r.DeskPad(deskPad(i).ID); return err },
				func() error { _, err := r.Client(fmt.Sprint("c", i)); return err },
				func() error { _, err := r.Code(ceremonyID(i)); return err },
				func() error { _, err := r.FreezeCode(freezeCode(i).MAC); return err },
				func() error { _, err := r.CeremonyByCode(vault.Home{}, hash("code", i)); return err },
			} {
				note(read())
			}
			marks, err := r.Ticks("a", index("k", i), at(-100))
			if err == nil && len(marks) == 0 {
				err = errors.New("no ration mark")
			}
			note(err)
		}
		keys, err := r.SealKeys()
		for _, k := range keys {
			note(unseal(vault.SealKey, []byte(k.ID), k.Sealed))
		}
		clients, err2 := r.Clients()
		_, err3 := r.Clock()
		_, err4 := r.Streams(audit.Stream{}, 100)
		if len(keys) != n || len(clients) != n {
			note(fmt.Errorf("%d seal keys, %d clients", len(keys), len(clients)))
		}
		return errors.Join(append(errs, err, err2, err3, err4)...)
	})
}

// kept are the rows of all tables that resealing does not count its pass by.
func kept(s Resealed) map[string][]map[string]any {
	all := map[string][]map[string]any{}
	for _, t := range rows.Tables() {
		if t.Name != "resealing" {
			all[t.Name] = s.Thief.Rows(t.Name)
		}
	}
	return all
}

// ResealedRows rotates the vault and seals every row of every table anew, a few
// a step: each step leaves everything readable, changes no revision and no
// look-up, and when the pass has ended the old key is not needed.
func ResealedRows(t *testing.T, open func(testing.TB) Resealed) {
	const n = 5
	s := open(t)
	populate(t, s, n)
	record := len(entries(t, s.Store))
	s.Rotate()
	before := kept(s)
	count := 0
	for _, table := range rows.Tables() {
		if len(before[table.Name]) == 0 && table.Name != "resealing" && table.Name != "keyring" && !ofSpread(table.Name) { // no pass touches the keyring
			t.Errorf("populate wrote nothing to %s", table.Name)
		}
		count += len(before[table.Name])
	}
	for range count {
		r := step(t, s.Store, 3)
		must(t, everything(t, s, n))
		if r.Ended() {
			break
		}
	}
	r := mustGet(t, s.Store, func(r store.Reader) (store.Resealing, error) { return r.Resealing() })
	// The shared row was sealed anew with the clients that it lists.
	if !r.Ended() || r.Key != 2 || r.Rows != uint64(count-1) || r.Refused != 0 || !r.BegunAt.Equal(at(100)) {
		t.Errorf("%+v, want %d rows", r, count-1)
	}
	resealedAlone(t, before, kept(s))
	s.Drop(1)
	must(t, everything(t, s, n))
	if now := len(entries(t, s.Store)); now != record {
		t.Errorf("%d entries of the record, want %d", now, record)
	}
	if again := step(t, s.Store, 3); again.Rows != r.Rows || !again.Ended() {
		t.Errorf("after its end: %+v", again)
	}
}

// resealedAlone wants that the seals changed, and nothing that rows say.
func resealedAlone(t *testing.T, before, after map[string][]map[string]any) {
	t.Helper()
	encrypted := map[string]bool{"cards": true, "persons": true, "seal_keys": true, "ceremonies": true, "messages": true, "shared": true,
		"conflicts": true, "person_changes": true, "corrections": true, "former_contacts": true, "letters": true, "notice_contacts": true}
	for table, list := range after {
		for i, row := range list {
			was := before[table][i]
			if row["seal_key"] != int64(2) {
				t.Errorf("%s: a row is sealed under the key %v", table, row["seal_key"])
			}
			if same := bytes.Equal(row["body"].([]byte), was["body"].([]byte)); same == encrypted[table] {
				t.Errorf("%s: the body is the same: %v", table, same)
			}
			row, was = maps.Clone(row), maps.Clone(was)
			for _, column := range []string{"seal", "seal_key", "body"} {
				delete(row, column)
				delete(was, column)
			}
			if table == "shared" { // its version rises with the rows that it lists
				delete(row, "rev")
				delete(was, "rev")
			}
			if diff := cmp.Diff(was, row); diff != "" {
				t.Errorf("%s: %s", table, diff)
			}
		}
	}
}

// ResealingLaundersNothing alters a row of each table before a pass: each is
// counted, raises the alarm, and is left as it was, refused.
func ResealingLaundersNothing(t *testing.T, open func(testing.TB) Resealed) {
	s := open(t)
	populate(t, s, 2)
	forged := map[string]map[string]any{}
	for _, table := range rows.Tables() {
		list := s.Thief.Rows(table.Name)
		if table.Name == "shared" || table.Name == "clock" || len(list) == 0 { // shared: TestResealingKeepsTheSharedVersion
			continue
		}
		row := with(list[0], "body", altered("body", list[0]["body"]))
		s.Thief.Put(table.Name, row)
		forged[table.Name] = row
	}
	s.Rotate()
	before := s.Alarms()
	r := pass(t, s.Store, 4)
	if r.Refused != uint64(len(forged)) {
		t.Errorf("%d rows refused, want %d", r.Refused, len(forged))
	}
	if n := s.Alarms() - before; n < len(forged) {
		t.Errorf("%d alarms, want %d", n, len(forged))
	}
	for table, row := range forged {
		if diff := cmp.Diff(row, s.Thief.Rows(table)[0]); diff != "" {
			t.Errorf("%s: a forged row was changed: %s", table, diff)
		}
	}
	if err := view(s.Store, func(r store.Reader) error { _, err := r.Card(cardID(1)); return err }); !errors.Is(err, store.ErrSeal) {
		t.Errorf("a forged card: %v", err)
	}
	must(t, view(s.Store, func(r store.Reader) error { _, err := r.Card(cardID(2)); return err }))
}

// ResealingGoesOn ends the process between steps, lets a step fail, and rotates
// in the middle: nothing is done twice, and a pass under a key that no longer
// seals begins anew.
func ResealingGoesOn(t *testing.T, open func(testing.TB) Resealed) {
	s := open(t)
	populate(t, s, 3)
	s.Rotate()
	failed := errors.New("no")
	var last store.Resealing
	for range 4 {
		last = step(t, s.Store, 2)
		err := s.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			_, err := tx.ResealStep(at(100), 2)
			return audit.Entry{}, errors.Join(err, failed)
		})
		wantErr(t, err, failed)
		s.Store = s.Reopen()
		same(t, mustGet(t, s.Store, func(r store.Reader) (store.Resealing, error) { return r.Resealing() }), last)
	}
	if last.Ended() || last.Rows != 6 { // the first step only begins
		t.Errorf("after four steps: %+v", last)
	}
	s.Rotate()
	if r := step(t, s.Store, 2); r.Key != 3 || r.Rows != 0 {
		t.Errorf("after another rotation: %+v", r)
	}
	pass(t, s.Store, 100)
	s.Drop(1)
	s.Drop(2)
	must(t, everything(t, s, 3))
	s.Rotate()
	if r := step(t, s.Store, 2); r.Key != 4 || r.Ended() {
		t.Errorf("after a pass that ended, and another rotation: %+v", r)
	}
}

// OldValuesComeBackUnderTheNewKey writes, after a pass, what was read before the
// rotation: its encrypted values do not bring the old key back.
func OldValuesComeBackUnderTheNewKey(t *testing.T, open func(testing.TB) Resealed) {
	s := open(t)
	populate(t, s, 1)
	var c store.Card
	var contact store.Contact
	var p store.Person
	var e store.Ceremony
	var m store.Message
	must(t, view(s.Store, func(r store.Reader) (err error) {
		var errs [5]error
		c, errs[0] = r.Card(cardID(1))
		contact, errs[1] = r.Contact(cardID(1))
		p, errs[2] = r.Person(index("holder", 1))
		e, errs[3] = r.Ceremony(ceremonyID(1))
		m, errs[4] = r.Message(messageID(1))
		return errors.Join(errs[:]...)
	}))
	s.Rotate()
	pass(t, s.Store, 100)
	write := func(tx store.Tx) error {
		return errors.Join(tx.UpdateCard(c), tx.PutContact(contact), tx.UpsertPerson(p), tx.UpdateCeremony(e), tx.UpdateMessage(m))
	}
	mustUpdate(t, s.Store, write)
	s.Drop(1)
	must(t, everything(t, s, 1))
	// Once the key is gone such a value is refused, and what is there stays.
	e.Revision++
	err := update(t, s.Store, func(tx store.Tx) error { return tx.UpdateCeremony(e) })
	wantErr(t, err, vault.ErrSealKey)
	must(t, everything(t, s, 1))
}
