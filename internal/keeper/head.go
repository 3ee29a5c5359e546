package keeper

import (
	"context"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// headsPerSend bounds the heads in one request.
const headsPerSend = 256

// headTries is how often one keeper is asked again because other acts on the same card
// changed its row meanwhile.
const headTries = 3

// withHead makes a request that carries the head of the card's row. A keeper that has
// seen a later row has done nothing. If the row has meanwhile reached the revision that
// the keeper saw, the request is made again with it. If not, the database holds an
// older row than it once did: that raises an alarm, and the keeper's refusal stands
// (I-13).
func (q *Quorum) withHead(ctx context.Context, m *member, card liuma.CardID, head Head, send func(head uint64) (*ledger.Refusal, error)) error {
	at := head.At
	for try := 0; ; try++ {
		ref, err := send(at)
		if err != nil || ref == nil || ref.Reason != ledger.Behind || try == headTries {
			return err
		}
		next := at
		if head.Again != nil {
			if next, err = head.Again(ctx); err != nil {
				q.log.WarnContext(ctx, "head not read again", "keeper", string(m.id), "error", err)
				return nil // the keeper's refusal stands
			}
		}
		if next < ref.Head {
			q.raiseBehind(m, ledger.Head{Card: card, Head: ref.Head})
			return nil
		}
		at = next
	}
}

// behindPerMinute bounds, for each keeper, for how many rows that it calls too old an alarm
// is raised within a minute. Each alarm makes the authority ask all keepers and write an
// entry, so a keeper that makes up heads could cause more work than all holders. Alarms
// beyond the bound lose nothing: the keepers refuse the row, and the next refusal raises the
// alarm.
const behindPerMinute = 60

// raiseBehind raises the alarm that m has seen a later row of a card. The receiver
// compares with the database's row, which may have changed meanwhile.
func (q *Quorum) raiseBehind(m *member, seen ledger.Head) {
	if q.alarm != nil && m.mayTellBehind(time.Now()) {
		q.alarm(Alarm{Keeper: m.id, Card: seen.Card, Fault: RowBehind, Head: seen.Head})
	}
}

func (m *member) mayTellBehind(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.behindAt) >= time.Minute {
		m.behind, m.behindAt = 0, now
	}
	m.behind++
	return m.behind <= behindPerMinute
}

// raise keeps a card's highest head until it is sent to the keeper; it returns false if
// there is no room.
func (m *member) raise(card liuma.CardID, head uint64, maxCards int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	have, known := m.heads[card]
	if !known && len(m.heads) >= maxCards {
		return false
	}
	m.heads[card] = max(have, head)
	return true
}

// risen takes up to n heads that were not sent yet.
func (m *member) risen(n int) (out []ledger.Head) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for card, head := range m.heads {
		if len(out) == n {
			break
		}
		out = append(out, ledger.Head{Card: card, Head: head})
		delete(m.heads, card)
	}
	return out
}

// sendHeads sends m the heads that rose, many at once, for as long as the quorum is
// open. If a call fails, its heads are sent again later.
func (q *Quorum) sendHeads(m *member) {
	pause := time.Duration(0)
	for {
		if pause > 0 && !q.sleep(pause) {
			return // lastHeads has tried once more
		}
		heads := m.risen(headsPerSend)
		if len(heads) == 0 {
			select {
			case <-m.rose:
				continue
			case <-q.base.Done():
				return
			}
		}
		if q.sendSome(q.base, m, heads) {
			pause = 0
			continue
		}
		for _, h := range heads {
			m.raise(h.Card, h.Head, q.maxPending)
		}
		pause = min(max(2*pause, q.timing.Resend), maxResend)
	}
}

// sleep waits; it returns false if the quorum was closed.
func (q *Quorum) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-q.base.Done():
		return false
	}
}

// sendSome sends heads to m and reports whether m took them.
func (q *Quorum) sendSome(ctx context.Context, m *member, heads []ledger.Head) bool {
	ctx, cancel := context.WithTimeout(ctx, q.timing.Call)
	defer cancel()
	h := q.header(m)
	ans, err := m.Head(ctx, h, heads)
	if err == nil {
		err = m.heard(h, ans.Answer)
	}
	if err == nil {
		err = wellFormedBehind(heads, ans.Behind)
	}
	if err != nil {
		if q.base.Err() == nil {
			q.failed(m, liuma.CardID{}, err)
		}
		return false
	}
	for _, b := range ans.Behind {
		q.raiseBehind(m, b)
	}
	return true
}

// wellFormedBehind accepts only cards that were in the request, each once.
func wellFormedBehind(sent, behind []ledger.Head) error {
	if len(behind) == 0 {
		return nil
	}
	at := make(map[liuma.CardID]uint64, len(sent))
	for _, h := range sent {
		at[h.Card] = h.Head
	}
	for _, b := range behind {
		head, asked := at[b.Card]
		if !asked || b.Head <= head {
			return errForm
		}
		delete(at, b.Card)
	}
	return nil
}

// lastHeads sends the heads that the keepers do not have yet, at an orderly end.
func (q *Quorum) lastHeads() {
	ctx, cancel := context.WithTimeout(context.Background(), q.timing.Propose)
	defer cancel()
	var all sync.WaitGroup
	for _, m := range q.members {
		all.Go(func() {
			for heads := m.risen(headsPerSend); len(heads) > 0 && q.sendSome(ctx, m, heads); heads = m.risen(headsPerSend) {
			}
		})
	}
	all.Wait()
}
