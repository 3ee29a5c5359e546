package main

import (
	"context"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// registryCmd is "liuma registry".
type registryCmd struct {
	Sample      sampleCmd         `cmd:""`
	Import      importCmd         `cmd:""`
	Correct     correctCmd        `cmd:""`
	Corrections correctionsCmd    `cmd:""`
	Conflicts   conflictsCmd      `cmd:""`
	Client      registryClientCmd `cmd:""`
	Export      exportCmd         `cmd:""`
	Minors      minorsCmd         `cmd:""`
}

// sampleCmd is "liuma registry sample".
type sampleCmd struct {
	People int    `name:"people" required:"" placeholder:"N"`
	Seed   uint64 `name:"seed" default:"1"`
	Out    string `name:"out" placeholder:"FILE"`
}

// Run writes the sample.
func (a *sampleCmd) Run(t *terminal) error {
	if a.People < 1 || a.People > registry.MaxSample {
		return wrongUse("liuma registry sample", func(w *locale.Words) string { return w.Refused.SamplePeople(num(a.People), num(registry.MaxSample)) })
	}
	if a.Out == "" {
		return registry.Sample(t.out, a.People, a.Seed)
	}
	f, done, err := create(a.Out, 0o600)
	if err != nil {
		return err
	}
	if err := done(registry.Sample(f, a.People, a.Seed)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.err, t.shown().SampleWrote(num(a.People), a.Out))
	return err
}

// registryClientCmd is "liuma registry client".
type registryClientCmd struct {
	Add registryClientAddCmd `cmd:""`
	clientCmds
}

// AfterApply says which kind of client the commands below are about.
func (registryClientCmd) AfterApply(k *kong.Context) error {
	k.Bind(group{store.ClientRegistry, "liuma registry client"})
	return nil
}

// registryClientAddCmd is "liuma registry client add".
type registryClientAddCmd struct{ namedAddCmd }

// Run registers the client.
func (a *registryClientAddCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.addClient(ctx, t, admin.Client{ID: a.ID, Kind: g.kind, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}}, a.Key, g)
}
