package miniapp

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// TestWaysBack: reset, rebind and unfreeze are pushed with only the card's
// handle and a purpose of their own; without a card nothing is pushed.
func TestWaysBack(t *testing.T) {
	for action, x := range map[string]struct{ purpose, english, done string }{
		"reset":    {"找回电子社保卡密码", "Set a new PIN", "密码找回来了"},
		"rebind":   {"更换绑定手机", "Bind another phone", "手机已换绑"},
		"unfreeze": {"解冻电子社保卡", "Unfreeze the electronic card", "已解冻"},
	} {
		t.Run(action, func(t *testing.T) {
			s := newSite(t)
			s.post("/person", "person", "wang")
			if g := s.post("/start", "action", action); g.to.Path != "/" || len(s.pushes) != 0 {
				t.Errorf("without a card: to %s, %d pushes", g.to, len(s.pushes))
			}
			s.linked()
			if g := s.post("/start", "action", action); g.to.Path != "/authorize" {
				t.Fatalf("to %s", g.to)
			}
			_, d := s.last()
			if want := (details{Type: "liuma_pin", Action: action, Region: "33", Purpose: client.PurposeIn(x.purpose, x.english), BusinessNo: d.BusinessNo, Holder: holder{Card: handle}}); d != want {
				t.Errorf("pushed %+v", d)
			}
			says(t, s.get(s.back(url.Values{"code": {"c"}}).to), x.done)
		})
	}
}

// TestResetEvidenceMidway: the one-time code was right and evidence is
// required: the camera's page, a new push under the same number, and then the
// token.
func TestResetEvidenceMidway(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.post("/start", "action", "reset")
	_, first := s.last()
	page := s.get(s.back(url.Values{"error": {"evidence_required"}, "challenge": {"challenge-9"}}).to)
	says(t, page, "请正对镜头")
	says(t, page, "验证码只说明手机在手上")
	says(t, page, `href="/counter"`) // another way than the face, always
	says(t, s.do("GET", "/result?no="+first.BusinessNo, nil), `href="/evidence?no=`+first.BusinessNo)
	says(t, s.do("GET", "/", nil), "还没有结果") // and it can be gone on with later
	s.post("/evidence", "no", first.BusinessNo)
	_, second := s.last()
	want := first
	want.Challenge, want.Evidence = "challenge-9", "proof-of-challenge"
	if second != want {
		t.Errorf("pushed %+v", second)
	}
	if f, _ := s.app.memory.flowBy(s.cookie(), func(f *flow) bool { return f.BusinessNo == first.BusinessNo }); f.Challenge != "" {
		t.Error("an answered challenge is kept, and would be answered twice")
	}
	says(t, s.get(s.back(url.Values{"code": {"c"}}).to), "密码找回来了")
}

// TestEvidenceRefused: evidence that the authority refuses leads to a new check
// with a new challenge, under the same number.
func TestEvidenceRefused(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.post("/start", "action", "reset")
	_, first := s.last()
	s.get(s.back(url.Values{"error": {"evidence_required"}, "challenge": {"challenge-9"}}).to)
	s.set(func() { s.refuse = `{"error":"invalid_authorization_details","code":"evidence_used"}` })
	page := s.get(s.post("/evidence", "no", first.BusinessNo).to)
	says(t, page, "已过期")
	says(t, page, `href="/evidence?no=`+first.BusinessNo)
	s.set(func() { s.refuse = "" })
	s.post("/evidence", "no", first.BusinessNo)
	if _, d := s.last(); d.Challenge != "challenge-1" || d.BusinessNo != first.BusinessNo {
		t.Errorf("pushed %+v", d)
	}
}

// TestThief: in another holder's account, with requests about that holder; the
// provider is told who is in front of the camera, and if it refuses, nothing is
// pushed.
func TestThief(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.post("/person", "person", "thief")
	page := s.do("GET", "/", nil)
	says(t, page, "您在扮演小偷")
	says(t, page, "忘记密码")
	if strings.Contains(page.body, "佚名") || strings.Contains(page.body, "330109199004054410") {
		t.Error("the thief's own numbers are on the page")
	}
	s.post("/start", "action", "reset")
	_, d := s.last()
	if d.Holder != (holder{Card: handle}) {
		t.Errorf("pushed %+v", d)
	}
	says(t, s.get(s.back(url.Values{"error": {"evidence_required"}, "challenge": {"challenge-9"}}).to), "镜头")
	camera := s.do("GET", "/evidence?no="+d.BusinessNo, nil)
	says(t, camera, "<dd>王奶奶</dd>")
	says(t, camera, "<dd>小偷</dd>")
	s.set(func() { s.face = "face_mismatch" })
	page = s.get(s.post("/evidence", "no", d.BusinessNo).to)
	says(t, page, "镜头前不是本人")
	says(t, page, `href="/counter"`)
	if len(s.pushes) != 1 {
		t.Errorf("%d pushes: one without evidence", len(s.pushes))
	}
	if got := s.sees[0]; got["camera"] != "330109199004054410" || got["id_number"] != "330502195603120626" || got["name"] != "王桂珍" {
		t.Errorf("the provider was asked %v", got)
	}
	// The years of the holder are behind the PIN for the thief as well.
	if g := s.do("GET", "/years", nil); g.to.Path != "/" {
		t.Errorf("years: %d", g.status)
	}
}

// TestFreeze: one call, after a page that explains it.
func TestFreeze(t *testing.T) {
	s := newSite(t)
	if g := s.post("/freeze"); g.to.Path != "/" || s.do("GET", "/freeze", nil).to.Path != "/" {
		t.Errorf("nobody: to %s", g.to)
	}
	s.post("/person", "person", "wang")
	if g := s.post("/freeze"); g.to.Path != "/" || len(s.freezes) != 0 {
		t.Errorf("no card: to %s", g.to)
	}
	s.linked()
	if to := s.post("/start", "action", "freeze").to; to.Path != "/freeze" || len(s.freezes) != 0 {
		t.Errorf("to %s, %d freezes", to, len(s.freezes))
	}
	says(t, s.do("GET", "/freeze", nil), "短信验证码和密码")
	says(t, s.get(s.post("/freeze").to), "已经冻结")
	if len(s.freezes) != 1 || s.freezes[0]["region"] != "33" || s.freezes[0]["subject"].(map[string]any)["card"] != handle || s.freezes[0]["business_no"] == "" {
		t.Errorf("asked %v", s.freezes)
	}
	s.set(func() { s.stand = "frozen" })
	says(t, s.do("GET", "/", nil), "已冻结")
	s.set(func() { s.stand = "" })
	if page := s.do("GET", "/", nil); page.status != 200 || strings.Contains(page.body, "已冻结") {
		t.Errorf("without an answer: %d", page.status)
	}
}

// TestFreezeGoesWrong: a refusal is explained; a lost answer is asked after,
// and never taken for a freeze.
func TestFreezeGoesWrong(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.set(func() { s.frozen = func() (int, any) { return 423, map[string]any{"code": "cancelled"} } })
	says(t, s.get(s.post("/freeze").to), "已注销")
	s.set(func() { s.frozen = func() (int, any) { return 502, "gone" } })
	page := s.get(s.post("/freeze").to)
	says(t, page, "暂时连不上")
	no := regexp.MustCompile(`name="no" value="([^"]+)"`).FindStringSubmatch(page.body)
	s.set(func() {
		s.state = func(string) (int, any) { return 200, map[string]any{"state": "decided", "action": "freeze"} }
	})
	says(t, s.get(s.post("/ask", "no", no[1]).to), "已经冻结")
	for what, answer := range map[string]any{
		"another action": map[string]any{"state": "decided", "action": "unfreeze", "verdict": ""},
		"refused":        map[string]any{"state": "decided", "action": "freeze", "code": "refused"},
	} {
		s.set(func() { s.state = func(string) (int, any) { return 200, answer } })
		if page := s.get(s.post("/ask", "no", no[1]).to); strings.Contains(page.body, "已经冻结") {
			t.Errorf("%s: taken for a freeze", what)
		}
	}
}

// TestRefusalsLeadOn: each refusal names the next step, and until when it
// holds.
func TestRefusalsLeadOn(t *testing.T) {
	until := time.Date(2026, 11, 24, 0, 10, 0, 0, time.UTC)
	start := func(action string) string { return `name="action" value="` + action + `"` }
	for code, wants := range map[string][]string{
		"locked":              {start("reset"), "自动恢复", "11 月 24 日 08:10", "/counter"},
		"blocked":             {start("reset"), "/counter"},
		"wrong_pin":           {start("verify"), start("reset")},
		"frozen":              {start("unfreeze"), "短信验证码和密码"},
		"phone_bound_lately":  {"可以在线办理的时间", "11 月 24 日 08:10", "/counter"},
		"phone_unconfirmed":   {"/counter"},
		"phone_not_bound":     {"/counter"},
		"online_recovery_off": {"/counter"},
		"phone_codes_spent":   {"/counter", "11 月 24 日 08:10"},
		"reset_planned":       {"/freeze", "11 月 24 日 08:10"},
		"pin_reset":           {start("verify"), "/freeze"},
		"cancelled":           {"/counter"},
		"left_by_holder":      {start("verify")},
		"ceremony_expired":    {start("verify")},
	} {
		t.Run(code, func(t *testing.T) {
			s := newSite(t)
			s.linked()
			s.set(func() {
				s.state = func(string) (int, any) {
					return 200, map[string]any{"state": "decided", "verdict": "suspended", "code": code, "action": "verify", "until": until}
				}
			})
			s.post("/start", "action", "verify")
			page := s.get(s.back(url.Values{"error": {"access_denied"}}).to)
			for _, want := range wants {
				says(t, page, want)
			}
			if strings.Contains(page.body, "办理没有成功") {
				t.Error("no words for it")
			}
		})
	}
	says(t, newSite(t).do("GET", "/counter", nil), "本人有效证件原件")
}

// TestResetInsideAChange: nothing is left to do then, and nothing is offered.
func TestResetInsideAChange(t *testing.T) {
	for action, again := range map[string]bool{actionChange: false, actionVerify: true} {
		o := newWords(t).of("pin_reset", action)
		if offered := slices.ContainsFunc(o.Ways, func(w way) bool { return w.Do == doAgain }); offered != again || strings.Contains(o.Next.ZH, "不用再办") == again {
			t.Errorf("%s: %+v", action, o)
		}
	}
}

// TestUntilOfAPush: the time that a refused push ends is on the page.
func TestUntilOfAPush(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.set(func() {
		s.refuse = `{"error":"access_denied","code":"phone_bound_lately","until":"2026-11-24T00:10:00Z"}`
	})
	says(t, s.get(s.post("/start", "action", "reset").to), "11 月 24 日 08:10")
}

// TestWordsForEveryCode: every error code in the authority's guide has words of
// the app, except those that mean a mistake of the app.
func TestWordsForEveryCode(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]bool{ // a person can do nothing about these
		"internal": true, "bad_request": true, "unauthenticated": true, "forbidden": true, "too_large": true, "business_no_used": true,
		"envelope_invalid": true, "receipt_invalid": true, "receipt_spent": true,
		"freeze_code_invalid": true, "freeze_code_limit": true, "hotline_limit": true, "loss_report_off": true, "freezes_spent": true, // of the official page and of hotlines, which no channel sees
		// of tickets, which are given at a counter's page and on pads
		"ticket_unknown": true, "ticket_ended": true, "ticket_taken": true, "ticket_waits": true, "ticket_app": true, "ticket_page": true, "ticket_link": true,
		// of registry clients
		"correction_same": true, "correction_waits": true, "correction_stopped": true, "correction_has_card": true, "correction_contested": true,
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| [0-9]{3} \\| ").FindAllStringSubmatch(string(guide), -1)
	if len(rows) < 50 {
		t.Fatalf("%d codes in the guide", len(rows))
	}
	for _, row := range rows {
		o := newWords(t).of(row[1], actionVerify)
		if (o.Code == "failed") != ours[row[1]] {
			t.Errorf("%s: words %t", row[1], o.Code != "failed")
		}
		if o.Title.ZH == "" || o.Title.EN == "" || o.Next.ZH == "" || o.Next.EN == "" {
			t.Errorf("%s: %+v", row[1], o)
		}
	}
}

// TestPeopleAreChecked: a thief needs the account of another person.
func TestPeopleAreChecked(t *testing.T) {
	people, err := SamplePeople()
	if err != nil {
		t.Fatal(err)
	}
	last := len(people) - 1
	for _, account := range []string{"nobody", people[last].Key} {
		bad := append([]Person(nil), people...)
		bad[last].Account = account
		if checkPeople(bad) == nil {
			t.Errorf("account of %s: accepted", account)
		}
	}
}
