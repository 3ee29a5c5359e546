package sqlite

import (
	"fmt"
	"math"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
)

const sealKeyColumns = "id, public, sealed, made_at, retire_at, gone_at"

func scanSealKey(r *row) store.SealKey {
	return store.SealKey{ID: r.text(), Public: r.bytes(), Sealed: r.bytes(),
		MadeAt: r.time(), RetireAt: r.time(), GoneAt: r.time()}
}

func (r *reader) SealKeys() ([]store.SealKey, error) {
	return list(r, scanSealKey, "SELECT "+sealKeyColumns+" FROM seal_keys ORDER BY made_at DESC, id")
}

func (t *tx) InsertSealKey(k store.SealKey) error {
	return t.insert("INSERT INTO seal_keys ("+sealKeyColumns+") VALUES (?, ?, ?, ?, ?, ?)",
		k.ID, blob(k.Public), blob(k.Sealed), milli(k.MadeAt), milli(k.RetireAt), milli(k.GoneAt))
}

// DeleteSealKey overwrites the row (secure_delete); once it is committed the
// writer empties the WAL, which may hold earlier copies of the page.
func (t *tx) DeleteSealKey(id string) error {
	if err := t.change("DELETE FROM seal_keys WHERE id = ?", id); err != nil {
		return err
	}
	t.destroys = true
	return nil
}

func (r *reader) Clock() (clock.State, error) {
	return one(r, func(row *row) clock.State {
		return clock.State{High: row.time(), Boot: time.Duration(row.int()), BootID: row.text()}
	}, "SELECT high, boot, boot_id FROM clock WHERE id = 1")
}

func (t *tx) SaveClock(s clock.State) error {
	wrote := t.wrote
	err := t.insert(`INSERT INTO clock (id, high, boot, boot_id) VALUES (1, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET high = excluded.high, boot = excluded.boot, boot_id = excluded.boot_id
		WHERE excluded.high >= high`, s.High.UnixMilli(), int64(s.Boot), s.BootID)
	t.wrote, t.clock = wrote, true
	return err
}

func (r *reader) KeepersSeen() (map[string]uint64, error) {
	seen := map[string]uint64{}
	err := r.each(func(row *row) error {
		keeper := row.text()
		seen[keeper] = uint64(row.int())
		return nil
	}, "SELECT keeper, sequence FROM keepers_seen")
	if err != nil {
		return nil, err
	}
	return seen, nil
}

func (t *tx) SaveKeepersSeen(seen map[string]uint64) error {
	for keeper, sequence := range seen {
		if sequence > math.MaxInt64 {
			return fmt.Errorf("store: sequence %d is out of range", sequence)
		}
		err := t.insert(`INSERT INTO keepers_seen (keeper, sequence) VALUES (?, ?)
			ON CONFLICT (keeper) DO UPDATE SET sequence = max(sequence, excluded.sequence)`, keeper, int64(sequence))
		if err != nil {
			return err
		}
	}
	return nil
}
