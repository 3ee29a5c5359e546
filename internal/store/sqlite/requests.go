package sqlite

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

const requestColumns = `channel, business_no, action, digest, card, version, purpose, decided, verdict, code,
	tries_left, until, evidence, receipt_id, at, decided_at, redeemed_at, ceremony, handle`

func scanRequest(r *row) store.Request {
	var q store.Request
	q.Channel = liuma.ChannelID(r.text())
	q.BusinessNo = liuma.BusinessNo(r.text())
	q.Action = liuma.Action(r.text())
	r.fixed(q.Digest[:])
	r.fixed(q.Card[:])
	q.Version = liuma.Version(r.uint32())
	r.fixed(q.Purpose[:])
	q.Decided = r.bool()
	q.Verdict = liuma.Verdict(r.text())
	q.Code = liuma.Code(r.text())
	q.TriesLeft = int(r.int())
	q.Until = r.time()
	q.Evidence = r.text()
	q.ReceiptID = r.text()
	q.At = r.time()
	q.DecidedAt = r.time()
	q.RedeemedAt = r.time()
	q.Ceremony = r.text()
	q.Handle = store.Handle(r.text())
	return q
}

func (r *reader) Request(ch liuma.ChannelID, no liuma.BusinessNo) (store.Request, error) {
	return one(r, scanRequest, "SELECT "+requestColumns+" FROM requests WHERE channel = ? AND business_no = ?",
		string(ch), string(no))
}

// InsertRequest is unique by the primary key (I-11). A crash after it leaves an
// undecided request, which stays undecided.
func (t *tx) InsertRequest(q store.Request) error {
	return t.insert(`INSERT INTO requests (`+requestColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		string(q.Channel), string(q.BusinessNo), string(q.Action), fixed(q.Digest[:]), fixed(q.Card[:]),
		int64(q.Version), fixed(q.Purpose[:]), flag(q.Decided), string(q.Verdict), string(q.Code),
		int64(q.TriesLeft), milli(q.Until), q.Evidence, q.ReceiptID, milli(q.At), milli(q.DecidedAt), milli(q.RedeemedAt),
		q.Ceremony, string(q.Handle))
}

// UpdateRequest relies on the trigger requests_decided (I-11).
func (t *tx) UpdateRequest(q store.Request) error {
	return t.change(`UPDATE requests SET action = ?, digest = ?, card = ?, version = ?, purpose = ?, decided = ?,
		verdict = ?, code = ?, tries_left = ?, until = ?, evidence = ?, receipt_id = ?, at = ?, decided_at = ?,
		redeemed_at = ?, handle = ? WHERE channel = ? AND business_no = ?`,
		string(q.Action), fixed(q.Digest[:]), fixed(q.Card[:]), int64(q.Version), fixed(q.Purpose[:]), flag(q.Decided),
		string(q.Verdict), string(q.Code), int64(q.TriesLeft), milli(q.Until), q.Evidence, q.ReceiptID, milli(q.At),
		milli(q.DecidedAt), milli(q.RedeemedAt), string(q.Handle), string(q.Channel), string(q.BusinessNo))
}

const intentColumns = `card, from_version, version, key_set, verifier, state, owner, lease, mac, channel, business_no, at`

func scanIntent(r *row) store.Intent {
	var i store.Intent
	r.fixed(i.Card[:])
	i.From = liuma.Version(r.uint32())
	i.Version = liuma.Version(r.uint32())
	i.KeySet = r.uint32()
	r.fixed(i.Verifier[:])
	state := r.int()
	if state < 0 || state > 255 {
		r.fail("is not an intent's state")
	}
	i.State = store.IntentState(state)
	i.Owner = r.text()
	i.Lease = r.time()
	r.fixed(i.MAC[:])
	i.Channel = liuma.ChannelID(r.text())
	i.BusinessNo = liuma.BusinessNo(r.text())
	i.At = r.time()
	return i
}

func (r *reader) Intent(card liuma.CardID) (store.Intent, error) {
	return one(r, scanIntent, "SELECT "+intentColumns+" FROM intents WHERE card = ?", card[:])
}

func (r *reader) Intents(after liuma.CardID, limit int) ([]store.Intent, error) {
	return list(r, scanIntent, "SELECT "+intentColumns+" FROM intents WHERE card > ? ORDER BY card LIMIT ?",
		after[:], atMost(limit))
}

// InsertIntent is unique by the primary key (I-7): one open intent a card.
func (t *tx) InsertIntent(i store.Intent) error {
	return t.insert(`INSERT INTO intents (`+intentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		i.Card[:], int64(i.From), int64(i.Version), int64(i.KeySet), fixed(i.Verifier[:]), int64(i.State), i.Owner,
		milli(i.Lease), fixed(i.MAC[:]), string(i.Channel), string(i.BusinessNo), milli(i.At))
}

func (t *tx) UpdateIntent(i store.Intent) error {
	return t.change(`UPDATE intents SET from_version = ?, version = ?, key_set = ?, verifier = ?, state = ?, owner = ?,
		lease = ?, mac = ?, channel = ?, business_no = ?, at = ? WHERE card = ?`,
		int64(i.From), int64(i.Version), int64(i.KeySet), fixed(i.Verifier[:]), int64(i.State), i.Owner,
		milli(i.Lease), fixed(i.MAC[:]), string(i.Channel), string(i.BusinessNo), milli(i.At), i.Card[:])
}

func (t *tx) DeleteIntent(card liuma.CardID) error {
	return t.change("DELETE FROM intents WHERE card = ?", card[:])
}
