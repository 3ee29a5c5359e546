package console_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// peer is one authority's view of a database that two share.
type peer struct {
	store.Store
	self store.Peer
	all  []store.Peer
}

func (p peer) Self() store.Peer                            { return p.self }
func (p peer) Peers(context.Context) ([]store.Peer, error) { return p.all, nil }
func (p peer) Away(context.Context) ([]store.Peer, error)  { return nil, nil }

// two is a console of authority-a, beside which authority-b has joined.
func two(t *testing.T) (h *house, b *keyring.Keyring) {
	t.Helper()
	w := admintest.New(t, admintest.Options{Served: true})
	since := admintest.Start.Add(-time.Hour)
	peers := []store.Peer{{Name: "authority-a", Process: "one", Host: "host-1", Release: "v0.4.0", Since: since}, {Name: "authority-b", Process: "two", Host: "host-2", Release: "v0.5.0", Since: since}}
	first := filepath.Dir(w.KeyFile)
	v, err := vault.Open(w.KeyFile)
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	_, err = vault.CreateHeads(v, first)
	must(t, err)
	second := t.TempDir()
	for _, name := range []string{"vault.key", vault.HeadsFile} {
		content, err := os.ReadFile(filepath.Join(first, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(second, name), content, 0o600))
	}
	join := func(dir string, self store.Peer) (peer, *keyring.Keyring) {
		v, err := vault.Open(filepath.Join(dir, "vault.key"))
		must(t, err)
		t.Cleanup(func() { must(t, v.Close()) })
		heads, err := vault.OpenHeads(v, dir)
		must(t, err)
		p := peer{w.Store, self, peers}
		k, err := keyring.New(keyring.Config{Store: p, Vault: v, Heads: heads, Name: self.Name, Now: admintest.Now})
		must(t, err)
		must(t, k.Join(t.Context()))
		return p, k
	}
	c := w.Config()
	c.Store, c.Keyring = join(first, peers[0])
	_, b = join(second, peers[1])
	h = opened(t, w, c)
	h.codes, err = h.staff.Begin(t.Context(), staff.Beginning{
		Operator: &staff.NewMember{ID: "wang", Name: "王丽", Roles: []liuma.StaffRole{liuma.RoleOperator}},
		Officer:  &staff.NewMember{ID: "li", Name: "李娜", Roles: []liuma.StaffRole{liuma.RoleOfficer}}})
	must(t, err)
	return h, b
}

// digitsOf are those that the machine of an authority shows.
func digitsOf(t *testing.T, k *keyring.Keyring) string {
	t.Helper()
	s, err := k.State(t.Context())
	must(t, err)
	i := slices.IndexFunc(s.Members, func(m keyring.Member) bool { return m.Here })
	return s.Members[i].Digits
}

// TestAnAuthorityIsConfirmedByTwo: who they are, with digits to compare; the digits that were
// heard have to be these; one proposes and another approves, with a touch.
func TestAnAuthorityIsConfirmedByTwo(t *testing.T) {
	h, b := two(t)
	operator, officer := h.members()
	digits := digitsOf(t, b)
	if p := operator.get("/authorities"); !p.says("authority-a", "authority-b", "v0.4.0", "v0.5.0", "Waiting to be confirmed here", digits, "this one", "not confirmed here") || !strings.Contains(p.body, `Authorities <span class="count">1</span>`) {
		t.Errorf("list: %d %s", p.status, p.body)
	}
	if p := operator.get("/authorities/authority-b"); !p.says(digits, "host-2", "Digits as you heard them") || p.says("Dismiss for good") {
		t.Errorf("its page: %d %s", p.status, p.body)
	}
	for path, typed := range map[string]string{"/authorities/authority-b/confirm": strings.Repeat("1234 ", 8), "/authorities/nobody/confirm": digits, "/authorities/authority-a/confirm": digits} {
		if p := operator.post(path, "digits", typed, "reason", "heard"); p.status != http.StatusNotFound || !p.says("No other authority of that name has these digits") {
			t.Errorf("%s with %s: %d %s", path, typed, p.status, p.body)
		}
	}
	if p := operator.post("/authorities/authority-b/confirm", "digits", digits, "reason", ""); p.status != http.StatusUnprocessableEntity || !p.says("This takes a reason") {
		t.Errorf("without a reason: %d", p.status)
	}
	p := operator.post("/authorities/authority-b/confirm", "digits", strings.ReplaceAll(digits, " ", ""), "reason", "heard over the phone")
	at, _, _ := strings.Cut(p.to, "?")
	if p.status != http.StatusSeeOther || !strings.HasPrefix(at, "/proposals/") {
		t.Fatalf("proposed: %d %s", p.status, p.body)
	}
	if p := officer.get(at); !p.says(digitsInFours(digits), "authority-b", "authority-a", "heard over the phone", "First hear the digits") {
		t.Errorf("for who approves: %d %s", p.status, p.body)
	}
	if p := officer.post(at + "/approve"); p.status != http.StatusForbidden {
		t.Errorf("approved without a touch: %d", p.status)
	}
	if p := officer.post(at+"/approve", "answer", officer.touch(at+"/offer")); p.status != http.StatusSeeOther {
		t.Fatalf("approved: %d %s", p.status, p.body)
	}
	if p := operator.get("/authorities"); p.says("Waiting to be confirmed here") || !p.says("takes no keys from here") || strings.Contains(p.body, `Authorities <span class="count">`) {
		t.Errorf("after it: %d %s", p.status, p.body)
	}
}

// digitsInFours are digits as a page groups them.
func digitsInFours(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestAnAuthorityIsDismissed: by an officer alone, at once and for good.
func TestAnAuthorityIsDismissed(t *testing.T) {
	h, b := two(t)
	operator, officer := h.members()
	digits := digitsOf(t, b)
	if p := operator.post("/authorities/authority-b/dismiss", "reason", "x"); !p.says("Your roles do not allow this") {
		t.Errorf("by an operator: %d", p.status)
	}
	if p := officer.get("/authorities/authority-a"); p.says("Dismiss for good") {
		t.Error("the page of the one that answers offers to dismiss it")
	}
	if p := officer.post("/authorities/authority-a/dismiss", "reason", "x"); p.status != http.StatusNotFound {
		t.Errorf("itself: %d", p.status)
	}
	if p := officer.post("/authorities/authority-b/dismiss", "reason", ""); !p.says("This takes a reason") {
		t.Errorf("without a reason: %d", p.status)
	}
	if p := officer.post("/authorities/authority-b/dismiss", "reason", "stolen"); p.to != "/authorities?said=authority_dismissed" {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if p := officer.get("/authorities"); p.says("authority-b") {
		t.Errorf("still listed: %s", p.body)
	}
	must(t, b.Join(t.Context())) // it comes back with the identity that was dismissed
	if p := officer.get("/authorities/authority-b"); !p.says("dismissed") || p.says("Digits as you heard them") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := officer.post("/authorities/authority-b/confirm", "digits", digits, "reason", "heard"); p.status != http.StatusConflict || !p.says("This authority's identity was dismissed") {
		t.Errorf("confirmed all the same: %d %s", p.status, p.body)
	}
}

// TestAnAuthorityAlone: where nobody can share the database the page says so, and nothing else.
func TestAnAuthorityAlone(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	if p := operator.get("/authorities"); p.status != http.StatusOK || !p.says("This authority is the only one") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := operator.get("/authorities/authority-b"); p.status != http.StatusNotFound {
		t.Errorf("%d", p.status)
	}
	operator.lang = "zh-CN"
	if p := operator.get("/authorities"); !p.says("只有这一个密码服务") {
		t.Errorf("%s", p.body)
	}
}
