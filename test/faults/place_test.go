//go:build linux

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/test/netns"
)

// place is a keeper: a directory on a disk of its own, a site of the network, and the
// process there.
type place struct {
	t       *testing.T
	bin     programs
	id      keeper.ID
	member  int
	dir     string
	site    *netns.Site
	process *netns.Process // nil: none
	log     netns.Log
	look    *wire.Client // as its administrator
}

// diskSize has room for a ledger whose log grows to 64 MB before it is written back.
const diskSize = "160m"

// mountDisk gives a keeper's directory a disk of its own.
func mountDisk(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+diskSize)
}

func (p *place) address() string { return netns.Address(p.member) + ":7601" }

// run runs a command of liuma-keeper on the keeper's machine.
func (p *place) run(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.t.Fatalf("liuma-keeper %s at %s: %v\n%s", strings.Join(args, " "), p.id, err, out)
	}
	return out
}

func (p *place) try(args ...string) (string, error) {
	cmd := exec.Command(p.bin.keeper, append(args, "--dir", p.dir)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := p.site.Start(cmd); err != nil {
		return "", err
	}
	err := cmd.Wait()
	return out.String(), err
}

// start has the keeper serve, and waits until it does.
func (p *place) start() { p.t.Helper(); p.startWith(p.bin.keeper, "serve", "--dir", p.dir) }

func (p *place) startWith(program string, args ...string) {
	p.t.Helper()
	if err := p.tryStart(program, args...); err != nil {
		p.t.Fatalf("%s does not serve: %v\n%s", p.id, err, p.log.Last())
	}
}

func (p *place) tryStart(program string, args ...string) (err error) {
	p.process, err = p.site.Serve(&p.log, "", patience, program, args...)
	return err
}

// end ends the process by a signal, if there is one.
func (p *place) end(with syscall.Signal) {
	p.t.Helper()
	if p.process != nil && !p.process.End(with, patience) {
		p.t.Errorf("%s does not end", p.id)
	}
	p.process = nil
}

// state is how the keeper says that it stands.
func (p *place) state() host.Status {
	p.t.Helper()
	d, err := host.Open(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	s, err := d.Ask().Status(ctx)
	if err != nil {
		p.t.Fatalf("status of %s: %v\n%s", p.id, err, p.log.Last())
	}
	return s
}

// awaitState waits until the keeper says that it stands like this.
func (p *place) awaitState(want host.State) {
	p.t.Helper()
	var s host.Status
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if s = p.state(); s.State == want {
			return
		}
	}
	p.t.Fatalf("%s says %s (%s), want %s", p.id, s.State, s.Why, want)
}

// rows are all rows that the keeper holds.
func (p *place) rows() (map[liuma.CardID]ledger.Row, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out := map[liuma.CardID]ledger.Row{}
	err := p.look.Scan(ctx, liuma.CardID{}, func(r ledger.Row) error { out[r.Card] = r; return nil })
	return out, err
}

// admits has the keeper admit who asks in a file, with digits that are read aloud, and
// returns the file of the admission and the digits of the keeper.
func (p *place) admits(request, role string, more ...string) (file, digits string) {
	p.t.Helper()
	file = filepath.Join(p.t.TempDir(), "admission.json")
	p.run(append([]string{"admit", request, "--role", role, "--heard", digitsOf(p.t, request), "--out", file}, more...)...)
	return file, digitsOf(p.t, file)
}

// befriends has this keeper admitted by another one, for its repair.
func (p *place) befriends(at *place) {
	p.t.Helper()
	ask := filepath.Join(p.t.TempDir(), "request.json")
	p.run("request", "--out", ask)
	file, digits := at.admits(ask, "peer")
	p.run("accept", file, "--heard", digits)
}

// watched makes the client by which the trial reads the keeper's rows.
func (p *place) watched() {
	p.t.Helper()
	key, err := admission.NewKey()
	must(p.t, err)
	r, err := admission.NewRequest("trial", wire.Administrator, key)
	must(p.t, err)
	ask := filepath.Join(p.t.TempDir(), "trial.json")
	must(p.t, os.WriteFile(ask, r.Encode(), 0o600))
	file, _ := p.admits(ask, "administrator")
	data, err := os.ReadFile(file)
	must(p.t, err)
	a, err := admission.ParseAdmission(data)
	must(p.t, err)
	settings, err := a.TLS(key)
	must(p.t, err)
	if p.look != nil {
		_ = p.look.Close()
	}
	p.look, err = wire.NewClient(wire.ClientConfig{ID: p.id, Address: p.address(), TLS: settings})
	must(p.t, err)
}

// digitsOf is what is read aloud of a request or an admission.
func digitsOf(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	if r, err := admission.ParseRequest(data); err == nil {
		return r.Fingerprint().String()
	}
	a, err := admission.ParseAdmission(data)
	must(t, err)
	return a.Fingerprint().String()
}

// fillDisk leaves no room on the keeper's disk, and returns what makes room again.
func (p *place) fillDisk() (room func()) {
	p.t.Helper()
	name := filepath.Join(p.dir, "ballast")
	f, err := os.Create(name)
	must(p.t, err)
	for _, size := range []int{1 << 20, 4096} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		p.t.Fatal(err)
	}
	must(p.t, f.Close())
	return func() { must(p.t, os.Remove(name)) }
}

// copyLedger copies the ledger's files from one directory into another, in place of those
// that are there. No process may have it open.
func copyLedger(from, to string) error {
	names, err := filepath.Glob(filepath.Join(to, "ledger.db*"))
	if err != nil {
		return err
	}
	for _, n := range names {
		if !strings.HasSuffix(n, ".lock") {
			err = errors.Join(err, os.Remove(n))
		}
	}
	for _, n := range []string{"ledger.db", "ledger.db-wal"} {
		data, e := os.ReadFile(filepath.Join(from, n))
		if errors.Is(e, fs.ErrNotExist) && n != "ledger.db" {
			continue
		}
		if e == nil {
			e = os.WriteFile(filepath.Join(to, n), data, 0o600)
		}
		err = errors.Join(err, e)
	}
	return err
}

func parse[T any](t *testing.T, text string) (out T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
