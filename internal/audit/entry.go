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
	"strings"
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
	EvidenceProved     Event = "evidence.proved"
	LossReported       Event = "loss.reported"
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
	NoticesNamed       Event = "notices.named"   // a holder without a phone named somebody for notices
	NoticesEnded       Event = "notices.ended"   // nobody any more
	MessageTried       Event = "message.tried"   // messages were taken up, or one failed and will be tried again
	MessageSent        Event = "message.sent"    // a gateway took it
	MessageDelivered   Event = "message.delivered"
	MessageDead        Event = "message.dead"    // given up
	MessageDropped     Event = "message.dropped" // one that was given up was deleted by a member of staff
	LetterPrinted      Event = "letter.printed"  // a batch of letters was given out to be printed, or its file was written
	LetterPosted       Event = "letter.posted"
	LetterReturned     Event = "letter.returned" // it did not reach its person
	RowRefused         Event = "row.refused"     // a row of the database was altered; the note names its table
	RowsPruned         Event = "rows.pruned"     // rows that ended or expired long ago were dropped
	PhysicalTried      Event = "physical.tried"  // a registry client reported on a card that nobody here has
	PhysicalChanged    Event = "physical.changed"
	RegistryImported   Event = "registry.imported"
	PersonChanged      Event = "person.changed"       // the registry changed what it says of a card's holder; the note names what
	AgencyImported     Event = "agency.imported"      // agencies came into the directory or say otherwise; the note names them, what changed, and telephone numbers
	ConflictKept       Event = "conflict.kept"        // an operator decided whose number it is: the registered person's
	ConflictReplaced   Event = "conflict.replaced"    // or that of a row that was imported
	CorrectionTried    Event = "correction.tried"     // of an ID number; refused
	CorrectionReceived Event = "correction.received"  // a registry client or an operator brought it
	CorrectionOpened   Event = "correction.opened"    // the notice to the holder is queued
	CorrectionTold     Event = "correction.told"      // a gateway took it, and the 72 hours run
	CorrectionHastened Event = "correction.hastened"  // two members of staff shortened the 72 hours; or untold: they run on
	CorrectionBegun    Event = "correction.begun"     // keepers are asked to move the card
	CorrectionDone     Event = "correction.done"      // person and card have the new number
	CorrectionSettled  Event = "correction.settled"   // every keeper has it
	CorrectionUndone   Event = "correction.undone"    // keepers refused it; the card is put back
	CorrectionStopped  Event = "correction.stopped"   // by a freeze, or because it cannot be carried out; the note says why
	CorrectionEnded    Event = "correction.cancelled" // by an operator
	CorrectionGoesOn   Event = "correction.decided"   // an operator lets one go on whose holder could not be told
	PersonShown        Event = "person.shown"         // what is held about a person was written out for that person
	PersonSought       Event = "person.sought"        // a member of staff looked for the card of a person
	PersonTold         Event = "person.told"          // the bound phone is told of that
	PersonErased       Event = "person.erased"        // what is held about a person was erased
	CardRetired        Event = "card.retired"         // keepers stop a card for good, before its person is erased; begun, then ok
	ChannelRegistered  Event = "channel.registered"
	ProviderRegistered Event = "provider.registered"
	SealKeyMade        Event = "sealkey.made"
	SealKeyDestroyed   Event = "sealkey.destroyed"
	SealKeyAsked       Event = "sealkey.asked"   // an authority has no wrap of it, and asks the others
	SealKeyShared      Event = "sealkey.shared"  // one that opens it wrapped it for those that asked
	SealKeyLost        Event = "sealkey.lost"    // an authority cannot open it, and no other gave it
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
	AuthorityJoined    Event = "authority.joined" // serves beside others on the same database
	AuthorityLeft      Event = "authority.left"
	AuthorityEnded     Event = "authority.ended"     // it was gone, and another one ended it
	AuthorityConfirmed Event = "authority.confirmed" // another's identity, by a person's word: keys are handed to it
	AuthorityDismissed Event = "authority.dismissed"
	KeysGiven          Event = "keys.given"         // handed to all authorities; the note says which edition, and what is new in it
	KeysRefused        Event = "keys.refused"       // an authority cannot take what was handed to it
	ProposalMade       Event = "proposal.made"      // an act that takes two members of staff was proposed; the note has kind and hash
	ProposalApproved   Event = "proposal.approved"  // by another member, who is named
	ProposalWithdrawn  Event = "proposal.withdrawn" // by either
	StaffBegun         Event = "staff.begun"        // the first operator and security officer were invited, or one in place of all that are gone
	StaffJoined        Event = "staff.joined"       // an invitation was accepted
	StaffSuspended     Event = "staff.suspended"
	PasskeyRefused     Event = "passkey.refused" // its count went back: there may be a copy
	PasskeyTouched     Event = "passkey.touched" // again, by who is signed in, before an act that takes two
	TicketAsked        Event = "ticket.asked"    // a clerk asked for one, and a supervisor is to look
	TicketOpened       Event = "ticket.opened"   // its minutes run: at once, or approved by the supervisor who is the actor
	TicketHanded       Event = "ticket.handed"   // its code was shown to the clerk, or it was sent to a desk pad
	TicketTaken        Event = "ticket.taken"    // a browser goes on with it
	TicketEnded        Event = "ticket.ended"    // the outcome says how; one that was used ends with the entry of what it was used for
	TicketRefused      Event = "ticket.refused"  // a clerk asked for more than a day allows
	CardClosing        Event = "card.closing"    // by a supervisor's approval; "stopped": by a freeze since
	TicketReviewed     Event = "ticket.reviewed" // by a security officer
	PadPaired          Event = "pad.paired"      // with a clerk's desk
	PadUnpaired        Event = "pad.unpaired"
	SessionBegun       Event = "session.begun"
	SessionEnded       Event = "session.ended"
)

// Entry describes one change; the store gives it its place (Recorded). Entries
// hold no name, ID number, phone, card number or PIN: only identifiers that
// mean nothing outside the authority.
type Entry struct {
	At         time.Time // the authority's clock, UTC, milliseconds
	Actor      string    // "channel:zj-hrss", "registry:mohrss", "staff:wang-li", "system"
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

// noteChannel stands before a channel in the note of what a holder did.
const noteChannel = "channel="

// NoteThrough is the note that says through which channel a holder acted.
func NoteThrough(c liuma.ChannelID) string { return noteChannel + string(c) }

// Through is the channel that did it, or through which the holder did; empty: none, or
// the entry does not say.
func (e Entry) Through() liuma.ChannelID {
	if id, ok := strings.CutPrefix(e.Actor, "channel:"); ok {
		return liuma.ChannelID(id)
	}
	for word := range strings.FieldsSeq(e.Note) {
		if id, ok := strings.CutPrefix(word, noteChannel); ok && e.Actor == "holder" {
			return liuma.ChannelID(id)
		}
	}
	return ""
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
