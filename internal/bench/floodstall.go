package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/visitor"
)

// Stall says how long one act on a card takes, and holds up everybody else,
// when many ceremonies are open on that card: a reset, which ends them all in
// one transaction. The alone members are a reset with none open.
type Stall struct {
	Opened    int            `json:"opened"` // ceremonies that were open on the card
	Refused   map[string]int `json:"refused,omitempty"`
	Reset     float64        `json:"reset_ms"`
	Verify    Noticed        `json:"verifications"` // while it was made
	Alone     float64        `json:"alone_reset_ms"`
	VerifyNot Noticed        `json:"alone_verifications"`
}

// newPIN is what resets set.
const newPIN = "739154"

// stall measures two resets, with a server process of its own.
func stall(ctx context.Context, c FloodConfig, s *stage, phones *phones) (_ *Stall, err error) {
	server, err := s.serve(c.Binary)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop(server)) }()
	return resets(ctx, c, s, phones)
}

// resets makes both, against the server that runs.
func resets(ctx context.Context, c FloodConfig, s *stage, phones *phones) (_ *Stall, err error) {
	out := &Stall{}
	if out.Alone, out.VerifyNot, err = resetUnderLoad(ctx, c, s, phones, s.Spare[0]); err != nil {
		return nil, fmt.Errorf("alone: %w", err)
	}
	h := s.Spare[1] // which the normal load leaves alone, like the first
	out.Opened, out.Refused = openMany(ctx, c, s, h)
	out.Reset, out.Verify, err = resetUnderLoad(ctx, c, s, phones, h)
	return out, err
}

// openMany opens resets of one card, a few at once, and agrees to them: only from
// there on is a ceremony about a card that the store knows.
func openMany(ctx context.Context, c FloodConfig, s *stage, h holder) (opened int, refused map[string]int) {
	web := httpClient(16)
	refused = map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan struct{})
	for range 16 {
		wg.Go(func() {
			for range work {
				label := openOne(ctx, s, web, h)
				mu.Lock()
				if label == "" {
					opened++
				} else {
					refused[label]++
				}
				mu.Unlock()
			}
		})
	}
	for range c.Open {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	return opened, refused
}

// openOne opens one. It returns how it was refused, or nothing.
func openOne(ctx context.Context, s *stage, web *http.Client, h holder) string {
	v, err := newBrowser(web)
	if err != nil {
		return labelOf(err)
	}
	page, err := openReset(ctx, s, web, v, stolenID, h.Stolen, rand.Text())
	switch {
	case err != nil:
		return labelOf(err)
	case !page.Has("send-code"):
		return fmt.Sprintf("%d %s", page.Status(), page.Title())
	}
	return ""
}

// resetUnderLoad sets the new PIN of a reset in the middle of the normal load,
// and returns how long that took and what the load noticed.
func resetUnderLoad(ctx context.Context, c FloodConfig, s *stage, phones *phones, h holder) (took float64, n Noticed, err error) {
	page, err := toNewPIN(ctx, s, phones, h)
	if err != nil {
		return 0, n, err
	}
	d := min(c.For, 6*time.Second)
	load, err := newCalm(ctx, s, c.Load, d)
	if err != nil {
		return 0, n, err
	}
	var wg sync.WaitGroup
	wg.Go(func() { n, _ = load.run(ctx) })
	time.Sleep(d / 3)
	begun := time.Now()
	done, err := page.TypePIN(ctx, newPIN)
	took = float64(time.Since(begun).Microseconds()) / 1000
	wg.Wait()
	if err == nil && done.Pad() != "" {
		err = fmt.Errorf("the PIN was not set, but %q: %s", done.Title(), done.Text())
	}
	return took, n, err
}

// toNewPIN walks through a reset to the pad that asks for the new PIN: the code
// from the phone, then evidence under a second push of the same request.
func toNewPIN(ctx context.Context, s *stage, phones *phones, h holder) (*visitor.Page, error) {
	web := httpClient(4)
	no := fmt.Sprintf("stall-%d", time.Now().UnixMilli())
	v, err := newBrowser(web)
	if err != nil {
		return nil, err
	}
	page, err := openReset(ctx, s, web, v, calmID, h.Calm, no)
	if err != nil {
		return nil, err
	}
	if page, err = page.Press(ctx, "send-code", nil); err != nil {
		return nil, fmt.Errorf("%w on %q", err, page.Title())
	}
	code := ""
	for until := time.Now().Add(10 * time.Second); code == "" && time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		code = phones.code(h.Phone)
	}
	if page, err = page.Press(ctx, "code", map[string][]string{"code": {code}}); err != nil {
		return nil, err
	}
	if !page.Has("return") {
		return nil, fmt.Errorf("no way to the camera on %q: %s", page.Title(), page.Text())
	}
	back, err := page.Press(ctx, "return", nil)
	if err != nil {
		return nil, err
	}
	challenge := back.URL().Query().Get("challenge")
	word, err := s.evidence(h, challenge)
	if err != nil {
		return nil, err
	}
	address, err := s.push(ctx, web, calmID, pushed{action: "reset", card: h.Calm, businessNo: no, challenge: challenge, evidence: word})
	if err != nil {
		return nil, err
	}
	page, err = v.Enter(ctx, address)
	if err == nil && page.Pad() != "new" {
		err = fmt.Errorf("no pad for a new PIN on %q: %s", page.Title(), page.Text())
	}
	return page, err
}
