package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// ErrDigits says that regions are counted by province, city or county.
var ErrDigits = errors.New("regions are counted by their first 2, 4 or 6 digits")

// Minors counts the people under 18 on a day, for the yearly report.
type Minors struct {
	At      string     `json:"at"` // the day, 2026-12-31
	Regions []MinorsIn `json:"regions"`
	Next    string     `json:"next,omitempty"` // of a part: where to go on; empty: at the end
}

// MinorsIn counts the minors of one region, by the registry. People who died are not
// counted.
type MinorsIn struct {
	Region  liuma.Region `json:"region"`
	Under14 Count        `json:"under_14"` // a guardian decides (PIPL article 31)
	From14  Count        `json:"from_14"`  // 14 and 15
	From16  Count        `json:"from_16"`  // 16 and 17
	// Unknown are people whose birthday is neither in their document nor in the
	// registry, such as a passport's holder without birth_date. They may be of any age.
	Unknown Count `json:"unknown"`
}

// Count is a number of people, and how many of them have an electronic card with a PIN.
type Count struct {
	People   int64 `json:"people"`
	WithCard int64 `json:"with_card"`
}

const (
	// walkPage is how many people are read in one snapshot.
	walkPage = 1000
	// stepTime is about how long one step of a walk through all people takes: a door
	// waits for half a minute.
	stepTime = 5 * time.Second
)

// ErrPlace says that no step ended at this place.
var ErrPlace = errors.New("a walk through the registry goes on where a step of it ended")

// Minors counts the people under 18 on a day by the first 2, 4 or 6 digits of their
// regions, from a place on (empty: from the beginning), for about stepTime. Next is
// where to go on, and Add sums the steps up. It reads a thousand people in a snapshot,
// so that it delays nobody; a person who changes meanwhile is counted as before or as
// after.
func (g *Registry) Minors(ctx context.Context, on time.Time, digits int, from string) (Minors, error) {
	return g.minors(ctx, on, digits, from, stepTime)
}

// Children counts the electronic cards of people under 18, for the status.
type Children struct {
	Under14 int64 `json:"under_14"`
	From14  int64 `json:"from_14"` // 14 and 15
	From16  int64 `json:"from_16"` // 16 and 17
	// Complete says that everybody was counted. Otherwise these are lower bounds, and
	// Minors counts the rest.
	Complete bool `json:"complete"`
}

// childrenTime is how long the count for a status may take, since a status is asked for
// often.
const childrenTime = 300 * time.Millisecond

// Children counts today's children, for about childrenTime.
func (g *Registry) Children(ctx context.Context, on time.Time) (c Children, err error) {
	m, err := g.minors(ctx, on.In(time.FixedZone("", 8*60*60)), 2, "", childrenTime)
	for _, in := range m.Regions {
		c.Under14 += in.Under14.WithCard
		c.From14 += in.From14.WithCard
		c.From16 += in.From16.WithCard
	}
	c.Complete = err == nil && m.Next == ""
	return c, err
}

func (g *Registry) minors(ctx context.Context, on time.Time, digits int, from string, most time.Duration) (Minors, error) {
	if digits != 2 && digits != 4 && digits != 6 {
		return Minors{}, ErrDigits
	}
	var after vault.Index
	if raw, err := hex.DecodeString(from); err != nil || from != "" && len(raw) != len(after) {
		return Minors{}, ErrPlace
	} else {
		copy(after[:], raw)
	}
	m := Minors{At: on.Format(time.DateOnly)}
	for began := time.Now(); time.Since(began) < most; {
		var page []store.Person
		var part Minors
		err := g.store.View(ctx, func(r store.Reader) (err error) {
			if page, err = r.Persons(after, walkPage); err != nil {
				return err
			}
			part, err = g.countMinors(r, page, on, digits)
			return err
		})
		if err != nil {
			return Minors{}, fmt.Errorf("registry: minors: %w", err)
		}
		if len(page) == 0 {
			m.Next = ""
			return m, nil
		}
		m = m.Add(part)
		after = page[len(page)-1].Holder
		m.Next = hex.EncodeToString(after[:])
	}
	return m, nil
}

// Add is the sum of two parts. It goes on where the second one ended.
func (m Minors) Add(part Minors) Minors {
	sum := Minors{At: m.At, Next: part.Next, Regions: slices.Clone(m.Regions)}
	for _, in := range part.Regions {
		i, there := slices.BinarySearchFunc(sum.Regions, in.Region, func(a MinorsIn, b liuma.Region) int { return strings.Compare(string(a.Region), string(b)) })
		if !there {
			sum.Regions = slices.Insert(sum.Regions, i, MinorsIn{Region: in.Region})
		}
		c := &sum.Regions[i]
		c.Under14, c.From14, c.From16 = c.Under14.plus(in.Under14), c.From14.plus(in.From14), c.From16.plus(in.From16)
		c.Unknown = c.Unknown.plus(in.Unknown)
	}
	return sum
}

func (c Count) plus(d Count) Count { return Count{c.People + d.People, c.WithCard + d.WithCard} }

// countMinors counts the minors of a page. Each person is a part of its own, so that
// the sum has the regions in order.
func (g *Registry) countMinors(r store.Reader, page []store.Person, on time.Time, digits int) (sum Minors, err error) {
	for _, p := range page {
		if nobody(p) && len(p.Sealed) == 0 || p.CorrectedTo != (vault.Index{}) {
			continue // a number that a correction has left, or waits for
		}
		f, err := g.open(p)
		if err != nil {
			return sum, err
		}
		age, known := ageOn(f.Born(), on)
		if p.Died || known && (age < 0 || age >= 18) {
			continue
		}
		region := p.Region
		in := MinorsIn{Region: region[:min(len(region), digits)]}
		c := &in.Unknown
		if known {
			c = in.of(age)
		}
		c.People++
		card, err := r.CardByHolder(p.Holder)
		switch {
		case err == nil && card.Version > 0:
			c.WithCard++
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return sum, err
		}
		sum = sum.Add(Minors{Regions: []MinorsIn{in}})
	}
	return sum, nil
}

func (m *MinorsIn) of(age int) *Count {
	switch {
	case age < 14:
		return &m.Under14
	case age < 16:
		return &m.From14
	}
	return &m.From16
}

// ageOn is how many years a person born on a day (20060102) has completed on another
// day, by OfAge, so that the report and the doors agree. It is negative before birth.
// known is false if the day of birth cannot be read.
func ageOn(born string, on time.Time) (age int, known bool) {
	day, err := time.Parse(bornForm, born)
	if err != nil {
		return 0, false
	}
	noon := time.Date(on.Year(), on.Month(), on.Day(), 4, 0, 0, 0, time.UTC) // in China
	if noon.Before(day) {
		return -1, true
	}
	if age = on.Year() - day.Year(); age > 0 && !OfAge(born, age, noon) {
		age--
	}
	return age, true
}
