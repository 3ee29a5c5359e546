package crash

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/evidence"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	storesqlite "github.com/liuma-pin/liuma/internal/store/sqlite"
)

const (
	channelID  = "zj-hrss"
	providerID = "test-face"
)

// house is a data directory and the server process on it.
type house struct {
	binary  string
	dir     string
	hosted  string // address of the hosted door's listener, where there is one
	config  config.Config
	process *exec.Cmd
	key     *ecdsa.PrivateKey
	signer  *evidence.Signer
	client  *client.Client
	holders []*holder
	// What has been answered since the start, by all holders.
	verdicts, changes atomic.Int64
}

// build makes the real command.
func build(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "liuma")
	cmd := exec.Command("go", "build", "-o", out, "github.com/liuma-pin/liuma/cmd/liuma")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, b)
	}
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
	h := &house{binary: binary, dir: filepath.Join(t.TempDir(), "data")}
	c := config.Default()
	c.AllowStandIn, c.Log = true, "error"
	c.Keepers.Shape = shape
	s, err := c.Keepers.SplitShape()
	must(t, err)
	c.Keepers.Directories = config.DefaultDirectories(s)
	must(t, server.Init(t.Context(), h.dir, c))
	h.config, err = config.Load(h.dir)
	must(t, err)
	h.populate(t, people)
	t.Cleanup(func() {
		if h.process != nil {
			h.process.Process.Kill()
			h.process.Wait()
		}
	})
	return h
}

func (h *house) populate(t *testing.T, people int) {
	t.Helper()
	office, err := server.OpenData(t.Context(), h.config, server.Options{})
	must(t, err)
	defer func() { must(t, office.Close()) }()
	var sample bytes.Buffer
	must(t, registry.Sample(&sample, 2*people, 7))
	rows, err := csv.NewReader(bytes.NewReader(sample.Bytes())).ReadAll()
	must(t, err)
	for _, r := range rows[1:] {
		if r[5] == string(liuma.PhysicalNormal) && len(h.holders) < people {
			h.holders = append(h.holders, &holder{
				facts: registry.Facts{IDNumber: r[0], Name: r[1], Phone: r[2], CardNo: r[3]},
				rng:   rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(len(h.holders)))),
			})
		}
	}
	_, err = office.Registry.Import(t.Context(), &sample, registry.ImportConfig{})
	must(t, err)
	h.key, err = ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	must(t, err)
	h.signer, err = evidence.NewSigner(providerID, h.key, "k")
	must(t, err)
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: h.key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	must(t, err)
	must(t, office.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		e := audit.Entry{At: time.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}
		if err := tx.InsertClient(store.Client{ID: providerID, Kind: store.ClientProvider, StandIn: true, Keys: keys}); err != nil {
			return e, err
		}
		return e, tx.InsertClient(store.Client{ID: channelID, Kind: store.ClientChannel, Keys: keys,
			Regions: []liuma.Region{""}, Actions: liuma.Actions()})
	}))
}

// start runs the server and waits until it is ready.
func (h *house) start(t *testing.T) {
	t.Helper()
	h.process = exec.Command(h.binary, "serve", "--data", h.dir, "--listen", "127.0.0.1:0")
	var said bytes.Buffer
	h.process.Stderr = &said
	out, err := h.process.StdoutPipe()
	must(t, err)
	must(t, h.process.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not start: %v\n%s", err, said.String())
	}
	for at := ""; h.config.Hosted.Listen != "" && !strings.Contains(at, "hosted door listens at "); {
		if at, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("the server did not open the hosted door: %v\n%s", err, said.String())
		}
		_, h.hosted, _ = strings.Cut(strings.Trim(at, ")\n"), "listens at ")
	}
	base := line[strings.LastIndex(line, "http://"):]
	h.client, err = client.New(client.Config{
		BaseURL: strings.TrimSpace(base), Audience: h.config.Issuer, ID: channelID, KeyID: "k", Key: h.key,
		HTTP: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	})
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
	now := time.Now()
	proof, err := h.signer.Sign(evidence.Statement{Audience: h.config.Issuer, Challenge: ch.Value,
		IDNumber: p.facts.IDNumber, Name: p.facts.Name, Method: "face", IssuedAt: now, Expires: now.Add(time.Minute)})
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

// checkDisk opens the dead server's files and holds them against what the
// holders were told.
func (h *house) checkDisk(t *testing.T) {
	t.Helper()
	db, err := storesqlite.Open(t.Context(), h.config.Database, storesqlite.Config{})
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
