package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
)

const years = 3 * 365 * 24 * time.Hour

// archive writes the next archive to the directory, reads it back and keeps it.
func (h *house) archive(before time.Time) audit.SignedArchive {
	h.t.Helper()
	content, signed := h.written(before)
	must(h.t, os.MkdirAll(h.path("archives"), 0o700))
	must(h.t, os.WriteFile(h.path("archives/"+record.ArchiveName(signed.Number)), content, 0o600))
	_, err := h.digester.Keep(h.t.Context(), signed.Token, "operator", "monthly")
	must(h.t, err)
	return signed
}

// written is the next archive, not kept yet.
func (h *house) written(before time.Time) ([]byte, audit.SignedArchive) {
	h.t.Helper()
	plan, err := h.digester.Plan(h.t.Context(), before)
	must(h.t, err)
	var out bytes.Buffer
	must(h.t, h.digester.Export(h.t.Context(), record.Query{Archive: plan.Digest}, &out))
	keys := h.vault.ReceiptKeys()
	signed, err := audit.ReadArchive(bytes.NewReader(out.Bytes()), &keys)
	must(h.t, err)
	if signed.Number != plan.Number || signed.Digest != plan.Digest {
		h.t.Fatalf("signed %+v, planned %+v", signed.Archive, plan)
	}
	return out.Bytes(), signed
}

func (h *house) archives() []audit.ArchiveFile {
	h.t.Helper()
	all, err := record.ArchivesIn(h.path("archives"))
	must(h.t, err)
	return all
}

// examineAll examines the record with all archives.
func (h *house) examineAll() (audit.Examined, error) {
	h.t.Helper()
	keys := h.vault.ReceiptKeys()
	return audit.Examine(bytes.NewReader(h.export()), audit.ExamineConfig{Keys: &keys, Archives: h.archives(), Shipped: h.shipped()})
}

// leave lets everything leave that is due, and examines the record after each step.
func (h *house) leave() (steps int) {
	h.t.Helper()
	for {
		before := h.size()
		must(h.t, h.digester.RetainStep(h.t.Context()))
		if _, err := h.examine(h.export(), h.shipped()...); err != nil {
			h.t.Fatalf("step %d: %v", steps, err)
		}
		if _, err := h.examineAll(); err != nil {
			h.t.Fatalf("step %d: with the archives: %v", steps, err)
		}
		if steps++; h.size() == before || steps > 50 {
			return steps
		}
	}
}

// size counts the entries, digests and changes of the database, and its archives
// that leave or have left.
func (h *house) size() (n [4]int) {
	h.t.Helper()
	must(h.t, h.db.View(h.t.Context(), func(r store.Reader) error {
		n = [4]int{}
		heads, err := r.Streams(audit.Stream{}, 1000)
		for _, head := range heads {
			list, e := r.Entries(head.Stream, 0, 100000)
			n[0] += len(list)
			err = errors.Join(err, e)
		}
		digests, e := r.Digests(0, 100000)
		for _, d := range digests {
			changes, e := r.DigestChanges(d.Number, audit.Stream{}, 100000)
			n[2] += len(changes)
			err = errors.Join(err, e)
		}
		n[1] = len(digests)
		all, e2 := r.Archives(0, 100)
		for _, a := range all {
			if !a.LeavesAt.IsZero() {
				n[3]++
			}
			if !a.LeftAt.IsZero() {
				n[3]++
			}
		}
		return errors.Join(err, e, e2)
	}))
	return n
}

// lived makes a record of three months and two process starts, three years ago, with
// an archive of each month.
func lived(t *testing.T) *house {
	h := newHouse(t)
	for month := range 3 {
		for i := range 4 {
			h.write(card(byte(1+i%3)), 2+month)
			h.wait(time.Hour)
			h.digest()
		}
		if month == 0 {
			h.restart()
		}
		h.wait(time.Second)
		h.archive(h.clock())
		h.wait(30 * 24 * time.Hour)
	}
	return h
}

// TestArchivedEntriesLeave: what was archived leaves the database when its time is
// over and not before, in steps after each of which the record is whole, with its
// archives and without; and the record goes on.
func TestArchivedEntriesLeave(t *testing.T) {
	h := lived(t)
	whole := h.size()
	if steps := h.leave(); steps != 1 || h.size() != whole {
		t.Fatalf("%d steps, %v became %v before it was time", steps, whole, h.size())
	}
	all, err := h.examineAll()
	if err != nil || all.Archives != 3 || all.Begins != 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	h.wait(years - 45*24*time.Hour) // the first two months are over
	h.leave()
	after := h.size()
	if after[0] >= whole[0] || after[1] >= whole[1] || after[2] >= whole[2] || after[3] != 4 {
		t.Errorf("%v became %v", whole, after)
	}
	with, err := h.examineAll()
	if err != nil || with.Begins != 2 || with.Archives != 3 {
		t.Errorf("with the archives: %+v, %v", with, err)
	}
	without, err := h.examine(h.export(), h.shipped()...)
	if err != nil || without.Begins != 2 || without.Archived == 0 || without.Archived != with.Archived {
		t.Errorf("without the archives: %+v, %v", without, err)
	}
	h.restart() // its first entry follows the last of the start before
	h.write(card(1), 2)
	h.write(card(9), 1)
	h.digest()
	h.wait(years)
	h.archive(h.clock().Add(-time.Second))
	h.leave()
	if s := h.digester.State(); len(s.Faults) > 0 || s.Shipping != "" {
		t.Errorf("state %+v", s)
	}
	if end := h.size(); end[2] > 0 || end[1] != 1 {
		t.Errorf("left %v, want one digest without changes", end)
	}
	h.write(card(1), 1)
	h.restart()
	h.digest()
	h.leave()
	must(t, h.digester.Check(t.Context()))
	if s := h.digester.State(); len(s.Faults) > 0 {
		t.Errorf("faults %v", s.Faults)
	}
}

// TestNothingLeavesUnarchived: however old, an entry that no archive holds stays.
func TestNothingLeavesUnarchived(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 5)
	h.digest()
	h.wait(10 * years)
	h.digest()
	want := h.size()
	must(t, h.digester.RetainStep(t.Context()))
	_, signed := h.written(time.Time{}) // written, and not kept
	must(t, h.digester.RetainStep(t.Context()))
	if got := h.size(); got != want {
		t.Errorf("%v became %v", want, got)
	}
	if _, err := h.digester.Keep(t.Context(), signed.Token, "operator", "r"); err != nil {
		t.Error(err)
	}
	if _, err := h.digester.Keep(t.Context(), signed.Token, "operator", "r"); !errors.Is(err, record.ErrArchive) {
		t.Errorf("kept twice: %v", err)
	}
	if _, err := h.digester.Plan(t.Context(), time.Time{}); !errors.Is(err, record.ErrNothingToArchive) {
		t.Errorf("planned: %v", err)
	}
	other := newHouse(t)
	other.write(card(1), 5)
	other.digest()
	if _, err := other.digester.Keep(t.Context(), signed.Token, "operator", "r"); !errors.Is(err, record.ErrArchive) {
		t.Errorf("another authority's archive was kept: %v", err)
	}
}

// TestAttacksOnArchives: a missing, altered, exchanged or doubled archive is named,
// and so is a record that begins later than its archives say.
func TestAttacksOnArchives(t *testing.T) {
	h := lived(t)
	h.wait(years - 45*24*time.Hour)
	h.leave()
	files := map[uint64][]byte{}
	for _, f := range h.archives() {
		r, err := f.Open()
		must(t, err)
		files[f.Number], err = io.ReadAll(r)
		must(t, errors.Join(err, r.Close()))
	}
	export := h.export()
	keys := h.vault.ReceiptKeys()
	swapLines := func(b []byte) []byte {
		l := bytes.SplitAfter(b, []byte("\n"))
		n := len(l) - 4
		l[n], l[n-1] = l[n-1], l[n]
		return bytes.Join(l, nil)
	}
	cutLine := func(b []byte) []byte {
		l := bytes.SplitAfter(b, []byte("\n"))
		return bytes.Join(append(l[:len(l)-3:len(l)-3], l[len(l)-2:]...), nil)
	}
	for name, c := range map[string]struct {
		files  []uint64 // numbers in the names
		holds  []uint64 // what they hold
		change func([]byte) []byte
		want   string
	}{
		"whole":               {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, nil, ""},
		"the last not there":  {[]uint64{1, 2}, []uint64{1, 2}, nil, ""},
		"none there":          {nil, nil, nil, "archive 1: missing"},
		"first missing":       {[]uint64{2, 3}, []uint64{2, 3}, nil, "archive 1: missing"},
		"middle missing":      {[]uint64{1, 3}, []uint64{1, 3}, nil, "archive 2: missing"},
		"needed one missing":  {[]uint64{1}, []uint64{1}, nil, "archive 2: missing"},
		"exchanged":           {[]uint64{1, 2, 3}, []uint64{2, 1, 3}, nil, "archive 1: added: the file holds archive 2"},
		"doubled":             {[]uint64{1, 2, 3}, []uint64{1, 1, 3}, nil, "archive 2: added: the file holds archive 1"},
		"two of one number":   {[]uint64{1, 2, 2}, []uint64{1, 2, 2}, nil, "archive 2: added"},
		"a word altered":      {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, func(b []byte) []byte { return bytes.Replace(b, []byte("channel:zj"), []byte("channel:bj"), 1) }, "archive 1: altered"},
		"an outcome altered":  {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, func(b []byte) []byte { return bytes.Replace(b, []byte(`"right"`), []byte(`"wrong"`), 1) }, "archive 1: altered"},
		"its time altered":    {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, func(b []byte) []byte { return bytes.Replace(b, []byte(`"at":17`), []byte(`"at":18`), 1) }, "archive 1: altered: its lines are not those that were signed"},
		"entries exchanged":   {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, swapLines, "archive 1: altered"},
		"last entry cut off":  {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, cutLine, "archive 1: altered"},
		"signature cut off":   {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, func(b []byte) []byte { return b[:bytes.LastIndex(b, []byte(`{"signed"`))] }, "archive 1: altered"},
		"something behind it": {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, func(b []byte) []byte { return append(bytes.Clone(b), b...) }, "archive 1: altered"},
		"not an archive":      {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, func([]byte) []byte { return export }, "archive 1: altered"},
		"empty":               {[]uint64{1, 2, 3}, []uint64{1, 2, 3}, func([]byte) []byte { return nil }, "archive 1: altered"},
	} {
		t.Run(name, func(t *testing.T) {
			given := []audit.ArchiveFile{}
			for i, n := range c.files {
				content := files[c.holds[i]]
				if c.change != nil && i == 0 {
					content = c.change(content)
				}
				given = append(given, audit.ArchiveFile{Number: n, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }})
			}
			_, err := audit.Examine(bytes.NewReader(export), audit.ExamineConfig{Keys: &keys, Archives: given})
			if c.want == "" {
				must(t, err)
				return
			}
			found(t, err, c.want)
		})
	}
}

// TestAttacksOnTheCuts: who writes to the database cannot let a stream begin later
// than where the archive ends, nor rest on another archive.
func TestAttacksOnTheCuts(t *testing.T) {
	for name, c := range map[string]struct{ statement, want string }{
		"a cut moved on":      {`UPDATE cuts SET number = number + 1 WHERE kind = 1`, "the cuts of the streams are not those that it has"},
		"a cut's hash":        {`UPDATE cuts SET hash = zeroblob(32) WHERE kind = 1`, "the cuts of the streams are not those that it has"},
		"a cut deleted":       {`DELETE FROM cuts WHERE kind = 2`, "the cuts of the streams are not those that it has"},
		"the digest deleted":  {`DELETE FROM digests WHERE number = (SELECT min(number) FROM digests)`, "digest 8"},
		"an entry after it":   {`DELETE FROM audit WHERE kind = 1 AND number = (SELECT min(a.number) FROM audit AS a WHERE a.kind = 1 AND a.stream = audit.stream)`, "missing"},
		"that entry's hash":   {`UPDATE audit SET outcome = 'wrong' WHERE kind = 1`, "altered"},
		"the next digest":     {`DELETE FROM digest_changes WHERE digest = (SELECT min(digest) FROM digest_changes)`, "altered"},
		"the archive's token": {`UPDATE archives SET body = zeroblob(9)`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := lived(t)
			h.wait(years - 45*24*time.Hour)
			h.leave()
			h.attack(c.statement)
			var out bytes.Buffer
			err := h.digester.Export(t.Context(), record.Query{}, &out)
			if c.want == "" {
				if !errors.Is(err, store.ErrSeal) {
					t.Errorf("exported: %v, want a broken seal", err)
				}
				return
			}
			must(t, err)
			_, err = h.examine(out.Bytes(), h.shipped()...)
			found(t, err, c.want)
		})
	}
}

// TestAnArchiveOfABrokenChainIsNotSigned: what is wrong is told, not sealed over.
func TestAnArchiveOfABrokenChainIsNotSigned(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 5)
	h.digest()
	h.attack("UPDATE audit SET outcome = 'wrong' WHERE kind = 1 AND number = 2")
	plan, err := h.digester.Plan(t.Context(), h.clock().Add(time.Hour))
	must(t, err)
	var out bytes.Buffer
	err = h.digester.Export(t.Context(), record.Query{Archive: plan.Digest}, &out)
	found(t, err, "entry 2: altered")
	if strings.Contains(out.String(), `"signed"`) {
		t.Error("it was signed")
	}
}

// TestArchivingAgain: an archive that was written and not kept, as after a crash, is
// written once more, and either may be kept; never both.
func TestArchivingAgain(t *testing.T) {
	h := lived(t)
	h.write(card(1), 3)
	h.digest()
	_, first := h.written(h.clock().Add(time.Hour))
	h.restart()
	h.write(card(2), 3)
	h.digest()
	_, second := h.written(h.clock().Add(time.Hour))
	if first.Number != 4 || second.Number != 4 || first.Digest == second.Digest {
		t.Fatalf("first %+v, second %+v", first.Archive, second.Archive)
	}
	_, err := h.digester.Keep(t.Context(), first.Token, "operator", "taken up")
	must(t, err)
	if _, err := h.digester.Keep(t.Context(), second.Token, "operator", "again"); !errors.Is(err, record.ErrArchive) {
		t.Errorf("both were kept: %v", err)
	}
}

// TestArchivesIn: only files that are named as archives are.
func TestArchivesIn(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"archive-00000002.jsonl", "archive-00000001.jsonl", "archive-1.jsonl", "archive-00000003.jsonl.tmp", "digest-00000001.jsonl"} {
		must(t, os.WriteFile(dir+"/"+name, nil, 0o600))
	}
	all, err := record.ArchivesIn(dir)
	must(t, err)
	var numbers []uint64
	for _, f := range all {
		numbers = append(numbers, f.Number)
	}
	if fmt.Sprint(numbers) != "[1 2]" {
		t.Errorf("archives %v", numbers)
	}
	if _, err := record.ArchivesIn(dir + "/none"); err == nil {
		t.Error("a directory that is not there")
	}
}

// TestArchiveFileAfterACrash: whatever a crash left of the file, the next act goes on
// from there, and one that does not read back is not there.
func TestArchiveFileAfterACrash(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 5)
	h.digest()
	content, signed := h.written(h.clock().Add(time.Hour))
	dir := h.path("away")
	name := dir + "/" + record.ArchiveName(1)
	whole := func(w io.Writer) error { _, err := w.Write(content); return err }
	fails := errors.New("lost")
	for at := range 5 {
		_, _, err := record.PutArchive(dir, 1, func(w io.Writer) error {
			_, err := w.Write(content[:len(content)*at/5])
			return errors.Join(err, fails)
		})
		if _, there := os.Stat(name); !errors.Is(err, fails) || there == nil {
			t.Errorf("cut off: %v", err)
		}
		_, _, err = record.PutArchive(dir, 1, func(w io.Writer) error { _, err := w.Write(content[:len(content)*at/5]); return err })
		if _, there := os.Stat(name); err == nil || there == nil {
			t.Errorf("short: %v", err)
		}
	}
	must(t, os.WriteFile(dir+"/."+record.ArchiveName(1)+".tmp", []byte("half"), 0o600))
	got, taken, err := record.PutArchive(dir, 1, whole)
	if err != nil || taken || got.Token != signed.Token {
		t.Fatalf("%+v, %v, %v", got, taken, err)
	}
	got, taken, err = record.PutArchive(dir, 1, func(io.Writer) error { t.Error("written again"); return nil })
	if err != nil || !taken || got.Token != signed.Token {
		t.Errorf("taken up: %+v, %v, %v", got, taken, err)
	}
	if _, _, err := record.PutArchive(dir, 2, whole); err == nil {
		t.Error("archive 1 was put as archive 2")
	}
	must(t, os.WriteFile(name, content[:len(content)-40], 0o600))
	if _, _, err := record.PutArchive(dir, 1, whole); err == nil {
		t.Error("a broken file was taken up")
	}
	left, err := os.ReadDir(dir)
	if must(t, err); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}
