package admin_test

import (
	"errors"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestATerminalApprovesNoTicket: that takes the console, which asks for the passkey.
func TestATerminalApprovesNoTicket(t *testing.T) {
	w := admintest.New(t, admintest.Options{Served: true})
	sessions := w.Staffed(t)
	terminal := w.Admin.GuardedFrom(admin.Origin{Session: sessions[liuma.RoleSupervisor]})
	if _, err := terminal.ApproveTicket(t.Context(), admin.TicketApproval{ID: liuma.TicketID{1}}); !errors.Is(err, admin.ErrOnlyPages) {
		t.Error(err)
	}
	if _, err := terminal.AskedTickets(t.Context()); !errors.Is(err, admin.ErrNotServing) { // this World has no counter
		t.Error(err)
	}
}

// TestNobodyIsAtTheCounterWithoutAName: not even in a directory without staff.
func TestNobodyIsAtTheCounterWithoutAName(t *testing.T) {
	w := admintest.New(t, admintest.Options{Served: true})
	if _, err := w.Admin.Guarded().LookUpPerson(t.Context(), counter.Seeking{}); !errors.Is(err, staff.ErrNobody) {
		t.Error(err)
	}
}

// TestTheCountersClient is nobody's to register, list, stop or give a key.
func TestTheCountersClient(t *testing.T) {
	w := admintest.New(t, admintest.Options{Served: true})
	a := w.Admin
	if err := a.AddClient(t.Context(), channel(t, store.ReservedClient)); !errors.Is(err, admin.ErrReserved) {
		t.Error("registered:", err)
	}
	if err := a.AddClient(t.Context(), channel(t, store.CounterClient)); !errors.Is(err, admin.ErrClient) {
		t.Error("registered under its own:", err)
	}
	w.PutClient(t, store.Client{ID: store.CounterClient, Kind: store.ClientCounter})
	for _, kind := range []store.ClientKind{store.ClientCounter, store.ClientChannel} {
		if all, err := a.Clients(t.Context(), kind); err != nil || len(all) > 0 {
			t.Errorf("listed: %+v %v", all, err)
		}
		for what, err := range map[string]error{
			"stopped": a.StopClient(t.Context(), kind, store.CounterClient), "resumed": a.ResumeClient(t.Context(), kind, store.CounterClient),
			"given a key": a.AddClientKey(t.Context(), kind, store.CounterClient, pair(t).Public),
		} {
			if !errors.Is(err, admin.ErrUnknown) {
				t.Errorf("%s as %s: %v", what, kind, err)
			}
		}
	}
}
