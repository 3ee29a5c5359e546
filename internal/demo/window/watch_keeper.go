package window

import (
	"context"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// Keeper wraps a keeper and shows its requests and answers in the hub,
// unchanged. For server.Options.BetweenKeeper.
func (h *Hub) Keeper(k keeper.Keeper) keeper.Keeper { return &watchedKeeper{Keeper: k, hub: h} }

type watchedKeeper struct {
	keeper.Keeper
	hub *Hub
}

func (k *watchedKeeper) saw(title liuma.Text, facts ...Fact) {
	k.hub.Saw(Keeper, string(k.ID()), title, facts...)
}

func outcomeOf(err error, refusal *ledger.Refusal) []Fact {
	switch {
	case err != nil:
		return []Fact{{"error", "no answer"}}
	case refusal != nil:
		facts := []Fact{{"refused", string(refusal.Reason)}}
		if !refusal.Until.IsZero() {
			facts = append(facts, Fact{"until", refusal.Until.UTC().Format("2006-01-02 15:04:05Z")})
		}
		return facts
	}
	return nil
}

func cardFact(id liuma.CardID) Fact { return Fact{"card", bytesOf(id[:6]) + "…"} }

func versionFact(v liuma.Version) Fact { return Fact{"version", fmt.Sprint(v)} }

func (k *watchedKeeper) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	a, err := k.Keeper.Attempt(ctx, q)
	lane := "stranger"
	if q.Lane == ledger.Known {
		lane = "known"
	}
	facts := []Fact{cardFact(q.Card), versionFact(q.Version), {"blinded point", bytesOf(q.Blinded.Bytes())}, {"lane", lane}}
	title := both(words.KeeperCounts)
	if no := outcomeOf(err, a.Refusal); no != nil {
		title = both(words.KeeperRefuses)
		facts = append(facts, no...)
	} else {
		facts = append(facts, Fact{"spend", fmt.Sprint(a.Spend)}, Fact{"left", fmt.Sprint(a.Left)}, Fact{"shares", fmt.Sprint(len(a.Shares))})
	}
	k.saw(title, facts...)
	return a, err
}

func (k *watchedKeeper) Propose(ctx context.Context, q keeper.ProposeRequest) (keeper.ProposeAnswer, error) {
	a, err := k.Keeper.Propose(ctx, q)
	facts := []Fact{cardFact(q.Card), versionFact(q.Version), {"blinded point", bytesOf(q.Blinded.Bytes())}}
	k.saw(both(words.KeeperEvaluates), append(facts, outcomeOf(err, a.Refusal)...)...)
	return a, err
}

func (k *watchedKeeper) Commit(ctx context.Context, q keeper.CommitRequest) (keeper.CommitAnswer, error) {
	a, err := k.Keeper.Commit(ctx, q)
	facts := []Fact{cardFact(q.Card), versionFact(q.Version), {"verifier", bytesOf(q.Verifier[:])}}
	k.saw(both(words.KeeperCommits), append(facts, outcomeOf(err, a.Refusal)...)...)
	return a, err
}

func (k *watchedKeeper) Settle(ctx context.Context, header keeper.Header, all []ledger.Settlement) (keeper.Answer, error) {
	a, err := k.Keeper.Settle(ctx, header, all)
	for _, s := range all {
		own, _ := s.Of(string(k.ID()))
		facts := []Fact{cardFact(s.Card), versionFact(s.Version), {"spend", fmt.Sprint(own.S)}, {"signature", bytesOf(s.Signature[:])}}
		k.saw(both(words.KeeperClears), append(facts, outcomeOf(err, nil)...)...)
	}
	return a, err
}
