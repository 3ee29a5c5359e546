package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/assembly"
	"github.com/liuma-pin/liuma/internal/config"
)

// initCmd is "liuma init".
type initCmd struct {
	Shape   string `name:"shape" enum:"1/1,2/3,3/5" default:"1/1" help:"Keepers that make a quorum, of how many: 1/1, 2/3 or 3/5. All run inside the server; more than one only pays once they live on machines of their own."`
	Issuer  string `name:"issuer" placeholder:"URL" help:"The authority's name, which callers' tokens and evidence are addressed to. Default: http:// and the listening address."`
	Listen  string `name:"listen" default:"127.0.0.1:8600" placeholder:"HOST:PORT" help:"Where the channel door listens. Other than on loopback it needs a certificate: edit liuma.yaml."`
	Proxied bool   `name:"behind-proxy" help:"A proxy ends TLS in front of the door, so it may listen beyond loopback."`
	StandIn bool   `name:"allow-stand-in-evidence" help:"Accept evidence of stand-in providers, which proves nothing. For demos and tests only."`
	Dir     string `arg:"" optional:"" help:"New or empty directory. Default: that of --data."`
}

// Run makes the data directory and says what is in it.
func (i *initCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	dir := i.Dir
	if dir == "" {
		dir = c.Data
	}
	if _, err := os.Stat(filepath.Join(dir, config.FileName)); err == nil {
		return fmt.Errorf("%s is a data directory already, and its keys cannot be made twice; choose a new directory", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	conf := config.Default()
	conf.Channel.Listen, conf.Channel.BehindProxy = i.Listen, i.Proxied
	conf.Issuer = i.Issuer
	if conf.Issuer == "" {
		conf.Issuer = "http://" + i.Listen
	}
	conf.AllowStandIn = i.StandIn
	conf.Keepers.Shape = i.Shape
	shape, err := conf.Keepers.SplitShape()
	if err != nil {
		return err
	}
	conf.Keepers.Directories = config.DefaultDirectories(shape)
	if err := assembly.Init(ctx, dir, conf); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "Made %s with %d keeper(s), shape %s.\n", dir, shape.N, i.Shape)
	fmt.Fprintf(t.out, "  %-12s settings; docs/OPERATIONS.md describes each\n", config.FileName)
	fmt.Fprintf(t.out, "  %-12s keys of the authority: without it the database cannot be read\n", conf.Vault)
	fmt.Fprintf(t.out, "  %-12s database of the authority\n", conf.Database)
	fmt.Fprintf(t.out, "  %-12s one directory a keeper: share keys and ledger\n", "keepers")
	if shape.N == 1 {
		fmt.Fprintln(t.out, "With one keeper, whoever copies the whole directory can find every PIN in it. Keep keepers/ out of the backups that hold the rest.")
	}
	fmt.Fprintf(t.out, "Next: liuma --data %s serve\n", dir)
	return nil
}
