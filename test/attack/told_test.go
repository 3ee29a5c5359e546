package attack

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// told is a holder who goes through everything that can happen to the card, and
// reads each notice of it.
type told struct {
	*world
	language string // of the holder: "zh-CN" or "en"
	phone    string // the bound one
	pin      string
	made     int             // PINs and channels so far
	phones   int             // bound in place of the first
	read     map[string]bool // IDs of notices read so far
	desk     *party
	stranger string // handle of a link in the holder's channel that is not known
}

// event is a change that the holder must be notified of. Each begins with a
// usable card, and leaves it usable after mend, if set, has run.
type event struct {
	name string
	do   func(s *told)
	want []string // the template of each, and "elsewhere" where it is not for the bound phone
	mend func(s *told)
}

// browser opens the holder's, in their language.
func (s *told) browser() *visitor.Visitor {
	language := "zh-CN,zh;q=0.9"
	if s.language == "en" {
		language = "en-GB,en;q=0.9"
	}
	v, err := visitor.New(visitor.Config{Transport: s.net, Now: s.Clock.Now, Language: language})
	return must(s.t, v, err)
}

// fresh is a PIN that was not set yet, and no rule refuses.
func (s *told) fresh() string {
	s.made++
	return fmt.Sprintf("%06d", (304_917+s.made*71_393)%1_000_000)
}

// begin opens a ceremony about the card at home.
func (s *told) begin(v *visitor.Visitor, a liuma.Action) (request, *visitor.Page) {
	s.t.Helper()
	q := request{action: a, card: s.card, bn: s.number()}
	p := s.opened(v, s.home, q)
	if p.Has("agree") {
		p = s.do(p, "agree")
	}
	return q, p
}

// done is the page at the end of a right PIN, which stays.
func (s *told) done(v *visitor.Visitor) *visitor.Page {
	s.t.Helper()
	_, p := s.begin(v, liuma.ActionVerify)
	p, err := p.TypeWith(context.Background(), values("stay", "1"), s.pin)
	return must(s.t, p, err)
}

func (s *told) everyUse(on string) { s.do(s.done(s.browser()), "every-use", "on", on) }

func (s *told) right() {
	s.t.Helper()
	v, err := s.home.verify(s.card, s.pin)
	if must(s.t, v, err); !v.Right() {
		s.t.Fatalf("the holder's own PIN: %s %s", v.Verdict, v.Code)
	}
}

// guess has n wrong guesses made, a day's worth at a time.
func (s *told) guess(hosted bool, n, daily int) {
	s.t.Helper()
	for i := range n {
		if i > 0 && i%daily == 0 {
			s.Sent()
			s.Clock.Advance(25 * time.Hour)
		}
		if hosted {
			_, p := s.begin(s.browser(), liuma.ActionVerify)
			s.typed(p, wrongPIN)
		} else if v, err := s.home.verify(s.card, wrongPIN); err != nil || v.Verdict != "wrong" {
			s.t.Fatalf("guess %d: %+v, %v", i, v, err)
		}
	}
}

func (s *told) change(hosted bool) {
	s.t.Helper()
	next := s.fresh()
	if hosted {
		_, p := s.begin(s.browser(), liuma.ActionChange)
		s.typed(p, s.pin, next)
	} else if v, err := s.home.change(s.card, s.pin, next, "", s.home.challenge()); err != nil || !v.Right() {
		s.t.Fatalf("change: %+v, %v", v, err)
	}
	s.pin = next
	s.right()
}

// reset sets a forgotten PIN anew.
func (s *told) reset() {
	s.t.Helper()
	v := s.browser()
	q, p := s.begin(v, liuma.ActionReset)
	q.challenge = s.proof(s.coded(p, s.phone))
	q.evidence = s.Evidence(s.who, q.challenge)
	s.pin = s.fresh()
	s.typed(s.enter(v, s.home.pushed(q)), s.pin)
	s.right()
}

// came has somebody else come to a counter for the holder.
func (s *told) came(kind liuma.TicketKind, reason string) {
	s.t.Helper()
	s.made++
	d, ctx := s.Desk(fmt.Sprintf("agent-%s-%d", strings.ToLower(s.language), s.made)), context.Background()
	p, err := s.System.Counter.LookUp(ctx, d.Clerk, counter.Seeking{Number: s.who.IDNumber, Reason: reason,
		Came: &counter.Somebody{As: store.CameAgent, Number: "passport:DEU-C01X00T47", Name: "Schmidt Anna"}})
	must(s.t, p, err)
	v, err := s.System.Counter.Open(ctx, d.Clerk, counter.Opening{LookUp: p.LookUp, Kind: kind, Checked: true})
	must(s.t, v, err)
	if kind == liuma.TicketClose {
		v, err = s.System.Counter.Approve(ctx, d.Supervisor, v.ID, "")
		must(s.t, v, err)
	}
}

func (s *told) link(hosted bool) {
	s.t.Helper()
	s.made++
	c := s.channel(fmt.Sprintf("new-%d", s.made))
	if hosted {
		s.world.link(c, s.who, s.pin)
		return
	}
	ch := c.challenge()
	d := client.DeviceRequest{Channel: c.ID, Action: client.Link, Subject: client.Subject{IDNumber: s.who.IDNumber, Name: s.who.Name},
		BusinessNo: s.number(), Purpose: purpose, Challenge: ch}
	e, err := d.SealPIN([]byte(s.pin))
	must(s.t, e, err)
	v, err := c.native.Link(context.Background(), client.LinkRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: e})
	if must(s.t, v, err); v.Card == "" {
		s.t.Fatalf("link: %+v", v)
	}
}

// newPhone is the next number to bind.
func (s *told) newPhone() string { return fmt.Sprintf("136001360%02d", s.phones) }

// rebind binds another phone in place of the bound one.
func (s *told) rebind() {
	s.t.Helper()
	s.phones++
	s.Clock.Advance(25 * time.Hour) // a link gets three texts a day
	v := s.browser()
	q, p := s.begin(v, liuma.ActionRebind)
	q.challenge = s.proof(s.typed(p, s.pin))
	q.evidence = s.Evidence(s.who, q.challenge)
	s.coded(s.do(s.enter(v, s.home.pushed(q)), "phone", "phone", s.newPhone()), s.newPhone())
}

// settle waits until the phone that was bound last counts for everything, and the one
// before it is told of nothing more.
func (s *told) settle() {
	s.phone = s.newPhone()
	s.Clock.Advance(31 * 24 * time.Hour)
}

func (s *told) unfreeze() {
	s.t.Helper()
	s.Clock.Advance(9 * time.Hour) // a link gets three texts a day
	_, p := s.begin(s.browser(), liuma.ActionUnfreeze)
	s.typed(s.coded(p, s.phone), s.pin)
	if got := s.watch.standing(s.seen); got != "active" {
		s.t.Fatalf("the card is %s", got)
	}
}

// freezeBy freezes the card by a freeze code, without any log-in.
func (s *told) freezeBy(code string) {
	s.t.Helper()
	p, err := s.browser().Post(context.Background(), hosted+"/freeze", values("code", code))
	if must(s.t, p, err); p.Status() != 200 || s.watch.standing(s.seen) != "frozen" || s.home.standing(s.card) != "frozen" {
		s.t.Fatalf("the freeze code %q does not freeze: %d %s", code, p.Status(), p.Title())
	}
}

// noFreezeBy is freezeBy with a freeze code that is no longer valid.
func (s *told) noFreezeBy(code string) {
	s.t.Helper()
	p, err := s.browser().Post(context.Background(), hosted+"/freeze", values("code", code))
	if must(s.t, p, err); s.watch.standing(s.seen) != "active" {
		s.t.Fatalf("a freeze code of over a week ago freezes: %s", p.Title())
	}
}

// news are the notices since the last time.
func (s *told) news() (all []notify.Received) {
	s.t.Helper()
	s.Sent()
	for _, r := range s.Inbox.Texts("") {
		if r.Kind == notify.KindNotice && !s.read[r.ID] {
			all = append(all, r)
			s.read[r.ID] = true
		}
	}
	return all
}

// link-like: a scheme, a name with dots, an address.
var linkLike = regexp.MustCompile(`(?i)://|www|[a-z0-9-]\.[a-z]{2,}|\d+\.\d+\.\d+|@`)

// readable checks the form that every notice must have.
func (s *told) readable(r notify.Received) {
	s.t.Helper()
	masked, opening, hotline := s.who.MaskedName(), "【电子社保卡】", "12333"
	if s.language == "en" {
		opening = "[Electronic card] "
	}
	where := r.Params["channel"]
	switch {
	case !strings.HasPrefix(r.Body, opening):
		s.t.Errorf("%s is not in the holder's language: %s", r.Template, r.Body)
	case !strings.Contains(r.Body, masked) || strings.Contains(r.Body, s.who.Name):
		s.t.Errorf("%s does not name the holder, or names them in full: %s", r.Template, r.Body)
	case where == "" || !strings.Contains(r.Body, where) || !strings.Contains(r.Body, hotline):
		s.t.Errorf("%s does not say where, or whom to call: %s", r.Template, r.Body)
	case linkLike.MatchString(strings.NewReplacer(where, "", r.Params["freeze"], "").Replace(r.Body)):
		s.t.Errorf("%s has a link: %s", r.Template, r.Body)
	case strings.Contains(r.Body, s.pin):
		s.t.Errorf("%s has the PIN", r.Template)
	}
	code := r.Params["freeze"]
	if len(code) != len("K7M 29QX A4TW") || !strings.Contains(r.Body, code) {
		s.t.Errorf("%s has no freeze code: %s", r.Template, r.Body)
	}
}

// tell goes through one event: the right notices come, to the right numbers,
// in time and readable, and the freeze code of each of them freezes.
func (s *told) tell(e event) {
	s.t.Helper()
	s.Clock.Advance(3 * time.Hour)
	began := time.Now()
	bound := s.phone
	e.do(s)
	fresh := s.news()
	if took := time.Since(began); took > notify.Promise {
		s.t.Errorf("the holder was told after %v", took)
	}
	var got []string
	for _, r := range fresh {
		is := string(r.Template)
		if r.Phone != bound {
			is += " elsewhere"
		}
		got = append(got, is)
		s.readable(r)
	}
	if slices.Sort(got); !slices.Equal(got, e.want) {
		s.t.Fatalf("told of %v, want %v", got, e.want)
	}
	if e.mend != nil {
		e.mend(s)
		s.news()
	}
	for _, r := range fresh {
		if s.Clock.Now().Sub(r.At) >= 7*24*time.Hour {
			s.noFreezeBy(r.Params["freeze"]) // guesses went on for longer than it lives
			continue
		}
		s.freezeBy(r.Params["freeze"])
		s.unfreeze()
		s.right()
	}
	s.news()
}

// generous is a policy that permits everything that a region may permit.
type generous struct{}

func (generous) For(liuma.Region, liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence = true
	p.Agents = policy.AgentsBoth
	p.Recovery.CardNumber, p.LossReport, p.EvidenceAlone = true, policy.MinLossReport, true
	return p
}

// TestTheHolderIsToldOfEverything provokes each notice that there is, by each
// door that leads to it, in both languages. That none is forgotten here is
// checked against docs/NOTICES.md, which has every template.
func TestTheHolderIsToldOfEverything(t *testing.T) {
	s := &told{world: newWorldOf(t, testkit.Options{Rules: generous{}}), language: "zh-CN", pin: goodPIN, read: map[string]bool{}}
	s.phone, s.desk = s.who.Phone, s.party(store.Client{ID: "hotline", Kind: store.ClientHotline})
	s.news() // of how the world began
	seen := map[notify.Template]bool{}
	for _, language := range []string{"zh-CN", "en"} {
		s.language = language
		s.enrolments(t)
		for _, e := range slices.Concat(onPINs(), onCards()) {
			ok := t.Run(language+"/"+e.name, func(t *testing.T) {
				s.t, s.T = t, t
				s.tell(e)
			})
			if s.t, s.T = t, t; !ok {
				t.FailNow()
			}
			for _, w := range e.want {
				name, _, _ := strings.Cut(w, " ")
				seen[notify.Template(name)] = true
			}
		}
		if language == "zh-CN" {
			s.toEnglish(t)
		}
	}
	documented := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| at, ").FindAllStringSubmatch(read(t, "../../docs/NOTICES.md"), -1)
	if len(documented) < 15 {
		t.Errorf("docs/NOTICES.md has %d notices", len(documented))
	}
	seen[notify.IDNumberCorrection] = true // TestAStolenRegistryKeyTakesNoCardOver reads that one and its freeze code
	seen[notify.PhoneAndPINChanged] = true // internal/ceremony TestAPhoneAtTheCounter reads it at both numbers
	seen[notify.NoticesNamed] = true       // internal/ceremony TestSomebodyForNotices reads it: this holder has a phone
	seen[notify.NoticesEnded] = true       // internal/ceremony TestABoundPhoneEndsIt does
	seen[notify.CorrectionSooner] = true   // internal/ceremony TestAFreezeStopsAShortenedCorrection does
	for _, m := range documented {
		if name := notify.Template(m[1]); !seen[name] && name != notify.PINSet { // which enrolments looks for
			t.Errorf("nothing here brings about %s", name)
		}
	}
}

// toEnglish binds another phone on an English page: the old number gets its
// notice in its holder's language, the new one in the language of the page.
func (s *told) toEnglish(t *testing.T) {
	t.Helper()
	s.language = "en"
	s.rebind()
	for _, r := range s.news() {
		want := map[bool]string{true: "en", false: "zh-CN"}[r.Phone == s.newPhone()]
		if r.Language != want {
			t.Errorf("%s is in %s, want %s", r.Template, r.Language, want)
		}
	}
	s.settle()
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	return string(must(t, b, err))
}

// enrolments: at the hosted door the bound phone gets a notice, in the language
// of the page; at the native door there is no bound phone yet.
func (s *told) enrolments(t *testing.T) {
	t.Helper()
	i := map[string]int{"zh-CN": 2, "en": 3}[s.language]
	whole := *s.world
	at := func(f registry.Facts) *told {
		w := whole
		w.who = f
		return &told{world: &w, language: s.language, phone: f.Phone, read: s.read}
	}
	one := at(s.People[i])
	q := one.home.proved(request{action: liuma.ActionEnroll, about: &one.who, bn: one.number()}, one.who)
	one.pin = "583917"
	done := one.typed(one.coded(one.do(one.opened(one.browser(), one.home, q), "agree"), one.phone), one.pin)
	fresh := one.news()
	if len(fresh) != 1 || fresh[0].Template != notify.PINSet || fresh[0].Phone != one.phone {
		t.Fatalf("an enrolment tells %d", len(fresh))
	}
	one.readable(fresh[0])
	one.card = one.home.redeemed(done).Card
	one.seen = one.world.link(one.watch, one.who, one.pin)
	one.freezeBy(fresh[0].Params["freeze"])
	one.news()

	other := at(s.People[i+2])
	ch := other.home.challenge()
	d := client.DeviceRequest{Channel: other.home.ID, Action: client.Enroll, BusinessNo: other.number(), Purpose: purpose, Challenge: ch,
		Subject: client.Subject{IDNumber: other.who.IDNumber, Name: other.who.Name, Phone: other.who.Phone}}
	sealed, err := d.SealPIN([]byte("583917"))
	must(t, sealed, err)
	v, err := other.home.native.Enroll(context.Background(), client.EnrollRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose,
		Challenge: ch.Value, Evidence: other.Evidence(other.who, ch.Value), NewPIN: sealed})
	if must(t, v, err); !v.Right() || len(other.news()) != 0 {
		t.Fatalf("a native enrolment: %+v", v)
	}
}

// onPINs are the events of a PIN.
func onPINs() []event {
	both := func(name string, want []string, do func(s *told, hosted bool), mend func(*told)) []event {
		return []event{
			{name + ", native", func(s *told) { do(s, false) }, want, mend},
			{name + ", hosted", func(s *told) { do(s, true) }, want, mend},
		}
	}
	times := func(n int, name string, more ...string) []string {
		return slices.Sorted(slices.Values(append(slices.Repeat([]string{name}, n), more...)))
	}
	nextDay := func(s *told) { s.Clock.Advance(25 * time.Hour) }
	use := func(s *told, hosted bool) {
		if !hosted {
			s.right()
			return
		}
		_, p := s.begin(s.browser(), liuma.ActionVerify)
		s.typed(p, s.pin)
	}
	return slices.Concat(
		both("changed", []string{"pin_changed"}, (*told).change, nil),
		[]event{{"reset", (*told).reset, []string{"pin_reset"}, nil}},
		both("locked", []string{"pin_locked"}, func(s *told, hosted bool) { s.guess(hosted, 6, 6) }, nextDay),
		both("blocked", times(4, "pin_locked", "pin_blocked"), func(s *told, hosted bool) { s.guess(hosted, 30, 6) },
			func(s *told) { nextDay(s); s.reset() }),
		both("strangers stopped", times(7, "strangers_locked", "channel_linked", "pin_changed", "strangers_stopped"), func(s *told, hosted bool) {
			own := s.card
			s.stranger = s.world.link(s.home, s.who, s.pin)
			s.change(false) // another link of the same channel does not know the new PIN
			s.card = s.stranger
			s.guess(hosted, 30, 4)
			s.card = own
		}, func(s *told) {
			nextDay(s)
			s.reset()
			if err := s.home.native.Unlink(context.Background(), s.stranger); err != nil {
				s.t.Fatal(err)
			}
		}),
		[]event{{"every use", func(s *told) {
			s.everyUse("1")
			use(s, false)
			use(s, true)
		}, []string{"every_use", "every_use"}, func(s *told) { s.everyUse("0") }}},
		[]event{{"every use, turned off", func(s *told) {
			s.everyUse("1")
			s.everyUse("0") // takes the PIN, which is a use
		}, []string{"every_use", "every_use_off"}, nil}},
		both("reminder", []string{"rotation_reminder"}, func(s *told, hosted bool) {
			s.Clock.Advance(366 * 24 * time.Hour)
			use(s, hosted)
			use(s, hosted) // the reminder is sent only once
		}, (*told).reset),
	)
}

// onCards are the events of a card, its channels and phone.
func onCards() []event {
	frozen := []string{"card_frozen"}
	return []event{
		{"linked, native", func(s *told) { s.link(false) }, []string{"channel_linked"}, nil},
		{"linked, hosted", func(s *told) { s.link(true) }, []string{"channel_linked"}, nil},
		{"unlinked", func(s *told) {
			s.made++
			c := s.channel(fmt.Sprintf("new-%d", s.made))
			if err := c.native.Unlink(context.Background(), s.world.link(c, s.who, s.pin)); err != nil {
				s.t.Fatal(err)
			}
		}, []string{"channel_linked", "channel_unlinked"}, nil},
		{"frozen by a channel", func(s *told) {
			_, err := s.home.native.Freeze(context.Background(), client.FreezeRequest{BusinessNo: s.number(), Subject: client.Subject{Card: s.card}})
			must(s.t, s, err)
		}, frozen, (*told).unfreeze},
		{"frozen by the hotline", func(s *told) {
			_, err := s.desk.native.HotlineFreeze(context.Background(), client.HotlineFreezeRequest{BusinessNo: s.number(), IDNumber: s.who.IDNumber})
			must(s.t, s, err)
		}, frozen, (*told).unfreeze},
		{"reported lost by phone", func(s *told) {
			_, err := s.desk.native.ReportLoss(context.Background(), client.HotlineFreezeRequest{BusinessNo: s.number(), IDNumber: s.who.IDNumber})
			must(s.t, s, err)
		}, []string{"loss_reported"}, func(s *told) { s.Clock.Advance(policy.MinLossReport) }},
		{"every use, by evidence alone", func(s *told) {
			s.everyUse("1")
			q := s.home.proved(request{action: liuma.ActionVerify, card: s.card, bn: s.number(), alone: true}, s.who)
			s.do(s.opened(s.browser(), s.home, q), "agree")
		}, []string{"used_alone"}, func(s *told) { s.everyUse("0") }},
		{"frozen on its page", func(s *told) {
			v := s.browser()
			_, p := s.begin(v, liuma.ActionVerify)
			s.post(v, ceremony(p), "freeze", values("sure", "1"))
			if got := s.watch.standing(s.seen); got != "frozen" {
				s.t.Fatalf("the card is %s: %s", got, p.Title())
			}
		}, frozen, (*told).unfreeze},
		{"frozen by code, unfrozen", func(s *told) {
			texts := s.Inbox.Texts(s.phone)
			i := len(texts) - 1
			for texts[i].Params["freeze"] == "" {
				i--
			}
			s.freezeBy(texts[i].Params["freeze"])
			s.unfreeze()
		}, []string{"card_frozen", "card_unfrozen"}, nil},
		{"a reset planned by the card's number", func(s *told) {
			s.Clock.Advance(24 * time.Hour) // a link gets three texts a day
			_, p := s.begin(s.browser(), liuma.ActionReset)
			s.do(s.coded(p, s.phone), "card-number", "card_no", s.who.CardNo)
		}, []string{"reset_planned"}, nil},
		{"the registry changed the phone", func(s *told) {
			s.made++
			is := s.who
			is.Phone = fmt.Sprintf("1350013%04d", s.made)
			s.imported(is)
			must(s.t, s, s.System.Authority.MaintainOnce(context.Background()))
		}, []string{"person_changed"}, nil},
		{"what is held was written out", func(s *told) {
			id, err := registry.ParseIDNumber(s.who.IDNumber)
			must(s.t, s, err)
			held, err := s.System.Registry.Held(context.Background(), "operator", id, "the holder asked")
			must(s.t, s, err)
			if got, want := held.Card.Contact.Phone, registry.MaskPhone(s.phone); got != want {
				s.t.Errorf("the bound phone is written as %q, want %q", got, want)
			}
			must(s.t, s, s.System.Authority.MaintainOnce(context.Background()))
		}, []string{"person_shown"}, nil},
		{"a new PIN at a counter", func(s *told) {
			s.pin = s.fresh()
			s.Desk("desk-"+strings.ToLower(s.language)).Served(s.who, liuma.TicketReset, "", s.pin)
		}, []string{"pin_reset", "ticket_opened"}, nil},
		{"a closing at a counter", func(s *told) {
			d, ctx := s.Desk("close-"+strings.ToLower(s.language)), context.Background()
			p, err := s.System.Counter.LookUp(ctx, d.Clerk, counter.Seeking{Number: s.who.IDNumber, Reason: counter.ReasonEmigration})
			must(s.t, p, err)
			v, err := s.System.Counter.Open(ctx, d.Clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketClose, Checked: true})
			must(s.t, v, err)
			v, err = s.System.Counter.Approve(ctx, d.Supervisor, v.ID, "")
			must(s.t, v, err)
		}, []string{"card_closing"}, (*told).unfreeze},
		{"somebody else had it frozen", func(s *told) { s.came(liuma.TicketFreeze, "question") }, []string{"agent_froze"}, (*told).unfreeze},
		{"somebody else had it closed", func(s *told) { s.came(liuma.TicketClose, counter.ReasonEmigration) }, []string{"agent_closing"}, (*told).unfreeze},
		{"another phone", (*told).rebind, []string{"phone_changed_new elsewhere", "phone_changed_old"}, (*told).settle},
		{"the number before hears as well", func(s *told) {
			s.rebind()
			s.Sent()
			s.Clock.Advance(80 * time.Hour)
			_, err := s.home.native.Freeze(context.Background(), client.FreezeRequest{BusinessNo: s.number(), Subject: client.Subject{Card: s.card}})
			must(s.t, s, err)
		}, []string{"card_frozen", "card_frozen elsewhere", "phone_changed_new elsewhere", "phone_changed_old"}, func(s *told) {
			s.phone = s.newPhone()
			s.unfreeze()
		}},
	}
}
