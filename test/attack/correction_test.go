package attack

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// thiefsNumber is an ID number that nobody is registered under.
const thiefsNumber = "11010519491231002X"

// corrects sends a correction, and gives what came of it.
func (w *world) corrects(p *party, former, number, cardNo string) (*client.Correction, string) {
	w.t.Helper()
	out, err := p.native.CorrectIDNumber(context.Background(), client.CorrectionRequest{
		BusinessNo: w.number(), FormerIDNumber: former, IDNumber: number, CardNo: cardNo})
	if err != nil {
		return nil, client.CodeOf(err)
	}
	return out, ""
}

// toldOfCorrection are the notices of a correction to the holder.
func (w *world) toldOfCorrection() (all []notify.Received) {
	w.t.Helper()
	w.Sent()
	for _, r := range w.Inbox.Texts(w.who.Phone) {
		if r.Template == notify.IDNumberCorrection {
			all = append(all, r)
		}
	}
	return all
}

// takes tries what a thief with a face and papers of their own can do under the
// number that they had put in the place of the holder's.
func (w *world) takes(papers registry.Facts) {
	w.t.Helper()
	for _, f := range []registry.Facts{papers, {IDNumber: papers.IDNumber, Name: w.who.Name, Phone: thiefNumber}} {
		if got := w.shady.tryLink(w.number(), f, thiefPIN, true); got == "right" {
			w.t.Error("the thief linked the card")
		}
		q := w.shady.proved(request{action: liuma.ActionEnroll, about: &f, bn: w.number()}, f)
		if address, no := w.shady.push(q); no == nil {
			p := w.enter(w.browser(), address)
			if p.Has("agree") {
				p = w.do(p, "agree")
			}
			if p.Has("send-code") || p.Has("pin") {
				w.t.Errorf("an application under the number goes on: %s", p.Text())
			}
		}
	}
	// A channel of the thief's that had a link asks for a new PIN with the thief's face.
	q := request{action: liuma.ActionReset, card: w.card, bn: w.number()}
	if _, no := w.home.push(w.home.proved(q, papers)); no == nil || no.Code != "evidence_invalid" {
		w.t.Errorf("evidence with the thief's papers: %+v", no)
	}
	if v, err := w.home.verify(w.card, goodPIN); err != nil || !v.Right() {
		w.t.Errorf("the holder's PIN: %+v, %v", v, err)
	}
}

// TestAStolenRegistryKeyTakesNoCardOver: who has a registry client's key, a face and
// papers puts their own number in the place of a holder's. The holder is told at once
// and loses nothing, neither while it waits nor afterwards, and a freeze ends it.
func TestAStolenRegistryKeyTakesNoCardOver(t *testing.T) {
	for _, freezes := range []bool{false, true} {
		t.Run(fmt.Sprintf("the owner freezes=%v", freezes), func(t *testing.T) {
			w := newWorld(t, false)
			stolen := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
			papers := registry.Facts{IDNumber: thiefsNumber, Name: w.thief.Name, Phone: thiefNumber}
			out, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo)
			if code != "" || out.State != "waiting" {
				t.Fatalf("%+v, %s", out, code)
			}
			told := w.toldOfCorrection()
			w.maintained(w.who.Phone)
			out, code = w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo)
			if code != "" || out.State != "waiting" || out.Until == nil || out.Until.Before(w.Clock.Now().Add(72*time.Hour-time.Minute)) {
				t.Fatalf("once the holder was told: %+v, %s", out, code)
			}
			if len(told) != 1 || !strings.Contains(told[0].Body, w.who.MaskedName()) || notify.LooksLikeLink(strings.ReplaceAll(told[0].Body, told[0].Params["freeze"], "")) {
				t.Fatalf("told: %+v", told)
			}
			w.takes(papers)
			w.noRecovery(freezes, told[0].Body)
			w.Clock.Advance(80 * time.Hour)
			w.maintained(w.who.Phone)
			if freezes {
				if got := w.shady.tryLink(w.number(), registry.Facts{IDNumber: thiefsNumber, Name: w.who.Name}, goodPIN, false); got == "right" {
					t.Error("the card went along although its owner froze it")
				}
				if _, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo); code != "correction_stopped" {
					t.Errorf("told again: %q", code)
				}
				return
			}
			w.takes(papers)
			if out, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo); code != "" || out.State != "done" {
				t.Errorf("afterwards: %+v, %s", out, code)
			}
		})
	}
}

// noRecovery: while it waits the owner cannot reset either, and is told until when;
// and may freeze, with the code of the notice.
func (w *world) noRecovery(freezes bool, notice string) {
	w.t.Helper()
	p := w.enter(w.browser(), w.home.pushed(request{action: liuma.ActionReset, card: w.card, bn: w.number()}))
	if p.Has("agree") {
		p = w.do(p, "agree")
	}
	if p.Has("send-code") || !strings.Contains(p.Text(), "证件号码正在更正") {
		w.t.Errorf("a reset goes on: %s", p.Text())
	}
	if !freezes {
		return
	}
	code := regexp.MustCompile(`冻结码([0-9A-Z]{3} [0-9A-Z]{4} [0-9A-Z]{4})`).FindStringSubmatch(notice)
	if code == nil {
		w.t.Fatalf("no freeze code in %q", notice)
	}
	if status, page := w.freezes("192.0.2.9", code[1]); status != http.StatusOK {
		w.t.Fatalf("%d %s", status, page)
	}
}

// TestAStolenRegistryKeyCorrectsItsRation, refused ones counted: who looks for people
// by it gets no further.
func TestAStolenRegistryKeyCorrectsItsRation(t *testing.T) {
	w := newWorld(t, false)
	stolen := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
	most := policy.National().Rations.Corrections.Hour
	for i := range most {
		if _, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, "Z00000001"); code != "not_found" {
			t.Fatalf("%d: %s", i, code)
		}
	}
	if _, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo); code != "ration_spent" {
		t.Errorf("one more: %q", code)
	}
	if u := w.rations("mohrss", "correction"); len(u) != 1 || u[0].Alarm == nil {
		t.Errorf("status: %+v", u)
	}
	if told := w.toldOfCorrection(); len(told) > 0 {
		t.Errorf("told of what was refused: %+v", told)
	}
	if _, err := w.home.native.CorrectIDNumber(context.Background(), client.CorrectionRequest{BusinessNo: w.number(),
		FormerIDNumber: w.who.IDNumber, IDNumber: thiefsNumber, CardNo: w.who.CardNo}); client.CodeOf(err) != "forbidden" {
		t.Errorf("a channel: %v", err)
	}
}

// outage is a gateway that takes nothing while it is down.
type outage struct {
	notify.Driver
	down *atomic.Bool
}

func (o outage) Send(ctx context.Context, t notify.Text) (string, error) {
	if o.down.Load() {
		return "", &notify.Failure{Word: "down"}
	}
	return o.Driver.Send(ctx, t)
}

// TestAGatewayThatNeverSendsCorrectsNothing: whoever has a registry client's key waits
// for a gateway that is down, or brings it down. Nobody was told, so nothing counts,
// however long it takes, until an operator decides; and then 72 hours run.
func TestAGatewayThatNeverSendsCorrectsNothing(t *testing.T) {
	var down atomic.Bool
	w := newWorldOf(t, testkit.Options{Gateway: func(d notify.Driver) notify.Driver { return outage{d, &down} }})
	stolen := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
	w.Sent()
	down.Store(true)
	out, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo)
	if code != "" || out.State != "waiting" || out.Until != nil {
		t.Fatalf("before anybody was told: %+v, %s", out, code)
	}
	round := func() {
		t.Helper()
		if err := w.System.Authority.MaintainOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	round()
	p := w.enter(w.browser(), w.home.pushed(request{action: liuma.ActionReset, card: w.card, bn: w.number()}))
	if p.Has("agree") {
		p = w.do(p, "agree")
	}
	if p.Has("send-code") || !strings.Contains(p.Text(), "证件号码正在更正") || !strings.Contains(p.Text(), "72 小时") {
		t.Errorf("a reset goes on before anybody was told: %s", p.Text())
	}
	w.Clock.Advance(96 * time.Hour)
	if out, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo); code == "" && out.State == "done" {
		t.Fatal("the correction is done, and nobody was told")
	}
	w.Sent() // they are given up
	round()
	if _, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo); code != "correction_stopped" {
		t.Errorf("told again: %q", code)
	}
	list, err := w.System.Registry.Corrections(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].State != "stopped" || list[0].Why != "untold" {
		t.Fatalf("%+v, %v", list, err)
	}
	down.Store(false)
	if err := w.System.Registry.GoOn(t.Context(), "operator", list[0].ID, "seen at the counter"); err != nil {
		t.Fatal(err)
	}
	round()
	w.Clock.Advance(72*time.Hour - time.Minute)
	round()
	if out, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo); code != "" || out.State != "waiting" || out.Until == nil {
		t.Errorf("after the operator's decision: %+v, %s", out, code)
	}
	w.Clock.Advance(2 * time.Minute)
	round()
	if out, code := w.corrects(stolen, w.who.IDNumber, thiefsNumber, w.who.CardNo); code != "" || out.State != "done" {
		t.Errorf("72 hours later: %+v, %s", out, code)
	}
}
