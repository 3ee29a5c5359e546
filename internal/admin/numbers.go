package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
)

// ErrDays says that numbers for that many days are not kept.
var ErrDays = errors.New("numbers are kept for the last 1 to 30 days")

// MostDays is how many days Numbers goes back, today among them.
const MostDays = 30

// freshMost is how many streams without a digest are counted for one answer. The numbers of a
// busier hour appear once its digest is made.
const freshMost = 5000

// NumbersQuery says which numbers to show. The zero query is the last 30 days of
// everything.
type NumbersQuery struct {
	Days    int             `json:"days"` // today among them; 1: today, by hours; 0: MostDays
	Channel liuma.ChannelID `json:"channel"`
	Region  liuma.Region    `json:"region"`
}

// Numbers are counts of events, by hours of today or by days.
type Numbers struct {
	Days    int             `json:"days"`
	Channel liuma.ChannelID `json:"channel,omitempty"`
	Region  liuma.Region    `json:"region,omitempty"`
	// Until is the time up to which everything is counted: now, or the last digest if too much
	// has come since.
	Until time.Time `json:"counted_until"`
	// Kinds name the counts of every row, in their order.
	Kinds []string  `json:"kinds"`
	Total tally.Row `json:"total"`
	// Spans are hours or days, in their order, none left out.
	Spans    []tally.Row `json:"spans"`
	Channels []tally.Row `json:"channels"`
	Regions  []tally.Row `json:"regions"`
	// Stepped says that all counts are in steps of five, "<5" being 1 to 4. Counts by region
	// and by channel are always in steps.
	Stepped bool `json:"stepped"`
	// Lost is how many hours are left out because their row was altered.
	Lost int `json:"lost_hours"`
}

// Numbers counts what happened; see Administration.
func (a *Admin) Numbers(ctx context.Context, q NumbersQuery) (Numbers, error) {
	if q.Days == 0 {
		q.Days = MostDays
	}
	if q.Days < 1 || q.Days > MostDays {
		return Numbers{}, ErrDays
	}
	region, err := numbersRegion(callerOf(ctx), q.Region)
	if err != nil {
		return Numbers{}, err
	}
	now := a.c.Clock.Now()
	begins := beginsOf(now, q.Days)
	out := Numbers{Days: q.Days, Channel: q.Channel, Region: region}
	var count tally.Count
	err = a.c.Store.View(ctx, func(r store.Reader) error {
		count, out.Lost = tally.Count{}, 0
		for at := begins[0]; !at.After(now); at = at.Add(time.Hour) {
			switch t, err := r.Tally(at); {
			case err == nil:
				count.Load(t)
			case errors.Is(err, store.ErrSeal):
				out.Lost++
			case !errors.Is(err, store.ErrNotFound):
				return err
			}
		}
		fresh, whole, err := record.Uncovered(r, freshMost)
		if out.Until = now; err == nil && whole {
			count.AddAll(fresh)
			return nil
		}
		if err == nil {
			out.Until, err = lastDigestAt(r)
		}
		return err
	})
	if err != nil {
		return Numbers{}, err
	}
	found := count.Answer(tally.Question{From: begins[0], To: now.Add(time.Hour), Channel: q.Channel, Region: region}, begins)
	for _, k := range tally.Kinds() {
		out.Kinds = append(out.Kinds, k.String())
	}
	out.Total, out.Spans, out.Channels, out.Regions, out.Stepped = found.Total, found.Spans, found.Channels, found.Regions, found.Stepped
	return out, nil
}

// numbersRegion is the region whose numbers a caller gets. Counties are not told apart, because
// their numbers would often be about one person.
func numbersRegion(c staff.Caller, asked liuma.Region) (liuma.Region, error) {
	if c.Agency != "" || tally.Wide(c.Region) != c.Region {
		return "", fmt.Errorf("%w: numbers are kept by prefecture, and %s is bound to a part of one", staff.ErrBounds, c.ID)
	}
	if asked == "" {
		asked = c.Region
	}
	asked = tally.Wide(asked)
	if !c.Sees(asked, "") {
		return "", fmt.Errorf("%w: %s is bound to the region %s", staff.ErrBounds, c.ID, c.Region)
	}
	return asked, nil
}

// beginsOf are the first moments of today's hours, or of the last days.
func beginsOf(now time.Time, days int) (out []time.Time) {
	zone := clock.China()
	y, m, d := now.In(zone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if days == 1 {
		for h := range 24 {
			out = append(out, today.Add(time.Duration(h)*time.Hour))
		}
		return out
	}
	for i := days - 1; i >= 0; i-- {
		out = append(out, today.AddDate(0, 0, -i))
	}
	return out
}

// lastDigestAt is when the last digest was made; zero: there is none.
func lastDigestAt(r store.Reader) (time.Time, error) {
	last, err := r.LastDigest()
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	d, err := audit.ParseDigest(last.Token, nil)
	return d.At, err
}
