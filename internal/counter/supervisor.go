package counter

import (
	"crypto/rand"
	"encoding/binary"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// lot is a number drawn outside of the transaction, which may run more than once.
type lot uint64

func newLot() lot {
	var b [8]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return lot(binary.BigEndian.Uint64(b[:]))
}

// candidate is a supervisor who may be picked. What is lower goes first.
type candidate struct {
	member store.Member
	near   int  // 0: the same agency, 1: the same region, then those above
	away   bool // has no session that goes on
	busy   int  // other clerks' tickets that wait for them
}

// pick picks the supervisor who is to look at a ticket: of the clerk's agency, else of
// the clerk's region, else of the nearest one above it; first who is signed in, then who
// has least to do for others, and by lot among equals. The clerk has no say in it, nor by
// asking again. ErrNoSupervisor.
func (c *Counter) pick(tx store.Tx, clerk store.Member, t store.Ticket, l lot) (liuma.StaffID, error) {
	all, err := tx.Members()
	if err != nil {
		return "", err
	}
	var found []candidate
	for _, m := range all {
		x, ok, err := c.candidate(tx, clerk, m, t)
		if err != nil {
			return "", err
		}
		if ok {
			found = append(found, x)
		}
	}
	if len(found) == 0 {
		return "", ErrNoSupervisor
	}
	chosen, err := c.before(tx, t, found)
	if err != nil {
		return "", err
	}
	if chosen == "" {
		least := slices.MinFunc(found, compareCandidates)
		found = slices.DeleteFunc(found, func(x candidate) bool { return compareCandidates(x, least) != 0 })
		chosen = found[uint64(l)%uint64(len(found))].member.ID
	}
	return chosen, tx.Meter(meterPair, c.byName(meterPair, clerk.ID, chosen), c.c.Now(), 1)
}

// before is the candidate who was asked about this person last, within a day and by
// whichever clerk, if the question was taken back, or another's took its place, and the
// candidate is signed in; or empty. So nobody asks again, and no two clerks take turns,
// until the lot falls on a friend.
func (c *Counter) before(r store.Reader, t store.Ticket, found []candidate) (liuma.StaffID, error) {
	of, err := r.TicketsOf(t.Card)
	if err != nil {
		return "", err
	}
	without, err := r.TicketsFor(t.Holder)
	var last store.Ticket
	for _, b := range append(of, without...) {
		if b.Supervisor != "" && c.c.Now().Sub(b.AskedAt) < day && !b.AskedAt.Before(last.AskedAt) {
			last = b
		}
	}
	there := slices.ContainsFunc(found, func(x candidate) bool { return x.member.ID == last.Supervisor && !x.away })
	if err != nil || !there || last.State != store.TicketWithdrawn {
		return "", err
	}
	return last.Supervisor, nil
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

// candidate judges whether a member may be asked about a ticket.
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
	if err != nil || until.After(c.c.Now()) {
		return x, false, err
	}
	in, err := c.c.SignedIn(r, m)
	if err != nil {
		return x, false, err
	}
	x.away = !in
	waiting, err := r.TicketsAsked(m.ID)
	for _, w := range waiting {
		if c.c.Now().Before(w.Until) && w.Clerk != clerk.ID { // with their own a clerk would choose
			x.busy++
		}
	}
	return x, true, err
}
