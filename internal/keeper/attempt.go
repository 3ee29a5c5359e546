package keeper

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// Attempt makes one guess at all n keepers and gives the verdict by the rules
// of docs/ARCHITECTURE.md ("Walk 1: an attempt, from thumb to verdict"). The
// caller wipes secret. The error means a malformed request, a closed quorum, or
// that ctx ended before a verdict; every fault of a keeper leads to the verdict
// Unavailable.
func (q *Quorum) Attempt(ctx context.Context, target Target, how Guess, secret []byte) (Outcome, error) {
	if err := target.validate(how); err != nil {
		return Outcome{}, err
	}
	switch behind, err := q.prove(ctx, target.Card, target.Head.At); {
	case errors.Is(err, ErrClosed), ctx.Err() != nil:
		return Outcome{Verdict: liuma.Unavailable}, errors.Join(err, ctx.Err())
	case err != nil:
		q.log.WarnContext(ctx, "attempt not made", "card", target.Card, "error", err)
		return Outcome{Verdict: liuma.Unavailable}, nil
	case behind > 0: // an old row was put back: no keeper is asked (I-13)
		return Outcome{Verdict: liuma.Unavailable, Behind: behind}, nil
	}
	guess, err := split.Blind(secret, q.random)
	if err != nil {
		return Outcome{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	a := &attempt{q: q, target: target, how: how, guess: guess, answers: make([]answered, len(q.members))}
	a.waiting = len(q.members)
	start := time.Now()
	a.replies, err = ask(ctx, q, a.call)
	if err != nil {
		guess.Wipe()
		return Outcome{}, err
	}
	out, err := a.run(ctx)
	// A keeper that answers after the verdict has counted the guess too: it is
	// still sent its settlement, and its answer is compared with the others.
	if a.waiting == 0 || !q.background(func() { a.linger(start) }) {
		a.finish()
	}
	return out, err
}

func (t Target) validate(how Guess) error {
	switch {
	case t.Card.IsZero(), t.Version == 0, t.KeySet == 0, t.Verifier.IsZero():
		return fmt.Errorf("%w: a target needs card, version, key set and verifier", ErrRequest)
	case how.Lane > ledger.Known, how.Reserve < 0:
		return fmt.Errorf("%w: no such lane or reserve", ErrRequest)
	case how.Reopen && how.Lane != ledger.Known:
		return fmt.Errorf("%w: only a known link reopens the stranger lane", ErrRequest)
	}
	return nil
}

// commitment returns the commit that made the target's version current.
func (t Target) commitment() ledger.Commitment {
	return ledger.Commitment{
		Card: t.Card, Version: t.Version, Replaces: t.Replaces, KeySet: t.KeySet, Verifier: t.Verifier, Tag: t.Tag,
	}
}

// state is the state of one keeper's answer to an attempt.
type state uint8

const (
	silent    state = iota // no answer, or an unusable one
	refused                // counted nothing
	evaluated              // counted, and answered well-formed shares
)

// answered is one keeper's answer.
type answered struct {
	state   state
	settled bool // a settlement that covers its spend was signed
	AttemptAnswer
}

// attempt is one guess under way. It belongs to one goroutine at a time.
type attempt struct {
	q       *Quorum
	target  Target
	how     Guess
	guess   *split.Guess
	replies <-chan reply[AttemptAnswer]
	waiting int        // replies that have not come yet
	answers []answered // by member number, from 1 at index 0
	stale   bool       // a keeper holds a later version
	tried   [][]split.Share
	agreed  bool          // t answers agree and gave another verifier
	key     *split.Key    // yielded by a right guess
	right   []split.Share // the shares that yielded key
}

// call asks one keeper. It runs in parallel with the calls to the others and
// touches nothing of a that changes. It is never repeated (I-1), because an
// error does not tell whether the keeper counted. The one exception is the
// answer that the row is behind: then the keeper has counted nothing.
func (a *attempt) call(ctx context.Context, m *member) (ans AttemptAnswer, err error) {
	err = a.q.withHead(ctx, m, a.target.Card, a.target.Head, func(head uint64) (*ledger.Refusal, error) {
		ans, err = a.send(ctx, m, head)
		return ans.Refusal, err
	})
	return ans, err
}

func (a *attempt) send(ctx context.Context, m *member, head uint64) (AttemptAnswer, error) {
	req := AttemptRequest{
		Header: a.q.header(m), Card: a.target.Card, Head: head, Version: a.target.Version, KeySet: a.target.KeySet,
		Blinded: a.guess.Blinded(), Lane: a.how.Lane, Reserve: a.how.Reserve, Limits: a.how.Limits,
		Settlements: m.waiting(a.target.Card),
	}
	if a.target.Unacknowledged {
		c := a.target.commitment()
		req.Commit = &c
	}
	ans, err := m.Attempt(ctx, req)
	if err == nil {
		err = m.heard(req.Header, ans.Answer)
	}
	if err == nil {
		err = m.wellFormed(ans)
	}
	if err != nil {
		a.q.failed(m, a.target.Card, err)
		return AttemptAnswer{}, err
	}
	m.acknowledged(req.Settlements)
	return ans, nil
}

// errForm: no correct keeper gives such an answer; it has a wrong number or
// kind of shares.
var errForm = errors.New("keeper: malformed answer")

// wellFormed accepts a refusal without shares, or a spend number with one share
// for each of the member's subsets.
func (m *member) wellFormed(ans AttemptAnswer) error {
	if ans.Refusal != nil {
		if len(ans.Shares) != 0 {
			return errForm
		}
		return nil
	}
	if ans.Spend == 0 {
		return errForm
	}
	return m.wellFormedShares(ans.Shares)
}

func (m *member) wellFormedShares(shares []split.Share) error {
	if len(shares) != len(m.subsets) {
		return errForm
	}
	for i, s := range shares {
		if s.Subset != m.subsets[i] || s.Point.IsZero() {
			return errForm
		}
	}
	return nil
}

// run takes replies until there is a verdict.
func (a *attempt) run(ctx context.Context) (Outcome, error) {
	if len(a.answers) == 1 { // a single keeper: its reply is there already
		a.take(<-a.replies)
		a.settle()
		out, _ := a.decide(true)
		if out.Verdict == liuma.Unavailable && ctx.Err() != nil {
			return out, ctx.Err()
		}
		return out, nil
	}
	wrong, end := time.NewTimer(a.q.timing.Wrong), time.NewTimer(a.q.timing.Call)
	defer wrong.Stop()
	defer end.Stop()
	for late := false; ; {
		over := a.waiting == 0
		select {
		case r := <-a.replies:
			a.take(r)
		case <-wrong.C:
			late = true
		case <-end.C:
			over = true
		case <-ctx.Done():
			// Too few replies have come for a verdict.
			out, _ := a.decide(true)
			return Outcome{Verdict: liuma.Unavailable, Evaluated: out.Evaluated, Stale: out.Stale, Behind: out.Behind}, ctx.Err()
		}
		a.settle()
		over = over || a.waiting == 0
		if over || late || a.key != nil {
			if out, decided := a.decide(over); decided {
				return out, nil
			}
		}
	}
}

// take records one reply and checks whether it shows the guess to be right.
func (a *attempt) take(r reply[AttemptAnswer]) {
	a.waiting--
	if r.err != nil {
		return
	}
	to := &a.answers[r.from.number-1]
	to.AttemptAnswer = r.answer
	if ref := r.answer.Refusal; ref != nil {
		to.state = refused
		a.noteStale(r.from, ref)
		return
	}
	to.state = evaluated
	if a.key == nil {
		a.tryWith(r.from.number - 1)
	}
}

// noteStale handles a keeper that answered stale. If the keeper missed a
// commit, the commit is sent again, but not the attempt: the other keepers have
// the holder's one guess, and t of them can evaluate it. If the keeper has a
// later version, the caller learns it from Outcome.Stale.
func (a *attempt) noteStale(m *member, ref *ledger.Refusal) {
	if ref.Reason != ledger.Stale {
		return
	}
	if ref.At > a.target.Version {
		a.stale = true
		return
	}
	if ref.At == a.target.Version {
		return // the keeper contradicts itself
	}
	q, c, head := a.q, a.target.commitment(), a.target.Head
	c.Replaces = ref.At
	q.background(func() {
		ctx, cancel := context.WithTimeout(q.base, q.timing.Call)
		defer cancel()
		// A crash or an error here leaves the keeper as it was: the next
		// attempt on the card finds it stale and sends the commit again (I-7).
		_, _ = q.commitAt(ctx, m, c, head) // commitAt has logged the error
	})
}

// tryWith looks at every group of t answers that includes the newest: a group
// that agrees is finalized and compared with the verifier (I-9). Each set of
// shares is tried once, so if all keepers agree there is one trial.
func (a *attempt) tryWith(newest int) {
	for group := uint(1); group < 1<<len(a.answers); group++ {
		if bits.OnesCount(group) != a.q.shape.T || group>>newest&1 == 0 {
			continue
		}
		shares, agree := a.merge(group)
		if !agree || slices.ContainsFunc(a.tried, func(t []split.Share) bool { return slices.Equal(t, shares) }) {
			continue
		}
		a.tried = append(a.tried, shares)
		key, err := a.guess.Finalize(a.q.shape, shares)
		if err != nil {
			continue // the sum of the shares is the identity: a keeper lied, so by these shares the PIN is not right
		}
		if key.Verifier() == a.target.Verifier {
			a.key, a.right = key, shares
			return
		}
		a.agreed = true
		key.Wipe()
	}
}

// merge combines the answers of a group of keepers into one share per subset.
// They agree if all of them evaluated, and every share that two of them hold is
// the same from both.
func (a *attempt) merge(group uint) (shares []split.Share, agree bool) {
	for i := range a.answers {
		if group>>i&1 == 0 {
			continue
		}
		if a.answers[i].state != evaluated {
			return nil, false
		}
		var ok bool
		if shares, ok = mergeShares(shares, a.answers[i].Shares); !ok {
			return nil, false
		}
	}
	return shares, true
}

// mergeShares adds a keeper's shares to those of other keepers, in order of
// subsets. It fails on the first share that differs.
func mergeShares(into, from []split.Share) ([]split.Share, bool) {
	for _, s := range from {
		i, found := slices.BinarySearchFunc(into, s, func(x, y split.Share) int { return int(x.Subset) - int(y.Subset) })
		if found && into[i] != s {
			return nil, false
		}
		if !found {
			into = slices.Insert(into, i, s)
		}
	}
	return into, true
}

// decide gives the verdict, if there is one yet; over means that no more
// answers are waited for.
func (a *attempt) decide(over bool) (Outcome, bool) {
	out := Outcome{Stale: a.stale, Behind: a.behind()}
	var left []int
	for _, at := range a.answers {
		if at.state == evaluated {
			out.Evaluated++
			left = append(left, max(at.Left, 0))
		}
	}
	if len(left) >= a.q.shape.T {
		slices.Sort(left)
		out.TriesLeft = left[len(left)-a.q.shape.T]
	}
	switch verdict, until := a.barred(); {
	case a.key != nil:
		out.Verdict = liuma.Right
	case a.agreed:
		out.Verdict = liuma.Wrong
	case verdict != "":
		out.Verdict, out.Until = verdict, until
	default:
		out.Verdict = liuma.Unavailable
		return out, over
	}
	return out, true
}

// behind returns 0 if at least t keepers have not seen a later row of the card.
// Otherwise it returns the lowest head of the keepers that have.
func (a *attempt) behind() (head uint64) {
	open := len(a.answers)
	for _, at := range a.answers {
		if at.state != refused || at.Refusal.Reason != ledger.Behind {
			continue
		}
		open--
		if head == 0 || at.Refusal.Head < head {
			head = at.Refusal.Head
		}
	}
	if open >= a.q.shape.T {
		return 0
	}
	return head
}

// barred returns Locked or Blocked if the refusals alone prevent a quorum:
// fewer than t other keepers are left, so their answers cannot matter. A closed
// stranger lane counts as blocked, because it does not end with time either.
func (a *attempt) barred() (verdict liuma.Verdict, until time.Time) {
	open := len(a.answers)
	var ends []time.Time
	for _, at := range a.answers {
		if at.state != refused {
			continue
		}
		switch at.Refusal.Reason {
		case ledger.Locked:
			ends = append(ends, at.Refusal.Until)
		case ledger.Blocked, ledger.LaneClosed:
			open--
		}
	}
	if open < a.q.shape.T {
		return liuma.Blocked, time.Time{}
	}
	if missing := a.q.shape.T - (open - len(ends)); missing > 0 {
		// When this many locks have ended, a quorum is possible again.
		slices.SortFunc(ends, time.Time.Compare)
		return liuma.Locked, ends[missing-1]
	}
	return "", time.Time{}
}

// linger takes the replies that come after the verdict, until all have come or
// the calls' time is over.
func (a *attempt) linger(start time.Time) {
	defer a.finish()
	end := time.NewTimer(a.q.timing.Call - time.Since(start))
	defer end.Stop()
	for a.waiting > 0 {
		select {
		case r := <-a.replies:
			a.take(r)
			a.settle()
		case <-end.C:
			return
		case <-a.q.base.Done():
			return
		}
	}
}

// finish raises alarms about the keepers that differ and wipes the secrets.
func (a *attempt) finish() {
	var differ []int
	if a.key != nil {
		differ = a.differing(a.right)
		a.key.Wipe()
	} else {
		differ = suspects(a.shares())
	}
	for _, i := range differ {
		a.q.raise(a.q.members[i], a.target.Card, Disagrees)
	}
	a.guess.Wipe()
}

// differing lists the keepers that gave a share different from the right one.
func (a *attempt) differing(right []split.Share) (out []int) {
	for i, shares := range a.shares() {
		if _, ok := mergeShares(slices.Clone(right), shares); !ok {
			out = append(out, i)
		}
	}
	return out
}

// shares lists the shares that each keeper evaluated; nil for a keeper that
// evaluated none.
func (a *attempt) shares() [][]split.Share {
	out := make([][]split.Share, len(a.answers))
	for i, at := range a.answers {
		if at.state == evaluated {
			out[i] = at.Shares
		}
	}
	return out
}

// suspects lists the keepers that differ from the most others. It is only a
// guess, for attempts where nothing shows which shares are right: if a keeper
// that lies differs from only one other, both are listed.
func suspects(answers [][]split.Share) (out []int) {
	against, most := make([]int, len(answers)), 0
	for i := range answers {
		for j := range answers {
			if _, ok := mergeShares(slices.Clone(answers[i]), answers[j]); !ok {
				against[i]++
			}
		}
		most = max(most, against[i])
	}
	for i, n := range against {
		if most > 0 && n == most {
			out = append(out, i)
		}
	}
	return out
}
