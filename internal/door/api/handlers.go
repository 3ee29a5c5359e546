package api

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

// routes registers every endpoint, in the order of the document.
func (d *Door) routes(h huma.API) error {
	err := errors.Join(
		post(d, h, challengeEndpoint(), d.challenge),
		post(d, h, enrollEndpoint(), d.enroll),
		post(d, h, linkEndpoint(), d.link),
		post(d, h, verifyEndpoint(), d.verify),
		post(d, h, changeEndpoint(), d.change),
		post(d, h, freezeEndpoint(), d.freeze),
		post(d, h, hotlineFreezeEndpoint(), d.hotlineFreeze),
		post(d, h, lossReportEndpoint(), d.reportLoss),
		post(d, h, redeemEndpoint(), d.redeem),
		post(d, h, physicalEndpoint(), d.physical),
		post(d, h, correctionEndpoint(), d.correction),
	)
	get(d, h, verificationEndpoint(), d.verification)
	get(d, h, cardEndpoint(), d.card)
	remove(d, h, unlinkEndpoint(), d.unlink)
	get(d, h, consentEndpoint(), d.consent)
	get(d, h, agenciesEndpoint(), d.agencies)
	get(d, h, readyEndpoint(), func(c *call) (any, error) { return d.ready(c.Context()) })
	get(d, h, healthEndpoint(), func(*call) (any, error) { return healthView{Status: "alive"}, nil })
	d.keysRoute(h)
	d.specRoutes(h)
	return err
}

func (d *Door) challenge(c *call, _ *challengeRequest) (any, error) {
	answer, err := d.authority.Challenge(c.Context(), c.caller)
	if err != nil {
		return nil, err
	}
	return viewChallenge(answer), nil
}

func (d *Door) enroll(c *call, b *enrollRequest) (any, error) {
	p, err := parseCommon(b.BusinessNo, b.Region, b.Purpose)
	if err != nil {
		return nil, err
	}
	c.name(p.businessNo)
	subject, err := b.Subject.subject()
	if err != nil {
		return nil, err
	}
	pin, err := b.NewPIN.envelope("new_pin")
	if err != nil {
		return nil, err
	}
	v, err := d.authority.Enroll(c.Context(), c.caller, authority.Request{
		BusinessNo: p.businessNo, Subject: subject, Region: p.region, Purpose: p.purpose,
		Challenge: b.Challenge, Evidence: b.Evidence, New: pin, ConsentVersion: b.ConsentVersion, Digest: c.digest,
	})
	return d.answered(v, err)
}

func (d *Door) consent(*call) (any, error) {
	text, demanded := d.authority.NativeConsent()
	hash := text.Hash()
	return consentView{Version: text.Version, SHA256: hex.EncodeToString(hash[:]), Required: demanded,
		Short: paragraphsView(text.Short), Whole: paragraphsView(text.Whole)}, nil
}

func (d *Door) link(c *call, b *linkRequest) (any, error) {
	p, err := parseCommon(b.BusinessNo, b.Region, b.Purpose)
	if err != nil {
		return nil, err
	}
	c.name(p.businessNo)
	subject, err := b.Subject.subject()
	if err != nil {
		return nil, err
	}
	pin, err := b.PIN.envelope("pin")
	if err != nil {
		return nil, err
	}
	v, err := d.authority.Link(c.Context(), c.caller, authority.Request{
		BusinessNo: p.businessNo, Subject: subject, Region: p.region, Purpose: p.purpose,
		Challenge: b.Challenge, Evidence: b.Evidence, Replaces: store.Handle(b.Replaces), Current: pin, Digest: c.digest,
	})
	if err == nil && v.Code != "" && v.Code != liuma.CodeUndecided {
		err = &liuma.Error{Code: v.Code, Until: v.Until}
	}
	if err != nil {
		return nil, oneRefusal(err)
	}
	return d.answered(v, nil)
}

// oneRefusal replaces errors that would tell a channel without a link something about
// a card or its holder by the error code refused. The authority has done so already;
// the door does not rely on it. Errors about the request itself or the service stay.
func oneRefusal(err error) error {
	switch liuma.CodeOf(err) {
	case liuma.CodeInternal, liuma.CodeUnavailable, liuma.CodeBusy, liuma.CodeBadRequest,
		liuma.CodeSlowDown,    // decided by the PIN that was typed, before any card was looked up
		liuma.CodeRationSpent, // of the channel, or of the provider of the evidence
		liuma.CodeForbidden, liuma.CodeBusinessNoUsed, liuma.CodeUndecided,
		liuma.CodeEnvelopeInvalid, liuma.CodeChallengeExpired,
		liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodePINFormat,
		liuma.CodeDocumentInvalid, liuma.CodeDocumentState,
		liuma.CodeGuardian,                                // decided by the birthday in the number as sent
		liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed, // about the evidence as sent
		liuma.CodeLinkLimit, liuma.CodeLinksFull: // the PIN was right
		return err
	}
	if e, ok := errors.AsType[*liuma.Error](err); ok && e.Code == liuma.CodeNotFound && e.Field == "replaces" {
		return err // about the handle to be replaced, which is the channel's own
	}
	return liuma.Fail(liuma.CodeRefused, err)
}

func (d *Door) verify(c *call, b *verifyRequest) (any, error) {
	p, err := parseCommon(b.BusinessNo, b.Region, b.Purpose)
	if err != nil {
		return nil, err
	}
	c.name(p.businessNo)
	subject, err := b.Subject.subject()
	if err != nil {
		return nil, err
	}
	pin, err := b.PIN.envelope("pin")
	if err != nil {
		return nil, err
	}
	v, err := d.authority.Verify(c.Context(), c.caller, authority.Request{
		BusinessNo: p.businessNo, Subject: subject, Region: p.region, Purpose: p.purpose,
		Challenge: b.Challenge, Evidence: b.Evidence, Current: pin, Digest: c.digest,
	})
	if subject.Card == "" && err != nil {
		err = oneRefusal(err)
	}
	return d.answered(v, err)
}

func (d *Door) change(c *call, b *changeRequest) (any, error) {
	p, err := parseCommon(b.BusinessNo, b.Region, b.Purpose)
	if err != nil {
		return nil, err
	}
	c.name(p.businessNo)
	old, err := b.OldPIN.envelope("old_pin")
	if err != nil {
		return nil, err
	}
	fresh, err := b.NewPIN.envelope("new_pin")
	if err != nil {
		return nil, err
	}
	v, err := d.authority.Change(c.Context(), c.caller, authority.Request{
		BusinessNo: p.businessNo, Subject: b.Subject.subject(), Region: p.region, Purpose: p.purpose,
		Challenge: b.Challenge, Evidence: b.Evidence, Old: old, New: fresh, Digest: c.digest,
	})
	return d.answered(v, err)
}

func (d *Door) freeze(c *call, b *freezeRequest) (any, error) {
	p, err := parseCommon(b.BusinessNo, b.Region, purposeBody{})
	if err != nil {
		return nil, err
	}
	c.name(p.businessNo)
	v, err := d.authority.Freeze(c.Context(), c.caller, authority.Request{
		BusinessNo: p.businessNo, Subject: b.Subject.subject(), Region: p.region, Digest: c.digest,
	})
	return d.answered(v, err)
}

func (d *Door) hotlineFreeze(c *call, b *hotlineFreezeRequest) (any, error) {
	v, err := d.byHotline(c, b, d.authority.FreezeByHotline)
	if err != nil {
		return nil, err
	}
	return viewHotlineFreeze(v), nil
}

func (d *Door) reportLoss(c *call, b *hotlineFreezeRequest) (any, error) {
	v, err := d.byHotline(c, b, d.authority.ReportLoss)
	if err != nil {
		return nil, err
	}
	return viewLossReport(v), nil
}

func (d *Door) byHotline(c *call, b *hotlineFreezeRequest,
	do func(context.Context, authority.Caller, authority.HotlineFreeze) (authority.Verification, error)) (authority.Verification, error) {
	none := authority.Verification{}
	p, err := parseCommon(b.BusinessNo, "", purposeBody{})
	if err != nil {
		return none, err
	}
	c.name(p.businessNo)
	number, err := b.Document.text(b.IDNumber, "")
	if err != nil {
		return none, err
	}
	v, err := do(c.Context(), c.caller, authority.HotlineFreeze{BusinessNo: p.businessNo, IDNumber: number, Digest: c.digest})
	if err == nil && v.Code != "" {
		err = liuma.Fail(v.Code, nil)
	}
	if err != nil {
		return none, nothingToFreeze(number, err)
	}
	return v, nil
}

// nothingToFreeze replaces errors that would tell a hotline more than "no card to
// freeze" by not_found: the person is not in the registry, never had a card, or has a
// cancelled one.
func nothingToFreeze(number string, err error) error {
	switch liuma.CodeOf(err) {
	case liuma.CodeInternal, liuma.CodeUnavailable, liuma.CodeBusy, liuma.CodeBadRequest,
		liuma.CodeForbidden, liuma.CodeBusinessNoUsed, liuma.CodeUndecided,
		liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState, liuma.CodeHotlineLimit,
		liuma.CodeLossReportOff:
		return err
	}
	return liuma.FailField(liuma.CodeNotFound, liuma.HolderField(number), err)
}

func (d *Door) redeem(c *call, b *redemptionRequest) (any, error) {
	v, err := d.authority.Redeem(c.Context(), c.caller, b.Receipt)
	return d.answered(v, err)
}

func (d *Door) physical(c *call, b *physicalRequest) (any, error) {
	p, err := parseCommon(b.BusinessNo, "", purposeBody{})
	if err != nil {
		return nil, err
	}
	c.name(p.businessNo)
	event := authority.PhysicalEvent(b.Event)
	if event == authority.PhysicalReplaced && b.ReplacedBy == "" {
		return nil, door.Malformed(door.ReasonMissing, "replaced_by")
	}
	if event != authority.PhysicalReplaced && b.ReplacedBy != "" {
		return nil, door.Malformed(door.ReasonUnknown, "replaced_by")
	}
	number, err := b.Document.text(b.IDNumber, "")
	if err != nil {
		return nil, err
	}
	view, err := d.authority.SetPhysical(c.Context(), c.caller, authority.PhysicalRequest{
		BusinessNo: p.businessNo, IDNumber: number, CardNo: b.CardNo,
		Event: event, ReplacedBy: b.ReplacedBy, Digest: c.digest,
	})
	if err != nil {
		return nil, err
	}
	return viewPhysical(view), nil
}

// correction takes a registry's report that a person's number was corrected to
// another.
func (d *Door) correction(c *call, b *correctionRequest) (any, error) {
	p, err := parseCommon(b.BusinessNo, "", purposeBody{})
	if err != nil {
		return nil, err
	}
	c.name(p.businessNo)
	former, number, err := b.holders()
	if err != nil {
		return nil, err
	}
	view, err := d.authority.CorrectNumber(c.Context(), c.caller, authority.CorrectionRequest{
		BusinessNo: p.businessNo, FormerIDNumber: former, IDNumber: number, CardNo: b.CardNo, Digest: c.digest,
	})
	if err != nil {
		return nil, err
	}
	return viewCorrection(view), nil
}

func (d *Door) verification(c *call) (any, error) {
	no, err := liuma.ParseBusinessNo(c.PathValue("business_no"))
	if err != nil {
		return nil, door.Malformed(reasonForm, "business_no")
	}
	c.name(no)
	v, err := d.authority.Verification(c.Context(), c.caller, no)
	if err != nil {
		return nil, err
	}
	return viewVerification(v, d.hotline), nil
}

func (d *Door) card(c *call) (any, error) {
	handle := c.PathValue("card")
	if !handleShaped(handle) {
		return nil, door.Malformed(reasonForm, "card")
	}
	view, err := d.authority.Card(c.Context(), c.caller, store.Handle(handle))
	if err != nil {
		return nil, err
	}
	return viewCard(view), nil
}

// unlink ends one of the channel's own links.
func (d *Door) unlink(c *call) (any, error) {
	handle := c.PathValue("handle")
	if !handleShaped(handle) {
		return nil, door.Malformed(reasonForm, "handle")
	}
	if err := d.authority.Unlink(c.Context(), c.caller, store.Handle(handle)); err != nil {
		return nil, err
	}
	return endedLinkView{Card: handle}, nil
}

func handleShaped(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// answered turns a Verification into an answer. Every verdict is an answer with
// status 200; the error code refused is a problem document.
func (d *Door) answered(v authority.Verification, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if v.Code == liuma.CodeRefused {
		return nil, liuma.Fail(liuma.CodeRefused, nil)
	}
	return viewVerification(v, d.hotline), nil
}
