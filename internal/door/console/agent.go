package console

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
)

// cameReasons are the refusals about an agent or guardian.
func cameReasons() []reason {
	const bad, conflict = http.StatusUnprocessableEntity, http.StatusConflict
	return []reason{
		{counter.ErrCameNumber, "counter_came_number", bad}, {counter.ErrCameName, "counter_came_name", bad}, {counter.ErrCameYoung, "counter_came_young", bad},
		{counter.ErrCameSelf, "counter_came_self", bad}, {counter.ErrAgentKind, "counter_agent", conflict}, {counter.ErrAgentRegion, "counter_agent_region", conflict},
		{counter.ErrGuardian, "counter_guardian", conflict}, {counter.ErrBorn, "counter_born", conflict}, {counter.ErrHeir, "counter_heir", conflict},
	}
}

// cameBlock is the form for a person in whose place, or with whom, somebody else came. It
// is folded, because most people come themselves. As everywhere on the desk's pages,
// neither number nor name is shown again.
func (v *visit) cameBlock() block {
	as := field{Name: "as", Type: "one", Label: v.t.DeskCameAsk(), Required: true, Options: []option{
		{Value: string(store.CameAgent), Text: v.t.DeskCameAgent(), Hint: v.t.DeskCameAgentHint(), On: v.typed("as") == string(store.CameAgent)},
		{Value: string(store.CameGuardian), Text: v.t.DeskCameGuardian(), Hint: v.t.DeskCameGuardianHint(), On: v.typed("as") == string(store.CameGuardian)}}}
	fields := v.seekFields()
	fields[0].Label = v.t.DeskCamePerson()
	fields = append(fields, as,
		field{Name: "came_number", Label: v.t.DeskCameNumber(), Hint: v.t.DeskCameNumberHint(), Required: true, Most: 60, Class: "mono"},
		field{Name: "came_name", Label: v.t.DeskCameName(), Required: true, Most: 120})
	return block{Title: v.t.DeskCameTitle(), Folded: v.typed("as") == "", Form: &form{Post: "/desk", Button: v.t.DeskFindButton(), Fields: fields}}
}

// somebody is the agent or guardian of the form; nil if the person came alone.
func (v *visit) somebody() *counter.Somebody {
	if v.typed("as") == "" && v.typed("came_number") == "" && v.typed("came_name") == "" {
		return nil
	}
	return &counter.Somebody{As: store.CameAs(v.typed("as")), Number: v.typed("came_number"), Name: v.typed("came_name")}
}

// cameNotice says above the possible tickets that the person is not here, and what to do
// if an agent may not do more.
func (v *visit) cameNotice(came counter.CameView) []block {
	if came.As != store.CameAgent {
		return nil
	}
	return []block{{Notice: &notice{Kind: "warn", Title: v.t.DeskAgentNotice(came.Name), Text: v.t.DeskAgentText()}}}
}

// cameFacts name the agent or guardian, masked.
func (v *visit) cameFacts(came counter.CameView) []fact {
	switch came.As {
	case store.CameAgent:
		return []fact{{v.t.DeskAgent(), text(came.Name)}}
	case store.CameGuardian:
		return []fact{{v.t.DeskGuardian(), text(came.Name)}}
	}
	return nil
}

// checkedWords is the sentence by which the clerk confirms which documents they checked.
func (v *visit) checkedWords(came counter.CameView) string {
	switch came.As {
	case store.CameAgent:
		return v.t.DeskAgentChecked()
	case store.CameGuardian:
		return v.t.DeskGuardianChecked()
	}
	return v.t.DeskChecked()
}
