package letter_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// office is a print queue over a real database.
type office struct {
	*letter.Letters
	t      *testing.T
	store  *sqlite.Store
	people *registry.Registry
	vault  *vault.Vault
	now    time.Time
	cards  map[string]liuma.CardID
}

func newOffice(t *testing.T) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{t: t, now: time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC), cards: map[string]liuma.CardID{}}
	o.must(vault.Create(filepath.Join(dir, "vault.key")))
	v, err := vault.Open(filepath.Join(dir, "vault.key"))
	o.must(err)
	o.store, err = sqlite.Open(t.Context(), filepath.Join(dir, "liuma.db"), sqlite.Config{Seal: v})
	o.must(err)
	o.vault = v
	t.Cleanup(func() { o.must(errors.Join(o.store.Close(), v.Close())) })
	now := func() time.Time { return o.now }
	o.people, err = registry.New(registry.Config{Store: o.store, Vault: v, Now: now})
	o.must(err)
	o.Letters, err = letter.New(letter.Config{Store: o.store, Vault: v, Registry: o.people, Now: now, ReturnTo: "湖州市社保中心，湖州市金盖山路66号，313000"})
	o.must(err)
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// holder registers a person with a card.
func (o *office) holder(i int, region, address string) liuma.CardID {
	o.t.Helper()
	number := idNumber(i)
	_, err := o.people.Import(o.t.Context(), strings.NewReader(fmt.Sprintf("id_number,name,card_no,region,address,postcode\n%s,王%s,A%08d,%s,%s,313000\n", number, names[i], i, region, address)), registry.ImportConfig{Actor: "operator",
		Reject: func(_ int, reason string) { o.t.Fatal(reason) }})
	o.must(err)
	id := liuma.CardID{byte(i), 1}
	o.update(func(tx store.Tx) error {
		return tx.InsertCard(store.Card{ID: id, Holder: o.vault.Index(vault.IndexIDNumber, number), Region: liuma.Region(region)})
	})
	return id
}

var names = []string{"零", "秀英", "建国", "桂兰", "德明"}

// idNumber is a valid number.
func idNumber(i int) string {
	body := fmt.Sprintf("33050219500101%03d", i)
	weights, sum := []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}, 0
	for j, w := range weights {
		sum += int(body[j]-'0') * w
	}
	return body + string("10X98765432"[sum%11])
}

func (o *office) update(f func(store.Tx) error) {
	o.t.Helper()
	o.must(o.store.Update(o.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: o.now, Actor: "system", Event: audit.PINSet, Outcome: "ok"}, f(tx)
	}))
}

// write puts letters about a card into the queue, a second after one another.
func (o *office) write(card liuma.CardID, region liuma.Region, templates ...string) {
	o.t.Helper()
	for _, template := range templates {
		o.now = o.now.Add(time.Second)
		at := o.now.Format(time.RFC3339)
		o.update(func(tx store.Tx) error {
			return o.Write(tx, letter.Message{Card: card, Template: template, Region: region, Freeze: "A3K7Q9MX2WD", Until: o.now.Add(60 * 24 * time.Hour),
				ZH: map[string]string{"at": at, "channel": "社保经办柜台", "until": o.now.Add(72 * time.Hour).Format(time.RFC3339)},
				EN: map[string]string{"at": at, "channel": "social-security counter", "until": o.now.Add(72 * time.Hour).Format(time.RFC3339)}})
		})
	}
}

var nation = letter.Scope{}

func (o *office) print(in letter.Scope, q letter.Order) letter.Batch {
	o.t.Helper()
	b, err := o.Print(o.t.Context(), "staff:wang", in, q)
	o.must(err)
	return b
}

func (o *office) states() map[store.LetterState]int {
	o.t.Helper()
	all, err := o.List(o.t.Context(), nation, "", "", 99)
	o.must(err)
	out := map[store.LetterState]int{}
	for _, l := range all {
		out[l.State]++
	}
	return out
}

func (o *office) want(what string, want map[store.LetterState]int) {
	o.t.Helper()
	got := o.states()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		o.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func refused(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// entries are the notes of the record with an event.
func (o *office) entries(event audit.Event) (notes []string) {
	o.t.Helper()
	o.must(o.store.View(context.Background(), func(r store.Reader) error {
		heads, err := r.Streams(audit.Stream{}, 99)
		for _, h := range heads {
			all, err := r.Entries(h.Stream, 0, 999)
			if err != nil {
				return err
			}
			for _, e := range all {
				if e.Event == event {
					notes = append(notes, e.Actor+" "+e.Note)
				}
			}
		}
		return err
	}))
	slices.Sort(notes)
	return notes
}

// TestABatch: what waits is printed once, one sheet a person, with name, address and
// freeze code, and goes to the post and out of the database.
func TestABatch(t *testing.T) {
	o := newOffice(t)
	one, two := o.holder(1, "330502", "浙江省湖州市吴兴区爱山街道123号2幢301室"), o.holder(2, "330502", "湖州市南街7号")
	o.write(one, "330502", "ticket_opened", "pin_reset", "phone_changed_new")
	o.write(two, "330502", "card_frozen")
	b := o.print(nation, letter.Order{})
	if b.Sheets != 2 || b.Letters != 4 || b.Resumed || b.Unsent != 0 {
		t.Errorf("%+v", b)
	}
	for _, shown := range []string{"王秀英", "浙江省湖州市吴兴区爱山街道123号2幢301室", "313000", "王建国", "湖州市南街7号", "A3K 7Q9M X2WD", b.ID + "-1", b.ID + "-2", "12333",
		"重设了密码", "新密码生效时间：11月25日15:30", "The PIN was reset", "卡已冻结", "湖州市社保中心", "social-security counter"} {
		if !strings.Contains(b.HTML, shown) {
			t.Errorf("the letter lacks %q", shown)
		}
	}
	for _, never := range []string{idNumber(1), "<script", "http:", "https:", "A00000001", "src=", "url("} {
		if strings.Contains(b.HTML, never) {
			t.Errorf("the letter has %q", never)
		}
	}
	o.want("being printed", map[store.LetterState]int{"printing": 4})
	if again := o.print(nation, letter.Order{}); again.ID != "" {
		t.Errorf("printed twice: %+v", again)
	}
	refused(t, "posted before it is printed", posted(o, b.ID), letter.ErrNotPrinted)
	o.must(o.Printed(t.Context(), "staff:wang", nation, b.ID))
	o.must(o.Printed(t.Context(), "staff:wang", nation, b.ID))
	_, err := o.Print(t.Context(), "staff:wang", nation, letter.Order{Batch: b.ID})
	refused(t, "again without saying so", err, letter.ErrPrinted)
	if again := o.print(nation, letter.Order{Batch: strings.ToLower(b.ID), Again: true}); again.Sheets != 2 || !again.Resumed || !strings.Contains(again.HTML, b.ID+"-2") {
		t.Errorf("again: %+v", again)
	}
	o.must(posted(o, b.ID+"-2"))
	o.want("one sheet posted", map[store.LetterState]int{"printed": 3, "done": 1})
	o.must(posted(o, b.ID))
	refused(t, "posted twice", posted(o, b.ID), letter.ErrEnded)
	_, err = o.Print(t.Context(), "staff:wang", nation, letter.Order{Batch: b.ID, Again: true})
	refused(t, "again when posted", err, letter.ErrEnded)
	o.must(o.store.View(t.Context(), func(r store.Reader) error {
		all, err := r.LettersIn(b.ID)
		for _, l := range all {
			if len(l.Sealed) != 0 {
				t.Error("what a posted letter said is still there")
			}
		}
		return err
	}))
	want := []string{"staff:wang batch=" + b.ID + " letters=4 written", "staff:wang batch=" + b.ID + " sheets=2 letters=4", "staff:wang batch=" + b.ID + " sheets=2 letters=4 again"}
	if got := o.entries(audit.LetterPrinted); !slices.Equal(got, want) {
		t.Errorf("recorded: %q, want %q", got, want)
	}
}

func posted(o *office, name string) error {
	_, err := o.Done(o.t.Context(), "staff:wang", nation, name)
	return err
}

// TestAnInterruptedBatch is given out again, the same one, and nothing is lost or printed
// under two names.
func TestAnInterruptedBatch(t *testing.T) {
	o := newOffice(t)
	one := o.holder(1, "330502", "湖州市南街7号")
	o.write(one, "330502", "pin_set")
	first := o.print(nation, letter.Order{}) // and the process dies
	o.write(one, "330502", "card_frozen")
	second := o.print(nation, letter.Order{})
	if second.ID == first.ID || second.Letters != 1 {
		t.Errorf("%+v after %+v", second, first)
	}
	if named := o.print(nation, letter.Order{Batch: first.ID}); named.ID != first.ID || named.HTML != first.HTML {
		t.Error("by its name it is another one")
	}
	o.now = o.now.Add(11 * time.Minute)
	third := o.print(nation, letter.Order{})
	if third.ID != first.ID || !third.Resumed {
		t.Errorf("%+v, want %s resumed", third, first.ID)
	}
	o.must(o.Printed(t.Context(), "staff:wang", nation, first.ID))
	if fourth := o.print(nation, letter.Order{}); fourth.ID != second.ID {
		t.Errorf("%+v, want %s resumed", fourth, second.ID)
	}
	o.must(o.Printed(t.Context(), "staff:wang", nation, second.ID))
	if none := o.print(nation, letter.Order{}); none.ID != "" {
		t.Errorf("%+v", none)
	}
	o.want("at the end", map[store.LetterState]int{"printed": 2})
}

// TestNothingGoesWhereALetterCameBack, until the registry has another address.
func TestNothingGoesWhereALetterCameBack(t *testing.T) {
	o := newOffice(t)
	one := o.holder(1, "330502", "湖州市南街7号")
	o.write(one, "330502", "pin_set")
	b := o.print(nation, letter.Order{})
	back := func(name string) error {
		_, err := o.Back(t.Context(), "staff:wang", nation, name)
		return err
	}
	refused(t, "back before it is printed", back(b.ID+"-1"), letter.ErrNotPrinted)
	o.must(o.Printed(t.Context(), "staff:wang", nation, b.ID))
	refused(t, "a batch", back(b.ID), letter.ErrBatch)
	refused(t, "no such sheet", back(b.ID+"-2"), letter.ErrNone)
	refused(t, "no such batch", back("ZZZZZZZZ-1"), letter.ErrNone)
	o.must(posted(o, b.ID))
	o.must(back(b.ID + "-1"))
	refused(t, "twice", back(b.ID+"-1"), letter.ErrEnded)
	may := func(want bool) {
		t.Helper()
		o.must(o.store.View(t.Context(), func(r store.Reader) error {
			_, f, err := o.people.Of(r, o.vault.Index(vault.IndexIDNumber, idNumber(1)))
			if err != nil {
				return err
			}
			got, err := o.May(r, one, f)
			if got != want {
				t.Errorf("may write: %v, want %v", got, want)
			}
			return err
		}))
	}
	may(false)
	o.write(one, "330502", "card_frozen") // was queued before it came back
	if b := o.print(nation, letter.Order{}); b.Sheets != 0 || b.Unsent != 1 {
		t.Errorf("%+v", b)
	}
	_, err := o.people.Import(t.Context(), strings.NewReader("id_number,name,card_no,address\n"+idNumber(1)+",王秀英,A00000001,湖州市北街9号\n"), registry.ImportConfig{Actor: "operator"})
	o.must(err)
	may(true)
	o.want("at the end", map[store.LetterState]int{"back": 2})
}

// TestLettersOfARegion: who is bound to a region sees, prints and posts no other's.
func TestLettersOfARegion(t *testing.T) {
	o := newOffice(t)
	one, two := o.holder(1, "330502", "湖州市南街7号"), o.holder(2, "330203", "宁波市中山路1号")
	o.write(one, "330502", "pin_set")
	o.write(two, "330203", "pin_set")
	huzhou := letter.Scope{Region: "3305"}
	b := o.print(huzhou, letter.Order{})
	if b.Letters != 1 || strings.Contains(b.HTML, "宁波市") {
		t.Errorf("%+v", b)
	}
	rest := o.print(nation, letter.Order{})
	for _, name := range []string{rest.ID, rest.ID + "-1"} {
		_, err := o.Done(t.Context(), "staff:li", huzhou, name)
		refused(t, "another region's", err, letter.ErrNone)
	}
	refused(t, "another region's", o.Printed(t.Context(), "staff:li", huzhou, rest.ID), letter.ErrNone)
	_, err := o.Print(t.Context(), "staff:li", huzhou, letter.Order{Batch: rest.ID})
	refused(t, "another region's", err, letter.ErrNone)
	seen, err := o.List(t.Context(), huzhou, "", "", 99)
	if err != nil || len(seen) != 1 || seen[0].Region != "330502" {
		t.Errorf("%+v, %v", seen, err)
	}
}

// TestWhoIsNotWrittenTo: a letter whose person or address went is given up and not sent to
// whoever has the number now; one whose row was altered is not believed.
func TestWhoIsNotWrittenTo(t *testing.T) {
	o := newOffice(t)
	gone, contested, moved := o.holder(1, "330502", "湖州市南街7号"), o.holder(2, "330502", "湖州市北街9号"), o.holder(3, "330502", "湖州市东街3号")
	for _, card := range []liuma.CardID{gone, contested, moved} {
		o.write(card, "330502", "pin_set")
	}
	o.update(func(tx store.Tx) error {
		c, err := tx.Card(contested)
		c.Contested = true
		return errors.Join(err, tx.UpdateCard(c))
	})
	_, err := o.people.Import(t.Context(), strings.NewReader("id_number,name,card_no,address\n"+idNumber(1)+",王秀英,A00000001,\n"), registry.ImportConfig{Actor: "operator"})
	o.must(err)
	// The sealed part of one letter in the row of another.
	o.update(func(tx store.Tx) error {
		all, err := tx.LettersOf(moved)
		if err != nil {
			return err
		}
		all[0].Template = "card_unfrozen"
		return tx.UpdateLetter(all[0])
	})
	b := o.print(nation, letter.Order{})
	if b.Sheets != 0 || b.Unsent != 3 || b.HTML != "" {
		t.Errorf("%+v", b)
	}
	why := map[string]int{}
	all, err := o.List(t.Context(), nation, store.LetterBack, "", 99)
	o.must(err)
	for _, l := range all {
		why[l.Why]++
	}
	if fmt.Sprint(why) != fmt.Sprint(map[string]int{"address": 1, "nobody": 1, "unreadable": 1}) {
		t.Error(why)
	}
}

// TestManyLettersOfOnePerson go on several sheets, and an old code stops nothing and is
// not printed.
func TestManyLettersOfOnePerson(t *testing.T) {
	o := newOffice(t)
	one := o.holder(1, "330502", "湖州市南街7号")
	o.write(one, "330502", "ticket_opened", "pin_set", "phone_changed_new", "card_frozen", "card_unfrozen", "person_shown")
	o.now = o.now.Add(61 * 24 * time.Hour)
	b := o.print(nation, letter.Order{Chinese: true})
	if b.Sheets != 2 || b.Letters != 6 || strings.Contains(b.HTML, "A3K") || strings.Contains(b.HTML, "The PIN") || strings.Contains(b.HTML, "冻结码") {
		t.Errorf("%d sheets, %d letters", b.Sheets, b.Letters)
	}
	q, err := letter.Look(t.Context(), o.store, o.now)
	if err != nil || q.Printed != 6 || q.Due != 0 {
		t.Errorf("%+v %v", q, err)
	}
	q, err = letter.Look(t.Context(), o.store, o.now.Add(49*time.Hour))
	if err != nil || q.Due != 6 {
		t.Errorf("%+v %v", q, err)
	}
}
