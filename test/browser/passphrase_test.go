package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
	samples "github.com/liuma-pin/liuma/examples/policy"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// secondRegion is the demo's second region, whose holders may have passphrases.
const secondRegion = liuma.Region("440106")

// rulesOfRegion are those of one sample region, wherever a card is.
type rulesOfRegion struct{ layers *policy.Layers }

func (r rulesOfRegion) For(_ liuma.Region, ch liuma.ChannelID) policy.Policy {
	return r.layers.For(secondRegion, ch)
}

func inSecondRegion(t *testing.T) *world {
	t.Helper()
	return worldOf(t, testkit.Options{Rules: secondRegionsRules(t)}, nil)
}

func secondRegionsRules(t *testing.T) rulesOfRegion {
	t.Helper()
	national := policy.National()
	national.AllowStandInEvidence = true
	text, err := samples.Files.ReadFile("4401-five-tries.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file, err := policy.ParseFile("4401-five-tries.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := policy.NewLayers(national, file)
	if err != nil {
		t.Fatal(err)
	}
	return rulesOfRegion{l}
}

// wordsPad waits for the fields of a passphrase.
func (b *tab) wordsPad() {
	b.t.Helper()
	b.waits(`!!document.querySelector(".pad-words[aria-busy=false] .field-input")`)
}

// fieldOf puts the focus into a field of the pad, empty.
func (b *tab) fieldOf(step string) {
	b.t.Helper()
	b.wordsPad()
	b.do(chromedp.Focus(chromedp.CSS("#pad-" + step)))
	evaluate[chromedp.Void](b, fmt.Sprintf(`document.querySelector("#pad-%s").select()`, step))
}

// put types a text into a field at once, as a keyboard with words does.
func (b *tab) put(step, text string) {
	b.t.Helper()
	b.fieldOf(step)
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// compose types words by an input method: letters that are not meant, Enter that ends
// a word, and the words.
func (b *tab) compose(step string, words ...string) {
	b.t.Helper()
	b.fieldOf(step)
	call(b, input.InsertText, input.InsertTextParams{Text: ""})
	for _, word := range words {
		call(b, input.ImeSetComposition, input.ImeSetCompositionParams{Text: "pin yin", SelectionStart: 7, SelectionEnd: 7})
		// Browsers tell that Enter is the input method's by either of these.
		for _, as := range []string{`{key: "Enter", isComposing: true}`, `{key: "Enter", keyCode: 229}`} {
			evaluate[chromedp.Void](b, fmt.Sprintf(`document.querySelector("#pad-%s").dispatchEvent(new KeyboardEvent("keydown", Object.assign({bubbles: true, cancelable: true}, %s)))`, step, as))
		}
		call(b, input.InsertText, input.InsertTextParams{Text: word})
	}
}

// TestPassphrases walks the demo's second region: a passphrase of Chinese and of
// full-width letters is set through an input method, proved on another channel's page
// that does not know it, changed to six digits and back; in both languages, on the
// smallest phone, in care mode and not.
func TestPassphrases(t *testing.T) {
	for _, l := range []struct {
		look
		agree, setWords, show, enough, weak, short, differ, enrolled, back, own, wrong, changed, changeWords string
	}{
		{look{"care", "zh-CN", true, false}, "是我本人", "我想设组合密码", "显示", "个字符，够长了", "坏人接着就会试它", "太短了", "两次输入的不一样", "申领成功", "返回测试", "我用的是组合密码", "密码不正确", "密码已修改", "我要用组合密码"},
		{look{"en", "en", false, false}, "It is me", "rather set a passphrase", "Show", "which is long enough", "which thieves try next", "too short", "entries differ", "card is ready", "Back to", "I have a passphrase", "not right", "PIN was changed", "I have a passphrase, or want one"},
	} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			w := inSecondRegion(t)
			person := w.person()
			b := newTab(t, small(), l.language)
			finish := `//button[contains(@class,"btn-primary")]`
			const first, second, other = "西湖Ｗｉｌｌｏｗ　三月", "lotus & 断桥 1950", "西湖 Willow 四月"

			b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
			b.sees(l.agree)
			if l.care {
				b.click(`//button[@name="care"]`)
				b.waits(`document.documentElement.hasAttribute("data-care")`)
			}
			b.press(l.agree)
			b.ready()
			b.keysWithin("choosing six digits", small())
			b.press(l.setWords)
			b.wordsPad()
			b.put("new", "短短")
			b.put("again", "短短")
			b.click(finish)
			b.sees(l.short)
			b.put("new", "password 123456")
			b.put("again", "password 123456")
			b.click(finish)
			b.sees(l.weak) // the server said so, and set nothing
			b.press(l.show)
			b.compose("new", "西湖", "Ｗｉｌｌｏｗ", "　三月")
			b.sees(l.enough)
			b.put("again", other)
			b.click(finish)
			b.sees(l.differ)
			if n := len(b.posts("/pin")); n != 0 {
				t.Fatalf("%d entries were sent", n)
			}
			b.violations("passphrase being set")
			b.reflows("passphrase being set")
			call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 360, Height: 640, DeviceScaleFactor: 1, Mobile: true})
			b.put("again", "西湖Willow 三月 ") // another keyboard: half width, and a space behind
			b.click(finish)
			b.sees(l.enrolled)
			b.press(l.back)
			b.sees("Back at the channel")
			card := w.redeem(w.channel).Card

			// Another channel knows nothing of the card: six boxes stand first.
			elsewhere := w.env.Channel("zj-bank")
			b.open(w.push(elsewhere, liuma.ActionLink, envelope.Subject{IDNumber: person.IDNumber, Name: person.Name}, "l-1", nil))
			b.press(l.agree)
			b.ready()
			b.waits(`!!document.querySelector(".pad-boxes")`)
			b.press(l.own)
			b.put("current", other)
			b.typed("\r")
			b.waits(`!!document.querySelector("[data-focus]")`)
			b.wordsPad() // the page begins as it was left
			b.violations("passphrase wrong")
			b.put("current", first)
			b.typed("\r")
			b.press(l.back)
			b.sees("Back at the channel")

			change := func(bn liuma.BusinessNo, old, chosen string) {
				t.Helper()
				b.open(w.push(w.channel, liuma.ActionChange, envelope.Subject{Card: string(card)}, bn, nil))
				b.ready()
				if evaluate[bool](b, `!!document.querySelector(".pad-boxes")`) {
					b.press(l.changeWords)
				}
				b.put("old", old)
				b.put("new", chosen)
				b.put("again", chosen)
				b.click(finish)
				b.sees(l.changed)
				if v := w.env.Verify(w.channel, card, chosen); v.Verdict != liuma.Right {
					t.Errorf("%s: the new one is %s", bn, v.Verdict)
				}
				if v := w.env.Verify(w.channel, card, old); v.Verdict != liuma.Wrong {
					t.Errorf("%s: the old one is %s", bn, v.Verdict)
				}
			}
			change("c-1", first, rightPIN)
			change("c-2", rightPIN, second)
			b.clean(w.site, first, second, other, rightPIN, "password 123456", "西湖", "Willow", "lotus")
		})
	}
}

// TestPassphraseFields: the ways of a keyboard are left alone, what was shown is hidden
// when the page is left, and nothing is kept.
func TestPassphraseFields(t *testing.T) {
	t.Parallel()
	w := inSecondRegion(t)
	card := w.enroll(rightPIN)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(card, "v-1"))
	b.ready()
	b.keypad("907")
	b.press("我用的是组合密码")
	b.wordsPad()
	for name, want := range map[string]string{"type": "password", "autocomplete": "current-password", "autocapitalize": "off", "autocorrect": "off", "spellcheck": "false"} {
		if got := evaluate[string](b, fmt.Sprintf(`document.querySelector("#pad-current").getAttribute(%q)`, name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if evaluate[bool](b, `document.querySelector("#pad-current").hasAttribute("maxlength") || document.querySelector("#pad-current").value !== ""`) {
		t.Error("the field is cut short, or has what was typed before")
	}
	if n := evaluate[int](b, `document.querySelectorAll("input[name=pin]").length`); n != 1 {
		t.Errorf("%d fields for the envelope", n)
	}
	b.press("显示")
	b.put("current", "莲花与断桥 1950")
	if kind := evaluate[string](b, `document.querySelector("#pad-current").type`); kind != "text" {
		t.Errorf("shown, it is of type %s", kind)
	}
	evaluate[chromedp.Void](b, `(() => {
		Object.defineProperty(document, "visibilityState", {value: "hidden", configurable: true});
		document.dispatchEvent(new Event("visibilitychange"));
	})()`)
	if kind := evaluate[string](b, `document.querySelector("#pad-current").type`); kind != "password" {
		t.Errorf("in the background it is of type %s", kind)
	}
	// A script cannot send it.
	evaluate[chromedp.Void](b, `document.querySelector(".pad-words .btn-primary").click()`)
	b.sees("请您自己点这个按钮")
	b.press("我用的是 6 位数字")
	b.keypad(rightPIN)
	b.sees("Back at the channel")
	if kept := evaluate[string](b, `Promise.all([indexedDB.databases(), caches.keys()]).then(([d, c]) => [localStorage.length, sessionStorage.length, d.length, c.length].join(","))`); kept != "0,0,0,0" {
		t.Errorf("the page keeps something: %s", kept)
	}
	b.clean(w.site, "莲花与断桥", rightPIN)
}

// TestPassphraseOnTheDesksPad: Granny Wang sets a passphrase on the counter's pad, by an
// input method and in care mode; nobody sees it, the pad keeps nothing of it, and it holds
// in her own app.
func TestPassphraseOnTheDesksPad(t *testing.T) {
	t.Parallel()
	h := hallOn(t, stageOf(t, testkit.Options{Rules: secondRegionsRules(t)}))
	wang := h.actor("wang", provincial, phone(), "zh-CN")
	wang.applies(rightPIN)
	f := h.facts("wang")
	pad, id := h.pad(desktop())
	h.desk.Away = true
	ticket := h.sends(f, liuma.TicketReset, id)
	pad.sees("请给复核人员看这个号码")
	h.approves(ticket)
	pad.press("是我本人")
	pad.ready()
	pad.press("我想设组合密码")
	pad.wordsPad()
	const words = "西湖Willow 三月"
	finish := `//*[contains(@class,"pad-words")]//button[contains(@class,"btn-primary")]`
	if kind := evaluate[string](pad, `document.querySelector("#pad-new").type`); kind != "password" {
		t.Errorf("at a counter, where others stand, it begins as %s", kind)
	}
	pad.put("new", "password 123456")
	pad.put("again", "password 123456")
	pad.click(finish)
	pad.sees("坏人接着就会试它")
	pad.compose("new", "西湖", "Willow", " 三月")
	pad.sees("个字符，够长了")
	pad.fit("pad-words")
	pad.put("again", words)
	pad.click(finish)
	pad.sees("新密码已设好", "屏幕过一会儿会自动清空")
	pad.press("清空屏幕")
	pad.sees("轮到您操作时")
	pad.showsNobody(f)
	for range 3 {
		pad.back()
		time.Sleep(300 * time.Millisecond)
		if left := evaluate[string](pad, `[...document.querySelectorAll("input")].map(i => i.value).join()`); strings.Contains(left, "西湖") {
			t.Errorf("the pad still has %s", left)
		}
	}
	pad.clean(h.site, words, "西湖", "Willow", rightPIN)
	wang.goTo(provincial)
	wang.starts("verify")
	wang.ready()
	if evaluate[bool](wang.tab, `!!document.querySelector(".pad-boxes")`) {
		wang.press("我用的是组合密码")
	}
	wang.put("current", words)
	wang.typed("\r")
	wang.sees("密码核验通过")
}
