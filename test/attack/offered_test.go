package attack

import (
	"context"
	"testing"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestALostCardsNumberIsNotAskedFor: what is always refused is not offered.
func TestALostCardsNumberIsNotAskedFor(t *testing.T) {
	w := newWorld(t, true)
	reg := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
	_, err := reg.native.PhysicalStatus(context.Background(), client.PhysicalRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber, CardNo: w.who.CardNo, Event: "lost"})
	must(t, w, err)
	if _, p := w.withSIM(w.browser()); p.Has("card-number") {
		t.Errorf("it is asked for:\n%s", p.Text())
	}
}
