package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// chunkRows is how many rows share a transaction: enough to spread the cost of
// one sync, few enough not to hold up the attempts that share the writer.
const chunkRows = 500

// ImportConfig names the actor and the functions that Import reports to. All
// members are optional; the functions are called from Import's own goroutine.
type ImportConfig struct {
	// Actor of the audit entries; "operator" if empty.
	Actor string
	// Progress gets the number of bytes of the file that are done, after each
	// chunk.
	Progress func(read int64)
	// Reject gets, for each row that was not taken, the line number, from 1,
	// and the reason, one of the Reason constants. Neither is personal.
	Reject func(line int, reason string)
}

// Summary counts rows, without the header. Read is Kept plus Rejected.
type Summary struct{ Read, Kept, Rejected int64 }

// Import reads a CSV file: UTF-8, with or without a byte order mark, the header
// id_number,name,phone,card_no,region,status, and one person per line. Phone,
// region and status may be empty; an empty region means the region in the ID
// number. A bad row is rejected and the rest go on; a bad header or a read
// error ends the import.
//
// Importing a person again replaces name, phone, region and card number, but
// never a registry client's report. A status is only ever raised (normal, lost,
// cancelled), so an empty or "normal" one keeps lost and cancelled. Once a
// client has replaced a card, rows about another card number change neither
// number nor status. A raised status reaches the electronic card as well.
//
// Rows are taken in chunks, each one transaction with its audit entry. After a
// crash, an error or a cancelled ctx whole chunks are kept; the Summary counts
// the rows that are certainly kept, and the same file can be imported again.
// Two hashes per row are held in memory, about 100 bytes, to find duplicates.
func (g *Registry) Import(ctx context.Context, r io.Reader, c ImportConfig) (Summary, error) {
	if c.Actor == "" {
		c.Actor = "operator"
	}
	im := &importing{g: g, c: c, in: newLines(r), seen: make(map[shortIndex]struct{})}
	if err := im.in.readHeader(); err != nil {
		return Summary{}, fmt.Errorf("registry: import: %w", err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return im.sum, err
		}
		rows, end, err := im.readChunk()
		if err != nil {
			return im.sum, fmt.Errorf("registry: import: line %d: %w", im.in.number+1, err)
		}
		if err := im.keep(ctx, rows); err != nil {
			return im.sum, fmt.Errorf("registry: import: up to line %d: %w", im.in.number, err)
		}
		if c.Progress != nil {
			c.Progress(im.in.read)
		}
		if end {
			return im.sum, nil
		}
	}
}

// shortIndex is half a blind index: enough to tell the rows of one file apart.
type shortIndex [16]byte

// importing is one run of Import, in one goroutine.
type importing struct {
	g    *Registry
	c    ImportConfig
	in   *lines
	sum  Summary
	seen map[shortIndex]struct{} // ID and card numbers of earlier rows
}

func (im *importing) reject(line int, reason string) {
	im.sum.Read++
	im.sum.Rejected++
	if im.c.Reject != nil {
		im.c.Reject(line, reason)
	}
}

// readChunk reads until it has a chunk of good rows, or twice as many lines, so
// that a file with only bad rows shows progress too. Empty lines are skipped.
func (im *importing) readChunk() (rows []keptRow, end bool, err error) {
	for range 2 * chunkRows {
		line, tooLong, err := im.in.next()
		if err == io.EOF {
			return rows, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		if tooLong {
			im.reject(im.in.number, ReasonTooLong)
			continue
		}
		if len(line) == 0 {
			continue
		}
		r, reason := parseRow(line)
		if reason != "" {
			im.reject(im.in.number, reason)
			continue
		}
		r.line = im.in.number
		if kept, ok := im.indexed(r); ok {
			rows = append(rows, kept)
		}
		if len(rows) == chunkRows {
			break
		}
	}
	return rows, false, nil
}

// keptRow is a row with its blind indexes.
type keptRow struct {
	row
	holder, cardNo vault.Index
}

// indexed refuses a row whose ID or card number was in an earlier row.
func (im *importing) indexed(r row) (keptRow, bool) {
	v := im.g.vault
	k := keptRow{
		row:    r,
		holder: v.Index(vault.IndexIDNumber, r.facts.IDNumber),
		cardNo: v.Index(vault.IndexCardNo, r.facts.CardNo),
	}
	byHolder, byCard := shortIndex(k.holder[:16]), shortIndex(k.cardNo[:16])
	if _, twice := im.seen[byHolder]; twice {
		im.reject(r.line, ReasonDuplicate)
		return keptRow{}, false
	}
	if _, twice := im.seen[byCard]; twice {
		im.reject(r.line, ReasonCardTwice)
		return keptRow{}, false
	}
	im.seen[byHolder] = struct{}{}
	im.seen[byCard] = struct{}{}
	return k, true
}

// keep writes one chunk and its audit entry in one transaction. A crash in it
// leaves all of the chunk or nothing (I-8).
func (im *importing) keep(ctx context.Context, rows []keptRow) error {
	if len(rows) == 0 {
		return nil
	}
	var taken []int // line numbers; assigned anew each time, because f may run again
	err := im.g.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		taken = nil
		for _, r := range rows {
			err := im.g.upsert(tx, r)
			if errors.Is(err, store.ErrExists) {
				taken = append(taken, r.line)
				continue
			}
			if err != nil {
				return audit.Entry{}, err
			}
		}
		if len(taken) == len(rows) { // nothing was written, so there is nothing to record
			return audit.Entry{}, nil
		}
		return audit.Entry{
			At: im.g.now(), Actor: im.c.Actor, Event: audit.RegistryImported, Outcome: "ok",
			Note: fmt.Sprintf("kept=%d rejected=%d", len(rows)-len(taken), len(taken)),
		}, nil
	})
	if err != nil {
		return err
	}
	for _, line := range taken {
		im.reject(line, ReasonCardTaken)
	}
	kept := int64(len(rows) - len(taken))
	im.sum.Read += kept
	im.sum.Kept += kept
	im.g.logger.Debug("registry: chunk imported", slog.Int64("kept", kept), slog.Int("card_taken", len(taken)))
	return nil
}

// upsert writes one person. store.ErrExists: the card number is another
// person's.
func (g *Registry) upsert(tx store.Tx, r keptRow) error {
	now := g.now()
	next := store.Person{Holder: r.holder, CardNo: r.cardNo, Region: r.facts.Region, Physical: r.physical, UpdatedAt: now}
	facts := r.facts
	old, err := tx.Person(r.holder)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	default:
		if next, facts, err = g.merge(old, next, facts); err != nil {
			return err
		}
	}
	if next.Sealed, err = g.seal(r.holder, facts); err != nil {
		return err
	}
	if err := tx.UpsertPerson(next); err != nil {
		return err
	}
	return g.raiseCard(tx, next)
}

// merge keeps the values of the old row that a registry client reported.
func (g *Registry) merge(old, next store.Person, facts Facts) (store.Person, Facts, error) {
	replaced := old.ReplacedBy != (vault.Index{}) && old.ReplacedBy == old.CardNo
	if replaced && next.CardNo != old.CardNo {
		// The row is about a card that the person no longer has.
		oldFacts, err := g.open(old)
		if err != nil {
			return store.Person{}, Facts{}, err
		}
		facts.CardNo, next.CardNo, next.Physical = oldFacts.CardNo, old.CardNo, old.Physical
	}
	if rank(old.Physical) > rank(next.Physical) {
		next.Physical = old.Physical
	}
	next.ReplacedBy = old.ReplacedBy
	return next, facts, nil
}

// raiseCard raises the status of the electronic card, if there is one, because
// attempts read only that card's own row. A row that the store
// refuses is refused everywhere, and is left as it is.
func (g *Registry) raiseCard(tx store.Tx, p store.Person) error {
	if p.Physical == liuma.PhysicalNormal {
		return nil
	}
	card, err := tx.CardByHolder(p.Holder)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if errors.Is(err, store.ErrSeal) {
		g.logger.Error("a card's row was refused: its status was not raised", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	if rank(card.Physical) >= rank(p.Physical) {
		return nil
	}
	card.Physical = p.Physical
	return tx.UpdateCard(card)
}
