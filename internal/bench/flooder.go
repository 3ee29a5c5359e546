package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// atOnce is how many requests of a flood are under way at once, where they are
// not held. An attacker may have more; the server's bounds are a channel's.
const atOnce = 256

// job is what a flooder is told, on its standard input.
type job struct {
	Kind  string        `json:"kind"`
	Rate  float64       `json:"rate"`
	For   time.Duration `json:"for"`
	Stage *stage        `json:"stage"`
}

// outcome is what it says at the end.
type outcome struct {
	Sent    int            `json:"sent"`
	Answers map[string]int `json:"answers"`
}

// flooder sends one flood, in a process of its own.
type flooder struct {
	stage *stage
	http  *http.Client
	until time.Time // the end of the flood; set before the first request
}

func (f *flooder) connect(id string) (*client.Client, error) { return f.stage.connect(id, f.http) }

// ready is the line by which a flooder says that it waits to begin.
const ready = "ready\n"

// Flooder is the process of a flood: it reads a job, says that it is ready,
// begins with the next line, and prints how it was answered.
func Flooder(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("bench: job: %w", err)
	}
	var j job
	if err := json.Unmarshal(first, &j); err != nil {
		return fmt.Errorf("bench: job: %w", err)
	}
	k, ok := kindOf(j.Kind)
	if !ok || j.Stage == nil || j.Rate <= 0 || j.For <= 0 {
		return errors.New("bench: job: want a kind, a stage, a rate and a duration")
	}
	f := &flooder{stage: j.Stage, http: httpClient(atOnce)}
	send, err := k.sender(ctx, f)
	if err != nil {
		return fmt.Errorf("bench: %s: %w", j.Kind, err)
	}
	if _, err := io.WriteString(out, ready); err != nil {
		return err
	}
	if _, err := lines.ReadBytes('\n'); err != nil {
		return fmt.Errorf("bench: no word to begin: %w", err)
	}
	return json.NewEncoder(out).Encode(f.flood(ctx, j, k, send))
}

// flood sends at the job's rate, or as fast as answers come if they are slower.
func (f *flooder) flood(ctx context.Context, j job, k kind, send sender) outcome {
	f.until = time.Now().Add(j.For)
	most := atOnce
	if k.holds {
		most = int(j.Rate*j.For.Seconds()) + 1
	}
	o := outcome{Answers: map[string]int{}}
	var mu sync.Mutex // guards o.Answers
	o.Sent = paced(ctx, j.Rate, j.For, most, func(i int, _ time.Time) {
		label := send(ctx, i)
		mu.Lock()
		o.Answers[label]++
		mu.Unlock()
	})
	return o
}

// flooding is a flooder's process, from the side of the bench.
type flooding struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	over bool // the process has ended
}

// startFlooder starts one and waits until it is ready.
func startFlooder(c FloodConfig, s *stage, k kind) (_ *flooding, err error) {
	f := &flooding{cmd: exec.Command(c.Binary, "bench", "flooder")}
	f.cmd.Stderr = os.Stderr
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	f.out = bufio.NewReader(out)
	if err := startLow(f.cmd); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(f.in).Encode(job{Kind: k.name, Rate: c.Rate, For: c.For, Stage: s}); err != nil {
		return nil, errors.Join(fmt.Errorf("flooder: %w", err), f.end())
	}
	if line, err := f.out.ReadString('\n'); err != nil || line != ready {
		return nil, errors.Join(fmt.Errorf("flooder did not get ready: %w", err), f.end())
	}
	return f, nil
}

// begin lets the flood begin. If the flooder is gone, result says so.
func (f *flooding) begin() { io.WriteString(f.in, "\n") }

// result waits for the end of the flood.
func (f *flooding) result() (int, map[string]int, error) {
	var o outcome
	if err := json.NewDecoder(f.out).Decode(&o); err != nil {
		return 0, nil, fmt.Errorf("flooder: %w", err)
	}
	return o.Sent, o.Answers, f.wait()
}

func (f *flooding) wait() error {
	f.over = true
	return errors.Join(f.in.Close(), f.cmd.Wait())
}

// end ends the process where it has not ended by itself.
func (f *flooding) end() error {
	if f.over {
		return nil
	}
	f.over = true
	err := f.cmd.Process.Kill()
	f.cmd.Wait() // says that it was killed
	return err
}
