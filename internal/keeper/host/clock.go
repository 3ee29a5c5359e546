package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/written"
)

const (
	// actsFile has a line for each act of the administrator that the ledger does not
	// show by itself. It is only appended to.
	actsFile = "acts.jsonl"
	// spokenTime is how a moment is read aloud: year, month, day, hour and minute, in UTC.
	spokenTime = "200601021504"
	// heardWithin is how long the reading of a time may take.
	heardWithin = 2 * time.Minute
	// mostWords bounds a reason, in characters.
	mostWords = 200
)

// Errors of AcceptClock, beside those of package clock.
var (
	// ErrAct: a name or the reason is missing, too long, or has control signs in it.
	ErrAct = errors.New("host: an act wants who does it, the other keeper whose administrator says so, and why")
	// ErrHeardTime: the other keeper's clock, as it was heard, is not this one's.
	ErrHeardTime = errors.New("host: the time that was heard is not within two minutes of this machine's clock")
)

// ClockAct is the word of two persons that this machine's clock is right although the
// ledger's time is behind it: who runs this keeper, and who runs another one and reads
// their clock aloud. An administration has one of them, so the second is another's.
type ClockAct struct {
	By    string    `json:"by"`
	With  keeper.ID `json:"with"`  // the other's keeper
	Heard string    `json:"heard"` // SpokenTime there, as it was typed
	Why   string    `json:"why"`
}

// SpokenTime is what is read aloud of a clock: twelve digits in three groups.
func SpokenTime(at time.Time) string {
	d := at.UTC().Format(spokenTime)
	return d[:4] + " " + d[4:8] + " " + d[8:]
}

// check compares an act with the machine's clock.
func (a ClockAct) check(own keeper.ID, wall time.Time) error {
	if a.With == own || admission.ValidName(string(a.With)) != nil || a.By == "" || a.Why == "" {
		return ErrAct
	}
	heard, err := time.Parse(spokenTime, written.Number(a.Heard))
	// The minute that was read may be over by a second or by all of it.
	if err != nil || wall.Sub(heard) > heardWithin+time.Minute || heard.Sub(wall) > heardWithin {
		return ErrHeardTime
	}
	return nil
}

// line brings what a person wrote to one line; "" where it is none.
func line(text string) string {
	l, ok := written.Line(text, mostWords)
	if !ok {
		return ""
	}
	return l
}

// AcceptClock moves the ledger's time up to the machine's clock: what it judges by it, such
// as the end of a lock, is as if the time in between had passed. Errors: ErrAct,
// ErrHeardTime, clock.ErrNotAhead, clock.ErrBehind.
//
// The act is written down first. A crash after that leaves an act that was not done; it is
// done again, and stands there twice.
func (h *Host) AcceptClock(ctx context.Context, a ClockAct) error {
	n, err := h.seat.sits()
	if err != nil {
		return err
	}
	times := n.Times()
	a.By, a.Why = line(a.By), line(a.Why)
	if err := errors.Join(a.check(h.dir.Keeper, times.Wall), times.Check()); err != nil {
		return err
	}
	if times.Lag() <= 0 {
		return clock.ErrNotAhead
	}
	if err := h.dir.record(struct {
		At   time.Time `json:"at"`
		Act  string    `json:"act"`
		From time.Time `json:"from"`
		ClockAct
	}{times.Wall, "clock", times.High, a}); err != nil {
		return err
	}
	if err := n.AcceptTime(ctx); err != nil {
		return err
	}
	h.log.WarnContext(ctx, "the kept time was moved to the machine's clock by two persons' word", "from", times.High, "by", a.By, "with", string(a.With), "why", a.Why)
	return nil
}

// record appends a line to the acts, durably. A line that a crash cut off stays, and the
// next one begins below it.
func (d *Dir) record(act any) error {
	data, err := json.Marshal(act)
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	return d.change(func() error {
		path := filepath.Join(d.path, actsFile)
		before, err := d.read(actsFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if n := len(before); n > 0 && before[n-1] != '\n' {
			data = append([]byte("\n"), data...)
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("host: %w", err)
		}
		_, err = f.Write(append(data, '\n'))
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("host: write %s: %w", actsFile, err)
		}
		return nil
	})
}
