package history

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/registry"
)

// How an act ended beside the verdicts.
const (
	Undecided = "undecided" // nobody knows, for good
	Refused   = "refused"   // nothing was counted or changed
	Weak      = "weak"      // the same, for the new PIN
)

// Service is what people of a trial act at.
type Service struct {
	Channel string
	Purpose client.Purpose
	// At is an authority for the nth call; any number is one's.
	At func(n int) *client.Client
	// Evidence is what proves a person at the first PIN.
	Evidence func(f registry.Facts, challenge string) (string, error)
	// Patience is how long an answer that was lost is looked for.
	Patience time.Duration
	// Took hears of every act that may have come about.
	Took func(*Tried)
}

// Tried is one act that was tried: its business number, and what was said of it.
type Tried struct {
	Act
	Number       string
	Device       int
	Began, Ended time.Time
	Said         string // a verdict, or one of the words above
	Code         string // of the refusal
	Looked       bool   // the answer was lost, and looked up by the number
	Open         bool   // no authority knew of it; it may yet come about
	By           *Person
}

// Told reports whether an act has an answer that must hold for ever.
func (a *Tried) Told() bool { return a.Said != Undecided && a.Said != "unavailable" }

// Person is a holder, with as many devices as call its methods at once.
type Person struct {
	Facts registry.Facts
	Card  string // once there is a PIN
	of    *Service

	mu     sync.Mutex
	rng    *rand.Rand // guarded by mu
	serial int        // guarded by mu
	pin    string     // guarded by mu: as far as the person knows
	maybe  string     // guarded by mu: the PIN of a setting that is undecided, or empty
	acts   []*Tried   // guarded by mu
	locked bool       // guarded by mu: it was said
	frozen bool       // guarded by mu: it was said
}

// NewPerson is somebody who has no PIN yet, and draws PINs by a seed.
func (s *Service) NewPerson(f registry.Facts, seed uint64) *Person {
	return &Person{of: s, Facts: f, rng: rand.New(rand.NewPCG(seed, 67))}
}

func (p *Person) somePIN() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%06d", p.rng.IntN(1_000_000))
}

// Knows is the PIN as far as the person knows, and one that may hold instead, or nothing.
func (p *Person) Knows() (pin, maybe string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pin, p.maybe
}

// Stopped reports whether the person was told that the card is locked, or frozen.
func (p *Person) Stopped() (locked, frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.locked, p.frozen
}

// Channel is where the person acts.
func (p *Person) Channel() string { return p.of.Channel }

// Acts are those that may have come about.
func (p *Person) Acts() []*Tried {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*Tried(nil), p.acts...)
}

// Operations are the person's acts for Check.
func (p *Person) Operations() (ops []porcupine.Operation) {
	for _, a := range p.Acts() {
		ended := a.Ended.UnixNano()
		if a.Open {
			ended = math.MaxInt64
		}
		ops = append(ops, porcupine.Operation{ClientId: a.Device, Input: a.Act, Output: a.Said, Call: a.Began.UnixNano(), Return: ended})
	}
	return ops
}

// Lines are the acts for who looks why they fit no order.
func (p *Person) Lines() (out []string) {
	clock := func(t time.Time) string { return t.Format("15:04:05.000") }
	for _, a := range p.Acts() {
		out = append(out, fmt.Sprintf("device %d %s-%s %s %s %q %q: %s %s, looked up: %v, open: %v",
			a.Device, clock(a.Began), clock(a.Ended), a.Number, a.Kind, a.Old, a.New, a.Said, a.Code, a.Looked, a.Open))
	}
	return out
}

// Another draws a PIN that is not the person's.
func (p *Person) Another() string {
	for {
		pin := p.somePIN()
		if is, maybe := p.Knows(); pin != is && pin != maybe {
			return pin
		}
	}
}

func (p *Person) begin(device int, what Act) *Tried {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serial++
	return &Tried{Act: what, Number: fmt.Sprintf("%s-%d", p.Facts.CardNo, p.serial), Device: device, Began: time.Now(), By: p}
}

// end keeps what was said of an act. An answer that was lost is looked up by the business
// number, at whichever authority, until one knows.
func (p *Person) end(a *Tried, v *client.Verification, err error) string {
	switch code := client.CodeOf(err); {
	case code == "weak_pin":
		a.Said = Weak
	case code == "busy", code == "slow_down", code == "rate_limited", code == client.CodeRationSpent:
		a.Said = Refused
	case err != nil || v.State != "decided":
		a.Looked = true
		v = p.lookUp(a)
	default:
		a.Said = VerdictOf(v)
	}
	a.Ended = time.Now()
	if v != nil {
		a.Code = v.Code
	}
	if a.Said == Refused || a.Said == Weak {
		return a.Said
	}
	p.keep(a, v)
	p.of.Took(a)
	return a.Said
}

func (p *Person) keep(a *Tried, v *client.Verification) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acts = append(p.acts, a)
	switch {
	case a.Kind == Freeze && a.Said == "right":
		p.frozen = true
	case a.Kind == Set && a.Said == "right":
		p.pin, p.maybe = a.New, ""
		if p.Card == "" {
			p.Card = v.Card
		}
	case a.Kind == Set && a.Said != "wrong":
		p.maybe = a.New
	case a.Said == "locked":
		p.locked = true
	}
}

// VerdictOf is the word for a decided answer. A freeze has no verdict.
func VerdictOf(v *client.Verification) string {
	switch {
	case v.Verdict != "":
		return v.Verdict
	case v.Code == "":
		return "right"
	}
	return v.Code
}

// lookUp asks for what became of an act. What no authority took may still be on its way to
// one, so it is open.
func (p *Person) lookUp(a *Tried) *client.Verification {
	for n := 0; ; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		v, err := p.of.At(a.Device+n).Verification(ctx, a.Number)
		cancel()
		switch {
		case err == nil && v.State == "decided":
			a.Said = VerdictOf(v)
			return v
		case err == nil && v.State == "undecided":
			a.Said = Undecided
			return nil
		case client.CodeOf(err) == "not_found" && n > 3, time.Since(a.Began) > p.of.Patience:
			a.Said, a.Open = Undecided, true
			return nil
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func (p *Person) challenged(ctx context.Context, c *client.Client, action client.Action, bn string) (client.DeviceRequest, error) {
	ch, err := c.Challenge(ctx)
	s := client.Subject{Card: p.Card}
	if p.Card == "" {
		s = client.Subject{IDNumber: p.Facts.IDNumber, Name: p.Facts.Name, Phone: p.Facts.Phone}
	}
	return client.DeviceRequest{Channel: p.of.Channel, Action: action, Subject: s, BusinessNo: bn, Purpose: p.of.Purpose, Challenge: ch}, err
}

// Verify gives a PIN by one of the person's devices.
func (p *Person) Verify(ctx context.Context, device int, pin string) string {
	c, a := p.of.At(device), p.begin(device, Act{Kind: Verify, Old: pin})
	d, err := p.challenged(ctx, c, client.Verify, a.Number)
	if err != nil {
		return Refused
	}
	sealed, err := d.SealPIN([]byte(pin))
	if err != nil {
		return Refused
	}
	v, err := c.Verify(ctx, client.VerifyRequest{BusinessNo: a.Number, Subject: d.Subject, Purpose: p.of.Purpose, Challenge: d.Challenge.Value, PIN: sealed})
	return p.end(a, v, err)
}

// Change changes the PIN from the one that the person knows.
func (p *Person) Change(ctx context.Context, device int) string {
	pin, _ := p.Knows()
	c, a := p.of.At(device), p.begin(device, Act{Kind: Set, Old: pin, New: p.somePIN()})
	d, err := p.challenged(ctx, c, client.Change, a.Number)
	if err != nil {
		return Refused
	}
	was, is, err := d.SealChange([]byte(a.Old), []byte(a.New))
	if err != nil {
		return Refused
	}
	v, err := c.Change(ctx, client.ChangeRequest{BusinessNo: a.Number, Subject: d.Subject, Purpose: p.of.Purpose, Challenge: d.Challenge.Value, OldPIN: was, NewPIN: is})
	return p.end(a, v, err)
}

// Enrol sets the first PIN. A PIN that is refused as weak is drawn anew.
func (p *Person) Enrol(ctx context.Context) string {
	for {
		c, a := p.of.At(0), p.begin(0, Act{Kind: Set, New: p.somePIN()})
		d, err := p.challenged(ctx, c, client.Enroll, a.Number)
		if err != nil {
			return Refused
		}
		sealed, err := d.SealPIN([]byte(a.New))
		if err != nil {
			return Refused
		}
		proof, err := p.of.Evidence(p.Facts, d.Challenge.Value)
		if err != nil {
			return Refused
		}
		v, err := c.Enroll(ctx, client.EnrollRequest{BusinessNo: a.Number, Subject: d.Subject, Purpose: p.of.Purpose, Challenge: d.Challenge.Value, Evidence: proof, NewPIN: sealed})
		if said := p.end(a, v, err); said != Weak {
			return said
		}
	}
}

// Freeze stops the card.
func (p *Person) Freeze(ctx context.Context, device int) string {
	a := p.begin(device, Act{Kind: Freeze})
	v, err := p.of.At(device).Freeze(ctx, client.FreezeRequest{BusinessNo: a.Number, Subject: client.Subject{Card: p.Card}})
	return p.end(a, v, err)
}

// Settled finds out which PIN holds after a setting that is undecided.
func (p *Person) Settled(ctx context.Context, device int) string {
	pin, maybe := p.Knows()
	said := p.Verify(ctx, device, pin)
	if said == "wrong" && maybe != "" {
		if said = p.Verify(ctx, device, maybe); said == "right" {
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

// Live does by one device, of two with the numbers 1 and 2, what holders do: it verifies,
// seldom wrongly, changes the PIN, and once in a while freezes the card. It says what was
// said.
func (p *Person) Live(ctx context.Context, device int, rng *rand.Rand) string {
	pin, maybe := p.Knows()
	switch n := rng.IntN(10); {
	case maybe != "" && device == 1:
		return p.Settled(ctx, device)
	case device == 1 && n < 2:
		return p.Change(ctx, device)
	case device == 2 && n == 0 && maybe == "":
		return p.Verify(ctx, device, p.Another())
	case device == 2 && n == 1 && rng.IntN(8) == 0:
		return p.Freeze(ctx, device)
	}
	return p.Verify(ctx, device, pin)
}
