package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// MaxImport is the longest file that is imported, in bytes: enough for over a hundred
// million people. An import needs about 100 bytes of memory for each of them.
const MaxImport = 16 << 30

// Errors of an import.
var (
	// ErrFile says that a file cannot be imported.
	ErrFile = errors.New("this cannot be imported")
	// ErrFileChanged says that the file was written to, or cut, during the import. Its
	// last part may end in half a line, so it was not imported.
	ErrFileChanged = errors.New("the file was changed while it was read")
	// ErrImporting says that another import is running; there is one at a time.
	ErrImporting = errors.New("another import is under way; wait until it is done")
)

// ImportRegistry imports a registry file; see Administration.
func (a *Admin) ImportRegistry(ctx context.Context, file *os.File, c ImportConfig) (registry.Summary, error) {
	if !a.importing.TryLock() {
		return registry.Summary{}, ErrImporting
	}
	defer a.importing.Unlock()
	done, err := a.onDuty(ctx, store.DutyImport)
	if err != nil {
		return registry.Summary{}, err
	}
	defer done()
	if a.c.Alone {
		defer collectLess()()
	}
	in, err := openSnapshot(file, MaxImport)
	if err != nil {
		return registry.Summary{}, err
	}
	return a.c.Registry.Import(ctx, in, registry.ImportConfig{
		Actor: ActorOf(ctx), Encoding: c.Encoding, DryRun: c.DryRun, Alone: a.c.Alone, Progress: c.Progress, Reject: c.Reject, Cell: c.Cell,
	})
}

// onDuty takes a duty for a long act, and keeps it until done. ErrImporting: another
// authority on the same database has it. After a crash another process gets the duty
// within a minute.
func (a *Admin) onDuty(ctx context.Context, name store.Duty) (done func(), err error) {
	const lasts = time.Minute
	switch got, err := a.c.Store.TakeDuty(ctx, name, lasts); {
	case err != nil:
		return nil, err
	case !got:
		return nil, ErrImporting
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var keeping sync.WaitGroup
	keeping.Go(func() {
		t := time.NewTicker(lasts / 4)
		defer t.Stop()
		for {
			select {
			case <-background.Done():
				return
			case <-t.C:
			}
			if _, err := a.c.Store.TakeDuty(background, name, lasts); err != nil && background.Err() == nil {
				a.c.Logger.WarnContext(ctx, "not known whether a duty is still this authority's", "duty", name, "err", err)
			}
		}
	})
	return func() {
		stop()
		keeping.Wait()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = a.c.Store.DropDuty(last, name) // if this fails, the duty ends by its time
	}, nil
}

// snapshot reads a regular file as it was when the import began. It reads by
// offset, because other processes with the same descriptor share its position.
type snapshot struct {
	file     *os.File
	size     int64
	modified time.Time
	at       int64 // bytes read so far
}

func openSnapshot(file *os.File, most int64) (*snapshot, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	// A pipe or a device may have no end, and reading it may block for ever.
	if !info.Mode().IsRegular() {
		return nil, locale.RefuseFor(ErrFile, func(w *locale.Words, why string) string { return w.Refused.AdminFileIrregular(why) })
	}
	if info.Size() > most {
		return nil, locale.RefuseFor(ErrFile, func(w *locale.Words, why string) string {
			return w.Refused.AdminFileLong(why, fmt.Sprint(info.Size()), fmt.Sprint(most))
		})
	}
	return &snapshot{file: file, size: info.Size(), modified: info.ModTime()}, nil
}

// Read returns io.EOF only at the end of a file that has not changed: a line
// that another process is still writing, or has cut off, must not be read as a
// row.
func (s *snapshot) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.at == s.size {
		return 0, s.end()
	}
	if rest := s.size - s.at; int64(len(p)) > rest {
		p = p[:rest]
	}
	n, err := s.file.ReadAt(p, s.at)
	s.at += int64(n)
	switch {
	case n == len(p):
		return n, nil
	case errors.Is(err, io.EOF):
		return n, ErrFileChanged // it has become shorter
	}
	return n, fmt.Errorf("%w: %w", ErrFile, err)
}

// end is io.EOF if the file has not changed since the import began.
func (s *snapshot) end() error {
	info, err := s.file.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	if info.Size() != s.size || !info.ModTime().Equal(s.modified) {
		return ErrFileChanged
	}
	return io.EOF
}

// collectLess has the garbage collector run a quarter as often, until it is undone: in a
// process that only imports, it takes a tenth of the time (docs/PERFORMANCE.md). From a
// gigabyte on it runs as often as it needs to.
func collectLess() (undo func()) {
	percent, limit := debug.SetGCPercent(400), debug.SetMemoryLimit(1<<30)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
