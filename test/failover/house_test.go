//go:build linux

package failover

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
	"github.com/liuma-pin/liuma/test/history"
	"github.com/liuma-pin/liuma/test/netns"
)

const (
	nativeAt  = "127.0.0.1:8600" // in each authority's own namespace
	thePeople = 4000             // in the registry
	// theChannels are so many that none spends its ration of freezes in a long trial.
	theChannels = 8
)

// house is the database, the keepers, which are in this process behind connections, and the
// authorities.
type house struct {
	*testkit.Env // made the first authority's directory, and is closed
	t            *testing.T
	base         string
	net          *netns.Network
	db           *cluster
	keepers      *keepers.House
	channels     []testkit.Party
	conf         config.Config
	at           []*authority
	services     []*history.Service // one a channel

	mu     sync.Mutex
	people []registry.Facts  // guarded by mu: who have no card yet
	acts   []*history.Tried  // guarded by mu: all that anybody was told
	all    []*history.Person // guarded by mu
}

// authority is one process that serves.
type authority struct {
	t       *testing.T
	binary  string
	number  int // of its site
	dir     string
	site    *netns.Site
	process *netns.Process
	log     netns.Log
	clients map[string]*client.Client // by channel
}

// newHouse makes everything and starts n authorities.
func newHouse(t *testing.T, n int) *house {
	t.Helper()
	base, err := os.MkdirTemp("", "lfo")
	must(t, err)
	must(t, os.Chmod(base, 0o711)) // the database's account goes through it
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	binary := filepath.Join(base, "liuma")
	if b, err := exec.Command("go", "build", "-o", binary, "github.com/liuma-pin/liuma/cmd/liuma").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, b)
	}
	h := &house{t: t, base: base}
	h.net, err = netns.New(3 + n)
	must(t, err)
	h.db = newCluster(t, base, h.net)
	h.keepers, err = keepers.New(t.Context(), keepers.Config{Dir: filepath.Join(base, "keepers"), Host: netns.Address(0)})
	must(t, err)
	t.Cleanup(func() { _ = h.keepers.Close() })
	h.populate(filepath.Join(base, "authority"))
	for i := range n {
		a := &authority{t: t, binary: binary, number: 4 + i, dir: h.Dir, site: h.net.Sites[4+i]}
		if i > 0 { // they share keys and configuration, and each makes its own name
			a.dir = filepath.Join(base, fmt.Sprint("authority-", i+1))
			must(t, os.CopyFS(a.dir, os.DirFS(h.Dir)))
			must(t, os.Remove(filepath.Join(a.dir, server.NameFile)))
			must(t, private(a.dir))
		}
		h.at = append(h.at, a)
	}
	for _, a := range h.at {
		a.start(h)
		t.Cleanup(a.kill)
	}
	return h
}

// private takes from others what a copy of files gave them.
func private(dir string) error {
	return filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(at, 0o600)
	})
}

// dsn is the address of the database, by pgx's list of hosts.
func (h *house) dsn() string {
	var hosts []string
	for _, n := range h.db.nodes {
		hosts = append(hosts, n.address()+":5432")
	}
	return "postgres://liuma@" + strings.Join(hosts, ",") + "/liuma?sslmode=verify-full&sslrootcert=" + h.db.roots
}

// populate makes the authority's directory and its people.
func (h *house) populate(dir string) {
	h.t.Helper()
	password := filepath.Join(h.base, "password")
	must(h.t, os.WriteFile(password, []byte(databasePassword+"\n"), 0o600))
	h.Env = testkit.New(h.t, testkit.Options{Dir: dir, People: thePeople, Clock: testkit.RunningClock(0), House: h.keepers,
		Configure: func(c *config.Config) {
			c.Log, c.Channel.Listen = "warn", nativeAt
			c.Database, c.DatabasePassword = h.dsn(), password
		}})
	h.people = h.People
	h.conf = h.System.Config
	for i := range theChannels {
		id := fmt.Sprint("channel-", i+1)
		h.channels = append(h.channels, h.AddParty(testkit.NationalChannel(id)))
		h.services = append(h.services, &history.Service{Channel: id, Purpose: "查询社保缴费年限", Evidence: h.World.Evidence, Patience: 3 * time.Minute,
			At: func(n int) *client.Client { return h.client(id, n) }, Took: h.took})
	}
	h.Close()
}

func (h *house) took(a *history.Tried) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acts = append(h.acts, a)
}

// client is a channel's at the nth authority, from the first again after the last.
func (h *house) client(channel string, n int) *client.Client {
	return h.at[n%len(h.at)].clients[channel]
}

// next is somebody who has no PIN yet, or nobody where everybody has one.
func (h *house) next() *history.Person {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.people) == 0 {
		return nil
	}
	p := h.services[len(h.all)%len(h.services)].NewPerson(h.people[0], uint64(len(h.all)))
	h.people = h.people[1:]
	h.all = append(h.all, p)
	return p
}

// start starts an authority and waits for its door.
func (a *authority) start(h *house) {
	a.t.Helper()
	var err error
	if a.process, err = a.site.Serve(&a.log, nativeAt, patience, a.binary, "serve", "--data", a.dir); err != nil {
		a.t.Fatalf("the authority: %v\n%s", err, a.log.Last())
	}
	dial := func(ctx context.Context, _, address string) (net.Conn, error) { return a.site.Dial(ctx, address) }
	calls := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 64}}
	a.clients = map[string]*client.Client{}
	for _, party := range h.channels {
		a.clients[party.ID], err = party.Connect("http://"+nativeAt, calls)
		must(a.t, err)
	}
}

// kill ends the authority as a power cut would.
func (a *authority) kill() {
	if a.process != nil {
		a.process.Kill()
		a.process = nil
	}
}

// keep writes what everybody said into a directory.
func (h *house) keep(dir string) {
	for i, a := range h.at {
		h.t.Log(a.log.Keep(filepath.Join(dir, fmt.Sprintf("authority-%d.log", i+1))))
	}
	for _, n := range h.db.nodes {
		data, err := os.ReadFile(n.log.Name())
		must(h.t, err)
		h.t.Log(os.WriteFile(filepath.Join(dir, n.name+".log"), data, 0o600))
	}
}
