package rows

import (
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Ticks reads a range of keys: kind, key and time are their beginning.
func (r *Reader) Ticks(kind string, key vault.Index, since time.Time) ([]time.Time, error) {
	marks, err := list(r, &r.codec.ticks, r.codec.at(marksOf(kind, key), marksWithin(kind, key, since.UnixMilli()+1)))
	if err != nil {
		return nil, err
	}
	var at []time.Time
	for _, m := range marks {
		at = append(at, m.At)
	}
	return at, nil
}

func marksWithin(kind string, key vault.Index, from int64) Query {
	return Query{From: ordered(marksOf(kind, key), from),
		To: append(ordered(marksOf(kind, key), latest), 255, 255, 255, 255, 255, 255, 255, 255), Limit: -1}
}

func (r *Reader) FreezeCode(mac vault.MAC) (store.FreezeCode, error) {
	f, _, err := get(r, &r.codec.freezeCodes, mac[:])
	return f, err
}

func (r *Reader) DueMessages(kind string, now time.Time, limit int) ([]store.Message, error) {
	return queue(r, &r.codec.messages, Query{Column: "due", From: dueKey(kind, earliest), To: dueKey(kind, now.UnixMilli()),
		Limit: max(0, limit)})
}

func (r *Reader) Message(id string) (store.Message, error) {
	m, _, err := get(r, &r.codec.messages, []byte(id))
	return m, err
}

// MessageByRef takes the newest, because a gateway may start its references
// again from one.
func (r *Reader) MessageByRef(ref string) (store.Message, error) {
	if ref == "" {
		return store.Message{}, store.ErrNotFound
	}
	return first(r, &r.codec.messages, Query{Column: "ref", From: refKey(ref, earliest), To: refKey(ref, latest), Desc: true})
}

func (r *Reader) Messages(state store.MessageState, after string, limit int) ([]store.Message, error) {
	q := Query{After: []byte(after), Limit: max(0, limit)}
	if state != "" {
		q.Column, q.From, q.To = "state", []byte(state), []byte(state)
	}
	return list(r, &r.codec.messages, q)
}
