package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
)

// auditCardCmd is "liuma audit card".
type auditCardCmd struct {
	personFlags
	JSON bool `name:"json"`
}

// Run finds the card. The search is recorded with the member's name, found or not.
func (a *auditCardCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	number, reason, err := a.read("liuma audit card", t)
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		found, err := adm.SeekCard(ctx, number, reason)
		switch w := t.words().Terminal; {
		case err != nil:
			return err
		case a.JSON:
			return json.NewEncoder(t.out).Encode(found)
		case found.Card == "":
			_, err = fmt.Fprintln(t.out, w.CardNone(found.Name, found.Number))
		default:
			_, err = fmt.Fprintln(t.out, w.CardFound(found.Name, found.Number, found.Card))
		}
		return err
	})
}

// auditStreamCmd is "liuma audit stream".
type auditStreamCmd struct {
	Stream string `arg:"" name:"stream"`
	JSON   bool   `name:"json"`
}

// Run checks the stream; after a fault the exit status is 3.
func (a *auditStreamCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		s, err := adm.CheckStream(ctx, a.Stream)
		if err != nil {
			return err
		}
		if a.JSON {
			err = json.NewEncoder(t.out).Encode(s)
		} else if s.Whole {
			_, err = fmt.Fprintln(t.out, t.words().Terminal.StreamWhole(s.Stream, fmt.Sprint(s.From), fmt.Sprint(s.To), s.Hash, fmt.Sprint(s.Digested)))
		}
		if err == nil && !s.Whole {
			stream, perr := audit.ParseStream(s.Stream)
			if perr != nil {
				return perr
			}
			return &foundError{&audit.Finding{Place: audit.Place{Stream: stream, Number: s.At}, What: s.Fault}}
		}
		return err
	})
}
