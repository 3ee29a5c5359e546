package attack

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/authority"
	acts "github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// corrupt is a clerk who works against the holder, with a desk and everything on it.
type corrupt struct {
	*world
	desk   *testkit.Desk
	before store.Card
	phone  string
}

func newCorrupt(t *testing.T) *corrupt {
	t.Helper()
	w := newWorldOf(t, testkit.Options{})
	c := &corrupt{world: w, desk: w.Desk("huzhou")}
	c.before, c.phone = c.state()
	return c
}

// state is the holder's card and bound phone.
func (c *corrupt) state() (card store.Card, phone string) {
	c.t.Helper()
	err := c.System.Store.View(c.t.Context(), func(r store.Reader) (err error) {
		if card, err = r.CardByHolder(c.System.Vault.Index(vault.IndexIDNumber, c.who.IDNumber)); err != nil {
			return err
		}
		_, phone, err = c.System.Authority.Contact(r, card.ID)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return card, phone
}

// unharmed fails the test if the clerk came to anything.
func (c *corrupt) unharmed() {
	c.t.Helper()
	card, phone := c.state()
	if card.Version != c.before.Version || card.Frozen != c.before.Frozen || phone != c.phone || card.PINFrom != c.before.PINFrom {
		c.t.Errorf("the clerk came to something: %+v, %s", card, phone)
	}
	if v, err := c.watch.verify(c.seen, goodPIN); err != nil || !card.Frozen && !v.Right() {
		c.t.Errorf("the holder's PIN: %+v, %v", v, err)
	}
}

// open has the clerk look the holder up and open a ticket.
func (c *corrupt) open(kind liuma.TicketKind, phone bool) (counter.View, error) {
	c.t.Helper()
	p, err := c.System.Counter.LookUp(c.t.Context(), c.desk.Clerk, counter.Seeking{Number: c.who.IDNumber, Reason: "forgot_pin"})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.System.Counter.Open(c.t.Context(), c.desk.Clerk, counter.Opening{LookUp: p.LookUp, Kind: kind, Checked: true, Phone: phone})
}

// paired pairs a pad of the clerk's own with the desk.
func (c *corrupt) paired() string {
	c.t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	offer, err := c.System.Counter.OfferPad(c.t.Context(), "192.0.2.1", key.PublicKey().Bytes())
	if err == nil {
		_, err = c.System.Counter.PairPad(c.t.Context(), c.desk.Clerk, offer.Number)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return offer.ID
}

// TestACorruptClerkAlone: with the document, a desk, a pad, a printer and tickets of
// every kind by both routes, a clerk sets no PIN, binds no phone and thaws nothing.
func TestACorruptClerkAlone(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		c := newCorrupt(t)
		if frozen {
			if _, err := c.home.native.Freeze(t.Context(), client.FreezeRequest{BusinessNo: c.number(), Subject: client.Subject{Card: c.card}}); err != nil {
				t.Fatal(err)
			}
			c.before, _ = c.state()
		}
		pad, desk := c.paired(), c.System.Counter
		opened := 0
		for _, kind := range liuma.TicketKinds() {
			for _, phone := range []bool{true, false} {
				v, err := c.open(kind, phone)
				if err != nil {
					continue // what is not possible for this card
				}
				opened++
				if _, err := desk.Approve(t.Context(), c.desk.Clerk, v.ID, "0000"); !errors.Is(err, counter.ErrMember) {
					t.Errorf("%s: the clerk approves: %v", kind, err)
				}
				if v.Route == store.RouteLink {
					c.handsOver(kind, v.ID, pad)
				} else {
					c.takesItself(kind, v.ID)
				}
			}
		}
		if opened == 0 {
			t.Error("no ticket was opened: the test tries nothing")
		}
		c.unharmed()
	}
}

// handsOver tries a ticket by link where it does not count: on a pad, and on the counter's
// page.
func (c *corrupt) handsOver(kind liuma.TicketKind, id liuma.TicketID, pad string) {
	c.t.Helper()
	ctx, a, desk := c.t.Context(), c.Authority(), c.System.Counter
	if err := desk.SendToPad(ctx, c.desk.Clerk, id, pad); err == nil {
		c.t.Errorf("%s: sent to the pad without a supervisor", kind)
	}
	if _, err := a.BeginTicketOnPad(ctx, pad, acts.Hand{}); liuma.CodeOf(err) != liuma.CodeTicketUnknown {
		c.t.Errorf("%s: begun on the pad: %v", kind, err)
	}
	code, err := desk.NewCode(ctx, c.desk.Clerk, id)
	if err != nil {
		c.t.Fatal(err)
	}
	if p, err := a.BeginTicket(ctx, code, acts.Hand{}); liuma.CodeOf(err) != liuma.CodeTicketApp {
		c.t.Errorf("%s: begun at the counter's page: %+v, %v", kind, p, err)
	}
}

// takesItself takes a ticket of a supervisor on the clerk's own phone, which shows a number:
// nothing goes on by it.
func (c *corrupt) takesItself(kind liuma.TicketKind, id liuma.TicketID) {
	c.t.Helper()
	ctx, a, desk := c.t.Context(), c.Authority(), c.System.Counter
	code, err := desk.NewCode(ctx, c.desk.Clerk, id)
	if kind == liuma.TicketClose {
		if !errors.Is(err, counter.ErrState) {
			c.t.Errorf("the code of a closing: %v", err)
		}
		return
	}
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := a.BeginTicket(ctx, code, acts.Hand{})
	if err != nil || p.Step != acts.StepNumber {
		c.t.Fatalf("%s: %+v, %v", kind, p, err)
	}
	h := acts.Hand{Secret: p.Bound}
	if _, err := a.Agree(ctx, p.ID, h); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		c.t.Errorf("%s: it goes on: %v", kind, err)
	}
	if _, err := desk.Approve(ctx, c.desk.Clerk, id, p.Counter.Number); !errors.Is(err, counter.ErrMember) {
		c.t.Errorf("%s: the clerk approves by the number: %v", kind, err)
	}
	if p, err := a.Look(ctx, p.ID, h); err != nil || p.Step != acts.StepNumber {
		c.t.Errorf("%s: %+v, %v", kind, p, err)
	}
}

// TestAClerkWhoPhonesAVictim: the victim reads out the codes of the texts, and even the
// PIN. What the clerk types goes through no link that is known.
func TestAClerkWhoPhonesAVictim(t *testing.T) {
	c := newCorrupt(t)
	own := authority.Caller{Client: c.AddClient(testkit.NationalChannel("clerks-app", "https://clerks-app.example/back"), c.NewKey())}
	linked, err := c.Authority().Link(t.Context(), own, c.LinkRequest(own, c.who, goodPIN))
	if err != nil || linked.Verdict != liuma.Right {
		t.Fatalf("%+v, %v", linked, err)
	}
	for kind, action := range map[liuma.TicketKind]liuma.Action{liuma.TicketReset: liuma.ActionReset, liuma.TicketRebind: liuma.ActionRebind} {
		v, err := c.open(kind, true)
		if err != nil {
			t.Fatal(err)
		}
		code, err := c.System.Counter.NewCode(t.Context(), c.desk.Clerk, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		p, h := c.OpenPage(own, c.PushFor(own, action, envelope.Subject{Card: string(linked.Card)}, nil))
		if p, err = c.Authority().Agree(t.Context(), p.ID, h); err != nil {
			t.Fatal(err)
		}
		switch p.Step {
		case acts.StepCode:
			p = c.Code(p, h, c.who.Phone) // read out on the phone
		case acts.StepPIN:
			p = c.GivePIN(p, h, liuma.RoleCurrent, goodPIN) // and this, too
		}
		if p.Step != acts.StepEvidence || p.TicketAllowed {
			t.Fatalf("%s: at %s (%s), a ticket offered: %v", kind, p.Step, p.Code, p.TicketAllowed)
		}
		if p, err = c.Authority().GiveTicket(t.Context(), p.ID, h, code); err != nil || p.Step != acts.StepEvidence || p.Code != liuma.CodeTicketLink {
			t.Errorf("%s: %s (%s), %v", kind, p.Step, p.Code, err)
		}
		if _, err := c.Authority().BeginTicket(t.Context(), code, acts.Hand{}); liuma.CodeOf(err) != liuma.CodeTicketApp {
			t.Errorf("%s at the counter's page: %v", kind, err)
		}
		c.Clock.Advance(20 * time.Minute)
	}
	c.unharmed()
}
