package ceremony_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

const newNumber = "13800138000"

func TestRebindStory(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Shape: shape})
			q := x.push(liuma.ActionRebind)
			p, h := x.agreed(q)
			x.want(p, ceremony.StepPIN, "")
			x.want(x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN), ceremony.StepPIN, liuma.CodeWrong)
			p, err := x.Authority().Look(t.Context(), p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
			x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
			p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
			x.want(p, ceremony.StepPhone, "")
			for typed, code := range map[string]liuma.Code{"12345": liuma.CodePhoneInvalid, x.who.Phone: liuma.CodePhoneSame} {
				if p, err = x.Authority().GivePhone(t.Context(), p.ID, h, typed); err != nil {
					t.Fatal(err)
				}
				x.want(p, ceremony.StepPhone, code)
			}
			if p, err = x.Authority().GivePhone(t.Context(), p.ID, h, "+86 138 0013 8000"); err != nil || p.PhoneMasked != "138****8000" {
				t.Fatalf("%+v, %v", p, err)
			}
			x.want(x.Code(p, h, newNumber), ceremony.StepDone, "")
			if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.State != authority.StateDone || v.Action != liuma.ActionRebind {
				t.Errorf("by business number: %+v, %v", v, err)
			}
			if got := x.Notices(x.who.Phone); !slices.Contains(got, "phone_changed_old") {
				t.Errorf("the old number got %v", got)
			}
			if got := x.Notices(newNumber); !slices.Equal(got, []string{"phone_changed_new"}) {
				t.Errorf("the new number got %v", got)
			}
			p, _ = x.agreed(x.push(liuma.ActionReset))
			x.want(p, ceremony.StepRefused, liuma.CodePhoneLate)
			x.Clock.Advance(72 * time.Hour)
			p, h = x.agreed(x.push(liuma.ActionReset))
			x.want(x.Code(p, h, newNumber), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
		})
	}
}

// TestOldNumberStopsAThief: a thief who has PIN and evidence and binds a phone
// of their own can be stopped from the old number, and cannot get the card
// back.
func TestOldNumberStopsAThief(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.rebindTo(newNumber)
	if _, err := x.Authority().FreezeByCode(t.Context(), "10.0.0.1", x.LastFreezeCode(x.who.Phone)); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(100 * day)
	p, _ := x.agreed(x.push(liuma.ActionUnfreeze))
	x.want(p, ceremony.StepRefused, liuma.CodePhoneLate)
}

func TestUnfreezeStory(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Shape: shape})
			p, _ := x.agreed(x.push(liuma.ActionUnfreeze))
			x.want(p, ceremony.StepRefused, liuma.CodeNotFrozen)
			code := x.LastFreezeCode(x.who.Phone)
			if _, err := x.Authority().FreezeByCode(t.Context(), "a", code); err != nil {
				t.Fatal(err)
			}
			x.Clock.Advance(time.Minute)
			q := x.push(liuma.ActionUnfreeze)
			p, h := x.agreed(q)
			x.want(p, ceremony.StepCode, "")
			p = x.Code(p, h, x.who.Phone)
			x.want(p, ceremony.StepPIN, "")
			p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
			x.want(p, ceremony.StepPIN, liuma.CodeWrong)
			if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeFrozen {
				t.Fatalf("unfrozen by a wrong PIN: %+v", v)
			}
			x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
				t.Errorf("after unfreezing: %+v", v)
			}
			want := []string{"pin_set", "card_frozen", "card_unfrozen"}
			if got := x.Notices(x.who.Phone); !slices.Equal(got, want) {
				t.Errorf("notices %v, want %v", got, want)
			}
			if _, err := x.Authority().FreezeByCode(t.Context(), "a", code); liuma.CodeOf(err) != liuma.CodeFreezeCodeInvalid {
				t.Errorf("a freeze code twice: %v", err)
			}
			if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
				t.Errorf("the latest notice's code: %v", err)
			}
		})
	}
}

// TestAttemptsOnAFrozenCardNeedTheCode: an unfreeze without its one-time code
// makes no guess at the PIN.
func TestAttemptsOnAFrozenCardNeedTheCode(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	freezeIn(x)
	p, h := x.agreed(x.push(liuma.ActionUnfreeze))
	id := cardRow(t, x.Env, x.ch, x.card).ID
	before := counted(t, x.Env, id)
	if _, err := x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: 1}); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("PIN before the code: %v", err)
	}
	// The act refuses it too, even if the steps let it through.
	tamper(t, x.Env, func(tx store.Tx) error {
		c, err := tx.Ceremony(p.ID)
		c.Step = string(ceremony.StepPIN)
		return errors.Join(err, tx.UpdateCeremony(c))
	})
	p, err := x.Authority().Look(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepCode, liuma.CodePhoneCodeExpired)
	if after := counted(t, x.Env, id); !slices.Equal(before, after) {
		t.Errorf("spends went from %v to %v", before, after)
	}
}

// TestAResetChecksItsProofsItself: even if the steps are bypassed, a reset
// without its one-time code or without evidence sets nothing.
func TestAResetChecksItsProofsItself(t *testing.T) {
	for _, tt := range []struct {
		name string
		pass func(x *phoned) (ceremony.Page, ceremony.Hand)
		step ceremony.Step
		want liuma.Code
	}{
		{"no code", func(x *phoned) (ceremony.Page, ceremony.Hand) {
			return x.agreed(x.PushFor(x.ch, liuma.ActionReset, envelope.Subject{Card: string(x.card)}, &x.who))
		}, ceremony.StepCode, liuma.CodePhoneCodeExpired},
		{"no evidence", func(x *phoned) (ceremony.Page, ceremony.Hand) {
			p, h := x.agreed(x.push(liuma.ActionReset))
			return x.Code(p, h, x.who.Phone), h
		}, ceremony.StepRefused, liuma.CodeEvidenceRequired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			p, h := tt.pass(x)
			tamper(t, x.Env, func(tx store.Tx) error {
				c, err := tx.Ceremony(p.ID)
				c.Step = string(ceremony.StepPIN)
				return errors.Join(err, tx.UpdateCeremony(c))
			})
			p, err := x.Authority().Look(t.Context(), p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), tt.step, tt.want)
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
				t.Errorf("the PIN was set: %+v", v)
			}
		})
	}
}

// TestFreezeByCode takes a freeze code in every spelling in which a person may
// type it.
func TestFreezeByCode(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	sent := x.LastFreezeCode(x.who.Phone)
	code := strings.ReplaceAll(sent, " ", "")
	if len(code) != 11 {
		t.Fatalf("a freeze code %q", sent)
	}
	for i, wrong := range []string{"", "ABC", "00000000", "ABCDEFGH", "ABCDEFGHJKM", code + "2", code[:10], strings.Repeat(code, 20)} {
		if _, err := x.Authority().FreezeByCode(t.Context(), "10.0.0.1", wrong); liuma.CodeOf(err) != liuma.CodeFreezeCodeInvalid {
			t.Errorf("%d: %v", i, err)
		}
	}
	var first authority.FreezeView
	for i, typed := range []string{
		strings.ToLower(sent), code, "  " + code[:4] + "-" + code[4:] + "\n", code[:3] + "－" + code[3:7] + "—" + code[7:],
		wide(code), "\ufeff" + code[:5] + "\u3000\u00a0" + code[5:], strings.ReplaceAll(code, "V", "u"),
	} {
		v, err := x.Authority().FreezeByCode(t.Context(), "10.0.0.2", typed)
		if err != nil || v.NameMasked != x.who.MaskedName() || v.At.IsZero() {
			t.Fatalf("%q: %+v, %v", typed, v, err)
		}
		if i == 0 {
			first = v
		}
		if !v.At.Equal(first.At) {
			t.Errorf("%q froze again", typed)
		}
		x.Clock.Advance(time.Minute)
	}
	if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeFrozen {
		t.Errorf("in a channel: %+v", v)
	}
	if got := x.Notices(x.who.Phone); !slices.Equal(got, []string{"pin_set", "card_frozen"}) {
		t.Errorf("notices %v", got)
	}
}

// wide writes ASCII in full width, as some Chinese keyboards do.
func wide(s string) string {
	return strings.Map(func(r rune) rune { return r + '！' - '!' }, s)
}

// TestFreezeCodeOfTheReleaseBefore: 0.1.0 sent eight characters. They stop the
// card until they expire.
func TestFreezeCodeOfTheReleaseBefore(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	const old, late = "K7M29QXA", "K7M29QXB"
	tamper(t, x.Env, func(tx store.Tx) error {
		card, err := tx.LinkByHandle("zj-hrss", x.card)
		now := x.Clock.Now()
		return errors.Join(err,
			tx.InsertFreezeCode(store.FreezeCode{MAC: x.System.Vault.RowMAC("freeze-code", []byte(old)), Card: card.Card, Expires: now.Add(time.Hour)}),
			tx.InsertFreezeCode(store.FreezeCode{MAC: x.System.Vault.RowMAC("freeze-code", []byte(late)), Card: card.Card, Expires: now}))
	})
	if _, err := x.Authority().FreezeByCode(t.Context(), "10.0.0.1", late); liuma.CodeOf(err) != liuma.CodeFreezeCodeInvalid {
		t.Errorf("one that expired: %v", err)
	}
	if v, err := x.Authority().FreezeByCode(t.Context(), "10.0.0.1", "k7m2 9qxa"); err != nil || v.NameMasked != x.who.MaskedName() {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestWrongFreezeCodesSlowTheirSource: the eleventh wrong one within an hour is
// told so, and a right one is taken.
func TestWrongFreezeCodesSlowTheirSource(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	code := x.LastFreezeCode(x.who.Phone)
	tries := func(source, code string, want liuma.Code) {
		t.Helper()
		if _, err := x.Authority().FreezeByCode(t.Context(), source, code); want == "" && err != nil || want != "" && liuma.CodeOf(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for range 10 {
		tries("10.0.0.1", "ABCDEFGHJKM", liuma.CodeFreezeCodeInvalid)
	}
	tries("10.0.0.1", "ABCDEFGHJKM", liuma.CodeFreezeCodeLimit)
	tries("10.0.0.2", "ABCDEFGHJKM", liuma.CodeFreezeCodeInvalid)
	x.Clock.Advance(time.Hour)
	for range 10 {
		tries("10.0.0.1", "ABCDEFGHJKM", liuma.CodeFreezeCodeInvalid)
	}
	tries("10.0.0.1", "ABCDEFGHJKM", liuma.CodeFreezeCodeLimit)
	tries("10.0.0.1", code, "")
	x.Clock.Advance(7 * day)
	tries("10.0.0.3", code, liuma.CodeFreezeCodeInvalid) // of more than seven days
}

// TestFreezeWhereNoMoreLinks: the PIN was right and there were three links today,
// which may be a thief's. The browser that gave the PIN freezes the card, and no
// other.
func TestFreezeWhereNoMoreLinks(t *testing.T) {
	for _, right := range []bool{true, false} {
		x := newPhoned(t, testkit.Options{})
		two := x.Channel("national")
		for range 3 {
			x.linkAgain(x.ch, goodPIN, true)
		}
		p, h := x.OpenPage(two, x.PushFor(two, liuma.ActionLink, identity(x.who), nil))
		p, err := x.Authority().Agree(t.Context(), p.ID, h)
		if err != nil {
			t.Fatal(err)
		}
		if !right {
			p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
			if _, err := x.Authority().FreezeOwn(t.Context(), p.ID, h); liuma.CodeOf(err) != liuma.CodeRefused {
				t.Errorf("frozen after a wrong PIN: %v", err)
			}
			continue
		}
		p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
		x.want(p, ceremony.StepRefused, liuma.CodeLinkLimit)
		if _, err := x.Authority().FreezeOwn(t.Context(), p.ID, ceremony.Hand{Secret: "another"}); err == nil {
			t.Error("another browser froze the card")
		}
		if p, err = x.Authority().FreezeOwn(t.Context(), p.ID, h); err != nil {
			t.Fatal(err)
		}
		x.want(p, ceremony.StepRefused, liuma.CodeFrozen)
		if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeFrozen {
			t.Errorf("the card is not frozen: %+v", v)
		}
	}
}

// TestFreezeNotByWhoTookOver: another browser takes the ceremony over while the
// keepers work on the PIN. It proved nothing, and freezes nothing.
func TestFreezeNotByWhoTookOver(t *testing.T) {
	hook := &hooks{}
	x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
	two := x.Channel("national")
	for range 3 {
		x.linkAgain(x.ch, goodPIN, true)
	}
	q := x.PushFor(two, liuma.ActionLink, identity(x.who), nil)
	p, h := x.OpenPage(two, q)
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	var thief ceremony.Hand
	take := once(func() {
		pushed, err := x.Authority().Push(t.Context(), two, q)
		if err != nil {
			t.Error(err)
		}
		begun, err := x.Authority().Begin(t.Context(), p.ID, ceremony.Hand{RequestURI: pushed.RequestURI})
		if err != nil {
			t.Error(err)
		}
		thief = ceremony.Hand{Secret: begun.Bound}
	})
	hook.set(take, nil)
	_, err = x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, Current: x.SealPage(p, liuma.RoleCurrent, goodPIN)})
	hook.set(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err = x.Authority().Look(t.Context(), p.ID, thief)
	if err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepRefused, liuma.CodeLinkLimit)
	if _, err := x.Authority().FreezeOwn(t.Context(), p.ID, thief); liuma.CodeOf(err) != liuma.CodeRefused {
		t.Errorf("who took over froze the card: %v", err)
	}
}

// TestFreezeFromThePage: without a PIN for a card that the channel is linked
// to, but not for one that was only named.
func TestFreezeFromThePage(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	two := x.Channel("national")
	p, h := x.OpenPage(two, x.PushFor(two, liuma.ActionLink, envelope.Subject{IDNumber: x.who.IDNumber, Name: x.who.Name}, nil))
	if _, err := x.Authority().FreezeOwn(t.Context(), p.ID, h); liuma.CodeOf(err) != liuma.CodeRefused {
		t.Errorf("a stranger froze a card by naming its holder: %v", err)
	}
	q := x.push(liuma.ActionVerify)
	p, h = x.OpenPage(x.ch, q)
	p, err := x.Authority().FreezeOwn(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepRefused, liuma.CodeFrozen)
	if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Code != liuma.CodeFrozen {
		t.Errorf("by business number: %+v, %v", v, err)
	}
}

func TestHotlineOnlyFreezes(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	hotline := authority.Caller{Client: x.AddClient(store.Client{ID: "hotline-12333", Kind: store.ClientHotline}, x.NewKey())}
	ask := authority.HotlineFreeze{BusinessNo: x.BusinessNo(), IDNumber: x.who.IDNumber, Digest: testkit.Digest("a")}
	if _, err := x.Authority().FreezeByHotline(t.Context(), x.ch, ask); liuma.CodeOf(err) != liuma.CodeForbidden {
		t.Errorf("a channel as a hotline: %v", err)
	}
	if _, err := x.Authority().FreezeByHotline(t.Context(), hotline, authority.HotlineFreeze{BusinessNo: x.BusinessNo(), IDNumber: x.People[3].IDNumber}); liuma.CodeOf(err) != liuma.CodeNotFound {
		t.Errorf("no card: %v", err)
	}
	for range 2 {
		if v, err := x.Authority().FreezeByHotline(t.Context(), hotline, ask); err != nil || v.State != authority.StateDecided || v.Code != "" {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	if got := x.Notices(x.who.Phone); !slices.Equal(got, []string{"pin_set", "card_frozen"}) {
		t.Errorf("notices %v", got)
	}
	a := x.Authority()
	_, err1 := a.Push(t.Context(), hotline, x.push(liuma.ActionUnfreeze))
	_, err2 := a.Challenge(t.Context(), hotline)
	_, err3 := a.Card(t.Context(), hotline, x.card)
	_, err4 := a.Verification(t.Context(), hotline, ask.BusinessNo)
	for i, err := range []error{err1, err2, err3, err4} {
		if liuma.CodeOf(err) != liuma.CodeForbidden {
			t.Errorf("%d: a hotline may do more than freeze: %v", i, err)
		}
	}
}

func TestNoticesOfEveryUseAndOfChanges(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	if p.EveryUse == nil || *p.EveryUse {
		t.Errorf("the page says of every use: %v", p.EveryUse)
	}
	p, err := x.Authority().NoticeEveryUse(t.Context(), p.ID, h, true)
	if err != nil || p.EveryUse == nil || !*p.EveryUse {
		t.Fatalf("%v, %v", p.EveryUse, err)
	}
	x.Verify(x.ch, x.card, goodPIN)
	x.Clock.Advance(time.Second)
	x.Change(x.ch, x.card, goodPIN, otherPIN)
	if got := x.Notices(x.who.Phone); !slices.Equal(got, []string{"pin_set", "every_use", "pin_changed"}) {
		t.Errorf("notices %v", got)
	}
	for _, text := range x.Texts(x.who.Phone) {
		if text.Kind == authority.KindNotice && (text.Params["channel"] == "" || text.Params["at"] == "" || text.Params["freeze"] == "" || text.Language != "zh-CN") {
			t.Errorf("%+v", text)
		}
	}
}

// TestThePhoneIsToldThatItIsToldNoMore: anyone with the PIN may turn off the
// notices of every use, but a notice says so, and turning them on and off does
// not send one each time.
func TestThePhoneIsToldThatItIsToldNoMore(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	set := func(on ...bool) {
		p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
		p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
		for _, o := range on {
			if got, err := x.Authority().NoticeEveryUse(t.Context(), p.ID, h, o); err != nil || got.EveryUse == nil || *got.EveryUse != o {
				t.Fatalf("%+v, %v", got, err)
			}
		}
	}
	set(false, true, true)
	want := []string{"pin_set"}
	if got := x.Notices(x.who.Phone); !slices.Equal(got, want) {
		t.Fatalf("turned on: %v", got)
	}
	set(false, false, true, false, true, false)
	want = []string{"every_use", "every_use_off", "pin_set"}
	if got := slices.Sorted(slices.Values(x.Notices(x.who.Phone))); !slices.Equal(got, want) {
		t.Errorf("turned off: %v, want %v", got, want)
	}
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
		t.Errorf("its freeze code: %v", err)
	}
}

// TestANoticeIsOfAChange: a change that failed sends no notice.
func TestANoticeIsOfAChange(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	before := len(x.Texts(""))
	if v := x.Change(x.ch, x.card, wrongPIN, otherPIN); v.Verdict != liuma.Wrong {
		t.Fatalf("%+v", v)
	}
	freezeIn(x)
	freezeIn(x) // again changes nothing
	if n := len(x.Texts("")) - before; n != 1 {
		t.Errorf("%d texts, want the one of the freeze", n)
	}
}

// TestANewLinkChangesNoPINAlone: a PIN makes a link, but for 72 hours a change
// in that link also needs evidence, at both doors.
func TestANewLinkChangesNoPINAlone(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	two := x.Channel("national")
	v, err := x.Authority().Link(t.Context(), two, x.LinkRequest(two, x.who, goodPIN))
	if err != nil || v.Verdict != liuma.Right {
		t.Fatalf("link: %+v, %v", v, err)
	}
	id := cardRow(t, x.Env, x.ch, x.card).ID
	before := counted(t, x.Env, id)
	_, err = x.Authority().Change(t.Context(), two, x.ChangeRequest(two, v.Card, goodPIN, otherPIN))
	if e := wantCode(t, err, liuma.CodeEvidenceRequired); e.Challenge == "" {
		t.Error("no challenge to get evidence for")
	}
	if after := counted(t, x.Env, id); !slices.Equal(before, after) {
		t.Errorf("a guess was made: %v, %v", before, after)
	}
	q := x.PushFor(two, liuma.ActionChange, envelope.Subject{Card: string(v.Card)}, nil)
	p, h := x.OpenPage(two, q)
	g := ceremony.Given{Try: p.Try, Old: x.SealPage(p, liuma.RoleOld, goodPIN), New: x.SealPage(p, liuma.RoleNew, otherPIN)}
	if p, err = x.Authority().GivePIN(t.Context(), p.ID, h, g); err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepRefused, liuma.CodeEvidenceRequired)
	p, h = x.WithEvidence(two, q, x.who, p, h, h)
	g = ceremony.Given{Try: p.Try, Old: x.SealPage(p, liuma.RoleOld, goodPIN), New: x.SealPage(p, liuma.RoleNew, otherPIN)}
	if p, err = x.Authority().GivePIN(t.Context(), p.ID, h, g); err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepDone, "")
	x.Clock.Advance(72 * time.Hour)
	if v := x.Change(two, v.Card, otherPIN, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("after 72 hours: %+v", v)
	}
}
