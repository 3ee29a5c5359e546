package liuma_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
)

// TestRolesThatCheckEachOther is the table of docs/STAFF.md: who holds the first may
// not hold the second, nor the other way round.
func TestRolesThatCheckEachOther(t *testing.T) {
	checks := map[[2]liuma.StaffRole]bool{
		{liuma.RoleClerk, liuma.RoleSupervisor}: true,
		{liuma.RoleOperator, liuma.RoleOfficer}: true,
		{liuma.RoleAuditor, liuma.RoleClerk}:    true, {liuma.RoleAuditor, liuma.RoleSupervisor}: true,
		{liuma.RoleAuditor, liuma.RoleHotline}: true, {liuma.RoleAuditor, liuma.RoleOperator}: true,
		{liuma.RoleAuditor, liuma.RoleOfficer}: true,
	}
	for _, a := range liuma.StaffRoles() {
		for _, b := range liuma.StaffRoles() {
			want := checks[[2]liuma.StaffRole{a, b}] || checks[[2]liuma.StaffRole{b, a}]
			if a.Checks(b) != want {
				t.Errorf("%s checks %s: %v, want %v", a, b, !want, want)
			}
			err := liuma.CheckStaffRoles([]liuma.StaffRole{a, b})
			if refused := want || a == b; (err != nil) != refused {
				t.Errorf("%s and %s: %v", a, b, err)
			}
		}
	}
	for _, none := range [][]liuma.StaffRole{nil, {"root"}} {
		if liuma.CheckStaffRoles(none) == nil {
			t.Errorf("%v may be held", none)
		}
	}
}

func TestStaffIDs(t *testing.T) {
	for text, good := range map[string]bool{"wang-li": true, "w": true, "": false, "Wang": false, "-w": false, "w-": false, "王丽": false, "a b": false} {
		if _, err := liuma.ParseStaffID(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := liuma.ParseAgency(text); (err == nil) != (good || text == "") {
			t.Errorf("agency %q: %v", text, err)
		}
	}
	if got := liuma.StaffID("wang-li").Actor(); got != "staff:wang-li" {
		t.Error(got)
	}
}
