package visitor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/visitor"
)

const (
	pin     = "https://pin.example"
	channel = "https://channel.example"
)

// web is every host there is, in process.
type web map[string]http.Handler

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	h, ok := w[r.URL.Scheme+"://"+r.URL.Host]
	if !ok {
		return nil, errors.New("no such host")
	}
	rec := httptest.NewRecorder()
	// As a server sees it: no scheme and host in the address.
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.Host = r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	h.ServeHTTP(rec, in)
	return rec.Result(), nil
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func open(t *testing.T, c visitor.Config) *visitor.Visitor {
	t.Helper()
	v, err := visitor.New(c)
	return must(t, v, err)
}

func page(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, body)
}

func serve(routes map[string]http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	return mux
}

func TestReadsWhatAPageSays(t *testing.T) {
	v := open(t, visitor.Config{Transport: web{pin: serve(map[string]http.HandlerFunc{"GET /{$}": func(w http.ResponseWriter, _ *http.Request) {
		page(w, `<!doctype html><html><head><title>短 &amp; gut</title><style>p{a<b}</style><meta http-equiv="refresh" content="600; url=/x">
<script>if (a</b) "<h1>no</h1>"</script></head><body><!-- <h1>nor this</h1> --><header>Top</header>
<main><h1 class=title>密码
  <span>已锁定</span></h1><p>A &lt; B<br>next <b>bold</b></p><svg><path d="M0"/><g/></svg><img src=x alt="">
<p hidden>never</p><noscript>no script</noscript><div data-pad data-mode="current">wait</div></i><p>1 < 2 <P>last</main>
<footer>Bottom</footer></body>`)
	}})}})
	p, err := v.Open(t.Context(), pin+"/")
	must(t, p, err)
	if got, want := p.Text(), "密码 已锁定\nA < B\nnext bold\n1 < 2\nlast"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if p.Title() != "密码 已锁定" || p.Status() != 200 || p.Attr("data-mode") != "current" || !strings.Contains(p.Body(), "nor this") {
		t.Errorf("title %q, status %d", p.Title(), p.Status())
	}
}

func TestMakesSomethingOfAnything(t *testing.T) {
	for _, s := range []string{"", "<", "<a", "<a b", "<a b=", `<a b="`, "</", "</a", "<!--", "<!", "<svg><path/", "<title>", "<script>x</scrip",
		"<a b=c/>x", "<p/>x", strings.Repeat("<div>", 5000) + "deep", "&#x110000;&nope;", "<form><input name=a", "<meta http-equiv=refresh content='0;url='>",
		"<meta http-equiv=refresh content=';'>", "<meta http-equiv=refresh content='0'>", "<select name=s></select>", "<a href='%zz'>"} {
		v := open(t, visitor.Config{Transport: web{pin: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { page(w, s) })}})
		p, err := v.Open(t.Context(), pin+"/")
		if err != nil {
			t.Errorf("%.20q: %v", s, err)
			continue
		}
		_, _, _ = p.Text(), p.Title(), p.Forms()
	}
}

// FuzzPage: for any markup, the page's text has clean lines, and every form and
// link has an http or https address and fields with distinct names.
func FuzzPage(f *testing.F) {
	f.Add(`<form method=post action="/c/x/pin"><input name=a value='1'><button name=b>x</button></form>`)
	f.Add(`<table><form action=/a><tr><td><input name=a form=f></table><select name=s><option>1<textarea name=t><template><form>`)
	f.Fuzz(func(t *testing.T, s string) {
		v := open(t, visitor.Config{Transport: web{pin: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { page(w, s) })}})
		p, err := v.Open(t.Context(), pin+"/")
		if err != nil {
			return // sent elsewhere
		}
		for line := range strings.SplitSeq(p.Text(), "\n") {
			if line != strings.Join(strings.Fields(line), " ") || line == "" && p.Text() != "" {
				t.Errorf("a line %q", line)
			}
		}
		if strings.Contains(p.Title(), "\n") {
			t.Errorf("title %q", p.Title())
		}
		for _, form := range p.Forms() {
			names := map[string]bool{}
			for _, name := range form.Names {
				if name == "" || names[name] {
					t.Errorf("a field %q, twice or without a name", name)
				}
				names[name] = true
			}
			if form.Action == nil || !form.Action.IsAbs() {
				t.Errorf("%s leads to %v", form.Verb, form.Action)
			}
		}
	})
}

// TestOffersWhatABrowserWould: without script the content of noscript counts,
// and the content of a template never does.
func TestOffersWhatABrowserWould(t *testing.T) {
	v := open(t, visitor.Config{Transport: web{pin: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		page(w, `<noscript><form method=post action=/begin></form></noscript><template><form method=post action=/never></form></template>`)
	})}})
	p, err := v.Open(t.Context(), pin+"/")
	must(t, p, err)
	if !p.Has("begin") || p.Has("never") {
		t.Errorf("offers %v", p.Forms())
	}
}

func TestFormsAsTheyStand(t *testing.T) {
	var got url.Values
	var how string
	v := open(t, visitor.Config{Transport: web{pin: serve(map[string]http.HandlerFunc{
		"GET /c/1": func(w http.ResponseWriter, _ *http.Request) {
			page(w, `<form method="post" action="/c/1/code"><input type="hidden" name="hand" value="a&quot;b">
<input name=code autocomplete=one-time-code><input type=checkbox name=yes checked><input type=checkbox name=no>
<input type=radio name=r value=1><input type=radio name=r value=2 checked><select name=s><option value=x>X<option value=y selected>Y</select>
<textarea name=t>&lt;text</textarea><input name=off disabled value=1><input type=submit name=go value=1><button name=on value=1>开</button></form>
<input name=far value=1 form=elsewhere><form action="find"><input name=q></form><a href="/c/1/return?x=1">back</a><a href="tel:12333">12333</a><a href="#main">skip</a>`)
		},
		"POST /c/1/code": func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			got, how = r.PostForm, r.Header.Get("Sec-Fetch-Site")+" "+r.Header.Get("Origin")
			w.WriteHeader(http.StatusNoContent)
		},
		"GET /c/": func(w http.ResponseWriter, r *http.Request) { got, how = r.URL.Query(), r.URL.Path },
	})}})
	p, err := v.Open(t.Context(), pin+"/c/1")
	must(t, p, err)
	if _, err := p.Press(t.Context(), "code", url.Values{"code": {"123456"}}); err != nil {
		t.Fatal(err)
	}
	if want := "code=123456&hand=a%22b&r=2&s=y&t=%3Ctext&yes=on"; got.Encode() != want || how != "same-origin "+pin {
		t.Errorf("posted %s (%s)", got.Encode(), how)
	}
	for verb, values := range map[string]url.Values{"code": {"phone": {"1"}}, "phone": nil, "main": nil, "12333": nil} {
		if _, err := p.Press(t.Context(), verb, values); !errors.Is(err, visitor.ErrNotOffered) {
			t.Errorf("%s %v: %v", verb, values, err)
		}
	}
	if _, err := p.Press(t.Context(), "code", url.Values{"on": {"1"}}); err != nil || got.Get("on") != "1" {
		t.Errorf("a button's value: %v, %v", got, err)
	}
	if _, err := p.Press(t.Context(), "return", nil); err != nil || how != "/c/1/return" || got.Get("x") != "1" {
		t.Errorf("a link: %s %v, %v", how, got, err)
	}
	if _, err := p.Press(t.Context(), "find", url.Values{"q": {"a b"}}); err != nil || how != "/c/find" || got.Get("q") != "a b" {
		t.Errorf("a form that asks: %s %v, %v", how, got, err)
	}
	if _, err := p.Follow(t.Context(), "?x=1"); err != nil || how != "/c/1/return" {
		t.Errorf("a link by its address: %s, %v", how, err)
	}
	if _, err := p.Follow(t.Context(), "?ask=freeze"); !errors.Is(err, visitor.ErrNotOffered) {
		t.Errorf("a link that is not there: %v", err)
	}
	if !p.Has("code") || p.Has("pin") || p.Pad() != "" {
		t.Error("offers what is not there, or not what is")
	}
	if _, err := p.TypePIN(t.Context(), "483159"); !errors.Is(err, visitor.ErrNotOffered) {
		t.Errorf("typed where there is no pad: %v", err)
	}
}

// TestPressesTheFormWithTheValue: of two forms of a verb, the one is pressed in
// which the value stands.
func TestPressesTheFormWithTheValue(t *testing.T) {
	form := func(way string) string {
		return `<form method=post action=/c/x/send-code><input type=hidden name=way value=` + way + `><button>go</button></form>`
	}
	var got []string
	v := open(t, visitor.Config{Transport: web{pin: serve(map[string]http.HandlerFunc{
		"GET /{$}":            func(w http.ResponseWriter, _ *http.Request) { page(w, form("text")+form("voice")) },
		"POST /c/x/send-code": func(w http.ResponseWriter, r *http.Request) { got = append(got, r.PostFormValue("way")); page(w, "") },
	})}})
	p, err := v.Open(t.Context(), pin+"/")
	must(t, p, err)
	for _, values := range []url.Values{nil, {"way": {"voice"}}, {"way": {"text"}}} {
		next, err := p.Press(t.Context(), "send-code", values)
		must(t, next, err)
	}
	if want := []string{"text", "voice", "text"}; !slices.Equal(got, want) {
		t.Errorf("pressed %v, want %v", got, want)
	}
}

// TestGoesOn: redirects after posts, refreshes, from one origin to another and
// into an app, and the headers of each request.
func TestGoesOn(t *testing.T) {
	var seen []string
	note := func(r *http.Request) {
		cookie, _ := r.Cookie("__Host-hand")
		has := ""
		if cookie != nil {
			has = " " + cookie.Value
		}
		seen = append(seen, r.Method+" "+r.Host+r.URL.Path+" "+r.Header.Get("Sec-Fetch-Site")+has)
	}
	all := web{
		channel: serve(map[string]http.HandlerFunc{
			"GET /": func(w http.ResponseWriter, r *http.Request) { note(r); page(w, `<form method=post action="/go">`) },
			"POST /": func(w http.ResponseWriter, r *http.Request) {
				note(r)
				http.Redirect(w, r, pin+"/authorize", http.StatusSeeOther)
			},
		}),
		pin: serve(map[string]http.HandlerFunc{
			"GET /authorize": func(w http.ResponseWriter, r *http.Request) {
				note(r)
				http.SetCookie(w, &http.Cookie{Name: "__Host-hand", Value: "s", Path: "/", Secure: true, SameSite: http.SameSiteLaxMode})
				page(w, `<form method=post action="/c/1/begin"><input type=hidden name=request_uri value=u></form>`)
			},
			"POST /c/1/begin": func(w http.ResponseWriter, r *http.Request) {
				note(r)
				http.Redirect(w, r, "/c/1", http.StatusSeeOther)
			},
			"GET /c/1": func(w http.ResponseWriter, r *http.Request) {
				note(r)
				page(w, `<meta http-equiv="refresh" content="0; url=/c/1/return">`)
			},
			"GET /c/1/return": func(w http.ResponseWriter, r *http.Request) {
				note(r)
				http.Redirect(w, r, channel+"/back?error_description=left", http.StatusSeeOther)
			},
			"GET /app": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "zheli://back?code=1", http.StatusSeeOther)
			},
			"GET /round": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) },
			"POST /keep": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/kept", http.StatusTemporaryRedirect)
			},
			"POST /kept": func(w http.ResponseWriter, r *http.Request) { page(w, "kept "+r.PostFormValue("a")) },
			"GET /long":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 2<<20)) },
		}),
	}
	v := open(t, visitor.Config{Transport: all})
	p, err := v.Open(t.Context(), channel+"/start")
	p, err = must(t, p, err).Press(t.Context(), "go", nil)
	p, err = must(t, p, err).Press(t.Context(), "begin", nil)
	if must(t, p, err); p.URL().String() != channel+"/back?error_description=left" || p.Code() != "left" {
		t.Errorf("ended at %s", p.URL())
	}
	want := []string{
		"GET channel.example/start none", "POST channel.example/go same-origin", "GET pin.example/authorize cross-site",
		"POST pin.example/c/1/begin same-origin s", "GET pin.example/c/1 same-origin s", "GET pin.example/c/1/return same-origin s",
		"GET channel.example/back cross-site",
	}
	if got := strings.Join(seen, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("went\n%s", got)
	}
	if p, err = v.Enter(t.Context(), pin+"/authorize"); must(t, p, err).Code() != "left" {
		t.Errorf("entered as far as %s", p.URL())
	}
	if p, err = v.Open(t.Context(), pin+"/app"); must(t, p, err).URL().Scheme != "zheli" || p.Status() != 0 {
		t.Errorf("opened %s", p.URL())
	}
	if p, err = v.Post(t.Context(), pin+"/keep", url.Values{"a": {"1"}}); must(t, p, err).Text() != "kept 1" {
		t.Errorf("posted on: %q", p.Text())
	}
	for _, path := range []string{"/round", "/long"} {
		if _, err := v.Open(t.Context(), pin+path); !errors.Is(err, visitor.ErrTooFar) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, bad := range []string{"", "/c/1", "%zz", "https://nowhere.example/"} {
		if _, err := v.Open(t.Context(), bad); err == nil {
			t.Errorf("%q opened", bad)
		}
	}
}

// TestOtherSitesPostWithoutCookies, as SameSite has it.
func TestOtherSitesPostWithoutCookies(t *testing.T) {
	var had []string
	var origin string
	all := web{
		pin: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			had = nil
			for _, c := range r.Cookies() {
				had = append(had, c.Name)
			}
			origin = r.Header.Get("Origin")
			for _, c := range []http.Cookie{{Name: "lax", SameSite: http.SameSiteLaxMode}, {Name: "none", SameSite: http.SameSiteNoneMode}, {Name: "strict", SameSite: http.SameSiteStrictMode}} {
				c.Value, c.Secure = "1", true
				http.SetCookie(w, &c)
			}
		}),
		channel: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			page(w, `<form method=post action="`+pin+`/c/1/agree"></form><a href="`+pin+`/look">x</a>`)
		}),
	}
	v := open(t, visitor.Config{Transport: all})
	_, err := v.Open(t.Context(), pin+"/")
	must(t, v, err)
	p, err := v.Open(t.Context(), channel+"/")
	if _, err := must(t, p, err).Press(t.Context(), "agree", nil); err != nil || fmt.Sprint(had) != "[none]" || origin != channel {
		t.Errorf("post with %v from %s, %v", had, origin, err)
	}
	if _, err := p.Press(t.Context(), "look", nil); err != nil || fmt.Sprint(had) != "[lax none]" {
		t.Errorf("link with %v, %v", had, err)
	}
	if _, err := v.Open(t.Context(), pin+"/"); err != nil || fmt.Sprint(had) != "[lax none strict]" {
		t.Errorf("typed with %v, %v", had, err)
	}
}

func TestCookies(t *testing.T) {
	now := time.Date(2026, 5, 6, 0, 0, 0, 0, time.UTC)
	var set []http.Cookie
	all := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, c := range set {
			http.SetCookie(w, &c)
		}
	})
	hosts := web{pin: all, channel: all, "http://127.0.0.1:1": all, "http://127.0.0.1:2": all}
	v := open(t, visitor.Config{Transport: hosts, Now: func() time.Time { return now }})
	get := func(address string, cookies ...http.Cookie) {
		t.Helper()
		set = cookies
		_, err := v.Open(t.Context(), address)
		must(t, v, err)
	}
	has := func(address, want string) {
		t.Helper()
		if got := fmt.Sprint(v.Cookies(address)); got != want {
			t.Errorf("%s has %s, want %s", address, got, want)
		}
	}
	get(pin+"/c/1", http.Cookie{Name: "__Host-hand", Value: "1", Path: "/", Secure: true, MaxAge: 60}, http.Cookie{Name: "deep", Value: "2"},
		http.Cookie{Name: "__Host-bad", Value: "3", Path: "/c", Secure: true}, http.Cookie{Name: "__Secure-bad", Value: "3"},
		http.Cookie{Name: "other", Value: "3", Domain: "example"})
	has(pin+"/", "map[__Host-hand:1]")
	has(pin+"/c/2", "map[__Host-hand:1 deep:2]")
	has(pin+"/cx", "map[__Host-hand:1]")
	has(channel+"/", "map[]")
	get("http://127.0.0.1:1/", http.Cookie{Name: "a", Value: "1", Path: "/"}, http.Cookie{Name: "s", Value: "1", Path: "/", Secure: true})
	has("http://127.0.0.1:1/", "map[a:1]")
	has("http://127.0.0.1:2/", "map[]")
	get(pin+"/", http.Cookie{Name: "__Host-hand", Value: "2", Path: "/", Secure: true, MaxAge: 60})
	has(pin+"/", "map[__Host-hand:2]")
	get(pin+"/c/1", http.Cookie{Name: "deep", Path: "/c", MaxAge: -1})
	has(pin+"/c/1", "map[__Host-hand:2]")
	now = now.Add(time.Minute)
	has(pin+"/", "map[]")
	v.Plant(pin+"/", map[string]string{"x": "y"})
	has(pin+"/", "map[x:y]")

	bare := open(t, visitor.Config{Transport: hosts, NoCookies: true})
	set = []http.Cookie{{Name: "a", Value: "1"}}
	if _, err := bare.Open(t.Context(), pin+"/"); err != nil {
		t.Fatal(err)
	}
	bare.Plant(pin+"/", map[string]string{"x": "y"})
	if got := bare.Cookies(pin + "/"); len(got) != 0 {
		t.Errorf("keeps %v", got)
	}
}

// TestPad: the pad's envelope opens only with the values that the page bound,
// and the form holds no PIN in the clear.
func TestPad(t *testing.T) {
	private, public, err := envelope.GenerateKey()
	must(t, public, err)
	opener, err := envelope.ParsePrivate(private)
	must(t, opener, err)
	bind := func(role liuma.Role) envelope.Binding {
		return envelope.Binding{Channel: "zj", Action: liuma.ActionChange, Role: role, BusinessNo: "1", SealKeyID: "k", Challenge: "c"}
	}
	b64 := base64.RawURLEncoding.EncodeToString
	pad := func(mode, info string) string {
		return fmt.Sprintf(`<form method=post action="/c/1/pin" id=f><input type=hidden name=try value=7><div data-pad data-mode="%s" data-info="%s" data-kid=k data-key="%s"
data-aad-current="%s" data-aad-old="%s" data-aad-new="%s"></div></form><input type=checkbox name=stay value=1 form=f>`, mode, info, b64(public), b64(bind(liuma.RoleCurrent).AAD()), b64(bind(liuma.RoleOld).AAD()), b64(bind(liuma.RoleNew).AAD()))
	}
	var markup string
	var posted url.Values
	v := open(t, visitor.Config{Transport: web{pin: serve(map[string]http.HandlerFunc{
		"GET /c/1": func(w http.ResponseWriter, _ *http.Request) { page(w, markup) },
		"POST /c/1/pin": func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			posted = r.PostForm
		},
	})}})
	for mode, secrets := range map[string]map[string]string{
		"current": {"pin": "483159"}, "new": {"new_pin": "627159"}, "change": {"old_pin": "483159", "new_pin": "627159"},
	} {
		markup = pad(mode, "liuma/1/pin-envelope")
		p, err := v.Open(t.Context(), pin+"/c/1")
		if must(t, p, err); p.Pad() != mode {
			t.Errorf("pad %q", p.Pad())
		}
		roles := map[string]liuma.Role{"pin": liuma.RoleCurrent, "old_pin": liuma.RoleOld, "new_pin": liuma.RoleNew}
		var typed []string
		for _, name := range []string{"pin", "old_pin", "new_pin"} {
			if s := secrets[name]; s != "" {
				typed = append(typed, s)
			}
		}
		if _, err := p.TypePIN(t.Context(), typed...); err != nil {
			t.Fatal(err)
		}
		if len(posted) != len(secrets)+1 || posted.Get("try") != "7" {
			t.Errorf("%s: posted %d fields", mode, len(posted))
		}
		for name, want := range secrets {
			var e envelope.Envelope
			if err := json.Unmarshal([]byte(posted.Get(name)), &e); err != nil {
				t.Fatal(err)
			}
			got, err := envelope.Open(opener, bind(roles[name]), e)
			if err != nil || string(got) != want {
				t.Errorf("%s %s: %q, %v", mode, name, got, err)
			}
		}
		if _, err := p.TypeWith(t.Context(), url.Values{"stay": {"1"}}, typed...); err != nil || posted.Get("stay") != "1" || posted.Get("try") != "7" {
			t.Errorf("%s: ticked: %v, %v", mode, posted.Get("stay"), err)
		}
		if _, err := p.TypeWith(t.Context(), url.Values{"hand": {"1"}}, typed...); !errors.Is(err, visitor.ErrNotOffered) {
			t.Errorf("%s: a field that is not there: %v", mode, err)
		}
		if _, err := p.TypePIN(t.Context(), "1", "2", "3"); !errors.Is(err, visitor.ErrNotOffered) {
			t.Errorf("%s: three entries: %v", mode, err)
		}
	}
	for _, bad := range []string{pad("else", "liuma/1/pin-envelope"), pad("current", "liuma/2/pin-envelope"),
		strings.Replace(pad("current", "liuma/1/pin-envelope"), "data-key=\"", "data-key=\"!", 1),
		strings.Replace(pad("current", "liuma/1/pin-envelope"), "data-aad-current", "data-x", 1)} {
		markup, posted = bad, nil
		p, err := v.Open(t.Context(), pin+"/c/1")
		if _, err = must(t, p, err).TypePIN(t.Context(), "483159"); err == nil || posted != nil {
			t.Errorf("typed into a pad that is none: %v", err)
		} else if strings.Contains(err.Error(), "483159") {
			t.Error("the error holds the PIN")
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := visitor.New(visitor.Config{}); err == nil {
		t.Error("no transport passed")
	}
	var language string
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { language = r.Header.Get("Accept-Language") })
	v := open(t, visitor.Config{Transport: web{pin: h}, Language: "en"})
	if _, err := v.Open(context.Background(), pin+"/"); err != nil || language != "en" {
		t.Errorf("language %q, %v", language, err)
	}
}
