package attack

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// whileWorking calls a function once, while a keeper works on a guess.
type whileWorking struct {
	keeper.Keeper
	do *atomic.Pointer[func()]
}

func (k whileWorking) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	if do := k.do.Swap(nil); do != nil {
		(*do)()
	}
	return k.Keeper.Attempt(ctx, q)
}

// TestACeremonyPutBackWhileTheKeepersWork (I-14): a thief who writes to the
// database opens a ceremony of his own, makes a wrong try and keeps its row. He
// puts the row of before back and sends the address to the owner. While the
// keepers work on the owner's PIN, he puts the row of his own try in its place.
// The verdict is the owner's browser's all the same.
func TestACeremonyPutBackWhileTheKeepersWork(t *testing.T) {
	for _, action := range []liuma.Action{liuma.ActionVerify, liuma.ActionLink} {
		t.Run(string(action), func(t *testing.T) {
			var do atomic.Pointer[func()]
			w := newWorldOf(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return whileWorking{k, &do} }})
			before := w.links()
			c, q := w.home, request{action: action, card: w.card, bn: w.number()}
			if action == liuma.ActionLink {
				c, q = w.shady, request{action: action, about: &w.who, bn: w.number()}
			}
			attach := "ATTACH '" + filepath.Join(t.TempDir(), "kept.db") + "' AS kept"
			address := c.pushed(q)
			w.SQL(attach, "CREATE TABLE kept.unbound AS SELECT * FROM main.ceremonies")
			toPad := func() (v *visitor.Visitor, p *visitor.Page) {
				v = w.browser()
				if p = w.enter(v, address); p.Has("agree") {
					p = w.do(p, "agree")
				}
				return v, p
			}
			thief, page := toPad()
			w.typed(page, wrongPIN)
			w.SQL(attach, "CREATE TABLE kept.bound AS SELECT * FROM main.ceremonies",
				"INSERT OR REPLACE INTO main.ceremonies SELECT * FROM kept.unbound", "DELETE FROM main.requests WHERE phase = 1")
			_, page = toPad()
			putBack := func() { w.SQL(attach, "INSERT OR REPLACE INTO main.ceremonies SELECT * FROM kept.bound") }
			do.Store(&putBack)
			w.typed(page, goodPIN)
			if do.Load() != nil {
				t.Fatal("no keeper was asked")
			}
			p := w.enter(thief, address)
			if p.Has("return") {
				p = w.do(p, "return")
			}
			if code := p.URL().Query().Get("code"); code != "" {
				got, status := c.redeem(code)
				t.Errorf("the thief's browser was given a code; redeemed: %d %+v", status, got)
			}
			if v, err := c.native.Verification(t.Context(), q.bn); err != nil || v.Right() {
				t.Errorf("by business number: %+v, %v", v, err)
			}
			if n := w.links(); n != before {
				t.Errorf("%d links, %d before", n, before)
			}
		})
	}
}
