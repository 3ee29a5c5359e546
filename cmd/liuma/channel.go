package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// channelCmd is "liuma channel".
type channelCmd struct {
	Add channelAddCmd `cmd:""`
	clientCmds
	Audience channelAudienceCmd `cmd:""`
	Keygen   channelKeygenCmd   `cmd:""`
	Token    channelTokenCmd    `cmd:""`
	Check    channelCheckCmd    `cmd:""`
}

// AfterApply says which kind of client the commands below are about.
func (channelCmd) AfterApply(k *kong.Context) error {
	k.Bind(group{store.ClientChannel, "liuma channel"})
	return nil
}

// channelAddCmd is "liuma channel add".
type channelAddCmd struct {
	ID      string   `arg:""`
	NameZH  string   `name:"name-zh" required:"" placeholder:"NAME"`
	NameEN  string   `name:"name-en" required:"" placeholder:"NAME"`
	Key     string   `name:"key" required:"" placeholder:"FILE"`
	Regions []string `name:"region" placeholder:"CODE"`
	Nation  bool     `name:"nation"`
	Actions []string `name:"action" placeholder:"ACTION"`
	Back    []string `name:"redirect-uri" placeholder:"URL"`
	Strict  bool     `name:"strict-audience"`
	Parent  string   `name:"parent" placeholder:"ID"`
}

// Run registers the channel.
func (a *channelAddCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	command := g.command + " add"
	if a.Nation == (len(a.Regions) > 0) {
		return wrongUse(command, func(w *locale.Words) string { return w.Refused.ChannelWhere() })
	}
	if len(a.Actions) == 0 {
		return wrongUse(command, func(w *locale.Words) string { return w.Refused.ChannelWhat(joined(actionNames(liuma.Actions()))) })
	}
	p := admin.Client{ID: a.ID, Kind: store.ClientChannel, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}, StrictAudience: a.Strict, Parent: a.Parent}
	if a.Parent != "" {
		if _, err := liuma.ParseChannelID(a.Parent); err != nil {
			return wrongUseFor(command, err, func(w *locale.Words, why string) string { return w.Refused.Option("--parent", why) })
		}
	}
	if a.Nation {
		p.Regions = []liuma.Region{""}
	}
	var err error
	if p.Regions, err = a.regions(c, t, command, p.Regions); err != nil {
		return err
	}
	for _, s := range a.Actions {
		action, err := liuma.ParseAction(s)
		if err != nil {
			return wrongUse(command, func(w *locale.Words) string {
				return w.Refused.ChannelAction(strconv.Quote(s), joined(actionNames(liuma.Actions())))
			})
		}
		p.Actions = append(p.Actions, action)
	}
	for _, s := range a.Back {
		if err := oidc.CheckRedirectURI(s); err != nil {
			return wrongUseFor(command, err, func(w *locale.Words, why string) string {
				return w.Refused.Option("--redirect-uri "+strconv.Quote(s), why)
			})
		}
		p.RedirectURIs = append(p.RedirectURIs, s)
	}
	return c.addClient(ctx, t, p, a.Key, g)
}

// regions adds the given regions. An unlisted code is refused, because the channel
// would serve nobody. An abolished one is accepted with a note about its successor,
// because people are still registered under it.
func (a *channelAddCmd) regions(c *cli, t *terminal, command string, out []liuma.Region) ([]liuma.Region, error) {
	if len(a.Regions) == 0 {
		return out, nil
	}
	conf, err := c.load()
	if err != nil {
		return nil, err
	}
	all, err := server.Regions(conf)
	if err != nil {
		return nil, err
	}
	for _, s := range a.Regions {
		r, err := liuma.ParseRegion(s)
		if err != nil || r == "" {
			return nil, wrongUse(command, func(w *locale.Words) string { return w.Refused.ChannelRegion(strconv.Quote(s)) })
		}
		e, ok := all.Find(r)
		if !ok {
			return nil, unlistedRegion(all, r)
		}
		if e.Abolished != "" {
			fmt.Fprintln(t.err, t.shown().ChannelNote(describeRegion(t.shown(), all, r, e)))
		}
		out = append(out, r)
	}
	return out, nil
}

// channelAudienceCmd is "liuma channel audience".
type channelAudienceCmd struct {
	ID   string `arg:""`
	What string `arg:"" enum:"strict,any"`
}

// Run says what assertions may name as audience, from the channel's next request on.
func (a *channelAudienceCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	done := t.shown().ClientAudienceAny
	if a.What == "strict" {
		done = t.shown().ClientAudienceStrict
	}
	return c.changeClient(ctx, t, g, done(a.ID), func(adm admin.Administration) error { return adm.SetAudience(ctx, a.ID, a.What == "strict") })
}

// channelKeygenCmd is "liuma channel keygen".
type channelKeygenCmd struct {
	Out string `name:"out" required:"" placeholder:"FILE"`
}

// Run makes both files, or neither.
func (a *channelKeygenCmd) Run(t *terminal) error {
	pair, err := admin.NewKeyPair()
	if err != nil {
		return err
	}
	private, err := pair.PrivatePEM()
	if err != nil {
		return err
	}
	defer clear(private)
	public, err := pair.PublicJWK()
	if err != nil {
		return err
	}
	publicFile := a.Out + ".pub.jwk"
	if err := writeNew(a.Out, 0o600, private); err != nil {
		return err
	}
	if err := writeNew(publicFile, 0o644, append(public, '\n')); err != nil {
		return errors.Join(err, os.Remove(a.Out))
	}
	say := t.shown()
	return t.line(say.ChannelMadeKey(pair.Public.KeyID) + "\n  " + say.ChannelPrivate(a.Out) + "\n  " + say.ChannelPublic(publicFile))
}

func writeNew(path string, mode os.FileMode, content []byte) error {
	f, done, err := create(path, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return done(err)
}
