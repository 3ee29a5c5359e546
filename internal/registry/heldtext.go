package registry

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// WriteText writes the data for the person to read: all of it in Chinese, then all of
// it in English. uses are the entries of the card's stream, oldest first, those of
// archives before those of the database. Times are China's.
func (h Held) WriteText(w io.Writer, uses []audit.Recorded) error {
	out := bufio.NewWriter(w)
	for i, l := range []locale.Lang{locale.Chinese, locale.English} {
		if i > 0 {
			fmt.Fprintf(out, "\n%s\n\n", strings.Repeat("-", 72))
		}
		t := heldText{out, h, locale.In(l)}
		t.top()
		t.person()
		t.corrections()
		t.card()
		t.came()
		t.pending()
		t.notices()
		t.tickets()
		t.uses(uses)
		t.never()
	}
	return out.Flush() // returns the first error of any write
}

// heldText writes one language.
type heldText struct {
	io.Writer
	h Held
	w *locale.Words
}

func (t heldText) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

func (t heldText) title(title string) { t.line("\n%s", t.w.Held.Title(title)) }

// item is a line with a name; an empty value is written as "none".
func (t heldText) item(name, value string) {
	if value == "" {
		value = t.w.Held.None()
	}
	t.line("  %s", t.w.Held.Item(name, value))
}

func (t heldText) at(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(clock.China()).Format("2006-01-02 15:04:05")
}

func (t heldText) name(client string) string {
	n := t.h.Names[client]
	name := n.ZH
	if t.w.Lang() == locale.English {
		name = n.EN
	}
	if name == "" {
		return client
	}
	return name
}

// word is the catalogue's word for a name in the program, or the name itself if there
// is none, so that nothing is left out.
func (t heldText) word(kind, name string) string {
	if word := t.w.Word(kind, name); word != "" {
		return word
	}
	return name
}

// outcome is the result of an act: a word of its own, or the explanation of its error
// code.
func (t heldText) outcome(name string) string {
	if word := t.w.Word("outcome", name); word != "" {
		return word
	}
	what := t.w.Explanation(liuma.Code(name), "").What
	if what == t.w.Explanation(liuma.CodeInternal, "").What {
		return name
	}
	return strings.TrimRight(what, "。.")
}

// document writes a number as people read it: 护照 DEU-C01X00T47, and an ID number by
// itself.
func (t heldText) document(number string) string {
	kind, bare, ok := strings.Cut(number, ":")
	if !ok {
		return number
	}
	return t.word("document", kind) + " " + bare
}

// region writes a code with its province.
func (t heldText) region(r liuma.Region) string {
	if province := t.w.Region(r); province != "" {
		return t.w.Held.RegionOf(string(r), province)
	}
	return string(r)
}

func (t heldText) top() {
	t.line("%s", t.w.Held.Top())
	t.line("%s", t.w.Held.TopText())
	t.item(t.w.Held.WrittenAt(), t.at(t.h.At))
	t.item(t.w.Held.IDNumber(), t.document(t.h.IDNumber))
}

func (t heldText) person() {
	t.title(t.w.Held.TitleRegistry())
	p := t.h.Person
	if p == nil {
		t.line("  %s", t.w.Held.NotRegistered())
	} else {
		t.item(t.w.Held.Name(), p.Name)
		if p.BirthDate != "" {
			t.item(t.w.Held.BirthDate(), p.BirthDate)
		}
		t.item(t.w.Held.RegisteredPhone(), p.Phone)
		if p.Household != "" {
			t.item(t.w.Held.Household(), p.Household)
		}
		if p.Address != "" {
			t.item(t.w.Held.Address(), strings.TrimSpace(p.Postcode+" "+p.Address))
		}
		t.item(t.w.Held.CardNo(), p.CardNo)
		t.item(t.w.Held.IssuedIn(), t.region(p.Region))
		t.item(t.w.Held.Physical(), t.word("physical", string(p.Physical)))
		if p.Died {
			t.line("  %s", t.w.Held.Deceased())
		}
		t.item(t.w.Held.UpdatedAt(), t.at(p.UpdatedAt))
	}
	if t.h.Conflicts > 0 {
		t.line("  %s", t.w.Held.Conflicts(strconv.Itoa(t.h.Conflicts)))
	}
}

func (t heldText) corrections() {
	if len(t.h.Corrections) == 0 {
		return
	}
	t.title(t.w.Held.TitleCorrection())
	for _, c := range t.h.Corrections {
		what := t.w.Held.CorrectedToYours()
		if !c.Incoming {
			what = t.w.Held.CorrectedTo(t.document(c.Number))
		}
		said := t.w.Held.Correction(what, t.word("correction", c.State))
		if c.Until != nil {
			said = t.w.Held.CorrectionFrom(what, t.word("correction", c.State), t.at(*c.Until))
		}
		t.line("  %s  %s", t.at(c.At), said)
	}
}

func (t heldText) card() {
	t.title(t.w.Held.TitleCard())
	c := t.h.Card
	switch {
	case c == nil:
		t.line("  %s", t.w.Held.NoCard())
		return
	case c.Others:
		t.line("  %s", t.w.Held.OthersCard())
		return
	}
	t.item(t.w.Held.CardID(), c.ID)
	t.item(t.w.Held.Standing(), t.word("standing", string(c.Standing)))
	t.item(t.w.Held.Region(), t.region(c.Region))
	t.item(t.w.Held.AppliedAt(), t.at(c.CreatedAt))
	t.item(t.w.Held.PINSetAt(), t.at(c.PINSetAt))
	if !c.PINFrom.IsZero() {
		t.item(t.w.Held.PINFrom(), t.at(c.PINFrom))
	}
	t.item(t.w.Held.FrozenAt(), t.at(c.Frozen))
	if !c.ReportedUntil.IsZero() {
		t.item(t.w.Held.ReportedAt(), t.at(c.ReportedAt))
		t.item(t.w.Held.ReportedUntil(), t.at(c.ReportedUntil))
	}
	if !c.Retiring.IsZero() {
		t.item(t.w.Held.ErasingAt(), t.at(c.Retiring))
	}
	if b := c.Contact; b != nil {
		t.item(t.w.Held.BoundPhoneMasked(), b.Phone)
		t.item(t.w.Held.BoundAt(), t.at(b.BoundAt))
		t.item(t.w.Held.ConfirmedAt(), t.at(b.ConfirmedAt))
		t.item(t.w.Held.Language(), b.Language)
		t.item(t.w.Held.EveryUse(), map[bool]string{true: t.w.Held.Yes(), false: t.w.Held.No()}[b.EveryUse])
	} else {
		t.item(t.w.Held.BoundPhone(), "")
	}
	for _, f := range c.Former {
		t.item(t.w.Held.FormerPhone(), t.w.Held.ToldUntil(f.Phone, t.at(f.Until)))
	}
	if n := c.ToldFor; n != nil {
		t.item(t.w.Held.NoticesPhone(), t.w.Held.NoticesSince(n.Phone, t.at(n.Since)))
	}
	t.title(t.w.Held.TitleLinks())
	for _, l := range c.Links {
		t.line("  %s  %s", t.at(l.At), t.name(string(l.Channel)))
	}
	t.none(len(c.Links))
	t.title(t.w.Held.TitleConsents())
	for _, a := range c.Consents {
		t.line("  %s  %s  %s", t.at(a.At), t.name(string(a.Channel)), t.w.Held.Consent(a.Version, a.Text))
	}
	t.none(len(c.Consents))
}

// came lists the agents and guardians who came to a counter.
func (t heldText) came() {
	if len(t.h.Came) == 0 {
		return
	}
	t.title(t.w.Held.TitleCame())
	for _, c := range t.h.Came {
		said := t.w.Held.CameAgent
		if c.As == store.CameGuardian {
			said = t.w.Held.CameGuardian
		}
		t.line("  %s  %s", t.at(c.At), said(c.Name, t.word("ticket", string(c.Kind))))
	}
}

func (t heldText) none(n int) {
	if n == 0 {
		t.line("  %s", t.w.Held.None())
	}
}

func (t heldText) pending() {
	if len(t.h.Pending) == 0 {
		return
	}
	t.title(t.w.Held.TitlePending())
	for _, p := range t.h.Pending {
		t.line("  %s  %s  %s", t.at(p.At), t.name(string(p.Channel)), t.word("act", string(p.Action)))
	}
}

func (t heldText) notices() {
	t.title(t.w.Held.TitleMessages())
	for _, n := range t.h.Notices {
		t.line("  %s  %s  %s", t.at(n.At), t.word("notice", n.Template), t.word("message", string(n.State)))
	}
	t.none(len(t.h.Notices))
	if len(t.h.Letters) > 0 {
		t.title(t.w.Held.TitleLetters())
	}
	for _, l := range t.h.Letters {
		t.line("  %s  %s  %s", t.at(l.At), t.word("notice", l.Template), t.word("letter_state", string(l.State)))
	}
}

// tickets lists the tickets, each with its result.
func (t heldText) tickets() {
	if len(t.h.Tickets) == 0 {
		return
	}
	t.title(t.w.Held.TitleTickets())
	for _, k := range t.h.Tickets {
		said := t.w.Held.Outcome(t.word("ticket", string(k.Kind)), t.word("ticket_state", k.State))
		if k.Agency != "" {
			said = t.w.Held.TicketAt(said, string(k.Agency))
		}
		t.line("  %s  %s", t.at(k.AskedAt), said)
		t.item("  "+t.w.Held.TicketReason(), t.word("ticket_for", k.Reason))
		switch {
		case k.ToReview:
			t.line("    %s", t.w.Held.TicketToReview())
		case k.Finding != "":
			t.line("    %s", t.w.Held.TicketReviewed(t.at(k.ReviewedAt), t.word("finding", k.Finding)))
		}
	}
}

func (t heldText) uses(uses []audit.Recorded) {
	t.title(t.w.Held.TitleUses())
	for _, e := range uses {
		what := t.word("event", string(e.Event))
		if e.Outcome != "ok" {
			what = t.w.Held.Outcome(what, t.outcome(e.Outcome))
		}
		number := ""
		if e.BusinessNo != "" {
			number = "  " + t.w.Held.BusinessNumber(string(e.BusinessNo))
		}
		t.line("  %s  %s  %s%s", t.at(e.At), t.actor(e.Actor), what, number)
	}
	t.none(len(uses))
}

// actor names the actor of an entry.
func (t heldText) actor(a string) string {
	kind, id, ok := strings.Cut(a, ":")
	if ok && kind != "staff" { // the record names the member, and this is handed out
		return t.word("actor", kind) + " " + t.name(id)
	}
	return t.word("actor", kind)
}

func (t heldText) never() {
	t.title(t.w.Held.TitleNever())
	t.line("  %s", t.w.Held.Never())
	t.line("  %s", t.w.Held.Rights())
}
