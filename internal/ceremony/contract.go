// Package ceremony holds the acts that a holder can request. At the hosted door they go
// step by step: enroll, link, verify, change, reset, rebind, unfreeze. At the native door
// the first four are done in one request. A holder at a counter does acts with a ticket
// (package counter). Each act is one value (Act): its steps and moves, the proofs that it
// takes, who may request it, its messages.
//
// It guarantees that a ceremony moves only along the table of moves, from the step that
// the store holds, in the transaction that leaves that step; that a proof counts only in
// the browser that gave it; that no act sets or resets a PIN, binds a phone or ends a
// freeze on one factor alone (I-12; docs/RECOVERY.md has the table); and that a page
// shows personal data only to the browser that goes on with its ceremony. It trusts the
// engine (package authority) with every attempt, every PIN and every card, and the store
// with durability. It knows no HTTP and no templates.
//
// Start here: act.go, then step.go, which moves a ceremony. docs/ARCHITECTURE.md draws
// the state machine.
package ceremony

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
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
	Purpose    liuma.Purpose // as shown to the holder
	Challenge  string        // the value that Evidence is bound to; empty without evidence
	Evidence   string
	// Replaces, for a link, is the handle in this channel that the new link replaces, or
	// empty.
	Replaces store.Handle
	// Alone asks that a verification be proved by evidence alone; the policy must name
	// the channel for that.
	Alone  bool
	Return Return
}

// Return holds the values with which a ceremony goes back to its channel (OAuth
// 2.0 with PKCE and OIDC). They come from the pushed request and are kept
// sealed.
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

// Step is a step of a ceremony.
type Step string

// The steps. Each has one page. moves.go and the acts define the moves between them.
const (
	StepConfirm Step = "confirm" // who asks, for what, about whom; the holder agrees
	// StepNumber is shown instead of StepConfirm while a ticket waits for its supervisor:
	// the page shows AtCounter.Number and takes no input. It is never stored.
	StepNumber Step = "number"
	StepPIN    Step = "pin" // the pad: current PIN, new PIN, or old and new
	// StepCode takes a one-time code that was sent to a phone: SendCode, GiveCode.
	StepCode Step = "code"
	// StepEvidence waits for evidence: the holder goes back to the channel by
	// WayBack (error evidence_required, with a challenge), and the ceremony goes
	// on under a new push that carries evidence.
	StepEvidence Step = "evidence"
	// StepCardNo takes the number of the physical card, where the region asks for it
	// beside the other proofs: GiveCardNo.
	StepCardNo Step = "card"
	// StepPhone takes the number to be bound, in a rebind or at a counter: GivePhone. If
	// the ticket allows it, the holder may go on without a phone: NoPhone.
	StepPhone Step = "phone"
	// StepReset ends a ceremony after a successful reset if nothing is left to do for its
	// channel: the channel starts a new ceremony.
	StepReset   Step = "reset"
	StepDone    Step = "done"    // it succeeded; the holder goes back with an authorization code
	StepRefused Step = "refused" // locked, blocked, frozen, cancelled …: Page.Code says which
	StepExpired Step = "expired"
	StepLeft    Step = "left" // the holder called it off
)

// Hand holds the values by which a browser may look at a ceremony or go on with
// it: the secret of its cookie or, before the first post, the address of the
// pushed request.
type Hand struct {
	Secret     string
	RequestURI string
	// Language is the language of the page, for messages to the phone: "zh-CN" or
	// "en".
	Language string
	// Form is Page.Form of the page whose form was posted, or empty. The same form
	// with the same content counts once, however often it is posted.
	Form string
	// Consent is the hash of the text that the page showed above its button, as
	// Page.ConsentHash gave it; empty where it showed none.
	Consent string
	// Press names the browser in which the code of a ticket was typed, before any
	// ceremony began there. So pressing the button twice does not look like a second
	// browser. It may be empty.
	Press string
	// Source is the address that the code of a ticket came from, in one spelling; empty
	// if it is not known.
	Source string
}

// Page holds everything that a holder page may show of a ceremony.
type Page struct {
	ID                                              string
	Step                                            Step
	Action                                          liuma.Action // the act that the ceremony is doing: reset after Forgot
	Began                                           liuma.Action // the act that the channel requested
	Channel                                         liuma.ChannelID
	ChannelName                                     liuma.Text // as registered
	Purpose                                         liuma.Purpose
	BusinessNo                                      liuma.BusinessNo
	Region                                          liuma.Region
	Home                                            liuma.Region       // of the card, where the page knows whose it is
	NameMasked, IDMasked, PhoneMasked, CardNoMasked string             // empty where they may not be shown
	Document                                        liuma.DocumentType // of IDMasked

	// Consent is the text that the holder agrees to with Agree; nil: none. ConsentHash
	// comes back in Hand.Consent.
	Consent     *consent.Text
	ConsentHash string
	// Alone says that the service is proved by evidence alone: no PIN is asked for.
	Alone bool
	// Hotline is the number that the region's policy names; empty: the configured one.
	Hotline string
	// Texts are the texts of the region's own that pages show.
	Texts policy.Texts
	// Steps are the variants of acts that the ceremony began with, so that a page can
	// say what an act will ask for.
	Steps policy.Steps

	// For the pad, at StepPIN: the seal key and, per role, the bytes that an
	// envelope is bound to. The page sends Try back with the envelopes.
	SealKeyID string
	SealKey   []byte
	AAD       map[liuma.Role][]byte
	Try       int
	Words     Words
	List      pin.List // of the PINs that may not be set

	// For one-time codes, at StepCode, and at StepDone of a verify whose phone can be
	// confirmed. PhoneMasked is then the number that the codes go to. Code says why the
	// last code was not sent or not right, and Until when that ends.
	CodeSentAt time.Time     // of the open one-time code, or zero
	CodeBy     liuma.CodeWay // how it was sent
	ResendAt   time.Time     // when another may be sent; zero: now
	CodesLeft  int           // how many more wrong codes are taken
	// Ways are the ways in which this holder may have a code sent now: SendCode takes one
	// of them.
	Ways []CodeOffer
	// CodeToBound says, in a rebinding with a ticket or at a counter, that the code goes
	// to the phone that is bound now; the code to the new number comes after it.
	CodeToBound bool

	// Counter is set at an act at a counter.
	Counter *AtCounter
	// TicketAllowed says at StepEvidence that the code of a counter's ticket may be given
	// in place of evidence: GiveTicket.
	TicketAllowed bool

	// CardNoAllowed says at StepEvidence that the number of the physical card
	// may be given in place of evidence: GiveCardNo.
	CardNoAllowed bool

	// ResetRefused says why the PIN could not be reset online now, on pages where the
	// holder may ask for Forgot; empty: a reset is possible at once. ResetRefusedUntil is
	// when that ends, if it ends by itself.
	ResetRefused      liuma.Code
	ResetRefusedUntil time.Time
	// WasReset says at the pad that the PIN was just reset: the holder types the
	// new one.
	WasReset bool

	// CanRemember says, after Forgot, that the holder may go back to the pad: Remember.
	CanRemember bool
	// EveryUse says at StepDone whether the bound phone gets a notice of every
	// use; nil if there is no bound phone: NoticeEveryUse.
	EveryUse *bool

	// LaneClosed says that the strangers' lane is closed by wrong PINs from
	// elsewhere, so that only known links, and guesses with evidence, go on. It is
	// set only where the channel is linked. At StepRefused (Code is blocked):
	// evidence or a reset helps. At StepPIN, through a known link: a right PIN with
	// Given.Reopen opens the lane again.
	LaneClosed bool

	// RemindChange says at StepDone that the PIN is so old that the holder
	// should choose a new one.
	RemindChange bool
	// PassphraseEnded says at StepDone that the PIN is a passphrase, which the card's
	// region no longer allows.
	PassphraseEnded bool

	// The outcome of the last move. Code is empty at the first look. TriesLeft is set
	// from the first look at the pad on, if the channel is linked and the pad asks for
	// the current PIN. Code is locked or blocked after a wrong PIN that left no more
	// tries: Verdict is then wrong.
	Verdict   liuma.Verdict
	Code      liuma.Code
	Reason    string     // PIN rule, with weak_pin
	Sentence  liuma.Text // explains Reason
	TriesLeft *int
	Until     time.Time

	// Form names this page in the forms that take or send a one-time code, a number
	// or a proof: Hand.Form.
	Form    string
	Expires time.Time
	// Bound is the secret to set as the ceremony's cookie, after the move that
	// bound the ceremony to this browser; else empty.
	Bound string
	// Elsewhere says that another browser goes on with this ceremony.
	Elsewhere bool
}

// CodeOffer is a way in which one-time codes are sent.
type CodeOffer struct {
	Way     liuma.CodeWay
	ReadyAt time.Time // when the next may be sent; zero: now
	Left    int       // how many more may be sent now; 0: none before ReadyAt
}

// Way is the way back to the channel: the redirect URI with authorization code
// or error, state and iss.
type Way struct{ URL string }

// Given holds what the pad sends: the envelopes of one try.
type Given struct {
	Try               int
	Current, Old, New *envelope.Envelope
	// Words says that the PINs were typed in fields for passphrases. The next page begins
	// with such fields too.
	Words bool
	// Reopen: a right PIN opens the strangers' lane again. It counts only through a
	// known link.
	Reopen bool
	// Source is the address that the form came from, in one spelling; empty if it
	// is not known.
	Source string
}

// Grant is what an authorization code is redeemed for: the claims of the ID
// token.
type Grant struct {
	Subject     string       // sub: pairwise, one for each card and channel; it opens nothing
	Card        store.Handle // of the link that the request used or made
	BusinessNo  liuma.BusinessNo
	Action      liuma.Action
	PurposeHash [32]byte
	ACR         string
	AMR         []string
	PINAge      int  // whole days since the PIN was set
	PhoneAge    *int // whole days since the phone was bound; nil: no phone is bound
	Nonce       string
	At          time.Time // auth_time
	Expires     time.Time
}
