package demo

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/staff"
)

// freshPhone is the number of the phone that she buys in the story; nobody else has it.
const freshPhone = "13905720188"

// ownAgency is the office of the story.
const ownAgency liuma.Agency = "huzhou-wuxing"

// The speakers at the counter.
func clerkWho() who      { return who(both(words.WhoClerk)) }
func supervisorWho() who { return who(both(words.WhoSupervisor)) }
func newPhoneWho() who   { return who(both(words.WhoNewPhone)) }

// documents are the documents of four people of the registry who work at the counter: the
// clerk and the supervisor of the story, and two for people who watch the demo.
func (s *stage) documents() (found [4]string, err error) {
	n := 0
	for i := len(s.people) - 1; i >= 0 && n < len(found); i-- {
		if f := s.people[i]; len(f.IDNumber) == 18 && f.Household == "" {
			found[n] = f.IDNumber
			n++
		}
	}
	if n < len(found) {
		return found, want("four people to work at the counter", n)
	}
	return found, nil
}

// counterStaff joins a clerk and a supervisor, by invitations of two.
func (d *desk) counterStaff(ctx context.Context) (clerk, supervisor *chair, err error) {
	own, err := d.stage.documents()
	if err != nil {
		return nil, nil, err
	}
	for _, m := range []struct {
		member   staff.NewMember
		document string
		chair    **chair
	}{
		{staff.NewMember{ID: "chen-jing", Name: both(words.DeskClerkName).ZH, Roles: []liuma.StaffRole{liuma.RoleClerk}, Region: "33", Agency: ownAgency}, own[0], &clerk},
		{staff.NewMember{ID: "zhou-wei", Name: both(words.DeskSupervisorName).ZH, Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Region: "33", Agency: ownAgency}, own[1], &supervisor},
	} {
		first, second, err := d.invite(ctx, m.member, m.document)
		if err != nil {
			return nil, nil, err
		}
		if *m.chair, err = d.sit(); err != nil {
			return nil, nil, err
		}
		if err := (*m.chair).join(ctx, first+" "+second); err != nil {
			return nil, nil, err
		}
	}
	return clerk, supervisor, nil
}

// sceneCounter: Granny Wang has lost phone and PIN, and gets both back at the counter. She
// could not get them back online, nor from the clerk alone.
func sceneCounter(ctx context.Context, p *play) error {
	t := p.stage.theatre
	clerk, supervisor, err := p.stage.desk.counterStaff(ctx)
	if err != nil {
		return err
	}
	p.Note(both(words.CounterBegins))
	at, body, err := clerk.post(ctx, "/desk", "number", t.granny.facts.IDNumber, "reason", "lost_phone")
	if err != nil || !strings.HasPrefix(at, "/desk/person/") {
		return errors.Join(want("the page of a person", body), err)
	}
	if strings.Contains(body, t.granny.facts.Name) || strings.Contains(body, t.granny.facts.Phone) || !strings.Contains(body, t.granny.masked()) {
		return want("a person masked", body)
	}
	p.Say(clerkWho(), deskWho(), both(words.CounterFinds))
	ticket, phone, number, err := p.opened(ctx, clerk, at)
	if err != nil {
		return err
	}
	if err := p.approved(ctx, supervisor, ticket, number); err != nil {
		return err
	}
	if err := p.atTheCounter(ctx, phone); err != nil {
		return err
	}
	_, state, err := clerk.get(ctx, ticket+"/state")
	if err != nil || !strings.HasPrefix(state, "used/") {
		return errors.Join(want("a used ticket", state), err)
	}
	p.Say(deskWho(), clerkWho(), both(words.CounterUsed))
	if _, err := p.text(ctx, notify.PhoneAndPINChanged); err != nil {
		return err
	}
	for _, app := range []string{t.province, t.nation} {
		if err := p.opens(ctx, app, t.granny.pin); err != nil {
			return err
		}
	}
	p.Say(pageWho(), grannyWho(), both(words.CounterWorks))
	return nil
}

// opened has the clerk open a ticket, and her new phone take it. The code of the first ticket
// is also typed on another phone. That ends the ticket, and the clerk opens another one.
func (p *play) opened(ctx context.Context, clerk *chair, at string) (ticket string, phone *guest, number string, err error) {
	for _, late := range []bool{true, false} {
		var body, code string
		ticket, body, err = clerk.post(ctx, at, "kind", string(liuma.TicketRebindReset), "phone", "lost", "checked", "yes")
		if err != nil || !strings.HasPrefix(ticket, "/desk/ticket/") {
			return "", nil, "", errors.Join(want("a ticket", body), err)
		}
		if late {
			p.Say(deskWho(), clerkWho(), both(words.CounterAsks))
		}
		if code, err = p.handed(ctx, clerk, ticket); err != nil {
			return "", nil, "", err
		}
		if phone, number, err = p.shown(ctx, code); err == nil && late {
			err = p.tooLate(ctx, code)
		}
		if err != nil {
			return "", nil, "", err
		}
	}
	return ticket, phone, number, nil
}

// counterCode is the code of a ticket on a page; empty if there is none.
func counterCode(body string) string {
	found := regexp.MustCompile(`class="code mono">([2-9A-Z]{4}-[2-9A-Z]{4})<`).FindStringSubmatch(body)
	if found == nil {
		return ""
	}
	return found[1]
}

// handed has the clerk show the code of the ticket.
func (p *play) handed(ctx context.Context, clerk *chair, ticket string) (code string, err error) {
	_, body, err := clerk.post(ctx, ticket+"/code")
	if err != nil {
		return "", err
	}
	if code = counterCode(body); code == "" {
		return "", want("the code of a ticket", body)
	}
	p.Say(clerkWho(), grannyWho(), both(func(w words) string { return w.CounterCode(code) }))
	return code, nil
}

// takes gives a ticket's code on another phone.
func (p *play) takes(ctx context.Context, code string) (*guest, error) {
	g, err := p.stage.newGuest(p.stage.world.Issuer())
	if err == nil {
		err = g.open(ctx, p.stage.world.Issuer()+"/counter")
	}
	if err == nil {
		err = g.press(ctx, "counter", "ticket", code)
	}
	return g, err
}

// shown takes the ticket with her new phone, which then shows a number and can do nothing
// else yet.
func (p *play) shown(ctx context.Context, code string) (g *guest, number string, err error) {
	if g, err = p.takes(ctx, code); err != nil {
		return nil, "", err
	}
	found := regexp.MustCompile(`id="shown">([0-9 ]+)<`).FindStringSubmatch(g.page.Body())
	if found == nil || g.page.Has("agree") {
		return nil, "", want("a number, and nothing to agree to", g.page.Text())
	}
	number = strings.ReplaceAll(found[1], " ", "")
	p.Say(newPhoneWho(), grannyWho(), both(func(w words) string { return w.CounterNumber(number) }))
	return g, number, nil
}

// tooLate gives the same code on another phone, which shows nothing and ends the ticket.
func (p *play) tooLate(ctx context.Context, code string) error {
	late, err := p.takes(ctx, code)
	if err != nil {
		return err
	}
	if strings.Contains(late.page.Body(), `id="shown"`) || !late.page.Has("counter") {
		return want("a ticket that is taken", late.page.Text())
	}
	p.Say(pageWho(), clerkWho(), both(words.CounterLate))
	return nil
}

// approved has the supervisor, whom the service picked, approve the ticket by the number on
// her screen.
func (p *play) approved(ctx context.Context, supervisor *chair, ticket, number string) error {
	at := "/approvals/" + strings.TrimPrefix(ticket, "/desk/ticket/")
	if to, body, err := supervisor.post(ctx, at+"/approve", "number", number); err != nil || !strings.Contains(body, `id="refusal"`) {
		return errors.Join(want("no approval without a passkey", to), err)
	}
	answer, err := supervisor.touch(ctx, at+"/offer")
	if err != nil {
		return err
	}
	if to, body, err := supervisor.post(ctx, at+"/approve", "number", number, "answer", answer); err != nil || to != "/approvals" {
		return errors.Join(want("an approval", body), err)
	}
	p.Say(supervisorWho(), deskWho(), both(words.CounterApproves))
	return nil
}

// atTheCounter continues on her new phone: the page has moved on by itself, and she types the
// number, its code and a PIN of her own choice, which nobody at the counter sees.
func (p *play) atTheCounter(ctx context.Context, g *guest) (err error) {
	t := p.stage.theatre
	if err := g.open(ctx, g.ceremony()); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := g.press(ctx, "phone", "phone", freshPhone); err != nil {
		return err
	}
	letters := &letterbox{inbox: p.stage.world.Inbox, phone: freshPhone, read: map[string]bool{}}
	if g.page.Has("send-code") {
		if err := g.press(ctx, "send-code"); err != nil {
			return err
		}
	}
	r, err := letters.next(ctx, notify.CodeRebind)
	if err != nil {
		return err
	}
	p.Do(newPhoneWho(), both(func(w words) string { return w.TextArrives(wordsOfText(w, r)) }))
	if err := g.press(ctx, "code", "code", r.Params["code"]); err != nil {
		return err
	}
	if err := g.pad("new"); err != nil {
		return err
	}
	if t.granny.pin, err = goodPIN(t.granny, 44, t.granny.pin); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), both(words.CounterSets))
	return nil
}
