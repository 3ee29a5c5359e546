package testkit_test

import (
	"context"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store/postgres/homes"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// watched plays hosted acts under the watch. Each step is an act of its own, so that an
// exception lets as little through as may be.
type watched struct {
	*testkit.Env
	w    *homes.Watch
	ch   authority.Caller
	name string // of the act that is played

	p ceremony.Page
	h ceremony.Hand
}

func (x *watched) ctx(step string) context.Context {
	return x.w.Act(x.T.Context(), x.name+": "+step)
}

func (x *watched) got(p ceremony.Page, err error) {
	x.T.Helper()
	if err != nil {
		x.T.Fatalf("%s: %v", x.name, err)
	}
	x.p = p
}

func (x *watched) at(want ceremony.Step) {
	x.T.Helper()
	if x.p.Step != want {
		x.T.Fatalf("%s: at %s (%s), want %s", x.name, x.p.Step, x.p.Code, want)
	}
}

// begin pushes an act and begins it in a browser.
func (x *watched) begin(a liuma.Action, s envelope.Subject, f *registry.Facts) {
	x.T.Helper()
	x.name = string(a)
	x.again(x.PushFor(x.ch, a, s, f), ceremony.Hand{})
}

func (x *watched) again(q ceremony.Push, h ceremony.Hand) {
	x.T.Helper()
	pushed, err := x.Authority().Push(x.ctx("push"), x.ch, q)
	if err != nil {
		x.T.Fatal(err)
	}
	x.got(x.Authority().LookAt(x.ctx("look"), x.ch.Client.ID, pushed.RequestURI, ceremony.Hand{}))
	x.got(x.Authority().Begin(x.ctx("begin"), x.p.ID, ceremony.Hand{Secret: h.Secret, RequestURI: pushed.RequestURI}))
	x.h = ceremony.Hand{Secret: x.p.Bound, Consent: x.p.ConsentHash}
}

func (x *watched) agree() {
	x.T.Helper()
	x.got(x.Authority().Agree(x.ctx("agree"), x.p.ID, x.h))
}

func (x *watched) code(phone string) {
	x.T.Helper()
	x.Clock.Advance(time.Minute)
	x.got(x.Authority().SendCode(x.ctx("send code"), x.p.ID, x.h, liuma.ByText))
	x.got(x.Authority().GiveCode(x.ctx("give code"), x.p.ID, x.h, x.LastCode(phone)))
}

func (x *watched) pin(g ceremony.Given) {
	x.T.Helper()
	g.Try = x.p.Try
	x.got(x.Authority().GivePIN(x.ctx("PIN"), x.p.ID, x.h, g))
}

func (x *watched) sealed(r liuma.Role, secret string) *envelope.Envelope {
	return x.SealPage(x.p, r, secret)
}

// back goes back to the channel, which redeems the code.
func (x *watched) back() ceremony.Grant {
	x.T.Helper()
	x.at(ceremony.StepDone)
	way, err := x.Authority().WayBack(x.ctx("way back"), x.p.ID, x.h)
	if err != nil {
		x.T.Fatal(err)
	}
	g, err := x.Authority().RedeemCode(x.ctx("token"), x.ch, codeIn(x.T.(*testing.T), way.URL), testkit.RedirectURI, testkit.Verifier)
	if err != nil {
		x.T.Fatal(err)
	}
	return g
}

// TestHostedActsKeepToOneHome plays the hosted acts against PostgreSQL: each statement names
// where its rows lie, and each transaction that writes does so in one place, but for what
// actExceptions names.
func TestHostedActsKeepToOneHome(t *testing.T) {
	t.Setenv("LIUMA_TEST_STORE", "postgres")
	e := testkit.New(t, testkit.Options{Phones: true})
	x := &watched{Env: e, w: homes.New(rows.Layouts(), actExceptions()...), ch: e.Channel("app")}
	who := e.People[0]
	const first, second, third = "739182", "518263", "846193"

	x.begin(liuma.ActionEnroll, testkit.Subject(who), &who)
	x.agree()
	x.code(who.Phone)
	x.at(ceremony.StepPIN)
	x.pin(ceremony.Given{New: x.sealed(liuma.RoleNew, first)})
	card := envelope.Subject{Card: string(x.back().Card)}

	x.begin(liuma.ActionVerify, card, &who)
	x.pin(ceremony.Given{Current: x.sealed(liuma.RoleCurrent, second)})
	x.at(ceremony.StepPIN)
	x.got(x.Authority().Look(x.ctx("look again"), x.p.ID, x.h))
	x.pin(ceremony.Given{Current: x.sealed(liuma.RoleCurrent, first)})
	x.back()

	x.begin(liuma.ActionVerify, card, nil)
	x.name = "verify, called off"
	x.got(x.Authority().Leave(x.ctx("leave"), x.p.ID, x.h))

	x.begin(liuma.ActionChange, card, nil)
	x.pin(ceremony.Given{Old: x.sealed(liuma.RoleOld, first), New: x.sealed(liuma.RoleNew, second)})
	x.back()

	x.begin(liuma.ActionReset, card, &who)
	x.agree()
	x.code(who.Phone)
	x.at(ceremony.StepPIN)
	x.pin(ceremony.Given{New: x.sealed(liuma.RoleNew, third)})
	x.back()

	x.rebind(card, who, third)
	x.freezeAndThaw(card, who, third)
	x.atTheCounter(who, first)

	for _, fault := range x.w.Faults() {
		t.Error(fault)
	}
	for _, act := range []string{"enroll: token", "verify: token", "change: PIN", "reset: PIN", "rebind: give code", "unfreeze: PIN", "counter: PIN", "close: approve"} {
		if x.w.Heard(act) < 3 {
			t.Errorf("act %q sent %d statements: the watch does not hear it", act, x.w.Heard(act))
		}
	}
}

const newPhone = "13800138000"

func (x *watched) rebind(card envelope.Subject, who registry.Facts, secret string) {
	x.T.Helper()
	x.begin(liuma.ActionRebind, card, &who)
	x.agree()
	x.at(ceremony.StepPIN)
	x.pin(ceremony.Given{Current: x.sealed(liuma.RoleCurrent, secret)})
	x.got(x.Authority().GivePhone(x.ctx("phone"), x.p.ID, x.h, newPhone))
	x.code(newPhone)
	x.back()
}

// freezeAndThaw freezes from the page and by code, and ends both.
func (x *watched) freezeAndThaw(card envelope.Subject, who registry.Facts, secret string) {
	x.T.Helper()
	x.Clock.Advance(73 * time.Hour)                                  // the phone is new
	x.OpenPage(x.ch, x.PushFor(x.ch, liuma.ActionVerify, card, nil)) // makes the day's seal key
	x.begin(liuma.ActionVerify, card, nil)
	x.name = "freeze"
	x.got(x.Authority().FreezeOwn(x.ctx("own"), x.p.ID, x.h))
	x.thaw(card, who, secret)
	x.name = "freeze"
	if _, err := x.Authority().FreezeByCode(x.ctx("by code"), "192.0.2.1", x.LastFreezeCode(newPhone)); err != nil {
		x.T.Fatal(err)
	}
	x.thaw(card, who, secret)
}

func (x *watched) thaw(card envelope.Subject, who registry.Facts, secret string) {
	x.T.Helper()
	x.begin(liuma.ActionUnfreeze, card, &who)
	x.agree()
	if x.p.Step == ceremony.StepCode {
		x.code(newPhone)
	}
	if x.p.Step == ceremony.StepPIN {
		x.pin(ceremony.Given{Current: x.sealed(liuma.RoleCurrent, secret)})
	}
	x.back()
}

// atTheCounter resets the PIN with a ticket, and closes the card.
func (x *watched) atTheCounter(who registry.Facts, secret string) {
	x.T.Helper()
	d := x.Desk("hall")
	x.name = "counter"
	look := func(reason string) counter.Person {
		p, err := x.System.Counter.LookUp(x.ctx("look up"), d.Clerk, counter.Seeking{Number: who.IDNumber, Reason: reason})
		if err != nil {
			x.T.Fatal(err)
		}
		return p
	}
	v, err := x.System.Counter.Open(x.ctx("open"), d.Clerk, counter.Opening{LookUp: look("question").LookUp, Kind: liuma.TicketReset, Checked: true})
	if err != nil {
		x.T.Fatal(err)
	}
	code, err := x.System.Counter.NewCode(x.ctx("open"), d.Clerk, v.ID)
	if err != nil {
		x.T.Fatal(err)
	}
	x.got(x.Authority().BeginTicket(x.ctx("begin"), code, ceremony.Hand{Source: "192.0.2.7"}))
	x.h = ceremony.Hand{Secret: x.p.Bound}
	if _, err := x.System.Counter.Approve(x.ctx("approve"), d.Supervisor, x.p.Counter.Ticket, x.p.Counter.Number); err != nil {
		x.T.Fatal(err)
	}
	x.got(x.Authority().Look(x.ctx("look"), x.p.ID, x.h))
	x.h.Consent = x.p.ConsentHash
	x.agree()
	if x.p.Step == ceremony.StepCode {
		x.code(newPhone)
	}
	x.at(ceremony.StepPIN)
	x.pin(ceremony.Given{New: x.sealed(liuma.RoleNew, secret)})
	x.at(ceremony.StepDone)

	x.name = "close"
	closing, err := x.System.Counter.Open(x.ctx("open"), d.Clerk, counter.Opening{LookUp: look("emigration").LookUp, Kind: liuma.TicketClose, Checked: true})
	if err != nil {
		x.T.Fatal(err)
	}
	if _, err := x.System.Counter.Approve(x.ctx("approve"), d.Supervisor, closing.ID, ""); err != nil {
		x.T.Fatal(err)
	}
}

// actExceptions are what the hosted acts do not keep to one home, step by step
// (docs/NATION.md). One that is not needed any more fails the test.
func actExceptions() (out []homes.Exception) {
	add := func(why, table string, steps ...string) {
		for _, step := range steps {
			out = append(out, homes.Exception{Act: step, Table: table, Why: why})
		}
	}
	all := func(act string, steps ...string) (out []string) {
		for _, step := range steps {
			out = append(out, act+": "+step)
		}
		return out
	}
	const (
		first   = "before a holder is claimed for the first time, a card from before there were claims is looked for on all machines"
		process = "before there is a card the entries stand in the stream of the process"
		name    = "the registry's row of the person, which a text or a proof is about, stays as it was read"
		ration  = "what is sent to a number counts to that number's ration, in the transaction that it is about"
		budget  = "a code counts to its channel's budget, a look-up or a ticket to its clerk's, in its own transaction"
		codes   = "a card's codes are looked for on all machines, and deleted where they lie"
		others  = "a reset ends the card's other ceremonies, wherever they lie"
		ticket  = "tickets lie on every machine"
	)
	applying := all("enroll", "push", "begin", "agree", "send code", "give code", "PIN")
	add(first, "cards", "enroll: push")
	add(process, "audit", applying...)
	add(process, "starts", applying...)
	add("ten may be open for a person, who has no home yet", "ceremonies", "enroll: push")
	add("a text of an application is about no card yet", "messages", "enroll: send code")

	sends := []string{"enroll: send code", "reset: send code", "rebind: send code", "unfreeze: send code", "counter: send code"}
	tells := []string{"enroll: PIN", "change: PIN", "reset: PIN", "rebind: give code", "unfreeze: PIN", "freeze: own", "freeze: by code",
		"counter: approve", "counter: PIN", "close: approve"}
	takes := []string{"enroll: give code", "reset: give code", "unfreeze: give code", "counter: give code"}
	for _, table := range []string{"rations", "ticks"} {
		add(ration, table, sends...)
		add(ration, table, tells...)
	}
	add(name, "persons", sends...)
	add(name, "persons", tells...)
	add(name, "persons", takes...)
	add(name, "persons", "enroll: push", "enroll: begin", "enroll: agree", "counter: look up", "counter: open", "counter: begin", "counter: agree",
		"close: look up", "close: open")
	add(budget, "meters", sends...)
	add(budget, "meters", takes...)
	add(budget, "meters", "rebind: give code", "freeze: own", "counter: look up", "counter: open", "close: look up", "close: open")

	add(codes, "codes", "reset: PIN", "unfreeze: PIN", "freeze: own", "freeze: by code", "counter: PIN", "close: approve")
	add(others, "ceremonies", "reset: PIN", "counter: PIN")
	add("a freeze code is typed from paper, and found on all machines", "freeze_codes", "freeze: by code")
	add(ticket, "tickets", "counter: open", "counter: begin", "counter: approve", "counter: PIN", "close: open", "close: approve")
	add("the counter's client is made with its first ticket", "clients", "counter: open")
	add("the counter's client is made with its first ticket", "shared", "counter: open")
	add("a look-up is found by its own key", "look_ups", "counter: look up", "close: look up")
	add("a clerk's log-ins are found by who they are", "staff_sessions", "counter: open", "close: open")
	return out
}
