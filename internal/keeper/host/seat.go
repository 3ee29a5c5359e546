package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// seat is the node's place behind the door. It passes requests to the node in it, or
// answers that there is none (keeper.ErrGone), and counts requests and their results.
type seat struct {
	id      keeper.ID
	log     *slog.Logger // nil: single requests are not logged
	tally   tally
	took    map[string]*histogram // by kind of request, for the kinds in timed
	batches *histogram            // guesses in each write
	seen    atomic.Uint64         // the highest sequence that a caller claims to have received from this keeper
	apart   atomic.Int64          // when a request was last refused because of its clock, in Unix seconds

	mu   sync.RWMutex
	node *keeper.Node // guarded by mu; nil: the seat is empty
	why  error        // guarded by mu; why the seat is empty
}

var (
	_ keeper.Keeper = (*seat)(nil)
	_ wire.Rows     = (*seat)(nil)
)

// timed lists the kinds of requests whose duration is measured, by their names in a
// tally.
func timed() []string { return []string{"spends", "proposals", "commits", "settlements", "heads"} }

func newSeat(id keeper.ID, log *slog.Logger) *seat {
	s := &seat{id: id, log: log, took: map[string]*histogram{}, batches: sizes()}
	for _, what := range timed() {
		s.took[what] = durations()
	}
	return s
}

// mostSeen is more than any keeper counts. A sequence above it was made up, and a repair
// does not follow it.
const mostSeen = 1 << 62

// mostHeard is the highest sequence that is believed on a caller's word alone: one
// write each microsecond for nine years. A caller that lies can raise the sequence no
// further than this, and the administrator can still name a higher one.
const mostHeard = 1 << 48

// sits returns the node in the seat, or why there is none.
func (s *seat) sits() (*keeper.Node, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.node == nil {
		return nil, fmt.Errorf("%w: %w", keeper.ErrGone, s.why)
	}
	return s.node, nil
}

// fill puts a node into the seat.
func (s *seat) fill(n *keeper.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node, s.why = n, nil
}

// empty takes the node out and closes it.
func (s *seat) empty(why error) error {
	s.mu.Lock()
	n := s.node
	s.node, s.why = nil, why
	s.mu.Unlock()
	if n == nil {
		return nil
	}
	return n.Close()
}

// heard records the sequence that a request claims to have received from this keeper.
func (s *seat) heard(h keeper.Header) {
	for old := s.seen.Load(); h.Seen > old && h.Seen < mostHeard; old = s.seen.Load() {
		if s.seen.CompareAndSwap(old, h.Seen) {
			return
		}
	}
}

// asked lets the node answer a request, and counts it.
func asked[A any](ctx context.Context, s *seat, what string, h keeper.Header, ask func(*keeper.Node) (A, error), refusal func(A) *ledger.Refusal) (a A, err error) {
	s.heard(h)
	if took := s.took[what]; took != nil {
		defer took.since(time.Now())
	}
	n, err := s.sits()
	if err == nil {
		a, err = ask(n)
	}
	switch ref := refusal(a); {
	case err != nil:
		s.tally.add("failures", failureOf(err))
		s.say(ctx, "failed", failureOf(err))
		if errors.Is(err, ledger.ErrClock) {
			s.apart.Store(time.Now().Unix())
		}
	case ref != nil:
		s.tally.add("refusals", string(ref.Reason))
		s.say(ctx, "refused", string(ref.Reason))
	default:
		s.tally.add(what, "")
	}
	return a, err
}

// say writes a log line about a request that carries an id from the authority, so that
// somebody who has that id can find the keeper's answer here. Other requests are only
// counted.
func (s *seat) say(ctx context.Context, what, why string) {
	if id := liuma.RequestOf(ctx); s.log != nil && id != (liuma.RequestID{}) {
		s.log.InfoContext(ctx, what, "request", id.String()[:requestDigits], "why", why)
	}
}

// requestDigits is how many hexadecimal digits of a request's id come over the network.
const requestDigits = 12

// never is for kinds of answers that have no refusal.
func never[A any](A) *ledger.Refusal { return nil }

// ID implements keeper.Keeper.
func (s *seat) ID() keeper.ID { return s.id }

// Attempt implements keeper.Keeper.
func (s *seat) Attempt(ctx context.Context, r keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	a, err := asked(ctx, s, "spends", r.Header, func(n *keeper.Node) (keeper.AttemptAnswer, error) { return n.Attempt(ctx, r) },
		func(a keeper.AttemptAnswer) *ledger.Refusal { return a.Refusal })
	if err == nil && a.Refusal == nil {
		s.tally.add("lane_spends", map[ledger.Lane]string{ledger.Known: "known", ledger.Stranger: "stranger"}[r.Lane])
	}
	return a, err
}

// Propose implements keeper.Keeper.
func (s *seat) Propose(ctx context.Context, r keeper.ProposeRequest) (keeper.ProposeAnswer, error) {
	return asked(ctx, s, "proposals", r.Header, func(n *keeper.Node) (keeper.ProposeAnswer, error) { return n.Propose(ctx, r) },
		func(a keeper.ProposeAnswer) *ledger.Refusal { return a.Refusal })
}

// Commit implements keeper.Keeper.
func (s *seat) Commit(ctx context.Context, r keeper.CommitRequest) (keeper.CommitAnswer, error) {
	return asked(ctx, s, "commits", r.Header, func(n *keeper.Node) (keeper.CommitAnswer, error) { return n.Commit(ctx, r) },
		func(a keeper.CommitAnswer) *ledger.Refusal { return a.Refusal })
}

// Settle implements keeper.Keeper.
func (s *seat) Settle(ctx context.Context, h keeper.Header, list []ledger.Settlement) (keeper.Answer, error) {
	return asked(ctx, s, "settlements", h, func(n *keeper.Node) (keeper.Answer, error) { return n.Settle(ctx, h, list) }, never)
}

// Status implements keeper.Keeper.
func (s *seat) Status(ctx context.Context, card liuma.CardID) (keeper.StatusAnswer, error) {
	return asked(ctx, s, "looks", keeper.Header{}, func(n *keeper.Node) (keeper.StatusAnswer, error) { return n.Status(ctx, card) }, never)
}

// StatusOfTag implements keeper.Keeper.
func (s *seat) StatusOfTag(ctx context.Context, tag ledger.Tag) (keeper.StatusAnswer, error) {
	return asked(ctx, s, "looks", keeper.Header{}, func(n *keeper.Node) (keeper.StatusAnswer, error) { return n.StatusOfTag(ctx, tag) }, never)
}

// Head implements keeper.Keeper.
func (s *seat) Head(ctx context.Context, h keeper.Header, heads []ledger.Head) (keeper.HeadAnswer, error) {
	return asked(ctx, s, "heads", h, func(n *keeper.Node) (keeper.HeadAnswer, error) { return n.Head(ctx, h, heads) }, never)
}

// Retag implements keeper.Keeper.
func (s *seat) Retag(ctx context.Context, r keeper.RetagRequest) (keeper.CommitAnswer, error) {
	return asked(ctx, s, "retags", r.Header, func(n *keeper.Node) (keeper.CommitAnswer, error) { return n.Retag(ctx, r) },
		func(a keeper.CommitAnswer) *ledger.Refusal { return a.Refusal })
}

// Admit implements keeper.Keeper.
func (s *seat) Admit(ctx context.Context, h keeper.Header) error {
	_, err := asked(ctx, s, "admits", h, func(n *keeper.Node) (struct{}, error) { return struct{}{}, n.Admit(ctx, h) }, never)
	return err
}

// Retire implements keeper.Keeper.
func (s *seat) Retire(ctx context.Context, h keeper.Header, card liuma.CardID) (keeper.Answer, error) {
	return asked(ctx, s, "retirements", h, func(n *keeper.Node) (keeper.Answer, error) { return n.Retire(ctx, h, card) }, never)
}

// Unretire implements keeper.Keeper.
func (s *seat) Unretire(ctx context.Context, h keeper.Header, card liuma.CardID) (keeper.Answer, error) {
	return asked(ctx, s, "unretirements", h, func(n *keeper.Node) (keeper.Answer, error) { return n.Unretire(ctx, h, card) }, never)
}

// About implements wire.Rows.
func (s *seat) About(ctx context.Context) (keeper.About, error) {
	return asked(ctx, s, "looks", keeper.Header{}, func(n *keeper.Node) (keeper.About, error) { return n.About(ctx) }, never)
}

// Scan implements wire.Rows.
func (s *seat) Scan(ctx context.Context, after liuma.CardID, visit func(ledger.Row) error) error {
	n, err := s.sits()
	if err != nil {
		return err
	}
	return n.Scan(ctx, after, func(r ledger.Row) error {
		if err := visit(r); err != nil {
			return err // also errPage, at the end of a page, which is no fault
		}
		s.tally.add("scanned", "")
		return nil
	})
}
