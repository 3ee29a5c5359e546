package admin

import (
	"context"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
)

// Alarm is something that somebody must look into. The catalogue has its meaning and the
// next step by its kind ("alarm.KIND.what" and ".next"). It names no holder.
type Alarm struct {
	Kind string `json:"kind"`
	// About is the keeper, channel, table or member of staff that it concerns; or empty.
	About string `json:"about,omitempty"`
	N     uint64 `json:"n,omitempty"`
	// Since is when it began, as far as this process knows; zero: not known.
	Since time.Time `json:"since,omitzero"`
}

// AlarmKinds lists the kinds of alarms. The catalogue has sentences for each.
func AlarmKinds() []string {
	return []string{"not_ready", "clock_behind", "keeper", "keeper_repairing", "keeper_admission", "row_refused", "record_fault", "record_not_shipped",
		"archive_due", "value_sprayed", "channel_wrong", "source_wrong", "sums_altered", "codes_spent", "codes_unreturned", "ration",
		"texts_late", "texts_dead", "letters_late", "corrections_stopped", "restart", "resealing_refused", "staff_none", "staff_alone", "staff_unapproved",
		counter.AlarmOver, counter.AlarmAgain, counter.AlarmFrozen, counter.AlarmOverdue}
}

// guardAlarmFor is how long an alarm about sprayed guesses stays listed. Such an alarm is
// about a moment, and nothing tells when the spray is over.
const guardAlarmFor = 24 * time.Hour

// Alarms lists the present alarms, the oldest first; those without a time come before them.
func (a *Admin) Alarms(ctx context.Context) ([]Alarm, error) {
	s, err := a.standing(ctx)
	if err != nil {
		return nil, err
	}
	return a.alarmsOf(ctx, s)
}

// alarmsOf derives the alarms from a status.
func (a *Admin) alarmsOf(ctx context.Context, s Status) ([]Alarm, error) {
	times, err := a.Clock(ctx)
	if err != nil {
		return nil, err
	}
	dead, err := a.deadNotices(ctx)
	if err != nil {
		return nil, err
	}
	desk, err := a.deskAlarms(ctx)
	if err != nil {
		return nil, err
	}
	out := slices.Concat(clockAlarms(times), keeperAlarms(s.Keepers, s.At), a.rowAlarms(), servingAlarms(s), textAlarms(s), dead, letterAlarms(s), recordAlarms(s), restAlarms(s), desk)
	slices.SortStableFunc(out, func(x, y Alarm) int { return x.Since.Compare(y.Since) })
	return out, nil
}

// when is an alarm's time; zero if there is none.
func when(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC()
}

// clockAlarms: nothing is served while the clock is behind.
func clockAlarms(s ClockState) []Alarm {
	if !s.Behind {
		return nil
	}
	return []Alarm{{Kind: "clock_behind", N: uint64(clock.MaxBehind / time.Second)}}
}

// admissionSoon is how long before its end a keeper's admission raises an alarm: a new one
// takes two administrations and a phone call.
const admissionSoon = 30 * 24 * time.Hour

func keeperAlarms(all []KeeperState, now time.Time) (out []Alarm) {
	for _, k := range all {
		if r := k.Remote; r != nil && r.Until != nil && r.Until.Sub(now) < admissionSoon {
			out = append(out, Alarm{Kind: "keeper_admission", About: k.ID, N: uint64(max(0, r.Until.Sub(now)) / (24 * time.Hour))})
		}
		switch k.State {
		case KeeperWhole, "":
		case KeeperRepairing:
			out = append(out, Alarm{Kind: "keeper_repairing", About: k.ID, N: k.Rows, Since: when(k.Since)})
		default:
			out = append(out, Alarm{Kind: "keeper", About: k.ID, Since: when(k.Since)})
		}
	}
	return out
}

// rowAlarms lists the tables of which altered rows were refused since the process began.
func (a *Admin) rowAlarms() (out []Alarm) {
	if a.c.Refused == nil {
		return nil
	}
	for table, at := range a.c.Refused() {
		out = append(out, Alarm{Kind: "row_refused", About: table, Since: at.UTC()})
	}
	slices.SortFunc(out, func(x, y Alarm) int { return x.Since.Compare(y.Since) })
	return out
}

// servingAlarms are the alarms of a running server.
func servingAlarms(s Status) (out []Alarm) {
	if s.Serving == nil {
		return nil
	}
	if !s.Serving.Ready {
		out = append(out, Alarm{Kind: "not_ready"})
	}
	if s.Restart {
		out = append(out, Alarm{Kind: "restart"})
	}
	for _, g := range s.Serving.Guesses.Alarms {
		if s.At.Sub(g.At) < guardAlarmFor {
			out = append(out, Alarm{Kind: g.Kind, About: string(g.Channel), N: g.Wrong, Since: g.At})
		}
	}
	for _, c := range s.Serving.Codes {
		if c.Spent {
			out = append(out, Alarm{Kind: "codes_spent", About: string(c.Channel), N: c.Hour})
		}
		if c.Unreturned {
			out = append(out, Alarm{Kind: "codes_unreturned", About: string(c.Channel), N: c.Judged})
		}
	}
	for _, r := range s.Serving.Rations.High {
		if r.Alarm != nil {
			out = append(out, Alarm{Kind: "ration", About: r.Client + " (" + r.Act + ")", N: r.Refused, Since: when(r.Alarm)})
		}
	}
	return out
}

// textAlarms is the alarm about texts that wait too long.
func textAlarms(s Status) []Alarm {
	if !s.Texts.Behind {
		return nil
	}
	oldest := max(s.Texts.Codes.Oldest, s.Texts.Notices.Oldest)
	return []Alarm{{Kind: "texts_late", N: uint64(s.Texts.Codes.Overdue + s.Texts.Notices.Overdue), Since: s.At.Add(-time.Duration(oldest) * time.Second).UTC()}}
}

// letterAlarms is the alarm about letters that wait too long to be printed or posted.
func letterAlarms(s Status) []Alarm {
	if s.Letters.Due == 0 {
		return nil
	}
	return []Alarm{{Kind: "letters_late", N: uint64(s.Letters.Due), Since: s.Letters.Oldest.UTC()}}
}

// deadNotices counts notices that were given up and may still be sent again: their holders
// have not been told.
func (a *Admin) deadNotices(ctx context.Context) ([]Alarm, error) {
	al := Alarm{Kind: "texts_dead"}
	for after := ""; ; {
		page, err := notify.List(ctx, a.c.Store, store.MessageDead, after, MaxTexts)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			if after = m.ID; !m.Retriable {
				continue
			}
			al.N++
			if al.Since.IsZero() || m.DoneAt.Before(al.Since) {
				al.Since = m.DoneAt.UTC()
			}
		}
		if len(page) < MaxTexts {
			break
		}
	}
	if al.N == 0 {
		return nil, nil
	}
	return []Alarm{al}, nil
}

// deskAlarms are the alarms about the counter.
func (a *Admin) deskAlarms(ctx context.Context) (out []Alarm, err error) {
	if a.c.Server == nil || a.c.Server.Counter == nil {
		return nil, nil
	}
	all, err := a.c.Server.Counter.Alarms(ctx)
	for _, al := range all {
		out = append(out, Alarm{Kind: al.Kind, About: string(al.About), N: al.N, Since: al.Since.UTC()})
	}
	return out, err
}

// recordAlarms are the alarms about the audit record.
func recordAlarms(s Status) (out []Alarm) {
	if n := len(s.Record.Faults); n > 0 {
		out = append(out, Alarm{Kind: "record_fault", N: uint64(n), Since: when(s.Record.Checked)})
	}
	if s.Record.Shipping != "" {
		out = append(out, Alarm{Kind: "record_not_shipped", N: s.Record.Digest, Since: when(s.Record.At)})
	}
	if s.Retention.Due {
		out = append(out, Alarm{Kind: "archive_due", N: uint64(s.Retention.Record)})
	}
	return out
}

// restAlarms are the alarms about corrections, keys and staff.
func restAlarms(s Status) (out []Alarm) {
	if n := s.Corrections.Stopped; n > 0 {
		out = append(out, Alarm{Kind: "corrections_stopped", N: uint64(n)})
	}
	if s.Resealing != nil && s.Resealing.Refused > 0 {
		out = append(out, Alarm{Kind: "resealing_refused", N: s.Resealing.Refused})
	}
	switch {
	case !s.Staff.Begun:
		out = append(out, Alarm{Kind: "staff_none"})
	case s.Staff.Operators == 0 || s.Staff.Officers == 0:
		out = append(out, Alarm{Kind: "staff_alone"})
	}
	for _, id := range s.Staff.Waiting {
		out = append(out, Alarm{Kind: "staff_unapproved", About: string(id)})
	}
	return out
}
