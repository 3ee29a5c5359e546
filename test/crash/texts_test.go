package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

const textsSecret = "0123456789abcdef0123456789abcdef"

// gateway is an unreliable gateway: it refuses some texts temporarily, and
// loses its answer to others. It recognises repetitions by ID.
type gateway struct {
	mu     sync.Mutex
	rng    *rand.Rand        // guarded by mu
	well   bool              // guarded by mu: no more mischief
	told   map[string]string // guarded by mu: ID to number and template
	codes  map[string]string // guarded by mu: number to its last one-time code
	again  int               // guarded by mu
	broken error             // guarded by mu
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off by a kill
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var text struct {
		ID, Phone, Template, Text string
		Params                    map[string]string
	}
	if r.Header.Get(notify.HeaderSignature) != notify.Signature([]byte(textsSecret), r.Header.Get(notify.HeaderTimestamp), body) {
		g.broken = fmt.Errorf("a text that nobody signed")
	} else if err := json.Unmarshal(body, &text); err != nil || text.ID != r.Header.Get(notify.HeaderIdempotencyKey) {
		g.broken = fmt.Errorf("not a text: %s, %w", body, err)
	}
	mischief := g.rng.IntN(10)
	if !g.well && mischief == 0 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	is := text.Phone + " " + text.Template
	if code := text.Params["code"]; code != "" {
		g.codes[text.Phone] = code
	}
	switch was, ok := g.told[text.ID]; {
	case !ok:
		g.told[text.ID] = is
	case was != is:
		g.broken = fmt.Errorf("one ID, two texts: %s and %s", was, is)
	default:
		g.again++
	}
	if !g.well && mischief == 1 {
		panic(http.ErrAbortHandler) // taken, and the answer is lost
	}
}

// count is the number of texts of a template to a number, each ID once.
func (g *gateway) count(phone string, template notify.Template) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, is := range g.told {
		if is == phone+" "+string(template) {
			n++
		}
	}
	return n
}

// code is the last one-time code to a number, or empty.
func (g *gateway) code(phone string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.codes[phone]
}

func (g *gateway) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken
}

// newTextHouse is a house whose holders have had bound phones for long enough
// to reset a PIN, and whose messages go to the test's own gateway.
func newTextHouse(t *testing.T, binary, smsURL string, people int) *house {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte(textsSecret), 0o600))
	h := &house{binary: binary, Env: testkit.New(t, testkit.Options{Inbox: true, People: 3 * people, Clock: testkit.RunningClock(-100 * time.Hour),
		Configure: func(c *config.Config) {
			c.Log, c.Issuer, c.Hosted.Listen = "error", hostedDoor, "127.0.0.1:0"
			c.Texts.Driver, c.Texts.Webhook = config.DriverWebhook, config.Webhook{URL: smsURL, SecretFile: secret}
		}})}
	h.channel = h.AddParty(testkit.NationalChannel(channelID, testkit.RedirectURI))
	phones := map[string]bool{}
	for _, f := range h.People {
		if len(h.holders) == people || phones[f.Phone] || f.Phone == "" {
			continue
		}
		phones[f.Phone] = true
		p := h.newHolder(f)
		p.pin = "483920"
		p.card = string(h.EnrollPhone(authority.Caller{Client: h.channel.Client}, f, p.pin))
		h.holders = append(h.holders, p)
	}
	if !h.Clock.CatchUp() {
		t.Fatal("the enrolments took longer than the phones must be bound")
	}
	h.leave(t)
	return h
}

// TestKilledServerTellsOfEveryChange: holders change their PINs while the
// server is killed at random moments, and while the gateway refuses texts and
// loses answers. In the end the gateway has, by ID, exactly one notice of each
// change that happened, also if its answer was lost, or if the next start
// finished it; and no other notice. Who changed the PIN more often in the day than
// a number gets notices of it has as many as it gets.
func TestKilledServerTellsOfEveryChange(t *testing.T) {
	t.Parallel() // most of it is waiting for what was under way at the last kill
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	g := &gateway{rng: rand.New(rand.NewPCG(seed, 3)), told: map[string]string{}, codes: map[string]string{}}
	sms := httptest.NewServer(g)
	sms.Config.ErrorLog = nil
	defer sms.Close()
	h := newTextHouse(t, build(t), sms.URL, 8)
	changed := map[*holder]int{} // changes that a cut hid from their holder
	resolve := func() {
		for _, p := range h.holders {
			before := p.pin
			p.resolve(t, h)
			if p.pin != before {
				changed[p]++
			}
		}
	}
	n := kills(t)
	for range n {
		h.start(t)
		resolve()
		run(t, h, time.Duration(rng.IntN(500))*time.Millisecond)
		h.checkDisk(t)
	}
	h.start(t)
	up := time.Now()
	resolve()
	g.mu.Lock()
	g.well = true
	g.mu.Unlock()
	missing := func() (short []string, all int) {
		for _, p := range h.holders {
			want, got := min(p.changes+changed[p], authority.NoticesADay), g.count(p.facts.Phone, notify.PINChanged)
			all += want
			if got != want {
				short = append(short, fmt.Sprintf("%d changes, %d notices", want, got))
			}
		}
		return short, all
	}
	// A message that was under way at the kill is left alone for 30 seconds.
	patience.Until(t, "everybody is told of every change", func() bool { short, _ := missing(); return len(short) == 0 })
	took := time.Since(up)
	time.Sleep(time.Second) // for one too many to come
	short, all := missing()
	if len(short) > 0 {
		t.Errorf("more notices than changes: %s", strings.Join(short, "; "))
	}
	if err := g.err(); err != nil {
		t.Error(err)
	}
	h.kill(t)
	hidden := 0
	for _, n := range changed {
		hidden += n
	}
	t.Logf("%d kills, %d changes, %d of them cut off, all told of %v after the last start; %d texts came again", n, all, hidden, took.Round(time.Millisecond), g.again)
	if all == 0 || h.changes.Load() == 0 {
		t.Error("nothing was changed between the kills; the test proves nothing")
	}
}
