//go:build linux

package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
	"github.com/liuma-pin/liuma/test/netns"
)

const (
	channelID  = "zj-hrss"
	hostedDoor = "https://pin.example.cn"
	nativeAt   = "127.0.0.1:8600"
	hostedAt   = "127.0.0.1:8601"
	secret     = "0123456789abcdef0123456789abcdef"
	// patience is how long anything may take on a machine that does much else.
	patience = 60 * time.Second
)

// programs are the real commands, and the keeper with faults.
type programs struct{ liuma, keeper, faulty string }

// build makes the programs, once for all trials.
var build = sync.OnceValues(func() (programs, error) {
	p := programs{filepath.Join(buildDir, "liuma"), filepath.Join(buildDir, "liuma-keeper"), filepath.Join(buildDir, "faulty")}
	const module = "github.com/liuma-pin/liuma/"
	if b, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", buildDir+"/", module+"cmd/liuma", module+"cmd/liuma-keeper", module+"test/faults/faulty").CombinedOutput(); err != nil {
		return p, fmt.Errorf("build: %w\n%s", err, b)
	}
	return p, nil
})

var buildDir string // set once by TestMain

// house is an authority at site 0, its three keepers at sites 1 to 3, and all that they
// need around them.
type house struct {
	*testkit.Env // made the directory, and is closed
	t            *testing.T
	bin          programs
	net          *netns.Network
	places       []*place
	process      *netns.Process // of the authority; nil: none
	starts       int            // of the authority
	log          netns.Log
	channel      testkit.Party
	client       *client.Client
	texts        *texts
	conf         config.Config
	born         time.Time // its newest certificate
	key          int       // of the authority: how many it had
	people       []registry.Facts
	phoned       []*person // who may reset a PIN
	all          []*person
}

// texts is the gateway of text messages.
type texts struct {
	mu    sync.Mutex
	codes map[string]string // guarded by mu: number to its last one-time code
}

func (g *texts) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var text struct {
		Phone  string
		Params map[string]string
	}
	if err != nil || json.Unmarshal(body, &text) != nil {
		return // cut off by a kill
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if code := text.Params["code"]; code != "" {
		g.codes[text.Phone] = code
	}
}

func (g *texts) code(phone string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.codes[phone]
}

// newHouse makes the house, with as many people who may reset their PIN and as many who
// have none yet, and starts everything.
func newHouse(t *testing.T, phoned, unset int) *house {
	t.Helper()
	bin, err := build()
	must(t, err)
	network, err := netns.New(3)
	must(t, err)
	h := &house{t: t, bin: bin, net: network, texts: &texts{codes: map[string]string{}}}
	sms := httptest.NewServer(h.texts)
	t.Cleanup(sms.Close)
	base, err := os.MkdirTemp("", "lf") // short: a socket's path has bounds
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	clock := testkit.RunningClock(-100 * time.Hour) // which goes on with each code that is sent
	made, err := keepers.New(t.Context(), keepers.Config{Dir: filepath.Join(base, "made"), Machine: clock})
	must(t, err)
	h.populate(filepath.Join(base, "data"), sms.URL, made, clock, phoned, unset)
	must(t, made.Close())
	for i, post := range made.Posts() {
		h.place(filepath.Join(base, string(post.ID)), post, i+1)
	}
	t.Cleanup(h.stop)
	for _, p := range h.places {
		for _, o := range h.places {
			if p != o {
				p.befriends(o)
			}
		}
		p.watched()
	}
	h.join("authority", h.places...)
	h.start()
	return h
}

// populate makes the authority's directory and its people, beside keepers in this process.
func (h *house) populate(dir, sms string, made *keepers.House, clock *testkit.Clock, phoned, unset int) {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "secret")
	must(h.t, os.WriteFile(file, []byte(secret), 0o600))
	h.Env = testkit.New(h.t, testkit.Options{Dir: dir, Inbox: true, People: 3*(phoned+unset) + 20, Clock: clock, House: made,
		Configure: func(c *config.Config) {
			c.Log, c.Issuer, c.Hosted.Listen, c.Channel.Listen = "warn", hostedDoor, hostedAt, nativeAt
			c.Texts.Driver, c.Texts.Webhook = config.DriverWebhook, config.Webhook{URL: sms, SecretFile: file}
		}})
	h.channel = h.AddParty(testkit.NationalChannel(channelID, testkit.RedirectURI))
	taken := map[string]bool{"": true}
	for _, f := range h.People {
		switch {
		case taken[f.Phone]:
		case len(h.phoned) < phoned:
			p := h.newPerson(f)
			p.first = "483920" // which no rule refuses
			p.pin = p.first
			p.card = string(h.EnrollPhone(authority.Caller{Client: h.channel.Client}, f, p.pin))
			h.phoned = append(h.phoned, p)
		default:
			h.people = append(h.people, f)
		}
		taken[f.Phone] = true
	}
	if !clock.CatchUp() {
		h.t.Fatal("the enrolments took too long")
	}
	h.conf = h.System.Config
	h.Close()
	if len(h.people) < unset {
		h.t.Fatalf("%d people without a PIN, want %d", len(h.people), unset)
	}
}

// place makes a keeper that was in this process one on its own machine, and starts it.
func (h *house) place(dir string, from *keepers.Post, member int) {
	h.t.Helper()
	must(h.t, mountDisk(dir))
	p := &place{t: h.t, bin: h.bin, id: from.ID, member: member, dir: dir, site: h.net.Sites[member]}
	data, err := os.ReadFile(filepath.Join(from.Dir, "keeper.json"))
	must(h.t, err)
	must(h.t, os.WriteFile(filepath.Join(dir, "keeper.json"), data, 0o600))
	must(h.t, copyLedger(from.Dir, dir))
	p.initialise()
	p.start()
	h.places = append(h.places, p)
}

func (p *place) initialise(more ...string) {
	p.t.Helper()
	p.run(append([]string{"init", "--member", fmt.Sprint(p.member), "--address", p.address(), "--listen", p.address()}, more...)...)
}

// liuma runs a command of the authority.
func (h *house) liuma(args ...string) (string, error) {
	cmd := exec.Command(h.bin.liuma, append(args, "--data", h.Dir)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("liuma %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), said.String())
	}
	return out.String(), err
}

// join has the authority admitted by keepers under a name, with the key that it has.
func (h *house) join(name string, at ...*place) {
	h.t.Helper()
	ask := filepath.Join(h.t.TempDir(), "authority.request")
	_, err := h.liuma("keeper", "request", "--name", name, "--out", ask)
	must(h.t, err)
	h.born = time.Now()
	for _, p := range at {
		h.admitted(p, ask)
	}
}

func (h *house) admitted(p *place, ask string, more ...string) {
	h.t.Helper()
	file, digits := p.admits(ask, "authority,closer", more...)
	_, err := h.liuma("keeper", "add", file, "--heard", digits)
	must(h.t, err)
}

// name is the authority's, as keepers know it now.
func (h *house) name() string {
	if h.key == 0 {
		return "authority"
	}
	return fmt.Sprint("authority-", h.key+1)
}

// start starts the authority and waits for its doors.
func (h *house) start() {
	h.t.Helper()
	h.starts++
	var err error
	if h.process, err = h.net.Sites[0].Serve(&h.log, hostedAt, patience, h.bin.liuma, "serve", "--data", h.Dir); err != nil {
		h.t.Fatalf("the authority: %v\n%s", err, h.log.Last())
	}
	h.client, err = h.channel.Connect("http://"+nativeAt, &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}})
	must(h.t, err)
}

// kill ends the authority as a power cut would.
func (h *house) kill() {
	if h.process != nil {
		h.process.Kill()
		h.process = nil
	}
}

func (h *house) stop() {
	h.kill()
	for _, p := range h.places {
		p.end(syscall.SIGKILL)
	}
	if *logs != "" {
		h.t.Log(h.log.Keep(filepath.Join(*logs, "authority.log")))
		for _, p := range h.places {
			h.t.Log(p.log.Keep(filepath.Join(*logs, string(p.id)+".log")))
		}
	}
	if h.t.Failed() {
		h.t.Logf("the authority said, at last:\n%s", h.log.Last())
		for _, p := range h.places {
			h.t.Logf("%s said, at last:\n%s", p.id, p.log.Last())
		}
	}
}

// keepersNow is what the authority says of its keepers.
func (h *house) keepersNow() ([]admin.KeeperState, error) {
	out, err := h.liuma("keeper", "status", "--json")
	if err != nil {
		return nil, err
	}
	return parse[[]admin.KeeperState](h.t, out), nil
}

// awaitNamed waits until the authority names the keeper with one of the states, in the
// status that people read as well.
func (h *house) awaitNamed(p *place, states ...string) {
	h.t.Helper()
	var last []admin.KeeperState
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		list, err := h.keepersNow()
		if err != nil {
			continue // it may have been killed
		}
		last = list
		at := slices.IndexFunc(list, func(k admin.KeeperState) bool { return k.ID == string(p.id) })
		if at < 0 || !slices.Contains(states, list[at].State) {
			continue
		}
		shown, err := h.liuma("status")
		if err == nil && (list[at].State == admin.KeeperWhole || strings.Contains(shown, list[at].State)) {
			return
		}
	}
	h.t.Fatalf("the authority does not say that %s is %v: %+v", p.id, states, last)
}

// awaitServing waits until the authority says that the keeper serves: one that answered
// otherwise than the others is told of for a while.
func (h *house) awaitServing(p *place) {
	h.t.Helper()
	h.awaitNamed(p, admin.KeeperWhole, string(keeper.Disagrees))
}

// awaitWhole waits until all keepers serve, and the authority is ready.
func (h *house) awaitWhole() {
	h.t.Helper()
	for _, p := range h.places {
		h.awaitServing(p)
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get("http://" + nativeAt + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
		}
		switch {
		case err == nil && resp.StatusCode == http.StatusOK:
			return
		case time.Now().After(end):
			h.t.Fatalf("the authority is not ready: %v, %v", resp, err)
		}
	}
}

// awaitAlarm waits until the record has more alarms about the keeper than it had.
func (h *house) awaitAlarm(p *place, fault keeper.Fault, had int) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if h.alarms(p, fault) > had {
			return
		}
	}
	h.t.Fatalf("no alarm that %s is %s", p.id, fault)
}

// alarms counts the alarms about a keeper on the record. Its times are those of the
// authority's high-water time, so nothing is asked of them here.
func (h *house) alarms(p *place, fault keeper.Fault) (n int) {
	h.t.Helper()
	out, err := h.liuma("audit", "find", "--event", "keeper.alarm", "--outcome", string(fault), "--json")
	must(h.t, err)
	return strings.Count(out, `"keeper=`+string(p.id)+`"`)
}

// rekey gives the authority another key and has it admitted everywhere, after its old one
// was dismissed somewhere.
func (h *house) rekey() {
	h.t.Helper()
	key := filepath.Join(h.Dir, config.KeyFile())
	if err := os.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Fatal(err)
	}
	h.key++
	h.join(h.name(), h.places...)
	h.kill()
	h.start()
}
