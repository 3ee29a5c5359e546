//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
	"github.com/liuma-pin/liuma/test/history"
)

const purpose = "查询社保缴费年限"

// person is a holder, with as many devices as call its methods at once. What each act
// was answered is kept in its history.
type person struct {
	h     *house
	facts registry.Facts
	card  string
	first string // its PIN before the trial began, or empty

	mu     sync.Mutex
	rng    *rand.Rand            // guarded by mu
	serial int                   // guarded by mu
	pin    string                // guarded by mu: as far as the person knows
	maybe  string                // guarded by mu: the PIN of a setting whose answer was lost, or empty
	spends int                   // guarded by mu: guesses that right and wrong were said of
	ops    []porcupine.Operation // guarded by mu
}

func (h *house) newPerson(f registry.Facts) *person {
	p := &person{h: h, facts: f, rng: rand.New(rand.NewPCG(uint64(len(h.all)), 7))}
	h.all = append(h.all, p)
	return p
}

// next is somebody who has no PIN yet.
func (h *house) next() *person {
	h.t.Helper()
	if len(h.people) == 0 {
		h.t.Fatal("everybody has a PIN")
	}
	f := h.people[0]
	h.people = h.people[1:]
	return h.newPerson(f)
}

func (p *person) somePIN() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%06d", p.rng.IntN(1_000_000))
}

func (p *person) number() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serial++
	return fmt.Sprintf("%s-%d", p.facts.CardNo, p.serial)
}

func (p *person) knows() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pin
}

// How an act ended beside the verdicts.
const (
	lost    = "lost"    // no answer came
	refused = "refused" // nothing was counted or changed; the code of the answer follows
	busy    = refused + ": busy"
	weak    = "weak" // the same, for the new PIN
)

// note keeps an operation.
func (p *person) note(device int, began time.Time, in history.Act, verdict string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasPrefix(verdict, refused) || verdict == weak {
		return verdict
	}
	p.ops = append(p.ops, porcupine.Operation{ClientId: device, Input: in, Call: began.UnixNano(), Output: verdict, Return: time.Now().UnixNano()})
	if in.Old != "" && (verdict == "right" || verdict == "wrong") {
		p.spends++
	}
	switch {
	case in.Kind != history.Set:
	case verdict == "right":
		p.pin, p.maybe = in.New, ""
	case verdict != "wrong":
		p.maybe = in.New
	}
	return verdict
}

// outcome is the word for an answer of the native door.
func outcome(v *client.Verification, err error) string {
	switch code := client.CodeOf(err); {
	case code == "weak_pin":
		return weak
	case code == "busy", code == "slow_down", code == "rate_limited":
		return refused + ": " + code
	case code == "unavailable":
		return code
	case err != nil:
		return lost
	case v.Verdict == "":
		return lost
	}
	return v.Verdict
}

// verify gives a PIN by one of the person's devices. While another act has the card, or
// what is left of one that was answered, it tries again as any client does.
func (p *person) verify(ctx context.Context, device int, pin string) string {
	said := p.verifyOnce(ctx, device, pin)
	for end := time.Now().Add(patience); said == busy && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
		said = p.verifyOnce(ctx, device, pin)
	}
	return said
}

func (p *person) verifyOnce(ctx context.Context, device int, pin string) string {
	began, bn := time.Now(), p.number()
	d, err := p.challenged(ctx, client.Verify, bn)
	if err != nil {
		return refused
	}
	sealed, err := d.SealPIN([]byte(pin))
	if err != nil {
		return refused
	}
	v, err := p.h.client.Verify(ctx, client.VerifyRequest{BusinessNo: bn, Subject: d.Subject, Purpose: purpose, Challenge: d.Challenge.Value, PIN: sealed})
	return p.note(device, began, history.Act{Kind: history.Verify, Old: pin}, outcome(v, err))
}

func (p *person) challenged(ctx context.Context, a client.Action, bn string) (client.DeviceRequest, error) {
	ch, err := p.h.client.Challenge(ctx)
	s := client.Subject{Card: p.card}
	if p.card == "" {
		s = client.Subject{IDNumber: p.facts.IDNumber, Name: p.facts.Name, Phone: p.facts.Phone}
	}
	return client.DeviceRequest{Channel: channelID, Action: a, Subject: s, BusinessNo: bn, Purpose: purpose, Challenge: ch}, err
}

// change changes the PIN, from the one that the person knows. One that is refused as weak is
// drawn anew.
func (p *person) change(ctx context.Context, device int) string {
	for {
		if said := p.changeOnce(ctx, device); said != weak {
			return said
		}
	}
}

func (p *person) changeOnce(ctx context.Context, device int) string {
	began, bn, old, pin := time.Now(), p.number(), p.knows(), p.somePIN()
	d, err := p.challenged(ctx, client.Change, bn)
	if err != nil {
		return refused
	}
	was, is, err := d.SealChange([]byte(old), []byte(pin))
	if err != nil {
		return refused
	}
	v, err := p.h.client.Change(ctx, client.ChangeRequest{BusinessNo: bn, Subject: d.Subject, Purpose: purpose, Challenge: d.Challenge.Value, OldPIN: was, NewPIN: is})
	return p.note(device, began, history.Act{Kind: history.Set, Old: old, New: pin}, outcome(v, err))
}

// enrol sets the first PIN. A PIN that is refused as weak is drawn anew.
func (p *person) enrol(ctx context.Context) string {
	for {
		began, bn, pin := time.Now(), p.number(), p.somePIN()
		d, err := p.challenged(ctx, client.Enroll, bn)
		if err != nil {
			return refused
		}
		sealed, err := d.SealPIN([]byte(pin))
		if err != nil {
			return refused
		}
		proof, err := p.h.World.Evidence(p.facts, d.Challenge.Value)
		if err != nil {
			return refused
		}
		v, err := p.h.client.Enroll(ctx, client.EnrollRequest{BusinessNo: bn, Subject: d.Subject, Purpose: purpose, Challenge: d.Challenge.Value, Evidence: proof, NewPIN: sealed})
		if said := p.note(0, began, history.Act{Kind: history.Set, New: pin}, outcome(v, err)); said != weak {
			if said == "right" {
				p.card = v.Card
			}
			return said
		}
	}
}

// proxy stands before the hosted door, and is the channel that browsers go back to.
type proxy struct{ http.Transport }

// RoundTrip hands a request on, as a proxy that ends TLS does.
func (x *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme+"://"+r.URL.Host != hostedDoor {
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", "text/html")
		_, _ = rec.WriteString("<h1>back</h1>")
		return rec.Result(), nil
	}
	out := r.Clone(r.Context())
	out.Host, out.URL.Scheme, out.URL.Host = r.URL.Host, "http", hostedAt
	return x.Transport.RoundTrip(out)
}

// reset sets a forgotten PIN anew in a browser, by evidence and a code to the phone.
func (p *person) reset(ctx context.Context) (string, error) {
	x := &proxy{}
	defer x.CloseIdleConnections()
	v, err := visitor.New(visitor.Config{Transport: x})
	if err != nil {
		return "", err
	}
	began, pin := time.Now(), p.somePIN()
	page, err := p.push(ctx, x, v)
	for err == nil {
		code := p.h.texts.code(p.facts.Phone)
		switch {
		case page.Has("agree"):
			page, err = page.Press(ctx, "agree", nil)
		case page.Pad() == "new":
			page, err = page.TypePIN(ctx, pin)
			if err == nil && page.URL().Query().Get("code") != "" {
				return p.note(0, began, history.Act{Kind: history.Set, New: pin}, "right"), nil
			}
			if err == nil && page.Pad() == "new" {
				if pin = p.somePIN(); strings.Contains(page.Text(), "系统") { // it cannot be done now
					return p.note(0, began, history.Act{Kind: history.Set, New: pin}, "unavailable"), nil
				}
			}
		case page.Has("code") && code != "":
			page, err = page.Press(ctx, "code", url.Values{"code": {code}})
		case page.Has("code"):
			time.Sleep(20 * time.Millisecond) // until the text has arrived
		case page.Has("send-code"):
			page, err = page.Press(ctx, "send-code", nil)
		case page.Has("return"):
			if page, err = page.Press(ctx, "return", nil); err == nil && page.URL().Query().Get("code") != "" {
				return p.note(0, began, history.Act{Kind: history.Set, New: pin}, "right"), nil
			}
		default:
			err = fmt.Errorf("at %q: %s", page.Title(), page.Text())
		}
		err = errors.Join(err, ctx.Err())
	}
	p.note(0, began, history.Act{Kind: history.Set, New: pin}, lost)
	return "", err
}

// push pushes a reset and opens its page.
func (p *person) push(ctx context.Context, x *proxy, v *visitor.Visitor) (*visitor.Page, error) {
	ch, err := p.h.client.Challenge(ctx)
	if err != nil {
		return nil, err
	}
	proof, err := p.h.World.Evidence(p.facts, ch.Value)
	if err != nil {
		return nil, err
	}
	form, err := testkit.PAR{Issuer: hostedDoor, Client: channelID, Key: p.h.channel.Key, Now: time.Now(), BusinessNo: p.number(), RedirectURI: testkit.RedirectURI,
		Details: map[string]any{"action": "reset", "purpose": purpose, "holder": map[string]any{"card": p.card}, "challenge": ch.Value, "evidence": proof}}.Form()
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hostedDoor+"/par", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := x.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		RequestURI string `json:"request_uri"`
		Error      string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.RequestURI == "" {
		return nil, fmt.Errorf("push: %d %s", resp.StatusCode, answer.Error)
	}
	return v.Enter(ctx, hostedDoor+"/authorize?"+url.Values{"client_id": {channelID}, "request_uri": {answer.RequestURI}}.Encode())
}

// settled finds out which PIN holds after a setting whose answer was lost.
func (p *person) settled(ctx context.Context, device int) string {
	p.mu.Lock()
	pin, maybe := p.pin, p.maybe
	p.mu.Unlock()
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
