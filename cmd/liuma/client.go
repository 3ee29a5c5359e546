package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
)

// group is a kind of client, and the command that its commands stand under.
type group struct {
	kind    store.ClientKind
	command string
}

// clientCmds are the commands for a client of any kind.
type clientCmds struct {
	List      clientListCmd      `cmd:"" help:"List them, with state and keys."`
	Stop      clientStopCmd      `cmd:"" help:"Refuse it everywhere, from its next request on."`
	Resume    clientResumeCmd    `cmd:"" help:"Let it in again after a stop."`
	Rotate    clientRotateCmd    `cmd:"" help:"Add a key; the keys that it has stay good until they are removed."`
	RemoveKey clientRemoveKeyCmd `cmd:"" help:"Take a key out of use, from the next request on."`
}

// namedAddCmd registers a client that has only a name and a key.
type namedAddCmd struct {
	ID     string `arg:"" help:"Identifier: 1 to 40 of a-z, 0-9 and inner hyphens. Never given out twice."`
	NameZH string `name:"name-zh" required:"" placeholder:"NAME" help:"Registered name in Chinese."`
	NameEN string `name:"name-en" required:"" placeholder:"NAME" help:"Registered name in English."`
	Key    string `name:"key" required:"" placeholder:"FILE" help:"Public key on P-256: PEM or a JWK. 'liuma channel keygen' makes one."`
}

// addClient reads the key and registers the client.
func (c *cli) addClient(ctx context.Context, t *terminal, p admin.Client, keyFile string, g group) error {
	var err error
	if p.Key, err = clientKey(keyFile); err != nil {
		return err
	}
	err = c.administer(ctx, t, func(adm admin.Administration) error { return adm.AddClient(ctx, p) })
	if errors.Is(err, admin.ErrTaken) {
		return fmt.Errorf("%w; choose another, or see '%s list'", err, g.command)
	}
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(t.out, "Registered %s %s with the key %s.\n", p.Kind, p.ID, p.Key.KeyID); err != nil {
		return err
	}
	conf, err := c.load()
	if err != nil {
		return err
	}
	return handover(t.out, conf, p)
}

func clientKey(file string) (jose.JSONWebKey, error) {
	raw, err := readKey(file)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key, err := admin.ParseKey(raw)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("key file %s: %w; 'liuma channel keygen' makes a good one", file, err)
	}
	return key, nil
}

// changeClient runs one change of a registered client and says that it is done.
func (c *cli) changeClient(ctx context.Context, t *terminal, g group, done string, f func(admin.Administration) error) error {
	err := c.administer(ctx, t, f)
	switch {
	case errors.Is(err, admin.ErrUnknown):
		return fmt.Errorf("%w; '%s list' shows what there is", err, g.command)
	case errors.Is(err, admin.ErrLastKey):
		return fmt.Errorf("%w; add the new key first, or stop the party", err)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintln(t.out, done)
	return err
}

// clientListCmd lists the clients of a group.
type clientListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
}

// Run lists them.
func (a *clientListCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.list(ctx, t, g, a.JSON)
}

// clientStopCmd stops a client.
type clientStopCmd struct {
	ID string `arg:"" help:"Its identifier."`
}

// Run stops it.
func (a *clientStopCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeClient(ctx, t, g, "Stopped "+a.ID+".", func(adm admin.Administration) error { return adm.StopClient(ctx, g.kind, a.ID) })
}

// clientResumeCmd lets a client in again.
type clientResumeCmd struct {
	ID string `arg:"" help:"Its identifier."`
}

// Run resumes it.
func (a *clientResumeCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeClient(ctx, t, g, "Resumed "+a.ID+".", func(adm admin.Administration) error { return adm.ResumeClient(ctx, g.kind, a.ID) })
}

// clientRotateCmd adds a key.
type clientRotateCmd struct {
	ID  string `arg:"" help:"Its identifier."`
	Key string `name:"key" required:"" placeholder:"FILE" help:"The new public key on P-256: PEM or a JWK."`
}

// Run adds the key.
func (a *clientRotateCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	key, err := clientKey(a.Key)
	if err != nil {
		return err
	}
	done := fmt.Sprintf("Added the key %s to %s. Once it signs with that one, remove the old: %s remove-key %s KID", key.KeyID, a.ID, g.command, a.ID)
	return c.changeClient(ctx, t, g, done, func(adm admin.Administration) error { return adm.AddClientKey(ctx, g.kind, a.ID, key) })
}

// clientRemoveKeyCmd removes a key.
type clientRemoveKeyCmd struct {
	ID  string `arg:"" help:"Its identifier."`
	KID string `arg:"" name:"kid" help:"The kid of the key, as 'list' shows it. Put -- before one that starts with a hyphen."`
}

// Run removes the key.
func (a *clientRemoveKeyCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeClient(ctx, t, g, "Removed the key "+a.KID+" from "+a.ID+".", func(adm admin.Administration) error {
		return adm.RemoveClientKey(ctx, g.kind, a.ID, a.KID)
	})
}

// clientView is a registered client as lists show it.
type clientView struct {
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

// list prints the clients of a group.
func (c *cli) list(ctx context.Context, t *terminal, g group, asJSON bool) error {
	var found []store.Client
	err := c.administer(ctx, t, func(adm admin.Administration) (err error) {
		found, err = adm.Clients(ctx, g.kind)
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
		v, err := viewClient(row)
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

func viewClient(row store.Client) (clientView, error) {
	kids, err := admin.KeyIDs(row)
	if err != nil {
		return clientView{}, fmt.Errorf("%s: %w", row.ID, err)
	}
	v := clientView{
		ID: row.ID, Kind: string(row.Kind), NameZH: row.Name.ZH, NameEN: row.Name.EN, State: "active",
		StandIn: row.StandIn, Regions: regionNames(row.Regions), Actions: actionNames(row.Actions),
		Back: row.RedirectURIs, Keys: kids, At: row.At.UTC(),
	}
	if row.Stopped {
		v.State = "stopped"
	}
	return v, nil
}

// print writes one client as a few lines: names are of any width, so columns
// would not line up.
func (v clientView) print(w io.Writer) error {
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
