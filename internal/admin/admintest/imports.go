package admintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
)

// Sample is a registry file of n people, with a bad row after every 100th.
func Sample(t *testing.T, n int) []byte {
	t.Helper()
	var raw, out bytes.Buffer
	must(t, registry.Sample(&raw, n, 9))
	for i, line := range strings.SplitAfter(raw.String(), "\n") {
		out.WriteString(line)
		if i > 0 && i%100 == 0 && line != "" {
			out.WriteString("not,a,row\n")
		}
	}
	return out.Bytes()
}

// File is a new file with some content, open for reading.
func (w *World) File(t *testing.T, content []byte) *os.File {
	t.Helper()
	f, err := os.CreateTemp(w.Dir, "people")
	must(t, err)
	_, err = f.Write(content)
	must(t, errors.Join(err, f.Close()))
	return open(t, f.Name())
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// imports report their progress and the rows that were not imported, and keep
// chunks with an entry each. The file is still open afterwards, at its old
// position.
func imports(t *testing.T, w *World, a admin.Administration) {
	content := Sample(t, 2300)
	file := w.File(t, content)
	const position = 1000
	_, err := file.Seek(position, io.SeekStart)
	must(t, err)
	for again := range 2 { // importing a file again changes and records nothing
		before := len(w.Entries(t))
		var read []int64
		var rejects []string
		sum, err := a.ImportRegistry(t.Context(), file, admin.ImportConfig{
			Progress: func(n int64) { read = append(read, n) },
			Reject:   func(line int, reason string) { rejects = append(rejects, fmt.Sprint(line, " ", reason)) },
		})
		if want := (registry.Summary{Read: 2323, Kept: 2300, Rejected: 23, Unchanged: int64(2300 * again)}); err != nil || sum != want {
			t.Fatalf("%+v, %v, want %+v", sum, err, want)
		}
		if got := w.People(t); got != 2300 {
			t.Errorf("%d people", got)
		}
		if !slices.IsSorted(read) || len(read) < 3 || read[len(read)-1] != int64(len(content)) {
			t.Errorf("progress of %d bytes: %v", len(content), read)
		}
		var want []string
		for i := range 23 {
			want = append(want, fmt.Sprint(102+i*101, " ", registry.ReasonColumns))
		}
		if diff := cmp.Diff(want, rejects); diff != "" {
			t.Error("rejected rows:", diff)
		}
		chunks := w.Entries(t)[before:]
		if want := 3 - 3*again; len(chunks) != want {
			t.Errorf("%d chunks, want %d", len(chunks), want)
		}
		for _, e := range chunks {
			if e.Event != audit.RegistryImported || e.Outcome != "ok" {
				t.Errorf("entry %+v", e)
			}
		}
		if at, err := file.Seek(0, io.SeekCurrent); at != position || err != nil {
			t.Errorf("the caller's file is at %d, %v", at, err)
		}
	}
	// Both functions of the ImportConfig may be nil.
	if sum, err := a.ImportRegistry(t.Context(), file, admin.ImportConfig{}); err != nil || sum.Kept != 2300 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// refusedImports keep nothing, and give the reason in the same words.
func refusedImports(t *testing.T, w *World, a admin.Administration) {
	const header = "registry: import: the first line must be id_number,name,phone,card_no,region,status"
	long := w.File(t, nil)
	must(t, os.Truncate(long.Name(), admin.MaxImport+1)) // takes no room on the disk
	reader, writer, err := os.Pipe()
	must(t, err)
	defer reader.Close()
	defer writer.Close()
	blind, err := os.OpenFile(w.File(t, Sample(t, 10)).Name(), os.O_WRONLY, 0)
	must(t, err)
	defer blind.Close()
	var zeros bytes.Buffer
	zeros.WriteString("name,id\n")
	zeros.Write(make([]byte, 8<<20))
	for name, tt := range map[string]struct {
		file *os.File
		want error // may be nil
		says string
	}{
		"another header":   {w.File(t, []byte("name,id\n")), nil, header},
		"nothing":          {w.File(t, nil), nil, header},
		"zeros":            {w.File(t, zeros.Bytes()), nil, header},
		"a directory":      {open(t, w.Dir), admin.ErrFile, "this cannot be imported: it is not a regular file; write it to one first"},
		"a pipe":           {reader, admin.ErrFile, "this cannot be imported: it is not a regular file; write it to one first"},
		"a device":         {open(t, os.DevNull), admin.ErrFile, "this cannot be imported: it is not a regular file; write it to one first"},
		"too long":         {long, admin.ErrFile, "this cannot be imported: it has 17179869185 bytes, at most 17179869184 are read; split it"},
		"not to be read":   {blind, admin.ErrFile, "bad file descriptor"},
		"not a row's form": {w.File(t, []byte("\x00")), nil, header},
	} {
		sum, err := a.ImportRegistry(t.Context(), tt.file, admin.ImportConfig{})
		if sum != (registry.Summary{}) || err == nil || !strings.Contains(err.Error(), tt.says) || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v", name, sum, err)
		}
	}
	closed := w.File(t, Sample(t, 10))
	must(t, closed.Close())
	if sum, err := a.ImportRegistry(t.Context(), closed, admin.ImportConfig{}); !errors.Is(err, admin.ErrFile) || !errors.Is(err, os.ErrClosed) || sum != (registry.Summary{}) {
		t.Errorf("a closed file: %+v, %v", sum, err)
	}
	if n := w.People(t); n != 0 || len(w.Entries(t)) != 0 {
		t.Errorf("%d people were kept", n)
	}
	// None of them stops the next import.
	if sum, err := a.ImportRegistry(t.Context(), w.File(t, Sample(t, 10)), admin.ImportConfig{}); err != nil || sum.Kept != 10 {
		t.Errorf("afterwards: %+v, %v", sum, err)
	}
}

// changingFiles end the import after the present chunk, however they were
// changed: half a line at their end is no row.
func changingFiles(t *testing.T, w *World, a admin.Administration) {
	for name, change := range map[string]func(f *os.File) error{
		"cut":                  func(f *os.File) error { return os.Truncate(f.Name(), 50_000) },
		"emptied":              func(f *os.File) error { return os.Truncate(f.Name(), 0) },
		"written on":           func(f *os.File) error { return appendTo(f.Name(), "330102199001010039,张三,138") },
		"written over":         func(f *os.File) error { return os.Chtimes(f.Name(), time.Time{}, Start) },
		"cut and written anew": func(f *os.File) error { return os.WriteFile(f.Name(), Sample(t, 20), 0o600) },
	} {
		file := w.File(t, Sample(t, 1_100))
		began, release := w.Registry.Hold()
		changed := make(chan error, 1)
		go func() {
			<-began
			changed <- change(file)
			release()
		}()
		before := w.People(t)
		sum, err := a.ImportRegistry(t.Context(), file, admin.ImportConfig{})
		must(t, <-changed)
		if !errors.Is(err, admin.ErrFileChanged) || !strings.Contains(err.Error(), "the file was changed while it was read") {
			t.Errorf("%s: %v", name, err)
		}
		if sum.Kept%1000 != 0 || sum.Kept > 1_000 {
			t.Errorf("%s: kept %+v, want whole chunks but the last", name, sum)
		}
		// The same people each time: a later run adds those that no earlier run kept.
		if got := w.People(t); got != max(before, sum.Kept) {
			t.Errorf("%s: %d people, %d before, %d said", name, got, before, sum.Kept)
		}
	}
	// A file that is put in its place is another file.
	file := w.File(t, Sample(t, 600))
	must(t, os.Rename(w.File(t, nil).Name(), file.Name()))
	if sum, err := a.ImportRegistry(t.Context(), file, admin.ImportConfig{}); err != nil || sum.Kept != 600 {
		t.Errorf("replaced: %+v, %v", sum, err)
	}
}

func appendTo(path, s string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s)
	return errors.Join(err, f.Close())
}

// interruptedImport returns how many rows were kept, which are whole chunks.
func interruptedImport(t *testing.T, w *World, a admin.Administration) {
	file := w.File(t, Sample(t, 10_000))
	ctx, cancel := context.WithCancel(t.Context())
	sum, err := a.ImportRegistry(ctx, file, admin.ImportConfig{Progress: func(int64) { cancel() }})
	if !errors.Is(err, context.Canceled) || sum.Kept == 0 || sum.Kept >= 10_000 || sum.Kept%1000 != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	if got := w.People(t); got != sum.Kept {
		t.Errorf("%d people, %d said", got, sum.Kept)
	}
	if sum, err := a.ImportRegistry(ctx, file, admin.ImportConfig{}); !errors.Is(err, context.Canceled) || sum != (registry.Summary{}) {
		t.Errorf("given up beforehand: %+v, %v", sum, err)
	}
	if sum, err := a.ImportRegistry(t.Context(), w.File(t, Sample(t, 10)), admin.ImportConfig{}); err != nil || sum.Kept != 10 {
		t.Errorf("afterwards: %+v, %v", sum, err)
	}
}

// oneImport runs at a time; other work goes on meanwhile.
func oneImport(t *testing.T, w *World, a admin.Administration) {
	began, release := w.Registry.Hold()
	first, second := w.File(t, Sample(t, 1200)), w.File(t, Sample(t, 10))
	ended := make(chan error, 1)
	go func() {
		_, err := a.ImportRegistry(t.Context(), first, admin.ImportConfig{})
		ended <- err
	}()
	<-began
	release = sync.OnceFunc(release)
	defer release()
	sum, err := a.ImportRegistry(t.Context(), second, admin.ImportConfig{})
	if !errors.Is(err, admin.ErrImporting) || err.Error() != admin.ErrImporting.Error() || sum != (registry.Summary{}) {
		t.Errorf("a second import: %+v, %v", sum, err)
	}
	if err := a.AddClient(t.Context(), Channel(t, "zj")); err != nil {
		t.Error(err)
	}
	release()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := w.People(t); got != 1200 {
		t.Errorf("%d people", got)
	}
}
