package ceremony

import (
	"cmp"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// counterWait is how long a PIN does not count that was set at a counter for a holder
// whom no text could tell of it: an agency can write by then, and whoever hears what is
// news to them has the card stopped.
const counterWait = 72 * time.Hour

// atCounter is the act of a holder who stands at a counter, on their own phone or on
// the desk's pad. What it does is the kind of its ticket. Its two factors are two
// persons: the clerk who saw the original document and the supervisor who approved
// (I-12). The holder types the PIN, where no member of staff sees it, and shows that a
// new phone is theirs. No channel pushes it, and it returns to none.
//
//	reset         confirm --> code to the bound phone --> pin --> done
//	rebind        confirm --> code to the bound phone --> phone --> code --> done
//	rebind_reset  confirm --> code to the bound phone --> phone --> code --> pin --> done
//	unfreeze      confirm --> code to the bound phone --> done
//	enroll, open  confirm --> phone --> code --> pin --> done, or without a phone from there to the pad
//
// Before the supervisor has approved, the page of the first step shows a number for them
// and nothing else goes on (StepNumber, R-46). The bound phone's code is asked for where
// there is one and the clerk did not say that it is away (ownPhone). The ticket is looked
// at again at every move, and in the transaction that reserves, binds or thaws. It is used
// up in the transaction that does what it is for.
func atCounter() Act {
	return Act{
		Action: liuma.ActionCounter,
		First:  StepConfirm,
		Moves: []Move{
			{StepConfirm, StepPIN}, {StepConfirm, StepPhone}, {StepConfirm, StepCode}, {StepConfirm, StepDone},
			{StepPhone, StepCode}, {StepPhone, StepPIN},
			{StepCode, StepPhone}, {StepCode, StepPIN}, {StepCode, StepDone},
			{StepPIN, StepDone},
		},
		Roles:     []liuma.Role{liuma.RoleNew},
		CodeEvent: audit.PhoneChanged,
		agree:     (*Ceremonies).agreeAtCounter,
		stands: func(s *Ceremonies, r store.Reader, c store.Ceremony, d details) error {
			_, err := s.errandOf(r, c, d)
			if liuma.CodeOf(err) == liuma.CodeTicketWaits {
				return nil // it shows its number
			}
			return err
		},
		address: (*Ceremonies).phoneAtCounter,
		coded:   (*Ceremonies).codedAtCounter,
		chooses: func(s *Ceremonies, r store.Reader, c store.Ceremony, d details, _ asking) (choosing, error) {
			of, err := s.maySetAtCounter(r, c, d)
			return choosing{of.addressee(), of.judgedBy(d)}, err
		},
		run: (*Ceremonies).setAtCounter,
		right: func(s *Ceremonies, _ store.Tx, c *store.Ceremony, d *details, _ store.Request) (Step, bool, error) {
			d.clearVerdict()
			c.Ended = s.now() // there is no way back to anybody
			return StepDone, true, nil
		},
		set: (*Ceremonies).wasSetAtCounter,
	}
}

// errand is what a ceremony's ticket is for, as it stands now.
type errand struct {
	ticket store.Ticket
	card   store.Card // zero ID: there is none yet
	person store.Person
	facts  registry.Facts
	bound  string // phone; empty: none is
}

// addressee is the holder, without a number.
func (e errand) addressee() addressee {
	return addressee{holder: e.ticket.Holder, card: e.card, masked: e.facts.MaskedName()}
}

// judgedBy is what a new PIN must not be made of: among it the number that is bound or
// being bound.
func (e errand) judgedBy(d details) authority.Known {
	return authority.Known{Facts: e.facts, Bound: cmp.Or(d.NewPhone, e.bound)}
}

// bindsPhone are the kinds of ticket in which a phone is bound; without one go only
// those who may have none.
func bindsPhone(k liuma.TicketKind) bool {
	return k == liuma.TicketRebind || k == liuma.TicketRebindReset || mayLackPhone(k)
}

func mayLackPhone(k liuma.TicketKind) bool { return k == liuma.TicketEnroll || k == liuma.TicketOpen }

// errandOf reads the ticket of a ceremony and refuses if it does not stand any more, or
// not for the card as it is now. While it waits for its supervisor, every move is one too
// early (CodeTicketWaits), and the page goes on showing its number.
func (s *Ceremonies) errandOf(r store.Reader, c store.Ceremony, d details) (errand, error) {
	t, err := s.counter.Ticket(r, d.Ticket)
	if err != nil {
		return errand{}, err
	}
	if t.State == store.TicketExpired || t.Live() && !s.now().Before(t.Until) {
		return errand{}, liuma.Fail(liuma.CodeCeremonyExpired, nil) // the ticket's minutes are the ceremony's
	}
	if waits := t.State == store.TicketAsked; t.Ceremony != c.ID || !waits && t.State != store.TicketTaken {
		return errand{}, ticketOver(t)
	}
	of, err := s.errandFor(r, t)
	if err == nil && of.ticket.State != store.TicketTaken {
		return errand{}, liuma.Fail(liuma.CodeTicketWaits, nil)
	}
	return of, err
}

// errandFor is errandOf for a ticket that is in hand, and may wait for its supervisor.
func (s *Ceremonies) errandFor(r store.Reader, t store.Ticket) (errand, error) {
	of := errand{ticket: t}
	var err error
	if of.person, of.facts, err = s.registry.Of(r, t.Holder); errors.Is(err, store.ErrNotFound) {
		return of, liuma.Fail(liuma.CodeNotInRegistry, err)
	} else if err != nil {
		return of, err
	}
	if !t.Card.IsZero() {
		if of.card, err = s.engine.ReadCard(r, t.Card); err != nil {
			return of, err
		}
		if _, of.bound, err = s.engine.Contact(r, t.Card); err != nil && !errors.Is(err, store.ErrNotFound) {
			return of, err
		}
	}
	if of.ticket, err = s.counter.Lasts(r, t.ID, of.card); err != nil {
		return of, err
	}
	return of, s.fitsErrand(of)
}

// fitsErrand refuses what the card's standing does not let the kind of ticket do.
func (s *Ceremonies) fitsErrand(of errand) error {
	card, kind := of.card, of.ticket.Kind
	if of.person.Physical == liuma.PhysicalCancelled || card.Physical == liuma.PhysicalCancelled {
		return liuma.Fail(liuma.CodeCancelled, nil)
	}
	if of.ticket.Route != store.RouteSupervisor {
		return liuma.Fail(liuma.CodeTicketApp, nil) // it counts in the holder's own app alone
	}
	if s.outbox == nil && bindsPhone(kind) && !mayLackPhone(kind) {
		return liuma.Fail(liuma.CodeOnlineOff, nil)
	}
	if kind == liuma.TicketEnroll {
		if of.ticket.Came.As == store.CameGuardian { // who is here with the child, and whom the clerk saw
			return nil
		}
		return s.ofAge(s.policy.For(of.ticket.Region, store.CounterClient), of.person.Region, of.facts.Born())
	}
	if card.Version == 0 {
		return liuma.Fail(liuma.CodeTicketEnded, nil)
	}
	if card.Contested {
		return liuma.Fail(liuma.CodeContested, nil)
	}
	stopped := card.Frozen || card.Reported(s.now())
	switch kind {
	case liuma.TicketUnfreeze:
		if !stopped {
			return liuma.Fail(liuma.CodeNotFrozen, nil)
		}
		return nil
	case liuma.TicketReset, liuma.TicketRebind, liuma.TicketRebindReset:
		if card.Frozen {
			return liuma.Fail(liuma.CodeFrozen, nil)
		}
		if stopped {
			return lossReported(card)
		}
		return correcting(card)
	case liuma.TicketOpen:
		return correcting(card)
	}
	return liuma.Fail(liuma.CodeTicketUnknown, nil) // closing has no page of its holder
}

// agreeAtCounter goes on from the first page to what the ticket is for.
func (s *Ceremonies) agreeAtCounter(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
	of, err := s.errandOf(tx, *c, *d)
	if liuma.CodeOf(err) == liuma.CodeTicketWaits {
		return "", liuma.Fail(liuma.CodeCeremonyMoved, err) // nobody has looked at the person yet
	}
	if err != nil {
		return s.refuse(tx, c, d, err)
	}
	own, _, err := s.ownPhone(tx, of)
	if err != nil {
		return "", err
	}
	switch kind := of.ticket.Kind; {
	case own:
		return StepCode, nil
	case kind == liuma.TicketUnfreeze:
		return StepDone, s.thawAtCounter(tx, c, *d, of)
	case bindsPhone(kind) && s.outbox == nil:
		d.NoPhone = true
		return StepPIN, nil
	case bindsPhone(kind):
		return StepPhone, nil
	}
	return StepPIN, nil
}

// thawAtCounter ends a freeze, or a reported loss, in the transaction of the holder's
// consent: a crash leaves the card frozen and the ticket unused, or neither.
func (s *Ceremonies) thawAtCounter(tx store.Tx, c *store.Ceremony, d details, of errand) error {
	if err := s.ownPhoneGiven(tx, *c, d, of); err != nil {
		return err
	}
	card := of.card.Thawed()
	keepAgreed(&card, d.Consent, c.Channel)
	if _, err := s.counter.Use(tx, of.ticket.ID, &card, c.ID); err != nil {
		return err
	}
	return errors.Join(tx.UpdateCard(card), tx.DeleteCodesOf(card.ID),
		s.doneAtCounter(tx, c, card), s.engine.TellIn(tx, card, noticeUnfrozen, c.Channel, nil))
}

// asksOwn are the kinds of ticket that ask for a code to the phone that is bound. Where
// another is bound in its place, that comes before the new number: else whoever takes the
// place of a holder asks for a rebinding, and has what a reset would have refused.
func asksOwn(k liuma.TicketKind) bool {
	return k == liuma.TicketReset || k == liuma.TicketUnfreeze || bindsPhone(k) && !mayLackPhone(k)
}

// ownPhone reports whether a ticket asks for a code to the phone that is bound: where a
// PIN is set anew, another phone is bound or a freeze is ended, unless the clerk said that
// this phone is not here, which is reviewed.
// Whoever takes the place of a holder who stands there then lacks their phone as well. It
// is a third proof, so no phone is too new or too long unseen for it.
func (s *Ceremonies) ownPhone(r store.Reader, of errand) (asked bool, phone string, err error) {
	if !asksOwn(of.ticket.Kind) || of.ticket.Lost || s.outbox == nil {
		return false, "", nil
	}
	_, phone, err = s.engine.Contact(r, of.card.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, "", nil
	}
	return err == nil, phone, err
}

// ownPhoneGiven is the rule: the code was right in this browser, and the phone is still
// the one that is bound.
func (s *Ceremonies) ownPhoneGiven(r store.Reader, c store.Ceremony, d details, of errand) error {
	owed, _, err := s.ownPhoneOwed(r, c, d, of)
	if err == nil && owed {
		return liuma.Fail(liuma.CodeCeremonyMoved, nil) // no step is skipped
	}
	return err
}

// ownPhoneOwed reports whether the bound phone's code is asked for and was not given, and
// that phone. Where another one is bound in its place, its code is kept beside the new one's.
func (s *Ceremonies) ownPhoneOwed(r store.Reader, c store.Ceremony, d details, of errand) (owed bool, phone string, err error) {
	asked, phone, err := s.ownPhone(r, of)
	if err != nil || !asked {
		return false, phone, err
	}
	proof := d.Proofs.Code
	if bindsPhone(of.ticket.Kind) {
		proof = d.Proofs.OldCode
	}
	return !proof.holds(c, s.engine.PhoneIndex(phone), s.now()), phone, nil
}

// phoneAtCounter is the number which the code goes to: the one that is bound, where its
// code is owed, or else the one to be bound.
func (s *Ceremonies) phoneAtCounter(r store.Reader, c store.Ceremony, d details) (addressee, error) {
	if naming(c, d) {
		return s.contactToBe(r, c, d)
	}
	of, err := s.errandOf(r, c, d)
	if err != nil {
		return addressee{}, err
	}
	to := of.addressee()
	asked, phone, err := s.ownPhone(r, of)
	if err == nil && asked && bindsPhone(d.Kind) {
		asked, phone, err = s.ownPhoneOwed(r, c, d, of)
	}
	if err != nil {
		return addressee{}, err
	}
	if asked {
		to.phone, to.template = phone, ownTemplate(d.Kind)
		return to, nil
	}
	if d.NewPhone == "" {
		return addressee{}, liuma.Fail(liuma.CodePhoneInvalid, nil)
	}
	to.phone, to.template = d.NewPhone, "code_rebind"
	if mayLackPhone(d.Kind) {
		to.template = "code_bind"
	}
	return to, nil
}

// ownTemplate is what the bound phone's text says its code is for.
func ownTemplate(k liuma.TicketKind) string {
	switch k {
	case liuma.TicketUnfreeze:
		return "code_unfreeze"
	case liuma.TicketReset:
		return "code_reset"
	}
	return "code_rebind"
}

// ownCoded follows the right code of a phone in whose place another is bound, with the
// page of the new number.
func ownCoded(d *details) Step {
	d.NewPhone, d.Code, d.Proofs.OldCode = "", "", d.Proofs.Code
	d.Proofs.Code.Spent = true
	return StepPhone
}

// codedAtCounter follows the right code: a rebinding and an unfreezing are done by it. The
// bound phone's leads on to the new number.
func (s *Ceremonies) codedAtCounter(tx store.Tx, c *store.Ceremony, d *details, to addressee) (Step, error) {
	if bindsPhone(d.Kind) {
		of, err := s.errandOf(tx, *c, *d)
		if err != nil {
			return s.refuse(tx, c, d, err)
		}
		owed, _, err := s.ownPhoneOwed(tx, *c, *d, of)
		if err != nil {
			return "", err
		}
		if owed {
			return ownCoded(d), nil
		}
	}
	if d.Kind != liuma.TicketRebind && d.Kind != liuma.TicketUnfreeze {
		d.Code = ""
		return StepPIN, nil
	}
	of, err := s.errandOf(tx, *c, *d)
	if err != nil {
		return s.refuse(tx, c, d, err)
	}
	if d.Kind == liuma.TicketUnfreeze {
		return StepDone, s.thawAtCounter(tx, c, *d, of)
	}
	card := of.card
	keepAgreed(&card, d.Consent, c.Channel)
	if _, err := s.counter.Use(tx, of.ticket.ID, &card, c.ID); err != nil {
		return "", err
	}
	hold := s.now().Add(s.recoveryOf(card, *c).Hold)
	return StepDone, errors.Join(tx.UpdateCard(card), s.bindPhone(tx, card, *c, *d, to.phone, hold), s.doneAtCounter(tx, c, card))
}

// doneAtCounter decides the ceremony's business number where no try does, and ends it.
func (s *Ceremonies) doneAtCounter(tx store.Tx, c *store.Ceremony, card store.Card) error {
	c.Ended, c.Expires = s.now(), later(c.Expires, s.now().Add(ceremonyMore))
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil || row.Decided {
		return err
	}
	row.Card, row.Version = card.ID, card.Version
	authority.Decide(&row, s.now(), liuma.Right, "")
	return tx.UpdateRequest(row)
}

// ticketOver is the refusal of a ticket that has ended, or that another browser has.
func ticketOver(t store.Ticket) error {
	if t.Live() && t.Ceremony != "" {
		return liuma.Fail(liuma.CodeTicketTaken, nil)
	}
	return liuma.Fail(liuma.CodeTicketEnded, nil)
}
