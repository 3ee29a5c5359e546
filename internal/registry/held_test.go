package registry

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// TestHeldShowsNobodyElse: an import that named another person under the number, a
// card that the person before had, and a phone that may be a relative's stay hidden;
// what is one's own is there in both languages.
func TestHeldShowsNobodyElse(t *testing.T) {
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,normal")
	card := h.enrolled(t, goodID)
	id, err := ParseIDNumber(goodID)
	must(t, err)
	sealed, err := h.vault.Seal(vault.ContactPhone, card.ID[:], []byte(`{"phone":"13700137000","bound":"2026-11-01T00:00:00Z","confirmed":"2026-11-01T00:00:00Z"}`))
	must(t, err)
	must(t, h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Card(card.ID)
		c.Consents = []store.Consent{{Version: "7", Text: [32]byte{1}, At: h.now(), Channel: "app"}}
		return audit.Entry{At: h.now(), Actor: "channel:app", Event: audit.AttemptDecided, Card: card.ID, Outcome: "wrong", BusinessNo: "bn-1"},
			errors.Join(err, tx.UpdateCard(c), tx.InsertClient(store.Client{ID: "app", Kind: store.ClientChannel, Name: liuma.Text{ZH: "浙里办", EN: "Zhejiang App"}}),
				tx.PutLink(store.Link{Channel: "app", Card: card.ID, Handle: "h1", At: h.now()}),
				tx.PutContact(store.Contact{Card: card.ID, Sealed: sealed, Language: "en", BoundAt: h.now()}),
				tx.InsertMessage(store.Message{ID: strings.Repeat("b", 26), Card: card.ID, Template: "pin_set", State: store.MessageSent, At: h.now(), DoneAt: h.now()}),
				tx.InsertMessage(store.Message{ID: strings.Repeat("d", 26), Card: card.ID, Template: "card_unfrozen", State: store.MessageSent, At: h.now().Add(-time.Hour), DoneAt: h.now()}),
				tx.InsertMessage(store.Message{ID: strings.Repeat("c", 26), Card: liuma.CardID{9}, Template: "card_frozen", State: store.MessageSent, At: h.now(), DoneAt: h.now()}))
	}))
	h.left(t, ImportConfig{}, header+"\n"+goodID+",李丽,13900139000,B00000001,330523,lost\n")

	held, err := h.Held(t.Context(), "operator", id, "case-771")
	must(t, err)
	raw, err := json.Marshal(held)
	must(t, err)
	var text strings.Builder
	entries := h.entriesOf(t, card.ID)
	must(t, held.WriteText(&text, entries))
	for form, shown := range map[string]string{"json": string(raw), "text": text.String()} {
		for _, other := range []string{"李丽", "13900139000", "B00000001", "13700137000", "13800138000", "card_frozen", "reason=", "case-771"} {
			if strings.Contains(shown, other) {
				t.Errorf("%s shows %s", form, other)
			}
		}
		for _, own := range []string{"王秀英", goodID, "A12345678", "137****7000", "138****8000", "浙里办", "Zhejiang App", card.ID.String()} {
			if !strings.Contains(shown, own) {
				t.Errorf("%s lacks %s", form, own)
			}
		}
	}
	for _, want := range []string{"应用 浙里办  密码核验结果（不正确）  业务流水号 bn-1", "发卡地区：330502（浙江省）", "密码已设置  已发出", "卡已解冻", "app Zhejiang App  a check of the PIN ended (wrong)  business number bn-1", "版本 7", "version 7", "The PIN, pictures", "密码、人脸"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text lacks %q", want)
		}
	}
	if held.Conflicts != 1 || len(held.Notices) != 2 || held.Notices[0].Template != "card_unfrozen" || len(held.Card.Links) != 1 || len(held.Card.Consents) != 1 {
		t.Errorf("%+v", held)
	}
	if h.untold(t, card.ID) != store.ChangedShown {
		t.Errorf("to be told: %q", h.untold(t, card.ID))
	}
	if last := h.entriesOf(t, card.ID); last[len(last)-1].Event != audit.PersonShown || last[len(last)-1].Actor != "operator" {
		t.Errorf("entries %+v", last)
	}

	// The number is given to the other person: what they get is theirs alone.
	all, err := h.Conflicts(t.Context(), "")
	must(t, err)
	_, err = h.ReplaceRegistered(t.Context(), "operator", all[0].ID, "seen")
	must(t, err)
	held, err = h.Held(t.Context(), "operator", id, "case-771")
	must(t, err)
	raw, err = json.Marshal(held)
	must(t, err)
	text.Reset()
	must(t, held.WriteText(&text, nil))
	for form, shown := range map[string]string{"json": string(raw), "text": text.String()} {
		for _, other := range []string{"王秀英", "A12345678", "137****7000", card.ID.String(), "bn-1", "pin_set"} {
			if strings.Contains(shown, other) {
				t.Errorf("to the other person, %s shows %s", form, other)
			}
		}
		if !strings.Contains(shown, "李丽") {
			t.Errorf("%s lacks the other person's name", form)
		}
	}
	if held.Card == nil || !held.Card.Others {
		t.Errorf("%+v", held.Card)
	}
}

// TestHeldOfAnotherDocument: what only the registry says of a person, birthday and
// household, is held too.
func TestHeldOfAnotherDocument(t *testing.T) {
	h := newHouse(t)
	h.left(t, ImportConfig{}, "document_type,document_number,birth_date,household,address,postcode,name,phone,card_no\n"+
		"passport,DEU-C01X00T47,1980-08-08,H-77,湖州市吴兴区南街 7 号,313000,Anna Schmidt,13800138000,A12345670\n")
	id, err := ParseDocument(liuma.Document{Type: liuma.DocumentPassport, Number: "DEU-C01X00T47"})
	must(t, err)
	held, err := h.Held(t.Context(), "operator", id, "case-771")
	must(t, err)
	raw, err := json.Marshal(held)
	must(t, err)
	var text strings.Builder
	must(t, held.WriteText(&text, nil))
	for form, shown := range map[string]string{"json": string(raw), "text": text.String()} {
		for _, own := range []string{"1980-08-08", "H77", "湖州市吴兴区南街 7 号", "313000", "DEU-C01X00T47"} {
			if !strings.Contains(shown, own) {
				t.Errorf("%s lacks %s: %s", form, own, shown)
			}
		}
	}
}

// TestHeldShowsAPINThatWaits: from when on a PIN counts is shown until then.
func TestHeldShowsAPINThatWaits(t *testing.T) {
	for from, shown := range map[time.Duration]bool{72 * time.Hour: true, -time.Hour: false} {
		h := newHouse(t)
		h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,normal")
		card := h.enrolled(t, goodID)
		id, err := ParseIDNumber(goodID)
		must(t, err)
		must(t, h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			c, err := tx.Card(card.ID)
			c.PINFrom = h.now().Add(from)
			return audit.Entry{At: h.now(), Actor: "counter", Event: audit.PINSet, Card: card.ID, Outcome: "ok"}, errors.Join(err, tx.UpdateCard(c))
		}))
		held, err := h.Held(t.Context(), "operator", id, "case-771")
		must(t, err)
		var text strings.Builder
		must(t, held.WriteText(&text, nil))
		if says := strings.Contains(text.String(), "密码生效时间") && strings.Contains(text.String(), "PIN counts from"); says != shown || held.Card.PINFrom.IsZero() == shown {
			t.Errorf("%v: shown %v, %v", from, says, held.Card.PINFrom)
		}
	}
}

// TestHeldShowsTickets: what counters opened for a person, before the card and with it, and
// what a review found; nobody of the staff, nor what they wrote, nor another's ticket.
func TestHeldShowsTickets(t *testing.T) {
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,normal")
	card := h.enrolled(t, goodID)
	id, err := ParseIDNumber(goodID)
	must(t, err)
	row := func(k store.Ticket) store.Ticket {
		k.ID, k.Clerk, k.Supervisor, k.Agency, k.Words, k.Route, k.AskedAt = liuma.NewTicketID(), "chen-hong", "zhou-min", "huzhou", "她的邻居说", store.RouteSupervisor, h.now()
		return k
	}
	must(t, h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: h.now(), Actor: "staff:chen-hong", Event: audit.TicketAsked, Card: card.ID, Outcome: "ok"}, errors.Join(
			tx.InsertTicket(row(store.Ticket{Kind: liuma.TicketEnroll, State: store.TicketExpired, Holder: card.Holder, Reason: "first_card", EndedAt: h.now()})),
			tx.InsertTicket(row(store.Ticket{Kind: liuma.TicketReset, State: store.TicketUsed, Card: card.ID, Holder: card.Holder, Reason: "forgot_pin", EndedAt: h.now(),
				ReviewUntil: h.now().Add(time.Hour), ReviewedAt: h.now(), Reviewer: "li-na", Finding: "wrong", ReviewWords: "没有看到原件"})),
			tx.InsertTicket(row(store.Ticket{Kind: liuma.TicketClose, State: store.TicketUsed, Card: liuma.CardID{7}, Holder: vault.Index{7}, Reason: "death", EndedAt: h.now()})))
	}))
	held, err := h.Held(t.Context(), "operator", id, "case-771")
	must(t, err)
	if len(held.Tickets) != 2 || held.Tickets[0].Kind != liuma.TicketEnroll || held.Tickets[1].State != "used" || held.Tickets[1].Finding != "wrong" {
		t.Errorf("%+v", held.Tickets)
	}
	var text strings.Builder
	must(t, held.WriteText(&text, nil))
	whole, err := json.Marshal(held)
	must(t, err)
	for _, said := range []string{"柜台凭单", "重设密码（已办好），经办机构 huzhou", "忘记密码", "安全管理员已审核", "有问题", "Tickets at counters", "not in order"} {
		if !strings.Contains(text.String(), said) {
			t.Errorf("the text lacks %q", said)
		}
	}
	for _, hidden := range []string{"chen-hong", "zhou-min", "li-na", "她的邻居说", "没有看到原件", `"close"`} {
		if strings.Contains(text.String()+string(whole), hidden) {
			t.Errorf("it shows %s", hidden)
		}
	}
}

// TestHeldShowsALossReport: a loss that was reported by phone is shown with its end
// while it stops the card, and not afterwards.
func TestHeldShowsALossReport(t *testing.T) {
	for ends, shown := range map[time.Duration]bool{72 * time.Hour: true, -time.Hour: false} {
		h := newHouse(t)
		h.mustImport(t, goodID+",王秀英,13800138000,A12345678,330502,normal")
		card := h.enrolled(t, goodID)
		id, err := ParseIDNumber(goodID)
		must(t, err)
		must(t, h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			c, err := tx.Card(card.ID)
			c.ReportedAt, c.ReportedUntil = h.now().Add(-2*time.Hour), h.now().Add(ends)
			return audit.Entry{At: h.now(), Actor: "hotline:h", Event: audit.LossReported, Card: card.ID, Outcome: "ok"},
				errors.Join(err, tx.UpdateCard(c))
		}))
		held, err := h.Held(t.Context(), "operator", id, "case-771")
		must(t, err)
		raw, err := json.Marshal(held)
		must(t, err)
		var text strings.Builder
		must(t, held.WriteText(&text, nil))
		for form, says := range map[string]bool{
			"json":    strings.Contains(string(raw), `"loss_reported_until"`),
			"Chinese": strings.Contains(text.String(), "挂失到期时间"),
			"English": strings.Contains(text.String(), "Report ends at"),
		} {
			if says != shown {
				t.Errorf("ends in %v: %s shows the report: %v", ends, form, says)
			}
		}
	}
}

// TestNamesHaveWords: what a person reads about a card, its acts and its stream is
// said in words, and no word is there for a name that the program does not know.
func TestNamesHaveWords(t *testing.T) {
	source, err := os.ReadFile("../audit/entry.go")
	must(t, err)
	names, kinds := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`Event\s+= "([a-z.]+)"`).FindAllSubmatch(source, -1) {
		names["event."+string(m[1])] = true
	}
	for kind, all := range map[string][]string{
		"physical": {string(liuma.PhysicalNormal), string(liuma.PhysicalLost), string(liuma.PhysicalCancelled)},
		"standing": {string(liuma.StandingActive), string(liuma.StandingSuspended), string(liuma.StandingFrozen), string(liuma.StandingReported), string(liuma.StandingCancelled)},
		"message":  {string(store.MessageWaiting), string(store.MessageSent), string(store.MessageDelivered), string(store.MessageDead)},
		"act":      {string(liuma.ActionEnroll), string(liuma.ActionLink), string(liuma.ActionVerify), string(liuma.ActionChange), string(liuma.ActionReset), string(liuma.ActionRebind), string(liuma.ActionUnfreeze), "freeze", string(liuma.ActionCounter)},
		"actor":    {"channel", "registry", "hotline", "holder", "operator", "staff", "system", "counter"},
		"event": {string(audit.CardEnrolled), string(audit.PINSet), string(audit.AttemptDecided), string(audit.CardFrozen), string(audit.PersonShown), string(audit.CardRetired), string(audit.CorrectionOpened), string(audit.CorrectionDone), string(audit.CorrectionHastened), string(audit.CardClosing),
			string(audit.TicketAsked), string(audit.TicketOpened), string(audit.TicketHanded), string(audit.TicketTaken), string(audit.TicketEnded), string(audit.TicketRefused), string(audit.TicketReviewed)},
		"outcome": {string(liuma.Right), string(liuma.Wrong), string(liuma.Locked), string(liuma.Blocked), string(liuma.Suspended), string(liuma.Unavailable),
			"begun", "failed", string(liuma.CodeNotFound), string(liuma.CodeUndecided), "checked", "again",
			"code", "stopped", "expired", // of ceremonies
			"declined", "withdrawn", "fine", "own", "bounds", "look_up", "ticket"}, // of a counter
		"finding":    {"fine", "wrong"},
		"notice":     texts(),
		"document":   {string(liuma.DocumentPermanentResidence), string(liuma.DocumentPassport), string(liuma.DocumentHKMacaoPermit), string(liuma.DocumentTaiwanPermit), string(liuma.DocumentForeignerNumber)},
		"correction": {"received", "waiting", "moving", "undoing", "moved", "stopped", "cancelled"},
	} {
		kinds[kind] = true
		for _, name := range all {
			names[kind+"."+name] = true
			if locale.In(locale.Chinese).Word(kind, name) == "" {
				t.Errorf("%s %s has no word", kind, name)
			}
		}
	}
	for _, k := range locale.Own().Keys() {
		name, ok := strings.CutPrefix(k.Name, "word.")
		kind, _, _ := strings.Cut(name, ".") // the console has kinds of its own
		if ok && kinds[kind] && !names[name] {
			t.Errorf("nothing says %s", k.Name)
		}
	}
}

// texts are the templates of messages, each of which has a text in the catalogue.
func texts() (names []string) {
	for _, k := range locale.Own().Keys() {
		name, ok := strings.CutPrefix(k.Name, "text.")
		if ok && slices.Contains(k.Placeholders, "at") || strings.HasPrefix(name, "code_") {
			names = append(names, name)
		}
	}
	return names
}

// TestHeldSpeaksInWords: no name of the program's, a document as people write it, and
// messages by their time.
func TestHeldSpeaksInWords(t *testing.T) {
	h := Held{IDNumber: "passport:DEU-C01X00T47", Corrections: []HeldCorrection{{Number: "passport:DEU-C01X00T48", State: "received"}}}
	uses := []audit.Recorded{
		{Entry: audit.Entry{Actor: "holder", Event: audit.CeremonyStepped, Outcome: "code"}},
		{Entry: audit.Entry{Actor: "holder", Event: audit.CeremonyStepped, Outcome: "checked"}},
		{Entry: audit.Entry{Actor: "holder", Event: audit.CodeWrong, Outcome: string(liuma.CodeWrong)}},
	}
	var text strings.Builder
	must(t, h.WriteText(&text, uses))
	for _, want := range []string{"证件号码：护照 DEU-C01X00T47", "更正为 护照 DEU-C01X00T48", "passport DEU-C01X00T47", "办理进入下一步（带着结果返回应用）", "（新密码已检查）", "验证码错误（密码不正确）"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("lacks %q:\n%s", want, text.String())
		}
	}
	for _, raw := range []string{"passport:", "wrong_pin", "checked）", "（code）"} {
		if strings.Contains(text.String(), raw) {
			t.Errorf("has %q", raw)
		}
	}
}

// TestMinors: ages are counted by birthdays, of people who live, in parts that add up.
func TestMinors(t *testing.T) {
	for _, c := range []struct {
		born, on string
		age      int
	}{
		{"2012-12-31", "2026-12-31", 13}, {"2012-12-31", "2027-01-01", 14}, {"2013-01-01", "2026-12-31", 13}, {"2012-02-29", "2026-02-28", 13}, {"2012-02-29", "2026-03-01", 14},
		{"2012-02-29", "2028-02-29", 15}, {"2012-02-29", "2028-03-01", 16}, {"2026-12-31", "2026-12-30", -1}, {"2026-12-31", "2026-12-31", 0},
	} {
		on, err := time.Parse(time.DateOnly, c.on)
		must(t, err)
		got, known := ageOn(numbered(t, "330502", c.born, 1).Born(), on)
		if got != c.age || !known {
			t.Errorf("born %s, on %s: %d, want %d", c.born, c.on, got, c.age)
		}
	}
	h := newHouse(t)
	on := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	var rows []string
	for i, p := range []struct{ born, region, status string }{
		{"2013-01-01", "330502", "normal"}, {"2012-12-30", "330502", "normal"}, {"2011-06-01", "330523", "lost"}, {"2009-01-01", "330502", "normal"},
		{"2008-12-30", "330502", "normal"}, {"2013-01-01", "330502", "died"}, {"2020-05-05", "440300", "normal"},
	} {
		id := numbered(t, "330502", p.born, i+1).Canonical()
		rows = append(rows, id+",王小明,13800138000,A1234567"+string(rune('0'+i))+","+p.region+","+p.status)
	}
	h.mustImport(t, rows...)
	h.enrolled(t, rows[1][:18])
	m, err := h.Minors(t.Context(), on, 4, "")
	must(t, err)
	want := []MinorsIn{
		{Region: "3305", Under14: Count{1, 0}, From14: Count{2, 1}, From16: Count{1, 0}},
		{Region: "4403", Under14: Count{1, 0}},
	}
	if m.At != "2026-12-31" || m.Next != "" || len(m.Regions) != 2 || m.Regions[0] != want[0] || m.Regions[1] != want[1] {
		t.Errorf("%+v, want %+v", m, want)
	}
	if sum := m.Add(m); sum.Regions[0].From14 != (Count{4, 2}) || m.Regions[0].From14 != (Count{2, 1}) {
		t.Errorf("twice: %+v; once: %+v", sum, m)
	}
	if m, err = h.Minors(t.Context(), on, 2, ""); err != nil || len(m.Regions) != 2 || m.Regions[0].Region != "33" {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestMinorsByEveryDocument: a document without a birthday in it counts by the
// registry's, or as unknown; a number that was corrected, or waits for it, is nobody's.
func TestMinorsByEveryDocument(t *testing.T) {
	h := newHouse(t)
	former := numbered(t, "330502", "2015-01-01", 1).Canonical()
	_, rejected, _ := h.importFile(t, "id_number,document_type,document_number,birth_date,name,card_no,region",
		",passport,DEU-C01X00T47,2015-02-28,Anna Schmidt,B00000001,330502",
		",passport,DEU-C01X00T48,,Anna Schmidt,B00000002,330502",
		",hk_macao_permit,H01234567,2011-02-28,陈大文,B00000003,330502",
		",taiwan_permit,01234567,2009-02-28,林四,B00000004,330502",
		",permanent_residence,"+oldResidenceNumber("DEU3305150228"+"0")+",,Anna Schmidt,B00000005,330502",
		",foreigner_number,DEU0C01X00T49,2015-02-28,Anna Schmidt,B00000006,330502",
		former+",,,,王小明,B00000007,330502")
	if len(rejected) > 0 {
		t.Fatalf("rejected %v", rejected)
	}
	h.corrected(t, former, numbered(t, "330502", "2015-01-02", 1).Canonical())
	m, err := h.Minors(t.Context(), time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), 4, "")
	must(t, err)
	want := MinorsIn{Region: "3305", Under14: Count{4, 0}, From14: Count{1, 0}, From16: Count{1, 0}, Unknown: Count{1, 0}}
	if len(m.Regions) != 1 || m.Regions[0] != want {
		t.Errorf("%+v, want %+v", m, want)
	}
	// Once it counts there is still one person.
	must(t, h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.CorrectionOf(h.vault.Index(vault.IndexIDNumber, former))
		return audit.Entry{At: h.now(), Actor: "test", Event: audit.CorrectionDone, Outcome: "ok"}, errors.Join(err, h.Move(tx, c), tx.DeleteCorrection(c.ID))
	}))
	if m, err = h.Minors(t.Context(), time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), 4, ""); err != nil || len(m.Regions) != 1 || m.Regions[0] != want {
		t.Errorf("after it: %+v, %v", m, err)
	}
}

// TestHeldShowsACorrection: the person sees the new number and how it stands; who asks
// under the new number hears only that there is one.
func TestHeldShowsACorrection(t *testing.T) {
	h := newHouse(t)
	h.mustImport(t, goodID+",王秀英,13800138000,B00000007,330502,normal")
	number := numbered(t, "330502", "2015-01-02", 1)
	h.corrected(t, goodID, number.Canonical())
	shown := func(id IDNumber) (Held, string) {
		t.Helper()
		held, err := h.Held(t.Context(), "operator", id, "asked")
		must(t, err)
		raw, err := json.Marshal(held)
		must(t, err)
		var text strings.Builder
		must(t, held.WriteText(&text, nil))
		return held, string(raw) + text.String()
	}
	former, err := ParseIDNumber(goodID)
	must(t, err)
	held, text := shown(former)
	if len(held.Corrections) != 1 || held.Corrections[0].Number != number.Canonical() || held.Corrections[0].State != "received" || held.Corrections[0].Incoming {
		t.Errorf("%+v", held.Corrections)
	}
	for _, want := range []string{"证件号码更正", "Correction of the ID number", "to " + number.Canonical(), "已收到"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	held, text = shown(number)
	if len(held.Corrections) != 1 || !held.Corrections[0].Incoming || held.Person != nil {
		t.Errorf("%+v", held)
	}
	for _, other := range []string{goodID, "王秀英", "B00000007", "138"} {
		if strings.Contains(text, other) {
			t.Errorf("under the new number it shows %s:\n%s", other, text)
		}
	}
}

// corrected has a correction wait.
func (h *house) corrected(t *testing.T, former, number string) {
	t.Helper()
	f, err := ParseIDNumber(former)
	must(t, err)
	n, err := ParseIDNumber(number)
	must(t, err)
	_, err = h.CorrectNumber(t.Context(), Correction{Former: f, Number: n, CardNo: "B00000007", Actor: "operator"}, "asked")
	must(t, err)
}

// numbered is a valid number of a day, with a sequence.
func numbered(t *testing.T, region, born string, sequence int) IDNumber {
	t.Helper()
	digits := region + strings.ReplaceAll(born, "-", "") + "00" + string(rune('0'+sequence))
	id, err := ParseIDNumber(digits + string(checkCharacter(digits)))
	must(t, err)
	return id
}

func (h *house) entriesOf(t *testing.T, card liuma.CardID) (all []audit.Recorded) {
	t.Helper()
	must(t, h.store.View(t.Context(), func(r store.Reader) (err error) {
		all, err = r.Entries(audit.CardStream(card), 0, 100)
		return err
	}))
	return all
}
