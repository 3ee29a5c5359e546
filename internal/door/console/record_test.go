package console_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// about is a card of a region.
func about(i byte) liuma.CardID { return liuma.CardID{0: 0xCA, 15: i} }

// happens records n entries about a card of a region; the card is made with the first.
func (h *house) happens(n int, i byte, region liuma.Region, ev audit.Event, actor, outcome string) {
	h.t.Helper()
	for range n {
		must(h.t, h.Store.Update(h.t.Context(), func(tx store.Tx) (audit.Entry, error) {
			e := audit.Entry{At: admintest.Start, Actor: actor, Event: ev, Card: about(i), BusinessNo: "B1", Outcome: outcome}
			if _, err := tx.Card(about(i)); !errors.Is(err, store.ErrNotFound) {
				return e, err
			}
			return e, tx.InsertCard(store.Card{ID: about(i), Holder: vault.Index{30: 1, 31: i}, Region: region})
		}))
	}
}

// TestNumbersOverTheDoor: what happened is counted exactly by channel and in steps by
// region, whether a digest covers it or not; a member of a region sees that region alone.
func TestNumbersOverTheDoor(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	h.happens(13, 1, "330502", audit.AttemptDecided, "channel:zj", "right")
	h.happens(3, 1, "330502", audit.AttemptDecided, "channel:zj", "wrong_pin")
	_, err := h.Admin.MakeDigest(t.Context())
	must(t, err)
	h.happens(2, 2, "440100", audit.AttemptDecided, "channel:gd", "locked")
	for _, path := range []string{"/numbers", "/numbers?days=7", "/numbers?days=30"} {
		p := operator.get(path)
		if p.status != http.StatusOK || !p.says("right PIN: 13 in all", "wrong PIN: 3 in all", "locked: 2 in all") {
			t.Errorf("%s: %d %s", path, p.status, p.body)
		}
		if strings.Count(p.body, `role="img" aria-labelledby="c`) != 4 || strings.Count(p.body, "<caption>") < 6 {
			t.Errorf("%s has %d charts and %d tables", path, strings.Count(p.body, `role="img"`), strings.Count(p.body, "<caption>"))
		}
		if strings.Contains(p.body, "330502") {
			t.Errorf("%s shows a county", path)
		}
	}
	if p := operator.get("/numbers?region=3305"); !p.says("right PIN: 10 in all", "wrong PIN: <5 in all", "locked: none") {
		t.Errorf("a region: %s", p.body)
	}
	if p := operator.get("/numbers?channel=gd"); !p.says("right PIN: none", "locked: <5 in all") {
		t.Errorf("a channel: %s", p.body)
	}
	bound := h.member(operator, officer, staff.NewMember{ID: "bound", Name: "周", Region: "44", Roles: []liuma.StaffRole{liuma.RoleOperator}})
	if p := bound.get("/numbers"); !p.says("right PIN: none", "locked: <5 in all") {
		t.Errorf("a member of a region: %d %s", p.status, p.body)
	}
	if p := bound.get("/numbers?region=33"); p.status != http.StatusForbidden || p.says("right PIN: 10") {
		t.Errorf("another region: %d %s", p.status, p.body)
	}
	county := h.member(operator, officer, staff.NewMember{ID: "county", Name: "郑", Region: "330502", Roles: []liuma.StaffRole{liuma.RoleOperator}})
	if p := county.get("/numbers"); p.status != http.StatusForbidden {
		t.Errorf("a member of a county: %d", p.status)
	}
	for _, days := range []string{"0", "31", "-1", "x", "1e9"} {
		if p := operator.get("/numbers?days=" + days); p.status != http.StatusUnprocessableEntity {
			t.Errorf("%s days: %d", days, p.status)
		}
	}
}

// TestRolesAtNumbersTextsAndRecord: who sees which page, by the table of docs/STAFF.md;
// nobody without a session.
func TestRolesAtNumbersTextsAndRecord(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	rules := map[string]admin.Rule{}
	for _, r := range admin.Rules() {
		for _, m := range r.Methods {
			rules[m] = r
		}
	}
	browsers := map[liuma.StaffRole]*browser{liuma.RoleOperator: operator, liuma.RoleOfficer: officer}
	for _, r := range liuma.StaffRoles() {
		if browsers[r] == nil {
			browsers[r] = h.member(operator, officer, staff.NewMember{ID: liuma.StaffID("a-" + r), Name: "赵", Roles: []liuma.StaffRole{r}})
		}
	}
	for path, method := range map[string]string{"/alarms": "Alarms", "/keepers": "Keepers", "/numbers": "Numbers", "/texts": "Texts", "/texts/nothing": "Texts", "/record": "FindEntries",
		"/record?event=card.frozen": "FindEntries", "/record/export": "ExportRecord", "/record/card": "SeekCard", "/record/stream/nothing": "CheckStream"} {
		for role, b := range browsers {
			p := b.get(path)
			want := rules[method].Anybody
			for _, r := range rules[method].Roles {
				want = want || r == role
			}
			if got := !p.says("Your roles do not allow this"); got != want {
				t.Errorf("%s at %s: let in %v, want %v (%d)", role, path, got, want, p.status)
			}
			if p.status >= http.StatusInternalServerError {
				t.Errorf("%s at %s: %d", role, path, p.status)
			}
			if in := strings.Contains(b.get("/").body, `href="`+path+`"`); strings.Count(path, "/") == 1 && !strings.Contains(path, "?") && in != want {
				t.Errorf("the navigation of %s has %s: %v", role, path, in)
			}
		}
		if p := h.browser().get(path); p.status != http.StatusSeeOther {
			t.Errorf("nobody at %s: %d", path, p.status)
		}
	}
}

// deadNotice puts a notice that was given up into the outbox.
func (h *house) deadNotice(id string) {
	h.t.Helper()
	h.happens(1, 9, "330502", audit.CodeSent, "holder", "ok")
	must(h.t, h.Store.Update(h.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: admintest.Start, Actor: "test", Event: audit.MessageDead, Outcome: "refused"},
			tx.InsertMessage(store.Message{ID: id, Kind: notify.KindNotice, Card: about(9), Template: "pin_reset", Language: notify.Chinese, Region: "330502",
				Sealed: []byte("sealed"), State: store.MessageDead, Tries: 3, Fault: "refused", At: admintest.Start.Add(-time.Hour), DoneAt: admintest.Start})
	}))
}

// TestTextsOverTheDoor: a notice that was given up is an alarm; it is sent again once, or
// dropped with a reason by name.
func TestTextsOverTheDoor(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	if p := operator.get("/texts"); !p.says("There are no such texts") {
		t.Errorf("%s", p.body)
	}
	first, second := strings.Repeat("a", 26), strings.Repeat("a", 25)+"b"
	h.deadNotice(first)
	h.deadNotice(second)
	if p := operator.get("/alarms"); !p.says("2 notices were given up", "2026-03-01 16:00") {
		t.Errorf("the alarm: %s", p.body)
	}
	if p := operator.get("/texts"); !p.says(first, second, "refused") {
		t.Errorf("the list: %s", p.body)
	}
	for _, id := range []string{first, second} {
		if p := operator.get("/texts/" + id); p.status != http.StatusOK || !p.says(id, "Send again", "Drop the text") {
			t.Errorf("%s: %d %s", id, p.status, p.body)
		}
	}
	if p := operator.post("/texts/" + first + "/retry"); p.to != "/texts?said=text_retried" {
		t.Errorf("sent again: %d %s", p.status, p.body)
	}
	if p := operator.post("/texts/" + first + "/retry"); p.status != http.StatusConflict {
		t.Errorf("sent again twice: %d", p.status)
	}
	if p := operator.post("/texts/"+first+"/drop", "reason", "told by phone"); p.status != http.StatusConflict {
		t.Errorf("dropped though it waits: %d", p.status)
	}
	if p := operator.post("/texts/"+second+"/drop", "reason", ""); p.status != http.StatusUnprocessableEntity || !p.says("This takes a reason") {
		t.Errorf("dropped without a reason: %d", p.status)
	}
	if p := operator.post("/texts/"+second+"/drop", "reason", "told by phone"); p.to != "/texts?said=text_dropped" {
		t.Errorf("dropped: %d %s", p.status, p.body)
	}
	if p := operator.get("/texts/" + second); p.status != http.StatusNotFound {
		t.Errorf("after it was dropped: %d", p.status)
	}
	if p := operator.get("/texts/"); p.status >= http.StatusInternalServerError {
		t.Errorf("no identifier: %d", p.status)
	}
	p := operator.get("/record?event=message.dropped")
	if !p.says("staff:wang", "template=pin_reset reason=told by phone") {
		t.Errorf("the record: %s", p.body)
	}
}

// TestRecordOverTheDoor: entries are found by what is typed, a stream is checked against
// head and digest, a fault shows, and the file that is exported is the record.
func TestRecordOverTheDoor(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	h.happens(2, 1, "330502", audit.AttemptDecided, "channel:zj", "right")
	h.happens(1, 2, "330502", audit.CardFrozen, "hotline:h", "ok")
	_, err := h.Admin.MakeDigest(t.Context())
	must(t, err)
	h.happens(1, 1, "330502", audit.AttemptDecided, "channel:zj", "wrong_pin")
	for path, c := range map[string]struct{ has, lacks string }{
		"/record?event=card.frozen":                                   {"hotline:h", "channel:zj"},
		"/record?actor=channel:zj&outcome=wrong_pin":                  {"wrong_pin", "hotline:h"},
		"/record?stream=" + about(2).String():                         {"card.frozen", "attempt.decided"},
		"/record?business_no=B1&since=2026-03-01":                     {"card.frozen", "session.begun"},
		"/record?event=card.frozen&until=2026-02-28":                  {"No such entries", "hotline:h"},
		"/record?event=card.frozen&since=2026-03-02":                  {"No such entries", "hotline:h"},
		"/record?event=card.frozen&since=2026-03-01&until=2026-03-01": {"hotline:h", "channel:zj"},
	} {
		p := operator.get(path)
		if p.status != http.StatusOK || !p.says(c.has, "Looked at") || strings.Contains(p.body, "<td><span class=\"mono\">"+c.lacks) {
			t.Errorf("%s: %d %s", path, p.status, p.body)
		}
	}
	for _, path := range []string{"/record?since=yesterday", "/record?stream=nothing", "/record?event=x&after=nothing", "/record/stream/nothing"} {
		if p := operator.get(path); p.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	if p := operator.get("/record/stream/" + about(77).String()); p.status != http.StatusNotFound {
		t.Errorf("no such stream: %d", p.status)
	}
	if p := operator.get("/record/stream/card:" + about(1).String()); !p.says("whole; agrees with its head", "1 to 3", "covers it up to entry 2", "wrong_pin") {
		t.Errorf("a stream: %s", p.body)
	}
	if p := operator.get("/record"); !p.says("the last check found nothing", "Last digest") {
		t.Errorf("how the record stands: %s", p.body)
	}
	p := operator.get("/record/export")
	if p.status != http.StatusOK || !strings.HasPrefix(p.header.Get("Content-Disposition"), "attachment; filename=\"record-") {
		t.Fatalf("export: %d %v", p.status, p.header)
	}
	out, err := audit.Examine(bytes.NewReader([]byte(p.body)), audit.ExamineConfig{})
	if err != nil || out.Digest == 0 || out.Streams < 3 {
		t.Errorf("the file: %+v %v", out, err)
	}
}

// TestARecordWithManyEntries is searched a part a page, and nothing is shown twice or
// left out.
func TestARecordWithManyEntries(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	for i := range byte(3) {
		h.happens(70, i+1, "330502", audit.AttemptDecided, "channel:zj", "right")
	}
	seen, path := map[string]int{}, "/record?event=attempt.decided"
	for range 5 {
		p := operator.get(path)
		for _, row := range strings.Split(p.body, "<tr>")[1:] {
			if from := strings.Index(row, `href="/record/stream/`); from >= 0 {
				seen[row[from:strings.Index(row, "</a>")]]++
			}
		}
		next := strings.Index(p.body, `href="/record?after=`)
		if next < 0 {
			break
		}
		link := p.body[next+len(`href="`):]
		path = strings.ReplaceAll(link[:strings.Index(link, `"`)], "&amp;", "&")
	}
	if len(seen) != 210 {
		t.Errorf("%d entries were shown, want 210", len(seen))
	}
	for at, n := range seen {
		if n != 1 {
			t.Errorf("%s was shown %d times", at, n)
		}
	}
}

// TestASearchForAPersonIsRecorded, found or not, with name and reason; the answer is
// masked, and the number is in no address, page or entry.
func TestASearchForAPersonIsRecorded(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	const number = "330521195503070026"
	file := filepath.Join(t.TempDir(), "people.csv")
	must(t, os.WriteFile(file, []byte("id_number,name,phone,card_no,region,status\n"+number+",王淑珍,13800138000,A12345678,330521,normal\n"), 0o600))
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	if s, err := h.Admin.ImportRegistry(t.Context(), f, admin.ImportConfig{}); err != nil {
		t.Fatal(s, err)
	}
	if p := operator.post("/record/card", "number", number, "reason", ""); p.status != http.StatusUnprocessableEntity || !p.says("This takes a reason") {
		t.Errorf("without a reason: %d", p.status)
	}
	p := operator.post("/record/card", "number", number, "reason", "complaint 17")
	if p.status != http.StatusOK || !p.says("No electronic card") || p.says(number) || p.says("王淑珍") {
		t.Errorf("found: %d %s", p.status, p.body)
	}
	if p := operator.post("/record/card", "number", "110105194912310038", "reason", "complaint 18"); p.status != http.StatusNotFound || p.says("110105194912310038") {
		t.Errorf("nobody: %d %s", p.status, p.body)
	}
	if p := operator.post("/record/card", "number", "1", "reason", "x"); p.status != http.StatusUnprocessableEntity {
		t.Errorf("no number: %d", p.status)
	}
	p = operator.get("/record?event=person.sought")
	if !p.says("staff:wang", "reason=complaint 17", "reason=complaint 18", "not_found") || p.says(number) {
		t.Errorf("the record: %s", p.body)
	}
	if strings.Contains(h.log.String(), number) {
		t.Error("the number is in the log")
	}
}

// TestPagesInBothLanguages: every page of numbers, texts and record is whole in Chinese,
// with nothing missing.
func TestPagesInBothLanguages(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	operator.lang = "zh-CN"
	h.deadNotice(strings.Repeat("a", 26))
	for path, has := range map[string]string{"/alarms": "没有得到告知", "/keepers": "各个保管方的状况", "/numbers": "已计到", "/texts": "未能发出", "/record": "导出文件", "/record/card": "按证件查找卡",
		"/record?event=code.sent": "看过", fmt.Sprintf("/record/stream/card:%s", about(9)): "链完整", "/texts/" + strings.Repeat("a", 26): "再发一次"} {
		if p := operator.get(path); p.status != http.StatusOK || !p.says(has) {
			t.Errorf("%s: %d %s", path, p.status, p.body)
		}
	}
}
