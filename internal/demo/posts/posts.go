// Package posts runs the demo's three keepers, each in a process and a directory of its
// own, behind mutual TLS on loopback, and lets them be killed, cut off and healed. It
// guarantees that what is between them and the authority is the real thing: each keeper
// makes its own share keys and exchanges them by files, each admits the authority by
// digits, no process ever has all share keys, and a keeper whose process ends by itself is
// told of. It trusts its callers: one account runs all three here, and each process is the
// demo's own program. What a keeper's program may be made of is tested of cmd/liuma-keeper
// alone.
//
// The keepers go by the demo's time, which runs behind and ahead of the machine's: that,
// and that they end with the demo, is why they are not liuma-keeper
// (docs/decisions/0069-three-keepers-of-the-demo.md).
//
// Start here: Open, then House.Join; Main is the other side.
package posts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// Config describes the keepers. Dir, Clock and Program are required.
type Config struct {
	Dir     string // in which each keeper gets a directory
	Clock   *world.Clock
	Program Program
	Log     io.Writer // of the keepers; nil: it is not kept
	// Tell is called with each step, for the transcript.
	Tell func(Step)
}

// Program is how this program is started again as a keeper.
type Program struct {
	Path string
	Name string // its argument zero
}

// Itself is the program that runs.
func Itself() (Program, error) {
	path, err := os.Executable()
	if err != nil {
		return Program{}, fmt.Errorf("posts: which program this is: %w", err)
	}
	return Program{Path: path, Name: os.Args[0]}, nil
}

// Step is one step of making the keepers.
type Step struct {
	What   What
	Keeper keeper.ID
	PID    int
	Dir    string
	Digits string // as they were read aloud
}

// What was done.
type What int

// The steps, in their order.
const (
	Began    What = iota // a keeper has a process and a directory: Keeper, PID, Dir
	Compared             // the key ceremony is done: Digits
	Admitted             // a keeper let the authority in: Keeper, Digits of the request
	Serves               // a keeper serves: Keeper
)

// House is the three keepers.
type House struct {
	c     Config
	posts []*Post
	gone  chan Gone
}

// Gone is a keeper whose process ended although the demo did not end it.
type Gone struct {
	Keeper keeper.ID
	Why    string
}

// Gone returns the keepers whose processes ended by themselves. If nobody reads it for
// long, values are dropped; Post.Stand still has the state.
func (h *House) Gone() <-chan Gone { return h.gone }

func (h *House) ended(id keeper.ID, run *process) {
	if run.wasAsked() {
		return
	}
	select {
	case h.gone <- Gone{Keeper: id, Why: run.why}:
	default:
	}
}

// Open makes the keepers, has them go through the key ceremony, and starts them. ctx is
// for opening alone.
func Open(ctx context.Context, c Config) (_ *House, err error) {
	if c.Dir == "" || c.Clock == nil || c.Program.Path == "" {
		return nil, errors.New("posts: config: want Dir, Clock and Program")
	}
	if c.Tell == nil {
		c.Tell = func(Step) {}
	}
	h := &House{c: c, gone: make(chan Gone, 16)}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	for i := range shape().N {
		if err := h.add(ctx, i+1); err != nil {
			return nil, err
		}
	}
	if err := h.ceremony(ctx); err != nil {
		return nil, fmt.Errorf("posts: key ceremony: %w", err)
	}
	c.Clock.Follow(h.moved)
	return h, nil
}

// add makes a keeper's process and directory.
func (h *House) add(ctx context.Context, member int) error {
	id := keeper.IDOf(member)
	p := &Post{ID: id, Dir: filepath.Join(h.c.Dir, string(id)), house: h}
	var err error
	if p.line, err = newLine(); err != nil {
		return fmt.Errorf("posts: %w", err)
	}
	h.posts = append(h.posts, p)
	if err := p.begin(ctx); err != nil {
		return err
	}
	r, err := p.ask(ctx, order{Do: doInit, Member: member, Address: p.line.address()})
	if err != nil {
		return err
	}
	p.carry = r.Carry
	h.c.Tell(Step{What: Began, Keeper: id, PID: p.Stand().PID, Dir: p.Dir})
	return nil
}

// ceremony carries the files from keeper to keeper until each has digits, and reads the
// digits of one to the others.
func (h *House) ceremony(ctx context.Context) error {
	const rounds = 4 // hellos, offers, prints of all but the last, prints of the last
	for range rounds {
		var files []string
		for _, p := range h.posts {
			files = append(files, p.carry...)
		}
		for _, p := range h.posts {
			others := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return slices.Contains(p.carry, f) })
			r, err := p.ask(ctx, order{Do: doTake, Files: ranked(others)})
			if err != nil {
				return err
			}
			p.carried, p.digits = r.Carry, r.Digits
		}
		for _, p := range h.posts {
			p.carry = p.carried
		}
		if !slices.ContainsFunc(h.posts, func(p *Post) bool { return p.digits == "" }) {
			return h.compare(ctx)
		}
	}
	return errors.New("the files went round, and no digits came")
}

// ranked sorts the files in the order in which a keeper takes them.
func ranked(files []string) []string {
	slices.SortStableFunc(files, func(a, b string) int { return rank(a) - rank(b) })
	return files
}

func rank(path string) int {
	for i, kind := range []string{"-hello-", "-offers-", "-prints-"} {
		if ok, _ := filepath.Match("*"+kind+"*", filepath.Base(path)); ok {
			return i
		}
	}
	return 0
}

// compare has the first keeper read the digits to the others, and the second to the first.
func (h *House) compare(ctx context.Context) error {
	for i, p := range h.posts {
		read := h.posts[0]
		if i == 0 {
			read = h.posts[1]
		}
		if _, err := p.ask(ctx, order{Do: doFinish, Heard: read.digits}); err != nil {
			return err
		}
	}
	h.c.Tell(Step{What: Compared, Digits: h.posts[0].digits})
	return nil
}

// Posts are the keepers, in the order of their member numbers.
func (h *House) Posts() []*Post { return h.posts }

// Post is the keeper with a name; nil if there is none.
func (h *House) Post(id keeper.ID) *Post {
	for _, p := range h.posts {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// Settings are the keepers in the authority's configuration.
func (h *House) Settings() config.Keepers {
	c := config.Keepers{Shape: fmt.Sprintf("%d/%d", shape().T, shape().N), Key: config.KeyFile()}
	for _, p := range h.posts {
		c.Remote = append(c.Remote, config.RemoteKeeper{ID: string(p.ID), Address: p.line.address(), Admission: config.AdmissionFile(string(p.ID))})
	}
	return c
}

// Join makes the authority's key and request, has each keeper admit it by the digits, and
// starts the keepers.
func (h *House) Join(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	key, _, err := remote.MakeKey(filepath.Join(dir, config.KeyFile()))
	if err != nil {
		return err
	}
	q, err := admission.NewRequest("authority", wire.Authority|wire.Closer, key)
	if err != nil {
		return err
	}
	file := filepath.Join(h.c.Dir, "request-of-authority.json")
	if err := os.WriteFile(file, q.Encode(), 0o600); err != nil {
		return err
	}
	digits := q.Fingerprint().String()
	for _, p := range h.posts {
		out := filepath.Join(dir, config.AdmissionFile(string(p.ID)))
		if _, err := p.ask(ctx, order{Do: doAdmit, Files: []string{file}, Heard: digits, Out: out}); err != nil {
			return err
		}
		h.c.Tell(Step{What: Admitted, Keeper: p.ID, Digits: digits})
		if err := p.serve(ctx); err != nil {
			return err
		}
		h.c.Tell(Step{What: Serves, Keeper: p.ID})
	}
	return nil
}

// moved tells the keepers that the demo's time has changed. One that does not answer is
// told when it is started again.
func (h *House) moved() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, p := range h.posts {
		if p.Stand().State == Runs {
			_ = p.setTime(ctx) // see above
		}
	}
}

// Close ends all keepers in order, and their lines.
func (h *House) Close() error {
	h.c.Clock.Follow(nil)
	var errs []error
	for _, p := range h.posts {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}
