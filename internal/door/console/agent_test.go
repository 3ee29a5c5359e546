package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// agentRules is a policy that a test changes.
type agentRules struct{ *policy.Policy }

func (r agentRules) For(liuma.Region, liuma.ChannelID) policy.Policy { return *r.Policy }

// cameFor looks the person up, for somebody else or who came themself, and returns the page of what can be done.
func (o *office) cameFor(as, reason string) string {
	o.t.Helper()
	form := []string{"number", o.person.IDNumber, "reason", reason, "words", ""}
	if as != "" {
		form = append(form, "as", as, "came_number", "passport:DEU-C01X00T55", "came_name", "Schmidt Anna")
	}
	p := o.clerk.post("/desk", form...)
	if p.status != http.StatusSeeOther || !strings.HasPrefix(p.to, "/desk/person/") || strings.Contains(p.to, "C01X00T55") {
		o.t.Fatalf("%d %s %s", p.status, p.to, p.body)
	}
	at, _, _ := strings.Cut(p.to, "?")
	return at
}

// TestAnAgentOverTheDoor draws every kind of ticket, policy and who came over the console:
// an agent freezes or closes where the policy lets them, and nothing else; the page offers
// what is done, and says of the rest why it is not; nobody's name is whole.
func TestAnAgentOverTheDoor(t *testing.T) {
	p := policy.National()
	p.AllowStandInEvidence = true
	o := newOfficeWith(t, agentRules{&p}).known()
	for _, form := range [][]string{
		{"as", "", "came_number", "passport:DEU-C01X00T55", "came_name", "Schmidt Anna"},
		{"as", "agent", "came_number", "12345", "came_name", "Schmidt Anna"},
		{"as", "agent", "came_number", "passport:DEU-C01X00T55", "came_name", ""},
		{"as", "agent", "came_number", o.person.IDNumber, "came_name", o.person.Name},
	} {
		r := o.clerk.post("/desk", append([]string{"number", o.person.IDNumber, "reason", "question"}, form...)...)
		if r.status != http.StatusUnprocessableEntity || strings.Contains(r.body, "C01X00T55") || strings.Contains(r.body, "Schmidt") {
			t.Errorf("%v: %d %s", form, r.status, r.body)
		}
		o.masked(r)
	}
	if strings.Contains(o.log.String(), "level=ERROR") {
		t.Error(o.log)
	}
	for _, allowed := range []policy.Agents{policy.AgentsNone, policy.AgentsFreeze, policy.AgentsClose, policy.AgentsBoth} {
		p := p
		p.Agents = allowed
		o := newOfficeWith(t, agentRules{&p}).known() // a pair has five tickets a day
		for _, as := range []string{"", string(store.CameAgent)} {
			at := o.cameFor(as, "emigration")
			page := o.clerk.get(at)
			o.masked(page)
			if strings.Contains(page.body, "Schmidt") || strings.Contains(page.body, "Anna") {
				t.Error("the page has the whole name of who came")
			}
			if (as != "") != page.says("The person is not here") || as != "" && page.says("Is the bound phone here?") {
				t.Errorf("%q %q: %s", allowed, as, page.body)
			}
			for _, kind := range liuma.TicketKinds() {
				o.drawn(at, page, allowed, as, kind)
			}
		}
		if strings.Contains(o.log.String(), "level=ERROR") {
			t.Error(o.log)
		}
	}
}

func (o *office) drawn(at string, page page, allowed policy.Agents, as string, kind liuma.TicketKind) {
	o.t.Helper()
	r := o.clerk.post(at, "kind", string(kind), "phone", "here", "checked", "yes")
	did := r.status == http.StatusSeeOther
	offered := strings.Contains(page.body, `name="kind" value="`+string(kind)+`"`)
	if did != offered {
		o.t.Errorf("%q %q %s: offered %v, done %v: %d", allowed, as, kind, offered, did, r.status)
	}
	if as != "" {
		want := kind == liuma.TicketFreeze && allowed.Freeze() || kind == liuma.TicketClose && allowed.Close()
		if did != want {
			o.t.Errorf("%q agent %s: %d %s", allowed, kind, r.status, r.body)
		}
		switch {
		case want && kind == liuma.TicketFreeze && !o.clerk.get(r.to).says("Somebody else came; the clerk at once", "S*"):
			o.t.Error("the ticket's page does not say who came")
		case !want && kind.Holderless() && !r.says("lets nobody come for them"), !want && !kind.Holderless() && !r.says("Nobody does this for another"):
			o.t.Errorf("%q agent %s: another sentence: %s", allowed, kind, r.body)
		}
	} else if kind == liuma.TicketFreeze && did {
		o.t.Errorf("%q: the clerk freezes without an agent", allowed)
	}
	if did && kind != liuma.TicketFreeze {
		ticket, _, _ := strings.Cut(r.to, "?")
		if w := o.clerk.post(ticket + "/withdraw"); w.status != http.StatusSeeOther {
			o.t.Errorf("withdraw: %d", w.status)
		}
	}
}
