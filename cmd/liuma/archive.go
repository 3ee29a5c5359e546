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
)

// auditArchiveCmd is "liuma audit archive".
type auditArchiveCmd struct {
	Before string `name:"before" placeholder:"DATE" help:"Archive what digests from before this day cover, as 2026-01-31 or with a time, as 2026-01-31T12:00:00Z. Default: what need not be kept in the database any longer (retention.record)."`
	To     string `name:"to" placeholder:"DIR" help:"Directory of the archives. Default: archives, in the data directory."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
	reasonFlag
}

// archivedView is the result of "liuma audit archive --json".
type archivedView struct {
	File string `json:"file"`
	admin.Archive
	Entries uint64 `json:"entries"`
	Taken   bool   `json:"taken_up"` // the file was there, from an act that was cut off
}

// Run writes the archive, reads it back, and has it kept. What it holds leaves the
// database later, when the server finds it due.
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
		if err != nil {
			return err
		}
		signed, taken, err := record.PutArchive(dir, plan.Number, func(w io.Writer) error {
			return adm.ExportRecord(ctx, record.Query{Archive: plan.Digest}, w)
		})
		if err != nil {
			return fmt.Errorf("no archive was kept, and nothing left the record: %w", err)
		}
		file := filepath.Join(dir, record.ArchiveName(plan.Number))
		kept, err := adm.KeepArchive(ctx, signed.Token, reason)
		if errors.Is(err, admin.ErrArchive) && taken {
			return fmt.Errorf("%s was there before, and is not the next archive of this record; move it away and try again: %w", file, err)
		}
		if err != nil {
			return fmt.Errorf("%s was written, and is not kept yet; try again: %w", file, err)
		}
		return a.print(t.out, archivedView{File: file, Archive: kept, Entries: signed.Entries, Taken: taken})
	})
}

// before reads the day; zero: none was given.
func (a *auditArchiveCmd) before() (time.Time, error) {
	if a.Before == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, a.Before); err == nil && at.UnixMilli() > 0 {
			return at, nil
		}
	}
	return time.Time{}, badUsage("liuma audit archive", "--before: want a day like 2026-01-31, or a time like 2026-01-31T12:00:00Z")
}

func (a *auditArchiveCmd) print(w io.Writer, v archivedView) error {
	if a.JSON {
		return json.NewEncoder(w).Encode(v)
	}
	wrote := "Wrote"
	if v.Taken {
		wrote = "Took up"
	}
	_, err := fmt.Fprintf(w, "%s %s: archive %d, %d entries up to digest %d. They leave the database after %s. Keep the file and all archives before it, in another place too: 'liuma audit verify --archives DIR' examines the whole record with them.\n",
		wrote, v.File, v.Number, v.Entries, v.Digest, v.Leaving.Format(time.DateOnly))
	return err
}

// printRetention prints how what is kept for a time stands.
func printRetention(w io.Writer, r admin.Retention) error {
	oldest := "not walked through yet"
	if r.WalkedAt != nil {
		oldest = fmt.Sprintf("%d", r.RequestsKept)
		if r.OldestRequest != nil {
			oldest += ", oldest of " + r.OldestRequest.Format(time.DateOnly)
		}
	}
	first := "none"
	if r.OldestDigest != nil {
		first = r.OldestDigest.Format(time.DateOnly)
	}
	_, err := fmt.Fprintf(w, "  kept          requests %d days, ceremonies %d days, record %d days\n    requests     %s\n    record       oldest digest of %s; %d archives, %d of them left the database\n    database     %d bytes\n",
		r.Requests, r.Ceremonies, r.Record, oldest, first, r.Archives, r.Left, r.Bytes)
	if err == nil && r.Due {
		_, err = fmt.Fprintln(w, "    DUE          entries are older than the record must be kept; 'liuma audit archive' lets them leave")
	}
	return err
}
