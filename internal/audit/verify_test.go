package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
)

var (
	someCard    = liuma.CardID{0: 0xCA, 15: 1}
	someProcess = audit.ProcessID{0: 0xB0, 15: 2}
)

// chain makes the first n entries of a card's stream.
func chain(n int) (all []audit.Recorded, head audit.Head) {
	head.Stream = audit.CardStream(someCard)
	for i := range n {
		e := audit.Entry{At: time.UnixMilli(int64(1000 + i)).UTC(), Actor: "channel:zj", Event: audit.AttemptDecided,
			Card: someCard, BusinessNo: "B1", Outcome: "right", Note: "version=3"}
		r := head.Next(audit.EntryID{byte(i), 7}, e)
		all, head = append(all, r), r.Head()
	}
	return all, head
}

// processChain makes the first entries of a process start's stream, with or
// without an earlier start.
func processChain(n int, predecessor audit.Head) (all []audit.Recorded, head audit.Head) {
	e := audit.Entry{At: time.UnixMilli(1000).UTC(), Actor: "system", Event: audit.RowsPruned, Outcome: "ok"}
	r := someProcess.First(predecessor, audit.EntryID{1}, e)
	all, head = append(all, r), r.Head()
	for i := range n - 1 {
		r := head.Next(audit.EntryID{2, byte(i)}, e)
		all, head = append(all, r), r.Head()
	}
	return all, head
}

// TestVerifyTakesWhatWasRecorded: whole streams of both kinds pass, and so do
// the entries after a head that was noted earlier.
func TestVerifyTakesWhatWasRecorded(t *testing.T) {
	for n := range 6 {
		all, head := chain(n)
		if err := audit.Verify(audit.Head{}, head, slices.Values(all)); err != nil {
			t.Errorf("%d entries: %v", n, err)
		}
		for noted := range all {
			if err := audit.Verify(all[noted].Head(), head, slices.Values(all[noted+1:])); err != nil {
				t.Errorf("after %d of %d entries: %v", noted+1, n, err)
			}
		}
	}
	_, earlier := processChain(3, audit.Head{})
	for _, predecessor := range []audit.Head{{}, earlier} {
		all, head := processChain(4, predecessor)
		if err := audit.Verify(audit.Head{}, head, slices.Values(all)); err != nil {
			t.Errorf("after %v: %v", predecessor.Place, err)
		}
	}
}

// TestFollows: an entry names the one before it, also across two starts.
func TestFollows(t *testing.T) {
	cards, _ := chain(3)
	earlier, head := processChain(2, audit.Head{})
	later, _ := processChain(2, head)
	other := cards[0]
	other.Note = "version=4"
	for i, c := range []struct {
		entry, before audit.Recorded
		want          bool
	}{
		{cards[1], cards[0], true},
		{cards[2], cards[1], true},
		{later[0], earlier[1], true},
		{cards[2], cards[0], false},
		{cards[1], other, false},
		{later[0], earlier[0], false},
		{earlier[0], later[1], false},
		{cards[0], audit.Recorded{}, false},
	} {
		if got := c.entry.Follows(c.before); got != c.want {
			t.Errorf("case %d: %v, want %v", i, got, c.want)
		}
	}
}

// alterations change one member each.
func alterations() map[string]func(*audit.Recorded) {
	return map[string]func(*audit.Recorded){
		"time":            func(r *audit.Recorded) { r.At = r.At.Add(time.Millisecond) },
		"actor":           func(r *audit.Recorded) { r.Actor += "x" },
		"event":           func(r *audit.Recorded) { r.Event = audit.CardFrozen },
		"card":            func(r *audit.Recorded) { r.Card[3]++ },
		"business number": func(r *audit.Recorded) { r.BusinessNo = "" },
		"outcome":         func(r *audit.Recorded) { r.Outcome = "wrong" },
		"note":            func(r *audit.Recorded) { r.Note = "" },
		"edge":            func(r *audit.Recorded) { r.Outcome, r.Note = r.Outcome+r.Note[:1], r.Note[1:] },
		"id":              func(r *audit.Recorded) { r.ID[15]++ },
		"previous":        func(r *audit.Recorded) { r.Previous[31]++ },
		"after":           func(r *audit.Recorded) { r.After = audit.Place{Stream: someProcess.Stream(), Number: 1} },
	}
}

func wantBreak(t *testing.T, what string, err error, number uint64, fault audit.Fault) {
	t.Helper()
	b, ok := errors.AsType[*audit.Break](err)
	if !ok || b.Number != number || b.Fault != fault || b.Stream.Kind == 0 {
		t.Errorf("%s: %v, want entry %d to be %s", what, err, number, fault)
	}
}

// TestVerifyNamesWhatWasAltered alters every member of every entry: Verify
// names the entry.
func TestVerifyNamesWhatWasAltered(t *testing.T) {
	const n = 5
	for name, alter := range alterations() {
		for i := range n {
			all, head := chain(n)
			alter(&all[i])
			what := fmt.Sprintf("%s of entry %d", name, i+1)
			wantBreak(t, what, audit.Verify(audit.Head{}, head, slices.Values(all)), uint64(i+1), audit.Altered)
		}
	}
	all, head := chain(n)
	for i := range all {
		bad := all[i].Head()
		bad.Hash[0]++
		if i == n-1 {
			wantBreak(t, "head", audit.Verify(audit.Head{}, bad, slices.Values(all)), n, audit.Altered)
			continue
		}
		what := fmt.Sprintf("noted head of entry %d", i+1)
		wantBreak(t, what, audit.Verify(bad, head, slices.Values(all[i+1:])), uint64(i+2), audit.Altered)
	}
}

// TestVerifyNamesWhatIsMissing takes out every run of entries: Verify names its
// first.
func TestVerifyNamesWhatIsMissing(t *testing.T) {
	const n = 5
	for from := range n {
		for to := from + 1; to <= n; to++ {
			all, head := chain(n)
			left := slices.Delete(all, from, to)
			what := fmt.Sprintf("without entries %d to %d", from+1, to)
			wantBreak(t, what, audit.Verify(audit.Head{}, head, slices.Values(left)), uint64(from+1), audit.Missing)
		}
	}
	all, head := chain(n)
	wantBreak(t, "a head that fell", audit.Verify(head, all[2].Head(), slices.Values([]audit.Recorded{})), 4, audit.Missing)
}

// TestVerifyNamesWhatWasAdded puts in entries that do not belong there: Verify
// names them.
func TestVerifyNamesWhatWasAdded(t *testing.T) {
	all, head := chain(5)
	more := head.Next(audit.EntryID{9}, all[4].Entry)
	for at := range all {
		twice := slices.Insert(slices.Clone(all), at+1, all[at])
		what := fmt.Sprintf("entry %d twice", at+1)
		wantBreak(t, what, audit.Verify(audit.Head{}, head, slices.Values(twice)), uint64(at+1), audit.Added)
	}
	wantBreak(t, "beyond the head", audit.Verify(audit.Head{}, head, slices.Values(append(slices.Clone(all), more))), 6, audit.Added)
	others := slices.Clone(all)
	others[2].Stream.ID[0]++
	wantBreak(t, "of another card", audit.Verify(audit.Head{}, head, slices.Values(others)), 3, audit.Added)
	if err := audit.Verify(audit.Head{Place: audit.Place{Stream: someProcess.Stream(), Number: 1}}, head, slices.Values(all[1:])); err == nil {
		t.Error("two streams were compared")
	}
}

// TestVerifyAfterSeveralFaults: the first of two is named.
func TestVerifyAfterSeveralFaults(t *testing.T) {
	all, head := chain(7)
	all[1].Note, all[4].Note = "", ""
	wantBreak(t, "two altered", audit.Verify(audit.Head{}, head, slices.Values(all)), 2, audit.Altered)
	all, head = chain(7)
	all[1].Note = ""
	wantBreak(t, "altered and missing", audit.Verify(audit.Head{}, head, slices.Values(slices.Delete(all, 4, 5))), 2, audit.Altered)
}

// TestFirstEntriesSayWhatTheyFollow: a card's first entry follows nothing; a
// process start's has both a place and its hash, or neither.
func TestFirstEntriesSayWhatTheyFollow(t *testing.T) {
	card, head := chain(1)
	card[0].Previous[0]++
	wantBreak(t, "a card's", audit.Verify(audit.Head{}, card[0].Head(), slices.Values(card)), 1, audit.Altered)
	start, _ := processChain(1, audit.Head{})
	start[0].Previous[0]++
	wantBreak(t, "a start's hash", audit.Verify(audit.Head{}, start[0].Head(), slices.Values(start)), 1, audit.Altered)
	start, _ = processChain(1, audit.Head{})
	start[0].After = audit.Place{Stream: audit.ProcessID{1}.Stream(), Number: 4}
	wantBreak(t, "a start's place", audit.Verify(audit.Head{}, start[0].Head(), slices.Values(start)), 1, audit.Altered)
	start, _ = processChain(1, head) // of a card
	wantBreak(t, "a start after a card", audit.Verify(audit.Head{}, start[0].Head(), slices.Values(start)), 1, audit.Altered)
}

// TestHashIsAsDocumented builds the encoding from docs/AUDIT.md by hand, and
// looks for its examples there.
func TestHashIsAsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/AUDIT.md")
	if err != nil {
		t.Fatal(err)
	}
	cards, _ := chain(2)
	for _, r := range cards {
		if !bytes.Contains(doc, []byte(r.Hash().String())) {
			t.Errorf("docs/AUDIT.md does not have the hash %s of example %d", r.Hash(), r.Number)
		}
	}
	want := "0000000d" + hex.EncodeToString([]byte("liuma/1/audit")) +
		"00000004" + hex.EncodeToString([]byte("card")) +
		"00000010" + "ca000000000000000000000000000001" +
		"00000008" + "0000000000000001" +
		"00000010" + "00070000000000000000000000000000" +
		"00000020" + "0000000000000000000000000000000000000000000000000000000000000000" +
		"00000000" + "00000000" +
		"00000008" + "00000000000003e8" +
		"0000000a" + hex.EncodeToString([]byte("channel:zj")) +
		"0000000f" + hex.EncodeToString([]byte("attempt.decided")) +
		"00000002" + hex.EncodeToString([]byte("B1")) +
		"00000005" + hex.EncodeToString([]byte("right")) +
		"00000009" + hex.EncodeToString([]byte("version=3"))
	b, err := hex.DecodeString(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := cards[0].Hash(); got != audit.Hash(sha256.Sum256(b)) {
		t.Errorf("hash %s, by hand %s", got, audit.Hash(sha256.Sum256(b)))
	}
}

// FuzzVerify damages one entry of a chain in a way that the data chooses:
// Verify names it, and accepts the chain without the damage.
func FuzzVerify(f *testing.F) {
	f.Add(uint8(5), uint8(2), uint8(0), "right", "version=3")
	f.Add(uint8(1), uint8(0), uint8(1), "", "")
	f.Add(uint8(9), uint8(8), uint8(2), "a", "b")
	f.Fuzz(func(t *testing.T, n, at, how uint8, outcome, note string) {
		all, head := chain(1 + int(n%40))
		i := int(at) % len(all)
		if err := audit.Verify(audit.Head{}, head, slices.Values(all)); err != nil {
			t.Fatal(err)
		}
		want := audit.Altered
		switch how % 4 {
		case 0:
			if all[i].Outcome == outcome && all[i].Note == note {
				return
			}
			all[i].Outcome, all[i].Note = outcome, note
		case 1:
			all, want = slices.Delete(all, i, i+1), audit.Missing
		case 2:
			all, want = slices.Insert(all, i+1, all[i]), audit.Added
		case 3:
			all[i].Previous[n%32] ^= 1 + how
			if how == 255 {
				return // nothing was changed
			}
		}
		wantBreak(t, "damaged", audit.Verify(audit.Head{}, head, slices.Values(all)), uint64(i+1), want)
	})
}
