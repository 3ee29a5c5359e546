// Package audit defines the append-only record of what the authority did: its entries,
// and the streams in which they follow one another. It guarantees that an entry is
// complete, and free of personal data because its members are identifiers and words
// from fixed lists, and that Verify finds an entry that was removed, altered or added,
// without any key. It trusts the store to write an entry and its stream's head in the
// transaction of the change that the entry describes (I-8), and never to change or
// delete an entry.
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
	FreezeTried        Event = "freeze.tried"  // a freeze code, or an ID number from a hotline, froze nothing
	RationSpent        Event = "ration.spent"  // a client was refused because its ration was used up; the outcome names the ration
	PINIntended        Event = "pin.intended"  // an intent reserved a version
	PINProposed        Event = "pin.proposed"  // its verifier was recorded
	PINSet             Event = "pin.set"       // the version became current
	PINAbandoned       Event = "pin.abandoned" // an intent ended without a commit
	PINSettled         Event = "pin.settled"   // every keeper acknowledged the version
	PINReset           Event = "pin.reset"     // a forgotten PIN was replaced and the new one became current
	AttemptBegun       Event = "attempt.begun"
	AttemptDecided     Event = "attempt.decided"
	AttemptUndecided   Event = "attempt.undecided"
	ReceiptRedeemed    Event = "receipt.redeemed"
	CeremonyPushed     Event = "ceremony.pushed"  // a channel pushed a ceremony
	CeremonyStepped    Event = "ceremony.stepped" // a ceremony moved to another step
	CeremonyEnded      Event = "ceremony.ended"
	AssertionUsed      Event = "assertion.used"   // a channel authenticated itself with a signed assertion, once
	VerdictNotReturned Event = "verdict.lost"     // a right verdict that no browser may return to the channel any more
	CodeRedeemed       Event = "code.redeemed"    // an authorization code became a receipt
	CodeRefused        Event = "code.refused"     // an authorization code came too late, or with another redirect or verifier
	CodeReplayed       Event = "code.replayed"    // an authorization code came a second time
	CodeSent           Event = "code.sent"        // a one-time code to a phone was put into the outbox
	CodesLimited       Event = "codes.limited"    // a channel has used up its budget of one-time codes
	CodesUnreturned    Event = "codes.unreturned" // hardly any one-time code of a channel is typed in
	CodeRight          Event = "code.right"
	CodeWrong          Event = "code.wrong"
	PhoneChanged       Event = "phone.changed"
	PhoneConfirmed     Event = "phone.confirmed" // the holder showed that they have the phone
	NoticesNamed       Event = "notices.named"   // a holder without a phone named a person to receive notices
	NoticesEnded       Event = "notices.ended"   // nobody receives the holder's notices any more
	MessageTried       Event = "message.tried"   // messages were taken from the queue to be sent, or sending one failed and will be tried again
	MessageSent        Event = "message.sent"    // a gateway accepted the message
	MessageDelivered   Event = "message.delivered"
	MessageDead        Event = "message.dead"    // sending the message was given up
	MessageDropped     Event = "message.dropped" // a member of staff deleted a message that had been given up
	LetterPrinted      Event = "letter.printed"  // a batch of letters was handed out for printing, or its file was written
	LetterPosted       Event = "letter.posted"
	LetterReturned     Event = "letter.returned" // a letter did not reach its person
	RowRefused         Event = "row.refused"     // a row of the database was altered; the note names its table
	RowsPruned         Event = "rows.pruned"     // rows that ended or expired long ago were deleted
	PhysicalTried      Event = "physical.tried"  // a registry client reported a physical card that no holder here has
	PhysicalChanged    Event = "physical.changed"
	RegistryImported   Event = "registry.imported"
	PersonChanged      Event = "person.changed"       // the registry changed facts about a card's holder; the note names which
	AgencyImported     Event = "agency.imported"      // agencies were added to the directory or changed; the note names them, what changed, and telephone numbers
	ConflictKept       Event = "conflict.kept"        // an operator decided whose number it is: the registered person's
	ConflictReplaced   Event = "conflict.replaced"    // an operator decided that the number belongs to an imported row's person
	CorrectionTried    Event = "correction.tried"     // a correction of an ID number was refused
	CorrectionReceived Event = "correction.received"  // a registry client or an operator reported a correction
	CorrectionOpened   Event = "correction.opened"    // the notice to the holder was queued
	CorrectionTold     Event = "correction.told"      // a gateway accepted the notice, and the 72 hours begin
	CorrectionHastened Event = "correction.hastened"  // two members of staff shortened the 72 hours; or, if the holder was not told, the hours continue
	CorrectionBegun    Event = "correction.begun"     // keepers are being asked to move the card
	CorrectionDone     Event = "correction.done"      // person and card have the new number
	CorrectionSettled  Event = "correction.settled"   // every keeper has the new number
	CorrectionUndone   Event = "correction.undone"    // keepers refused it; the card was changed back
	CorrectionStopped  Event = "correction.stopped"   // stopped by a freeze, or because it cannot be done; the note says why
	CorrectionEnded    Event = "correction.cancelled" // cancelled by an operator
	CorrectionGoesOn   Event = "correction.decided"   // an operator lets a correction continue although the holder could not be told
	PersonShown        Event = "person.shown"         // the data held about a person was written out for that person
	PersonSought       Event = "person.sought"        // a member of staff searched for a person's card
	PersonTold         Event = "person.told"          // the bound phone is told of that search
	PersonErased       Event = "person.erased"        // the data held about a person was erased
	CardRetired        Event = "card.retired"         // keepers stop a card for good, before its person is erased; begun, then ok
	ChannelRegistered  Event = "channel.registered"
	ProviderRegistered Event = "provider.registered"
	SealKeyMade        Event = "sealkey.made"
	SealKeyDestroyed   Event = "sealkey.destroyed"
	SealKeyAsked       Event = "sealkey.asked"   // an authority has no wrap of the seal key, and asks the others
	SealKeyShared      Event = "sealkey.shared"  // an authority that can open the seal key wrapped it for those that asked
	SealKeyLost        Event = "sealkey.lost"    // an authority cannot open the seal key, and no other authority gave it
	HeadsAccepted      Event = "heads.accepted"  // an operator accepted a restored database for good
	RootKeyMade        Event = "rootkey.made"    // a root key of the vault; outcome begun, ok or failed
	RootKeyDropped     Event = "rootkey.dropped" // the same outcomes as for RootKeyMade
	RowsResealed       Event = "rows.resealed"   // all rows were sealed again under another root key; begun, then ok
	EvidencePruned     Event = "evidence.pruned" // rows of evidence that is too old to be accepted were deleted
	KeeperSeen         Event = "keeper.seen"     // the highest sequence seen from a keeper was saved
	KeeperAlarm        Event = "keeper.alarm"
	KeeperRepaired     Event = "keeper.repaired"  // repaired from the other keepers; outcome begun, ok or failed
	GuardAlarm         Event = "guard.alarm"      // guesses look like a spray; the outcome says in which way
	RecordDigested     Event = "record.digested"  // a signed digest of the record was made
	RecordFault        Event = "record.fault"     // entries or digests differ from what was written
	RecordArchived     Event = "record.archived"  // an archive was written and read back
	RecordDropped      Event = "record.dropped"   // entries that an archive holds leave the database; begun, then ok
	CardAdopted        Event = "card.adopted"     // a card that only keepers knew was added to the database, frozen
	CardHeadRaised     Event = "head.raised"      // an operator raised a restored row to the keepers' head
	RestoreAccepted    Event = "restore.accepted" // the same for a whole database
	ClockBehind        Event = "clock.behind"
	ClockAccepted      Event = "clock.accepted"
	ClockWitnessed     Event = "clock.witnessed"
	AuthorityJoined    Event = "authority.joined" // an authority serves beside others on the same database
	AuthorityLeft      Event = "authority.left"
	AuthorityEnded     Event = "authority.ended"     // an authority was gone, and another one ended it
	AuthorityConfirmed Event = "authority.confirmed" // a person confirmed another authority's identity: it gets the keys
	AuthorityDismissed Event = "authority.dismissed"
	KeysGiven          Event = "keys.given"         // given to all authorities; the note has the edition and what is new in it
	KeysRefused        Event = "keys.refused"       // an authority cannot take the keys that were given to it
	ProposalMade       Event = "proposal.made"      // an act that takes two members of staff was proposed; the note has its kind and hash
	ProposalApproved   Event = "proposal.approved"  // approved by another member, who is named
	ProposalWithdrawn  Event = "proposal.withdrawn" // withdrawn by either member
	StaffBegun         Event = "staff.begun"        // the first operator and security officer were invited, or a new one after all were gone
	StaffJoined        Event = "staff.joined"       // an invitation was accepted
	StaffSuspended     Event = "staff.suspended"
	PasskeyRefused     Event = "passkey.refused" // its signature counter went back: there may be a copy
	PasskeyTouched     Event = "passkey.touched" // used again by a member who is already signed in, before an act that takes two
	TicketAsked        Event = "ticket.asked"    // a clerk asked for a ticket, and a supervisor must look at it
	TicketOpened       Event = "ticket.opened"   // its time runs: at once, or after approval by the supervisor who is the actor
	TicketHanded       Event = "ticket.handed"   // its code was shown to the clerk, or it was sent to a desk pad
	TicketTaken        Event = "ticket.taken"    // a browser continues with it
	TicketEnded        Event = "ticket.ended"    // the outcome says how; a used ticket ends with the entry of the act that used it
	TicketRefused      Event = "ticket.refused"  // a clerk asked for more tickets than a day allows
	CardClosing        Event = "card.closing"    // by a supervisor's approval; "stopped" if a freeze came afterwards
	TicketReviewed     Event = "ticket.reviewed" // reviewed by a security officer
	PadPaired          Event = "pad.paired"      // paired with a clerk's desk
	PadUnpaired        Event = "pad.unpaired"
	SessionBegun       Event = "session.begun"
	SessionEnded       Event = "session.ended"
)

// Entry describes one change; the store gives it its place (Recorded). Entries hold no
// name, ID number, phone, card number or PIN, but only identifiers that mean nothing
// outside the authority.
type Entry struct {
	At         time.Time // the authority's clock, UTC, milliseconds
	Actor      string    // "channel:zj-hrss", "registry:mohrss", "staff:wang-li", "system"
	Event      Event
	Card       liuma.CardID // zero if no card is concerned; determines the entry's stream
	BusinessNo liuma.BusinessNo
	Outcome    string // a verdict, an error code or "ok"
	Note       string // a word or number from a fixed list, e.g. "version=3"; may end with an operator's Reason
}

// StreamOf returns the stream that an entry belongs to: its card's or, without a card,
// that of the process that writes it.
func StreamOf(e Entry, process ProcessID) Stream {
	if e.Card.IsZero() {
		return process.Stream()
	}
	return CardStream(e.Card)
}

// noteChannel is the prefix of the channel in the note of a holder's act.
const noteChannel = "channel="

// NoteThrough returns the note that names the channel through which a holder acted.
func NoteThrough(c liuma.ChannelID) string { return noteChannel + string(c) }

// Through returns the channel that did the act, or through which the holder did it;
// empty if there is none or the entry does not say.
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
