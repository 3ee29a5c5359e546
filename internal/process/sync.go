package process

import (
	"errors"
	"os"
	"slices"
	"time"
)

// FastestSync is shorter than a write takes on any disk that really keeps the data when
// its power goes off.
const FastestSync = 30 * time.Microsecond

// SyncTime returns the median time of twenty synced writes of a page, to a file that it
// removes again.
func SyncTime(dir string) (_ time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	var took []time.Duration
	for i := range 20 {
		page[0] = byte(i)
		begun := time.Now()
		if _, err := f.WriteAt(page, int64(i)*4096); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
