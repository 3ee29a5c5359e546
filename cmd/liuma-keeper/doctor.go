package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/locale"
)

// The states of a finding.
const (
	doctorFine = "fine"
	doctorLook = "look" // not known, or worth a look
	doctorBad  = "bad"
)

// finding is what one check of the doctor found: a sentence, and what to do about it.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"`
	What  string `json:"what"`
	Next  string `json:"next,omitempty"`
}

// doctorError says that something is not in order.
type doctorError struct{ error }

// patient is whom the doctor looks at.
type patient struct {
	dir   *host.Dir
	words *locale.Words
	say   locale.KeeperCommand
	now   time.Time
}

// doctor looks at the machine, the directory, and the keeper that serves it; it goes on where
// one of them cannot be looked at. It changes nothing but for a file that it removes.
func doctor(f *flags) runner {
	asJSON := f.yes("json", f.say.FlagJson())
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if errors.Is(err, host.ErrNoHost) {
			return err
		}
		if err != nil {
			return c.diagnosed([]finding{{"directory", doctorBad, told(c.words, err), directoryNext(c.say(), err)}}, *asJSON)
		}
		p := &patient{dir: d, words: c.words, say: c.say(), now: time.Now()}
		return c.diagnosed(slices.Concat(p.files(), p.disk(), p.sync(), p.core(), p.ends(), p.running(ctx)), *asJSON)
	}
}

// diagnosed writes the findings; bad ones make the exit status 3.
func (c *call) diagnosed(found []finding, asJSON bool) (err error) {
	say, bad := c.say(), 0
	words := map[string]string{doctorFine: say.DoctorFine(), doctorLook: say.DoctorLook(), doctorBad: say.DoctorBad()}
	for _, f := range found {
		if f.State == doctorBad {
			bad++
		}
		if asJSON {
			err = errors.Join(err, json.NewEncoder(c.out).Encode(f))
			continue
		}
		err = errors.Join(err, c.line(padded(words[f.State], 10)+f.What))
		if f.Next != "" {
			err = errors.Join(err, c.line(padded("", 10)+f.Next))
		}
	}
	if err == nil && bad > 0 {
		return &doctorError{refuse(func(w locale.KeeperCommand) string { return w.DoctorFound(fmt.Sprint(bad)) })}
	}
	return err
}

// files wants every file of the directory, and the token's PIN, to be this account's alone.
// That the directory is so, host.Open has seen.
func (p *patient) files() []finding {
	var paths []string
	list, err := os.ReadDir(p.dir.Path())
	for _, e := range list {
		if e.Type().IsRegular() {
			paths = append(paths, filepath.Join(p.dir.Path(), e.Name()))
		}
	}
	if t := p.dir.PKCS11; t != nil {
		pin := t.PINFile
		if !filepath.IsAbs(pin) {
			pin = filepath.Join(p.dir.Path(), pin)
		}
		paths = append(paths, pin)
	}
	var out []finding
	bad := func(what string, err error) {
		out = append(out, finding{"directory", doctorBad, what, directoryNext(p.say, err)})
	}
	if err != nil {
		bad(told(p.words, err), err)
	}
	for _, path := range paths {
		file, err := keeper.OpenPrivate(path, 0)
		if err != nil {
			bad(path+": "+told(p.words, err), err)
			continue
		}
		_ = file.Close() // it was only looked at
	}
	if len(out) == 0 {
		out = append(out, finding{"directory", doctorFine, p.say.DoctorDirectory(p.dir.Path()), ""})
	}
	return out
}

// directoryNext is what to do about a file that others can read. The sentences of other errors
// say it themselves: of another owner, say, who may be the keeper's own account.
func directoryNext(say locale.KeeperCommand, err error) string {
	if errors.Is(err, keeper.ErrMode) {
		return say.DoctorDirectoryNext()
	}
	return ""
}

const gib = 1 << 30

// disk wants a tenth of the disk free, and a gibibyte.
func (p *patient) disk() []finding {
	free, total, err := process.Space(p.dir.Path())
	if err != nil {
		return []finding{{"disk", doctorLook, p.say.DoctorDiskUnknown(), ""}}
	}
	f := finding{"disk", doctorFine, p.say.DoctorDisk(p.dir.Path(), fmt.Sprintf("%.1f", float64(free)/gib), fmt.Sprintf("%.1f", float64(total)/gib)), ""}
	if free < gib || free < total/10 {
		f.State, f.Next = doctorBad, p.say.DoctorDiskNext()
	}
	return []finding{f}
}

// sync measures a synced write beside the ledger.
func (p *patient) sync() []finding {
	took, err := process.SyncTime(p.dir.Path())
	if err != nil {
		return []finding{{"sync", doctorBad, p.say.DoctorSyncFailed(told(p.words, err)), p.say.DoctorSyncNext()}}
	}
	f := finding{"sync", doctorFine, p.say.DoctorSync(fmt.Sprint(took.Microseconds())), ""}
	if took < process.FastestSync {
		f.State, f.Next = doctorBad, p.say.DoctorSyncNext()
	}
	return []finding{f}
}

// core looks at the limit that this account's programs begin with.
func (p *patient) core() []finding {
	most, err := process.CoreLimit()
	switch {
	case err != nil:
		return []finding{{"core", doctorLook, p.say.DoctorCoreUnknown(), ""}}
	case most != 0:
		return []finding{{"core", doctorLook, p.say.DoctorCoreOpen(), p.say.DoctorCoreNext()}}
	}
	return []finding{{"core", doctorFine, p.say.DoctorCore(), ""}}
}

// ends looks at the ends of certificates and admissions, which the directory has.
func (p *patient) ends() []finding {
	s, err := p.dir.Standing(p.now)
	if err != nil {
		return []finding{{"ends", doctorBad, p.say.DoctorEndsUnread(told(p.words, err)), p.say.DoctorEndsNext()}}
	}
	day := func(t time.Time) string { return t.Local().Format(time.DateOnly) }
	out := []finding{{"ends", doctorFine, p.say.DoctorEnds(day(s.Door), day(s.Issuer.Until)), ""}}
	for _, c := range s.Callers {
		if c.State == host.CallerAdmitted {
			out = append(out, finding{"admission", doctorFine, p.say.DoctorAdmission(c.Name, day(c.Until)), ""})
		}
	}
	for _, o := range s.Peers {
		out = append(out, finding{"peer", doctorFine, p.say.DoctorPeer(string(o.Keeper), day(o.Until)), ""})
	}
	return append(out, p.warned(s.Warnings)...)
}

// warned are the findings of warnings, whose sentences say what to do.
func (p *patient) warned(list []host.Warning) (out []finding) {
	for _, w := range list {
		f := finding{"warning:" + string(w), doctorBad, warningSaid(p.say, w), ""}
		switch w {
		case host.NobodyAdmitted, host.IssuerEnds:
			f.State = doctorLook
		case host.TimeLags:
			f.Next = p.say.DoctorClockNext()
		}
		out = append(out, f)
	}
	return out
}

// running asks the keeper that serves: its state, which has the share keys, the ledger and the
// disk in it, and its clock. What ends the directory has said.
func (p *patient) running(ctx context.Context) []finding {
	s, err := p.dir.Ask().Status(ctx)
	switch {
	case errors.Is(err, host.ErrNotServed):
		return []finding{{"keeper", doctorLook, p.say.DoctorStopped(), p.say.DoctorStoppedNext()}}
	case err != nil:
		return []finding{{"keeper", doctorBad, p.say.DoctorUnasked(told(p.words, err)), p.say.DoctorUnaskedNext()}}
	}
	serves := finding{"keeper", doctorFine, p.say.DoctorServes(fmt.Sprint(s.Sequence)), ""}
	if s.State != host.Serves {
		serves = finding{"keeper", doctorBad, p.say.DoctorState(stateSaid(p.say, s.State), s.Why), nextSaid(p.say, s.State)}
	}
	out := []finding{serves}
	if s.Clock != nil {
		by := max(0, s.Clock.Wall.Sub(s.Clock.High))
		f := finding{"clock", doctorFine, p.say.DoctorClock(by.Truncate(time.Second).String()), ""}
		if by > time.Minute {
			f.State, f.Next = doctorLook, p.say.DoctorClockNext()
		}
		out = append(out, f)
	}
	var own []host.Warning // what the directory alone cannot say
	for _, w := range s.Warnings {
		if w == host.ClocksApart || w == host.TimeLags {
			own = append(own, w)
		}
	}
	return append(out, p.warned(own)...)
}
