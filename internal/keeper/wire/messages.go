package wire

import (
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// kind is the type of a frame.
type kind uint8

// The types of frames. An answer has the request's type with answered set; a fault is the
// answer to a request that failed.
const (
	ping        kind = 0
	attempt     kind = 1
	propose     kind = 2
	commit      kind = 3
	settle      kind = 4
	status      kind = 5
	statusOfTag kind = 6
	head        kind = 7
	retag       kind = 8
	admit       kind = 9
	retire      kind = 10
	unretire    kind = 11
	scan        kind = 12
	about       kind = 13

	answered kind = 0x80
	fault    kind = 0xff
)

// mostShares bounds the shares in an answer. A keeper of the largest shape, 3 of 5,
// holds six of the ten share keys, so no correct answer exceeds it.
const mostShares = 16

func (b *body) header(h keeper.Header) { b.when(h.Now); b.u64(h.Seen) }

func (r *reader) header() keeper.Header {
	return keeper.Header{Now: r.when(), Seen: r.u64()}
}

func (b *body) answer(a keeper.Answer) { b.u64(a.Sequence); b.raw(a.Incarnation[:]) }

func (r *reader) answer() keeper.Answer {
	return keeper.Answer{Sequence: r.u64(), Incarnation: r.incarnation()}
}

func (b *body) limits(l ledger.Limits) {
	b.u32(uint32(l.Attempts)) //nolint:gosec // small counts; the reader checks
	b.span(l.Window)
	b.span(l.LockFor)
	b.u32(uint32(l.Failures)) //nolint:gosec // as above
}

func (r *reader) limits() ledger.Limits {
	return ledger.Limits{Attempts: r.small(), Window: r.span(), LockFor: r.span(), Failures: r.small()}
}

func (b *body) commitment(c ledger.Commitment) {
	b.raw(c.Card[:])
	b.u32(uint32(c.Version))
	b.u32(uint32(c.Replaces))
	b.u32(c.KeySet)
	b.raw(c.Verifier[:])
	b.raw(c.Tag[:])
}

func (r *reader) commitment() ledger.Commitment {
	return ledger.Commitment{Card: r.card(), Version: r.pinVersion(), Replaces: r.pinVersion(), KeySet: r.u32(), Verifier: r.verifier(), Tag: r.tag()}
}

func (b *body) settlements(list []ledger.Settlement) {
	b.u16(len(list))
	for _, s := range list {
		b.raw(s.Card[:])
		b.u32(uint32(s.Version))
		b.u32(s.KeySet)
		b.flag(s.Reopen)
		b.u8(uint8(len(s.Spends))) //nolint:gosec // at most ledger.MaxSettled; the reader checks
		for _, spend := range s.Spends {
			b.text(spend.Keeper)
			b.raw(spend.Incarnation[:])
			b.u64(spend.S)
		}
		b.raw(s.Signature[:])
	}
}

// settlements reads proofs. Their spends have one order (ledger.Settlement.Validate
// refuses others).
func (r *reader) settlements() []ledger.Settlement {
	n := r.count(keeper.MaxSettlements)
	if n == 0 {
		return nil
	}
	out := make([]ledger.Settlement, n)
	for i := range out {
		s := &out[i]
		s.Card, s.Version, s.KeySet, s.Reopen = r.card(), r.pinVersion(), r.u32(), r.flag()
		spends := r.u8()
		if spends > ledger.MaxSettled {
			r.fail = true
		}
		for range spends {
			if r.fail { // keep nothing more of a body that is refused
				return nil
			}
			s.Spends = append(s.Spends, ledger.SettledSpend{Keeper: r.text(), Incarnation: r.incarnation(), S: r.u64()})
		}
		r.into(s.Signature[:])
		r.fail = r.fail || s.Validate() != nil
	}
	return out
}

func (b *body) heads(list []ledger.Head) {
	b.u16(len(list))
	for _, h := range list {
		b.raw(h.Card[:])
		b.u64(h.Head)
	}
}

func (r *reader) heads() []ledger.Head {
	n := r.count(maxHeads)
	if n == 0 {
		return nil
	}
	out := make([]ledger.Head, n)
	for i := range out {
		out[i] = ledger.Head{Card: r.card(), Head: r.u64()}
	}
	return out
}

func (b *body) refusal(f *ledger.Refusal) {
	b.flag(f != nil)
	if f == nil {
		return
	}
	b.text(string(f.Reason))
	b.when(f.Until)
	b.u32(uint32(f.At))
	b.u32(uint32(f.Mark))
	b.u64(f.Head)
}

func (r *reader) refusal() *ledger.Refusal {
	if !r.flag() {
		return nil
	}
	return &ledger.Refusal{Reason: ledger.Reason(r.text()), Until: r.when(), At: r.pinVersion(), Mark: r.pinVersion(), Head: r.u64()}
}

func (b *body) shares(list []split.Share) {
	b.u8(uint8(len(list))) //nolint:gosec // at most mostShares
	for _, s := range list {
		b.u8(uint8(s.Subset))
		b.point(s.Point)
	}
}

func (r *reader) shares() []split.Share {
	n := int(r.u8())
	if n > mostShares {
		r.fail = true
		return nil
	}
	if n == 0 {
		return nil
	}
	out := make([]split.Share, n)
	for i := range out {
		out[i] = split.Share{Subset: split.Subset(r.u8()), Point: r.point()}
	}
	return out
}

// row writes a row after its card. A row without a version, which a keeper returns for an
// unknown card, has an empty encoding.
func (b *body) row(row ledger.Row) error {
	b.raw(row.Card[:])
	if row == (ledger.Row{Card: row.Card}) {
		b.u16(0)
		return nil
	}
	enc, err := ledger.AppendRow(nil, row)
	if err != nil {
		return err
	}
	b.u16(len(enc))
	b.raw(enc)
	return nil
}

// row reads a row. A row has one encoding (ledger.ParseRow refuses others).
func (r *reader) row() ledger.Row {
	card, n := r.card(), r.u16()
	b := r.take(n)
	if n == 0 || b == nil {
		return ledger.Row{Card: card}
	}
	row, err := ledger.ParseRow(card, b)
	if err != nil {
		r.fail = true
	}
	return row
}

func (b *body) attempt(q keeper.AttemptRequest) {
	b.header(q.Header)
	b.raw(q.Card[:])
	b.u64(q.Head)
	b.u32(uint32(q.Version))
	b.u32(q.KeySet)
	b.point(q.Blinded)
	b.u8(uint8(q.Lane))
	b.u32(uint32(q.Reserve)) //nolint:gosec // a small count; the reader checks
	b.limits(q.Limits)
	b.flag(q.Commit != nil)
	if q.Commit != nil {
		b.commitment(*q.Commit)
	}
	b.settlements(q.Settlements)
}

func (r *reader) attempt() keeper.AttemptRequest {
	q := keeper.AttemptRequest{Header: r.header(), Card: r.card(), Head: r.u64(), Version: r.pinVersion(), KeySet: r.u32(), Blinded: r.point(),
		Lane: ledger.Lane(r.u8()), Reserve: r.small(), Limits: r.limits()}
	if r.flag() {
		c := r.commitment()
		q.Commit = &c
	}
	q.Settlements = r.settlements()
	return q
}

func (b *body) attemptAnswer(a keeper.AttemptAnswer) {
	b.answer(a.Answer)
	b.u64(a.Spend)
	b.u32(uint32(a.Left)) //nolint:gosec // a small count; the reader checks
	b.shares(a.Shares)
	b.refusal(a.Refusal)
}

func (r *reader) attemptAnswer() keeper.AttemptAnswer {
	return keeper.AttemptAnswer{Answer: r.answer(), Spend: r.u64(), Left: r.small(), Shares: r.shares(), Refusal: r.refusal()}
}

func (b *body) propose(q keeper.ProposeRequest) {
	b.header(q.Header)
	b.raw(q.Card[:])
	b.u64(q.Head)
	b.u32(uint32(q.Version))
	b.u32(uint32(q.Replaces))
	b.raw(q.Tag[:])
	b.u32(q.KeySet)
	b.point(q.Blinded)
}

func (r *reader) propose() keeper.ProposeRequest {
	return keeper.ProposeRequest{Header: r.header(), Card: r.card(), Head: r.u64(), Version: r.pinVersion(), Replaces: r.pinVersion(), Tag: r.tag(),
		KeySet: r.u32(), Blinded: r.point()}
}

func (b *body) proposeAnswer(a keeper.ProposeAnswer) {
	b.answer(a.Answer)
	b.shares(a.Shares)
	b.refusal(a.Refusal)
}

func (r *reader) proposeAnswer() keeper.ProposeAnswer {
	return keeper.ProposeAnswer{Answer: r.answer(), Shares: r.shares(), Refusal: r.refusal()}
}

func (b *body) commit(q keeper.CommitRequest) {
	b.header(q.Header)
	b.commitment(q.Commitment)
	b.u64(q.Head)
}

func (r *reader) commit() keeper.CommitRequest {
	return keeper.CommitRequest{Header: r.header(), Commitment: r.commitment(), Head: r.u64()}
}

func (b *body) commitAnswer(a keeper.CommitAnswer) { b.answer(a.Answer); b.refusal(a.Refusal) }

func (r *reader) commitAnswer() keeper.CommitAnswer {
	return keeper.CommitAnswer{Answer: r.answer(), Refusal: r.refusal()}
}

func (b *body) retag(q keeper.RetagRequest) {
	b.header(q.Header)
	b.raw(q.Card[:])
	b.u64(q.Head)
	b.raw(q.Old[:])
	b.raw(q.New[:])
}

func (r *reader) retag() keeper.RetagRequest {
	return keeper.RetagRequest{Header: r.header(), Card: r.card(), Head: r.u64(), Old: r.tag(), New: r.tag()}
}

func (r *reader) statusAnswer() keeper.StatusAnswer {
	return keeper.StatusAnswer{Answer: r.answer(), Row: r.row()}
}

// mostKeySets is how many key sets a keeper reports: one rotation a month for five
// years.
const mostKeySets = 64

func (b *body) about(a keeper.About) {
	b.text(string(a.ID))
	b.u8(uint8(a.Member))  //nolint:gosec // of a shape; the reader checks
	b.u8(uint8(a.Shape.T)) //nolint:gosec // as above
	b.u8(uint8(a.Shape.N)) //nolint:gosec // as above
	b.text(a.Release)
	b.when(a.Wall)
	b.raw(a.Machine[:])
	b.answer(a.Answer)
	sets := a.KeySets[max(0, len(a.KeySets)-mostKeySets):] // the latest
	b.u16(len(sets))
	for _, s := range sets {
		b.u32(s.ID)
		b.u8(uint8(len(s.Prints))) //nolint:gosec // at most mostShares
		for _, p := range s.Prints {
			b.u8(uint8(p.Subset))
			b.raw(p.Sum[:])
		}
	}
}

// about reads a keeper's report about itself. Each key set has exactly one fingerprint
// for every subset that the member is in, in the subsets' order.
func (r *reader) about() keeper.About {
	a := keeper.About{ID: keeper.ID(r.text()), Member: int(r.u8()), Shape: split.Shape{T: int(r.u8()), N: int(r.u8())}, Release: r.text(), Wall: r.when()}
	r.into(a.Machine[:])
	a.Answer = r.answer()
	if a.ID == "" || a.Shape.Validate() != nil || a.Member < 1 || a.Member > a.Shape.N {
		r.fail = true
		return keeper.About{}
	}
	subsets, last := a.Shape.SubsetsOf(a.Member), uint32(0)
	for range r.count(mostKeySets) {
		s := keeper.HeldKeySet{ID: r.u32()}
		if s.ID <= last || int(r.u8()) != len(subsets) {
			r.fail = true
		}
		for _, m := range subsets {
			p := keeper.Fingerprint{Member: a.Member, Subset: split.Subset(r.u8())}
			r.into(p.Sum[:])
			r.fail = r.fail || p.Subset != m
			s.Prints = append(s.Prints, p)
		}
		if r.fail {
			return keeper.About{}
		}
		last = s.ID
		a.KeySets = append(a.KeySets, s)
	}
	return a
}

// page is a part of a scan: rows in card order, and whether more may follow.
type page struct {
	rows []ledger.Row
	more bool
}

func (r *reader) page() (p page) {
	n := r.count(rowsPerPage)
	for range n {
		p.rows = append(p.rows, r.row())
	}
	p.more = r.flag()
	return p
}
