package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
)

// Challenge holds the value that envelopes and evidence are bound to, for five
// minutes, and the key that the device seals to.
type Challenge struct {
	Value   string    `json:"challenge"`
	Expires time.Time `json:"expires"`
	SealKey SealKey   `json:"seal_key"`
}

// SealKey is the authority's current envelope key.
type SealKey struct {
	ID     string `json:"kid"`
	Public string `json:"public"` // uncompressed P-256 point, base64url
}

// EnrollRequest asks for an electronic card with its first PIN. Subject has
// IDNumber, Name and Phone.
type EnrollRequest struct {
	BusinessNo string  `json:"business_no"` // the channel's own, used once
	Subject    Subject `json:"subject"`
	Region     string  `json:"region,omitempty"` // GB/T 2260; empty: the nation
	Purpose    Purpose `json:"purpose"`          // as shown to the holder, 1 to 60 characters
	Challenge  string  `json:"challenge"`
	Evidence   string  `json:"evidence"` // JWT of a registered provider
	// ConsentVersion is the Version of the Consent that the holder agreed to on your
	// page; see Client.Consent.
	ConsentVersion string   `json:"consent_version,omitempty"`
	NewPIN         Envelope `json:"new_pin"`
}

// Consent is the text about their data that holders agree to.
type Consent struct {
	Version  string         `json:"version"`
	SHA256   string         `json:"sha256"`
	Required bool           `json:"required"` // an enrolment must name the version
	Short    ConsentWording `json:"short"`    // for the page, above the button that agrees
	Whole    ConsentWording `json:"whole"`
}

// ConsentWording are paragraphs in both languages.
type ConsentWording struct {
	ZH []string `json:"zh-CN"`
	EN []string `json:"en"`
}

// LinkRequest asks for the holder's card in this channel. Subject has IDNumber
// and Name.
type LinkRequest struct {
	BusinessNo string   `json:"business_no"`
	Subject    Subject  `json:"subject"`
	Region     string   `json:"region,omitempty"`
	Purpose    Purpose  `json:"purpose"`
	Challenge  string   `json:"challenge"`
	Evidence   string   `json:"evidence,omitempty"` // never demanded; with a right PIN it makes the link known at once
	Replaces   string   `json:"replaces,omitempty"` // handle that the new link takes the place of
	PIN        Envelope `json:"pin"`
}

// VerifyRequest asks whether a PIN is right. Subject has Card.
type VerifyRequest struct {
	BusinessNo string   `json:"business_no"`
	Subject    Subject  `json:"subject"`
	Region     string   `json:"region,omitempty"`
	Purpose    Purpose  `json:"purpose"`
	Challenge  string   `json:"challenge"`
	Evidence   string   `json:"evidence,omitempty"` // needed while the physical card is lost
	PIN        Envelope `json:"pin"`
}

// ChangeRequest asks for a new PIN in place of the old. Subject has Card.
type ChangeRequest struct {
	BusinessNo string   `json:"business_no"`
	Subject    Subject  `json:"subject"`
	Region     string   `json:"region,omitempty"`
	Purpose    Purpose  `json:"purpose"`
	Challenge  string   `json:"challenge"`
	Evidence   string   `json:"evidence,omitempty"` // needed while the physical card is lost or the link is not known
	OldPIN     Envelope `json:"old_pin"`
	NewPIN     Envelope `json:"new_pin"`
}

// FreezeRequest stops the card in every channel; no channel can undo it.
// Subject has Card.
type FreezeRequest struct {
	BusinessNo string  `json:"business_no"`
	Subject    Subject `json:"subject"`
	Region     string  `json:"region,omitempty"`
}

// HotlineFreezeRequest stops the card of a holder who called, in every
// channel, for good or for some days. Only a hotline's client may send it.
type HotlineFreezeRequest struct {
	BusinessNo string         `json:"business_no"`         // the hotline's own, of the call
	IDNumber   string         `json:"id_number,omitempty"` // of 18 characters; or Document
	Document   liuma.Document `json:"document,omitzero"`
}

// HotlineFreeze says that a card is frozen, and nothing else about it: the
// answer is the same for a card that was frozen before.
type HotlineFreeze struct {
	BusinessNo string    `json:"business_no"`
	At         time.Time `json:"at"`
}

// PhysicalRequest is the registry's report about a physical card. Event is lost,
// found, cancelled or replaced; the last has ReplacedBy, the new card number.
type PhysicalRequest struct {
	BusinessNo string         `json:"business_no"`
	IDNumber   string         `json:"id_number,omitempty"` // of 18 characters; or Document
	Document   liuma.Document `json:"document,omitzero"`
	CardNo     string         `json:"card_no"`
	Event      string         `json:"event"`
	ReplacedBy string         `json:"replaced_by,omitempty"`
}

// CorrectionRequest is the registry's report that a person's ID number was corrected
// to another. CardNo is the number of the person's present physical card.
type CorrectionRequest struct {
	BusinessNo     string         `json:"business_no"`
	FormerIDNumber string         `json:"former_id_number,omitempty"` // of 18 characters; or FormerDocument
	FormerDocument liuma.Document `json:"former_document,omitzero"`
	IDNumber       string         `json:"id_number,omitempty"` // of 18 characters; or Document
	Document       liuma.Document `json:"document,omitzero"`
	CardNo         string         `json:"card_no"`
}

// Correction answers a CorrectionRequest. State is waiting (the old number counts
// until Until, 72 hours after the holder was told; nil until the holder was told) or
// done (the new number counts).
type Correction struct {
	State   string     `json:"state"`
	Until   *time.Time `json:"until"`
	HasCard bool       `json:"has_card"` // an electronic card goes along
}

// Verification is the state and result of a request.
type Verification struct {
	BusinessNo string `json:"business_no"`
	Action     string `json:"action"`
	// State is decided; pending (under way, ask again); undecided (interrupted, and
	// final); or returning or done. The last two are for a hosted request with a right
	// verdict whose code was not redeemed: returning for verify and link, whose
	// verdict comes only with the code; done for every other act, which is carried
	// out. Neither of the two proves anything.
	State string `json:"state"`
	// Verdict is right, wrong, locked, blocked, suspended or unavailable, or empty if
	// nothing was attempted.
	Verdict string `json:"verdict"`
	// Code is the error code, empty on success. The sentences explain it in
	// both languages.
	Code       string     `json:"code"`
	TitleZH    string     `json:"title_zh"`
	TitleEN    string     `json:"title_en"`
	NextStepZH string     `json:"next_step_zh"`
	NextStepEN string     `json:"next_step_en"`
	Card       string     `json:"card"`       // handle of the card in this channel
	TriesLeft  *int       `json:"tries_left"` // wrong PINs that remain before a lock
	Until      *time.Time `json:"until"`      // when a lock ends by itself
	At         time.Time  `json:"at"`
	Receipt    string     `json:"receipt"` // of a right verdict of the native door, for 60 seconds
	ReceiptEnd *time.Time `json:"receipt_expires"`
	Redeemed   bool       `json:"redeemed"`
	// ACR says what a right verdict proves, as in receipts and ID tokens. Servers of
	// 0.1.0 leave it out; their verdicts are always about a PIN.
	ACR string `json:"acr"`
	// PINAge and PhoneAge belong to a right verdict: whole days since the PIN was set
	// and since the phone was bound. PhoneAge is nil if no phone is bound; both are
	// nil from a server of 0.1.0.
	PINAge   *int `json:"pin_age"`
	PhoneAge *int `json:"phone_age"`
}

// Right reports whether the PIN was right. Nothing else proves it, not even a verdict
// by evidence alone (ByEvidence).
func (v *Verification) Right() bool {
	return v.decidedRight() && (v.ACR == "" || strings.HasPrefix(v.ACR, ACRPIN))
}

// ByEvidence reports whether a service was proved by evidence alone, without the PIN,
// as a LogIn with ProofEvidence may ask for.
func (v *Verification) ByEvidence() bool { return v.decidedRight() && v.ACR == ACREvidence }

func (v *Verification) decidedRight() bool {
	return v != nil && v.State == "decided" && v.Verdict == "right" && v.Code == ""
}

// Card is a linked card. Standing is active, suspended (physical card lost:
// PIN and evidence together), frozen or cancelled (not at all).
type Card struct {
	Card       string     `json:"card"`
	Standing   string     `json:"standing"`
	PINSetAt   time.Time  `json:"pin_set_at"`
	PINAgeDays int        `json:"pin_age_days"`
	RemindAt   *time.Time `json:"remind_at"` // when to ask the holder for a new PIN
	LinkedAt   time.Time  `json:"linked_at"`
	Region     string     `json:"region"`
	NameMasked string     `json:"name_masked"`
}

// PhysicalStatus answers a PhysicalRequest.
type PhysicalStatus struct {
	Physical string `json:"physical"` // normal, lost or cancelled
	HasCard  bool   `json:"has_card"` // an electronic card exists
	Standing string `json:"standing"` // of the electronic card, if there is one
}

// Challenge fetches a challenge and the current seal key.
func (c *Client) Challenge(ctx context.Context) (Challenge, error) {
	var out Challenge
	err := c.post(ctx, "/v1/challenges", "", struct{}{}, &out)
	return out, err
}

// Consent gets the text that a page of your own shows before Enroll. It may change: ask
// for it each time.
func (c *Client) Consent(ctx context.Context) (*Consent, error) {
	out := new(Consent)
	if err := c.get(ctx, "/v1/consent", out); err != nil {
		return nil, err
	}
	return out, nil
}

// Enroll applies for the card and sets its first PIN.
func (c *Client) Enroll(ctx context.Context, r EnrollRequest) (*Verification, error) {
	return c.ask(ctx, "/v1/cards", r.BusinessNo, r)
}

// Link brings the holder's card into this channel, for one account: keep the handle of
// the answer (Card) with that account. Every refusal is the same Problem with error
// code refused: a channel without a link is not told the cause. After a right PIN the
// code may also be link_limit or links_full. slow_down depends on the PIN alone;
// evidence helps at once, and so does waiting.
func (c *Client) Link(ctx context.Context, r LinkRequest) (*Verification, error) {
	return c.ask(ctx, "/v1/links", r.BusinessNo, r)
}

// Unlink ends a link of this channel: its account was closed, or its holder
// wants it. The handle leads nowhere from then on.
func (c *Client) Unlink(ctx context.Context, handle string) error {
	if handle == "" {
		return errors.New("client: no card")
	}
	return c.exchange(ctx, http.MethodDelete, "/v1/links/"+url.PathEscape(handle), "", nil, &struct {
		Card string `json:"card"`
	}{})
}

// Verify asks whether a PIN is right. A verdict other than right is an answer,
// not an error: look at [Verification.Right].
func (c *Client) Verify(ctx context.Context, r VerifyRequest) (*Verification, error) {
	return c.ask(ctx, "/v1/verifications", r.BusinessNo, r)
}

// Change sets a new PIN if the old one is right.
func (c *Client) Change(ctx context.Context, r ChangeRequest) (*Verification, error) {
	return c.ask(ctx, "/v1/pin-changes", r.BusinessNo, r)
}

// Freeze stops the card in every channel, and the bound phone is notified. A
// card that is frozen already is no error: only the holder, with PIN and
// one-time code, lifts a freeze.
func (c *Client) Freeze(ctx context.Context, r FreezeRequest) (*Verification, error) {
	return c.ask(ctx, "/v1/freezes", r.BusinessNo, r)
}

// Redeem uses a receipt up. It passes once, and only if the card's standing and
// PIN are still the same as at the verdict.
func (c *Client) Redeem(ctx context.Context, receipt string) (*Verification, error) {
	return c.ask(ctx, "/v1/redemptions", "", struct {
		Receipt string `json:"receipt"`
	}{receipt})
}

// Verification returns the state and result of a request of any action. Call it
// after a [NoAnswerError]; error code not_found means that the authority never
// took the request, so it may be sent again.
func (c *Client) Verification(ctx context.Context, businessNo string) (*Verification, error) {
	if businessNo == "" {
		return nil, errors.New("client: no business number")
	}
	out := &Verification{}
	if err := c.get(ctx, "/v1/verifications/"+url.PathEscape(businessNo), out); err != nil {
		return nil, err
	}
	return out, nil
}

// Card asks for a linked card's standing.
func (c *Client) Card(ctx context.Context, handle string) (*Card, error) {
	if handle == "" {
		return nil, errors.New("client: no card")
	}
	out := &Card{}
	if err := c.get(ctx, "/v1/cards/"+url.PathEscape(handle), out); err != nil {
		return nil, err
	}
	return out, nil
}

// PhysicalStatus reports what happened to a physical card. Only a registry's
// client may.
func (c *Client) PhysicalStatus(ctx context.Context, r PhysicalRequest) (*PhysicalStatus, error) {
	out := &PhysicalStatus{}
	if err := c.post(ctx, "/v1/physical-card-status", r.BusinessNo, r, out); err != nil {
		return nil, err
	}
	return out, nil
}

// CorrectIDNumber reports that a person's ID number was corrected. Only a registry's
// client may. Sent again under another business number, it returns the present state
// of the correction.
func (c *Client) CorrectIDNumber(ctx context.Context, r CorrectionRequest) (*Correction, error) {
	out := &Correction{}
	if err := c.post(ctx, "/v1/registry/corrections", r.BusinessNo, r, out); err != nil {
		return nil, err
	}
	return out, nil
}

// HotlineFreeze stops the card of a holder who called. Only a hotline's client
// may. Error code not_found means that there is nothing to freeze under this ID
// number: ask the person on the phone for it again. After a [NoAnswerError]
// send the very same request again; it freezes once.
func (c *Client) HotlineFreeze(ctx context.Context, r HotlineFreezeRequest) (*HotlineFreeze, error) {
	out := &HotlineFreeze{}
	if err := c.post(ctx, "/v1/hotline-freezes", r.BusinessNo, r, out); err != nil {
		return nil, err
	}
	return out, nil
}

// LossReport answers ReportLoss: the card is stopped until Until, and then works again
// by itself.
type LossReport struct {
	BusinessNo string    `json:"business_no"`
	At         time.Time `json:"at"`
	Until      time.Time `json:"until"`
}

// ReportLoss takes the report of a holder who called that the card was lost. Only a
// hotline's client may. It stops the card in every channel until the answer's Until.
// Error code loss_report_off means that the card's region takes no such reports:
// freeze it with [Client.HotlineFreeze].
func (c *Client) ReportLoss(ctx context.Context, r HotlineFreezeRequest) (*LossReport, error) {
	out := &LossReport{}
	if err := c.post(ctx, "/v1/hotline-loss-reports", r.BusinessNo, r, out); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Client) ask(ctx context.Context, path, businessNo string, body any) (*Verification, error) {
	out := &Verification{}
	if err := c.post(ctx, path, businessNo, body, out); err != nil {
		return nil, err
	}
	return out, nil
}
