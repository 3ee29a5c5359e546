package admin_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// may is the table of docs/STAFF.md: by act, who may.
func may(t *testing.T) map[string]map[liuma.StaffRole]string {
	t.Helper()
	doc, err := os.ReadFile("../../../docs/STAFF.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]map[liuma.StaffRole]string{}
	head := []string{}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == "act" && cells[1] == "commands":
			head = cells
		case len(head) > 0 && len(cells) == len(head) && strings.HasPrefix(cells[0], "`"):
			row := map[liuma.StaffRole]string{}
			for i, name := range head[2:] {
				row[liuma.StaffRole(name)] = cells[i+2]
			}
			table[strings.Trim(cells[0], "`")] = row
		}
	}
	if len(table) < 15 {
		t.Fatalf("only %d rows were read", len(table))
	}
	return table
}

// TestTheTableIsTheRules compares docs/STAFF.md with what the program goes by, and both
// with the methods that there are.
func TestTheTableIsTheRules(t *testing.T) {
	table, seen := may(t), map[string]bool{}
	for _, rule := range admin.Rules() {
		row, ok := table[rule.Act]
		if !ok {
			t.Errorf("docs/STAFF.md has no row of %s", rule.Act)
		}
		for _, r := range liuma.StaffRoles() {
			want := ""
			switch {
			case rule.Anybody:
				want = "everybody"
			case slices.Contains(rule.Roles, r):
				want = "yes"
			}
			if row[r] != want {
				t.Errorf("%s of %s: docs/STAFF.md says %q, the program %q", rule.Act, r, row[r], want)
			}
		}
		for _, m := range rule.Methods {
			if seen[m] {
				t.Errorf("%s has two rules", m)
			}
			seen[m] = true
		}
		delete(table, rule.Act)
	}
	for act := range table {
		t.Errorf("docs/STAFF.md has a row of %s, which is no act", act)
	}
	for m := range reflect.TypeFor[admin.Administration]().Methods() {
		if !seen[m.Name] {
			t.Errorf("%s has no rule", m.Name)
		}
		delete(seen, m.Name)
	}
	for m := range seen {
		t.Errorf("a rule of %s, which is no method", m)
	}
}

// TestEveryRoleAtEveryEndpoint calls every method of the socket's client as every
// role, as somebody without a name, and as members who are suspended or bound to a
// region, and looks whether they are let in, by the table of docs/STAFF.md.
func TestEveryRoleAtEveryEndpoint(t *testing.T) {
	w := admintest.New(t, admintest.Options{Served: true})
	sessions := w.Staffed(t)
	s := w.Staff(t)
	who := func(r liuma.StaffRole) staff.Caller {
		c, err := s.Who(t.Context(), sessions[r])
		must(t, err)
		return c
	}
	bound := w.Join(t, who(liuma.RoleOperator), who(liuma.RoleOfficer), staff.NewMember{ID: "bound", Name: "周", Region: "33", Roles: []liuma.StaffRole{liuma.RoleOperator}}, 4_000_000_100)
	gone := w.Join(t, who(liuma.RoleOperator), who(liuma.RoleOfficer), staff.NewMember{ID: "gone", Name: "吴", Roles: []liuma.StaffRole{liuma.RoleOperator}}, 4_000_000_101)
	ended := w.Session(t, gone)
	must(t, s.Suspend(t.Context(), who(liuma.RoleOfficer), "gone", "left"))

	h := serve(t, w)
	table := may(t)
	rules := map[string]admin.Rule{}
	for _, rule := range admin.Rules() {
		for _, m := range rule.Methods {
			rules[m] = rule
		}
	}
	call := func(name string, session staff.Token, allowed func(admin.Rule) bool) {
		remote := h.dial(t)
		remote.As(session)
		for m := range reflect.TypeFor[admin.Administration]().Methods() {
			if m.Name == "SignOut" || m.Name == "WhoAmI" {
				continue // they answer about the session itself; below
			}
			err := callMethod(t, w, remote, m.Name)
			refused := errors.Is(err, admin.ErrRole) || errors.Is(err, staff.ErrNobody) || errors.Is(err, staff.ErrSession) || errors.Is(err, staff.ErrBounds)
			if want := allowed(rules[m.Name]); refused == want {
				t.Errorf("%s at %s: %v", name, m.Name, err)
			}
		}
	}
	for _, r := range liuma.StaffRoles() {
		call(string(r), sessions[r], func(rule admin.Rule) bool { return table[rule.Act][r] != "" })
	}
	anybody := func(rule admin.Rule) bool { return rule.Anybody }
	call("nobody", "", anybody)
	call("a made-up session", "nonsense", anybody)
	call("a suspended operator", ended, anybody)
	call("an operator of a region", w.Session(t, bound), func(rule admin.Rule) bool {
		return rule.Anybody || rule.Bounded && table[rule.Act][liuma.RoleOperator] != ""
	})
	for _, e := range w.Entries(t) {
		if e.Event != audit.StaffBegun {
			t.Errorf("an act without a name: %+v", e)
		}
	}
}

// callMethod calls a method with arguments that pass the client.
func callMethod(t *testing.T, w *admintest.World, a admin.Administration, name string) error {
	t.Helper()
	m := reflect.ValueOf(a).MethodByName(name)
	in := []reflect.Value{}
	for i := range m.Type().NumIn() {
		var v any
		switch m.Type().In(i) {
		case reflect.TypeFor[context.Context]():
			v = t.Context()
		case reflect.TypeFor[admin.Client]():
			v = admintest.Channel(t, "any")
		case reflect.TypeFor[jose.JSONWebKey]():
			v = admintest.Pair(t).Public
		case reflect.TypeFor[*os.File]():
			f, err := os.Open(w.KeyFile)
			must(t, err)
			defer f.Close()
			v = f
		case reflect.TypeFor[io.Writer]():
			v = io.Discard
		case reflect.TypeFor[string]():
			v = "nothing"
		case reflect.TypeFor[audit.Reason]():
			v = audit.Reason("a walk")
		case reflect.TypeFor[store.ClientKind]():
			v = store.ClientChannel
		default:
			in = append(in, reflect.Zero(m.Type().In(i)))
			continue
		}
		in = append(in, reflect.ValueOf(v).Convert(m.Type().In(i)))
	}
	out := m.Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheRecordNamesWhoActs, by session and by account; without a name nothing is
// recorded, and before the first member everything as before.
func TestTheRecordNamesWhoActs(t *testing.T) {
	w := admintest.New(t, admintest.Options{})
	h := serve(t, w)
	remote := h.dial(t)
	must(t, remote.AddClient(t.Context(), admintest.Channel(t, "before")))
	if c, err := remote.WhoAmI(t.Context()); err != nil || c.ID != "" {
		t.Errorf("%+v %v", c, err)
	}
	operator := staff.NewMember{ID: "wang", Name: "王", Roles: []liuma.StaffRole{liuma.RoleOperator}}
	officer := staff.NewMember{ID: "li", Name: "李", Roles: []liuma.StaffRole{liuma.RoleOfficer}}
	other := uint32(77) // what a caller says of the account is not heard
	codes, err := remote.BeginStaff(t.Context(), staff.Beginning{Operator: &operator, Officer: &officer, Account: &other})
	must(t, err)
	if _, err := w.Staff(t).OfAccount(t.Context(), other); !errors.Is(err, staff.ErrNobody) {
		t.Error("the caller chose the account")
	}
	if c, err := remote.WhoAmI(t.Context()); err != nil || c.ID != "wang" {
		t.Errorf("%+v %v", c, err)
	}
	must(t, remote.AddClient(t.Context(), admintest.Channel(t, "by-account")))
	boss, err := w.Staff(t).AcceptAtTerminal(t.Context(), codes[1].Code, 78)
	must(t, err)
	code, _, err := w.Staff(t).TerminalCode(t.Context(), boss)
	must(t, err)
	in, err := remote.SignIn(t.Context(), code)
	must(t, err)
	remote.As(staff.Token(in.Session))
	must(t, remote.StopClient(t.Context(), store.ClientChannel, "before"))
	must(t, remote.SignOut(t.Context()))
	if err := remote.StopClient(t.Context(), store.ClientChannel, "by-account"); !errors.Is(err, staff.ErrSession) {
		t.Error("a session that was signed out:", err)
	}
	if _, err := remote.WhoAmI(t.Context()); !errors.Is(err, staff.ErrSession) {
		t.Error(err)
	}
	for note, actor := range map[string]string{"channel added id=before": admin.Actor, "channel added id=by-account": "staff:wang", "channel stopped id=before": "staff:li"} {
		if got := w.ActorOf(t, note); got != actor {
			t.Errorf("%s: recorded as %s, want %s", note, got, actor)
		}
	}
}

// TestTwoByTheSocket: what takes two is not done by one, and what is refused keeps its
// error over the socket.
func TestTwoByTheSocket(t *testing.T) {
	w := admintest.New(t, admintest.Options{})
	sessions := w.Staffed(t)
	h := serve(t, w)
	operator, officer := h.dial(t), h.dial(t)
	operator.As(sessions[liuma.RoleOperator])
	officer.As(sessions[liuma.RoleOfficer])
	p, err := operator.ProposeStaff(t.Context(), staff.Change{Kind: staff.KindRole, Member: staff.NewMember{ID: "clerk", Roles: []liuma.StaffRole{liuma.RoleHotline}}})
	must(t, err)
	if _, err := operator.ApproveStaff(t.Context(), string(p.ID)); !errors.Is(err, proposal.ErrSame) {
		t.Error(err)
	}
	waiting, err := officer.Proposals(t.Context())
	must(t, err)
	if len(waiting) != 1 || waiting[0].About != "member=clerk roles=hotline" || waiting[0].By != "operator" {
		t.Errorf("%+v", waiting)
	}
	_, err = officer.ApproveStaff(t.Context(), string(p.ID))
	must(t, err)
	clerk := h.dial(t)
	clerk.As(sessions[liuma.RoleClerk])
	if c, err := clerk.WhoAmI(t.Context()); err != nil || !c.Is(liuma.RoleHotline) || c.Is(liuma.RoleClerk) {
		t.Errorf("a change of roles does not count at once: %+v %v", c, err)
	}
	if err := clerk.SuspendStaff(t.Context(), "officer", "no"); !errors.Is(err, proposal.ErrRole) {
		t.Error(err)
	}
	if err := operator.WithdrawProposal(t.Context(), "none"); !errors.Is(err, proposal.ErrUnknown) {
		t.Error(err)
	}
	must(t, officer.SuspendStaff(t.Context(), "clerk", "left"))
	if _, _, err := clerk.TerminalCode(t.Context()); !errors.Is(err, staff.ErrSession) {
		t.Error(err)
	}
}

// TestCommandsHaveARow: every command stands in docs/STAFF.md, in the table or among
// those that ask nobody. The list of commands is that of docs/OPERATIONS.md.
func TestCommandsHaveARow(t *testing.T) {
	staffing, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "STAFF.md"))
	must(t, err)
	operations, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "OPERATIONS.md"))
	must(t, err)
	n := 0
	for _, m := range regexp.MustCompile("(?m)^\\| `(liuma [a-z -]+?)( [A-Z]+)?`").FindAllStringSubmatch(string(operations), -1) {
		n++
		if command := m[1]; command != "liuma restore" && !strings.Contains(string(staffing), "`"+command+"`") {
			t.Errorf("docs/STAFF.md does not say who may run `%s`", command)
		}
	}
	if n < 70 {
		t.Errorf("only %d commands were read", n)
	}
}
