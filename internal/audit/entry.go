// Package audit defines the append-only record of what the authority did: its
// entries, and the streams in which they follow one another. It guarantees that
// an entry is complete and free of personal data by construction (its members
// are identifiers and words from fixed lists), and that Verify finds an entry
// that was removed, altered or added, without any key. It trusts the store to
// write an entry and its stream's head in the transaction of the change that
// the entry describes (I-8), and never to change or delete one.
//
// Start here: Entry, then Recorded and Verify.
package audit

import (
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
)

// Event names what happened, as noun.verb.
type Event string

// The events. Each has a row in docs/OPERATIONS.md.
const (
	CardEnrolled       Event = "card.enrolled"
	CardLinked         Event = "card.linked"
	CardUnlinked       Event = "card.unlinked" // a channel ended one of its links
	CardFrozen         Event = "card.frozen"
	CardUnfrozen       Event = "card.unfrozen"
	FreezeTried        Event = "freeze.tried"  // a freeze code, or a hotline's ID number, that froze nothing
	RationSpent        Event = "ration.spent"  // a client was refused what its ration does not allow; the outcome names what
	PINIntended        Event = "pin.intended"  // an intent reserved a version
	PINProposed        Event = "pin.proposed"  // its verifier was recorded
	PINSet             Event = "pin.set"       // the version became current
	PINAbandoned       Event = "pin.abandoned" // an intent ended without a commit
	PINSettled         Event = "pin.settled"   // every keeper acknowledged the version
	PINReset           Event = "pin.reset"     // a forgotten PIN was set anew and became current
	AttemptBegun       Event = "attempt.begun"
	AttemptDecided     Event = "attempt.decided"
	AttemptUndecided   Event = "attempt.undecided"
	ReceiptRedeemed    Event = "receipt.redeemed"
	CeremonyPushed     Event = "ceremony.pushed"  // a channel pushed it
	CeremonyStepped    Event = "ceremony.stepped" // it went on to another step
	CeremonyEnded      Event = "ceremony.ended"
	AssertionUsed      Event = "assertion.used"   // a channel authenticated itself with a signed assertion, once
	VerdictNotReturned Event = "verdict.lost"     // a right verdict that no browser may take back to the channel
	CodeRedeemed       Event = "code.redeemed"    // an authorization code became a receipt
	CodeRefused        Event = "code.refused"     // an authorization code came late, or with another redirect or verifier
	CodeReplayed       Event = "code.replayed"    // an authorization code came a second time
	CodeSent           Event = "code.sent"        // a one-time code to a phone was put into the outbox
	CodesLimited       Event = "codes.limited"    // a channel has used up its budget of one-time codes
	CodesUnreturned    Event = "codes.unreturned" // hardly any one-time code of a channel is typed in
	CodeRight          Event = "code.right"
	CodeWrong          Event = "code.wrong"
	PhoneChanged       Event = "phone.changed"
	PhoneConfirmed     Event = "phone.confirmed" // its holder was seen to have the phone
	MessageTried       Event = "message.tried"   // messages were taken up, or one failed and will be tried again
	MessageSent        Event = "message.sent"    // a gateway took it
	MessageDelivered   Event = "message.delivered"
	MessageDead        Event = "message.dead"   // given up
	RowRefused         Event = "row.refused"    // a row of the database was altered; the note names its table
	RowsPruned         Event = "rows.pruned"    // rows that ended or expired long ago were dropped
	PhysicalTried      Event = "physical.tried" // a registry client reported on a card that nobody here has
	PhysicalChanged    Event = "physical.changed"
	RegistryImported   Event = "registry.imported"
	PersonChanged      Event = "person.changed"    // the registry changed what it says of a card's holder; the note names what
	ConflictKept       Event = "conflict.kept"     // an operator decided whose number it is: the registered person's
	ConflictReplaced   Event = "conflict.replaced" // or that of a row that was imported
	ChannelRegistered  Event = "channel.registered"
	ProviderRegistered Event = "provider.registered"
	SealKeyMade        Event = "sealkey.made"
	SealKeyDestroyed   Event = "sealkey.destroyed"
	HeadsAccepted      Event = "heads.accepted"  // an operator took a restored database for good
	RootKeyMade        Event = "rootkey.made"    // of the vault; outcome begun, ok or failed
	RootKeyDropped     Event = "rootkey.dropped" // the same outcomes
	RowsResealed       Event = "rows.resealed"   // all rows were sealed anew under another root key; begun, then ok
	EvidencePruned     Event = "evidence.pruned" // rows of evidence too old to be accepted were dropped
	KeeperSeen         Event = "keeper.seen"     // the highest sequence seen from a keeper was saved
	KeeperAlarm        Event = "keeper.alarm"
	KeeperRepaired     Event = "keeper.repaired"  // from the others; outcome begun, ok or failed
	GuardAlarm         Event = "guard.alarm"      // guesses look like a spray; the outcome says how
	RecordDigested     Event = "record.digested"  // a signed digest of the record was made
	RecordFault        Event = "record.fault"     // entries or digests are not what was written
	RecordArchived     Event = "record.archived"  // an archive was written and read back
	RecordDropped      Event = "record.dropped"   // what an archive holds leaves the database; begun, then ok
	CardAdopted        Event = "card.adopted"     // a card that only keepers knew was taken in, frozen
	CardHeadRaised     Event = "head.raised"      // an operator brought a restored row up to the keepers
	RestoreAccepted    Event = "restore.accepted" // the same for a whole database
	ClockBehind        Event = "clock.behind"
	ClockAccepted      Event = "clock.accepted"
	ClockWitnessed     Event = "clock.witnessed"
)

// Entry describes one change; the store gives it its place (Recorded). Entries
// hold no name, ID number, phone, card number or PIN: only identifiers that
// mean nothing outside the authority.
type Entry struct {
	At         time.Time // the authority's clock, UTC, milliseconds
	Actor      string    // "channel:zj-hrss", "registry:mohrss", "operator", "system"
	Event      Event
	Card       liuma.CardID // zero where no card is concerned; says in which stream it stands
	BusinessNo liuma.BusinessNo
	Outcome    string // a verdict, an error code or "ok"
	Note       string // a word or number from a fixed list, e.g. "version=3"; perhaps an operator's Reason
}

// StreamOf is the stream that an entry belongs to: its card's or, without a
// card, that of the process that writes it.
func StreamOf(e Entry, process ProcessID) Stream {
	if e.Card.IsZero() {
		return process.Stream()
	}
	return CardStream(e.Card)
}

// Validate refuses an entry without time, actor, event or outcome.
func (e Entry) Validate() error {
	var errs []error
	if e.At.IsZero() {
		errs = append(errs, errors.New("no time"))
	}
	if e.Actor == "" {
		errs = append(errs, errors.New("no actor"))
	}
	if e.Event == "" {
		errs = append(errs, errors.New("no event"))
	}
	if e.Outcome == "" {
		errs = append(errs, errors.New("no outcome"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("audit entry: %w", err)
	}
	return nil
}
