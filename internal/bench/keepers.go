package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
)

// processes are keepers that run liuma-keeper, each in a directory of its own beside the
// data and at an address of the loopback. They are a world.House.
type processes []*process

type process struct {
	binary string
	dir    *host.Dir
	shape  string
	cmd    *exec.Cmd    // nil: it does not run
	said   bytes.Buffer // to standard error
}

// newProcesses makes the keepers of a shape. Join starts them.
func newProcesses(ctx context.Context, c Config) (out processes, err error) {
	shape, err := (config.Keepers{Shape: c.Shape}).SplitShape()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for i := range shape.N {
		dirs = append(dirs, c.keeperDir(i))
	}
	if _, err := keeper.CreateQuorum(ctx, dirs, shape); err != nil {
		return nil, err
	}
	for i, dir := range dirs {
		address, err := free()
		if err != nil {
			return nil, err
		}
		place := admission.Place{Keeper: keeper.IDOf(i + 1), Member: i + 1, Shape: shape, Address: address}
		d, err := host.Create(dir, host.Config{Place: place, Listen: address}, time.Now())
		if err != nil {
			return nil, err
		}
		out = append(out, &process{binary: c.Keeper, dir: d, shape: c.Shape})
	}
	return out, nil
}

// keepersBeside ends the name of the directory with the keepers' own.
const keepersBeside = "-keepers"

func (c Config) keeperDir(i int) string {
	return filepath.Join(c.data()+keepersBeside, string(keeper.IDOf(i+1)))
}

// openProcesses finds the keepers that newProcesses made in an earlier run. They do not
// run yet.
func openProcesses(c Config) (out processes, err error) {
	shape, err := (config.Keepers{Shape: c.Shape}).SplitShape()
	if err != nil {
		return nil, err
	}
	for i := range shape.N {
		d, err := host.Open(c.keeperDir(i))
		if err != nil {
			return nil, err
		}
		out = append(out, &process{binary: c.Keeper, dir: d, shape: c.Shape})
	}
	return out, nil
}

// free is an address of the loopback that nobody listens at.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Settings implements world.House.
func (p processes) Settings() config.Keepers {
	c := config.Keepers{Shape: p[0].shape, Key: config.KeyFile()}
	for _, k := range p {
		c.Remote = append(c.Remote, config.RemoteKeeper{ID: string(k.dir.Keeper), Address: k.dir.Address, Admission: config.AdmissionFile(string(k.dir.Keeper))})
	}
	return c
}

// Join implements world.House, and starts the keepers.
func (p processes) Join(data string) error {
	key, _, err := remote.MakeKey(filepath.Join(data, config.KeyFile()))
	if err != nil {
		return err
	}
	r, err := admission.NewRequest("authority", wire.Authority|wire.Closer, key)
	if err != nil {
		return err
	}
	for _, k := range p {
		a, err := k.dir.Admit(r, admission.Grant{Roles: r.Wants, Heard: r.Fingerprint().String()}, time.Now())
		if err != nil {
			return err
		}
		if err := remote.WriteFile(filepath.Join(data, config.AdmissionFile(string(k.dir.Keeper))), a.Encode()); err != nil {
			return err
		}
	}
	return p.start()
}

// start starts those that do not run, and waits until they answer.
func (p processes) start() error {
	for _, k := range p {
		if k.cmd != nil {
			continue
		}
		cmd := exec.Command(k.binary, "serve", "--dir", k.dir.Path())
		cmd.Stderr = &k.said
		endWithUs(cmd)
		if err := cmd.Start(); err != nil {
			return err
		}
		k.cmd = cmd
	}
	for _, k := range p {
		if err := k.answers(); err != nil {
			return err
		}
	}
	return nil
}

// answers waits until the keeper's door is open.
func (k *process) answers() error {
	for range 200 {
		c, err := net.DialTimeout("tcp", k.dir.Address, time.Second)
		if err == nil {
			return c.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("keeper %s did not start", k.dir.Keeper)
}

// stop ends those that run.
func (p processes) stop() error {
	var errs []error
	for _, k := range p {
		if k.cmd == nil {
			continue
		}
		err := k.cmd.Process.Signal(syscall.SIGTERM)
		if ended := k.cmd.Wait(); err == nil && ended != nil {
			err = fmt.Errorf("keeper %s: %w: %s", k.dir.Keeper, ended, k.said.String())
		}
		k.cmd = nil
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// dirs are the keepers' directories.
func (p processes) dirs() (out []string) {
	for _, k := range p {
		out = append(out, k.dir.Path())
	}
	return out
}

// pids are those that run.
func (p processes) pids() (out []int) {
	for _, k := range p {
		if k.cmd != nil {
			out = append(out, k.cmd.Process.Pid)
		}
	}
	return out
}
