package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const (
	// chunkRows is how many rows share a transaction: enough to spread the cost of
	// one sync, and few enough not to delay the attempts that share the writer.
	chunkRows = 1000
	// aloneRows is chunkRows for a process that has the writer to itself. With more
	// rows at once each written page of the card numbers' index takes several rows,
	// and there are fewer syncs.
	aloneRows = 10_000
	// runRows is how many rows are read and sorted by their keys before they are
	// kept. The keys are hashes, so in the order of the file each row would touch a
	// different page.
	runRows = 150_000
	// maxLater is how many rows may wait for the end of the file because another
	// person had their card number.
	maxLater = 50_000
)

// ImportConfig names the actor and the functions that Import reports to. All
// members are optional; the functions are called from Import's own goroutine.
type ImportConfig struct {
	// Actor of the audit entries; "operator" if empty.
	Actor string
	// Encoding of the file.
	Encoding sheet.Encoding
	// DryRun reads and judges everything, and writes nothing.
	DryRun bool
	// Alone says that no server shares the database: more rows share a transaction.
	Alone bool
	// Progress gets the number of bytes of the file done so far, after each chunk.
	Progress func(read int64)
	// Reject gets, for each row that was not taken, the line number, from 1,
	// and the reason, one of the Reason constants. Neither is personal. Sentence
	// says what it means.
	Reject func(line int, reason string)
	// Cell gets line number and reason for each cell that was left out of a row that
	// was taken.
	Cell func(line int, reason string)
}

// Summary counts rows, without the header. Read is Kept plus Rejected.
type Summary struct {
	Read, Kept, Rejected int64
	Unchanged            int64 // of Kept: the registry said the same before
	Cells                int64 // cells left out of rows that were kept
	Corrections          int64 // of Kept: waiting corrections of an ID number; the rest of the row was not taken yet
	Abolished            int64 // rows kept under a region that is no longer in use
}

// Import reads a file of people, one a line, under a header that names the
// columns (in any order; all but id_number, name and card_no may be missing).
// The docs say what a file may look like. A bad row is left out and the rest go
// on; a bad cell that a person can do without is left out alone. A bad header or
// a read error ends the import.
//
// Importing a person again replaces name, phone, region and card number, but
// never a registry client's report; a column that the file has not, and a cell
// that was left out, changes nothing. A status is only ever raised (normal, lost,
// cancelled or died), so an empty or "normal" one keeps lost and cancelled. The
// status "replaced" puts the card of replaced_by in the place of card_no, as a
// client's report does. Once a client has replaced a card, rows about another
// card number change neither number nor status. Nobody's death is taken back. A
// status that changed reaches the electronic card as well.
//
// A former_id_number that is registered to the row's person is corrected to
// id_number (Correct). Where the person has an electronic card this waits, and the
// rest of the row counts when it is imported again after that; a former number that
// nobody is registered under says nothing.
//
// A card number that passes from one person of the file to another is taken
// whichever of them comes first.
//
// Rows are taken in chunks, each one transaction with its audit entry. After a
// crash, an error or a cancelled ctx whole chunks are kept; the Summary counts
// the rows that are certainly kept. The same file can be imported again: what is
// there already is only compared, so that a second run goes on where the first
// one ended, and records nothing twice. Two hashes per row are held in memory,
// about 100 bytes, to find duplicates, and the rows of two runs, 500 bytes each.
func (g *Registry) Import(ctx context.Context, r io.Reader, c ImportConfig) (Summary, error) {
	if c.Actor == "" {
		c.Actor = "operator"
	}
	regions, err := g.regions()
	if err != nil {
		return Summary{}, fmt.Errorf("registry: import: %w", err)
	}
	raw := &sheet.Counted{From: r}
	text, as, err := sheet.Decoded(raw, c.Encoding)
	if err != nil {
		return Summary{}, fmt.Errorf("registry: import: %w", err)
	}
	in := sheet.NewLines(text, maxLine)
	head, err := readHeader(in)
	if err != nil {
		if as != sheet.UTF8 {
			err = fmt.Errorf("%w (read as %s)", err, as)
		}
		return Summary{}, fmt.Errorf("registry: import: %w", err)
	}
	im := &importing{g: g, c: c}
	rd := &reading{
		g: g, in: in, raw: raw, as: as, seen: make(map[shortIndex]struct{}),
		parser: parser{layout: head, regions: regions, mobiles: make(map[string]bool)},
	}
	return im.run(ctx, rd)
}

// run keeps rows while the next ones are read, since each of the two is half of the
// work.
func (im *importing) run(ctx context.Context, rd *reading) (Summary, error) {
	reads, stop := context.WithCancel(ctx)
	runs := make(chan run) // one is read while the previous one is kept
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(runs)
		for more := true; more; {
			next := rd.run(reads)
			more = next.err == nil && !next.end
			select {
			case runs <- next:
			case <-reads.Done():
				return
			}
		}
	}()
	// The reader uses the caller's file, so it must be gone before this returns.
	defer func() { stop(); <-ended }()
	at := int64(0)
	for next := range runs {
		if next.err != nil {
			return im.sum, next.err
		}
		for _, f := range next.faults {
			im.reject(f.line, f.reason)
		}
		if err := im.keepRun(ctx, next, at); err != nil {
			return im.sum, err
		}
		at = next.read
	}
	if err := ctx.Err(); err != nil {
		return im.sum, err
	}
	last := im.later
	im.later, im.last = nil, true
	return im.sum, im.keepRun(ctx, run{rows: last, read: at}, at)
}

// keepRun keeps the rows of a run chunk by chunk. It reports progress in proportion,
// since the rows are not in the order of the file.
func (im *importing) keepRun(ctx context.Context, r run, from int64) error {
	defer im.tell()
	rows, chunk := len(r.rows), chunkRows
	if im.c.Alone {
		chunk = aloneRows
	}
	ready := im.drafts(r.rows[:min(chunk, rows)])
	for done := 0; done < rows; {
		if err := errors.Join(<-ready, ctx.Err()); err != nil {
			return err
		}
		end := min(done+chunk, rows)
		ready = im.drafts(r.rows[end:min(end+chunk, rows)])
		if err := im.keep(ctx, r.rows[done:end]); err != nil {
			drawn := <-ready // it works on these rows
			return fmt.Errorf("registry: import: %w", errors.Join(err, drawn))
		}
		for i := range r.rows[done:end] {
			r.rows[done+i].draft = nil // it takes as much memory as the row itself
		}
		done = end
		if im.c.Progress != nil && done < rows {
			im.c.Progress(from + (r.read-from)*int64(done)/int64(rows))
		}
	}
	if im.c.Progress != nil && !im.last {
		im.c.Progress(r.read)
	}
	return nil
}

// drafts prepares the rows of the next chunk while the previous one is written:
// encoding and sealing a new person's row is a quarter of the writer's work. If most
// people are in the registry already it prepares none.
func (im *importing) drafts(rows []keptRow) <-chan error {
	ready := make(chan error, 1)
	if im.there || len(rows) == 0 {
		ready <- nil
		return ready
	}
	go func() {
		for i := range rows {
			d, err := im.g.store.Draft(rows[i].person(im.g))
			if err != nil {
				ready <- fmt.Errorf("registry: import: %w", err)
				return
			}
			rows[i].draft = d
		}
		ready <- nil
	}()
	return ready
}

// shortIndex is half a blind index: enough to tell the rows of one file apart.
type shortIndex [16]byte

// fault is a row that was left out, or a left-out cell of a kept row.
type fault struct {
	line   int
	reason string
	cell   bool
}

// run is a part of the file, in the order of the rows' keys.
type run struct {
	rows   []keptRow
	faults []fault
	read   int64 // bytes of the file up to the run's end
	end    bool
	err    error
}

// keptRow is a row with its blind indexes and its facts sealed for a new person.
type keptRow struct {
	row
	holder, cardNo, replacement vault.Index // replacement is zero unless replacedBy is set
	sealed                      []byte
	refusal                     string      // with outcome refused: the reason
	draft                       store.Draft // the prepared row of a new person, or nil
}

// reading reads, judges and seals rows, in its own goroutine.
type reading struct {
	parser
	g    *Registry
	in   *sheet.Lines
	raw  *sheet.Counted
	as   sheet.Encoding
	seen map[shortIndex]struct{} // ID and card numbers of earlier rows
}

// run reads until it has a run of good rows, or ten times as many lines, so that
// a file with only bad rows shows progress too. Empty lines are skipped.
func (rd *reading) run(ctx context.Context) (c run) {
	for range 10 * runRows {
		line, tooLong, err := rd.in.Next()
		if err == io.EOF {
			c.end = true
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			c.err = fmt.Errorf("registry: import: line %d: %w", rd.in.Number+1, err)
			return c
		}
		if c.err = rd.add(&c, line, tooLong); c.err != nil || len(c.rows) == runRows {
			break
		}
	}
	slices.SortFunc(c.rows, func(a, b keptRow) int { return bytes.Compare(a.holder[:], b.holder[:]) })
	if c.read = rd.in.Read; rd.as != sheet.UTF8 { // the decoder reads ahead by at most its buffer
		c.read = rd.raw.N
	}
	return c
}

// add judges a line and puts it in a run.
func (rd *reading) add(c *run, line []byte, tooLong bool) error {
	if !tooLong && sheet.Blank(line) {
		return nil
	}
	r, reason := row{}, ReasonTooLong
	if !tooLong {
		r, reason = rd.row(line)
	}
	r.line = rd.in.Number
	if reason == "" {
		kept, twice, err := rd.sealed(r)
		if err != nil {
			return err
		}
		if reason = twice; reason == "" {
			c.rows = append(c.rows, kept)
			return nil
		}
	}
	c.faults = append(c.faults, fault{r.line, reason, false})
	return nil
}

// sealed refuses a row whose ID or card number was in an earlier row, and seals
// the facts of the others.
func (rd *reading) sealed(r row) (keptRow, string, error) {
	v := rd.g.vault
	k := keptRow{
		row:    r,
		holder: v.Index(vault.IndexIDNumber, r.facts.IDNumber),
		cardNo: v.Index(vault.IndexCardNo, r.facts.CardNo),
	}
	numbers := []vault.Index{k.cardNo}
	if r.replacedBy != "" {
		k.replacement = v.Index(vault.IndexCardNo, r.replacedBy)
		numbers = append(numbers, k.replacement)
		k.facts.CardNo = r.replacedBy
	}
	if _, twice := rd.seen[shortIndex(k.holder[:16])]; twice {
		return k, ReasonDuplicate, nil
	}
	for _, n := range numbers {
		if _, twice := rd.seen[shortIndex(n[:16])]; twice {
			return k, ReasonCardTwice, nil
		}
	}
	rd.seen[shortIndex(k.holder[:16])] = struct{}{}
	for _, n := range numbers {
		rd.seen[shortIndex(n[:16])] = struct{}{}
	}
	var err error
	k.sealed, err = rd.g.seal(k.holder, k.facts)
	return k, "", err
}
