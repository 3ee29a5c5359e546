package browser

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/door/console"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/softkey"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/web"
)

// monthOfARecord fills a database with thirty days of checks, resets and texts, and with
// what raises alarms.
func monthOfARecord(t *testing.T, s store.Store) {
	t.Helper()
	regions := []liuma.Region{"330502", "330105", "440100"}
	put := func(i int, at time.Time, ev audit.Event, actor, outcome, note string) {
		id := liuma.CardID{0: 0xCA, 15: byte(i % 3)}
		err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			e := audit.Entry{At: at, Actor: actor, Event: ev, Card: id, BusinessNo: "B1", Outcome: outcome, Note: note}
			if _, err := tx.Card(id); !errors.Is(err, store.ErrNotFound) {
				return e, err
			}
			return e, tx.InsertCard(store.Card{ID: id, Holder: vault.Index{30: 1, 31: byte(i % 3)}, Region: regions[i%3]})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for day := range 30 {
		at := admintest.Start.AddDate(0, 0, -day)
		for i := range 5 + (day*7)%11 {
			put(i, at.Add(-time.Duration(i)*30*time.Minute), audit.AttemptDecided, []string{"channel:zj-app", "channel:gd-mini"}[i%2], "right", "")
		}
		for i := range day % 4 {
			put(i, at, audit.AttemptDecided, "channel:zj-app", []string{"wrong_pin", "locked", "frozen"}[i%3], "")
		}
		put(day, at, audit.CodeSent, "holder", "ok", "step=code channel=zj-app")
		put(day, at, []audit.Event{audit.PINReset, audit.PhoneChanged, audit.CardFrozen}[day%3], "channel:zj-app", "ok", "")
		put(day, at, audit.MessageSent, "system", "ok", "tries=1")
	}
	err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: admintest.Start, Actor: "system", Event: audit.MessageDead, Outcome: "refused"},
			tx.InsertMessage(store.Message{ID: strings.Repeat("a", 26), Kind: notify.KindNotice, Card: liuma.CardID{0: 0xCA}, Template: "pin_reset", Language: notify.Chinese,
				Region: "330502", Sealed: []byte("sealed"), State: store.MessageDead, Tries: 3, Fault: "refused", At: admintest.Start.Add(-time.Hour), DoneAt: admintest.Start})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// numbersDesk serves the console over such a record, and returns its address and the
// token of an operator who is signed in.
func numbersDesk(t *testing.T) (address string, token staff.Token) {
	t.Helper()
	need := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w := admintest.New(t, admintest.Options{Served: true})
	monthOfARecord(t, w.Store)
	_, err := w.Admin.MakeDigest(t.Context())
	need(err)
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "localhost:0")
	need(err)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	need(err)
	address = "http://localhost:" + port
	c := w.Config()
	c.Console = address
	a, err := admin.New(c)
	need(err)
	assets, err := web.Load()
	need(err)
	server, err := console.NewServer(console.Config{Admin: a.Guarded(), Staff: a.Staff(), Assets: assets, Holder: "https://pin.example.cn", Origin: address, Now: time.Now,
		CheckRedirectURI: func(string) error { return nil }, Logger: slog.New(slog.DiscardHandler)})
	need(err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	t.Cleanup(func() {
		need(server.Close())
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	invited, err := a.Staff().Begin(t.Context(), staff.Beginning{
		Operator: &staff.NewMember{ID: "wang", Name: "王丽", Roles: []liuma.StaffRole{liuma.RoleOperator}},
		Officer:  &staff.NewMember{ID: "li", Name: "李娜", Roles: []liuma.StaffRole{liuma.RoleOfficer}}})
	need(err)
	key, err := softkey.New(address)
	need(err)
	offer, err := a.Staff().OfferRegistration(t.Context(), invited[0].Code)
	need(err)
	answer, err := key.Create(offer)
	need(err)
	_, err = a.Staff().Register(t.Context(), invited[0].Code, answer, true)
	need(err)
	offer, err = a.Staff().OfferLogIn()
	need(err)
	answer, err = key.Get(offer)
	need(err)
	in, err := a.Staff().LogIn(t.Context(), answer)
	need(err)
	return address, in.Token
}

// TestNumbersTextsAndRecordPages: the console's pages of numbers, alarms, texts and the
// record pass axe, with -every-look in English and dark as well, do not scroll sideways at
// a desk, and their charts are drawn without script.
func TestNumbersTextsAndRecordPages(t *testing.T) {
	t.Parallel()
	address, token := numbersDesk(t)
	paths := map[string]string{"alarms": "/alarms", "numbers-today": "/numbers", "numbers-30": "/numbers?days=30", "numbers-region": "/numbers?days=30&region=3305",
		"texts": "/texts", "text": "/texts/" + strings.Repeat("a", 26), "record": "/record", "record-found": "/record?event=pin.reset",
		"stream": "/record/stream/card:ca000000000000000000000000000001", "seek": "/record/card"}
	looks := []look{{"zh", "zh-CN", false, false}, {"en-dark", "en", false, true}}
	if !*everyLook {
		looks = looks[:1]
	}
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			b := newTab(t, screen{"1280x720", 1280, 720, false}, l.language)
			b.dress(l)
			call(b, network.SetCookie, network.SetCookieParams{Name: "desk", Value: string(token), URL: address})
			for name, path := range paths {
				b.open(address + path)
				b.settled()
				b.violations(name)
				b.operable(name)
				if over := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
					t.Errorf("%s: %d px too wide", name, over)
				}
				if strings.HasPrefix(name, "numbers") {
					if n := evaluate[int](b, `[...document.querySelectorAll("svg[role=img]")].filter(s => s.getBoundingClientRect().height > 150 && s.querySelector("title").textContent !== "").length`); n != 4 {
						t.Errorf("%s: %d charts are drawn", name, n)
					}
				}
				b.shoot(filepath.Join("console", l.name), name)
			}
			if len(b.faults) > 0 {
				t.Errorf("the browser complains: %v", b.faults)
			}
		})
	}
}
