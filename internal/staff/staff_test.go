package staff_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// house is an authority's staff on a real store.
type house struct {
	*staff.Staff
	t     *testing.T
	store store.Store
	vault *vault.Vault
	now   time.Time // read by the store's goroutine too, within calls of the test
}

const origin = "https://staff.pin.example.cn"

func newHouse(t *testing.T) *house {
	t.Helper()
	st, v := testkit.OpenStore(t)
	h := &house{t: t, store: st, vault: v, now: time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)}
	var err error
	h.Staff, err = staff.New(staff.Config{Store: st, Challenges: v, Now: func() time.Time { return h.now }, Console: origin})
	must(t, err)
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got, err error) {
	t.Helper()
	if !errors.Is(got, err) {
		t.Errorf("%v, want %v", got, err)
	}
}

func newMember(id string, roles ...liuma.StaffRole) staff.NewMember {
	return staff.NewMember{ID: liuma.StaffID(id), Name: "王丽", Roles: roles}
}

func account(n uint32) *uint32 { return &n }

// begun has an operator, of account 1000, and an officer, of account 0.
func begun(t *testing.T) (h *house, operator, officer staff.Caller) {
	t.Helper()
	h = newHouse(t)
	op, off := newMember("wang", liuma.RoleOperator), newMember("li", liuma.RoleOfficer)
	codes, err := h.Begin(t.Context(), staff.Beginning{Operator: &op, Officer: &off, Account: account(1000)})
	must(t, err)
	officer, err = h.AcceptAtTerminal(t.Context(), codes[1].Code, 0)
	must(t, err)
	return h, h.of(1000), officer
}

func (h *house) of(account uint32) staff.Caller {
	h.t.Helper()
	c, err := h.OfAccount(h.t.Context(), account)
	must(h.t, err)
	return c
}

// join invites a member and accepts it for an account.
func (h *house) join(a, b staff.Caller, n staff.NewMember, uid uint32) staff.Caller {
	h.t.Helper()
	p, err := h.Propose(h.t.Context(), a, staff.Change{Kind: staff.KindInvite, Member: n})
	must(h.t, err)
	done, err := h.Approve(h.t.Context(), b, p.ID)
	must(h.t, err)
	c, err := h.AcceptAtTerminal(h.t.Context(), p.Half+"-"+done.Half, uid)
	must(h.t, err)
	return c
}

func (h *house) member(id liuma.StaffID) (m store.Member) {
	h.t.Helper()
	must(h.t, h.store.View(h.t.Context(), func(r store.Reader) (err error) { m, err = r.Member(id); return err }))
	return m
}

// record is actor, event, outcome and note of every entry.
func (h *house) record() (lines []string) {
	h.t.Helper()
	must(h.t, h.store.View(h.t.Context(), func(r store.Reader) error {
		lines = nil
		heads, err := r.Streams(audit.Stream{}, 99)
		if err != nil {
			return err
		}
		for _, s := range heads {
			all, err := r.Entries(s.Stream, 0, 999)
			if err != nil {
				return err
			}
			for _, e := range all {
				lines = append(lines, fmt.Sprintf("%s %s %s %s", e.Actor, e.Event, e.Outcome, e.Note))
			}
		}
		return nil
	}))
	return lines
}

func (h *house) recorded(words string) {
	h.t.Helper()
	if !slices.ContainsFunc(h.record(), func(l string) bool { return strings.Contains(l, words) }) {
		h.t.Errorf("not in the record: %q\n%s", words, strings.Join(h.record(), "\n"))
	}
}

func TestTheFirstTwo(t *testing.T) {
	h := newHouse(t)
	if yes, err := h.Begun(t.Context()); err != nil || yes {
		t.Fatal(yes, err)
	}
	op, off := newMember("wang", liuma.RoleOperator), newMember("li", liuma.RoleOfficer)
	for name, b := range map[string]staff.Beginning{
		"alone":          {Operator: &op},
		"nobody":         {},
		"one for both":   {Operator: &op, Officer: &op},
		"other roles":    {Operator: &op, Officer: &staff.NewMember{ID: "li", Name: "李", Roles: []liuma.StaffRole{liuma.RoleClerk}}},
		"checks himself": {Operator: &staff.NewMember{ID: "wang", Name: "王", Roles: []liuma.StaffRole{liuma.RoleOperator, liuma.RoleOfficer}}, Officer: &off},
		"no name":        {Operator: &op, Officer: &staff.NewMember{ID: "li", Roles: off.Roles}},
	} {
		if _, err := h.Begin(t.Context(), b); !errors.Is(err, staff.ErrFilledIn) && !errors.Is(err, staff.ErrRoles) {
			t.Errorf("%s: %v", name, err)
		}
	}
	codes, err := h.Begin(t.Context(), staff.Beginning{Operator: &op, Officer: &off, Account: account(1000)})
	must(t, err)
	h.recorded("operator staff.begun ok invited=wang roles=operator invited=li roles=officer until_now=unnamed")
	if c := h.of(1000); c.ID != "wang" || !c.Is(liuma.RoleOperator) {
		t.Errorf("%+v", c)
	}
	if yes, err := h.Begun(t.Context()); err != nil || !yes {
		t.Error(yes, err)
	}
	_, err = h.Begin(t.Context(), staff.Beginning{Operator: &op, Reason: "again"})
	want(t, err, staff.ErrBegun)
	_, err = h.OfAccount(t.Context(), 0)
	want(t, err, staff.ErrNobody)
	// One member alone gets nothing done that takes two.
	_, err = h.Propose(t.Context(), h.of(1000), staff.Change{Kind: staff.KindInvite, Member: newMember("zhao", liuma.RoleClerk)})
	want(t, err, proposal.ErrAlone)
	// The code is of one use, by whatever spelling.
	typed := strings.NewReplacer("-", " ", "0", "O", "1", "l").Replace(strings.ToLower(codes[1].Code))
	c, err := h.AcceptAtTerminal(t.Context(), " "+typed, 0)
	must(t, err)
	if c.ID != "li" {
		t.Errorf("%+v", c)
	}
	h.recorded("staff:li staff.joined ok by=account account=0")
	_, err = h.AcceptAtTerminal(t.Context(), codes[1].Code, 7)
	want(t, err, staff.ErrCode)
	// That of the operator is open still; an account acts as one person.
	_, err = h.AcceptAtTerminal(t.Context(), codes[0].Code, 0)
	want(t, err, staff.ErrAccount)
}

// TestInvitationsTakeTwoAndEachHasHalf: neither of the two who invite has the whole
// code, and nothing of it is kept.
func TestInvitationsTakeTwoAndEachHasHalf(t *testing.T) {
	h, operator, officer := begun(t)
	ask := staff.Change{Kind: staff.KindInvite, Member: newMember("zhao", liuma.RoleClerk)}
	p, err := h.Propose(t.Context(), operator, ask)
	must(t, err)
	_, err = h.Approve(t.Context(), operator, p.ID)
	want(t, err, proposal.ErrSame)
	for _, code := range []string{p.Half, p.Half + "-" + p.Half, "", "zhao", p.Half + "-00000-00000"} {
		_, err := h.AcceptAtTerminal(t.Context(), code, 5)
		want(t, err, staff.ErrCode)
	}
	done, err := h.Approve(t.Context(), officer, p.ID)
	must(t, err)
	_, err = h.Approve(t.Context(), officer, p.ID)
	want(t, err, proposal.ErrEnded)
	for _, code := range []string{p.Half, done.Half, done.Half + "-" + p.Half, done.Half + "-" + done.Half} {
		_, err := h.AcceptAtTerminal(t.Context(), code, 5)
		want(t, err, staff.ErrCode)
	}
	m := h.member("zhao")
	if m.State != store.MemberInvited || len(m.Accounts) > 0 {
		t.Errorf("%+v", m)
	}
	must(t, h.store.View(t.Context(), func(r store.Reader) error {
		all, err := r.Proposals()
		for _, half := range []string{p.Half, done.Half} {
			if text := fmt.Sprintf("%s %+v", all[0].Body, m); strings.Contains(text, strings.ReplaceAll(half, "-", "")) || strings.Contains(text, half) {
				t.Error("half of a code is kept")
			}
		}
		return err
	}))
	h.now = h.now.Add(staff.InvitationLife)
	_, err = h.AcceptAtTerminal(t.Context(), p.Half+done.Half, 5)
	want(t, err, staff.ErrCode)
	h.now = h.now.Add(-time.Millisecond)
	c, err := h.AcceptAtTerminal(t.Context(), p.Half+done.Half, 5)
	must(t, err)
	if c.ID != "zhao" || !c.Is(liuma.RoleClerk) || c.Is(liuma.RoleOperator) {
		t.Errorf("%+v", c)
	}
	h.recorded("staff:wang proposal.made ok")
	h.recorded("staff:li proposal.approved ok")
	h.recorded("proposed_by=wang member=zhao roles=clerk")
}

func TestChangesThatAreRefused(t *testing.T) {
	h, operator, officer := begun(t)
	clerk := h.join(operator, officer, newMember("zhao", liuma.RoleClerk), 5)
	role := func(id string, roles ...liuma.StaffRole) staff.Change {
		return staff.Change{Kind: staff.KindRole, Member: staff.NewMember{ID: liuma.StaffID(id), Roles: roles}}
	}
	for _, c := range []struct {
		name string
		by   staff.Caller
		ask  staff.Change
		err  error
	}{
		{"a clerk proposes", clerk, role("zhao", liuma.RoleOperator), proposal.ErrRole},
		{"nobody proposes", staff.Caller{}, role("zhao", liuma.RoleHotline), staff.ErrNobody},
		{"made up", staff.Caller{ID: "zhao", Roles: []liuma.StaffRole{liuma.RoleOperator}}, role("zhao", liuma.RoleOperator), proposal.ErrRole},
		{"an identifier twice", operator, staff.Change{Kind: staff.KindInvite, Member: newMember("zhao", liuma.RoleClerk)}, staff.ErrTaken},
		{"roles that check each other", operator, role("zhao", liuma.RoleClerk, liuma.RoleSupervisor), staff.ErrRoles},
		{"nobody", operator, role("sun", liuma.RoleClerk), staff.ErrUnknown},
		{"the last officer", operator, role("li", liuma.RoleClerk), staff.ErrLast},
		{"the last operator", officer, role("wang", liuma.RoleClerk), staff.ErrLast},
		{"not suspended", operator, staff.Change{Kind: staff.KindResume, Member: staff.NewMember{ID: "zhao"}}, staff.ErrState},
		{"an account of another", operator, staff.Change{Kind: staff.KindMap, Member: staff.NewMember{ID: "zhao"}, Account: account(0)}, staff.ErrAccount},
		{"no account", operator, staff.Change{Kind: staff.KindMap, Member: staff.NewMember{ID: "zhao"}}, staff.ErrState},
		{"an account that is not there", operator, staff.Change{Kind: staff.KindUnmap, Member: staff.NewMember{ID: "zhao"}, Account: account(9)}, staff.ErrState},
		{"another kind", operator, staff.Change{Kind: "policy.load", Member: staff.NewMember{ID: "zhao"}}, staff.ErrState},
	} {
		_, err := h.Propose(t.Context(), c.by, c.ask)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
	id, err := h.Proposals().Propose(t.Context(), "policy.load", []byte("rules"), operator.ID)
	must(t, err)
	_, err = h.Approve(t.Context(), officer, id)
	want(t, err, proposal.ErrKind)
}

// TestChangesAreJudgedAgain: between proposal and approval things may have changed.
func TestChangesAreJudgedAgain(t *testing.T) {
	h, operator, officer := begun(t)
	first, err := h.Propose(t.Context(), operator, staff.Change{Kind: staff.KindInvite, Member: newMember("zhao", liuma.RoleClerk)})
	must(t, err)
	second, err := h.Propose(t.Context(), operator, staff.Change{Kind: staff.KindInvite, Member: newMember("zhao", liuma.RoleAuditor)})
	must(t, err)
	_, err = h.Approve(t.Context(), officer, first.ID)
	must(t, err)
	_, err = h.Approve(t.Context(), officer, second.ID)
	want(t, err, staff.ErrTaken)
	// A proposal of somebody who was suspended since is approved by nobody.
	other := h.join(officer, operator, newMember("qian", liuma.RoleOperator), 6)
	third, err := h.Propose(t.Context(), other, staff.Change{Kind: staff.KindInvite, Member: newMember("sun", liuma.RoleClerk)})
	must(t, err)
	must(t, h.Suspend(t.Context(), operator, other.ID, "left"))
	_, err = h.Approve(t.Context(), officer, third.ID)
	want(t, err, proposal.ErrPair)
	h.now = h.now.Add(proposal.Lifetime)
	_, err = h.Approve(t.Context(), officer, third.ID)
	want(t, err, proposal.ErrLate)
}

// TestBounds: a region and an agency bound what one sees, proposes and approves.
func TestBounds(t *testing.T) {
	h, operator, officer := begun(t)
	local := newMember("zhou", liuma.RoleOperator)
	local.Region = "3305"
	regional := h.join(operator, officer, local, 5)
	near, far := newMember("wu", liuma.RoleClerk), newMember("zheng", liuma.RoleClerk)
	near.Region, far.Region = "330521", "3301"
	ask := func(n staff.NewMember) error {
		_, err := h.Propose(t.Context(), regional, staff.Change{Kind: staff.KindInvite, Member: n})
		return err
	}
	must(t, ask(near))
	want(t, ask(far), staff.ErrBounds)
	h.join(operator, officer, far, 6)
	_, err := h.Propose(t.Context(), regional, staff.Change{Kind: staff.KindRole, Member: staff.NewMember{ID: "zheng", Region: "3305", Roles: far.Roles}})
	want(t, err, staff.ErrBounds)
	want(t, h.Suspend(t.Context(), regional, "zheng", "x"), staff.ErrBounds)
	seen, err := h.List(t.Context(), regional)
	must(t, err)
	if len(seen) != 1 || seen[0].ID != "zhou" {
		t.Errorf("%+v", seen)
	}
	if all, err := h.List(t.Context(), operator); err != nil || len(all) != 4 {
		t.Errorf("%+v %v", all, err)
	}
	if none, err := h.List(t.Context(), staff.Caller{}); err != nil || len(none) > 0 {
		t.Errorf("%+v %v", none, err)
	}
	bound := staff.Caller{ID: "x", Region: "33", Agency: "huzhou"}
	for _, c := range []struct {
		region liuma.Region
		agency liuma.Agency
		sees   bool
	}{{"3305", "huzhou", true}, {"3305", "", false}, {"3305", "hangzhou", false}, {"", "huzhou", false}, {"34", "huzhou", false}} {
		if bound.Sees(c.region, c.agency) != c.sees {
			t.Errorf("%+v", c)
		}
	}
}

// TestASuspensionCountsAtOnce: for account, session, code and invitation, and only two
// others end it.
func TestASuspensionCountsAtOnce(t *testing.T) {
	h, operator, officer := begun(t)
	clerk := h.join(operator, officer, newMember("zhao", liuma.RoleClerk), 5)
	code, _, err := h.TerminalCode(t.Context(), clerk)
	must(t, err)
	in, err := h.SignInByCode(t.Context(), code)
	must(t, err)
	again, _, err := h.TerminalCode(t.Context(), clerk)
	must(t, err)
	want(t, h.Suspend(t.Context(), clerk, "li", "no reason"), proposal.ErrRole)
	want(t, h.Suspend(t.Context(), officer, "zhao", ""), audit.ErrReason)
	must(t, h.Suspend(t.Context(), officer, "zhao", "left us"))
	h.recorded("staff:li staff.suspended ok member=zhao reason=left us")
	_, err = h.Who(t.Context(), in.Token)
	want(t, err, staff.ErrSession)
	_, err = h.SignInByCode(t.Context(), again)
	want(t, err, staff.ErrCode)
	_, err = h.OfAccount(t.Context(), 5)
	want(t, err, staff.ErrNobody)
	_, _, err = h.TerminalCode(t.Context(), clerk)
	want(t, err, staff.ErrSuspended)
	want(t, h.Suspend(t.Context(), officer, "zhao", "again"), staff.ErrState)
	p, err := h.Propose(t.Context(), officer, staff.Change{Kind: staff.KindResume, Member: staff.NewMember{ID: "zhao"}})
	must(t, err)
	_, err = h.Approve(t.Context(), operator, p.ID)
	must(t, err)
	if c := h.of(5); c.ID != "zhao" {
		t.Errorf("%+v", c)
	}
	_, err = h.Who(t.Context(), in.Token)
	want(t, err, staff.ErrSession) // a session does not come back
}

// TestASessionThatIsPutBackStaysEnded: the table of sessions is not shared, so the
// member's row has to end them.
func TestASessionThatIsPutBackStaysEnded(t *testing.T) {
	h, operator, officer := begun(t)
	clerk := h.join(operator, officer, newMember("zhao", liuma.RoleClerk), 5)
	h.now = h.now.Add(time.Second)
	code, _, err := h.TerminalCode(t.Context(), clerk)
	must(t, err)
	in, err := h.SignInByCode(t.Context(), code)
	must(t, err)
	h.now = h.now.Add(time.Second)
	must(t, h.Suspend(t.Context(), officer, "zhao", "left"))
	p, err := h.Propose(t.Context(), officer, staff.Change{Kind: staff.KindResume, Member: staff.NewMember{ID: "zhao"}})
	must(t, err)
	_, err = h.Approve(t.Context(), operator, p.ID)
	must(t, err)
	must(t, h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: h.now, Actor: "thief", Event: audit.SessionBegun, Outcome: "ok"}, tx.PutStaffSession(store.StaffSession{
			Hash: staff.HashForTest(in.Token), Member: "zhao", At: h.now.Add(-time.Second), Seen: h.now, Until: in.Until})
	}))
	_, err = h.Who(t.Context(), in.Token)
	want(t, err, staff.ErrSession)
}

func TestSessionsEnd(t *testing.T) {
	h, operator, _ := begun(t)
	sign := func() staff.Session {
		t.Helper()
		code, until, err := h.TerminalCode(t.Context(), operator)
		must(t, err)
		if until.Sub(h.now) != staff.CodeLife {
			t.Error(until)
		}
		in, err := h.SignInByCode(t.Context(), code)
		must(t, err)
		_, err = h.SignInByCode(t.Context(), code)
		want(t, err, staff.ErrCode) // once
		return in
	}
	in := sign()
	if strings.Contains(fmt.Sprintf("%v %+v %s", in, in, in.Token), string(in.Token)) {
		t.Error("a token prints")
	}
	h.now = h.now.Add(staff.SessionIdle - time.Millisecond)
	c, err := h.Who(t.Context(), in.Token)
	must(t, err)
	if c.ID != "wang" {
		t.Errorf("%+v", c)
	}
	h.now = h.now.Add(staff.SessionIdle)
	_, err = h.Who(t.Context(), in.Token)
	want(t, err, staff.ErrSession)
	in = sign() // used all the time, it ends after eight hours
	for end := h.now.Add(staff.SessionLife); h.now.Before(end); h.now = h.now.Add(20 * time.Minute) {
		if _, err := h.Who(t.Context(), in.Token); err != nil {
			t.Fatalf("after %v: %v", staff.SessionLife-end.Sub(h.now), err)
		}
	}
	_, err = h.Who(t.Context(), in.Token)
	want(t, err, staff.ErrSession)
	in = sign()
	must(t, h.End(t.Context(), in.Token))
	want(t, h.End(t.Context(), in.Token), staff.ErrSession)
	code, _, err := h.TerminalCode(t.Context(), operator)
	must(t, err)
	_, err = h.Who(t.Context(), staff.Token(code)) // a code is no session
	want(t, err, staff.ErrSession)
	h.now = h.now.Add(staff.CodeLife)
	_, err = h.SignInByCode(t.Context(), code)
	want(t, err, staff.ErrCode)
	h.recorded("staff:wang session.begun ok by=code")
	h.recorded("staff:wang session.ended ok")
}

// TestACodeIsUsedOnce, however many try it at once.
func TestACodeIsUsedOnce(t *testing.T) {
	h, operator, _ := begun(t)
	code, _, err := h.TerminalCode(t.Context(), operator)
	must(t, err)
	var wins atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := h.SignInByCode(t.Context(), code); err == nil {
				wins.Add(1)
			} else if !errors.Is(err, staff.ErrCode) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d sessions by one code", wins.Load())
	}
}

// TestWhenAllOfARoleAreGone one of the role is invited without an approval, and it
// counts only after three days in which who is left may stop it.
func TestWhenAllOfARoleAreGone(t *testing.T) {
	h, operator, officer := begun(t)
	must(t, h.Suspend(t.Context(), officer, "li", "retires")) // everybody may stop themself
	_, err := h.Propose(t.Context(), operator, staff.Change{Kind: staff.KindResume, Member: staff.NewMember{ID: "li"}})
	want(t, err, proposal.ErrAlone)
	next := newMember("sun", liuma.RoleOfficer)
	_, err = h.Begin(t.Context(), staff.Beginning{Officer: &next})
	want(t, err, audit.ErrReason)
	back := newMember("li", liuma.RoleOfficer)
	_, err = h.Begin(t.Context(), staff.Beginning{Officer: &back, Reason: "she comes back"})
	want(t, err, staff.ErrTaken)
	codes, err := h.Begin(t.Context(), staff.Beginning{Officer: &next, Reason: "the officer retired"})
	must(t, err)
	h.recorded("staff.begun again invited=sun roles=officer")
	_, err = h.AcceptAtTerminal(t.Context(), codes[0].Code, 0)
	want(t, err, staff.ErrEarly)
	seen, err := h.List(t.Context(), operator)
	must(t, err)
	if i := slices.IndexFunc(seen, func(v staff.View) bool { return v.ID == "sun" }); i < 0 || seen[i].InvitedFrom == nil {
		t.Errorf("%+v", seen)
	}
	must(t, h.Suspend(t.Context(), operator, "sun", "not so"))
	h.now = h.now.Add(staff.Wait)
	_, err = h.AcceptAtTerminal(t.Context(), codes[0].Code, 0)
	want(t, err, staff.ErrCode)
	other := newMember("zhou", liuma.RoleOfficer)
	codes, err = h.Begin(t.Context(), staff.Beginning{Officer: &other, Reason: "the officer retired"})
	must(t, err)
	h.now = h.now.Add(staff.Wait)
	c, err := h.AcceptAtTerminal(t.Context(), codes[0].Code, 0)
	must(t, err)
	if c.ID != "zhou" {
		t.Errorf("%+v", c)
	}
}

// TestWhoSuspendsTheOtherDoesNotChooseTheNext: an operator who suspends the only officer
// begins nobody in that place for a week; the record says who was last and by whom. Who
// was suspended with another officer left, or stopped themself, holds nothing up.
func TestWhoSuspendsTheOtherDoesNotChooseTheNext(t *testing.T) {
	h, operator, officer := begun(t)
	second := h.join(operator, officer, newMember("sun", liuma.RoleOfficer), 5)
	must(t, h.Suspend(t.Context(), operator, "li", "lost her phone"))
	h.recorded("member=li reason=lost her phone")
	h.now = h.now.Add(staff.Contest - time.Hour)
	must(t, h.Suspend(t.Context(), operator, second.ID, "cannot be reached"))
	h.recorded("member=sun last=officer reason=cannot be reached")
	next := newMember("zhou", liuma.RoleOfficer)
	begin := staff.Beginning{Officer: &next, Reason: "no officer is left"}
	for _, wait := range []time.Duration{0, time.Hour, staff.Contest - time.Hour - time.Minute} {
		h.now = h.now.Add(wait)
		_, err := h.Begin(t.Context(), begin)
		want(t, err, staff.ErrContest)
	}
	h.now = h.now.Add(time.Minute)
	codes, err := h.Begin(t.Context(), begin)
	must(t, err)
	h.recorded("suspended=sun by=wang")
	_, err = h.AcceptAtTerminal(t.Context(), codes[0].Code, 6)
	want(t, err, staff.ErrEarly) // the 72 hours come after that
}

// TestAReplacedPasskeyReplaces what the member had before.
func TestAReplacedPasskeyReplaces(t *testing.T) {
	h, operator, officer := begun(t)
	h.join(operator, officer, newMember("zhao", liuma.RoleClerk), 5)
	p, err := h.Propose(t.Context(), operator, staff.Change{Kind: staff.KindPasskey, Member: staff.NewMember{ID: "zhao"}})
	must(t, err)
	done, err := h.Approve(t.Context(), officer, p.ID)
	must(t, err)
	if c := h.of(5); c.ID != "zhao" { // until it is accepted
		t.Errorf("%+v", c)
	}
	_, err = h.AcceptAtTerminal(t.Context(), p.Half+done.Half, 7)
	must(t, err)
	_, err = h.OfAccount(t.Context(), 5)
	want(t, err, staff.ErrNobody)
	if c := h.of(7); c.ID != "zhao" {
		t.Errorf("%+v", c)
	}
}

// TestAccountsAreMappedByTwo: an account of the machine is as good as a passkey.
func TestAccountsAreMappedByTwo(t *testing.T) {
	h, operator, officer := begun(t)
	for _, kind := range []string{staff.KindMap, staff.KindUnmap} {
		p, err := h.Propose(t.Context(), officer, staff.Change{Kind: kind, Member: staff.NewMember{ID: "wang"}, Account: account(44)})
		must(t, err)
		if p.Half != "" {
			t.Error("a code for an account")
		}
		_, err = h.Approve(t.Context(), officer, p.ID)
		want(t, err, proposal.ErrSame)
		_, err = h.Approve(t.Context(), operator, p.ID)
		must(t, err)
		c, err := h.OfAccount(t.Context(), 44)
		if (kind == staff.KindMap) != (err == nil && c.ID == "wang") {
			t.Errorf("%s: %+v %v", kind, c, err)
		}
	}
}
