package browser

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
)

// left makes a wrong guess and returns the number of tries left, as the page
// shows it.
func (b *tab) left() string {
	b.t.Helper()
	b.ready()
	before := evaluate[string](b, `document.querySelector("[name=try]").value`)
	b.keypad(wrongPIN)
	b.waits(fmt.Sprintf(`document.querySelector("[name=try]").value !== %q && !!document.querySelector("#refusal")`, before))
	_, after, _ := strings.Cut(b.text(), "还可试 ")
	n, _, _ := strings.Cut(after, " ")
	return n
}

// TestExpiry: an address is good for 90 seconds until it is opened, and a page
// for a quarter of an hour.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	card := w.enroll(rightPIN)
	late := w.verify(card, "v-1")
	w.env.Clock.Advance(91 * time.Second)
	b := newTab(t, phone(), "zh-CN")
	b.open(late)
	b.sees("这个页面已失效", "请回到原来的应用")
	b.open(w.verify(card, "v-2"))
	b.ready()
	w.env.Clock.Advance(16 * time.Minute)
	b.keypad(rightPIN)
	b.sees("这个页面已失效", "您的密码没有改变")
	b.press("返回测试")
	b.sees("Back at the channel: ceremony_expired")
}

// TestMoreTime: two minutes before its end a page offers more, and taking it
// does not lose the digits typed.
func TestMoreTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	w.env.Clock.Advance(13*time.Minute + 30*time.Second)
	b.do(chromedp.Reload())
	b.sees("还需要时间吗")
	b.keypad("907")
	b.press("再给我 10 分钟")
	b.waits(`document.querySelector("[data-expires]").hidden`)
	if n := evaluate[int](b, `document.querySelectorAll(".box-full").length`); n != 3 {
		t.Errorf("%d digits are left of three", n)
	}
	w.env.Clock.Advance(5 * time.Minute)
	b.keypad("352")
	b.sees("Back at the channel")
	b.clean(w.site, rightPIN)
}

// TestElsewhere: a second browser with the same address is told where to go
// on; the first goes on.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	address := w.verify(w.enroll(rightPIN), "v-1")
	first, second := newTab(t, phone(), "zh-CN"), newTab(t, phone(), "en")
	first.open(address)
	first.ready()
	second.open(address)
	second.sees("Continue in the other window", "start again from the app")
	second.open(first.address())
	second.sees("Continue in the other window")
	first.keypad(rightPIN)
	first.sees("Back at the channel")
	second.clean(w.site)
}

// TestTwoTabs of one browser share the cookie: both show the same, and the tab
// that is behind catches up.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	address := w.verify(w.enroll(rightPIN), "v-1")
	first := newTab(t, phone(), "zh-CN")
	first.open(address)
	first.ready()
	ctx, cancel := chromedp.NewContext(first.ctx)
	defer cancel()
	second := &tab{t: t, ctx: ctx}
	second.do()
	call(second, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "zh-CN"}})
	second.open(address)
	second.ready()
	first.keypad(wrongPIN)
	first.sees("还可试 5 次")
	second.keypad(rightPIN) // under the number of the first try: not an attempt
	second.sees("刚才输入的没有提交，不算次数", "还可试 5 次")
	if text := second.text(); strings.Contains(text, "密码不正确") {
		t.Errorf("a right PIN on an old pad is called wrong:\n%s", text)
	}
	second.keypad(rightPIN)
	second.sees("Back at the channel")
	first.keypad(rightPIN)
	first.sees("验证通过")
	if n := len(w.arrivals()); n != 1 {
		t.Errorf("%d arrivals", n)
	}
}

// TestDoubleSubmit sends the sealed form of one press once more.
func TestDoubleSubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.keypad(wrongPIN)
	b.sees("还可试 5 次")
	sent := b.posts("/pin")
	if len(sent) != 1 {
		t.Fatalf("%d posts", len(sent))
	}
	evaluate[chromedp.Void](b, `fetch(location.pathname + "/pin", {method: "POST", headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: `+"`"+sent[0]+"`"+`})`)
	if left := b.left(); left != "4" {
		t.Errorf("%s left after two wrong PINs, one of them sent twice", left)
	}
	b.clean(w.site, wrongPIN)
}

// TestReloadAndBack at every page: nothing is done twice, nothing is lost.
func TestReloadAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	person := w.person()
	b := newTab(t, phone(), "zh-CN")
	b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
	b.sees("这是您本人吗")
	b.do(chromedp.Reload())
	b.sees("这是您本人吗")
	b.press("是我本人")
	b.ready()
	b.do(chromedp.Reload())
	b.ready()
	b.back() // to the page before: the ceremony stays where it is
	b.ready()
	enter := func() {
		b.keypad(rightPIN)
		b.sees("请再输入一次新密码")
		b.keypad(rightPIN)
		b.press("完成设置")
		b.sees("申领成功")
	}
	enter()
	b.back()
	b.sees("申领成功")
	b.do(chromedp.Reload())
	b.sees("申领成功")
	b.press("返回测试")
	b.sees("Back at the channel")
	b.back()
	b.sees("申领成功")
	b.press("返回测试")
	b.sees("Back at the channel")
	w.redeem(w.channel) // only the newest one-time code counts
	b.clean(w.site, rightPIN)
}

// TestAppKilled: the channel pushes again under the same number, in a new web
// view without cookies of the old; the tries that were made stay made.
func TestAppKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	card := w.enroll(rightPIN)
	old := newTab(t, phone(), "zh-CN")
	old.open(w.verify(card, "v-1"))
	old.keypad(wrongPIN)
	old.sees("还可试 5 次")
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(card, "v-1"))
	b.sees("密码不正确", "还可试 5 次")
	if left := b.left(); left != "4" {
		t.Errorf("%s left", left)
	}
	old.keypad(rightPIN)
	old.sees("请到另一个页面继续")
	b.keypad(rightPIN)
	b.sees("Back at the channel")
	w.redeem(w.channel)
}

// TestNoNetworkAfterPIN: the sealed PIN waits for the network.
func TestNoNetworkAfterPIN(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	b.offline(true)
	b.keypad(rightPIN)
	b.sees("手机现在没有网络", "重试")
	b.offline(false)
	b.sees("网络恢复了")
	b.press("重试")
	b.sees("Back at the channel")
	b.clean(w.site, rightPIN)
}

func (b *tab) offline(cut bool) {
	b.t.Helper()
	call(b, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: cut, DownloadThroughput: -1, UploadThroughput: -1})
}

// TestAnswerLost: the PIN arrived, its answer did not. The page stays, says that
// it is not known whether the PIN counted, and leads to the result.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	var lose atomic.Bool
	w := newWorld(t, losing(&lose, true))
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	lose.Store(true)
	b.keypad(rightPIN)
	b.sees("还不知道密码有没有送到", "看结果")
	if n := len(b.posts("/pin")); n != 1 {
		t.Errorf("%d posts of one PIN", n)
	}
	lose.Store(false)
	b.press("看结果")
	b.sees("验证通过")
	b.press("返回测试")
	b.sees("Back at the channel")
	w.redeem(w.channel)
	b.clean(w.site, rightPIN)
}

// TestPINLost: the server died before it handled the post. What the look finds
// is that the PIN did not arrive and did not count.
func TestPINLost(t *testing.T) {
	t.Parallel()
	var lose atomic.Bool
	w := newWorld(t, losing(&lose, false))
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	lose.Store(true)
	b.keypad(wrongPIN)
	b.sees("还不知道密码有没有送到")
	lose.Store(false)
	b.press("看结果")
	b.sees("密码没有送到", "这次不算输错", "还可试 6 次")
	b.keypad(rightPIN)
	b.sees("Back at the channel")
	b.clean(w.site, rightPIN, wrongPIN)
}

// losing drops the posts of PINs while it is told to: after they were handled,
// or before.
func losing(lose *atomic.Bool, handled bool) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if lose.Load() && strings.HasSuffix(r.URL.Path, "/pin") {
				if handled {
					h.ServeHTTP(&lost{header: http.Header{}}, r)
				}
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(rw, r)
		})
	}
}

// TestNoNetworkAfterAnswerLost: while there is no network, "look" keeps the
// page; when it is back, the page looks by itself, and never sends again.
func TestNoNetworkAfterAnswerLost(t *testing.T) {
	t.Parallel()
	var lose atomic.Bool
	w := newWorld(t, losing(&lose, true))
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	lose.Store(true)
	b.keypad(wrongPIN)
	b.sees("还不知道密码有没有送到")
	b.offline(true)
	b.press("看结果")
	b.sees("还是连不上")
	lose.Store(false)
	b.offline(false)
	b.sees("密码不正确", "还可试 5 次")
	if n := len(b.posts("/pin")); n != 1 {
		t.Errorf("%d posts of one PIN", n)
	}
	b.clean(w.site, wrongPIN)
}

// TestNetworkDiesDuringPost: the network goes away while the server works.
func TestNetworkDiesDuringPost(t *testing.T) {
	t.Parallel()
	at, goOn := make(chan bool, 1), make(chan bool)
	var hold atomic.Bool
	w := newWorld(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/pin") && hold.Load() {
				h.ServeHTTP(&lost{header: http.Header{}}, r)
				select {
				case at <- true:
				default: // the browser tries a connection that was dropped once more
				}
				<-goOn
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(rw, r)
		})
	})
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	hold.Store(true)
	b.keypad(wrongPIN)
	<-at
	b.offline(true)
	close(goOn)
	b.sees("还不知道密码有没有送到")
	hold.Store(false)
	b.offline(false)
	b.sees("密码不正确", "还可试 5 次")
}

// lost is an answer that gets lost.
type lost struct{ header http.Header }

func (l *lost) Header() http.Header         { return l.header }
func (l *lost) WriteHeader(int)             {}
func (l *lost) Write(b []byte) (int, error) { return len(b), nil }

// TestCookiesBlocked goes the whole way without any cookie.
func TestCookiesBlocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			r.Header.Del("Cookie")
			h.ServeHTTP(&cookieless{rw}, r)
		})
	})
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.keypad(wrongPIN)
	b.sees("密码不正确", "还可试 5 次")
	b.keypad(rightPIN)
	b.sees("验证通过")
	b.press("返回测试")
	b.sees("Back at the channel")
	w.redeem(w.channel)
	b.clean(w.site, rightPIN, wrongPIN)
}

// cookieless sets no cookie.
type cookieless struct{ http.ResponseWriter }

func (c *cookieless) WriteHeader(status int) {
	c.Header().Del("Set-Cookie")
	c.ResponseWriter.WriteHeader(status)
}

// TestPrefetch: a browser that asks ahead binds nothing.
func TestPrefetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	address := w.verify(w.enroll(rightPIN), "v-1")
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Purpose", "prefetch")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	b := newTab(t, phone(), "zh-CN")
	b.open(address)
	b.keypad(rightPIN)
	b.sees("Back at the channel")
}

// TestWithoutScript: the pages lead to the pad, which says that it needs a
// script.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	person := w.person()
	b := newTab(t, phone(), "zh-CN")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
	b.sees("继续")
	b.press("继续")
	b.sees("这是您本人吗")
	b.press("是我本人")
	b.waits(`!!document.querySelector("noscript")`)
	if said := evaluate[string](b, `document.querySelector("noscript").textContent`); !strings.Contains(said, "请打开 JavaScript") {
		t.Errorf("without script the page says %q", said)
	}
	b.press("不办了")
	b.sees("确定不办了？")
	b.press("确定不办了")
	b.sees("Back at the channel")
}

// TestWithoutWebCrypto: the pad says so, and the ways out stay.
func TestWithoutWebCrypto(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `Object.defineProperty(Crypto.prototype, "subtle", {get: () => undefined})`})
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.sees("这个浏览器不能安全地加密密码", "请升级手机系统", "不能在线找回密码：看原因和办法")
	b.press("不办了")
	b.sees("Back at the channel")
}

// since2018 are browser features newer than the oldest web views in which pages
// must work: Chrome 64, Safari 11.1.
const since2018 = `
	for (const name of ["BigInt", "globalThis", "queueMicrotask", "structuredClone", "WeakRef", "CompressionStream"]) delete self[name];
	for (const [of, names] of [
		[String.prototype, ["replaceAll", "matchAll", "at", "trimStart", "trimEnd", "isWellFormed"]],
		[Array.prototype, ["flat", "flatMap", "at", "findLast", "toSorted", "with"]],
		[Uint8Array.prototype, ["at", "findLast", "toSorted", "toBase64", "toHex"]], [Uint8Array, ["fromBase64", "fromHex"]],
		[Object, ["fromEntries", "hasOwn", "groupBy"]], [Promise, ["allSettled", "any", "withResolvers", "try"]],
		[Element.prototype, ["replaceChildren", "checkVisibility"]], [HTMLFormElement.prototype, ["requestSubmit"]],
		[Crypto.prototype, ["randomUUID"]], [Blob.prototype, ["arrayBuffer"]], [AbortSignal, ["timeout", "any"]],
	]) for (const name of names) delete of[name];`

// TestOldWebView sets a PIN in a browser without any feature from after 2018.
func TestOldWebView(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	person := w.person()
	b := newTab(t, phone(), "zh-CN")
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: since2018})
	b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
	b.sees("这是您本人吗")
	if has := evaluate[string](b, `["at" in Array.prototype, "requestSubmit" in HTMLFormElement.prototype, "randomUUID" in crypto, typeof BigInt(1) === "bigint"].join()`); has != "false,false,false,false" {
		t.Fatalf("the browser is not an old one: %s", has)
	}
	b.press("是我本人")
	b.keypad("111111")
	b.sees("同一个数字用得太多了")
	b.keypad(rightPIN)
	b.sees("请再输入一次新密码")
	b.keypad(rightPIN)
	b.press("完成设置")
	b.sees("申领成功")
	b.press("返回测试")
	b.sees("Back at the channel")
	w.redeem(w.channel)
	b.clean(w.site, rightPIN)
}

// TestPreferences keeps language and care mode over the pages.
func TestPreferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := newTab(t, phone(), "zh-CN")
	b.open(w.verify(w.enroll(rightPIN), "v-1"))
	b.ready()
	b.press("English")
	b.sees("Enter your 6-digit PIN", "Check the electronic card's PIN")
	b.ready()
	b.press("Large")
	b.waits(`document.documentElement.hasAttribute("data-care") && document.documentElement.lang === "en"`)
	b.keypad(rightPIN)
	b.sees("Back at the channel")
}
