package keeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// Default ceilings per hour.
const (
	// DefaultCommitsPerHour is enough for a province's first weeks (28 new PINs a
	// second) and far below the number that replacing every card's PIN would take.
	DefaultCommitsPerHour = 100_000
	// DefaultProposalsPerHour is twice the number of commits, because some proposals
	// are never committed: a change that was cut off, or two changes at once.
	DefaultProposalsPerHour = 2 * DefaultCommitsPerHour
	// DefaultRetirementsPerHour covers deaths and cancellations.
	DefaultRetirementsPerHour = 1_000
)

// uncountedPerHour is how often within an hour the share keys may be used for requests
// that the ledger then refuses; beyond it requests get ErrUncounted. A correct
// authority stops at the limits itself, so few of its requests are refused.
const uncountedPerHour = 10_000

// NodeConfig holds the parts of a node. All but the ceilings and Rows are
// required.
type NodeConfig struct {
	ID     ID
	Ledger *ledger.Ledger // the node closes it
	Ring   *Ring          // the node wipes it
	Logger *slog.Logger
	// Rows lists the ledger's rows for the repair of other keepers.
	Rows RowSource
	// CommitsPerHour, ProposalsPerHour and RetirementsPerHour are ceilings. Beyond them
	// requests get ErrMetered, which is an error and not a refusal: it says nothing
	// about the card. Zero takes the defaults.
	CommitsPerHour     int
	ProposalsPerHour   int
	RetirementsPerHour int
}

// Node is one keeper: it counts a guess in its ledger, then evaluates it. It
// is safe for use by many goroutines.
type Node struct {
	id      ID
	ledger  *ledger.Ledger
	ring    *Ring
	rows    RowSource
	log     *slog.Logger
	commits *meter
	// proposes is given back an act after a refusal or an error. Only a mark that was
	// made uses it up.
	proposes *meter
	retires  *meter
	// uncounted is given back an act for every grant. So it only loses derivations
	// whose requests the ledger then refused.
	uncounted *meter

	life   sync.RWMutex // held for reading by every request
	closed bool         // guarded by life
	adding sync.Mutex   // held while key sets are taken in

	pulse pulse

	taken atomic.Uint64 // rows of other keepers that repairs have taken in
	extra atomic.Uint64 // see Expect
}

var _ Keeper = (*Node)(nil)

// NewNode makes a node. The ledger must have been opened under the node's id,
// or no settlement will verify.
func NewNode(c NodeConfig) (*Node, error) {
	if c.ID == "" || c.Ledger == nil || c.Ring == nil || c.Logger == nil {
		return nil, errors.New("keeper: a node needs id, ledger, ring and logger")
	}
	if c.CommitsPerHour < 0 || c.ProposalsPerHour < 0 || c.RetirementsPerHour < 0 {
		return nil, errors.New("keeper: negative ceiling")
	}
	now := c.Ledger.Times().High
	n := &Node{
		id: c.ID, ledger: c.Ledger, ring: c.Ring, rows: c.Rows, log: c.Logger,
		commits:   newMeter(cmp.Or(c.CommitsPerHour, DefaultCommitsPerHour), now),
		proposes:  newMeter(cmp.Or(c.ProposalsPerHour, DefaultProposalsPerHour), now),
		retires:   newMeter(cmp.Or(c.RetirementsPerHour, DefaultRetirementsPerHour), now),
		uncounted: newMeter(uncountedPerHour, now),
	}
	n.Expect(extraRows)
	return n, nil
}

// ID implements Keeper.
func (n *Node) ID() ID { return n.id }

// KeySets lists the key sets that the node can evaluate with.
func (n *Node) KeySets() []uint32 { return n.ring.KeySets() }

// TakeKeySets takes in the key sets that were added to the keeper's key file since the
// node was opened from it, and returns how many. c holds their share keys; nil: they
// are in the file. Key sets that the node already has stay as they are. It returns
// ErrStranger if the file now belongs to another keeper, or has another shape or member
// number.
func (n *Node) TakeKeySets(dir string, c Custodian) (came int, err error) {
	leave, err := n.enter() // Close wipes the new key sets too
	if err != nil {
		return 0, err
	}
	defer leave()
	stored, err := readKeeper(dir)
	if err != nil {
		return 0, err
	}
	defer stored.wipe()
	have, _ := n.ring.set(n.ring.KeySets()[0])
	if stored.ID != n.id || slices.ContainsFunc(stored.KeySets, func(s storedKeySet) bool { return s.Member != have.Member || s.shape() != have.Shape }) {
		return 0, fmt.Errorf("%w: %s", ErrStranger, stored.ID)
	}
	n.adding.Lock()
	defer n.adding.Unlock()
	lacking := *stored
	lacking.KeySets = slices.DeleteFunc(slices.Clone(stored.KeySets), func(s storedKeySet) bool { return n.ring.has(s.ID) })
	if len(lacking.KeySets) == 0 {
		return 0, nil
	}
	from, err := lacking.ring(c)
	if err != nil {
		return 0, err
	}
	return n.ring.takeOver(from), nil
}

// Close waits for requests under way, closes the ledger and wipes the ring.
func (n *Node) Close() error {
	n.life.Lock()
	defer n.life.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	n.ring.wipe()
	return n.ledger.Close()
}

// enter keeps Close waiting until the returned function is called.
func (n *Node) enter() (leave func(), err error) {
	n.life.RLock()
	if n.closed {
		n.life.RUnlock()
		return nil, ErrClosed
	}
	return n.life.RUnlock, nil
}

// answer returns the ledger's state, for answers that wrote nothing.
func (n *Node) answer() Answer {
	m := n.ledger.Meta()
	return Answer{Sequence: m.Sequence, Incarnation: m.Incarnation}
}

// refusal separates a ledger's refusal, which is an answer, from an error.
func refusal(err error) (*ledger.Refusal, error) {
	if ref, ok := errors.AsType[*ledger.Refusal](err); ok {
		return ref, nil
	}
	if errors.Is(err, ledger.ErrKeySet) {
		return nil, fmt.Errorf("%w: %w", ErrKeySet, err)
	}
	return nil, err
}

// Attempt implements Keeper. Faults that can be found without counting are refused
// first: an invalid point, an unknown key set, share keys that do not answer.
func (n *Node) Attempt(ctx context.Context, req AttemptRequest) (AttemptAnswer, error) {
	leave, err := n.enter()
	if err != nil {
		return AttemptAnswer{}, err
	}
	defer leave()
	if req.Card.IsZero() || req.Version == 0 || req.Blinded.IsZero() {
		return AttemptAnswer{}, fmt.Errorf("%w: an attempt needs card, version and point", ErrRequest)
	}
	if !n.ring.has(req.KeySet) {
		return AttemptAnswer{}, fmt.Errorf("%w: %d", ErrKeySet, req.KeySet)
	}
	if err := n.catchUp(ctx, req); err != nil {
		return AttemptAnswer{}, err
	}
	keys, err := n.derive(req.KeySet, req.Card, req.Version)
	if err != nil {
		return AttemptAnswer{}, err
	}
	defer keys.wipe()
	spent, err := n.ledger.Spend(ctx, ledger.SpendRequest{
		Card: req.Card, Head: req.Head, Version: req.Version, KeySet: req.KeySet, Lane: req.Lane, Reserve: req.Reserve, Limits: req.Limits,
		Sender: req.Now, Seen: req.Seen,
	})
	n.weigh(err)
	if err != nil {
		ref, err := refusal(err)
		return AttemptAnswer{Answer: n.answer(), Refusal: ref}, err
	}
	// A crash from here on leaves the guess counted and unanswered (I-1).
	shares, err := evaluate(keys, spent, req.Blinded)
	if err != nil {
		return AttemptAnswer{}, err
	}
	return AttemptAnswer{
		Answer: Answer{Sequence: spent.Sequence(), Incarnation: spent.Incarnation(), here: true},
		Spend:  spent.S(), Left: spent.Left(), Shares: shares,
	}, nil
}

// derive uses the share keys before anything is written down. It takes one act from the
// meter; weigh gives it back.
func (n *Node) derive(keySet uint32, card liuma.CardID, version liuma.Version) (*derived, error) {
	if n.uncounted.take(n.ledger.Times().High) != nil {
		return nil, ErrUncounted
	}
	keys, err := n.ring.derive(keySet, card, version)
	if err != nil {
		n.uncounted.give() // no key was derived
		return nil, err
	}
	return keys, nil
}

// weigh gets the ledger's answer to the request for which keys were derived. Only
// refusals use up the meter: a full disk, for example, is no attack.
func (n *Node) weigh(answer error) {
	if ref, _ := refusal(answer); ref == nil && !errors.Is(answer, ledger.ErrKeySet) {
		n.uncounted.give()
	}
}

// catchUp applies the commit and the settlements that an attempt carries for
// this keeper, before it counts.
func (n *Node) catchUp(ctx context.Context, req AttemptRequest) error {
	if c := req.Commit; c != nil {
		if c.Card != req.Card {
			return fmt.Errorf("%w: a commit for another card", ErrRequest)
		}
		// A crash here leaves the commit done and the guess not counted. A refusal is
		// ignored: Spend then finds the same version and refuses as well.
		if _, err := n.commit(ctx, req.Header, *c, req.Head); err != nil {
			return err
		}
	}
	if len(req.Settlements) == 0 {
		return nil
	}
	for _, s := range req.Settlements {
		if s.Card != req.Card {
			return fmt.Errorf("%w: a settlement for another card", ErrRequest)
		}
	}
	err := n.ledger.Settle(ctx, ledger.SettleRequest{Settlements: req.Settlements, Sender: req.Now, Seen: req.Seen})
	if errors.Is(err, ledger.ErrSettlement) {
		// An invalid proof clears nothing, and does not affect the guess.
		n.log.WarnContext(ctx, "settlement does not verify", "keeper", string(n.id))
		return nil
	}
	return err
}

// Propose implements Keeper. It is metered: each proposal raises a card's mark, and
// otherwise a stolen authority key could use up the version numbers of every card.
func (n *Node) Propose(ctx context.Context, req ProposeRequest) (ProposeAnswer, error) {
	leave, err := n.enter()
	if err != nil {
		return ProposeAnswer{}, err
	}
	defer leave()
	if req.Card.IsZero() || req.Version == 0 || req.Blinded.IsZero() {
		return ProposeAnswer{}, fmt.Errorf("%w: a proposal needs card, version and point", ErrRequest)
	}
	if !n.ring.has(req.KeySet) {
		return ProposeAnswer{}, fmt.Errorf("%w: %d", ErrKeySet, req.KeySet)
	}
	if err := n.proposes.take(n.ledger.Times().High); err != nil {
		return ProposeAnswer{}, err
	}
	keys, err := n.derive(req.KeySet, req.Card, req.Version)
	if err != nil {
		n.proposes.give()
		return ProposeAnswer{}, err
	}
	defer keys.wipe()
	proposed, err := n.ledger.Propose(ctx, ledger.ProposeRequest{
		Card: req.Card, Head: req.Head, Version: req.Version, Replaces: req.Replaces, Tag: req.Tag, Sender: req.Now, Seen: req.Seen,
	})
	n.weigh(err)
	if err != nil {
		n.proposes.give() // nothing was marked, or the ledger has stopped
		ref, err := refusal(err)
		return ProposeAnswer{Answer: n.answer(), Refusal: ref}, err
	}
	// A crash from here on leaves the version marked and never evaluated again
	// (I-3): the authority reserves a higher one.
	shares, err := evaluate(keys, proposed, req.Blinded)
	if err != nil {
		return ProposeAnswer{}, err
	}
	return ProposeAnswer{
		Answer: Answer{Sequence: proposed.Sequence(), Incarnation: proposed.Incarnation()},
		Shares: shares,
	}, nil
}

// Commit implements Keeper.
func (n *Node) Commit(ctx context.Context, req CommitRequest) (CommitAnswer, error) {
	leave, err := n.enter()
	if err != nil {
		return CommitAnswer{}, err
	}
	defer leave()
	ref, err := n.commit(ctx, req.Header, req.Commitment, req.Head)
	if err != nil {
		return CommitAnswer{}, err
	}
	return CommitAnswer{Answer: n.answer(), Refusal: ref}, nil
}

// commit makes a version current. It is metered, unless it repeats an earlier commit.
//
// A crash in here leaves the old version or the new one. The count is cleared only with
// the new one (I-7).
func (n *Node) commit(ctx context.Context, h Header, c ledger.Commitment, head uint64) (*ledger.Refusal, error) {
	if c.Card.IsZero() || c.Version == 0 || c.Verifier.IsZero() {
		return nil, fmt.Errorf("%w: a commit needs card, version and verifier", ErrRequest)
	}
	if !n.ring.has(c.KeySet) {
		// If it were committed here, the version would refuse every guess until the key
		// set is found.
		return nil, fmt.Errorf("%w: %d", ErrKeySet, c.KeySet)
	}
	row, err := n.ledger.Row(ctx, c.Card)
	if err != nil {
		return nil, err
	}
	if row.Version != c.Version {
		if err := n.commits.take(n.ledger.Times().High); err != nil {
			return nil, err
		}
	}
	_, err = n.ledger.Commit(ctx, ledger.CommitRequest{Commitment: c, Head: head, Sender: h.Now, Seen: h.Seen})
	return refusal(err)
}

// Settle implements Keeper.
func (n *Node) Settle(ctx context.Context, h Header, settlements []ledger.Settlement) (Answer, error) {
	leave, err := n.enter()
	if err != nil {
		return Answer{}, err
	}
	defer leave()
	err = n.ledger.Settle(ctx, ledger.SettleRequest{Settlements: settlements, Sender: h.Now, Seen: h.Seen})
	if err != nil {
		return Answer{}, err
	}
	return n.answer(), nil
}

// Status implements Keeper.
func (n *Node) Status(ctx context.Context, card liuma.CardID) (StatusAnswer, error) {
	leave, err := n.enter()
	if err != nil {
		return StatusAnswer{}, err
	}
	defer leave()
	row, err := n.ledger.Row(ctx, card)
	if err != nil {
		return StatusAnswer{}, err
	}
	return StatusAnswer{Answer: n.answer(), Row: row}, nil
}

// StatusOfTag implements Keeper.
func (n *Node) StatusOfTag(ctx context.Context, tag ledger.Tag) (StatusAnswer, error) {
	leave, err := n.enter()
	if err != nil {
		return StatusAnswer{}, err
	}
	defer leave()
	row, err := n.ledger.Tagged(ctx, tag)
	if err != nil {
		return StatusAnswer{}, err
	}
	return StatusAnswer{Answer: n.answer(), Row: row}, nil
}

// Head implements Keeper. It is not metered: a head gives no guess away, and too high a
// head only makes the keeper refuse the authority that sent it.
func (n *Node) Head(ctx context.Context, h Header, heads []ledger.Head) (HeadAnswer, error) {
	leave, err := n.enter()
	if err != nil {
		return HeadAnswer{}, err
	}
	defer leave()
	behind, err := n.ledger.Head(ctx, ledger.HeadRequest{Heads: heads, Sender: h.Now, Seen: h.Seen})
	if err != nil {
		return HeadAnswer{}, err
	}
	return HeadAnswer{Answer: n.answer(), Behind: behind}, nil
}

// Retag implements Keeper. It shares a meter with Retire, because both change to whom a
// card belongs. Repeating an earlier retag is not metered.
func (n *Node) Retag(ctx context.Context, req RetagRequest) (CommitAnswer, error) {
	leave, err := n.enter()
	if err != nil {
		return CommitAnswer{}, err
	}
	defer leave()
	row, err := n.ledger.Row(ctx, req.Card)
	if err != nil {
		return CommitAnswer{}, err
	}
	if row.Tag != req.New {
		if err := n.retires.take(n.ledger.Times().High); err != nil {
			return CommitAnswer{}, err
		}
	}
	// A crash here leaves the old tag or the new one; the request may be repeated.
	_, err = n.ledger.Retag(ctx, ledger.RetagRequest{
		Card: req.Card, Head: req.Head, Old: req.Old, New: req.New, Sender: req.Now, Seen: req.Seen,
	})
	ref, err := refusal(err)
	if err != nil {
		return CommitAnswer{}, err
	}
	return CommitAnswer{Answer: n.answer(), Refusal: ref}, nil
}

// Admit implements Keeper.
func (n *Node) Admit(ctx context.Context, h Header) error {
	leave, err := n.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := n.ledger.Admit(ctx, h.Now, h.Seen); err != nil {
		return err
	}
	return n.pulse.of(n.ring)
}

// Times returns the keeper's own high-water time and its wall clock.
func (n *Node) Times() clock.Times { return n.ledger.Times() }

// AcceptTime moves the keeper's time up to its wall clock; see ledger.AcceptTime. Only
// the operator of the keeper's machine may ask for it, so it is not part of Keeper.
func (n *Node) AcceptTime(ctx context.Context) error {
	leave, err := n.enter()
	if err != nil {
		return err
	}
	defer leave()
	return n.ledger.AcceptTime(ctx)
}

// Retire implements Keeper. It is metered.
func (n *Node) Retire(ctx context.Context, h Header, card liuma.CardID) (Answer, error) {
	leave, err := n.enter()
	if err != nil {
		return Answer{}, err
	}
	defer leave()
	if err := n.retires.take(n.ledger.Times().High); err != nil {
		return Answer{}, err
	}
	// A crash here leaves the card in use or retired; the request may be repeated.
	if _, err := n.ledger.Retire(ctx, ledger.RetireRequest{Card: card, Sender: h.Now, Seen: h.Seen}); err != nil {
		return Answer{}, err
	}
	return n.answer(), nil
}

// Unretire implements Keeper. It is not metered: it gives no guesses away, because the
// counts stay as they were.
func (n *Node) Unretire(ctx context.Context, h Header, card liuma.CardID) (Answer, error) {
	leave, err := n.enter()
	if err != nil {
		return Answer{}, err
	}
	defer leave()
	if _, err := n.ledger.Unretire(ctx, ledger.RetireRequest{Card: card, Sender: h.Now, Seen: h.Seen}); err != nil {
		return Answer{}, err
	}
	return n.answer(), nil
}
