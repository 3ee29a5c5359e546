package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/locale"
)

// conflictsCmd is "liuma registry conflicts".
type conflictsCmd struct {
	List    conflictsListCmd    `cmd:""`
	Show    conflictsShowCmd    `cmd:""`
	Keep    conflictsKeepCmd    `cmd:""`
	Replace conflictsReplaceCmd `cmd:""`
}

// conflictsListCmd is "liuma registry conflicts list".
type conflictsListCmd struct {
	JSON bool `name:"json"`
}

// Run lists page by page.
func (a *conflictsListCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		none, err := inParts(admin.MaxConflicts, func(after string) ([]registry.ConflictView, error) { return adm.Conflicts(ctx, after) },
			func(v registry.ConflictView) (string, error) { return v.ID, a.print(t, v) })
		if err != nil || !none || a.JSON {
			return err
		}
		return t.line(t.shown().ConflictNone())
	})
}

func (a *conflictsListCmd) print(t *terminal, v registry.ConflictView) error {
	if a.JSON {
		return json.NewEncoder(t.out).Encode(v)
	}
	say := t.shown()
	card := say.ConflictNoCard()
	if v.HasCard {
		card = say.ConflictCard()
	}
	_, err := fmt.Fprintf(t.out, "%s  %s  %s  %s %s  %s %s  %s\n", v.ID, v.At.UTC().Format(time.RFC3339), v.IDNumber,
		say.ConflictListedRegistered(), v.Registered.Name, say.ConflictListedImported(), v.Imported.Name, card)
	return err
}

// conflictsShowCmd is "liuma registry conflicts show".
type conflictsShowCmd struct {
	ID   string `arg:""`
	JSON bool   `name:"json"`
}

// Run shows both people.
func (a *conflictsShowCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		v, err := adm.Conflict(ctx, a.ID)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(v)
		}
		say := t.shown()
		row := func(label, said string) { fmt.Fprintf(t.out, "%s %s\n", padded(label, 10), said) }
		row(say.ConflictNumber(), v.IDNumber)
		row(say.ConflictSince(), v.At.UTC().Format(time.RFC3339))
		row(say.ConflictRegistered(), side(say, v.Registered))
		row(say.ConflictImported(), side(say, v.Imported))
		switch {
		case v.KeptAt != nil:
			return t.line(say.ConflictDecided(v.KeptAt.UTC().Format(time.RFC3339)))
		case v.HasCard:
			return t.line(say.ConflictFreezes())
		}
		return nil
	})
}

func side(say locale.Shown, s registry.Side) string {
	phone := s.Phone
	if phone == "" {
		phone = say.ConflictNoPhone()
	}
	said := say.ConflictSide
	if s.Died {
		said = say.ConflictSideDied
	}
	return said(s.Name, phone, s.CardNo, string(s.Physical), string(s.Region))
}

// conflictsKeepCmd is "liuma registry conflicts keep".
type conflictsKeepCmd struct {
	ID string `arg:""`
	reasonFlag
}

// Run decides that the registered person stays.
func (a *conflictsKeepCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma registry conflicts keep")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if err := adm.KeepConflict(ctx, a.ID, reason); err != nil {
			return err
		}
		return t.line(t.shown().ConflictKept())
	})
}

// conflictsReplaceCmd is "liuma registry conflicts replace".
type conflictsReplaceCmd struct {
	ID string `arg:""`
	reasonFlag
}

// Run decides that the number belongs to the person of the row.
func (a *conflictsReplaceCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma registry conflicts replace")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		out, err := adm.ReplaceConflict(ctx, a.ID, reason)
		if err != nil {
			return err
		}
		if out.Card == "" {
			return t.line(t.shown().ConflictReplaced())
		}
		return t.line(t.shown().ConflictReplacedCard(out.Card))
	})
}
