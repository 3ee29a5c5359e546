package counter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// desk is a world with members of staff, and channels in which some people have cards.
type desk struct {
	*testkit.Env
	*testing.T
	bank authority.Caller
	hour int // of people who were used up
}

const (
	clerk   = liuma.StaffID("clerk")
	other   = liuma.StaffID("other-clerk")
	super   = liuma.StaffID("super")
	officer = liuma.StaffID("officer")
)

// newDesk has a clerk, another one, a supervisor and a security officer. The members are
// people of the registry; those who come to the counter are people[8] and on.
func newDesk(t *testing.T) *desk {
	t.Helper()
	return newDeskWith(t, testkit.Options{Phones: true, People: 30})
}

func newDeskWith(t *testing.T, o testkit.Options) *desk {
	t.Helper()
	e := testkit.New(t, o)
	d := &desk{Env: e, T: t}
	d.bank = authority.Caller{Client: e.AddParty(testkit.NationalChannel("bank", "https://bank.example/back")).Client}
	for i, m := range []store.Member{
		{ID: clerk, Roles: []liuma.StaffRole{liuma.RoleClerk}}, {ID: other, Roles: []liuma.StaffRole{liuma.RoleClerk}},
		{ID: super, Roles: []liuma.StaffRole{liuma.RoleSupervisor}}, {ID: officer, Roles: []liuma.StaffRole{liuma.RoleOfficer}},
	} {
		m.Document = d.holder(e.People[i])
		d.member(m)
		d.session(m.ID)
	}
	return d
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) want(got, want error) {
	d.Helper()
	if !errors.Is(got, want) {
		d.Errorf("%v, want %v", got, want)
	}
}

func (d *desk) code(got error, want liuma.Code) {
	d.Helper()
	if liuma.CodeOf(got) != want || got == nil {
		d.Errorf("%v, want %s", got, want)
	}
}

func (d *desk) ctx() context.Context { return d.Context() }

func (d *desk) counter() *counter.Counter { return d.System.Counter }

// another is the counter of another authority over the same store.
func (d *desk) another() *counter.Counter {
	d.Helper()
	s := d.System
	rules, err := s.Policy.Running()
	d.must(err)
	c, err := counter.New(counter.Config{Store: s.Store, Vault: s.Vault, Registry: s.Registry, Engine: s.Authority, Rules: rules,
		Now: s.Clock.Now, Teller: s.Authority, Closer: s.Authority,
		SignedIn: func(r store.Reader, m store.Member) (bool, error) { return staff.SignedIn(r, m, s.Clock.Now()) }})
	d.must(err)
	return c
}

func (d *desk) holder(f registry.Facts) vault.Index {
	d.Helper()
	id, err := registry.ParseIDNumber(f.IDNumber)
	d.must(err)
	return d.System.Vault.Index(vault.IndexIDNumber, id.Canonical())
}

// update writes behind the counter's back, with an entry.
func (d *desk) update(f func(store.Tx) error) {
	d.Helper()
	d.must(d.tryUpdate(f))
}

func (d *desk) tryUpdate(f func(store.Tx) error) error {
	return d.System.Store.Update(d.ctx(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: d.System.Clock.Now(), Actor: "test", Event: audit.CeremonyStepped, Outcome: "ok"}, f(tx)
	})
}

func (d *desk) view(f func(store.Reader) error) {
	d.Helper()
	d.must(d.System.Store.View(d.ctx(), f))
}

// member adds a member, active and with a passkey, or replaces one.
func (d *desk) member(m store.Member) {
	d.Helper()
	m.Name, m.At = string(m.ID), d.System.Clock.Now()
	if m.State == 0 {
		m.State = store.MemberActive
	}
	if m.Passkeys == nil {
		m.Passkeys = []store.Passkey{{ID: []byte(m.ID)}}
	}
	d.update(func(tx store.Tx) error {
		err := tx.InsertMember(m)
		if errors.Is(err, store.ErrExists) {
			err = tx.UpdateMember(m)
		}
		return err
	})
}

func (d *desk) change(id liuma.StaffID, f func(*store.Member)) {
	d.Helper()
	d.update(func(tx store.Tx) error {
		m, err := tx.Member(id)
		f(&m)
		return errors.Join(err, tx.UpdateMember(m))
	})
}

// session signs a member in, for the shift.
func (d *desk) session(id liuma.StaffID) {
	d.Helper()
	now := d.System.Clock.Now()
	d.update(func(tx store.Tx) error {
		return tx.PutStaffSession(store.StaffSession{Hash: [32]byte([]byte(fmt.Sprintf("%-32s", id))), Member: id, At: now, Seen: now, Until: now.Add(8 * time.Hour)})
	})
}

// who is the next person who was not used before.
func (d *desk) who() registry.Facts {
	d.Helper()
	d.hour++
	return d.People[8+d.hour]
}

// enrolled is one with a card, a bound phone and a known link.
func (d *desk) enrolled() registry.Facts {
	d.Helper()
	f := d.who()
	d.EnrollPhone(d.bank, f, "482915")
	return f
}

func (d *desk) card(f registry.Facts) (c store.Card) {
	d.Helper()
	d.view(func(r store.Reader) (err error) {
		c, err = r.CardByHolder(d.holder(f))
		return err
	})
	return c
}

func (d *desk) lookUp(by liuma.StaffID, f registry.Facts) (counter.Person, error) {
	return d.counter().LookUp(d.ctx(), by, counter.Seeking{Number: f.IDNumber, Reason: "forgot_pin"})
}

// open opens a ticket of the first clerk.
func (d *desk) open(f registry.Facts, q counter.Opening) (counter.View, error) {
	d.Helper()
	return d.openBy(clerk, f, q)
}

func (d *desk) openBy(by liuma.StaffID, f registry.Facts, q counter.Opening) (counter.View, error) {
	d.Helper()
	p, err := d.lookUp(by, f)
	d.must(err)
	q.LookUp, q.Checked = p.LookUp, true
	return d.counter().Open(d.ctx(), by, q)
}

// approved is a ticket of the first clerk that ceremony c1 has and the supervisor approved.
func (d *desk) approved(f registry.Facts, kind liuma.TicketKind) counter.View {
	d.Helper()
	v := d.asked(f, kind)
	d.must(d.take(v.ID, f, "c1"))
	v, err := d.approve(super, v.ID)
	d.must(err)
	return v
}

// asked is one that waits for the supervisor, and nobody has.
func (d *desk) asked(f registry.Facts, kind liuma.TicketKind) counter.View {
	d.Helper()
	v, err := d.open(f, counter.Opening{Kind: kind})
	d.must(err)
	return v
}

// approve has a member type the number that the screen shows which has a ticket.
func (d *desk) approve(by liuma.StaffID, id liuma.TicketID) (counter.View, error) {
	d.Helper()
	return d.counter().Approve(d.ctx(), by, id, d.counter().Number(d.ticket(id)))
}

// byLink is one that is open at once.
func (d *desk) byLink(f registry.Facts, kind liuma.TicketKind) counter.View {
	d.Helper()
	v, err := d.open(f, counter.Opening{Kind: kind, Phone: true})
	d.must(err)
	return v
}

func (d *desk) ticket(id liuma.TicketID) (t store.Ticket) {
	d.Helper()
	d.view(func(r store.Reader) (err error) {
		t, err = r.Ticket(id)
		return err
	})
	return t
}

// stands is what a ceremony hears of a ticket.
func (d *desk) stands(id liuma.TicketID, f registry.Facts) error {
	d.Helper()
	var card store.Card
	if !d.ticket(id).Card.IsZero() {
		card = d.card(f)
	}
	return d.System.Store.View(d.ctx(), func(r store.Reader) error {
		_, err := d.counter().Stands(r, id, card)
		return err
	})
}

func (d *desk) take(id liuma.TicketID, f registry.Facts, ceremony string) error {
	return d.tryUpdate(func(tx store.Tx) error {
		card, err := d.cardIn(tx, id, f)
		if err == nil {
			_, err = d.counter().Take(tx, id, card, ceremony)
		}
		return err
	})
}

func (d *desk) use(id liuma.TicketID, f registry.Facts, ceremony string) error {
	return d.tryUpdate(func(tx store.Tx) error {
		card, err := d.cardIn(tx, id, f)
		if err != nil {
			return err
		}
		if _, err := d.counter().Use(tx, id, &card, ceremony); err != nil || card.ID.IsZero() {
			return err
		}
		return tx.UpdateCard(card)
	})
}

func (d *desk) cardIn(r store.Reader, id liuma.TicketID, f registry.Facts) (store.Card, error) {
	t, err := r.Ticket(id)
	if err != nil || t.Card.IsZero() {
		return store.Card{}, err
	}
	return r.CardByHolder(d.holder(f))
}

// notes are those of an event in the record, with actor and outcome before them.
func (d *desk) notes(event audit.Event) (out []string) {
	d.Helper()
	d.view(func(r store.Reader) error {
		out = nil
		heads, err := r.Streams(audit.Stream{}, 9999)
		for _, s := range heads {
			all, err := r.Entries(s.Stream, 0, 9999)
			if err != nil {
				return err
			}
			for _, e := range all {
				if e.Event == event {
					out = append(out, e.Actor+" "+e.Outcome+" "+e.Note)
				}
			}
		}
		return err
	})
	return out
}

// recorded wants one entry of an event with these words.
func (d *desk) recorded(event audit.Event, words ...string) {
	d.Helper()
	all := d.notes(event)
	if !slices.ContainsFunc(all, func(n string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(n, w) })
	}) {
		d.Errorf("no %s with %q in %q", event, words, all)
	}
}

// freeze freezes a card as the hotline does.
func (d *desk) freeze(f registry.Facts) {
	d.Helper()
	d.update(func(tx store.Tx) error {
		card, err := tx.CardByHolder(d.holder(f))
		if err != nil {
			return err
		}
		return d.System.Authority.FreezeCard(tx, &card, liuma.Text{ZH: "热线", EN: "hotline"})
	})
}
