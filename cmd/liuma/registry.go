package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	admindoor "github.com/liuma-pin/liuma/internal/door/admin"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// registryCmd is "liuma registry".
type registryCmd struct {
	Sample sampleCmd         `cmd:"" help:"Write a registry of made-up people, in the form that import reads."`
	Import importCmd         `cmd:"" help:"Import physical cards from a CSV file."`
	Client registryClientCmd `cmd:"" help:"The clients that report lost, found, cancelled and replaced cards."`
}

// sampleCmd is "liuma registry sample".
type sampleCmd struct {
	People int    `name:"people" required:"" placeholder:"N" help:"How many people, 1 to 100000000."`
	Seed   uint64 `name:"seed" default:"1" help:"The same seed makes the same people."`
	Out    string `name:"out" placeholder:"FILE" help:"Write here instead of standard output. The file must not exist."`
}

// Run writes the sample.
func (a *sampleCmd) Run(t *terminal) error {
	if a.People < 1 || a.People > registry.MaxSample {
		return badUsage("liuma registry sample", "--people %d: want 1 to %d", a.People, registry.MaxSample)
	}
	if a.Out == "" {
		return registry.Sample(t.out, a.People, a.Seed)
	}
	f, done, err := create(a.Out, 0o600)
	if err != nil {
		return err
	}
	if err := done(registry.Sample(f, a.People, a.Seed)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.err, "Wrote %d made-up people to %s.\n", a.People, a.Out)
	return err
}

// importCmd is "liuma registry import".
type importCmd struct {
	File string `arg:"" help:"CSV, UTF-8, with the header id_number,name,phone,card_no,region,status. Rows that are not taken are listed in FILE.rejected.csv by line and reason."`
}

// Run imports the file. Rejected rows do not make it fail: the summary counts
// them, and the side file names them.
func (a *importCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	in, err := os.Open(a.File)
	if err != nil {
		return fmt.Errorf("registry file: %w", err)
	}
	defer in.Close() // read only: nothing to lose
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("registry file: %w", err)
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		side := &rejects{path: a.File + ".rejected.csv"}
		bar := progress.Bytes(t.err, "import", info.Size(), isTerminal(t.err))
		sum, err := adm.ImportRegistry(ctx, in, admin.ImportConfig{Progress: bar.Set, Reject: side.add})
		bar.Done()
		err = errors.Join(err, side.close())
		if !errors.Is(err, admindoor.ErrLost) { // it is unknown how many rows were kept
			fmt.Fprintf(t.out, "Read %d rows: %d kept, %d rejected.\n", sum.Read, sum.Kept, sum.Rejected)
		}
		if side.n > 0 {
			fmt.Fprintf(t.out, "Rejected rows by line and reason: %s\n", side.path)
		}
		if err != nil {
			return fmt.Errorf("%w; what was kept stays, and the same file can be imported again", err)
		}
		return nil
	})
}

// rejects is the side file of an import. It is made with the first rejected
// row, and replaces the side file of an earlier import.
type rejects struct {
	path string
	n    int
	file *os.File
	out  *csv.Writer
	err  error // the first error of writing
}

func (r *rejects) add(line int, reason string) {
	r.n++
	if r.err == nil && r.file == nil {
		r.open()
	}
	if r.err == nil {
		r.err = r.out.Write([]string{strconv.Itoa(line), reason})
	}
}

func (r *rejects) open() {
	// A side file of an earlier import goes first, so that the file gets this mode.
	if err := os.Remove(r.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.err = err
		return
	}
	if r.file, r.err = os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); r.err != nil {
		return
	}
	r.out = csv.NewWriter(r.file) // which buffers
	r.err = r.out.Write([]string{"line", "reason"})
}

func (r *rejects) close() error {
	if r.file == nil {
		return wrapRejects(r.path, r.err)
	}
	r.out.Flush()
	return wrapRejects(r.path, errors.Join(r.err, r.out.Error(), r.file.Close()))
}

func wrapRejects(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("side file %s: %w", path, err)
}

// registryClientCmd is "liuma registry client".
type registryClientCmd struct {
	Add registryClientAddCmd `cmd:"" help:"Register a client with its public key."`
	clientCmds
}

// AfterApply says whom the commands below are about.
func (registryClientCmd) AfterApply(k *kong.Context) error {
	k.Bind(group{store.ClientRegistry, "liuma registry client"})
	return nil
}

// registryClientAddCmd is "liuma registry client add".
type registryClientAddCmd struct{ namedAddCmd }

// Run registers the client.
func (a *registryClientAddCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.addClient(ctx, t, admin.Client{ID: a.ID, Kind: g.kind, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}}, a.Key, g)
}
