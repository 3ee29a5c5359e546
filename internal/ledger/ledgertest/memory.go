package ledgertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// Memory is a Place in memory, for tests that need no disk. Its content
// outlives the backends that are opened on it.
type Memory struct {
	mu   sync.Mutex
	open bool                    // guarded by mu
	rows map[liuma.CardID][]byte // guarded by mu; as AppendRow writes them
	meta ledger.Meta             // guarded by mu
}

// NewMemory makes an empty place.
func NewMemory() *Memory {
	m := &Memory{rows: make(map[liuma.CardID][]byte)}
	rand.Read(m.meta.Incarnation[:]) // never fails since Go 1.24
	return m
}

// Open implements Place.
func (m *Memory) Open(context.Context) (ledger.Backend, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open {
		return nil, ledger.ErrLeased
	}
	m.open = true
	return &memoryBackend{place: m}, nil
}

// Crashed implements Place.
func (m *Memory) Crashed(testing.TB) Place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{rows: maps.Clone(m.rows), meta: m.meta}
}

type memoryBackend struct {
	place  *Memory
	closed bool // guarded by place.mu
}

func (b *memoryBackend) use(f func(*Memory) error) error {
	b.place.mu.Lock()
	defer b.place.mu.Unlock()
	if b.closed {
		return ledger.ErrClosed
	}
	return f(b.place)
}

func (b *memoryBackend) Load(_ context.Context, cards []liuma.CardID) (rows []ledger.Row, err error) {
	err = b.use(func(m *Memory) error {
		for _, card := range cards {
			row := ledger.Row{Card: card}
			if data, ok := m.rows[card]; ok {
				if row, err = ledger.ParseRow(card, data); err != nil {
					return err
				}
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, err
}

func (b *memoryBackend) Tagged(_ context.Context, tag ledger.Tag) (cards []liuma.CardID, err error) {
	err = b.use(func(m *Memory) error {
		for card, data := range m.rows {
			row, err := ledger.ParseRow(card, data)
			if err != nil {
				return err
			}
			if row.Tag == tag {
				cards = append(cards, card)
			}
		}
		return nil
	})
	return cards, err
}

func (b *memoryBackend) Apply(_ context.Context, rows []ledger.Row, meta ledger.Meta) error {
	return b.use(func(m *Memory) error {
		encoded := make([][]byte, len(rows))
		for i, r := range rows {
			data, err := ledger.AppendRow(nil, r)
			if err != nil {
				return err
			}
			encoded[i] = data
		}
		for i, r := range rows {
			m.rows[r.Card] = encoded[i]
		}
		m.meta = meta
		return nil
	})
}

func (b *memoryBackend) Meta(context.Context) (meta ledger.Meta, err error) {
	err = b.use(func(m *Memory) error {
		meta = m.meta
		return nil
	})
	return meta, err
}

func (b *memoryBackend) Scan(_ context.Context, after liuma.CardID, visit func(ledger.Row) error) error {
	var rows []ledger.Row
	err := b.use(func(m *Memory) error {
		for card, data := range m.rows {
			if bytes.Compare(card[:], after[:]) <= 0 {
				continue
			}
			row, err := ledger.ParseRow(card, data)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(x, y ledger.Row) int { return bytes.Compare(x.Card[:], y.Card[:]) })
	for _, r := range rows {
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

func (b *memoryBackend) Close() error {
	b.place.mu.Lock()
	defer b.place.mu.Unlock()
	if !b.closed {
		b.closed, b.place.open = true, false
	}
	return nil
}
