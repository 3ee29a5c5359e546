package counter

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// The meters of members. They are in the database and never run backwards, so neither a
// restart nor a clock that was set back gives a quota back (I-15).
const (
	meterLookUp = "counter:look_up"
	meterTicket = "counter:ticket"
	meterPair   = "counter:pair"
)

// TickOver marks that a clerk asked for more than a day allows (key: OverKey). Alarms are
// derived from it.
const TickOver = "counter_over"

// TickAgain marks a clerk (the key) who asked about a person about whom supervisors were
// asked askedMost times within a day without an approval.
const TickAgain = "counter_again"

// quotas are a clerk's quotas, from the region that they are bound to.
func (c *Counter) quotas(clerk store.Member) policy.Counter {
	return c.c.Rules.For(clerk.Region, "").Counter
}

// spent reports whether a clerk has used up a day's quota.
func (c *Counter) spent(r store.Reader, meter string, by liuma.StaffID, most int) (bool, error) {
	until, err := r.MeteredUntil(meter, c.byName(meter, by), uint64(most), day)
	return until.After(c.c.Now()), err
}

// refuseOver refuses a request over a clerk's quota, and records it.
func (c *Counter) refuseOver(tx store.Tx, e audit.Entry, by liuma.StaffID, meter string, refusal, err error) (Person, audit.Entry, error, error) {
	if err == nil {
		e.Event, e.Outcome, err = audit.TicketRefused, meter[len("counter:"):], tx.InsertTick(store.Tick{Kind: TickOver, Key: c.byName(TickOver, by), At: c.c.Now()})
	}
	return Person{}, e, refusal, err
}

// marked counts the marks of a kind that a clerk has within a period, and returns the time
// of the first; zero if there is none.
func (c *Counter) marked(r store.Reader, kind string, by liuma.StaffID, period time.Duration) (since time.Time, n int, err error) {
	at, err := r.Ticks(kind, c.byName(kind, by), c.c.Now().Add(-period))
	if len(at) > 0 {
		since = at[0]
	}
	return since, len(at), err
}
