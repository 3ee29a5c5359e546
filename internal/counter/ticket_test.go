package counter_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestATicketByLink is open at once, with nobody but the clerk behind it, where there is a
// bound phone and a known link, and not otherwise.
func TestATicketByLink(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.byLink(f, liuma.TicketReset)
	row := d.ticket(v.ID)
	if v.State != counter.Opened || row.Route != store.RouteLink || row.Supervisor != "" || row.Until.Sub(row.OpenedAt) != counter.TicketLife {
		t.Errorf("%+v", row)
	}
	d.recorded(audit.TicketOpened, "staff:clerk ok", "ticket="+v.ID.String(), "kind=reset route=link clerk=clerk", "for=forgot_pin")
	d.must(d.stands(v.ID, f))
	// Who lost the phone proves nothing by it.
	lost, err := d.open(f, counter.Opening{Kind: liuma.TicketReset, Phone: true, Lost: true})
	d.must(err)
	if lost.State != counter.Asked || lost.Supervisor.ID != super || d.ticket(v.ID).State != store.TicketWithdrawn {
		t.Errorf("%+v", lost)
	}
	// Two at once take a supervisor, whatever the clerk says.
	both, err := d.open(f, counter.Opening{Kind: liuma.TicketRebindReset, Phone: true})
	d.must(err)
	if both.State != counter.Asked {
		t.Errorf("%+v", both)
	}
	d.update(func(tx store.Tx) error {
		links, err := tx.Links(d.card(f).ID)
		links[0].Wrong = 10 // known no more
		return errors.Join(err, tx.PutLink(links[0]))
	})
	_, err = d.open(f, counter.Opening{Kind: liuma.TicketReset, Phone: true})
	d.want(err, counter.ErrKind)
}

// TestATicketByASupervisor: it is worth nothing before the one who was picked approves
// it, and its fifteen minutes begin then.
func TestATicketByASupervisor(t *testing.T) {
	d := newDesk(t)
	d.member(store.Member{ID: "super2", Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Document: d.holder(d.People[4])}) // not signed in
	f := d.enrolled()
	v, err := d.open(f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	if v.State != counter.Asked || v.Supervisor.ID != super {
		t.Errorf("%+v", v)
	}
	d.code(d.stands(v.ID, f), liuma.CodeTicketWaits)
	_, err = d.approve(super, v.ID)
	d.want(err, counter.ErrUnseen)
	d.must(d.take(v.ID, f, "c1"))
	d.code(d.stands(v.ID, f), liuma.CodeTicketWaits)
	d.code(d.use(v.ID, f, "c1"), liuma.CodeTicketWaits)
	_, err = d.counter().NewCode(d.ctx(), clerk, v.ID)
	d.want(err, counter.ErrState) // a browser has it
	for _, by := range []liuma.StaffID{clerk, other, officer, "nobody"} {
		_, err := d.approve(by, v.ID)
		d.want(err, counter.ErrMember)
	}
	_, err = d.approve("super2", v.ID)
	d.want(err, counter.ErrTicket)
	d.Clock.Advance(20 * time.Minute)
	waiting, err := d.counter().Waiting(d.ctx(), super)
	d.must(err)
	if len(waiting) != 1 || waiting[0].ID != v.ID {
		t.Errorf("%+v", waiting)
	}
	v, err = d.approve(super, v.ID)
	d.must(err)
	if row := d.ticket(v.ID); v.State != counter.Taken || row.Until.Sub(row.OpenedAt) != counter.TicketLife {
		t.Errorf("%+v", row)
	}
	d.recorded(audit.TicketOpened, "staff:super ok", "clerk=clerk supervisor=super")
	_, err = d.approve(super, v.ID)
	d.want(err, counter.ErrState)
	d.want(d.counter().Decline(d.ctx(), super, v.ID, "too late"), counter.ErrState)
	d.must(d.take(v.ID, f, "c1"))
	d.must(d.use(v.ID, f, "c1"))
	if p, err := d.counter().Progress(d.ctx(), clerk, v.ID); err != nil || p.State != counter.Used {
		t.Errorf("%+v %v", p, err)
	}
}

// TestWhatIsDeclined, withdrawn or left alone is worth nothing.
func TestWhatIsDeclined(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v, err := d.open(f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	d.want(d.counter().Decline(d.ctx(), super, v.ID, ""), counter.ErrFinding)
	d.must(d.counter().Decline(d.ctx(), super, v.ID, "the photo is another's"))
	if p, err := d.counter().Progress(d.ctx(), clerk, v.ID); err != nil || p.State != counter.Declined || p.Ended != "the photo is another's" {
		t.Errorf("%+v %v", p, err)
	}
	d.recorded(audit.TicketEnded, "staff:super declined", "reason=the photo is another's")
	d.code(d.stands(v.ID, f), liuma.CodeTicketEnded)
	v = d.approved(f, liuma.TicketReset)
	d.want(d.counter().Withdraw(d.ctx(), other, v.ID), counter.ErrTicket)
	d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	d.want(d.counter().Withdraw(d.ctx(), clerk, v.ID), counter.ErrState)
	d.code(d.stands(v.ID, f), liuma.CodeTicketEnded)
	// A supervisor who does not look.
	v, err = d.open(f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	d.Clock.Advance(counter.AskedLife - time.Millisecond)
	if w, err := d.counter().Waiting(d.ctx(), super); err != nil || len(w) != 1 {
		t.Errorf("%+v %v", w, err)
	}
	d.Clock.Advance(time.Millisecond)
	if w, err := d.counter().Waiting(d.ctx(), super); err != nil || len(w) > 0 {
		t.Errorf("%+v %v", w, err)
	}
	_, err = d.approve(super, v.ID)
	d.want(err, counter.ErrState)
	d.code(d.stands(v.ID, f), liuma.CodeTicketEnded)
}

// TestATicketEndsWithItsMinutes, written or not, in a card's stream.
func TestATicketEndsWithItsMinutes(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.approved(f, liuma.TicketReset)
	d.must(d.take(v.ID, f, "c1"))
	d.Clock.Advance(counter.TicketLife - time.Millisecond)
	d.must(d.stands(v.ID, f))
	d.Clock.Advance(time.Millisecond)
	d.code(d.stands(v.ID, f), liuma.CodeTicketEnded)
	d.code(d.use(v.ID, f, "c1"), liuma.CodeTicketEnded)
	if p, err := d.counter().Progress(d.ctx(), clerk, v.ID); err != nil || p.State != counter.Expired {
		t.Errorf("%+v %v", p, err)
	}
	d.must(d.counter().MaintainOnce(d.ctx()))
	d.must(d.counter().MaintainOnce(d.ctx()))
	if d.ticket(v.ID).State != store.TicketExpired || len(d.notes(audit.TicketEnded)) != 1 {
		t.Errorf("%+v %q", d.ticket(v.ID), d.notes(audit.TicketEnded))
	}
	d.recorded(audit.TicketEnded, "system expired", "ticket="+v.ID.String())
	d.Clock.Advance(counter.Kept + time.Minute)
	d.must(d.counter().MaintainOnce(d.ctx()))
	d.view(func(r store.Reader) error {
		if _, err := r.Ticket(v.ID); !errors.Is(err, store.ErrNotFound) {
			t.Error("it is kept for ever")
		}
		return nil
	})
}

// TestWhatStopsATicket: each of these between two moves, and it stands no more.
func TestWhatStopsATicket(t *testing.T) {
	for name, stop := range map[string]func(d *desk, v counter.View){
		"the clerk was suspended": func(d *desk, _ counter.View) {
			d.change(clerk, func(m *store.Member) { m.State = store.MemberSuspended })
		},
		"the supervisor was suspended": func(d *desk, _ counter.View) {
			d.change(super, func(m *store.Member) { m.State = store.MemberSuspended })
		},
		"the clerk is none any more": func(d *desk, _ counter.View) {
			d.change(clerk, func(m *store.Member) { m.Roles = []liuma.StaffRole{liuma.RoleHotline} })
		},
		"the supervisor is none": func(d *desk, _ counter.View) {
			d.change(super, func(m *store.Member) { m.Roles = []liuma.StaffRole{liuma.RoleClerk} })
		},
		"it was withdrawn": func(d *desk, v counter.View) { d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID)) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			f := d.enrolled()
			v := d.approved(f, liuma.TicketReset)
			d.must(d.take(v.ID, f, "c1"))
			stop(d, v)
			d.code(d.stands(v.ID, f), liuma.CodeTicketEnded)
			d.code(d.take(v.ID, f, "c1"), liuma.CodeTicketEnded)
			d.code(d.use(v.ID, f, "c1"), liuma.CodeTicketEnded)
		})
	}
}

// TestAFreezeStopsATicket: also of a card that is frozen already, by the hotline, by the
// code of a notice, by a used one, and by the report of a loss; and its holder's freeze is
// looked at.
func TestAFreezeStopsATicket(t *testing.T) {
	for name, freeze := range map[string]func(d *desk, f string){
		"hotline": func(d *desk, f string) {
			_, err := d.System.Authority.FreezeByStaff(d.ctx(), byHotline(), freezing(d, f))
			d.must(err)
		},
		"report": func(d *desk, f string) {
			_, err := d.System.Authority.ReportLossByStaff(d.ctx(), byHotline(), freezing(d, f))
			d.must(err)
		},
	} {
		for _, frozen := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", frozen), func(t *testing.T) {
				d := newDeskWith(t, testkit.Options{Phones: true, People: 30, Policy: withReports()})
				f := d.enrolled()
				kind := liuma.TicketReset
				if frozen {
					freeze(d, f.IDNumber)
					kind = liuma.TicketUnfreeze
				}
				v := d.approved(f, kind)
				d.must(d.take(v.ID, f, "c1"))
				freeze(d, f.IDNumber)
				d.code(d.stands(v.ID, f), liuma.CodeTicketEnded)
				d.code(d.use(v.ID, f, "c1"), liuma.CodeTicketEnded)
				row := d.ticket(v.ID)
				if row.State != store.TicketStopped || row.Ended != store.TicketEndedFrozen || row.ReviewUntil.IsZero() {
					t.Errorf("%+v", row)
				}
				// Its row alone, put back to before, would not stand either.
				d.update(func(tx store.Tx) error {
					card, err := tx.Card(row.Card)
					if err == nil && card.Stops == row.Stops {
						t.Error("the card knows nothing of it")
					}
					return err
				})
			})
		}
	}
}

// TestAFreezeCodeStopsATicketAgain: one that froze the card before a ticket was opened
// stops that as well.
func TestAFreezeCodeStopsATicketAgain(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	d.freeze(f) // its notice has a code
	code := d.LastFreezeCode(f.Phone)
	_, err := d.System.Authority.FreezeByCode(d.ctx(), "1.2.3.4", code)
	d.must(err)
	v := d.approved(f, liuma.TicketUnfreeze)
	d.must(d.stands(v.ID, f))
	_, err = d.System.Authority.FreezeByCode(d.ctx(), "1.2.3.4", code)
	d.must(err)
	d.code(d.stands(v.ID, f), liuma.CodeTicketEnded)
	was := d.card(f).Stops
	_, err = d.System.Authority.FreezeByCode(d.ctx(), "1.2.3.4", code)
	d.must(err)
	if d.card(f).Stops != was {
		t.Error("a code that is sent again and again writes")
	}
}

// TestOneBrowserTakesATicket: sixteen at once, and one wins; a second use finds it used.
func TestOneBrowserTakesATicket(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	var won atomic.Int32
	var winner atomic.Value
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			name := fmt.Sprint("c", i)
			err := d.take(v.ID, f, name)
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(name)
			case liuma.CodeOf(err) != liuma.CodeTicketTaken:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d took it", won.Load())
	}
	name := winner.Load().(string)
	d.must(d.take(v.ID, f, name)) // its own again
	_, err := d.approve(super, v.ID)
	d.must(err)
	d.code(d.take(v.ID, f, "elsewhere"), liuma.CodeTicketTaken)
	d.code(d.use(v.ID, f, "elsewhere"), liuma.CodeTicketTaken)
	d.code(d.use(v.ID, f, ""), liuma.CodeTicketTaken)
	d.Close()
	d.Open()
	var used atomic.Int32
	for range 8 {
		all.Go(func() {
			if err := d.use(v.ID, f, name); err == nil {
				used.Add(1)
			} else if liuma.CodeOf(err) != liuma.CodeTicketEnded {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if used.Load() != 1 {
		t.Errorf("%d used it", used.Load())
	}
}

// TestAUsedTicketThatIsPutBackStandsNoMore: who writes to the database takes its row back
// to before the use (I-13 sees no such thing of one row); the card's Stops do.
func TestAUsedTicketThatIsPutBackStandsNoMore(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.approved(f, liuma.TicketReset)
	d.must(d.take(v.ID, f, "c1"))
	d.SQL("CREATE TABLE stolen AS SELECT * FROM tickets")
	d.must(d.use(v.ID, f, "c1"))
	d.SQL("DELETE FROM tickets", "INSERT INTO tickets SELECT * FROM stolen", "DROP TABLE stolen")
	if d.ticket(v.ID).State != store.TicketTaken {
		t.Fatal("it was not put back")
	}
	d.code(d.use(v.ID, f, "c1"), liuma.CodeTicketEnded)
}

// TestAnotherCard: a ticket is of the card for which it was asked, and of its person.
func TestAnotherCard(t *testing.T) {
	d := newDesk(t)
	f, g := d.enrolled(), d.enrolled()
	v := d.approved(f, liuma.TicketReset)
	for _, wrong := range []store.Card{d.card(g), {}, func() store.Card { c := d.card(f); c.Holder = vault.Index{9}; return c }(),
		func() store.Card { c := d.card(f); c.Contested = true; return c }(), func() store.Card { c := d.card(f); c.Untold = true; return c }(),
		func() store.Card { c := d.card(f); c.Retiring = testkit.Start; return c }(), func() store.Card { c := d.card(f); c.Physical = liuma.PhysicalCancelled; return c }()} {
		d.view(func(r store.Reader) error {
			_, err := d.counter().Stands(r, v.ID, wrong)
			d.code(err, liuma.CodeTicketEnded)
			return nil
		})
	}
	l := d.byLink(g, liuma.TicketReset)
	_, err := d.counter().NewCode(d.ctx(), clerk, l.ID)
	d.must(err)
	d.view(func(r store.Reader) error {
		forLink := func(id liuma.TicketID, card store.Card, kind liuma.TicketKind) error {
			_, err := d.counter().ForLink(r, id, card, kind)
			return err
		}
		d.must(forLink(l.ID, d.card(g), liuma.TicketReset))
		d.code(forLink(l.ID, d.card(g), liuma.TicketRebind), liuma.CodeTicketUnknown)
		d.code(forLink(l.ID, d.card(f), liuma.TicketReset), liuma.CodeTicketUnknown)
		d.code(forLink(v.ID, d.card(f), liuma.TicketReset), liuma.CodeTicketUnknown) // a supervisor's is none of these
		d.code(forLink(liuma.TicketID{}, d.card(f), liuma.TicketReset), liuma.CodeTicketUnknown)
		return nil
	})
}

// TestAFirstEnrolment: a ticket without a card, which its use brings about.
func TestAFirstEnrolment(t *testing.T) {
	d := newDesk(t)
	f := d.who()
	v := d.approved(f, liuma.TicketEnroll)
	if !d.ticket(v.ID).Card.IsZero() {
		t.Fatal("it has a card")
	}
	d.must(d.take(v.ID, f, "c1"))
	made := store.Card{ID: liuma.NewCardID(), Holder: d.holder(f), Region: f.Region}
	d.update(func(tx store.Tx) error {
		if err := tx.InsertCard(made); err != nil {
			return err
		}
		card, err := tx.Card(made.ID)
		if err != nil {
			return err
		}
		_, err = d.counter().Use(tx, v.ID, &card, "c1")
		return errors.Join(err, tx.UpdateCard(card))
	})
	if row := d.ticket(v.ID); row.State != store.TicketUsed || row.Card != made.ID {
		t.Errorf("%+v", row)
	}
	// For somebody else's card it is none.
	w := d.approved(d.who(), liuma.TicketEnroll)
	d.code(d.tryUpdate(func(tx store.Tx) error {
		card, err := tx.Card(made.ID)
		if err != nil {
			return err
		}
		_, err = d.counter().Use(tx, w.ID, &card, "c1")
		return err
	}), liuma.CodeTicketEnded)
}

// TestTwoClerksForOnePerson: another member's ticket is not replaced.
func TestTwoClerksForOnePerson(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v, err := d.open(f, counter.Opening{Kind: liuma.TicketReset})
	d.must(err)
	p, err := d.lookUp(other, f)
	d.must(err)
	if p.Live == nil || *p.Live != v.ID || p.Mine {
		t.Errorf("%+v", p)
	}
	q := counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketReset, Checked: true}
	_, err = d.counter().Open(d.ctx(), other, q)
	d.want(err, counter.ErrLive)
	_, err = d.counter().Open(d.ctx(), other, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketReset})
	d.want(err, counter.ErrChecked)
	_, err = d.counter().Open(d.ctx(), clerk, q)
	d.want(err, counter.ErrLookUp)
	_, err = d.counter().Progress(d.ctx(), other, v.ID)
	d.want(err, counter.ErrTicket)
	d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	_, err = d.counter().Open(d.ctx(), other, q)
	d.must(err)
	if mine, err := d.counter().Tickets(d.ctx(), clerk, liuma.TicketID{}); err != nil || len(mine) != 1 || mine[0].State != counter.Withdrawn {
		t.Errorf("%+v %v", mine, err)
	}
}

// TestAColleagueTakesOverWhatNobodyTook: after five minutes, or when the first clerk has gone
// home; what a browser has after ten, so that no clerk keeps a person from all others; never
// what was approved. The ticket that ends is recorded.
func TestAColleagueTakesOverWhatNobodyTook(t *testing.T) {
	again := func(d *desk, f registry.Facts) (counter.View, error) {
		d.Helper()
		return d.openBy(other, f, counter.Opening{Kind: liuma.TicketReset})
	}
	for name, leave := range map[string]func(d *desk){
		"five minutes": func(d *desk) { d.Clock.Advance(counter.LeftAfter) },
		"signed out": func(d *desk) {
			d.update(func(tx store.Tx) error { return tx.DeleteStaffSessionsOf(clerk) })
		},
		"suspended": func(d *desk) { d.change(clerk, func(m *store.Member) { m.State = store.MemberSuspended }) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			f := d.enrolled()
			v := d.asked(f, liuma.TicketReset)
			_, err := again(d, f)
			d.want(err, counter.ErrLive)
			leave(d)
			if p, err := d.lookUp(other, f); err != nil || !p.Left || p.Mine {
				t.Errorf("%+v %v", p, err)
			}
			w, err := again(d, f)
			d.must(err)
			if is := d.ticket(v.ID); is.State != store.TicketWithdrawn || w.State != counter.Asked {
				t.Errorf("%+v", is)
			}
			d.recorded(audit.TicketAsked, "staff:other-clerk", "replaces="+v.ID.String())
			d.code(d.take(v.ID, f, "c1"), liuma.CodeTicketEnded)
		})
	}
	d := newDesk(t)
	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	d.must(d.take(v.ID, f, "c1"))
	d.Clock.Advance(counter.HeldAfter - time.Millisecond)
	_, err := again(d, f)
	d.want(err, counter.ErrLive)
	d.Clock.Advance(time.Millisecond)
	v, err = again(d, f)
	d.must(err)
	d.must(d.take(v.ID, f, "c2"))
	d.update(func(tx store.Tx) error { return tx.DeleteStaffSessionsOf(other) })
	v = d.asked(f, liuma.TicketReset) // signed out, at once
	d.must(d.take(v.ID, f, "c3"))
	_, err = d.approve(super, v.ID)
	d.must(err)
	d.Clock.Advance(counter.HeldAfter)
	d.update(func(tx store.Tx) error { return tx.DeleteStaffSessionsOf(clerk) })
	_, err = again(d, f)
	d.want(err, counter.ErrLive)
}

// TestSampling: about one in twenty, by a hash that an identifier does not show, and each
// with a lost phone.
func TestSampling(t *testing.T) {
	d := newDesk(t)
	n := 0
	const all = 4000
	for range all {
		if d.counter().Sampled(liuma.NewTicketID()) {
			n++
		}
	}
	if math.Abs(float64(n)-all/20) > 5*math.Sqrt(all/20) {
		t.Errorf("%d of %d", n, all)
	}
}

// TestACardOfAnotherPersonIsClosed: whose number somebody else's card stands under comes for
// a card of their own, and the page says that this one is closed first.
func TestACardOfAnotherPersonIsClosed(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	_, err := d.open(f, counter.Opening{Kind: liuma.TicketClose})
	d.want(err, counter.ErrCloseReason)
	d.update(func(tx store.Tx) error {
		card, err := tx.CardByHolder(d.holder(f))
		card.Contested, card.Frozen, card.FrozenAt = true, true, d.System.Clock.Now()
		return errors.Join(err, tx.UpdateCard(card))
	})
	v, err := d.open(f, counter.Opening{Kind: liuma.TicketClose})
	d.must(err)
	_, err = d.approve(super, v.ID)
	d.must(err)
	if card := d.card(f); !card.IsClosing() {
		t.Errorf("%+v", card)
	}
}
