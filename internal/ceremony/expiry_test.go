package ceremony_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestAnExpiredAddressStaysExpired: from the 90th second on, before the sweep,
// after it, with the ceremony forgotten, at every way in; and its business number
// says so.
func TestAnExpiredAddressStaysExpired(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionVerify)
	pushed, err := x.Authority().Push(t.Context(), x.ch, q)
	if err != nil {
		t.Fatal(err)
	}
	h := ceremony.Hand{RequestURI: pushed.RequestURI}
	p, err := x.Authority().LookAt(t.Context(), x.ch.Client.ID, pushed.RequestURI, h)
	if err != nil {
		t.Fatal(err)
	}
	dead := func(when string) {
		t.Helper()
		for name, err := range map[string]error{
			"authorize": func() error {
				_, err := x.Authority().LookAt(t.Context(), x.ch.Client.ID, pushed.RequestURI, h)
				return err
			}(),
			"begin":            func() error { _, err := x.Authority().Begin(t.Context(), p.ID, h); return err }(),
			"page":             func() error { _, err := x.Authority().Look(t.Context(), p.ID, h); return err }(),
			"page, no address": func() error { _, err := x.Authority().Look(t.Context(), p.ID, ceremony.Hand{}); return err }(),
			"way back":         func() error { _, err := x.Authority().WayBack(t.Context(), p.ID, h); return err }(),
			"freeze":           func() error { _, err := x.Authority().FreezeOwn(t.Context(), p.ID, h); return err }(),
		} {
			if liuma.CodeOf(err) != liuma.CodeRequestURIInvalid {
				t.Errorf("%s, %s: %v", when, name, err)
			}
		}
	}
	at := x.Clock.Now()
	for _, after := range []time.Duration{90 * time.Second, 91 * time.Second, 110 * time.Second, 16 * time.Minute, 2 * time.Hour, 8 * day, 170 * day} {
		x.Clock.Advance(at.Add(after).Sub(x.Clock.Now()))
		if after <= 91*time.Second {
			dead(after.String() + ", before the sweep")
		}
		if after > 91*time.Second {
			if err := x.System.Ceremonies.MaintainOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			dead(after.String())
			v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo)
			if err != nil || v.Code != liuma.CodeCeremonyExpired {
				t.Errorf("%v: by business number %+v, %v", after, v, err)
			}
		}
	}
}

// TestAnAddressEndsWithItsCeremony: in another browser, too, an address whose
// ceremony is over leads nowhere, and not to "the other window". The browser that
// began it reads that its time is over.
func TestAnAddressEndsWithItsCeremony(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	pushed, err := x.Authority().Push(t.Context(), x.ch, x.push(liuma.ActionVerify))
	if err != nil {
		t.Fatal(err)
	}
	h := ceremony.Hand{RequestURI: pushed.RequestURI}
	p, err := x.Authority().LookAt(t.Context(), x.ch.Client.ID, pushed.RequestURI, h)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = x.Authority().Begin(t.Context(), p.ID, h); err != nil {
		t.Fatal(err)
	}
	if other, err := x.Authority().LookAt(t.Context(), x.ch.Client.ID, pushed.RequestURI, h); err != nil || !other.Elsewhere {
		t.Errorf("while it goes on: %+v, %v", other, err)
	}
	for _, wait := range []time.Duration{15 * time.Minute, time.Minute} {
		x.Clock.Advance(wait)
		if _, err := x.Authority().LookAt(t.Context(), x.ch.Client.ID, pushed.RequestURI, h); liuma.CodeOf(err) != liuma.CodeRequestURIInvalid {
			t.Errorf("over: %v", err)
		}
		if mine, err := x.Authority().Look(t.Context(), p.ID, ceremony.Hand{Secret: p.Bound}); err != nil || mine.Step != ceremony.StepExpired {
			t.Errorf("its own browser: %+v, %v", mine, err)
		}
		if err := x.System.Ceremonies.MaintainOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
