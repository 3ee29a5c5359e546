package admintest

import (
	"fmt"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
)

// Staff are the members of a World's staff, as the Admin knows them.
func (w *World) Staff(t *testing.T) *staff.Staff {
	t.Helper()
	s, err := staff.New(staff.Config{Store: w.Store, Challenges: w.vault, Now: w.clock.Now})
	must(t, err)
	return s
}

// Staffed makes a member of each role, without bounds, and returns the session of
// each. Their accounts differ from this process's account.
func (w *World) Staffed(t *testing.T) map[liuma.StaffRole]staff.Token {
	t.Helper()
	s, out := w.Staff(t), map[liuma.StaffRole]staff.Token{}
	member := func(r liuma.StaffRole) *staff.NewMember {
		return &staff.NewMember{ID: liuma.StaffID(r), Name: "王丽", Roles: []liuma.StaffRole{r}}
	}
	codes, err := s.Begin(t.Context(), staff.Beginning{Operator: member(liuma.RoleOperator), Officer: member(liuma.RoleOfficer)})
	must(t, err)
	operator, err := s.AcceptAtTerminal(t.Context(), codes[0].Code, 4_000_000_001)
	must(t, err)
	officer, err := s.AcceptAtTerminal(t.Context(), codes[1].Code, 4_000_000_002)
	must(t, err)
	out[liuma.RoleOperator], out[liuma.RoleOfficer] = w.Session(t, operator), w.Session(t, officer)
	for i, r := range liuma.StaffRoles() {
		if out[r] == "" {
			out[r] = w.Session(t, w.Join(t, operator, officer, *member(r), uint32(4_000_000_010+i)))
		}
	}
	return out
}

// Join invites a member, who accepts.
func (w *World) Join(t *testing.T, operator, officer staff.Caller, n staff.NewMember, account uint32) staff.Caller {
	t.Helper()
	s := w.Staff(t)
	p, err := s.Propose(t.Context(), operator, staff.Change{Kind: staff.KindInvite, Member: n})
	must(t, err)
	done, err := s.Approve(t.Context(), officer, p.ID)
	must(t, err)
	c, err := s.AcceptAtTerminal(t.Context(), p.Half+done.Half, account)
	must(t, err)
	if c.ID != n.ID {
		t.Fatal(fmt.Sprint("joined as ", c.ID))
	}
	return c
}

// Session signs a member in.
func (w *World) Session(t *testing.T, c staff.Caller) staff.Token {
	t.Helper()
	s := w.Staff(t)
	code, _, err := s.TerminalCode(t.Context(), c)
	must(t, err)
	in, err := s.SignInByCode(t.Context(), code)
	must(t, err)
	return in.Token
}

// ActorOf is the actor of the only entry with a note.
func (w *World) ActorOf(t *testing.T, note string) (actor string) {
	t.Helper()
	must(t, w.Store.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		for _, e := range all {
			if e.Note == note {
				actor = e.Actor
			}
		}
		return err
	}))
	return actor
}

// PutClient writes a client that nobody registers.
func (w *World) PutClient(t *testing.T, c store.Client) {
	t.Helper()
	must(t, w.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: w.clock.Now(), Actor: "test", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.InsertClient(c)
	}))
}
