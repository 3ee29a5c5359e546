package main

import (
	"context"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// registryCmd is "liuma registry".
type registryCmd struct {
	Sample    sampleCmd         `cmd:"" help:"Write a registry of made-up people, in the form that import reads."`
	Import    importCmd         `cmd:"" help:"Import physical cards from a CSV file."`
	Conflicts conflictsCmd      `cmd:"" help:"Decide whose an ID number is, where an import brought another person."`
	Client    registryClientCmd `cmd:"" help:"The clients that report lost, found, cancelled and replaced cards."`
}

// sampleCmd is "liuma registry sample".
type sampleCmd struct {
	People int    `name:"people" required:"" placeholder:"N" help:"How many people, 1 to 100000000."`
	Seed   uint64 `name:"seed" default:"1" help:"The same seed makes the same people."`
	Out    string `name:"out" placeholder:"FILE" help:"Write here instead of standard output. The file must not exist."`
}

// Run writes the sample.
func (a *sampleCmd) Run(t *terminal) error {
	if a.People < 1 || a.People > registry.MaxSample {
		return badUsage("liuma registry sample", "--people %d: want 1 to %d", a.People, registry.MaxSample)
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
	_, err = fmt.Fprintf(t.err, "Wrote %d made-up people to %s.\n", a.People, a.Out)
	return err
}

// registryClientCmd is "liuma registry client".
type registryClientCmd struct {
	Add registryClientAddCmd `cmd:"" help:"Register a client with its public key."`
	clientCmds
}

// AfterApply says whom the commands below are about.
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
