package testkit

import (
	"context"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Desk is a counter with one clerk and one supervisor, of the whole nation.
type Desk struct {
	*Env
	Clerk, Supervisor liuma.StaffID
	Away              bool // people come without their bound phone
}

// Desk opens a counter. Its members are known by documents of nobody in the registry.
func (e *Env) Desk(name string) *Desk {
	e.T.Helper()
	d := &Desk{Env: e, Clerk: liuma.StaffID(name + "-clerk"), Supervisor: liuma.StaffID(name + "-supervisor")}
	for id, role := range map[liuma.StaffID]liuma.StaffRole{d.Clerk: liuma.RoleClerk, d.Supervisor: liuma.RoleSupervisor} {
		d.Change(store.Member{ID: id, Name: string(id), Roles: []liuma.StaffRole{role}, Agency: liuma.Agency(name), State: store.MemberActive, At: e.Clock.Now(),
			Document: e.System.Vault.Index(vault.IndexIDNumber, "document of "+string(id)), Passkeys: []store.Passkey{{ID: []byte(id), Key: []byte{1}}}}, true)
	}
	return d
}

// Change writes a member's row.
func (d *Desk) Change(m store.Member, fresh bool) {
	d.T.Helper()
	d.must(d.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		e := audit.Entry{At: d.Clock.Now(), Actor: "test", Event: audit.StaffJoined, Outcome: "ok"}
		if fresh {
			return e, tx.InsertMember(m)
		}
		return e, tx.UpdateMember(m)
	}))
}

// Suspend suspends a member.
func (d *Desk) Suspend(id liuma.StaffID) {
	d.T.Helper()
	var m store.Member
	d.must(d.System.Store.View(context.Background(), func(r store.Reader) (err error) {
		m, err = r.Member(id)
		return err
	}))
	m.State, m.SuspendedAt = store.MemberSuspended, d.Clock.Now()
	d.Change(m, false)
}

// Asked has the clerk ask for a ticket of a person, with or without the person's own
// phone in place of a supervisor.
func (d *Desk) Asked(f registry.Facts, kind liuma.TicketKind, phone bool) (counter.View, error) {
	d.T.Helper()
	p, err := d.System.Counter.LookUp(context.Background(), d.Clerk, counter.Seeking{Number: f.IDNumber, Reason: "question"})
	d.must(err)
	return d.System.Counter.Open(context.Background(), d.Clerk, counter.Opening{LookUp: p.LookUp, Kind: kind, Checked: true, Phone: phone, Lost: d.Away})
}

// Ticket opens a ticket, or asks the supervisor for one, and returns its code.
func (d *Desk) Ticket(f registry.Facts, kind liuma.TicketKind, phone bool) (liuma.TicketID, string) {
	d.T.Helper()
	v, err := d.Asked(f, kind, phone)
	d.must(err)
	code, err := d.System.Counter.NewCode(context.Background(), d.Clerk, v.ID)
	d.must(err)
	return v.ID, code
}

// Shown opens a ticket of a person and has a browser of its own take it, which shows its
// number.
func (d *Desk) Shown(f registry.Facts, kind liuma.TicketKind) (ceremony.Page, ceremony.Hand) {
	d.T.Helper()
	_, code := d.Ticket(f, kind, false)
	p, err := d.Authority().BeginTicket(context.Background(), code, ceremony.Hand{Source: "192.0.2.7"})
	d.must(err)
	if p.Bound == "" || p.Step != ceremony.StepNumber {
		d.T.Fatalf("begun: %+v", p)
	}
	return p, ceremony.Hand{Secret: p.Bound}
}

// Approve has the supervisor type the number of a page, and returns the page as it is then.
func (d *Desk) Approve(p ceremony.Page, h ceremony.Hand) ceremony.Page {
	d.T.Helper()
	_, err := d.System.Counter.Approve(context.Background(), d.Supervisor, p.Counter.Ticket, p.Counter.Number)
	d.must(err)
	p, err = d.Authority().Look(context.Background(), p.ID, h)
	d.must(err)
	if p.Step != ceremony.StepConfirm {
		d.T.Fatalf("approved: %+v", p)
	}
	return p
}

// Begin opens a ticket of a person, and has it shown in a browser of its own and approved.
func (d *Desk) Begin(f registry.Facts, kind liuma.TicketKind) (ceremony.Page, ceremony.Hand) {
	d.T.Helper()
	p, h := d.Shown(f, kind)
	p = d.Approve(p, h)
	h.Consent = p.ConsentHash
	return p, h
}

// Agreed begins a ticket and agrees to it; the code to the bound phone is given, where one
// is asked for.
func (d *Desk) Agreed(f registry.Facts, kind liuma.TicketKind) (ceremony.Page, ceremony.Hand) {
	d.T.Helper()
	p, h := d.Begin(f, kind)
	p, err := d.Authority().Agree(context.Background(), p.ID, h)
	d.must(err)
	if p.Step == ceremony.StepCode {
		p = d.Code(p, h, d.bound(f))
	}
	return p, h
}

// bound is the number that is bound to a person's card.
func (d *Desk) bound(f registry.Facts) (number string) {
	d.T.Helper()
	d.must(d.System.Store.View(context.Background(), func(r store.Reader) error {
		card, err := r.CardByHolder(d.System.Vault.Index(vault.IndexIDNumber, f.IDNumber))
		if err == nil {
			_, number, err = d.System.Authority.Contact(r, card.ID)
		}
		return err
	}))
	return number
}

// Served plays a ticket to its end: a phone is bound if number names one, a PIN is set if
// the kind has one.
func (d *Desk) Served(f registry.Facts, kind liuma.TicketKind, number, secret string) ceremony.Page {
	d.T.Helper()
	p, h := d.Agreed(f, kind)
	p = d.Pad(p, h, number)
	if p.Step == ceremony.StepPIN {
		p = d.GivePIN(p, h, liuma.RoleNew, secret)
	}
	if p.Step != ceremony.StepDone {
		d.T.Fatalf("%s: %s", kind, fmt.Sprintf("%+v", p))
	}
	return p
}

// Pad goes on from the page of the phone, with a number or without one.
func (d *Desk) Pad(p ceremony.Page, h ceremony.Hand, number string) ceremony.Page {
	d.T.Helper()
	if p.Step != ceremony.StepPhone {
		return p
	}
	if number == "" {
		p, err := d.Authority().NoPhone(context.Background(), p.ID, h)
		d.must(err)
		return p
	}
	p, err := d.Authority().GivePhone(context.Background(), p.ID, h, number)
	d.must(err)
	return d.Code(p, h, number)
}
