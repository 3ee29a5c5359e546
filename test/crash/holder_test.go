package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/registry"
)

const purpose = "查询社保缴费年限"

// holder is one person at one phone. Acts come one after the other, so the
// right PIN is known at any time, except after a change that was cut off.
type holder struct {
	facts   registry.Facts
	rng     *rand.Rand
	card    string
	pin     string
	maybe   string // the PIN of a change whose answer was lost, or empty
	wrongs  int    // uncleared wrong guesses at the most
	serial  int
	given   map[string]string // in this life; business number: verdict that was given
	spends  int               // guesses that right and wrong were said of, ever
	changes int               // of the PIN that were acknowledged, ever
	broken  error
	ended   error // the answer that was none, at which it stopped acting
}

// somePIN draws a PIN that no rule refuses: the judge at the door has the
// last word, so a refused one is only drawn again.
func (p *holder) somePIN() string { return fmt.Sprintf("%06d", p.rng.IntN(1_000_000)) }

func (p *holder) number() string {
	p.serial++
	return fmt.Sprintf("%s-%d", p.facts.CardNo, p.serial)
}

// live acts until the server is gone.
func (p *holder) live(ctx context.Context, h *house) {
	p.given = map[string]string{}
	for ctx.Err() == nil && p.broken == nil {
		var err error
		switch n := p.rng.IntN(10); {
		case n < 2 && p.wrongs < 3:
			err = p.verify(ctx, h, p.somePIN(), 1)
		case n < 4:
			err = p.change(ctx, h)
		case n < 5:
			err = p.verify(ctx, h, p.pin, 3) // an impatient phone sends thrice
		default:
			err = p.verify(ctx, h, p.pin, 1)
		}
		if err != nil {
			p.ended = err
			return
		}
	}
}

// verify asks for a verdict, with the same request sent several times at once.
func (p *holder) verify(ctx context.Context, h *house, pin string, times int) error {
	bn := p.number()
	ch, err := h.client.Challenge(ctx)
	if err != nil {
		return err
	}
	d := client.DeviceRequest{Channel: channelID, Action: client.Verify, Subject: client.Subject{Card: p.card}, BusinessNo: bn, Purpose: purpose, Challenge: ch}
	sealed, err := d.SealPIN([]byte(pin))
	if err != nil {
		return err
	}
	p.wrongs++ // until the answer says otherwise
	q := client.VerifyRequest{BusinessNo: bn, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed}
	answers := make([]*client.Verification, times)
	errs := make([]error, times)
	var wg sync.WaitGroup
	for i := range times {
		wg.Go(func() { answers[i], errs[i] = h.client.Verify(ctx, q) })
	}
	wg.Wait()
	for i, v := range answers {
		if errs[i] == nil && v.Verdict != "" {
			p.take(h, bn, v.Verdict, pin)
		}
	}
	return errors.Join(errs...)
}

// take notes a verdict and breaks if it cannot be.
func (p *holder) take(h *house, bn, verdict, pin string) {
	if before, ok := p.given[bn]; ok {
		if before != verdict {
			p.broken = fmt.Errorf("%s was %s and is %s", bn, before, verdict)
		}
		return
	}
	p.given[bn] = verdict
	h.verdicts.Add(1)
	switch {
	case verdict == "right" && pin == p.pin:
		p.spends++
		p.wrongs = 0
	case verdict == "wrong" && pin != p.pin:
		p.spends++
	case verdict == "unavailable": // on the way down
	default:
		p.broken = fmt.Errorf("%s: verdict %s on a PIN that is right: %v", bn, verdict, pin == p.pin)
	}
}

func (p *holder) change(ctx context.Context, h *house) error {
	bn, next := p.number(), p.somePIN()
	ch, err := h.client.Challenge(ctx)
	if err != nil {
		return err
	}
	d := client.DeviceRequest{Channel: channelID, Action: client.Change, Subject: client.Subject{Card: p.card}, BusinessNo: bn, Purpose: purpose, Challenge: ch}
	was, is, err := d.SealChange([]byte(p.pin), []byte(next))
	if err != nil {
		return err
	}
	v, err := h.client.Change(ctx, client.ChangeRequest{BusinessNo: bn, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, OldPIN: was, NewPIN: is})
	switch {
	case client.CodeOf(err) == "weak_pin":
		return nil // refused before anything was counted
	case err != nil || v.Verdict == "unavailable" || v.State != "decided":
		p.maybe = next
		return errors.Join(err, errors.New("change without an answer"))
	case v.Verdict != "right":
		p.broken = fmt.Errorf("change from the right PIN: %s", v.Verdict)
		return p.broken
	}
	p.pin = next
	p.given[bn] = "right"
	p.spends++
	p.wrongs = 0
	p.changes++
	h.changes.Add(1)
	return nil
}

// resolve finds out, after a restart, which PIN is right, and reports whether a
// change had been cut off. Exactly one of the two must be right.
func (p *holder) resolve(t *testing.T, h *house) (cut int) {
	t.Helper()
	p.given = map[string]string{}
	right := 0
	held := p.pin
	for _, pin := range []string{p.pin, p.maybe} {
		if pin == "" {
			continue
		}
		v := p.ask(t, h, pin)
		switch v {
		case "right":
			right++
			held = pin
		case "wrong":
		default:
			t.Fatalf("%s after a restart: %s", p.facts.CardNo, v)
		}
	}
	if right != 1 {
		t.Fatalf("%d of the old and the new PIN are right", right)
	}
	if p.maybe != "" {
		cut = 1
	}
	p.pin, p.maybe, p.wrongs = held, "", 0
	if cut == 1 && p.ask(t, h, held) != "right" { // clears the guess at the other
		t.Fatal("the PIN that was right is no longer")
	}
	return cut
}

func (p *holder) ask(t *testing.T, h *house, pin string) string {
	t.Helper()
	bn := p.number()
	ch, err := h.client.Challenge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := client.DeviceRequest{Channel: channelID, Action: client.Verify, Subject: client.Subject{Card: p.card}, BusinessNo: bn, Purpose: purpose, Challenge: ch}
	sealed, err := d.SealPIN([]byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	v, err := h.client.Verify(t.Context(), client.VerifyRequest{BusinessNo: bn, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed})
	if err != nil {
		t.Fatal(err)
	}
	p.spends++
	return v.Verdict
}
