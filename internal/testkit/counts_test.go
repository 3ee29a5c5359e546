package testkit_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestCounts: a round trip is counted under the step that its context names,
// only once even if its function is run again, and also if it failed.
func TestCounts(t *testing.T) {
	counts := &testkit.Counts{}
	env := testkit.New(t, testkit.Options{Counts: counts})
	s, ctx := env.System.Store, counts.Step(t.Context(), "a")
	read := func(r store.Reader) error { _, err := r.Clients(); return err }
	nothing := func(store.Tx) (audit.Entry, error) { return audit.Entry{}, nil }
	for range 2 {
		if err := s.View(ctx, read); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Update(counts.Step(ctx, "b"), nothing); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(ctx, func(store.Tx) (audit.Entry, error) { return audit.Entry{}, store.ErrNotFound }); err == nil {
		t.Fatal("kept what failed")
	}
	if err := s.View(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	other := &testkit.Counts{}
	if err := s.View(other.Step(t.Context(), "a"), read); err != nil {
		t.Fatal(err)
	}
	want := map[string]testkit.Trips{"a": {Views: 2, Updates: 1}, "b": {Updates: 1}, "c": {}}
	for name, n := range want {
		if got := counts.Of(name); got != n {
			t.Errorf("%s: %+v, want %+v", name, got, n)
		}
	}
	if got, want := counts.Total(), (testkit.Trips{Views: 2, Updates: 2}); got != want {
		t.Errorf("in all %+v, want %+v", got, want)
	}
	counts.Reset()
	if got := counts.Total(); got != (testkit.Trips{}) {
		t.Errorf("after a reset %+v", got)
	}
}

// TestCountsOfAVerification: the round trips of one call are counted, and those
// of background work at the same time are not.
func TestCountsOfAVerification(t *testing.T) {
	counts := &testkit.Counts{}
	env := testkit.New(t, testkit.Options{Counts: counts})
	c := env.Channel("zj-hrss")
	card := env.Enroll(c, env.People[0], "483920")
	cost := func(secret string) (authority.Verification, testkit.Trips) {
		q := env.VerifyRequest(c, card, secret)
		counts.Reset()
		v, err := env.Authority().Verify(counts.Step(t.Context(), "verify"), c, q)
		if err != nil {
			t.Fatal(err)
		}
		return v, counts.Of("verify")
	}
	v, first := cost("483920")
	if v.Verdict != liuma.Right || first.Views < 1 || first.Updates < 1 {
		t.Errorf("%s cost %+v", v.Verdict, first)
	}
	if _, again := cost("483920"); again != first {
		t.Errorf("cost %+v, then %+v", first, again)
	}
}
