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
	// record itself. Lines are only appended.
	actsFile = "acts.jsonl"
	// spokenTime is the form in which a time is read aloud: year, month, day, hour and
	// minute, in UTC.
	spokenTime = "200601021504"
	// heardWithin is how long reading the time aloud may take.
	heardWithin = 2 * time.Minute
	// mostWords bounds a reason, in characters.
	mostWords = 200
)

// Errors of AcceptClock, beside those of package clock.
var (
	// ErrAct: a name or the reason is missing, too long, or contains control
	// characters.
	ErrAct = errors.New("host: an act wants who does it, the other keeper whose administrator says so, and why")
	// ErrHeardTime: the time that was heard from the other keeper differs from this
	// machine's clock.
	ErrHeardTime = errors.New("host: the time that was heard is not within two minutes of this machine's clock")
)

// ClockAct records that two persons say that this machine's clock is right although the
// ledger's time is behind it: the administrator of this keeper, and the administrator
// of another keeper, who reads that keeper's clock aloud. Each administration runs one
// keeper, so the second person belongs to another administration.
type ClockAct struct {
	By    string    `json:"by"`
	With  keeper.ID `json:"with"`  // the other administrator's keeper
	Heard string    `json:"heard"` // SpokenTime there, as it was typed here
	Why   string    `json:"why"`
}

// SpokenTime is a clock's time as people read it aloud: twelve digits in three groups.
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
	// The other administrator read whole minutes, so up to a minute more may have
	// passed.
	if err != nil || wall.Sub(heard) > heardWithin+time.Minute || heard.Sub(wall) > heardWithin {
		return ErrHeardTime
	}
	return nil
}

// line brings a person's text to one line; "" if it is not valid.
func line(text string) string {
	l, ok := written.Line(text, mostWords)
	if !ok {
		return ""
	}
	return l
}

// AcceptClock moves the ledger's time up to the machine's clock. Locks and waits then end
// as if the time in between had passed. Errors: ErrAct, ErrHeardTime, clock.ErrNotAhead,
// clock.ErrBehind.
//
// The act is recorded first. A crash after that leaves a recorded act that was not done; it
// is done again, and then recorded twice.
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

// record appends a line to the acts, durably. If a crash cut a line off, it stays, and
// the next line begins below it.
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
