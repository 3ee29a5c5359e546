// Command channel runs the sample channel: a mini-program that asks the
// authority's hosted page for the PIN, and never sees it. Settings come from a
// JSON file, the environment and flags; the later wins. See README.md.
//
// Start here: main.go, then miniapp/miniapp.go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/examples/channel/miniapp"
)

// settings are the members of the JSON file; flags and environment have the
// same names.
type settings struct {
	Issuer   string `json:"issuer"`
	API      string `json:"api"`
	ClientID string `json:"client_id"`
	KeyID    string `json:"key_id"`
	KeyFile  string `json:"key_file"`
	Origin   string `json:"origin"`
	Listen   string `json:"listen"`
	Name     string `json:"name"`
	NameEN   string `json:"name_en"`
	Theme    string `json:"theme"`
	Region   string `json:"region"`
	Hotline  string `json:"hotline"`
	Evidence string `json:"evidence"`
	Page     string `json:"evidence_page"`
	People   string `json:"people"`
}

// option is one setting with its name and its help.
type option struct {
	name string
	to   *string
	help string
}

func (s *settings) options() []option {
	return []option{
		{"issuer", &s.Issuer, "the authority's issuer address"},
		{"api", &s.API, "its native door; default: the issuer"},
		{"client-id", &s.ClientID, "identifier that the operator registered"},
		{"key-id", &s.KeyID, "kid of the key"},
		{"key-file", &s.KeyFile, "private key: PEM, PKCS #8, P-256"},
		{"origin", &s.Origin, "public address of this app; ORIGIN/callback must be registered"},
		{"listen", &s.Listen, "where to listen, host:port; default: where -origin is, if that is on this machine"},
		{"name", &s.Name, "name that people see"},
		{"name-en", &s.NameEN, "the same in English"},
		{"theme", &s.Theme, "jade or azure"},
		{"region", &s.Region, "GB/T 2260 code; empty: the nation"},
		{"hotline", &s.Hotline, "help line that the pages name; default: the nation's"},
		{"evidence", &s.Evidence, "address of the evidence provider that answers at once"},
		{"evidence-page", &s.Page, "where a check with the provider's own page is begun, instead of -evidence"},
		{"people", &s.People, "JSON file with the people to be; default: those of the sample"},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "channel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	s, err := read(args, env, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	app, err := build(s, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr: s.Listen, Handler: app,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 45 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	fmt.Fprintf(out, "%s: %s (register %s)\n", s.Name, s.Origin, miniapp.RedirectURI(s.Origin))
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(drain)
}

// read puts file, environment (LIUMA_CHANNEL_ISSUER …) and flags together.
func read(args []string, env func(string) string, out io.Writer) (settings, error) {
	s := settings{Theme: "jade"}
	given := settings{}
	flags := flag.NewFlagSet("channel", flag.ContinueOnError)
	flags.SetOutput(out)
	file := flags.String("config", env("LIUMA_CHANNEL_CONFIG"), "JSON file with these settings")
	for _, o := range given.options() {
		flags.StringVar(o.to, o.name, "", o.help)
	}
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if *file != "" {
		if err := readJSON(*file, &s); err != nil {
			return s, err
		}
	}
	chosen := map[string]string{}
	for _, o := range s.options() {
		if v := env("LIUMA_CHANNEL_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))); v != "" {
			*o.to, chosen[o.name] = v, v
		}
	}
	flags.Visit(func(f *flag.Flag) { chosen[f.Name] = f.Value.String() })
	for _, o := range s.options() {
		if v, ok := chosen[o.name]; ok {
			*o.to = v
		}
	}
	// An origin that was given beside the file goes with the port that it names.
	if here := loopback(s.Origin); here != "" && chosen["listen"] == "" && (s.Listen == "" || chosen["origin"] != "") {
		s.Listen = here
	}
	if s.Listen == "" {
		s.Listen = "127.0.0.1:8090"
	}
	return s, nil
}

// loopback is the host and port of an address on this machine, without TLS; empty for every
// other, before which a proxy stands.
func loopback(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return ""
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	return u.Host
}

func readJSON(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // read only: nothing to lose
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func build(s settings, log *slog.Logger) (*miniapp.App, error) {
	key, err := client.LoadKey(s.KeyFile)
	if err != nil {
		return nil, err
	}
	people, err := peopleOf(s.People)
	if err != nil {
		return nil, err
	}
	return miniapp.New(miniapp.Config{
		Issuer: s.Issuer, API: s.API, ClientID: s.ClientID, KeyID: s.KeyID, Key: key, Origin: s.Origin,
		Name: s.Name, NameEN: s.NameEN, Theme: s.Theme, Region: s.Region, Hotline: s.Hotline, Evidence: s.Evidence, EvidencePage: s.Page,
		People: people, Logger: log,
	})
}

func peopleOf(path string) (people []miniapp.Person, err error) {
	if path == "" {
		return miniapp.SamplePeople()
	}
	err = readJSON(path, &people)
	return people, err
}
