package console_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/door/console"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/web"
)

// office is a console of a whole system, with a counter: a clerk, a supervisor and a
// security officer who are signed in, and a person with a card, a known link and a bound
// phone.
type office struct {
	*house
	env                                             *testkit.Env
	operator, officer, clerk, colleague, supervisor *browser
	person                                          registry.Facts
}

const holders = "https://pin.example.cn"

func newOffice(t *testing.T) *office { return newOfficeWith(t, nil) }

func newOfficeWith(t *testing.T, rules authority.Rules) *office {
	t.Helper()
	env := testkit.New(t, testkit.Options{Phones: true, Rules: rules, Configure: func(c *config.Config) { c.ConsoleDoor.Listen, c.Console = "127.0.0.1:0", origin }})
	h := &house{t: t, staff: env.System.Admin.Staff(), log: &strings.Builder{}}
	assets, err := web.Load()
	must(t, err)
	h.door, err = console.New(console.Config{Admin: env.System.Admin.Guarded(), Staff: h.staff, Assets: assets, Origin: origin, Holder: holders, Now: env.Clock.Now,
		CheckRedirectURI: oidc.CheckRedirectURI, Logger: slog.New(slog.NewTextHandler(h.log, nil))})
	must(t, err)
	o := &office{house: h, env: env, person: env.People[0]}
	ch := env.Channel("zj-hrss")
	env.EnrollPhone(ch, o.person, "483920")
	env.Clock.Advance(10 * 24 * time.Hour)
	h.codes, err = h.staff.Begin(t.Context(), staff.Beginning{
		Operator: &staff.NewMember{ID: "wang", Name: "王丽", Roles: []liuma.StaffRole{liuma.RoleOperator}},
		Officer:  &staff.NewMember{ID: "li", Name: "李娜", Roles: []liuma.StaffRole{liuma.RoleOfficer}}})
	must(t, err)
	o.operator, o.officer = h.members()
	for _, m := range []struct {
		id   liuma.StaffID
		role liuma.StaffRole
		b    **browser
	}{{"chen", liuma.RoleClerk, &o.clerk}, {"sun", liuma.RoleClerk, &o.colleague}, {"zhou", liuma.RoleSupervisor, &o.supervisor}} {
		*m.b = h.member(o.operator, o.officer, staff.NewMember{ID: m.id, Name: "员" + string(m.id), Roles: []liuma.StaffRole{m.role}})
	}
	return o
}

// known has the members of the counter known by documents of their own.
func (o *office) known() *office {
	o.t.Helper()
	for i, id := range []liuma.StaffID{"chen", "sun", "zhou", "li"} {
		o.document(id, byte(i+1))
	}
	return o
}

// document has a member known by one of their own.
func (o *office) document(id liuma.StaffID, n byte) {
	o.t.Helper()
	must(o.t, o.env.System.Store.Update(o.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		m, err := tx.Member(id)
		m.Document = vault.Index{0: 0xD0, 31: n}
		if err == nil {
			err = tx.UpdateMember(m)
		}
		return audit.Entry{At: o.env.Clock.Now(), Actor: "test", Event: audit.StaffJoined, Outcome: "ok"}, err
	}))
}

// finds looks the person up, and returns the address of the page.
func (o *office) finds(clerk *browser) string {
	o.t.Helper()
	p := clerk.post("/desk", "number", o.person.IDNumber, "reason", "lost_phone", "words", "")
	if p.status != http.StatusSeeOther || !strings.HasPrefix(p.to, "/desk/person/") || strings.Contains(p.to, o.person.IDNumber[:8]) {
		o.t.Fatalf("%d %s %s", p.status, p.to, p.body)
	}
	at, _, _ := strings.Cut(p.to, "?")
	return at
}

// opens opens a ticket, and returns the address of its page.
func (o *office) opens(clerk *browser, kind, phone string) string {
	o.t.Helper()
	p := clerk.post(o.finds(clerk), "kind", kind, "phone", phone, "checked", "yes")
	if p.status != http.StatusSeeOther {
		o.t.Fatalf("%s: %d %s", kind, p.status, p.body)
	}
	at, _, _ := strings.Cut(p.to, "?")
	return at
}

// takes has a browser of the person's take a ticket, and returns the number on its screen.
func (o *office) takes(code string) string {
	o.t.Helper()
	p, err := o.env.Authority().BeginTicket(o.t.Context(), code, ceremony.Hand{Source: "192.0.2.9"})
	must(o.t, err)
	return p.Counter.Number
}

// other is a number of four digits that is not this one.
func other(number string) string {
	if number == "1234" {
		return "4321"
	}
	return "1234"
}

// masked fails where a page shows somebody's data.
func (o *office) masked(p page) {
	o.t.Helper()
	for _, whole := range []string{o.person.IDNumber, o.person.Phone, o.person.Name, o.person.CardNo, o.person.IDNumber[6:14]} {
		if strings.Contains(p.body, whole) {
			o.t.Errorf("a page shows %s", whole)
		}
	}
}

var eight = regexp.MustCompile(`[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}`)

// TestWhoIsNotKnownServesNobody: the page says what to do.
func TestWhoIsNotKnownServesNobody(t *testing.T) {
	o := newOffice(t)
	for _, b := range []*browser{o.clerk, o.supervisor} {
		if p := b.get("/"); p.status != http.StatusOK {
			t.Errorf("start: %d %s", p.status, p.body)
		}
	}
	if p := o.clerk.get("/desk"); p.status != http.StatusForbidden || !p.says("Your own document is not known here", "liuma staff document") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.supervisor.get("/approvals"); p.status != http.StatusForbidden || !p.says("Your own document is not known here") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

// TestATicketThroughTheLink: found, chosen, opened at once, and handed over by a code that
// is shown once; nobody's data is on any page.
func TestATicketThroughTheLink(t *testing.T) {
	o := newOffice(t).known()
	for _, c := range []struct {
		form []string
		want int
		says string
	}{
		{[]string{"number", o.person.IDNumber, "reason", ""}, http.StatusUnprocessableEntity, "Choose what they came for"},
		{[]string{"number", o.person.IDNumber, "reason", "other"}, http.StatusUnprocessableEntity, "Choose what they came for"},
		{[]string{"number", "330521195503070027", "reason", "frozen"}, http.StatusUnprocessableEntity, "ID number"},
		{[]string{"number", "11010519491231002X", "reason", "frozen"}, http.StatusNotFound, "Nobody is registered"},
	} {
		p := o.clerk.post("/desk", c.form...)
		if p.status != c.want || !p.says(c.says) {
			t.Errorf("%v: %d %s", c.form, p.status, p.body)
		}
		if strings.Contains(p.body, c.form[1]) {
			t.Errorf("shows what was typed: %s", c.form[1])
		}
	}
	at := o.finds(o.clerk)
	p := o.clerk.get(at)
	o.masked(p)
	if p.status != http.StatusOK || !p.says("Step 2", "Set a new PIN", "Is the bound phone here?", "What cannot be done now", "First card") {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if p := o.colleague.get(at); p.status != http.StatusNotFound || !p.says("This look-up is over") {
		t.Errorf("another clerk sees it: %d", p.status)
	}
	for says, form := range map[string][]string{
		"Check the original document first": {"kind", "reset", "phone", "here"},
		"No such ticket can be opened":      {"kind", "unfreeze", "phone", "here", "checked", "yes"},
	} {
		if p := o.clerk.post(at, form...); p.status/100 != 4 || !p.says(says, "Step 2") {
			t.Errorf("%v: %d %s", form, p.status, p.body)
		}
	}
	ticket := o.opens(o.clerk, "reset", "here")
	p = o.clerk.get(ticket)
	o.masked(p)
	if !p.says("The holder begins", "their own app", "Show the code") || p.says("Send to the customer pad") || !strings.Contains(p.body, `data-watch="`+ticket+`/state"`) || !strings.Contains(p.body, `http-equiv="refresh"`) {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.clerk.get(ticket + "/state"); p.body != "open//" {
		t.Errorf("%q", p.body)
	}
	shown := o.clerk.post(ticket + "/code")
	o.masked(shown)
	code := eight.FindString(shown.body)
	if shown.status != http.StatusOK || code == "" || strings.Contains(shown.body, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 45") || shown.says(holders) {
		t.Errorf("%d %s", shown.status, shown.body)
	}
	if p := o.clerk.get(ticket); strings.Contains(p.body, code) || !p.says("a new code") {
		t.Error("the code is shown again")
	}
	if p := o.colleague.get(ticket); p.status != http.StatusNotFound || !p.says("There is no such ticket") {
		t.Errorf("another clerk sees it: %d", p.status)
	}
	if p := o.clerk.post(ticket + "/withdraw"); p.status != http.StatusSeeOther {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.clerk.get(ticket); !p.says("withdrawn", "Nothing was changed", "Next person") || strings.Contains(p.body, "data-watch") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.clerk.post(ticket + "/code"); p.status != http.StatusConflict || !p.says("has gone on, or has ended") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if strings.Contains(o.log.String(), "ERROR") {
		t.Error(o.log)
	}
}

// TestAPhoneWithoutAKnownAppIsNotOffered: a bound phone whose holder has no app in which the
// card is known takes a supervisor, so the page does not offer what would be refused.
func TestAPhoneWithoutAKnownAppIsNotOffered(t *testing.T) {
	o := newOffice(t).known()
	if p := o.clerk.get(o.finds(o.clerk)); !p.says("Yes; it gets texts") {
		t.Fatalf("%d %s", p.status, p.body)
	}
	must(t, o.env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		card, err := tx.CardByHolder(o.env.System.Vault.Index(vault.IndexIDNumber, o.person.IDNumber))
		if err != nil {
			return audit.Entry{}, err
		}
		links, err := tx.Links(card.ID)
		for _, l := range links {
			err = errors.Join(err, tx.DeleteLink(l.Channel, l.Handle))
		}
		return audit.Entry{At: o.env.Clock.Now(), Actor: "test", Event: audit.StaffJoined, Outcome: "ok"}, err
	}))
	p := o.clerk.get(o.finds(o.clerk))
	if !p.says("Is the bound phone here?", "without the app", "left at home, broken, lost or stolen") || p.says("Yes; it gets texts") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

// TestATicketWithASupervisor: the service picks who looks; only a fresh touch for this
// ticket approves it; then it has a code for a camera, and reaches a security officer.
func TestATicketWithASupervisor(t *testing.T) {
	o := newOffice(t).known()
	ticket := o.opens(o.clerk, "rebind_reset", "lost")
	id := strings.TrimPrefix(ticket, "/desk/ticket/")
	at := "/approvals/" + id
	if p := o.clerk.get(ticket); !p.says("Check by 员zhou", "shows a number", "Show the code") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.supervisor.get("/"); !strings.Contains(p.body, `Approvals <span class="count">1</span>`) || !p.says("Tickets to approve") {
		t.Errorf("%s", p.body)
	}
	before := o.supervisor.get("/approvals/state").body
	p := o.supervisor.get(at)
	o.masked(p)
	if !p.says("Approval: Change the phone and the PIN", "员chen", "lost the phone", "The bound phone is not here", "never from the clerk", "No number yet") || p.says("Approve with your passkey") {
		t.Errorf("%d %s", p.status, p.body)
	}
	shown := o.clerk.post(ticket + "/code")
	o.masked(shown)
	code := eight.FindString(shown.body)
	if code == "" || !shown.says(holders+"/counter") || !strings.Contains(shown.body, `role="img" class="qr"`) || strings.Contains(shown.body, "#") && strings.Contains(shown.body, "#"+strings.ReplaceAll(code, "-", "")) {
		t.Errorf("%d %s", shown.status, shown.body)
	}
	number := o.takes(code)
	p = o.supervisor.get(at)
	o.masked(p)
	if !p.says("Number on the person's screen", "never from the clerk", "Approve with your passkey") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.clerk.get(ticket); !p.says("Do not read it out") || p.says("Show the code") {
		t.Errorf("%d %s", p.status, p.body)
	}
	for name, answer := range map[string]string{
		"nothing": "", "the sign-in": o.supervisor.touch("/sign-in/offer"), "a terminal's": o.supervisor.touch("/own/terminal/offer"),
	} {
		if p := o.supervisor.post(at+"/approve", "number", number, "answer", answer); p.status/100 != 4 {
			t.Errorf("approved with %s: %d", name, p.status)
		}
	}
	if p := o.officer.post(at + "/approve"); p.status != http.StatusForbidden {
		t.Errorf("an officer: %d", p.status)
	}
	if p := o.supervisor.post(at+"/approve", "number", other(number), "answer", o.supervisor.touch(at+"/offer")); p.status != http.StatusUnprocessableEntity || !p.says("This is not the number", "Tries left: 2") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.supervisor.post(at+"/approve", "number", number, "answer", o.supervisor.touch(at+"/offer")); p.status != http.StatusSeeOther {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if now := o.supervisor.get("/approvals/state").body; now == before {
		t.Errorf("the list does not notice: %q", now)
	}
	if p := o.supervisor.post(at+"/decline", "words", "too late"); p.status != http.StatusConflict {
		t.Errorf("%d %s", p.status, p.body)
	}
	review := "/reviews/" + id
	if p := o.officer.get("/reviews"); !p.says("Change the phone and the PIN") || !strings.Contains(p.body, `Reviews <span class="count">1</span>`) {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.officer.get(review); !p.says("still goes on") {
		t.Errorf("%d %s", p.status, p.body)
	}
	o.clerk.post(ticket + "/withdraw")
	p = o.officer.get(review)
	o.masked(p)
	if !p.says("员chen", "员zhou", "Record the finding") {
		t.Errorf("%d %s", p.status, p.body)
	}
	for _, form := range [][]string{{"finding", "", "words", "x"}, {"finding", "fine", "words", ""}, {"finding", "maybe", "words", "x"}} {
		if p := o.officer.post(review, form...); p.status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", form, p.status)
		}
	}
	if p := o.officer.post(review, "finding", "fine", "words", "called the holder"); p.status != http.StatusSeeOther {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.officer.get(review); !p.says("nothing wrong", "called the holder", "李娜") || p.says("Record the finding") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.officer.post(review, "finding", "wrong", "words", "after all"); p.status != http.StatusConflict {
		t.Errorf("decided twice: %d", p.status)
	}
	declined := o.opens(o.clerk, "rebind", "away")
	if p := o.supervisor.post("/approvals/"+strings.TrimPrefix(declined, "/desk/ticket/")+"/decline", "words", "nobody stands here"); p.status != http.StatusSeeOther {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.clerk.get(declined); !p.says("nobody stands here", "Tell the person what the supervisor said") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

// TestThePadOfADesk: paired by its number, sent a ticket that has a supervisor, and ended.
func TestThePadOfADesk(t *testing.T) {
	o := newOffice(t).known()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	offer, err := o.env.System.Counter.OfferPad(t.Context(), "192.0.2.1", key.PublicKey().Bytes())
	must(t, err)
	if p := o.clerk.get("/desk/pad"); !p.says("Your desk has no pad", holders+"/desk") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.clerk.post("/desk/pad", "number", "AAAA-AAAA"); p.status != http.StatusNotFound || !p.says("No pad shows this number") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.clerk.post("/desk/pad", "number", counter.ShownCode(offer.Number)); p.status != http.StatusSeeOther {
		t.Fatalf("%d %s", p.status, p.body)
	}
	ticket := o.opens(o.clerk, "reset", "away")
	if p := o.clerk.get(ticket); !p.says("Send to the customer pad") {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if p := o.clerk.post(ticket+"/send", "pad", offer.ID); p.status != http.StatusSeeOther {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := o.clerk.get(ticket); !p.says("Turn the pad to the holder") {
		t.Errorf("%d %s", p.status, p.body)
	}
	state, err := o.env.System.Counter.PadState(t.Context(), offer.ID)
	if err != nil || state.Ticket == nil || state.Ticket.String() != strings.TrimPrefix(ticket, "/desk/ticket/") {
		t.Errorf("%+v %v", state, err)
	}
	for range 2 { // twice by two tabs, say
		if p := o.clerk.post("/desk/pad/" + offer.ID + "/end"); p.status != http.StatusSeeOther {
			t.Errorf("%d %s", p.status, p.body)
		}
	}
	if p := o.clerk.post(ticket+"/send", "pad", offer.ID); p.status != http.StatusConflict || !p.says("not paired with your desk") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

// TestEveryWordOfTheCounterIsThere in every language.
func TestEveryWordOfTheCounterIsThere(t *testing.T) {
	words := map[string][]string{"ticket_for": counter.Reasons(), "ticket_state": counter.States(), "not_possible": counter.NotPossible(),
		"ticket_over": {counter.Stopped, counter.Declined, counter.Withdrawn, counter.Expired, store.TicketEndedFrozen, store.TicketEndedNumber},
		"ticket_why":  {store.TicketEndedFrozen, store.TicketEndedAgent, store.TicketEndedStaff, store.TicketEndedCard, store.TicketEndedLeft, store.TicketEndedNumber}}
	for _, k := range liuma.TicketKinds() {
		for _, area := range []string{"ticket", "ticket_hint", "ticket_tell"} {
			words[area] = append(words[area], string(k))
		}
	}
	for _, l := range locale.Own().Languages() {
		for area, names := range words {
			for _, name := range names {
				if locale.In(l).Word(area, name) == "" {
					t.Errorf("%s: word.%s.%s", l, area, name)
				}
			}
		}
	}
}

// TestListsOfTicketsGoOn: reviews and a clerk's tickets have pages, and the last says so by
// leading nowhere. The navigation counts up to a page.
func TestListsOfTicketsGoOn(t *testing.T) {
	o := newOffice(t).known()
	at := o.env.System.Clock.Now()
	must(t, o.env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		for i := range counter.MaxTickets + 3 {
			if err := tx.InsertTicket(store.Ticket{ID: liuma.NewTicketID(), Kind: liuma.TicketReset, State: store.TicketExpired, Holder: vault.Index{1}, Region: "330502",
				Clerk: "chen", Reason: "forgot_pin", AskedAt: at.Add(time.Duration(i) * time.Second), EndedAt: at, ReviewUntil: at.Add(time.Hour)}); err != nil {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{At: at, Actor: "test", Event: audit.TicketEnded, Outcome: "ok"}, nil
	}))
	for path, b := range map[string]*browser{"/reviews": o.officer, "/desk": o.clerk} {
		first := b.get(path)
		next := regexp.MustCompile(`href="(` + path + `\?after=[0-9a-f]{32})"`).FindStringSubmatch(first.body)
		if next == nil {
			t.Fatalf("%s leads to no second page: %s", path, first.body)
		}
		second := b.get(next[1])
		if strings.Count(first.body, "<tr>") != counter.MaxTickets+1 || strings.Count(second.body, "<tr>") != 4 || strings.Contains(second.body, `href="`+path+`?after=`) {
			t.Errorf("%s: %d rows, then %d: %s", path, strings.Count(first.body, "<tr>"), strings.Count(second.body, "<tr>"), second.body)
		}
		if p := b.get(path + "?after=zz"); p.status != http.StatusNotFound {
			t.Errorf("%s after a wrong place: %d", path, p.status)
		}
	}
	if p := o.officer.get("/"); !strings.Contains(p.body, `<span class="count">50&#43;</span>`) {
		t.Error("the navigation does not count up to a page")
	}
}
