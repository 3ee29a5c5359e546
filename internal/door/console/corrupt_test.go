package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// row is a ticket's row.
func (o *office) row(id string) (t store.Ticket) {
	o.t.Helper()
	parsed, err := liuma.ParseTicketID(id)
	must(o.t, err)
	must(o.t, o.env.System.Store.View(o.t.Context(), func(r store.Reader) (err error) {
		t, err = r.Ticket(parsed)
		return err
	}))
	return t
}

// raw posts a form with headers of its own, and the browser's cookies.
func (b *browser) raw(path string, head map[string]string, form ...string) page {
	q := url.Values{}
	for i := 0; i < len(form); i += 2 {
		q.Add(form[i], form[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, origin+path, strings.NewReader(q.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for k, v := range head {
		r.Header.Set(k, v)
	}
	return b.send(r)
}

// TestACorruptClerkAtTheConsolesDoor: a clerk with a session and a passkey of their own, who
// sends whatever they like, approves nothing, picks nobody and reaches no colleague's ticket
// (I-12, R-46). Every refusal has a page, and the ticket waits as it did.
func TestACorruptClerkAtTheConsolesDoor(t *testing.T) {
	o := newOffice(t).known()
	ticket := o.opens(o.clerk, "reset", "lost")
	id := strings.TrimPrefix(ticket, "/desk/ticket/")
	at := "/approvals/" + id
	picked := o.row(id).Supervisor
	code := eight.FindString(o.clerk.post(ticket + "/code").body)

	// Numbers before any browser has the ticket, also by the supervisor, who was talked into it.
	if p := o.supervisor.post(at+"/approve", "number", "0000", "answer", o.supervisor.touch(at+"/offer")); p.status != http.StatusConflict || !p.says("No screen shows a number yet") {
		t.Errorf("a number of no screen: %d %s", p.status, p.body)
	}
	number := o.takes(code) // on the clerk's own phone
	right := []string{"number", number}
	own := o.clerk.touch("/own/terminal/offer")
	before := o.supervisor.touch(at + "/offer")
	home := map[string]string{"Origin": origin, "Sec-Fetch-Site": "same-origin"}
	for name, c := range map[string]struct {
		by   *browser
		path string
		head map[string]string
		form []string
		want int
	}{
		"their own ticket":                     {o.clerk, at + "/approve", home, append(right, "answer", own), http.StatusForbidden},
		"with the supervisor's touch":          {o.clerk, at + "/approve", home, append(right, "answer", before), http.StatusForbidden},
		"the offer of a touch":                 {o.clerk, at + "/decline", home, []string{"words", "x"}, http.StatusForbidden},
		"a colleague's, by another clerk":      {o.colleague, at + "/approve", home, append(right, "answer", own), http.StatusForbidden},
		"a colleague's code":                   {o.colleague, ticket + "/code", home, nil, http.StatusNotFound},
		"a colleague's end":                    {o.colleague, ticket + "/withdraw", home, nil, http.StatusNotFound},
		"a colleague's pad":                    {o.colleague, ticket + "/send", home, []string{"pad", "x"}, http.StatusNotFound},
		"a ticket that is none":                {o.clerk, "/desk/ticket/" + strings.Repeat("0", 32) + "/withdraw", home, nil, http.StatusNotFound},
		"a name that is none":                  {o.clerk, "/desk/ticket/..%2f..%2fapprovals/withdraw", home, nil, http.StatusNotFound},
		"another code, while a browser has it": {o.clerk, ticket + "/code", home, nil, http.StatusConflict},
		"from another page":                    {o.supervisor, at + "/approve", map[string]string{"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}, append(right, "answer", before), http.StatusForbidden},
		"without a touch":                      {o.supervisor, at + "/approve", home, right, http.StatusForbidden},
		"with a clerk's touch":                 {o.supervisor, at + "/approve", home, append(right, "answer", own), http.StatusUnprocessableEntity},
	} {
		if p := c.by.raw(c.path, c.head, c.form...); p.status != c.want {
			t.Errorf("%s: %d, want %d: %s", name, p.status, c.want, p.body)
		}
		if is := o.row(id); is.State != store.TicketAsked || is.Wrong != 0 || is.Supervisor != picked {
			t.Fatalf("%s: the ticket is %+v", name, is)
		}
	}
	if p := o.clerk.get(at + "/offer"); p.status != http.StatusForbidden {
		t.Errorf("the offer: %d", p.status)
	}
	if p := o.clerk.get(at); p.status != http.StatusForbidden {
		t.Errorf("the page of the approval: %d", p.status)
	}

	// A terminal approves nothing, with the supervisor's own session; it is one of the pages.
	session := admin.From(t.Context(), admin.Origin{Session: staff.Token(o.supervisor.cookies["__Host-desk"].Value)})
	parsed := o.row(id).ID
	if _, err := o.env.System.Admin.Guarded().ApproveTicket(session, admin.TicketApproval{ID: parsed, Number: number}); err == nil || o.row(id).State != store.TicketAsked {
		t.Errorf("by a terminal: %v", err)
	}

	// Nobody is picked by who opens: fields that the form has not change nothing.
	second := o.clerk.post(o.finds(o.clerk), "kind", "reset", "phone", "lost", "checked", "yes", "supervisor", "sun", "route", "link", "state", "open")
	if second.status != http.StatusSeeOther {
		t.Fatalf("%d %s", second.status, second.body)
	}
	at2, _, _ := strings.Cut(second.to, "?")
	id2 := strings.TrimPrefix(at2, "/desk/ticket/")
	if is := o.row(id2); is.Supervisor != picked || is.Route != store.RouteSupervisor || is.State != store.TicketAsked {
		t.Errorf("%+v", is)
	}

	// A touch is for one ticket, and good once.
	next := "/approvals/" + id2
	o.takes(eight.FindString(o.clerk.post(at2 + "/code").body))
	shown := o.env.System.Counter.Number(o.row(id2))
	if p := o.supervisor.post(next+"/approve", "number", shown, "answer", before); p.status/100 != 4 {
		t.Errorf("the touch for the other ticket: %d", p.status)
	}
	touch := o.supervisor.touch(next + "/offer")
	if p := o.supervisor.post(next+"/approve", "number", other(shown), "answer", touch); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong number: %d", p.status)
	}
	if p := o.supervisor.post(next+"/approve", "number", shown, "answer", touch); p.status/100 != 4 || o.row(id2).State != store.TicketAsked {
		t.Errorf("a touch that was used: %d", p.status)
	}
	if p := o.supervisor.post(next+"/approve", "number", number, "answer", o.supervisor.touch(next+"/offer")); p.status == http.StatusSeeOther && number != shown {
		t.Error("the number of another ticket")
	}
}

// TestATicketOfAnotherAgency: a supervisor who was not picked, of another agency, finds none.
func TestATicketOfAnotherAgency(t *testing.T) {
	o := newOffice(t).known()
	ticket := o.opens(o.clerk, "reset", "lost")
	id := strings.TrimPrefix(ticket, "/desk/ticket/")
	far := o.member(o.operator, o.officer, staff.NewMember{ID: "qian", Name: "钱", Agency: "south", Roles: []liuma.StaffRole{liuma.RoleSupervisor}})
	must(t, o.env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		m, err := tx.Member("qian")
		m.Document[0] = 0xE0
		if err == nil {
			err = tx.UpdateMember(m)
		}
		return audit.Entry{At: o.env.Clock.Now(), Actor: "test", Event: audit.StaffJoined, Outcome: "ok"}, err
	}))
	number := o.takes(eight.FindString(o.clerk.post(ticket + "/code").body))
	for _, path := range []string{"", "/offer", "/state"} {
		if p := far.get("/approvals/" + id + path); p.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, p.status, p.body)
		}
	}
	if p := far.post("/approvals/"+id+"/approve", "number", number, "answer", far.touch("/own/terminal/offer")); p.status != http.StatusNotFound {
		t.Errorf("%d %s", p.status, p.body)
	}
	if is := o.row(id); is.State != store.TicketAsked || is.Wrong != 0 {
		t.Errorf("%+v", is)
	}
	if _, err := o.env.Authority().BeginTicket(t.Context(), "2345-6789", ceremony.Hand{}); liuma.CodeOf(err) != liuma.CodeTicketUnknown {
		t.Errorf("a made-up code: %v", err)
	}
}
