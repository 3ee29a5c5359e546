package admintest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/agencies"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/staff"
)

// agenciesImported are imported as people are, listed, and found at once.
func agenciesImported(t *testing.T, w *World, a admin.Administration) {
	content := append(slices.Clone(agencies.File), "NOT A CODE,,,,,,,,,,,,,,,,,,,\n"...)
	for again := range int64(2) {
		var read []int64
		var rejects []string
		sum, err := a.ImportAgencies(t.Context(), w.File(t, content), admin.ImportConfig{
			Progress: func(n int64) { read = append(read, n) },
			Reject:   func(line int, reason string) { rejects = append(rejects, fmt.Sprint(line, " ", reason)) },
		})
		want := agency.Summary{Read: 13, Kept: 12, Rejected: 1, Added: 12 * (1 - again), Unchanged: 12 * again}
		if err != nil || sum != want || len(read) == 0 || !slices.Equal(rejects, []string{"14 " + agency.ReasonCode}) {
			t.Fatalf("%+v, %v, %v; want %+v", sum, err, rejects, want)
		}
	}
	n := 0
	for _, e := range w.Entries(t) {
		if e.Event == audit.AgencyImported {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d entries", n)
	}
	one, err := a.Agencies(t.Context(), admin.AgencyQuery{Code: "huzhou-wuxing"})
	if err != nil || len(one.Agencies) != 1 || one.Agencies[0].Telephone != "0572-0000004" {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := a.Agencies(t.Context(), admin.AgencyQuery{Code: "nowhere"}); !errors.Is(err, agency.ErrUnknown) {
		t.Errorf("a code of nobody's: %v", err)
	}
	if found, err := a.Agencies(t.Context(), admin.AgencyQuery{Text: "hzs"}); err != nil || len(found.Agencies) != 4 || found.More {
		t.Errorf("%d found, %v", len(found.Agencies), err)
	}
	if all, err := a.Agencies(t.Context(), admin.AgencyQuery{All: true, After: "huzhou"}); err != nil || len(all.Agencies) != 3 {
		t.Errorf("%d after Huzhou, %v", len(all.Agencies), err)
	}
	member := staff.NewMember{ID: "chen-jing", Name: "陈静", Roles: []liuma.StaffRole{liuma.RoleClerk}, Region: "33", Agency: "nowhere"}
	if _, err := a.ProposeStaff(t.Context(), staff.Change{Kind: staff.KindInvite, Member: member}); !errors.Is(err, agency.ErrUnknown) {
		t.Errorf("a member of an agency that the directory does not know: %v", err)
	}
	member.Agency = "huzhou-wuxing"
	if _, err := a.ProposeStaff(t.Context(), staff.Change{Kind: staff.KindInvite, Member: member}); errors.Is(err, agency.ErrUnknown) {
		t.Errorf("a member of one that it knows: %v", err)
	}
	if _, err := a.ImportAgencies(t.Context(), w.File(t, []byte("name,id\n")), admin.ImportConfig{}); err == nil {
		t.Error("a file of something else is taken")
	}
}
