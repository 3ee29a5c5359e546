package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

const holderPIN = "483159"

// phones is a whole system whose messages go to an inbox, with two channels and
// a hotline at its native door.
type phones struct {
	*testkit.Env
	t       *testing.T
	inbox   *notify.Inbox
	door    *httptest.Server
	a, b    authority.Caller
	inA     *client.Client
	inB     *client.Client
	hotline *client.Client
}

func newPhones(t *testing.T, rules ...policy.Policy) *phones {
	t.Helper()

	inbox := notify.NewInbox(time.Now)
	o := testkit.Options{Texts: inbox}
	for _, r := range rules {
		o.Policy = &r
	}
	p := &phones{Env: testkit.New(t, o), t: t, inbox: inbox}
	p.door = httptest.NewServer(p.System.Door.Handler)
	t.Cleanup(p.door.Close)
	p.a, p.inA = p.party(store.Client{ID: "zj-hrss", Kind: store.ClientChannel, Name: liuma.Text{ZH: "浙里办", EN: "Zheliban"}, Regions: []liuma.Region{""},
		Actions: liuma.Actions(), RedirectURIs: []string{testkit.RedirectURI}})
	p.b, p.inB = p.party(store.Client{ID: "gov", Kind: store.ClientChannel, Name: liuma.Text{ZH: "国家平台", EN: "Platform"}, Regions: []liuma.Region{""}, Actions: liuma.Actions()})
	_, p.hotline = p.party(store.Client{ID: "h12333", Kind: store.ClientHotline, Name: liuma.Text{ZH: "热线甲", EN: "Hotline A"}})
	return p
}

func (p *phones) party(c store.Client) (authority.Caller, *client.Client) {
	p.t.Helper()
	key := p.NewKey()
	caller := authority.Caller{Client: p.AddClient(c, key)}
	sdk, err := client.New(client.Config{BaseURL: p.door.URL, Issuer: p.System.Config.Issuer, ID: c.ID, KeyID: "k", Key: key, Now: p.Clock.Now})
	if err != nil {
		p.t.Fatal(err)
	}
	return caller, sdk
}

// of lists the texts of a template that a number received.
func (p *phones) of(phone string, name notify.Template) (found []notify.Received) {
	for _, r := range p.inbox.Texts(phone) {
		if r.Template == name {
			found = append(found, r)
		}
	}
	return found
}

// texts waits until a number has received n texts of a template.
func (p *phones) texts(phone string, name notify.Template, n int) []notify.Received {
	p.t.Helper()
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if found := p.of(phone, name); len(found) >= n {
			return found
		}
		if time.Now().After(until) {
			p.t.Fatalf("%d of %d %s: %+v", len(p.of(phone, name)), n, name, p.inbox.Texts(phone))
		}
	}
}

// holder has a card that was applied for in A with its phone bound, and is
// linked in B: the handles.
func (p *phones) holder(f registry.Facts) (inA, inB string) {
	p.t.Helper()
	q := p.PushFor(p.a, liuma.ActionEnroll, testkit.Subject(f), &f)
	page, hand := p.OpenPage(p.a, q)
	step := func(next ceremony.Page, err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
		page = next
	}
	ctx := p.t.Context()
	step(p.Authority().Agree(ctx, page.ID, hand))
	step(p.Authority().SendCode(ctx, page.ID, hand, liuma.ByText))
	step(p.Authority().GiveCode(ctx, page.ID, hand, p.texts(f.Phone, notify.CodeBind, 1)[0].Params["code"]))
	step(p.GivePIN(page, hand, liuma.RoleNew, holderPIN), nil)
	if v, err := p.inA.Verification(ctx, string(q.BusinessNo)); err != nil || v.Action != "enroll" || v.State != "done" || v.Code != "" || v.Card != "" {
		p.t.Fatalf("enroll: %+v, %v", v, err)
	}
	card := string(p.Return(p.a, page, hand).Card)
	link, err := p.Authority().Link(ctx, p.b, p.LinkRequest(p.b, f, holderPIN))
	if err != nil || link.Verdict != liuma.Right {
		p.t.Fatalf("link: %+v, %v", link, err)
	}
	return card, string(link.Card)
}

func (p *phones) standing(want string, c *client.Client, handle string) {
	p.t.Helper()
	if card, err := c.Card(p.t.Context(), handle); err != nil || card.Standing != want {
		p.t.Errorf("%+v, %v, want %s", card, err, want)
	}
}

// TestFreezeTellsTheHolder: a freeze by one channel works in every channel at
// once, and the bound phone hears of it once, with who did it.
func TestFreezeTellsTheHolder(t *testing.T) {
	p := newPhones(t)
	ctx, who := t.Context(), p.People[0]
	inA, inB := p.holder(who)
	p.standing("active", p.inB, inB)

	if _, err := p.inB.Freeze(ctx, client.FreezeRequest{BusinessNo: "f-0", Subject: client.Subject{Card: inA}}); client.CodeOf(err) != "refused" {
		t.Errorf("B freezes by A's handle: %v", err)
	}
	ask := client.FreezeRequest{BusinessNo: "f-1", Subject: client.Subject{Card: inA}}
	first, err := p.inA.Freeze(ctx, ask)
	if err != nil || first.State != "decided" || first.Code != "" || first.Action != "freeze" {
		t.Fatalf("%+v, %v", first, err)
	}
	p.standing("frozen", p.inA, inA)
	p.standing("frozen", p.inB, inB)
	if v := p.Verify(p.b, store.Handle(inB), holderPIN); v.Verdict != liuma.Suspended || v.Code != liuma.CodeFrozen {
		t.Errorf("the right PIN in B: %+v", v)
	}
	told := p.texts(who.Phone, notify.CardFrozen, 1)[0]
	if told.Params["channel"] != "浙里办" || told.Params["holder"] != who.MaskedName() || len(told.Params["freeze"]) != len("K7M 29QX A4TW") || strings.Contains(told.Body, "://") {
		t.Errorf("notice: %+v", told)
	}

	// Freezing again, twice: the card stays frozen, and the holder is notified
	// only once.
	if again, err := p.inA.Freeze(ctx, ask); err != nil || !again.At.Equal(first.At) {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	if _, err := p.inB.Freeze(ctx, client.FreezeRequest{BusinessNo: "f-2", Subject: client.Subject{Card: inB}}); err != nil {
		t.Errorf("frozen already, from B: %v", err)
	}
	if _, err := p.hotline.HotlineFreeze(ctx, client.HotlineFreezeRequest{BusinessNo: "call-0", IDNumber: who.IDNumber}); err != nil {
		t.Errorf("frozen already, by the hotline: %v", err)
	}
	// A later text has arrived, so no other message waits for this number.
	p.unfreeze(inA, who)
	p.texts(who.Phone, notify.CardUnfrozen, 1)
	if n := len(p.of(who.Phone, notify.CardFrozen)); n != 1 {
		t.Errorf("told %d times of one freeze", n)
	}
	p.standing("active", p.inB, inB)
}

// unfreeze unfreezes the card as its holder, with one-time code and PIN.
func (p *phones) unfreeze(card string, who registry.Facts) {
	p.t.Helper()
	ctx := p.t.Context()
	p.Clock.Advance(2 * time.Minute)
	q := p.PushFor(p.a, liuma.ActionUnfreeze, testkit.Subject(who), nil)
	q.Subject.IDNumber, q.Subject.Name, q.Subject.Phone, q.Subject.Card = "", "", "", card
	page, hand := p.OpenPage(p.a, q)
	step := func(next ceremony.Page, err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
		page = next
	}
	step(p.Authority().Agree(ctx, page.ID, hand))
	step(p.Authority().SendCode(ctx, page.ID, hand, liuma.ByText))
	step(p.Authority().GiveCode(ctx, page.ID, hand, p.texts(who.Phone, notify.CodeUnfreeze, 1)[0].Params["code"]))
	step(p.GivePIN(page, hand, liuma.RoleCurrent, holderPIN), nil)
	if v, err := p.inA.Verification(ctx, string(q.BusinessNo)); err != nil || v.State != "done" || v.Right() || v.Action != "unfreeze" {
		p.t.Fatalf("unfreeze: %+v, %v", v, err)
	}
}

// TestHotlineFreezeTellsTheHolder: a freeze by the hotline, for a holder who
// gives only an ID number, notifies that holder too; other cards and phones are
// not touched.
func TestHotlineFreezeTellsTheHolder(t *testing.T) {
	p := newPhones(t)
	ctx, who, other := t.Context(), p.People[0], p.People[1]
	inA, inB := p.holder(who)
	otherA, _ := p.holder(other)
	done, err := p.hotline.HotlineFreeze(ctx, client.HotlineFreezeRequest{BusinessNo: "call-1", IDNumber: strings.ToLower(who.IDNumber)})
	if err != nil || done.BusinessNo != "call-1" || done.At.IsZero() {
		t.Fatalf("%+v, %v", done, err)
	}
	p.standing("frozen", p.inA, inA)
	p.standing("frozen", p.inB, inB)
	p.standing("active", p.inA, otherA)
	if told := p.texts(who.Phone, notify.CardFrozen, 1)[0]; told.Params["channel"] != "热线甲" {
		t.Errorf("notice: %+v", told)
	}
	// A person in the registry without a card: nothing is frozen and no message
	// is sent.
	if _, err := p.hotline.HotlineFreeze(ctx, client.HotlineFreezeRequest{BusinessNo: "call-2", IDNumber: p.People[2].IDNumber}); client.CodeOf(err) != "not_found" {
		t.Errorf("without a card: %v", err)
	}
	p.unfreeze(inA, who)
	p.texts(who.Phone, notify.CardUnfrozen, 1)
	if n := len(p.of(other.Phone, notify.CardFrozen)) + len(p.inbox.Texts(p.People[2].Phone)); n != 0 {
		t.Errorf("%d texts to others", n)
	}
}

// TestAHotlineStopsAtItsLimit: over the limit it learns when it may go on, and
// nothing about the holder; its earlier requests can still be repeated.
func TestAHotlineStopsAtItsLimit(t *testing.T) {
	rules := policy.National()
	rules.Rations.HotlineFreezes = policy.Ration{Hour: 2, Day: 2}
	p := newPhones(t, rules)
	ctx, who, nobody := t.Context(), p.People[0], p.People[2]
	inA, _ := p.holder(who)
	first := client.HotlineFreezeRequest{BusinessNo: "call-1", IDNumber: who.IDNumber}
	done, err := p.hotline.HotlineFreeze(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.hotline.HotlineFreeze(ctx, client.HotlineFreezeRequest{BusinessNo: "call-2", IDNumber: nobody.IDNumber}); client.CodeOf(err) != "not_found" {
		t.Fatalf("without a card: %v", err)
	}
	p.unfreeze(inA, who)
	var answers []string
	for i, about := range []string{who.IDNumber, nobody.IDNumber, p.People[4].IDNumber} {
		_, err := p.hotline.HotlineFreeze(ctx, client.HotlineFreezeRequest{BusinessNo: fmt.Sprintf("call-%d", 3+i), IDNumber: about})
		e, ok := errors.AsType[*client.Problem](err)
		if !ok || e.Status != http.StatusTooManyRequests || e.Code != "hotline_limit" || e.RetryAfter <= 23*time.Hour || e.Field != "" {
			t.Fatalf("over the limit: %+v", err)
		}
		answers = append(answers, e.DetailEN+e.TitleEN+e.Reason+e.Until.String())
	}
	if answers[0] != answers[1] || answers[1] != answers[2] {
		t.Errorf("the answers differ: %q", answers)
	}
	p.standing("active", p.inA, inA)
	if again, err := p.hotline.HotlineFreeze(ctx, first); err != nil || *again != *done {
		t.Errorf("the first call again: %+v, %v", again, err)
	}
}
