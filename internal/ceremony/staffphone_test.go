package ceremony_test

import (
	"slices"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestAMemberFreezesByPhone: a member of staff on the hotline freezes as a hotline does,
// under their own name and a ration of their own, and only cards of their region; a card of
// another is answered like a number without a card.
func TestAMemberFreezesByPhone(t *testing.T) {
	d := newDesk(t)
	here, elsewhere := d.who.Region, liuma.Region("99")
	ask := func(by authority.ByStaff, number string) error {
		bn := d.BusinessNo()
		_, err := d.Authority().FreezeByStaff(t.Context(), by, authority.HotlineFreeze{BusinessNo: bn, IDNumber: number, Digest: testkit.Digest(string(bn))})
		return err
	}
	if err := ask(authority.ByStaff{Member: "qian", Region: elsewhere}, d.who.IDNumber); liuma.CodeOf(err) != liuma.CodeNotFound {
		t.Errorf("a card of another region: %v", err)
	}
	if err := ask(authority.ByStaff{Member: "zhao", Region: here}, d.People[3].IDNumber); liuma.CodeOf(err) != liuma.CodeNotFound {
		t.Errorf("a number without a card: %v", err)
	}
	if err := ask(authority.ByStaff{Member: "zhao", Region: here}, "1"); liuma.CodeOf(err) != liuma.CodeIDNumberInvalid {
		t.Errorf("no number: %v", err)
	}
	if err := ask(authority.ByStaff{Member: "zhao", Region: here}, d.who.IDNumber); err != nil {
		t.Fatal(err)
	}
	var frozen bool
	var by []string
	if err := d.System.Store.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		by = nil
		for _, e := range all {
			if e.Event == audit.CardFrozen || e.Event == audit.FreezeTried {
				by = append(by, string(e.Event)+" "+e.Actor)
				frozen = frozen || e.Event == audit.CardFrozen
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !frozen || !slices.Equal(slices.Sorted(slices.Values(by)), []string{"card.frozen staff:zhao", "freeze.tried staff:qian", "freeze.tried staff:zhao"}) {
		t.Errorf("the record has %v", by)
	}
	// Three an hour each: what one did does not stop another.
	for range 2 {
		_ = ask(authority.ByStaff{Member: "zhao"}, d.People[3].IDNumber)
	}
	if err := ask(authority.ByStaff{Member: "zhao"}, d.who.IDNumber); liuma.CodeOf(err) != liuma.CodeHotlineLimit {
		t.Errorf("over the ration: %v", err)
	}
	if err := ask(authority.ByStaff{Member: "sun"}, d.who.IDNumber); err != nil {
		t.Errorf("a colleague: %v", err)
	}
	if code, _ := d.ask(d.hotline, d.who.IDNumber); code != "" {
		t.Errorf("the hotline's own program: %s", code)
	}
}
