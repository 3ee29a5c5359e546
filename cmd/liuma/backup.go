package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/backup"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/vault"
)

// backupCmd is "liuma backup".
type backupCmd struct {
	To      string `arg:"" name:"dir" help:"The new directory to write the backup to; best on another disk."`
	Vault   bool   `name:"with-vault" help:"Put the vault key into it. Whoever gets the backup then reads every name, number and phone in it."`
	Keepers bool   `name:"with-keepers" help:"Put the keepers into it. Whoever gets them with database and vault key can find every PIN. Restoring them gives every card its guesses again."`
	JSON    bool   `name:"json" help:"Print the manifest."`
}

// Run makes the backup, beside the server or in its place.
func (a *backupCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	var m backup.Manifest
	// The administration is not asked for anything: it holds the directory's lease,
	// or the server that answers does, so that no migration runs meanwhile.
	err = c.administer(ctx, t, func(admin.Administration) error {
		m, err = backup.Make(ctx, backup.Plan{Data: c.Data, Config: conf, To: a.To, Vault: a.Vault, Keepers: a.Keepers, Release: release(), Now: time.Now})
		return err
	})
	if err != nil {
		return err
	}
	if a.JSON {
		return json.NewEncoder(t.out).Encode(m)
	}
	return a.explain(t.out, m)
}

func (a *backupCmd) explain(w io.Writer, m backup.Manifest) error {
	size := int64(0)
	for _, f := range m.Files {
		size += f.Size
	}
	fmt.Fprintf(w, "Made the backup %s of %s: %d cards, %d files, %d bytes.\n", a.To, m.Made.Format(time.RFC3339), m.Cards, len(m.Files), size)
	if a.Vault {
		fmt.Fprintln(w, "WARNING: it holds database and vault key together. Whoever gets it reads every name, ID number and phone in it.")
	} else {
		fmt.Fprintln(w, "Not in it: the vault key. Without that key nothing in the backup can be read, ever: keep a copy of it elsewhere.")
	}
	switch {
	case a.Keepers && a.Vault:
		fmt.Fprintln(w, "WARNING: it holds the keepers as well. Whoever gets it can find every PIN. Restoring keepers gives every card the guesses again that were used since.")
	case a.Keepers:
		fmt.Fprintln(w, "WARNING: it holds the keepers. With database and vault key they lead to every PIN. Restoring keepers gives every card the guesses again that were used since.")
	default:
		fmt.Fprintln(w, "Not in it: the keepers. If they are lost, every PIN must be set again.")
	}
	_, err := fmt.Fprintf(w, "Examine it with 'liuma restore --check %s'.\n", a.To)
	return err
}

// restoreBackupCmd is "liuma restore BACKUP".
type restoreBackupCmd struct {
	From  string `arg:"" name:"backup" help:"The directory that 'liuma backup' made."`
	Check bool   `name:"check" help:"Only examine it: checksums, seals, the record's chain, and what would be refused and lost beside the keepers of --data. Status 3: it is damaged or was altered."`
	Vault string `name:"vault-key" placeholder:"FILE" help:"With --check: the vault key to open it with. Default: that in the backup, or else that of --data."`
	JSON  bool   `name:"json" help:"With --check: print one JSON object."`
}

// Run examines the backup, or puts it into the directory of --data.
func (a *restoreBackupCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if a.Check {
		return a.check(ctx, c, t)
	}
	if a.Vault != "" || a.JSON {
		return badUsage("liuma restore", "--vault-key and --json go with --check")
	}
	r, err := backup.Restore(a.From, c.Data)
	if errors.Is(err, backup.ErrDamaged) || errors.Is(err, backup.ErrNotWhole) {
		return &unsoundError{err}
	}
	if err != nil {
		return err
	}
	return explainRestored(t.out, c.Data, r)
}

// explainRestored says what is left to do.
func explainRestored(w io.Writer, dir string, r backup.Restored) error {
	fmt.Fprintf(w, "Restored the backup of %s into %s.\n", r.Manifest.Made.Format(time.RFC3339), dir)
	for _, name := range r.Missing {
		fmt.Fprintf(w, "Not in the backup, put it there: %s\n", name)
	}
	if r.Manifest.Keepers() > 0 {
		fmt.Fprintln(w, "Its keepers are of the time of the backup: every card has the guesses again that were used since. Use them only if the newest ones are lost.")
	} else {
		fmt.Fprintln(w, "Move the newest keepers here, do not copy them: two keepers of one name count guesses twice.")
	}
	fmt.Fprintf(w, "Put the newest file %q beside the vault key, if there is one, and leave %s empty.\n", vault.HeadsFile, "digests/")
	_, err := fmt.Fprintf(w, `Then, in this order:
  liuma --data %[1]s config check
  liuma --data %[1]s heads accept --reason TEXT      (if the database is older than %[2]q says, or there is no such file)
  liuma --data %[1]s serve
  liuma --data %[1]s restore accept --reason TEXT    (from another terminal: cards that changed since are refused until then)
`, dir, vault.HeadsFile)
	return err
}

// unsoundError is a backup that is not what was written.
type unsoundError struct{ cause error }

func (e *unsoundError) Error() string { return e.cause.Error() }
func (e *unsoundError) Unwrap() error { return e.cause }

// ExitCode tells it from an examination that was not possible.
func (e *unsoundError) ExitCode() int { return exitFound }

// check examines the backup.
func (a *restoreBackupCmd) check(ctx context.Context, c *cli, t *terminal) error {
	q := backup.Question{Dir: a.From, Vault: a.Vault}
	switch conf, err := config.Load(c.Data); {
	case err == nil:
		q.Against = &conf
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	r, err := backup.Check(ctx, q)
	switch {
	case errors.Is(err, backup.ErrNotWhole):
		return &unsoundError{err}
	case errors.Is(err, backup.ErrNoVault):
		return fmt.Errorf("%s has no vault key, and %s is no data directory; name one with --vault-key", a.From, c.Data)
	case err != nil:
		return err
	}
	if a.JSON {
		err = json.NewEncoder(t.out).Encode(viewOfReport(r))
	} else {
		_, err = io.WriteString(t.out, strings.Join(sentences(r, c.Data), "\n")+"\n")
	}
	if err != nil || r.Sound() {
		return err
	}
	return &unsoundError{fault(r)}
}

// fault is why a backup is not sound.
func fault(r backup.Report) error {
	switch {
	case r.Damage != nil:
		return r.Damage
	case len(r.Refused) > 0:
		return fmt.Errorf("backup: %d rows of table %s, and of %d tables in all, fail their seals: they were altered, or the vault key is another's", r.Refused[0].Refused, r.Refused[0].Table, len(r.Refused))
	}
	return r.Finding
}

// sentences say what was found, for a person.
func sentences(r backup.Report, data string) []string {
	m := r.Manifest
	out := []string{fmt.Sprintf("The backup of %s of %s, release %s, schema %d, has %d files; its database kept the time until %s.", m.Issuer, m.Made.Format(time.RFC3339), m.Release, m.Schema, len(m.Files), m.Time.Format(time.RFC3339))}
	if !r.Sound() {
		return append(out, "It is NOT sound: do not restore it.")
	}
	out = append(out, fmt.Sprintf("It is whole: every checksum agrees, %d rows have their seals, %d entries of the record in %d streams follow one another.", r.Rows, r.Record.Entries, r.Record.Streams))
	if r.Record.Newer > 0 {
		out = append(out, fmt.Sprintf("%d shipped digests are later: they show what it does not have.", r.Record.Newer))
	}
	b := r.Beside
	if b == nil {
		return append(out, fmt.Sprintf("Not compared with keepers: it has none, and %s is no data directory.", data))
	}
	if b.Own {
		out = append(out, "Compared with its own keepers; with --data DIR it is compared with those that there are now.")
	} else {
		out = append(out, fmt.Sprintf("Compared with the keepers of %s (%d) as they are now:", data, b.Keepers))
	}
	return append(out, standing(*b, m)...)
}

// standing says what would be refused after restoring, and what would be lost.
func standing(b backup.Beside, m backup.Manifest) (out []string) {
	say := func(is bool, format string, args ...any) {
		if is {
			out = append(out, "  "+fmt.Sprintf(format, args...))
		}
	}
	say(len(b.Away) > 0, "Keepers without a ledger, not compared: %s.", strings.Join(b.Away, ", "))
	say(len(b.Older) > 0, "STOPS: keeper %s is older than the database remembers, and gives no verdicts. Restore the keepers of the same backup, or later ones.", strings.Join(b.Older, ", "))
	say(b.NoHeads, "Refused: nothing opens without the file %s. 'liuma heads accept' makes it.", vault.HeadsFile)
	say(b.Head > m.Clients, "Refused: nothing opens, because clients and seal keys are of version %d and %s says %d. 'liuma heads accept' takes the older ones. A client that was stopped since is not stopped in it.", m.Clients, vault.HeadsFile, b.Head)
	say(b.Behind > 0, "Refused: %d of %d cards changed since. 'liuma restore accept' serves them again.", b.Behind, b.Cards)
	say(b.LaterPIN > 0, "Kept: %d of these have a later PIN, which they take over from the keepers.", b.LaterPIN)
	say(b.Behind > 0, "Lost: what else changed of these cards, such as freezes, losses, links and phones.")
	say(b.Since > 0, "Lost: %d cards were enrolled since. Their holders' next application takes each in, frozen.", b.Since)
	say(len(out) == 0, "Nothing would be refused and no card be lost. Acts since that moved no card on, such as refused ones, are not in it.")
	return out
}

// checkView is the result of "liuma restore --check --json".
type checkView struct {
	Sound    bool            `json:"sound"`
	Fault    string          `json:"fault,omitempty"`
	Manifest backup.Manifest `json:"manifest"`
	Rows     int64           `json:"rows"`
	Entries  uint64          `json:"entries"`
	Newer    int             `json:"shipped_later"`
	Compared bool            `json:"compared"`
	Own      bool            `json:"own_keepers"`
	NoHeads  bool            `json:"no_heads"`
	Head     uint64          `json:"head"`
	Away     []string        `json:"keepers_away,omitempty"`
	Older    []string        `json:"keepers_older,omitempty"`
	Behind   int64           `json:"cards_behind"`
	LaterPIN int64           `json:"later_pins"`
	Since    int64           `json:"cards_since"`
}

func viewOfReport(r backup.Report) checkView {
	v := checkView{Sound: r.Sound(), Manifest: r.Manifest, Rows: r.Rows, Entries: r.Record.Entries, Newer: r.Record.Newer}
	if !v.Sound {
		v.Fault = fault(r).Error()
	}
	if b := r.Beside; b != nil {
		v.Compared, v.Own, v.NoHeads, v.Head, v.Away, v.Older = true, b.Own, b.NoHeads, b.Head, b.Away, b.Older
		v.Behind, v.LaterPIN, v.Since = b.Behind, b.LaterPIN, b.Since
	}
	return v
}

// configCmd is "liuma config".
type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say whether a server would start with the configuration, as far as the files that it names show."`
}

// configCheckCmd is "liuma config check".
type configCheckCmd struct{}

// Run checks the configuration. It opens no database, so it works beside a
// server, before it is started again.
func (configCheckCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	if err := conf.Check(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s is in order. It holds from the next start of the server on.\n", filepath.Join(c.Data, config.FileName))
	return err
}
