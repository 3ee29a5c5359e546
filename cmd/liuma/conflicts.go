package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/registry"
)

// conflictsCmd is "liuma registry conflicts".
type conflictsCmd struct {
	List    conflictsListCmd    `cmd:"" help:"List rows of imports that are about another person than the one registered under their number; names and numbers are masked."`
	Show    conflictsShowCmd    `cmd:"" help:"Show one of them beside the registered person."`
	Keep    conflictsKeepCmd    `cmd:"" help:"Decide that the registered person stays; the row is left out from now on."`
	Replace conflictsReplaceCmd `cmd:"" help:"Decide that the number is that of the row's person. An e-card under it is frozen, and opened at the counter alone."`
}

// conflictsListCmd is "liuma registry conflicts list".
type conflictsListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
}

// Run lists page by page.
func (a *conflictsListCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		after, none := "", true
		for {
			page, err := adm.Conflicts(ctx, after)
			if err != nil {
				return err
			}
			for _, v := range page {
				if err := a.print(t.out, v); err != nil {
					return err
				}
				after, none = v.ID, false
			}
			if len(page) < admin.MaxConflicts {
				break
			}
		}
		if !none || a.JSON {
			return nil
		}
		_, err := fmt.Fprintln(t.out, "No conflict is to be decided.")
		return err
	})
}

func (a *conflictsListCmd) print(w io.Writer, v registry.ConflictView) error {
	if a.JSON {
		return json.NewEncoder(w).Encode(v)
	}
	card := "no e-card"
	if v.HasCard {
		card = "e-card"
	}
	_, err := fmt.Fprintf(w, "%s  %s  %s  registered %s  imported %s  %s\n",
		v.ID, v.At.UTC().Format(time.RFC3339), v.IDNumber, v.Registered.Name, v.Imported.Name, card)
	return err
}

// conflictsShowCmd is "liuma registry conflicts show".
type conflictsShowCmd struct {
	ID   string `arg:"" help:"The conflict, as the list names it."`
	JSON bool   `name:"json" help:"Print one JSON object."`
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
		fmt.Fprintf(t.out, "ID number  %s\nSince      %s\n", v.IDNumber, v.At.UTC().Format(time.RFC3339))
		sideLine(t.out, "Registered", v.Registered)
		sideLine(t.out, "Imported", v.Imported)
		switch {
		case v.KeptAt != nil:
			fmt.Fprintf(t.out, "Decided on %s: the registered person stays.\n", v.KeptAt.UTC().Format(time.RFC3339))
		case v.HasCard:
			fmt.Fprintln(t.out, "There is an e-card under the number. 'replace' freezes it until the counter opens it, and tells its bound phone.")
		}
		return nil
	})
}

func sideLine(w io.Writer, title string, s registry.Side) {
	died := ""
	if s.Died {
		died = ", died"
	}
	phone := s.Phone
	if phone == "" {
		phone = "no phone"
	}
	fmt.Fprintf(w, "%-10s %s, %s, card %s %s%s, region %s\n", title, s.Name, phone, s.CardNo, s.Physical, died, s.Region)
}

// conflictsKeepCmd is "liuma registry conflicts keep".
type conflictsKeepCmd struct {
	ID string `arg:"" help:"The conflict, as the list names it."`
	reasonFlag
}

// Run decides for the registered person.
func (a *conflictsKeepCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma registry conflicts keep")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if err := adm.KeepConflict(ctx, a.ID, reason); err != nil {
			return err
		}
		_, err := fmt.Fprintln(t.out, "The registered person stays. The row is left out when it is imported again.")
		return err
	})
}

// conflictsReplaceCmd is "liuma registry conflicts replace".
type conflictsReplaceCmd struct {
	ID string `arg:"" help:"The conflict, as the list names it."`
	reasonFlag
}

// Run decides for the person of the row.
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
			_, err = fmt.Fprintln(t.out, "The number is the imported person's now. There was no e-card under it.")
		} else {
			_, err = fmt.Fprintf(t.out, "The number is the imported person's now. The e-card %s was the other person's: it is frozen until the counter opens it, and its bound phone is told.\n", out.Card)
		}
		return err
	})
}
