package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
)

// fillIn puts text into the pad's field as a password manager does: the value,
// then an event that no key caused.
func (b *tab) fillIn(text string) {
	b.t.Helper()
	evaluate[chromedp.Void](b, fmt.Sprintf(`(() => {
		const field = document.querySelector(".pad-field");
		field.focus();
		field.value = %q;
		field.dispatchEvent(new Event("input", {bubbles: true}));
		field.dispatchEvent(new Event("change", {bubbles: true}));
	})()`, text))
}

// uncounted checks that nothing was posted, and that all six tries are left.
func (b *tab) uncounted(address string) {
	b.t.Helper()
	time.Sleep(time.Second) // twice as long as a full pad waits before it sends
	if n := len(b.posts("/pin")); n != 0 {
		b.t.Fatalf("%d posts of what nobody typed", n)
	}
	b.open(address)
	b.ready()
	b.sees("还可试 6 次")
}

// TestFillCountsNothing: six loads with a fill each, of a password that has six
// digits in it, of six digits, and whatever else puts text into a field without
// a key, cost no try.
func TestFillCountsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	at := b.address()
	insert := func(text string) { call(b, input.InsertText, input.InsertTextParams{Text: text}) }
	focus := func() { b.do(chromedp.Focus(chromedp.CSS(".pad-field"))) }
	for _, fill := range []struct {
		name string
		act  func()
		says string
	}{
		{"a password", func() { b.fillIn("Wang880626!") }, "刚才填入的不是 6 位数字"},
		{"six digits", func() { b.fillIn("880626") }, "不是一位一位按出来的"},
		{"dictation", func() { focus(); insert("880626") }, "不是一位一位按出来的"},
		{"dictated words", func() { focus(); insert("八八〇六二六") }, "不是一位一位按出来的"},
		{"digits one by one, by a program", func() {
			focus()
			for _, d := range "880626" {
				insert(string(d))
			}
		}, "不是一位一位按出来的"},
		{"keys that a script presses", func() {
			evaluate[chromedp.Void](b, `[..."880626"].forEach(d => [...document.querySelectorAll(".key")].find(k => k.textContent === d).click())`)
		}, "不是一位一位按出来的"},
		{"key events of a script", func() {
			evaluate[chromedp.Void](b, `[..."880626"].forEach(key => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true})))`)
		}, "不是一位一位按出来的"},
		{"five digits", func() { b.fillIn("88062") }, "不是 6 位数字"},
	} {
		fill.act()
		b.sees(fill.says)
		if evaluate[bool](b, `[...document.querySelectorAll(".pad-offer button")].some(e => { e.click(); return e.textContent === "提交"; })`) && fill.says == "不是一位一位按出来的" {
			b.sees("请您自己点这个按钮")
		}
		b.uncounted(at)
	}
	// By a press it goes.
	b.fillIn("90-73 52")
	b.press("提交")
	b.sees("Back at the channel")
	b.clean(w.site, rightPIN)
}

// TestUndoneIsNotTyped: what comes back by undo waits, too.
func TestUndoneIsNotTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, desktop(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	b.typed("90735")
	b.full(5)
	evaluate[chromedp.Void](b, `document.querySelector(".pad-field").select(); document.execCommand("insertText", false, "880626")`)
	b.sees("不是一位一位按出来的")
	if n := len(b.posts("/pin")); n != 0 {
		t.Errorf("%d posts", n)
	}
}

// TestDigitsOfOtherScripts are read, and letters cost a word and not the digits.
func TestDigitsOfOtherScripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	card := w.enroll(rightPIN)
	for i, text := range []string{"９０７３５２", "٩٠٧٣٥٢", "९०७३५२", "๙๐๗๓๕๒", "九零七三五二"} {
		b := newTab(t, phone(), "zh-CN")
		b.open(w.verify(card, liuma.BusinessNo(fmt.Sprintf("v-%d", i))))
		b.ready()
		b.do(chromedp.Focus(chromedp.CSS(".pad-field")))
		call(b, input.InsertText, input.InsertTextParams{Text: text})
		b.press("提交")
		b.sees("Back at the channel")
	}
	b := newTab(t, desktop(), "zh-CN")
	b.open(w.verify(card, "v-letters"))
	b.ready()
	b.typed("90x")
	b.sees("密码只有数字")
	b.full(2)
	evaluate[chromedp.Void](b, `document.activeElement.blur()`)
	b.typed("y")
	b.sees("密码只有数字")
	b.typed("7352")
	b.sees("Back at the channel")
}

// softKey is a key of a phone's keyboard: the page hears that some key went
// down, and then of the text.
func (b *tab) softKey(digit string) {
	b.t.Helper()
	key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Key: "Unidentified", WindowsVirtualKeyCode: 229}
	call(b, input.DispatchKeyEvent, key)
	call(b, input.InsertText, input.InsertTextParams{Text: digit})
	key.Type = input.DispatchKeyEventTypeKeyUp
	call(b, input.DispatchKeyEvent, key)
	time.Sleep(40 * time.Millisecond)
}

// TestSoftKeyboard: digits that come one by one from a phone's keyboard, which
// does not name its keys, are typed, and go by themselves.
func TestSoftKeyboard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	b.press("用手机键盘")
	b.waits(`document.activeElement.className === "pad-field"`)
	for _, d := range rightPIN {
		b.softKey(string(d))
	}
	b.sees("Back at the channel")
	b.clean(w.site, rightPIN)
}

// TestHeldKeyIsOnePress: a key that repeats adds one digit.
func TestHeldKeyIsOnePress(t *testing.T) {
	w := newWorld(t, nil)
	b := newTab(t, desktop(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	for n := range 8 {
		held := n > 0
		call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "1", Code: "Digit1", Text: "1",
			WindowsVirtualKeyCode: '1', AutoRepeat: &held})
	}
	b.full(1)
}

// TestKeysWhileThePadTurns: digits typed while a step is sealed go to the next
// one; if they cannot all be kept, none is, and the page says so.
func TestKeysWhileThePadTurns(t *testing.T) {
	w := newWorld(t, nil)
	card := w.enroll(rightPIN)
	for _, focused := range []bool{true, false} {
		b := newTab(t, desktop(), "zh-CN")
		b.open(w.push(w.channel, liuma.ActionChange, envelope.Subject{Card: string(card)}, liuma.BusinessNo(fmt.Sprintf("c-%v", focused)), nil))
		b.ready()
		if !focused {
			evaluate[chromedp.Void](b, `document.activeElement.blur()`)
		}
		b.typed(rightPIN + otherPIN[:3])
		b.sees("请设置 6 位新密码")
		b.full(3)
		b.typed(otherPIN[3:] + "481" + "\b" + "1629")
		b.sees("请再输入一次新密码")
		b.waits(`!document.querySelector(".pad-final").hidden`)
		b.sees("两次输入一致")
		b.press("重新输入")
		b.typed(otherPIN + otherPIN + "7") // more than a step takes
		b.sees("请再输入一次新密码", "多按的数字没有算进去")
		b.full(0)
	}
}

// TestSeventhDigitStopsTheEntry: before a PIN goes by itself, one digit more
// means that it is not the one that was meant. Nothing is sent.
func TestSeventhDigitStopsTheEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, desktop(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	at := b.address()
	b.typed("9907352")
	b.sees("多输了一位")
	b.uncounted(at)
}

// TestOldPadFromTheBackCache: a page that the browser shows as it was left asks
// the server anew.
func TestOldPadFromTheBackCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	evaluate[chromedp.Void](b, `document.body.dataset.mark = "old"`)
	evaluate[chromedp.Void](b, `window.dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)
	b.waits(`!document.body.dataset.mark`)
	b.keypad(rightPIN)
	b.sees("Back at the channel")
}
