package attack

import (
	"context"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestALostCardsNumberIsNotAskedFor: a factor that would always be refused is
// not offered.
func TestALostCardsNumberIsNotAskedFor(t *testing.T) {
	w := newWorld(t, true)
	reg := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
	_, err := reg.native.PhysicalStatus(context.Background(), client.PhysicalRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber, CardNo: w.who.CardNo, Event: "lost"})
	must(t, w, err)
	if _, p := w.withSIM(w.browser()); p.Has("card-number") {
		t.Errorf("it is asked for:\n%s", p.Text())
	}
}

// TestATryThatNobodyMadeIsAnsweredAtOnce: only a second press waits for the
// first.
func TestATryThatNobodyMadeIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t, false)
	v := w.browser()
	p := w.opened(v, w.home, request{action: liuma.ActionVerify, card: w.card, bn: w.number()})
	sealed, err := p.Seal(wrongPIN)
	must(t, sealed, err)
	sealed.Set("try", "9")
	fastest := time.Hour // the machine may be busy with other work
	for range 3 {
		begun := time.Now()
		w.post(v, ceremony(p), "pin", sealed)
		fastest = min(fastest, time.Since(begun))
	}
	if fastest > 2*time.Second {
		t.Errorf("the fastest of three took %v", fastest)
	}
}
