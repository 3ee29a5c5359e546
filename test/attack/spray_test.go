package attack

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/test/printed"
)

// Whoever tries one PIN on many people, a guess each, locks no card. The guard
// must see it, and what it does must say nothing of cards or PINs.

// sprayedPIN is what the thief tries on everybody.
const sprayedPIN = "620594"

// tryLink tries a PIN on a person through the native door, perhaps with evidence, and
// gives the error code, or the verdict.
func (p *party) tryLink(bn string, f registry.Facts, secret string, evidence bool) string {
	p.w.t.Helper()
	ctx, challenge := context.Background(), p.challenge()
	ask := client.DeviceRequest{Channel: p.ID, Action: client.Link, BusinessNo: bn, Purpose: purpose,
		Subject: client.Subject{IDNumber: f.IDNumber, Name: f.Name}, Challenge: challenge}
	sealed, err := ask.SealPIN([]byte(secret))
	must(p.w.t, sealed, err)
	q := client.LinkRequest{BusinessNo: bn, Subject: ask.Subject, Purpose: purpose, Challenge: challenge.Value, PIN: sealed}
	if evidence {
		q.Evidence = p.w.Evidence(f, challenge.Value)
	}
	v, err := p.native.Link(ctx, q)
	if err != nil {
		return client.CodeOf(err)
	}
	return v.Verdict
}

// tryVerify verifies a PIN through a link at the native door.
func (p *party) tryVerify(card, secret string) string {
	p.w.t.Helper()
	challenge := p.challenge()
	ask := client.DeviceRequest{Channel: p.ID, Action: client.Verify, BusinessNo: p.w.number(), Purpose: purpose,
		Subject: client.Subject{Card: card}, Challenge: challenge}
	sealed, err := ask.SealPIN([]byte(secret))
	must(p.w.t, sealed, err)
	v, err := p.native.Verify(context.Background(), client.VerifyRequest{BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: purpose,
		Challenge: challenge.Value, PIN: sealed})
	if err != nil {
		return client.CodeOf(err)
	}
	return v.Verdict
}

// spray tries the PIN on people, and says how many guesses were not refused by
// the guard.
func (p *party) spray(people []registry.Facts) (through int) {
	p.w.t.Helper()
	for _, f := range people {
		switch code := p.tryLink(p.w.number(), f, sprayedPIN, false); code {
		case "refused":
			through++
		case "slow_down":
		default:
			p.w.t.Fatalf("a sprayed guess: %q", code)
		}
	}
	return through
}

// alarms waits for the entries about sprays that Maintain writes beside the
// requests, and counts them by kind.
func (w *world) alarms(want string) map[string]int {
	w.t.Helper()
	count := map[string]int{}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		clear(count)
		w.must(w.System.Store.View(context.Background(), func(r store.Reader) error {
			all, err := storetest.Record(r)
			for _, e := range all {
				if e.Event == audit.GuardAlarm {
					count[e.Outcome]++
				}
			}
			return err
		}))
		if count[want] > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return count
}

// spent is how many guesses the authority has counted at a card, ever.
func (w *world) spent(f registry.Facts) (n uint64) {
	w.t.Helper()
	w.must(w.System.Store.View(context.Background(), func(r store.Reader) error {
		card, err := r.CardByHolder(w.System.Vault.Index("id-number", f.IDNumber))
		n = card.Tally.Spent
		return err
	}))
	return n
}

// sprayed is a world in which a thief sprayed so many people within seconds
// through one channel. Every tenth has a card; the others count alike, since
// nobody may see the difference. rest are people who were left alone.
func sprayed(t *testing.T, o testkit.Options, many int) (w *world, rest []registry.Facts, through int) {
	t.Helper()
	o.People = 3*many/2 + 100
	w = newWorldOf(t, o)
	people := w.People[10 : 10+many]
	for i := 0; i < many; i += 10 {
		w.Enroll(authority.Caller{Client: w.home.Client}, people[i], goodPIN)
	}
	return w, w.People[10+many:], w.shady.spray(people)
}

// TestOnePINOnTwoThousandCards is told to the operator within a minute and
// stopped; whoever comes by a known link or with evidence is not.
func TestOnePINOnTwoThousandCards(t *testing.T) {
	log := &lines{}
	w, rest, through := sprayed(t, testkit.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}, 2000)
	if through > 60 || through < 30 {
		t.Errorf("%d of 2,000 guesses went through", through)
	}
	if n := w.alarms("value_sprayed"); n["value_sprayed"] != 1 {
		t.Errorf("entries in the record: %v", n)
	}
	if s := w.System.Authority.Spraying(); s.Slowed != uint64(2000-through) || len(s.Alarms) == 0 {
		t.Errorf("status: %+v", s)
	}
	if !log.has("ALARM: guesses look like a spray") || log.has(sprayedPIN) {
		t.Error("the log has no alarm, or the PIN")
	}

	rich, poor := rest[0], rest[1] // with a card, and without
	w.Enroll(authority.Caller{Client: w.home.Client}, rich, goodPIN)
	for name, f := range map[string]registry.Facts{"card": rich, "no card": poor} {
		if got := w.shady.tryLink(w.number(), f, sprayedPIN, false); got != "slow_down" {
			t.Errorf("a person with %s: %q", name, got)
		}
	}
	if n := w.spent(rich); n != 0 {
		t.Errorf("%d guesses counted at a card for which the thief was told to slow down", n)
	}
	if got := w.shady.tryLink(w.number(), rich, wrongPIN, false); got != "refused" {
		t.Errorf("another value: %q", got)
	}
	if got := w.shady.tryLink(w.number(), rich, sprayedPIN, true); got != "refused" {
		t.Errorf("with evidence: %q", got)
	}

	if got := w.home.tryVerify(w.card, sprayedPIN); got != "wrong" {
		t.Errorf("through a known link: %q", got)
	}
	mine := w.link(w.shady, w.who, goodPIN)
	before := w.spent(w.who)
	if got := w.shady.tryVerify(mine, sprayedPIN); got != "slow_down" || w.spent(w.who) != before {
		t.Errorf("through a link that is not known: %q, %d counted", got, w.spent(w.who)-before)
	}
	if got := w.shady.tryVerify(mine, goodPIN); got != "right" {
		t.Errorf("another value through it: %q", got)
	}
	w.Clock.Advance(25 * time.Hour)
	if got := w.shady.tryVerify(mine, sprayedPIN); got != "wrong" {
		t.Errorf("a day later: %q", got)
	}
}

// TestSprayingThroughLinks: a thief whose channel is linked to the cards, each link
// too young to be known, gets no further.
func TestSprayingThroughLinks(t *testing.T) {
	w := newWorldOf(t, testkit.Options{People: 100})
	through := 0
	for _, f := range w.People[10:35] {
		w.Enroll(authority.Caller{Client: w.home.Client}, f, goodPIN)
		v, err := w.System.Ceremonies.Link(context.Background(), authority.Caller{Client: w.shady.Client},
			w.LinkRequest(authority.Caller{Client: w.shady.Client}, f, goodPIN))
		must(t, v, err)
		for range 4 { // strangers are stopped at the fourth
			if got := w.shady.tryVerify(string(v.Card), sprayedPIN); got != "slow_down" {
				through++
			}
		}
	}
	if through > 60 {
		t.Errorf("%d of 100 guesses went through", through)
	}
}

// TestRightGuessesOfOneValueGoOn: what ends with another verdict than wrong
// leaves nothing behind, however often the store repeats a transaction.
func TestRightGuessesOfOneValueGoOn(t *testing.T) {
	w := newWorldOf(t, testkit.Options{Store: testkit.Twice})
	v, err := w.System.Ceremonies.Link(context.Background(), authority.Caller{Client: w.shady.Client},
		w.LinkRequest(authority.Caller{Client: w.shady.Client}, w.who, goodPIN))
	must(t, v, err)
	for n := range 100 {
		if got := w.shady.tryVerify(string(v.Card), goodPIN); got != "right" {
			t.Fatalf("the %d. time: %q", n+1, got)
		}
	}
}

// TestSlowDownTakesNoBusinessNumber: the same request goes through later.
func TestSlowDownTakesNoBusinessNumber(t *testing.T) {
	w, rest, _ := sprayed(t, testkit.Options{}, 100)
	owner := rest[0]
	w.Enroll(authority.Caller{Client: w.home.Client}, owner, sprayedPIN)
	bn := w.number()
	if got := w.shady.tryLink(bn, owner, sprayedPIN, false); got != "slow_down" {
		t.Fatalf("the owner of that PIN, as a stranger: %q", got)
	}
	w.Clock.Advance(25 * time.Hour)
	if got := w.shady.tryLink(bn, owner, sprayedPIN, false); got != "right" {
		t.Errorf("the same number a day later: %q", got)
	}
}

// TestThePageOfASlowedGuess leads to an identity check, with which the PIN is
// taken at once, and says that waiting helps, too.
func TestThePageOfASlowedGuess(t *testing.T) {
	w, rest, _ := sprayed(t, testkit.Options{}, 100)
	owner := rest[0]
	w.Enroll(authority.Caller{Client: w.home.Client}, owner, sprayedPIN)
	q := request{action: liuma.ActionLink, about: &owner, bn: w.number()}
	v := w.browser()
	p := w.typed(w.do(w.enter(v, w.shady.pushed(q)), "agree"), sprayedPIN)
	if text := p.Text(); !strings.Contains(text, "二十分钟") || !strings.Contains(text, "实人认证") {
		t.Fatalf("the page says:\n%s", text)
	}
	// Waiting: the same request, pushed again, leads to the pad.
	if p = w.enter(v, w.shady.pushed(q)); p.Pad() == "" {
		t.Fatalf("pushed again, the page is %q", p.Title())
	}
	p = w.do(w.typed(p, sprayedPIN), "return")
	back := p.URL().Query()
	if back.Get("error") != "evidence_required" || back.Get("error_description") != "slow_down" || back.Get("challenge") == "" {
		t.Fatalf("the channel gets %v", back)
	}
	q.challenge = back.Get("challenge")
	q.evidence = w.Evidence(owner, q.challenge)
	if got := w.shady.redeemed(w.typed(w.enter(v, w.shady.pushed(q)), sprayedPIN)); got.Card == "" {
		t.Errorf("with evidence: %+v", got)
	}
}

// TestManyWrongFromOneAddress is an alarm, which names no address outside the
// memory.
func TestManyWrongFromOneAddress(t *testing.T) {
	log := &lines{}
	w := newWorldOf(t, testkit.Options{People: 100, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for i := range 31 {
		q := request{action: liuma.ActionLink, about: &w.People[20+i], bn: w.number()}
		w.typed(w.do(w.enter(w.browser(), w.shady.pushed(q)), "agree"), []string{"948271", "620594", "517263", "806142"}[i%4])
	}
	if n := w.alarms("source_wrong"); n["source_wrong"] != 1 {
		t.Errorf("entries in the record: %v", n)
	}
	if alarms := w.System.Authority.Spraying().Alarms; len(alarms) != 1 || alarms[0].Source != "" {
		t.Errorf("the alarms that are kept: %+v", alarms)
	}
	if log.has("192.0.2") || !log.has("source_wrong") {
		t.Error("the log has the address, or no alarm")
	}
}

// TestARepetitionIsAnsweredWhileItsPINIsSprayed: what was decided stays decided.
func TestARepetitionIsAnsweredWhileItsPINIsSprayed(t *testing.T) {
	w := newWorldOf(t, testkit.Options{People: 200})
	caller := authority.Caller{Client: w.shady.Client}
	q := w.LinkRequest(caller, w.who, sprayedPIN)
	ask := func() string {
		v, err := w.System.Ceremonies.Link(context.Background(), caller, q)
		if err != nil {
			return string(liuma.CodeOf(err))
		}
		return string(v.Code)
	}
	if got := ask(); got != "refused" {
		t.Fatalf("a wrong PIN: %q", got)
	}
	w.shady.spray(w.People[20:120])
	if got := ask(); got != "refused" {
		t.Errorf("again, while it is sprayed: %q", got)
	}
	if got := w.shady.tryLink(w.number(), w.who, sprayedPIN, false); got != "slow_down" {
		t.Errorf("another one: %q", got)
	}
}

// TestSlowDownIsTooManyRequests, with a time to come back.
func TestSlowDownIsTooManyRequests(t *testing.T) {
	w := newWorldOf(t, testkit.Options{People: 200})
	w.shady.spray(w.People[20:120])
	challenge, bn := w.shady.challenge(), w.number()
	ask := client.DeviceRequest{Channel: w.shady.ID, Action: client.Link, BusinessNo: bn, Purpose: purpose,
		Subject: client.Subject{IDNumber: w.who.IDNumber, Name: w.who.Name}, Challenge: challenge}
	sealed, err := ask.SealPIN([]byte(sprayedPIN))
	must(t, sealed, err)
	_, err = w.shady.native.Link(context.Background(), client.LinkRequest{BusinessNo: bn, Subject: ask.Subject, Purpose: purpose, Challenge: challenge.Value, PIN: sealed})
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Status != http.StatusTooManyRequests || p.RetryAfter != 20*time.Minute {
		t.Errorf("%+v", p)
	}
}

// lines is a log that tests look through.
type lines struct{ printed.Log }

func (l *lines) has(s string) bool { return strings.Contains(l.String(), s) }
