package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
)

// channelCmd is "liuma channel".
type channelCmd struct {
	Add channelAddCmd `cmd:"" help:"Register a channel with its public key, regions and actions."`
	clientCmds
	Keygen channelKeygenCmd `cmd:"" help:"Make a key pair, for a channel, a registry client, a hotline or a provider."`
}

// AfterApply says whom the commands below are about.
func (channelCmd) AfterApply(k *kong.Context) error {
	k.Bind(group{store.ClientChannel, "liuma channel"})
	return nil
}

// channelAddCmd is "liuma channel add".
type channelAddCmd struct {
	ID      string   `arg:"" help:"Identifier: 1 to 40 of a-z, 0-9 and inner hyphens. Never given out twice."`
	NameZH  string   `name:"name-zh" required:"" placeholder:"NAME" help:"Registered name in Chinese, as holders see it."`
	NameEN  string   `name:"name-en" required:"" placeholder:"NAME" help:"Registered name in English."`
	Key     string   `name:"key" required:"" placeholder:"FILE" help:"Public key on P-256: PEM (PUBLIC KEY) or a JWK. 'liuma channel keygen' makes one."`
	Regions []string `name:"region" placeholder:"CODE" help:"Region that it may serve, GB/T 2260 code of 2, 4 or 6 digits. May be given more than once."`
	Nation  bool     `name:"nation" help:"It may serve every region."`
	Actions []string `name:"action" placeholder:"ACTION" help:"What it may ask for: enroll, link, verify, change, freeze, reset, rebind or unfreeze. May be given more than once."`
	Back    []string `name:"redirect-uri" placeholder:"URL" help:"Where hosted ceremonies may go back to, compared byte for byte; https, or http on the loopback. May be given more than once."`
}

// Run registers the channel.
func (a *channelAddCmd) Run(ctx context.Context, c *cli, t *terminal, g group) error {
	command := g.command + " add"
	if a.Nation == (len(a.Regions) > 0) {
		return badUsage(command, "say where the channel may serve: --region CODE, once or more, or --nation")
	}
	if len(a.Actions) == 0 {
		return badUsage(command, "say what the channel may ask for: --action, once or more: %s", joined(actionNames(liuma.Actions())))
	}
	p := admin.Client{ID: a.ID, Kind: store.ClientChannel, Name: liuma.Text{ZH: a.NameZH, EN: a.NameEN}}
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
			return badUsage(command, "--action %q: want one of %s", s, joined(actionNames(liuma.Actions())))
		}
		p.Actions = append(p.Actions, action)
	}
	for _, s := range a.Back {
		if err := oidc.CheckRedirectURI(s); err != nil {
			return badUsage(command, "--redirect-uri %q: %v", s, err)
		}
		p.RedirectURIs = append(p.RedirectURIs, s)
	}
	return c.addClient(ctx, t, p, a.Key, g)
}

// regions adds the regions that were named. A code that no list has is refused:
// the channel would serve nobody. An abolished one is taken, since people are
// registered under it still, and its successor named.
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
			return nil, badUsage(command, "--region %q: want 2, 4 or 6 digits of GB/T 2260", s)
		}
		e, ok := all.Find(r)
		if !ok {
			return nil, unlistedRegion(all, r)
		}
		if e.Abolished != "" {
			fmt.Fprintf(t.err, "Note: region %s.\n", describeRegion(all, r, e))
		}
		out = append(out, r)
	}
	return out, nil
}

// channelKeygenCmd is "liuma channel keygen".
type channelKeygenCmd struct {
	Out string `name:"out" required:"" placeholder:"FILE" help:"Where the private key goes (PEM, mode 0600). The public key goes beside it, as FILE.pub.jwk."`
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
	_, err = fmt.Fprintf(t.out, "Made the key %s.\n  private: %s (give it to nobody, also not to the authority)\n  public:  %s (register this one)\n",
		pair.Public.KeyID, a.Out, publicFile)
	return err
}

func writeNew(path string, mode os.FileMode, content []byte) error {
	f, done, err := create(path, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return done(err)
}
