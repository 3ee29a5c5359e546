package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
)

// settleLabel separates settlements from everything else that a PIN's key may sign. The
// number is 2 because settlements with the number 1 covered one keeper only.
const settleLabel = "liuma/2/settle"

// suite names the curve and the functions of the split check; there is only one suite.
// A settlement made for another suite does not verify here.
const suite = "nist"

// backlog is the length of the queue from which Settle waits until its own requests are
// done, so that a flood of proofs cannot fill the memory.
const backlog = 4096

// SettlementMessage returns the bytes that a settlement's signature or proof covers: the
// label, the suite, every member except signature and proof, and then the keeper,
// incarnation and s of each spend. Each part is preceded by its length as four bytes,
// big endian. Numbers are big endian: key set and version four bytes, s eight, reopen
// one.
func SettlementMessage(s Settlement) []byte {
	m := make([]byte, 0, 96+64*len(s.Spends))
	add := func(part []byte) {
		m = binary.BigEndian.AppendUint32(m, uint32(len(part)))
		m = append(m, part...)
	}
	reopen := []byte{0}
	if s.Reopen {
		reopen[0] = 1
	}
	add([]byte(settleLabel))
	add([]byte(suite))
	add(binary.BigEndian.AppendUint32(nil, s.KeySet))
	add(s.Card[:])
	add(binary.BigEndian.AppendUint32(nil, uint32(s.Version)))
	add(reopen)
	for _, spend := range s.Spends {
		add([]byte(spend.Keeper))
		add(spend.Incarnation[:])
		add(binary.BigEndian.AppendUint64(nil, spend.S))
	}
	return m
}

// Validate requires one to MaxSettled spends with strictly rising keeper names, so that
// there is only one order and no keeper is in it twice. It checks nothing that a keeper
// says of itself: a keeper that answers nonsense must not spoil the proof for the
// others.
func (s Settlement) Validate() error {
	if len(s.Spends) == 0 || len(s.Spends) > MaxSettled {
		return ErrSettlement
	}
	last := ""
	for _, spend := range s.Spends {
		if spend.Keeper <= last || len(spend.Keeper) > MaxKeeperName {
			return ErrSettlement
		}
		last = spend.Keeper
	}
	return nil
}

// Of returns the given keeper's spend in a valid settlement, if there is one.
func (s Settlement) Of(keeper string) (SettledSpend, bool) {
	for _, spend := range s.Spends {
		if spend.Keeper == keeper {
			return spend, true
		}
	}
	return SettledSpend{}, false
}

// SettleRequest carries settlements.
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
		p, err := l.verify(ctx, s)
		if errors.Is(err, ErrSettlement) {
			bad = err
			continue
		}
		if err != nil {
			return err
		}
		if p.row.Version != s.Version {
			continue
		}
		if err := l.queueProof(ctx, p, now.High); err != nil {
			return err
		}
	}
	return bad
}

// proof is a settlement that was checked against the card's row.
type proof struct {
	own    SettledSpend // this ledger's part, the only one that clears anything here
	reopen bool
	row    Row // as it was at the check
}

// verify checks a proof against the card's row. It runs in the caller, beside
// the writer, because checking a signature is by far the slowest part.
func (l *Ledger) verify(ctx context.Context, s Settlement) (proof, error) {
	if err := s.Validate(); err != nil {
		return proof{}, err
	}
	own, ok := s.Of(l.cfg.Keeper)
	if !ok || own.Incarnation != l.Meta().Incarnation {
		return proof{}, ErrSettlement
	}
	row, err := l.row(ctx, s.Card)
	if err != nil {
		return proof{}, err
	}
	p := proof{own: own, reopen: s.Reopen, row: row}
	if s.Version > row.Version || s.Version == 0 || own.S == 0 || own.S > row.Tally.Spent {
		return proof{}, ErrSettlement
	}
	if s.Version < row.Version {
		return p, nil
	}
	if s.KeySet != row.KeySet {
		return proof{}, ErrSettlement
	}
	message := SettlementMessage(s)
	if !s.Proof.Proves(row.Verifier, message) && !ed25519.Verify(row.Verifier[:], message, s.Signature[:]) {
		return proof{}, ErrSettlement
	}
	return p, nil
}

func (l *Ledger) queueProof(ctx context.Context, p proof, now time.Time) error {
	card := p.row.Card
	o := &op{
		cards:   []liuma.CardID{card},
		now:     now,
		patient: true,
		work: func(b *batch) error {
			// The row may have changed since the proof was checked.
			r := b.row(card)
			if b.meta.Incarnation != p.own.Incarnation || r.Version != p.row.Version || r.Verifier != p.row.Verifier {
				return nil
			}
			if r.Tally.Clear(p.own.S, p.reopen) {
				b.touch(card)
			}
			return nil
		},
	}
	return l.queuePatient(ctx, o)
}
