package crash

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/config"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	storesqlite "github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/vault"
)

const channelID = "zj-hrss"

// house is a data directory and the server process on it.
type house struct {
	*testkit.Env // made the directory, and is closed
	binary       string
	dir          string        // that is served; empty: Env's own
	hosted       string        // address of the hosted door's listener, where there is one
	native       string        // address of the native door's listener
	files        int           // that the server may have open; zero: as many as the test
	within       time.Duration // that a call may take; zero: patience.Limit
	said         *bytes.Buffer
	config       config.Config
	process      *exec.Cmd
	channel      testkit.Party
	client       *client.Client
	holders      []*holder
	// The number of answers since the start, to all holders.
	verdicts, changes atomic.Int64
}

var programDir string // set once by TestMain

// program makes the real command, once for all tests.
var program = sync.OnceValues(func() (string, error) {
	out := filepath.Join(programDir, "liuma")
	if b, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "github.com/liuma-pin/liuma/cmd/liuma").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, b)
	}
	return out, nil
})

func TestMain(m *testing.M) {
	var err error
	if programDir, err = os.MkdirTemp("", "liuma-crash-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(programDir)
	os.Exit(code)
}

// build returns the real command.
func build(t *testing.T) string {
	t.Helper()
	out, err := program()
	must(t, err)
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHouse(t *testing.T, binary, shape string, people int) *house {
	t.Helper()
	h := &house{binary: binary, Env: testkit.New(t, testkit.Options{Shape: shape, People: 2 * people, Clock: testkit.RunningClock(0),
		Configure: func(c *config.Config) { c.Log = "error" }})}
	h.channel = h.AddParty(testkit.NationalChannel(channelID))
	for _, f := range h.People[:people] {
		h.holders = append(h.holders, h.newHolder(f))
	}
	h.leave(t)
	return h
}

func (h *house) newHolder(f registry.Facts) *holder {
	return &holder{facts: f, rng: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(len(h.holders))))}
}

// leave closes the world, so that the server can have its directory.
func (h *house) leave(t *testing.T) {
	t.Helper()
	h.config = h.System.Config
	h.Close()
	t.Cleanup(func() {
		if h.process != nil {
			h.process.Process.Kill()
			h.process.Wait()
		}
	})
}

// start runs the server and waits until it is ready.
func (h *house) start(t *testing.T) {
	t.Helper()
	dir := cmp.Or(h.dir, h.Dir)
	h.process = exec.Command(h.binary, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	if h.files > 0 {
		h.process = exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, h.files), h.binary, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	}
	h.said = &bytes.Buffer{}
	h.process.Stderr = h.said
	out, err := h.process.StdoutPipe()
	must(t, err)
	must(t, h.process.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not start: %v\n%s", err, h.said.String())
	}
	for at := ""; h.config.Hosted.Listen != "" && !strings.Contains(at, "hosted door listens at "); {
		if at, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("the server did not open the hosted door: %v\n%s", err, h.said.String())
		}
		_, h.hosted, _ = strings.Cut(strings.Trim(at, ")\n"), "listens at ")
	}
	base := line[strings.LastIndex(line, "http://"):]
	h.native = strings.TrimPrefix(strings.TrimSpace(base), "http://")
	h.client, err = h.channel.Connect(strings.TrimSpace(base),
		&http.Client{Timeout: cmp.Or(h.within, patience.Limit), Transport: &http.Transport{MaxIdleConnsPerHost: 64}})
	must(t, err)
}

// kill ends the process as a power cut would.
func (h *house) kill(t *testing.T) {
	t.Helper()
	must(t, h.process.Process.Kill())
	h.process.Wait() // reports the signal
	h.process = nil
}

func (h *house) enrollAll(t *testing.T) {
	t.Helper()
	for _, p := range h.holders {
		for p.card == "" {
			p.enroll(t, h)
		}
	}
}

func (p *holder) enroll(t *testing.T, h *house) {
	t.Helper()
	bn, pin := p.number(), p.somePIN()
	ch, err := h.client.Challenge(t.Context())
	must(t, err)
	d := client.DeviceRequest{Channel: channelID, Action: client.Enroll, BusinessNo: bn, Purpose: purpose, Challenge: ch,
		Subject: client.Subject{IDNumber: p.facts.IDNumber, Name: p.facts.Name, Phone: p.facts.Phone}}
	sealed, err := d.SealPIN([]byte(pin))
	must(t, err)
	proof, err := h.World.Evidence(p.facts, ch.Value)
	must(t, err)
	v, err := h.client.Enroll(t.Context(), client.EnrollRequest{BusinessNo: bn, Subject: d.Subject, Purpose: purpose,
		Challenge: ch.Value, Evidence: proof, NewPIN: sealed})
	if client.CodeOf(err) == "weak_pin" {
		return
	}
	must(t, err)
	if !v.Right() {
		t.Fatalf("enroll: %+v", v)
	}
	p.card, p.pin = v.Card, pin
}

// checkDisk opens the dead server's files and compares them with the answers
// that the holders got.
func (h *house) checkDisk(t *testing.T) {
	t.Helper()
	keys, err := vault.Open(h.config.Vault)
	must(t, err)
	db, err := storesqlite.Open(t.Context(), h.config.Database, storesqlite.Config{Seal: keys})
	must(t, err)
	ids := map[*holder]liuma.CardID{}
	must(t, db.View(t.Context(), func(r store.Reader) error {
		for _, p := range h.holders {
			link, err := r.LinkByHandle(channelID, store.Handle(p.card))
			if err != nil {
				return err
			}
			ids[p] = link.Card
			for bn, verdict := range p.given {
				row, err := r.Request(channelID, liuma.BusinessNo(bn))
				if err != nil {
					return fmt.Errorf("verdict %s of %s is not on disk: %w", verdict, bn, err)
				}
				if !row.Decided || string(row.Verdict) != verdict {
					return fmt.Errorf("%s: told %s, on disk decided=%v %s", bn, verdict, row.Decided, row.Verdict)
				}
			}
		}
		return nil
	}))
	must(t, db.Close())
	h.checkLedgers(t, ids)
}

// checkLedgers: right and wrong rest on t evaluations, each with a spend of
// its own, so the keepers together hold at least t for every such verdict.
func (h *house) checkLedgers(t *testing.T, ids map[*holder]liuma.CardID) {
	t.Helper()
	spent := map[*holder]uint64{}
	for _, dir := range h.config.Keepers.Directories {
		b, err := ledgersqlite.Open(context.Background(), filepath.Join(dir, "ledger.db"), ledgersqlite.Config{})
		must(t, err)
		for p, id := range ids {
			rows, err := b.Load(t.Context(), []liuma.CardID{id})
			must(t, err)
			must(t, rows[0].Tally.Validate())
			spent[p] += rows[0].Tally.Spent
		}
		must(t, b.Close())
	}
	shape, err := h.config.Keepers.SplitShape()
	must(t, err)
	for p, n := range spent {
		if want := uint64(p.spends * shape.T); n < want {
			t.Fatalf("verdicts were given for %d evaluations, %d are on disk", want, n)
		}
	}
}
