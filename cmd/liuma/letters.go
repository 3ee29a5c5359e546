package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// lettersCmd is "liuma letters".
type lettersCmd struct {
	List          lettersListCmd   `cmd:""`
	Export        lettersExportCmd `cmd:""`
	Done          lettersDoneCmd   `cmd:""`
	Undeliverable lettersBackCmd   `cmd:""`
}

// lettersListCmd is "liuma letters list".
type lettersListCmd struct {
	State string `name:"state" enum:"waiting,printing,printed,done,back," default:""`
	JSON  bool   `name:"json"`
}

// Run lists page by page; letters that are written meanwhile may be listed or not.
func (a *lettersListCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		none, err := inParts(admin.MaxLetters, func(after string) ([]letter.View, error) {
			return adm.Letters(ctx, store.LetterState(a.State), after)
		},
			func(l letter.View) (string, error) { return l.ID, a.print(t, l) })
		if err != nil || !none || a.JSON {
			return ofLetters(err, "")
		}
		return t.line(t.shown().LettersNone())
	})
}

func (a *lettersListCmd) print(t *terminal, l letter.View) error {
	if a.JSON {
		return json.NewEncoder(t.out).Encode(l)
	}
	more := l.Sheet
	if l.Why != "" {
		more += "  " + l.Why
	}
	_, err := fmt.Fprintf(t.out, "%s  %-8s  %-18s  %-6s  %s  %s\n", l.ID, l.State, l.Template, l.Region, l.At.UTC().Format(time.RFC3339), more)
	return err
}

// lettersExportCmd is "liuma letters export".
type lettersExportCmd struct {
	To      string `name:"to" required:"" placeholder:"DIR"`
	Batch   string `name:"batch"`
	Again   bool   `name:"again"`
	Chinese bool   `name:"chinese"`
}

// Run writes a file for each batch until no letter waits. If it is killed in between, run
// it again: the batch without a file is returned once more, after ten minutes or by its
// name.
func (a *lettersExportCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if a.Again && a.Batch == "" {
		return wrongUse("liuma letters export", func(w *locale.Words) string { return w.Refused.LettersAgain() })
	}
	// Checked first, so that an unwritable directory does not use up a batch.
	if info, err := os.Stat(a.To); err != nil || !info.IsDir() {
		return refuse(func(w *locale.Words) string { return w.Refused.LettersDir(a.To) })
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		for n := 0; ; n++ {
			b, err := adm.PrintLetters(ctx, letter.Order{Batch: a.Batch, Again: a.Again, Chinese: a.Chinese})
			if err != nil {
				return ofLetters(err, a.Batch)
			}
			if b.Unsent > 0 {
				if err := t.line(t.shown().LettersUnsent(num(b.Unsent))); err != nil {
					return err
				}
			}
			switch {
			case b.ID == "" && n == 0:
				return t.line(t.shown().LettersNoneWait())
			case b.ID == "":
				return nil
			}
			if b.Sheets > 0 {
				if err := a.keep(ctx, t, adm, b); err != nil {
					return err
				}
			}
			if a.Batch != "" {
				return nil
			}
		}
	})
}

// keep writes the file of a batch, and tells the server once it is on the disk.
func (a *lettersExportCmd) keep(ctx context.Context, t *terminal, adm admin.Administration, b letter.Batch) error {
	name := "letters-" + b.ID + ".html"
	if err := (diskfile.Disk{}).Write(a.To, name, []byte(b.HTML)); err != nil {
		return err
	}
	if err := adm.LettersPrinted(ctx, b.ID); err != nil {
		return err
	}
	return t.line(t.shown().LettersWrote(filepath.Join(a.To, name), num(b.Sheets), num(b.Letters), b.ID))
}

// lettersDoneCmd is "liuma letters done".
type lettersDoneCmd struct {
	Names []string `arg:"" name:"name"`
}

// Run records each one separately: if one is refused, those before it stay recorded.
func (a *lettersDoneCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		for _, name := range a.Names {
			n, err := adm.PostLetters(ctx, name)
			if err != nil {
				return ofLetters(err, name)
			}
			if err := t.line(t.shown().LettersPosted(name, num(n))); err != nil {
				return err
			}
		}
		return nil
	})
}

// lettersBackCmd is "liuma letters undeliverable".
type lettersBackCmd struct {
	Name string `arg:"" name:"name"`
}

// Run records it; the audit record names the member.
func (a *lettersBackCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if _, err := adm.LetterBack(ctx, a.Name); err != nil {
			return ofLetters(err, a.Name)
		}
		return t.line(t.shown().LettersBack(a.Name))
	})
}

// ofLetters is the reason why letters were refused, in words.
func ofLetters(err error, name string) error {
	for _, known := range []struct {
		err error
		say func(*locale.Words) string
	}{
		{letter.ErrNone, func(w *locale.Words) string { return w.Refused.LettersUnknown(name) }},
		{letter.ErrPrinted, func(w *locale.Words) string { return w.Refused.LettersPrinted(name) }},
		{letter.ErrNotPrinted, func(w *locale.Words) string { return w.Refused.LettersNotPrinted(name) }},
		{letter.ErrEnded, func(w *locale.Words) string { return w.Refused.LettersEnded(name) }},
		{letter.ErrBatch, func(w *locale.Words) string { return w.Refused.LettersBatch(name) }},
		{admin.ErrAtDesk, func(w *locale.Words) string { return w.Refused.LettersDesk() }},
	} {
		if errors.Is(err, known.err) {
			return refuse(known.say)
		}
	}
	return err
}
