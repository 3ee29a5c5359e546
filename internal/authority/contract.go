// Package authority is the engine under every act on a PIN: it makes attempts, sets
// PINs, keeps requests by their business numbers, and manages cards, their standing,
// freezes, bound phones and notices. The acts (package ceremony) decide which proofs
// a holder gives, in which order and on which page; the engine calls them through
// Hooks.
//
// It guarantees that every door reaches the same card by the same path (I-4), that a
// business number makes at most one attempt (I-11), that a PIN is set whole or not at
// all (I-7), that a receipt is redeemed only while nothing changed (I-10), that right
// and wrong rest on a durable row (I-9), and that a PIN which is being tried on many
// cards is counted for no stranger. It trusts the store with durability and
// checks every PIN-related value of the store by its MAC. Fewer than t keepers can do
// no harm: it trusts them with nothing. It knows no HTTP, no SQL, no pages and no
// steps.
//
// Start here: Attempt in attempt.go, then the four steps of an intent in intent.go.
// docs/ARCHITECTURE.md follows one attempt from the thumb to the verdict;
// docs/INVARIANTS.md lists the rules by number.
package authority

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
)

// Challenge is the value that envelopes and evidence are bound to, with the key
// that the device seals to.
type Challenge struct {
	Value     string
	Expires   time.Time
	SealKeyID string
	SealKey   []byte // 65 bytes, uncompressed P-256
}

// Request is a client's request, the same type for every act. An act documents
// which members it reads.
type Request struct {
	BusinessNo liuma.BusinessNo
	// Subject is the holder as the request names them: by Card (a handle) where the
	// channel is linked; by name and ID number, and phone to enroll, where it is not
	// linked yet.
	Subject   envelope.Subject
	Region    liuma.Region
	Purpose   liuma.Purpose // as shown to the holder
	Challenge string        // the value that envelopes and evidence are bound to
	Evidence  string        // JWT of a registered provider, or empty
	// Replaces, for a link, is the handle in this channel that the new link replaces,
	// or empty.
	Replaces store.Handle
	// Current is the PIN to check. A change has Old and New, an enrolment New
	// alone. A missing envelope is refused when it is opened.
	Current, Old, New envelope.Envelope
	// ConsentVersion, for an enrolment, is the version of the text that the holder
	// agreed to on the channel's own page, or empty.
	ConsentVersion string
	Digest         [32]byte // of the whole request but the client's token
}

// PhysicalRequest reports what happened to a physical card; a registry client
// sends it.
type PhysicalRequest struct {
	BusinessNo liuma.BusinessNo
	IDNumber   string
	CardNo     string
	Event      PhysicalEvent
	ReplacedBy string // new card number, with PhysicalReplaced
	Digest     [32]byte
}

// PhysicalEvent names what happened to a physical card.
type PhysicalEvent string

// The events. Found undoes lost; a cancelled card stays so unless replaced.
const (
	PhysicalLost      PhysicalEvent = "lost"
	PhysicalFound     PhysicalEvent = "found"
	PhysicalCancelled PhysicalEvent = "cancelled"
	PhysicalReplaced  PhysicalEvent = "replaced"
)

// Verification is a request by its business number, as its channel may see it.
// A repetition of the same request gets the same Verification. A verdict other
// than right is an answer, not an error: Verdict wrong comes with TriesLeft and
// Code. A request that was refused before any attempt (weak PIN, bad envelope,
// busy) gives a *liuma.Error, and leaves the business number free.
type Verification struct {
	BusinessNo liuma.BusinessNo
	Action     liuma.Action
	State      string        // one of the states in request.go
	Verdict    liuma.Verdict // empty while undecided, and for a channel without a link
	Code       liuma.Code    // why it is not a success, or empty
	Card       store.Handle
	TriesLeft  *int
	Until      time.Time
	At         time.Time // of the verdict, or of the request while undecided
	Receipt    string    // of a right verdict, while it can still be redeemed
	ReceiptEnd time.Time
	Redeemed   bool
	ACR        string // of a right verdict: what was proved
	PINAge     *int   // of a right verdict: whole days since the PIN was set
	PhoneAge   *int   // whole days since the phone was bound; nil: no phone was bound
	// Repeated says that this answers a repetition, which an earlier request decided.
	Repeated bool
}

// CardView is a card as a linked channel may see it: nothing personal.
type CardView struct {
	Card       store.Handle
	Standing   liuma.Standing
	PINSetAt   time.Time
	PINAge     time.Duration
	RemindAt   time.Time // when the holder should be asked to choose a new PIN
	LinkedAt   time.Time
	Region     liuma.Region
	NameMasked string
}

// PhysicalView answers a PhysicalRequest.
type PhysicalView struct {
	Physical liuma.PhysicalStatus
	HasCard  bool // an electronic card exists
	Standing liuma.Standing
}
