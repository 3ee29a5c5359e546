package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/locale"
)

// auditCmd is "liuma audit".
type auditCmd struct {
	Verify auditVerifyCmd `cmd:""`
	Show   auditShowCmd   `cmd:""`
	Tail   auditTailCmd   `cmd:""`
	Find   auditFindCmd   `cmd:""`
	Stream auditStreamCmd `cmd:""`
	Card   auditCardCmd   `cmd:""`
	Export auditExportCmd `cmd:""`
	Digest auditDigestCmd `cmd:""`

	Archive auditArchiveCmd `cmd:""`
}

// auditVerifyCmd is "liuma audit verify".
type auditVerifyCmd struct {
	Export   string `name:"export" placeholder:"FILE"`
	Digests  string `name:"digests" placeholder:"DIR"`
	Archives string `name:"archives" placeholder:"DIR"`
	Keys     string `name:"keys" placeholder:"FILE"`
	JSON     bool   `name:"json"`
}

// foundError is a fault in the record.
type foundError struct{ finding *audit.Finding }

func (e *foundError) Error() string { return e.Told(locale.In(locale.English), nil) }

// Told is the error in a language.
func (e *foundError) Told(w *locale.Words, _ func(error) string) string {
	return w.Refused.AuditFound(e.finding.Error())
}

func (e *foundError) Unwrap() error { return e.finding }

// ExitCode differs from that of a check that was not possible.
func (e *foundError) ExitCode() int { return exitFound }

// Run checks the record.
func (a *auditVerifyCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	config, dir := audit.ExamineConfig{}, a.Digests
	if a.Keys != "" {
		keys, err := readKeys(a.Keys)
		if err != nil {
			return err
		}
		config.Keys = keys
	}
	if a.Export == "" && dir == "" {
		conf, err := c.load()
		if err != nil {
			return err
		}
		if _, err := os.Stat(conf.Digests); conf.Digests != "" && err == nil {
			dir = conf.Digests
		}
	}
	if a.Archives != "" {
		archives, err := record.ArchivesIn(a.Archives)
		if err != nil {
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option("--archives", why) })
		}
		config.Archives = archives
	}
	if dir != "" {
		shipped, err := record.ReadDirectory(dir)
		if err != nil {
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option("--digests", why) })
		}
		config.Shipped = shipped
	}
	out, err := a.examine(ctx, c, t, config)
	finding, found := errors.AsType[*audit.Finding](err)
	switch {
	case a.JSON && (err == nil || found):
		if err := json.NewEncoder(t.out).Encode(viewOf(out, finding)); err != nil {
			return err
		}
	case err == nil:
		return printExamined(t, out)
	}
	if found {
		return &foundError{finding}
	}
	return err
}

// examine reads the given export, or makes one of the data directory.
func (a *auditVerifyCmd) examine(ctx context.Context, c *cli, t *terminal, config audit.ExamineConfig) (out audit.Examined, err error) {
	switch a.Export {
	case "-":
		return audit.Examine(t.in, config)
	case "":
		err = c.administer(ctx, t, func(adm admin.Administration) error {
			return exported(ctx, adm, record.Query{}, func(r io.Reader) (err error) {
				out, err = audit.Examine(r, config)
				return err
			})
		})
		return out, err
	}
	f, err := os.Open(a.Export)
	if err != nil {
		return out, err
	}
	defer f.Close() // read only: nothing to lose
	return audit.Examine(f, config)
}

// exported passes the lines of an export to read while they are made. An error of read
// takes precedence: when read stops, the export cannot go on.
func exported(ctx context.Context, adm admin.Administration, q record.Query, read func(io.Reader) error) error {
	in, out := io.Pipe()
	made := make(chan error, 1)
	go func() {
		err := adm.ExportRecord(ctx, q, out)
		out.CloseWithError(err)
		made <- err
	}()
	err := read(in)
	in.CloseWithError(io.ErrClosedPipe)
	if export := <-made; err == nil && !errors.Is(export, io.ErrClosedPipe) {
		err = export
	}
	return err
}

func readKeys(path string) (*jose.JSONWebKeySet, error) {
	raw, err := readKey(path)
	if err != nil {
		return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.Option("--keys", why) })
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &keys); err != nil || len(keys.Keys) == 0 {
		return nil, refuse(func(w *locale.Words) string { return w.Refused.AuditNotKeys(path) })
	}
	return &keys, nil
}

// examinedView is the result of "liuma audit verify --json".
type examinedView struct {
	Whole      bool      `json:"whole"`
	Stream     string    `json:"stream,omitempty"`        // of the first fault
	Number     uint64    `json:"number,omitempty"`        // of the entry
	Digest     uint64    `json:"fault_digest,omitempty"`  // if a digest is at fault
	Archive    uint64    `json:"fault_archive,omitempty"` // if an archive is
	What       string    `json:"what,omitempty"`
	Issuer     string    `json:"issuer"`
	At         time.Time `json:"exported_at"`
	Streams    uint64    `json:"streams"`
	Entries    uint64    `json:"entries"`
	LastDigest uint64    `json:"last_digest"`
	Uncovered  uint64    `json:"entries_after_it"`
	Shipped    int       `json:"shipped_digests"`
	Newer      int       `json:"shipped_later"`
	Signatures bool      `json:"signatures_checked"`
	// Begins is the archive after which the record begins, and Archived how many entries
	// came before; Archives were checked too.
	Begins   uint64    `json:"begins_after_archive,omitempty"`
	Archived uint64    `json:"archived_entries,omitempty"`
	Archives int       `json:"archives,omitempty"`
	TakenUp  []takenUp `json:"taken_up,omitempty"`
}

// takenUp are entries whose stream went on after its last entries had been lost.
type takenUp struct {
	Stream  string `json:"stream"`
	From    uint64 `json:"from"`
	Adopted uint64 `json:"adopted"`
}

func viewOf(x audit.Examined, f *audit.Finding) examinedView {
	v := examinedView{Whole: f == nil, Issuer: x.Issuer, At: x.At, Streams: x.Streams, Entries: x.Entries,
		LastDigest: x.Digest, Uncovered: x.Uncovered, Shipped: x.Shipped, Newer: x.Newer, Signatures: x.Signatures,
		Begins: x.Begins, Archived: x.Archived, Archives: x.Archives}
	for _, up := range x.TakenUp {
		v.TakenUp = append(v.TakenUp, takenUp{up.Adopted.Stream.String(), up.From, up.Adopted.Number})
	}
	if f != nil {
		v.Digest, v.Archive, v.Number, v.What = f.Digest, f.Archive, f.Number, f.What
		if !f.Stream.IsZero() {
			v.Stream = f.Stream.String()
		}
	}
	return v
}

func printExamined(t *terminal, x audit.Examined) error {
	say := t.shown()
	digest, shipped, signatures := say.AuditNoDigest(), say.AuditNotCompared(), say.AuditUnsigned()
	if x.Digest > 0 {
		digest = say.AuditDigest(num(x.Digest), x.DigestAt.Format(time.RFC3339), num(x.Uncovered))
	}
	if x.Shipped > 0 {
		shipped = say.AuditAgree(num(x.Shipped - x.Newer))
		if x.Newer > 0 {
			shipped = say.AuditAgreeLater(num(x.Shipped-x.Newer), num(x.Newer))
		}
	}
	if x.Signatures {
		signatures = say.AuditSigned()
	}
	err := t.line(say.AuditWhole(x.Issuer, x.At.Format(time.RFC3339), num(x.Streams), num(x.Entries), digest, shipped, signatures))
	switch {
	case x.Archives > 0 && err == nil:
		err = t.line(say.AuditWithArchives(num(x.Archives), num(x.Begins)))
	case x.Begins > 0 && err == nil:
		err = t.line(say.AuditBegins(num(x.Begins), num(x.Archived)))
	}
	for _, up := range x.TakenUp {
		err = errors.Join(err, t.line(say.AuditTakenUp(up.Adopted.Stream.String(), num(up.Adopted.Number), num(up.From))))
	}
	return err
}

// auditShowCmd is "liuma audit show".
type auditShowCmd struct {
	Card   string `name:"card" xor:"stream" placeholder:"ID"`
	Stream string `name:"stream" xor:"stream" placeholder:"NAME"`
	From   uint64 `name:"from" default:"1" placeholder:"N"`
	JSON   bool   `name:"json"`
}

// Run shows the entries.
func (a *auditShowCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	name := a.Stream
	if a.Card != "" {
		name = audit.OfCard.String() + ":" + a.Card
	}
	stream, err := audit.ParseStream(name)
	if err != nil {
		return wrongUse("liuma audit show", func(w *locale.Words) string { return w.Refused.AuditWhich() })
	}
	none, first := true, uint64(0)
	err = c.lines(ctx, t, record.Query{Stream: stream, From: a.From}, func(l audit.Line) error {
		if l.Entry != nil && none {
			none, first = false, l.Entry.Number
		}
		if l.Stream != nil && l.Stream.Number >= a.From {
			first = l.Stream.Number + 1 // if no entry follows
		}
		return showLine(t, l, a.JSON)
	})
	if err == nil && first > max(a.From, 1) {
		_, err = fmt.Fprintln(t.err, t.shown().AuditArchived(num(first)))
		return err
	}
	if err == nil && none {
		return refuse(func(w *locale.Words) string { return w.Refused.AuditNoEntry(stream.String(), num(a.From)) })
	}
	return err
}

// lines calls visit for each line of an export.
func (c *cli) lines(ctx context.Context, t *terminal, q record.Query, visit func(audit.Line) error) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		return exported(ctx, adm, q, func(r io.Reader) error { return whole(r, visit) })
	})
}

// whole reads an export and refuses one that has no last line.
func whole(r io.Reader, visit func(audit.Line) error) error {
	ended := false
	err := audit.ReadLines(r, func(l audit.Line) error {
		ended = l.End != nil
		return visit(l)
	})
	if err == nil && !ended {
		err = audit.ErrCut
	}
	return err
}

func showLine(t *terminal, l audit.Line, asJSON bool) error {
	if asJSON {
		return audit.WriteLine(t.out, l)
	}
	if l.Entry == nil {
		return nil
	}
	e := l.Entry.Recorded()
	more := ""
	if e.BusinessNo != "" {
		more += "  " + string(e.BusinessNo)
	}
	if e.Note != "" {
		more += "  (" + e.Note + ")"
	}
	_, err := fmt.Fprintf(t.out, "%s  %s %d  %s  %s  %s%s\n", e.At.Format("2006-01-02T15:04:05.000Z"), e.Stream, e.Number, e.Actor, e.Event, e.Outcome, more)
	return err
}

// auditTailCmd is "liuma audit tail".
type auditTailCmd struct {
	Lines  int  `name:"lines" short:"n" default:"20"`
	Follow bool `name:"follow" short:"f"`
	JSON   bool `name:"json"`
}

// tailEvery is how often --follow looks for new entries.
const tailEvery = time.Second

// Run shows the entries that no digest covers, or only the last.
func (a *auditTailCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if a.Lines < 0 {
		return wrongUse("liuma audit tail", func(w *locale.Words) string { return w.Refused.AuditLines() })
	}
	shown := map[audit.Stream]uint64{}
	for first := true; ; first = false {
		news, err := a.news(ctx, c, t, shown)
		if err != nil {
			return err
		}
		if first {
			news = news[max(0, len(news)-a.Lines):]
		}
		for _, e := range news {
			if err := showLine(t, audit.Line{Entry: audit.LineOf(e)}, a.JSON); err != nil {
				return err
			}
		}
		if !a.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tailEvery):
		}
	}
}

// news reads the entries that were not shown yet, in the order of their times.
func (a *auditTailCmd) news(ctx context.Context, c *cli, t *terminal, shown map[audit.Stream]uint64) (out []audit.Recorded, err error) {
	err = c.lines(ctx, t, record.Query{Recent: true}, func(l audit.Line) error {
		if l.Entry != nil && l.Entry.Number > shown[l.Entry.Stream] {
			out = append(out, l.Entry.Recorded())
			shown[l.Entry.Stream] = l.Entry.Number
		}
		return nil
	})
	if ctx.Err() != nil {
		err = nil
	}
	slices.SortStableFunc(out, func(x, y audit.Recorded) int {
		return cmp.Or(x.At.Compare(y.At), x.Stream.Compare(y.Stream), cmp.Compare(x.Number, y.Number))
	})
	return out, err
}

// auditExportCmd is "liuma audit export".
type auditExportCmd struct {
	File string `arg:"" name:"file"`
}

// Run writes the export. A file that could not be completed is removed.
func (a *auditExportCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if a.File == "-" {
		return c.administer(ctx, t, func(adm admin.Administration) error {
			return adm.ExportRecord(ctx, record.Query{}, t.out)
		})
	}
	var end tailBuffer
	err := c.administer(ctx, t, func(adm admin.Administration) error {
		f, done, err := create(a.File, 0o600)
		if err != nil {
			return err
		}
		err = adm.ExportRecord(ctx, record.Query{}, io.MultiWriter(f, &end))
		if err == nil && !end.ended() {
			err = audit.ErrCut
		}
		return done(err)
	})
	if err != nil {
		return err
	}
	return t.line(t.shown().AuditWrote(a.File))
}

// tailBuffer keeps the last bytes that were written.
type tailBuffer struct{ last []byte }

func (b *tailBuffer) Write(p []byte) (int, error) {
	const kept = 256
	b.last = append(b.last, p[max(0, len(p)-kept):]...)
	b.last = b.last[max(0, len(b.last)-kept):]
	return len(p), nil
}

// ended reports whether the last line is that of an end.
func (b *tailBuffer) ended() bool {
	lines := bytes.Split(bytes.TrimSuffix(b.last, []byte("\n")), []byte("\n"))
	l, err := audit.ParseLine(lines[len(lines)-1])
	return err == nil && l.End != nil
}

// auditDigestCmd is "liuma audit digest".
type auditDigestCmd struct {
	Keys   string `name:"keys" placeholder:"FILE"`
	Reason string `name:"reason" placeholder:"TEXT"`
	JSON   bool   `name:"json"`
}

// Run makes the digest. If the record has a fault, it is reported and the exit status is
// 3, although the digest was made: it covers the streams without a fault.
func (a *auditDigestCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if (a.Keys == "") != (a.Reason == "") {
		return wrongUse("liuma audit digest", func(w *locale.Words) string { return w.Refused.AuditTogether() })
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		d, err := a.make(ctx, adm)
		if err != nil {
			return err
		}
		if a.JSON {
			err = json.NewEncoder(t.out).Encode(d)
		} else {
			err = t.line(t.shown().AuditMade(num(d.Number), d.At.Format(time.RFC3339), num(d.Streams), num(d.Entries)))
		}
		if err == nil && d.Shipping != "" {
			err = refuse(func(w *locale.Words) string { return w.Refused.AuditNotShipped(d.Shipping) })
		}
		if err == nil && len(d.Faults) > 0 {
			err = &faultsError{d.Faults}
		}
		return err
	})
}

// make makes the digest as the server does, or with keys that the operator kept.
func (a *auditDigestCmd) make(ctx context.Context, adm admin.Administration) (admin.Digest, error) {
	if a.Keys == "" {
		return adm.MakeDigest(ctx)
	}
	reason, err := reasonFlag{a.Reason}.reason("liuma audit digest")
	if err != nil {
		return admin.Digest{}, err
	}
	keys, err := readKeys(a.Keys)
	if err != nil {
		return admin.Digest{}, err
	}
	return adm.ResumeDigests(ctx, *keys, reason)
}

// faultsError says that a digest was made without some streams, because of faults.
type faultsError struct{ faults []string }

func (e *faultsError) Error() string {
	return e.Told(locale.In(locale.English), nil)
}

// Told is the error in a language.
func (e *faultsError) Told(w *locale.Words, _ func(error) string) string {
	return w.Refused.AuditFaults(e.faults[0], num(len(e.faults)))
}

// ExitCode is the status of a fault in the record.
func (e *faultsError) ExitCode() int { return exitFound }
