package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
)

// A row that was put back by one change gets, with the next change, the same
// revision as the row that it replaced. So comparing revisions after a change
// shows nothing; what must be compared is the revision at which the row was
// read. Each process therefore remembers of the cards that it works on where
// their rows were read first and where they stand now, and
//
//   - tells keepers a head, and asks them to evaluate, only after q of them said
//     that they have seen nothing later than the row as it was first read;
//   - refuses a row that is below what the process itself wrote.
//
// Where several authorities write to one database, keepers may have seen a later row
// because another of them wrote it meanwhile. Between the moment at which a transaction
// read a row and the one at which it replaces it, by comparing revisions, nobody else wrote
// it; so a process asks the keepers in between (Prove). What they have seen above it then
// was there before. Only where too few of them answered it asks afterwards, and takes a
// row that another authority moved on for what it says.

// lineage is what this process knows about the row of one card.
type lineage struct {
	base uint64 // the lowest revision at which the row was read; what came after is this process's work
	rev  uint64 // where the row stands
	own  uint64 // the highest revision that this process wrote; 0: none
	// asked is when the keepers last said, before a transaction, that they have seen
	// nothing later, and work what that transaction was part of.
	asked time.Time
	work  string
	// proved: q keepers had seen nothing later than base before they were told of rev.
	proved bool
	// lost, if not 0, is a revision that was seen before the row was put back below
	// it. It stays until an operator raises the row (Forget).
	lost uint64
	told uint64 // the value of lost that an alarm was raised for
}

const (
	// maxLineages bounds the cards that are remembered. A card that is forgotten is
	// proved anew at its next use.
	maxLineages = 100_000
	// proveWait lets the attempt or proposal that a row was written for ask the
	// keepers first.
	proveWait = 100 * time.Millisecond
)

// Head is told of every commit that wrote a card's row: the revision that it was
// read at and the one that it has now, for each card in the order of commits. It
// waits for nobody and may be called while a database commits. The keepers are
// told in the background, once the row is proved; one that is not reached is told
// again for as long as this process runs.
//
// A crash before the keepers were told leaves them with an older head: they would
// take the row from before the change (docs/SECURITY.md).
func (q *Quorum) Head(card liuma.CardID, read, head uint64) {
	q.rowMu.Lock()
	l := q.lineageAt(card, read)
	switch {
	case q.row != nil && read >= l.own && read < l.rev:
		// Another authority's row was read before this process told of its own.
		l.own = head
		q.rowMu.Unlock()
		return
	case read < l.rev: // the row was put back under this process
		l.lost, l.proved = max(l.lost, l.rev), false
		l.base = min(l.base, read)
	case read > l.rev: // another process moved it on
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
	default: // proveRows is awake already
	}
}

// Stands is ErrBehind for a row that is below what this process wrote. It is for
// the transactions that write, which see the newest row.
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

// Wrote is the revision at which this process knows a card's row to stand; 0 if it does
// not. Unlike Stands it draws no conclusion: a transaction on a snapshot may read the row
// as it was before.
func (q *Quorum) Wrote(card liuma.CardID) uint64 {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if l := q.lineages[card]; l != nil {
		return l.rev
	}
	return 0
}

// Lost is the revision that a card's row had before it was put back, as far as
// this process knows; 0 if it was not.
func (q *Quorum) Lost(card liuma.CardID) uint64 {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if l := q.lineages[card]; l != nil {
		return l.lost
	}
	return 0
}

// Written is the highest revision of a card's row that this process knows of; 0 if
// it knows of none. Keepers may not have been told of it yet.
func (q *Quorum) Written(card liuma.CardID) uint64 {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if l := q.lineages[card]; l != nil {
		return max(l.rev, l.lost)
	}
	return 0
}

// Forget drops what this process knows of a card's row, on the word of an
// operator who takes the row as it is. It returns the highest revision that it
// knew; the row is to be raised above it.
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

// lineageAt finds a card's lineage, or begins it where the row was read. The
// caller holds rowMu.
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

// forgetOne makes room. It prefers a card about which nothing is open.
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

// alarmLost raises the alarm for a row that was put back, once. The caller holds
// rowMu; an alarm does not block.
func (q *Quorum) alarmLost(card liuma.CardID, l *lineage, by ID, read uint64) {
	if l.told == l.lost || q.alarm == nil {
		return
	}
	l.told = l.lost
	q.alarm(Alarm{Keeper: by, Card: card, Fault: RowBehind, Head: l.lost, Proved: true})
	q.log.Error("a card's row was put back", "card", card, "read", read, "seen", l.lost)
}

// prove makes sure that the keepers have seen no later row of a card than the one
// that this process read first. It asks them once for each card. behind, if not
// 0, is the head that was seen: the row was put back. An error says that too few
// keepers answered; nothing is evaluated then.
func (q *Quorum) prove(ctx context.Context, card liuma.CardID, at uint64) (behind uint64, err error) {
	q.rowMu.Lock()
	l := q.lineageAt(card, at)
	if at > l.rev { // moved on by another process
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
	if now != l { // forgotten while the keepers answered
		q.rowMu.Unlock()
		return q.prove(ctx, card, at)
	}
	defer q.rowMu.Unlock()
	if l.proved { // by another request, which then told the keepers what was seen here
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

// movedOn reports whether another authority has moved a card's row on to what keepers have
// seen, since this process read or wrote it, and begins its lineage there.
func (q *Quorum) movedOn(ctx context.Context, card liuma.CardID, l *lineage, base, seen uint64) (bool, uint64, error) {
	at, err := q.row(ctx, card)
	if err != nil {
		return false, 0, err
	}
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	switch {
	case q.lineages[card] != l || l.base != base || l.proved || l.lost > 0:
		return true, max(at, l.rev), nil // another request has come further
	case at <= l.rev || at < seen:
		return false, 0, nil
	}
	l.base, l.rev, l.proved = at, at, false
	return true, at, nil
}

// askBefore is how long a transaction waits for the keepers before it replaces a row.
const askBefore = 500 * time.Millisecond

// Prove asks the keepers about a card's row that a transaction read at a revision and is
// about to replace, unless it asked a moment ago (Timing.Proof) for the same work, which is
// what is done under one hold; empty: none. Whatever is not the same work may come after
// another authority's change that somebody took back since. now reads where the row
// stands. ErrMoved: it has moved on, and the transaction is to be run again.
// ErrBehind: it was put back. Where too few keepers answer the transaction goes on, and they
// are asked afterwards: before they evaluate anything by the row, and before they are told
// of it.
func (q *Quorum) Prove(ctx context.Context, card liuma.CardID, read uint64, work string, now func(context.Context) (uint64, error)) error {
	q.rowMu.Lock()
	l := q.lineageAt(card, read)
	if read > l.rev { // moved on by another process
		l.base, l.rev, l.proved = read, read, false
	}
	// Whatever this process knows of the row, another may have written it since, so that
	// one put back to where this process left it looks right.
	lately := work != "" && work == l.work && time.Since(l.asked) < q.timing.Proof
	known := l.lost > 0 || l.rev != read || lately || !l.proved && l.base != read
	q.rowMu.Unlock()
	if known {
		return nil // or the comparison of revisions, or what the keepers are asked later, decides
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

// doubtRow has the keepers asked about a row as it was read now: what they said before is
// about another, where an authority moved it on since and somebody put it back.
func (q *Quorum) doubtRow(card liuma.CardID, l *lineage, read uint64) {
	q.rowMu.Lock()
	defer q.rowMu.Unlock()
	if q.lineages[card] == l && l.rev == read && l.lost == 0 {
		l.base, l.proved = read, false
	}
}

// Proved is for an act that relies on a card's row and otherwise asks keepers for
// nothing. It is called when the act has written the row and before it answers:
// ErrBehind if the row had been put back before this process read it. The keepers
// are asked only if this process has not had the row proved yet.
func (q *Quorum) Proved(ctx context.Context, card liuma.CardID) error {
	q.rowMu.Lock()
	l := q.lineages[card]
	if l == nil {
		q.rowMu.Unlock()
		return nil // not a row that was written
	}
	rev := l.rev
	q.rowMu.Unlock()
	return q.provedAt(ctx, card, rev)
}

// provedAt is prove, with a row that was put back as an error.
func (q *Quorum) provedAt(ctx context.Context, card liuma.CardID, rev uint64) error {
	behind, err := q.prove(ctx, card, rev)
	if err == nil && behind > 0 {
		err = ErrBehind
	}
	return err
}

// seenAbove asks the keepers whether they have seen a row later than base. Nobody
// has if q keepers say so. Else it is the lowest head of those that have.
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

// proveRows proves, in the background, the rows that were written without asking
// a keeper for anything: a freeze, a loss, a link that went.
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

// proveAll reports whether a row could not be proved because too few keepers
// answered.
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

// tell tells all keepers, in the background, that a card's row has moved on.
func (q *Quorum) tell(card liuma.CardID, head uint64) {
	for _, m := range q.members {
		if !m.raise(card, head, q.maxPending) {
			continue
		}
		select {
		case m.rose <- struct{}{}:
		default: // sendHeads is awake already
		}
	}
}
