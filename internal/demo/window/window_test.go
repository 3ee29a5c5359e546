package window_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

func at() time.Time { return time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC) }

// TestHubIsBounded: it forgets the oldest, and numbers without gaps.
func TestHubIsBounded(t *testing.T) {
	h := window.NewHub(at)
	for range 2000 {
		h.Saw(window.Channel, "", liuma.Text{})
	}
	all := h.After(0, 5000)
	if len(all) != 600 || all[0].Seq != 1401 || all[599].Seq != 2000 {
		t.Fatalf("%d events, %d to %d", len(all), all[0].Seq, all[len(all)-1].Seq)
	}
	if got := h.After(1998, 5000); len(got) != 2 || got[0].Seq != 1999 {
		t.Errorf("after 1998: %+v", got)
	}
	if got := h.After(2000, 5); got == nil || len(got) != 0 {
		t.Errorf("after the last: %+v", got)
	}
	h.Forget()
	h.Saw(window.Channel, "", liuma.Text{})
	if got := h.After(0, 5); len(got) != 1 || got[0].Seq != 2001 {
		t.Errorf("after forgetting: %+v", got)
	}
}

// TestForgetsForGood: later events of a forgotten request or ceremony are not
// shown either; events of new ones are.
func TestForgetsForGood(t *testing.T) {
	h := window.NewHub(at)
	old, fresh := window.Fact{Name: "business_no", Value: "PLAY-1"}, window.Fact{Name: "business_no", Value: "VISITOR-1"}
	h.Saw(window.Authority, "", liuma.Text{}, old)
	h.Saw(window.Database, "", liuma.Text{}, window.Fact{Name: "channel", Value: "play"}, window.Fact{Name: "outcome", Value: "right"})
	h.Forget()
	h.Saw(window.Authority, "", liuma.Text{}, window.Fact{Name: "outcome", Value: "expired"}, old)
	h.Saw(window.Database, "", liuma.Text{}, window.Fact{Name: "channel", Value: "play"})
	h.Saw(window.Authority, "", liuma.Text{}, fresh)
	h.Saw(window.Keeper, "", liuma.Text{}, window.Fact{Name: "outcome", Value: "right"})
	h.Forget()
	h.Saw(window.Authority, "", liuma.Text{}, fresh)
	got := h.After(0, 10)
	if len(got) != 1 || got[0].Facts[0] != fresh {
		t.Errorf("after forgetting: %+v", got)
	}
}

// TestSaysHowFarAhead: after a visitor has moved the clock, the page says how
// far it is ahead of real time.
func TestSaysHowFarAhead(t *testing.T) {
	ahead := time.Duration(0)
	h, err := window.New(window.Config{
		Hub: window.NewHub(at), Origin: "http://127.0.0.1:8700", Phones: []window.Phone{{URL: "http://127.0.0.1:8701"}},
		Now: func() time.Time { return time.Now().Add(ahead) }, Pass: func(d time.Duration) { ahead += d },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{0, 3*24*60*60 + 60} {
		var got struct{ Ahead int }
		if err := json.Unmarshal(get(h, "127.0.0.1:8700", "/sms.json").Body.Bytes(), &got); err != nil || got.Ahead < want-1 || got.Ahead > want {
			t.Errorf("ahead by %d s, want %d: %v", got.Ahead, want, err)
		}
		r := httptest.NewRequest(http.MethodPost, "/pass?time=days", nil)
		r.Host = "127.0.0.1:8700"
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if page := get(h, "127.0.0.1:8700", "/").Body.String(); !strings.Contains(page, "data-ahead") {
		t.Error("the page has no place to say it")
	}
}

func newWindow(t *testing.T, sms func() []window.SMS) http.Handler {
	t.Helper()
	w, err := window.New(window.Config{
		Hub: window.NewHub(at), Origin: "http://127.0.0.1:8700", SMS: sms,
		Phones: []window.Phone{{Name: liuma.Text{ZH: "<b>浙", EN: "Zhejiang"}, URL: "http://127.0.0.1:8701", Theme: "jade", Mark: "浙"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWindowInEnglish: the page's language is the one asked for, the other stands
// beside it, and the script has every sentence in both.
func TestWindowInEnglish(t *testing.T) {
	h, err := window.New(window.Config{Hub: window.NewHub(at), Lang: locale.English, Origin: "http://127.0.0.1:8700", Official: "http://127.0.0.1:8800/",
		Phones: []window.Phone{{Name: liuma.Text{ZH: "浙", EN: "Zhejiang"}, URL: "http://127.0.0.1:8701", Theme: "jade", Mark: "Z"}}})
	if err != nil {
		t.Fatal(err)
	}
	body := get(h, "127.0.0.1:8700", "/").Body.String()
	for _, want := range []string{`<html lang="en" dir="ltr">`, `<h1>Liuma demo <span class="beside" lang="zh-CN">六码演示</span></h1>`,
		`<span class="app-name">Zhejiang</span><span class="beside" lang="zh-CN">浙</span>`, `<span class="app-name">Official page</span>`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	_, script, _ := strings.Cut(body, `<script type="application/json" data-words>`)
	script, _, _ = strings.Cut(script, "</script>")
	var words map[string]liuma.Text
	if err := json.Unmarshal([]byte(script), &words); err != nil {
		t.Fatalf("%v: %s", err, script)
	}
	code := get(h, "127.0.0.1:8700", "/window.js").Body.String()
	for _, m := range regexp.MustCompile(`(?:say|sayFirst)\("(\w+)"|\["(days|hours|minutes)"|"(post_\w+)"`).FindAllStringSubmatch(code, -1) {
		key := m[1] + m[2] + m[3]
		if words[key].ZH == "" || words[key].EN == "" {
			t.Errorf("the script says %q, which the page does not give it", key)
		}
		delete(words, key)
	}
	for key := range words {
		t.Errorf("the script never says %q", key)
	}
}

func get(h http.Handler, host, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWindowPage(t *testing.T) {
	h := newWindow(t, nil)
	page := get(h, "127.0.0.1:8700", "/")
	body := page.Body.String()
	for _, want := range []string{`href="http://127.0.0.1:8701"`, "&lt;b&gt;浙", "为什么是单独的窗口"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, never := range []string{"<style", " style=", "onclick", "<iframe", "<script>"} {
		if strings.Contains(body, never) {
			t.Errorf("the page has %q", never)
		}
	}
	policy := page.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	for path, want := range map[string]int{"/window.js": 200, "/window.css": 200, "/saw.json": 400, "/saw.json?after=x": 400, "/saw.json?after=0": 200, "/page/window.html": 404, "/favicon.ico": 204} {
		if got := get(h, "127.0.0.1:8700", path).Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	// A request under a foreign host name that resolves to this address is
	// refused.
	if got := get(h, "evil.example", "/saw.json?after=0"); got.Code != http.StatusMisdirectedRequest {
		t.Errorf("another host: %d", got.Code)
	}
}

func TestMessages(t *testing.T) {
	if got := get(newWindow(t, nil), "127.0.0.1:8700", "/sms.json").Body.String(); got != `{"messages":[]}` {
		t.Errorf("empty inbox: %s", got)
	}
	h := newWindow(t, func() []window.SMS { return []window.SMS{{At: at(), To: "138****0019", Text: "密码已设置"}} })
	if got := get(h, "127.0.0.1:8700", "/sms.json").Body.String(); !strings.Contains(got, `"to":"138****0019","whose":{"ZH":"","EN":""},"also":{"ZH":"","EN":""},"text":"密码已设置"`) {
		t.Errorf("inbox: %s", got)
	}
}

func TestConfig(t *testing.T) {
	phones := []window.Phone{{URL: "http://127.0.0.1:1"}}
	for what, c := range map[string]window.Config{
		"no hub":    {Origin: "http://127.0.0.1:1", Phones: phones},
		"no apps":   {Origin: "http://127.0.0.1:1", Hub: window.NewHub(at)},
		"no origin": {Hub: window.NewHub(at), Phones: phones},
		"a path":    {Origin: "http://127.0.0.1:1/", Hub: window.NewHub(at), Phones: phones},
	} {
		if _, err := window.New(c); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// deadKeeper returns the answers and errors that it is given.
type deadKeeper struct {
	keeper.Keeper
	answer keeper.AttemptAnswer
	err    error
}

func (deadKeeper) ID() keeper.ID { return "k1" }

func (d deadKeeper) Attempt(context.Context, keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	return d.answer, d.err
}

// TestKeeperIsPassedThrough: the caller gets the keeper's answers unchanged.
func TestKeeperIsPassedThrough(t *testing.T) {
	h := window.NewHub(at)
	broken := errors.New("broken")
	_, err := h.Keeper(deadKeeper{err: broken}).Attempt(t.Context(), keeper.AttemptRequest{})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	no := &ledger.Refusal{Reason: ledger.Locked, Until: at()}
	a, err := h.Keeper(deadKeeper{answer: keeper.AttemptAnswer{Refusal: no}}).Attempt(t.Context(), keeper.AttemptRequest{Lane: ledger.Known})
	if err != nil || a.Refusal != no {
		t.Errorf("%+v, %v", a, err)
	}
	raw, err := json.Marshal(h.After(0, 10))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"locked"`, "2026-04-01 09:00:00Z", `"known"`, "no answer"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the hub did not see %s: %s", want, raw)
		}
	}
	if strings.Contains(string(raw), "broken") {
		t.Error("the text of an error is shown")
	}
}

// twiceStore runs every function twice, as a store may, and fails if told so.
type twiceStore struct {
	store.Store
	err error
}

type noTx struct{ store.Tx }

func (noTx) UpdateCard(c store.Card) error {
	if c.KeySet == 9 {
		return store.ErrNotFound
	}
	return nil
}

func (s twiceStore) Update(_ context.Context, f func(store.Tx) (audit.Entry, error)) error {
	for range 2 {
		if _, err := f(noTx{}); err != nil {
			return err
		}
	}
	return s.err
}

// TestStoreShowsWhatWasKept: once, however often the function ran; nothing of
// a transaction that failed or of a write that was refused.
func TestStoreShowsWhatWasKept(t *testing.T) {
	write := func(tx store.Tx) (audit.Entry, error) {
		if err := tx.UpdateCard(store.Card{KeySet: 9}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("refusal: %v", err)
		}
		return audit.Entry{Event: audit.PINSet, Outcome: "ok"}, tx.UpdateCard(store.Card{Version: 3, Verifier: liuma.Verifier{1, 2}})
	}
	h := window.NewHub(at)
	if err := h.Store(twiceStore{}).Update(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	got := h.After(0, 10)
	if len(got) != 2 || got[0].Party != window.Authority || got[1].Party != window.Database {
		t.Fatalf("%+v", got)
	}
	raw, err := json.Marshal(got[1])
	if err != nil || !strings.Contains(string(raw), "0102000000000000000000") {
		t.Errorf("%s, %v", raw, err)
	}
	if err := h.Store(twiceStore{err: store.ErrFailed}).Update(t.Context(), write); !errors.Is(err, store.ErrFailed) {
		t.Errorf("error %v", err)
	}
	if n := len(h.After(0, 10)); n != 2 {
		t.Errorf("%d events after a failure", n)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTransportPassesBodies: byte for byte, also beyond the part that is
// inspected.
func TestTransportPassesBodies(t *testing.T) {
	h := window.NewHub(at)
	long := bytes.Repeat([]byte("x"), 200<<10)
	rt := h.Transport("zj", roundTrip(func(r *http.Request) (*http.Response, error) {
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, long) {
			t.Errorf("%d bytes arrived, %v", len(got), err)
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(long))}, nil
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://a/par", bytes.NewReader(long))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, long) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if n := len(h.After(0, 10)); n != 2 {
		t.Errorf("%d events", n)
	}
}

// TestShownValuesAreMasked: names and numbers as pages show them.
func TestShownValuesAreMasked(t *testing.T) {
	h := window.NewHub(at)
	rt := h.Transport("zj", roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }))
	body := `authorization_details=` + strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22").Replace(`[{"type":"liuma_pin","action":"enroll","holder":{"name":"王桂珍","id_number":"330502195603120626","phone":"13857210019"}}]`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://a/par", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := rt.RoundTrip(req); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
	raw, err := json.Marshal(h.After(0, 10))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"王*珍", "3305**********0626", "138****0019", "enroll", "No answer"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("not shown: %s in %s", want, raw)
		}
	}
	for _, never := range []string{"王桂珍", "330502195603120626", "13857210019"} {
		if strings.Contains(string(raw), never) {
			t.Errorf("shown: %s", never)
		}
	}
}

// TestPass: a press on this page moves the clock; a post from another site does
// not.
func TestPass(t *testing.T) {
	var passed []time.Duration
	h, err := window.New(window.Config{Hub: window.NewHub(at), Origin: "http://127.0.0.1:8700", Phones: []window.Phone{{URL: "http://127.0.0.1:1"}},
		Now: at, Pass: func(d time.Duration) { passed = append(passed, d) }})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, site string) int {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		r.Host = "127.0.0.1:8700"
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, x := range []struct {
		path, site string
		want       int
	}{
		{"/pass?time=minute", "same-origin", 204}, {"/pass?time=days", "same-origin", 204}, {"/pass?time=year", "same-origin", 400},
		{"/pass", "same-origin", 400}, {"/pass?time=days", "cross-site", 403}, {"/pass?time=days", "same-site", 403},
	} {
		if got := post(x.path, x.site); got != x.want {
			t.Errorf("%s from %s: %d, want %d", x.path, x.site, got, x.want)
		}
	}
	if len(passed) != 2 || passed[0] != time.Minute || passed[1] <= 72*time.Hour {
		t.Errorf("passed %v", passed)
	}
	if body := get(h, "127.0.0.1:8700", "/sms.json").Body.String(); !strings.Contains(body, `"now":"2026-04-01T09:00:00Z"`) {
		t.Errorf("no time: %s", body)
	}
	if got := get(newWindow(t, nil), "127.0.0.1:8700", "/").Body.String(); strings.Contains(got, "data-pass") {
		t.Error("time is offered where it cannot pass")
	}
}

// TestKeepersThatAreNone: an act on a keeper that there is not, or that is none, is
// refused; so is a window with keepers and nobody to say how they stand.
func TestKeepersThatAreNone(t *testing.T) {
	c := window.Config{Hub: window.NewHub(at), Origin: "http://127.0.0.1:1", Phones: []window.Phone{{URL: "http://127.0.0.1:2"}}, Keepers: &posts.House{}}
	if _, err := window.New(c); err == nil {
		t.Error("made without conditions")
	}
	c.Conditions = func(context.Context) []keeper.Condition { return nil }
	h, err := window.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/keepers.json", 200, `{"keepers":[]}`},
		{"POST", "/keeper?id=k1&do=kill", 400, "no such keeper"},
		{"GET", "/keeper?id=k1&do=kill", 405, ""},
	} {
		r := httptest.NewRequest(tt.method, "http://127.0.0.1:1"+tt.path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, w.Body)
		}
	}
	c.Keepers, c.Conditions = nil, nil
	if h, err = window.New(c); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:1/keepers.json", nil))
	if w.Code != 404 {
		t.Errorf("keepers of one process: %d", w.Code)
	}
}
