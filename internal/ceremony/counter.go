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

// counterWait is how long a new PIN does not count if it was set at a counter and no text
// could tell the holder of it. Within this time a letter arrives, and a holder who did not
// set the PIN can have the card stopped.
const counterWait = 72 * time.Hour

// atCounter is the act of a holder who stands at a counter, on their own phone or on the
// desk's pad. The kind of the ticket says what it does. Its two factors are two persons: the
// clerk who saw the original document and the supervisor who approved (I-12). The holder
// types the PIN where no member of staff sees it, and proves that a new phone is theirs by a
// code. No channel pushes the act, and it returns to no channel.
//
//	reset         confirm --> code to the bound phone --> pin --> done
//	rebind        confirm --> code to the bound phone --> phone --> code --> done
//	rebind_reset  confirm --> code to the bound phone --> phone --> code --> pin --> done
//	unfreeze      confirm --> code to the bound phone --> done
//	enroll, open  confirm --> phone --> code --> pin --> done, or without a phone from there to the pad
//
// Until the supervisor has approved, the first page shows a number for the supervisor and
// every move is refused (StepNumber, R-46). If the card has a bound phone, a code to it is
// asked for, unless the clerk said that the phone is not here (ownPhone). The ticket is
// checked again at every move, and in the transaction that reserves a PIN version, binds a
// phone or ends a freeze. It is used up in the transaction that does its work.
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
				return nil // the page shows the ticket's number
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
			c.Ended = s.now() // there is no channel to go back to
			return StepDone, true, nil
		},
		set: (*Ceremonies).wasSetAtCounter,
	}
}

// errand is a ceremony's ticket with the card, the person and the phone that it is about, as
// they are now.
type errand struct {
	ticket store.Ticket
	card   store.Card // zero ID: there is none yet
	person store.Person
	facts  registry.Facts
	bound  string // the bound phone's number; empty: no phone is bound
}

// addressee is the holder, without a number.
func (e errand) addressee() addressee {
	return addressee{holder: e.ticket.Holder, card: e.card, masked: e.facts.MaskedName()}
}

// judgedBy holds the facts that a new PIN must not be made of, with the number that is bound
// or being bound.
func (e errand) judgedBy(d details) authority.Known {
	return authority.Known{Facts: e.facts, Bound: cmp.Or(d.NewPhone, e.bound)}
}

// bindsPhone reports whether a ticket of this kind binds a phone. Only the kinds of
// mayLackPhone may go on without one.
func bindsPhone(k liuma.TicketKind) bool {
	return k == liuma.TicketRebind || k == liuma.TicketRebindReset || mayLackPhone(k)
}

func mayLackPhone(k liuma.TicketKind) bool { return k == liuma.TicketEnroll || k == liuma.TicketOpen }

// errandOf reads the ticket of a ceremony. It refuses a ticket that no longer stands, or does
// not fit the card as it is now. While the ticket waits for its supervisor, every move is too
// early (CodeTicketWaits), and the page keeps showing its number.
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

// errandFor is errandOf for a ticket that was read already. The ticket may be waiting for its
// supervisor.
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

// fitsErrand refuses a ticket whose kind the card's standing does not allow.
func (s *Ceremonies) fitsErrand(of errand) error {
	card, kind := of.card, of.ticket.Kind
	if of.person.Physical == liuma.PhysicalCancelled || card.Physical == liuma.PhysicalCancelled {
		return liuma.Fail(liuma.CodeCancelled, nil)
	}
	if of.ticket.Route != store.RouteSupervisor {
		return liuma.Fail(liuma.CodeTicketApp, nil) // it counts only in the holder's own app
	}
	if s.outbox == nil && bindsPhone(kind) && !mayLackPhone(kind) {
		return liuma.Fail(liuma.CodeOnlineOff, nil)
	}
	if kind == liuma.TicketEnroll {
		if of.ticket.Came.As == store.CameGuardian { // the clerk saw the guardian, who is here with the child
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
	return liuma.Fail(liuma.CodeTicketUnknown, nil) // a closing has no page for the holder
}

// agreeAtCounter goes on from the first page to the first step of the ticket's kind.
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

// asksOwn reports whether a ticket of this kind asks for a code to the bound phone. Where
// another phone is to be bound, that code comes before the new number. Otherwise an impostor
// at the counter, refused a reset for want of the bound phone, could ask for a rebinding
// instead.
func asksOwn(k liuma.TicketKind) bool {
	return k == liuma.TicketReset || k == liuma.TicketUnfreeze || bindsPhone(k) && !mayLackPhone(k)
}

// ownPhone reports whether a ticket asks for a code to the bound phone. It does where a PIN
// is reset, another phone is bound or a freeze is ended, unless the clerk said that the phone
// is not here; such tickets are reviewed afterwards. So an impostor at the counter must also
// have the holder's phone. The code is a third proof, so it does not matter how lately the
// phone was bound or confirmed.
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

// ownPhoneGiven refuses unless a right code to the phone that is bound now was given in this
// browser, where one is asked for.
func (s *Ceremonies) ownPhoneGiven(r store.Reader, c store.Ceremony, d details, of errand) error {
	owed, _, err := s.ownPhoneOwed(r, c, d, of)
	if err == nil && owed {
		return liuma.Fail(liuma.CodeCeremonyMoved, nil) // no step is skipped
	}
	return err
}

// ownPhoneOwed reports whether the bound phone's code is still missing, and that phone's
// number. In tickets that bind another phone this proof is kept in OldCode, since Code is for
// the new number.
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

// phoneAtCounter is the number that the code goes to: the bound phone while its code is
// missing, else the number to be bound.
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

// ownTemplate is the template of the code to the bound phone; its text says what the code is
// for.
func ownTemplate(k liuma.TicketKind) string {
	switch k {
	case liuma.TicketUnfreeze:
		return "code_unfreeze"
	case liuma.TicketReset:
		return "code_reset"
	}
	return "code_rebind"
}

// ownCoded follows a right code to the bound phone that is to be replaced: next comes the
// page for the new number.
func ownCoded(d *details) Step {
	d.NewPhone, d.Code, d.Proofs.OldCode = "", "", d.Proofs.Code
	d.Proofs.Code.Spent = true
	return StepPhone
}

// codedAtCounter follows a right code. It completes a rebinding or an unfreezing; a code to a
// phone that is to be replaced leads to the page for the new number.
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

// doneAtCounter decides the ceremony's business number, for tickets in which no PIN is tried,
// and ends the ceremony.
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

// ticketOver is the refusal of a ticket that has ended, or that another browser took.
func ticketOver(t store.Ticket) error {
	if t.Live() && t.Ceremony != "" {
		return liuma.Fail(liuma.CodeTicketTaken, nil)
	}
	return liuma.Fail(liuma.CodeTicketEnded, nil)
}
