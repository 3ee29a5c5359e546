package main

import (
	"context"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
)

// hotlineCmd is "liuma hotline".
type hotlineCmd struct {
	Add hotlineAddCmd `cmd:""`
	clientCmds
}

// AfterApply says which kind of client the commands below are about.
func (hotlineCmd) AfterApply(k *kong.Context) error {
	k.Bind(group{store.ClientHotline, "liuma hotline"})
	return nil
}

// hotlineAddCmd is "liuma hotline add".
type hotlineAddCmd struct{ namedAddCmd }

// Run registers the hotline.
func (a *hotlineAddCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.addClient(ctx, t, admin.Client{ID: a.ID, Kind: g.kind, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}}, a.Key, g)
}
