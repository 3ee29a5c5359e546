// Package browser drives the holder pages in Chromium: whole ceremonies against
// the real authority, and every page that there is against the rules of
// accessibility. It guarantees nothing to other packages; it needs Chromium
// (Debian: chromium-headless-shell and fonts-noto-cjk) and npm, and fails without them.
//
// Start here: TestAccessibility for the pages of test/gallery, and
// ceremonies_test.go for whole ceremonies.
package browser

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/test/npm"
)

// windowless is Chromium without its windows: the same pages by the same engine. A whole
// one draws a window of its own for each tab, which is most of its work; it serves where
// there is no other.
const windowless = "chromium-headless-shell"

var (
	screenshots = flag.String("screenshots", "", "write a picture of every page into this directory")
	pictures    = flag.String("pictures", "", "write the pictures of the READMEs into this directory")
	onlyPages   = flag.String("pages", "", "look only at those pages of the gallery whose names match this regular expression")
	everyLook   = flag.Bool("every-look", false, "make ci: show each page in every size, language and mode, and tell each story in both languages, not in one")
	browser     context.Context // set once by TestMain; its one process serves all tests
	axe         string          // source of axe-core; set once by TestMain
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == posts.Argument { // a demo's keeper is this program as well
		os.Exit(posts.Main(os.Args[2], os.Stdin, os.Stdout, os.Stderr))
	}
	flag.Parse()
	// A test waits for its browser most of the time. Those that measure time are not
	// parallel: they run first, one by one.
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		if err := n.Value.Set("4"); err != nil {
			panic(err)
		}
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser tests need Chromium (apt-get install chromium-headless-shell fonts-noto-cjk) and npm:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if err := npm.Install("."); err != nil {
		return 1, err
	}
	source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		return 1, err
	}
	axe = string(source)
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true),
		// A computer has a mouse, which a headless browser does not know; the
		// phone's emulation takes it away again.
		chromedp.Flag("blink-settings", "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"),
		chromedp.Flag("lang", "zh-CN"),
		chromedp.WSURLReadTimeout(time.Minute),
	})
	if shell, err := exec.LookPath(windowless); err == nil {
		options = append(options, chromedp.ExecPath(shell))
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	var stop context.CancelFunc
	browser, stop = chromedp.NewContext(allocator)
	defer stop()
	if err := chromedp.Do(browser); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// screen is a size of the browser's viewport.
type screen struct {
	name          string
	width, height int64
	phone         bool
}

func phone() screen   { return screen{"375x812", 375, 812, true} }
func desktop() screen { return screen{"1280x800", 1280, 800, false} }

// tab is one tab of a browser of its own: no cookie is shared with another.
// It writes down everything that goes over the network and every complaint.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []sent   // guarded by mu
	faults   []string // guarded by mu: exceptions, refused by policy
}

type sent struct{ method, url, body string }

func newTab(t *testing.T, s screen, language string) *tab {
	t.Helper()
	return newTabFor(t, s, language, 12*time.Minute)
}

// newTabFor is newTab for a test that takes longer.
func newTabFor(t *testing.T, s screen, language string, limit time.Duration) *tab {
	t.Helper()
	b := &tab{t: t}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, limit)
	t.Cleanup(stop)
	b.ctx = ctx
	b.do()
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.phone})
	call(b, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: s.phone})
	call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}})
	return b
}

// call runs a command of the protocol that has no action of its own.
func call[P, R any](b *tab, c cdp.Command[P, R], p P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, c, p)
	if err != nil {
		b.t.Fatalf("%s: %v", c.Method, err)
	}
	return r
}

// hear runs on chromedp's own goroutine.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		var body strings.Builder
		for _, part := range e.Request.PostDataEntries {
			body.Write(part.Bytes)
		}
		b.requests = append(b.requests, sent{e.Request.Method, e.Request.URL, body.String()})
	case *log.EventEntryAdded:
		if strings.Contains(e.Entry.Text, "Content Security Policy") || e.Entry.Source == log.EntrySourceSecurity {
			b.faults = append(b.faults, e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, fmt.Sprintf("%+v", e.ExceptionDetails))
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("%v\nat %s\n%s", err, b.address(), b.text())
	}
}

// open goes to an address, once more where a page that goes on by itself was faster.
func (b *tab) open(address string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(address)); err == nil {
		return
	} else if !strings.Contains(err.Error(), "net::ERR_ABORTED") {
		b.t.Fatalf("open %s: %v", address, err)
	}
	b.do(chromedp.Navigate(address))
}

func (b *tab) address() string {
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return at
}

// text is the visible text of the page; empty while it changes.
func (b *tab) text() string {
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil {
		return ""
	}
	return out
}

// patience is how long a page may take on a machine that others keep busy.
const patience = 3 * time.Minute

// sees waits for words to be on the page.
func (b *tab) sees(words ...string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		text := b.text()
		missing := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.Contains(text, w) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not say %q:\n%s", b.address(), missing, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// press presses the button or link with these words.
func (b *tab) press(words string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`//*[self::button or self::a or self::summary][contains(normalize-space(.), %q)]`, words))
}

func (b *tab) click(path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.Search(path), chromedp.NodeVisible)); err != nil {
		b.t.Fatalf("press %s: %v\nat %s\n%s", path, err, b.address(), b.text())
	}
}

// evaluate runs a script and returns its result.
func evaluate[T any](b *tab, script string) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v\nat %s", err, b.address())
	}
	return out
}

// waits waits until a script says true.
func (b *tab) waits(script string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		yes, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script))
		if err == nil && yes {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("never: %s (%v)\nat %s\n%s", script, err, b.address(), b.text())
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// ready waits for a pad that takes digits.
func (b *tab) ready() {
	b.t.Helper()
	b.waits(`!!document.querySelector(".pad-ready[aria-busy=false] .pad-field, .pad-ready .field-input")`)
}

// keypad presses the keys on the page.
func (b *tab) keypad(digits string) {
	b.t.Helper()
	b.ready()
	for _, d := range digits {
		b.click(fmt.Sprintf(`//*[contains(@class,"keys")]//button[normalize-space(.)="%c"]`, d))
	}
}

// typed types on a keyboard, wherever the focus is.
func (b *tab) typed(keys string) { b.t.Helper(); b.do(chromedp.KeyEvent(keys)) }

// clean checks the network traffic: requests went only to the site and the
// channel, no secret was in the clear, and the content policy refused nothing.
func (b *tab) clean(s *site, secrets ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		u, err := url.Parse(r.url)
		if err != nil || u.Scheme != "data" && !slices.Contains(append(s.others, s.url, s.channelURL), u.Scheme+"://"+u.Host) {
			b.t.Errorf("asked %s", r.url)
		}
		plain, err := url.QueryUnescape(r.body)
		if err != nil {
			plain = r.body
		}
		for _, secret := range secrets {
			if strings.Contains(r.url+r.body+plain, secret) {
				b.t.Errorf("a secret went out in the clear: %s %s", r.method, r.url)
			}
		}
	}
	for _, f := range b.faults {
		b.t.Errorf("the browser complained: %s", f)
	}
	if strings.Contains(s.logs.String(), "content policy refused") {
		b.t.Errorf("the policy refused something:\n%s", s.logs)
	}
}

// posts lists the bodies of posts whose address ends so.
func (b *tab) posts(suffix string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, r := range b.requests {
		if r.method == "POST" && strings.HasSuffix(r.url, suffix) {
			out = append(out, r.body)
		}
	}
	return out
}

// back presses the browser's back button, once the script that does it is answered; the
// caller waits for the page.
func (b *tab) back() { b.t.Helper(); evaluate[int](b, `setTimeout(() => history.back())`) }
