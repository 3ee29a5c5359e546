package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/store"
)

// lastFile holds the number of the last digest that was written to the directory, so
// that files may be moved away from there.
const lastFile = "last"

// FileName is the name of a digest's file in the directory.
func FileName(number uint64) string { return fmt.Sprintf("digest-%08d.jsonl", number) }

func note(f *audit.Finding) string {
	if f.Digest > 0 {
		return fmt.Sprintf("digest=%d", f.Digest)
	}
	return fmt.Sprintf("entry=%d stream=%s", f.Number, f.Stream)
}

// errShip: the directory cannot be written. Digests stay in the database, and the next
// round tries again.
var errShip = errors.New("record: directory of digests")

// ship writes the digests that are not yet in the directory. If a file there has other
// contents, or there is a later digest than the database has, the database was put back
// to an earlier state: that raises an alarm.
func (d *Digester) ship(ctx context.Context) {
	if d.c.Directory == "" {
		return
	}
	why := ""
	err := d.c.Store.View(ctx, func(r store.Reader) error { return d.shipAll(r) })
	if f, ok := errors.AsType[*audit.Finding](err); ok {
		d.alarm(ctx, f)
	} else if err != nil && ctx.Err() == nil {
		d.c.Logger.ErrorContext(ctx, "digest not written", "dir", d.c.Directory, "err", err)
		why = err.Error()
	}
	d.mu.Lock()
	d.state.Shipping = why
	d.mu.Unlock()
}

func (d *Digester) shipAll(r store.Reader) error {
	if err := os.MkdirAll(d.c.Directory, 0o700); err != nil {
		return fmt.Errorf("%w: %w", errShip, err)
	}
	done, err := d.shipped()
	if err != nil {
		return err
	}
	last, err := r.LastDigest()
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if done > last.Number {
		return &audit.Finding{Digest: last.Number + 1, What: fmt.Sprintf("%s: digest %d was shipped, and the database ends with digest %d: it was put back to an earlier state", audit.Missing, done, last.Number)}
	}
	begins, err := anchor(r)
	if err != nil {
		return err
	}
	// The last written digest is compared again. Digests that have left the database
	// are in the archives.
	for n := max(done, 1, begins.Digest+1); n <= last.Number; n++ {
		if err := d.write(r, n, n == done); err != nil {
			return err
		}
	}
	return nil
}

// shipped returns the number of the last digest that was written.
func (d *Digester) shipped() (uint64, error) {
	raw, err := os.ReadFile(filepath.Join(d.c.Directory, lastFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errShip, err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: the file %q holds no number", errShip, lastFile)
	}
	return n, nil
}

// write writes a digest's file, or compares it if it exists. A file that was written
// before and is missing was moved away, and is not written again.
func (d *Digester) write(r store.Reader, number uint64, before bool) error {
	path := filepath.Join(d.c.Directory, FileName(number))
	var want bytes.Buffer
	if err := writeDigest(r, &want, number); err != nil {
		return err
	}
	there, err := os.ReadFile(path)
	switch {
	case err == nil && !bytes.Equal(there, want.Bytes()):
		return &audit.Finding{Digest: number, What: fmt.Sprintf("%s: %s holds another one: the database was put back to an earlier state or rewritten", audit.Altered, FileName(number))}
	case err == nil && before, errors.Is(err, fs.ErrNotExist) && before:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", errShip, err)
	case err != nil:
		if err := d.put(FileName(number), want.Bytes()); err != nil {
			return err
		}
	}
	// A crash before this line writes the same file again (I-16).
	return d.put(lastFile, []byte(strconv.FormatUint(number, 10)+"\n"))
}

// put writes a file whole or not at all. A crash leaves at most a file whose name begins with
// a dot, which the next put of that name removes.
func (d *Digester) put(name string, content []byte) error {
	disk := diskfile.Disk{}
	if err := errors.Join(disk.Sweep(d.c.Directory, name), disk.Write(d.c.Directory, name, content)); err != nil {
		return fmt.Errorf("%w: %w", errShip, err)
	}
	return nil
}

func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeDigest writes the lines of a digest: the digest, then its changes.
func writeDigest(r store.Reader, w io.Writer, number uint64) error {
	list, err := r.Digests(number-1, 1)
	if err != nil {
		return err
	}
	if len(list) == 0 || list[0].Number != number {
		return &audit.Finding{Digest: number, What: string(audit.Missing)}
	}
	if err := audit.WriteLine(w, audit.Line{Digest: &audit.DigestLine{Token: list[0].Token}}); err != nil {
		return err
	}
	return changes(r, number, func(h audit.Head) error {
		return audit.WriteLine(w, audit.Line{Change: audit.LineOfHead(h)})
	})
}

// changes calls visit for every change of a digest.
func changes(r store.Reader, number uint64, visit func(audit.Head) error) error {
	var after audit.Stream
	for {
		heads, err := r.DigestChanges(number, after, page)
		if err != nil {
			return err
		}
		for _, h := range heads {
			if err := visit(h); err != nil {
				return err
			}
			after = h.Stream
		}
		if len(heads) < page {
			return nil
		}
	}
}

// ReadDirectory reads the shipped digests in a directory, in the order of their file
// names. It ignores other files.
func ReadDirectory(dir string) ([]audit.ShippedDigest, error) {
	names, err := filepath.Glob(filepath.Join(dir, "digest-*.jsonl"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	var out []audit.ShippedDigest
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := audit.ReadShipped(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
		out = append(out, s)
	}
	return out, nil
}
