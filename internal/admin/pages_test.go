package admin_test

import (
	"errors"
	"os"
	"testing"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestPagesNeedAMember: where there are no members yet a command acts without a name, and
// pages do nothing; an account of the machine is nobody on pages, then or later.
func TestPagesNeedAMember(t *testing.T) {
	w := admintest.New(t, admintest.Options{})
	account := uint32(os.Getuid())
	g := w.Admin.Guarded()
	for _, o := range []admin.Origin{{Pages: true}, {Pages: true, Account: &account}, {Pages: true, Session: "page.made-up"}} {
		err := g.AddClient(admin.From(t.Context(), o), admintest.Channel(t, "app"))
		if !errors.Is(err, staff.ErrNobody) && !errors.Is(err, staff.ErrSession) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := g.AddClient(admin.From(t.Context(), admin.Origin{}), admintest.Channel(t, "app")); err != nil {
		t.Errorf("a command before the first member: %v", err)
	}
	for _, token := range w.Staffed(t) { // of terminals
		if err := g.StopClient(admin.From(t.Context(), admin.Origin{Pages: true, Session: token}), store.ClientChannel, "app"); !errors.Is(err, staff.ErrSession) {
			t.Errorf("a terminal's session on pages: %v", err)
		}
	}
}
