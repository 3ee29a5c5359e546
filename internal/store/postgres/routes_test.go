package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/vault"
)

// routed is a store with its vault and what a thief sees of it.
type routed struct {
	t *testing.T
	v *vault.Vault
	s store.Store
	f *thief
}

func newRouted(t *testing.T) *routed {
	t.Helper()
	c := postgres.Config{DSN: database(t), Seal: keys(t)}
	return &routed{t, c.Seal.(*vault.Vault), openAt(t, c), newThief(t, c.DSN)}
}

func (x *routed) write(f func(store.Tx) error) {
	x.t.Helper()
	err := x.s.Update(x.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: time.Unix(1_790_000_000, 0), Actor: "system", Event: audit.CeremonyPushed, Outcome: "ok"}, f(tx)
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *routed) read(f func(store.Reader) error) {
	x.t.Helper()
	if err := x.s.View(x.t.Context(), f); err != nil {
		x.t.Fatal(err)
	}
}

func (x *routed) count(text string, args ...any) (n int) {
	x.t.Helper()
	x.f.must(x.f.c.QueryRow(x.t.Context(), text, args...).Scan(&n))
	return n
}

// TestCeremoniesLieWhereTheirNamesSay, and so do their codes; they are found by a hash there
// and nowhere else. Those without a route, and codes that a release before wrote, go on.
func TestCeremoniesLieWhereTheirNamesSay(t *testing.T) {
	x := newRouted(t)
	card := liuma.CardID{7}
	home := vault.Home(card)
	c := store.Ceremony{ID: x.v.Routed("first", home), Channel: "app", BusinessNo: "one", Action: liuma.ActionVerify, Subject: vault.Index{9}, RequestURI: [32]byte{1}, Code: [32]byte{2}}
	old := store.Ceremony{ID: "old", Channel: "app", BusinessNo: "two", Action: liuma.ActionVerify, Subject: vault.Index{9}, RequestURI: [32]byte{3}}
	x.write(func(tx store.Tx) error {
		return errors.Join(tx.InsertCeremony(c), tx.InsertCeremony(old), tx.PutCode(store.Code{Ceremony: c.ID, Card: card}))
	})
	for _, table := range []string{"ceremonies", "codes"} {
		if n := x.count("SELECT count(*) FROM "+table+" WHERE key = $1 AND home = $2", []byte(c.ID), card[:]); n != 1 {
			t.Errorf("%s: not with the card", table)
		}
	}
	x.read(func(r store.Reader) error {
		_, err1 := r.Ceremony(c.ID)
		_, err2 := r.CeremonyByRequestURI(home, c.RequestURI)
		_, err3 := r.CeremonyByCode(home, c.Code)
		_, err4 := r.CeremonyByRequestURI(vault.Home{}, old.RequestURI)
		_, err5 := r.Ceremony(old.ID)
		for _, other := range []vault.Home{{}, {8}} {
			if _, err := r.CeremonyByCode(other, c.Code); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("found in home %x: %v", other, err)
			}
		}
		if open, err := r.CeremoniesAt(card, vault.Index{9}); err != nil || len(open) != 2 {
			t.Errorf("%d open ones, %v", len(open), err)
		}
		return errors.Join(err1, err2, err3, err4, err5)
	})
	x.f.exec("UPDATE codes SET home = ''") // as a release before writes it
	x.write(func(tx store.Tx) error { return tx.PutCode(store.Code{Ceremony: c.ID, Card: card, Way: liuma.ByVoice}) })
	x.read(func(r store.Reader) error {
		code, err := r.Code(c.ID)
		if code.Way != liuma.ByVoice {
			t.Error("the code of a release before stayed")
		}
		return err
	})
	x.write(func(tx store.Tx) error { return errors.Join(tx.UpdateCeremony(c), tx.DeleteCodesOf(card)) })
	if n := x.count("SELECT count(*) FROM codes"); n != 0 {
		t.Errorf("%d codes are left", n)
	}
	x.write(func(tx store.Tx) error { return errors.Join(tx.DeleteCeremony(c.ID), tx.DeleteCeremony(old.ID)) })
	if n := x.count("SELECT count(*) FROM ceremonies"); n != 0 {
		t.Errorf("%d ceremonies are left", n)
	}
}

// TestClaimedHandle: a handle that was claimed leads nowhere before its card has the link,
// and is no other card's.
func TestClaimedHandle(t *testing.T) {
	x := newRouted(t)
	mine, other := liuma.CardID{1}, liuma.CardID{2}
	x.write(func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(store.Card{ID: mine, Holder: vault.Index{1}}), tx.InsertCard(store.Card{ID: other, Holder: vault.Index{2}}))
	})
	take := func(card liuma.CardID) error {
		return x.s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.TakeHandle("app", "handle", card) })
	}
	if err := errors.Join(take(mine), take(mine)); err != nil {
		t.Fatal(err)
	}
	if err := take(other); !errors.Is(err, store.ErrExists) {
		t.Errorf("another card takes it: %v", err)
	}
	x.read(func(r store.Reader) error {
		if _, err := r.LinkByHandle("app", "handle"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a claim is a link: %v", err)
		}
		return nil
	})
	x.write(func(tx store.Tx) error { return tx.PutLink(store.Link{Channel: "app", Card: mine, Handle: "handle"}) })
	x.read(func(r store.Reader) error {
		l, err := r.LinkByHandle("app", "handle")
		if l.Card != mine {
			t.Errorf("leads to %s", l.Card)
		}
		return err
	})
}
