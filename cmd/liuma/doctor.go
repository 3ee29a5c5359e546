package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/locale"
)

// doctorCmd is "liuma doctor".
type doctorCmd struct {
	Backups string `name:"backups" placeholder:"DIR"`
	JSON    bool   `name:"json"`
}

// doctorError says that something is wrong.
type doctorError struct{ bad int }

func (e *doctorError) Error() string { return e.Told(locale.In(locale.English), nil) }

// ExitCode differs from that of a check that was not possible.
func (e *doctorError) ExitCode() int { return exitFound }

// Told is the error in a language.
func (e *doctorError) Told(w *locale.Words, _ func(error) string) string {
	return w.Refused.Doctor(num(e.bad))
}

// Run checks the machine, the directory, and the server or the database. If one cannot be
// checked, it goes on with the others.
func (d *doctorCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	say := t.shown()
	conf, err := c.load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return err
	case err != nil:
		// Without the configuration only the machine and the backups can be checked.
		found := slices.Concat(configFinding(t, errors.Unwrap(err)), process.Machine(c.Data, say, t.told), checkBackups(d.Backups, time.Now(), say))
		return d.print(t, found)
	}
	found := slices.Concat(checkConfig(conf, t), process.Machine(c.Data, say, t.told),
		checkCertificates(conf, time.Now(), say), checkEnded(conf, time.Now(), say, t.told), checkBackups(d.Backups, time.Now(), say))
	err = c.administer(ctx, t, func(adm admin.Administration) error {
		list, err := checkRunning(ctx, adm, t)
		found = append(found, list...)
		return err
	})
	if err != nil {
		found = append(found, process.Finding{Check: "service", State: process.Bad, What: t.told(err), Next: serviceNext(err, say)})
	}
	return d.print(t, found)
}

// serviceNext is the next step if neither server nor database can be checked. While other
// authorities have the database, 'liuma status' would be refused too.
func serviceNext(err error, say locale.Shown) string {
	if errors.Is(err, postgres.ErrInUse) {
		return say.DoctorBesideNext()
	}
	return say.DoctorServiceNext()
}

// print writes the findings; bad ones make the exit status 3.
func (d *doctorCmd) print(t *terminal, found []process.Finding) (err error) {
	for _, f := range found {
		if d.JSON {
			err = errors.Join(err, json.NewEncoder(t.out).Encode(f))
			continue
		}
		_, e := fmt.Fprintf(t.out, "%s  %s\n", padded(process.Word(f.State, t.shown()), 8), f.What)
		if f.Next != "" {
			_, n := fmt.Fprintf(t.out, "%s  %s\n", padded("", 8), t.words().Terminal.AlarmNext(f.Next))
			e = errors.Join(e, n)
		}
		err = errors.Join(err, e)
	}
	if bad := process.CountBad(found); err == nil && bad > 0 {
		return &doctorError{bad}
	}
	return err
}

func checkConfig(conf config.Config, t *terminal) []process.Finding {
	if err := conf.Check(); err != nil {
		return configFinding(t, err)
	}
	return []process.Finding{{Check: "configuration", State: process.Fine, What: t.shown().DoctorConfigFine()}}
}

// configFinding lists everything that is wrong with the configuration, on one line.
func configFinding(t *terminal, err error) []process.Finding {
	said := strings.ReplaceAll(t.told(err), "\n", "; ")
	return []process.Finding{{Check: "configuration", State: process.Bad, What: t.shown().DoctorConfig(said), Next: t.shown().DoctorConfigNext()}}
}

// certificateSoon is how long before its end a door's certificate is reported.
const certificateSoon = 14 * 24 * time.Hour

func checkCertificates(conf config.Config, now time.Time, say locale.Shown) (out []process.Finding) {
	for _, d := range []struct{ door, path string }{{"channel_door", conf.Channel.Certificate}, {"hosted_door", conf.Hosted.Certificate},
		{"gateway_door", conf.Gateway.Certificate}, {"console_door", conf.ConsoleDoor.Certificate}, {"metrics", conf.Metrics.Certificate}} {
		if d.path == "" {
			continue
		}
		end, err := certificateEnd(d.path)
		if err != nil {
			out = append(out, process.Finding{Check: "certificate", State: process.Bad, What: say.DoctorCertificateBad(d.door, err.Error()), Next: say.DoctorCertificateNext()})
			continue
		}
		f := process.Finding{Check: "certificate", State: process.Fine, What: say.DoctorCertificate(d.door, end.UTC().Format(time.DateOnly))}
		if end.Sub(now) < certificateSoon {
			f.State, f.Next = process.Bad, say.DoctorCertificateNext()
		}
		out = append(out, f)
	}
	return out
}

// endedLately is for how long an end by another authority is told of.
const endedLately = 7 * 24 * time.Hour

// checkEnded tells of an authority that another one ended while it lived.
func checkEnded(conf config.Config, now time.Time, say locale.Shown, told func(error) string) []process.Finding {
	at, err := server.LastEnded(conf)
	switch {
	case err != nil:
		return []process.Finding{{Check: "ended", State: process.Look, What: told(err), Next: say.DoctorEndedNext()}}
	case at.IsZero() || now.Sub(at) > endedLately:
		return nil
	}
	return []process.Finding{{Check: "ended", State: process.Look, What: say.DoctorEnded(at.UTC().Format(time.RFC3339)), Next: say.DoctorEndedNext()}}
}

// certificateEnd is the earliest end of the certificates of a chain.
func certificateEnd(path string) (time.Time, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return time.Time{}, fmt.Errorf("%s: no PEM", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", path, err)
	}
	return c.NotAfter, nil
}

// backupOld is how old the newest backup may be: enough for a nightly backup that took long.
const backupOld = 26 * time.Hour

// checkBackups checks the age of the newest entry of a directory. Whether a backup is sound is
// checked by 'liuma restore --check'.
func checkBackups(dir string, now time.Time, say locale.Shown) []process.Finding {
	if dir == "" {
		return []process.Finding{{Check: "backup", State: process.Look, What: say.DoctorBackupUnknown()}}
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return []process.Finding{{Check: "backup", State: process.Bad, What: say.DoctorBackupNone(filepath.Clean(dir)), Next: say.DoctorBackupNext()}}
	}
	var newest time.Time
	for _, e := range list {
		if info, err := e.Info(); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if newest.IsZero() {
		return []process.Finding{{Check: "backup", State: process.Bad, What: say.DoctorBackupNone(filepath.Clean(dir)), Next: say.DoctorBackupNext()}}
	}
	f := process.Finding{Check: "backup", State: process.Fine, What: say.DoctorBackup(filepath.Clean(dir), num(int(now.Sub(newest).Hours())))}
	if now.Sub(newest) > backupOld {
		f.State, f.Next = process.Bad, say.DoctorBackupNext()
	}
	return []process.Finding{f}
}

// checkRunning asks the server, or the directory if none runs, about the clock, the keepers
// and their releases, the record, and the alarms.
func checkRunning(ctx context.Context, adm admin.Administration, t *terminal) (out []process.Finding, err error) {
	say, w := t.shown(), t.words()
	s, err := adm.Status(ctx)
	if err != nil {
		return nil, err
	}
	times, err := adm.Clock(ctx)
	if err != nil {
		return nil, err
	}
	all, err := adm.Alarms(ctx)
	if err != nil {
		return nil, err
	}
	served := process.Finding{Check: "service", State: process.Fine, What: say.DoctorServed()}
	if s.Serving == nil {
		served = process.Finding{Check: "service", State: process.Look, What: say.DoctorNotServed(), Next: say.DoctorNotServedNext()}
	}
	clock := process.Finding{Check: "clock", State: process.Fine, What: say.DoctorClock(times.Lag().Truncate(time.Second).String())}
	if times.Lag() > time.Minute {
		clock.State, clock.Next = process.Look, say.DoctorClockNext()
	}
	out = append(out, served, clock)
	for _, k := range s.Keepers {
		if k.Remote != nil && k.Remote.Release != "" && k.Remote.Release != release() {
			out = append(out, process.Finding{Check: "release", State: process.Look, What: say.DoctorRelease(k.ID, k.Remote.Release, release()), Next: say.DoctorReleaseNext()})
		}
	}
	if s.Record.At != nil {
		out = append(out, process.Finding{Check: "record", State: process.Fine, What: say.DoctorRecord(num(int(s.Record.Digest)), s.Record.At.UTC().Format(time.RFC3339))}) //nolint:gosec // a small number
	}
	for _, al := range all {
		said := w.Alarm(al.Kind, al.About, al.N)
		out = append(out, process.Finding{Check: "alarm:" + al.Kind, State: process.Bad, What: said.What, Next: said.Next})
	}
	if len(all) == 0 {
		out = append(out, process.Finding{Check: "alarms", State: process.Fine, What: w.Terminal.AlarmsNone()})
	}
	return out, nil
}
