package admin

import "context"

// Measures are the state of an authority at one moment, for a metrics collector: its
// status (without the values that take longer the more cards there are), its times, and
// its alarms. Nothing in it is secret or personal.
type Measures struct {
	Status Status // Cards, People and Children are not counted
	Clock  ClockState
	Alarms []Alarm
}

// Measure takes the measures once. A caller that repeats it must wait in between, because
// each call asks the database and every keeper.
//
// Even with an error the clock's state is set: while the clock is behind the store
// answers nothing, and that is what the collector must learn.
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
