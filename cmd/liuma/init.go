package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// initCmd is "liuma init".
type initCmd struct {
	Shape        string `name:"shape" enum:"1/1,2/3,3/5" default:"1/1"`
	Keepers      string `name:"keepers" enum:"here,remote" default:"here"`
	Database     string `name:"database" placeholder:"FILE|ADDRESS"`
	PasswordFile string `name:"database-password-file" placeholder:"FILE"`
	Issuer       string `name:"issuer" placeholder:"URL"`
	API          string `name:"api" placeholder:"URL"`
	Listen       string `name:"listen" default:"127.0.0.1:8600" placeholder:"HOST:PORT"`
	Proxied      bool   `name:"behind-proxy"`
	StandIn      bool   `name:"allow-stand-in-evidence"`

	Hosted            string `name:"hosted-listen" placeholder:"HOST:PORT"`
	HostedCertificate string `name:"hosted-certificate" placeholder:"FILE"`
	HostedKey         string `name:"hosted-key" placeholder:"FILE"`

	Console            string `name:"console-listen" placeholder:"HOST:PORT"`
	ConsoleAddress     string `name:"console" placeholder:"URL"`
	ConsoleCertificate string `name:"console-certificate" placeholder:"FILE"`
	ConsoleKey         string `name:"console-key" placeholder:"FILE"`

	Texts    string `name:"texts" enum:"none,inbox,webhook,kannel" default:"none"`
	TextsURL string `name:"texts-url" placeholder:"URL"`
	Username string `name:"texts-username" placeholder:"NAME"`
	Gateway  string `name:"gateway-listen" placeholder:"HOST:PORT"`
	Receipts string `name:"receipt-url" placeholder:"URL"`

	firstFlags

	Dir string `arg:"" optional:""`
}

// Run makes the data directory and lists its contents.
func (i *initCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	dir := i.Dir
	if dir == "" {
		dir = c.Data
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return refuse(func(w *locale.Words) string { return w.Refused.InitFile(dir) })
	}
	if _, err := os.Stat(filepath.Join(dir, config.FileName)); err == nil {
		return refuse(func(w *locale.Words) string { return w.Refused.InitThere(dir) })
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	conf, err := i.config()
	if err != nil {
		return err
	}
	first, err := i.beginning("liuma init")
	if err == nil && (first.Operator == nil) != (first.Officer == nil) {
		err = wrongUse("liuma init", func(w *locale.Words) string { return w.Refused.InitTwoPeople() })
	}
	if err != nil {
		return err
	}
	if err := server.Init(ctx, dir, conf); err != nil {
		return err
	}
	i.explain(t, dir, conf)
	if first.Operator == nil {
		return nil
	}
	return i.begin(ctx, &cli{Data: dir}, t, first)
}

// begin invites the first two members of staff. A crash before it leaves a directory
// without members; 'liuma staff begin' does the same then.
func (i *initCmd) begin(ctx context.Context, c *cli, t *terminal, first staff.Beginning) error {
	first.Account = new(uint32) // of the caller
	return c.administer(ctx, t, func(adm admin.Administration) error {
		invited, err := adm.BeginStaff(ctx, first)
		if err != nil {
			return err
		}
		return printInvited(t, invited)
	})
}

// config is the configuration described by the flags.
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
	if i.Keepers == "remote" {
		conf.Keepers = config.Keepers{Shape: i.Shape, Key: config.KeyFile()}
	}
	if i.Database != "" {
		conf.Database = i.Database
	}
	if conf.DatabasePassword, err = absolute(i.PasswordFile); err != nil {
		return conf, err
	}
	if err := i.hosted(&conf); err != nil {
		return conf, err
	}
	if err := i.console(&conf); err != nil {
		return conf, err
	}
	return conf, i.texts(&conf)
}

// hosted sets the hosted door and the issuer, which is the door's address.
func (i *initCmd) hosted(conf *config.Config) (err error) {
	conf.Issuer = i.Issuer
	if i.Hosted == "" {
		if i.HostedCertificate+i.HostedKey != "" {
			return wrongUse("liuma init", func(w *locale.Words) string { return w.Refused.InitHosted() })
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
			return wrongUse("liuma init", func(w *locale.Words) string { return w.Refused.InitIssuer() })
		}
		conf.Issuer = "http://" + i.Hosted
	}
	return nil
}

// console sets the door of the staff console and its address, to which passkeys belong.
func (i *initCmd) console(conf *config.Config) (err error) {
	if i.Console == "" {
		if i.ConsoleAddress+i.ConsoleCertificate+i.ConsoleKey != "" {
			return wrongUse("liuma init", func(w *locale.Words) string { return w.Refused.InitConsole() })
		}
		return nil
	}
	conf.ConsoleDoor, conf.Console = config.Door{Listen: i.Console, BehindProxy: i.Proxied}, i.ConsoleAddress
	if conf.ConsoleDoor.Certificate, err = absolute(i.ConsoleCertificate); err != nil {
		return err
	}
	if conf.ConsoleDoor.Key, err = absolute(i.ConsoleKey); err != nil {
		return err
	}
	if conf.ConsoleAddress() == "" {
		return wrongUse("liuma init", func(w *locale.Words) string { return w.Refused.InitConsoleAddress() })
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
			return wrongUse("liuma init", func(w *locale.Words) string { return w.Refused.InitKannel() })
		}
	case config.DriverKannel:
		conf.Texts.Kannel = config.Kannel{URL: i.TextsURL, Username: i.Username, PasswordFile: textsPassword, ReceiptURL: i.Receipts}
		if i.Receipts == "" {
			conf.Texts.Kannel.ReceiptURL = "http://" + i.Gateway + config.ReceiptPath
		}
	default:
		if i.TextsURL+i.Username+i.Receipts != "" {
			return wrongUse("liuma init", func(w *locale.Words) string { return w.Refused.InitTexts() })
		}
	}
	return nil
}

// explain lists the new files and the steps that are left.
func (i *initCmd) explain(t *terminal, dir string, conf config.Config) {
	keepers, elsewhere, say := len(conf.Keepers.Directories), conf.Keepers.AreRemote(), t.shown()
	file := func(name, what string) { fmt.Fprintf(t.out, "  %-12s %s\n", name, what) }
	made := say.InitMade(dir, num(keepers), i.Shape)
	if elsewhere {
		made = say.InitMadeWithout(dir, i.Shape)
	}
	fmt.Fprintln(t.out, made)
	file(config.FileName, say.InitSettings("liuma --data "+dir+" config check"))
	file(conf.Vault, say.InitVault())
	file(vault.HeadsFile, say.InitHeads())
	if conf.OnServer() {
		fmt.Fprintln(t.out, "  "+say.InitServer(postgres.Name(conf.Database)))
	} else {
		file(conf.Database, say.InitDatabase())
	}
	if !elsewhere {
		file("keepers", say.InitKeepers())
	}
	if i.Texts == config.DriverWebhook {
		file(textsSecret, say.InitSecret())
	}
	if keepers == 1 {
		fmt.Fprintln(t.out, say.InitOneKeeper())
	}
	if i.Hosted != "" && i.Texts == config.DriverNone {
		fmt.Fprintln(t.out, say.InitNoTexts())
	}
	if i.Texts == config.DriverKannel {
		fmt.Fprintln(t.out, say.InitPassword(i.Username, filepath.Join(dir, textsPassword)))
	}
	if i.Console == "" {
		fmt.Fprintln(t.out, say.InitNoConsole())
	}
	i.next(t, dir, conf)
}

// next lists the next commands in their order, with all values that are known now.
func (i *initCmd) next(t *terminal, dir string, conf config.Config) {
	liuma, say := "liuma --data "+dir, t.shown()
	number := 0 // so that a missing step leaves no gap
	step := func(what, command string) {
		if what != "" {
			number++
			what = strconv.Itoa(number) + ". " + what
		}
		fmt.Fprintf(t.out, "  %s %s\n", padded(what, 30), command)
	}
	fmt.Fprintln(t.out, say.InitNext())
	if conf.Keepers.AreRemote() {
		step(say.InitStepRequest(), liuma+" keeper request")
		step(say.InitStepAdd(), liuma+" keeper add FILE --heard DIGITS")
	}
	if i.Operator == "" {
		step(say.InitStepStaff(), liuma+" staff begin --operator ID --operator-name NAME --officer ID --officer-name NAME")
	}
	step(say.InitStepPeople(), liuma+" registry import people.csv")
	step(say.InitStepProvider(), liuma+" evidence provider add ID --name-zh NAME --name-en NAME --key FILE")
	back := ""
	if i.Hosted != "" {
		back = " --redirect-uri URL"
	}
	step(say.InitStepChannel(), "liuma channel keygen --out ID.key    "+say.InitOnChannel())
	step("", liuma+" channel add ID --name-zh NAME --name-en NAME --key ID.key.pub.jwk --region CODE --action enroll --action verify"+back)
	step(say.InitStepServe(), liuma+" serve")
	if i.Console != "" {
		step(say.InitStepConsole(), conf.ConsoleAddress()+"/invitation    "+say.InitOnConsole())
	}
	if !conf.OnServer() {
		step(say.InitStepBackup(), liuma+" backup DIR")
	}
}
