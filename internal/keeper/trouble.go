package keeper

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// Condition is how one keeper of the quorum stands, as this process knows it.
type Condition struct {
	ID       ID
	Sequence uint64    // the highest that was had from it
	Fault    Fault     // empty: it is whole
	Since    time.Time // with Fault: when this process first found it so
	Why      error     // with Fault
}

// tellEvery is how often the same trouble of a keeper is logged, and an alarm of
// it raised.
const tellEvery = time.Minute

// differsFor is how long a keeper that answered otherwise than the others is told of: it
// may answer as it should in between.
const differsFor = 10 * time.Minute

// slowAfter is how long an answer may take: as long as a wrong PIN waits for the last
// keeper. Two in a row that take longer are a fault, one is a moment's load.
const slowAfter = 500 * time.Millisecond

// errSlow is why a keeper is told of that serves.
var errSlow = errors.New("keeper: its answers take longer than half a second")

// errDiffers is why a keeper is told of that serves.
var errDiffers = errors.New("keeper: it answered otherwise than the others")

// trouble is why a keeper does not serve. It ends with the next answer of the
// keeper that can be used.
type trouble struct {
	fault Fault // empty: it serves
	why   error
	since time.Time // by the quorum's clock, for people
	// What was told last stays after the trouble has ended, so that a keeper that
	// serves one kind of request and refuses another is not told of each time.
	told  Fault
	at    time.Time // by this machine's running time
	quiet int       // errors since then
}

// faultOf says what an error tells about the keeper itself; empty if the fault
// may be the request's.
func faultOf(err error) Fault {
	switch {
	case errors.Is(err, ErrRequest), errors.Is(err, ErrMetered), errors.Is(err, ledger.ErrRequest), errors.Is(err, ledger.ErrSettlement),
		errors.Is(err, ErrClosed), errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, ErrShareKeys):
		return NoShareKeys
	case errors.Is(err, ErrUncounted):
		return Uncounted
	case errors.Is(err, ErrGone):
		return Gone
	case errors.Is(err, ledger.ErrRolledBack), errors.Is(err, errBelowSeen):
		return RolledBack
	case errors.Is(err, ledger.ErrClock):
		return ClockOff
	case errors.Is(err, errForm):
		return Disagrees
	case errors.Is(err, ledger.ErrFull), errors.Is(err, ledger.ErrPoisoned):
		return DiskBad
	case errors.Is(err, ErrCertificate):
		return CertificateBad
	case errors.Is(err, ErrStranger):
		return Stranger
	}
	return Silent
}

// ConditionOf asks one keeper how it stands for somebody who has had this sequence from
// it; for a process that has no Quorum.
func ConditionOf(ctx context.Context, k Keeper, now time.Time, seen uint64) Condition {
	c := Condition{ID: k.ID(), Sequence: seen}
	for range 2 { // one that is slow is asked again
		began := time.Now()
		if err := k.Admit(ctx, Header{Now: now, Seen: seen}); err != nil {
			c.Fault, c.Why, c.Since = faultOf(err), err, now
			return c
		}
		if time.Since(began) < slowAfter {
			return c
		}
	}
	c.Fault, c.Why, c.Since = Slow, errSlow, now
	return c
}

// failed notes an error of a keeper. It is logged, and for a fault of the keeper
// itself an alarm raised, when the trouble begins and then once in a while, not
// with every request.
func (q *Quorum) failed(m *member, card liuma.CardID, err error) {
	fault := faultOf(err)
	switch {
	case fault == "" && (errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed)):
		return // we asked no longer, as at an end or once enough others had answered
	case fault == "":
		q.log.Warn("keeper refused a request", "keeper", string(m.id), "error", err)
		return
	}
	if fault == Disagrees {
		q.raise(m, card, fault) // about this card
		return
	}
	now := time.Now()
	m.mu.Lock()
	t := &m.trouble
	if t.fault != fault {
		t.fault, t.since = fault, q.now()
	}
	t.why = err
	since, times := t.since, t.quiet+1
	speak := t.told != fault || now.Sub(t.at) >= tellEvery
	if t.quiet = times; speak {
		t.told, t.at, t.quiet = fault, now, 0
	}
	m.mu.Unlock()
	if !speak {
		return
	}
	level := slog.LevelWarn
	if fault == Gone {
		level = slog.LevelError // recorded once, at the start
	}
	q.log.Log(context.Background(), level, "keeper gave no answer", "keeper", string(m.id), "fault", string(fault),
		"since", since, "times", times, "error", err)
	if fault.Raised() {
		q.raise(m, card, fault)
	}
}

// Raised reports whether a Quorum raises an alarm of such a fault by itself, so that
// nobody else has to.
func (f Fault) Raised() bool {
	switch f {
	case Disagrees, RolledBack, ClockOff, NoShareKeys, Uncounted, RowBehind, SecondCard:
		return true
	default:
		return false
	}
}

// gaveUp tells, once in a while, that settlements are given up because too many
// wait for a keeper, as for one that is gone for long.
func (q *Quorum) gaveUp(m *member) {
	now := time.Now()
	m.mu.Lock()
	speak := now.Sub(m.gaveUp) >= tellEvery
	if speak {
		m.gaveUp = now
	}
	m.mu.Unlock()
	if speak {
		q.log.Warn("settlements given up: too many wait", "keeper", string(m.id))
	}
}

// well ends the keeper's trouble. The caller holds m.mu.
func (m *member) well() { m.trouble.fault, m.trouble.why = "", nil }

// admit asks m what every request is asked before its card is looked at.
func (q *Quorum) admit(ctx context.Context, m *member) error {
	began := time.Now()
	err := m.Admit(ctx, q.header(m))
	if err != nil {
		q.failed(m, liuma.CardID{}, err)
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.well()
	if time.Since(began) < slowAfter {
		m.late = 0
		return nil
	}
	if m.late++; m.late == 1 {
		m.slow = q.now()
	}
	return nil
}

// Conditions asks every keeper how it stands. A keeper that does not answer in
// time is in trouble as well.
func (q *Quorum) Conditions(ctx context.Context) []Condition {
	ctx, cancel := context.WithTimeout(ctx, q.timing.Call)
	defer cancel()
	done := make(chan struct{}, len(q.members))
	waiting := 0
	for _, m := range q.members {
		if q.background(func() { _ = q.admit(ctx, m); done <- struct{}{} }) { // admit notes its error
			waiting++
		}
	}
	for range waiting {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	out := make([]Condition, len(q.members))
	for i, m := range q.members {
		out[i] = m.condition()
	}
	return out
}

// condition is how the keeper stood when it was last asked. One that serves and answered
// otherwise than the others a while ago is not whole.
func (m *member) condition() Condition {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := Condition{ID: m.id, Sequence: m.seen, Fault: m.trouble.fault, Since: m.trouble.since, Why: m.trouble.why}
	if c.Fault == "" && !m.differed.IsZero() && time.Since(m.differed) < differsFor {
		c.Fault, c.Since, c.Why = Disagrees, m.differs, errDiffers
	}
	if c.Fault == "" && m.late > 1 {
		c.Fault, c.Since, c.Why = Slow, m.slow, errSlow
	}
	return c
}

// differing notes that the keeper answered otherwise than the others.
func (m *member) differing(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.differed.IsZero() || time.Since(m.differed) >= differsFor {
		m.differs = now
	}
	m.differed = time.Now()
}

// Degraded reports whether some keeper did not serve when it was last asked.
func (q *Quorum) Degraded() bool {
	for _, m := range q.members {
		m.mu.Lock()
		bad := m.trouble.fault != ""
		m.mu.Unlock()
		if bad {
			return true
		}
	}
	return false
}
