package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/locale"
)

// numberFlag reads an ID number from a file or standard input, because every account
// of the machine can see a command line, and the shell keeps it.
type numberFlag struct {
	NumberFile string `name:"number-file" required:"" placeholder:"FILE"`
}

// maxNumberFile is the largest such file, in bytes.
const maxNumberFile = 1 << 10

// personFlags name a person, and the reason for looking at their data.
type personFlags struct {
	numberFlag
	reasonFlag
}

// read returns both, or an error about the first that is missing.
func (f personFlags) read(command string, t *terminal) (number string, why audit.Reason, err error) {
	if why, err = f.reason(command); err != nil {
		return "", "", err
	}
	number, err = f.number(t)
	return number, why, err
}

func (f numberFlag) number(t *terminal) (string, error) {
	in := t.in
	if f.NumberFile != "-" {
		file, err := os.Open(f.NumberFile)
		if err != nil {
			return "", err
		}
		defer file.Close()
		in = file
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxNumberFile+1))
	if err != nil {
		return "", err
	}
	number := strings.TrimSpace(strings.TrimPrefix(string(raw), "\ufeff"))
	if len(raw) > maxNumberFile || strings.ContainsAny(number, "\r\n") {
		return "", admin.ErrNumber
	}
	return number, nil
}

// exportCmd is "liuma registry export".
type exportCmd struct {
	personFlags
	Out     string `name:"out" required:"" placeholder:"FILE"`
	Archive string `name:"archive" placeholder:"DIR"`
	JSON    bool   `name:"json"`
}

// heldJSON is the form of --json.
type heldJSON struct {
	registry.Held
	Uses []*audit.EntryLine `json:"uses"`
}

// Run writes the data held about one person.
func (a *exportCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	number, reason, err := a.read("liuma registry export", t)
	if err != nil {
		return err
	}
	// The file is made first: if it cannot be written, nothing must be recorded as
	// shown, and the holder must not be told.
	f, done, err := create(a.Out, 0o600)
	if err != nil {
		return err
	}
	var text bytes.Buffer // so that no partial file is left
	err = c.administer(ctx, t, func(adm admin.Administration) error {
		h, err := adm.Held(ctx, number, reason)
		if err != nil {
			return err
		}
		uses, err := a.uses(ctx, adm, h)
		if err != nil {
			return err
		}
		if !a.JSON {
			return h.WriteText(&text, uses)
		}
		lines := make([]*audit.EntryLine, 0, len(uses))
		for _, e := range uses {
			e.Note = "" // an operator's words, which may be about the case of another
			lines = append(lines, audit.LineOf(e))
		}
		enc := json.NewEncoder(&text)
		enc.SetIndent("", "  ")
		return enc.Encode(heldJSON{h, lines})
	})
	if err == nil {
		_, err = f.Write(text.Bytes())
	}
	if err := done(err); err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.err, t.shown().ExportWrote(a.Out))
	return err
}

// uses are the entries about the person's card: those of archives, then those of the
// database.
func (a *exportCmd) uses(ctx context.Context, adm admin.Administration, h registry.Held) ([]audit.Recorded, error) {
	var archives []audit.ArchiveFile
	if a.Archive != "" {
		var err error
		if archives, err = record.ArchivesIn(a.Archive); err != nil {
			return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option("--archive", why) })
		}
		if len(archives) == 0 {
			return nil, refuse(func(w *locale.Words) string { return w.Refused.ExportNoArchive(a.Archive) })
		}
	}
	if h.Card == nil || h.Card.Others {
		return nil, nil
	}
	id, err := liuma.ParseCardID(h.Card.ID)
	if err != nil {
		return nil, err
	}
	stream := audit.CardStream(id)
	var uses []audit.Recorded
	last := uint64(0)
	take := func(l audit.Line) error {
		if l.Entry == nil || l.Entry.Stream != stream || l.Entry.Number <= last {
			return nil
		}
		uses, last = append(uses, l.Entry.Recorded()), l.Entry.Number
		return nil
	}
	for _, file := range archives {
		in, err := file.Open()
		if err != nil {
			return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option("--archive", why) })
		}
		err = errors.Join(audit.ReadLines(in, take), in.Close())
		if err != nil {
			return nil, refuseFor(err, func(w *locale.Words, why string) string {
				return w.Refused.Option("--archive", w.Refused.Option(record.ArchiveName(file.Number), why))
			})
		}
	}
	return uses, exported(ctx, adm, record.Query{Stream: stream}, func(r io.Reader) error { return whole(r, take) })
}

// minorsCmd is "liuma registry minors".
type minorsCmd struct {
	At     string `name:"at" required:"" placeholder:"DAY"`
	Digits int    `name:"digits" default:"4"`
	Exact  bool   `name:"exact"`
	JSON   bool   `name:"json"`
}

// Run counts in steps.
func (a *minorsCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	on, err := time.Parse(time.DateOnly, a.At)
	if err != nil {
		return wrongUse("liuma registry minors", func(w *locale.Words) string { return w.Refused.MinorsAt() })
	}
	if a.Digits != 2 && a.Digits != 4 && a.Digits != 6 {
		return wrongUse("liuma registry minors", func(w *locale.Words) string { return w.Refused.MinorsDigits() })
	}
	sum := registry.Minors{At: a.At}
	err = c.administer(ctx, t, func(adm admin.Administration) error {
		for {
			part, err := adm.Minors(ctx, on, a.Digits, sum.Next)
			if err != nil {
				return err
			}
			if sum = sum.Add(part); sum.Next == "" {
				return nil
			}
		}
	})
	if err != nil {
		return err
	}
	return a.print(t, sum)
}

func (a *minorsCmd) print(t *terminal, m registry.Minors) error {
	if a.JSON {
		return json.NewEncoder(t.out).Encode(shownMinors(m, a.Exact))
	}
	say := t.shown()
	row := func(region, under14, from14, from16, more string) error {
		return t.line(strings.TrimRight(padded(region, 8)+" "+right(under14, 18)+" "+right(from14, 18)+" "+right(from16, 18)+"  "+more, " "))
	}
	if err := errors.Join(t.line(say.MinorsTitle(m.At)), row(say.MinorsRegion(), say.MinorsUnder14(), say.MinorsFrom14(), say.MinorsFrom16(), "")); err != nil {
		return err
	}
	cell := func(n registry.Count) string { return a.shown(n.People) + " / " + a.shown(n.WithCard) }
	for _, r := range m.Regions {
		unknown := ""
		if r.Unknown.People > 0 {
			unknown = say.MinorsUnknown(cell(r.Unknown))
		}
		if err := row(string(r.Region), cell(r.Under14), cell(r.From14), cell(r.From16), unknown); err != nil {
			return err
		}
	}
	return nil
}

// fewest is the smallest number that is shown exactly.
const fewest = 10

func (a *minorsCmd) shown(n int64) string {
	if n > 0 && n < fewest && !a.Exact {
		return fmt.Sprintf("<%d", fewest)
	}
	return fmt.Sprint(n)
}

// minorsJSON is the form of --json: null stands for a number from 1 to 9. unknown is
// present only if there are such people.
type minorsJSON struct {
	At      string                                `json:"at"`
	Regions map[liuma.Region]map[string][2]*int64 `json:"regions"` // people, with a card
}

func shownMinors(m registry.Minors, exact bool) minorsJSON {
	few := func(n int64) *int64 {
		if n > 0 && n < fewest && !exact {
			return nil
		}
		return &n
	}
	pair := func(c registry.Count) [2]*int64 { return [2]*int64{few(c.People), few(c.WithCard)} }
	out := minorsJSON{At: m.At, Regions: map[liuma.Region]map[string][2]*int64{}}
	for _, r := range m.Regions {
		out.Regions[r.Region] = map[string][2]*int64{"under_14": pair(r.Under14), "14_15": pair(r.From14), "16_17": pair(r.From16)}
		if r.Unknown.People > 0 {
			out.Regions[r.Region]["unknown"] = pair(r.Unknown)
		}
	}
	return out
}

// personCmd is "liuma person".
type personCmd struct {
	Erase eraseCmd `cmd:""`
}

// eraseCmd is "liuma person erase".
type eraseCmd struct {
	personFlags
	DryRun bool `name:"dry-run"`
	JSON   bool `name:"json"`
}

// Run erases, or begins to.
func (a *eraseCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	number, reason, err := a.read("liuma person erase", t)
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		e, err := adm.ErasePerson(ctx, number, reason, a.DryRun)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(e)
		}
		return t.line(a.said(t.shown(), e))
	})
}

func (a *eraseCmd) said(say locale.Shown, e authority.Erasure) string {
	until := ""
	if e.Until != nil {
		until = e.Until.UTC().Format(time.RFC3339)
	}
	what := say.EraseRowStays()
	if e.Person {
		what = say.EraseRow()
	}
	if e.Card != "" {
		what = say.EraseCard(what, e.Card, num(e.Links), num(e.Notices))
	}
	switch {
	case e.State == authority.EraseNothing:
		return say.EraseNothing()
	case e.State == authority.EraseBegun && a.DryRun:
		return say.EraseWouldBegin(e.Card, until, what)
	case e.State == authority.EraseBegun:
		return say.EraseBegun(e.Card, until)
	case e.State == authority.EraseWaiting:
		return say.EraseWaiting(until)
	case e.State == authority.EraseReady:
		return say.EraseReady(what)
	}
	return say.EraseDone(what)
}
