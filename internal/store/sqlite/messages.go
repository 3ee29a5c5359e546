package sqlite

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

const messageColumns = `id, kind, card, template, language, region, sealed, state, tries, next_at, expires, ref, fault,
	at, done_at`

func scanMessage(r *row) store.Message {
	var m store.Message
	m.ID = r.text()
	m.Kind = r.text()
	r.fixed(m.Card[:])
	m.Template = r.text()
	m.Language = r.text()
	m.Region = liuma.Region(r.text())
	m.Sealed = r.bytes()
	m.State = store.MessageState(r.text())
	m.Tries = int(r.int())
	m.NextAt = r.time()
	m.Expires = r.time()
	m.Ref = r.text()
	m.Fault = r.text()
	m.At = r.time()
	m.DoneAt = r.time()
	return m
}

// DueMessages spells the state exactly as the index messages_due does, because
// SQLite would not use the index otherwise.
func (r *reader) DueMessages(kind string, now time.Time, limit int) ([]store.Message, error) {
	return list(r, scanMessage, "SELECT "+messageColumns+` FROM messages
		WHERE state = 'waiting' AND kind = ? AND next_at <= ? ORDER BY next_at, id LIMIT ?`,
		kind, now.UnixMilli(), atMost(limit))
}

func (r *reader) Message(id string) (store.Message, error) {
	return one(r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE id = ?", id)
}

// MessageByRef takes the newest, because a gateway may start its references
// again from one.
func (r *reader) MessageByRef(ref string) (store.Message, error) {
	return one(r, scanMessage, "SELECT "+messageColumns+` FROM messages
		WHERE ref = ? AND ref <> '' ORDER BY at DESC, id DESC LIMIT 1`, ref)
}

func (r *reader) Messages(state store.MessageState, after string, limit int) ([]store.Message, error) {
	if state == "" {
		return list(r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE id > ? ORDER BY id LIMIT ?",
			after, atMost(limit))
	}
	return list(r, scanMessage, "SELECT "+messageColumns+` FROM messages
		WHERE state = ? AND id > ? ORDER BY id LIMIT ?`, string(state), after, atMost(limit))
}

// InsertMessage runs in the transaction of the change that the message tells
// of: a crash leaves both or neither.
func (t *tx) InsertMessage(m store.Message) error {
	return t.insert(`INSERT INTO messages (`+messageColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		m.ID, m.Kind, fixed(m.Card[:]), m.Template, m.Language, string(m.Region), blob(m.Sealed), string(m.State),
		int64(m.Tries), m.NextAt.UnixMilli(), milli(m.Expires), m.Ref, m.Fault, milli(m.At), milli(m.DoneAt))
}

func (t *tx) UpdateMessage(m store.Message) error {
	return t.change(`UPDATE messages SET kind = ?, card = ?, template = ?, language = ?, region = ?, sealed = ?,
		state = ?, tries = ?, next_at = ?, expires = ?, ref = ?, fault = ?, at = ?, done_at = ? WHERE id = ?`,
		m.Kind, fixed(m.Card[:]), m.Template, m.Language, string(m.Region), blob(m.Sealed), string(m.State),
		int64(m.Tries), m.NextAt.UnixMilli(), milli(m.Expires), m.Ref, m.Fault, milli(m.At), milli(m.DoneAt), m.ID)
}

// PruneMessages never drops a waiting message, even if its DoneAt is old.
func (t *tx) PruneMessages(doneBefore time.Time) (int64, error) {
	return t.write("DELETE FROM messages WHERE done_at < ? AND state <> 'waiting'", doneBefore.UnixMilli())
}
