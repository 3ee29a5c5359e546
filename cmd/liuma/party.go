package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/operator"
	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/store"
)

// group is a kind of party, and the command that its commands stand under.
type group struct {
	kind    store.ClientKind
	command string
}

// partyCmds are what can be done with a party of any kind.
type partyCmds struct {
	List      partyListCmd      `cmd:"" help:"List them, with state and keys."`
	Stop      partyStopCmd      `cmd:"" help:"Refuse it everywhere, from its next request on."`
	Resume    partyResumeCmd    `cmd:"" help:"Let it in again after a stop."`
	Rotate    partyRotateCmd    `cmd:"" help:"Add a key; the keys that it has stay good until they are removed."`
	RemoveKey partyRemoveKeyCmd `cmd:"" help:"Take a key out of use, from the next request on."`
}

// namedAddCmd registers a party that has a name and a key and nothing else.
type namedAddCmd struct {
	ID     string `arg:"" help:"Identifier: 1 to 40 of a-z, 0-9 and inner hyphens. Never given out twice."`
	NameZH string `name:"name-zh" required:"" placeholder:"NAME" help:"Registered name in Chinese."`
	NameEN string `name:"name-en" required:"" placeholder:"NAME" help:"Registered name in English."`
	Key    string `name:"key" required:"" placeholder:"FILE" help:"Public key on P-256: PEM or a JWK. 'liuma channel keygen' makes one."`
}

// registryClientCmd is "liuma registry client".
type registryClientCmd struct {
	Add registryClientAddCmd `cmd:"" help:"Register a client with its public key."`
	partyCmds
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
	return c.addParty(ctx, t, parties.Party{ID: a.ID, Kind: g.kind, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}}, a.Key, g)
}

// hotlineCmd is "liuma hotline".
type hotlineCmd struct {
	Add hotlineAddCmd `cmd:"" help:"Register a hotline with its public key. It may freeze, and nothing else."`
	partyCmds
}

// AfterApply says whom the commands below are about.
func (hotlineCmd) AfterApply(k *kong.Context) error {
	k.Bind(group{store.ClientHotline, "liuma hotline"})
	return nil
}

// hotlineAddCmd is "liuma hotline add".
type hotlineAddCmd struct{ namedAddCmd }

// Run registers the hotline.
func (a *hotlineAddCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.addParty(ctx, t, parties.Party{ID: a.ID, Kind: g.kind, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}}, a.Key, g)
}

// evidenceCmd is "liuma evidence".
type evidenceCmd struct {
	Provider providerCmd `cmd:"" help:"The providers that say who a holder is."`
}

// providerCmd is "liuma evidence provider".
type providerCmd struct {
	Add providerAddCmd `cmd:"" help:"Register a provider with its public key."`
	partyCmds
}

// AfterApply says whom the commands below are about.
func (providerCmd) AfterApply(k *kong.Context) error {
	k.Bind(group{store.ClientProvider, "liuma evidence provider"})
	return nil
}

// providerAddCmd is "liuma evidence provider add".
type providerAddCmd struct {
	namedAddCmd
	StandIn bool `name:"stand-in" help:"It stands in for a real provider and proves nothing. Its evidence counts only where the configuration allows stand-ins."`
}

// Run registers the provider.
func (a *providerAddCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	p := parties.Party{ID: a.ID, Kind: g.kind, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}, StandIn: a.StandIn}
	return c.addParty(ctx, t, p, a.Key, g)
}

// addParty reads the key and registers the party.
func (c *cli) addParty(ctx context.Context, t *terminal, p parties.Party, keyFile string, g group) error {
	var err error
	if p.Key, err = partyKey(keyFile); err != nil {
		return err
	}
	err = c.inOffice(ctx, t, func(o operator.Office) error { return o.Add(ctx, p) })
	if errors.Is(err, parties.ErrTaken) {
		return fmt.Errorf("%w; choose another, or see '%s list'", err, g.command)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "Registered %s %s with the key %s.\n", p.Kind, p.ID, p.Key.KeyID)
	return err
}

func partyKey(file string) (jose.JSONWebKey, error) {
	raw, err := readKey(file)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key, err := parties.ParseKey(raw)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("key file %s: %w; 'liuma channel keygen' makes a good one", file, err)
	}
	return key, nil
}

// changeParty runs one change of a registered party and says that it is done.
func (c *cli) changeParty(ctx context.Context, t *terminal, g group, done string, f func(operator.Office) error) error {
	err := c.inOffice(ctx, t, f)
	switch {
	case errors.Is(err, parties.ErrUnknown):
		return fmt.Errorf("%w; '%s list' shows what there is", err, g.command)
	case errors.Is(err, parties.ErrLastKey):
		return fmt.Errorf("%w; add the new key first, or stop the party", err)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintln(t.out, done)
	return err
}

// partyListCmd lists the parties of a group.
type partyListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
}

// Run lists them.
func (a *partyListCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.list(ctx, t, g, a.JSON)
}

// partyStopCmd stops a party.
type partyStopCmd struct {
	ID string `arg:"" help:"Its identifier."`
}

// Run stops it.
func (a *partyStopCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeParty(ctx, t, g, "Stopped "+a.ID+".", func(o operator.Office) error { return o.Stop(ctx, g.kind, a.ID) })
}

// partyResumeCmd lets a party in again.
type partyResumeCmd struct {
	ID string `arg:"" help:"Its identifier."`
}

// Run resumes it.
func (a *partyResumeCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeParty(ctx, t, g, "Resumed "+a.ID+".", func(o operator.Office) error { return o.Resume(ctx, g.kind, a.ID) })
}

// partyRotateCmd adds a key.
type partyRotateCmd struct {
	ID  string `arg:"" help:"Its identifier."`
	Key string `name:"key" required:"" placeholder:"FILE" help:"The new public key on P-256: PEM or a JWK."`
}

// Run adds the key.
func (a *partyRotateCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	key, err := partyKey(a.Key)
	if err != nil {
		return err
	}
	done := fmt.Sprintf("Added the key %s to %s. Once it signs with that one, remove the old: %s remove-key %s KID", key.KeyID, a.ID, g.command, a.ID)
	return c.changeParty(ctx, t, g, done, func(o operator.Office) error { return o.AddKey(ctx, g.kind, a.ID, key) })
}

// partyRemoveKeyCmd removes a key.
type partyRemoveKeyCmd struct {
	ID  string `arg:"" help:"Its identifier."`
	KID string `arg:"" name:"kid" help:"The kid of the key, as 'list' shows it. Put -- before one that starts with a hyphen."`
}

// Run removes the key.
func (a *partyRemoveKeyCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	return c.changeParty(ctx, t, g, "Removed the key "+a.KID+" from "+a.ID+".", func(o operator.Office) error {
		return o.RemoveKey(ctx, g.kind, a.ID, a.KID)
	})
}
