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
	"syscall"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/backup"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// backupCmd is "liuma backup".
type backupCmd struct {
	To      string `arg:"" name:"dir"`
	Vault   bool   `name:"with-vault"`
	Keepers bool   `name:"with-keepers"`
	JSON    bool   `name:"json"`
}

// Run makes the backup, beside the server or without one.
func (a *backupCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	if a.Keepers && conf.Keepers.AreRemote() {
		return refuse(func(w *locale.Words) string { return w.Refused.BackupRemote() })
	}
	if err := c.onFile(conf); err != nil {
		return err
	}
	var m backup.Manifest
	// The administration is opened only for its lease on the directory, its own or the
	// server's, so that no migration runs meanwhile.
	err = c.administer(ctx, t, func(admin.Administration) error {
		return withKeyFile(conf, t, func(f vault.KeyFile) error {
			m, err = backup.Make(ctx, backup.Plan{Data: c.Data, Config: conf, To: a.To, Vault: a.Vault, Keepers: a.Keepers, Token: f.Token, Release: release(), Now: time.Now})
			return err
		})
	})
	if err != nil {
		return notBackedUp(c.Data, a.To, err)
	}
	if a.JSON {
		return json.NewEncoder(t.out).Encode(m)
	}
	return a.explain(t, m, conf.Keepers.AreRemote())
}

// notBackedUp adds the next step to the error of a backup for which the disk has no
// room.
func notBackedUp(data, to string, err error) error {
	if sqlitefile.Full(err) || errors.Is(err, syscall.ENOSPC) {
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.BackupFull(to, data, why) })
	}
	return err
}

func (a *backupCmd) explain(t *terminal, m backup.Manifest, elsewhere bool) error {
	size, say := int64(0), t.shown()
	for _, f := range m.Files {
		size += f.Size
	}
	said := []string{say.BackupMade(a.To, m.Made.Format(time.RFC3339), num(m.Cards), num(len(m.Files)), num(size)), say.BackupWithoutVault(), say.BackupWithoutKeepers(), say.BackupExamine(a.To)}
	if a.Vault {
		said[1] = say.BackupWithVault()
	}
	switch {
	case elsewhere:
		said[2] = say.BackupRemote()
	case a.Keepers && a.Vault:
		said[2] = say.BackupWithAll()
	case a.Keepers:
		said[2] = say.BackupWithKeepers()
	}
	return t.line(strings.Join(said, "\n"))
}

// restoreBackupCmd is "liuma restore BACKUP".
type restoreBackupCmd struct {
	From  string `arg:"" name:"backup"`
	Check bool   `name:"check"`
	Vault string `name:"vault-key" placeholder:"FILE"`
	JSON  bool   `name:"json"`
}

// Run checks the backup, or restores it into the directory of --data.
func (a *restoreBackupCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if a.Check {
		return a.check(ctx, c, t)
	}
	if a.Vault != "" || a.JSON {
		return wrongUse("liuma restore", func(w *locale.Words) string { return w.Refused.RestoreFlags() })
	}
	r, err := backup.Restore(a.From, c.Data)
	if errors.Is(err, backup.ErrDamaged) || errors.Is(err, backup.ErrNotWhole) {
		return &unsoundError{err}
	}
	if err != nil {
		return err
	}
	return explainRestored(t, c.Data, r)
}

// explainRestored prints the steps that are left.
func explainRestored(t *terminal, dir string, r backup.Restored) error {
	say := t.shown()
	fmt.Fprintln(t.out, say.RestoreDone(r.Manifest.Made.Format(time.RFC3339), dir))
	for _, name := range r.Missing {
		fmt.Fprintln(t.out, say.RestoreMissing(name))
	}
	if r.Manifest.Keepers() > 0 {
		fmt.Fprintln(t.out, say.RestoreKeepersOld())
	} else {
		fmt.Fprintln(t.out, say.RestoreKeepersMove())
	}
	fmt.Fprintln(t.out, say.RestoreHeads())
	_, err := fmt.Fprintf(t.out, `%[2]s
  liuma --data %[1]s config check
  liuma --data %[1]s heads accept --reason TEXT      %[3]s
  liuma --data %[1]s serve
  liuma --data %[1]s restore accept --reason TEXT    %[4]s
`, dir, say.RestoreThen(), say.RestoreIfOlder(), say.RestoreOtherTerminal())
	return err
}

// unsoundError says that a backup is damaged or incomplete.
type unsoundError struct{ cause error }

func (e *unsoundError) Error() string { return e.cause.Error() }
func (e *unsoundError) Unwrap() error { return e.cause }

// Told is the error in a language.
func (e *unsoundError) Told(w *locale.Words, _ func(error) string) string { return told(w, e.cause) }

// ExitCode differs from that of a check that was not possible.
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
	var r backup.Report
	conf := config.Config{}
	if q.Against != nil {
		conf = *q.Against
	}
	err := withKeyFile(conf, t, func(f vault.KeyFile) (err error) {
		q.Token = f.Token
		r, err = backup.Check(ctx, q)
		return err
	})
	switch {
	case errors.Is(err, backup.ErrNotWhole):
		return &unsoundError{err}
	case errors.Is(err, backup.ErrNoVault):
		return refuse(func(w *locale.Words) string { return w.Refused.RestoreNoVault(a.From, c.Data) })
	case err != nil:
		return err
	}
	if a.JSON {
		err = json.NewEncoder(t.out).Encode(viewOfReport(r))
	} else {
		_, err = io.WriteString(t.out, strings.Join(sentences(t.shown(), r, c.Data), "\n")+"\n")
	}
	if err != nil || r.Sound() {
		return err
	}
	return &unsoundError{fault(r)}
}

// fault is the reason why a backup is not sound.
func fault(r backup.Report) error {
	switch {
	case r.Damage != nil:
		return r.Damage
	case len(r.Refused) > 0:
		first := r.Refused[0]
		return refuse(func(w *locale.Words) string {
			return w.Refused.RestoreSeals(first.Table, num(first.Refused), num(len(r.Refused)))
		})
	}
	return r.Finding
}

// sentences are the findings, for a person.
func sentences(say locale.Shown, r backup.Report, data string) []string {
	m := r.Manifest
	out := []string{say.CheckBackup(m.Issuer, m.Made.Format(time.RFC3339), m.Release, num(m.Schema), num(len(m.Files)), m.Time.Format(time.RFC3339))}
	if !r.Sound() {
		return append(out, say.CheckUnsound())
	}
	out = append(out, say.CheckWhole(num(r.Rows), num(r.Record.Streams), num(r.Record.Entries)))
	if r.Record.Newer > 0 {
		out = append(out, say.CheckNewer(num(r.Record.Newer)))
	}
	b := r.Beside
	if b == nil {
		return append(out, say.CheckNotCompared(data))
	}
	switch {
	case b.Remote:
		out = append(out, say.CheckRemote())
	case b.Own:
		out = append(out, say.CheckOwn())
	default:
		out = append(out, say.CheckBeside(data, num(b.Keepers)))
	}
	return append(out, standing(say, *b, m)...)
}

// standing lists what would be refused after restoring, and what would be lost.
func standing(say locale.Shown, b backup.Beside, m backup.Manifest) (out []string) {
	add := func(is bool, said string) {
		if is {
			out = append(out, "  "+said)
		}
	}
	add(len(b.Away) > 0, say.CheckAway(joined(b.Away)))
	add(len(b.Older) > 0, say.CheckOlder(joined(b.Older)))
	add(b.NoHeads, say.CheckNoHeads())
	add(b.Head > m.Clients, say.CheckOlderHeads(num(m.Clients), num(b.Head)))
	add(b.Behind > 0, say.CheckBehind(num(b.Cards), num(b.Behind)))
	add(b.LaterPIN > 0, say.CheckLaterPIN(num(b.LaterPIN)))
	add(b.Behind > 0, say.CheckLost())
	add(b.Since > 0, say.CheckSince(num(b.Since)))
	add(len(out) == 0, say.CheckNothing())
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
	Compared bool            `json:"compared"` // with keepers
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
		v.Compared, v.Own, v.NoHeads, v.Head, v.Away, v.Older = !b.Remote, b.Own, b.NoHeads, b.Head, b.Away, b.Older
		v.Behind, v.LaterPIN, v.Since = b.Behind, b.LaterPIN, b.Since
	}
	return v
}

// configCmd is "liuma config".
type configCmd struct {
	Check configCheckCmd `cmd:""`
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
	return t.line(t.shown().CheckConfig(filepath.Join(c.Data, config.FileName)))
}
