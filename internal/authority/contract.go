// Package authority is the ceremonies: enroll, link, verify, change, reset,
// rebind, freeze, unfreeze, and what the registry says of the physical card.
// It guarantees that every door reaches the same card by the same path (I-4),
// that a business number makes at most one attempt (I-11), that a PIN is set
// whole or not at all (I-7), that a receipt is redeemed only while nothing
// changed (I-10), and that nothing here sets or resets a PIN, binds a phone or
// unfreezes a card on one factor alone (I-12; docs/RECOVERY.md). It trusts the
// store with durability, checks what the store says about a PIN by its MAC,
// and trusts fewer than t keepers with nothing. It knows no HTTP and no SQL.
//
// DESIGN sections 1, 4 ("Setting a PIN"), 5 and 7.
package authority

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
)

// Caller is an authenticated client. Only the door that checked its signature
// makes one.
type Caller struct{ Client store.Client }

// Challenge is what an envelope and evidence are bound to, and the key that
// the device seals to.
type Challenge struct {
	Value     string
	Expires   time.Time
	SealKeyID string
	SealKey   []byte // 65 bytes, uncompressed P-256
}

// EnrollRequest asks for an electronic card with its first PIN. Subject has
// name, ID number and phone, as sent.
type EnrollRequest struct {
	BusinessNo liuma.BusinessNo
	Subject    envelope.Subject
	Region     liuma.Region
	Purpose    string
	Challenge  string
	Evidence   string // JWT of a registered provider
	New        envelope.Envelope
	Digest     [32]byte // of all that was sent, but the caller's token
	hosted     *hosted  // set by a ceremony of the hosted door, else nil
}

// LinkRequest asks for the holder's card in one more channel, by its PIN.
// Subject has name and ID number.
type LinkRequest struct {
	BusinessNo liuma.BusinessNo
	Subject    envelope.Subject
	Region     liuma.Region
	Purpose    string
	Challenge  string
	PIN        envelope.Envelope
	Digest     [32]byte
	hosted     *hosted // set by a ceremony of the hosted door, else nil
}

// VerifyRequest asks whether a PIN is right. Subject has Card, a handle; a
// subject given by ID number is a caller without a link, and is refused as one.
type VerifyRequest struct {
	BusinessNo liuma.BusinessNo
	Subject    envelope.Subject
	Region     liuma.Region
	Purpose    string
	Challenge  string
	Evidence   string // optional; required while the physical card is lost
	PIN        envelope.Envelope
	Digest     [32]byte
	hosted     *hosted // set by a ceremony of the hosted door, else nil
}

// ChangeRequest asks for a new PIN in place of the old.
type ChangeRequest struct {
	BusinessNo liuma.BusinessNo
	Subject    envelope.Subject // has Card
	Region     liuma.Region
	Purpose    string
	Challenge  string
	Evidence   string
	Old, New   envelope.Envelope
	Digest     [32]byte
	hosted     *hosted // set by a ceremony of the hosted door, else nil
}

// FreezeRequest stops a card in every channel. No channel can undo it.
type FreezeRequest struct {
	BusinessNo liuma.BusinessNo
	Subject    envelope.Subject // has Card
	Region     liuma.Region
	Digest     [32]byte
}

// PhysicalRequest is the registry's word on a physical card.
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
// A repetition of the same request gets the same Verification.
type Verification struct {
	BusinessNo liuma.BusinessNo
	Action     liuma.Action
	State      string        // StateDecided, StatePending or StateUndecided
	Verdict    liuma.Verdict // empty while undecided, and for a caller without a link
	Code       liuma.Code    // why it is not a success, or empty
	Card       store.Handle
	TriesLeft  *int
	Until      time.Time
	At         time.Time // of the verdict, or of the request while undecided
	Receipt    string    // of a right verdict, while it can still be redeemed
	ReceiptEnd time.Time
	Redeemed   bool
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

// The methods that doors call, each in the file of its ceremony:
//
//	(*Authority) Challenge(ctx, Caller) (Challenge, error)
//	(*Authority) Enroll(ctx, Caller, EnrollRequest) (Verification, error)
//	(*Authority) Link(ctx, Caller, LinkRequest) (Verification, error)
//	(*Authority) Verify(ctx, Caller, VerifyRequest) (Verification, error)
//	(*Authority) Change(ctx, Caller, ChangeRequest) (Verification, error)
//	(*Authority) Freeze(ctx, Caller, FreezeRequest) (Verification, error)
//	(*Authority) FreezeByHotline(ctx, Caller, HotlineFreeze) (Verification, error)
//	(*Authority) SetPhysical(ctx, Caller, PhysicalRequest) (PhysicalView, error)
//	(*Authority) Verification(ctx, Caller, liuma.BusinessNo) (Verification, error)
//	(*Authority) Card(ctx, Caller, store.Handle) (CardView, error)
//	(*Authority) Redeem(ctx, Caller, receipt string) (Verification, error)
//	(*Authority) ReceiptKeys() jose.JSONWebKeySet
//	(*Authority) Client(ctx, id string) (store.Client, error)
//	(*Authority) Ready(ctx) error
//
// A verdict other than right is an answer, not an error: Verify returns a
// Verification with Verdict wrong, TriesLeft and Code. What was refused before
// any attempt (weak PIN, bad envelope, busy) is a *liuma.Error, and leaves the
// business number free to be used again.
