package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/diskfile"
)

// An authority that the others did not hear of for too long was ended by one of them (its
// machine was suspended, or cut off from the database). If its process lives, nothing of it is
// kept any more, and all that it knows may be old: what it holds, which seals it vouched for,
// which of its guesses count. So it does not go on. Its process ends, as after a crash, and
// whoever watches it starts another, which begins with recovery.

// ErrEnded is returned by System.Serve where another authority has ended this one.
var ErrEnded = errors.New("server: another authority ended this one, which it had not heard of for too long: nothing is kept any more; start it again, if nothing does that by itself")

// EndedFile, beside the vault's key, says when this authority was last ended while it lived.
const EndedFile = "ended.at"

// wasEnded says once that another authority ended this one, and has System.Serve return. A
// crash before the file is written loses what 'liuma doctor' says; the other authority's record
// has it.
func (d *Data) wasEnded(o Options) func() {
	return func() {
		o.Logger.Error("ANOTHER AUTHORITY ENDED THIS ONE, which it had not heard of for too long: nothing is kept any more, and this process ends, to be started again")
		at := time.Now().UTC().Format(time.RFC3339)
		if err := (diskfile.Disk{}).Write(home(d.Config), EndedFile, []byte(at+"\n")); err != nil {
			o.Logger.Error("not noted that this authority was ended", "err", err)
		}
		close(d.lost)
	}
}

// LastEnded returns when the authority of a data directory was last ended by another while it
// lived; zero: never.
func LastEnded(c config.Config) (time.Time, error) {
	path := filepath.Join(home(c), EndedFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
	if err != nil {
		return time.Time{}, fmt.Errorf("server: %s: %w", path, err)
	}
	return at, nil
}
