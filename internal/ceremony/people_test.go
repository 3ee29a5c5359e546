package ceremony_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestACardWhosePersonIsGone: what needs the holder's name is unavailable, and not
// refused as a wrong one. The PIN serves on, and a freeze needs no name.
func TestACardWhosePersonIsGone(t *testing.T) {
	for name, harm := range map[string]func(*phoned){
		"deleted": func(x *phoned) { x.SQL("DELETE FROM persons") },
		"altered": func(x *phoned) { x.SQL("UPDATE persons SET body = CAST(body || x'00' AS BLOB)") },
	} {
		t.Run(name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			harm(x)
			_, err := x.Authority().Link(t.Context(), x.ch, x.LinkRequest(x.ch, x.who, goodPIN))
			if !errors.Is(err, &liuma.Error{Code: liuma.CodeUnavailable}) {
				t.Errorf("link: %v", err)
			}
			v, err := x.Authority().Verify(t.Context(), x.ch, x.VerifyRequest(x.ch, x.card, goodPIN))
			if err != nil || v.Verdict != liuma.Right {
				t.Errorf("verify: %+v, %v", v, err)
			}
			frozen, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone))
			if err != nil || frozen.NameMasked != "*" {
				t.Errorf("freeze: %+v, %v", frozen, err)
			}
			if notices := x.Notices(x.who.Phone); notices[len(notices)-1] != "card_frozen" {
				t.Errorf("the freeze was not told: %v", notices)
			}
		})
	}
}

// TestChangesAreToldOnce: one entry in the card's stream and one notice, also
// where the process dies between the change and the telling. What cannot be told
// stays and stops no other.
func TestChangesAreToldOnce(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	id := x.links()[0].Card
	note := func(card liuma.CardID, what ...string) {
		t.Helper()
		err := x.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{At: x.Clock.Now(), Actor: "operator", Event: audit.RegistryImported, Outcome: "ok"},
				tx.PutPersonChange(store.PersonChange{Card: card, What: what, At: x.Clock.Now()})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	told := func() (n int) {
		for _, name := range x.Notices(x.who.Phone) {
			if name == "person_changed" {
				n++
			}
		}
		return n
	}
	note(id, store.ChangedName, store.ChangedPhone)
	note(liuma.CardID{}, store.ChangedName) // a card that is not there, first in the order
	for range 2 {
		if err := x.System.Authority.MaintainOnce(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := x.recorded(audit.PersonChanged); told() != 1 || len(got) != 1 || !strings.HasSuffix(got[0], "what=name,phone") {
		t.Errorf("told %d times, entries %q", told(), got)
	}
	var left []store.PersonChange
	err := x.System.Store.View(t.Context(), func(r store.Reader) (err error) {
		left, err = r.PersonChanges(liuma.CardID{}, 9)
		return err
	})
	if err != nil || len(left) > 0 {
		t.Errorf("left to tell: %v, %v", left, err)
	}
}

// TestAReplacedCardIsToldOf: a registry client's new card number reaches the
// holder with the report, and counts at once in a reset by the card's number.
func TestAReplacedCardIsToldOf(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	clerk := authority.Caller{Client: store.Client{ID: "bureau", Kind: store.ClientRegistry}}
	x.AddParty(clerk.Client)
	_, err := x.Authority().SetPhysical(t.Context(), clerk, authority.PhysicalRequest{IDNumber: x.who.IDNumber, CardNo: x.who.CardNo,
		Event: authority.PhysicalReplaced, ReplacedBy: "Z12345678", BusinessNo: x.BusinessNo()})
	if err != nil {
		t.Fatal(err)
	}
	if notices := x.Notices(x.who.Phone); notices[len(notices)-1] != "person_changed" {
		t.Errorf("the new number was not told: %v", notices)
	}
	err = x.System.Store.View(t.Context(), func(r store.Reader) error {
		card, err := r.Card(x.links()[0].Card)
		if err != nil {
			return err
		}
		f, err := x.System.Authority.Facts(r, card)
		if err == nil && f.CardNo != "Z12345678" {
			t.Error("the card's number is the old one")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
