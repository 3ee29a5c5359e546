package drills

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // to alter a database behind the server's back

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/test/port"
	"github.com/liuma-pin/liuma/test/printed"
)

const (
	channelID  = "gov-app"
	hotlineID  = "line-12333"
	registryID = "card-office"
	firstPIN   = "739104"
	purpose    = "查询社保缴费年限"
)

// house is one drill's authority: a directory that was made in this process, and the real
// server on it.
type house struct {
	t       *testing.T
	env     *testkit.Env
	dir     string
	disk    string // a small file system of its own with the directory on it; empty: there is none
	api     string
	metrics string
	issuer  string
	party   testkit.Party // the client that is looked at
	next    admin.KeyPair // its next key
	card    string        // handle of the holder's card
	pin     string
	serial  int
	gateway *gateway
	serving *exec.Cmd
	log     *printed.Log
	books   []runbook
	placed  map[string]string
	typed   int // commands so far
}

// gateway takes text messages, unless it is away.
type gateway struct {
	*httptest.Server
	away  atomic.Bool
	taken atomic.Int64
}

func newGateway() *gateway {
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if g.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		g.taken.Add(1)
	}))
	return g
}

func freePort(ts *testscript.TestScript) string {
	at, release, err := port.Take()
	ts.Check(err)
	ts.Defer(release)
	return at
}

// found makes the directory, with a channel and a holder's card.
func (h *house) found(ts *testscript.TestScript, shape string, more []string) {
	kept := time.Duration(0)
	has := map[string]bool{}
	for _, m := range more {
		if d, ok := strings.CutPrefix(m, "kept="); ok {
			var err error
			kept, err = time.ParseDuration(d)
			ts.Check(err)
			continue
		}
		has[m] = true
	}
	h.disk = ""
	h.dir = ts.MkAbs("data")
	if has["disk"] {
		h.mount(ts)
	}
	native, numbers := freePort(ts), freePort(ts)
	h.api, h.metrics = "http://"+native, "http://"+numbers
	secret := ts.MkAbs("secret")
	ts.Check(os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef"), 0o600))
	h.gateway = newGateway()
	o := testkit.Options{Dir: h.dir, Shape: shape, Clock: testkit.RunningClock(kept), Wait: func(context.Context, time.Duration) {},
		Configure: func(c *config.Config) {
			c.Channel.Listen, c.Metrics.Listen = native, numbers
			if has["texts"] {
				c.Texts.Driver, c.Texts.Webhook = config.DriverWebhook, config.Webhook{URL: h.gateway.URL, SecretFile: secret}
			}
			if has["certificate"] {
				c.Metrics.Certificate, c.Metrics.Key = certificate(h.t, ts.MkAbs("."))
				h.metrics = "https://" + numbers
			}
		}}
	if has["texts"] {
		o.Inbox = true
	}
	h.env = testkit.New(h.t, o)
	h.issuer = h.env.Issuer()
	h.party = h.env.AddParty(testkit.NationalChannel(channelID))
	caller := authority.Caller{Client: h.party.Client}
	if has["texts"] {
		h.card = string(h.env.EnrollPhone(caller, h.env.People[0], firstPIN))
	} else {
		h.card = string(h.env.Enroll(caller, h.env.People[0], firstPIN))
	}
	h.pin = firstPIN
	ts.Setenv("CHANNEL_KID", h.party.KeyID)
	for _, kind := range []struct {
		want string
		c    store.Client
	}{{"hotline", store.Client{ID: hotlineID, Kind: store.ClientHotline}}, {"registry", store.Client{ID: registryID, Kind: store.ClientRegistry}}} {
		if has[kind.want] {
			h.party = h.env.AddParty(kind.c)
			ts.Setenv("KID", h.party.KeyID)
		}
	}
	h.env.Close()
	ts.Setenv("LIUMA_DATA", h.dir)
	ts.Setenv("NUMBER", h.env.People[0].IDNumber)
}

// serve runs the real server, and waits until its log says that it serves.
func (h *house) serve(ts *testscript.TestScript) {
	h.log = &printed.Log{}
	made, err := programs()
	ts.Check(err)
	h.serving = exec.Command(filepath.Join(made, "liuma"), "serve")
	h.serving.Env = append(os.Environ(), "LIUMA_DATA="+ts.Getenv("LIUMA_DATA"), "LC_ALL=C")
	h.serving.Stdout, h.serving.Stderr = h.log, h.log
	ts.Check(h.serving.Start())
	until(ts, "the server", func() (string, bool) { return h.log.Last(), strings.Contains(h.log.String(), `"msg":"serving"`) })
}

// stop ends the server, in order or as a power cut would.
func (h *house) stop(ts *testscript.TestScript, by os.Signal) {
	if h.serving == nil {
		ts.Fatalf("nothing serves")
	}
	ts.Check(h.serving.Process.Signal(by))
	_ = h.serving.Wait() // it says how it ended
	h.serving = nil
}

// end is the last thing of a script, however it ended.
func (h *house) end() {
	if h.serving != nil {
		_ = h.serving.Process.Kill()
		_ = h.serving.Wait()
	}
	if h.gateway != nil {
		h.gateway.Close()
	}
	if h.t.Failed() && h.log != nil {
		h.t.Log(h.log.Last())
	}
	h.unmount()
}

// series is the value of a series at the listener of metrics, as it is written there.
func (h *house) series(want string) (float64, error) {
	resp, err := insecure().Get(h.metrics + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), want+" "); ok && name == "" {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("there is no series %s", want), lines.Err())
}

// connect is the client that is looked at, over its key of now.
func (h *house) connect(ts *testscript.TestScript) *client.Client {
	c, err := client.New(client.Config{BaseURL: h.api, Issuer: h.issuer, ID: h.party.ID, KeyID: h.party.KeyID, Key: h.party.Key, HTTP: &http.Client{Timeout: time.Minute}})
	ts.Check(err)
	return c
}

func (h *house) number() string {
	h.serial++
	return fmt.Sprintf("drill-%d-%d", time.Now().UnixNano(), h.serial)
}

func (h *house) request(c *client.Client, a client.Action) (client.DeviceRequest, error) {
	ch, err := c.Challenge(h.t.Context())
	return client.DeviceRequest{Channel: h.party.ID, Action: a, BusinessNo: h.number(), Purpose: purpose, Challenge: ch, Subject: client.Subject{Card: h.card}}, err
}

// word is what an answer comes to: a verdict, or the code of a refusal.
func word(v *client.Verification, err error) string {
	switch {
	case err != nil && client.CodeOf(err) != "":
		return client.CodeOf(err)
	case err != nil:
		return err.Error()
	}
	return v.Verdict
}

func (h *house) verify(ts *testscript.TestScript, a []string) {
	pin := h.pin
	if len(a) > 1 {
		pin = a[1]
	}
	want := regexp.MustCompile("^(" + a[0] + ")$")
	until(ts, "the verdict "+a[0], func() (string, bool) {
		c := h.connect(ts)
		d, err := h.request(c, client.Verify)
		var v *client.Verification
		if err == nil {
			sealed, bad := d.SealPIN([]byte(pin))
			ts.Check(bad)
			v, err = c.Verify(h.t.Context(), client.VerifyRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: d.Challenge.Value, PIN: sealed})
		}
		got := word(v, err)
		if fits := want.MatchString(got); (got == "right" || got == "wrong") && !fits {
			ts.Fatalf("the holder was told %q, want %q", got, a[0])
		}
		return got, want.MatchString(got)
	})
}

func (h *house) change(ts *testscript.TestScript, pin string) {
	c := h.connect(ts)
	d, err := h.request(c, client.Change)
	ts.Check(err)
	was, is, err := d.SealChange([]byte(h.pin), []byte(pin))
	ts.Check(err)
	v, err := c.Change(h.t.Context(), client.ChangeRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: d.Challenge.Value, OldPIN: was, NewPIN: is})
	if got := word(v, err); got != "right" {
		ts.Fatalf("the change: %s", got)
	}
	h.pin = pin
}

// freezes has a hotline freeze the holder's card again and again, until it is refused for
// its ration or so often.
func (h *house) freezes(ts *testscript.TestScript, times string) {
	n, err := strconv.Atoi(times)
	ts.Check(err)
	c, last := h.connect(ts), ""
	for range n {
		_, err := c.HotlineFreeze(h.t.Context(), client.HotlineFreezeRequest{BusinessNo: h.number(), IDNumber: h.env.People[0].IDNumber})
		if last = client.CodeOf(err); err != nil && last == "" {
			ts.Fatalf("%v", err)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs("last"), []byte(last+"\n"), 0o600))
}

// newKey makes the client's next key, and writes its public half.
func (h *house) newKey(ts *testscript.TestScript, file string) {
	pair, err := admin.NewKeyPair()
	ts.Check(err)
	raw, err := json.Marshal(pair.Public)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(file), raw, 0o600))
	h.next = pair
}

// signing places the kid of a signing key.
func (h *house) signing(ts *testscript.TestScript, word, state string) {
	keys, err := vault.At(filepath.Join(ts.Getenv("LIUMA_DATA"), "vault.key")).SigningKeys()
	ts.Check(err)
	for _, k := range keys {
		if string(k.State) == state {
			h.placed[word] = "-- " + k.ID // it may begin with a hyphen
			return
		}
	}
	ts.Fatalf("no key is %s", state)
}

// sql alters the database behind everybody's back.
func (h *house) sql(ts *testscript.TestScript, statement string) {
	if h.serving != nil {
		ts.Fatalf("stop the server first: a database is one process's")
	}
	db, err := sql.Open("sqlite", filepath.Join(ts.Getenv("LIUMA_DATA"), "liuma.db"))
	ts.Check(err)
	r, err := db.ExecContext(h.t.Context(), statement)
	ts.Check(err)
	if n, _ := r.RowsAffected(); n == 0 {
		ts.Fatalf("it altered nothing: %s", statement)
	}
	ts.Check(db.Close())
}
