package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
)

// settleLabel tells settlements from everything else that a PIN's key may sign.
const settleLabel = "liuma/1/settle"

// backlog is the length of the queue from which Settle waits for its own
// requests to be done, so that a flood of proofs cannot fill the memory.
const backlog = 4096

// SettlementMessage returns the bytes that a settlement's signature covers: the
// label and every member but the signature, each after its length as four
// bytes, big endian. Numbers are big endian: version four bytes, s eight,
// reopen one.
func SettlementMessage(s Settlement) []byte {
	var version [4]byte
	var number [8]byte
	reopen := []byte{0}
	binary.BigEndian.PutUint32(version[:], uint32(s.Version))
	binary.BigEndian.PutUint64(number[:], s.S)
	if s.Reopen {
		reopen[0] = 1
	}
	m := make([]byte, 0, 128)
	for _, part := range [][]byte{
		[]byte(settleLabel), []byte(s.Keeper), s.Incarnation[:], s.Card[:], version[:], number[:], reopen,
	} {
		m = binary.BigEndian.AppendUint32(m, uint32(len(part)))
		m = append(m, part...)
	}
	return m
}

// SettleRequest brings settlements.
type SettleRequest struct {
	Settlements []Settlement
	Sender      time.Time
	Seen        uint64
}

// Settle takes proofs that spends were right. It verifies them and queues the
// valid ones. Every Spend that is called after Settle has returned sees them,
// and they reach the disk with the next write. Losing one in a crash only
// leaves a guess counted.
//
// A proof of a version that is no longer current is accepted and does nothing,
// since the commit has cleared its guess. A proof that does not verify gives
// ErrSettlement; the other proofs of the request are taken all the same.
func (l *Ledger) Settle(ctx context.Context, req SettleRequest) error {
	now, err := l.admit(header{req.Sender, req.Seen})
	if err != nil {
		return err
	}
	var bad error
	for _, s := range req.Settlements {
		row, err := l.verify(ctx, s)
		if errors.Is(err, ErrSettlement) {
			bad = err
			continue
		}
		if err != nil {
			return err
		}
		if row.Version != s.Version {
			continue
		}
		if err := l.queueProof(ctx, s, row.Verifier, now.High); err != nil {
			return err
		}
	}
	return bad
}

// verify checks a proof against the card's row. It runs in the caller, beside
// the writer, because checking a signature is by far the slowest part.
func (l *Ledger) verify(ctx context.Context, s Settlement) (Row, error) {
	if s.Keeper != l.cfg.Keeper || s.Incarnation != l.Meta().Incarnation {
		return Row{}, ErrSettlement
	}
	row, err := l.row(ctx, s.Card)
	if err != nil {
		return Row{}, err
	}
	if s.Version > row.Version || s.Version == 0 || s.S > row.Tally.Spent {
		return Row{}, ErrSettlement
	}
	if s.Version < row.Version {
		return row, nil
	}
	if !ed25519.Verify(row.Verifier[:], SettlementMessage(s), s.Signature[:]) {
		return Row{}, ErrSettlement
	}
	return row, nil
}

func (l *Ledger) queueProof(ctx context.Context, s Settlement, verifier liuma.Verifier, now time.Time) error {
	o := &op{
		cards:   []liuma.CardID{s.Card},
		now:     now,
		patient: true,
		work: func(b *batch) error {
			// The row may have changed since the proof was checked against it.
			r := b.row(s.Card)
			if b.meta.Incarnation != s.Incarnation || r.Version != s.Version || r.Verifier != verifier {
				return nil
			}
			if r.Tally.Clear(s.S, s.Reopen) {
				b.touch(s.Card)
			}
			return nil
		},
	}
	return l.queuePatient(ctx, o)
}
