//go:build pkcs11

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

// hall is where three keepers with tokens of SoftHSM, and their spare ones, are.
type hall struct {
	t      *testing.T
	hsm    *tokentest.SoftHSM
	pin    string // a file
	places []*place
}

// newHall has tokens, and keepers that were set up.
func newHall(t *testing.T) *hall {
	t.Helper()
	base := got(os.MkdirTemp("", "hsm"))(t) // short: a socket's path has bounds
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	h := &hall{t: t, hsm: tokentest.New(t), pin: filepath.Join(base, "pin")}
	if err := os.WriteFile(h.pin, []byte(tokentest.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		id := string(keeper.IDOf(i))
		h.hsm.Init(id)
		h.hsm.Init("spare-" + id)
		p := &place{t: t, id: keeper.IDOf(i), dir: filepath.Join(base, id), listen: freeAddress(t)}
		h.places = append(h.places, p)
		h.setUp(p, id, "--spare", h.spare("spare-"+id, base))
		t.Cleanup(func() { _ = p.end(syscall.SIGKILL) })
	}
	return h
}

// spare is the public key of a spare token.
func (h *hall) spare(label, dir string) string {
	h.t.Helper()
	file := filepath.Join(dir, label+".pem")
	p := &place{t: h.t, dir: dir}
	if out := p.run("spare", "--pkcs11", h.hsm.Module, "--token", label, "--pin-file", h.pin, "--to", file); !strings.Contains(out, "Spare token "+label) {
		h.t.Errorf("%s", out)
	}
	return file
}

// setUp makes the directory of a keeper whose share keys are to be in a token.
func (h *hall) setUp(p *place, label string, more ...string) {
	h.t.Helper()
	args := []string{"init", "--member", string(p.id[1:]), "--address", p.listen, "--listen", p.listen, "--pkcs11", h.hsm.Module, "--token", label, "--pin-file", h.pin}
	if out := p.run(append(args, more...)...); !strings.Contains(out, "in the token "+label) {
		h.t.Errorf("%s", out)
	}
}

// files are those that all but one keeper have to be carried.
func (h *hall) files(but int) (out []string) {
	h.t.Helper()
	for i, p := range h.places {
		if i != but {
			out = append(out, got(filepath.Glob(filepath.Join(p.dir, "carry", "*.json")))(h.t)...)
		}
	}
	return out
}

// ceremony goes through one, by the commands.
func (h *hall) ceremony() {
	h.t.Helper()
	digits := make([]string, len(h.places))
	for range 4 {
		for i, p := range h.places {
			out := p.run("ceremony")
			if !strings.Contains(out, "Now all of you together") {
				out, _ = p.try(append([]string{"ceremony"}, h.files(i)...)...) // some come too early
			}
			if strings.Contains(out, "Now all of you together") {
				digits[i] = spokenDigits(h.t, out)
			}
		}
	}
	for i, p := range h.places {
		if out := p.run("ceremony", "--heard", digits[(i+1)%3]); !strings.Contains(out, "has its share keys") {
			h.t.Errorf("%s", out)
		}
	}
}

// TestHSMKeepers: three keepers with their share keys in tokens, from the beginning to a
// PIN that is set and checked; a token that is taken out while it serves, and put back;
// another key set; and a machine that is lost, and comes back from its spare token.
func TestHSMKeepers(t *testing.T) {
	h := newHall(t)
	h.ceremony()
	h.unextractable()
	authority := newCaller(t, "authority", wire.Authority)
	var clients []*wire.Client
	var keepers []keeper.Keeper
	for _, p := range h.places {
		p.start()
		c := authority.calls(authority.admitted(p, "authority"))
		clients, keepers = append(clients, c), append(keepers, c)
	}
	q := newQuorum(t, keepers)
	target := person(t, q)
	guess := func(pin string) (keeper.Outcome, error) {
		return q.Attempt(t.Context(), target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte(pin))
	}
	for pin, want := range map[string]liuma.Verdict{"135790": liuma.Right, "246801": liuma.Wrong} {
		if out, err := guess(pin); err != nil || out.Verdict != want {
			t.Errorf("%s: %+v, %v", pin, out, err)
		}
	}
	// Two of three decide, so the third may count later.
	patience.Until(t, "both guesses are counted at the first keeper", func() bool { return spent(t, clients[0], target.Card) == 2 })
	h.away(clients, target.Card, func() { _, _ = guess("135790") })
	if out, err := guess("135790"); err != nil || out.Verdict != liuma.Right {
		t.Errorf("after the tokens came back: %+v, %v", out, err)
	}
	for _, p := range h.places {
		p.run("rotate")
	}
	h.ceremony()
	h.unextractable()
	if out, err := h.places[0].try("replace"); err == nil || !strings.Contains(out, "given to nobody") {
		t.Errorf("asked for keys of tokens: %v, %s", err, out)
	}
	h.lost(authority, clients, target)
}

// unextractable wants what the real library says about keys that were locked.
func (h *hall) unextractable() {
	h.t.Helper()
	outside := got(token.Open(h.hsm.Config("spare-k1")))(h.t)
	to := got(outside.WrappingKey("outside"))(h.t)
	if err := outside.Close(); err != nil {
		h.t.Fatal(err)
	}
	tok := got(token.Open(h.hsm.Config("k1")))(h.t)
	defer func() { _ = tok.Close() }()
	for _, name := range []string{"liuma keeper k1 share 1/3", "liuma keeper k1 share 1/5"} {
		if _, err := tok.WrapShareKey(name, to); !errors.Is(err, token.ErrUnextractable) || !strings.Contains(err.Error(), "CKR_KEY_UNEXTRACTABLE") {
			h.t.Errorf("%s: %v", name, err)
		}
	}
}

// away takes all tokens out while the keepers serve: nothing is counted, the status says
// why, and it heals by itself.
func (h *hall) away(clients []*wire.Client, card liuma.CardID, guess func()) {
	t := h.t
	t.Helper()
	before := spent(t, clients[0], card)
	putBack := h.hsm.TakeOut()
	for range 8 { // more than lock a card
		guess()
	}
	d := got(host.Open(h.places[0].dir))(t)
	h.await(d, host.ShareKeys)
	if out := h.places[0].run("status"); !strings.Contains(out, "token with its share keys does not answer") {
		t.Errorf("%s", out)
	}
	if err := clients[0].Admit(t.Context(), now()); !errors.Is(err, keeper.ErrShareKeys) {
		t.Errorf("ready without its token: %v", err)
	}
	putBack()
	for _, p := range h.places {
		h.await(got(host.Open(p.dir))(t), host.Serves)
	}
	if n := spent(t, clients[0], card); n != before {
		t.Errorf("%d guesses were counted before the token was away, and %d after", before, n)
	}
}

func (h *hall) await(d *host.Dir, want host.State) {
	h.t.Helper()
	var s host.Status
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if s = got(d.Ask().Status(h.t.Context()))(h.t); s.State == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	h.t.Fatalf("%s stays %s (%s), want %s", d.Keeper, s.State, s.Why, want)
}

// lost has k2's machine and token gone, and k2 come back from its spare token.
func (h *hall) lost(authority *caller, clients []*wire.Client, target keeper.Target) {
	t := h.t
	t.Helper()
	old := h.places[1]
	saved := filepath.Join(t.TempDir(), "keeper.json")
	if err := os.WriteFile(saved, got(os.ReadFile(filepath.Join(old.dir, "keeper.json")))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = old.end(syscall.SIGKILL)
	h.hsm.Init("fresh")
	fresh := &place{t: t, id: "k2", dir: old.dir + "-new", listen: old.listen}
	h.setUp(fresh, "fresh", "--no-spare", "--lost")
	if out, err := fresh.try("takeover", saved, "--token", "spare-k1", "--pin-file", h.pin); err == nil || !strings.Contains(out, "not wrapped to this spare token") {
		t.Errorf("from another spare: %v, %s", err, out)
	}
	if out := fresh.run("takeover", saved, "--token", "spare-k2", "--pin-file", h.pin); !strings.Contains(out, "key sets 1, 2") {
		t.Errorf("%s", out)
	}
	for _, p := range []*place{h.places[0], h.places[2]} {
		befriend(t, fresh, p)
	}
	fresh.run("repair")
	fresh.start()
	t.Cleanup(func() { _ = fresh.end(syscall.SIGKILL) })
	c := authority.calls(authority.admitted(fresh, "authority"))
	two := newQuorum(t, []keeper.Keeper{clients[0], c, deadKeeper{clients[2]}})
	if out, err := two.Attempt(t.Context(), target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte("135790")); err != nil || out.Verdict != liuma.Right {
		t.Errorf("with the keeper that came back: %+v, %v", out, err)
	}
}

// TestHSMRefusals: what is wrong with a token is said before anything was made.
func TestHSMRefusals(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("k1")
	base := t.TempDir()
	pin, wrong, open := filepath.Join(base, "pin"), filepath.Join(base, "wrong"), filepath.Join(base, "open")
	for file, text := range map[string]string{pin: tokentest.PIN, wrong: "000000", open: tokentest.PIN} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o644); err != nil { //nolint:gosec // that is the fault
		t.Fatal(err)
	}
	p := &place{t: t, dir: filepath.Join(base, "k1")}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no word about a spare": {[]string{"--pkcs11", hsm.Module, "--token", "k1", "--pin-file", pin}, "--no-spare"},
		"a wrong PIN":           {[]string{"--pkcs11", hsm.Module, "--token", "k1", "--pin-file", wrong, "--no-spare"}, "refused its PIN"},
		"a PIN for all":         {[]string{"--pkcs11", hsm.Module, "--token", "k1", "--pin-file", open, "--no-spare"}, "readable by its owner alone"},
		"another label":         {[]string{"--pkcs11", hsm.Module, "--token", "k9", "--pin-file", pin, "--no-spare"}, "no token of this label"},
		"no library":            {[]string{"--pkcs11", "/nowhere.so", "--token", "k1", "--pin-file", pin, "--no-spare"}, "library cannot be loaded"},
		"no spare key":          {[]string{"--pkcs11", hsm.Module, "--token", "k1", "--pin-file", pin, "--spare", pin}, "no public key of a spare token"},
	} {
		out, err := p.try(append([]string{"init", "--member", "1", "--address", "127.0.0.1:7601"}, c.args...)...)
		if err == nil || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
		if _, err := os.Stat(p.dir); err == nil {
			t.Errorf("%s: a directory was made", name)
		}
	}
}
