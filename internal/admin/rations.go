package admin

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma/internal/authority"
)

// Rations is the clients' use of their rations.
type Rations struct {
	// High lists, for each client, the rations of which it used more than half, or
	// was refused lately.
	High []RationUse `json:"high"`
	// Totals are of all clients together, by act.
	Totals []RationTotal `json:"totals"`
}

// RationUse is how much of one ration a client has used.
type RationUse struct {
	Client string `json:"client"`
	Kind   string `json:"kind"`
	Act    string `json:"act"`
	Hour   uint64 `json:"hour"` // within the last hour
	Day    uint64 `json:"day"`  // within the last 24 hours
	OfHour int    `json:"of_hour"`
	OfDay  int    `json:"of_day"`
	// Refused counts refusals since the start of the server; Alarm is the last
	// alarm within 24 hours, or null.
	Refused uint64     `json:"refused"`
	Alarm   *time.Time `json:"alarm"`
}

// RationTotal is how often clients did one act.
type RationTotal struct {
	Act     string `json:"act"`
	Hour    uint64 `json:"hour"`
	Day     uint64 `json:"day"`
	Refused uint64 `json:"refused"`
}

// rationsOf asks the server's authority.
func rationsOf(ctx context.Context, from Authority) (Rations, error) {
	uses, err := from.RationUses(ctx)
	if err != nil {
		return Rations{}, err
	}
	out := Rations{High: []RationUse{}, Totals: []RationTotal{}}
	at := map[authority.Act]int{}
	for _, u := range uses {
		i, ok := at[u.Act]
		if !ok {
			i = len(out.Totals)
			at[u.Act] = i
			out.Totals = append(out.Totals, RationTotal{Act: string(u.Act)})
		}
		t := &out.Totals[i]
		t.Hour, t.Day, t.Refused = t.Hour+u.Hour, t.Day+u.Day, t.Refused+u.Refused
		if !u.High() {
			continue
		}
		high := RationUse{Client: u.Client, Kind: string(u.Kind), Act: string(u.Act), Hour: u.Hour, Day: u.Day,
			OfHour: u.Most.Hour, OfDay: u.Most.Day, Refused: u.Refused}
		if !u.Told.IsZero() {
			told := u.Told.UTC()
			high.Alarm = &told
		}
		out.High = append(out.High, high)
	}
	return out, nil
}
