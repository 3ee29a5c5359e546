package authority_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testenv"
	"github.com/liuma-pin/liuma/internal/vault"
)

// verified plays a verification by the right PIN in a browser with a device's
// cookie, or without one.
func (x *phoned) verified(device string) (authority.Page, authority.Hand) {
	x.T.Helper()
	p, h := x.OpenPageIn(x.ch, x.push(liuma.ActionVerify), authority.Hand{Device: device})
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, authority.StepDone, "")
	return p, h
}

// know makes a browser a known device and returns its cookie.
func (x *phoned) know(device string) string {
	x.T.Helper()
	p, h := x.verified(device)
	x.want(x.Code(p, h, x.who.Phone), authority.StepDone, "")
	return x.knowIn(p, h)
}

func (x *phoned) knowIn(p authority.Page, h authority.Hand) string {
	x.T.Helper()
	p, err := x.Authority().KnowDevice(x.T.Context(), p.ID, h)
	if err != nil || p.Device == "" || !p.DeviceKnown || p.DeviceOffer {
		x.T.Fatalf("know device: %+v, %v", p, err)
	}
	return p.Device
}

// guess makes one wrong guess on the page and says what became of it.
func (x *phoned) guess(device string) authority.Page {
	x.T.Helper()
	p, h := x.OpenPageIn(x.ch, x.push(liuma.ActionVerify), authority.Hand{Device: device})
	return x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
}

func (x *phoned) devices() (all []store.Device) {
	x.T.Helper()
	id := cardRow(x.T.(*testing.T), x.Env, x.ch, x.card).ID
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) (err error) {
		all, err = r.DevicesOf(id)
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return all
}

func events(t *testing.T, env *testenv.Env) (all []audit.Entry) {
	t.Helper()
	err := env.System.Store.View(t.Context(), func(r store.Reader) error {
		all = nil
		for {
			var after uint64
			if len(all) > 0 {
				after = all[len(all)-1].Seq
			}
			page, err := r.Audit(after, 500)
			if err != nil || len(page) == 0 {
				return err
			}
			all = append(all, page...)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func countEvents(t *testing.T, env *testenv.Env, ev audit.Event, outcome string) (n int) {
	t.Helper()
	for _, e := range events(t, env) {
		if e.Event == ev && e.Outcome == outcome {
			n++
		}
	}
	return n
}

// TestKnowDeviceStory: PIN and code in one browser, then the holder's wish.
func TestKnowDeviceStory(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	p, h := x.verified("")
	if p.DeviceOffer || p.DeviceKnown {
		t.Errorf("a PIN alone: %+v", p)
	}
	_, err := x.Authority().KnowDevice(t.Context(), p.ID, h)
	wantCode(t, err, liuma.CodeCeremonyMoved)
	p = x.Code(p, h, x.who.Phone)
	if !p.DeviceOffer || p.DeviceKnown || p.Device != "" {
		t.Fatalf("PIN and code: %+v", p)
	}
	lost := x.knowIn(p, h) // whose answer was lost
	cookie := x.knowIn(p, h)
	if got := x.devices(); len(got) != 1 || cookie == lost {
		t.Errorf("asked twice: %d devices", len(got))
	}
	h.Device = cookie
	if again := x.knowIn(p, h); again != cookie || len(x.devices()) != 1 {
		t.Error("asked again with the cookie: another device")
	}
	x.Clock.Advance(time.Second)
	if got := x.Notices(x.who.Phone); !slices.Equal(got, []string{"pin_set", "device_known"}) {
		t.Errorf("notices: %v", got)
	}
	if n := countEvents(t, x.Env, audit.DeviceKnown, "ok"); n != 2 {
		t.Errorf("%d audit entries of a new device, want 2", n)
	}
	if x.LastFreezeCode(x.who.Phone) == "" {
		t.Error("the notice has no freeze code")
	}
	x.Clock.Advance(day)
	if p, _ := x.verified(cookie); !p.DeviceKnown || p.DeviceOffer || p.Device != "" {
		t.Errorf("from the device: %+v", p)
	}
	if got := x.devices(); !got[0].Seen.Equal(x.Clock.Now()) || got[0].At.Equal(got[0].Seen) {
		t.Errorf("seen %v, now %v", got[0].Seen, x.Clock.Now())
	}
	if p, _ := x.verified(lost); p.DeviceKnown {
		t.Error("the cookie of the lost answer is known")
	}
}

// TestOneCookieServesAFamily: a browser has one secret for all the cards that
// it is known for, and the cards share nothing else.
func TestOneCookieServesAFamily(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	cookie := x.know("")
	other := &phoned{Env: x.Env, ch: x.ch, who: x.People[1]}
	other.card = x.EnrollPhone(x.ch, other.who, goodPIN)
	if p, _ := other.verified(cookie); p.DeviceKnown {
		t.Error("known for one card, and so for another")
	}
	x.Clock.Advance(time.Minute)
	if again := other.know(cookie); again != cookie {
		t.Error("the browser got a second cookie")
	}
	for _, of := range []*phoned{x, other} {
		if p, _ := of.verified(cookie); !p.DeviceKnown {
			t.Error("one of the two cards forgot the browser")
		}
	}
	if x.devices()[0].MAC == other.devices()[0].MAC {
		t.Error("the database shows that two cards share a browser")
	}
}

// TestDeviceIsOfferedAfterPINAndCode: in whatever ceremony, in this browser.
func TestDeviceIsOfferedAfterPINAndCode(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	p = x.Code(p, h, x.who.Phone)
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	p = x.GivePIN(p, h, liuma.RoleNew, goodPIN)
	if x.want(p, authority.StepDone, ""); !p.DeviceOffer {
		t.Error("not after a reset")
	}
	x.knowIn(p, h)

	freezeIn(x)
	x.Clock.Advance(time.Minute)
	p, h = x.agreed(x.push(liuma.ActionUnfreeze))
	p = x.Code(p, h, x.who.Phone)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	if x.want(p, authority.StepDone, ""); !p.DeviceOffer {
		t.Error("not after an unfreezing")
	}

	two := x.Channel("national")
	p, h = x.OpenPage(two, x.PushFor(two, liuma.ActionLink, identity(x.who), nil))
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	if x.want(p, authority.StepDone, ""); p.DeviceOffer {
		t.Error("after a link, which has no code")
	}
	_, err = x.Authority().KnowDevice(t.Context(), p.ID, h)
	wantCode(t, err, liuma.CodeCeremonyMoved)
}

// TestDeviceIsOfTheVersionThatWasProved: a ceremony that is done makes no
// device known once the PIN that it proved is another, or the card frozen.
func TestDeviceIsOfTheVersionThatWasProved(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(x *phoned)
		want liuma.Code
	}{
		"reset meanwhile":  {func(x *phoned) { x.Clock.Advance(time.Minute); x.resetTo(otherPIN) }, liuma.CodeCeremonyMoved},
		"frozen meanwhile": {func(x *phoned) { freezeIn(x) }, liuma.CodeFrozen},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPhoned(t, testenv.Options{})
			p, h := x.verified("")
			p = x.Code(p, h, x.who.Phone)
			tt.do(x)
			_, err := x.Authority().KnowDevice(t.Context(), p.ID, h)
			wantCode(t, err, tt.want)
			if len(x.devices()) != 0 {
				t.Error("a device is known")
			}
		})
	}
}

// TestReserve: strangers have four of the six guesses, a known device has the
// rest, and all together six.
func TestReserve(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testenv.Options{Shape: shape})
			cookie := x.know("")
			for n := 3; n >= 0; n-- {
				p := x.guess("")
				if p.Verdict != liuma.Wrong || p.TriesLeft == nil || *p.TriesLeft != n {
					t.Fatalf("a stranger's guess: %+v, want %d left", p, n)
				}
			}
			if p := x.guess(""); p.Verdict != liuma.Locked || p.Code != liuma.CodeLocked {
				t.Fatalf("a stranger's fifth: %+v", p)
			}
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Locked {
				t.Fatalf("native, without a device: %+v", v)
			}
			if p := x.guess(cookie); p.Verdict != liuma.Wrong || *p.TriesLeft != 1 {
				t.Fatalf("the device's first: %+v", p)
			}
			x.verified(cookie)
			if p := x.guess(cookie); *p.TriesLeft != 1 {
				t.Fatalf("a right PIN gave the device its guess back: %+v", p)
			}
			if p := x.guess(cookie); p.Verdict != liuma.Wrong || p.Code != liuma.CodeLocked || p.Until.IsZero() {
				t.Fatalf("the sixth in all: %+v", p)
			}
			if p := x.guess(cookie); p.Verdict != liuma.Locked {
				t.Fatalf("a seventh: %+v", p)
			}
		})
	}
}

// TestSixtyHostileDays: somebody makes four wrong guesses a day, as many as a
// stranger may, for sixty days. The owner verifies from a known device every
// day; the strangers' lane closes at thirty and stays so, until the owner
// reopens it from that device.
func TestSixtyHostileDays(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testenv.Options{Shape: shape})
			cookie := x.know("")
			id := cardRow(t, x.Env, x.ch, x.card).ID
			base := counted(t, x.Env, id)[0]
			wrong := 0
			for d := range 60 {
				for range 5 {
					switch v := x.Verify(x.ch, x.card, wrongPIN); {
					case v.Verdict == liuma.Wrong:
						wrong++
					case wrong < 30 && v.Verdict != liuma.Locked, wrong >= 30 && v.Verdict != liuma.Blocked:
						t.Fatalf("day %d, after %d: %+v", d, wrong, v)
					}
				}
				if p, _ := x.OpenPage(x.ch, x.push(liuma.ActionVerify)); p.Step != authority.StepRefused || p.LaneClosed != (wrong >= 30) {
					t.Fatalf("day %d: a stranger's page: %+v", d, p)
				}
				p, h := x.OpenPageIn(x.ch, x.push(liuma.ActionVerify), authority.Hand{Device: cookie})
				if p.TriesLeft == nil || *p.TriesLeft < 2 || p.LaneClosed != (wrong >= 30) {
					t.Fatalf("day %d, after %d: %+v", d, wrong, p)
				}
				x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), authority.StepDone, "")
				x.Clock.Advance(day)
			}
			if wrong != 30 {
				t.Fatalf("%d hostile guesses were evaluated, want 30", wrong)
			}
			got := counted(t, x.Env, id)[0] - base
			for end := time.Now().Add(5 * time.Second); got != 30+60 && time.Now().Before(end); got = counted(t, x.Env, id)[0] - base {
				time.Sleep(5 * time.Millisecond) // right is said before the last keeper has answered
			}
			if got != 30+60 {
				t.Errorf("a keeper counted %d, want 90", got)
			}
			if got := x.Notices(x.who.Phone); got[len(got)-1] != "strangers_stopped" || slices.Contains(got, "pin_blocked") {
				t.Errorf("notices: %v", got)
			}
			p := x.guess("")
			if p.Step != authority.StepRefused || p.Code != liuma.CodeBlocked || !p.LaneClosed {
				t.Errorf("a stranger's page: %+v", p)
			}
			reopenBy(t, x, cookie)
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
				t.Errorf("after reopening: %+v", v)
			}
		})
	}
}

// reopenBy reopens the strangers' lane, which a stranger's wish does not, nor
// a wrong PIN's.
func reopenBy(t *testing.T, x *phoned, cookie string) {
	t.Helper()
	for _, as := range []struct{ device, pin string }{{"", goodPIN}, {cookie, wrongPIN}, {cookie, goodPIN}} {
		p, h := x.OpenPageIn(x.ch, x.push(liuma.ActionVerify), authority.Hand{Device: as.device})
		if as.device == "" {
			x.want(p, authority.StepRefused, liuma.CodeBlocked)
			continue
		}
		p, err := x.Authority().GivePIN(t.Context(), p.ID, h, authority.Given{Try: p.Try, Reopen: true,
			Current: x.SealPage(p, liuma.RoleCurrent, as.pin)})
		if done := as.pin == goodPIN; err != nil || (p.Step == authority.StepDone) != done {
			t.Fatalf("%+v: %+v, %v", as, p, err)
		}
	}
}

// TestBlockedFromAKnownDevice: thirty wrong PINs from known devices block the
// PIN until it is reset, and a reset leaves no device known.
func TestBlockedFromAKnownDevice(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	cookie := x.know("")
	var p authority.Page
	for n := 0; n < 30; {
		if p = x.guess(cookie); p.Verdict == liuma.Wrong {
			n++
			continue
		}
		x.Clock.Advance(day)
	}
	if p.Code != liuma.CodeBlocked || p.Verdict != liuma.Wrong || p.LaneClosed {
		t.Errorf("the thirtieth: %+v", p)
	}
	x.resetTo(goodPIN)
	if len(x.devices()) != 0 {
		t.Error("a device is known after a reset")
	}
	if p, _ := x.verified(cookie); p.DeviceKnown {
		t.Error("the page still knows it")
	}
	if p := x.guess(cookie); *p.TriesLeft != 5 {
		t.Errorf("after a reset, without a device: %+v", p)
	}
}

// TestWhenDevicesAreDropped: by what shows that a thief may have one, and not
// by what only the holder's everyday brings.
func TestWhenDevicesAreDropped(t *testing.T) {
	reg := func(x *phoned, ev authority.PhysicalEvent) {
		if _, err := physical(x.Env, x.RegistryClient("mohrss"), x.who, ev, ""); err != nil {
			x.T.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		do   func(x *phoned)
		kept bool
	}{
		"reset":     {func(x *phoned) { x.resetTo(otherPIN) }, false},
		"cancelled": {func(x *phoned) { reg(x, authority.PhysicalCancelled) }, false},
		"lost":      {func(x *phoned) { reg(x, authority.PhysicalLost) }, true},
		"change":    {func(x *phoned) { x.Change(x.ch, x.card, goodPIN, otherPIN) }, true},
		"rebind":    {func(x *phoned) { x.rebindTo("13900000009") }, true},
		"freeze":    {freezeIn, true},
		"unfreeze": {func(x *phoned) {
			freezeIn(x)
			p, h := x.agreed(x.push(liuma.ActionUnfreeze))
			p = x.Code(p, h, x.who.Phone)
			x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), authority.StepDone, "")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPhoned(t, testenv.Options{})
			x.know("")
			x.Clock.Advance(time.Minute)
			tt.do(x)
			if got := len(x.devices()) == 1; got != tt.kept {
				t.Errorf("kept %v, want %v", got, tt.kept)
			}
		})
	}
}

// TestDevicesAreFewAndSeen: the sixth takes the place of that seen longest
// ago, and one that was not seen for 400 days is none, nor keeps a reserve.
func TestDevicesAreFewAndSeen(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	var cookies []string
	for range 5 {
		cookies = append(cookies, x.know(""))
		x.Clock.Advance(day)
	}
	x.verified(cookies[0])
	x.know("")
	for n, want := range []bool{true, false, true} {
		if p, _ := x.verified(cookies[n]); p.DeviceKnown != want {
			t.Errorf("device %d: known %v", n, p.DeviceKnown)
		}
	}
	if n := len(x.devices()); n != 5 {
		t.Errorf("%d devices", n)
	}
	x.Clock.Advance(399 * day)
	if p, _ := x.verified(cookies[0]); !p.DeviceKnown {
		t.Error("forgotten after 399 days")
	}
	x.Clock.Advance(399 * day)
	if p := x.guess(""); *p.TriesLeft != 3 {
		t.Errorf("no reserve for the device that is left: %+v", p)
	}
	x.Clock.Advance(2 * day)
	p := x.guess(cookies[0])
	if *p.TriesLeft != 5 {
		t.Errorf("a reserve for nobody: %+v", p)
	}
	if p, _ := x.verified(cookies[0]); p.DeviceKnown {
		t.Error("known after 401 days")
	}
}

// TestADatabaseMakesNoDeviceKnown: rows that somebody wrote, of no secret or
// of another card's, give nobody the lane.
func TestADatabaseMakesNoDeviceKnown(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	own := &phoned{Env: x.Env, ch: x.ch, who: x.People[1]}
	own.card = x.EnrollPhone(x.ch, own.who, goodPIN)
	x.Clock.Advance(time.Minute)
	cookie := own.know("")
	forged, other := own.devices()[0], own.devices()[0]
	forged.Card = cardRow(t, x.Env, x.ch, x.card).ID
	other.Card, other.MAC = forged.Card, vault.MAC{1}
	tamper(t, x.Env, func(tx store.Tx) error { return tx.PutDevice(forged) })
	tamper(t, x.Env, func(tx store.Tx) error { return tx.PutDevice(other) })
	for _, c := range []string{cookie, "", "x", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if p, _ := x.verified(c); p.DeviceKnown {
			t.Errorf("known by %q", c)
		}
	}
}

// TestAStolenDeviceIsALane (I-12): a device's cookie, with a session in the
// holder's channel, proves nothing and shows nothing that the session does not.
func TestAStolenDeviceIsALane(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	cookie := x.know("")
	x.Clock.Advance(time.Minute)
	for _, action := range []liuma.Action{liuma.ActionVerify, liuma.ActionChange, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		var seen []authority.Page
		for _, device := range []string{cookie, ""} {
			p, h := x.OpenPage(x.ch, x.push(action))
			h.Device = device
			if p.Step == authority.StepConfirm {
				if _, err := x.Authority().Agree(t.Context(), p.ID, h); err != nil {
					t.Fatal(err)
				}
			}
			p, err := x.Authority().Look(t.Context(), p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, p)
			_, err = x.Authority().KnowDevice(t.Context(), p.ID, h)
			wantCode(t, err, liuma.CodeCeremonyMoved)
		}
		a, b := seen[0], seen[1]
		if a.Step != b.Step || a.Code != b.Code || a.NameMasked != b.NameMasked || a.PhoneMasked != b.PhoneMasked || a.DeviceKnown != b.DeviceKnown {
			t.Errorf("%s: with the cookie %+v, without %+v", action, a, b)
		}
	}
	// A cookie of another ceremony's hand is no device, and a device no hand.
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	_, err := x.Authority().GivePIN(t.Context(), p.ID, authority.Hand{Device: h.Secret}, authority.Given{Try: 1})
	wantCode(t, err, liuma.CodeCeremonyElsewhere)
	_, err = x.Authority().GivePIN(t.Context(), p.ID, authority.Hand{Secret: cookie, Device: cookie}, authority.Given{Try: 1})
	wantCode(t, err, liuma.CodeCeremonyElsewhere)
}

// TestTriesLeftAtTheFirstLook: the pad says it before a guess is spent, and
// only to whom a channel is linked.
func TestTriesLeftAtTheFirstLook(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	id := cardRow(t, x.Env, x.ch, x.card).ID
	for want := 6; want > 0; want-- {
		before := counted(t, x.Env, id)[0]
		p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
		if p.TriesLeft == nil || *p.TriesLeft != want || p.Code != "" || counted(t, x.Env, id)[0] != before {
			t.Fatalf("first look: %+v, want %d left", p, want)
		}
		p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
		if *p.TriesLeft != want-1 {
			t.Fatalf("after a wrong PIN: %+v", p)
		}
	}
	far := x.Channel("national")
	for name, q := range map[string]authority.Push{
		"named":           x.PushFor(far, liuma.ActionLink, identity(x.who), nil),
		"handle of other": x.PushFor(far, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, nil),
	} {
		p, h := x.OpenPage(far, q)
		if p.Step == authority.StepConfirm {
			var err error
			if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil {
				t.Fatal(err)
			}
		}
		if p.Step != authority.StepPIN || p.TriesLeft != nil || !p.Until.IsZero() || p.LaneClosed {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestTheSixthWrongPINSaysLocked, at both doors and on the way back; the
// thirtieth says blocked. The verdict stays wrong: it was evaluated.
func TestTheSixthWrongPINSaysLocked(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	for range 5 {
		if v := x.Verify(x.ch, x.card, wrongPIN); v.Code != liuma.CodeWrong || !v.Until.IsZero() {
			t.Fatalf("%+v", v)
		}
	}
	until := x.Clock.Now().Add(day)
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
	x.want(p, authority.StepRefused, liuma.CodeLocked)
	if p.Verdict != liuma.Wrong || *p.TriesLeft != 0 || !p.Until.Equal(until) {
		t.Errorf("page: %+v", p)
	}
	if back := x.WayBack(p, h); back.Get("error_description") != string(liuma.CodeLocked) {
		t.Errorf("way back: %v", back)
	}
	v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo)
	if err != nil || v.Verdict != liuma.Wrong || v.Code != liuma.CodeLocked || *v.TriesLeft != 0 || !v.Until.Equal(until) {
		t.Errorf("by business number: %+v, %v", v, err)
	}
	if p, err := x.Authority().Forgot(t.Context(), p.ID, h); err != nil || p.Step != authority.StepCode {
		t.Errorf("the page leads on to a reset: %+v, %v", p, err)
	}
	var last authority.Verification
	for n := 6; n < 30; {
		if v := x.Verify(x.ch, x.card, wrongPIN); v.Verdict == liuma.Wrong {
			last = v
			n++
			continue
		}
		x.Clock.Advance(day)
	}
	if last.Code != liuma.CodeBlocked || !last.Until.IsZero() || *last.TriesLeft != 0 {
		t.Errorf("the thirtieth: %+v", last)
	}
	if got := x.Notices(x.who.Phone); got[len(got)-1] != "pin_blocked" || !slices.Contains(got, "pin_locked") {
		t.Errorf("notices: %v", got)
	}
}

// TestReminderOfAnOldPIN: with a right PIN, on the page and by a notice, and
// the notice once in four weeks.
func TestReminderOfAnOldPIN(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	count := func() (n int) {
		for _, name := range x.Notices(x.who.Phone) {
			if name == "rotation_reminder" {
				n++
			}
		}
		return n
	}
	x.Clock.Advance(360 * day)
	if p, _ := x.verified(""); p.RemindChange || count() != 0 {
		t.Fatal("reminded of a PIN that is not a year old")
	}
	x.Clock.Advance(3 * day)
	x.Verify(x.ch, x.card, wrongPIN)
	if count() != 0 {
		t.Error("a wrong PIN reminds")
	}
	for range 3 {
		if p, _ := x.verified(""); !p.RemindChange || count() != 1 {
			t.Fatalf("reminded %d times, on the page %v", count(), p.RemindChange)
		}
		x.Verify(x.ch, x.card, goodPIN)
		x.Clock.Advance(9 * day)
	}
	texts := x.Texts(x.who.Phone)
	var params map[string]string
	for _, text := range texts {
		if text.Template == "rotation_reminder" {
			params = text.Params
		}
	}
	if params["days"] != "366" || params["at"] == "" || params["freeze"] == "" {
		t.Errorf("reminder: %v", params)
	}
	x.Clock.Advance(2 * day)
	if x.verified(""); count() != 2 {
		t.Errorf("after four weeks: %d", count())
	}
	x.Change(x.ch, x.card, goodPIN, otherPIN)
	x.Clock.Advance(40 * day)
	if x.Verify(x.ch, x.card, otherPIN); count() != 2 {
		t.Errorf("after a change: %d", count())
	}
}

// TestWhatTheAuditRecordSaysOfLinksAndCodes: a link that was made, a code that
// was refused, and a guess that came to no verdict each have their entry.
func TestWhatTheAuditRecordSaysOfLinksAndCodes(t *testing.T) {
	x := newPhoned(t, testenv.Options{})
	two := x.Channel("national")
	for range 2 { // the second finds the link there
		if v, err := x.Authority().Link(t.Context(), two, x.LinkRequest(two, x.who, goodPIN)); err != nil || v.Verdict != liuma.Right {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	if n := countEvents(t, x.Env, audit.CardLinked, "right"); n != 1 {
		t.Errorf("%d links recorded, want 1", n)
	}
	p, h := x.verified("")
	code := x.WayBack(p, h).Get("code")
	for _, try := range []struct{ redirect, verifier string }{
		{testenv.RedirectURI + "/", testenv.Verifier}, {testenv.RedirectURI, testenv.Verifier + "x"}} {
		_, err := x.Authority().RedeemCode(t.Context(), x.ch, code, try.redirect, try.verifier)
		wantCode(t, err, liuma.CodeCodeInvalid)
	}
	if n := countEvents(t, x.Env, audit.CodeRefused, string(liuma.CodeCodeInvalid)); n != 2 {
		t.Errorf("%d refused codes recorded, want 2", n)
	}
	if _, err := x.Authority().RedeemCode(t.Context(), x.ch, code, testenv.RedirectURI, testenv.Verifier); err != nil {
		t.Errorf("the code is void after a refusal: %v", err)
	}
	env, hooks := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	hooks.set(once(func() { env.Clock.Advance(time.Minute) }), nil)
	_, err := env.Authority().Verify(t.Context(), ch, env.VerifyRequest(ch, card, goodPIN))
	wantCode(t, err, liuma.CodeUnavailable)
	if n := countEvents(t, env, audit.AttemptUndecided, string(liuma.CodeUndecided)); n != 1 {
		t.Errorf("%d undecided attempts recorded, want 1", n)
	}
}

// TestAPINProvesNothingForAnotherBrowser: while the keepers work on the
// holder's PIN, somebody who can push goes on with the ceremony elsewhere. The
// PIN was not given there, and counts for nothing there.
func TestAPINProvesNothingForAnotherBrowser(t *testing.T) {
	hook := &hooks{}
	x := newPhoned(t, testenv.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
	swapped := func(q authority.Push) (p authority.Page, thief authority.Hand) {
		p, h := x.OpenPage(x.ch, q)
		if p.Step == authority.StepConfirm {
			var err error
			if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil {
				t.Fatal(err)
			}
		}
		hook.set(once(func() { _, thief = x.OpenPage(x.ch, q) }), nil)
		defer hook.set(nil, nil)
		x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
		p, err := x.Authority().Look(t.Context(), p.ID, thief)
		if err != nil || p.Elsewhere {
			t.Fatalf("the thief does not have the ceremony: %+v, %v", p, err)
		}
		return p, thief
	}
	q := x.push(liuma.ActionRebind)
	p, h := swapped(q)
	x.want(p, authority.StepPIN, "")
	if _, err := x.Authority().GivePhone(t.Context(), p.ID, h, thiefNumber); err == nil {
		t.Error("a number is taken without a PIN of this browser")
	}
	p, h = swapped(x.push(liuma.ActionVerify))
	x.want(p, authority.StepDone, "")
	if p = x.Code(p, h, x.who.Phone); p.DeviceOffer {
		t.Error("a device is offered to a browser that gave no PIN")
	}
	_, err := x.Authority().KnowDevice(t.Context(), p.ID, h)
	wantCode(t, err, liuma.CodeCeremonyMoved)
}
