package browser

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestMedicalCredential: 王奶奶 activates the medical e-credential in the sample channel
// with a look into the camera and her PIN, shows a code until its minute is over, draws
// another, and activates again when the service has shut. It ends with her log-in.
func TestMedicalCredential(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("wang", provincial, small(), "zh-CN")
	a.applies(rightPIN)
	a.goTo(provincial)
	a.shoot("medical", "home")
	a.whole("home")
	a.activates()
	a.waits(`document.querySelector("[data-medical]").getAttribute("data-medical") === "code"`)
	a.sees("有效到", "还剩", "seconds left", "有它自己的密码", "不能看病、买药")
	a.shoot("medical", "code")
	a.whole("code")

	seen := a.drawing()
	a.do(chromedp.Reload())
	a.sees("还剩")
	if a.drawing() != seen {
		t.Error("a reload draws another code")
	}
	a.hurries()
	a.sees("请换一个新码")
	if evaluate[bool](a.tab, `!!document.querySelector("svg.qr").getClientRects().length`) {
		t.Error("the code is still there after its minute")
	}
	a.shoot("medical", "over")
	a.whole("over")
	a.press("换一个新码")
	a.sees("还剩")
	if a.drawing() == seen {
		t.Error("the same code again")
	}

	s.wait(medicalShuts)
	a.do(chromedp.Reload())
	a.sees("出示的时间到了")
	a.shoot("medical", "closed")
	a.whole("closed")
	a.press("重新办理")
	a.looks()
	a.keypad(rightPIN)
	a.sees("还剩")
	a.goTo(provincial)
	a.press("换人")
	a.sees("您想扮演谁")
	a.open(s.apps[provincial] + "/medical")
	a.sees("您想扮演谁")
	a.leaks(rightPIN)
}

// medicalShuts is how long the sample shows codes after a verdict.
const medicalShuts = 5 * minute

// activates goes through camera and PIN.
func (a *actor) activates() {
	a.t.Helper()
	a.starts("medical")
	a.sees("激活医保电子凭证")
	a.looks()
	a.sees("激活医保电子凭证", "王*珍")
	a.shoot("medical", "pad")
	a.keypad(rightPIN)
}

// drawing is the code as it is drawn.
func (a *actor) drawing() string {
	a.t.Helper()
	return evaluate[string](a.tab, `document.querySelector("svg.qr path").getAttribute("d")`)
}

// hurries lets the code's minute pass in the page, ten seconds before its end first. A
// screen reader is told then, and at the end, and not every second.
func (a *actor) hurries() {
	a.t.Helper()
	evaluate[chromedp.Void](a.tab, `(() => {
		window.heard = [];
		const status = document.querySelector("[role=status]"), now = Date.now;
		new MutationObserver(() => window.heard.push(status.textContent)).observe(status, {childList: true, characterData: true, subtree: true});
		window.ahead = 45000;
		Date.now = () => now() + window.ahead;
	})()`)
	a.waits(`window.heard.length === 1 && window.heard[0].includes("秒")`)
	evaluate[chromedp.Void](a.tab, `window.ahead = 61000`)
	a.waits(`window.heard.length === 2 && window.heard[1].includes("请换一个新码")`)
}

// whole checks a page of the sample as those of the gallery are.
func (a *actor) whole(name string) {
	a.t.Helper()
	a.targets(name)
	a.operable(name)
	a.violations(name)
	a.reflows(name)
	s := small()
	call(a.tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: true})
}

// TestMedicalCredentialWithoutScript: the page says until when the code is good, and its
// button draws another.
func TestMedicalCredentialWithoutScript(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("wang", provincial, small(), "zh-CN")
	a.applies(rightPIN)
	a.goTo(provincial)
	a.activates()
	a.sees("有效到")
	call(a.tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	a.do(chromedp.Reload())
	a.sees("有效到", "只能扫一次", "换一个新码")
	seen := a.drawing()
	a.shoot("medical", "no-script")
	a.press("换一个新码")
	a.waits(`document.readyState === "complete" && document.querySelector("svg.qr path").getAttribute("d") !== ` + "`" + seen + "`")
	s.wait(minute)
	a.do(chromedp.Reload())
	a.sees("请换一个新码")
	a.leaks(rightPIN)
}
