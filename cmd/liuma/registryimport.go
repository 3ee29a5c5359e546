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
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/locale"
)

// importFlags say which file is imported, and how.
type importFlags struct {
	File      string `arg:""`
	Encoding  string `name:"encoding" placeholder:"NAME"`
	DryRun    bool   `name:"dry-run"`
	KeepGoing bool   `name:"keep-going"`
	Rejected  string `name:"rejected" placeholder:"FILE"`
}

// importCmd is "liuma registry import".
type importCmd struct{ importFlags }

// Run imports the file.
func (a *importCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return a.run(ctx, c, t, "liuma registry import", func(adm admin.Administration, in *os.File, how admin.ImportConfig) (brought, error) {
		sum, err := adm.ImportRegistry(ctx, in, how)
		return brought{read: sum.Read, kept: sum.Kept, rejected: sum.Rejected, cells: sum.Cells, report: func() { a.report(t, sum) }}, err
	})
}

// brought is the result of an import of either kind.
type brought struct {
	read, kept, rejected, cells int64
	report                      func()
}

// run imports the file and prints the result.
func (a *importFlags) run(ctx context.Context, c *cli, t *terminal, command string, do func(admin.Administration, *os.File, admin.ImportConfig) (brought, error)) error {
	encoding, err := sheet.ParseEncoding(a.Encoding)
	if err != nil {
		return wrongUse(command, func(w *locale.Words) string { return w.Refused.ImportEncoding(strconv.Quote(a.Encoding)) })
	}
	in, side, err := a.open(t)
	if err != nil {
		return err
	}
	defer in.Close() // read only: nothing to lose
	info, err := in.Stat()
	if err != nil {
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ImportFile(why) })
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		bar := progress.Bytes(t.err, t.shown().ImportBar(), info.Size(), isTerminal(t.err))
		got, err := do(adm, in, admin.ImportConfig{Encoding: encoding, DryRun: a.DryRun, Progress: bar.Set, Reject: side.add, Cell: side.add})
		bar.Done()
		err = errors.Join(err, side.close())
		unknown := errors.Is(err, admindoor.ErrLost) // then it is not known how many rows were kept
		if !unknown && (err == nil || got.read > 0) {
			got.report()
		}
		side.report(t)
		switch {
		case err != nil && (a.DryRun || !unknown && got.kept == 0):
			return err
		case err != nil:
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ImportStays(why) })
		case side.n > 0 && !a.KeepGoing:
			return &leftOutError{got.rejected, got.cells}
		}
		return nil
	})
}

// open opens the file and names the side file. Standard input is first copied to a
// file without a name: a pipe cannot be read twice, and no other process can open a
// file without a name.
func (a *importFlags) open(t *terminal) (*os.File, *rejects, error) {
	side := &rejects{path: cmp.Or(a.Rejected, a.File+".rejected.csv")}
	if a.File != "-" {
		in, err := os.Open(a.File)
		if err != nil {
			return nil, nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ImportFile(why) })
		}
		return in, side, nil
	}
	side.path = cmp.Or(a.Rejected, "stdin.rejected.csv")
	in, err := os.CreateTemp("", "liuma-import-") // mode 0600
	if err != nil {
		return nil, nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.PINInput(why) })
	}
	err = os.Remove(in.Name())
	n, copied := io.Copy(in, io.LimitReader(t.in, admin.MaxImport+1))
	if err = errors.Join(err, copied); err == nil && n > admin.MaxImport {
		err = refuse(func(w *locale.Words) string { return w.Refused.ImportTooLong(num(int64(admin.MaxImport))) })
	}
	if err != nil {
		err = errors.Join(err, in.Close())
		return nil, nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.PINInput(why) })
	}
	return in, side, nil
}

func (a *importCmd) report(t *terminal, sum registry.Summary) {
	say := t.shown()
	a.reportRows(t, sum.Read, sum.Kept, sum.Rejected)
	if sum.Unchanged > 0 {
		fmt.Fprintln(t.out, say.ImportUnchanged(num(sum.Unchanged)))
	}
	if sum.Corrections > 0 {
		fmt.Fprintln(t.out, say.ImportCorrections(num(sum.Corrections)))
	}
	if sum.Cells > 0 {
		fmt.Fprintln(t.out, say.ImportLeftOut(say.ImportCells(many(sum.Cells))))
	}
	if sum.Abolished > 0 {
		fmt.Fprintln(t.out, say.ImportAbolished(num(sum.Abolished)))
	}
}

// reportRows prints how many rows were read, and their results.
func (a *importFlags) reportRows(t *terminal, read, kept, rejected int64) {
	say := t.shown()
	line := say.ImportRead
	if a.DryRun {
		line = say.ImportReadOnly
	}
	fmt.Fprintln(t.out, line(say.ImportRows(many(read)), num(kept), num(rejected)))
}

// leftOutError says that an import left out part of the file.
type leftOutError struct{ rejected, cells int64 }

func (e *leftOutError) Error() string {
	return e.Told(locale.In(locale.English), nil)
}

// Told is the error in a language.
func (e *leftOutError) Told(w *locale.Words, _ func(error) string) string {
	return w.Refused.ImportLeftOut(w.Shown.ImportRows(many(e.rejected)), w.Shown.ImportCells(many(e.cells)))
}

// rejects is the side file of an import. It is made with the first row or cell that
// is left out, and replaces the side file of an earlier import.
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

// report prints the numbers of left-out rows by reason, the most common first, with a
// sentence each.
func (r *rejects) report(t *terminal) {
	if r.n == 0 {
		return
	}
	reasons := slices.SortedFunc(maps.Keys(r.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.counts[b], r.counts[a]), cmp.Compare(a, b))
	})
	for _, reason := range reasons {
		fmt.Fprintf(t.out, "  %d %s: %s\n", r.counts[reason], reason, t.words().ImportReason(reason))
	}
	fmt.Fprintln(t.out, t.shown().ImportReasons(r.path))
}

func (r *rejects) open() {
	// A side file of an earlier import is removed first, so that the new file gets
	// this mode.
	if err := os.Remove(r.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.err = err
		return
	}
	if r.file, r.err = os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); r.err != nil {
		return
	}
	r.out = csv.NewWriter(r.file) // it buffers
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
	return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ImportSide(path, why) })
}
