package attack

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// Whoever has a client's key does what that client may do, as fast as the server
// can. Each client has rations: what passes them is refused, and the first
// refusal is an alarm.

// freeze asks for a freeze under a number.
func (p *party) freeze(bn, card string) error {
	_, err := p.native.Freeze(context.Background(), client.FreezeRequest{BusinessNo: bn, Subject: client.Subject{Card: card}})
	return err
}

// wantSpent fails the test unless an error is the refusal of a spent ration, with
// a time to come back.
func wantSpent(t *testing.T, what string, err error) {
	t.Helper()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Code != "ration_spent" || p.Status != http.StatusTooManyRequests || p.RetryAfter <= 0 || p.Until.IsZero() {
		t.Errorf("%s: %v, want ration_spent with a time", what, err)
	}
}

// rations are the status's lines about one client's act.
func (w *world) rations(client, act string) (found []admin.RationUse) {
	w.t.Helper()
	if err := w.System.Authority.MaintainOnce(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	s, err := w.System.Admin.Status(context.Background())
	for _, u := range must(w.t, s, err).Serving.Rations.High {
		if u.Client == client && u.Act == act {
			found = append(found, u)
		}
	}
	return found
}

// told counts the entries about a client's spent ration.
func (w *world) told(actor, act string) (n int) {
	w.t.Helper()
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		for _, e := range all {
			if e.Event == audit.RationSpent && e.Actor == actor && e.Outcome == act {
				n++
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// atOnce calls f for 0 to n-1, many at a time, and counts its errors' codes.
func atOnce(n int, f func(i int) error) map[string]int {
	var mu sync.Mutex
	codes := map[string]int{}
	var all sync.WaitGroup
	next := make(chan int)
	for range 32 {
		all.Go(func() {
			for i := range next {
				code := ""
				if err := f(i); err != nil {
					code = client.CodeOf(err)
				}
				mu.Lock()
				codes[code]++
				mu.Unlock()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	return codes
}

// TestAStolenChannelKeyFreezesItsRation: of a thousand freezes at once no more
// than the ration pass, at the native door and from the page, and the channel
// beside it notices nothing.
func TestAStolenChannelKeyFreezesItsRation(t *testing.T) {
	log := &lines{}
	w := newWorldOf(t, testkit.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	most := policy.National().Rations.Freezes.Hour
	const tries = 1000
	numbers := make([]string, tries)
	for i := range numbers {
		numbers[i] = w.number()
	}
	codes := atOnce(tries, func(i int) error { return w.home.freeze(numbers[i], w.card) })
	if codes[""] != most || codes["ration_spent"] != tries-most {
		t.Fatalf("%v, want %d freezes and refusals for the rest", codes, most)
	}
	wantSpent(t, "one more", w.home.freeze(w.number(), w.card))
	if u := w.rations("home-app", "freeze"); len(u) != 1 || u[0].Hour != uint64(most) || u[0].Refused < tries-uint64(most) || u[0].Alarm == nil {
		t.Errorf("status: %+v", u)
	}
	if n := w.told("channel:home-app", "freeze"); n != 1 || !log.has("ALARM: a client has spent a ration") {
		t.Errorf("%d entries", n)
	}
	again := 0
	for _, bn := range numbers[:60] {
		if w.home.freeze(bn, w.card) == nil {
			again++
		}
	}
	if again == 0 {
		t.Error("no answer that was lost is given again")
	}
	q := request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
	v := w.browser()
	if page := w.post(v, ceremony(w.enter(v, w.home.pushed(q))), "freeze", nil); page.Status() != http.StatusTooManyRequests || !strings.Contains(page.Text(), "12333") {
		t.Errorf("from the page: %d %s", page.Status(), page.Text())
	}
	if err := w.watch.freeze(w.number(), w.seen); err != nil {
		t.Errorf("the channel beside it: %v", err)
	}
	w.Clock.Advance(62 * time.Minute)
	if err := w.home.freeze(w.number(), w.card); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

// TestAStolenRegistryKeyCancelsItsRation: of four hundred cancellations fifty
// pass. Losses are counted apart, and another registry client goes on.
func TestAStolenRegistryKeyCancelsItsRation(t *testing.T) {
	w := newWorldOf(t, testkit.Options{People: 460})
	stolen := w.party(store.Client{ID: "mohrss", Kind: store.ClientRegistry})
	other := w.party(store.Client{ID: "zj-hrss", Kind: store.ClientRegistry})
	report := func(p *party, i int, bn, event string) error {
		f := w.People[i]
		_, err := p.native.PhysicalStatus(context.Background(), client.PhysicalRequest{BusinessNo: bn, IDNumber: f.IDNumber, CardNo: f.CardNo, Event: event})
		return err
	}
	most := policy.National().Rations.Cancellations.Hour
	numbers := make([]string, 400)
	for i := range numbers {
		numbers[i] = w.number()
	}
	codes := atOnce(len(numbers), func(i int) error { return report(stolen, 10+i, numbers[i], "cancelled") })
	if codes[""] != most || codes["ration_spent"] != len(numbers)-most {
		t.Fatalf("%v, want %d cancellations and refusals for the rest", codes, most)
	}
	err := report(stolen, 415, w.number(), "cancelled")
	wantSpent(t, "one more", err)
	if p, ok := errors.AsType[*client.Problem](err); !ok || !strings.Contains(p.DetailEN, "import") || p.Reason != "cancellation" {
		t.Errorf("the refusal does not say what to do: %+v", p)
	}
	if u := w.rations("mohrss", "cancellation"); len(u) != 1 || u[0].Alarm == nil || w.told("registry:mohrss", "cancellation") != 1 {
		t.Errorf("status: %+v", u)
	}
	if err := report(stolen, 415, w.number(), "lost"); err != nil {
		t.Errorf("a loss: %v", err)
	}
	if err := report(other, 416, w.number(), "cancelled"); err != nil {
		t.Errorf("the client beside it: %v", err)
	}
}

// TestAChannelsTrafficIsRationed: challenges, pushes and requests about a PIN are
// counted in memory. A restart gives back no more than the last second, a
// repetition is not counted and is answered, and a ceremony that is under way
// goes on.
func TestAChannelsTrafficIsRationed(t *testing.T) {
	rules := policy.National()
	rules.Rations.Verifications = policy.Ration{Hour: 8, Day: 30}
	w := newWorldOf(t, testkit.Options{Policy: &rules})
	if err := w.System.Authority.MaintainOnce(context.Background()); err != nil { // counts what the world was made with
		t.Fatal(err)
	}
	w.Clock.Advance(2 * time.Hour)
	bn := w.number()
	challenge := w.home.challenge()
	ask := client.DeviceRequest{Channel: w.home.ID, Action: client.Verify, BusinessNo: bn, Purpose: purpose,
		Subject: client.Subject{Card: w.card}, Challenge: challenge}
	sealed, err := ask.SealPIN([]byte(goodPIN))
	must(t, sealed, err)
	first := func() error {
		_, err := w.home.native.Verify(context.Background(), client.VerifyRequest{BusinessNo: bn, Subject: ask.Subject, Purpose: purpose,
			Challenge: challenge.Value, PIN: sealed})
		return err
	}
	for range 5 {
		if err := first(); err != nil {
			t.Fatalf("the same request again: %v", err)
		}
	}
	goesOn := request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
	w.home.pushed(goesOn)
	for i := range 6 {
		if got := w.home.tryVerify(w.card, goodPIN); got != "right" {
			t.Fatalf("%d: %s", i, got)
		}
	}
	for range 3 {
		if got := w.home.tryVerify(w.card, goodPIN); got != "ration_spent" {
			t.Errorf("the ninth: %s", got)
		}
	}
	if _, no := w.home.push(request{action: liuma.ActionVerify, card: w.card, bn: w.number()}); no == nil || no.Code != "ration_spent" || no.Status != http.StatusTooManyRequests {
		t.Errorf("a push: %+v", no)
	}
	if err := first(); err != nil {
		t.Errorf("the answer that was lost: %v", err)
	}
	w.home.pushed(goesOn)
	if u := w.rations("home-app", "verification"); len(u) != 1 || u[0].Hour != 8 || u[0].Alarm == nil {
		t.Errorf("status: %+v", u)
	}
	if got := w.watch.tryVerify(w.seen, goodPIN); got != "right" {
		t.Errorf("the channel beside it: %s", got)
	}
}
