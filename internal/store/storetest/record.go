package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// recordPage is how many entries are read at a time: few, so that the suite
// reads several pages.
const recordPage = 50

// Record reads the whole audit record, for tests that look for certain entries,
// and verifies every stream of it and the links between process starts. Entries
// are ordered by their times; at the same time, cards come before process
// starts, and starts in the order in which they followed one another.
func Record(r store.Reader) ([]audit.Recorded, error) {
	heads, err := streamHeads(r)
	if err != nil {
		return nil, err
	}
	var all []audit.Recorded
	byPlace := map[audit.Place]audit.Recorded{}
	for _, head := range heads {
		entries, err := streamEntries(r, head.Stream)
		if err := errors.Join(err, audit.Verify(audit.Head{}, head, slices.Values(entries))); err != nil {
			return nil, err
		}
		for _, e := range entries {
			byPlace[e.Place] = e
		}
		all = append(all, entries...)
	}
	starts := map[audit.Stream]int{}
	for _, head := range heads {
		if starts[head.Stream], err = startOf(byPlace, head.Stream); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b audit.Recorded) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Stream.Kind, b.Stream.Kind),
			cmp.Compare(starts[a.Stream], starts[b.Stream]), slices.Compare(a.Stream.ID[:], b.Stream.ID[:]),
			cmp.Compare(a.Number, b.Number))
	})
	return all, nil
}

// startOf counts the process starts before a stream's. Each of them must be
// there, and have the last entry that its successor names.
func startOf(byPlace map[audit.Place]audit.Recorded, s audit.Stream) (before int, err error) {
	for e := byPlace[audit.Place{Stream: s, Number: 1}]; !e.After.IsZero(); before++ {
		last, ok := byPlace[e.After]
		if !ok || !e.Follows(last) {
			return 0, fmt.Errorf("stream %s does not follow entry %d of %s", e.Stream, e.After.Number, e.After.Stream)
		}
		e = byPlace[audit.Place{Stream: last.Stream, Number: 1}]
	}
	return before, nil
}

// streamHeads reads the heads of all streams.
func streamHeads(r store.Reader) (all []audit.Head, err error) {
	var after audit.Stream
	for {
		page, err := r.Streams(after, recordPage)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all, after = append(all, page...), page[len(page)-1].Stream
	}
}

// streamEntries reads a whole stream.
func streamEntries(r store.Reader, s audit.Stream) (all []audit.Recorded, err error) {
	var after uint64
	for {
		page, err := r.Entries(s, after, recordPage)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all, after = append(all, page...), page[len(page)-1].Number
	}
}
