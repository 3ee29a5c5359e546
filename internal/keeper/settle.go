package keeper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

const (
	// perCard bounds the settlements of one card that wait for one keeper. A later
	// settlement clears everything that an earlier one clears, except in the other
	// lane.
	perCard = 4
	// MaxSettlements bounds the settlements in one request. That many of the largest
	// size fit into one frame between machines.
	MaxSettlements = 128
)

// settle makes one settlement for all spends of a right guess that have none yet, and hands it to
// the keepers of those spends. It signs the settlement or, if all keepers are in this process,
// proves it. First it takes the replies that have already come, so that usually one signature
// covers all keepers; a keeper that answers later gets its own settlement. All this is done
// before the verdict is returned, so that the card's next attempt finds its settlement waiting.
func (a *attempt) settle() {
	if a.key == nil {
		return
	}
	for there := true; there && a.waiting > 0; {
		select {
		case r := <-a.replies:
			a.take(r)
		default:
			there = false
		}
	}
	s := ledger.Settlement{Card: a.target.Card, Version: a.target.Version, KeySet: a.target.KeySet, Reopen: a.how.Reopen}
	var to []*member
	here := true
	for i, m := range a.q.members {
		at := &a.answers[i]
		if at.state != evaluated || at.settled {
			continue
		}
		at.settled = true
		to, here = append(to, m), here && at.here
		// The name comes from the connection, whatever the keeper says: a keeper can
		// spoil its own part, but nobody else's.
		s.Spends = append(s.Spends, ledger.SettledSpend{Keeper: string(m.id), Incarnation: at.Incarnation, S: at.Spend})
	}
	if len(to) == 0 {
		return
	}
	slices.SortFunc(s.Spends, func(x, y ledger.SettledSpend) int { return strings.Compare(x.Keeper, y.Keeper) })
	if here {
		s.Proof = a.key.Prove(ledger.SettlementMessage(s))
	} else {
		s.Signature = a.key.Sign(ledger.SettlementMessage(s))
	}
	for _, m := range to {
		a.q.settle(m, s)
	}
}

// settle hands a proof to one of its keepers. A right verdict does not wait until the
// proof is on disk: losing it only leaves a guess counted. A single keeper in this
// process gets the proof before the verdict is given, so that the card's next attempt
// finds it applied. With several keepers the next attempt also carries it.
func (q *Quorum) settle(m *member, s ledger.Settlement) {
	if len(q.members) == 1 {
		ctx, cancel := context.WithTimeout(q.base, q.timing.Call)
		defer cancel()
		if q.sendSettlements(ctx, m, []ledger.Settlement{s}) == nil {
			return
		}
	}
	if !m.keep(s, q.maxPending) {
		q.gaveUp(m)
		return
	}
	select {
	case m.wake <- struct{}{}:
	default: // resend is already woken
	}
}

func (q *Quorum) sendSettlements(ctx context.Context, m *member, batch []ledger.Settlement) error {
	h := q.header(m)
	ans, err := m.Settle(ctx, h, batch)
	if err != nil {
		return err
	}
	return m.heard(h, ans)
}

// resend sends m's settlements until they are acknowledged, for as long as the
// quorum is open.
func (q *Quorum) resend(m *member) {
	wait := q.timing.Resend
	for {
		batch := m.batch(MaxSettlements)
		if len(batch) == 0 {
			select {
			case <-m.wake:
				continue
			case <-q.base.Done():
				return
			}
		}
		if q.trySend(m, batch) {
			wait = q.timing.Resend
			continue
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, maxResend)
		case <-q.base.Done():
			return
		}
	}
}

// trySend reports whether anything in the batch was acknowledged or dropped.
// One invalid proof (the card has a later version, or the keeper another
// incarnation) must not hold up the others: after a refused batch each is sent
// alone, and those refused alone are dropped.
func (q *Quorum) trySend(m *member, batch []ledger.Settlement) bool {
	ctx, cancel := context.WithTimeout(q.base, q.timing.Call)
	defer cancel()
	err := q.sendSettlements(ctx, m, batch)
	if err == nil {
		m.acknowledged(batch)
		return true
	}
	if !errors.Is(err, ledger.ErrSettlement) {
		q.failed(m, liuma.CardID{}, err)
		return false
	}
	for i := range batch {
		err := q.sendSettlements(ctx, m, batch[i:i+1])
		if err == nil || errors.Is(err, ledger.ErrSettlement) {
			m.acknowledged(batch[i : i+1])
			continue
		}
		q.failed(m, liuma.CardID{}, err)
		return i > 0
	}
	return true
}

// keep stores s until it is acknowledged; it returns false if there is no room.
func (m *member) keep(s ledger.Settlement, maxCards int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	have, known := m.pending[s.Card]
	if !known && len(m.pending) >= maxCards {
		return false
	}
	// A proof of an earlier version clears nothing any more.
	have = slices.DeleteFunc(have, func(o ledger.Settlement) bool { return o.Version != s.Version })
	if len(have) == perCard {
		have = have[1:]
	}
	m.pending[s.Card] = append(slices.Clip(have), s)
	return true
}

// waiting lists the card's settlements that m has not acknowledged.
func (m *member) waiting(card liuma.CardID) []ledger.Settlement {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pending[card])
}

// batch lists up to n settlements that m has not acknowledged.
func (m *member) batch(n int) (out []ledger.Settlement) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, list := range m.pending {
		if len(out)+len(list) > n {
			break
		}
		out = append(out, list...)
	}
	return out
}

// acknowledged drops settlements that m has taken, or will never take.
func (m *member) acknowledged(list []ledger.Settlement) {
	if len(list) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range list {
		rest := slices.DeleteFunc(slices.Clone(m.pending[s.Card]), func(o ledger.Settlement) bool { return same(o, s) })
		if len(rest) == 0 {
			delete(m.pending, s.Card)
			continue
		}
		m.pending[s.Card] = rest
	}
}

// same reports whether two settlements of one card prove the same. Signature and proof
// cover the whole message, and are the same for the same message.
func same(x, y ledger.Settlement) bool {
	return x.Version == y.Version && x.Signature == y.Signature && x.Proof == y.Proof && slices.Equal(x.Spends, y.Spends)
}
