// Package storetest is the conformance suite of package store. Every
// implementation passes all of it, and the authority may rely only on promises
// that it tests. It guarantees that a pass means: rows come back as they went
// in, uniqueness holds (I-4, I-7, I-11), a change and its audit entry are kept
// together or not at all (I-8), every stream of the record is an unbroken
// chain, transactions have the order that store.Store promises, and acknowledged
// Updates are there after the store was opened again. It trusts nothing.
//
// Start here: Run.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Open makes a new, empty store for one test and closes it when the test ends.
// reopen closes it and opens the same data again.
type Open func(t testing.TB) (s store.Store, reopen func() store.Store)

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Cards", cards},
		{"Links", links},
		{"CardTicks", cardTicks},
		{"Heads", heads},
		{"Requests", requests},
		{"RequestCeremony", requestCeremony},
		{"Intents", intents},
		{"Persons", persons},
		{"Clients", clients},
		{"Conflicts", conflicts},
		{"Corrections", corrections},
		{"Members", members},
		{"StaffSessions", staffSessions},
		{"Proposals", proposals},
		{"Editions", editions},
		{"Agencies", agencies},
		{"Tickets", tickets},
		{"TicketLists", ticketLists},
		{"TicketsToReview", ticketsToReview},
		{"TicketsEnd", ticketsEnd},
		{"LookUps", lookUps},
		{"DeskPads", deskPads},
		{"Letters", letters},
		{"LetterLists", letterLists},
		{"LettersEnd", lettersEnd},
		{"PersonChanges", personChanges},
		{"Drafts", drafts},
		{"PersonLists", personLists},
		{"EraseCard", eraseCard},
		{"DeleteMessage", deleteMessage},
		{"Evidence", evidence},
		{"ClaimedNumbers", ClaimedNumbers},
		{"ClaimedHolders", ClaimedHolders},
		{"DroppedHandles", DroppedHandles},
		{"TriesAfterTheirCeremony", TriesAfterTheirCeremony},
		{"BurntEvidence", BurntEvidence},
		{"SealKeys", sealKeys},
		{"KeepersSeen", keepersSeen},
		{"Clock", savedClock},
		{"Ceremonies", ceremonies},
		{"CeremoniesUnique", ceremoniesUnique},
		{"CeremonyUpdates", ceremonyUpdates},
		{"CeremonyRace", ceremonyRace},
		{"CeremonyLists", ceremonyLists},
		{"CeremonyPrune", ceremonyPrune},
		{"Contacts", contacts},
		{"FormerContacts", formerContacts},
		{"NoticeContact", noticeContacts},
		{"Closings", closings},
		{"Codes", codes},
		{"Ticks", ticks},
		{"Meters", meters},
		{"MeterEdges", meterEdges},
		{"MeterUntil", meterUntil},
		{"MeterClock", meterClock},
		{"MeterPrune", meterPrune},
		{"Sums", sums},
		{"SumsAltered", sumsOfOne},
		{"Keyring", keyringRow},
		{"PadOffers", padOffers},
		{"Tallies", tallies},
		{"FreezeCodes", freezeCodes},
		{"Messages", messages},
		{"MessagesDue", messagesDue},
		{"MessageLists", messageLists},
		{"MessageRefs", messageRefs},
		{"MessagePrune", messagePrune},
		{"MessageWithChange", messageWithChange},
		{"Empty", empty},
		{"Times", times},
		{"ChangeNeedsAuditEntry", ChangeNeedsAuditEntry},
		{"BusinessNumberOnce", BusinessNumberOnce},
		{"OneIntentPerCard", OneIntentPerCard},
		{"StreamsGapless", streamsGapless},
		{"StreamPages", streamPages},
		{"StreamOfACard", streamOfACard},
		{"StreamsUnderLoad", streamsUnderLoad},
		{"ProcessStarts", processStarts},
		{"Digests", digests},
		{"Retain/Requests", retainRequests},
		{"Retain/Sweep", retainSweep},
		{"Retain/Handles", RetainHandles},
		{"Retain/Archives", archives},
		{"ErrorKeepsNothing", errorKeepsNothing},
		{"RefusedWriteGoesOn", refusedWriteGoesOn},
		{"PanicKeepsNothing", panicKeepsNothing},
		{"TxEndsWithFunction", txEndsWithFunction},
		{"FailuresAmongOthers", failuresAmongOthers},
		{"CountersSerializable", countersSerializable},
		{"CompareAndSet", compareAndSet},
		{"Skew", Skew},
		{"ViewSnapshot", viewSnapshot},
		{"RecentRows", RecentRows},
		{"RecentTogether", RecentTogether},
		{"ViewDoesNotWait", viewDoesNotWait},
		{"Durable", durable},
		{"Cancelled", cancelled},
		{"HeldOnce", heldOnce},
		{"HoldsEnd", holdsEnd},
		{"Duties", duties},
		{"Peers", peers},
		{"Close", closing},
		{"Bulk", bulk},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// at is a time with milliseconds, i seconds into the tests' year.
func at(i int) time.Time {
	return time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC).Add(time.Duration(i) * time.Second)
}

func entry(event audit.Event) audit.Entry {
	return audit.Entry{At: at(0), Actor: "system", Event: event, Outcome: "ok"}
}

func cardID(i int) liuma.CardID {
	var id liuma.CardID
	copy(id[:], fmt.Sprintf("card%08d", i))
	return id
}

func index(kind string, i int) vault.Index {
	var x vault.Index
	copy(x[:], fmt.Sprintf("%s%08d", kind, i))
	return x
}

// card has every member set.
func card(i int) store.Card {
	t := ledger.Tally{}
	for n := range 3 {
		t.Spend(at(n), ledger.Lane(n%2))
	}
	return store.Card{
		ID: cardID(i), Holder: index("holder", i), Contested: true, Region: "330500",
		Version: 7, KeySet: 1<<32 - 1, Verifier: liuma.Verifier{31: 9}, Reserved: 1<<32 - 1, PINSetAt: at(1),
		Physical: liuma.PhysicalLost, Frozen: true, FrozenAt: at(2), ReportedAt: at(2), ReportedUntil: at(4), Tally: t, CreatedAt: at(3),
		Stops: 5, PINFrom: at(6), Closing: store.Closing{Ticket: liuma.TicketID{7}, Until: at(8), Stops: 5},
	}
}

// rewrite replaces a card, whatever its Rev is.
func rewrite(tx store.Tx, c store.Card) error {
	there, err := tx.Card(c.ID)
	if err != nil {
		return err
	}
	c.Rev = there.Rev
	return tx.UpdateCard(c)
}

// bareCard sets only the members that every card needs.
func bareCard(i int) store.Card {
	return store.Card{ID: cardID(i), Holder: index("holder", i)}
}

func request(i int) store.Request {
	return store.Request{Channel: "zj-hrss", BusinessNo: liuma.BusinessNo(fmt.Sprintf("B%d", i)),
		Action: liuma.ActionVerify, Digest: [32]byte{1}, Card: cardID(i), Version: 3, Purpose: [32]byte{2}, At: at(0)}
}

func intent(i int) store.Intent {
	return store.Intent{Card: cardID(i), From: 1, Version: 2, KeySet: 3, State: store.IntentReserved, Owner: "p1",
		Lease: at(9), Channel: "zj-hrss", BusinessNo: "B1", At: at(0)}
}

// update runs f in one Update with an entry and returns its error.
func update(t testing.TB, s store.Store, f func(store.Tx) error) error {
	t.Helper()
	return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return entry(audit.CardEnrolled), f(tx)
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustUpdate(t testing.TB, s store.Store, f func(store.Tx) error) {
	t.Helper()
	must(t, update(t, s, f))
}

// get reads one value in a View of its own.
func get[T any](t testing.TB, s store.Store, f func(store.Reader) (T, error)) (v T, err error) {
	t.Helper()
	err = s.View(context.WithoutCancel(t.Context()), func(r store.Reader) error {
		var err error
		v, err = f(r)
		return err
	})
	return v, err
}

func mustGet[T any](t testing.TB, s store.Store, f func(store.Reader) (T, error)) T {
	t.Helper()
	v, err := get(t, s, f)
	must(t, err)
	return v
}

// same compares a read value with the written one; nil and empty are equal. A
// card's Rev is the store's own; heads tests it.
func same[T any](t testing.TB, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(store.Card{}, "Rev")); d != "" {
		t.Errorf("read back differs (-written +read):\n%s", d)
	}
}

// whole checks that a test value has every member set, so that a new member
// that a query forgets makes a test fail.
func whole[T any](t testing.TB, v T) {
	t.Helper()
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		if r.Field(i).IsZero() {
			t.Errorf("the test leaves %T.%s zero", v, r.Type().Field(i).Name)
		}
	}
}

func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("error %v, want %v", got, want)
	}
}

func getCard(id liuma.CardID) func(store.Reader) (store.Card, error) {
	return func(r store.Reader) (store.Card, error) { return r.Card(id) }
}

// entries reads the whole record and verifies it.
func entries(t testing.TB, s store.Store) []audit.Recorded {
	t.Helper()
	return mustGet(t, s, Record)
}

// said is what the entries say, without their places.
func said(all []audit.Recorded) (out []audit.Entry) {
	for _, r := range all {
		out = append(out, r.Entry)
	}
	return out
}
