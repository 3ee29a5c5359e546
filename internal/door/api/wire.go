package api

import (
	"encoding/base64"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/locale"
)

// The bodies of requests. Their tags are the published schema, and compile
// enforces that schema. Members keep the bytes that were sent.

type challengeRequest struct{}

type sealedPIN struct {
	KID string `json:"kid" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$" doc:"Seal key that the envelope is sealed to"`
	Enc string `json:"enc" minLength:"87" maxLength:"87" pattern:"^[A-Za-z0-9_-]+$" doc:"Encapsulated key, 65 bytes, base64url without padding"`
	CT  string `json:"ct" minLength:"363" maxLength:"363" pattern:"^[A-Za-z0-9_-]+$" doc:"Ciphertext, 272 bytes, base64url without padding"`
}

func (p sealedPIN) envelope(field string) (envelope.Envelope, error) {
	e, err := envelope.Decode(p.KID, p.Enc, p.CT)
	if err != nil {
		return envelope.Envelope{}, liuma.FailField(liuma.CodeEnvelopeInvalid, field, err)
	}
	return e, nil
}

type cardSubject struct {
	Card string `json:"card" minLength:"32" maxLength:"32" pattern:"^[a-z0-9]+$" doc:"Handle of the card in this channel" example:"k3v9m2x7q4w8t6y1p5z0n8b3c7d2f6g4"`
}

func (s cardSubject) subject() envelope.Subject { return envelope.Subject{Card: s.Card} }

type document struct {
	Type   string `json:"type" minLength:"1" maxLength:"32" enum:"id_number,permanent_residence,passport,hk_macao_permit,taiwan_permit,foreigner_number" doc:"Kind of document (证件类型)"`
	Number string `json:"number" minLength:"1" maxLength:"64" doc:"Its number, in any usual spelling; of a passport the issuing state's three letters, a hyphen and the number" example:"DEU-C01X00T47"`
}

// text is the holder's document in a request: in this member or in id_number; exactly
// one must be set. at is the path of the two members.
func (d document) text(idNumber, at string) (string, error) {
	if idNumber == "" && d == (document{}) {
		return "", door.Malformed(door.ReasonMissing, at+"id_number")
	}
	text, err := liuma.HolderText(idNumber, liuma.Document{Type: liuma.DocumentType(d.Type), Number: d.Number})
	switch {
	case err == nil:
		return text, nil
	case liuma.CodeOf(err) == liuma.CodeBadRequest:
		return "", door.Malformed(door.ReasonDocument, at+"document")
	}
	return "", liuma.FailField(liuma.CodeOf(err), at+"id_number", err)
}

// holders are the texts of both sides of a correction.
func (b *correctionRequest) holders() (former, now string, err error) {
	if former, err = b.FormerDocument.text(b.FormerIDNumber, "former_"); err == nil {
		now, err = b.Document.text(b.IDNumber, "")
	}
	return former, now, err
}

type personSubject struct {
	IDNumber string   `json:"id_number,omitempty" minLength:"1" maxLength:"64" doc:"Identity number of 18 characters (公民身份号码), in any usual spelling; or document, never both"`
	Document document `json:"document,omitempty" doc:"In the place of id_number: a document of any type"`
	Name     string   `json:"name" minLength:"1" maxLength:"64" doc:"Name as on the document"`
}

func (s personSubject) subject() (envelope.Subject, error) {
	text, err := s.Document.text(s.IDNumber, "subject.")
	return envelope.Subject{IDNumber: text, Name: s.Name}, err
}

type applicantSubject struct {
	IDNumber string   `json:"id_number,omitempty" minLength:"1" maxLength:"64" doc:"Identity number of 18 characters (公民身份号码), in any usual spelling; or document, never both"`
	Document document `json:"document,omitempty" doc:"In the place of id_number: a document of any type"`
	Name     string   `json:"name" minLength:"1" maxLength:"64" doc:"Name as on the document"`
	Phone    string   `json:"phone" minLength:"1" maxLength:"32" doc:"Mobile phone to bind"`
}

func (s applicantSubject) subject() (envelope.Subject, error) {
	text, err := s.Document.text(s.IDNumber, "subject.")
	return envelope.Subject{IDNumber: text, Name: s.Name, Phone: s.Phone}, err
}

type anySubject struct {
	Card     string   `json:"card,omitempty" minLength:"32" maxLength:"32" pattern:"^[a-z0-9]+$" doc:"Handle of the link; then nothing else"`
	IDNumber string   `json:"id_number,omitempty" minLength:"1" maxLength:"64" doc:"Together with name, where the channel has no handle; always refused, like any caller without a link"`
	Document document `json:"document,omitempty" doc:"In the place of id_number"`
	Name     string   `json:"name,omitempty" minLength:"1" maxLength:"64"`
}

func (s anySubject) subject() (envelope.Subject, error) {
	named := s.IDNumber != "" || s.Document != (document{})
	byCard := s.Card != "" && !named && s.Name == ""
	byPerson := s.Card == "" && named && s.Name != ""
	if !byCard && !byPerson {
		return envelope.Subject{}, door.Malformed(reasonSubject, "subject")
	}
	if byCard {
		return envelope.Subject{Card: s.Card}, nil
	}
	text, err := s.Document.text(s.IDNumber, "subject.")
	return envelope.Subject{IDNumber: text, Name: s.Name}, err
}

type enrollRequest struct {
	BusinessNo string           `json:"business_no" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" doc:"The channel's number for this request (业务流水号); makes at most one attempt" example:"ZJ20260401-000017"`
	Subject    applicantSubject `json:"subject"`
	Region     string           `json:"region,omitempty" minLength:"2" maxLength:"6" pattern:"^[1-9][0-9](?:[0-9]{2}){0,2}$" doc:"GB/T 2260 code of 2, 4 or 6 digits; absent: the nation" example:"3305"`
	Purpose    purposeBody      `json:"purpose" doc:"What the holder is told that the PIN is for: one text, or one for each language"`
	Challenge  string           `json:"challenge" minLength:"1" maxLength:"512" pattern:"^[A-Za-z0-9_.~-]+$" doc:"From POST /v1/challenges, at most five minutes old"`
	Evidence   string           `json:"evidence" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_.-]+$" doc:"JWT of a registered evidence provider, bound to the challenge and the holder"`
	// ConsentVersion is the version of the text that the holder agreed to on the
	// channel's page.
	ConsentVersion string    `json:"consent_version,omitempty" minLength:"1" maxLength:"16" pattern:"^[A-Za-z0-9][A-Za-z0-9.-]{0,15}$" doc:"Version of the text (GET /v1/consent) that the holder agreed to on a page of yours; any other than the present one is refused, and none where the operator demands it" example:"1"`
	NewPIN         sealedPIN `json:"new_pin"`
}

type consentView struct {
	Version  string         `json:"version" doc:"To be sent as consent_version" example:"1"`
	SHA256   string         `json:"sha256" doc:"Of the text in both languages, in hexadecimal; it stays with the card"`
	Required bool           `json:"required" doc:"Whether an enrolment without consent_version is refused"`
	Short    paragraphsView `json:"short" doc:"For the page, above the button that agrees"`
	Whole    paragraphsView `json:"whole" doc:"The whole text, one press away"`
}

type paragraphsView struct {
	ZH []string `json:"zh-CN"`
	EN []string `json:"en"`
}

type linkRequest struct {
	BusinessNo string        `json:"business_no" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" doc:"The channel's number for this request; makes at most one attempt" example:"ZJ20260401-000018"`
	Subject    personSubject `json:"subject"`
	Region     string        `json:"region,omitempty" minLength:"2" maxLength:"6" pattern:"^[1-9][0-9](?:[0-9]{2}){0,2}$" doc:"GB/T 2260 code of 2, 4 or 6 digits; absent: the nation" example:"3305"`
	Purpose    purposeBody   `json:"purpose" doc:"What the holder is told that the PIN is for: one text, or one for each language"`
	Challenge  string        `json:"challenge" minLength:"1" maxLength:"512" pattern:"^[A-Za-z0-9_.~-]+$" doc:"From POST /v1/challenges, at most five minutes old"`
	Evidence   string        `json:"evidence,omitempty" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_.-]+$" doc:"JWT of a registered evidence provider; always welcome, and with a right PIN it makes the link known at once"`
	Replaces   string        `json:"replaces,omitempty" minLength:"32" maxLength:"32" pattern:"^[a-z0-9]+$" doc:"Handle of this channel that the new link takes the place of; the new one inherits no age"`
	PIN        sealedPIN     `json:"pin"`
}

type verifyRequest struct {
	BusinessNo string      `json:"business_no" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" doc:"The channel's number for this request; makes at most one attempt" example:"ZJ20260401-000019"`
	Subject    anySubject  `json:"subject"`
	Region     string      `json:"region,omitempty" minLength:"2" maxLength:"6" pattern:"^[1-9][0-9](?:[0-9]{2}){0,2}$" doc:"GB/T 2260 code of 2, 4 or 6 digits; absent: the nation" example:"3305"`
	Purpose    purposeBody `json:"purpose" doc:"What the holder is told that the PIN is for: one text, or one for each language"`
	Challenge  string      `json:"challenge" minLength:"1" maxLength:"512" pattern:"^[A-Za-z0-9_.~-]+$" doc:"From POST /v1/challenges, at most five minutes old"`
	Evidence   string      `json:"evidence,omitempty" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_.-]+$" doc:"JWT of a registered evidence provider; needed while the physical card is lost, welcome always"`
	PIN        sealedPIN   `json:"pin"`
}

type changeRequest struct {
	BusinessNo string      `json:"business_no" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" doc:"The channel's number for this request; makes at most one attempt" example:"ZJ20260401-000020"`
	Subject    cardSubject `json:"subject"`
	Region     string      `json:"region,omitempty" minLength:"2" maxLength:"6" pattern:"^[1-9][0-9](?:[0-9]{2}){0,2}$" doc:"GB/T 2260 code of 2, 4 or 6 digits; absent: the nation" example:"3305"`
	Purpose    purposeBody `json:"purpose" doc:"What the holder is told that the PIN is for: one text, or one for each language"`
	Challenge  string      `json:"challenge" minLength:"1" maxLength:"512" pattern:"^[A-Za-z0-9_.~-]+$" doc:"From POST /v1/challenges, at most five minutes old"`
	Evidence   string      `json:"evidence,omitempty" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_.-]+$" doc:"JWT of a registered evidence provider; needed while the physical card is lost, and through a link that is not known"`
	OldPIN     sealedPIN   `json:"old_pin"`
	NewPIN     sealedPIN   `json:"new_pin"`
}

type freezeRequest struct {
	BusinessNo string      `json:"business_no" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" doc:"The channel's number for this request" example:"ZJ20260401-000021"`
	Subject    cardSubject `json:"subject"`
	Region     string      `json:"region,omitempty" minLength:"2" maxLength:"6" pattern:"^[1-9][0-9](?:[0-9]{2}){0,2}$" doc:"GB/T 2260 code of 2, 4 or 6 digits; absent: the nation" example:"3305"`
}

type hotlineFreezeRequest struct {
	BusinessNo string   `json:"business_no" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" doc:"The hotline's number for this call" example:"HL-20260401-000031"`
	IDNumber   string   `json:"id_number,omitempty" minLength:"1" maxLength:"64" doc:"Identity number of 18 characters of the holder who called; or document, never both"`
	Document   document `json:"document,omitempty" doc:"In the place of id_number: a document of any type"`
}

type physicalRequest struct {
	BusinessNo string   `json:"business_no" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" doc:"The registry's number for this report" example:"MOHRSS-2026-0001"`
	IDNumber   string   `json:"id_number,omitempty" minLength:"1" maxLength:"64" doc:"Identity number of 18 characters of the holder; or document, never both"`
	Document   document `json:"document,omitempty" doc:"In the place of id_number: a document of any type"`
	CardNo     string   `json:"card_no" minLength:"1" maxLength:"32" doc:"Number of the physical card (实体社保卡)"`
	Event      string   `json:"event" minLength:"1" maxLength:"16" enum:"lost,found,cancelled,replaced" doc:"What happened to the physical card"`
	ReplacedBy string   `json:"replaced_by,omitempty" minLength:"1" maxLength:"32" doc:"Number of the new card, with replaced"`
}

type correctionRequest struct {
	BusinessNo     string   `json:"business_no" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" doc:"The registry's number for this report" example:"MOHRSS-2026-0002"`
	FormerIDNumber string   `json:"former_id_number,omitempty" minLength:"1" maxLength:"64" doc:"Identity number of 18 characters under which the person is registered now; or former_document, never both"`
	FormerDocument document `json:"former_document,omitempty" doc:"In the place of former_id_number: a document of any type"`
	IDNumber       string   `json:"id_number,omitempty" minLength:"1" maxLength:"64" doc:"Identity number of 18 characters that is right; or document, never both"`
	Document       document `json:"document,omitempty" doc:"In the place of id_number: a document of any type"`
	CardNo         string   `json:"card_no" minLength:"1" maxLength:"32" doc:"Number of the person's present physical card (实体社保卡)"`
}

type redemptionRequest struct {
	Receipt string `json:"receipt" minLength:"1" maxLength:"4096" pattern:"^[A-Za-z0-9_.-]+$" doc:"Receipt of a right verdict, as answered"`
}

// common are the members of every request for a PIN.
type common struct {
	businessNo liuma.BusinessNo
	region     liuma.Region
	purpose    liuma.Purpose // empty if the request has none
}

func parseCommon(businessNo, region string, purpose purposeBody) (common, error) {
	var c common
	var err error
	if c.businessNo, err = liuma.ParseBusinessNo(businessNo); err != nil {
		return common{}, door.Malformed(reasonForm, "business_no")
	}
	if c.region, err = liuma.ParseRegion(region); err != nil {
		return common{}, door.Malformed(reasonForm, "region")
	}
	var fault string
	if c.purpose, fault = purpose.read(); fault != "" {
		return common{}, door.Malformed(reasonForm, fault)
	}
	return c, nil
}

// The bodies of answers.

type sealKeyView struct {
	KID    string `json:"kid" doc:"Name of the key"`
	Public string `json:"public" doc:"Uncompressed P-256 point, 65 bytes, base64url without padding"`
	Suite  string `json:"suite" doc:"DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM (RFC 9180)" example:"DHKEM-P256-HKDF-SHA256,HKDF-SHA256,AES-128-GCM"`
}

const sealSuite = "DHKEM-P256-HKDF-SHA256,HKDF-SHA256,AES-128-GCM"

type challengeView struct {
	Challenge string      `json:"challenge" doc:"What envelopes and evidence are bound to"`
	Expires   time.Time   `json:"expires"`
	SealKey   sealKeyView `json:"seal_key" doc:"What the device seals the PIN to"`
}

func viewChallenge(c authority.Challenge) challengeView {
	return challengeView{
		Challenge: c.Value,
		Expires:   c.Expires.UTC(),
		SealKey: sealKeyView{
			KID:    c.SealKeyID,
			Public: base64.RawURLEncoding.EncodeToString(c.SealKey),
			Suite:  sealSuite,
		},
	}
}

type verificationView struct {
	BusinessNo     string     `json:"business_no"`
	Action         string     `json:"action" enum:"enroll,link,verify,change,freeze,reset,rebind,unfreeze"`
	State          string     `json:"state" enum:"decided,pending,undecided,returning,done" doc:"pending: under way, ask again; undecided: interrupted, and final; of a hosted request whose code was not redeemed, returning: the verdict of a verify or link comes with that code alone, and done: any other act is carried out"`
	Verdict        string     `json:"verdict,omitempty" enum:"right,wrong,locked,blocked,suspended,unavailable" doc:"Absent unless decided, and where nothing was attempted"`
	Code           string     `json:"code,omitempty" doc:"Why it is not a success; absent on success"`
	TitleZH        string     `json:"title_zh,omitempty" doc:"What the code means"`
	TitleEN        string     `json:"title_en,omitempty"`
	NextStepZH     string     `json:"next_step_zh,omitempty" doc:"What to do next"`
	NextStepEN     string     `json:"next_step_en,omitempty"`
	Card           string     `json:"card,omitempty" doc:"Handle of the card in this channel"`
	TriesLeft      *int       `json:"tries_left,omitempty" doc:"Wrong PINs that remain before a lock"`
	Until          *time.Time `json:"until,omitempty" doc:"When a lock ends by itself"`
	At             time.Time  `json:"at" doc:"Of the verdict, or of the request while undecided"`
	Receipt        string     `json:"receipt,omitempty" doc:"Signed right verdict, while it can still be redeemed"`
	ReceiptExpires *time.Time `json:"receipt_expires,omitempty"`
	Redeemed       bool       `json:"redeemed,omitempty" doc:"The receipt was redeemed"`
	ACR            string     `json:"acr,omitempty" enum:"urn:liuma:acr:pin,urn:liuma:acr:pin-evidence,urn:liuma:acr:evidence" doc:"What a right verdict proves; the last: evidence alone, and no PIN"`
	PINAge         *int       `json:"pin_age,omitempty" doc:"Of a right verdict: whole days since the PIN was set"`
	PhoneAge       *int       `json:"phone_age,omitempty" doc:"Of a right verdict: whole days since the phone was bound; absent where none is"`
}

// viewVerification shows a request to its channel. With the error code refused,
// it shows nothing that would tell the causes apart. The sentences name the help
// line.
func viewVerification(v authority.Verification, hotline string) verificationView {
	out := verificationView{
		BusinessNo: string(v.BusinessNo),
		Action:     string(v.Action),
		State:      v.State,
		Code:       string(v.Code),
		At:         v.At.UTC(),
	}
	if v.State == authority.StatePending {
		out.Code = "" // undecided says that there will be no verdict; there may be
	}
	if out.Code != "" {
		x := locale.Explain(v.Code, hotline)
		out.TitleZH, out.TitleEN, out.NextStepZH, out.NextStepEN = x.What.ZH, x.What.EN, x.Next.ZH, x.Next.EN
	}
	if v.Code == liuma.CodeRefused {
		return out
	}
	out.Verdict = string(v.Verdict)
	out.Card = string(v.Card)
	out.TriesLeft = v.TriesLeft
	out.Until = moment(v.Until)
	out.Receipt = v.Receipt
	out.ReceiptExpires = moment(v.ReceiptEnd)
	out.Redeemed = v.Redeemed
	out.ACR, out.PINAge, out.PhoneAge = v.ACR, v.PINAge, v.PhoneAge
	return out
}

// hotlineFreezeView is all that a hotline learns: that the card is frozen. It has no
// handle, so that a hotline cannot tell that two calls were about one holder; no
// earlier standing; and no name.
type hotlineFreezeView struct {
	BusinessNo string    `json:"business_no"`
	Action     string    `json:"action" enum:"freeze"`
	State      string    `json:"state" enum:"decided"`
	At         time.Time `json:"at" doc:"When this request was decided"`
}

func viewHotlineFreeze(v authority.Verification) hotlineFreezeView {
	return hotlineFreezeView{BusinessNo: string(v.BusinessNo), Action: string(liuma.ActionFreeze), State: v.State, At: v.At.UTC()}
}

// lossReportView is all that a hotline learns of a report: until when it stops the
// card.
type lossReportView struct {
	BusinessNo string    `json:"business_no"`
	Action     string    `json:"action" enum:"report_loss"`
	State      string    `json:"state" enum:"decided"`
	At         time.Time `json:"at" doc:"When this request was decided"`
	Until      time.Time `json:"until" doc:"When the report ends by itself"`
}

func viewLossReport(v authority.Verification) lossReportView {
	return lossReportView{BusinessNo: string(v.BusinessNo), Action: string(liuma.ActionReportLoss), State: v.State, At: v.At.UTC(), Until: v.Until.UTC()}
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// endedLinkView answers the end of a link.
type endedLinkView struct {
	Card string `json:"card" doc:"Handle of the link that ended; it leads nowhere any more"`
}

type cardView struct {
	Card       string     `json:"card" doc:"Handle of the link"`
	Standing   string     `json:"standing" enum:"active,suspended,loss_reported,frozen,cancelled" doc:"suspended: the physical card is lost, PIN and evidence together; loss_reported (until it ends by itself), frozen and cancelled: not at all"`
	PINSetAt   time.Time  `json:"pin_set_at"`
	PINAgeDays int        `json:"pin_age_days" doc:"Whole days since the PIN was set"`
	RemindAt   *time.Time `json:"remind_at,omitempty" doc:"When to ask the holder for a new PIN"`
	LinkedAt   time.Time  `json:"linked_at"`
	Region     string     `json:"region" doc:"GB/T 2260 code, shortest form; empty: the nation"`
	NameMasked string     `json:"name_masked" example:"王*奶"`
}

func viewCard(c authority.CardView) cardView {
	return cardView{
		Card:       string(c.Card),
		Standing:   string(c.Standing),
		PINSetAt:   c.PINSetAt.UTC(),
		PINAgeDays: int(c.PINAge / (24 * time.Hour)),
		RemindAt:   moment(c.RemindAt),
		LinkedAt:   c.LinkedAt.UTC(),
		Region:     string(c.Region),
		NameMasked: c.NameMasked,
	}
}

type physicalView struct {
	Physical string `json:"physical" enum:"normal,lost,cancelled" doc:"What is now recorded of the physical card"`
	HasCard  bool   `json:"has_card" doc:"The holder has an electronic card"`
	Standing string `json:"standing,omitempty" enum:"active,suspended,loss_reported,frozen,cancelled" doc:"Of the electronic card, if there is one"`
}

func viewPhysical(p authority.PhysicalView) physicalView {
	out := physicalView{Physical: string(p.Physical), HasCard: p.HasCard}
	if p.HasCard {
		out.Standing = string(p.Standing)
	}
	return out
}

type correctionView struct {
	State   string     `json:"state" enum:"waiting,done" doc:"waiting: the old number counts until then; done: the new one does, and the old one leads nowhere"`
	Until   *time.Time `json:"until,omitempty" doc:"While it waits: when the new number counts. 72 hours after the holder has been told; absent until then"`
	HasCard bool       `json:"has_card" doc:"While it waits: an electronic card goes along"`
}

func viewCorrection(v authority.CorrectionView) correctionView {
	if v.Done {
		return correctionView{State: "done"}
	}
	out := correctionView{State: "waiting", HasCard: v.HasCard}
	if !v.Until.IsZero() {
		until := v.Until.UTC()
		out.Until = &until
	}
	return out
}

type healthView struct {
	Status  string `json:"status" enum:"alive,ready"`
	Keepers string `json:"keepers,omitempty" enum:"whole,degraded" doc:"Of readiness: degraded while a keeper is gone or silent and the others are enough. Verdicts go on, and an operator has to see to it"`
	Texts   string `json:"texts,omitempty" enum:"in_time,late" doc:"Of readiness, where texts are sent: whether codes and notices reach the gateway within a minute. Late texts hold up no verdict"`
}
