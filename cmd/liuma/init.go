package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/vault"
)

// initCmd is "liuma init".
type initCmd struct {
	Shape   string `name:"shape" enum:"1/1,2/3,3/5" default:"1/1" help:"Keepers that make a quorum, of how many: 1/1, 2/3 or 3/5. All run inside the server; more than one only pays once they live on machines of their own."`
	Issuer  string `name:"issuer" placeholder:"URL" help:"The authority's name, which callers' tokens and evidence are addressed to; with a hosted door its public address, https://host and nothing after it. Default: http:// and the hosted door's address, or else the channel door's."`
	API     string `name:"api" placeholder:"URL" help:"Public address of the channel door, which clients are told, if a proxy is in front of it. Default: where it listens."`
	Listen  string `name:"listen" default:"127.0.0.1:8600" placeholder:"HOST:PORT" help:"Where the channel door listens. Other than on loopback it needs a certificate: edit liuma.yaml."`
	Proxied bool   `name:"behind-proxy" help:"A proxy ends TLS in front of the doors, so they may listen beyond loopback."`
	StandIn bool   `name:"allow-stand-in-evidence" help:"Accept evidence of stand-in providers, which proves nothing. For demos and tests only."`

	Hosted            string `name:"hosted-listen" placeholder:"HOST:PORT" help:"Where the hosted door listens, for holders' browsers. Default: there is none."`
	HostedCertificate string `name:"hosted-certificate" placeholder:"FILE" help:"PEM file of the hosted door's certificate chain, with --hosted-key."`
	HostedKey         string `name:"hosted-key" placeholder:"FILE" help:"PEM file of its key."`

	Texts    string `name:"texts" enum:"none,inbox,webhook,kannel" default:"none" help:"How codes and notices get to phones: none, webhook, kannel, or inbox, which only shows them, with --allow-stand-in-evidence."`
	TextsURL string `name:"texts-url" placeholder:"URL" help:"Where the webhook takes texts, or sendsms of Kannel's smsbox."`
	Username string `name:"texts-username" placeholder:"NAME" help:"The name of smsbox's sendsms-user."`
	Gateway  string `name:"gateway-listen" placeholder:"HOST:PORT" help:"Where the gateway of texts reports deliveries. Default: nowhere; Kannel needs it."`
	Receipts string `name:"receipt-url" placeholder:"URL" help:"The gateway door as smsbox reaches it. Default: http:// and its address, if that is on loopback."`

	Dir string `arg:"" optional:"" help:"New or empty directory. Default: that of --data."`
}

// Run makes the data directory and lists its contents.
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
	conf, err := i.config()
	if err != nil {
		return err
	}
	if err := server.Init(ctx, dir, conf); err != nil {
		return err
	}
	i.explain(t.out, dir, conf)
	return nil
}

// config is the configuration that the flags ask for.
func (i *initCmd) config() (config.Config, error) {
	conf := config.Default()
	conf.Channel.Listen, conf.Channel.BehindProxy = i.Listen, i.Proxied
	conf.API, conf.AllowStandIn = i.API, i.StandIn
	conf.Keepers.Shape = i.Shape
	shape, err := conf.Keepers.SplitShape()
	if err != nil {
		return conf, err
	}
	conf.Keepers.Directories = config.DefaultDirectories(shape)
	if err := i.hosted(&conf); err != nil {
		return conf, err
	}
	return conf, i.texts(&conf)
}

// hosted sets the hosted door and the issuer, which is its address.
func (i *initCmd) hosted(conf *config.Config) (err error) {
	conf.Issuer = i.Issuer
	if i.Hosted == "" {
		if i.HostedCertificate+i.HostedKey != "" {
			return badUsage("liuma init", "--hosted-certificate and --hosted-key go with --hosted-listen")
		}
		if conf.Issuer == "" {
			conf.Issuer = "http://" + i.Listen
		}
		return nil
	}
	conf.Hosted = config.Door{Listen: i.Hosted, BehindProxy: i.Proxied}
	// A relative path is relative to the working directory here, and to the
	// data directory in the configuration.
	if conf.Hosted.Certificate, err = absolute(i.HostedCertificate); err != nil {
		return err
	}
	if conf.Hosted.Key, err = absolute(i.HostedKey); err != nil {
		return err
	}
	if conf.Issuer == "" {
		if i.Proxied || i.HostedCertificate != "" {
			return badUsage("liuma init", "give --issuer: the address at which browsers open the hosted door, such as https://pin.example.cn")
		}
		conf.Issuer = "http://" + i.Hosted
	}
	return nil
}

func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// The files of secrets that init names.
const (
	textsSecret   = "texts.secret"
	textsPassword = "texts.password"
)

// texts sets the driver of messages and the gateway door.
func (i *initCmd) texts(conf *config.Config) error {
	conf.Texts.Driver = i.Texts
	if i.Gateway != "" {
		conf.Gateway = config.Door{Listen: i.Gateway, BehindProxy: i.Proxied}
	}
	switch i.Texts {
	case config.DriverWebhook:
		conf.Texts.Webhook = config.Webhook{URL: i.TextsURL, SecretFile: textsSecret}
		if i.Username+i.Receipts != "" {
			return badUsage("liuma init", "--texts-username and --receipt-url go with --texts kannel")
		}
	case config.DriverKannel:
		conf.Texts.Kannel = config.Kannel{URL: i.TextsURL, Username: i.Username, PasswordFile: textsPassword, ReceiptURL: i.Receipts}
		if i.Receipts == "" {
			conf.Texts.Kannel.ReceiptURL = "http://" + i.Gateway + config.ReceiptPath
		}
	default:
		if i.TextsURL+i.Username+i.Receipts != "" {
			return badUsage("liuma init", "--texts-url, --texts-username and --receipt-url go with --texts webhook or kannel")
		}
	}
	return nil
}

// explain lists the files that were made and the steps that are left.
func (i *initCmd) explain(w io.Writer, dir string, conf config.Config) {
	keepers := len(conf.Keepers.Directories)
	fmt.Fprintf(w, "Made %s with %d keeper(s), shape %s.\n", dir, keepers, i.Shape)
	fmt.Fprintf(w, "  %-12s settings, each with a comment; after a change: liuma --data %s config check\n", config.FileName, dir)
	fmt.Fprintf(w, "  %-12s keys of the authority: without it the database cannot be read\n", conf.Vault)
	fmt.Fprintf(w, "  %-12s tells an old database that was put back from the newest: never restore it\n", vault.HeadsFile)
	fmt.Fprintf(w, "  %-12s database of the authority\n", conf.Database)
	fmt.Fprintf(w, "  %-12s one directory a keeper: share keys and ledger\n", "keepers")
	if i.Texts == config.DriverWebhook {
		fmt.Fprintf(w, "  %-12s secret that texts are signed with: the gateway needs it too\n", textsSecret)
	}
	if keepers == 1 {
		fmt.Fprintln(w, "With one keeper, whoever copies the whole directory can find every PIN in it. Keep keepers/ out of the backups that hold the rest.")
	}
	if i.Hosted != "" && i.Texts == config.DriverNone {
		fmt.Fprintln(w, "Without --texts no phone is bound: nobody is told of anything, and a forgotten PIN leads to the counter.")
	}
	if i.Texts == config.DriverKannel {
		fmt.Fprintf(w, "Put the password of smsbox's user %s into %s, mode 0600, before you serve.\n", i.Username, filepath.Join(dir, textsPassword))
	}
	i.next(w, dir)
}

// next says which commands come next, in their order, with everything in them
// that is known now.
func (i *initCmd) next(w io.Writer, dir string) {
	liuma := "liuma --data " + dir
	fmt.Fprintln(w, "Next, in this order; all but serve may be done beside the server too:")
	fmt.Fprintf(w, "  1. who has a physical card:    %s registry import people.csv\n", liuma)
	fmt.Fprintf(w, "  2. who proves identities:      %s evidence provider add ID --name-zh NAME --name-en NAME --key FILE\n", liuma)
	back := ""
	if i.Hosted != "" {
		back = " --redirect-uri URL"
	}
	fmt.Fprintf(w, "  3. a channel, with its key:    liuma channel keygen --out ID.key    (on the channel's machine)\n")
	fmt.Fprintf(w, "                                 %s channel add ID --name-zh NAME --name-en NAME --key ID.key.pub.jwk --region CODE --action enroll --action verify%s\n", liuma, back)
	fmt.Fprintf(w, "  4. serve:                      %s serve\n", liuma)
	fmt.Fprintf(w, "  5. every day, to another disk: %s backup DIR\n", liuma)
}
