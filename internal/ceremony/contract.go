// Package ceremony is the acts: what a holder can ask for, step by step at the
// hosted door or in one step at the native one: enroll, link, verify, change,
// reset, rebind, unfreeze. Each act is one value (Act): its steps and moves, the
// proofs that it takes, who may ask, its texts.
//
// It guarantees that a ceremony moves only along the table of moves, from the
// step that the store holds, in the transaction that leaves that step; that
// what was proved counts only in the browser that proved it; that no act sets or
// resets a PIN, binds a phone or ends a freeze on one factor alone (I-12;
// docs/RECOVERY.md has the table); and that a page shows nothing personal to a
// browser that does not go on with its ceremony. It trusts the engine (package
// authority) with every attempt, every PIN and every card, and the store with
// durability. It knows no HTTP and no templates.
//
// Start here: act.go, then step.go, which moves a ceremony. docs/ARCHITECTURE.md
// draws the state machine.
package ceremony

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
)

// Push is a channel's pushed request for a ceremony at the hosted door. The
// same business number again, with the same subject, action and purpose,
// continues the ceremony: with fresh evidence, or after a lost answer.
type Push struct {
	BusinessNo liuma.BusinessNo
	Action     liuma.Action     // enroll, link, verify, change, reset, rebind or unfreeze
	Subject    envelope.Subject // Card, or ID number and name (and phone to enroll)
	Region     liuma.Region
	Purpose    string // as shown to the holder, 1 to 60 characters
	Challenge  string // that Evidence is bound to; empty without evidence
	Evidence   string
	Return     Return
}

// Return is where and how a ceremony goes back to its channel (OAuth 2.0 with
// PKCE and OIDC): values of the pushed request, kept sealed.
type Return struct {
	RedirectURI   string
	State         string
	Nonce         string
	CodeChallenge string // S256
}

// Pushed answers a Push.
type Pushed struct {
	RequestURI string // urn:ietf:params:oauth:request_uri:…, good until the first post, at most 90 s
	Expires    time.Time
}

// Step is where a ceremony is.
type Step string

// The steps. Each page shows one; the moves between them are in moves.go and in
// the acts.
const (
	StepConfirm Step = "confirm" // enroll, link: who asks, for what, about whom; the holder agrees
	StepPIN     Step = "pin"     // the pad: current PIN, new PIN, or old and new
	// StepCode takes a code that was sent to a phone: SendCode, GiveCode.
	StepCode Step = "code"
	// StepEvidence waits for evidence: the holder goes back to the channel by
	// WayBack (error evidence_required, with a challenge), and the ceremony goes
	// on under a new push that carries it.
	StepEvidence Step = "evidence"
	// StepPhone, of a rebind, takes the number to bind: GivePhone.
	StepPhone Step = "phone"
	// StepReset is the end of a ceremony that turned to a reset which
	// succeeded, and that has nothing left to do: the channel starts again.
	StepReset   Step = "reset"
	StepDone    Step = "done"    // it succeeded; the holder goes back with a code
	StepRefused Step = "refused" // locked, blocked, frozen, cancelled …: Page.Code says which
	StepExpired Step = "expired"
	StepLeft    Step = "left" // the holder called it off
)

// Hand is what a browser holds to move a ceremony: the secret of its cookie,
// or, before the first post, the address of the pushed request.
type Hand struct {
	Secret     string
	RequestURI string
	// Device is the secret of this browser's device cookie, or empty. It goes
	// with every look and move: guesses of a known device have their own lane.
	Device string
	// Language is that of the page, for texts to the phone: "zh-CN" or "en".
	Language string
}

// Page is all that a holder page may show of a ceremony.
type Page struct {
	ID                                              string
	Step                                            Step
	Action                                          liuma.Action // that it is at: reset after Forgot
	Began                                           liuma.Action // that the channel asked for
	Channel                                         liuma.ChannelID
	ChannelName                                     liuma.Text // as registered
	Purpose                                         string
	BusinessNo                                      liuma.BusinessNo
	Region                                          liuma.Region
	NameMasked, IDMasked, PhoneMasked, CardNoMasked string // empty where they may not be shown

	// The pad's part, at StepPIN: the seal key and, per role, the bytes that an
	// envelope is bound to. Try goes back with the envelopes.
	SealKeyID  string
	SealKey    []byte
	AAD        map[liuma.Role][]byte
	Try        int
	Passphrase bool

	// The code's part, at StepCode, and at StepDone of a verify whose phone can
	// be confirmed. PhoneMasked is then where codes go; Code says why the last
	// one was not sent or not right, Until how long that holds.
	CodeSentAt time.Time // of the code that is open, or zero
	ResendAt   time.Time // from when another may be sent; zero for now
	CodesLeft  int       // wrong codes before no more are taken

	// CardNoAllowed says at StepEvidence that the number of the physical card
	// may be given in place of evidence: GiveCardNo.
	CardNoAllowed bool

	// ResetRefused says, after Forgot, why the PIN cannot be set anew online,
	// and ResetRefusedUntil until when, if that ends by itself.
	ResetRefused      liuma.Code
	ResetRefusedUntil time.Time
	// WasReset says at the pad that the PIN was just set anew: the new one is
	// asked for now.
	WasReset bool

	// CanRemember says, after Forgot, that there is a pad to go back to: Remember.
	CanRemember bool
	// EveryUse says at StepDone whether the bound phone is told of every use;
	// nil where there is no phone to tell: NoticeEveryUse.
	EveryUse *bool

	// DeviceOffer says at StepDone that this browser gave a right PIN, or set
	// one, and a code, and may so be made a known device: KnowDevice.
	// DeviceKnown says that it is one; set its cookie anew then, for its life
	// counts from the last right PIN. Device is the secret to set as that
	// cookie, after KnowDevice; else empty.
	DeviceOffer bool
	DeviceKnown bool
	Device      string
	// LaneClosed says, where the channel is linked, that so many wrong PINs came
	// from unknown devices that only known ones go on. At StepRefused (Code is
	// blocked): a known device reopens it, or a reset. At StepPIN, in a known
	// device: it may be reopened with a right PIN, by Given.Reopen.
	LaneClosed bool

	// RemindChange says at StepDone that the PIN is so old that the holder
	// should choose a new one.
	RemindChange bool

	// What the last move came to. Code is empty at the first look, and
	// TriesLeft is there at the pad from the first look on where the channel is
	// linked and the current PIN is asked for. Code is locked or blocked after
	// a wrong PIN that left no more tries: Verdict is then wrong.
	Verdict   liuma.Verdict
	Code      liuma.Code
	Reason    string     // PIN rule, with weak_pin
	Sentence  liuma.Text // that explains Reason
	TriesLeft *int
	Until     time.Time

	Expires time.Time
	// Bound is the secret to set as the ceremony's cookie, after the move that
	// bound the ceremony to this browser; else empty.
	Bound string
	// Elsewhere says that another browser goes on with this ceremony.
	Elsewhere bool
}

// Way is the way back to the channel: the redirect URI with code or error,
// state and iss.
type Way struct{ URL string }

// Given is what the pad sends: the envelopes of one try.
type Given struct {
	Try               int
	Current, Old, New *envelope.Envelope
	// Reopen asks that a right PIN let unknown devices guess again. It counts
	// only in a known device.
	Reopen bool
}

// Grant is what a code is redeemed for: the claims of the ID token.
type Grant struct {
	Handle      store.Handle // sub: pairwise
	BusinessNo  liuma.BusinessNo
	Action      liuma.Action
	PurposeHash [32]byte
	ACR         string
	AMR         []string
	Nonce       string
	At          time.Time // auth_time
	Expires     time.Time
}
