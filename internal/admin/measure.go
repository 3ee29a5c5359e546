package admin

import "context"

// Measures are how an authority stands at one moment, for a collector of numbers: its
// status but for what takes the longer the more cards there are, its times, and what
// somebody has to look after. Nothing in it is secret or personal.
type Measures struct {
	Status Status // Cards, People and Children are not counted
	Clock  ClockState
	Alarms []Alarm
}

// Measure looks once. Whoever asks again and again waits between two looks: each asks the
// database and every keeper.
//
// With an error the clock stands there all the same: while it is behind the store answers
// nobody, and that is what has to be told.
func (a *Admin) Measure(ctx context.Context) (m Measures, err error) {
	if m.Clock, err = a.Clock(ctx); err != nil {
		return Measures{}, err
	}
	if m.Status, err = a.standing(ctx); err != nil {
		return Measures{Clock: m.Clock}, err
	}
	m.Alarms, err = a.alarmsOf(ctx, m.Status)
	return m, err
}
