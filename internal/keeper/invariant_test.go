package keeper

import (
	"context"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/split"
)

// deafened takes attempts and loses every answer.
type deafened struct{ Keeper }

func (d deafened) Attempt(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
	if _, err := d.Keeper.Attempt(ctx, r); err != nil {
		return AttemptAnswer{}, err
	}
	return AttemptAnswer{}, context.DeadlineExceeded
}

// TestAttemptIsNeverRepeated (I-1): a lost answer is a lost guess. The quorum
// does not ask the keeper again on the holder's behalf, neither at once nor
// later.
func TestAttemptIsNeverRepeated(t *testing.T) {
	for _, shape := range shapes() {
		h := newHarness(t, shape)
		q := h.quorum(func(_ int, k Keeper) Keeper { return deafened{k} })
		target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
		want(t, attemptPIN(t, q, target, bad), liuma.Unavailable)
		if err := q.Close(); err != nil { // Close waits for background calls
			t.Fatal(err)
		}
		for i := range h.nodes {
			if n := h.row(i, target.Card).Tally.Spent; n != 1 {
				t.Errorf("%s: k%d was asked %d times", shape, i+1, n)
			}
		}
	}
}

// TestUnsettledGuessesStayCounted (I-2): without the PIN's own signature no
// amount of right and wrong answers clears a count: a quorum whose settlements
// are lost stops at six even for the right PIN.
func TestUnsettledGuessesStayCounted(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	for range 6 {
		if a, err := h.nodes[0].Attempt(t.Context(), h.request(target)); err != nil || a.Refusal != nil {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if a, err := h.nodes[0].Attempt(t.Context(), h.request(target)); err != nil || a.Refusal == nil || len(a.Shares) != 0 {
		t.Errorf("the seventh: %+v, %v", a, err)
	}
}

// TestRingTakesNoOtherKey (I-5): a keeper does not open with a share key of a
// subset that it is no member of, beside its own or in place of one.
func TestRingTakesNoOtherKey(t *testing.T) {
	shape := split.Shape{T: 2, N: 3}
	own := map[split.Subset]split.ShareMAC{0b011: split.NewShareKey(), 0b101: split.NewShareKey()}
	if _, err := NewRing(KeySet{ID: 1, Shape: shape, Member: 1, Keys: own}); err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]map[split.Subset]split.ShareMAC{
		"beside":   {0b011: own[0b011], 0b101: own[0b101], 0b110: split.NewShareKey()},
		"in place": {0b011: own[0b011], 0b110: split.NewShareKey()},
	} {
		if _, err := NewRing(KeySet{ID: 1, Shape: shape, Member: 1, Keys: keys}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
