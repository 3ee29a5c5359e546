// Package kannel_test sends messages through a real Kannel gateway to an SMPP
// centre, and follows them back: the text that arrives is the text that was
// written, character by character, and the centre's reports are recorded. It
// needs Kannel and Node.js; test/kannel/prepare installs missing programs.
//
// Start here: TestTextsArriveAndAreReported.
package kannel_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	reports "github.com/liuma-pin/liuma/internal/door/gateway"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

const (
	reachable   = "13812345678"
	unreachable = "13900000000" // the centre reports that it cannot be reached
)

// sender is an outbox on a real store, with the Kannel driver.
type sender struct {
	t      *testing.T
	store  store.Store
	outbox *notify.Outbox
}

func newSender(t *testing.T, g *gateway, password string) *sender {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "vault.key")
	if err := vault.Create(key); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, "authority.db"), sqlite.Config{Seal: v})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	receipts := httptest.NewUnstartedServer(nil)
	driver, err := notify.NewKannel(notify.KannelConfig{SendURL: g.sendURL(), Username: "liuma", Password: password, From: "12333",
		ReceiptURL: "http://" + receipts.Listener.Addr().String() + "/kannel", Vault: v})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := notify.NewTemplates(liuma.Text{}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := notify.New(notify.Config{Store: s, Vault: v, Driver: driver, Templates: texts, Poll: 50 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	receipts.Config.Handler, err = reports.New(reports.Config{Driver: driver, Sink: o, Path: "/kannel", Now: time.Now,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	receipts.Start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		receipts.Close()
	})
	return &sender{t, s, o}
}

// send queues one message and returns its ID.
func (s *sender) send(n notify.Message) string {
	s.t.Helper()
	before := s.ids()
	err := s.store.Update(s.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		e := audit.Entry{At: time.Now(), Actor: "system", Event: audit.CodeSent, Outcome: "ok"}
		return e, s.outbox.Queue(tx, n)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.outbox.Wake()
	for _, id := range s.ids() {
		if !slices.Contains(before, id) {
			return id
		}
	}
	s.t.Fatal("nothing was queued")
	return ""
}

func (s *sender) ids() (ids []string) {
	s.t.Helper()
	letters, err := notify.List(s.t.Context(), s.store, "", "", 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range letters {
		ids = append(ids, l.ID)
	}
	return ids
}

// until waits until ok holds for a message.
func (s *sender) until(id, what string, ok func(store.Message) bool) {
	s.t.Helper()
	var m store.Message
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		err := s.store.View(s.t.Context(), func(r store.Reader) (err error) {
			m, err = r.Message(id)
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
		if ok(m) {
			return
		}
	}
	s.t.Fatalf("the message never was %s; it is %s after %d tries, fault %q", what, m.State, m.Tries, m.Fault)
}

func is(state store.MessageState, fault string) func(store.Message) bool {
	return func(m store.Message) bool { return m.State == state && m.Fault == fault }
}

func notice(phone, language string) notify.Message {
	return notify.Message{Kind: notify.KindNotice, Card: liuma.CardID{1}, Phone: phone, Template: notify.PINReset, Language: language,
		Params: map[string]string{"holder": "王*奶", "channel": "浙里办", "freeze": "K7M29QXA", "at": "2026-11-22T07:32:00Z"}}
}

// ucs2 decodes like a phone: big-endian UTF-16.
func ucs2(t *testing.T, digits string) string {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil || len(b)%2 != 0 {
		t.Fatalf("not UCS-2: %q", digits)
	}
	var u []uint16
	for i := 0; i < len(b); i += 2 {
		u = append(u, uint16(b[i])<<8|uint16(b[i+1]))
	}
	return string(utf16.Decode(u))
}

// TestTextsArriveAndAreReported is the whole way there and back.
func TestTextsArriveAndAreReported(t *testing.T) {
	g := startGateway(t)
	s := newSender(t, g, gatewayPassword)
	code := notify.Message{Kind: notify.KindCode, Card: liuma.CardID{1}, Phone: reachable, Template: notify.CodeReset,
		Language: notify.Chinese, Params: map[string]string{"holder": "王*奶", "code": "048213"}, Expires: time.Now().Add(10 * time.Minute)}
	for _, c := range []struct {
		name  string
		n     notify.Message
		parts int
		want  string
	}{
		{"a code", code, 1, "【电子社保卡】验证码048213，用于为王*奶找回密码，10分钟内有效。任何工作人员都不会索要，切勿告诉他人。"},
		{"a notice", notice(reachable, notify.Chinese), 2, "【电子社保卡】王*奶的电子社保卡密码已于11月22日15:32在浙里办找回并重设。" +
			"如非本人操作，请立即拨打12333，或在官方页面输入冻结码K7M29QXA停用。"},
		{"in English", notice(reachable, notify.English), 3, "[Electronic card] The PIN of 王*奶 was forgotten and set anew at 浙里办 on 22 Nov 15:32." +
			" Not you? Call 12333, or enter freeze code K7M29QXA on the official page."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			id := s.send(c.n)
			m := g.nextMessage(t)
			if got := ucs2(t, m.Hex); got != c.want {
				t.Errorf("the phone shows\n%q, want\n%q", got, c.want)
			}
			if m.To != reachable || m.From != "12333" || m.Coding != 8 || m.Parts != c.parts {
				t.Errorf("from %q to %q, coding %d, %d parts", m.From, m.To, m.Coding, m.Parts)
			}
			if m.Validity == "" {
				t.Error("it may be delivered when it is worthless")
			}
			s.until(id, "delivered", is(store.MessageDelivered, ""))
		})
	}
}

// TestUnreachableNumberIsReported: the centre took the text and could not
// deliver it.
func TestUnreachableNumberIsReported(t *testing.T) {
	g := startGateway(t)
	s := newSender(t, g, gatewayPassword)
	id := s.send(notice(unreachable, notify.Chinese))
	s.until(id, "dead", is(store.MessageDead, notify.FaultUndelivered))
	letters, err := notify.List(t.Context(), s.store, store.MessageDead, "", 10)
	if err != nil || len(letters) != 1 || !letters[0].Retriable {
		t.Errorf("an operator sees %+v, %v", letters, err)
	}
}

// TestWrongPasswordLosesNothing: the message waits until an operator corrects
// the password.
func TestWrongPasswordLosesNothing(t *testing.T) {
	g := startGateway(t)
	s := newSender(t, g, "wrong")
	id := s.send(notice(reachable, notify.Chinese))
	s.until(id, "tried", is(store.MessageWaiting, "unauthorized"))
}

// TestGatewayDies kills the gateway, and starts it again while messages wait.
func TestGatewayDies(t *testing.T) {
	g := startGateway(t)
	s := newSender(t, g, gatewayPassword)
	s.until(s.send(notice(reachable, notify.Chinese)), "delivered", is(store.MessageDelivered, ""))
	g.nextMessage(t)
	g.kill()
	var ids []string
	for i := range 3 {
		n := notice(reachable, notify.Chinese)
		n.Params["channel"] = fmt.Sprint("渠道", i)
		ids = append(ids, s.send(n))
	}
	for _, id := range ids {
		s.until(id, "waiting", is(store.MessageWaiting, "unreachable"))
	}
	g.start()
	var all strings.Builder
	for range ids {
		all.WriteString(ucs2(t, g.nextMessage(t).Hex))
	}
	for i, id := range ids {
		if want := fmt.Sprint("渠道", i); strings.Count(all.String(), want) != 1 {
			t.Errorf("%s arrived %d times", want, strings.Count(all.String(), want))
		}
		s.until(id, "delivered", is(store.MessageDelivered, ""))
	}
}
