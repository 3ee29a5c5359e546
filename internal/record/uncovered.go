package record

import (
	"math"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
)

// Uncovered counts the entries that no digest covers, for code that shows the tallies:
// together with the tallies of the same Reader, each entry counts once. It looks at no
// more than most streams, so that a busy hour delays nobody; whole reports that there
// were no more. It checks no chain: the next digest does.
func Uncovered(r store.Reader, most int) (counted tally.Count, whole bool, err error) {
	var after audit.Stream
	for left := most; left > 0; {
		list, err := r.Undigested(after, min(page, left))
		if err != nil {
			return counted, false, err
		}
		if len(list) == 0 {
			return counted, true, nil
		}
		for _, s := range list {
			if err := uncovered(r, s, &counted); err != nil {
				return counted, false, err
			}
			after = s
		}
		left -= len(list)
	}
	list, err := r.Undigested(after, 1)
	return counted, err == nil && len(list) == 0, err
}

func uncovered(r store.Reader, s audit.Stream, counted *tally.Count) error {
	last, err := digestedHead(r, s, math.MaxInt64)
	if err != nil {
		return err
	}
	region := regionOf(r, s)
	return entries(r, s, last.Number, func(e audit.Recorded) bool {
		counted.Add(e.Entry, region)
		return true
	})
}
