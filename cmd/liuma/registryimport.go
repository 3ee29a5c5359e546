package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/liuma-pin/liuma/internal/admin"
	admindoor "github.com/liuma-pin/liuma/internal/door/admin"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/registry"
)

// importCmd is "liuma registry import".
type importCmd struct {
	File      string `arg:"" help:"People, one a line, under a header that names the columns: id_number, name, card_no, and where there are any phone, region, status and replaced_by, in any order, parted by commas, semicolons or tabs. '-' reads standard input."`
	Encoding  string `name:"encoding" placeholder:"NAME" help:"utf-8, utf-16 or gbk (with GB 2312 and GB 18030). Without it: as the file begins, UTF-8 unless it is certainly another."`
	DryRun    bool   `name:"dry-run" help:"Judge every row and write nothing."`
	KeepGoing bool   `name:"keep-going" help:"Exit with 0 even if rows or cells were left out."`
	Rejected  string `name:"rejected" placeholder:"FILE" help:"Where rows and cells that were left out are listed, by line and reason. Default: the name of the file, with .rejected.csv."`
}

// Run imports the file.
func (a *importCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	encoding, err := registry.ParseEncoding(a.Encoding)
	if err != nil {
		return badUsage("liuma registry import", "--encoding %q: want utf-8, utf-16 or gbk", a.Encoding)
	}
	in, side, err := a.open(t)
	if err != nil {
		return err
	}
	defer in.Close() // read only: nothing to lose
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("registry file: %w", err)
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		bar := progress.Bytes(t.err, "import", info.Size(), isTerminal(t.err))
		sum, err := adm.ImportRegistry(ctx, in, admin.ImportConfig{
			Encoding: encoding, DryRun: a.DryRun, Progress: bar.Set, Reject: side.add, Cell: side.add,
		})
		bar.Done()
		err = errors.Join(err, side.close())
		if !errors.Is(err, admindoor.ErrLost) { // it is unknown how many rows were kept
			a.report(t.out, sum)
		}
		side.report(t.out)
		switch {
		case err != nil && a.DryRun:
			return err
		case err != nil:
			return fmt.Errorf("%w; what was kept stays, and the same file can be imported again", err)
		case side.n > 0 && !a.KeepGoing:
			return &leftOutError{sum}
		}
		return nil
	})
}

// open opens the file and names the side file. Standard input goes to a file
// without a name first: a pipe cannot be read again, and no other process can open
// what has no name.
func (a *importCmd) open(t *terminal) (*os.File, *rejects, error) {
	side := &rejects{path: cmp.Or(a.Rejected, a.File+".rejected.csv")}
	if a.File != "-" {
		in, err := os.Open(a.File)
		if err != nil {
			return nil, nil, fmt.Errorf("registry file: %w", err)
		}
		return in, side, nil
	}
	side.path = cmp.Or(a.Rejected, "stdin.rejected.csv")
	in, err := os.CreateTemp("", "liuma-import-") // mode 0600
	if err != nil {
		return nil, nil, fmt.Errorf("standard input: %w", err)
	}
	err = os.Remove(in.Name())
	n, copied := io.Copy(in, io.LimitReader(t.in, admin.MaxImport+1))
	if err = errors.Join(err, copied); err == nil && n > admin.MaxImport {
		err = fmt.Errorf("more than %d bytes; split it", int64(admin.MaxImport))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("standard input: %w", errors.Join(err, in.Close()))
	}
	return in, side, nil
}

func (a *importCmd) report(w io.Writer, sum registry.Summary) {
	kept := "kept"
	if a.DryRun {
		kept = "would be kept"
	}
	fmt.Fprintf(w, "Read %d rows: %d %s, %d rejected.\n", sum.Read, sum.Kept, kept, sum.Rejected)
	if sum.Unchanged > 0 {
		fmt.Fprintf(w, "%d of them were in the registry as they are.\n", sum.Unchanged)
	}
	if sum.Cells > 0 {
		fmt.Fprintf(w, "%d cells were left out of rows that were kept.\n", sum.Cells)
	}
	if sum.Abolished > 0 {
		fmt.Fprintf(w, "%d rows have a region that is no longer in use; they keep it ('liuma region show CODE' names its successor).\n", sum.Abolished)
	}
}

// leftOutError says that an import was not of all that the file has.
type leftOutError struct{ sum registry.Summary }

func (e *leftOutError) Error() string {
	return fmt.Sprintf("%d rows and %d cells were left out; all others are done, and --keep-going calls that a success", e.sum.Rejected, e.sum.Cells)
}

// rejects is the side file of an import. It is made with the first row or cell
// that is left out, and replaces the side file of an earlier import.
type rejects struct {
	path   string
	n      int
	counts map[string]int // by reason
	file   *os.File
	out    *csv.Writer
	err    error // the first error of writing
}

func (r *rejects) add(line int, reason string) {
	r.n++
	if r.counts == nil {
		r.counts = make(map[string]int)
	}
	r.counts[reason]++
	if r.err == nil && r.file == nil {
		r.open()
	}
	if r.err == nil {
		r.err = r.out.Write([]string{strconv.Itoa(line), reason})
	}
}

// report counts what was left out by reason, the commonest first, with a sentence
// each.
func (r *rejects) report(w io.Writer) {
	if r.n == 0 {
		return
	}
	reasons := slices.SortedFunc(maps.Keys(r.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.counts[b], r.counts[a]), cmp.Compare(a, b))
	})
	for _, reason := range reasons {
		fmt.Fprintf(w, "  %d %s: %s\n", r.counts[reason], reason, registry.Sentence(reason))
	}
	fmt.Fprintf(w, "Lines and reasons: %s\n", r.path)
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
