//go:build linux

package failover

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/test/history"
)

const purpose = "查询社保缴费年限"

// How an act ended beside the verdicts.
const (
	undecided = "undecided" // nobody knows, for good
	refused   = "refused"   // nothing was counted or changed
	weak      = "weak"      // the same, for the new PIN
)

// act is one that was tried: its business number, and what was said of it.
type act struct {
	number       string
	kind         history.Kind
	old, new     string // PINs; a setting without old needs none
	device       int
	began, ended time.Time
	said         string // a verdict, or one of the words above
	code         string // of the refusal
	looked       bool   // the answer was lost, and looked up by the number
	by           *person
}

// person is a holder, with as many devices as call its methods at once.
type person struct {
	h     *house
	facts registry.Facts
	card  string

	mu     sync.Mutex
	rng    *rand.Rand // guarded by mu
	serial int        // guarded by mu
	pin    string     // guarded by mu: as far as the person knows
	maybe  string     // guarded by mu: the PIN of a setting that is undecided, or empty
	acts   []*act     // guarded by mu
	locked bool       // guarded by mu: it was said
	frozen bool       // guarded by mu: it was said
}

// next is somebody who has no PIN yet, or nobody where everybody has one.
func (h *house) next() *person {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.people) == 0 {
		return nil
	}
	p := &person{h: h, facts: h.people[0], rng: rand.New(rand.NewPCG(uint64(len(h.all)), 67))}
	h.people = h.people[1:]
	h.all = append(h.all, p)
	return p
}

func (p *person) somePIN() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%06d", p.rng.IntN(1_000_000))
}

func (p *person) knows() (pin, maybe string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pin, p.maybe
}

// another draws a PIN that is not the person's.
func (p *person) another() string {
	for {
		pin := p.somePIN()
		if is, maybe := p.knows(); pin != is && pin != maybe {
			return pin
		}
	}
}

func (p *person) begin(device int, kind history.Kind, old, new string) *act {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serial++
	return &act{number: fmt.Sprintf("%s-%d", p.facts.CardNo, p.serial), kind: kind, old: old, new: new, device: device, began: time.Now(), by: p}
}

// at is the authority that a device talks to.
func (p *person) at(device int) *client.Client { return p.h.at[device%len(p.h.at)].client }

// end keeps what was said of an act. An answer that was lost is looked up by the business
// number, at whichever authority, until one knows.
func (p *person) end(a *act, v *client.Verification, err error) string {
	switch code := client.CodeOf(err); {
	case code == "weak_pin":
		a.said = weak
	case code == "busy", code == "slow_down", code == "rate_limited":
		a.said = refused
	case err != nil || v.State != "decided":
		a.looked = true
		a.said, v = p.lookUp(a)
	default:
		a.said = verdictOf(v)
	}
	a.ended = time.Now()
	if v != nil {
		a.code = v.Code
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.said == refused || a.said == weak {
		return a.said
	}
	p.acts = append(p.acts, a)
	switch {
	case a.kind == history.Freeze && a.said == "right":
		p.frozen = true
	case a.kind == history.Set && a.said == "right":
		p.pin, p.maybe = a.new, ""
		if p.card == "" {
			p.card = v.Card
		}
	case a.kind == history.Set && a.said != "wrong":
		p.maybe = a.new
	case a.said == "locked":
		p.locked = true
	}
	p.h.mu.Lock()
	p.h.acts = append(p.h.acts, a)
	p.h.mu.Unlock()
	return a.said
}

// verdictOf is the word for a decided answer. A freeze has no verdict.
func verdictOf(v *client.Verification) string {
	switch {
	case v.Verdict != "":
		return v.Verdict
	case v.Code == "":
		return "right"
	}
	return v.Code
}

// lookUp asks for what became of an act. What the authority never took may still be on its
// way to it, so it is taken for undecided.
func (p *person) lookUp(a *act) (string, *client.Verification) {
	for n := 0; ; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		v, err := p.at(n).Verification(ctx, a.number)
		cancel()
		switch {
		case err == nil && v.State == "decided":
			return verdictOf(v), v
		case err == nil && v.State == "undecided", client.CodeOf(err) == "not_found" && n > 3, time.Since(a.began) > patience:
			return undecided, nil
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func (p *person) challenged(ctx context.Context, c *client.Client, action client.Action, bn string) (client.DeviceRequest, error) {
	ch, err := c.Challenge(ctx)
	s := client.Subject{Card: p.card}
	if p.card == "" {
		s = client.Subject{IDNumber: p.facts.IDNumber, Name: p.facts.Name, Phone: p.facts.Phone}
	}
	return client.DeviceRequest{Channel: channelID, Action: action, Subject: s, BusinessNo: bn, Purpose: purpose, Challenge: ch}, err
}

// verify gives a PIN by one of the person's devices.
func (p *person) verify(ctx context.Context, device int, pin string) string {
	c, a := p.at(device), p.begin(device, history.Verify, pin, "")
	d, err := p.challenged(ctx, c, client.Verify, a.number)
	if err != nil {
		return refused
	}
	sealed, err := d.SealPIN([]byte(pin))
	if err != nil {
		return refused
	}
	v, err := c.Verify(ctx, client.VerifyRequest{BusinessNo: a.number, Subject: d.Subject, Purpose: purpose, Challenge: d.Challenge.Value, PIN: sealed})
	return p.end(a, v, err)
}

// change changes the PIN from the one that the person knows.
func (p *person) change(ctx context.Context, device int) string {
	pin, _ := p.knows()
	c, a := p.at(device), p.begin(device, history.Set, pin, p.somePIN())
	d, err := p.challenged(ctx, c, client.Change, a.number)
	if err != nil {
		return refused
	}
	was, is, err := d.SealChange([]byte(a.old), []byte(a.new))
	if err != nil {
		return refused
	}
	v, err := c.Change(ctx, client.ChangeRequest{BusinessNo: a.number, Subject: d.Subject, Purpose: purpose, Challenge: d.Challenge.Value, OldPIN: was, NewPIN: is})
	return p.end(a, v, err)
}

// enrol sets the first PIN. A PIN that is refused as weak is drawn anew.
func (p *person) enrol(ctx context.Context) string {
	for {
		c, a := p.at(0), p.begin(0, history.Set, "", p.somePIN())
		d, err := p.challenged(ctx, c, client.Enroll, a.number)
		if err != nil {
			return refused
		}
		sealed, err := d.SealPIN([]byte(a.new))
		if err != nil {
			return refused
		}
		proof, err := p.h.World.Evidence(p.facts, d.Challenge.Value)
		if err != nil {
			return refused
		}
		v, err := c.Enroll(ctx, client.EnrollRequest{BusinessNo: a.number, Subject: d.Subject, Purpose: purpose, Challenge: d.Challenge.Value, Evidence: proof, NewPIN: sealed})
		if said := p.end(a, v, err); said != weak {
			return said
		}
	}
}

// freeze stops the card.
func (p *person) freeze(ctx context.Context, device int) string {
	a := p.begin(device, history.Freeze, "", "")
	v, err := p.at(device).Freeze(ctx, client.FreezeRequest{BusinessNo: a.number, Subject: client.Subject{Card: p.card}})
	return p.end(a, v, err)
}

// settled finds out which PIN holds after a setting that is undecided.
func (p *person) settled(ctx context.Context, device int) string {
	pin, maybe := p.knows()
	said := p.verify(ctx, device, pin)
	if said == "wrong" && maybe != "" {
		if said = p.verify(ctx, device, maybe); said == "right" {
			pin = maybe
		}
	}
	if said == "right" {
		p.mu.Lock()
		p.pin, p.maybe = pin, ""
		p.mu.Unlock()
	}
	return said
}
