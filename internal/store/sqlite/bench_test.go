package sqlite_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
)

const benchChannel liuma.ChannelID = "zj-hrss"

func benchCard(i uint64) store.Card {
	c := store.Card{Sealed: make([]byte, 180), Region: "330500", Version: 1, KeySet: 1, Reserved: 1,
		Physical: liuma.PhysicalNormal, PINSetAt: time.UnixMilli(1e12), CreatedAt: time.UnixMilli(1e12)}
	binary.BigEndian.PutUint64(c.ID[:], i*0x9E3779B97F4A7C15) // spread as random IDs are
	binary.BigEndian.PutUint64(c.Holder[:], i*0xC2B2AE3D27D4EB4F)
	c.Verifier[0] = 1
	return c
}

func benchHandle(i uint64) store.Handle { return store.Handle(fmt.Sprintf("%032x", i)) }

func benchStore(b *testing.B, cards uint64) *sqlite.Store {
	b.Helper()
	path := filepath.Join(b.TempDir(), "authority.db")
	s, err := sqlite.Open(b.Context(), path, sqlite.Config{Seal: keys(b, path)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	const chunk = 5000
	for from := uint64(0); from < cards; from += chunk {
		err := s.Update(b.Context(), func(tx store.Tx) (audit.Entry, error) {
			for i := from; i < min(from+chunk, cards); i++ {
				c := benchCard(i)
				if err := tx.InsertCard(c); err != nil {
					return audit.Entry{}, err
				}
				l := store.Link{Channel: benchChannel, Card: c.ID, Handle: benchHandle(i), At: time.UnixMilli(1e12)}
				if err := tx.PutLink(l); err != nil {
					return audit.Entry{}, err
				}
			}
			return benchEntry(audit.RegistryImported, liuma.CardID{}), nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func benchEntry(e audit.Event, card liuma.CardID) audit.Entry {
	return audit.Entry{At: time.UnixMilli(1e12), Actor: "channel:zj-hrss", Event: e, Card: card, Outcome: "ok"}
}

// verifyOnce makes the store calls of one verification: a View, an Update
// before the attempt and one after it.
func verifyOnce(ctx context.Context, s store.Store, h store.Handle, no liuma.BusinessNo) error {
	var card store.Card
	err := s.View(ctx, func(r store.Reader) error {
		l, err := r.LinkByHandle(benchChannel, h)
		if err != nil {
			return err
		}
		card, err = r.Card(l.Card)
		return err
	})
	if err != nil {
		return err
	}
	now := time.UnixMilli(1e12)
	q := store.Request{Channel: benchChannel, BusinessNo: no, Action: liuma.ActionVerify, Digest: [32]byte{1},
		Card: card.ID, Version: 1, Purpose: [32]byte{2}, At: now}
	err = s.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Card(card.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		c.Tally.Spend(now, ledger.Stranger)
		if err := tx.InsertRequest(q); err != nil {
			return audit.Entry{}, err
		}
		return benchEntry(audit.AttemptBegun, c.ID), tx.UpdateCard(c)
	})
	if err != nil {
		return err
	}
	q.Decided, q.Verdict, q.ReceiptID, q.DecidedAt = true, liuma.Right, "0123456789abcdef", now
	return s.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Card(card.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		c.Tally.Clear(c.Tally.Spent, true)
		if err := tx.UpdateRequest(q); err != nil {
			return audit.Entry{}, err
		}
		return benchEntry(audit.AttemptDecided, c.ID), tx.UpdateCard(c)
	})
}

// BenchmarkVerifyShape reports Updates a second with 64 callers; each
// iteration is one View and two Updates.
func BenchmarkVerifyShape(b *testing.B) {
	for _, cards := range []uint64{1_000, 100_000} {
		b.Run(fmt.Sprintf("cards=%d", cards), func(b *testing.B) {
			s := benchStore(b, cards)
			var n atomic.Uint64
			b.SetParallelism(32)
			b.ResetTimer()
			start := time.Now()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					no := liuma.BusinessNo(fmt.Sprintf("B%012d", i))
					h := benchHandle((i * 0x9E3779B97F4A7C15) % cards)
					if err := verifyOnce(b.Context(), s, h, no); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(2*n.Load())/time.Since(start).Seconds(), "updates/s")
		})
	}
}

// BenchmarkClient reads one client of a hundred, which every request of a channel
// does, and with it the row that lists them all.
func BenchmarkClient(b *testing.B) {
	s := benchStore(b, 0)
	err := s.Update(b.Context(), func(tx store.Tx) (audit.Entry, error) {
		for i := range 100 {
			if err := tx.InsertClient(store.Client{ID: fmt.Sprint("channel", i), Kind: store.ClientChannel, Keys: make([]byte, 300)}); err != nil {
				return audit.Entry{}, err
			}
		}
		return benchEntry(audit.ChannelRegistered, liuma.CardID{}), nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.View(b.Context(), func(r store.Reader) error { _, err := r.Client("channel7"); return err }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRetention measures the steps by which old rows leave: reading 500
// requests, and deleting 100.
func BenchmarkRetention(b *testing.B) {
	s, _ := open(b)
	ctx := b.Context()
	const requests = 20000
	e := audit.Entry{At: time.UnixMilli(1), Actor: "system", Event: audit.RowsPruned, Outcome: "ok"}
	number := func(i int) store.RequestKey {
		return store.RequestKey{Channel: "zj-hrss", BusinessNo: liuma.BusinessNo(fmt.Sprintf("B%08d", i))}
	}
	update := func(f func(store.Tx) error) {
		b.Helper()
		if err := s.Update(ctx, func(tx store.Tx) (audit.Entry, error) { return e, f(tx) }); err != nil {
			b.Fatal(err)
		}
	}
	for at := 0; at < requests; at += 500 {
		update(func(tx store.Tx) error {
			for i := at; i < at+500; i++ {
				k := number(i)
				if err := tx.InsertRequest(store.Request{Channel: k.Channel, BusinessNo: k.BusinessNo, At: time.UnixMilli(int64(i + 1)),
					Decided: true, Verdict: liuma.Right, DecidedAt: time.UnixMilli(int64(i + 2)), Handle: "k3v9m2x7q4w8t6y1p5z0n8b3c7d2f6g4", ReceiptID: "r3v9m2x7q4w8t6y1"}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	b.Run("walk", func(b *testing.B) {
		for b.Loop() {
			err := s.View(ctx, func(r store.Reader) error {
				_, err := r.WalkRequests(nil, time.UnixMilli(1), 500)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	next := 0
	b.Run("delete", func(b *testing.B) {
		for b.Loop() {
			update(func(tx store.Tx) error {
				for i := range 100 {
					if err := tx.DeleteRequest(number((next + i) % requests)); err != nil && !errors.Is(err, store.ErrNotFound) {
						return err
					}
				}
				return nil
			})
			if next += 100; next >= requests {
				b.Skip("all are deleted; use -benchtime 50x")
			}
		}
	})
}
