package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/visitor"
)

const (
	hostedDoor = "https://pin.example.cn"
	newPIN     = "927461"
)

// proxy stands before the hosted door, wherever the server of the moment
// listens, and is the channel that browsers go back to.
type proxy struct {
	h      *house
	direct *http.Transport
}

// RoundTrip hands a request on, as a proxy that ends TLS does.
func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme+"://"+r.URL.Host != hostedDoor {
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", "text/html")
		_, _ = rec.WriteString("<h1>back</h1>")
		return rec.Result(), nil
	}
	out := r.Clone(r.Context())
	out.Host, out.URL.Scheme, out.URL.Host = r.URL.Host, "http", p.h.hosted
	return p.direct.RoundTrip(out)
}

// forgetful is a holder who sets a forgotten PIN anew, in one browser and
// under one business number, however often the server is killed meanwhile.
type forgetful struct {
	*holder
	browser *visitor.Visitor
	bn      string
	id      string // of the ceremony
	late    bool   // evidence comes midway, not with the first push
	typed   bool   // the new PIN was sent, perhaps without reaching the server
	done    bool
}

// push pushes the reset, and opens its page.
func (f *forgetful) push(ctx context.Context, h *house, p *proxy, proved bool) error {
	details := map[string]any{"action": "reset", "purpose": purpose, "holder": map[string]any{"card": f.card}}
	if proved {
		ch, err := h.client.Challenge(ctx)
		if err != nil {
			return err
		}
		details["challenge"] = ch.Value
		if details["evidence"], err = h.World.Evidence(f.facts, ch.Value); err != nil {
			return err
		}
	}
	form, err := testkit.PAR{Issuer: hostedDoor, Client: channelID, Key: h.channel.Key, Now: time.Now(), BusinessNo: f.bn,
		RedirectURI: testkit.RedirectURI, Details: details}.Form()
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hostedDoor+"/par", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		RequestURI string `json:"request_uri"`
		Error      string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.RequestURI == "" {
		return fmt.Errorf("push: %d %s", resp.StatusCode, answer.Error)
	}
	page, err := f.browser.Enter(ctx, hostedDoor+"/authorize?"+url.Values{"client_id": {channelID}, "request_uri": {answer.RequestURI}}.Encode())
	if err == nil && strings.HasPrefix(page.URL().Path, "/c/") {
		f.id = strings.Split(page.URL().Path, "/")[2]
	}
	return err
}

// recover goes on from the ceremony's current step, until it is over or the
// server is gone. It calls pads before each new PIN is sent.
func (f *forgetful) recover(ctx context.Context, h *house, p *proxy, g *gateway, pads chan<- struct{}) error {
	for ctx.Err() == nil && !f.done {
		if f.id == "" {
			if err := f.push(ctx, h, p, !f.late); err != nil {
				return err
			}
			continue
		}
		page, err := f.browser.Open(ctx, hostedDoor+"/c/"+f.id)
		if err != nil {
			return err
		}
		if err := f.next(ctx, h, p, g, page, pads); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// next takes the step that the page asks for.
func (f *forgetful) next(ctx context.Context, h *house, p *proxy, g *gateway, page *visitor.Page, pads chan<- struct{}) (err error) {
	code := g.code(f.facts.Phone)
	switch {
	case page.Status() == http.StatusConflict: // pushed again, and the server died before the page was open
		return f.push(ctx, h, p, true)
	case page.Has("agree"):
		_, err = page.Press(ctx, "agree", nil)
	case page.Pad() == "new":
		f.typed = true
		select {
		case pads <- struct{}{}:
		default:
		}
		page, err = page.TypePIN(ctx, newPIN)
		f.done = err == nil && page.URL().Query().Get("code") != ""
	case page.Has("code") && code != "":
		_, err = page.Press(ctx, "code", url.Values{"code": {code}})
	case page.Has("code"):
		time.Sleep(5 * time.Millisecond) // until the text has arrived
	case page.Has("send-code"):
		_, err = page.Press(ctx, "send-code", nil)
	case page.Has("return"):
		if page, err = page.Press(ctx, "return", nil); err != nil {
			return err
		}
		f.done = page.URL().Query().Get("code") != ""
		if page.Code() == "evidence_required" {
			err = f.push(ctx, h, p, true)
		} else if !f.done {
			err = fmt.Errorf("back with %s from %s", page.Code(), path.Base(page.URL().Path))
			f.broken = err
		}
	default:
		err = fmt.Errorf("at %q: %s", page.Title(), page.Text())
		f.broken = err
	}
	return err
}

// hold says after a restart which PIN holds: the old one or the new one, and
// the new one if and only if the business number says that it is done.
func (f *forgetful) hold(t *testing.T, h *house) (reset bool) {
	t.Helper()
	old, fresh := f.ask(t, h, f.pin), "wrong"
	if f.typed {
		fresh = f.ask(t, h, newPIN)
	}
	if (old == "right") == (fresh == "right") || f.done && fresh != "right" {
		t.Fatalf("after a restart the old PIN is %s, the new one %s (typed: %v, told that it is done: %v)", old, fresh, f.typed, f.done)
	}
	reset = fresh == "right"
	switch v, err := h.client.Verification(t.Context(), f.bn); {
	case err != nil && client.CodeOf(err) != "not_found":
		t.Fatal(err)
	case (err == nil && v.State == "done") != reset:
		t.Fatalf("the PIN is set anew: %v; the business number says %+v, %v", reset, v, err)
	}
	return reset
}

// TestKilledServerInTheMiddleOfResets: holders who forgot their PINs set them
// anew in their browsers, over the hosted door; the server is killed in the
// middle, again and again, most often while a new PIN is on its way. After
// each restart the old PIN holds or the new one; the holder goes on where they
// were, and comes to the end; and the phone is told once, of each reset that
// came about.
func TestKilledServerInTheMiddleOfResets(t *testing.T) {
	t.Parallel() // most of it is waiting for what was under way at the last kill
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	g := &gateway{rng: rand.New(rand.NewPCG(seed, 5)), well: true, told: map[string]string{}, codes: map[string]string{}}
	sms := httptest.NewServer(g)
	defer sms.Close()
	const together = 3
	n := min(kills(t), 20) // three holders for each
	h := newTextHouse(t, build(t), sms.URL, n*together)
	door := &proxy{h: h, direct: &http.Transport{DisableKeepAlives: true}}
	defer door.direct.CloseIdleConnections()
	var all, open []*forgetful
	cut, midway := 0, 0
	look := func() {
		open = slices.DeleteFunc(open, func(f *forgetful) bool {
			told := f.done
			reset := f.hold(t, h)
			if f.done = reset; reset && !told {
				cut++
			} else if f.typed && !reset {
				midway++
			}
			return reset
		})
	}
	for round := range n {
		h.start(t)
		look()
		for i := range together {
			v, err := visitor.New(visitor.Config{Transport: door})
			must(t, err)
			f := &forgetful{holder: h.holders[round*together+i], browser: v, bn: fmt.Sprintf("reset-%d-%d", round, i), late: rng.IntN(2) == 0}
			all, open = append(all, f), append(open, f)
		}
		live(t, h, door, g, open, rng)
	}
	h.start(t)
	look()
	finish(t, h, door, g, open)
	look()
	told(t, g, all)
	h.kill(t)
	if len(open) > 0 {
		t.Errorf("%d of %d holders did not come to the end", len(open), len(all))
	}
	if n >= 10 && cut+midway == 0 {
		t.Error("no kill came while a new PIN was on its way; the test proves nothing")
	}
	t.Logf("%d kills, %d resets; %d had come about and nobody had said so, %d had not, although the PIN was typed", n, len(all), cut, midway)
}

// live lets holders act until the server is killed under them: at any moment,
// or a moment after the first new PIN is on its way.
func live(t *testing.T, h *house, door *proxy, g *gateway, open []*forgetful, rng *rand.Rand) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pads := make(chan struct{}, 1)
	var wg sync.WaitGroup
	for _, f := range open {
		wg.Go(func() { _ = f.recover(ctx, h, door, g, pads) }) // ends with the server
	}
	if rng.IntN(4) > 0 {
		select {
		case <-pads:
			time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond)
		case <-time.After(5 * time.Second):
		}
	} else {
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
	}
	h.kill(t)
	cancel()
	wg.Wait()
	for _, f := range open {
		if f.broken != nil {
			t.Fatal(f.broken)
		}
	}
}

// finish lets the holders who are left come to the end. The next server leaves
// a one-time code that was being sent at the kill alone for 30 seconds.
func finish(t *testing.T, h *house, door *proxy, g *gateway, open []*forgetful) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience.Limit)
	defer cancel()
	var wg sync.WaitGroup
	for _, f := range open {
		wg.Go(func() {
			if err := f.recover(ctx, h, door, g, make(chan struct{})); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				f.broken = err
			}
		})
	}
	wg.Wait()
	for _, f := range open {
		if f.broken != nil {
			t.Fatal(f.broken)
		}
	}
}

// told waits for the notices: one for each reset, and no other.
func told(t *testing.T, g *gateway, all []*forgetful) {
	t.Helper()
	count := func() (missing, more int) {
		for _, f := range all {
			switch n := g.count(f.facts.Phone, notify.PINReset); {
			case f.done && n == 0:
				missing++
			case !f.done && n > 0, n > 1:
				more++
			}
		}
		return missing, more
	}
	patience.Until(t, "there is a notice of each reset", func() bool { missing, _ := count(); return missing == 0 })
	time.Sleep(500 * time.Millisecond) // for one too many to come
	if missing, more := count(); missing > 0 || more > 0 {
		t.Errorf("%d resets without a notice, %d notices too many", missing, more)
	}
	if err := g.err(); err != nil {
		t.Error(err)
	}
}
