package attack

import (
	"context"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/sqlitefile/mishap"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// Whoever moves the machine's clock, or lies to it over the network, must not
// be able to use again what is used once, nor get more guesses, nor end what
// waits (I-15).

const day = 24 * time.Hour

// readyz asks whether the server is ready, and gives status and reason.
func (w *world) readyz() (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, native+"/readyz", http.NoBody)
	must(w.t, r, err)
	return w.answered(r)
}

// ahead sets the clock ahead for 13 seconds, lets the server do what it does in
// the background, and sets it back. Half way through the server may be started
// anew, since a restart must not believe the clock either.
func (w *world) ahead(by time.Duration, restart bool) {
	w.t.Helper()
	w.Clock.Step(by)
	w.settle()
	if restart {
		w.restart()
	}
	w.Clock.Advance(13 * time.Second)
	w.settle()
	w.Clock.Step(-by)
}

// settle runs what Maintain does every ten seconds.
func (w *world) settle() {
	w.t.Helper()
	w.must(w.System.Authority.MaintainOnce(context.Background()))
	w.must(w.System.Ceremonies.MaintainOnce(context.Background()))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// restart ends the server, changes its files, and starts it again with its
// doors in their places.
func (w *world) restart(changes ...func()) {
	w.t.Helper()
	w.Close()
	for _, change := range changes {
		change()
	}
	w.Open()
	w.net.add(hosted, w.System.Hosted.Handler)
	w.net.add(native, w.System.Door.Handler)
}

// TestAClockAheadFreesNothingUsed: ten minutes or a month ahead for 13 seconds and
// back, and a caught client assertion and caught evidence are still used.
func TestAClockAheadFreesNothingUsed(t *testing.T) {
	for name, restart := range map[string]bool{"served": false, "restarted": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			assertion := w.home.signed("JWT", hosted)
			if status, reason := w.home.pushWith(assertion); status != http.StatusCreated {
				t.Fatalf("the push: %d %s", status, reason)
			}
			reset := w.home.proved(request{action: liuma.ActionReset, card: w.card, bn: w.number()}, w.who)
			w.home.pushed(reset)
			for _, by := range []time.Duration{10 * time.Minute, 31 * day} {
				w.ahead(by, restart)
				if status, _ := w.home.pushWith(assertion); status != http.StatusUnauthorized {
					t.Errorf("%v ahead, the assertion again: %d", by, status)
				}
				reset.bn = w.number()
				if _, no := w.home.push(reset); no == nil || no.Code != "evidence_used" {
					t.Errorf("%v ahead, the evidence again: %+v", by, no)
				}
			}
		})
	}
}

// TestWhatPassedAheadPassesOnce: what was accepted while the clock
// was ahead is used when the true time gets there, too.
func TestWhatPassedAheadPassesOnce(t *testing.T) {
	w := newWorld(t, false)
	w.Clock.Step(time.Hour)
	assertion := w.home.signed("JWT", hosted)
	if status, reason := w.home.pushWith(assertion); status != http.StatusCreated {
		t.Fatalf("the push: %d %s", status, reason)
	}
	w.Clock.Step(-time.Hour)
	for range 70 {
		if status, _ := w.home.pushWith(assertion); status == http.StatusCreated {
			t.Fatalf("the assertion passed again, at %v", w.Clock.Now())
		}
		w.Clock.Advance(time.Minute)
		w.settle()
	}
}

// TestAClockAheadGivesNoGuess: 31 days ahead and back, and a locked PIN stays
// locked for the rest of its day.
func TestAClockAheadGivesNoGuess(t *testing.T) {
	for name, restart := range map[string]bool{"served": false, "restarted": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			for range 6 {
				w.attempt(wrongPIN, "")
			}
			w.Clock.Step(31 * day)
			w.settle()
			if got := w.attempt(goodPIN, ""); got != "locked" {
				t.Errorf("31 days ahead: %q", got)
			}
			w.Clock.Step(-31 * day)
			w.ahead(31*day, restart)
			if got := w.attempt(goodPIN, ""); got != "locked" {
				t.Errorf("31 days ahead and back: %q", got)
			}
			w.Clock.Advance(day - 14*time.Second)
			if got := w.attempt(goodPIN, ""); got != "locked" {
				t.Errorf("a second before its end: %q", got)
			}
			w.Clock.Advance(time.Second)
			if got := w.attempt(goodPIN, ""); got != "right" {
				t.Errorf("after a day: %q", got)
			}
		})
	}
}

// TestAClockAheadGivesNoCode: the codes that a number may get in a day stay
// counted.
func TestAClockAheadGivesNoCode(t *testing.T) {
	w := newWorld(t, false)
	ask := func() {
		q := w.home.proved(request{action: liuma.ActionReset, card: w.card, bn: w.number()}, w.who)
		p := w.do(w.enter(w.browser(), w.home.pushed(q)), "agree")
		_, _ = p.Press(context.Background(), "send-code", nil) // the page may have no such button any more
		w.do(p, "leave") // ten may be open at a time
		w.Sent()
		w.Clock.Advance(time.Minute)
	}
	for range 24 {
		ask()
	}
	before := len(w.Texts(w.who.Phone))
	if ask(); len(w.Texts(w.who.Phone)) != before {
		t.Fatalf("codes are not limited: %d", before)
	}
	w.Clock.Step(31 * day)
	w.settle()
	ask()
	w.restart()
	ask()
	w.Clock.Step(-31 * day)
	ask()
	if got := len(w.Texts(w.who.Phone)); got != before {
		t.Errorf("%d texts after the clock was moved, %d before", got, before)
	}
}

// TestAClockAheadEndsNoWait: the 72 hours of a new link are not over because
// the clock says so.
func TestAClockAheadEndsNoWait(t *testing.T) {
	w := newWorld(t, false)
	thief := w.link(w.shady, w.who, goodPIN)
	change := func() string {
		ctx := context.Background()
		challenge, err := w.shady.native.Challenge(ctx)
		must(t, challenge, err)
		ask := client.DeviceRequest{Channel: w.shady.ID, Action: client.Change, BusinessNo: w.number(), Purpose: purpose,
			Subject: client.Subject{Card: thief}, Challenge: challenge}
		old, fresh, err := ask.SealChange([]byte(goodPIN), []byte(thiefPIN))
		must(t, old, err)
		v, err := w.shady.native.Change(ctx, client.ChangeRequest{BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: purpose,
			Challenge: challenge.Value, OldPIN: old, NewPIN: fresh})
		if err != nil {
			return client.CodeOf(err)
		}
		return v.Verdict
	}
	w.Clock.Step(80 * time.Hour)
	if got := change(); got == "right" {
		t.Error("80 hours ahead: the thief changed the PIN")
	}
	w.ahead(80*time.Hour, true)
	if got := change(); got == "right" {
		t.Error("with a restart: the thief changed the PIN")
	}
	w.Clock.Step(-80 * time.Hour)
	if got := w.attempt(goodPIN, ""); got != "right" {
		t.Errorf("the holder: %q", got)
	}
}

// TestAClockAheadForgetsNoNumber: a business number that was used stays used.
func TestAClockAheadForgetsNoNumber(t *testing.T) {
	w := newWorld(t, false)
	q := request{action: liuma.ActionVerify, card: w.card, bn: w.number()}
	w.typed(w.enter(w.browser(), w.home.pushed(q)), goodPIN)
	w.ahead(400*day, true)
	other := q
	other.card, other.about, other.action = "", &w.who, liuma.ActionLink
	if _, no := w.home.push(other); no == nil || no.Code != "business_no_used" {
		t.Errorf("another request under the number: %+v", no)
	}
}

// TestAClockBehindServesNothing: more than a minute behind, every door says that
// the service is unavailable and /readyz says why, also after a restart; when
// the clock is right again, the same server serves.
func TestAClockBehindServesNothing(t *testing.T) {
	for name, restart := range map[string]bool{"served": false, "restarted": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			if got := w.attempt(goodPIN, ""); got != "right" {
				t.Fatalf("to begin with: %q", got)
			}
			w.Clock.Step(-59 * time.Second)
			if status, _ := w.readyz(); status != http.StatusOK {
				t.Errorf("59 s behind: %d", status)
			}
			if got := w.attempt(goodPIN, ""); got != "right" {
				t.Errorf("59 s behind: %q", got)
			}
			w.Clock.Step(-2 * time.Second)
			if restart {
				w.restart()
			}
			if status, reason := w.readyz(); status != http.StatusServiceUnavailable || reason != "clock_behind" {
				t.Errorf("61 s behind: %d %s", status, reason)
			}
			if got := w.attempt(goodPIN, ""); got != "unavailable" {
				t.Errorf("61 s behind: %q", got)
			}
			if status, _ := w.home.pushWith(w.home.signed("JWT", hosted)); status != http.StatusServiceUnavailable {
				t.Errorf("61 s behind, a push: %d", status)
			}
			w.Clock.Step(61 * time.Second)
			if status, _ := w.readyz(); status != http.StatusOK {
				t.Errorf("right again: %d", status)
			}
			if got := w.attempt(goodPIN, ""); got != "right" {
				t.Errorf("right again: %q", got)
			}
		})
	}
}

// TestAMachineThatWasOff: after a reboot nothing is freed, a person is told the
// end of a lock by the clock on the wall, and the recorded act ends the delay.
func TestAMachineThatWasOff(t *testing.T) {
	w := newWorld(t, false)
	for range 6 {
		w.attempt(wrongPIN, "")
	}
	w.Close()
	w.Clock.Reboot(7 * day)
	w.Open()
	w.net.add(hosted, w.System.Hosted.Handler)
	w.net.add(native, w.System.Door.Handler)
	bn := w.number()
	challenge, err := w.home.native.Challenge(t.Context())
	ask := client.DeviceRequest{Channel: w.home.ID, Action: client.Verify, BusinessNo: bn, Purpose: purpose,
		Subject: client.Subject{Card: w.card}, Challenge: must(t, challenge, err)}
	sealed, err := ask.SealPIN([]byte(goodPIN))
	v, err2 := w.home.native.Verify(t.Context(), client.VerifyRequest{BusinessNo: bn, Subject: ask.Subject, Purpose: purpose,
		Challenge: challenge.Value, PIN: must(t, sealed, err)})
	if must(t, v, err2); v.Verdict != "locked" || v.Until == nil || !v.Until.Equal(w.Clock.Now().Add(day)) {
		t.Fatalf("after the reboot: %+v; want a lock for a day from %v", v, w.Clock.Now())
	}
	if _, err := w.System.Admin.AcceptClock(t.Context(), "the machine was off for a week"); err != nil {
		t.Fatal(err)
	}
	if got := w.attempt(goodPIN, ""); got != "right" {
		t.Errorf("after the recorded act: %q", got)
	}
}

// TestReadyzKnowsAFullDisk: an idle server whose disk has no room is not ready,
// whether it is the authority's disk or a keeper's, and is ready again with room.
func TestReadyzKnowsAFullDisk(t *testing.T) {
	for name, ledgerOnly := range map[string]bool{"everything": false, "the ledger": true} {
		t.Run(name, func(t *testing.T) {
			disk := mishap.SmallDisk(t, 32)
			o := testkit.Options{Dir: filepath.Join(disk.Dir, "data")}
			if ledgerOnly {
				o.Dir = ""
				o.Configure = func(c *config.Config) { c.Keepers.Directories = []string{filepath.Join(disk.Dir, "k1")} }
			}
			w := newWorldOf(t, o)
			disk.Fill()
			w.untilFull(goodPIN)
			if status, _ := w.readyz(); status != http.StatusServiceUnavailable {
				t.Errorf("on a full disk: %d", status)
			}
			disk.Free()
			if status, reason := w.readyz(); status != http.StatusOK {
				t.Errorf("with room again: %d %s", status, reason)
			}
		})
	}
}

// elsewhere is a keeper whose machine's clock is off by two minutes, once it is
// said to be.
type elsewhere struct {
	keeper.Keeper
	off *atomic.Bool
}

func (k elsewhere) header(h keeper.Header) keeper.Header {
	if k.off.Load() {
		h.Now = h.Now.Add(2 * time.Minute)
	}
	return h
}

func (k elsewhere) Admit(ctx context.Context, h keeper.Header) error {
	return k.Keeper.Admit(ctx, k.header(h))
}

func (k elsewhere) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	q.Header = k.header(q.Header)
	return k.Keeper.Attempt(ctx, q)
}

// TestReadyzKnowsAKeepersClock: keepers whose clock is off refuse every attempt,
// and /readyz says so.
func TestReadyzKnowsAKeepersClock(t *testing.T) {
	var off atomic.Bool
	w := newWorldOf(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return elsewhere{k, &off} }})
	if status, _ := w.readyz(); status != http.StatusOK {
		t.Errorf("to begin with: %d", status)
	}
	off.Store(true)
	if got := w.attempt(goodPIN, ""); got != "unavailable" {
		t.Errorf("an attempt: %q", got)
	}
	if status, _ := w.readyz(); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", status)
	}
}
