package console

import (
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/keeper"
)

// keepersRoutes are the pages of the keepers. They only show them: each is maintained on
// its own machine.
func (h *console) keepersRoutes() []Route {
	return []Route{{Pattern: "GET /keepers", Method: "Keepers", do: keepersPage}}
}

// keepersPage shows each keeper's state, and how long it takes to answer.
func keepersPage(v *visit) (*view, error) {
	all, err := v.admin().Keepers(v.ctx())
	if err != nil {
		return nil, err
	}
	list := &table{Head: []string{v.t.KeeperName(), v.t.State(), v.t.Since(), v.t.KeeperAnswers(), v.t.KeeperAt(), v.t.KeeperSets(), v.t.KeeperUntil(), v.t.KeeperSequence()}, None: v.t.KeepersNone(), Wide: true}
	for _, k := range all {
		since := cell{Class: "nowrap"}
		if k.Since != nil {
			since.Text = v.moment(*k.Since)
		}
		row := []cell{{Text: k.ID, Class: "mono"}, v.keeperState(k), since}
		row = append(row, v.keeperFar(k.Remote)...)
		list.Rows = append(list.Rows, append(row, cell{Text: strconv.FormatUint(k.Sequence, 10), Class: "num"}))
	}
	return &view{Title: v.t.NavKeepers(), Lead: v.t.KeepersLead(), Blocks: []block{{Table: list}}}, nil
}

// keeperState is a state in words, with its code below.
func (v *visit) keeperState(k admin.KeeperState) cell {
	c := cell{Text: v.t.all.Word("keeper", k.State), Under: k.State, Tag: "bad"}
	switch {
	case k.State == "":
		return cell{Text: v.t.KeeperUnknown(), Tag: "plain"}
	case k.State == admin.KeeperWhole:
		c.Under, c.Tag = "", "good"
	case k.State == admin.KeeperRepairing:
		c.Under, c.Tag = "", "warn"
	case keeper.Fault(k.State) == keeper.Slow:
		c.Tag = "warn"
	}
	return c
}

// keeperFar holds the facts about a keeper on a machine of its own; blank for other
// keepers.
func (v *visit) keeperFar(r *admin.RemoteKeeper) []cell {
	if r == nil {
		return []cell{{}, text(v.t.KeeperHere()), {}, {}}
	}
	answers, until := cell{Class: "num"}, cell{Class: "nowrap"}
	if r.RoundTrip > 0 {
		answers.Text = v.t.KeeperMs(strconv.FormatFloat(r.RoundTrip, 'f', 1, 64))
	}
	if r.Until != nil {
		until.Text = r.Until.In(v.h.c.Zone).Format(time.DateOnly)
	}
	sets := make([]string, len(r.KeySets))
	for i, s := range r.KeySets {
		sets[i] = strconv.FormatUint(uint64(s), 10)
	}
	return []cell{answers, {Text: r.Address, Class: "mono"}, text(strings.Join(sets, ", ")), until}
}
