package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/softkey"
	"github.com/liuma-pin/liuma/internal/staff"
)

// The demo's desk: the staff console on this machine. A program keeps the security officer's
// passkey, so that the play needs no authenticator. There are invitations for people who
// watch.

// desk is the console with its first two members. The operator is the account that runs the
// demo, so that commands on its directory keep working.
type desk struct {
	stage    *stage
	operator staff.Caller
	code     string // of the officer's invitation, until it is accepted
	officer  *chair
}

// chair is a person at the console, in a browser without a screen, whose passkey the program
// keeps.
type chair struct {
	origin string
	http   *http.Client
	key    *softkey.Key
}

// openDesk invites the first two members of staff.
func (s *stage) openDesk(ctx context.Context) (*desk, error) {
	b := staff.Beginning{
		Operator: &staff.NewMember{ID: "wang-li", Name: both(words.DeskOperatorName).ZH, Roles: []liuma.StaffRole{liuma.RoleOperator}},
		Officer:  &staff.NewMember{ID: "li-na", Name: both(words.DeskOfficerName).ZH, Roles: []liuma.StaffRole{liuma.RoleOfficer}},
	}
	account := uint32(max(os.Getuid(), 0)) // Windows has no uid, and no administration door either
	b.Account = &account
	who := s.world.System.Admin.Staff()
	codes, err := who.Begin(ctx, b)
	if err != nil {
		return nil, err
	}
	d := &desk{stage: s, code: codes[1].Code}
	d.operator, err = who.OfAccount(ctx, account)
	return d, err
}

// origin is the console's address.
func (d *desk) origin() string { return d.stage.world.System.Config.ConsoleAddress() }

// sit puts a new person in front of the console.
func (d *desk) sit() (*chair, error) {
	key, err := softkey.New(d.origin())
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	listens := d.stage.world.System.Config.ConsoleDoor.Listen
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, listens) // wherever the machine thinks localhost is
	}}
	return &chair{origin: d.origin(), key: key, http: &http.Client{Jar: jar, Transport: transport}}, nil
}

// get opens a page, and post sends a form; both return where the browser ended and what
// it shows.
func (c *chair) get(ctx context.Context, path string) (at, body string, err error) {
	return c.send(ctx, http.MethodGet, path, nil)
}

func (c *chair) post(ctx context.Context, path string, pairs ...string) (at, body string, err error) {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return c.send(ctx, http.MethodPost, path, form)
}

func (c *chair) send(ctx context.Context, method, path string, form url.Values) (at, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, c.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", c.origin)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return "", "", err
	}
	raw, err := io.ReadAll(resp.Body)
	return resp.Request.URL.Path, string(raw), errors.Join(err, resp.Body.Close())
}

// join accepts an invitation with a new passkey, and signs in with it.
func (c *chair) join(ctx context.Context, code string) error {
	_, body, err := c.post(ctx, "/invitation", "first", code)
	if err != nil {
		return err
	}
	found := regexp.MustCompile(`data-options="([^"]*)"`).FindStringSubmatch(body)
	if found == nil {
		return want("a passkey to be asked for", body)
	}
	answer, err := c.key.Create([]byte(html.UnescapeString(found[1])))
	if err != nil {
		return err
	}
	if at, _, err := c.post(ctx, "/invitation/passkey", "code", code, "answer", string(answer), "software", "1"); err != nil || at != "/sign-in" {
		return errors.Join(want("an accepted invitation", at), err)
	}
	return c.signIn(ctx)
}

// touch signs what the console asks to have signed.
func (c *chair) touch(ctx context.Context, offer string) (string, error) {
	_, body, err := c.get(ctx, offer)
	if err != nil {
		return "", err
	}
	if !json.Valid([]byte(body)) {
		return "", want("an offer at "+offer, body)
	}
	answer, err := c.key.Get([]byte(body))
	return string(answer), err
}

func (c *chair) signIn(ctx context.Context) error {
	answer, err := c.touch(ctx, "/sign-in/offer")
	if err != nil {
		return err
	}
	if at, body, err := c.post(ctx, "/sign-in", "answer", answer, "next", "/"); err != nil || at != "/" {
		return errors.Join(want("a sign-in", body), err)
	}
	return nil
}

// invite has the operator propose a member, and the officer approve it on the console with a
// fresh touch. It returns the two halves of the code. document is the member's own document,
// if they work at a counter.
func (d *desk) invite(ctx context.Context, n staff.NewMember, document string) (first, second string, err error) {
	p, err := d.stage.world.System.Admin.Staff().Propose(ctx, d.operator, staff.Change{Kind: staff.KindInvite, Member: n, Number: document})
	if err != nil {
		return "", "", err
	}
	at := "/proposals/" + string(p.ID)
	answer, err := d.officer.touch(ctx, at+"/offer")
	if err != nil {
		return "", "", err
	}
	_, body, err := d.officer.post(ctx, at+"/approve", "answer", answer)
	if err != nil {
		return "", "", err
	}
	second = regexp.MustCompile(`class="code mono">([^<]+)<`).FindString(body)
	if second == "" {
		return "", "", want("the second half of a code", body)
	}
	second, _, _ = strings.Cut(second[strings.Index(second, ">")+1:], "<")
	return p.Half, second, nil
}

func deskWho() who     { return who(both(words.WhoConsole)) }
func officerWho() who  { return who(both(words.WhoOfficer)) }
func operatorWho() who { return who(both(words.WhoOperator)) }
func newcomerWho() who { return who(both(words.WhoNewcomer)) }

// sceneDesk shows a sign-in by passkey, an act that takes two, and a suspension that counts
// at once.
func sceneDesk(ctx context.Context, p *play) error {
	d := p.stage.desk
	var err error
	if d.officer, err = d.sit(); err != nil {
		return err
	}
	if err := d.officer.join(ctx, d.code); err != nil {
		return err
	}
	p.Say(officerWho(), deskWho(), both(words.DeskJoins))
	newcomer := staff.NewMember{ID: "zhao-min", Name: both(words.DeskNewcomerName).ZH, Roles: []liuma.StaffRole{liuma.RoleHotline}}
	first, second, err := d.invite(ctx, newcomer, "")
	if err != nil {
		return err
	}
	p.Say(operatorWho(), deskWho(), both(words.DeskProposes))
	p.Say(officerWho(), deskWho(), both(words.DeskApproves))
	c, err := d.sit()
	if err != nil {
		return err
	}
	if err := c.join(ctx, first+" "+second); err != nil {
		return err
	}
	p.Say(newcomerWho(), deskWho(), both(words.DeskNewcomer))
	if _, body, err := c.get(ctx, "/staff"); err != nil || !strings.Contains(body, `id="refusal"`) {
		return errors.Join(want("a page that a hotline may not see", body), err)
	}
	if at, body, err := d.officer.post(ctx, "/staff/member/zhao-min/suspend", "reason", "demo"); err != nil || at != "/staff/member/zhao-min" {
		return errors.Join(want("a suspension", body), err)
	}
	if at, _, err := c.get(ctx, "/freeze"); err != nil || at != "/sign-in" {
		return errors.Join(want("the session's end", at), err)
	}
	p.Say(officerWho(), deskWho(), both(words.DeskSuspends))
	return nil
}

// deskFacts prints the address of the console, and an invitation for each of four roles,
// valid for 72 hours, once; and a person whom the clerk can look up.
func (p *play) deskFacts(ctx context.Context) error {
	d := p.stage.desk
	if err := d.officer.signIn(ctx); err != nil { // the play has moved the clock by days
		return err
	}
	p.Fact(both(words.FactConsole), p.styled(bold, d.origin()+"/invitation"))
	own, err := d.stage.documents()
	if err != nil {
		return err
	}
	for _, n := range []struct {
		staff.NewMember
		document string
	}{
		{staff.NewMember{ID: "you-operator", Name: both(words.DeskYou).ZH, Roles: []liuma.StaffRole{liuma.RoleOperator}}, ""},
		{staff.NewMember{ID: "you-officer", Name: both(words.DeskYouToo).ZH, Roles: []liuma.StaffRole{liuma.RoleOfficer}}, ""},
		{staff.NewMember{ID: "you-clerk", Name: both(words.DeskYouThree).ZH, Roles: []liuma.StaffRole{liuma.RoleClerk}}, own[2]},
		{staff.NewMember{ID: "you-supervisor", Name: both(words.DeskYouFour).ZH, Roles: []liuma.StaffRole{liuma.RoleSupervisor}}, own[3]},
	} {
		first, second, err := d.invite(ctx, n.NewMember, n.document)
		if err != nil {
			return fmt.Errorf("inviting %s: %w", n.ID, err)
		}
		p.Fact(both(func(w words) string { return w.FactInvitation(string(n.ID)) }), first+"-"+second)
	}
	p.Fact(both(words.FactGranny), p.stage.theatre.granny.facts.IDNumber)
	p.Note(both(words.DeskNote))
	return nil
}
