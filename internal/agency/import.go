package agency

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	// chunkRows is how many rows one transaction takes.
	chunkRows = 1000
	// maxTold is how many agencies one audit entry names: each with its changes, and its
	// telephone numbers before and after.
	maxTold = 20
)

// ImportConfig names the actor and the functions that Import reports to. All members but
// Actor are optional; the functions are called from Import's own goroutine.
type ImportConfig struct {
	Actor    string
	Encoding sheet.Encoding
	// DryRun reads and judges everything, and writes nothing.
	DryRun bool
	// Sees reports whether a region and agency are within the bounds of the importing
	// member; nil: all are.
	Sees func(liuma.Region, liuma.Agency) bool
	// Progress gets the number of bytes of the file done so far, after each chunk.
	Progress func(read int64)
	// Reject gets, for each row that was not taken, the line number, from 1, and the
	// reason.
	Reject func(line int, reason string)
}

// Summary counts rows, without the header. Read is Kept plus Rejected.
type Summary struct {
	Read, Kept, Rejected int64
	// Of Kept: the agencies that are new, that were changed, and that stayed as they
	// were.
	Added, Changed, Unchanged int64
	// Telephones is how many of the changed ones have a new telephone number.
	Telephones int64
}

// Import reads a file of agencies, one a line, under a header that names the columns in
// any order. A row that cannot be taken whole is left out, and the rest go on. A row
// replaces the row of the same code; a column that is missing in the file becomes empty.
// Nothing is deleted; an agency that no longer exists has the status closed.
//
// Each transaction keeps some rows with an audit entry that names each agency and its
// changes, so that every telephone number on a page is on the record. After a crash, an
// error or a cancelled ctx whole transactions are kept. The same file can be imported
// again: unchanged rows are only compared, so a second run continues where the first one
// ended, and records nothing twice. Before Import returns, the pages show the kept rows.
func (b *Book) Import(ctx context.Context, r io.Reader, c ImportConfig) (Summary, error) {
	regions, err := b.c.Regions()
	if err != nil {
		return Summary{}, fmt.Errorf("agency: import: %w", err)
	}
	im := &importing{b: b, c: c, seen: map[liuma.Agency]bool{}}
	raw := &sheet.Counted{From: r}
	text, _, err := sheet.Decoded(raw, c.Encoding)
	if err != nil {
		return Summary{}, fmt.Errorf("agency: import: %w", err)
	}
	in := sheet.NewLines(text, maxLine)
	head, err := readHeader(in)
	if err != nil {
		return Summary{}, fmt.Errorf("agency: import: %w", err)
	}
	p := &parser{layout: head, regions: regions, pinyin: newReader()}
	err = im.run(ctx, in, raw, p)
	if im.did.Added+im.did.Changed > 0 && !c.DryRun {
		err = errors.Join(err, b.Reload(context.WithoutCancel(ctx)))
	}
	return im.did, err
}

// Read reads a whole file, for callers without a database: a sample. A row that Import
// would leave out is an error.
func Read(file []byte, regions *directory.Regions) ([]store.Agency, error) {
	in := sheet.NewLines(bytes.NewReader(file), maxLine)
	head, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	p := &parser{layout: head, regions: regions, pinyin: newReader()}
	var all []store.Agency
	for {
		line, tooLong, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil || tooLong {
			return nil, fmt.Errorf("agency: line %d cannot be read: %w", in.Number, err)
		}
		r, reason := p.row(line)
		if reason != "" {
			return nil, fmt.Errorf("agency: line %d: %s", in.Number, reason)
		}
		all = append(all, r.Agency)
	}
}

// importing is one run of Import, in one goroutine.
type importing struct {
	b    *Book
	c    ImportConfig
	did  Summary
	seen map[liuma.Agency]bool
}

func (im *importing) run(ctx context.Context, in *sheet.Lines, raw *sheet.Counted, p *parser) error {
	var rows []row
	for read := 1; ; read++ {
		line, tooLong, err := in.Next()
		end := errors.Is(err, io.EOF)
		if err = errors.Join(ctx.Err(), unless(end, err)); err != nil {
			return fmt.Errorf("agency: import: line %d: %w", in.Number+1, err)
		}
		if !end && (tooLong || !sheet.Blank(line)) {
			rows = im.judge(rows, in.Number, line, tooLong, p)
		}
		if !end && len(rows) < chunkRows && read%(10*chunkRows) != 0 {
			continue
		}
		if err := im.keep(ctx, rows); err != nil {
			return fmt.Errorf("agency: import: %w", err)
		}
		if rows = rows[:0]; im.c.Progress != nil {
			im.c.Progress(raw.N)
		}
		if end {
			return nil
		}
	}
}

func unless(end bool, err error) error {
	if end {
		return nil
	}
	return err
}

// judge adds a line to the rows to keep, or returns the reason why it is left out.
func (im *importing) judge(rows []row, number int, line []byte, tooLong bool, p *parser) []row {
	r, reason := row{}, sheet.ReasonTooLong
	if !tooLong {
		r, reason = p.row(line)
	}
	switch {
	case reason != "":
	case im.seen[r.Code]:
		reason = ReasonDuplicate
	case !im.mine(&r.Agency):
		reason = ReasonBounds
	}
	if reason != "" {
		im.reject(number, reason)
		return rows
	}
	im.seen[r.Code], r.line = true, number
	return append(rows, r)
}

func (im *importing) mine(a *store.Agency) bool {
	return im.c.Sees == nil || im.c.Sees(a.Region, a.Code)
}

func (im *importing) reject(line int, reason string) {
	im.did.Read++
	im.did.Rejected++
	if im.c.Reject != nil {
		im.c.Reject(line, reason)
	}
}

// change is a row that differs from the stored one. Was is zero if there is no stored
// row, or it was altered.
type change struct {
	added    bool
	was, now store.Agency
}

// keep compares one chunk with the stored rows, and writes those that differ.
func (im *importing) keep(ctx context.Context, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	var changed []change
	var beyond []int
	err := im.b.c.Store.View(ctx, func(r store.Reader) error {
		changed, beyond = nil, nil
		for i := range rows {
			was, err := r.Agency(rows[i].Code)
			now := rows[i].Agency
			switch {
			case errors.Is(err, store.ErrNotFound):
				changed = append(changed, change{added: true, now: now})
			case errors.Is(err, store.ErrSeal): // the stored row was altered; the imported one replaces it
				changed = append(changed, change{now: now})
			case err != nil:
				return err
			case !im.mine(&was):
				beyond = append(beyond, i)
			case was != stamped(now, was):
				changed = append(changed, change{was: was, now: now})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, i := range beyond {
		im.reject(rows[i].line, ReasonBounds)
	}
	same := int64(len(rows) - len(beyond) - len(changed))
	im.count(Summary{Kept: same, Unchanged: same})
	for some := range slices.Chunk(changed, maxTold) {
		if err := im.write(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (im *importing) count(s Summary) {
	im.did.Read += s.Kept
	im.did.Kept += s.Kept
	im.did.Added += s.Added
	im.did.Changed += s.Changed
	im.did.Unchanged += s.Unchanged
	im.did.Telephones += s.Telephones
}

// stamped is a row with the time of the stored one, so that rows which differ only in
// time are equal.
func stamped(now, was store.Agency) store.Agency {
	now.At = was.At
	return now
}

// errDry rolls back the transaction of a trial.
var errDry = errors.New("agency: a trial")

// write keeps some agencies, with the entry that names them. A crash leaves all of them
// or none (I-8).
func (im *importing) write(ctx context.Context, some []change) error {
	at := im.b.c.Now()
	err := im.b.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		var notes []string
		for _, c := range some {
			c.now.At = at
			if err := tx.PutAgency(c.now); err != nil {
				return audit.Entry{}, err
			}
			notes = append(notes, c.note())
		}
		if im.c.DryRun {
			return audit.Entry{}, errDry
		}
		return audit.Entry{At: at, Actor: im.c.Actor, Event: audit.AgencyImported, Outcome: "ok", Note: strings.Join(notes, " ")},
			tx.InsertTick(store.Tick{Kind: tickImported, At: at})
	})
	if err != nil && !errors.Is(err, errDry) {
		return err
	}
	did := Summary{Kept: int64(len(some))}
	for _, c := range some {
		if c.added {
			did.Added++
			continue
		}
		if did.Changed++; c.was.Telephone != c.now.Telephone {
			did.Telephones++
		}
	}
	im.count(did)
	return nil
}

// note names the changes of an agency; for its telephone number the old and the new one.
// The numbers are public, and not personal.
func (c change) note() string {
	if c.added {
		return fmt.Sprintf("agency=%s added=%s", c.now.Code, cmp.Or(c.now.Telephone, "-"))
	}
	var what []string
	was, now := c.was, c.now
	for _, col := range columns() {
		if col.cell == nil || *col.cell(&was) == *col.cell(&now) {
			continue
		}
		if name := col.headings[0]; name != "telephone" {
			what = append(what, name)
		} else {
			what = append(what, fmt.Sprintf("telephone:%s>%s", was.Telephone, now.Telephone))
		}
	}
	if was.Closed != now.Closed {
		what = append(what, "status")
	}
	if was.Sample != now.Sample {
		what = append(what, "sample")
	}
	return fmt.Sprintf("agency=%s changed=%s", c.now.Code, strings.Join(what, ","))
}
