package sqlite

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const contactColumns = "card, phone, sealed, language, bound_at, confirmed_at, hold_until, every_use"

func scanContact(r *row) store.Contact {
	var c store.Contact
	r.fixed(c.Card[:])
	r.fixed(c.Phone[:])
	c.Sealed = r.bytes()
	c.Language = r.text()
	c.BoundAt = r.time()
	c.ConfirmedAt = r.time()
	c.HoldUntil = r.time()
	c.EveryUse = r.bool()
	return c
}

func (r *reader) Contact(card liuma.CardID) (store.Contact, error) {
	return one(r, scanContact, "SELECT "+contactColumns+" FROM contacts WHERE card = ?", card[:])
}

func (t *tx) PutContact(c store.Contact) error {
	return t.insert(`INSERT INTO contacts (`+contactColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (card) DO UPDATE SET phone = excluded.phone, sealed = excluded.sealed,
		language = excluded.language, bound_at = excluded.bound_at, confirmed_at = excluded.confirmed_at,
		hold_until = excluded.hold_until, every_use = excluded.every_use`,
		c.Card[:], fixed(c.Phone[:]), blob(c.Sealed), c.Language, milli(c.BoundAt), milli(c.ConfirmedAt),
		milli(c.HoldUntil), flag(c.EveryUse))
}

const codeColumns = "ceremony, card, phone, mac, sent_at, expires, used"

func scanCode(r *row) store.Code {
	var c store.Code
	c.Ceremony = r.text()
	r.fixed(c.Card[:])
	r.fixed(c.Phone[:])
	r.fixed(c.MAC[:])
	c.SentAt = r.time()
	c.Expires = r.time()
	c.Used = r.time()
	return c
}

func (r *reader) Code(ceremony string) (store.Code, error) {
	return one(r, scanCode, "SELECT "+codeColumns+" FROM codes WHERE ceremony = ?", ceremony)
}

func (t *tx) PutCode(c store.Code) error {
	return t.insert(`INSERT INTO codes (`+codeColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (ceremony) DO UPDATE SET card = excluded.card, phone = excluded.phone, mac = excluded.mac,
		sent_at = excluded.sent_at, expires = excluded.expires, used = excluded.used`,
		c.Ceremony, fixed(c.Card[:]), fixed(c.Phone[:]), fixed(c.MAC[:]), milli(c.SentAt), c.Expires.UnixMilli(),
		milli(c.Used))
}

func (t *tx) DeleteCodesOf(card liuma.CardID) error {
	return t.insert("DELETE FROM codes WHERE card = ?", fixed(card[:]))
}

func (r *reader) Ticks(kind string, key vault.Index, since time.Time) ([]time.Time, error) {
	return list(r, (*row).time, "SELECT at FROM ticks WHERE kind = ? AND key = ? AND at > ? ORDER BY at",
		kind, key[:], since.UnixMilli())
}

// InsertTick never collides: two ration marks in the same millisecond count
// twice.
func (t *tx) InsertTick(k store.Tick) error {
	at := k.At.UnixMilli()
	return t.insert(`INSERT INTO ticks (kind, key, at, n) VALUES (?, ?, ?,
		(SELECT coalesce(max(n), 0) + 1 FROM ticks WHERE kind = ? AND key = ? AND at = ?))`,
		k.Kind, k.Key[:], at, k.Kind, k.Key[:], at)
}

func (t *tx) DeleteTicks(kind string, key vault.Index) error {
	return t.insert("DELETE FROM ticks WHERE kind = ? AND key = ?", kind, key[:])
}

func (t *tx) PruneTicks(before time.Time) (int64, error) {
	return t.write("DELETE FROM ticks WHERE at < ?", before.UnixMilli())
}

const freezeCodeColumns = "mac, card, expires, used"

func scanFreezeCode(r *row) store.FreezeCode {
	var f store.FreezeCode
	r.fixed(f.MAC[:])
	r.fixed(f.Card[:])
	f.Expires = r.time()
	f.Used = r.time()
	return f
}

func (r *reader) FreezeCode(mac vault.MAC) (store.FreezeCode, error) {
	return one(r, scanFreezeCode, "SELECT "+freezeCodeColumns+" FROM freeze_codes WHERE mac = ?", mac[:])
}

func (t *tx) InsertFreezeCode(f store.FreezeCode) error {
	return t.insert("INSERT INTO freeze_codes ("+freezeCodeColumns+") VALUES (?, ?, ?, ?)",
		f.MAC[:], f.Card[:], f.Expires.UnixMilli(), milli(f.Used))
}

func (t *tx) UpdateFreezeCode(f store.FreezeCode) error {
	return t.change("UPDATE freeze_codes SET card = ?, expires = ?, used = ? WHERE mac = ?",
		f.Card[:], f.Expires.UnixMilli(), milli(f.Used), f.MAC[:])
}

func (t *tx) PruneFreezeCodes(expiredBefore time.Time) (int64, error) {
	return t.write("DELETE FROM freeze_codes WHERE expires < ?", expiredBefore.UnixMilli())
}
