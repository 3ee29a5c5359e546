package ledger

import (
	"errors"
	"math"
	"time"
)

// index is the lane's place in Tally's arrays. Every lane other than Known
// counts as Stranger.
func (l Lane) index() int {
	if l == Known {
		return int(Known)
	}
	return int(Stranger)
}

func (l Lane) String() string {
	if l == Known {
		return "known"
	}
	return "stranger"
}

// Check reports whether a guess in the lane may be counted now. If refusal is
// nil it may, and left is how many guesses the lane may make before it is
// refused, this one included. reserve is how many of l.Attempts are kept for
// known links; at least one remains for strangers. A reserve of zero or less
// means that the card has no known link. l must be valid; under invalid limits
// every guess is refused.
//
// No lock is stored: locks follow from the uncleared spends, so clearing a
// spend undoes exactly the lock that the spend caused.
func (t Tally) Check(now time.Time, lane Lane, reserve int, l Limits) (left int, refusal *Refusal) {
	if l.Validate() != nil {
		return 0, &Refusal{Reason: Blocked}
	}
	reserve = max(reserve, 0)
	failuresLeft, reason := t.failuresLeft(lane, reserve, l.Failures)
	if reason != "" {
		return 0, &Refusal{Reason: reason}
	}
	now = t.clock(now)
	left, until := t.room(now, l.Attempts, l, func(Lane) bool { return true })
	if lane != Known && reserve > 0 {
		share := max(l.Attempts-reserve, 1)
		laneLeft, laneUntil := t.room(now, share, l, func(m Lane) bool { return m != Known })
		left = min(left, laneLeft)
		if laneUntil.After(until) {
			until = laneUntil
		}
	}
	if !until.IsZero() {
		return 0, &Refusal{Reason: Locked, Until: until}
	}
	return min(left, failuresLeft), nil
}

// failuresLeft applies the rules that do not end with time: the block and the
// closed lane.
func (t Tally) failuresLeft(lane Lane, reserve, limit int) (left int, reason Reason) {
	stranger, known := int(t.Failures[Stranger]), int(t.Failures[Known])
	switch {
	case known >= limit:
		return 0, Blocked
	case reserve == 0:
		if stranger+known >= limit {
			return 0, Blocked
		}
		return limit - stranger - known, ""
	case lane == Known:
		return limit - known, ""
	case stranger >= limit:
		return 0, LaneClosed
	}
	return limit - stranger, ""
}

// room applies the rule of at most n spends within the guess window, counting
// only lanes that counts accepts. until is zero unless they are locked.
func (t Tally) room(now time.Time, n int, l Limits, counts func(Lane) bool) (left int, until time.Time) {
	var newest time.Time
	seen, within := 0, 0
	for i := t.Kept - 1; i >= 0 && seen < n; i-- {
		m := t.Recent[i]
		if !counts(m.Lane) {
			continue
		}
		seen++
		if seen == 1 {
			newest = m.At
		}
		if now.Sub(m.At) < l.Window {
			within++
		}
		if end := newest.Add(l.LockFor); seen == n && newest.Sub(m.At) < l.Window && now.Before(end) {
			return 0, end
		}
	}
	// After a lock has ended, one guess remains before the next lock.
	return n - min(within, n-1), time.Time{}
}

// clock returns now, or the time of the newest uncleared spend if that is
// later: a clock that jumps back must not make spends look older than they are.
func (t Tally) clock(now time.Time) time.Time {
	now = millis(now)
	if t.Kept > 0 && t.Recent[t.Kept-1].At.After(now) {
		return t.Recent[t.Kept-1].At
	}
	return now
}

// millis rounds down to milliseconds, the precision of a row, so that a time
// that is read back equals the time that was written.
func millis(at time.Time) time.Time { return time.UnixMilli(at.UnixMilli()).UTC() }

// Spend counts one guess and returns its number. It applies no limit: call
// Check first.
func (t *Tally) Spend(now time.Time, lane Lane) (s uint64) {
	at := t.clock(now)
	lane = Lane(lane.index())
	t.Spent++
	if t.Failures[lane] < math.MaxUint32 {
		t.Failures[lane]++
	}
	if t.kept(lane) == maxRecent {
		t.drop(t.oldest(lane))
	}
	t.Recent[t.Kept] = Mark{S: t.Spent, At: at, Lane: lane}
	t.Kept++
	return t.Spent
}

// Clear handles the proof that spend s was right. It clears the lane of s up to
// s. It clears the other lane too if s was a stranger's spend or if both is
// set. Nothing later than s is cleared. It reports whether anything changed.
//
// If six or more uncleared spends follow spend s, the proof is ignored. Losing
// a proof only leaves guesses counted, and with the limit of six such a proof
// comes after the guess window has passed.
func (t *Tally) Clear(s uint64, both bool) bool {
	i := t.find(s)
	if i < 0 || t.Kept-i > maxRecent {
		return false
	}
	lane := t.Recent[i].Lane
	if lane != Known || both {
		t.clear(Stranger, s)
		t.clear(Known, s)
		return true
	}
	t.clear(Known, s)
	return true
}

// clear drops the lane's spends up to s. Clear has checked that at most five
// uncleared spends are later than s, so all of those are kept and can be
// counted.
func (t *Tally) clear(lane Lane, s uint64) {
	t.Cleared[lane] = max(t.Cleared[lane], s)
	for i := 0; i < t.Kept; {
		if t.Recent[i].Lane == lane && t.Recent[i].S <= s {
			t.drop(i)
			continue
		}
		i++
	}
	t.Failures[lane] = uint32(t.kept(lane))
}

// Reset clears both lanes, as the commit of a new version does. Spent stays.
func (t *Tally) Reset() {
	*t = Tally{Spent: t.Spent, Cleared: [2]uint64{t.Spent, t.Spent}}
}

// Refund takes back spend s, which no keeper evaluated. Only the authority's
// own record uses it: a ledger never takes a spend back (I-2). The number is
// not used again.
func (t *Tally) Refund(s uint64) {
	i := t.find(s)
	if i < 0 {
		return
	}
	t.Failures[t.Recent[i].Lane]--
	t.drop(i)
}

// Validate refuses a tally that the methods above cannot have made; such a
// tally was damaged.
func (t Tally) Validate() error {
	if t.Kept < 0 || t.Kept > len(t.Recent) {
		return errors.New("tally: impossible number of kept spends")
	}
	for lane, cleared := range t.Cleared {
		if cleared > t.Spent || uint64(t.Failures[lane]) > t.Spent-cleared {
			return errors.New("tally: more cleared or failed than spent")
		}
		if n := t.kept(Lane(lane)); n > maxRecent || uint64(n) > uint64(t.Failures[lane]) {
			return errors.New("tally: more spends kept than failed")
		}
	}
	for i, m := range t.Recent {
		if i >= t.Kept {
			if m != (Mark{}) {
				return errors.New("tally: a spend beyond the kept ones")
			}
			continue
		}
		if m.Lane > Known || m.S > t.Spent || m.S <= t.Cleared[m.Lane] || m.At != millis(m.At) {
			return errors.New("tally: a kept spend that cannot be")
		}
		if i > 0 && (m.S <= t.Recent[i-1].S || m.At.Before(t.Recent[i-1].At)) {
			return errors.New("tally: kept spends out of order")
		}
	}
	return nil
}

func (t *Tally) find(s uint64) int {
	for i := t.Kept - 1; i >= 0; i-- {
		if t.Recent[i].S == s {
			return i
		}
	}
	return -1
}

func (t *Tally) kept(lane Lane) (n int) {
	for _, m := range t.Recent[:t.Kept] {
		if m.Lane == lane {
			n++
		}
	}
	return n
}

func (t *Tally) newest(lane Lane) (at time.Time) {
	for _, m := range t.Recent[:t.Kept] {
		if m.Lane == lane {
			at = m.At
		}
	}
	return at
}

func (t *Tally) oldest(lane Lane) int {
	for i, m := range t.Recent[:t.Kept] {
		if m.Lane == lane {
			return i
		}
	}
	return -1
}

func (t *Tally) drop(i int) {
	copy(t.Recent[i:], t.Recent[i+1:t.Kept])
	t.Kept--
	t.Recent[t.Kept] = Mark{}
}
