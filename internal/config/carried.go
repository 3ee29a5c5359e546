package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// An authority that joins others on their database needs the configuration that they have, and
// the files that this names. Pack makes both into one piece, which 'liuma keys invite' seals to
// the one who joins; Unpack judges it there, and Unpacked.Put writes it. What is a machine's own
// stays out: where its doors listen, their certificates and keys, the key and admissions by which
// keepers know it, the PIN of its token.

// MaxCarried bounds what is carried, in bytes.
const MaxCarried = 12 << 20

// Errors of what is carried.
var (
	// ErrCarriedTooMuch says that the files are too long together.
	ErrCarriedTooMuch = fmt.Errorf("config: the files that the configuration names have more than %d bytes together", MaxCarried)
	// ErrCarried says that something is none that Pack made.
	ErrCarried = errors.New("config: what was carried is no configuration that this release knows")
	// ErrDiffers says that something else is there than was carried; Differs names it.
	ErrDiffers = errors.New("config: something else is there already")
)

// Differs names what is different here: members of liuma.yaml, and files. It is ErrDiffers.
type Differs struct{ What []string }

func (d *Differs) Error() string { return ErrDiffers.Error() + ": " + strings.Join(d.What, ", ") }

// Is makes it ErrDiffers.
func (d *Differs) Is(err error) bool { return err == ErrDiffers }

// Own is a member that each machine has for itself, with what it was on the machine that
// packed; nothing secret.
type Own struct {
	Member string `json:"member"`
	There  string `json:"there,omitempty"`
}

// carriedFile is a file, by its name in the data directory.
type carriedFile struct {
	Name    string `json:"name"`
	Content []byte `json:"content"`
}

// parcel is what is carried.
type parcel struct {
	Format int           `json:"format"`
	Config string        `json:"config"` // text of liuma.yaml, with the names of Files
	Files  []carriedFile `json:"files"`
	Own    []Own         `json:"own"`
}

// The names that files have in the directory of who joins, whatever they are called elsewhere.
const (
	databaseCA       = "database-ca.crt"
	databasePassword = "database.password"
	webhookSecret    = "texts.secret"
	webhookPrevious  = "texts.previous.secret"
	kannelPassword   = "kannel.password"
	wordingsFile     = "wordings.yaml"
	consentFile      = "consent.yaml"
	policyDirectory  = "policy"
	checksDirectory  = "domain-checks"
)

// fixed are the names of single files; those of a directory are checked by it.
func fixed() []string {
	return []string{databaseCA, databasePassword, webhookSecret, webhookPrevious, kannelPassword, wordingsFile, consentFile}
}

// ends says how the names of files end that are carried of a directory.
func ends(directory string) []string {
	if directory == policyDirectory {
		return []string{".yaml"}
	}
	return []string{".txt", ".html"}
}

// Packed names what Pack took, and what it left out.
type Packed struct {
	Files []string
	Own   []Own
}

// Pack makes what is carried of a configuration that Load read: its text, and the files that it
// names. It holds secrets: the caller wipes it. Errors: ErrCarriedTooMuch, those of files.
func Pack(c Config) (carried []byte, what Packed, err error) {
	p := parcel{Format: 1, Own: owned(c)}
	defer p.wipe()
	c = shared(c)
	if err := p.take(&c); err != nil {
		return nil, Packed{}, err
	}
	text, err := text(c)
	if err != nil {
		return nil, Packed{}, err
	}
	p.Config = string(text)
	if carried, err = json.Marshal(p); err != nil {
		return nil, Packed{}, fmt.Errorf("config: carry: %w", err)
	}
	if len(carried) > MaxCarried {
		clear(carried)
		return nil, Packed{}, ErrCarriedTooMuch
	}
	return carried, Packed{Files: p.names(), Own: p.Own}, nil
}

func (p *parcel) wipe() {
	for i := range p.Files {
		clear(p.Files[i].Content)
	}
}

func (p *parcel) names() (names []string) {
	for _, f := range p.Files {
		names = append(names, f.Name)
	}
	return names
}

// take reads the files that the configuration names, and has it name them as they are called
// where they are carried to.
func (p *parcel) take(c *Config) error {
	for _, f := range []struct {
		at *string
		as string
	}{
		{&c.DatabasePassword, databasePassword}, {&c.Texts.Webhook.SecretFile, webhookSecret}, {&c.Texts.Webhook.PreviousFile, webhookPrevious},
		{&c.Texts.Kannel.PasswordFile, kannelPassword}, {&c.Texts.Wordings, wordingsFile}, {&c.Consent, consentFile},
	} {
		if *f.at == "" {
			continue
		}
		if err := p.add(*f.at, f.as); err != nil {
			return err
		}
		*f.at = f.as
	}
	for _, d := range []struct {
		at *string
		as string
	}{{&c.Policy, policyDirectory}, {&c.DomainChecks, checksDirectory}} {
		if *d.at == "" {
			continue
		}
		if err := p.addAll(*d.at, d.as); err != nil {
			return err
		}
		*d.at = d.as
	}
	if ca := issuerFile(c.Database); ca != "" {
		if err := p.add(ca, databaseCA); err != nil {
			return err
		}
		c.Database = withIssuer(c.Database, databaseCA)
	}
	return nil
}

func (p *parcel) add(path, as string) error {
	content, err := diskfile.Read(path, MaxCarried)
	if err != nil {
		return fmt.Errorf("config: carry: %w", err)
	}
	if len(content) > MaxCarried {
		return ErrCarriedTooMuch
	}
	p.Files = append(p.Files, carriedFile{as, content})
	return nil
}

// addAll takes the files of a directory, of those that are carried of it.
func (p *parcel) addAll(dir, as string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("config: carry: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() || !slices.Contains(ends(as), filepath.Ext(e.Name())) {
			continue
		}
		if err := p.add(filepath.Join(dir, e.Name()), as+"/"+e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// owned lists what a machine has for itself, as it is here.
func owned(c Config) (out []Own) {
	for _, d := range []struct {
		name string
		Door
	}{{"channel_door", c.Channel}, {"hosted_door", c.Hosted}, {"gateway_door", c.Gateway}, {"console_door", c.ConsoleDoor},
		{"metrics", Door{Listen: c.Metrics.Listen, Certificate: c.Metrics.Certificate, Key: c.Metrics.Key}}} {
		for _, m := range []Own{{d.name + ".listen", d.Listen}, {d.name + ".certificate", d.Certificate}, {d.name + ".key", d.Key}} {
			if m.There != "" {
				out = append(out, m)
			}
		}
	}
	if c.HSM.Used() {
		out = append(out, Own{"hsm.token", c.HSM.Token}, Own{"hsm.pin_file", c.HSM.PINFile})
	}
	if c.Keepers.AreRemote() {
		out = append(out, Own{"keepers.key", ""})
		for _, k := range c.Keepers.Remote {
			out = append(out, Own{"keepers.remote " + k.ID + ".admission", k.Address})
		}
	}
	for _, file := range ownFiles(c.Database) {
		out = append(out, Own{"database", file})
	}
	return append(out, Own{"authority.id", ""})
}

// shared is a configuration without what is a machine's own. Its doors listen on the loopback,
// at the ports that they have, so that it is in order and nobody beyond the machine is served
// before somebody says where.
func shared(c Config) Config {
	for _, d := range []*Door{&c.Channel, &c.Hosted, &c.Gateway, &c.ConsoleDoor} {
		d.Listen, d.Certificate, d.Key = onLoopback(d.Listen), "", ""
	}
	c.Metrics.Listen, c.Metrics.Certificate, c.Metrics.Key, c.Metrics.BeyondLoopback = onLoopback(c.Metrics.Listen), "", "", false
	c.Vault = Default().Vault
	if c.Digests != "" {
		c.Digests = Default().Digests
	}
	if c.HSM.Used() {
		c.HSM.PINFile = "hsm.pin"
	}
	if c.Keepers.AreRemote() {
		c.Keepers.Key = KeyFile()
		c.Keepers.Remote = slices.Clone(c.Keepers.Remote)
		for i := range c.Keepers.Remote {
			c.Keepers.Remote[i].Admission = AdmissionFile(c.Keepers.Remote[i].ID)
		}
	}
	return c
}

func onLoopback(listen string) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// issuerFile is the file with the issuer of the server's certificate that an address of a
// database names; empty: none.
func issuerFile(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return ""
	}
	if ca := u.Query().Get("sslrootcert"); ca != "system" {
		return ca
	}
	return ""
}

func withIssuer(dsn, file string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn
	}
	q := u.Query()
	q.Set("sslrootcert", file)
	u.RawQuery = q.Encode()
	return u.String()
}

// ownFiles are those by which this machine shows the database's server who it is.
func ownFiles(dsn string) (out []string) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil
	}
	for _, name := range []string{"sslcert", "sslkey"} {
		if file := u.Query().Get(name); file != "" {
			out = append(out, name+"="+file)
		}
	}
	return out
}

// Unpacked is what was carried, judged.
type Unpacked struct {
	dir    string
	there  bool // there is a configuration already, which agrees
	text   []byte
	files  []carriedFile
	Packed // what it brings
}

// Unpack judges what was carried into a data directory, and changes nothing there. Where there
// is a configuration or a file already it has to say the same. Errors: ErrCarried, ErrDiffers
// (a *Differs), those of files.
func Unpack(dir string, carried []byte) (*Unpacked, error) {
	p, err := strictjson.Canonical[parcel](carried)
	if err != nil || p.Format != 1 {
		return nil, ErrCarried
	}
	for _, f := range p.Files {
		if !carriable(f.Name) {
			return nil, ErrCarried
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c, err := Parse([]byte(p.Config))
	if err != nil {
		return nil, errors.Join(ErrCarried, err)
	}
	if slices.Contains(p.names(), databaseCA) { // the driver's paths are those of the process
		c.Database = withIssuer(c.Database, filepath.Join(abs, databaseCA))
	}
	out := &Unpacked{dir: abs, files: p.Files, Packed: Packed{Files: p.names(), Own: p.Own}}
	if out.text, err = text(c); err != nil {
		return nil, err
	}
	have, err := Load(dir)
	switch {
	case err == nil:
		out.there = true
		return out, out.agrees(have, c, p)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return out, out.free()
}

// carriable reports whether a name is one that Pack gives.
func carriable(name string) bool {
	if slices.Contains(fixed(), name) {
		return true
	}
	dir, base, in := strings.Cut(name, "/")
	if !in || base == "" || base[0] == '.' || strings.ContainsAny(base, "/\\\x00") {
		return false
	}
	return slices.Contains([]string{policyDirectory, checksDirectory}, dir) && slices.Contains(ends(dir), filepath.Ext(base))
}

// free refuses files that are there and say something else: they would come to be used.
func (u *Unpacked) free() error {
	var d Differs
	for _, f := range u.files {
		there, err := diskfile.Read(filepath.Join(u.dir, filepath.FromSlash(f.Name)), MaxCarried)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("config: carry: %w", err)
		}
		if !bytes.Equal(there, f.Content) {
			d.What = append(d.What, f.Name)
		}
		clear(there)
	}
	for _, dir := range []string{policyDirectory, checksDirectory} {
		entries, err := os.ReadDir(filepath.Join(u.dir, dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("config: carry: %w", err)
		}
		for _, e := range entries { // one more layer would be another policy
			if name := dir + "/" + e.Name(); carriable(name) && !slices.ContainsFunc(u.files, func(f carriedFile) bool { return f.Name == name }) {
				d.What = append(d.What, name)
			}
		}
	}
	if len(d.What) > 0 {
		return &d
	}
	return nil
}

// agrees compares a configuration that is there with what was carried: in all that has to be the
// same at every authority, and in the files that it names, whatever they are called.
func (u *Unpacked) agrees(have, theirs Config, p parcel) error {
	var mine parcel
	defer mine.wipe()
	own := shared(have)
	if err := mine.take(&own); err != nil {
		return err
	}
	d := Differs{What: differing(same(own), same(theirs))}
	for _, f := range p.Files {
		if perMachine(f.Name) {
			continue
		}
		i := slices.IndexFunc(mine.Files, func(m carriedFile) bool { return m.Name == f.Name })
		if i < 0 || !bytes.Equal(mine.Files[i].Content, f.Content) {
			d.What = append(d.What, f.Name)
		}
	}
	for _, m := range mine.Files {
		if !perMachine(m.Name) && !slices.ContainsFunc(p.Files, func(f carriedFile) bool { return f.Name == m.Name }) {
			d.What = append(d.What, m.Name)
		}
	}
	if len(d.What) > 0 {
		return &d
	}
	u.files = nil // its own are there, under their own names
	return nil
}

// perMachine are files by which a machine reaches the database: another password may do.
func perMachine(name string) bool { return name == databasePassword || name == databaseCA }

// Wrote reports whether Put has something to write, and wrote it.
func (u *Unpacked) Wrote() bool { return !u.there }

// Put writes the files, each whole and for its owner alone, and the configuration after them. A
// crash in between leaves files that are as they were carried, and at worst a temporary one; it
// may be done again, which removes that.
func (u *Unpacked) Put() error {
	if u.there {
		return nil
	}
	disk := diskfile.Disk{}
	for _, f := range u.files {
		path := filepath.Join(u.dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("config: carry: %w", err)
		}
		// A file that a crash left half written has a secret in it that nobody looks after.
		if err := errors.Join(disk.Sweep(filepath.Dir(path), filepath.Base(path)), disk.Write(filepath.Dir(path), filepath.Base(path), f.Content)); err != nil {
			return fmt.Errorf("config: carry: %w", err)
		}
	}
	if err := errors.Join(disk.Sweep(u.dir, FileName), disk.Write(u.dir, FileName, u.text)); err != nil {
		return fmt.Errorf("config: carry: %w", err)
	}
	return nil
}

// Wipe overwrites the secrets in memory.
func (u *Unpacked) Wipe() {
	for i := range u.files {
		clear(u.files[i].Content)
	}
}
