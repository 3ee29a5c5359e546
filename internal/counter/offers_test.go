package counter_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
)

func (d *desk) offer(source string) counter.Offer {
	d.Helper()
	o, err := d.counter().OfferPad(d.ctx(), source, newPadKey(d.T))
	d.must(err)
	return o
}

// entries counts what the record has.
func (d *desk) entries() (n int) {
	d.Helper()
	d.view(func(r store.Reader) error {
		n = 0
		heads, err := r.Streams(audit.Stream{}, 9999)
		for _, h := range heads {
			n += int(h.Number)
		}
		return err
	})
	return n
}

// TestAFloodOfPadsKeepsNoDeskFromItsPad: neither from seventeen sources nor from thousands,
// and none of it is on the record.
func TestAFloodOfPadsKeepsNoDeskFromItsPad(t *testing.T) {
	for name, source := range map[string]func(int) string{
		"of seventeen sources": func(i int) string { return fmt.Sprint("198.51.100.", i%17) },
		"of thousands":         func(i int) string { return fmt.Sprint("2001:db8:", i, "::") },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			before := d.entries()
			early := d.offer("192.0.2.1")
			for i := range 1500 {
				d.offer(source(i))
			}
			late := d.offer("192.0.2.2")
			if n := d.entries(); n != before {
				t.Errorf("%d entries of offers", n-before)
			}
			for by, o := range map[liuma.StaffID]counter.Offer{clerk: early, other: late} {
				if s := d.pad(o.ID); s.Why != counter.PadOffered {
					t.Errorf("%s: %+v", by, s)
				}
				_, err := d.counter().PairPad(d.ctx(), by, o.Number)
				d.must(err)
				if !d.pad(o.ID).Paired {
					t.Errorf("%s: not paired", by)
				}
			}
		})
	}
}

// TestADeskHasOnePad: another takes its row's place, a device that stands on one desk comes
// to no other, and of two clerks who type one number one pairs.
func TestADeskHasOnePad(t *testing.T) {
	d := newDesk(t)
	first, second := d.paired(), d.paired()
	if _, err := d.counter().PadKey(d.ctx(), first); !errors.Is(err, counter.ErrPadGone) {
		t.Errorf("the first pad's row: %v", err)
	}
	if pads, err := d.counter().Pads(d.ctx(), clerk); err != nil || len(pads) != 1 || pads[0].ID != second {
		t.Errorf("%+v %v", pads, err)
	}
	o := d.offer("192.0.2.1")
	_, err := d.counter().PairPad(d.ctx(), super, o.Number) // takes no offer away
	d.want(err, counter.ErrMember)
	var wait sync.WaitGroup
	results := make([]error, 2)
	for i, by := range []liuma.StaffID{clerk, other} {
		wait.Go(func() { _, results[i] = d.counter().PairPad(d.ctx(), by, o.Number) })
	}
	wait.Wait()
	if (results[0] == nil) == (results[1] == nil) || !errors.Is(errors.Join(results...), counter.ErrPad) {
		t.Errorf("%v", results)
	}
}

// TestOffersAtAnotherAuthority: a pad is offered at one, asks another, is paired at a third
// and once alone, and a restart takes no number away.
func TestOffersAtAnotherAuthority(t *testing.T) {
	d := newDesk(t)
	first, second := d.counter(), d.another()
	o, err := first.OfferPad(d.ctx(), "192.0.2.1", newPadKey(t))
	d.must(err)
	if s, err := second.PadState(d.ctx(), o.ID); err != nil || s.Why != counter.PadOffered {
		t.Errorf("%+v %v", s, err)
	}
	_, err = second.PairPad(d.ctx(), clerk, o.Number)
	d.must(err)
	if !d.pad(o.ID).Paired {
		t.Error("the first authority does not know that it is paired")
	}
	_, err = first.PairPad(d.ctx(), other, o.Number)
	d.want(err, counter.ErrPad)

	later, id := d.offer("192.0.2.1"), d.paired()
	d.Close()
	d.Open()
	d.session(clerk)
	if s := d.pad(later.ID); s.Why != counter.PadOffered || !d.pad(id).Paired {
		t.Errorf("after a restart: %+v", s)
	}
	_, err = d.counter().PairPad(d.ctx(), clerk, later.Number)
	d.must(err)
}

// TestOffersAreBounded: of one source and of all, and who has most loses first.
func TestOffersAreBounded(t *testing.T) {
	o := counter.NewOffers()
	put := func(source string, i int) string {
		id := fmt.Sprint(source, "/", i)
		o.Put(id, id, source, i)
		return id
	}
	own := make([]string, counter.OffersSource+5)
	for i := range own {
		own[i] = put("office", i)
	}
	for i, id := range own {
		if o.Offered(id) != (i >= 5) {
			t.Errorf("offer %d of one source: %v", i, o.Offered(id))
		}
	}
	for i := range counter.OffersAll {
		put(fmt.Sprint("many-", i%600), i)
	}
	desk := put("desk", counter.OffersAll)
	for i := range 20_000 {
		put(fmt.Sprint("more-", i%600), counter.OffersAll+i)
	}
	if n := o.Len(); n > counter.OffersAll {
		t.Errorf("%d offers", n)
	}
	if !o.Offered(desk) {
		t.Error("a flood took the one offer of a desk")
	}
	put("desk", 0)
	o.Advance(counter.OfferLife + time.Second)
	if put("desk", 1); o.Len() != 1 || o.Offered("desk/0") {
		t.Errorf("%d are left after their time", o.Len())
	}
}
