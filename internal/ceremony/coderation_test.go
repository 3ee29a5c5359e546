package ceremony_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// resetBy opens a reset through a link of x.ch, at the step that sends codes.
func (x *phoned) resetBy(link store.Handle) (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	home := x.card
	x.card = link
	p, h := x.agreed(x.push(liuma.ActionReset))
	x.card = home
	x.toLeave = append(x.toLeave, func() { _, _ = x.Authority().Leave(x.T.Context(), p.ID, h) })
	if len(x.toLeave) > 5 { // ten of a link may be open at a time
		x.toLeave[0]()
		x.toLeave = x.toLeave[1:]
	}
	return p, h
}

// sendBy asks for a code through a link, a minute after the last, and returns the
// page.
func (x *phoned) sendBy(link store.Handle) ceremony.Page {
	x.T.Helper()
	x.Clock.Advance(time.Minute)
	p, h := x.resetBy(link)
	return x.send(p, h)
}

// sends asks for codes through a link until none is sent, and returns how many
// were and why no more.
func (x *phoned) sends(link store.Handle) (n int, why liuma.Code) {
	x.T.Helper()
	for ; n < 30; n++ {
		if p := x.sendBy(link); p.Code != "" {
			return n, p.Code
		}
	}
	return n, ""
}

// cardTicks counts a card's ration marks of a kind.
func (x *phoned) cardTicks(kind string) int {
	x.T.Helper()
	card := cardRow(x.T, x.Env, x.ch, x.card)
	var marks []time.Time
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) (err error) {
		marks, err = r.CardTicks(card.ID, kind, time.Time{})
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return len(marks)
}

// recorded lists actors and notes of the entries of an event.
func (x *phoned) recorded(ev audit.Event) (notes []string) {
	x.T.Helper()
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) error {
		notes = nil
		all, err := storetest.Record(r)
		for _, e := range all {
			if e.Event == ev {
				notes = append(notes, e.Actor+" "+e.Note)
			}
		}
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return notes
}

// TestThreeTextsThroughOneLink: and another known link goes on. A day later there
// are three again; a restart, or a clock that was set ahead, gives none back.
func TestThreeTextsThroughOneLink(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	other := x.linkAgain(x.ch, goodPIN, true)
	if n, why := x.sends(x.card); n != 3 || why != liuma.CodePhoneCodeLink {
		t.Fatalf("%d sent, then %q", n, why)
	}
	x.Close()
	x.Open()
	p := x.sendBy(x.card)
	x.want(p, ceremony.StepCode, liuma.CodePhoneCodeLink)
	if len(p.Ways) != 2 || p.Ways[0].Way != liuma.ByText || p.Ways[0].Left != 0 || !p.Ways[0].ReadyAt.Equal(p.Until) || p.Until.IsZero() {
		t.Errorf("offered: %+v until %v", p.Ways, p.Until)
	}
	if len(p.Ways) == 2 && (p.Ways[1].Way != liuma.ByVoice || p.Ways[1].Left != 2) {
		t.Errorf("calls: %+v", p.Ways[1])
	}
	// The page says so before the holder asks in vain.
	p, _ = x.resetBy(x.card)
	x.want(p, ceremony.StepCode, liuma.CodePhoneCodeLink)
	if p = x.sendBy(other); p.Code != "" {
		t.Errorf("through the other link: %+v", p)
	}
	x.Clock.Advance(24 * time.Hour)
	if n, _ := x.sends(x.card); n != 3 {
		t.Errorf("%d a day later", n)
	}
}

// TestWhatIsKeptForKnownLinks: of a card's ten codes and five wrong ones strangers
// get six and three, whatever they do; the rest is there for its known links.
func TestWhatIsKeptForKnownLinks(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	strange := []store.Handle{x.linkAgain(x.ch, goodPIN, false), x.linkAgain(x.ch, goodPIN, false), x.linkAgain(x.ch, goodPIN, false)}
	x.want(x.sendBy(strange[0]), ceremony.StepCode, "")
	p, h := x.resetBy(strange[0])
	x.Clock.Advance(time.Minute)
	p = x.send(p, h)
	if p.CodesLeft != 3 {
		t.Errorf("strangers have %d wrong codes", p.CodesLeft)
	}
	for i := range 3 {
		p = x.give(p, h, not(x.LastCode(x.who.Phone), i))
	}
	x.want(p, ceremony.StepCode, liuma.CodePhoneCodesSpent)
	x.want(x.give(p, h, x.LastCode(x.who.Phone)), ceremony.StepCode, liuma.CodePhoneCodesSpent)
	if _, why := x.sends(strange[1]); why != liuma.CodePhoneCodesSpent {
		t.Errorf("another stranger: %q", why)
	}
	p, h = x.resetBy(x.card)
	x.Clock.Advance(time.Minute)
	if p = x.send(p, h); p.CodesLeft != 2 || p.Code != "" {
		t.Fatalf("known: %+v", p)
	}
	x.want(x.give(p, h, not(x.LastCode(x.who.Phone), 0)), ceremony.StepCode, liuma.CodePhoneCodeWrong)
	x.want(x.give(p, h, x.LastCode(x.who.Phone)), ceremony.StepEvidence, liuma.CodeEvidenceRequired)

	x.Clock.Advance(25 * time.Hour)
	for _, link := range strange[:2] {
		if n, why := x.sends(link); n != 3 || why != liuma.CodePhoneCodesKept && why != liuma.CodePhoneCodeLink {
			t.Errorf("%d sent to a stranger, then %q", n, why)
		}
	}
	if n, why := x.sends(strange[2]); n != 0 || why != liuma.CodePhoneCodesKept {
		t.Errorf("%d sent to the third, then %q", n, why)
	}
	if n, why := x.sends(x.card); n != 3 || why != liuma.CodePhoneCodeLink {
		t.Errorf("%d sent through the known link, then %q", n, why)
	}
}

// TestTenCodesACard: also through known links.
func TestTenCodesACard(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	total := 0
	for _, link := range []store.Handle{x.card, x.linkAgain(x.ch, goodPIN, true), x.linkAgain(x.ch, goodPIN, true), x.linkAgain(x.ch, goodPIN, true)} {
		n, _ := x.sends(link)
		total += n
	}
	if total != 10 {
		t.Errorf("%d sent", total)
	}
	if p := x.sendBy(x.card); p.Code != liuma.CodePhoneCodeLimit && p.Code != liuma.CodePhoneCodeLink || p.Until.IsZero() {
		t.Errorf("then: %+v", p)
	}
}

// TestAStolenSessionStopsNobody: a thief with a session of the card spends every
// code and every wrong one that it may, for ten days (thirty with testkit.EveryStory). Its owner recovers every
// day through a link that is known. On the first day the thief's link is known
// as well.
func TestAStolenSessionStopsNobody(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	stolen := x.linkAgain(x.ch, goodPIN, true)
	days := 10
	if testkit.EveryStory() {
		days = 30
	}
	for n := range days {
		for range 12 {
			x.Clock.Advance(time.Minute)
			p, h := x.resetBy(stolen)
			p = x.send(p, h)
			for i := range 3 {
				p = x.give(p, h, not(x.LastCode(x.who.Phone), i))
			}
		}
		x.resetTo([]string{otherPIN, goodPIN}[n%2])
		x.Clock.Advance(24*time.Hour - 14*time.Minute)
	}
	if row := x.cardTicks("code_card"); row > 20 {
		t.Errorf("the card's row keeps %d marks of codes", row)
	}
}

// codeTo takes a rebind, in the hands of who has PIN and evidence, to the code
// that goes to a number, and asks for it.
func (x *phoned) codeTo(link store.Handle, number string) ceremony.Page {
	x.T.Helper()
	home := x.card
	x.card = link
	defer func() { x.card = home }()
	p, h := x.agreed(x.PushFor(x.ch, liuma.ActionRebind, x.push(liuma.ActionRebind).Subject, &x.who))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepPhone, "")
	p, err := x.Authority().GivePhone(x.T.Context(), p.ID, h, number)
	if err != nil {
		x.T.Fatal(err)
	}
	if p.Step != ceremony.StepCode || p.Code != "" {
		return p
	}
	x.Clock.Advance(time.Minute)
	return x.send(p, h)
}

// TestNumbersThatAreNotBound: three codes of a card to one, three of them a card
// and day, ten to one from all cards; and its owner, whose own card it is bound
// to, misses none.
func TestNumbersThatAreNotBound(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	at := func(who int) (*phoned, []store.Handle) {
		y := &phoned{Env: x.Env, ch: x.ch, who: x.People[who]}
		y.card = x.EnrollPhone(x.ch, y.who, goodPIN)
		return y, []store.Handle{y.card, y.linkAgain(x.ch, goodPIN, true)}
	}
	thief, links := at(1)
	victim := x.who.Phone
	for i, want := range []liuma.Code{"", "", "", liuma.CodePhoneCodeLimit} {
		if p := thief.codeTo(links[i/2], victim); p.Code != want {
			t.Errorf("code %d to one number: %q, want %q", i+1, p.Code, want)
		}
	}
	for i, want := range []liuma.Code{"", "", liuma.CodePhoneNumbers} {
		if p := thief.codeTo(links[1-i/2], fmt.Sprintf("1390000000%d", i)); p.Code != want {
			t.Errorf("number %d: %q, want %q", i+2, p.Code, want)
		}
	}
	total := 3
	for who := 2; who < 5; who++ {
		y, links := at(who)
		for i := range 3 {
			if p := y.codeTo(links[i/2], victim); p.Code == "" {
				total++
			} else if p.Code != liuma.CodePhoneCodeLimit {
				t.Errorf("%q", p.Code)
			}
		}
	}
	if total != 10 {
		t.Errorf("%d codes to a number that others typed, want 10", total)
	}
	x.resetTo(otherPIN)
}

// TestABudgetOfAChannel: its codes are counted over all cards; at its end the
// holder is sent elsewhere, and the operator is told once an hour.
func TestABudgetOfAChannel(t *testing.T) {
	rules := policy.National()
	rules.Codes.Hour, rules.Codes.Day = 3, 100
	x := newPhoned(t, testkit.Options{Policy: &rules})
	other := x.linkAgain(x.ch, goodPIN, true)
	if n, why := x.sends(x.card); n != 3 || why != liuma.CodePhoneCodeChannel && why != liuma.CodePhoneCodeLink {
		t.Fatalf("%d sent, then %q", n, why)
	}
	for range 3 {
		x.want(x.sendBy(other), ceremony.StepCode, liuma.CodePhoneCodeChannel)
	}
	if notes := x.recorded(audit.CodesLimited); !slices.Equal(notes, []string{"channel:zj-hrss step=code"}) {
		t.Errorf("recorded: %v", notes)
	}
	if all, err := x.Authority().ChannelCodes(t.Context()); err != nil || len(all) != 1 || !all[0].Spent() || all[0].Hour != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	x.Clock.Advance(61 * time.Minute)
	x.want(x.sendBy(other), ceremony.StepCode, "")
}

// TestCodesThatDoNotComeBack: an alarm when fewer than a fifth of fifty or more
// are typed in, once an hour; what may still be typed in is not judged.
func TestCodesThatDoNotComeBack(t *testing.T) {
	for _, c := range []struct {
		sent, returned int
		alarm          bool
	}{{49, 0, false}, {50, 9, true}, {50, 10, false}, {200, 39, true}} {
		x := newPhoned(t, testkit.Options{})
		x.Clock.Advance(24 * time.Hour)
		err := x.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			for range c.sent {
				if err := x.System.Authority.CodeWasSent(tx, "zj-hrss"); err != nil {
					return audit.Entry{}, err
				}
			}
			for range c.returned {
				if err := x.System.Authority.CodeCameBack(tx, "zj-hrss"); err != nil {
					return audit.Entry{}, err
				}
			}
			return audit.Entry{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		told := func(want int) {
			t.Helper()
			if err := x.System.Authority.MaintainOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			if notes := x.recorded(audit.CodesUnreturned); len(notes) != want {
				t.Errorf("%d of %d back: %q, want %d", c.returned, c.sent, notes, want)
			}
		}
		want := 0
		told(0)
		x.Clock.Advance(11 * time.Minute)
		if c.alarm {
			want = 1
		}
		told(want)
		told(want)
		if notes := x.recorded(audit.CodesUnreturned); c.alarm && notes[0] != fmt.Sprintf("system channel=zj-hrss;sent=%d;returned=%d", c.sent, c.returned) {
			t.Errorf("note %q", notes[0])
		}
	}
}

// TestFewCodesAnHourThatDoNotComeBack: a channel that sends few in an hour is
// judged by its day.
func TestFewCodesAnHourThatDoNotComeBack(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.Clock.Advance(24 * time.Hour)
	for range 5 {
		err := x.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			for range 10 {
				if err := x.System.Authority.CodeWasSent(tx, "zj-hrss"); err != nil {
					return audit.Entry{}, err
				}
			}
			return audit.Entry{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		x.Clock.Advance(2 * time.Hour)
	}
	if err := x.System.Authority.MaintainOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if notes := x.recorded(audit.CodesUnreturned); !slices.Equal(notes, []string{"system channel=zj-hrss;sent=50;returned=0"}) {
		t.Errorf("recorded: %v", notes)
	}
}

// TestCallsToAStrangersNumber: two a day ring a number that is not bound, whoever
// asks for them.
func TestCallsToAStrangersNumber(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	calls := 0
	for who := 1; who < 4; who++ {
		y := &phoned{Env: x.Env, ch: x.ch, who: x.People[who]}
		y.card = x.EnrollPhone(x.ch, y.who, goodPIN)
		p, h := y.agreed(y.PushFor(y.ch, liuma.ActionRebind, y.push(liuma.ActionRebind).Subject, &y.who))
		p = y.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
		p, err := y.Authority().GivePhone(t.Context(), p.ID, h, x.who.Phone)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			x.Clock.Advance(time.Minute)
			if p, err = y.Authority().SendCode(t.Context(), p.ID, h, liuma.ByVoice); err != nil {
				t.Fatal(err)
			}
			if p.Code == "" {
				calls++
			}
		}
	}
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

// TestARightCodeCameBack: what a holder types in counts for the channel.
func TestARightCodeCameBack(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.Clock.Advance(48 * time.Hour)
	x.resetTo(otherPIN)
	all, err := x.Authority().ChannelCodes(t.Context())
	if err != nil || len(all) != 1 || all[0].Hour != 1 || all[0].Returned != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestOnlyMobilesOfTheMainland: codes go to 1, then 3 to 9, also where another
// number came to be bound.
func TestOnlyMobilesOfTheMainland(t *testing.T) {
	for _, others := range []bool{false, true} {
		rules := policy.National()
		rules.Codes.OtherNumbers = others
		x := newPhoned(t, testkit.Options{Policy: &rules})
		card := cardRow(t, x.Env, x.ch, x.card)
		err := x.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			c, _, err := x.System.Authority.Contact(tx, card.ID)
			if err != nil {
				return audit.Entry{}, err
			}
			return audit.Entry{At: x.Clock.Now(), Actor: "test", Event: audit.PhoneChanged, Card: card.ID, Outcome: "ok"},
				x.System.Authority.WriteContact(tx, c, "12345678901")
		})
		if err != nil {
			t.Fatal(err)
		}
		want := liuma.CodePhoneNone
		if others {
			want = ""
		}
		x.want(x.sendBy(x.card), ceremony.StepCode, want)
	}
}

// TestThePhoneOfAnEnrolmentResetsAtOnce: there is no older number to protect.
func TestThePhoneOfAnEnrolmentResetsAtOnce(t *testing.T) {
	env := testkit.New(t, testkit.Options{Phones: true})
	x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
	x.card = env.EnrollPhone(x.ch, x.who, goodPIN)
	x.resetTo(otherPIN)
}

// TestNoticesHaveARation: what is repeated stops telling the phone, and nothing
// else is kept from it.
func TestNoticesHaveARation(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	told := func(template string) (n int) {
		for _, name := range x.Notices(x.who.Phone) {
			if name == template {
				n++
			}
		}
		return n
	}
	tell := func(template string, times int) {
		card := cardRow(t, x.Env, x.ch, x.card)
		for range times {
			err := x.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
				return audit.Entry{At: x.Clock.Now(), Actor: "test", Event: audit.CardUnlinked, Card: card.ID, Outcome: "ok"},
					x.System.Authority.TellIn(tx, card, template, "zj-hrss", nil)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	tell("channel_unlinked", 20)
	if n := told("channel_unlinked"); n != authority.NoticesADay {
		t.Errorf("%d told, want %d", n, authority.NoticesADay)
	}
	tell("card_frozen", 1)
	if n := told("card_frozen"); n != 1 {
		t.Errorf("another event: %d told", n)
	}
	tell("every_use", 40)
	if n := told("every_use"); n != authority.UsesADay {
		t.Errorf("%d uses told, want %d", n, authority.UsesADay)
	}
	x.want(x.sendBy(x.card), ceremony.StepCode, "") // codes have rations of their own
	x.Clock.Advance(24 * time.Hour)
	tell("channel_unlinked", 1)
	if n := told("channel_unlinked"); n != authority.NoticesADay+1 {
		t.Errorf("a day later: %d told", n)
	}
}

// TestTwentyCodesANumber: over all cards that it is bound to; the last four go
// through known links.
func TestTwentyCodesANumber(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	cards := []*phoned{x}
	for who := 1; who < 3; who++ {
		y := &phoned{Env: x.Env, ch: x.ch, who: x.People[who]}
		y.card = x.EnrollPhone(x.ch, y.who, goodPIN)
		y.rebindTo(x.who.Phone)
		cards = append(cards, y)
	}
	x.Clock.Advance(73 * time.Hour)
	total := 0
	spend := func(y *phoned, links int, evidence bool) {
		for range links {
			n, _ := y.sends(y.linkAgain(x.ch, goodPIN, evidence))
			total += n
		}
	}
	spend(x, 3, true)
	spend(cards[1], 2, false)
	if total != 15 {
		t.Fatalf("%d sent", total)
	}
	spend(cards[2], 1, false)
	if total != 16 {
		t.Errorf("%d sent, and the next was a stranger's", total)
	}
	spend(cards[2], 2, true)
	if total != 20 {
		t.Errorf("%d sent in all", total)
	}
	p, h := cards[2].resetBy(cards[2].card)
	cards[2].want(cards[2].send(p, h), ceremony.StepCode, liuma.CodePhoneCodeLimit)
}
