package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/locale"
)

// doctorCmd is "liuma doctor".
type doctorCmd struct {
	Backups string `name:"backups" placeholder:"DIR"`
	JSON    bool   `name:"json"`
}

// The states of a finding.
const (
	doctorFine = "fine"
	doctorLook = "look" // not known, or worth a look
	doctorBad  = "bad"
)

// finding is what one check of the doctor found: a sentence, and what to do about it.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"`
	What  string `json:"what"`
	Next  string `json:"next,omitempty"`
}

// doctorError says that something is not in order.
type doctorError struct{ bad int }

func (e *doctorError) Error() string { return e.Told(locale.In(locale.English), nil) }

// ExitCode tells it from a doctor who could not look.
func (e *doctorError) ExitCode() int { return exitFound }

// Told says it in a language.
func (e *doctorError) Told(w *locale.Words, _ func(error) string) string {
	return w.Refused.Doctor(num(e.bad))
}

// Run looks at the machine, the directory, and the server or the database, and goes on where
// one of them cannot be looked at.
func (d *doctorCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	say := t.shown()
	found := slices.Concat(checkConfig(conf, say), checkDisk(c.Data, say), checkSync(c.Data, say), checkCore(say),
		checkCertificates(conf, time.Now(), say), checkBackups(d.Backups, time.Now(), say))
	err = c.administer(ctx, t, func(adm admin.Administration) error {
		list, err := checkRunning(ctx, adm, t)
		found = append(found, list...)
		return err
	})
	if err != nil {
		found = append(found, finding{"service", doctorBad, t.told(err), say.DoctorServiceNext()})
	}
	return d.print(t, found)
}

// print writes the findings; bad ones make the exit status 3.
func (d *doctorCmd) print(t *terminal, found []finding) (err error) {
	say, bad := t.shown(), 0
	words := map[string]string{doctorFine: say.DoctorFine(), doctorLook: say.DoctorLook(), doctorBad: say.DoctorBad()}
	for _, f := range found {
		if f.State == doctorBad {
			bad++
		}
		if d.JSON {
			err = errors.Join(err, json.NewEncoder(t.out).Encode(f))
			continue
		}
		_, e := fmt.Fprintf(t.out, "%s  %s\n", padded(words[f.State], 8), f.What)
		if f.Next != "" {
			_, n := fmt.Fprintf(t.out, "%s  %s\n", padded("", 8), t.words().Terminal.AlarmNext(f.Next))
			e = errors.Join(e, n)
		}
		err = errors.Join(err, e)
	}
	if err == nil && bad > 0 {
		return &doctorError{bad}
	}
	return err
}

func checkConfig(conf config.Config, say locale.Shown) []finding {
	if err := conf.Check(); err != nil {
		return []finding{{"configuration", doctorBad, say.DoctorConfig(err.Error()), say.DoctorConfigNext()}}
	}
	return []finding{{"configuration", doctorFine, say.DoctorConfigFine(), ""}}
}

const gib = 1 << 30

// checkDisk wants a tenth of the disk free, and a gibibyte.
func checkDisk(dir string, say locale.Shown) []finding {
	free, total, err := process.Space(dir)
	if err != nil {
		return []finding{{"disk", doctorLook, say.DoctorDiskUnknown(), ""}}
	}
	f := finding{"disk", doctorFine, say.DoctorDisk(dir, fmt.Sprintf("%.1f", float64(free)/gib), fmt.Sprintf("%.1f", float64(total)/gib)), ""}
	if free < gib || free < total/10 {
		f.State, f.Next = doctorBad, say.DoctorDiskNext()
	}
	return []finding{f}
}

// checkSync measures a synced write beside the database. One that is faster than light in a
// wire was kept in memory.
func checkSync(dir string, say locale.Shown) []finding {
	took, err := process.SyncTime(dir)
	if err != nil {
		return []finding{{"sync", doctorBad, say.DoctorSyncFailed(err.Error()), say.DoctorSyncNext()}}
	}
	f := finding{"sync", doctorFine, say.DoctorSync(num(int(took.Microseconds()))), ""}
	if took < process.FastestSync {
		f.State, f.Next = doctorBad, say.DoctorSyncNext()
	}
	return []finding{f}
}

// checkCore looks at the limit that programs begin with which are started as this one was.
// Ours asks for none of itself whatever it is.
func checkCore(say locale.Shown) []finding {
	most, err := process.CoreLimit()
	switch {
	case err != nil:
		return []finding{{"core", doctorLook, say.DoctorCoreUnknown(), ""}}
	case most != 0:
		return []finding{{"core", doctorLook, say.DoctorCore(), say.DoctorCoreNext()}}
	}
	return []finding{{"core", doctorFine, say.DoctorCoreFine(), ""}}
}

// certificateSoon is how long before its end a door's certificate is not in order any more.
const certificateSoon = 14 * 24 * time.Hour

func checkCertificates(conf config.Config, now time.Time, say locale.Shown) (out []finding) {
	for _, d := range []struct{ door, path string }{{"channel_door", conf.Channel.Certificate}, {"hosted_door", conf.Hosted.Certificate},
		{"gateway_door", conf.Gateway.Certificate}, {"console_door", conf.ConsoleDoor.Certificate}, {"metrics", conf.Metrics.Certificate}} {
		if d.path == "" {
			continue
		}
		end, err := certificateEnd(d.path)
		if err != nil {
			out = append(out, finding{"certificate", doctorBad, say.DoctorCertificateBad(d.door, err.Error()), say.DoctorCertificateNext()})
			continue
		}
		f := finding{"certificate", doctorFine, say.DoctorCertificate(d.door, end.UTC().Format(time.DateOnly)), ""}
		if end.Sub(now) < certificateSoon {
			f.State, f.Next = doctorBad, say.DoctorCertificateNext()
		}
		out = append(out, f)
	}
	return out
}

// certificateEnd is when the first certificate of a chain ends.
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

// backupOld is how old the newest backup may be: a nightly one that took its time.
const backupOld = 26 * time.Hour

// checkBackups looks at the newest entry of a directory. That a backup is sound, 'liuma
// backup verify' says.
func checkBackups(dir string, now time.Time, say locale.Shown) []finding {
	if dir == "" {
		return []finding{{"backup", doctorLook, say.DoctorBackupUnknown(), ""}}
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return []finding{{"backup", doctorBad, say.DoctorBackupNone(filepath.Clean(dir)), say.DoctorBackupNext()}}
	}
	var newest time.Time
	for _, e := range list {
		if info, err := e.Info(); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if newest.IsZero() {
		return []finding{{"backup", doctorBad, say.DoctorBackupNone(filepath.Clean(dir)), say.DoctorBackupNext()}}
	}
	f := finding{"backup", doctorFine, say.DoctorBackup(filepath.Clean(dir), num(int(now.Sub(newest).Hours()))), ""}
	if now.Sub(newest) > backupOld {
		f.State, f.Next = doctorBad, say.DoctorBackupNext()
	}
	return []finding{f}
}

// checkRunning asks the server, or the directory where there is none: the clock, the keepers
// and their releases, the record, and all that has to be looked after.
func checkRunning(ctx context.Context, adm admin.Administration, t *terminal) (out []finding, err error) {
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
	served := finding{"service", doctorFine, say.DoctorServed(), ""}
	if s.Serving == nil {
		served = finding{"service", doctorLook, say.DoctorNotServed(), ""}
	}
	clock := finding{"clock", doctorFine, say.DoctorClock(times.Lag().Truncate(time.Second).String()), ""}
	if times.Lag() > time.Minute {
		clock.State, clock.Next = doctorLook, say.DoctorClockNext()
	}
	out = append(out, served, clock)
	for _, k := range s.Keepers {
		if k.Remote != nil && k.Remote.Release != "" && k.Remote.Release != release() {
			out = append(out, finding{"release", doctorLook, say.DoctorRelease(k.ID, k.Remote.Release, release()), say.DoctorReleaseNext()})
		}
	}
	if s.Record.At != nil {
		out = append(out, finding{"record", doctorFine, say.DoctorRecord(num(int(s.Record.Digest)), s.Record.At.UTC().Format(time.RFC3339)), ""}) //nolint:gosec // a small number
	}
	for _, al := range all {
		said := w.Alarm(al.Kind, al.About, al.N)
		out = append(out, finding{"alarm:" + al.Kind, doctorBad, said.What, said.Next})
	}
	if len(all) == 0 {
		out = append(out, finding{"alarms", doctorFine, w.Terminal.AlarmsNone(), ""})
	}
	return out, nil
}
