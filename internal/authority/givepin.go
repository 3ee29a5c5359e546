package authority

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
)

// hosted marks a request that a ceremony makes for a channel. Its evidence was
// checked and used up when it was pushed, and its life is the ceremony's.
type hosted struct {
	ceremony string
	proof    *evidence.Proof
	about    string // ID number that the proof is about
	phone    string // number whose code was right, of an enrolment
	device   string // secret of the browser's device cookie, or empty
	reopen   bool   // the holder wants strangers to be let in again
}

// GivePIN makes one try of a ceremony. It takes the try's number first, so
// that a page submitted twice makes one attempt; the attempt itself goes the
// way of the native door.
func (a *Authority) GivePIN(ctx context.Context, id string, h Hand, g Given) (Page, error) {
	var cer store.Ceremony
	var d details
	p, err := a.move(ctx, id, h, []Step{StepPIN}, func(_ store.Tx, c *store.Ceremony, kept *details) (Step, error) {
		if g.Try != c.Tries+1 {
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		c.Tries++
		kept.Giver = bytes.Clone(c.Browser[:])
		kept.clearVerdict()
		kept.WasReset = false
		cer, d = *c, *kept
		return StepPIN, nil
	})
	if err != nil || p.Step != StepPIN {
		return p, err
	}
	if h.Secret == "" {
		h.Secret = p.Bound
	}
	// A crash from here on leaves the try undecided and the ceremony at the
	// pad: the holder tries again under the next number.
	if err := a.try(ctx, cer, d, h, g); err != nil {
		if err := a.noteRefusal(ctx, cer.ID, err); err != nil {
			return Page{}, house(err)
		}
	}
	after, err := a.Look(ctx, id, h)
	after.Bound = p.Bound
	return after, err
}

// try sends a try down the path that its action has at the native door.
func (a *Authority) try(ctx context.Context, cer store.Ceremony, d details, h Hand, g Given) error {
	client, err := a.Client(ctx, string(cer.Channel))
	if err != nil {
		return err
	}
	c := Caller{Client: client}
	if err := c.permit(cer.Action, cer.Region); err != nil {
		return err
	}
	bn, challenge, subject := tryNo(cer.BusinessNo, cer.Tries), tryChallenge(cer.ID, cer.Tries), d.subject()
	digest, err := givenDigest(cer.ID, g)
	if err != nil {
		return err
	}
	host := &hosted{ceremony: cer.ID, device: h.Device, reopen: g.Reopen}
	if d.Proof != nil {
		host.proof, host.about = d.Proof.proof(), d.Proof.IDNumber
	}
	if d.NewPhone != "" && d.codeHolds(cer, a.phoneIndex(d.NewPhone), a.now()) {
		host.phone = d.NewPhone
	}
	last := recovery{no: bn, subject: subject, region: cer.Region, purpose: d.Purpose, challenge: challenge,
		given: given(g.Current), digest: digest, hosted: host, card: cer.Card}
	switch acting(cer, d) {
	case liuma.ActionReset:
		last.given = given(g.New)
		err = a.reset(ctx, c, last)
	case liuma.ActionRebind:
		err = a.provePIN(ctx, c, liuma.ActionRebind, last, attempt{})
	case liuma.ActionUnfreeze:
		err = a.unfreeze(ctx, c, last)
	case liuma.ActionEnroll:
		_, err = a.Enroll(ctx, c, EnrollRequest{BusinessNo: bn, Subject: subject, Region: cer.Region, Purpose: d.Purpose,
			Challenge: challenge, New: given(g.New), Digest: digest, hosted: host})
	case liuma.ActionLink:
		_, err = a.Link(ctx, c, LinkRequest{BusinessNo: bn, Subject: subject, Region: cer.Region, Purpose: d.Purpose,
			Challenge: challenge, PIN: given(g.Current), Digest: digest, hosted: host})
	case liuma.ActionVerify:
		_, err = a.Verify(ctx, c, VerifyRequest{BusinessNo: bn, Subject: subject, Region: cer.Region, Purpose: d.Purpose,
			Challenge: challenge, PIN: given(g.Current), Digest: digest, hosted: host})
	case liuma.ActionChange:
		_, err = a.Change(ctx, c, ChangeRequest{BusinessNo: bn, Subject: subject, Region: cer.Region, Purpose: d.Purpose,
			Challenge: challenge, Old: given(g.Old), New: given(g.New), Digest: digest, hosted: host})
	default:
		err = liuma.FailField(liuma.CodeBadRequest, "action", nil)
	}
	return err
}

// given is an envelope that may be missing; a missing one opens for nothing.
func given(e *envelope.Envelope) envelope.Envelope {
	if e == nil {
		return envelope.Envelope{}
	}
	return *e
}

func givenDigest(id string, g Given) ([32]byte, error) {
	b, err := json.Marshal([]any{id, g.Try, g.Current, g.Old, g.New, g.Reopen})
	if err != nil {
		return [32]byte{}, liuma.FailField(liuma.CodeEnvelopeInvalid, "pin", err)
	}
	return sha256.Sum256(b), nil
}

// noteRefusal keeps what a try was refused for, so that the page can say it
// also after a reload. Refusals that no other PIN can mend end the ceremony.
func (a *Authority) noteRefusal(ctx context.Context, id string, cause error) error {
	code := liuma.CodeOf(cause)
	if code == liuma.CodeInternal || code == liuma.CodeUnavailable {
		a.Logger.Error("try not made", "ceremony", id, "err", cause)
	}
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Ceremony(id)
		if err != nil {
			return audit.Entry{}, err
		}
		d, err := a.openDetails(c)
		if err != nil {
			return audit.Entry{}, err
		}
		if Step(c.Step) != StepPIN {
			return audit.Entry{}, nil // a verdict came after all
		}
		d.Code = string(code)
		if e, ok := errors.AsType[*liuma.Error](cause); ok {
			d.Reason, d.Sentence, d.Until = e.Reason, e.Sentence, e.Until
		}
		switch code {
		case liuma.CodeEvidenceRequired, liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed:
			err = goTo(&c, StepRefused) // goes on under a new push
		case liuma.CodePhoneCodeExpired:
			d.Coded = nil // it does not hold any more
			err = goTo(&c, StepCode)
		case liuma.CodeNotInRegistry, liuma.CodeAlreadyEnrolled, liuma.CodeCancelled, liuma.CodeForbidden,
			liuma.CodeFrozen, liuma.CodeNotFrozen, liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodePhoneStale:
			err = errors.Join(goTo(&c, StepRefused), a.endRequest(tx, &c, code))
		}
		if err := errors.Join(err, a.sealDetails(&c, d)); err != nil {
			return audit.Entry{}, err
		}
		return a.entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, string(code)), tx.UpdateCeremony(c)
	})
	return err
}
