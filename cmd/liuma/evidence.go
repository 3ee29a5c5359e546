package main

import (
	"context"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
)

// evidenceCmd is "liuma evidence".
type evidenceCmd struct {
	Provider providerCmd `cmd:""`
	StandIn  standInCmd  `cmd:"" name:"stand-in"`
}

// providerCmd is "liuma evidence provider".
type providerCmd struct {
	Add providerAddCmd `cmd:""`
	clientCmds
}

// AfterApply says which kind of client the commands below are about.
func (providerCmd) AfterApply(k *kong.Context) error {
	k.Bind(group{store.ClientProvider, "liuma evidence provider"})
	return nil
}

// providerAddCmd is "liuma evidence provider add".
type providerAddCmd struct {
	namedAddCmd
	StandIn bool `name:"stand-in"`
}

// Run registers the provider.
func (a *providerAddCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	p := admin.Client{ID: a.ID, Kind: g.kind, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}, StandIn: a.StandIn}
	return c.addClient(ctx, t, p, a.Key, g)
}
