package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// place is one keeper, run by the real program.
type place struct {
	t      *testing.T
	id     keeper.ID
	dir    string
	listen string
	cmd    *exec.Cmd
	log    *bytes.Buffer
}

// run runs the program and returns what it printed.
func (p *place) run(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (p *place) try(args ...string) (string, error) {
	out, err := exec.Command("liuma-keeper", append(args, "--dir", p.dir)...).CombinedOutput()
	return string(out), err
}

// start begins to serve and waits until it does.
func (p *place) start() {
	p.t.Helper()
	p.log = &bytes.Buffer{}
	p.cmd = exec.Command("liuma-keeper", "serve", "--dir", p.dir)
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if err := served(p.dir); err != nil {
		p.t.Fatalf("%s does not serve: %v\n%s", p.id, err, p.log)
	}
}

// end ends the process by a signal.
func (p *place) end(with syscall.Signal) error {
	p.t.Helper()
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(with); err != nil {
		p.t.Fatal(err)
	}
	err := p.cmd.Wait()
	p.cmd = nil
	return err
}

// threeKeepers are three keepers of 2 of 3, each a process of its own.
func threeKeepers(t *testing.T) (places []*place) {
	t.Helper()
	return keepersOf(t, split.Shape{T: 2, N: 3})
}

// keepersOf are the keepers of a shape, each a process of its own.
func keepersOf(t *testing.T, shape split.Shape) (places []*place) {
	t.Helper()
	base, err := os.MkdirTemp("", "keepers") // short: a socket's path has bounds
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	var dirs []string
	for i := 1; i <= shape.N; i++ {
		dirs = append(dirs, filepath.Join(base, string(keeper.IDOf(i))))
	}
	if _, err := keeper.CreateQuorum(t.Context(), dirs, shape); err != nil {
		t.Fatal(err)
	}
	for i, dir := range dirs {
		p := &place{t: t, id: keeper.IDOf(i + 1), dir: dir, listen: freeAddress(t)}
		p.run("init", "--shape", fmt.Sprintf("%d/%d", shape.T, shape.N), "--member", fmt.Sprint(i+1), "--address", p.listen, "--listen", p.listen, "--metrics", "127.0.0.1:0")
		p.start()
		t.Cleanup(func() { _ = p.end(syscall.SIGKILL) })
		places = append(places, p)
	}
	return places
}

// caller is who calls keepers, with a key of its own.
type caller struct {
	t    *testing.T
	name string
	key  *ecdsa.PrivateKey
	file string // its request
	n    int    // admissions
}

func newCaller(t *testing.T, name string, wants wire.Role) *caller {
	t.Helper()
	key, err := admission.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	r, err := admission.NewRequest(name, wants, key)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{t: t, name: name, key: key, file: filepath.Join(t.TempDir(), "request.json")}
	if err := os.WriteFile(c.file, r.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// admitted is the caller's admission at a keeper, as its administrator gives it; the
// digits are read aloud at the first one.
func (c *caller) admitted(p *place, role string, more ...string) *admission.Admission {
	c.t.Helper()
	data, err := os.ReadFile(c.file)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := admission.ParseRequest(data)
	if err != nil {
		c.t.Fatal(err)
	}
	c.n++
	out := filepath.Join(c.t.TempDir(), fmt.Sprintf("admission-%d.json", c.n))
	args := append([]string{"admit", c.file, "--role", role, "--out", out}, more...)
	if !strings.Contains(p.run("callers"), c.name+",") {
		args = append(args, "--heard", r.Fingerprint().String())
	}
	p.run(args...)
	if data, err = os.ReadFile(out); err != nil {
		c.t.Fatal(err)
	}
	a, err := admission.ParseAdmission(data)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// calls is a client by an admission.
func (c *caller) calls(a *admission.Admission) *wire.Client {
	c.t.Helper()
	conf, err := a.TLS(c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	client, err := wire.NewClient(wire.ClientConfig{ID: a.Keeper, Address: a.Address, TLS: conf})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = client.Close() })
	return client
}

func now() keeper.Header { return keeper.Header{Now: time.Now()} }

// person is a card whose PIN is 135790.
func person(t *testing.T, q *keeper.Quorum) keeper.Target {
	t.Helper()
	target := keeper.Target{Card: liuma.CardID{1, 2, 3}, Tag: ledger.Tag{4, 5, 6}, Head: keeper.Head{At: 1}}
	verifier, err := q.Propose(t.Context(), target, 1, 1, []byte("135790"))
	if err != nil {
		t.Fatal(err)
	}
	target.Version, target.KeySet, target.Verifier = 1, 1, verifier
	all, err := q.Commit(t.Context(), ledger.Commitment{Card: target.Card, Version: 1, KeySet: 1, Verifier: verifier, Tag: target.Tag}, target.Head)
	if err != nil || !all {
		t.Fatalf("commit: %v, %v", all, err)
	}
	return target
}

func newQuorum(t *testing.T, clients []keeper.Keeper) *keeper.Quorum {
	t.Helper()
	shape := split.Shape{T: 2, N: 3}
	if len(clients) == 1 {
		shape = split.Shape{T: 1, N: 1}
	}
	q, err := keeper.NewQuorum(keeper.QuorumConfig{
		Keepers: clients, Shape: shape, KeySet: 1, Now: time.Now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// spent is how many guesses a keeper counted for a card.
func spent(t *testing.T, c *wire.Client, card liuma.CardID) uint64 {
	t.Helper()
	var last error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); { // a client that lost its keeper waits before it dials again
		a, err := c.Status(t.Context(), card)
		if err == nil {
			return a.Row.Tally.Spent
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(last)
	return 0
}

// TestThreeProcesses: a PIN is set and checked by three processes; what was counted stays
// counted when all are killed and started again; a role does what it may and no more; and
// who is dismissed is refused at once.
func TestThreeProcesses(t *testing.T) {
	places := threeKeepers(t)
	authority := newCaller(t, "authority", wire.Authority|wire.Closer)
	var clients []*wire.Client
	var keepers []keeper.Keeper
	for _, p := range places {
		c := authority.calls(authority.admitted(p, "authority"))
		clients, keepers = append(clients, c), append(keepers, c)
	}
	q := newQuorum(t, keepers)
	target := person(t, q)
	for pin, want := range map[string]liuma.Verdict{"135790": liuma.Right, "246801": liuma.Wrong} {
		if out, err := q.Attempt(t.Context(), target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte(pin)); err != nil || out.Verdict != want {
			t.Errorf("%s: %+v, %v", pin, out, err)
		}
	}

	t.Run("killed", func(t *testing.T) {
		var before []uint64
		for i, p := range places {
			before = append(before, spent(t, clients[i], target.Card))
			_ = p.end(syscall.SIGKILL)
		}
		for _, p := range places {
			p.start()
		}
		for i := range places {
			if n := spent(t, clients[i], target.Card); n != before[i] || n == 0 {
				t.Errorf("%s counted %d guesses before it was killed, and %d after", places[i].id, before[i], n)
			}
		}
	})

	t.Run("roles", func(t *testing.T) {
		if _, err := clients[0].Retire(t.Context(), now(), target.Card); !errors.Is(err, wire.ErrRole) {
			t.Errorf("an authority that was not granted to close: %v", err)
		}
		peer := newCaller(t, "k2", wire.Authority|wire.Closer|wire.Administrator)
		c := peer.calls(peer.admitted(places[0], "peer"))
		if err := c.Scan(t.Context(), liuma.CardID{}, func(ledger.Row) error { return nil }); err != nil {
			t.Errorf("a peer reads rows: %v", err)
		}
		if err := c.Admit(t.Context(), now()); !errors.Is(err, wire.ErrRole) {
			t.Errorf("a peer, which wanted more, as authority: %v", err)
		}
	})

	t.Run("dismissed", func(t *testing.T) {
		if err := clients[0].Admit(t.Context(), now()); err != nil {
			t.Fatal(err)
		}
		places[0].run("dismiss", "authority")
		begun := time.Now()
		for range 4 {
			if err := clients[0].Admit(t.Context(), now()); err == nil {
				t.Error("who was dismissed is served")
			}
			time.Sleep(200 * time.Millisecond)
		}
		if err := clients[1].Admit(t.Context(), now()); err != nil {
			t.Errorf("at another keeper, after %v: %v", time.Since(begun), err)
		}
		out, err := places[0].try("admit", authority.file, "--role", "authority", "--out", filepath.Join(t.TempDir(), "a.json"))
		if err == nil || !strings.Contains(out, "dismissed") {
			t.Errorf("admitted again: %v, %s", err, out)
		}
		// The other two go on.
		if out, err := q.Attempt(t.Context(), target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte("135790")); err != nil || out.Verdict != liuma.Right {
			t.Errorf("without the keeper that dismissed: %+v, %v", out, err)
		}
	})

	t.Run("told", func(t *testing.T) {
		checkTold(t, places[1], target)
	})

	t.Run("swept", func(t *testing.T) { sweep(t, places) })

	if err := places[2].end(syscall.SIGTERM); err != nil {
		t.Errorf("stopped with %v\n%s", err, places[2].log)
	}
}

// checkTold looks at status, metrics and log: they have numbers, and nothing of a card.
func checkTold(t *testing.T, p *place, target keeper.Target) {
	t.Helper()
	d, err := host.Open(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Ask().Status(t.Context())
	if err != nil || s.State != host.Serves || s.Connections["authority"] != 1 || s.Sequence == 0 {
		t.Errorf("status %+v, %v", s, err)
	}
	shown := p.run("status") + p.run("status", "--json") + p.log.String()
	resp, err := http.Get("http://" + p.metricsAt() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"liuma_keeper_spends_total 1\n", `liuma_keeper_state{state="serves"} 1`, `liuma_keeper_connections{role="authority"} 1`, `liuma_keeper_caller_certificate_end_seconds{caller="authority"} `} {
		if !strings.Contains(string(text), want) {
			t.Errorf("metrics lack %q:\n%s", want, text)
		}
	}
	shown += string(text)
	for name, secret := range map[string]string{"card": target.Card.String(), "tag": fmt.Sprintf("%x", target.Tag[:]), "verifier": fmt.Sprintf("%x", target.Verifier[:])} {
		if strings.Contains(shown, secret) {
			t.Errorf("a %s is told", name)
		}
	}
}

// metricsAt finds in the log where the metrics are.
func (p *place) metricsAt() string {
	_, rest, _ := strings.Cut(p.log.String(), `"metrics":"`)
	at, _, _ := strings.Cut(rest, `"`)
	return at
}

// TestEndAndRenewal: an admission ends on an open connection as well, and a renewed one is
// served without a restart; so is a renewed certificate of the door.
func TestEndAndRenewal(t *testing.T) {
	p := threeKeepers(t)[0]
	authority := newCaller(t, "authority", wire.Authority)
	c := authority.calls(authority.admitted(p, "authority", "--for", "4s"))
	if err := c.Admit(t.Context(), now()); err != nil {
		t.Fatal(err)
	}
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end) && err == nil; time.Sleep(100 * time.Millisecond) {
		err = c.Admit(t.Context(), now())
	}
	if err == nil {
		t.Error("served after its end")
	}
	p.run("renew")
	renewed := authority.calls(authority.admitted(p, "authority"))
	if err := renewed.Admit(t.Context(), now()); err != nil {
		t.Errorf("renewed: %v", err)
	}
}

// guessedAt has a PIN set at keepers and one wrong guess counted.
func guessedAt(t *testing.T, authority *caller, places []*place) (*keeper.Quorum, []*wire.Client, keeper.Target) {
	t.Helper()
	var clients []*wire.Client
	var keepers []keeper.Keeper
	for _, p := range places {
		c := authority.calls(authority.admitted(p, "authority"))
		clients, keepers = append(clients, c), append(keepers, c)
	}
	q := newQuorum(t, keepers)
	target := person(t, q)
	if out, err := q.Attempt(t.Context(), target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte("246801")); err != nil || out.Verdict != liuma.Wrong {
		t.Fatalf("%+v, %v", out, err)
	}
	return q, clients, target
}

// TestRepairOverTheWire: a keeper that lost its ledger says so and serves nobody, takes
// the rows of the other two, and serves with every count.
func TestRepairOverTheWire(t *testing.T) {
	places := threeKeepers(t)
	authority := newCaller(t, "authority", wire.Authority)
	q, clients, target := guessedAt(t, authority, places)
	lost := places[0]
	want := spent(t, clients[0], target.Card)
	d, err := host.Open(lost.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range places[1:] {
		befriend(t, lost, p)
	}
	_ = lost.end(syscall.SIGKILL)
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm"} {
		if err := os.Remove(filepath.Join(lost.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	lost.start()
	if s, err := d.Ask().Status(t.Context()); err != nil || s.State != host.Gone {
		t.Fatalf("without its ledger: %+v, %v", s, err)
	}
	// A caller says what it had from this keeper: the repair goes above it.
	seen := q.Seen()["k1"]
	for range 50 {
		if err := clients[0].Admit(t.Context(), keeper.Header{Now: time.Now(), Seen: seen}); errors.Is(err, keeper.ErrGone) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := d.Ask().Repair(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	s := awaitRepair(t, d)
	if s.State != host.Serves || s.Repair.Why != "" || s.Repair.Rows == 0 || s.Sequence <= seen {
		t.Errorf("repaired: %+v, %+v", s, s.Repair)
	}
	if n := spent(t, clients[0], target.Card); n < want {
		t.Errorf("counted %d guesses before its ledger was lost, and %d after the repair", want, n)
	}
	if out, err := q.Attempt(t.Context(), target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte("135790")); err != nil || out.Verdict != liuma.Right {
		t.Errorf("after the repair: %+v, %v", out, err)
	}
}

// copied copies a keeper's directory while it does not serve.
func (p *place) copied() *place {
	p.t.Helper()
	twin := &place{t: p.t, id: p.id, dir: p.dir + "-copy", listen: p.listen}
	if err := os.MkdirAll(twin.dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", p.dir+"/.", twin.dir).CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	p.t.Cleanup(func() { _ = twin.end(syscall.SIGKILL) })
	return twin
}

// twice are keepers of which some also have a copy on another machine, with the same
// certificates and keys, that is reached at the same address.
type twice struct {
	t       *testing.T
	places  []*place
	twins   []*place // as the keepers were after one wrong guess
	clients []*wire.Client
	q       *keeper.Quorum
	target  keeper.Target
	wrong   int // verdicts since the last right one
}

func runTwice(t *testing.T, shape split.Shape, copies int) *twice {
	t.Helper()
	w := &twice{t: t, places: keepersOf(t, shape), wrong: 1}
	w.q, w.clients, w.target = guessedAt(t, newCaller(t, "authority", wire.Authority), w.places)
	for i, p := range w.places[:copies] {
		if err := p.end(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		w.twins = append(w.twins, p.copied())
		p.start()
		w.reached(i, false)
	}
	return w
}

func (w *twice) guess(pin string) liuma.Verdict {
	w.t.Helper()
	out, err := w.q.Attempt(w.t.Context(), w.target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte(pin))
	switch {
	case err != nil:
		return liuma.Unavailable
	case out.Verdict == liuma.Wrong:
		w.wrong++
	case out.Verdict == liuma.Right:
		w.wrong = 0
	}
	return out.Verdict
}

// reached waits until the authority reaches the one that answers at an address now: the
// keeper, which serves, or the copy, which says that it is an older one.
func (w *twice) reached(i int, copied bool) {
	w.t.Helper()
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		err = w.clients[i].Admit(w.t.Context(), keeper.Header{Now: time.Now(), Seen: w.q.Seen()[w.places[i].id]})
		if copied && errors.Is(err, ledger.ErrRolledBack) || !copied && err == nil {
			return
		}
	}
	w.t.Fatalf("%s, copy %t: %v", w.places[i].id, copied, err)
}

// answers has the copy, or the keeper, answer from now on.
func (w *twice) answers(i int, copied bool) {
	w.t.Helper()
	from, to := w.twins[i], w.places[i]
	if copied {
		from, to = to, from
	}
	if err := from.end(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	to.start()
	w.reached(i, copied)
}

// TestCopiesOfKeepersGiveNoGuess: two of three keepers have copies. Whichever answers, before
// and after guesses: there are no more wrong guesses than without them, and the holder gets in
// with the keepers that were never put back.
func TestCopiesOfKeepersGiveNoGuess(t *testing.T) {
	w := runTwice(t, split.Shape{T: 2, N: 3}, 2)
	if got := w.guess("246801"); got != liuma.Wrong {
		t.Fatal(got)
	}
	for range 2 { // and again, with copies that were told already
		w.answers(0, true)
		w.answers(1, true)
		if got := w.guess("246801"); got != liuma.Unavailable {
			t.Errorf("at two copies: %s", got)
		}
		w.answers(0, false)
		if got := w.guess("135790"); got != liuma.Right {
			t.Errorf("the holder, with one copy: %s", got)
		}
		w.answers(1, false)
		w.guess("246801")
	}
	for range 12 { // the copy of one keeper is reached in turn with the keeper
		if w.guess("246801") != liuma.Wrong {
			break
		}
		w.answers(0, true)
		w.guess("246801")
		w.answers(0, false)
	}
	if w.wrong > 6 || w.guess("246801") != liuma.Locked {
		t.Errorf("%d wrong guesses, and no lock", w.wrong)
	}
}

// TestACopyOfTheOnlyKeeper: in the shape of one, a copy gives no guess either.
func TestACopyOfTheOnlyKeeper(t *testing.T) {
	w := runTwice(t, split.Shape{T: 1, N: 1}, 1)
	for range 12 {
		if w.guess("246801") != liuma.Wrong {
			break
		}
		w.answers(0, true)
		if got := w.guess("135790"); got != liuma.Unavailable {
			t.Errorf("the copy says %s", got)
		}
		w.answers(0, false)
	}
	if w.wrong > 6 || w.guess("246801") != liuma.Locked {
		t.Errorf("%d wrong guesses, and no lock", w.wrong)
	}
}

// befriend has one keeper admitted by another, as both administrators do it.
func befriend(t *testing.T, who, at *place) {
	t.Helper()
	tmp := t.TempDir()
	ask, answer := filepath.Join(tmp, "request.json"), filepath.Join(tmp, "admission.json")
	who.run("request", "--out", ask)
	at.run("admit", ask, "--role", "peer", "--heard", spokenOf(t, ask), "--out", answer)
	who.run("accept", answer, "--heard", spokenOf(t, answer))
}

// spokenOf is what is read aloud of a request or an admission.
func spokenOf(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := admission.ParseRequest(data); err == nil {
		return r.Fingerprint().String()
	}
	a, err := admission.ParseAdmission(data)
	if err != nil {
		t.Fatal(err)
	}
	return a.Fingerprint().String()
}

func awaitRepair(t *testing.T, d *host.Dir) host.Status {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		s, err := d.Ask().Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if s.Repair != nil && !s.Repair.Ended.IsZero() {
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the repair does not end")
	return host.Status{}
}
