package window_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/test/printed"
)

const (
	goodPIN  = "274916"
	newPIN   = "838527"
	wrongPIN = "619384"
)

// be chooses a person in an app.
func (p *phone) be(app, person string) {
	p.t.Helper()
	p.open(app + "/")
	p.press("person", "person", person)
}

func (p *phone) enroll(app, person, pin string) {
	p.t.Helper()
	p.be(app, person)
	p.press("start", "action", "enroll")
	p.says("演示用替身认证")
	p.press("evidence")
	p.begin()
	p.agree()
	p.give("new", pin)
	p.goBack()
	p.says("申领成功")
}

// askYears starts a verification from the app's first page, up to the pad.
func (p *phone) askYears(app string) {
	p.t.Helper()
	p.open(app + "/")
	p.press("start", "action", "verify")
	p.begin()
}

// TestStory plays a newcomer: enrol, get the PIN wrong and right, link a second
// app, lock it there and find it locked here; then it checks the window's
// events.
func TestStory(t *testing.T) {
	s := newStage(t)
	province, nation := newPhone(t, s), newPhone(t, s)

	province.enroll(s.apps[0], "wang", goodPIN)
	province.open(s.apps[0] + "/years")
	if strings.Contains(province.page.Body(), "养老保险") {
		t.Fatal("the years are open without a PIN")
	}
	province.askYears(s.apps[0])
	province.give("current", wrongPIN)
	province.says("还可试 5 次")
	province.give("current", goodPIN)
	province.says("养老保险")
	province.says("<strong>27 年 ") // the same each time
	province.says("urn:liuma:acr:pin")

	nation.be(s.apps[1], "wang")
	nation.press("start", "action", "enroll")
	nation.press("evidence")
	nation.begin() // with evidence, so it is told before anything is asked
	nation.says("您已经有电子社保卡了")
	nation.goBack()
	nation.says("您已经有电子社保卡了")
	nation.press("start", "action", "link")
	nation.begin()
	nation.agree()
	nation.give("current", goodPIN)
	nation.goBack()
	nation.says("关联成功")

	nation.askYears(s.apps[1])
	for range 4 { // the new link is a stranger: two of the six are kept from it
		nation.give("current", wrongPIN)
	}
	nation.goBack()
	nation.says("自动恢复")
	nation.says("密码已锁定")
	province.askYears(s.apps[0])
	for range 2 {
		province.give("current", wrongPIN)
	}
	province.says("密码已锁定")
	province.goBack()
	province.says("密码已锁定")

	s.sawAll(goodPIN, newPIN, wrongPIN, "330502195603120626", "王桂珍", "13857210019")
}

// sawAll checks the window's events: every side, real values, no secret.
func (s *stage) sawAll(secrets ...string) {
	s.t.Helper()
	seen := s.seen()
	s.wants(seen, map[window.Party][]string{
		window.Channel:   {"/par", "request_uri", "id_token", "business_no", "evidence", "/v1/challenges"},
		window.Authority: {"ceremony.pushed", "attempt.decided", "outcome=wrong", "outcome=right", "outcome=locked", "ct=", "code.redeemed"},
		window.Keeper:    {"blinded point=0", "spend=", "signature=", "verifier=", "left=0"},
		window.Database:  {"verifier=", "tally=spent", "sealed", "verdict=right", "handle="},
	})
	for _, secret := range secrets {
		for party, words := range seen {
			if printed.Has(words, secret) {
				s.t.Errorf("the window shows %s at %s", secret, party)
			}
		}
	}
}

func (s *stage) wants(seen map[window.Party]string, all map[window.Party][]string) {
	s.t.Helper()
	for party, wants := range all {
		for _, want := range wants {
			if !strings.Contains(seen[party], want) {
				s.t.Errorf("%s did not see %q:%s", party, want, seen[party])
			}
		}
	}
}

// seen is all that the window shows of each side.
func (s *stage) seen() map[window.Party]string {
	s.t.Helper()
	seen := map[window.Party]string{}
	var after uint64
	for {
		var page struct{ Events []window.Event }
		s.must(json.Unmarshal([]byte(s.ask("/saw.json?after="+strconv.FormatUint(after, 10))), &page))
		if len(page.Events) == 0 {
			return seen
		}
		for _, e := range page.Events {
			after = e.Seq
			seen[e.Party] += "\n" + e.Who + " " + e.Title.ZH + " " + e.Title.EN
			for _, f := range e.Facts {
				seen[e.Party] += " " + f.Name + "=" + f.Value
			}
		}
	}
}

func (s *stage) ask(path string) string {
	s.t.Helper()
	resp, err := http.Get(s.window + path)
	s.must(err)
	raw, err := io.ReadAll(resp.Body)
	s.must(err)
	s.must(resp.Body.Close())
	return string(raw)
}

// TestLostAnswers: the way back is lost, and the page, opened again in the same
// browser, brings the verdict; the token is lost, and the business number says
// that the code was redeemed; a ceremony that was left open goes on.
func TestLostAnswers(t *testing.T) {
	s := newStage(t)
	p := newPhone(t, s)
	p.enroll(s.apps[0], "li", goodPIN)

	// The phone dies after the PIN.
	p.askYears(s.apps[0])
	p.line.cut = func(r *http.Request) bool { return r.Method == http.MethodGet }
	p.giveInVain(goodPIN)
	p.line.cut = nil
	p.open(s.apps[0] + "/")
	p.says("还没有结果")
	p.press("ask")
	p.says("还没有把结果带回来")
	p.press("resume")
	p.says("养老保险")

	// The answer of the token endpoint is lost: the code is spent, the verdict
	// is known, and its receipt was redeemed with the code.
	p.askYears(s.apps[0])
	s.lossy.lose <- struct{}{}
	p.give("current", goodPIN)
	p.says("结果来得太晚")

	// The holder leaves the page by the back button, and goes on later.
	p.open("/")
	p.press("start", "action", "verify")
	p.open(s.apps[0] + "/")
	p.press("ask")
	p.says("还没有办完")
	p.press("resume")
	p.begin()
	p.give("current", goodPIN)
	p.says("养老保险")

	// The holder calls it off.
	p.askYears(s.apps[0])
	p.press("leave")
	p.says("您取消了办理")
}

// TestChange: old and new, and the new one holds.
func TestChange(t *testing.T) {
	s := newStage(t)
	p := newPhone(t, s)
	p.enroll(s.apps[1], "chen", goodPIN)
	p.open("/")
	p.press("start", "action", "change")
	p.begin()
	p.give("change", goodPIN, newPIN)
	p.goBack()
	p.says("密码已修改")
	p.askYears(s.apps[1])
	p.give("current", newPIN)
	p.says("养老保险")
}

// TestPhysicalCardLost: PIN and evidence together; the evidence is required in
// the middle of the ceremony.
func TestPhysicalCardLost(t *testing.T) {
	s := newStage(t)
	p := newPhone(t, s)
	p.enroll(s.apps[0], "zhao", goodPIN)
	p.askYears(s.apps[0])
	p.give("current", goodPIN)
	if strings.Contains(p.page.Body(), "养老保险") {
		t.Fatal("the PIN alone was enough")
	}
	p.goBack()
	p.says("请看一下镜头")
	p.press("evidence")
	p.begin()
	p.give("current", goodPIN)
	p.says("养老保险")
	p.says("urn:liuma:acr:pin-evidence")
}

// TestStolenCallback: an answer that this browser did not ask for is not used.
func TestStolenCallback(t *testing.T) {
	s := newStage(t)
	p, thief := newPhone(t, s), newPhone(t, s)
	p.enroll(s.apps[0], "chen", goodPIN)
	p.askYears(s.apps[0])
	var back string
	p.line.cut = func(r *http.Request) bool {
		if r.URL.Path == "/callback" {
			back = r.URL.String()
		}
		return back != ""
	}
	p.giveInVain(goodPIN)
	thief.be(s.apps[0], "li")
	thief.open(back)
	if thief.page.Status() != http.StatusBadRequest {
		t.Errorf("status %d", thief.page.Status())
	}
	thief.says("不是从本页面打开的")

	// Another issuer's answer is refused too, and after it even the right
	// answer, because its state is used up. By business number the verdict does not
	// come: the holder starts again.
	p.line.cut = nil
	p.open(strings.Replace(back, "iss=http", "iss=https", 1))
	p.says("不是从本页面打开的")
	p.open(back)
	p.says("不是从本页面打开的")
	p.open("/")
	p.press("ask")
	p.says("还没有把结果带回来")
	p.askYears(s.apps[0])
	p.give("current", goodPIN)
	p.says("养老保险")
}
