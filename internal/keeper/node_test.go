package keeper

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// TestNothingIsSpentOnABadRequest: faults that show without counting are
// refused before the count.
func TestNothingIsSpentOnABadRequest(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	n := h.nodes[0]
	n.ring.sets[2] = n.ring.sets[1] // which the version is not of
	other := ledger.Commitment{Card: liuma.CardID{9}, Version: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{9}}
	unknown := ledger.Commitment{Card: target.Card, Version: 2, Replaces: 1, KeySet: 9, Verifier: liuma.Verifier{1}}
	for name, tt := range map[string]struct {
		change func(*AttemptRequest)
		want   error
	}{
		"no point":             {func(r *AttemptRequest) { r.Blinded = split.Point{} }, ErrRequest},
		"no card":              {func(r *AttemptRequest) { r.Card = liuma.CardID{} }, ErrRequest},
		"no version":           {func(r *AttemptRequest) { r.Version = 0 }, ErrRequest},
		"unknown key set":      {func(r *AttemptRequest) { r.KeySet = 9 }, ErrKeySet},
		"another key set":      {func(r *AttemptRequest) { r.KeySet = 2 }, ErrKeySet},
		"lane":                 {func(r *AttemptRequest) { r.Lane = 7 }, ledger.ErrRequest},
		"clock":                {func(r *AttemptRequest) { r.Now = r.Now.Add(time.Hour) }, ledger.ErrClock},
		"another card's":       {func(r *AttemptRequest) { r.Commit = &other }, ErrRequest},
		"unknown key set's":    {func(r *AttemptRequest) { r.Commit = &unknown }, ErrKeySet},
		"another card's proof": {func(r *AttemptRequest) { r.Settlements = []ledger.Settlement{{Card: liuma.CardID{9}}} }, ErrRequest},
	} {
		req := h.request(target)
		tt.change(&req)
		if _, err := n.Attempt(t.Context(), req); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := n.Propose(t.Context(), ProposeRequest{Header: Header{Now: h.clock.Now()}, Card: target.Card, Version: 2, KeySet: 9, Blinded: strangePoint()}); !errors.Is(err, ErrKeySet) {
		t.Errorf("propose under an unknown key set: %v, want ErrKeySet", err)
	}
	if _, err := n.Propose(t.Context(), ProposeRequest{Header: Header{Now: h.clock.Now()}, Card: target.Card, Version: 2, KeySet: 1}); !errors.Is(err, ErrRequest) {
		t.Errorf("propose without a point: %v, want ErrRequest", err)
	}
	if _, err := n.Commit(t.Context(), CommitRequest{Header: Header{Now: h.clock.Now()}, Commitment: unknown}); !errors.Is(err, ErrKeySet) {
		t.Errorf("commit under an unknown key set: %v, want ErrKeySet", err)
	}
	if row := h.row(0, target.Card); row.Tally.Spent != 0 || row.Mark != 1 || row.Version != 1 {
		t.Errorf("%+v after refused requests, want it untouched", row)
	}
	// The same request without a fault is counted, so the faults above were the
	// reason.
	if a, err := n.Attempt(t.Context(), h.request(target)); err != nil || a.Spend != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestEvaluateTakesEachGrantOnce (I-1): a grant that no ledger made gives
// nothing, and a ledger's grant gives shares once, and of no other version.
func TestEvaluateTakesEachGrantOnce(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	n, p := h.nodes[0], strangePoint()
	keys := func(version liuma.Version) *derived {
		d, err := n.ring.derive(1, target.Card, version)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if _, err := evaluate(keys(1), &ledger.Spent{}, p); !errors.Is(err, ledger.ErrUsed) {
		t.Errorf("a Spent that nobody made: %v", err)
	}
	if _, err := evaluate(keys(1), (*ledger.Spent)(nil), p); !errors.Is(err, ledger.ErrUsed) {
		t.Errorf("no Spent: %v", err)
	}
	if _, err := evaluate(keys(2), &ledger.Proposed{}, p); !errors.Is(err, ledger.ErrUsed) {
		t.Errorf("a Proposed that nobody made: %v", err)
	}
	spend := func() *ledger.Spent {
		spent, err := n.ledger.Spend(t.Context(), ledger.SpendRequest{Card: target.Card, Version: 1, Sender: h.clock.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return spent
	}
	spent := spend()
	if s, err := evaluate(keys(1), spent, p); err != nil || len(s) != 1 {
		t.Errorf("a Spent: %d shares, %v", len(s), err)
	}
	again := *spent
	if _, err := evaluate(keys(1), &again, p); !errors.Is(err, ledger.ErrUsed) {
		t.Errorf("a copy of a Spent: %v", err)
	}
	if _, err := evaluate(keys(2), spend(), p); !errors.Is(err, errOtherGrant) {
		t.Errorf("a Spent of another version: %v", err)
	}
	wiped := keys(1)
	wiped.wipe()
	if _, err := evaluate(wiped, spend(), p); !errors.Is(err, split.ErrWiped) {
		t.Errorf("wiped keys: %v", err)
	}
	proposed, err := n.ledger.Propose(t.Context(), ledger.ProposeRequest{Card: target.Card, Version: 2, Replaces: 1, Sender: h.clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evaluate(keys(2), proposed, p); err != nil {
		t.Errorf("a Proposed: %v", err)
	}
	if _, err := evaluate(keys(2), proposed, p); !errors.Is(err, ledger.ErrUsed) {
		t.Errorf("a Proposed again: %v", err)
	}
}

// TestBadProofsDoNotStopAnAttempt, and clear nothing.
func TestBadProofsDoNotStopAnAttempt(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	n := h.nodes[0]
	a, err := n.Attempt(t.Context(), h.request(target))
	if err != nil {
		t.Fatal(err)
	}
	forged := ledger.Settlement{Card: target.Card, Version: 1, KeySet: 1, Spends: []ledger.SettledSpend{{Keeper: "k1", Incarnation: a.Incarnation, S: a.Spend}}}
	req := h.request(target)
	req.Settlements = []ledger.Settlement{forged}
	if b, err := n.Attempt(t.Context(), req); err != nil || b.Spend != 2 || b.Left != 4 {
		t.Errorf("%+v, %v, want spend 2 and four left", b, err)
	}
	if _, err := n.Settle(t.Context(), Header{Now: h.clock.Now()}, req.Settlements); !errors.Is(err, ledger.ErrSettlement) {
		t.Errorf("a forged proof by itself: %v, want ErrSettlement", err)
	}
}

// TestCarriedCommitIsAppliedFirst, once, and not at all if it is behind.
func TestCarriedCommitIsAppliedFirst(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	old := set(t, q, liuma.NewCardID(), 1, good)
	v, err := q.Propose(t.Context(), old, 2, 1, []byte(bad))
	if err != nil {
		t.Fatal(err)
	}
	next := Target{Card: old.Card, Version: 2, Replaces: 1, KeySet: 1, Verifier: v, Tag: old.Tag, Unacknowledged: true}
	want(t, attemptPIN(t, q, next, good), liuma.Wrong)
	out := attemptPIN(t, q, next, good)
	want(t, out, liuma.Wrong)
	if out.TriesLeft != 4 {
		t.Errorf("%d tries left, want 4: a commit that was taken before clears nothing", out.TriesLeft)
	}
	old.Unacknowledged = true
	out = attemptPIN(t, q, old, good)
	want(t, out, liuma.Unavailable)
	if !out.Stale {
		t.Error("a commit behind the keeper's was taken, or not called stale")
	}
}

// TestMetering: commits and retirements have ceilings within an hour;
// repetitions of a commit are free.
func TestMetering(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	n := h.nodes[0]
	n.commits, n.retires = newMeter(2, h.clock.Now()), newMeter(1, h.clock.Now())
	commit := func(i byte) error {
		_, err := n.Commit(t.Context(), CommitRequest{Header: Header{Now: h.clock.Now()},
			Commitment: ledger.Commitment{Card: liuma.CardID{i}, Version: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{i}}})
		return err
	}
	for _, i := range []byte{1, 2, 1, 2, 2} {
		if err := commit(i); err != nil {
			t.Fatalf("card %d: %v", i, err)
		}
	}
	if err := commit(3); !errors.Is(err, ErrMetered) {
		t.Errorf("a third commit: %v, want ErrMetered", err)
	}
	h.clock.Add(30 * time.Minute)
	if err := commit(3); err != nil {
		t.Errorf("half an hour later: %v", err)
	}
	if err := commit(4); !errors.Is(err, ErrMetered) {
		t.Errorf("a fourth: %v, want ErrMetered", err)
	}
	h.clock.Add(-time.Hour)
	if err := n.commits.take(h.clock.Now()); !errors.Is(err, ErrMetered) {
		t.Errorf("after the clock went back: %v, want ErrMetered", err)
	}
	h.clock.Add(time.Hour)

	header := Header{Now: h.clock.Now()}
	if _, err := n.Retire(t.Context(), header, liuma.CardID{1}); err != nil {
		t.Error(err)
	}
	if _, err := n.Retire(t.Context(), header, liuma.CardID{2}); !errors.Is(err, ErrMetered) {
		t.Errorf("a second retirement: %v, want ErrMetered", err)
	}
	target := Target{Card: liuma.CardID{1}, Version: 1, KeySet: 1, Verifier: liuma.Verifier{1}}
	a, err := n.Attempt(t.Context(), h.request(target))
	if err != nil || a.Refusal == nil || a.Refusal.Reason != ledger.Retired {
		t.Errorf("a retired card: %+v, %v", a, err)
	}
	if _, err := n.Unretire(t.Context(), header, liuma.CardID{1}); err != nil {
		t.Error(err)
	}
	if a, err = n.Attempt(t.Context(), h.request(target)); err != nil || a.Refusal != nil {
		t.Errorf("a card put back in use: %+v, %v", a, err)
	}
}

// TestProposalsAreMetered: each proposal raises a card's mark, so there is a ceiling within
// an hour. What was refused marked nothing, and takes nothing of it.
func TestProposalsAreMetered(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	n := h.nodes[0]
	n.proposes = newMeter(2, h.clock.Now())
	propose := func(card byte, version liuma.Version) (ProposeAnswer, error) {
		return n.Propose(t.Context(), ProposeRequest{Header: Header{Now: h.clock.Now()}, Card: liuma.CardID{card}, Version: version, Tag: ledger.Tag{card},
			KeySet: 1, Blinded: h.request(Target{Card: liuma.CardID{card}, Version: version, KeySet: 1}).Blinded})
	}
	if a, err := propose(1, 1); err != nil || a.Refusal != nil {
		t.Fatalf("%+v, %v", a, err)
	}
	for range 3 {
		if a, err := propose(1, 1); err != nil || a.Refusal == nil || a.Refusal.Reason != ledger.VersionUsed {
			t.Fatalf("a version that was proposed: %+v, %v", a, err)
		}
	}
	if a, err := propose(1, 2); err != nil || a.Refusal != nil {
		t.Errorf("refusals used the ceiling up: %+v, %v", a, err)
	}
	if _, err := propose(2, 1); !errors.Is(err, ErrMetered) {
		t.Errorf("a third proposal: %v, want ErrMetered", err)
	}
	h.clock.Add(30 * time.Minute)
	if a, err := propose(2, 1); err != nil || a.Refusal != nil {
		t.Errorf("half an hour later: %+v, %v", a, err)
	}
}

func TestClosedNode(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	n := h.nodes[0]
	key := n.ring.sets[1].Keys[1].(memoryKey)
	for range 2 {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := key.Use(func([]byte) error { return nil }); !errors.Is(err, split.ErrWiped) {
		t.Errorf("the ring after Close: %v, want ErrWiped", err)
	}
	card, header := liuma.CardID{1}, Header{Now: h.clock.Now()}
	for name, call := range map[string]func() error{
		"attempt": func() error {
			_, err := n.Attempt(t.Context(), h.request(Target{Card: card, Version: 1, KeySet: 1}))
			return err
		},
		"propose":  func() error { _, err := n.Propose(t.Context(), ProposeRequest{}); return err },
		"commit":   func() error { _, err := n.Commit(t.Context(), CommitRequest{}); return err },
		"settle":   func() error { _, err := n.Settle(t.Context(), header, nil); return err },
		"tagged":   func() error { _, err := n.StatusOfTag(t.Context(), ledger.Tag{1}); return err },
		"head":     func() error { _, err := n.Head(t.Context(), header, nil); return err },
		"retag":    func() error { _, err := n.Retag(t.Context(), RetagRequest{Header: header}); return err },
		"status":   func() error { _, err := n.Status(t.Context(), card); return err },
		"retire":   func() error { _, err := n.Retire(t.Context(), header, card); return err },
		"unretire": func() error { _, err := n.Unretire(t.Context(), header, card); return err },
		"scan":     func() error { return n.Scan(t.Context(), card, nil) },
		"repair":   func() error { return n.Repair(t.Context(), 0) },
		"readmit":  func() error { return n.Readmit(t.Context(), 0) },
	} {
		if err := call(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}

func TestNewNodeAndRingRefuse(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	n := h.nodes[0]
	ok := NodeConfig{ID: "k1", Ledger: n.ledger, Ring: n.ring, Logger: slog.New(slog.DiscardHandler)}
	for name, f := range map[string]func(*NodeConfig){
		"id":      func(c *NodeConfig) { c.ID = "" },
		"ledger":  func(c *NodeConfig) { c.Ledger = nil },
		"ring":    func(c *NodeConfig) { c.Ring = nil },
		"logger":  func(c *NodeConfig) { c.Logger = nil },
		"ceiling": func(c *NodeConfig) { c.CommitsPerHour = -1 },
	} {
		c := ok
		f(&c)
		if _, err := NewNode(c); err == nil {
			t.Errorf("no %s: taken", name)
		}
	}
	bare, err := NewNode(ok)
	if err != nil {
		t.Fatal(err)
	}
	if err := bare.Scan(t.Context(), liuma.CardID{}, nil); !errors.Is(err, ErrNoRows) {
		t.Errorf("scan without rows: %v, want ErrNoRows", err)
	}
	set := n.ring.sets[1]
	for name, sets := range map[string][]KeySet{
		"none":       nil,
		"twice":      {set, set},
		"no number":  {{Shape: set.Shape, Member: 1, Keys: set.Keys}},
		"no member":  {{ID: 1, Shape: set.Shape, Keys: set.Keys}},
		"shape":      {{ID: 1, Shape: split.Shape{T: 1, N: 2}, Member: 1, Keys: set.Keys}},
		"missing":    {{ID: 1, Shape: split.Shape{T: 2, N: 3}, Member: 1, Keys: set.Keys}},
		"wrong keys": {{ID: 1, Shape: set.Shape, Member: 1, Keys: map[split.Subset]split.ShareMAC{2: split.NewShareKey()}}},
	} {
		if _, err := NewRing(sets...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestAKeeperTellsItsClock: while it is behind the keeper's own time, it tells none.
func TestAKeeperTellsItsClock(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	says := func() About {
		t.Helper()
		a, err := h.nodes[0].About(t.Context())
		if err != nil || a.Machine == [clock.StartSize]byte{} {
			t.Fatalf("%+v, %v", a, err)
		}
		return a
	}
	h.clock.Step(31 * 24 * time.Hour) // ahead of what it keeps, as after a reboot
	if a := says(); !a.Wall.Equal(h.clock.Now()) {
		t.Errorf("tells %v at %v", a.Wall, h.clock.Now())
	}
	h.clock.Step(-31*24*time.Hour - clock.MaxBehind - time.Second)
	if a := says(); !a.Wall.IsZero() {
		t.Errorf("tells %v though it is behind its own time", a.Wall)
	}
}
