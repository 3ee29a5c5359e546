package browser

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	rightPIN = "907352"
	otherPIN = "481629"
	wrongPIN = "302845"
)

func TestEnroll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	person := w.person()
	b := newTab(t, phone(), "zh-CN")
	b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
	b.sees("请核对，这是您本人吗？", person.MaskedName(), person.MaskedIDNumber(), person.MaskedPhone(), "浙江省")
	b.press("是我本人")
	b.sees("第 1 步")
	b.keypad("111111")
	b.sees("同一个数字用得太多了")
	b.keypad(rightPIN)
	b.sees("请再输入一次新密码")
	b.keypad(otherPIN)
	b.sees("两次输入的不一样")
	b.keypad(rightPIN)
	b.sees("请再输入一次新密码")
	b.keypad(rightPIN)
	b.sees("两次输入一致")
	b.press("完成设置")
	b.sees("申领成功", person.MaskedName())
	b.do(chromedp.Reload())
	b.sees("申领成功")
	b.press("返回测试")
	b.sees("Back at the channel")
	g := w.redeem(w.channel)
	if g.Action != liuma.ActionEnroll || g.BusinessNo != "e-1" || g.Card == "" {
		t.Errorf("grant %+v", g)
	}
	if v := w.env.Verify(w.channel, g.Card, rightPIN); v.Verdict != liuma.Right {
		t.Errorf("the PIN that was set is %s", v.Verdict)
	}
	b.clean(w.site, rightPIN, otherPIN, person.IDNumber, person.Phone)
}

// TestServerJudgesWeakPIN: a weak PIN that the hints cannot detect is refused
// after its first entry, and why is no longer said once a good one is begun. Only
// a PIN that will be taken is to be remembered.
func TestServerJudgesWeakPIN(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b, weak := atWeakPIN(t, w)
	b.keypad(weak)
	b.sees("These digits stand in a row in your ID number", "Step 1 of 2")
	if n := len(b.posts("/pin")); n != 0 {
		t.Errorf("%d posts of a PIN after its first entry", n)
	}
	b.keypad(rightPIN[:1])
	if text := b.text(); strings.Contains(text, "ID number (") {
		t.Errorf("a good PIN is begun, and the page still refuses the one before:\n%s", text)
	}
	b.keypad(rightPIN[1:])
	b.sees("Enter the new PIN again")
	b.keypad(rightPIN)
	b.sees("Remember this PIN")
	b.press("Set the PIN")
	b.sees("Your electronic card is ready")
	b.clean(w.site, rightPIN, weak)
}

// atWeakPIN brings an applicant to the pad, with a PIN that is in their ID number.
func atWeakPIN(t *testing.T, w *world) (*tab, string) {
	t.Helper()
	person := w.person()
	b := newTab(t, phone(), "en")
	b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
	b.sees("Is this you?")
	b.press("It is me")
	return b, person.IDNumber[len(person.IDNumber)-7 : len(person.IDNumber)-1]
}

// TestServerJudgesWeakPINAtTheEnd: where the first entry cannot be checked, the
// pad goes on, promises nothing, and the PIN is judged when it is set. What the
// page then says goes as soon as another PIN is begun.
func TestServerJudgesWeakPINAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/new-pin") {
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(rw, r)
		})
	})
	b, weak := atWeakPIN(t, w)
	b.keypad(weak)
	b.sees("Enter the new PIN again")
	b.keypad(weak)
	b.sees("Both entries are the same")
	if strings.Contains(b.text(), "Remember this PIN") {
		t.Error("a PIN that nobody has judged is to be remembered")
	}
	b.press("Set the PIN")
	b.sees("This PIN is too easy to guess", "Choose a 6-digit PIN")
	b.keypad(rightPIN[:1])
	if strings.Contains(b.text(), "too easy to guess") {
		t.Error("the page refuses a PIN that is being typed")
	}
	b.keypad(rightPIN[1:])
	b.sees("Enter the new PIN again")
	b.keypad(rightPIN)
	b.press("Set the PIN")
	b.sees("Your electronic card is ready")
	b.clean(w.site, rightPIN, weak)
}

// TestVerifyByKeyboardAlone uses no pointer at all, on a computer.
func TestVerifyByKeyboardAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	card := w.enroll(rightPIN)
	b := newTab(t, desktop(), "zh-CN")
	b.open(w.verify(card, "v-1"))
	b.ready()
	b.sees(purpose, w.person().MaskedName(), "v-1")
	if evaluate[string](b, `document.activeElement.className`) != "pad-field" {
		t.Error("the pad does not have the focus on a computer")
	}
	b.typed(wrongPIN)
	b.sees("密码不正确", "还可试 5 次")
	b.ready()
	b.typed(rightPIN)
	b.sees("Back at the channel")
	if g := w.redeem(w.channel); g.Card != card || g.Nonce != "nonce" {
		t.Errorf("grant %+v", g)
	}
	// The back button leads to a page that shows the current state, and stays
	// there.
	b.back()
	b.sees("验证通过")
	time.Sleep(time.Second)
	if at := b.address(); at != w.url+b.path() || len(w.arrivals()) != 1 {
		t.Errorf("back leads to %s, %d arrivals", at, len(w.arrivals()))
	}
	b.clean(w.site, rightPIN, wrongPIN)
}

func (b *tab) path() string { return evaluate[string](b, `location.pathname`) }

// TestKeyboardReachesEverything tabs through a page: every control comes once
// and shows the focus.
func TestKeyboardReachesEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	person := w.person()
	b := newTab(t, desktop(), "en")
	b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
	b.sees("Is this you?")
	seen := map[string]bool{}
	for range 12 {
		b.typed("\t")
		seen[evaluate[string](b, `document.activeElement.textContent.trim()`)] = true
	}
	for _, want := range []string{"Skip to content", "Large", "中文", "Read the whole text", "It is me, I agree: continue", "Not me, go back", "12333"} {
		if !seen[want] {
			t.Errorf("the Tab key does not reach %q, but %v", want, seen)
		}
	}
	b.do(chromedp.Focus(chromedp.CSS(`button.btn-primary`)))
	b.typed("\r")
	b.ready()
	b.typed(rightPIN)
	b.sees("Enter the new PIN again")
	b.typed(rightPIN)
	b.sees("Both entries are the same")
	b.typed("\r")
	b.sees("Your electronic card is ready")
	b.clean(w.site, rightPIN)
}

// TestWrongUntilLocked: six wrong PINs lock, and the other channel says so too.
func TestWrongUntilLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	card := w.enroll(rightPIN)
	national := w.env.Channel("national")
	link, err := w.env.Authority().Link(context.Background(), national, w.env.LinkRequest(national, w.person(), rightPIN))
	if err != nil || link.Card == "" {
		t.Fatalf("%+v %v", link, err)
	}
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(card, "v-1"))
	for left := 5; left > 0; left-- {
		b.keypad(wrongPIN)
		b.sees("密码不正确", "还可试 "+string(rune('0'+left))+" 次")
	}
	b.keypad(wrongPIN)
	b.sees("密码已锁定", "明天", "还有 24 小时", "实体社保卡")
	b.press("返回测试")
	b.sees("Back at the channel")
	if at := w.arrivals()[0]; at.Get("error") != "access_denied" || at.Get("code") != "" {
		t.Errorf("came back with %v", at)
	}
	other := newTab(t, phone(), "en")
	other.open(w.push(national, liuma.ActionVerify, envelope.Subject{Card: string(link.Card)}, "n-1", nil))
	other.sees("The PIN is locked", "tomorrow") // and asks for no PIN
	b.clean(w.site, wrongPIN)
	other.clean(w.site)
}

func TestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.enroll(rightPIN)
	person := w.person()
	national := w.env.Channel("national")
	s := whole(person)
	s.Phone = ""
	b := newTab(t, phone(), "zh-CN")
	b.open(w.push(national, liuma.ActionLink, s, "l-1", nil))
	b.sees("关联电子社保卡", "这是您本人吗", person.MaskedName())
	b.press("是我本人")
	b.keypad(wrongPIN)
	b.sees("未能通过核验")
	if text := b.text(); strings.Contains(text, "还可试") {
		t.Errorf("a channel without a link is told about tries:\n%s", text)
	}
	b.keypad(rightPIN)
	b.sees("关联成功")
	b.press("返回测试")
	b.sees("Back at the channel")
	g := w.redeem(national)
	if v := w.env.Verify(national, g.Card, rightPIN); v.Verdict != liuma.Right {
		t.Errorf("verdict %s", v.Verdict)
	}
	b.clean(w.site, rightPIN, wrongPIN, person.IDNumber)
}

func TestChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	card := w.enroll(rightPIN)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.push(w.channel, liuma.ActionChange, envelope.Subject{Card: string(card)}, "c-1", nil))
	enter := func(old, chosen string) {
		b.sees("请输入现在的密码")
		b.keypad(old)
		b.sees("请设置 6 位新密码")
		b.keypad(chosen)
		b.sees("请再输入一次新密码")
		b.keypad(chosen)
		b.press("完成修改")
	}
	enter(wrongPIN, otherPIN)
	b.sees("现在的密码不正确", "还可试 5 次")
	enter(rightPIN, otherPIN)
	b.sees("密码已修改")
	b.press("返回测试")
	b.sees("Back at the channel")
	w.redeem(w.channel)
	if v := w.env.Verify(w.channel, card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("the new PIN is %s", v.Verdict)
	}
	b.clean(w.site, rightPIN, otherPIN, wrongPIN)
}

func TestLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	card := w.enroll(rightPIN)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(card, "v-1"))
	b.ready()
	b.press("不能在线找回密码：看原因和办法")
	b.sees("现在不能在线找回密码", "本人有效证件原件", "12333")
	b.press("想起密码了")
	b.ready()
	b.press("不办了")
	b.sees("Back at the channel: left_by_holder")
	b.back()
	b.sees("已取消办理")
	b.clean(w.site)
}

// TestStandings: who cannot use the card is told so before the pad; a lost
// physical card needs the PIN and evidence.
func TestStandings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		set    func(*world, store.Handle)
		says   []string
		button string
		back   string
	}{
		{"frozen", freeze, []string{"电子社保卡已冻结", "拨打 12333"}, "返回测试", "frozen"},
		{"cancelled", physical(authority.PhysicalCancelled), []string{"不能使用", "到经办机构"}, "返回测试", "cancelled"},
		{"blocked", block, []string{"密码已停用", "等待不能恢复", "12333"}, "返回测试", "blocked"},
		{"lost", physical(authority.PhysicalLost), []string{"还需要实人认证"}, "去做实人认证", "evidence_required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			card := w.enroll(rightPIN)
			tt.set(w, card)
			b := newTab(t, phone(), "zh-CN")
			b.open(w.verify(card, "v-1"))
			if tt.name == "lost" {
				b.keypad(rightPIN)
			}
			b.sees(tt.says...)
			if tt.name != "lost" && evaluate[bool](b, `!!document.querySelector("[data-pad]")`) {
				t.Error("the page asks for a PIN that opens nothing")
			}
			b.press(tt.button)
			b.sees("Back at the channel: " + tt.back)
			if tt.name != "lost" {
				return
			}
			// The channel brings evidence under the same business number, and
			// the ceremony goes on.
			person := w.person()
			b.open(w.push(w.channel, liuma.ActionVerify, envelope.Subject{Card: string(card)}, "v-1", &person))
			b.keypad(rightPIN)
			b.sees("Back at the channel")
			if g := w.redeem(w.channel); g.Card != card {
				t.Errorf("grant %+v", g)
			}
			b.clean(w.site, rightPIN)
		})
	}
}

func freeze(w *world, card store.Handle) {
	w.t.Helper()
	bn := w.env.BusinessNo()
	_, err := w.env.Authority().Freeze(context.Background(), w.channel, authority.Request{BusinessNo: bn, Subject: envelope.Subject{Card: string(card)}, Digest: [32]byte{1}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// block makes thirty wrong guesses, six a day.
func block(w *world, card store.Handle) {
	w.t.Helper()
	for range 5 {
		for range 6 {
			w.env.Verify(w.channel, card, wrongPIN)
		}
		w.env.Clock.Advance(25 * time.Hour)
	}
}

func physical(e authority.PhysicalEvent) func(*world, store.Handle) {
	return func(w *world, _ store.Handle) {
		w.t.Helper()
		q := authority.PhysicalRequest{BusinessNo: w.env.BusinessNo(), IDNumber: w.person().IDNumber, CardNo: w.person().CardNo, Event: e, Digest: [32]byte{2}}
		if _, err := w.env.Authority().SetPhysical(context.Background(), w.env.RegistryClient("registry"), q); err != nil {
			w.t.Fatal(err)
		}
	}
}
