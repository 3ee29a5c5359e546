package counter

import (
	"crypto/rand"
	"encoding/binary"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// lot is a random number drawn outside of the transaction, since a transaction may run more than
// once.
type lot uint64

func newLot() lot {
	var b [8]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return lot(binary.BigEndian.Uint64(b[:]))
}

// candidate is a supervisor who may be picked. Lower values go first.
type candidate struct {
	member store.Member
	near   int  // 0: the same agency; 1: the same region; then the regions above
	away   bool // has no open session
	spent  bool // has had the day's tickets of this pair
	busy   int  // other clerks' tickets that wait for them
}

// pick picks the supervisor who is to look at a ticket, and who comes to the clerk's desk for it:
// one of the clerk's agency, else of the clerk's region, else of the nearest region above it. Among
// those it takes members who are signed in first, then those with the fewest waiting tickets of
// other clerks, then by lot. Other agencies of the region are asked only if the clerk's own has
// nobody at all. The clerk cannot influence the choice, not even by asking again. Errors:
// ErrNoSupervisor, ErrPairSpent.
func (c *Counter) pick(tx store.Tx, clerk store.Member, t *store.Ticket, l lot) (liuma.StaffID, error) {
	all, err := tx.Members()
	if err != nil {
		return "", err
	}
	var found []candidate
	for _, m := range all {
		x, ok, err := c.candidate(tx, clerk, m, *t)
		if err != nil {
			return "", err
		}
		if ok {
			found = append(found, x)
		}
	}
	if slices.ContainsFunc(found, func(x candidate) bool { return x.near == 0 }) {
		found = slices.DeleteFunc(found, func(x candidate) bool { return x.near == 1 && x.member.Agency != "" })
	}
	asked, err := c.askedAbout(tx, *t)
	if err != nil {
		return "", err
	}
	chosen, err := choose(found, before(asked, t.Agency), l)
	if err != nil {
		return "", err
	}
	if err := c.askedOften(tx, t, asked); err != nil {
		return "", err
	}
	return chosen, tx.Meter(meterPair, c.byName(meterPair, clerk.ID, chosen), c.c.Now(), 1)
}

// choose returns the supervisor who was asked before, if they are there and no nearer one is;
// otherwise it draws by lot.
func choose(found []candidate, before liuma.StaffID, l lot) (liuma.StaffID, error) {
	free := slices.DeleteFunc(slices.Clone(found), func(x candidate) bool { return x.spent })
	least := candidate{}
	if len(free) > 0 {
		least = slices.MinFunc(free, compareCandidates)
	}
	for _, x := range found {
		switch {
		case x.member.ID != before || x.away || len(free) > 0 && x.near > least.near:
		case x.spent:
			return "", ErrPairSpent
		default:
			return before, nil
		}
	}
	if len(free) == 0 {
		return "", ErrNoSupervisor
	}
	free = slices.DeleteFunc(free, func(x candidate) bool { return compareCandidates(x, least) != 0 })
	return free[uint64(l)%uint64(len(free))].member.ID, nil
}

// askedAbout lists the tickets about the same person for which supervisors were asked within a day,
// by any clerk.
func (c *Counter) askedAbout(r store.Reader, t store.Ticket) ([]store.Ticket, error) {
	of, err := r.TicketsOf(t.Card)
	if err != nil {
		return nil, err
	}
	without, err := r.TicketsFor(t.Holder)
	return slices.DeleteFunc(append(of, without...), func(b store.Ticket) bool {
		return b.Supervisor == "" || c.c.Now().Sub(b.AskedAt) >= day
	}), err
}

// before is the supervisor whom this agency last asked about the person, or empty if that ticket
// was declined or used. If it ended in any other way (by the clerk, a colleague, the person's
// screen or its time), the same supervisor is picked again. So clerks cannot ask again and again,
// alone or in turns, until the lot picks a friend.
func before(asked []store.Ticket, agency liuma.Agency) liuma.StaffID {
	var last store.Ticket
	for _, b := range asked {
		if b.Agency == agency && !b.AskedAt.Before(last.AskedAt) {
			last = b
		}
	}
	if last.State == store.TicketDeclined || last.State == store.TicketUsed {
		return ""
	}
	return last.Supervisor
}

// askedMost is how often supervisors may be asked about one person within a day without an
// approval, before the tickets are reviewed.
const askedMost = 3

// askedOften has a ticket reviewed, and an alarm name its clerk, if supervisors were asked about
// its person too often and approved nothing.
func (c *Counter) askedOften(tx store.Tx, t *store.Ticket, asked []store.Ticket) error {
	n := 0
	for _, b := range asked {
		if b.OpenedAt.IsZero() {
			n++
		}
	}
	if n < askedMost {
		return nil
	}
	t.ReviewUntil = c.c.Now().Add(ReviewTime)
	return tx.InsertTick(store.Tick{Kind: TickAgain, Key: c.byName(TickAgain, t.Clerk), At: c.c.Now()})
}

func compareCandidates(a, b candidate) int {
	if a.near != b.near {
		return a.near - b.near
	}
	if a.away != b.away {
		if a.away {
			return 1
		}
		return -1
	}
	return a.busy - b.busy
}

// candidate decides whether a member may be asked about a ticket.
func (c *Counter) candidate(r store.Reader, clerk, m store.Member, t store.Ticket) (x candidate, ok bool, err error) {
	x.member = m
	if !m.Active() || !m.Has(liuma.RoleSupervisor) || m.Document == (vault.Index{}) || len(m.Passkeys) == 0 {
		return x, false, nil
	}
	switch {
	case clerk.Agency != "" && m.Agency == clerk.Agency && m.Region.Contains(clerk.Region):
		x.near = 0
	case !m.Region.Contains(clerk.Region) || !m.Region.Contains(t.Region):
		return x, false, nil
	default:
		x.near = 1 + len(clerk.Region) - len(m.Region)
	}
	if !m.Region.Contains(t.Region) {
		return x, false, nil
	}
	if one, err := c.samePerson(r, clerk, m); err != nil || one {
		return x, false, err
	}
	if own, err := c.own(r, m, t.Holder); err != nil || own {
		return x, false, err
	}
	if own, err := c.ownCame(r, m, t.Came); err != nil || own {
		return x, false, err
	}
	until, err := r.MeteredUntil(meterPair, c.byName(meterPair, clerk.ID, m.ID), uint64(c.quotas(clerk).Pair), day)
	if err != nil {
		return x, false, err
	}
	x.spent = until.After(c.c.Now())
	in, err := c.c.SignedIn(r, m)
	if err != nil {
		return x, false, err
	}
	x.away = !in
	waiting, err := r.TicketsAsked(m.ID)
	for _, w := range waiting {
		if c.c.Now().Before(w.Until) && w.Clerk != clerk.ID { // counting their own, a clerk could steer the choice
			x.busy++
		}
	}
	return x, true, err
}
