package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/operator"
	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/store"
)

// partyView is a registered party as lists show it.
type partyView struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	NameZH  string    `json:"name_zh"`
	NameEN  string    `json:"name_en"`
	State   string    `json:"state"` // active or stopped
	StandIn bool      `json:"stand_in,omitempty"`
	Regions []string  `json:"regions,omitempty"`
	Actions []string  `json:"actions,omitempty"`
	Back    []string  `json:"redirect_uris,omitempty"`
	Keys    []string  `json:"keys"` // kids
	At      time.Time `json:"registered_at"`
}

// list prints the parties of a group.
func (c *cli) list(ctx context.Context, t *terminal, g group, asJSON bool) error {
	var found []store.Client
	err := c.inOffice(ctx, t, func(o operator.Office) (err error) {
		found, err = o.List(ctx, g.kind)
		return err
	})
	if err != nil {
		return err
	}
	if len(found) == 0 && !asJSON {
		_, err := fmt.Fprintf(t.out, "No %s is registered; '%s add' registers one.\n", g.kind, g.command)
		return err
	}
	for _, row := range found {
		v, err := viewParty(row)
		if err != nil {
			return err
		}
		if asJSON {
			err = json.NewEncoder(t.out).Encode(v)
		} else {
			err = v.print(t.out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func viewParty(row store.Client) (partyView, error) {
	kids, err := parties.KeyIDs(row)
	if err != nil {
		return partyView{}, fmt.Errorf("%s: %w", row.ID, err)
	}
	v := partyView{
		ID: row.ID, Kind: string(row.Kind), NameZH: row.Name.ZH, NameEN: row.Name.EN, State: "active",
		StandIn: row.StandIn, Regions: regionNames(row.Regions), Actions: actionNames(row.Actions),
		Back: row.RedirectURIs, Keys: kids, At: row.At.UTC(),
	}
	if row.Stopped {
		v.State = "stopped"
	}
	return v, nil
}

// print writes one party as a few lines: names are of any width, so columns
// would not line up.
func (v partyView) print(w io.Writer) error {
	standIn := ""
	if v.StandIn {
		standIn = ", a stand-in that proves nothing"
	}
	_, err := fmt.Fprintf(w, "%s  %s / %s  (%s%s)\n", v.ID, v.NameZH, v.NameEN, v.State, standIn)
	if err == nil && len(v.Actions) > 0 {
		_, err = fmt.Fprintf(w, "  regions: %s\n  actions: %s\n", joined(v.Regions), joined(v.Actions))
	}
	if err == nil && len(v.Back) > 0 {
		_, err = fmt.Fprintf(w, "  back to: %s\n", joined(v.Back))
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "  keys:    %s\n", joined(v.Keys))
	}
	return err
}

func regionNames(rs []liuma.Region) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = string(r)
		if r == "" {
			out[i] = "nation"
		}
	}
	return out
}

func actionNames(as []liuma.Action) []string {
	out := make([]string, len(as))
	for i, a := range as {
		out[i] = string(a)
	}
	return out
}

func joined(words []string) string { return strings.Join(words, ", ") }
