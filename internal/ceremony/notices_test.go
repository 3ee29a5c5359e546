package ceremony_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

const daughter, son = "13800138222", "13800138333"

// served is the last page of a ticket, and the hand that may go on there.
func served(d *testkit.Desk, f registry.Facts, kind liuma.TicketKind, secret string) (ceremony.Page, ceremony.Hand) {
	d.T.Helper()
	p, h := d.Agreed(f, kind)
	p = d.Pad(p, h, "")
	if p.Step == ceremony.StepPIN {
		p = d.GivePIN(p, h, liuma.RoleNew, secret)
	}
	if p.Step != ceremony.StepDone {
		d.T.Fatalf("%s: %+v", kind, p)
	}
	return p, h
}

// offered wants that somebody may be named on a page, and who is told now.
func offered(env *testkit.Env, p ceremony.Page, now string) {
	env.T.Helper()
	if n := p.Counter.Notices; n == nil || !n.Open || n.Typed || n.Phone != now {
		env.T.Fatalf("offered: %+v", n)
	}
}

// names has the number named, and its code typed.
func names(env *testkit.Env, p ceremony.Page, h ceremony.Hand, number string) ceremony.Page {
	env.T.Helper()
	p, err := env.Authority().NameContact(env.T.Context(), p.ID, h, number)
	if err != nil || !p.Counter.Notices.Typed || p.PhoneMasked != registry.MaskPhone(number) {
		env.T.Fatalf("%+v, %v", p.Counter.Notices, err)
	}
	p = env.Code(p, h, number)
	if n := p.Counter.Notices; n == nil || n.Open || n.Result != ceremony.NamedOne || n.Phone != registry.MaskPhone(number) {
		env.T.Fatalf("named: %+v, %s", n, p.Code)
	}
	return p
}

// named is a person without a phone whose contact for notices is the daughter.
func named(t *testing.T, o testkit.Options) (*phoned, *testkit.Desk, registry.Facts) {
	t.Helper()
	x, d, who := withoutPhone(t, o)
	p, h := served(d, who, liuma.TicketReset, otherPIN)
	offered(x.Env, p, "")
	names(x.Env, p, h, daughter)
	x.Clock.Advance(73 * time.Hour)
	return x, d, who
}

// toldAt is the number that a card's notices go to; empty: none.
func toldAt(env *testkit.Env, f registry.Facts) (number string) {
	env.T.Helper()
	if err := env.System.Store.View(env.T.Context(), func(r store.Reader) (err error) {
		_, number, err = env.System.Authority.NoticeContact(r, cardOf(env, f).ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}); err != nil {
		env.T.Fatal(err)
	}
	return number
}

// TestSomebodyForNotices: who has no phone names somebody; what is done with the
// card is told there, and for thirty days on paper too. The freeze code of such a text is
// as good as any other.
func TestSomebodyForNotices(t *testing.T) {
	x, d, who := withoutPhone(t, testkit.Options{})
	_, before := lettersTo(x.Env, who)
	p, h := served(d, who, liuma.TicketReset, otherPIN)
	offered(x.Env, p, "")
	names(x.Env, p, h, daughter)
	for _, text := range x.Texts(daughter) {
		if text.Template != "code_notices" && text.Template != "notices_named" || text.Params["holder"] != who.MaskedName() {
			t.Fatalf("%s about %q", text.Template, text.Params["holder"])
		}
	}
	if got := x.Notices(daughter); !slices.Equal(got, []string{"notices_named"}) {
		t.Errorf("notices: %q", got)
	}
	if _, got := lettersTo(x.Env, who); !slices.Contains(got, "notices_named") || len(got) != len(before)+3 {
		t.Errorf("letters: %q", got)
	}
	x.Clock.Advance(29 * day)
	_, before = lettersTo(x.Env, who)
	d.Served(who, liuma.TicketReset, "", goodPIN)
	if got := x.Notices(daughter); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"notices_named", "pin_reset", "ticket_opened"}) {
		t.Errorf("within thirty days: %v", got)
	}
	_, now := lettersTo(x.Env, who)
	if len(now) != len(before)+2 {
		t.Errorf("within thirty days: %q", now)
	}
	x.Clock.Advance(2 * day)
	d.Begin(who, liuma.TicketReset)
	if got := x.Notices(daughter); !slices.Contains(got[3:], "ticket_opened") || len(got) != 4 {
		t.Errorf("later: %v", got)
	}
	if _, later := lettersTo(x.Env, who); len(later) != len(now) {
		t.Errorf("after thirty days a letter as well: %q", later)
	}
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(daughter)); err != nil || !cardOf(x.Env, who).Frozen {
		t.Errorf("the daughter's freeze code: %v", err)
	}
}

// TestAContactForNoticesProvesNothing: it is no bound phone for anybody who asks, and
// no code for any act goes there.
func TestAContactForNoticesProvesNothing(t *testing.T) {
	x, d, who := named(t, testkit.Options{})
	if got := boundTo(x.Env, who); got != "" {
		t.Errorf("it is bound: %q", got)
	}
	id := cardOf(x.Env, who).ID
	if err := x.System.Store.View(t.Context(), func(r store.Reader) error {
		err := x.System.Authority.EachContact(r, id, func(store.Contact, string) error { return errors.New("it is among the card's numbers") })
		age, err1 := x.System.Authority.PhoneAge(r, id, x.Clock.Now())
		if age != 0 {
			t.Errorf("phone_age %d", age)
		}
		_, _, err2 := x.System.Authority.BoundPhone(r, id)
		if liuma.CodeOf(err2) != liuma.CodePhoneNone {
			t.Errorf("as the bound phone: %v", err2)
		}
		return errors.Join(err, err1)
	}); err != nil {
		t.Error(err)
	}
	seen, err := x.System.Counter.LookUp(t.Context(), d.Clerk, counter.Seeking{Number: who.IDNumber, Reason: "forgot_pin"})
	raw, err1 := json.Marshal(seen)
	if err := errors.Join(err, err1); err != nil || seen.Phone != "" || strings.Contains(string(raw), registry.MaskPhone(daughter)) {
		t.Errorf("the clerk sees %s, %v", raw, err)
	}
	for _, kind := range []liuma.TicketKind{liuma.TicketReset, liuma.TicketOpen} {
		if kind == liuma.TicketOpen { // as a frozen card without phone and links is
			if v, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(daughter)); err != nil || !cardOf(x.Env, who).Frozen {
				t.Fatalf("%+v, %v", v, err)
			}
		}

		p, h := d.Begin(who, kind)
		if p.Counter.Own {
			t.Errorf("%s asks for a code to it", kind)
		}
		if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil || p.Step == ceremony.StepCode {
			t.Errorf("%s: %s, %v", kind, p.Step, err)
		}
		if kind == liuma.TicketReset {
			p = x.GivePIN(p, h, liuma.RoleNew, goodPIN)
			if at := x.Clock.Now().Add(72 * time.Hour); !p.Counter.PINFrom.Equal(at) {
				t.Errorf("the PIN counts from %v on, want %v", p.Counter.PINFrom, at)
			}
			x.Clock.Advance(73 * time.Hour)
		}
	}
	for _, text := range x.Texts(daughter) {
		if text.Kind == authority.KindCode && text.Template != "code_notices" {
			t.Errorf("a code of %s went to it", text.Template)
		}
	}
}

// TestNobodyIsNamedWithoutTheirCode: a wrong code, one in
// another browser, a later hour, a stopped card, and a card that has a phone.
func TestNobodyIsNamedWithoutTheirCode(t *testing.T) {
	x, d, who := withoutPhone(t, testkit.Options{})
	ctx := t.Context()
	p, h := d.Agreed(who, liuma.TicketReset)
	p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
	if _, err := x.Authority().GiveCode(ctx, p.ID, h, "123456"); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("a code before a number: %v", err)
	}
	for _, bad := range []string{"", "110", "12345678901"} {
		if got, err := x.Authority().NameContact(ctx, p.ID, h, bad); err != nil || got.Code != liuma.CodePhoneInvalid || got.Counter.Notices.Typed {
			t.Errorf("%q: %s, %v", bad, got.Code, err)
		}
	}
	p, err := x.Authority().NameContact(ctx, p.ID, h, daughter)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Authority().SendCode(ctx, p.ID, h, liuma.ByVoice); liuma.CodeOf(err) != liuma.CodeBadRequest {
		t.Errorf("by call: %v", err)
	}
	p = x.send(p, h)
	right := x.LastCode(daughter)
	for _, other := range []ceremony.Hand{{}, {Secret: "another"}} {
		if _, err := x.Authority().GiveCode(ctx, p.ID, other, right); err == nil {
			t.Error("another browser gives the code")
		}
	}
	if p = x.give(p, h, not(right, 0)); p.Code != liuma.CodePhoneCodeWrong || p.CodesLeft != 4 {
		t.Errorf("a wrong code: %s, %d left", p.Code, p.CodesLeft)
	}
	p, err = x.Authority().NameContact(ctx, p.ID, h, son) // the daughter's code names no son
	if err != nil {
		t.Fatal(err)
	}
	if p = x.give(p, h, right); p.Code == "" {
		t.Error("the code to one number names another")
	}
	if p, err = x.Authority().NameNobody(ctx, p.ID, h); err != nil || p.Counter.Notices.Open || p.Counter.Notices.Typed {
		t.Errorf("no, thank you: %+v, %v", p.Counter.Notices, err)
	}
	if _, err := x.Authority().GiveCode(ctx, p.ID, h, right); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("after that: %v", err)
	}
	if got := toldAt(x.Env, who); got != "" {
		t.Errorf("named: %s", got)
	}
	x.Clock.Advance(73 * time.Hour)
	late, hl := served(d, who, liuma.TicketReset, goodPIN)
	x.Clock.Advance(16 * time.Minute)
	if _, err := x.Authority().NameContact(ctx, late.ID, hl, son); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("a quarter of an hour later: %v", err)
	}
	stopped, hs := served(d, who, liuma.TicketReset, otherPIN)
	all, _ := lettersTo(x.Env, who)
	if _, err := x.Authority().FreezeByCode(ctx, "a", freezeCodeOf(x.Env, all[0])); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"named": func() error { _, err := x.Authority().NameContact(ctx, stopped.ID, hs, son); return err },
		"ended": func() error { _, err := x.Authority().EndContact(ctx, stopped.ID, hs); return err },
	} {
		if err := do(); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
			t.Errorf("a stopped card: %s: %v", name, err)
		}
	}
	phone, hp := served(d, x.who, liuma.TicketReset, otherPIN)
	if _, err := x.Authority().NameContact(ctx, phone.ID, hp, son); phone.Counter.Notices != nil || liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("who has a phone: %v", err)
	}
}

// TestABoundPhoneEndsIt: from then on the holder is told, and who was named hears
// that once.
func TestABoundPhoneEndsIt(t *testing.T) {
	x, d, who := named(t, testkit.Options{})
	d.Served(who, liuma.TicketRebindReset, deskNumber, otherPIN)
	if got := toldAt(x.Env, who); got != "" {
		t.Errorf("it is still %s", got)
	}
	if got := x.Notices(daughter); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"notices_ended", "notices_named", "ticket_opened"}) {
		t.Errorf("who was named heard %v", got)
	}
	d.Served(who, liuma.TicketReset, "", goodPIN)
	if n := len(x.Notices(daughter)); n != 3 || !slices.Contains(x.Notices(deskNumber), "pin_reset") {
		t.Errorf("%d texts to who was named", n)
	}
}

// TestAContactIsChangedAndEnded: by the holder, on the last page of another ticket.
func TestAContactIsChangedAndEnded(t *testing.T) {
	x, d, who := named(t, testkit.Options{})
	p, h := served(d, who, liuma.TicketReset, goodPIN)
	offered(x.Env, p, registry.MaskPhone(daughter))
	names(x.Env, p, h, son)
	if got := x.Notices(daughter); !slices.Contains(got, "notices_ended") || toldAt(x.Env, who) != son {
		t.Errorf("the first one heard %v", got)
	}
	x.Clock.Advance(25 * time.Hour)
	p, h = served(d, who, liuma.TicketReset, otherPIN)
	p, err := x.Authority().EndContact(t.Context(), p.ID, h)
	if n := p.Counter.Notices; err != nil || n.Open || n.Result != ceremony.NamedEnded || n.Phone != "" || toldAt(x.Env, who) != "" {
		t.Errorf("ended: %+v, %v", n, err)
	}
	if got := x.Notices(son); !slices.Contains(got, "notices_ended") {
		t.Errorf("the second one heard %v", got)
	}
	if _, got := lettersTo(x.Env, who); !slices.Contains(got, "notices_ended") {
		t.Errorf("letters %q", got)
	}
	if named, ended := len(x.recorded(audit.NoticesNamed)), len(x.recorded(audit.NoticesEnded)); named != 2 || ended != 1 {
		t.Errorf("the record has %d namings and %d ends", named, ended)
	}
}

// TestAContactIsHeldMasked, and is nowhere to be read in the database.
func TestAContactIsHeldMasked(t *testing.T) {
	x, _, who := named(t, testkit.Options{})
	id, err := registry.ParseIDNumber(who.IDNumber)
	if err != nil {
		t.Fatal(err)
	}
	held, err := x.System.Registry.Held(t.Context(), "operator", id, "asked")
	if err != nil || held.Card.ToldFor == nil || held.Card.ToldFor.Phone != registry.MaskPhone(daughter) || held.Card.Contact != nil {
		t.Fatalf("%+v, %v", held.Card, err)
	}
	var text strings.Builder
	if err := held.WriteText(&text, nil); err != nil || !strings.Contains(text.String(), registry.MaskPhone(daughter)) || strings.Contains(text.String(), daughter) {
		t.Errorf("as text: %v", err)
	}
	if err := x.MarkSent(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"liuma.db", "liuma.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(x.Dir, name))
		if err != nil || bytes.Contains(raw, []byte(daughter)) {
			t.Errorf("%s holds the number, %v", name, err)
		}
	}
	if err := x.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.NoticeContact(cardOf(x.Env, who).ID)
		c.Since = c.Since.Add(-time.Hour) // not what was sealed
		return audit.Entry{At: x.Clock.Now(), Actor: "test", Event: audit.PersonShown, Outcome: "ok"}, errors.Join(err, tx.PutNoticeContact(c))
	}); err != nil {
		t.Fatal(err)
	}
	if err := x.System.Store.View(t.Context(), func(r store.Reader) error {
		_, _, err := x.System.Authority.NoticeContact(r, cardOf(x.Env, who).ID)
		return err
	}); liuma.CodeOf(err) != liuma.CodeUnavailable {
		t.Errorf("a row that is not what was sealed: %v", err)
	}
}

// TestANamingIsOneTransaction: wherever the process dies, the contact is there with its
// notice, or neither.
func TestANamingIsOneTransaction(t *testing.T) {
	for _, after := range []bool{false, true} {
		faults := &testkit.Faults{}
		x, d, who := withoutPhone(t, testkit.Options{Faults: faults})
		p, h := served(d, who, liuma.TicketReset, otherPIN)
		p, err := x.Authority().NameContact(t.Context(), p.ID, h, daughter)
		if err != nil {
			t.Fatal(err)
		}
		p = x.send(p, h)
		for steps := 0; ; steps++ {
			faults.DieAt(steps, after)
			_, _ = x.Authority().GiveCode(context.Background(), p.ID, h, x.LastCode(daughter))
			died := faults.Revive()
			restart(x.Env)
			is, told := toldAt(x.Env, who) != "", len(x.Notices(daughter)) == 1
			if is != told {
				t.Fatalf("step %d, after %v: named %v, told %v", steps, after, is, told)
			}
			if is || !died {
				if !is {
					t.Error("nobody was named")
				}
				break
			}
		}
	}
}
