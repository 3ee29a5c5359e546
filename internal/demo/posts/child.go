package posts

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/split"
)

// Argument is the first argument of the demo's program when it is to be a keeper. The help
// does not mention it, because only the demo uses it.
const Argument = "keeper-of-the-demo"

// shape is that of the demo's keepers.
func shape() split.Shape { return split.Shape{T: 2, N: 3} }

// The orders that the demo gives a keeper. Each does what an administrator does by a
// command of liuma-keeper.
const (
	doTime   = "time"   // the demo's time is another: Ahead, Passed
	doInit   = "init"   // Member, Address
	doTake   = "take"   // Files of the key ceremony
	doFinish = "finish" // the digits that were Heard
	doAdmit  = "admit"  // the request in Files, by the digits that were Heard, into Out
	doServe  = "serve"
	doStatus = "status"
)

// order is one line that the demo writes to a keeper.
type order struct {
	No      uint64        `json:"no"`
	Do      string        `json:"do"`
	Ahead   time.Duration `json:"ahead,omitempty"`  // of this machine's wall clock
	Passed  time.Duration `json:"passed,omitempty"` // beside the machine's running time
	Member  int           `json:"member,omitempty"`
	Address string        `json:"address,omitempty"` // that callers call
	Files   []string      `json:"files,omitempty"`
	Heard   string        `json:"heard,omitempty"`
	Out     string        `json:"out,omitempty"`
}

// report is the line with which the keeper answers.
type report struct {
	No     uint64       `json:"no"`            // of the order
	Why    string       `json:"why,omitempty"` // it failed
	Carry  []string     `json:"carry,omitempty"`
	Digits string       `json:"digits,omitempty"` // to be read aloud
	Listen string       `json:"listen,omitempty"`
	Status *host.Status `json:"status,omitempty"`
}

// Main is a keeper of the demo in a process of its own, from its arguments to its exit
// status. It obeys the lines of in, and ends in order when in ends. So no keeper is left
// when the demo is gone, however it ended. It ignores a terminal's interrupt, which all
// processes of the demo get; the demo handles it.
func Main(dir string, in io.Reader, out, log io.Writer) int {
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := &child{dir: dir, machine: &machine{system: clock.System()}, out: json.NewEncoder(out),
		log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := c.run(ctx, in); err != nil {
		fmt.Fprintln(log, err)
		return 1
	}
	return 0
}

// machine is this machine's clocks, moved like the demo's.
type machine struct {
	system        clock.Machine
	ahead, passed atomic.Int64
}

// Read implements clock.Machine.
func (m *machine) Read() clock.Reading {
	r := m.system.Read()
	r.Wall = r.Wall.Add(time.Duration(m.ahead.Load()))
	r.Boot += time.Duration(m.passed.Load())
	return r
}

// child is a keeper's process.
type child struct {
	dir     string
	machine *machine
	out     *json.Encoder
	log     *slog.Logger
	host    *host.Host // once it serves
	serving sync.WaitGroup
}

// run obeys orders until in ends, ctx ends, or the keeper stops serving.
func (c *child) run(ctx context.Context, in io.Reader) error {
	ctx, stop := context.WithCancel(ctx)
	defer c.serving.Wait()
	defer stop()
	orders, failed := make(chan order), make(chan error, 1)
	go func() {
		defer close(orders)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			var o order
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
				failed <- err
				return
			}
			select {
			case orders <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case o, more := <-orders:
			if !more {
				return nil
			}
			r, err := c.obey(ctx, o, failed)
			if r.No = o.No; err != nil {
				r.Why = err.Error()
			}
			if err := c.out.Encode(r); err != nil {
				return nil // the demo is gone
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *child) now() time.Time { return c.machine.Read().Wall }

func (c *child) obey(ctx context.Context, o order, failed chan<- error) (r report, err error) {
	desk := keys.Desk{Dir: c.dir}
	switch o.Do {
	case doTime:
		c.machine.ahead.Store(int64(o.Ahead))
		c.machine.passed.Store(int64(o.Passed))
	case doInit:
		return c.begin(o)
	case doTake:
		files, err := read(o.Files)
		if err != nil {
			return r, err
		}
		return stands(desk.Take(files...))
	case doFinish:
		return stands(desk.Finish(ctx, o.Heard))
	case doAdmit:
		return r, c.admit(o)
	case doServe:
		return c.serve(ctx, failed)
	case doStatus:
		if c.host == nil {
			return r, errors.New("it does not serve")
		}
		s := c.host.Status(ctx)
		r.Status = &s
	default:
		return r, fmt.Errorf("no such order: %q", o.Do)
	}
	return r, nil
}

// begin makes the keeper's directory, and begins the key ceremony.
func (c *child) begin(o order) (r report, err error) {
	at := admission.Place{Keeper: keeper.IDOf(o.Member), Member: o.Member, Shape: shape(), Address: o.Address}
	// The address is the line to the keeper, which the demo can cut; the keeper listens at
	// another one.
	if _, err := host.Create(c.dir, host.Config{Place: at, Listen: "127.0.0.1:0"}, c.now()); err != nil {
		return r, err
	}
	return stands(keys.Desk{Dir: c.dir}.Begin(keys.Who{ID: at.Keeper, Member: at.Member, Shape: at.Shape}, 0))
}

// stands is the state of the key ceremony.
func stands(w keys.Where, err error) (report, error) {
	return report{Carry: w.Carry, Digits: w.Digits}, err
}

func read(paths []string) (files [][]byte, err error) {
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		files = append(files, data)
	}
	return files, nil
}

// admit admits the authority that made a request.
func (c *child) admit(o order) error {
	files, err := read(o.Files)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return errors.New("one request at a time")
	}
	q, err := admission.ParseRequest(files[0])
	if err != nil {
		return err
	}
	d, err := host.Open(c.dir)
	if err != nil {
		return err
	}
	a, err := d.Admit(q, admission.Grant{Roles: wire.Authority | wire.Closer, Heard: o.Heard}, c.now())
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Clean(o.Out), a.Encode(), 0o600)
}

// serve opens the keeper, and reports where it listens. If the keeper ends by itself, so
// does the process.
func (c *child) serve(ctx context.Context, failed chan<- error) (r report, err error) {
	d, err := host.Open(c.dir)
	if err != nil {
		return r, err
	}
	h, err := host.Start(ctx, d, host.Options{Logger: c.log, Machine: c.machine, Release: "demo"})
	if err != nil {
		return r, err
	}
	c.host = h
	ready, ended := make(chan string, 1), make(chan error, 1)
	c.serving.Go(func() {
		err := h.Serve(ctx, func(at host.Addresses) { ready <- at.Door })
		ended <- err
		if err != nil {
			failed <- err
		}
	})
	select {
	case r.Listen = <-ready:
	case err = <-ended:
	}
	return r, err
}
