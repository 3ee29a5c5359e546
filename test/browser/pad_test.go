package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// narrow is a small window on a computer, as apps and demos open them.
func narrow() screen { return screen{"480x800", 480, 800, false} }

// TestDigitsFromAnywhere: a physical keyboard needs no click first, on a
// computer, in a small window of one, and on a phone that has one.
func TestDigitsFromAnywhere(t *testing.T) {
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

// TestPasteFromAnywhere: so does a PIN from a password manager.
func TestPasteFromAnywhere(t *testing.T) {
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
	b.sees("Back at the channel")
	b.clean(w.site, rightPIN)
}

// TestOtherFieldsKeepTheirKeys: what another field has the focus for is not
// taken from it, nor what is pressed together with Ctrl.
func TestOtherFieldsKeepTheirKeys(t *testing.T) {
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
