package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
)

// A forgotten PIN is set anew on a code to the bound phone and evidence, both
// (I-12). Who it is about comes from the channel's link, never from what
// somebody typed.
//
//	confirm --Agree--> code --right--> evidence --new push--> pin --new PIN--> done
//	pin, refused (locked, blocked) --Forgot--> code … and back to the pad
//
// A code is tied to the browser that gave it: a ceremony that goes on in
// another browser asks for a code again (rewind).

// acting is the action that a ceremony is at: its own, or the one that the
// holder turned to.
func acting(c store.Ceremony, d details) liuma.Action {
	if d.Doing != "" {
		return liuma.Action(d.Doing)
	}
	return c.Action
}

// linkedCardOf is the card behind the handle that a ceremony was pushed for.
func (a *Authority) linkedCardOf(r store.Reader, c store.Ceremony, d details) (store.Card, error) {
	link, err := r.LinkByHandle(c.Channel, store.Handle(d.Subject.Card))
	if d.Subject.Card == "" || errors.Is(err, store.ErrNotFound) {
		return store.Card{}, liuma.Fail(liuma.CodeRefused, err)
	}
	if err != nil {
		return store.Card{}, err
	}
	return a.checkedCard(r, link.Card)
}

// refusal is the code of an error that a page explains; what is only an
// inability is none.
func refusal(err error) (*liuma.Error, bool) {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code == liuma.CodeUnavailable || e.Code == liuma.CodeInternal {
		return nil, false
	}
	return e, true
}

// refuse ends a ceremony with what an error explains.
func (a *Authority) refuse(tx store.Tx, c *store.Ceremony, d *details, err error) (Step, error) {
	e, ok := refusal(err)
	if !ok {
		return "", err
	}
	d.Code, d.Until = string(e.Code), e.Until
	return StepRefused, a.endRequestUntil(tx, c, e.Code, e.Until)
}

// agreed goes on from who asks for what to the first proof.
func (a *Authority) agreed(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
	switch c.Action {
	case liuma.ActionEnroll:
		if a.Outbox == nil {
			return StepPIN, nil
		}
		if _, err := a.enrollee(tx, *d); err != nil {
			return a.refuse(tx, c, d, err)
		}
		return StepCode, nil
	case liuma.ActionReset, liuma.ActionUnfreeze, liuma.ActionRebind:
	default:
		return StepPIN, nil
	}
	card, err := a.linkedCardOf(tx, *c, *d)
	step := StepCode
	switch {
	case err != nil:
	case a.Outbox == nil:
		err = liuma.Fail(liuma.CodeOnlineOff, nil)
	case c.Action == liuma.ActionReset:
		_, err = a.resettable(tx, card, a.recoveryOf(card, c.Channel), true)
	case c.Action == liuma.ActionUnfreeze:
		_, err = a.unfreezable(tx, card)
	default:
		step = StepPIN
	}
	if err != nil {
		return a.refuse(tx, c, d, err)
	}
	c.Card = card.ID
	return step, nil
}

// Forgot turns a ceremony about a linked card to setting its PIN anew: from
// the pad, or from the page that says that the PIN is locked or blocked. Where
// that cannot be done online the page stays and says why (ResetRefused).
func (a *Authority) Forgot(ctx context.Context, id string, h Hand) (Page, error) {
	return a.move(ctx, id, h, []Step{StepPIN, StepRefused}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		step, code := Step(c.Step), liuma.Code(d.Code)
		switch {
		case acting(*c, *d) == liuma.ActionReset || acting(*c, *d) == liuma.ActionUnfreeze,
			step == StepRefused && code != liuma.CodeLocked && code != liuma.CodeBlocked:
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
		case !a.now().Before(lastOf(*c)):
			return "", liuma.Fail(liuma.CodeCeremonyExpired, nil)
		}
		card, err := a.linkedCardOf(tx, *c, *d)
		switch {
		case err != nil:
		case a.Outbox == nil:
			err = liuma.Fail(liuma.CodeOnlineOff, nil)
		default:
			_, err = a.resettable(tx, card, a.recoveryOf(card, c.Channel), true)
		}
		if e, ok := refusal(err); ok {
			d.NoReset, d.NoResetUntil = string(e.Code), e.Until
			return step, nil
		}
		if err != nil {
			return "", err
		}
		c.Card, c.Ended = card.ID, time.Time{}
		c.Expires = within(*c, maxTime(c.Expires, a.now().Add(ceremonyLife)))
		d.Doing, d.NoReset = string(liuma.ActionReset), ""
		d.clearVerdict()
		return StepCode, nil
	})
}

// Remember goes back to the pad that Forgot left, if it still can be tried.
func (a *Authority) Remember(ctx context.Context, id string, h Hand) (Page, error) {
	return a.move(ctx, id, h, []Step{StepCode, StepEvidence}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		row, err := tx.Request(c.Channel, c.BusinessNo)
		if err != nil {
			return "", err
		}
		if liuma.Action(d.Doing) != liuma.ActionReset || row.Decided {
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		d.Doing, d.Coded = "", nil
		d.clearVerdict()
		return StepPIN, nil
	})
}

// resetOnwards is where a reset goes once the code was right.
func (d *details) resetOnwards() Step {
	if d.Proof != nil || d.CardNo {
		d.Code = ""
		return StepPIN
	}
	d.Code = string(liuma.CodeEvidenceRequired)
	return StepEvidence
}

// withProof is where a ceremony goes when evidence came with a new push.
func (d *details) withProof(acting liuma.Action) Step {
	d.Code = ""
	if acting == liuma.ActionRebind {
		return StepPhone
	}
	return StepPIN
}

// rewind takes back what was proved in another browser, so that whoever goes
// on with a ceremony elsewhere proves it again.
func (d *details) rewind(c *store.Ceremony) error {
	if Step(c.Step).over() || Step(c.Step) == StepDone {
		return nil
	}
	proved := d.Coded != nil || d.Right != 0
	d.Coded, d.Right, d.Prover, d.CardNo = nil, 0, nil, false
	if !proved {
		return nil
	}
	d.Code, d.NewPhone = "", ""
	switch acting(*c, *d) {
	case liuma.ActionRebind:
		return goTo(c, StepPIN)
	case liuma.ActionEnroll, liuma.ActionReset, liuma.ActionUnfreeze:
		return goTo(c, StepCode)
	}
	return nil
}

func (d *details) clearVerdict() {
	d.Verdict, d.Code, d.Reason, d.Sentence, d.Left, d.Until = "", "", "", liuma.Text{}, nil, time.Time{}
}

// recovery is one try of a ceremony that no native request can make.
type recovery struct {
	no        liuma.BusinessNo
	subject   envelope.Subject
	region    liuma.Region
	purpose   string
	challenge string
	given     envelope.Envelope
	digest    [32]byte
	hosted    *hosted
	card      liuma.CardID
}

// reset sets the new PIN of a reset. Whatever was proved is looked at again in
// the transaction that opens the intent; a crash before it leaves the old PIN
// and the ceremony at the pad, one after it is carried through or abandoned
// like that of any other setting (I-7).
func (a *Authority) reset(ctx context.Context, c Caller, q recovery) error {
	row := a.row(c, liuma.ActionReset, q.no, q.purpose, q.digest)
	row.Ceremony, row.Card = q.hosted.id(), q.card
	p := a.policyFor(c, q.region)
	b := binding(c, liuma.ActionReset, liuma.RoleNew, boundSubject(q.hosted, q.subject), q.no, q.purpose, q.challenge)
	chosen, err := a.openPIN(ctx, b, q.given, "new_pin", p.Passphrase)
	if err != nil {
		return err
	}
	defer chosen.Wipe()
	f, err := a.factsOf(ctx, q.card)
	if err != nil {
		return err
	}
	if err := a.judgePIN(p, chosen, f, nil); err != nil {
		return err
	}
	release, err := a.slots.take(ctx, cardSlot(q.card), busyWait)
	if err != nil {
		return err
	}
	defer release()
	if err := a.finishIntent(ctx, q.card); err != nil {
		return err
	}
	in, err := a.openReset(ctx, c, row)
	if err != nil {
		return err
	}
	return a.setPIN(ctx, c, in, chosen)
}

// openReset takes the try's number and reserves the new version, if the
// ceremony holds all that a reset needs.
func (a *Authority) openReset(ctx context.Context, c Caller, row store.Request) (store.Intent, error) {
	var in store.Intent
	start := row
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row := start
		cer, err := tx.Ceremony(row.Ceremony)
		if err != nil {
			return audit.Entry{}, err
		}
		d, err := a.openDetails(cer)
		if err != nil {
			return audit.Entry{}, err
		}
		card, err := a.checkedCard(tx, row.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := errors.Join(a.served(tx, cer), a.mayReset(tx, cer, d, card)); err != nil {
			return audit.Entry{}, err
		}
		how := methodCardNo // no evidence, and no receipt says that there was
		if d.Proof != nil {
			row.Evidence, how = d.Proof.Method, "ok"
		}
		if err := insertRequest(tx, row); err != nil {
			return audit.Entry{}, err
		}
		if in, err = a.reserve(tx, &card, row.Channel, row.BusinessNo); err != nil {
			return audit.Entry{}, err
		}
		return a.versionEntry(c.actor(), audit.PINIntended, in, how), a.putCard(tx, card)
	})
	return in, err
}

// mayReset is the rule of I-12 for a reset: a code to the phone that is bound
// now, and evidence about this card's holder.
func (a *Authority) mayReset(r store.Reader, cer store.Ceremony, d details, card store.Card) error {
	if acting(cer, d) != liuma.ActionReset || Step(cer.Step) != StepPIN || cer.Card != card.ID || !cer.Ended.IsZero() {
		return liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	rules := a.recoveryOf(card, cer.Channel)
	c, err := a.resettable(r, card, rules, d.Proof != nil)
	if err != nil {
		return err
	}
	if !d.codeHolds(cer, c.Phone, a.now()) {
		return liuma.Fail(liuma.CodePhoneCodeExpired, nil)
	}
	if d.Proof == nil && d.CardNo {
		return a.mayResetByCardNo(r, card, rules)
	}
	return a.provedAbout(card, d)
}

// provedAbout checks that the ceremony has evidence about the card's holder.
func (a *Authority) provedAbout(card store.Card, d details) error {
	if d.Proof == nil {
		return &liuma.Error{Code: liuma.CodeEvidenceRequired}
	}
	f, err := a.facts(card)
	if err != nil {
		return err
	}
	if f.IDNumber != d.Proof.IDNumber {
		return liuma.FailField(liuma.CodeEvidenceInvalid, "evidence", errors.New("about somebody else"))
	}
	return nil
}

// wasReset follows the flip of a reset, in its transaction: the phone is
// confirmed, no device is known any more, every open ceremony of the card that
// proved or guessed at the old PIN ends, and the holder is told. Links stay.
func (a *Authority) wasReset(tx store.Tx, card store.Card, row store.Request) error {
	if err := errors.Join(a.confirmContact(tx, card.ID), tx.DeleteCodesOf(card.ID), tx.DeleteDevicesOf(card.ID), tx.DeleteTicks(tickResetPlanned, card.Holder)); err != nil {
		return err
	}
	if err := a.endOthers(tx, card.ID, row.Ceremony); err != nil {
		return err
	}
	return a.tellIn(tx, card, noticePINReset, row.Channel, nil)
}

// endOthers ends the open ceremonies of a card but one. What is done only
// waits for its channel, which will find its receipt stale.
func (a *Authority) endOthers(tx store.Tx, card liuma.CardID, but string) error {
	open, err := tx.CeremoniesOf(card)
	if err != nil {
		return err
	}
	for _, c := range open {
		if c.ID == but || Step(c.Step) == StepDone {
			continue
		}
		d, err := a.openDetails(c)
		if err != nil {
			return err
		}
		d.clearVerdict()
		d.Code = string(liuma.CodePINReset)
		err = errors.Join(goTo(&c, StepRefused), a.endRequest(tx, &c, liuma.CodePINReset), a.sealDetails(&c, d))
		if err != nil {
			return err
		}
		if err := tx.UpdateCeremony(c); err != nil {
			return err
		}
	}
	return nil
}

// afterReset says where the ceremony goes that set the new PIN: done, where
// that was what it was for; else back to its pad; and where its business
// number has an end already, or has nothing left to do, to StepReset.
func (a *Authority) afterReset(tx store.Tx, c *store.Ceremony, d *details) (to Step, end bool, err error) {
	if c.Action == liuma.ActionReset {
		return StepDone, true, nil
	}
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return "", false, err
	}
	d.Doing, d.Coded, d.Prover, d.WasReset = "", nil, nil, true
	d.clearVerdict()
	if !row.Decided && c.Action != liuma.ActionChange {
		return StepPIN, false, nil
	}
	d.Code = string(liuma.CodePINReset)
	return StepReset, false, a.endRequest(tx, c, liuma.CodePINReset)
}
