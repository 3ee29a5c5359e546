package posts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
)

// State is the state of a keeper's process.
type State string

// The states.
const (
	Runs   State = "runs"
	Killed State = "killed" // by Kill
	Died   State = "died"   // by itself, or by somebody else
)

// Standing is the state of a keeper, as its own machine sees it.
type Standing struct {
	State State
	PID   int
	Why   string // with Died
	Cut   bool   // the line to it
	// Own is the keeper's own answer about its state; nil if it does not answer.
	Own *host.Status
}

const (
	// startFor is how long a keeper may take to answer.
	startFor = time.Minute
	// statusFor is how long it may take to answer about its state.
	statusFor = time.Second
	// endFor is how long it may take to end in order.
	endFor = 5 * time.Second
	// lastWords is how much of a keeper's log is kept to say why it died.
	lastWords = 2 << 10
)

// Post is one keeper. Its methods may be called concurrently.
type Post struct {
	ID    keeper.ID
	Dir   string
	house *House
	line  *line

	// For the ceremony, which is one goroutine's.
	carry, carried []string
	digits         string

	acting sync.Mutex // held by Kill, Heal and close
	asking sync.Mutex // held while an order is answered

	mu      sync.Mutex
	process *process // guarded by mu
}

// process is one run of the keeper's program.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan report
	said    tail
	ended   chan struct{} // closed when it has ended
	no      uint64        // of the last order; guarded by Post.asking

	// Set before ended is closed.
	why string

	mu    sync.Mutex
	asked bool // guarded by mu: the demo ended it
}

func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// begin starts the keeper's process, which follows the demo's time and does nothing yet.
func (p *Post) begin(ctx context.Context) error {
	c := p.house.c
	cmd := exec.Command(c.Program.Path) //nolint:gosec,noctx // this program itself; it ends when its input does
	cmd.Args = []string{c.Program.Name, Argument, p.Dir}
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("posts: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("posts: %w", err)
	}
	run := &process{cmd: cmd, in: in, answers: make(chan report), ended: make(chan struct{})}
	cmd.Stderr = &run.said
	if c.Log != nil {
		cmd.Stderr = io.MultiWriter(&run.said, c.Log)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("posts: %w", err)
	}
	go run.hear(out)
	go func() {
		_ = cmd.Wait() // the result is in its status
		run.why = cmd.ProcessState.String()
		if words := run.said.String(); words != "" {
			run.why += ": " + words
		}
		close(run.ended)
		p.house.ended(p.ID, run)
	}()
	p.mu.Lock()
	p.process = run
	p.mu.Unlock()
	return p.setTime(ctx)
}

// setTime tells the keeper the demo's time.
func (p *Post) setTime(ctx context.Context) error {
	ahead, passed := p.house.c.Clock.Moved()
	_, err := p.ask(ctx, order{Do: doTime, Ahead: ahead, Passed: passed})
	return err
}

// serve has the keeper serve, and connects the line to it.
func (p *Post) serve(ctx context.Context) error {
	r, err := p.ask(ctx, order{Do: doServe})
	if err == nil {
		p.line.leads(r.Listen)
	}
	return err
}

// ask gives the keeper an order, and waits until it has obeyed.
func (p *Post) ask(ctx context.Context, o order) (r report, err error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	run := p.last()
	if run == nil || run.over() {
		return r, fmt.Errorf("posts: %s: its process does not run", p.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, startFor)
	defer cancel()
	if r, err = run.exchange(ctx, o); err == nil && r.Why != "" {
		err = errors.New(r.Why)
	}
	if err != nil {
		return r, fmt.Errorf("posts: %s: %s: %w", p.ID, o.Do, err)
	}
	return r, nil
}

// exchange writes an order and waits for its answer. It is called by one goroutine at a
// time. Answers to earlier orders that were given up may come first: they are dropped.
func (p *process) exchange(ctx context.Context, o order) (r report, err error) {
	p.no++
	o.No = p.no
	sent, err := json.Marshal(o)
	if err != nil {
		return r, err
	}
	end, _ := ctx.Deadline() // there always is one
	if d, ok := p.in.(interface{ SetWriteDeadline(at time.Time) error }); ok {
		_ = d.SetWriteDeadline(end) // a system without it has a pipe that is never full
	}
	if _, err := p.in.Write(append(sent, '\n')); err != nil {
		return r, err
	}
	for {
		select {
		case r = <-p.answers:
			if r.No == o.No {
				return r, nil
			}
		case <-p.ended:
			return r, errors.New(p.why)
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// hear reads the answers, until the process ends.
func (p *process) hear(out io.Reader) {
	for dec := json.NewDecoder(out); ; {
		var r report
		if dec.Decode(&r) != nil {
			return
		}
		select {
		case p.answers <- r:
		case <-p.ended:
			return
		}
	}
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over() {
		p.asked = true
		_ = p.cmd.Process.Kill() // it may have ended just now
	}
}

func (p *process) wasAsked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// last is the keeper's process, which may have ended; nil if none was started.
func (p *Post) last() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}

// Kill ends the keeper's process at once, as power loss does.
func (p *Post) Kill() {
	p.acting.Lock()
	defer p.acting.Unlock()
	run := p.last()
	if run != nil {
		run.kill()
		<-run.ended
	}
}

// Cut ends the connections to the keeper, and lets none through.
func (p *Post) Cut() { p.line.cut() }

// Heal mends the line, and starts the keeper if it does not run.
func (p *Post) Heal(ctx context.Context) error {
	p.acting.Lock()
	defer p.acting.Unlock()
	p.line.mend()
	if p.Stand().State == Runs {
		return nil
	}
	if err := p.begin(ctx); err != nil {
		return err
	}
	return p.serve(ctx)
}

// Stand is the state of the keeper's process and of the line to it.
func (p *Post) Stand() Standing {
	run := p.last()
	s := Standing{State: Died, Cut: p.line.isCut()}
	if run == nil {
		return s
	}
	s.PID = run.cmd.Process.Pid
	if !run.over() {
		s.State = Runs
		return s
	}
	if run.wasAsked() {
		s.State = Killed
		return s
	}
	s.Why = run.why
	return s
}

// Ask is Stand, with the keeper's own answer.
func (p *Post) Ask(ctx context.Context) Standing {
	s := p.Stand()
	ctx, cancel := context.WithTimeout(ctx, statusFor)
	defer cancel()
	if s.State == Runs {
		if r, err := p.ask(ctx, order{Do: doStatus}); err == nil {
			s.Own = r.Status
		}
	}
	return s
}

// close ends the keeper in order, and the line.
func (p *Post) close() error {
	p.acting.Lock()
	defer p.acting.Unlock()
	run := p.last()
	if run != nil {
		run.mu.Lock()
		run.asked = true
		run.mu.Unlock()
		_ = run.in.Close() // that is how it is told; it may be gone
		select {
		case <-run.ended:
		case <-time.After(endFor):
			run.kill()
			<-run.ended
		}
	}
	return p.line.close()
}

// tail keeps the end of the text that is written to it. Safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	last []byte // guarded by mu
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - lastWords; over > 0 {
		t.last = append([]byte(nil), t.last[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := bytes.TrimSpace(t.last)
	if i := bytes.LastIndexByte(last, '\n'); i >= 0 {
		last = last[i+1:]
	}
	return string(last)
}
