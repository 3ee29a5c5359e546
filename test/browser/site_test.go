package browser

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door/holder"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/test/gallery"
	"github.com/liuma-pin/liuma/web"
)

const purpose = "查询社保缴费年限"

// lines is a log that tests read while it is written.
type lines struct {
	mu  sync.Mutex
	out strings.Builder // guarded by mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// site is the pages on loopback over a given authority, and a channel at an
// origin of its own that holders come back to.
type site struct {
	t          *testing.T
	url        string
	channelURL string
	others     []string // further channels' origins
	logs       *lines

	mu   sync.Mutex
	back []url.Values // the requests to the channel; guarded by mu
}

// serve opens the pages. wrap may stand between the browser and them.
func serve(t *testing.T, a holder.Authority, c holder.Config, wrap func(http.Handler) http.Handler) *site {
	t.Helper()
	s := &site{t: t, logs: &lines{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	assets, err := web.Load()
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + ln.Addr().String()
	c.Authority, c.Assets, c.Origin, c.Logger = a, assets, s.url, slog.New(slog.NewTextHandler(s.logs, nil))
	h, err := holder.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		h = wrap(h)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: h}}
	server.Start()
	t.Cleanup(server.Close)
	channel := httptest.NewServer(http.HandlerFunc(s.comeBack))
	t.Cleanup(channel.Close)
	s.channelURL = channel.URL
	return s
}

// comeBack is the channel's page.
func (s *site) comeBack(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/callback" {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	s.back = append(s.back, r.URL.Query())
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><title>channel</title><p>Back at the channel: %s`, html.EscapeString(r.URL.Query().Get("error_description")))
}

func (s *site) arrivals() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.back...)
}

func (s *site) redirect() string { return s.channelURL + "/callback" }

// world is a site over the whole system.
type world struct {
	*site
	env      *testkit.Env
	channel  authority.Caller
	verifier string
}

func newWorld(t *testing.T, wrap func(http.Handler) http.Handler) *world {
	t.Helper()
	return worldOf(t, testkit.Options{}, wrap)
}

// worldOf is newWorld over another system.
func worldOf(t *testing.T, o testkit.Options, wrap func(http.Handler) http.Handler) *world {
	t.Helper()
	env := testkit.New(t, o)
	w := &world{env: env, verifier: rand.Text() + rand.Text(), channel: env.Channel("zj-hrss")}
	w.site = serve(t, env.Authority(), holder.Config{Counter: env.System.Counter, Genuine: gallery.Genuine{}, Challenges: env.System.Vault, Now: env.Clock.Now}, wrap)
	return w
}

// push pushes a request as the channel's server would, and gives the address
// that it opens.
func (w *world) push(c authority.Caller, a liuma.Action, s envelope.Subject, bn liuma.BusinessNo, proved *registry.Facts) string {
	w.t.Helper()
	sum := sha256.Sum256([]byte(w.verifier))
	q := ceremony.Push{BusinessNo: bn, Action: a, Subject: s, Region: "3305", Purpose: purpose, Return: ceremony.Return{
		RedirectURI: w.redirect(), State: "state-" + string(bn), Nonce: "nonce",
		CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:])}}
	if proved != nil {
		q.Challenge = w.env.Challenge(c).Value
		q.Evidence = w.env.Evidence(*proved, q.Challenge)
	}
	pushed, err := w.env.Authority().Push(context.Background(), c, q)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.url + "/authorize?" + url.Values{"client_id": {c.Client.ID}, "request_uri": {pushed.RequestURI}}.Encode()
}

func (w *world) person() registry.Facts { return w.env.People[0] }

func whole(f registry.Facts) envelope.Subject {
	return envelope.Subject{IDNumber: f.IDNumber, Name: f.Name, Phone: f.Phone}
}

func (w *world) enroll(pin string) store.Handle {
	w.t.Helper()
	return w.env.Enroll(w.channel, w.person(), pin)
}

func (w *world) verify(card store.Handle, bn liuma.BusinessNo) string {
	w.t.Helper()
	return w.push(w.channel, liuma.ActionVerify, envelope.Subject{Card: string(card)}, bn, nil)
}

// redeem redeems the authorization code of the last arrival, which must have
// one.
func (w *world) redeem(c authority.Caller) ceremony.Grant {
	w.t.Helper()
	all := w.arrivals()
	if len(all) == 0 {
		w.t.Fatal("nobody came back to the channel")
	}
	q := all[len(all)-1]
	if q.Get("error") != "" || q.Get("code") == "" || q.Get("iss") == "" || !strings.HasPrefix(q.Get("state"), "state-") {
		w.t.Fatalf("came back with %v", q)
	}
	g, err := w.env.Authority().RedeemCode(context.Background(), c, q.Get("code"), w.redirect(), w.verifier)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}
