package sqlite

import (
	"fmt"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

const ceremonyColumns = `id, channel, business_no, action, region, step, card, request_uri, browser, sealed, tries,
	code, code_until, code_used, revision, at, expires, ended`

func scanCeremony(r *row) store.Ceremony {
	var c store.Ceremony
	c.ID = r.text()
	c.Channel = liuma.ChannelID(r.text())
	c.BusinessNo = liuma.BusinessNo(r.text())
	c.Action = liuma.Action(r.text())
	c.Region = liuma.Region(r.text())
	c.Step = r.text()
	r.fixed(c.Card[:])
	r.fixed(c.RequestURI[:])
	r.fixed(c.Browser[:])
	c.Sealed = r.bytes()
	c.Tries = int(r.int())
	r.fixed(c.Code[:])
	c.CodeUntil = r.time()
	c.CodeUsed = r.time()
	c.Revision = uint64(r.int())
	c.At = r.time()
	c.Expires = r.time()
	c.Ended = r.time()
	return c
}

func (r *reader) Ceremony(id string) (store.Ceremony, error) {
	return one(r, scanCeremony, "SELECT "+ceremonyColumns+" FROM ceremonies WHERE id = ?", id)
}

// CeremonyByRequestURI and CeremonyByCode find nothing for a zero hash: it is
// bound as NULL, which equals nothing.
func (r *reader) CeremonyByRequestURI(hash [32]byte) (store.Ceremony, error) {
	return one(r, scanCeremony, "SELECT "+ceremonyColumns+" FROM ceremonies WHERE request_uri = ?", fixed(hash[:]))
}

func (r *reader) CeremonyByCode(hash [32]byte) (store.Ceremony, error) {
	return one(r, scanCeremony, "SELECT "+ceremonyColumns+" FROM ceremonies WHERE code = ?", fixed(hash[:]))
}

func (r *reader) CeremoniesOf(card liuma.CardID) ([]store.Ceremony, error) {
	return list(r, scanCeremony, "SELECT "+ceremonyColumns+` FROM ceremonies
		WHERE card = ? AND ended IS NULL ORDER BY at, id`, fixed(card[:]))
}

func (r *reader) DueCeremonies(now time.Time, limit int) ([]store.Ceremony, error) {
	return list(r, scanCeremony, "SELECT "+ceremonyColumns+` FROM ceremonies
		WHERE ended IS NULL AND expires < ? ORDER BY expires, id LIMIT ?`, now.UnixMilli(), atMost(limit))
}

func (t *tx) InsertCeremony(c store.Ceremony) error {
	if c.Revision > math.MaxInt64 {
		return fmt.Errorf("store: revision %d is out of range", c.Revision)
	}
	return t.insert(`INSERT INTO ceremonies (`+ceremonyColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, string(c.Channel), string(c.BusinessNo), string(c.Action), string(c.Region), c.Step, fixed(c.Card[:]),
		fixed(c.RequestURI[:]), fixed(c.Browser[:]), blob(c.Sealed), int64(c.Tries), fixed(c.Code[:]),
		milli(c.CodeUntil), milli(c.CodeUsed), int64(c.Revision), milli(c.At), c.Expires.UnixMilli(), milli(c.Ended))
}

// UpdateCeremony compares and sets in one statement. A crash after it and
// before the commit leaves the step as it was: the page goes on from there.
func (t *tx) UpdateCeremony(c store.Ceremony) error {
	if c.Revision >= math.MaxInt64 {
		return fmt.Errorf("store: revision %d is out of range", c.Revision)
	}
	n, err := t.write(`UPDATE ceremonies SET region = ?, step = ?, card = ?, request_uri = ?, browser = ?, sealed = ?,
		tries = ?, code = ?, code_until = ?, code_used = ?, at = ?, expires = ?, ended = ?, revision = revision + 1
		WHERE id = ? AND revision = ?`,
		string(c.Region), c.Step, fixed(c.Card[:]), fixed(c.RequestURI[:]), fixed(c.Browser[:]), blob(c.Sealed),
		int64(c.Tries), fixed(c.Code[:]), milli(c.CodeUntil), milli(c.CodeUsed), milli(c.At), c.Expires.UnixMilli(),
		milli(c.Ended), c.ID, int64(c.Revision))
	if err != nil || n == 1 {
		return err
	}
	switch there, err := t.count("SELECT count(*) FROM ceremonies WHERE id = ?", c.ID); {
	case err != nil:
		return err
	case there == 0:
		return store.ErrNotFound
	}
	return store.ErrConflict
}

// PruneCeremonies drops their one-time codes too, by the foreign key.
func (t *tx) PruneCeremonies(endedBefore time.Time) (int64, error) {
	return t.write("DELETE FROM ceremonies WHERE ended < ?", endedBefore.UnixMilli())
}
