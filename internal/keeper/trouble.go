package keeper

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// Condition is the state of one keeper of the quorum, as this process knows it.
type Condition struct {
	ID       ID
	Sequence uint64    // the highest received from it
	Fault    Fault     // empty: it is whole
	Since    time.Time // with Fault: when this process first found it
	Why      error     // with Fault
}

// tellEvery is how often the same trouble of a keeper is logged and raised as an alarm.
const tellEvery = time.Minute

// differsFor is how long a keeper is still reported after its answer differed from the
// others': it may answer correctly in between.
const differsFor = 10 * time.Minute

// slowAfter is how long an answer may take: as long as a wrong PIN waits for the last
// keeper. Two slow answers in a row are a fault; one may come from a moment's load.
const slowAfter = 500 * time.Millisecond

// errSlow is the reason of the fault Slow; the keeper serves.
var errSlow = errors.New("keeper: its answers take longer than half a second")

// errDiffers is the reason of the fault Disagrees; the keeper serves.
var errDiffers = errors.New("keeper: it answered otherwise than the others")

// trouble says why a keeper does not serve. It ends with the keeper's next usable
// answer.
type trouble struct {
	fault Fault // empty: it serves
	why   error
	since time.Time // by the quorum's clock, for people
	// The last report stays after the trouble has ended, so that a keeper that serves
	// one kind of request and refuses another is not reported each time.
	told  Fault
	at    time.Time // by this machine's monotonic clock
	quiet int       // errors since then
}

// faultOf returns the fault of the keeper that an error shows; empty if the fault may
// be the request's.
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

// ConditionOf asks one keeper for its condition, for a caller that has received the
// sequence seen from it; for a process without a Quorum.
func ConditionOf(ctx context.Context, k Keeper, now time.Time, seen uint64) Condition {
	c := Condition{ID: k.ID(), Sequence: seen}
	for range 2 { // a slow keeper is asked again
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

// failed records an error of a keeper. The error is logged and, if it is a fault of the
// keeper itself, raised as an alarm: when the trouble begins and then once in a while,
// not with every request.
func (q *Quorum) failed(m *member, card liuma.CardID, err error) {
	fault := faultOf(err)
	switch {
	case fault == "" && (errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed)):
		return // this process stopped asking: it is closing, or enough others had answered
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
		level = slog.LevelError // reported once, at the start
	}
	q.log.Log(context.Background(), level, "keeper gave no answer", "keeper", string(m.id), "fault", string(fault),
		"since", since, "times", times, "error", err)
	if fault.Raised() {
		q.raise(m, card, fault)
	}
}

// Raised reports whether a Quorum itself raises an alarm for such a fault, so that no
// other code has to.
func (f Fault) Raised() bool {
	switch f {
	case Disagrees, RolledBack, ClockOff, NoShareKeys, Uncounted, RowBehind, SecondCard:
		return true
	default:
		return false
	}
}

// gaveUp reports, once in a while, that settlements are dropped because too many wait
// for a keeper, for example for one that has been gone for long.
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

// admit makes the checks at m that every request passes before the keeper looks at its
// card.
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

// Conditions asks every keeper for its condition. A keeper that does not answer in time
// is in trouble as well.
func (q *Quorum) Conditions(ctx context.Context) []Condition {
	ctx, cancel := context.WithTimeout(ctx, q.timing.Call)
	defer cancel()
	done := make(chan struct{}, len(q.members))
	waiting := 0
	for _, m := range q.members {
		if q.background(func() { _ = q.admit(ctx, m); done <- struct{}{} }) { // admit records its error
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

// condition returns the keeper's condition when it was last asked. A keeper that serves
// but whose answer recently differed from the others' is not whole.
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

// differing records that the keeper's answer differed from the others'.
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
