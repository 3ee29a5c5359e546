package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// narrow is a small window on a computer, as apps and demos open them.
func narrow() screen { return screen{"480x800", 480, 800, false} }

// TestDigitsFromAnywhere: a physical keyboard needs no click first, on a
// computer, in a small window of one, and on a phone that has one.
func TestDigitsFromAnywhere(t *testing.T) {
	t.Parallel()
	for _, s := range []screen{desktop(), narrow(), phone()} {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, nil)
			b := newTab(t, s, "zh-CN")
			b.open(w.verify(w.enroll(rightPIN), "v-1"))
			b.ready()
			b.typed(wrongPIN)
			b.sees("密码不正确", "还可试 5 次") // the refusal has the focus on a phone
			b.ready()
			b.do(chromedp.Focus(chromedp.Search(`//a[contains(., "12333")]`)))
			b.typed("907")
			b.full(3)
			evaluate[chromedp.Void](b, `document.activeElement.blur()`)
			b.typed("\b")
			b.full(2)
			b.typed("7352")
			b.sees("Back at the channel")
			w.redeem(w.channel)
			b.clean(w.site, rightPIN, wrongPIN)
		})
	}
}

// full waits until so many boxes of the pad are full.
func (b *tab) full(n int) {
	b.t.Helper()
	b.waits(fmt.Sprintf(`document.querySelectorAll(".box-full").length === %d`, n))
}

// TestPasteFromAnywhere: a PIN is pasted without a click into a field, too.
func TestPasteFromAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	paste := func(text string) {
		evaluate[chromedp.Void](b, fmt.Sprintf(`(() => {
			const data = new DataTransfer();
			data.setData("text/plain", %q);
			document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
		})()`, text))
	}
	paste("90735")
	b.sees("粘贴的内容不是 6 位数字")
	paste(rightPIN)
	b.sees("不是一位一位按出来的")
	b.press("提交") // nobody typed it, so it waits
	b.sees("Back at the channel")
	b.clean(w.site, rightPIN)
}

// TestOtherFieldsKeepTheirKeys: the pad takes no keys while another field has
// the focus, nor keys pressed together with Ctrl.
func TestOtherFieldsKeepTheirKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, desktop(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	evaluate[chromedp.Void](b, `(() => {
		const other = document.createElement("input");
		other.id = "other";
		document.querySelector("main").append(other);
		other.focus();
	})()`)
	b.typed("4711")
	b.full(0)
	if got := evaluate[string](b, `document.getElementById("other").value`); got != "4711" {
		t.Errorf("the other field has %q", got)
	}
	evaluate[chromedp.Void](b, `document.activeElement.blur()`)
	b.do(chromedp.KeyEvent("1", chromedp.KeyModifiers(chromedp.ModifierCtrl))) // Ctrl
	b.full(0)
	b.typed("9")
	b.full(1)
	// A box to tick is no field.
	evaluate[chromedp.Void](b, `(() => { const other = document.getElementById("other"); other.type = "checkbox"; other.focus(); })()`)
	b.typed("0")
	b.full(2)
}

// TestDigitsLeaveNothingBehind: a script that observes the page learns the
// number of digits and never the digits. Once sealed, they are in no field,
// text, storage or address, also while they wait for the network.
func TestDigitsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	// All that stands on the page but the field's own value. Ports are of the loopback here,
	// and what is sealed is long: either has these four digits now and then.
	const page = `(document.documentElement.outerHTML + document.body.innerText + location.href + JSON.stringify(history.state))` +
		`.replace(/127\.0\.0\.1:\d+/g, "").replace(/[\w-]{32,}/g, "")`
	b.keypad(rightPIN[:4])
	b.sees("已输入 4 位")
	if strings.Contains(evaluate[string](b, page), rightPIN[:4]) {
		t.Error("the page says which digits were entered")
	}
	if kind := evaluate[string](b, `document.querySelector(".pad-field").type`); kind != "password" {
		t.Errorf("the field is of type %s", kind)
	}
	b.offline(true)
	b.keypad(rightPIN[4:])
	b.sees("手机现在没有网络")
	left := evaluate[string](b, page+` + [...document.querySelectorAll("input, textarea")].map(e => e.value).join("|")`)
	if strings.Contains(left, rightPIN) || strings.Contains(left, rightPIN[:4]) {
		t.Error("the digits are still on the page after they were sealed")
	}
	kept := evaluate[string](b, `Promise.all([indexedDB.databases(), caches.keys()]).then(([d, c]) =>
		[localStorage.length, sessionStorage.length, d.length, c.length, document.cookie].join(","))`)
	if kept != "0,0,0,0," {
		t.Errorf("the page keeps something: %s", kept)
	}
	if !strings.Contains(evaluate[string](b, `document.querySelector("[name=pin]").value`), "enc") {
		t.Error("there is no envelope that waits to be sent")
	}
	b.offline(false)
	b.press("重试")
	b.sees("Back at the channel")
	b.clean(w.site, rightPIN)
}
