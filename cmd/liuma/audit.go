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
)

// auditCmd is "liuma audit".
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Examine the whole record, of the data directory or of an export, and name the first entry that is missing or altered."`
	Show   auditShowCmd   `cmd:"" help:"Show the entries of one stream."`
	Tail   auditTailCmd   `cmd:"" help:"Show the latest entries of all streams, by their times."`
	Find   auditFindCmd   `cmd:"" help:"Find entries of all streams by actor, event, outcome and time: what a client did, say."`
	Export auditExportCmd `cmd:"" help:"Write the whole record to a file, for an auditor."`
	Digest auditDigestCmd `cmd:"" help:"Make a signed digest of the record now; the server makes one every hour."`

	Archive auditArchiveCmd `cmd:"" help:"Write the older part of the record to a signed file, so that it may leave the database when its time is over."`
}

// auditVerifyCmd is "liuma audit verify".
type auditVerifyCmd struct {
	Export   string `name:"export" placeholder:"FILE" help:"Examine this export instead of the data directory; - is the standard input."`
	Digests  string `name:"digests" placeholder:"DIR" help:"Compare with the digests in this directory, which were shipped off. Without it an older state of the whole database passes. Default for a data directory: its own, if one is configured."`
	Archives string `name:"archives" placeholder:"DIR" help:"Examine all archives in this directory too, so that the whole record is examined from its first entry."`
	Keys     string `name:"keys" placeholder:"FILE" help:"Check the digests' signatures with these public keys: the JWK set that the authority publishes."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
}

// foundError is a fault in the record.
type foundError struct{ finding *audit.Finding }

func (e *foundError) Error() string { return "audit record: " + e.finding.Error() }
func (e *foundError) Unwrap() error { return e.finding }

// ExitCode tells it from an examination that was not possible.
func (e *foundError) ExitCode() int { return exitFound }

// Run examines the record.
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
			return fmt.Errorf("--archives: %w", err)
		}
		config.Archives = archives
	}
	if dir != "" {
		shipped, err := record.ReadDirectory(dir)
		if err != nil {
			return fmt.Errorf("--digests: %w", err)
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
		return printExamined(t.out, out)
	}
	if found {
		return &foundError{finding}
	}
	return err
}

// examine reads the export, or one that is made of the data directory.
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

// exported passes the lines of an export to read while they are made. The error
// of read goes first: when it stops, the export cannot go on.
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
		return nil, fmt.Errorf("--keys: %w", err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &keys); err != nil || len(keys.Keys) == 0 {
		return nil, fmt.Errorf("--keys: %s is not a JWK set", path)
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
	// came before; Archives were examined too.
	Begins   uint64    `json:"begins_after_archive,omitempty"`
	Archived uint64    `json:"archived_entries,omitempty"`
	Archives int       `json:"archives,omitempty"`
	TakenUp  []takenUp `json:"taken_up,omitempty"`
}

// takenUp are entries whose stream went on after its end had been lost.
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

func printExamined(w io.Writer, x audit.Examined) error {
	digest := "no digest covers them yet"
	if x.Digest > 0 {
		digest = fmt.Sprintf("digest %d of %s covers all but %d", x.Digest, x.DigestAt.Format(time.RFC3339), x.Uncovered)
	}
	shipped := "not compared with shipped digests (--digests)"
	if x.Shipped > 0 {
		shipped = fmt.Sprintf("%d shipped digests agree", x.Shipped-x.Newer)
		if x.Newer > 0 {
			shipped += fmt.Sprintf(", %d more are later than the export", x.Newer)
		}
	}
	signatures := "signatures not checked (--keys)"
	if x.Signatures {
		signatures = "signatures checked"
	}
	_, err := fmt.Fprintf(w, "The record of %s as of %s is whole: %d entries in %d streams; %s; %s; %s.\n",
		x.Issuer, x.At.Format(time.RFC3339), x.Entries, x.Streams, digest, shipped, signatures)
	switch {
	case x.Archives > 0 && err == nil:
		_, err = fmt.Fprintf(w, "With it %d archives, whole from the first entry; the database begins after archive %d.\n", x.Archives, x.Begins)
	case x.Begins > 0 && err == nil:
		_, err = fmt.Fprintf(w, "It begins after archive %d; %d entries before that are in archives, which were not examined (--archives).\n", x.Begins, x.Archived)
	}
	for _, up := range x.TakenUp {
		_, e := fmt.Fprintf(w, "Not compared: %s was taken up again at entry %d, after the row with its end was lost; entries from %d up to it may be cut off, added or altered.\n",
			up.Adopted.Stream, up.Adopted.Number, up.From)
		err = errors.Join(err, e)
	}
	return err
}

// auditShowCmd is "liuma audit show".
type auditShowCmd struct {
	Card   string `name:"card" xor:"stream" placeholder:"ID" help:"The card's stream, by the card's ID: 32 hexadecimal digits."`
	Stream string `name:"stream" xor:"stream" placeholder:"NAME" help:"A stream by its name, as other commands print it."`
	From   uint64 `name:"from" default:"1" placeholder:"N" help:"From this number on."`
	JSON   bool   `name:"json" help:"Print the lines of an export."`
}

// Run shows the entries.
func (a *auditShowCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	name := a.Stream
	if a.Card != "" {
		name = audit.OfCard.String() + ":" + a.Card
	}
	stream, err := audit.ParseStream(name)
	if err != nil {
		return badUsage("liuma audit show", "want --card with 32 hexadecimal digits, or --stream with card: or process: before them")
	}
	none, first := true, uint64(0)
	err = c.lines(ctx, t, record.Query{Stream: stream, From: a.From}, func(l audit.Line) error {
		if l.Entry != nil && none {
			none, first = false, l.Entry.Number
		}
		if l.Stream != nil && l.Stream.Number >= a.From {
			first = l.Stream.Number + 1 // if no entry follows
		}
		return showLine(t.out, l, a.JSON)
	})
	if err == nil && first > max(a.From, 1) {
		_, err = fmt.Fprintf(t.err, "Entries before number %d are in archives.\n", first)
		return err
	}
	if err == nil && none {
		return fmt.Errorf("the stream %s has no entry from number %d on", stream, a.From)
	}
	return err
}

// lines calls visit for each line of an export.
func (c *cli) lines(ctx context.Context, t *terminal, q record.Query, visit func(audit.Line) error) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		return exported(ctx, adm, q, func(r io.Reader) error { return whole(r, visit) })
	})
}

// whole reads an export and refuses one without an end.
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

func showLine(w io.Writer, l audit.Line, asJSON bool) error {
	if asJSON {
		return audit.WriteLine(w, l)
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
	_, err := fmt.Fprintf(w, "%s  %s %d  %s  %s  %s%s\n", e.At.Format("2006-01-02T15:04:05.000Z"), e.Stream, e.Number, e.Actor, e.Event, e.Outcome, more)
	return err
}

// auditTailCmd is "liuma audit tail".
type auditTailCmd struct {
	Lines  int  `name:"lines" short:"n" default:"20" help:"How many entries to show at first."`
	Follow bool `name:"follow" short:"f" help:"Go on with what comes, until SIGINT."`
	JSON   bool `name:"json" help:"Print the entries as in an export."`
}

// tailEvery is how often --follow looks for more.
const tailEvery = time.Second

// Run shows the entries that no digest covers, or only the last.
func (a *auditTailCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if a.Lines < 0 {
		return badUsage("liuma audit tail", "--lines: want a number that is not negative")
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
			if err := showLine(t.out, audit.Line{Entry: audit.LineOf(e)}, a.JSON); err != nil {
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
	File string `arg:"" name:"file" help:"The new file; - is the standard output."`
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
	_, err = fmt.Fprintf(t.out, "Wrote %s. 'liuma audit verify --export %s' examines it anywhere.\n", a.File, a.File)
	return err
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
	Keys   string `name:"keys" placeholder:"FILE" help:"If the key that signed the last digest was dropped: the public keys that the authority published then, a JWK set. Wants --reason."`
	Reason string `name:"reason" placeholder:"TEXT" help:"With --keys: why, for the audit record; no personal data."`
	JSON   bool   `name:"json" help:"Print one JSON object, with the signed digest."`
}

// Run makes the digest. A fault in the record is told, and ends it with status 3
// although the digest was made: it covers the streams without a fault.
func (a *auditDigestCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if (a.Keys == "") != (a.Reason == "") {
		return badUsage("liuma audit digest", "--keys and --reason go together")
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		d, err := a.make(ctx, adm)
		if err != nil {
			return err
		}
		if a.JSON {
			err = json.NewEncoder(t.out).Encode(d)
		} else {
			_, err = fmt.Fprintf(t.out, "Made digest %d of %s: %d entries in %d streams.\n", d.Number, d.At.Format(time.RFC3339), d.Entries, d.Streams)
		}
		if err == nil && d.Shipping != "" {
			err = fmt.Errorf("the digest is kept in the database, and not written to the directory of digests: %s", d.Shipping)
		}
		if err == nil && len(d.Faults) > 0 {
			err = &faultsError{d.Faults}
		}
		return err
	})
}

// make makes it as the server does, or with keys that were kept.
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

// faultsError is what a digest was made without.
type faultsError struct{ faults []string }

func (e *faultsError) Error() string {
	return fmt.Sprintf("the record is not what was written: %s (%d in all); 'liuma audit verify' examines all of it", e.faults[0], len(e.faults))
}

// ExitCode is that of a fault in the record.
func (e *faultsError) ExitCode() int { return exitFound }

// printRecord prints the state of the audit record.
func printRecord(w io.Writer, r admin.RecordStatus) error {
	line := "no digest yet"
	if r.Digest > 0 {
		line = fmt.Sprintf("digest %d", r.Digest)
		if r.At != nil {
			line += " of " + r.At.Format(time.RFC3339)
		}
	}
	if r.Checked != nil {
		line += ", checked " + r.Checked.Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(w, "  record        %s\n", line)
	for _, f := range r.Faults {
		if err == nil {
			_, err = fmt.Fprintf(w, "    FAULT        %s\n", f)
		}
	}
	if err == nil && r.Shipping != "" {
		_, err = fmt.Fprintf(w, "    NOT SHIPPED  %s\n", r.Shipping)
	}
	return err
}
