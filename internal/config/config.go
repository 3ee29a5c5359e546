// Package config is the one configuration of the liuma command. It guarantees
// that a file is read strictly (unknown or doubled members are errors with a
// line number), that every default is written down here, and that a
// configuration which Validate passes can be wired without further checks. It
// trusts everyone who can write the file.
//
// docs/CONFIGURATION.md has every member. A test writes it from the comments on the members
// here, so these are for operators too.
//
// Start here: Config.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/liuma-pin/liuma/locale"
)

// FileName is the configuration's name in a data directory.
const FileName = "liuma.yaml"

// Config is the whole configuration. Relative paths are relative to the
// directory of the file.
type Config struct {
	// Issuer is the authority's own name: the audience of client assertions and
	// of evidence, the issuer of receipts; clients' tokens for the native door
	// name it with /v1 after it. An absolute URL without query. With a hosted door it is
	// that door's public address: scheme://host[:port] and nothing after it, https but on
	// loopback. Changing it makes every client change its own settings.
	Issuer string `yaml:"issuer"`
	// Channel is the native door, for channels, registry clients and hotlines.
	Channel Door `yaml:"channel_door"`
	// Hosted is the hosted door, for holders' browsers and the channels that
	// push requests to it. Its public address is Issuer. Default: none.
	Hosted Door `yaml:"hosted_door"`
	// API is the public address of the native door, which clients are told:
	// scheme://host[:port], https but on loopback. Needed only where a proxy, or the name in
	// the certificate, decides it. Default: where the door listens, unless a proxy is in
	// front of it, whose address nobody here knows.
	API string `yaml:"api,omitempty"`
	// Gateway is the door where the message gateway reports deliveries, at
	// /receipts and nothing else. Only with texts.driver webhook or kannel; kannel needs it.
	// The driver checks that reports come from its gateway. Default: none.
	Gateway Door `yaml:"gateway_door"`
	// ConsoleDoor is the door of the staff console, for browsers of members of staff. Put it
	// on the inner network: nobody else has business there. Default: none.
	ConsoleDoor Door `yaml:"console_door"`
	// Metrics is where a collector reads the process's numbers. Default: nowhere.
	Metrics Metrics `yaml:"metrics"`
	// Console is the public address of the console, which passkeys belong to:
	// https://host[:port], or http://localhost:port. Passkeys belong to this host's name: who
	// changes it has every passkey registered anew. Default: localhost and the port of
	// console_door, where that listens on the loopback and is not behind_proxy.
	Console string `yaml:"console,omitempty"`
	// Texts says how one-time codes and notices get to phones. Default: not at
	// all.
	Texts Texts `yaml:"texts"`
	// Letters says what stands on letters to people without a phone.
	Letters Letters `yaml:"letters"`
	// DomainChecks is a directory whose .txt and .html files the hosted door
	// serves at its root, as mini-program platforms ask for. Default: none.
	DomainChecks string `yaml:"domain_checks"`
	// Proxies are the addresses, or networks, of proxies in front of the doors.
	// Only their X-Forwarded-For is believed; freeze codes are rationed and
	// requests bounded by that address: a proxy that is not listed makes all holders one
	// source. Default: the loopback, at a door that is
	// behind_proxy.
	Proxies []string `yaml:"proxies,omitempty"`
	// Hotline is the phone number that pages, notices and the sentences of errors
	// name. Default 12333.
	Hotline string `yaml:"hotline"`
	// Consent is a file with the text that holders agree to, in both languages and with a
	// version. Default: the built-in text, version 1.
	Consent string `yaml:"consent,omitempty"`
	// NativeConsent demands that who enrols a holder at the native door names the version
	// of the text that the holder agreed to on the channel's own page. A version that is
	// not the present one is refused in any case. Default false.
	NativeConsent bool `yaml:"native_consent,omitempty"`
	// Vault is the key file of the authority. Default vault.key.
	Vault string `yaml:"vault"`
	// HSM is the hardware security module that the key file is sealed to, by 'liuma keys
	// vault enclose'. Default: none.
	HSM HSM `yaml:"hsm"`
	// Database is the authority's SQLite file, or the address of a database on a
	// PostgreSQL server: postgres://USER@HOST/DATABASE, without a password, and with several
	// hosts where one takes over from another. Default liuma.db.
	Database string `yaml:"database"`
	// DatabasePassword is a file of one line, mode 0600 or stricter, with the password for
	// that server. Without it PGPASSFILE, or ~/.pgpass, is asked. Default: none.
	DatabasePassword string `yaml:"database_password_file,omitempty"`
	// Digests is the directory where each signed digest of the audit record is
	// written as a file, to be shipped to another place; "" writes none. Default
	// digests.
	Digests string `yaml:"digests"`
	// Keepers are the keepers, inside this process or on machines of their own.
	Keepers Keepers `yaml:"keepers"`
	// Retention says how long the database keeps what it need not keep for ever.
	Retention Retention `yaml:"retention"`
	// Policy is a directory with the rules of regions and channels, one layer a file
	// (docs/POLICY.md), until two members of staff approve others.
	// Default: none, so that the national rule holds everywhere.
	Policy string `yaml:"policy,omitempty"`
	// AllowStandIn accepts evidence from providers that are registered as
	// stand-ins, which proves nothing. Only demos and tests set it. Default false.
	AllowStandIn bool `yaml:"allow_stand_in_evidence"`
	// Log says how much is logged: debug, info, warn or error. Default info.
	Log string `yaml:"log"`
	// Drain is how long a stopping server lets requests finish, up to 5m. Default 10s.
	Drain Duration `yaml:"drain"`
}

// Door is one listener.
type Door struct {
	// Listen is where the door listens, host:port. Default 127.0.0.1:8600. A door that is not on
	// loopback must have a certificate, or say behind_proxy.
	Listen string `yaml:"listen"`
	// Certificate is the PEM file of the certificate chain; with Key, or neither.
	Certificate string `yaml:"certificate"`
	// Key is the PEM file of its key, mode 0640 or stricter.
	Key string `yaml:"key"`
	// BehindProxy says that a proxy ends TLS in front of this door.
	BehindProxy bool `yaml:"behind_proxy"`
	// Bounds are how much the door takes at once.
	Bounds `yaml:",inline"`
}

// Duration is a time.Duration that is written like "10s".
type Duration time.Duration

// UnmarshalYAML reads Go's notation.
func (d *Duration) UnmarshalYAML(b []byte) error {
	var s string
	if err := yaml.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes Go's notation.
func (d Duration) MarshalYAML() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// Default is the configuration that `liuma init` writes.
func Default() Config {
	return Config{
		Issuer:   "http://127.0.0.1:8600",
		Channel:  Door{Listen: "127.0.0.1:8600"},
		Vault:    "vault.key",
		Database: "liuma.db",
		Digests:  "digests",

		Retention: DefaultRetention(),
		Texts:     defaultTexts(),
		Keepers:   Keepers{Shape: "1/1", Directories: []string{filepath.Join("keepers", "k1")}},
		Log:       "info",
		Drain:     Duration(10 * time.Second),
	}
}

// maxFile bounds the size of a configuration file, in bytes.
const maxFile = 64 << 10

// Load reads the file in dir, fills in defaults, makes paths absolute and
// validates.
func Load(dir string) (Config, error) { return LoadAs(dir, dir) }

// LoadAs reads the file in the directory from as if it were in dir: the paths are
// relative to dir. It is used for backups, for example.
func LoadAs(from, dir string) (Config, error) {
	path := filepath.Join(from, FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	c, err := Parse(b)
	if err != nil {
		return Config{}, fmt.Errorf("config %s: %w", path, err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	return c.at(abs), nil
}

// Parse reads YAML strictly. Paths stay as written.
func Parse(b []byte) (Config, error) {
	if len(b) > maxFile {
		return Config{}, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTooLong(fmt.Sprint(maxFile)) })
	}
	c := Default()
	c.Keepers.Directories = nil
	dec := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	if err := dec.Decode(&c); err != nil {
		return Config{}, err
	}
	shape, err := c.Keepers.SplitShape()
	if err != nil {
		return Config{}, err
	}
	if c.Keepers.Directories == nil && !c.Keepers.AreRemote() {
		c.Keepers.Directories = DefaultDirectories(shape)
	}
	return c, c.Validate()
}

// Validate reports everything that is wrong, not only the first fault.
func (c Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.Issuer); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "" {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigIssuer(strconv.Quote(c.Issuer)) }))
	}
	if err := c.Channel.validate("channel_door"); err != nil {
		errs = append(errs, err)
	}
	if c.Hosted.Listen != "" {
		errs = append(errs, c.Hosted.validate("hosted_door"), c.bareIssuer())
	} else if c.Hosted != (Door{}) || c.DomainChecks != "" {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigHosted() }))
	}
	if _, err := c.ProxyNetworks(c.Hosted); err != nil {
		errs = append(errs, err)
	}
	if strings.Trim(c.Hotline, "0123456789-+") != "" {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigHotline(strconv.Quote(c.Hotline)) }))
	}
	if c.API != "" {
		errs = append(errs, bareAddress("api", c.API))
	}
	if c.Gateway.Listen != "" {
		errs = append(errs, c.Gateway.validate("gateway_door"))
	} else if c.Gateway != (Door{}) {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigGateway() }))
	}
	errs = append(errs, c.validateConsole(), c.Metrics.validate(), c.Texts.validate(c), c.Letters.validate(), c.Retention.validate(), c.HSM.validate(), c.Keepers.validate())
	if _, err := c.Bounds(0); err != nil {
		errs = append(errs, err)
	}
	if c.Vault == "" || c.Database == "" {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigFiles() }))
	}
	errs = append(errs, c.validateDatabase())
	switch c.Log {
	case "debug", "info", "warn", "error":
	default:
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigLog(strconv.Quote(c.Log)) }))
	}
	if c.Drain < 0 || c.Drain > Duration(5*time.Minute) {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigDrain() }))
	}
	return errors.Join(errs...)
}

// bareIssuer checks that the hosted door's address has nothing after the host, because
// paths are appended to it and cookies belong to it.
func (c Config) bareIssuer() error {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.User != nil || u.Scheme+"://"+u.Host != c.Issuer {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigIssuerBare(strconv.Quote(c.Issuer)) })
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigIssuerHttps(strconv.Quote(c.Issuer)) })
	}
	return nil
}

// bareAddress checks an address to which paths are appended.
func bareAddress(name, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Host == "" || u.Scheme+"://"+u.Host != address {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigAddressBare(name, strconv.Quote(address)) })
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigAddressHttps(name, strconv.Quote(address)) })
	}
	return nil
}

// APIAddress returns the address at which clients reach the native door; "" if only the
// proxy or the certificate's name determines it and API is not set.
func (c Config) APIAddress() string {
	host, port, err := net.SplitHostPort(c.Channel.Listen)
	switch {
	case c.API != "":
		return c.API
	case err != nil, port == "0", c.Channel.BehindProxy, !loopback(host):
		return ""
	case c.Channel.Certificate != "":
		return "https://" + c.Channel.Listen
	}
	return "http://" + c.Channel.Listen
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (d Door) validate(name string) error {
	host, _, err := net.SplitHostPort(d.Listen)
	if err != nil {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigListen(name, strconv.Quote(d.Listen)) })
	}
	if (d.Certificate == "") != (d.Key == "") {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigCertificate(name) })
	}
	if !loopback(host) && d.Certificate == "" && !d.BehindProxy {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigLoopback(name, d.Listen) })
	}
	return d.Bounds.validate(name)
}

// In returns the configuration with its paths below a directory.
func (c Config) In(dir string) Config { return c.at(dir) }

func (c Config) at(dir string) Config {
	abs := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, p)
	}
	c.Vault, c.DatabasePassword = abs(c.Vault), abs(c.DatabasePassword)
	if !c.OnServer() {
		c.Database = abs(c.Database)
	}
	c.Channel.Certificate, c.Channel.Key = abs(c.Channel.Certificate), abs(c.Channel.Key)
	c.Hosted.Certificate, c.Hosted.Key = abs(c.Hosted.Certificate), abs(c.Hosted.Key)
	c.DomainChecks, c.Policy, c.Consent = abs(c.DomainChecks), abs(c.Policy), abs(c.Consent)
	c.Digests, c.HSM.PINFile = abs(c.Digests), abs(c.HSM.PINFile)
	c.Gateway.Certificate, c.Gateway.Key = abs(c.Gateway.Certificate), abs(c.Gateway.Key)
	c.ConsoleDoor.Certificate, c.ConsoleDoor.Key = abs(c.ConsoleDoor.Certificate), abs(c.ConsoleDoor.Key)
	c.Metrics.Certificate, c.Metrics.Key = abs(c.Metrics.Certificate), abs(c.Metrics.Key)
	c.Texts.Wordings = abs(c.Texts.Wordings)
	c.Texts.Webhook.SecretFile, c.Texts.Webhook.PreviousFile = abs(c.Texts.Webhook.SecretFile), abs(c.Texts.Webhook.PreviousFile)
	c.Texts.Kannel.PasswordFile = abs(c.Texts.Kannel.PasswordFile)
	c.Keepers = c.Keepers.at(abs)
	return c
}
