package attack

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

// TestProofsDoNotOutliveTheirCeremony: pushing again does not extend a
// ceremony's hour, so a one-time code that was right once expires as a proof,
// however often a thief pushes.
func TestProofsDoNotOutliveTheirCeremony(t *testing.T) {
	w := newWorld(t, false)
	before := w.look(w.People[1])
	v := w.browser()
	q, _ := w.withSIM(v)
	for range 10 {
		w.Clock.Advance(13 * time.Minute)
		if address, no := w.home.push(q); no == nil {
			w.enter(v, address)
		}
	}
	q.action = liuma.ActionReset
	address, no := w.home.push(w.home.proved(q, w.who))
	if no != nil {
		wantRefused(t, no, "ceremony_expired")
		return
	}
	if p := w.enter(v, address); p.Pad() != "" {
		w.typed(p, thiefPIN)
		t.Errorf("a code of two hours ago still leads to the pad")
	}
	if got(before, w.look(w.People[1])) != "" {
		t.Error("and sets a PIN")
	}
}
