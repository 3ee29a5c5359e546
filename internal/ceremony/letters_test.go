package ceremony_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

const homeAddress = "浙江省湖州市吴兴区爱山街道南街7号2幢301室"

// livesAt has the registry say where a person lives.
func livesAt(env *testkit.Env, f registry.Facts, address string) {
	env.T.Helper()
	_, err := env.System.Registry.Import(env.T.Context(), strings.NewReader("id_number,name,card_no,address\n"+f.IDNumber+","+f.Name+","+f.CardNo+","+address+"\n"),
		registry.ImportConfig{Actor: "operator", Reject: func(_ int, reason string) { env.T.Fatal(reason) }})
	if err != nil {
		env.T.Fatal(err)
	}
}

// lettersTo are a person's letters, by what they tell of.
func lettersTo(env *testkit.Env, f registry.Facts) (all []store.Letter, templates []string) {
	env.T.Helper()
	if err := env.System.Store.View(env.T.Context(), func(r store.Reader) (err error) {
		all, err = r.LettersOf(cardOf(env, f).ID)
		return err
	}); err != nil {
		env.T.Fatal(err)
	}
	for _, l := range all {
		templates = append(templates, l.Template)
	}
	slices.Sort(templates)
	return all, templates
}

func wantLetters(env *testkit.Env, f registry.Facts, want ...string) {
	env.T.Helper()
	if _, got := lettersTo(env, f); !slices.Equal(got, want) {
		env.T.Errorf("letters of %q, want %q", got, want)
	}
}

// freezeCodeOf is the freeze code that a letter will show.
func freezeCodeOf(env *testkit.Env, l store.Letter) string {
	env.T.Helper()
	plain, err := env.System.Vault.Unseal(vault.LetterText, []byte(l.ID), l.Sealed)
	if err != nil {
		env.T.Fatal(err)
	}
	var p struct{ Freeze string }
	if err := json.Unmarshal(plain, &p); err != nil || len(p.Freeze) != 11 {
		env.T.Fatalf("no freeze code: %v", err)
	}
	return p.Freeze
}

// withoutPhone is a person with a card, an address and no phone, whose PIN counts.
func withoutPhone(t *testing.T, o testkit.Options) (*phoned, *testkit.Desk, registry.Facts) {
	t.Helper()
	x, d := atDesk(t, o)
	who := x.People[2]
	livesAt(x.Env, who, homeAddress)
	d.Served(who, liuma.TicketEnroll, "", goodPIN)
	x.Clock.Advance(73 * time.Hour)
	return x, d, who
}

// TestWhoHasNoPhoneIsWrittenTo: what is done at a counter for somebody without a phone is
// told by letters in the same transaction; none of them goes to who has a phone, and the
// PIN still waits.
func TestWhoHasNoPhoneIsWrittenTo(t *testing.T) {
	x, d, who := withoutPhone(t, testkit.Options{})
	wantLetters(x.Env, who, "pin_set")
	p := d.Served(who, liuma.TicketReset, "", otherPIN)
	wantLetters(x.Env, who, "pin_reset", "pin_set", "ticket_opened")
	if at := x.Clock.Now().Add(72 * time.Hour); !p.Counter.PINFrom.Equal(at) {
		t.Errorf("a letter counts as told: the PIN counts from %v on, want %v", p.Counter.PINFrom, at)
	}
	livesAt(x.Env, x.who, homeAddress)
	d.Served(x.who, liuma.TicketReset, "", otherPIN)
	wantLetters(x.Env, x.who)
	b, err := x.System.Letters.Print(t.Context(), "staff:li", letter.Scope{}, letter.Order{})
	if err != nil || b.Letters != 3 || !strings.Contains(b.HTML, homeAddress) || !strings.Contains(b.HTML, who.Name) || !strings.Contains(b.HTML, "开始办理：重设密码") {
		t.Errorf("%v: %d letters", err, b.Letters)
	}
	if !strings.Contains(b.HTML, "新密码生效时间") || strings.Contains(b.HTML, who.IDNumber) {
		t.Error("the letter does not say when the PIN counts, or says the number")
	}
}

// TestALetterStopsTheCard: its freeze code works for sixty days and no longer, and stops
// what is open.
func TestALetterStopsTheCard(t *testing.T) {
	x, d, who := withoutPhone(t, testkit.Options{})
	p, h := d.Begin(who, liuma.TicketReset)
	all, _ := lettersTo(x.Env, who)
	codes := []string{freezeCodeOf(x.Env, all[0]), freezeCodeOf(x.Env, all[1])}
	x.Clock.Advance(time.Minute)
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", codes[0]); err != nil {
		t.Fatal(err)
	}
	if card := cardOf(x.Env, who); !card.Frozen {
		t.Error("the code of a letter freezes nothing")
	}
	if p, err := x.Authority().Agree(t.Context(), p.ID, h); err == nil && p.Step != ceremony.StepRefused {
		t.Errorf("a ticket goes on after the freeze: %s", p.Step)
	}
	x.Clock.Advance(61 * day)
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", codes[1]); liuma.CodeOf(err) != liuma.CodeFreezeCodeInvalid {
		t.Errorf("after sixty days: %v", err)
	}
}

// TestAFirstPhoneIsToldOnPaperToo: whoever binds a phone of theirs to the card of somebody
// who has none is not the only one who hears of it, nor of what follows for thirty days.
func TestAFirstPhoneIsToldOnPaperToo(t *testing.T) {
	x, d, who := withoutPhone(t, testkit.Options{})
	d.Served(who, liuma.TicketRebindReset, deskNumber, otherPIN)
	if !slices.Contains(x.Notices(deskNumber), "phone_pin_changed") {
		t.Error("the phone was not told")
	}
	wantLetters(x.Env, who, "phone_changed_new", "phone_pin_changed", "pin_set", "ticket_opened")
	x.Clock.Advance(29 * day)
	d.Served(who, liuma.TicketReset, "", goodPIN)
	if _, got := lettersTo(x.Env, who); len(got) != 6 {
		t.Errorf("within thirty days: %q", got)
	}
	x.Clock.Advance(2 * day)
	d.Served(who, liuma.TicketReset, "", otherPIN)
	if _, got := lettersTo(x.Env, who); len(got) != 6 {
		t.Errorf("after thirty days: %q", got)
	}
}

// TestWithoutTheBoundPhoneLettersGoToo: a thief who has the phone, and stands at the counter,
// is not the only one who hears of the ticket and of what comes of it; with the phone there
// no letter goes.
func TestWithoutTheBoundPhoneLettersGoToo(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	livesAt(x.Env, x.who, homeAddress)
	d.Served(x.who, liuma.TicketReset, "", otherPIN)
	wantLetters(x.Env, x.who)
	x.Clock.Advance(25 * time.Hour)
	d.Away = true
	d.Served(x.who, liuma.TicketRebindReset, deskNumber, goodPIN)
	wantLetters(x.Env, x.who, "phone_pin_changed", "ticket_opened")
	if !slices.Contains(x.Notices(x.who.Phone), "phone_pin_changed") {
		t.Error("the phone is not told any more")
	}
}

// TestNoLetterWithoutAnAddress, and no more than two of a kind in a day; the rest of an
// act is as ever.
func TestNoLetterWithoutAnAddress(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	who := x.People[2]
	d.Served(who, liuma.TicketEnroll, "", goodPIN)
	wantLetters(x.Env, who)
	livesAt(x.Env, who, homeAddress)
	for range 3 {
		x.Clock.Advance(time.Minute)
		d.Served(who, liuma.TicketReset, "", otherPIN)
	}
	wantLetters(x.Env, who, "pin_reset", "pin_reset", "ticket_opened", "ticket_opened")
}

// TestLettersAreOfTheTransaction: an act that is not kept leaves no letter, and one that is
// kept has it, wherever the process dies.
func TestLettersAreOfTheTransaction(t *testing.T) {
	for _, death := range testkit.Deaths("1/1") {
		after := death.After
		faults := &testkit.Faults{}
		x, d, who := withoutPhone(t, testkit.Options{Faults: faults})
		for steps := 0; ; steps++ {
			_, before := lettersTo(x.Env, who)
			was := cardOf(x.Env, who).Version
			p, h := d.Agreed(who, liuma.TicketReset)
			seal := x.SealPage(p, liuma.RoleNew, []string{goodPIN, otherPIN}[steps%2])
			faults.DieAt(steps, after)
			_, _ = x.Authority().GivePIN(context.Background(), p.ID, h, ceremony.Given{Try: p.Try, New: seal})
			died := faults.Revive()
			restart(x.Env)
			_, now := lettersTo(x.Env, who)
			is := ticket(d, p.Counter.Ticket)
			if used, more := is.State == store.TicketUsed, len(now)-len(before); used && more != 2 || !used && more != 1 { // one of its opening
				t.Fatalf("step %d, after %v: used %v, and %d letters more: %q", steps, after, used, more, now)
			}
			if !died {
				if cardOf(x.Env, who).Version == was {
					t.Error("nothing was set")
				}
				break
			}
			x.Clock.Advance(25 * time.Hour)
		}
	}
}

// TestWhatReadsTheDatabase of letters finds no address, no name and no freeze code.
func TestWhatReadsTheDatabase(t *testing.T) {
	x, _, who := withoutPhone(t, testkit.Options{})
	all, _ := lettersTo(x.Env, who)
	secrets := []string{homeAddress, freezeCodeOf(x.Env, all[0]), "社保经办柜台"}
	b, err := x.System.Letters.Print(t.Context(), "staff:li", letter.Scope{}, letter.Order{})
	if err != nil || b.Sheets != 1 {
		t.Fatalf("%+v %v", b, err)
	}
	for _, name := range []string{"liuma.db", "liuma.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(x.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
	}
}

// TestAnAddressIsNoSightForADesk: a clerk sees whether letters reach a person, and never
// where.
func TestAnAddressIsNoSightForADesk(t *testing.T) {
	x, d, who := withoutPhone(t, testkit.Options{})
	look := func(want string) {
		t.Helper()
		p, err := x.System.Counter.LookUp(t.Context(), d.Clerk, counter.Seeking{Number: who.IDNumber, Reason: "forgot_pin"})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(p)
		if err != nil || p.Post != want || strings.Contains(string(raw), "湖州") || strings.Contains(string(raw), "南街") {
			t.Errorf("%s, want %s: %s, %v", p.Post, want, raw, err)
		}
	}
	look(counter.PostGoes)
	b, err := x.System.Letters.Print(t.Context(), "staff:li", letter.Scope{}, letter.Order{})
	if err == nil {
		err = x.System.Letters.Printed(t.Context(), "staff:li", letter.Scope{}, b.ID)
	}
	if err == nil {
		_, err = x.System.Letters.Back(t.Context(), "staff:li", letter.Scope{}, b.ID+"-1")
	}
	if err != nil {
		t.Fatal(err)
	}
	look(counter.PostBack)
	_, before := lettersTo(x.Env, who)
	d.Served(who, liuma.TicketReset, "", otherPIN)
	if _, now := lettersTo(x.Env, who); len(now) != len(before) {
		t.Errorf("written again to where it came back: %q", now)
	}
	livesAt(x.Env, who, "")
	look(counter.PostNone)
}

// TestLettersGoWithThePerson: erasing leaves none.
func TestLettersAreForgotten(t *testing.T) {
	x, d, who := withoutPhone(t, testkit.Options{})
	d.Served(who, liuma.TicketReset, "", otherPIN)
	all, _ := lettersTo(x.Env, who)
	if err := x.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		l := all[0]
		l.State, l.EndedAt, l.Sealed = store.LetterDone, x.Clock.Now(), nil
		return audit.Entry{At: x.Clock.Now(), Actor: "test", Event: audit.LetterPosted, Outcome: "ok"}, tx.UpdateLetter(l)
	}); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(89 * day)
	if err := x.System.Authority.MaintainOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := lettersTo(x.Env, who); len(left) != 3 {
		t.Errorf("%d letters within ninety days", len(left))
	}
	x.Clock.Advance(2 * day)
	if err := x.System.Authority.MaintainOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := lettersTo(x.Env, who); len(left) != 2 || left[0].ID == all[0].ID || left[1].ID == all[0].ID {
		t.Errorf("%d letters after ninety days", len(left))
	}
}

// TestAClosingWaitsLongerForWhoIsNotTold: a letter needs its days, and so does an answer.
func TestAClosingWaitsLongerForWhoIsNotTold(t *testing.T) {
	x, d, who := withoutPhone(t, testkit.Options{})
	p, err := x.System.Counter.LookUp(t.Context(), d.Clerk, counter.Seeking{Number: who.IDNumber, Reason: counter.ReasonEmigration})
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.System.Counter.Open(t.Context(), d.Clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketClose, Checked: true})
	if err == nil {
		_, err = x.System.Counter.Approve(t.Context(), d.Supervisor, v.ID, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := cardOf(x.Env, who).Closing.Until.Sub(x.Clock.Now()); got != authority.UntoldWait {
		t.Errorf("it can be stopped for %s, want %s", got, authority.UntoldWait)
	}
}
