package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// keeperNumbers are the metrics of calls to each keeper, as the authority sees
// them.
type keeperNumbers struct {
	took     *prometheus.HistogramVec // keeper, request
	spends   *prometheus.CounterVec   // keeper
	refusals *prometheus.CounterVec   // keeper, request
	errors   *prometheus.CounterVec   // keeper, request
	items    *prometheus.HistogramVec // keeper, request
}

func newKeeperNumbers(counter func(string, string, ...string) *prometheus.CounterVec, histogram, batch func(string, string, ...string) *prometheus.HistogramVec) keeperNumbers {
	return keeperNumbers{
		took:     histogram("quorum_seconds", "How long a keeper took for an answer, as the authority waits for it.", "keeper", "request"),
		spends:   counter("quorum_spends_total", "Guesses that a keeper counted and evaluated for this authority.", "keeper"),
		refusals: counter("quorum_refusals_total", "Requests that a keeper refused and counted nothing for.", "keeper", "request"),
		errors:   counter("quorum_errors_total", "Requests that a keeper gave no answer to.", "keeper", "request"),
		items:    batch("quorum_items_per_request", "How many proofs of right guesses (settle) or heads of cards (head) one request to a keeper carried.", "keeper", "request"),
	}
}

// Keeper wraps a keeper so that its calls are measured. Requests and answers do
// not change.
func (m *Metrics) Keeper(k keeper.Keeper) keeper.Keeper {
	id := string(k.ID())
	m.keeper.spends.WithLabelValues(id)
	for _, request := range []string{"attempt", "propose", "commit", "settle", "status", "head", "retag", "admit", "retire"} {
		m.keeper.refusals.WithLabelValues(id, request)
		m.keeper.errors.WithLabelValues(id, request)
	}
	return &measuredKeeper{Keeper: k, id: id, n: m.keeper}
}

type measuredKeeper struct {
	keeper.Keeper
	id string
	n  keeperNumbers
}

// done counts one request and passes its error on.
func (k *measuredKeeper) done(request string, begun time.Time, refusal *ledger.Refusal, err error) {
	if err != nil {
		k.n.errors.WithLabelValues(k.id, request).Inc()
		return // the time spent waiting for a keeper that is away is not an answer's time
	}
	k.n.took.WithLabelValues(k.id, request).Observe(time.Since(begun).Seconds())
	if refusal != nil {
		k.n.refusals.WithLabelValues(k.id, request).Inc()
	}
}

func (k *measuredKeeper) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	begun := time.Now()
	a, err := k.Keeper.Attempt(ctx, q)
	k.done("attempt", begun, a.Refusal, err)
	if err == nil && a.Refusal == nil {
		k.n.spends.WithLabelValues(k.id).Inc()
	}
	return a, err
}

func (k *measuredKeeper) Propose(ctx context.Context, q keeper.ProposeRequest) (keeper.ProposeAnswer, error) {
	begun := time.Now()
	a, err := k.Keeper.Propose(ctx, q)
	k.done("propose", begun, a.Refusal, err)
	return a, err
}

func (k *measuredKeeper) Commit(ctx context.Context, q keeper.CommitRequest) (keeper.CommitAnswer, error) {
	begun := time.Now()
	a, err := k.Keeper.Commit(ctx, q)
	k.done("commit", begun, a.Refusal, err)
	return a, err
}

func (k *measuredKeeper) Settle(ctx context.Context, h keeper.Header, list []ledger.Settlement) (keeper.Answer, error) {
	begun := time.Now()
	a, err := k.Keeper.Settle(ctx, h, list)
	k.done("settle", begun, nil, err)
	k.n.items.WithLabelValues(k.id, "settle").Observe(float64(len(list)))
	return a, err
}

func (k *measuredKeeper) Status(ctx context.Context, card liuma.CardID) (keeper.StatusAnswer, error) {
	begun := time.Now()
	a, err := k.Keeper.Status(ctx, card)
	k.done("status", begun, nil, err)
	return a, err
}

func (k *measuredKeeper) StatusOfTag(ctx context.Context, tag ledger.Tag) (keeper.StatusAnswer, error) {
	begun := time.Now()
	a, err := k.Keeper.StatusOfTag(ctx, tag)
	k.done("status", begun, nil, err)
	return a, err
}

func (k *measuredKeeper) Head(ctx context.Context, h keeper.Header, list []ledger.Head) (keeper.HeadAnswer, error) {
	begun := time.Now()
	a, err := k.Keeper.Head(ctx, h, list)
	k.done("head", begun, nil, err)
	k.n.items.WithLabelValues(k.id, "head").Observe(float64(len(list)))
	return a, err
}

func (k *measuredKeeper) Retag(ctx context.Context, q keeper.RetagRequest) (keeper.CommitAnswer, error) {
	begun := time.Now()
	a, err := k.Keeper.Retag(ctx, q)
	k.done("retag", begun, a.Refusal, err)
	return a, err
}

func (k *measuredKeeper) Admit(ctx context.Context, h keeper.Header) error {
	begun := time.Now()
	err := k.Keeper.Admit(ctx, h)
	k.done("admit", begun, nil, err)
	return err
}

func (k *measuredKeeper) Retire(ctx context.Context, h keeper.Header, card liuma.CardID) (keeper.Answer, error) {
	begun := time.Now()
	a, err := k.Keeper.Retire(ctx, h, card)
	k.done("retire", begun, nil, err)
	return a, err
}

func (k *measuredKeeper) Unretire(ctx context.Context, h keeper.Header, card liuma.CardID) (keeper.Answer, error) {
	begun := time.Now()
	a, err := k.Keeper.Unretire(ctx, h, card)
	k.done("retire", begun, nil, err)
	return a, err
}
