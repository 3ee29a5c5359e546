package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
)

// ErrRepairing: a repair is running.
var ErrRepairing = errors.New("host: the keeper is being repaired")

// errUnrepaired is the reason for an empty seat after a failed repair.
var errUnrepaired = errors.New("host: not repaired")

// RepairStatus describes the last repair since the process began.
type RepairStatus struct {
	Began time.Time   `json:"began"`
	Ended time.Time   `json:"ended,omitzero"`  // zero while it is under way
	From  []keeper.ID `json:"from"`            // the keepers whose rows it takes
	Rows  uint64      `json:"rows"`            // rows taken in so far
	Aside string      `json:"aside,omitempty"` // in the keeper's directory: where the old ledger was moved
	Why   string      `json:"why,omitempty"`   // with Ended: why it failed; empty: it did not
}

// BeginRepair takes in the rows of the other keepers that admitted this one, where the
// highest counts win, and gives the ledger a new incarnation and a sequence above seen and
// above every sequence that a caller named. The keeper serves nobody meanwhile. A lost or
// useless ledger is replaced by a new one. rows is how many rows one keeper may give beyond
// the number that the others lead to expect (keeper.Node.Repair); 0: the default there.
func (h *Host) BeginRepair(seen, rows uint64) error {
	if !h.mending.TryLock() {
		return ErrRepairing
	}
	peers, err := h.peers()
	if err == nil && seen >= mostSeen {
		err = fmt.Errorf("%w: a sequence that no keeper has", keeper.ErrRequest)
	}
	if need := h.dir.Shape.N - h.dir.Shape.T + 1; err == nil && (h.dir.Shape.N == 1 || len(peers) < need) {
		err = fmt.Errorf("%w: %d admitted this one, %d are needed", keeper.ErrPeers, len(peers), need)
	}
	if err != nil {
		hangUp(peers)
		h.mending.Unlock()
		return err
	}
	status := RepairStatus{Began: h.now()}
	for _, p := range peers {
		status.From = append(status.From, p.ID())
	}
	h.mu.Lock()
	h.repair = status
	h.mu.Unlock()
	go func() {
		defer h.mending.Unlock()
		defer hangUp(peers)
		h.log.Warn("the keeper's repair begins", "from", status.From)
		h.repaired(h.mend(h.base, max(seen, h.seat.seen.Load()), rows, peers))
	}()
	return nil
}

// endRepair cuts a running repair off, which can be started again later, and prevents
// new ones.
func (h *Host) endRepair() {
	h.stop()
	h.mending.Lock()
}

// peers returns clients of the other keepers that admitted this one. The caller closes
// them.
func (h *Host) peers() (peers []*wire.Client, err error) {
	admitted, err := h.dir.Peers()
	if err != nil {
		return nil, err
	}
	for _, a := range admitted {
		if a.Roles&(wire.Peer|wire.Administrator) == 0 {
			continue
		}
		c, err := h.dir.Call(a, h.log)
		if err != nil {
			return peers, fmt.Errorf("%s: %w", a.Keeper, err)
		}
		peers = append(peers, c)
	}
	return peers, nil
}

func hangUp(peers []*wire.Client) {
	for _, p := range peers {
		_ = p.Close() // it was only read from
	}
}

// mend does the repair, and leaves a repaired node in the seat, or none.
func (h *Host) mend(ctx context.Context, seen, rows uint64, peers []*wire.Client) error {
	if err := h.seat.empty(ErrRepairing); err != nil { // closing a poisoned ledger returns an error
		h.log.WarnContext(ctx, "the ledger that is to be repaired was not closed well", "err", err)
	}
	n, err := h.usable(ctx)
	if err != nil {
		return h.notRepaired(err)
	}
	sources := make([]keeper.RowSource, len(peers))
	for i, p := range peers {
		sources[i] = p
	}
	if err := h.belong(ctx, n, peers); err != nil { // before the repair begins: nothing was taken in
		return h.notRepaired(errors.Join(err, n.Close()))
	}
	if rows > 0 {
		n.Expect(rows)
	}
	if err := n.Repair(ctx, seen, sources...); err != nil {
		return h.notRepaired(errors.Join(err, n.Close()))
	}
	h.seat.fill(n)
	// Takes in what the others counted meanwhile. If this fails, the keeper serves
	// without it.
	if err := n.Level(ctx, sources...); err != nil {
		h.log.WarnContext(ctx, "the repaired keeper lacks what was counted meanwhile: repair it once more", "err", err)
	}
	return nil
}

// belong wants each peer to be another member of this keeper's quorum, by share keys that
// both hold, and no member twice. A keeper of another quorum, such as one of a rehearsal with
// the same names, or a member that is reached twice gives no rows of its own: with it in the
// place of a third keeper, guesses that were counted there alone would be given back.
func (h *Host) belong(ctx context.Context, n *keeper.Node, peers []*wire.Client) error {
	own, err := n.About(ctx)
	if err != nil {
		return err
	}
	of := map[int]keeper.ID{own.Member: own.ID}
	for _, p := range peers {
		a, err := p.About(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.ID(), err)
		}
		both, same := own.Compare(a)
		if before, twice := of[a.Member]; twice || both == 0 || !same || a.Shape != own.Shape || a.ID != p.ID() {
			return fmt.Errorf("%w: %s is member %d of %s, with %d share keys that this keeper has too, the same: %t (known before: %q)",
				keeper.ErrStranger, p.ID(), a.Member, a.Shape, both, same, before)
		}
		of[a.Member] = a.ID
	}
	return nil
}

// usable returns a node with the existing ledger, if it is whole, and otherwise with an
// empty one.
func (h *Host) usable(ctx context.Context) (*keeper.Node, error) {
	if err := h.dir.ownKeys(h.open.Custodian); err != nil {
		return nil, err
	}
	n, err := keeper.OpenNode(ctx, h.dir.path, h.open)
	if err == nil {
		if err = n.Examine(ctx); err == nil {
			return n, nil
		}
		err = errors.Join(err, n.Close())
	}
	if keeper.Stops(err) {
		return nil, err
	}
	h.log.WarnContext(ctx, "the keeper's own ledger is of no use", "err", err)
	n, aside, err := keeper.OpenToRepair(ctx, h.dir.path, h.open)
	h.mu.Lock()
	h.repair.Aside = aside
	h.mu.Unlock()
	return n, err
}

// notRepaired leaves the seat empty.
func (h *Host) notRepaired(err error) error {
	err = fmt.Errorf("%w: %w", errUnrepaired, err)
	return errors.Join(err, h.seat.empty(err))
}

// repaired records how the repair ended.
func (h *Host) repaired(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.repair.Ended = h.now()
	if n, bad := h.seat.sits(); bad == nil {
		h.repair.Rows = n.Taken()
	}
	if err != nil {
		h.repair.Why = err.Error()
		h.log.Error("the keeper's repair failed; begin it again", "err", err)
		return
	}
	h.log.Info("the keeper was repaired, and serves", "rows", h.repair.Rows)
}
