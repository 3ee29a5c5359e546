package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// spokenDigits are the forty digits that a command printed to be read aloud.
func spokenDigits(t *testing.T, out string) string {
	t.Helper()
	found := regexp.MustCompile(`\d{4}( \d{4}){9}`).FindString(out)
	if found == "" {
		t.Fatalf("nothing to read aloud:\n%s", out)
	}
	return found
}

// TestThreeUsers walks through the runbook as three users of the system and a carrier:
// none of the three can read another's directory at any time, and the carrier none.
func TestThreeUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be three users")
	}
	base, program := publicProgram(t)
	people := make([]*systemUser, 3)
	for i := range people {
		people[i] = &systemUser{t: t, uid: uint32(61001 + i), program: program, dir: filepath.Join(base, fmt.Sprintf("home%d", i+1), "keeper")} //nolint:gosec // small
		home := filepath.Dir(people[i].dir)
		if err := errors.Join(os.Mkdir(home, 0o755), os.Chown(home, int(people[i].uid), int(people[i].uid))); err != nil {
			t.Fatal(err)
		}
		people[i].run("init", "--member", fmt.Sprint(i+1), "--address", fmt.Sprintf("k%d.example:7601", i+1))
	}
	mail := filepath.Join(base, "mail")
	if err := errors.Join(os.Mkdir(mail, 0o777), os.Chmod(mail, 0o777)); err != nil { //nolint:gosec // everybody's
		t.Fatal(err)
	}
	apart := func() {
		t.Helper()
		for i, p := range people {
			for j, other := range people {
				if i == j {
					continue
				}
				for _, name := range []string{"", "keeper.json", "ceremony.json", "carry", "issuer.key"} {
					if out, err := p.as("cat", filepath.Join(other.dir, name)); err == nil {
						t.Errorf("user %d reads %s of user %d: %s", i+1, name, j+1, out)
					}
				}
			}
		}
	}
	var digits []string
	for round := range 4 {
		for i, p := range people { // each puts what it has for the others into the mail
			if out, err := p.as("sh", "-c", "cp "+filepath.Join(p.dir, "carry")+"/* "+mail); err != nil {
				t.Fatalf("user %d, round %d: %v\n%s", i+1, round, err, out)
			}
		}
		apart()
		digits = nil
		for i, p := range people {
			out := p.run("ceremony")
			if !strings.Contains(out, "Now all of you together") {
				var theirs []string
				for j := range people {
					for _, f := range got(filepath.Glob(filepath.Join(mail, fmt.Sprintf("k%d-*.json", j+1))))(t) {
						if i != j {
							theirs = append(theirs, f)
						}
					}
				}
				out, _ = p.try(append([]string{"ceremony"}, theirs...)...) // some come too early
				if !strings.Contains(out, "Now all of you together") {
					continue
				}
			}
			digits = append(digits, spokenDigits(t, out))
		}
		if len(digits) == 3 {
			break
		}
	}
	if len(digits) != 3 || digits[0] != digits[1] || digits[1] != digits[2] {
		t.Fatalf("they read %q", digits)
	}
	for i, p := range people {
		if out := p.run("ceremony", "--heard", digits[(i+1)%3]); !strings.Contains(out, "key sets 1.") {
			t.Errorf("user %d: %s", i+1, out)
		}
	}
	apart()
}

// systemUser is one of three users of the system.
type systemUser struct {
	t       *testing.T
	uid     uint32
	program string
	dir     string
}

// as runs a command as this user.
func (p *systemUser) as(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = filepath.Dir(p.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.uid, Gid: p.uid}}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p *systemUser) try(args ...string) (string, error) {
	return p.as(p.program, append(args, "--dir", p.dir)...)
}

func (p *systemUser) run(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.t.Fatalf("user %d, %v: %v\n%s", p.uid, args, err, out)
	}
	return out
}

func got[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// publicProgram is the program in a directory that every user can reach.
func publicProgram(t *testing.T) (base, program string) {
	t.Helper()
	found := got(exec.LookPath("liuma-keeper"))(t)
	base = got(os.MkdirTemp("", "users"))(t)
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	if err := os.Chmod(base, 0o755); err != nil { //nolint:gosec // others run the program in it
		t.Fatal(err)
	}
	from := got(os.Open(found))(t)
	defer from.Close()
	program = filepath.Join(base, "liuma-keeper")
	to := got(os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o755))(t) //nolint:gosec // others run it
	_, err := io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		t.Fatal(err)
	}
	return base, program
}

// TestALostKeeperComesBack: a machine that is gone is replaced by another one, which has
// its share keys from the others, takes in their counts while nobody serves it, and counts
// on where the lost one had counted.
func TestALostKeeperComesBack(t *testing.T) {
	places := threeKeepers(t)
	authority := newCaller(t, "authority", wire.Authority)
	q, clients, target := guessedAt(t, authority, places)
	lost, left := places[1], []*place{places[0], places[2]}
	counted := spent(t, clients[1], target.Card)
	befriend(t, left[0], lost)
	befriend(t, lost, left[0])
	fresh := &place{t: t, id: lost.id, dir: lost.dir + "-new", listen: lost.listen}
	fresh.run("init", "--member", "2", "--address", fresh.listen, "--listen", fresh.listen, "--lost")
	asked := fresh.run("replace")
	ask := filepath.Join(fresh.dir, "carry", "k2-ask.json")
	if out, err := left[0].try("give", ask, "--heard", spokenDigits(t, asked)); err == nil || !strings.Contains(out, "still answers") {
		t.Fatalf("given while the old one serves: %v, %s", err, out)
	}
	_ = lost.end(syscall.SIGKILL)
	if err := os.RemoveAll(lost.dir); err != nil {
		t.Fatal(err)
	}
	for _, p := range left {
		gave := p.run("give", ask, "--heard", spokenDigits(t, asked))
		fresh.run("replace", filepath.Join(p.dir, "carry", string(p.id)+"-gift-k2.json"), "--heard", spokenDigits(t, gave))
	}
	left[0].run("dismiss", "k2") // the old machine's key; the new one has its own
	for _, p := range left {
		befriend(t, fresh, p)
	}
	if out, err := fresh.try("repair", "--seen", "many"); err == nil || !strings.Contains(out, "--seen cannot be") {
		t.Errorf("%v, %s", err, out)
	}
	out := fresh.run("repair", "--seen", fmt.Sprint(q.Seen()["k2"]))
	if !strings.Contains(out, "Repaired: ") || !strings.Contains(out, "k1, k3") {
		t.Errorf("%s", out)
	}
	fresh.start()
	t.Cleanup(func() { _ = fresh.end(syscall.SIGKILL) })
	// The running one repairs itself as well, by the same command.
	if out := fresh.run("repair"); !strings.Contains(out, "Repaired: ") {
		t.Errorf("%s", out)
	}
	d := got(host.Open(fresh.dir))(t)
	if s, err := d.Ask().Status(t.Context()); err != nil || s.State != host.Serves || s.Sequence <= q.Seen()["k2"] {
		t.Fatalf("%+v, %v; the authority saw %d", s, err, q.Seen()["k2"])
	}
	c := authority.calls(authority.admitted(fresh, "authority"))
	if n := spent(t, c, target.Card); n < counted || counted == 0 {
		t.Errorf("%d guesses counted, the lost one had %d", n, counted)
	}
	// With the new keeper and one old one: the shares fit together.
	two := newQuorum(t, []keeper.Keeper{clients[0], c, deadKeeper{clients[2]}})
	if out, err := two.Attempt(t.Context(), target, keeper.Guess{Limits: ledger.NationalLimits()}, []byte("135790")); err != nil || out.Verdict != liuma.Right {
		t.Errorf("%+v, %v", out, err)
	}
}

// deadKeeper answers no attempt.
type deadKeeper struct{ keeper.Keeper }

func (deadKeeper) Attempt(context.Context, keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	return keeper.AttemptAnswer{}, keeper.ErrGone
}
