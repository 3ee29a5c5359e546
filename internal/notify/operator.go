package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// MessageView is a message as an operator sees it: no number, no name, no text.
type MessageView struct {
	ID       string             `json:"id"`
	Kind     string             `json:"kind"`
	Way      liuma.CodeWay      `json:"way"`
	Card     string             `json:"card"` // in the form of liuma.CardID
	Template string             `json:"template"`
	Language string             `json:"language"`
	Region   liuma.Region       `json:"region"`
	State    store.MessageState `json:"state"`
	Tries    int                `json:"tries"`
	Fault    string             `json:"fault"`
	At       time.Time          `json:"at"`
	NextAt   time.Time          `json:"next_at,omitzero"` // of a waiting message
	Expires  time.Time          `json:"expires,omitzero"`
	DoneAt   time.Time          `json:"done_at,omitzero"`
	// Retriable says whether Retry would accept it.
	Retriable bool `json:"retriable"`
}

// List returns messages in a state, or in all states if it is empty, in the
// order of their IDs: the ones after the ID after, at most limit.
func List(ctx context.Context, s store.Store, state store.MessageState, after string, limit int) ([]MessageView, error) {
	var out []MessageView
	err := s.View(ctx, func(r store.Reader) error {
		page, err := r.Messages(state, after, limit)
		if err != nil {
			return err
		}
		out = make([]MessageView, 0, len(page))
		for _, m := range page {
			l := MessageView{ID: m.ID, Kind: m.Kind, Way: cmp.Or(m.Way, liuma.ByText), Card: m.Card.String(), Template: m.Template,
				Language: m.Language, Region: m.Region, State: m.State, Tries: m.Tries, Fault: m.Fault,
				At: m.At, Expires: m.Expires, DoneAt: m.DoneAt, Retriable: retriable(m)}
			if m.State == store.MessageWaiting {
				l.NextAt = m.NextAt
			}
			out = append(out, l)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("notify: list: %w", err)
	}
	return out, nil
}

// ErrNotRetriable means that a message is not dead, or has a one-time code, or
// was already queued again.
var ErrNotRetriable = errors.New("notify: not to be tried again")

// retriable excludes one-time codes: the holder gets a new one in the ceremony.
func retriable(m store.Message) bool {
	return m.State == store.MessageDead && m.Kind == KindNotice && len(m.Sealed) > 0
}

// retryLife is how long a message is tried after Retry.
const retryLife = 72 * time.Hour

// Retry queues a dead notice again, and returns its ID from then on. A notice
// that no gateway accepted keeps its ID. A notice that a gateway accepted but
// did not deliver gets a new ID, because otherwise the gateway would drop it as
// a repetition. actor is the person who requested it, for the audit entry.
func Retry(ctx context.Context, s store.Store, v *vault.Vault, now time.Time, actor, id string) (string, error) {
	now = now.UTC().Truncate(time.Millisecond)
	var newID string
	err := s.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		m, err := tx.Message(id)
		if err != nil {
			return audit.Entry{}, err
		}
		if !retriable(m) {
			return audit.Entry{}, ErrNotRetriable
		}
		newID, err = retry(tx, v, m, now)
		return audit.Entry{At: now, Actor: actor, Event: audit.MessageTried, Card: m.Card, Outcome: "ok", Note: "again"}, err
	})
	if err != nil {
		return "", fmt.Errorf("notify: retry: %w", err)
	}
	return newID, nil
}

// ErrNotDead means that a message was not given up.
var ErrNotDead = errors.New("notify: not given up")

// Drop deletes a message that was given up, and records who did it and why. The
// holder never gets a dropped notice: the person who drops it must tell them in
// another way. Errors: store.ErrNotFound, ErrNotDead.
func Drop(ctx context.Context, s store.Store, now time.Time, actor, id string, reason audit.Reason) error {
	err := s.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		m, err := tx.Message(id)
		if err != nil {
			return audit.Entry{}, err
		}
		if m.State != store.MessageDead {
			return audit.Entry{}, ErrNotDead
		}
		return audit.Entry{At: now.UTC().Truncate(time.Millisecond), Actor: actor, Event: audit.MessageDropped, Card: m.Card, Outcome: "ok",
			Note: reason.Note("template=" + m.Template)}, tx.DeleteMessage(id)
	})
	if err != nil {
		return fmt.Errorf("notify: drop: %w", err)
	}
	return nil
}

func retry(tx store.Tx, v *vault.Vault, m store.Message, now time.Time) (string, error) {
	again := m
	again.State, again.Tries, again.Fault, again.Ref = store.MessageWaiting, 0, "", ""
	again.NextAt, again.Expires, again.DoneAt = now, now.Add(retryLife), time.Time{}
	if m.Fault != FaultUndelivered {
		return m.ID, tx.UpdateMessage(again)
	}
	p, err := unseal(v, m)
	if err != nil {
		return "", err
	}
	var b [16]byte
	mac := v.RowMAC("message-again", []byte(m.ID))
	copy(b[:], mac[:])
	again.ID, again.At = encodeID(b), now
	if again.Sealed, err = seal(v, again, p); err != nil {
		return "", err
	}
	// The dead message stays as a record, without its content, so that it is
	// not tried a third time.
	m.Sealed = nil
	return again.ID, errors.Join(tx.InsertMessage(again), tx.UpdateMessage(m))
}
