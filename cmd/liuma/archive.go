package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/locale"
)

// auditArchiveCmd is "liuma audit archive".
type auditArchiveCmd struct {
	Before string `name:"before" placeholder:"DATE"`
	To     string `name:"to" placeholder:"DIR"`
	JSON   bool   `name:"json"`
	reasonFlag
}

// archivedView is the result of "liuma audit archive --json".
type archivedView struct {
	File string `json:"file"`
	admin.Archive
	Entries uint64 `json:"entries"`
	Taken   bool   `json:"taken_up"` // the file was there, from an act that was cut off
}

// Run writes the archive, reads it back, and records it. Its entries leave the
// database later, when the server finds them due.
func (a *auditArchiveCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma audit archive")
	if err != nil {
		return err
	}
	before, err := a.before()
	if err != nil {
		return err
	}
	dir := a.To
	if dir == "" {
		dir = filepath.Join(c.Data, "archives")
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		plan, err := adm.PlanArchive(ctx, before)
		if errors.Is(err, admin.ErrNothingToArchive) && a.Before == "" { // as in most months
			_, err = fmt.Fprintln(t.err, t.shown().ArchiveNothing())
			return err
		}
		if err != nil {
			return err
		}
		signed, taken, err := record.PutArchive(dir, plan.Number, func(w io.Writer) error {
			return adm.ExportRecord(ctx, record.Query{Archive: plan.Digest}, w)
		})
		if err != nil {
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ArchiveNotKept(why) })
		}
		file := filepath.Join(dir, record.ArchiveName(plan.Number))
		kept, err := adm.KeepArchive(ctx, signed.Token, reason)
		if errors.Is(err, admin.ErrArchive) && taken {
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ArchiveThereBefore(file, why) })
		}
		if err != nil {
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ArchiveUnkept(file, why) })
		}
		return a.print(t, archivedView{File: file, Archive: kept, Entries: signed.Entries, Taken: taken})
	})
}

// before reads the day; zero if none was given.
func (a *auditArchiveCmd) before() (time.Time, error) {
	if a.Before == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, a.Before); err == nil && at.UnixMilli() > 0 {
			return at, nil
		}
	}
	return time.Time{}, wrongUse("liuma audit archive", func(w *locale.Words) string { return w.Refused.ArchiveBefore() })
}

func (a *auditArchiveCmd) print(t *terminal, v archivedView) error {
	if a.JSON {
		return json.NewEncoder(t.out).Encode(v)
	}
	said := t.shown().ArchiveWrote
	if v.Taken {
		said = t.shown().ArchiveTookUp
	}
	return t.line(said(v.File, num(v.Number), num(v.Digest), num(v.Entries), v.Leaving.Format(time.DateOnly)))
}

// printRetention prints how long rows are kept, and how old the kept ones are.
func printRetention(t *terminal, r admin.Retention) error {
	say := t.shown()
	oldest, first := say.StatusNotWalked(), say.StatusNone()
	if r.WalkedAt != nil {
		oldest = num(r.RequestsKept)
		if r.OldestRequest != nil {
			oldest = say.StatusRequestsKept(oldest, r.OldestRequest.Format(time.DateOnly))
		}
	}
	if r.OldestDigest != nil {
		first = r.OldestDigest.Format(time.DateOnly)
	}
	err := errors.Join(
		t.row(say.StatusKept(), say.StatusKeptFor(num(r.Requests), num(r.Ceremonies), num(r.Record))),
		t.note(say.StatusKeptRequests(), oldest),
		t.note(say.StatusRecord(), say.StatusArchives(first, num(r.Archives), num(r.Left))),
		t.note(say.StatusDatabase(), say.StatusBytes(num(r.Bytes))))
	if err == nil && r.Due {
		err = t.note(say.StatusDue(), say.StatusDueNext())
	}
	return err
}
