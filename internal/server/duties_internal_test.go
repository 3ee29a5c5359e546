package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
)

// mute is a database that says nothing of duties while it is away.
type mute struct {
	store.Among
	away bool
}

func (m *mute) Self() store.Peer { return store.Peer{} }

func (m *mute) TakeDuty(context.Context, store.Duty, time.Duration) (bool, error) {
	if m.away {
		return false, errors.New("away")
	}
	return true, nil
}

// TestDeafToDuties: who does not hear whose the duties are is not ready after a while, and is
// again once it hears.
func TestDeafToDuties(t *testing.T) {
	m := &mute{}
	d := openDuties(t.Context(), m, slog.New(slog.DiscardHandler))
	if err := d.heard(); err != nil {
		t.Errorf("when they are heard: %v", err)
	}
	m.away = true
	d.told = d.told.Add(-dutyDeaf)
	d.take(t.Context())
	if d.heard() == nil {
		t.Error("it is ready although nothing was heard for long")
	}
	m.away = false
	d.take(t.Context())
	if err := d.heard(); err != nil {
		t.Errorf("when they are heard again: %v", err)
	}
}
