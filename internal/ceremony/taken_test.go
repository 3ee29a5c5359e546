package ceremony_test

import (
	"context"
	"errors"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// lateQuorum commits, just before a first PIN is committed, another card of the
// same holder, as an authority on an older copy of the database did.
type lateQuorum struct {
	*keeper.Quorum
	env *testkit.Env
}

func (l lateQuorum) Commit(ctx context.Context, c ledger.Commitment, head keeper.Head) (bool, error) {
	other := c
	other.Card, other.Verifier = liuma.NewCardID(), liuma.Verifier{7}
	for _, k := range l.env.System.Keepers {
		_, err := k.Commit(ctx, keeper.CommitRequest{Header: keeper.Header{Now: l.env.Clock.Now()}, Commitment: other})
		if err != nil {
			return false, err
		}
	}
	return l.Quorum.Commit(ctx, c, head)
}

// TestFirstPINOfASecondCardEnds: keepers that hold another card of the holder
// never take the commit, so its intent is ended, with an alarm, and nothing is
// held up by it.
func TestFirstPINOfASecondCardEnds(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		env := testkit.New(t, testkit.Options{Shape: shape})
		ch, who := env.Channel("zj-hrss"), env.People[0]
		a := besides(t, env, lateQuorum{env.System.Quorum, env})
		q := env.EnrollRequest(ch, who, goodPIN)
		v, err := a.Enroll(t.Context(), ch, q)
		if err == nil {
			t.Errorf("%s: enrolled: %+v", shape, v)
		}
		err = env.System.Store.View(t.Context(), func(r store.Reader) error {
			row, err := r.Request(ch.Channel(), q.BusinessNo)
			if err != nil {
				return err
			}
			card, err := r.Card(row.Card)
			if err != nil || !row.Decided || row.Verdict != liuma.Unavailable || card.Version != 0 {
				t.Errorf("%s: %+v, %+v, %v", shape, row, card, err)
			}
			if in, err := r.Intent(row.Card); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: the intent is there: %+v, %v", shape, in, err)
			}
			all, err := storetest.Record(r)
			told := map[audit.Event]string{}
			for _, e := range all {
				told[e.Event] = e.Outcome
			}
			if told[audit.KeeperAlarm] != "second_card" || told[audit.PINAbandoned] != "unavailable" {
				t.Errorf("%s: recorded %v", shape, told)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if v, err = env.Authority().Verification(t.Context(), ch, q.BusinessNo); err != nil || v.Verdict != liuma.Unavailable {
			t.Errorf("%s: asked for: %+v, %v", shape, v, err)
		}
	}
}

var _ authority.Quorum = lateQuorum{}
