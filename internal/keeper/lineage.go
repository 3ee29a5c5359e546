package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
)

// Suppose somebody puts a card's row back to an older one. The next change then gives it
// the same revision as the row that it replaced, so comparing revisions after a change
// proves nothing. What must be compared is the revision at which the row was read. So for
// each card that it works on, a process remembers the revision at which it first read the
// row and the row's revision now, and
//
//   - tells keepers a head, and asks them to evaluate, only after q of them said
//     that they have seen nothing later than the row as it was first read;
//   - refuses a row that is below the revision that the process itself wrote.
//
// If several authorities write to one database, keepers may have seen a later row because
// another authority wrote it meanwhile. A transaction that compares revisions when it
// replaces a row knows that nobody else wrote the row since the transaction read it. So the
// process asks the keepers between that read and that write (Prove): a later row that they
// have seen then existed before. Only if too few keepers answered does it ask afterwards,
// and then it accepts a row that another authority has changed.

// lineage is what this process knows about the row of one card.
type lineage struct {
	base uint64 // the lowest revision at which the row was read; later revisions are this process's own work
	rev  uint64 // the row's revision now
	own  uint64 // the highest revision that this process wrote; 0: none
	// asked is when the keepers last said, before a transaction, that they had seen
	// nothing later. work names the hold under which that transaction ran.
	asked time.Time
	work  string
	// proved is set once q keepers said that they had seen nothing later than base,
	// before they were told of rev.
	proved bool
	// lost, if not 0, is a revision that was seen before the row was put back to an
	// older one. It stays until an operator raises the row (Forget).
	lost uint64
	told uint64 // the value of lost for which an alarm was raised
}

const (
	// maxLineages bounds the cards that are remembered. A card that was forgotten is
	// proved again at its next use.
	maxLineages = 100_000
	// proveWait delays the proof in the background, so that the attempt or proposal for
	// which the row was written can ask the keepers first.
	proveWait = 100 * time.Millisecond
)

// Head is called after every commit that wrote a card's row, with the revision at which
// the row was read and its new revision, for each card in the order of commits. It does
// not block and may be called while a database commits. The keepers are told in the
// background, once the row is proved. A keeper that cannot be reached is told again for
// as long as this process runs.
//
// A crash before the keepers were told leaves them with an older head: they would
// accept the row from before the change (docs/SECURITY.md).
func (q *Quorum) Head(card liuma.CardID, read, head uint64) {
	q.rowMu.Lock()
	l := q.lineageAt(card, read)
	switch {
	case q.row != nil && read >= l.own && read < l.rev:
		// Another authority's row was read before this process reported its own.
		l.own = head
		q.rowMu.Unlock()
		return
	case read < l.rev: // an older row was put back while this process ran
		l.lost, l.proved = max(l.lost, l.rev), false
		l.base = min(l.base, read)
	case read > l.rev: // another process changed it
		l.base, l.proved = read, false
	}
	l.rev, l.own = head, head
	proved := l.proved
	if !proved && len(q.unproved) < q.maxPending {
		q.unproved[card] = true
	}
	q.rowMu.Unlock()
	if proved {
		q.tell(card, head)
		return
	}
	select {
	case q.doubt <- struct{}{}:
	default: // proveRows is already woken
	}
}

// Stands returns ErrBehind for a row below the revision that this process wrote. Only
// transactions that write may use it, because they see the newest row.
func (q *Quorum) Stands(card liuma.CardID, rev uint64) error {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	l := q.lineages[card]
	if l == nil || rev >= l.rev {
		return nil
	}
	l.lost, l.proved = max(l.lost, l.rev), false
	q.alarmLost(card, l, "", rev)
	return fmt.Errorf("%w: at %d, was at %d", ErrBehind, rev, l.rev)
}

// Wrote returns the revision that a card's row has as far as this process knows; 0 if it
// does not know the row. Unlike Stands it draws no conclusion: a transaction on a
// snapshot may read an older row.
func (q *Quorum) Wrote(card liuma.CardID) uint64 {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if l := q.lineages[card]; l != nil {
		return l.rev
	}
	return 0
}

// Lost returns the revision that a card's row had before an older row was put back, as
// far as this process knows; 0 if that did not happen.
func (q *Quorum) Lost(card liuma.CardID) uint64 {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if l := q.lineages[card]; l != nil {
		return l.lost
	}
	return 0
}

// Written returns the highest revision of a card's row that this process knows of; 0 if
// it knows none. The keepers may not know of it yet.
func (q *Quorum) Written(card liuma.CardID) uint64 {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if l := q.lineages[card]; l != nil {
		return max(l.rev, l.lost)
	}
	return 0
}

// Forget drops what this process knows about a card's row, after an operator decided to
// accept the row as it is. It returns the highest revision that was known; the row must
// be raised above it.
func (q *Quorum) Forget(card liuma.CardID) uint64 {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	l := q.lineages[card]
	if l == nil {
		return 0
	}
	delete(q.lineages, card)
	delete(q.unproved, card)
	return max(l.rev, l.lost)
}

// lineageAt finds a card's lineage, or begins it at the revision at which the row was
// read. The caller holds rowMu.
func (q *Quorum) lineageAt(card liuma.CardID, read uint64) *lineage {
	if l := q.lineages[card]; l != nil {
		return l
	}
	if len(q.lineages) >= maxLineages {
		q.forgetOne()
	}
	l := &lineage{base: read, rev: read}
	q.lineages[card] = l
	return l
}

// forgetOne makes room. It prefers a card for which no proof or alarm is pending.
func (q *Quorum) forgetOne() {
	const look = 64
	var any liuma.CardID
	looked := 0
	for card, l := range q.lineages { // in random order
		if any = card; l.proved && l.lost == 0 || looked == look {
			break
		}
		looked++
	}
	delete(q.lineages, any)
	delete(q.unproved, any)
}

// alarmLost raises the alarm for a row that was put back to an older one, once. The
// caller holds rowMu; an alarm does not block.
func (q *Quorum) alarmLost(card liuma.CardID, l *lineage, by ID, read uint64) {
	if l.told == l.lost || q.alarm == nil {
		return
	}
	l.told = l.lost
	q.alarm(Alarm{Keeper: by, Card: card, Fault: RowBehind, Head: l.lost, Proved: true})
	q.log.Error("a card's row was put back", "card", card, "read", read, "seen", l.lost)
}

// prove makes sure that the keepers have seen no later row of a card than the one that
// this process first read. It asks them once for each card. behind, if not 0, is the
// head that a keeper has seen: an older row was put back. An error means that too few
// keepers answered; nothing is evaluated then.
func (q *Quorum) prove(ctx context.Context, card liuma.CardID, at uint64) (behind uint64, err error) {
	q.rowMu.Lock()
	l := q.lineageAt(card, at)
	if at > l.rev { // another process changed it
		l.base, l.rev, l.proved = at, at, false
	}
	base, proved, lost := l.base, l.proved, l.lost
	q.rowMu.Unlock()
	if proved || lost > 0 {
		return lost, nil
	}
	behind, by, err := q.seenAbove(ctx, card, base)
	if err == nil && behind > 0 && q.row != nil {
		moved, now, failed := q.movedOn(ctx, card, l, base, behind)
		if moved {
			return q.prove(ctx, card, now)
		}
		err = failed
	}
	if err != nil {
		return 0, err
	}
	q.rowMu.Lock()
	now := q.lineages[card]
	if now != l { // the lineage was forgotten while the keepers answered
		q.rowMu.Unlock()
		return q.prove(ctx, card, at)
	}
	defer q.rowMu.Unlock()
	if l.proved { // another request proved it and then told the keepers, so they may have seen this process's own head
		return l.lost, nil
	}
	delete(q.unproved, card)
	switch {
	case behind > 0:
		l.lost = max(l.lost, behind)
		q.alarmLost(card, l, by, base)
	case l.base == base && l.lost == 0:
		l.proved = true
		q.tell(card, l.rev)
	}
	return l.lost, nil
}

// movedOn reports whether another authority has changed a card's row since this process
// read or wrote it, up to the head that keepers have seen. If so, the lineage begins again
// there.
func (q *Quorum) movedOn(ctx context.Context, card liuma.CardID, l *lineage, base, seen uint64) (bool, uint64, error) {
	at, err := q.row(ctx, card)
	if err != nil {
		return false, 0, err
	}
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	switch {
	case q.lineages[card] != l || l.base != base || l.proved || l.lost > 0:
		return true, max(at, l.rev), nil // another request has gone further
	case at <= l.rev || at < seen:
		return false, 0, nil
	}
	l.base, l.rev, l.proved = at, at, false
	return true, at, nil
}

// askBefore is how long a transaction waits for the keepers before it replaces a row.
const askBefore = 500 * time.Millisecond

// Prove asks the keepers about a card's row that a transaction has read at revision read and
// is about to replace. It does not ask if it asked a moment ago (Timing.Proof) for the same
// work, that is, under the same hold (empty: no hold). Under another hold, another authority
// may have changed the row since and somebody may have put it back, so the keepers are asked
// again. now reads the row's present revision. ErrMoved: the row has changed, and the
// transaction must run again. ErrBehind: an older row was put back. If too few keepers
// answer, the transaction goes on, and the keepers are asked later: before they evaluate
// anything for this row, and before they are told of it.
func (q *Quorum) Prove(ctx context.Context, card liuma.CardID, read uint64, work string, now func(context.Context) (uint64, error)) error {
	q.rowMu.Lock()
	l := q.lineageAt(card, read)
	if read > l.rev { // another process changed it
		l.base, l.rev, l.proved = read, read, false
	}
	// Whatever this process knows of the row, another authority may have written it
	// since. Then a row that was put back to the revision that this process wrote would
	// look right.
	lately := work != "" && work == l.work && time.Since(l.asked) < q.timing.Proof
	known := l.lost > 0 || l.rev != read || lately || !l.proved && l.base != read
	q.rowMu.Unlock()
	if known {
		return nil // or else the database's comparison of revisions, or a later question to the keepers, decides
	}
	asking, cancel := context.WithTimeout(ctx, askBefore)
	defer cancel()
	behind, by, err := q.seenAbove(asking, card, read)
	if err != nil {
		q.doubtRow(card, l, read)
		return nil
	}
	if behind > 0 {
		at, err := now(ctx)
		if err != nil || at != read {
			return errors.Join(ErrMoved, err)
		}
	}
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if q.lineages[card] != l || l.rev != read {
		return nil
	}
	if behind > 0 {
		l.lost, l.proved = max(l.lost, behind), false
		q.alarmLost(card, l, by, read)
		return fmt.Errorf("%w: at %d, keepers have seen %d", ErrBehind, read, behind)
	}
	l.proved, l.asked, l.work = true, time.Now(), work
	return nil
}

// doubtRow makes prove ask the keepers about the row as it was read now. Their earlier
// answer was about another row if an authority has changed it since and somebody put it
// back.
func (q *Quorum) doubtRow(card liuma.CardID, l *lineage, read uint64) {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if q.lineages[card] == l && l.rev == read && l.lost == 0 {
		l.base, l.proved = read, false
	}
}

// Proved is for an act that relies on a card's row and asks keepers for nothing else.
// The act calls it after it has written the row and before it answers. It returns
// ErrBehind if an older row had been put back before this process read it. It asks the
// keepers only if the row is not proved yet.
func (q *Quorum) Proved(ctx context.Context, card liuma.CardID) error {
	q.rowMu.Lock()
	l := q.lineages[card]
	if l == nil {
		q.rowMu.Unlock()
		return nil // this process did not write the row
	}
	rev := l.rev
	q.rowMu.Unlock()
	return q.provedAt(ctx, card, rev)
}

// provedAt is like prove, but returns an error if an older row was put back.
func (q *Quorum) provedAt(ctx context.Context, card liuma.CardID, rev uint64) error {
	behind, err := q.prove(ctx, card, rev)
	if err == nil && behind > 0 {
		err = ErrBehind
	}
	return err
}

// seenAbove asks the keepers whether they have seen a row later than base. If q keepers
// say no, it returns head 0. Otherwise it returns the lowest head of the keepers that
// have seen a later row.
func (q *Quorum) seenAbove(ctx context.Context, card liuma.CardID, base uint64) (head uint64, by ID, err error) {
	replies, err := ask(ctx, q, func(ctx context.Context, m *member) (StatusAnswer, error) {
		h := q.header(m)
		ans, err := m.Status(ctx, card)
		if err == nil {
			err = m.heard(h, ans.Answer)
		}
		if err != nil {
			q.failed(m, card, err)
		}
		return ans, err
	})
	if err != nil {
		return 0, "", err
	}
	end := time.NewTimer(q.timing.Propose)
	defer end.Stop()
	below, above := 0, 0
	for answers := 0; answers < len(q.members) && below < q.majority(); answers++ {
		select {
		case r := <-replies:
			switch seen := r.answer.Row.Head; {
			case r.err != nil:
			case seen <= base:
				below++
			default:
				if above++; head == 0 || seen < head {
					head, by = seen, r.from.id
				}
			}
		case <-end.C:
			answers = len(q.members)
		case <-ctx.Done():
			return 0, "", ctx.Err()
		}
	}
	switch {
	case below >= q.majority():
		return 0, "", nil
	case below+above < q.majority():
		return 0, "", fmt.Errorf("%w: %d of %d told of the card's head", ErrNoQuorum, below+above, q.shape.N)
	}
	return head, by, nil
}

// proveRows proves in the background the rows of acts that asked no keeper for
// anything: a freeze, a loss, a removed link.
func (q *Quorum) proveRows() {
	wait := proveWait
	for {
		select {
		case <-q.doubt:
		case <-q.base.Done():
			return
		}
		for pending := true; pending; {
			select {
			case <-time.After(wait):
			case <-q.base.Done():
				return
			}
			if pending = q.proveAll(); pending {
				wait = min(2*wait, maxResend) // too few keepers answered
			} else {
				wait = proveWait
			}
		}
	}
}

// proveAll tries to prove all written rows. It reports whether a row is left because
// too few keepers answered.
func (q *Quorum) proveAll() (left bool) {
	q.rowMu.Lock()
	var cards []liuma.CardID
	for card := range q.unproved {
		cards = append(cards, card)
	}
	q.rowMu.Unlock()
	for _, card := range cards {
		q.rowMu.Lock()
		l := q.lineages[card]
		if l == nil || l.proved || l.lost > 0 {
			delete(q.unproved, card)
			if l != nil && l.lost > 0 {
				q.alarmLost(card, l, "", l.base)
			}
			q.rowMu.Unlock()
			continue
		}
		at := l.rev
		q.rowMu.Unlock()
		if _, err := q.prove(q.base, card, at); err != nil {
			return true
		}
	}
	return false
}

// tell tells all keepers, in the background, the new head of a card's row.
func (q *Quorum) tell(card liuma.CardID, head uint64) {
	for _, m := range q.members {
		if !m.raise(card, head, q.maxPending) {
			continue
		}
		select {
		case m.rose <- struct{}{}:
		default: // sendHeads is already woken
		}
	}
}
