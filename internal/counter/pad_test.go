package counter_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

func byHotline() authority.ByStaff { return authority.ByStaff{Member: "hotline"} }

func freezing(d *desk, number string) authority.HotlineFreeze {
	return authority.HotlineFreeze{BusinessNo: d.BusinessNo(), IDNumber: number}
}

// withReports is the national policy, with losses reported by phone.
func withReports() *policy.Policy {
	p := policy.National()
	p.LossReport = 3 * 24 * time.Hour
	return &p
}

// TestCodes: a code finds its ticket in every spelling, until it ends or another is made.
func TestCodes(t *testing.T) {
	d := newDesk(t)
	f := d.enrolled()
	v := d.byLink(f, liuma.TicketReset)
	code, err := d.counter().NewCode(d.ctx(), clerk, v.ID)
	d.must(err)
	if len(code) != 8 || strings.Trim(code, "23456789ABCDEFGHJKMNPQRSTVWXYZ") != "" || len(counter.ShownCode(code)) != 9 {
		t.Errorf("%q", code)
	}
	find := func(typed string) error {
		found, err := d.counter().ByCode(d.ctx(), "1.2.3.4", typed)
		if err == nil && found.ID != v.ID {
			t.Errorf("%q finds another ticket", typed)
		}
		return err
	}
	for _, typed := range []string{code, strings.ToLower(code), counter.ShownCode(code), " " + code[:3] + " " + code[3:], strings.ReplaceAll(code, "V", "u")} {
		d.must(find(typed))
	}
	d.recorded(audit.TicketHanded, "staff:clerk", "by=code")
	_, err = d.counter().NewCode(d.ctx(), other, v.ID)
	d.want(err, counter.ErrTicket)
	again, err := d.counter().NewCode(d.ctx(), clerk, v.ID)
	d.must(err)
	d.code(find(code), liuma.CodeTicketUnknown)
	d.must(find(again))
	for _, typed := range []string{"", "00000000", code + "2", strings.Repeat("A", 500)} {
		d.code(find(typed), liuma.CodeTicketUnknown)
	}
	d.must(d.counter().Withdraw(d.ctx(), clerk, v.ID))
	d.code(find(again), liuma.CodeTicketUnknown)
	if row := d.ticket(v.ID); strings.Contains(string(row.Code[:]), again) {
		t.Error("the code is kept")
	}
}

// TestWrongCodesAreSlowed: by source, and for an hour.
func TestWrongCodesAreSlowed(t *testing.T) {
	d := newDesk(t)
	v := d.byLink(d.enrolled(), liuma.TicketReset)
	code, err := d.counter().NewCode(d.ctx(), clerk, v.ID)
	d.must(err)
	for range 10 {
		_, err := d.counter().ByCode(d.ctx(), "6.6.6.6", "22222222")
		d.code(err, liuma.CodeTicketUnknown)
	}
	_, err = d.counter().ByCode(d.ctx(), "6.6.6.6", code)
	d.code(err, liuma.CodeTooManyRequests)
	_, err = d.counter().ByCode(d.ctx(), "1.2.3.4", code)
	d.must(err)
	d.Clock.Advance(time.Hour)
	_, err = d.counter().ByCode(d.ctx(), "6.6.6.6", "22222222")
	d.code(err, liuma.CodeTicketUnknown)
}

// TestWrongCodesAtAnotherAuthority: what a source gave at one authority counts at the next,
// and at one that was started since; of many at once no more are looked at than it may give
// . Right ones count for nothing.
func TestWrongCodesAtAnotherAuthority(t *testing.T) {
	d := newDesk(t)
	v := d.byLink(d.enrolled(), liuma.TicketReset)
	code, err := d.counter().NewCode(d.ctx(), clerk, v.ID)
	d.must(err)
	all := []*counter.Counter{d.counter(), d.another()}
	for i := range 30 {
		_, err := all[i%2].ByCode(d.ctx(), "6.6.6.6", code)
		d.must(err)
	}
	var unknown, slowed, other atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			switch _, err := all[i%2].ByCode(d.ctx(), "6.6.6.6", "22222222"); liuma.CodeOf(err) {
			case liuma.CodeTicketUnknown:
				unknown.Add(1)
			case liuma.CodeTooManyRequests:
				slowed.Add(1)
			default:
				other.Add(1)
			}
		})
	}
	wg.Wait()
	if unknown.Load() != 10 || slowed.Load() != 30 {
		t.Errorf("%d were looked at and %d slowed (%d neither), want 10 and 30", unknown.Load(), slowed.Load(), other.Load())
	}
	for _, c := range append(all, d.another()) {
		_, err := c.ByCode(d.ctx(), "6.6.6.6", code)
		d.code(err, liuma.CodeTooManyRequests)
	}
}

func newPadKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key.PublicKey().Bytes()
}

// paired is a pad on the first clerk's desk.
func (d *desk) paired() string {
	d.Helper()
	offer, err := d.counter().OfferPad(d.ctx(), "192.0.2.1", newPadKey(d.T))
	d.must(err)
	p, err := d.counter().PairPad(d.ctx(), clerk, offer.Number)
	d.must(err)
	if p.ID != offer.ID {
		d.Fatalf("%+v of %+v", p, offer)
	}
	return p.ID
}

func (d *desk) pad(id string) counter.PadState {
	d.Helper()
	s, err := d.counter().PadState(d.ctx(), id)
	d.must(err)
	return s
}

// TestAPad: offered, paired, shown a ticket, and blank again.
func TestAPad(t *testing.T) {
	d := newDesk(t)
	key := newPadKey(t)
	if s := d.pad(counter.PadID(key)); s.Paired || s.Why != counter.PadUnknown {
		t.Errorf("%+v", s)
	}
	offer, err := d.counter().OfferPad(d.ctx(), "192.0.2.1", key)
	d.must(err)
	if s := d.pad(offer.ID); s.Paired || s.Why != counter.PadOffered || offer.ID != counter.PadID(key) {
		t.Errorf("%+v", s)
	}
	again, err := d.counter().OfferPad(d.ctx(), "192.0.2.1", key)
	d.must(err)
	_, err = d.counter().PairPad(d.ctx(), clerk, offer.Number)
	d.want(err, counter.ErrPad)
	_, err = d.counter().PairPad(d.ctx(), super, again.Number)
	d.want(err, counter.ErrMember)
	_, err = d.counter().PairPad(d.ctx(), clerk, "what is this")
	d.want(err, counter.ErrPad)
	_, err = d.counter().PairPad(d.ctx(), clerk, strings.ToLower(again.Number[:4])+" "+again.Number[4:])
	d.must(err)
	_, err = d.counter().PairPad(d.ctx(), other, again.Number)
	d.want(err, counter.ErrPad)
	_, err = d.counter().OfferPad(d.ctx(), "192.0.2.1", key)
	d.want(err, counter.ErrState)
	s := d.pad(offer.ID)
	if !s.Paired || s.Clerk.ID != clerk || s.Ticket != nil {
		t.Errorf("%+v", s)
	}
	d.recorded(audit.PadPaired, "staff:clerk", "pad="+offer.ID)
	if k, err := d.counter().PadKey(d.ctx(), offer.ID); err != nil || string(k) != string(key) {
		t.Errorf("%x %v", k, err)
	}

	f := d.enrolled()
	v := d.asked(f, liuma.TicketReset)
	code, err := d.counter().NewCode(d.ctx(), clerk, v.ID)
	d.must(err)
	d.want(d.counter().SendToPad(d.ctx(), other, v.ID, offer.ID), counter.ErrTicket)
	d.want(d.counter().SendToPad(d.ctx(), clerk, v.ID, "none"), counter.ErrPadGone)
	d.must(d.counter().SendToPad(d.ctx(), clerk, v.ID, offer.ID))
	if s := d.pad(offer.ID); s.Ticket == nil || *s.Ticket != v.ID {
		t.Errorf("%+v", s)
	}
	_, err = d.counter().ByCode(d.ctx(), "1.2.3.4", code)
	d.code(err, liuma.CodeTicketUnknown) // the pad has it now
	d.must(d.take(v.ID, f, "c1"))
	if s := d.pad(offer.ID); s.Ticket != nil {
		t.Error("it waits although it was taken")
	}
	d.want(d.counter().SendToPad(d.ctx(), clerk, v.ID, offer.ID), counter.ErrState)
	_, err = d.approve(super, v.ID)
	d.must(err)
	d.want(d.counter().SendToPad(d.ctx(), clerk, v.ID, offer.ID), counter.ErrState)
	// The bound phone's own route needs no pad, and goes to none.
	w := d.byLink(d.enrolled(), liuma.TicketReset)
	d.want(d.counter().SendToPad(d.ctx(), clerk, w.ID, offer.ID), counter.ErrPadRoute)
	d.want(d.counter().UnpairPad(d.ctx(), other, offer.ID), counter.ErrPadGone)
	d.must(d.counter().UnpairPad(d.ctx(), clerk, offer.ID))
	if s := d.pad(offer.ID); s.Paired || s.Why != counter.PadUnknown {
		t.Errorf("%+v", s)
	}
	if _, err := d.counter().PadKey(d.ctx(), offer.ID); !errors.Is(err, counter.ErrPadGone) {
		t.Error(err)
	}
}

// TestAPairingEnds: with the shift, the clerk's session, the clerk, or another pad; and a
// ticket that waits there is shown no more.
func TestAPairingEnds(t *testing.T) {
	for why, end := range map[string]func(*desk){
		counter.PadShift: func(d *desk) { d.Clock.Advance(counter.ShiftLife); d.session(clerk) },
		counter.PadSignedOut: func(d *desk) {
			d.update(func(tx store.Tx) error { return tx.DeleteStaffSessionsOf(clerk) })
		},
		counter.PadUnknown: func(d *desk) { d.paired() }, // another takes its place
	} {
		t.Run(why, func(t *testing.T) {
			d := newDesk(t)
			id := d.paired()
			v := d.asked(d.enrolled(), liuma.TicketReset)
			d.must(d.counter().SendToPad(d.ctx(), clerk, v.ID, id))
			end(d)
			if s := d.pad(id); s.Paired || s.Why != why || s.Ticket != nil {
				t.Errorf("%+v", s)
			}
			d.view(func(r store.Reader) error {
				_, err := d.counter().ForPad(r, id)
				d.code(err, liuma.CodeTicketUnknown)
				return nil
			})
		})
	}
	d := newDesk(t)
	offer, err := d.counter().OfferPad(d.ctx(), "192.0.2.1", newPadKey(t))
	d.must(err)
	d.Clock.Advance(counter.OfferLife)
	_, err = d.counter().PairPad(d.ctx(), clerk, offer.Number)
	d.want(err, counter.ErrPad)
	_, err = d.counter().OfferPad(d.ctx(), "192.0.2.1", []byte{4, 1, 2})
	d.want(err, counter.ErrPad)
}
