package crash

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/vault"
)

// tries runs liuma on a data directory, and returns all that it said.
func (h *house) tries(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), h.binary, append(args, "--data", dir)...)
	c.Env = append(os.Environ(), "LC_ALL=C")
	out, err := c.CombinedOutput()
	return string(out), err
}

func (h *house) runs(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := h.tries(t, dir, args...)
	if err != nil {
		t.Fatalf("liuma %v: %v\n%s", args, err, out)
	}
	return out
}

// refuses runs a command that is refused, with a sentence that says why.
func (h *house) refuses(t *testing.T, dir, why string, args ...string) {
	t.Helper()
	if out, err := h.tries(t, dir, args...); err == nil || !strings.Contains(out, why) {
		t.Errorf("liuma %v: %v, and not %q:\n%s", args, err, why, out)
	}
}

// digitsIn are the 32 digits that a command showed.
func digitsIn(t *testing.T, said string) string {
	t.Helper()
	found := regexp.MustCompile(`\d{4}( +\d{4}){7}`).FindString(said)
	if found == "" {
		t.Fatalf("no digits were shown:\n%s", said)
	}
	return found
}

// files are the names and contents of a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir+"/")] = string(content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

// guest is a directory on a machine that joins, and what is carried for it.
type guest struct {
	*house
	asked, invited string // files
	digits         string // of invited
}

// asks makes a directory that asks to join, and has it invited by h, which need not run.
func (h *house) asks(t *testing.T) *guest {
	t.Helper()
	carried := t.TempDir()
	g := &guest{house: &house{binary: h.binary, Env: h.Env, channel: h.channel, dir: filepath.Join(t.TempDir(), "data")},
		asked: filepath.Join(carried, "asked"), invited: filepath.Join(carried, "keys")}
	t.Cleanup(func() {
		if g.process != nil {
			_ = g.process.Process.Kill()
			_ = g.process.Wait()
		}
	})
	g.isInvited(t, h)
	return g
}

// isInvited asks, and has h invite.
func (g *guest) isInvited(t *testing.T, h *house) {
	t.Helper()
	said := h.runs(t, g.dir, "keys", "ask", g.asked)
	g.digits = digitsIn(t, h.runs(t, cmp.Or(h.dir, h.Dir), "keys", "invite", g.asked, g.invited, "--digits", digitsIn(t, said)))
}

func (g *guest) takes(t *testing.T) {
	t.Helper()
	g.runs(t, g.dir, "keys", "take", g.invited, "--digits", g.digits)
}

// hasAll reports whether the directory has all that was carried, and wants that it has nothing
// that would serve where it has not.
func (g *guest) hasAll(t *testing.T, h *house) bool {
	t.Helper()
	there, theirs := files(t, g.dir), files(t, cmp.Or(h.dir, h.Dir))
	keys, has := there["vault.key"]
	if !has {
		if _, ask := there["join.key"]; !ask {
			t.Errorf("neither keys nor what opens them: %v", names(there))
		}
		return false
	}
	if keys != theirs["vault.key"] || there["heads"] == "" || there["liuma.yaml"] == "" {
		t.Errorf("keys without the rest, or others: %v", names(there))
	}
	return true
}

func names(of map[string]string) (out []string) {
	for name := range of {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// isAdmitted fills in what is the machine's own: it is admitted at each keeper under a name.
func (g *guest) isAdmitted(t *testing.T, p *several, name string) {
	t.Helper()
	asked := filepath.Join(t.TempDir(), "request")
	g.runs(t, g.dir, "keeper", "request", "--name", name, "--out", asked)
	raw, err := os.ReadFile(asked)
	must(t, err)
	request, err := admission.ParseRequest(raw)
	must(t, err)
	for _, k := range p.kept.Posts() {
		a, err := k.Admit(request)
		must(t, err)
		file := filepath.Join(t.TempDir(), string(k.ID)+".admission")
		must(t, os.WriteFile(file, a.Encode(), 0o600))
		g.runs(t, g.dir, "keeper", "add", file, "--heard", a.Fingerprint().String())
	}
	g.config, err = config.Load(g.dir)
	must(t, err)
}

// member is what an authority knows of another, once it does: who has just started is not
// known at once, and who was put off is heard again at a later look.
func (h *house) member(t *testing.T, name string) (m keyring.Member) {
	t.Helper()
	until(t, name+" is known", func() bool {
		s := h.keyring(t)
		i := slices.IndexFunc(s.Members, func(m keyring.Member) bool { return m.Name == name })
		if i >= 0 {
			m = s.Members[i]
		}
		return i >= 0
	})
	return m
}

// confirms has two authorities confirm one another by the digits that each shows of itself.
func confirms(t *testing.T, a, b *house) {
	t.Helper()
	for _, at := range [][2]*house{{a, b}, {b, a}} {
		other := at[1].member(t, at[1].name(t))
		at[0].command(t, "keys", "confirm", other.Name, "--digits", other.Digits, "--reason", "compared")
	}
}

// answer alike: at each authority the right PIN of each holder is right, and another is wrong.
func (p *several) answerAlike(t *testing.T, all ...*house) {
	t.Helper()
	for _, h := range p.at[0].holders {
		for _, at := range all {
			wrong := h.somePIN()
			for wrong == h.pin {
				wrong = h.somePIN()
			}
			for pin, want := range map[string]string{h.pin: "right", wrong: "wrong"} {
				if v := h.ask(t, at, pin); v != want {
					t.Errorf("%s at %s is %s, and not %s", h.facts.CardNo, at.name(t), v, want)
				}
			}
			h.ask(t, at, h.pin)
		}
	}
}

// TestASecondMachineJoins: a new directory asks, is invited, takes, is admitted by the keepers,
// and serves beside the one that invited it, of the same database; both answer alike and name
// one another. What was altered, is another's, was used, or comes with other digits takes
// nothing and gives nothing; the one who invites need not run. One that is dismissed gets no
// later key, and comes back only by being invited, and confirmed, anew.
func TestASecondMachineJoins(t *testing.T) {
	p := newSeveral(t, 1, 2)
	first := p.at[0]
	for _, f := range first.People[:2] {
		first.holders = append(first.holders, first.newHolder(f))
	}
	first.start(t)
	first.enrollAll(t)

	g := first.asks(t)
	nothing := files(t, g.dir)
	g.refusals(t, first)
	if now := files(t, g.dir); len(now) != len(nothing) || now["join.key"] != nothing["join.key"] {
		t.Errorf("what was refused left %v", names(now))
	}

	first.kill(t) // files alone are asked
	g.takes(t)
	if !g.hasAll(t, first) {
		t.Fatal("it has no keys")
	}
	g.refuses(t, g.dir, "has a key file already", "keys", "take", g.invited, "--digits", g.digits)
	must(t, os.Rename(filepath.Join(g.dir, "vault.key"), filepath.Join(g.dir, "aside")))
	g.refuses(t, g.dir, "has not asked to join", "keys", "take", g.invited, "--digits", g.digits)
	must(t, os.Rename(filepath.Join(g.dir, "aside"), filepath.Join(g.dir, "vault.key")))
	if out, err := g.tries(t, g.dir, "serve", "--listen", "127.0.0.1:0"); err == nil {
		t.Errorf("it serves before any keeper admitted it:\n%s", out)
	}
	g.isAdmitted(t, p, "authority-2")
	g.start(t) // the one that invited it is down
	p.answerAlike(t, g.house)
	first.start(t)
	p.answerAlike(t, first, g.house)

	confirms(t, first, g.house)
	for _, at := range []*house{first, g.house} {
		for _, of := range []*house{first, g.house} {
			m := at.member(t, of.name(t))
			if here := of.member(t, of.name(t)); m.Digits != here.Digits || !m.Here && !m.Confirmed {
				t.Errorf("at %s %+v", at.name(t), m)
			}
		}
	}
	first.command(t, "keys", "vault", "rotate", "--reason", "both are in")
	until(t, "the one that joined has the new key", func() bool {
		keys, err := g.file().RootKeys()
		return err == nil && keys[len(keys)-1].ID == 2 && keys[len(keys)-1].Seals
	})
	p.answerAlike(t, first, g.house)
	p.dismissed(t, g)
}

// refusals: none of it takes a thing.
func (g *guest) refusals(t *testing.T, h *house) {
	t.Helper()
	dir := cmp.Or(h.dir, h.Dir)
	whole, err := os.ReadFile(g.invited)
	must(t, err)
	other := g.invited + ".other"
	h.refuses(t, dir, "not the digits of this file", "keys", "invite", g.asked, other, "--digits", g.digits)
	if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an invitation for other digits: %v", err)
	}
	h.refuses(t, dir, "has a key file already", "keys", "ask", other)
	h.refuses(t, dir, "has a key file already", "keys", "take", g.invited, "--digits", g.digits)
	g.refuses(t, g.dir, "not the digits of this file", "keys", "take", g.invited, "--digits", strings.Repeat("1234 ", 8))
	for _, at := range []int{len("liuma-join-keys 1\n"), len(whole) / 2, len(whole) - 1} {
		altered := bytes.Clone(whole)
		altered[at] ^= 1
		must(t, os.WriteFile(other, altered, 0o600))
		g.refuses(t, g.dir, "not the digits of this file", "keys", "take", other, "--digits", g.digits)
		// Whoever altered it is believed on the phone, too.
		g.refuses(t, g.dir, "nothing was taken", "keys", "take", other, "--digits", vault.CarriedFingerprint(altered).String())
	}
	must(t, os.WriteFile(other, whole[:len(whole)-1], 0o600))
	g.refuses(t, g.dir, "nothing was taken", "keys", "take", other, "--digits", vault.CarriedFingerprint(whole[:len(whole)-1]).String())
	stranger := h.asks(t)
	stranger.refuses(t, stranger.dir, "nothing was taken", "keys", "take", g.invited, "--digits", g.digits)
	g.refuses(t, g.dir, "nothing was taken", "keys", "take", stranger.invited, "--digits", stranger.digits)
	if out, err := g.tries(t, g.dir, "serve", "--listen", "127.0.0.1:0"); err == nil {
		t.Errorf("it serves without keys:\n%s", out)
	}
}

// dismissed: the first authority dismisses the one that joined. A key that is made then does not
// reach it, it does not start without, and what once invited it brings nothing. It comes back as
// it came: with the keys of another invitation, and under an identity that was confirmed.
func (p *several) dismissed(t *testing.T, g *guest) {
	t.Helper()
	first, name := p.at[0], g.name(t)
	first.command(t, "keys", "dismiss", name, "--reason", "its machine was stolen")
	if m := first.member(t, name); !m.Dismissed {
		t.Errorf("dismissed, and known as %+v", m)
	}
	g.kill(t)
	until(t, "it has ended", func() bool { return p.count(t, "SELECT count(*) FROM authorities WHERE process IS NOT NULL") == 1 })
	first.command(t, "keys", "vault", "rotate", "--reason", "one was stolen")
	until(t, "the key is in use", func() bool {
		keys, err := first.file().RootKeys()
		return err == nil && keys[len(keys)-1].ID == 3 && keys[len(keys)-1].Seals
	})
	if out, err := g.tries(t, g.dir, "serve", "--listen", "127.0.0.1:0"); err == nil || !strings.Contains(out, "nothing was taken") {
		t.Errorf("one that was dismissed starts: %v\n%s", err, out)
	}
	must(t, os.Rename(filepath.Join(g.dir, "vault.key"), filepath.Join(g.dir, "vault.key.before")))
	g.refuses(t, g.dir, "has not asked to join", "keys", "take", g.invited, "--digits", g.digits)
	g.isInvited(t, first)
	g.takes(t)
	must(t, os.Remove(filepath.Join(g.dir, "identity.key")))
	g.start(t)
	if m := first.member(t, name); m.Confirmed {
		t.Errorf("who came back is confirmed by itself: %+v", m)
	}
	confirms(t, first, g.house)
	p.answerAlike(t, first, g.house)
	if n := p.count(t, "SELECT count(*) FROM audit WHERE event = 'authority.joined'"); n < 4 {
		t.Errorf("the record has %d who joined", n)
	}
}

// TestKilledWhileItTakes: the command that takes an invitation is killed at any moment. There is
// no key file then, or all of it; given again it brings everything.
func TestKilledWhileItTakes(t *testing.T) {
	p := newSeveral(t, 1, 1)
	first := p.at[0]
	g := first.asks(t)
	began := time.Now()
	g.takes(t)
	took := time.Since(began)
	half, whole := 0, 0
	for i := range kills(t) {
		g := first.asks(t)
		c := exec.CommandContext(t.Context(), g.binary, "keys", "take", g.invited, "--digits", g.digits, "--data", g.dir)
		must(t, c.Start())
		// The files are written towards the end.
		time.Sleep(took/2 + took*time.Duration(i)/time.Duration(kills(t)))
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()
		if g.hasAll(t, first) {
			whole++
			if _, err := os.Stat(filepath.Join(g.dir, "join.key")); errors.Is(err, fs.ErrNotExist) {
				continue // it was done
			}
		} else {
			half++
		}
		g.takes(t)
		there := names(files(t, g.dir))
		if !g.hasAll(t, first) || slices.Contains(there, "join.key") || slices.ContainsFunc(there, func(name string) bool { return filepath.Base(name)[0] == '.' }) {
			t.Errorf("after it was given again: %v", there)
		}
		g.refuses(t, g.dir, "has a key file already", "keys", "take", g.invited, "--digits", g.digits)
	}
	t.Logf("killed %d times before the keys were there, and %d times after", half, whole)
}
