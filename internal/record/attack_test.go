package record_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
)

// export is an export that an attacker rewrites.
type export struct {
	t     *testing.T
	lines []audit.Line
}

func (h *house) forged() *export {
	h.t.Helper()
	e := &export{t: h.t}
	must(h.t, audit.ReadLines(bytes.NewReader(h.export()), func(l audit.Line) error { e.lines = append(e.lines, l); return nil }))
	return e
}

func (e *export) bytes() []byte {
	e.t.Helper()
	var out bytes.Buffer
	for _, l := range e.lines {
		must(e.t, audit.WriteLine(&out, l))
	}
	return out.Bytes()
}

// entry finds the line of an entry.
func (e *export) entry(s audit.Stream, number uint64) int {
	e.t.Helper()
	i := slices.IndexFunc(e.lines, func(l audit.Line) bool { return l.Entry != nil && l.Entry.Stream == s && l.Entry.Number == number })
	if i < 0 {
		e.t.Fatalf("no entry %d of %s", number, s)
	}
	return i
}

// stream finds the line of a stream.
func (e *export) stream(s audit.Stream) int {
	e.t.Helper()
	i := slices.IndexFunc(e.lines, func(l audit.Line) bool { return l.Stream != nil && l.Stream.Stream == s })
	if i < 0 {
		e.t.Fatalf("no stream %s", s)
	}
	return i
}

// replace puts other entries in the place of a stream's, with a head that fits,
// and counts them at the end, as somebody does who can compute hashes.
func (e *export) replace(s audit.Stream, entries []audit.Recorded) {
	at, gone := e.stream(s), 0
	for e.lines[at+1+gone].Entry != nil {
		gone++
	}
	var lines []audit.Line
	if n := len(entries); n > 0 {
		lines = append(lines, audit.Line{Stream: audit.LineOfHead(entries[n-1].Head())})
	}
	for _, r := range entries {
		lines = append(lines, audit.Line{Entry: audit.LineOf(r)})
	}
	e.lines = slices.Replace(e.lines, at, at+1+gone, lines...)
	end := e.lines[len(e.lines)-1].End
	end.Entries += uint64(len(entries)) - uint64(gone)
	if len(entries) == 0 {
		end.Streams--
	}
}

// entries are the entries of a stream.
func (e *export) entries(s audit.Stream) (out []audit.Recorded) {
	for _, l := range e.lines {
		if l.Entry != nil && l.Entry.Stream == s {
			out = append(out, l.Entry.Recorded())
		}
	}
	return out
}

// chained computes previous and hashes anew from an index on.
func chained(all []audit.Recorded, from int) []audit.Recorded {
	for i := max(from, 1); i < len(all); i++ {
		all[i].Number, all[i].Previous = uint64(i+1), all[i-1].Hash()
	}
	return all
}

// TestAttacksOnTheRecord rewrites an export, as whoever writes to the database
// could rewrite the record. From the export alone each is found, and the entry
// is named.
func TestAttacksOnTheRecord(t *testing.T) {
	h := grown(t)
	one, two := audit.CardStream(card(1)), audit.CardStream(card(2))
	for name, c := range map[string]struct {
		forge func(e *export)
		found string
	}{
		"an entry is deleted": {func(e *export) {
			e.lines = slices.Delete(e.lines, e.entry(one, 3), e.entry(one, 4))
		}, "stream " + one.String() + ", entry 3: missing"},
		"an entry is deleted and the rest chained anew": {func(e *export) {
			e.replace(one, chained(slices.Delete(e.entries(one), 2, 3), 2))
		}, "entry 4: altered: digest 1 has another hash"},
		"an entry is inserted": {func(e *export) {
			e.lines = slices.Insert(e.lines, e.entry(one, 3), e.lines[e.entry(two, 1)])
		}, "added"},
		"an entry is inserted and the rest chained anew": {func(e *export) {
			all := e.entries(one)
			e.replace(one, chained(slices.Insert(all, 5, all[4]), 5))
		}, "entry 7: altered: digest 2 has another hash for it; the first altered entry is one of 5 to 7"},
		"an entry is altered": {func(e *export) {
			e.lines[e.entry(two, 2)].Entry.Outcome = "wrong"
		}, "stream " + two.String() + ", entry 2: altered"},
		"an entry is altered and the rest chained anew": {func(e *export) {
			all := e.entries(two)
			all[3].Outcome = "wrong"
			e.replace(two, chained(all, 4))
		}, "entry 5: altered: digest 3 has another hash for it; the first altered entry is one of 3 to 5"},
		"two entries change places": {func(e *export) {
			i, j := e.entry(one, 2), e.entry(one, 3)
			e.lines[i], e.lines[j] = e.lines[j], e.lines[i]
		}, "entry 2: missing"},
		"the tail is cut off, and the head put back": {func(e *export) {
			e.replace(one, e.entries(one)[:5])
		}, "entry 6: missing: digest 2 has 7 entries of the stream"},
		"a whole stream is deleted": {func(e *export) {
			e.replace(two, nil)
		}, "stream " + two.String() + ", entry 1: missing, with the whole stream: digest 2 has it"},
		"two streams change places": {func(e *export) {
			a, b := e.entries(one), e.entries(two)
			for i := range a {
				a[i].Stream, a[i].Card = two, card(2)
			}
			for i := range b {
				b[i].Stream, b[i].Card = one, card(1)
			}
			e.replace(one, chained(b, 1))
			e.replace(two, chained(a, 1))
		}, "altered"},
		"a digest is left out": {func(e *export) {
			i := slices.IndexFunc(e.lines, func(l audit.Line) bool { return l.Digest != nil })
			n := 1
			for e.lines[i+n].Change != nil {
				n++
			}
			e.lines = slices.Delete(e.lines, i, i+n)
		}, "digest 1: missing"},
		"the changes of a digest are altered": {func(e *export) {
			i := slices.IndexFunc(e.lines, func(l audit.Line) bool { return l.Change != nil })
			e.lines[i].Change.Number++
		}, "digest 1: altered: the list of its changes"},
		"a stream stands twice": {func(e *export) {
			i, j := e.stream(one), e.stream(two)
			e.lines = slices.Insert(e.lines, j, e.lines[i:j]...)
		}, "added"},
	} {
		t.Run(name, func(t *testing.T) {
			e := h.forged()
			e.t = t
			c.forge(e)
			_, err := h.examine(e.bytes())
			found(t, err, c.found)
			if _, err := audit.Examine(bytes.NewReader(e.bytes()), audit.ExamineConfig{}); err == nil {
				t.Error("without keys it passed")
			}
		})
	}
}

// TestAttacksOnProcessStarts: a start's stream that no digest has yet is missed
// by the start after it.
func TestAttacksOnProcessStarts(t *testing.T) {
	h := newHouse(t)
	h.write(liuma.CardID{}, 2)
	first := h.process()
	h.restart()
	h.write(liuma.CardID{}, 1)
	e := h.forged()
	e.replace(first, nil)
	_, err := h.examine(e.bytes())
	found(t, err, "stream "+first.String()+", entry 2: missing: the start ")
	e = h.forged()
	all := e.entries(first)
	all[1].Note = "version=2"
	e.replace(first, all)
	_, err = h.examine(e.bytes())
	found(t, err, "stream "+first.String()+", entry 2: altered: the start ")
}

// process is the stream of the only process start.
func (h *house) process() (s audit.Stream) {
	h.t.Helper()
	must(h.t, h.db.View(h.t.Context(), func(r store.Reader) error {
		heads, err := r.Streams(audit.Stream{Kind: audit.OfProcess}, 1)
		s = heads[0].Stream
		return err
	}))
	return s
}

// TestSignatureOfADigest: whoever writes to the database signs nothing.
func TestSignatureOfADigest(t *testing.T) {
	h := grown(t)
	other := newHouse(t)
	other.write(card(1), 1)
	other.digest()
	theirs := other.forged()
	_, err := h.examine(theirs.bytes())
	found(t, err, "digest 1: altered: audit: digest: signed with a key that is not among those given")
	for i, l := range theirs.lines {
		if l.Digest == nil {
			continue
		}
		b := []byte(l.Digest.Token)
		if b[len(b)-20]++; b[len(b)-20] == '-'+1 || b[len(b)-20] == '9'+1 || b[len(b)-20] == 'Z'+1 || b[len(b)-20] == '_'+1 || b[len(b)-20] == 'z'+1 {
			b[len(b)-20] = 'a' // another letter of the alphabet, too
		}
		theirs.lines[i].Digest.Token = string(b)
	}
	_, err = other.examine(theirs.bytes())
	found(t, err, "digest 1: altered: audit: digest: signature does not verify")
}

// TestDatabasePutBack rolls the whole database back: only digests that were
// shipped off show it, to an auditor and, while they are in the directory, to
// the next start.
func TestDatabasePutBack(t *testing.T) {
	h := grown(t)
	must(t, h.db.Close())
	earlier, err := os.ReadFile(h.path("liuma.db"))
	must(t, err)
	h.open()
	h.write(card(1), 1)
	h.digest()
	h.write(card(1), 1)
	h.digest()
	must(t, h.db.Close())
	must(t, os.WriteFile(h.path("liuma.db"), earlier, 0o600))
	h.open()

	put := h.export()
	if _, err := h.examine(put); err != nil {
		t.Errorf("an older state of the whole database alone: %v; it is as it was", err)
	}
	// The export is younger than the digests that it lacks.
	h.wait(time.Second)
	_, err = h.examine(h.export(), h.shipped()...)
	found(t, err, "stream "+audit.CardStream(card(1)).String()+", entry 8: missing: digest 5 has 9 entries of the stream")
	must(t, h.digester.Check(t.Context()))
	h.fault("digest 4: missing: digest 5 was shipped, and the database ends with digest 3")

	// It goes on, and another digest 4 and 5 come.
	h.write(card(2), 1)
	h.digest()
	h.write(card(2), 1)
	h.digest()
	h.fault("digest 5: altered: " + record.FileName(5) + " holds another one")
	_, err = h.examine(h.export(), h.shipped()...)
	found(t, err, "entry 8: missing")
	var only []audit.ShippedDigest // of the digests in which the streams seem whole
	for _, s := range h.shipped()[:4] {
		s.Changes = slices.Clone(s.Changes)
		only = append(only, s)
	}
	h.write(card(1), 1)
	_, err = h.examine(h.export(), only...)
	found(t, err, "entry 8: altered: digest 4 has another hash for it")
}

// TestForkWithoutAnEntry: a shipped digest that the record does not have is
// found although every entry that it covers is there.
func TestForkWithoutAnEntry(t *testing.T) {
	h := grown(t)
	must(t, h.db.Close())
	earlier, err := os.ReadFile(h.path("liuma.db"))
	must(t, err)
	h.open()
	h.wait(time.Second)
	h.digest() // covers no more than the entry about digest 3
	must(t, h.db.Close())
	must(t, os.WriteFile(h.path("liuma.db"), earlier, 0o600))
	h.open()
	h.wait(time.Second)
	h.digest()
	_, err = h.examine(h.export(), h.shipped()...)
	found(t, err, "digest 4: altered: it is not the one that was shipped")
}

// TestShippedLater: digests later than an export do not speak against it, and
// one that does not follow does.
func TestShippedLater(t *testing.T) {
	h := grown(t)
	old := h.export()
	h.wait(time.Minute)
	h.write(card(1), 1)
	h.digest()
	out, err := h.examine(old, h.shipped()...)
	must(t, err)
	if out.Newer != 1 || out.Shipped != 4 {
		t.Errorf("%d of %d are later, want 1 of 4", out.Newer, out.Shipped)
	}
	stranger := newHouse(t)
	stranger.wait(24 * time.Hour)
	stranger.write(card(1), 1)
	for range 4 {
		stranger.digest()
	}
	keys := h.vault.ReceiptKeys()
	keys.Keys = append(keys.Keys, stranger.vault.ReceiptKeys().Keys...)
	_, err = audit.Examine(bytes.NewReader(old), audit.ExamineConfig{Keys: &keys, Shipped: stranger.shipped()[3:]})
	if err == nil {
		t.Error("a digest that does not follow the record's last one was taken")
	}
}

// TestDatabaseAttacksAreFoundWhileServing: what is done to the entries since the
// last digest is found by the next check, told three ways, and stays out of the
// digest; the other streams are digested as ever.
func TestDatabaseAttacksAreFoundWhileServing(t *testing.T) {
	of := func(i byte) string { return fmt.Sprintf("kind = 1 AND hex(stream) = '%X'", [16]byte(card(i))) }
	for name, c := range map[string]struct{ attack, found string }{
		"altered": {"UPDATE audit SET outcome = 'wrong' WHERE number = 5 AND " + of(1), "entry 5: altered"},
		"deleted": {"DELETE FROM audit WHERE number = 5 AND " + of(1), "entry 5: missing"},
		"cut off": {"DELETE FROM audit WHERE number >= 6 AND " + of(1), "entry 6: missing"},
		"added":   {"INSERT INTO audit SELECT kind, stream, 8, randomblob(16), previous, after_stream, after_number, at, actor, event, business_no, outcome, note, hash FROM audit WHERE number = 7 AND " + of(1), "entry 8: added"},
		"reordered": {"UPDATE audit SET number = -6 WHERE number = 6 AND " + of(1) +
			"; UPDATE audit SET number = 6 WHERE number = 7 AND " + of(1) + "; UPDATE audit SET number = 7 WHERE number = -6 AND " + of(1), "entry 6: altered"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.write(card(1), 4)
			h.digest()
			h.write(card(1), 3)
			h.write(card(2), 1)
			h.attack(strings.Split(c.attack, "; ")...)
			must(t, h.digester.Check(t.Context()))
			h.fault("stream " + audit.CardStream(card(1)).String() + ", " + c.found)
			before := h.count(audit.RecordFault)
			d, err := h.digester.Digest(t.Context())
			must(t, err)
			if d.Faulty != 1 || d.Streams != 4 {
				t.Errorf("digest of %d streams without %d, want two cards and two starts, without 1", d.Streams, d.Faulty)
			}
			for _, c := range h.shipped()[1].Changes {
				if c.Stream == audit.CardStream(card(1)) {
					t.Error("the stream with the fault was digested")
				}
			}
			if n := h.count(audit.RecordFault); n != before {
				t.Errorf("the fault is in the record %d times", n)
			}
			_, err = h.examine(h.export(), h.shipped()...)
			found(t, err, c.found)
			h.write(card(2), 1) // the service goes on
		})
	}
}

// TestAlteredDigestStopsDigests: nothing is signed on top of a digest that is
// not the authority's own.
func TestAlteredDigestStopsDigests(t *testing.T) {
	h := grown(t)
	h.attack("UPDATE digests SET token = (SELECT token FROM digests WHERE number = 2) WHERE number = 3")
	if _, err := h.digester.Digest(t.Context()); err == nil {
		t.Fatal("a digest was made")
	}
	h.fault("digest 3: altered")
	if n := h.count(audit.RecordDigested); n != 3 {
		t.Errorf("%d digests, want 3", n)
	}
	_, err := h.examine(h.export())
	found(t, err, "digest 2: added")
}

// TestHiddenStreamShows: a stream that is taken off the list of those that grew
// is not in the next digest, and is digested when it grows again.
func TestHiddenStreamShows(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 2)
	h.write(card(2), 1)
	h.attack("DELETE FROM undigested WHERE kind = 1")
	h.digest()
	out, err := h.examine(h.export())
	must(t, err)
	if out.Uncovered != 4 {
		t.Errorf("%d entries are not covered, want the three and the one about the digest", out.Uncovered)
	}
	h.write(card(1), 1)
	h.write(card(2), 1)
	h.digest()
	out, err = h.examine(h.export())
	must(t, err)
	if out.Uncovered != 1 {
		t.Errorf("%d entries are not covered, want the one about the digest", out.Uncovered)
	}
}

// headOf is a store in which the head of a stream was put back.
type headOf struct {
	store.Store
	head audit.Head
}

func (s headOf) View(ctx context.Context, f func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return f(headReader{r, s.head}) })
}

type headReader struct {
	store.Reader
	head audit.Head
}

func (r headReader) Head(s audit.Stream) (audit.Head, error) {
	if s == r.head.Stream {
		return r.head, nil
	}
	return r.Reader.Head(s)
}

func (r headReader) Entries(s audit.Stream, after uint64, limit int) ([]audit.Recorded, error) {
	all, err := r.Reader.Entries(s, after, limit)
	return slices.DeleteFunc(all, func(e audit.Recorded) bool { return s == r.head.Stream && e.Number > r.head.Number }), err
}

// TestHeadPutBack: a head that is older than the last digest is a fault, even
// where the entries were cut off with it.
func TestHeadPutBack(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 4)
	h.digest()
	h.write(card(1), 1)
	var old audit.Head
	must(t, h.db.View(t.Context(), func(r store.Reader) error {
		all, err := r.Entries(audit.CardStream(card(1)), 1, 1)
		old = all[0].Head()
		return err
	}))
	d, err := record.New(record.Config{Store: headOf{h.db, old}, Signer: h.vault, Issuer: issuer, Now: h.clock})
	must(t, err)
	made, err := d.Digest(t.Context())
	must(t, err)
	if s := d.State(); made.Faulty != 1 || len(s.Faults) != 1 || !strings.Contains(s.Faults[0], "entry 3: missing") {
		t.Errorf("digest without %d, faults %q", made.Faulty, s.Faults)
	}
}

// noHead is a store in which the row with the head of a stream fails its seal.
type noHead struct {
	store.Store
	stream audit.Stream
}

func (s noHead) View(ctx context.Context, f func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return f(noHeadReader{r, s.stream}) })
}

type noHeadReader struct {
	store.Reader
	stream audit.Stream
}

func (r noHeadReader) Head(s audit.Stream) (audit.Head, error) {
	if s == r.stream {
		return audit.Head{}, store.ErrSeal
	}
	return r.Reader.Head(s)
}

// TestHeadAltered: a card's row that fails its seal is a fault of its stream, and
// stops the digests of no other.
func TestHeadAltered(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 4)
	h.write(card(2), 4)
	h.digest()
	h.write(card(1), 1)
	h.write(card(2), 1)
	d, err := record.New(record.Config{Store: noHead{h.db, audit.CardStream(card(1))}, Signer: h.vault, Issuer: issuer, Now: h.clock})
	must(t, err)
	must(t, d.Check(t.Context()))
	made, err := d.Digest(t.Context())
	must(t, err)
	if s := d.State(); made.Faulty != 1 || len(s.Faults) != 1 || !strings.Contains(s.Faults[0], "entry 5: altered") {
		t.Errorf("digest without %d, faults %q", made.Faulty, s.Faults)
	}
}

// TestSumTiesTheSet: a digest that does not add up is found, although it is
// signed and its list is the one that was signed.
func TestSumTiesTheSet(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 2)
	h.digest()
	for name, change := range map[string]func(*audit.Digest){
		"sum": func(d *audit.Digest) { d.Sum[7]++ }, "streams": func(d *audit.Digest) { d.Streams++ },
		"entries": func(d *audit.Digest) { d.Entries++ },
	} {
		e := h.forged()
		i := slices.IndexFunc(e.lines, func(l audit.Line) bool { return l.Digest != nil })
		d, err := audit.ParseDigest(e.lines[i].Digest.Token, nil)
		must(t, err)
		change(&d.Digest)
		signed, err := h.vault.SignDigest(d.Digest)
		must(t, err)
		e.lines[i].Digest.Token = signed.Token
		if _, err := h.examine(e.bytes()); err == nil {
			t.Errorf("another %s passed", name)
		} else {
			found(t, err, "digest 1: altered: its sum is not that of its changes")
		}
	}
}

// growing is a store that takes another entry just before each digest is kept.
type growing struct {
	store.Store
	h *house
}

func (g growing) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	g.h.write(card(1), 1)
	return g.Store.Update(ctx, f)
}

// TestGrowthWhileDigesting: entries that come while a digest is made are covered
// by the next.
func TestGrowthWhileDigesting(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 1)
	d, err := record.New(record.Config{Store: growing{h.db, h}, Signer: h.vault, Issuer: issuer, Now: h.clock})
	must(t, err)
	_, err = d.Digest(t.Context())
	must(t, err)
	h.digest()
	out, err := h.examine(h.export())
	must(t, err)
	if out.Uncovered != 1 {
		t.Errorf("%d entries are not covered, want the one about the digest", out.Uncovered)
	}
}
