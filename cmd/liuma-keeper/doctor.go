package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/locale"
)

// doctorError means that something is not in order.
type doctorError struct{ error }

// Unwrap returns the sentence, which has both languages.
func (e *doctorError) Unwrap() error { return e.error }

// patient is the keeper that the doctor examines.
type patient struct {
	dir   *host.Dir
	words *locale.Words
	say   locale.KeeperCommand
	now   time.Time
}

// examine checks the machine, the directory, and the keeper that serves it; if one of them
// cannot be checked it continues with the others. It changes nothing, except for a file that
// it removes again.
func examine(f *flags) runner {
	asJSON := f.yes("json", f.say.FlagJson())
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if errors.Is(err, host.ErrNoHost) {
			return err
		}
		if err != nil {
			return c.diagnosed([]process.Finding{{Check: "directory", State: process.Bad, What: told(c.words, err), Next: directoryNext(c.say(), err)}}, *asJSON)
		}
		p := &patient{dir: d, words: c.words, say: c.say(), now: time.Now()}
		return c.diagnosed(slices.Concat(p.files(), process.Machine(d.Path(), p.say, func(err error) string { return told(p.words, err) }), p.ends(), p.running(ctx)), *asJSON)
	}
}

// diagnosed writes the findings; bad ones make the exit status 3.
func (c *call) diagnosed(found []process.Finding, asJSON bool) (err error) {
	for _, f := range found {
		if asJSON {
			err = errors.Join(err, json.NewEncoder(c.out).Encode(f))
			continue
		}
		err = errors.Join(err, c.line(padded(process.Word(f.State, c.say()), 10)+f.What))
		if f.Next != "" {
			err = errors.Join(err, c.line(padded("", 10)+f.Next))
		}
	}
	if bad := process.CountBad(found); err == nil && bad > 0 {
		return &doctorError{refuse(func(w locale.KeeperCommand) string { return w.DoctorFound(fmt.Sprint(bad)) })}
	}
	return err
}

// files checks that everything in the directory, and the token's PIN, belongs to this account
// alone, and that the directory contains only files, this program's directories and its
// socket. host.Open has already checked the directory itself. Links are followed, because the
// issuer's key may be elsewhere.
func (p *patient) files() []process.Finding {
	places, err := p.places()
	if t := p.dir.PKCS11; t != nil {
		places = append(places, placed{path: within(p.dir.Path(), t.PINFile)})
	}
	var out []process.Finding
	bad := func(what string, err error) {
		out = append(out, process.Finding{Check: "directory", State: process.Bad, What: what, Next: directoryNext(p.say, err)})
	}
	if err != nil {
		bad(told(p.words, err), err)
	}
	for _, at := range places {
		file, err := keeper.OpenPrivate(at.path, at.kind)
		if err != nil {
			bad(at.path+": "+told(p.words, err), err)
			continue
		}
		_ = file.Close() // it was only checked
	}
	if len(out) == 0 {
		out = append(out, process.Finding{Check: "directory", State: process.Fine, What: p.say.DoctorDirectory(p.dir.Path())})
	}
	return out
}

// placed is something in the directory, and the kind of file that it must be.
type placed struct {
	path string
	kind fs.FileMode
}

// places lists everything in the directory, and in the directory of the peers' files.
func (p *patient) places() (out []placed, err error) {
	list, err := os.ReadDir(p.dir.Path())
	for _, e := range list {
		path := filepath.Join(p.dir.Path(), e.Name())
		switch {
		case e.Type() == fs.ModeSocket && e.Name() == "keeper.sock":
			continue
		case !e.IsDir():
			out = append(out, placed{path: path})
			continue
		}
		out = append(out, placed{path, fs.ModeDir})
		if e.Name() != "peers" {
			continue // anybody may read files to be carried; another directory holds a ledger that was set aside
		}
		inside, bad := os.ReadDir(path)
		err = errors.Join(err, bad)
		for _, f := range inside {
			out = append(out, placed{path: filepath.Join(path, f.Name())})
		}
	}
	return out, err
}

// directoryNext says what to do about a file that others can read. Other errors, such as a
// wrong owner, say it in their own sentences.
func directoryNext(say locale.KeeperCommand, err error) string {
	if errors.Is(err, keeper.ErrMode) {
		return say.DoctorDirectoryNext()
	}
	return ""
}

// ends checks the ends of certificates and admissions, which the directory shows.
func (p *patient) ends() []process.Finding {
	s, err := p.dir.Standing(p.now)
	if err != nil {
		return []process.Finding{{Check: "ends", State: process.Bad, What: p.say.DoctorEndsUnread(told(p.words, err)), Next: p.say.DoctorEndsNext()}}
	}
	day := func(t time.Time) string { return t.Local().Format(time.DateOnly) }
	out := []process.Finding{{Check: "ends", State: process.Fine, What: p.say.DoctorEnds(day(s.Door), day(s.Issuer.Until))}}
	for _, c := range s.Callers {
		if c.State == host.CallerAdmitted {
			out = append(out, process.Finding{Check: "admission", State: process.Fine, What: p.say.DoctorAdmission(c.Name, day(c.Until))})
		}
	}
	for _, o := range s.Peers {
		out = append(out, process.Finding{Check: "peer", State: process.Fine, What: p.say.DoctorPeer(string(o.Keeper), day(o.Until))})
	}
	return append(out, p.warned(s.Warnings)...)
}

// warned returns the findings for warnings, whose sentences say what to do.
func (p *patient) warned(list []host.Warning) (out []process.Finding) {
	for _, w := range list {
		f := process.Finding{Check: "warning:" + string(w), State: process.Bad, What: warningSaid(p.say, w)}
		switch w {
		case host.NobodyAdmitted, host.IssuerEnds:
			f.State = process.Look
		case host.TimeLags:
			f.Next = p.say.DoctorClockNext()
		}
		out = append(out, f)
	}
	return out
}

// running asks the running keeper for its state, which covers the share keys, the ledger and
// the disk, and for its clock. It leaves out the ends of certificates, which ends has already
// checked.
func (p *patient) running(ctx context.Context) []process.Finding {
	s, err := p.dir.Ask().Status(ctx)
	switch {
	case errors.Is(err, host.ErrNotServed):
		return []process.Finding{{Check: "keeper", State: process.Look, What: p.say.DoctorStopped(), Next: p.say.DoctorStoppedNext()}}
	case err != nil:
		return []process.Finding{{Check: "keeper", State: process.Bad, What: p.say.DoctorUnasked(told(p.words, err)), Next: p.say.DoctorUnaskedNext()}}
	}
	serves := process.Finding{Check: "keeper", State: process.Fine, What: p.say.DoctorServes(fmt.Sprint(s.Sequence))}
	if s.State != host.Serves {
		serves = process.Finding{Check: "keeper", State: process.Bad, What: p.say.DoctorState(stateSaid(p.say, s.State), s.Why), Next: nextSaid(p.say, s.State)}
	}
	out := []process.Finding{serves}
	if s.Clock != nil {
		by := max(0, s.Clock.Wall.Sub(s.Clock.High))
		f := process.Finding{Check: "clock", State: process.Fine, What: p.say.DoctorClock(by.Truncate(time.Second).String())}
		if by > time.Minute {
			f.State, f.Next = process.Look, p.say.DoctorClockNext()
		}
		out = append(out, f)
	}
	var own []host.Warning // warnings that the directory alone cannot show
	for _, w := range s.Warnings {
		if w == host.ClocksApart || w == host.TimeLags {
			own = append(own, w)
		}
	}
	return append(out, p.warned(own)...)
}
