package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// eventually waits for a condition that background work brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	patience.Until(t, what, ok)
}

// channel registers a channel with every action in every region.
func channel(e *testkit.Env) authority.Caller {
	return authority.Caller{Client: e.AddClient(store.Client{ID: "zj-hrss", Kind: store.ClientChannel,
		Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: []string{testkit.RedirectURI}}, e.NewKey())}
}

// enroll plays an enrolment with the one-time code that read returns.
func enroll(t *testing.T, e *testkit.Env, c authority.Caller, f registry.Facts, read func() string) store.Handle {
	t.Helper()
	ctx := context.Background()
	q := e.PushFor(c, liuma.ActionEnroll, testkit.Subject(f), &f)
	q.Region = f.Region
	p, h := e.OpenPage(c, q)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := e.Authority().Agree(ctx, p.ID, h)
	must(err)
	if p.Step != ceremony.StepCode {
		t.Fatalf("no code was asked for: %+v", p)
	}
	p, err = e.Authority().SendCode(ctx, p.ID, h, liuma.ByText)
	must(err)
	p, err = e.Authority().GiveCode(ctx, p.ID, h, read())
	must(err)
	if p = e.GivePIN(p, h, liuma.RoleNew, "483920"); p.Step != ceremony.StepDone {
		t.Fatalf("enroll: %+v", p)
	}
	return e.Return(c, p, h).Card
}

// TestTextsReachThePhone: the driver gets the messages that the authority
// queues, one-time code and notice, with their parameters.
func TestTextsReachThePhone(t *testing.T) {
	inbox := notify.NewInbox(time.Now)
	e := testkit.New(t, testkit.Options{Texts: inbox})
	f := e.People[0]
	of := func(name notify.Template) (found []notify.Received) {
		for _, r := range inbox.Texts(f.Phone) {
			if r.Template == name {
				found = append(found, r)
			}
		}
		return found
	}
	enroll(t, e, channel(e), f, func() string {
		eventually(t, "the code", func() bool { return len(of(notify.CodeBind)) == 1 })
		return of(notify.CodeBind)[0].Params["code"]
	})
	eventually(t, "the notice", func() bool { return len(of(notify.PINSet)) == 1 })
	eventually(t, "both on record", func() bool {
		s, err := e.System.Outbox.Stats(t.Context())
		return err == nil && s.Codes == (notify.QueueStats{Sent: 1}) && s.Notices.Sent > 0 && s.Notices.Waiting == 0
	})
}

// gateway is an SMS gateway over HTTP: it checks signatures, keeps messages by
// ID, and sends delivery reports.
type gateway struct {
	secret []byte
	mu     sync.Mutex
	texts  map[string]map[string]any // guarded by mu
	twice  int                       // guarded by mu
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	want := notify.Signature(g.secret, r.Header.Get(notify.HeaderTimestamp), body)
	var text map[string]any
	if err != nil || r.Header.Get(notify.HeaderSignature) != want || json.Unmarshal(body, &text) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	id := text["id"].(string)
	if g.texts[id] != nil {
		g.twice++
	}
	g.texts[id] = text
}

func (g *gateway) all() []map[string]any {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Values(g.texts))
}

// TestTextsFromTheConfiguration: a webhook from the configuration file takes the
// messages in a region's own wording, and its delivery reports come in at the
// gateway door. A report that is not signed with the webhook's secret is refused.
func TestTextsFromTheConfiguration(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	g := &gateway{secret: []byte(secret), texts: map[string]map[string]any{}}
	vendor := httptest.NewServer(g)
	defer vendor.Close()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wordings := file("wordings.yaml", "- region: '33'\n  template: pin_set\n  language: zh-CN\n"+
		"  text: '浙里提醒：{holder}{at}在{channel}设置密码。疑问拨打12333，停用码{freeze}。'\n")
	e := testkit.New(t, testkit.Options{Configure: func(c *config.Config) {
		c.Gateway.Listen = "127.0.0.1:0"
		c.Texts.Driver, c.Texts.Wordings, c.Texts.SignatureZH = config.DriverWebhook, wordings, "【浙江社保】"
		c.Texts.Webhook = config.Webhook{URL: vendor.URL, SecretFile: file("secret", secret+"\n")}
	}})
	code := func() string {
		var code string
		eventually(t, "the code", func() bool {
			for _, text := range g.all() {
				if text["template"] == "code_bind" {
					code = text["params"].(map[string]any)["code"].(string)
				}
			}
			return code != ""
		})
		return code
	}
	i := slices.IndexFunc(e.People, func(f registry.Facts) bool { return strings.HasPrefix(string(f.Region), "33") })
	enroll(t, e, channel(e), e.People[i], code)
	var set map[string]any
	eventually(t, "the notice", func() bool {
		for _, text := range g.all() {
			if text["template"] == "pin_set" {
				set = text
			}
		}
		return set != nil
	})
	if text := set["text"].(string); !strings.HasPrefix(text, "【浙江社保】浙里提醒：") {
		t.Errorf("the notice is %s", text)
	}
	ln, err := e.System.ListenGateway()
	if err != nil {
		t.Fatal(err)
	}
	channel, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.System.Serve(ctx, channel, nil, ln) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	report := func(path, secret string) int {
		body := fmt.Appendf(nil, `{"receipts":[{"id":%q,"status":"delivered"}]}`, set["id"])
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+ln.Addr().String()+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		stamp := strconv.FormatInt(e.Clock.Now().Unix(), 10)
		req.Header.Set(notify.HeaderTimestamp, stamp)
		req.Header.Set(notify.HeaderSignature, notify.Signature([]byte(secret), stamp, body))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := report("/receipts", strings.ToUpper(secret)); got != http.StatusUnauthorized {
		t.Errorf("a receipt of nobody: %d", got)
	}
	if got := report("/v1/verify", secret); got != http.StatusNotFound {
		t.Errorf("the door offers more than receipts: %d", got)
	}
	if got := report("/receipts", secret); got != http.StatusNoContent {
		t.Errorf("a receipt: %d", got)
	}
	eventually(t, "delivered", func() bool {
		s, err := e.System.Outbox.Stats(t.Context())
		return err == nil && s.Notices.Delivered == 1
	})
}

// TestCallsFromTheConfiguration: with voice in the configuration the webhook is
// asked for calls, by the way that the page offers; without it, no page offers
// one.
func TestCallsFromTheConfiguration(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	for _, voice := range []bool{true, false} {
		g := &gateway{secret: []byte(secret), texts: map[string]map[string]any{}}
		vendor := httptest.NewServer(g)
		defer vendor.Close()
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		e := testkit.New(t, testkit.Options{Configure: func(c *config.Config) {
			c.Texts.Driver = config.DriverWebhook
			c.Texts.Webhook = config.Webhook{URL: vendor.URL, SecretFile: file, Voice: voice}
		}})
		f := e.People[0]
		c := channel(e)
		q := e.PushFor(c, liuma.ActionEnroll, testkit.Subject(f), &f)
		q.Region = f.Region
		p, h := e.OpenPage(c, q)
		p, err := e.Authority().Agree(t.Context(), p.ID, h)
		if err != nil {
			t.Fatal(err)
		}
		offered := slices.ContainsFunc(p.Ways, func(o ceremony.CodeOffer) bool { return o.Way == liuma.ByVoice })
		p, err = e.Authority().SendCode(t.Context(), p.ID, h, liuma.ByVoice)
		if offered != voice || (err == nil) != voice {
			t.Errorf("voice %v: offered %v, %v", voice, offered, err)
		}
		if !voice {
			continue
		}
		eventually(t, "the call", func() bool { return len(g.all()) == 1 })
		if call := g.all()[0]; call["way"] != "voice" || call["template"] != "code_bind" || p.CodeBy != liuma.ByVoice {
			t.Errorf("the call %v, the page %q", call, p.CodeBy)
		}
	}
}

// TestTextsThatCannotBeSentAreToldAtTheStart: a wrong setting that only shows
// when it is used stops the start, with an error that names the setting.
func TestTextsThatCannotBeSentAreToldAtTheStart(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", "0123456789abcdef0123456789abcdef", 0o600)
	kannel := config.Kannel{URL: "http://127.0.0.1:1/s", Username: "u", PasswordFile: filepath.Join(dir, "none"), ReceiptURL: "http://127.0.0.1:1/receipts"}
	for _, tt := range []struct {
		name  string
		texts config.Texts
		want  string
	}{
		{"no secret", config.Texts{Driver: config.DriverWebhook, Webhook: config.Webhook{SecretFile: filepath.Join(dir, "none")}}, "none"},
		{"open secret", config.Texts{Driver: config.DriverWebhook, Webhook: config.Webhook{SecretFile: file("open", "x", 0o644)}}, "0600"},
		{"short secret", config.Texts{Driver: config.DriverWebhook, Webhook: config.Webhook{SecretFile: file("short", "x", 0o600)}}, "32 bytes"},
		{"no previous secret", config.Texts{Driver: config.DriverWebhook, Webhook: config.Webhook{SecretFile: good, PreviousFile: filepath.Join(dir, "none")}}, "none"},
		{"no password", config.Texts{Driver: config.DriverKannel, Kannel: kannel}, "none"},
		{"no wordings", config.Texts{Driver: config.DriverWebhook, Webhook: config.Webhook{SecretFile: good}, Wordings: filepath.Join(dir, "w")}, "wordings"},
		{"a link", config.Texts{Driver: config.DriverWebhook, Webhook: config.Webhook{SecretFile: good}, Wordings: file("link",
			"- {region: '33', template: every_use, language: zh-CN, text: '{holder}{at}{channel}{freeze}12333 www.example.cn'}", 0o600)}, "no text may carry a link"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			c := config.Default()
			if err := server.Init(t.Context(), data, c); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(data)
			if err != nil {
				t.Fatal(err)
			}
			tt.texts.Webhook.URL = "https://sms.example.cn/"
			c.Texts = tt.texts
			s, err := server.Open(t.Context(), c, server.Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error naming %q", err, tt.want)
			}
		})
	}
}
