package browser

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
)

// TestFormOnce: the button of a form that is on its way is off and says so;
// a second click and a second Enter post nothing.
func TestFormOnce(t *testing.T) {
	t.Parallel()
	goOn := make(chan bool)
	var held atomic.Bool
	w := newWorld(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/agree") && held.CompareAndSwap(false, true) {
				<-goOn
			}
			h.ServeHTTP(rw, r)
		})
	})
	person := w.person()
	b := newTab(t, desktop(), "zh-CN")
	b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
	b.sees("这是您本人吗")
	b.do(chromedp.Focus(chromedp.CSS(`form[action$="/agree"] button`)))
	b.typed("\r")
	b.typed("\r")
	b.sees("正在提交，请稍候")
	if !evaluate[bool](b, `document.querySelector("form[action$='/agree'] button").disabled`) {
		t.Error("the button can still be pressed")
	}
	evaluate[chromedp.Void](b, `document.querySelector("form[action$='/agree'] button").click()`)
	time.Sleep(200 * time.Millisecond)
	close(goOn)
	b.ready()
	if n := len(b.posts("/agree")); n != 1 {
		t.Errorf("%d posts", n)
	}
	b.back() // the step that it is at, and no button that is off
	b.ready()
	b.clean(w.site)
}

// TestFormLost: a form whose answer does not come leaves the page, which leads
// to what became of it.
func TestFormLost(t *testing.T) {
	t.Parallel()
	var lose atomic.Bool
	w := newWorld(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if lose.Load() && strings.HasSuffix(r.URL.Path, "/agree") {
				h.ServeHTTP(&lost{header: http.Header{}}, r)
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(rw, r)
		})
	})
	person := w.person()
	b := newTab(t, phone(), "zh-CN")
	b.open(w.push(w.channel, liuma.ActionEnroll, whole(person), "e-1", &person))
	b.sees("这是您本人吗")
	lose.Store(true)
	b.press("是我本人")
	b.sees("还不知道刚才的内容有没有送到", "看结果")
	lose.Store(false)
	b.press("看结果")
	b.ready() // it had arrived
	b.clean(w.site)
}
