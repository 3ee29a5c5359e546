package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// Statements handle several cards at once. Measured with 64 cards: one SELECT
// for all takes less than half the time of 64 SELECTs, and one INSERT about
// half.
const (
	loadFew  = 8
	loadMany = 64
	putMany  = 16
)

// writer is the single connection that writes, with its prepared statements.
type writer struct {
	conn                    *sql.Conn
	begin, commit, rollback *sql.Stmt
	selectFew, selectMany   *sql.Stmt
	selectTagged            *sql.Stmt
	upsertOne, upsertMany   *sql.Stmt
	selectMeta, updateMeta  *sql.Stmt
	bodies                  []byte // reused between batches
}

// selectCards reads n cards; a card that is listed twice is returned once.
func selectCards(n int) string {
	return `SELECT card, body FROM card WHERE card IN (?` + strings.Repeat(`, ?`, n-1) + `)`
}

func upsertCards(n int) string {
	return `INSERT INTO card (card, tag, body) VALUES (?, ?, ?)` + strings.Repeat(`, (?, ?, ?)`, n-1) +
		` ON CONFLICT (card) DO UPDATE SET tag = excluded.tag, body = excluded.body`
}

func newWriter(ctx context.Context, db *sql.DB) (_ *writer, err error) {
	w := &writer{}
	if w.conn, err = db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("ledger file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	for _, s := range []struct {
		into **sql.Stmt
		text string
	}{
		{&w.begin, `BEGIN IMMEDIATE`},
		{&w.commit, `COMMIT`},
		{&w.rollback, `ROLLBACK`},
		{&w.selectFew, selectCards(loadFew)},
		{&w.selectMany, selectCards(loadMany)},
		{&w.selectTagged, `SELECT card FROM card WHERE tag = ?`},
		{&w.upsertOne, upsertCards(1)},
		{&w.upsertMany, upsertCards(putMany)},
		{&w.selectMeta, `SELECT incarnation, sequence, clock, boot, boot_id, owner, repairing FROM meta WHERE id = 1`},
		{&w.updateMeta, `UPDATE meta SET incarnation = ?, sequence = ?, clock = ?, boot = ?, boot_id = ?, owner = ?, repairing = ? WHERE id = 1`},
	} {
		if *s.into, err = w.conn.PrepareContext(ctx, s.text); err != nil {
			return nil, fmt.Errorf("ledger statement: %w", err)
		}
	}
	return w, nil
}

func (w *writer) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{
		w.begin, w.commit, w.rollback, w.selectFew, w.selectMany, w.selectTagged, w.upsertOne, w.upsertMany, w.selectMeta, w.updateMeta,
	} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// load reads the cards in their order.
func (w *writer) load(ctx context.Context, cards []liuma.CardID) ([]ledger.Row, error) {
	rows := make([]ledger.Row, len(cards))
	place := make(map[liuma.CardID]*ledger.Row, len(cards))
	for i, card := range cards {
		rows[i].Card = card
		place[card] = &rows[i]
	}
	for chunk := range slices.Chunk(cards, loadMany) {
		stmt, n := w.selectMany, loadMany
		if len(chunk) <= loadFew {
			stmt, n = w.selectFew, loadFew
		}
		args := make([]any, n)
		for i := range args {
			args[i] = chunk[min(i, len(chunk)-1)][:] // padded with the last card
		}
		if err := loadInto(ctx, stmt, args, place); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func loadInto(ctx context.Context, stmt *sql.Stmt, args []any, place map[liuma.CardID]*ledger.Row) error {
	found, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return fmt.Errorf("ledger rows: %w", err)
	}
	defer found.Close()
	for found.Next() {
		var card, body sql.RawBytes
		if err := found.Scan(&card, &body); err != nil {
			return fmt.Errorf("ledger rows: %w", err)
		}
		if len(card) != len(liuma.CardID{}) || place[liuma.CardID(card)] == nil {
			return errors.New("ledger rows: not the card that was asked for")
		}
		row, err := ledger.ParseRow(liuma.CardID(card), body)
		if err != nil {
			return err
		}
		*place[row.Card] = row
	}
	// Without this check an interrupted read would look like cards without
	// guesses.
	if err := found.Err(); err != nil {
		return fmt.Errorf("ledger rows: %w", err)
	}
	return nil
}

// tagged lists the cards with the tag.
func (w *writer) tagged(ctx context.Context, tag ledger.Tag) ([]liuma.CardID, error) {
	found, err := w.selectTagged.QueryContext(ctx, tag[:])
	if err != nil {
		return nil, fmt.Errorf("ledger tags: %w", err)
	}
	defer found.Close()
	var cards []liuma.CardID
	for found.Next() {
		var card sql.RawBytes
		if err := found.Scan(&card); err != nil {
			return nil, fmt.Errorf("ledger tags: %w", err)
		}
		if len(card) != len(liuma.CardID{}) {
			return nil, errors.New("ledger tags: not a card")
		}
		cards = append(cards, liuma.CardID(card))
	}
	// Without this check an interrupted read would look like a holder without a
	// card.
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("ledger tags: %w", err)
	}
	return cards, nil
}

// apply writes a batch. Before COMMIT returns, a crash leaves none of it; after
// that, all of it (I-1, I-7). An error of COMMIT may mean either.
func (w *writer) apply(ctx context.Context, rows []ledger.Row, meta ledger.Meta) error {
	if _, err := w.begin.ExecContext(ctx); err != nil {
		return fmt.Errorf("ledger begin: %w", err)
	}
	err := w.put(ctx, rows, meta)
	if err == nil {
		if _, err = w.commit.ExecContext(ctx); err == nil {
			return nil
		}
		err = fmt.Errorf("ledger commit: %w", err)
	}
	undone := w.undo(context.WithoutCancel(ctx), meta)
	if undone == nil && sqlitefile.Full(err) {
		return fmt.Errorf("%w: %w", ledger.ErrFull, err)
	}
	return errors.Join(err, undone)
}

// undo rolls back a transaction that failed. It returns nil only when it is
// certain that nothing of the transaction is kept: none is open, and meta, which
// every batch changes, is not the batch's. ROLLBACK fails if SQLite has rolled
// back by itself; then a new transaction can begin, which shows it.
func (w *writer) undo(ctx context.Context, meta ledger.Meta) error {
	_, err := w.rollback.ExecContext(ctx)
	if err != nil {
		if _, e := w.begin.ExecContext(ctx); e != nil {
			return fmt.Errorf("ledger rollback: %w", errors.Join(err, e))
		}
		if _, e := w.rollback.ExecContext(ctx); e != nil {
			return fmt.Errorf("ledger rollback: %w", errors.Join(err, e))
		}
	}
	now, err := w.meta(ctx)
	if err != nil {
		return err
	}
	if now.Incarnation == meta.Incarnation && now.Sequence == meta.Sequence && sameTime(now.High, meta.High) {
		return errors.New("ledger rollback: the batch was kept")
	}
	return nil
}

// sameTime compares a time that was read with one that was to be written.
func sameTime(read, wrote clock.State) bool {
	return read.Boot == wrote.Boot && read.BootID == wrote.BootID && (wrote.High.IsZero() || read.High.UnixMilli() == wrote.High.UnixMilli())
}

func (w *writer) put(ctx context.Context, rows []ledger.Row, meta ledger.Meta) error {
	w.bodies = w.bodies[:0]
	args := make([]any, 0, 3*putMany)
	for chunk := range slices.Chunk(rows, putMany) {
		args = args[:0]
		for i := range chunk {
			from := len(w.bodies)
			bodies, err := ledger.AppendRow(w.bodies, chunk[i])
			if err != nil {
				return err
			}
			w.bodies = bodies
			var tag any // NULL before the first commit
			if !chunk[i].Tag.IsZero() {
				tag = chunk[i].Tag[:]
			}
			args = append(args, chunk[i].Card[:], tag, bodies[from:])
		}
		stmt, n := w.upsertMany, len(args)
		if len(chunk) < putMany {
			stmt, n = w.upsertOne, 3
		}
		for one := range slices.Chunk(args, n) {
			if _, err := stmt.ExecContext(ctx, one...); err != nil {
				return fmt.Errorf("ledger row: %w", err)
			}
		}
	}
	if meta.Sequence > math.MaxInt64 {
		return errors.New("ledger meta: sequence too large")
	}
	var at int64
	if !meta.High.High.IsZero() {
		at = meta.High.High.UnixMilli()
	}
	owner := []byte{}
	if meta.Owner != [32]byte{} {
		owner = meta.Owner[:]
	}
	done, err := w.updateMeta.ExecContext(ctx, meta.Incarnation[:], int64(meta.Sequence), at, int64(meta.High.Boot), meta.High.BootID, owner, meta.Repairing)
	if err != nil {
		return fmt.Errorf("ledger meta: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errors.New("ledger meta: the row is gone"), err)
	}
	return nil
}

func (w *writer) meta(ctx context.Context) (ledger.Meta, error) {
	var incarnation, owner []byte
	var sequence, at, boot int64
	var bootID string
	var repairing bool
	if err := w.selectMeta.QueryRowContext(ctx).Scan(&incarnation, &sequence, &at, &boot, &bootID, &owner, &repairing); err != nil {
		return ledger.Meta{}, fmt.Errorf("ledger meta: %w", err)
	}
	if len(incarnation) != 16 || sequence < 0 || len(owner) != 0 && len(owner) != 32 {
		return ledger.Meta{}, errors.New("ledger meta: damaged")
	}
	m := ledger.Meta{Incarnation: [16]byte(incarnation), Sequence: uint64(sequence),
		High: clock.State{High: fromMillis(at), Boot: time.Duration(boot), BootID: bootID}, Repairing: repairing}
	copy(m.Owner[:], owner)
	return m, nil
}
