package ceremony_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// verified plays a verification with the right PIN in a browser with or without
// a device's cookie.
func (x *phoned) verified(device string) (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	p, h := x.OpenPageIn(x.ch, x.push(liuma.ActionVerify), ceremony.Hand{Device: device})
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepDone, "")
	return p, h
}

// know makes a browser a known device and returns its cookie.
func (x *phoned) know(device string) string {
	x.T.Helper()
	p, h := x.verified(device)
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepDone, "")
	return x.knowIn(p, h)
}

func (x *phoned) knowIn(p ceremony.Page, h ceremony.Hand) string {
	x.T.Helper()
	p, err := x.Authority().KnowDevice(x.T.Context(), p.ID, h)
	if err != nil || p.Device == "" || !p.DeviceKnown || p.DeviceOffer {
		x.T.Fatalf("know device: %+v, %v", p, err)
	}
	return p.Device
}

// guess makes one wrong guess on the page and returns its outcome.
func (x *phoned) guess(device string) ceremony.Page {
	x.T.Helper()
	p, h := x.OpenPageIn(x.ch, x.push(liuma.ActionVerify), ceremony.Hand{Device: device})
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

func events(t *testing.T, env *testkit.Env) (all []audit.Recorded) {
	t.Helper()
	err := env.System.Store.View(t.Context(), func(r store.Reader) (err error) {
		all, err = storetest.Record(r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func countEvents(t *testing.T, env *testkit.Env, ev audit.Event, outcome string) (n int) {
	t.Helper()
	for _, e := range events(t, env) {
		if e.Event == ev && e.Outcome == outcome {
			n++
		}
	}
	return n
}

// TestKnowDeviceStory: PIN and one-time code in one browser, then the holder
// makes it known.
func TestKnowDeviceStory(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
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
	lost := x.knowIn(p, h) // the answer to this was lost
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
// it is known for, and nothing else is shared between the cards.
func TestOneCookieServesAFamily(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
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

// TestDeviceIsOfferedAfterPINAndCode: in every kind of ceremony, in this
// browser only.
func TestDeviceIsOfferedAfterPINAndCode(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	p = x.Code(p, h, x.who.Phone)
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	p = x.GivePIN(p, h, liuma.RoleNew, goodPIN)
	if x.want(p, ceremony.StepDone, ""); !p.DeviceOffer {
		t.Error("not after a reset")
	}
	x.knowIn(p, h)

	freezeIn(x)
	x.Clock.Advance(time.Minute)
	p, h = x.agreed(x.push(liuma.ActionUnfreeze))
	p = x.Code(p, h, x.who.Phone)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	if x.want(p, ceremony.StepDone, ""); !p.DeviceOffer {
		t.Error("not after an unfreezing")
	}

	two := x.Channel("national")
	p, h = x.OpenPage(two, x.PushFor(two, liuma.ActionLink, identity(x.who), nil))
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	if x.want(p, ceremony.StepDone, ""); p.DeviceOffer {
		t.Error("after a link, which has no code")
	}
	_, err = x.Authority().KnowDevice(t.Context(), p.ID, h)
	wantCode(t, err, liuma.CodeCeremonyMoved)
}

// TestDeviceIsOfTheVersionThatWasProved: a ceremony that is done makes no
// device known after the PIN was changed or the card frozen.
func TestDeviceIsOfTheVersionThatWasProved(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(x *phoned)
		want liuma.Code
	}{
		"reset meanwhile":  {func(x *phoned) { x.Clock.Advance(time.Minute); x.resetTo(otherPIN) }, liuma.CodeCeremonyMoved},
		"frozen meanwhile": {func(x *phoned) { freezeIn(x) }, liuma.CodeFrozen},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
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

// TestWhenDevicesAreDropped: when something shows that a thief may have one,
// but not in the holder's normal use.
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
			x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			x.know("")
			x.Clock.Advance(time.Minute)
			tt.do(x)
			if got := len(x.devices()) == 1; got != tt.kept {
				t.Errorf("kept %v, want %v", got, tt.kept)
			}
		})
	}
}

// TestDevicesAreFewAndSeen: the sixth replaces the one seen longest ago, and
// one that was not seen for 400 days is not known any more and keeps no
// reserve.
func TestDevicesAreFewAndSeen(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
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

// TestADatabaseMakesNoDeviceKnown: rows that a thief wrote are refused.
func TestADatabaseMakesNoDeviceKnown(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	own := &phoned{Env: x.Env, ch: x.ch, who: x.People[1]}
	own.card = x.EnrollPhone(x.ch, own.who, goodPIN)
	x.Clock.Advance(time.Minute)
	own.know("")
	forged := own.devices()[0]
	forged.Card = cardRow(t, x.Env, x.ch, x.card).ID
	x.Forge(func(tx store.Tx) error { return tx.PutDevice(forged) })
	err := x.System.Store.View(t.Context(), func(r store.Reader) error {
		_, err := r.DevicesOf(forged.Card)
		return err
	})
	if !errors.Is(err, store.ErrSeal) {
		t.Errorf("a forged device: %v", err)
	}
}

// TestAStolenDeviceIsALane (I-12): a device's cookie, with a session in the
// holder's channel, proves nothing and shows nothing that the session does not.
func TestAStolenDeviceIsALane(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	cookie := x.know("")
	x.Clock.Advance(time.Minute)
	for _, action := range []liuma.Action{liuma.ActionVerify, liuma.ActionChange, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		var seen []ceremony.Page
		for _, device := range []string{cookie, ""} {
			p, h := x.OpenPage(x.ch, x.push(action))
			h.Device = device
			if p.Step == ceremony.StepConfirm {
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
	// The secret of a ceremony's cookie is no device's, and a device's secret
	// moves no ceremony.
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	_, err := x.Authority().GivePIN(t.Context(), p.ID, ceremony.Hand{Device: h.Secret}, ceremony.Given{Try: 1})
	wantCode(t, err, liuma.CodeCeremonyElsewhere)
	_, err = x.Authority().GivePIN(t.Context(), p.ID, ceremony.Hand{Secret: cookie, Device: cookie}, ceremony.Given{Try: 1})
	wantCode(t, err, liuma.CodeCeremonyElsewhere)
}

// TestAPINProvesNothingForAnotherBrowser: while the keepers work on the
// holder's PIN, a thief who can push goes on with the ceremony in another
// browser. The PIN proves nothing there.
func TestAPINProvesNothingForAnotherBrowser(t *testing.T) {
	hook := &hooks{}
	x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
	swapped := func(q ceremony.Push) (p ceremony.Page, thief ceremony.Hand) {
		p, h := x.OpenPage(x.ch, q)
		if p.Step == ceremony.StepConfirm {
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
	x.want(p, ceremony.StepPIN, "")
	if _, err := x.Authority().GivePhone(t.Context(), p.ID, h, thiefNumber); err == nil {
		t.Error("a number is taken without a PIN of this browser")
	}
	p, h = swapped(x.push(liuma.ActionVerify))
	x.want(p, ceremony.StepRefused, liuma.CodeNotReturned)
	if _, err := x.Authority().SendCode(t.Context(), p.ID, h); err == nil {
		t.Error("a browser that gave no PIN goes on with its verdict")
	}
	_, err := x.Authority().KnowDevice(t.Context(), p.ID, h)
	wantCode(t, err, liuma.CodeCeremonyMoved)
}
