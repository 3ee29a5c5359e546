package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// group is a kind of client, and the command above its commands.
type group struct {
	kind    store.ClientKind
	command string
}

// kindName is the word for a kind of clients.
func kindName(say locale.Shown, k store.ClientKind) string {
	switch k {
	case store.ClientChannel:
		return say.ClientChannel()
	case store.ClientRegistry:
		return say.ClientRegistry()
	case store.ClientHotline:
		return say.ClientHotline()
	}
	return say.ClientProvider()
}

// clientCmds are the commands for a client of any kind.
type clientCmds struct {
	List      clientListCmd      `cmd:""`
	Stop      clientStopCmd      `cmd:""`
	Resume    clientResumeCmd    `cmd:""`
	Rotate    clientRotateCmd    `cmd:""`
	RemoveKey clientRemoveKeyCmd `cmd:""`
}

// namedAddCmd registers a client that has only a name and a key.
type namedAddCmd struct {
	ID     string `arg:""`
	NameZH string `name:"name-zh" required:"" placeholder:"NAME"`
	NameEN string `name:"name-en" required:"" placeholder:"NAME"`
	Key    string `name:"key" required:"" placeholder:"FILE"`
}

// addClient reads the key and registers the client.
func (c *cli) addClient(ctx context.Context, t *terminal, p admin.Client, keyFile string, g group) error {
	var err error
	if p.Key, err = clientKey(keyFile); err != nil {
		return err
	}
	var others []string
	err = c.administer(ctx, t, func(adm admin.Administration) (err error) {
		if others, err = withKey(ctx, t.words(), adm, p); err != nil {
			return err
		}
		return adm.AddClient(ctx, p)
	})
	if errors.Is(err, admin.ErrTaken) {
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ClientTaken(why, g.command) })
	}
	if err != nil {
		return err
	}
	if len(others) > 0 {
		fmt.Fprintln(t.err, t.shown().ClientSameKey(joined(others)))
	}
	if err = t.line(t.shown().ClientAdded(kindName(t.shown(), p.Kind), p.ID, p.Key.KeyID)); err != nil {
		return err
	}
	conf, err := c.load()
	if err != nil {
		return err
	}
	return handover(t, conf, p)
}

// withKey are the other clients that have the same key.
func withKey(ctx context.Context, words *locale.Words, adm admin.Administration, p admin.Client) (out []string, err error) {
	for _, kind := range []store.ClientKind{store.ClientChannel, store.ClientRegistry, store.ClientHotline, store.ClientProvider} {
		all, err := adm.Clients(ctx, kind)
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			kids, err := admin.KeyIDs(one)
			if err != nil {
				return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option(one.ID, why) })
			}
			if slices.Contains(kids, p.Key.KeyID) && one.ID != p.ID {
				out = append(out, kindName(words.Shown, kind)+" "+one.ID)
			}
		}
	}
	return out, nil
}

func clientKey(file string) (jose.JSONWebKey, error) {
	raw, err := readKey(file)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key, err := admin.ParseKey(raw)
	if err != nil {
		return jose.JSONWebKey{}, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ClientKeyFile(file, why) })
	}
	return key, nil
}

// changeClient changes a registered client and prints that it is done.
func (c *cli) changeClient(ctx context.Context, t *terminal, g group, done string, f func(admin.Administration) error) error {
	err := c.administer(ctx, t, f)
	switch {
	case errors.Is(err, admin.ErrUnknown):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ClientUnknown(why, g.command) })
	case errors.Is(err, admin.ErrLastKey):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ClientLastKey(why) })
	case err != nil:
		return err
	}
	return t.line(done)
}

// clientListCmd lists the clients of a group.
type clientListCmd struct {
	JSON bool `name:"json"`
}

// Run lists them.
func (a *clientListCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.list(ctx, t, g, a.JSON)
}

// clientStopCmd stops a client.
type clientStopCmd struct {
	ID string `arg:""`
}

// Run stops it.
func (a *clientStopCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeClient(ctx, t, g, t.shown().ClientDidStop(a.ID), func(adm admin.Administration) error { return adm.StopClient(ctx, g.kind, a.ID) })
}

// clientResumeCmd lets a client in again.
type clientResumeCmd struct {
	ID string `arg:""`
}

// Run resumes it.
func (a *clientResumeCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeClient(ctx, t, g, t.shown().ClientDidResume(a.ID), func(adm admin.Administration) error { return adm.ResumeClient(ctx, g.kind, a.ID) })
}

// clientRotateCmd adds a key.
type clientRotateCmd struct {
	ID  string `arg:""`
	Key string `name:"key" required:"" placeholder:"FILE"`
}

// Run adds the key.
func (a *clientRotateCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	key, err := clientKey(a.Key)
	if err != nil {
		return err
	}
	done := t.shown().ClientDidRotate(a.ID, key.KeyID, g.command+" remove-key "+a.ID+" KID")
	return c.changeClient(ctx, t, g, done, func(adm admin.Administration) error { return adm.AddClientKey(ctx, g.kind, a.ID, key) })
}

// clientRemoveKeyCmd removes a key.
type clientRemoveKeyCmd struct {
	ID  string `arg:""`
	KID string `arg:"" name:"kid"`
}

// Run removes the key.
func (a *clientRemoveKeyCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeClient(ctx, t, g, t.shown().ClientDidRemoveKey(a.ID, a.KID), func(adm admin.Administration) error {
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
	Strict  bool      `json:"strict_audience,omitempty"`
	Parent  string    `json:"parent,omitempty"` // of a sub-channel
	Keys    []string  `json:"keys"`             // kids
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
		return t.line(t.shown().ClientNone(kindName(t.shown(), g.kind), g.command))
	}
	for _, row := range found {
		v, err := viewClient(row)
		if err != nil {
			return err
		}
		if asJSON {
			err = json.NewEncoder(t.out).Encode(v)
		} else {
			err = v.print(t, row.Regions)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stateStopped is the state of a client that was stopped.
const stateStopped = "stopped"

func viewClient(row store.Client) (clientView, error) {
	kids, err := admin.KeyIDs(row)
	if err != nil {
		return clientView{}, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option(row.ID, why) })
	}
	v := clientView{
		ID: row.ID, Kind: string(row.Kind), NameZH: row.Name.ZH, NameEN: row.Name.EN, State: "active",
		StandIn: row.StandIn, Regions: regionNames(row.Regions), Actions: actionNames(row.Actions),
		Back: row.RedirectURIs, Strict: row.StrictAudience, Parent: row.Parent, Keys: kids, At: row.At.UTC(),
	}
	if row.Stopped {
		v.State = stateStopped
	}
	return v, nil
}

// print writes one client as a few lines: names have any width, so columns would not
// line up.
func (v clientView) print(t *terminal, regions []liuma.Region) error {
	say := t.shown()
	state := say.ClientActive()
	if v.State == stateStopped {
		state = say.ClientStopped()
	}
	if v.StandIn {
		state = say.ClientStandIn(state)
	}
	line := func(label string, values []string) { fmt.Fprintf(t.out, "  %s %s\n", padded(label, 8), joined(values)) }
	fmt.Fprintf(t.out, "%s  %s / %s  (%s)\n", v.ID, v.NameZH, v.NameEN, state)
	if v.Parent != "" {
		line(say.ClientParent(), []string{v.Parent})
	}
	if len(v.Actions) > 0 {
		line(say.ClientRegions(), shownRegions(say, regions))
		line(say.ClientActions(), v.Actions)
	}
	if len(v.Back) > 0 {
		line(say.ClientBack(), v.Back)
	}
	if v.Strict {
		fmt.Fprintln(t.out, "  "+say.ClientAudience())
	}
	_, err := fmt.Fprintf(t.out, "  %s %s\n", padded(say.ClientKeys(), 8), joined(v.Keys))
	return err
}

// shownRegions are regions as a person reads them.
func shownRegions(say locale.Shown, rs []liuma.Region) []string {
	out := regionNames(rs)
	for i, r := range rs {
		if r == "" {
			out[i] = say.ClientNation()
		}
	}
	return out
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
