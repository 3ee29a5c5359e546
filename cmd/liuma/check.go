package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/rehearsal"
	"github.com/liuma-pin/liuma/locale"
)

// channelCheckCmd is "liuma channel check".
type channelCheckCmd struct {
	File     string   `arg:"" optional:""`
	Native   string   `name:"native" default:"127.0.0.1:8600" placeholder:"HOST:PORT"`
	Hosted   string   `name:"hosted" default:"127.0.0.1:8601" placeholder:"HOST:PORT"`
	Evidence string   `name:"evidence" default:"127.0.0.1:8602" placeholder:"HOST:PORT"`
	Only     []string `name:"only" placeholder:"CASE"`
	Cases    bool     `name:"cases"`
}

// checkError means that a channel failed a case.
type checkError struct{ failed, played int }

func (e *checkError) Error() string { return e.Told(locale.In(locale.English), nil) }

// Told is the error in a language.
func (e *checkError) Told(w *locale.Words, _ func(error) string) string {
	return w.Refused.CasesFailed(num(e.played), num(e.failed))
}

// Run plays the channel through the cases. Its authority is in a directory of its
// own, which is removed at the end.
func (a *channelCheckCmd) Run(ctx context.Context, t *terminal) (err error) {
	const command = "liuma channel check"
	if a.Cases {
		for _, one := range rehearsal.Cases() {
			fmt.Fprintf(t.out, "%-18s %s\n%-18s %s\n", one.ID, one.Name, "", t.shown().CasesRight(one.Right, one.See))
		}
		return nil
	}
	if a.File == "" {
		return wrongUse(command, func(w *locale.Words) string { return w.Refused.CasesNameFile() })
	}
	for _, id := range a.Only {
		if !slices.ContainsFunc(rehearsal.Cases(), func(c rehearsal.Case) bool { return c.ID == id }) {
			return wrongUse(command, func(w *locale.Words) string { return w.Refused.CasesUnknown(strconv.Quote(id)) })
		}
	}
	c, err := a.describe()
	if err != nil {
		return err
	}
	if c.Dir, err = os.MkdirTemp("", "liuma-check-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.Dir)) }()
	c.Dir = filepath.Join(c.Dir, "data")
	if err := a.listen(command, &c); err != nil {
		return err
	}
	issuer, api, provider := c.Places()
	fmt.Fprintf(t.out, "%s\n\n", t.shown().CasesMust(issuer, api, c.Channel.ClientID, provider))
	played, failed, without := 0, 0, 0
	c.Report = func(r rehearsal.Result) {
		switch {
		case r.Lacks != "":
			without++
		case r.Fault != "":
			failed++
			played++
		default:
			played++
		}
		reportCase(t, r)
	}
	if _, err := rehearsal.Run(ctx, c); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "\n%s\n", t.shown().CasesPlayed(num(played), num(failed), num(without)))
	if failed > 0 {
		return &checkError{failed, played}
	}
	return nil
}

func reportCase(t *terminal, r rehearsal.Result) {
	say := t.shown()
	if r.Lacks != "" {
		fmt.Fprintf(t.out, "  --    %-18s %s: %s\n", r.ID, r.Name, say.CasesWithout(r.Lacks))
		return
	}
	if r.Fault == "" {
		fmt.Fprintf(t.out, "%s  %-18s %s\n", say.CasesPassed(), r.ID, r.Name)
		return
	}
	fmt.Fprintf(t.out, "%s  %-18s %s\n          %s %s\n          %s %s\n          %s docs/%s\n", say.CasesFailed(), r.ID, r.Name,
		padded(say.CasesDid(), 7), strings.ReplaceAll(r.Fault, "\n", "; "), padded(say.CasesShould(), 7), r.Right, padded(say.CasesSee(), 7), r.See)
}

// describe reads the description, and the key beside it.
func (a *channelCheckCmd) describe() (rehearsal.Config, error) {
	raw, err := os.ReadFile(a.File)
	if err != nil {
		return rehearsal.Config{}, err
	}
	c := rehearsal.Config{}
	if c.Channel, err = rehearsal.ParseDescription(raw); err != nil {
		return c, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option(a.File, why) })
	}
	file := c.Channel.Key
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(a.File), file)
	}
	key, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, refuseFor(err, func(w *locale.Words, why string) string {
			return w.Refused.CasesNoKey(a.File, why, strings.TrimSuffix(file, ".pub.jwk"))
		})
	}
	if err != nil {
		return c, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.CasesKey(why) })
	}
	if c.Key, err = admin.ParseKey(key); err != nil {
		return c, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option(file, why) })
	}
	if len(a.Only) > 0 {
		c.Only = func(id string) bool { return slices.Contains(a.Only, id) }
	}
	return c, nil
}

// listen opens the three listeners, or none.
func (a *channelCheckCmd) listen(command string, c *rehearsal.Config) error {
	var open []net.Listener
	for _, one := range []struct {
		flag, address string
		to            *net.Listener
	}{{"--native", a.Native, &c.Native}, {"--hosted", a.Hosted, &c.Hosted}, {"--evidence", a.Evidence, &c.Provider}} {
		host, _, err := net.SplitHostPort(one.address)
		if err == nil && !door.Loopback(host) {
			err = wrongUse(command, func(w *locale.Words) string { return w.Refused.CasesLoopback(one.flag, one.address) })
		}
		if err == nil {
			*one.to, err = net.Listen("tcp", one.address)
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			cause := err
			err = refuseFor(cause, func(w *locale.Words, why string) string { return w.Refused.CasesInUse(one.address, one.flag, why) })
		}
		if err != nil {
			for _, ln := range open {
				err = errors.Join(err, ln.Close())
			}
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option(one.flag, why) })
		}
		open = append(open, *one.to)
	}
	return nil
}
