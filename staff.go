package liuma

import (
	"fmt"
	"slices"
	"strings"
)

// StaffID names one member of staff (工作人员), for good: it stands in the audit
// record, and is never given to another person.
type StaffID string

// Agency names one agency (经办机构), whose staff see what belongs to it. Empty: all
// agencies of the region.
type Agency string

// ParseStaffID accepts 1 to 40 lower-case letters, digits and inner hyphens.
func ParseStaffID(s string) (StaffID, error) {
	if !isName(s) {
		return "", fmt.Errorf("member of staff %q: want 1 to 40 of a-z, 0-9 and inner hyphens", s)
	}
	return StaffID(s), nil
}

// ParseAgency accepts the same letters as ParseStaffID, or nothing.
func ParseAgency(s string) (Agency, error) {
	if s != "" && !isName(s) {
		return "", fmt.Errorf("agency %q: want 1 to 40 of a-z, 0-9 and inner hyphens", s)
	}
	return Agency(s), nil
}

// Actor is the member's name in the audit record.
func (id StaffID) Actor() string { return "staff:" + string(id) }

// StaffRole is what a member of staff may do. A member has one or more.
type StaffRole string

// The roles.
const (
	RoleClerk      StaffRole = "clerk"      // 经办人员: opens tickets at a counter
	RoleSupervisor StaffRole = "supervisor" // 复核人员: approves them
	RoleHotline    StaffRole = "hotline"    // 热线人员: freezes, and nothing else
	RoleOperator   StaffRole = "operator"   // 系统管理员: runs the service
	RoleOfficer    StaffRole = "officer"    // 安全管理员: the security officer, who approves what operators propose
	RoleAuditor    StaffRole = "auditor"    // 审计人员: reads the record
)

// JoinStaffRoles writes roles one after the other.
func JoinStaffRoles(roles []StaffRole, between string) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, between)
}

// StaffRoles lists every role, in the order in which pages show them.
func StaffRoles() []StaffRole {
	return []StaffRole{RoleClerk, RoleSupervisor, RoleHotline, RoleOperator, RoleOfficer, RoleAuditor}
}

// ParseStaffRole reads a role's name.
func ParseStaffRole(s string) (StaffRole, error) {
	if r := StaffRole(s); slices.Contains(StaffRoles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("role %q: want clerk, supervisor, hotline, operator, officer or auditor", s)
}

// Checks reports whether one of two roles checks what the other does, so that
// nobody may hold both: a supervisor approves what a clerk asks for, operators and
// security officers approve one another's acts, and an auditor reads what all
// others did.
func (r StaffRole) Checks(other StaffRole) bool {
	pair := func(a, b StaffRole) bool { return r == a && other == b || r == b && other == a }
	return r != other && (pair(RoleClerk, RoleSupervisor) || pair(RoleOperator, RoleOfficer) ||
		r == RoleAuditor || other == RoleAuditor)
}

// CheckStaffRoles refuses an empty list, an unknown role, a role named twice, and
// roles that nobody may hold together.
func CheckStaffRoles(roles []StaffRole) error {
	if len(roles) == 0 {
		return fmt.Errorf("a member of staff needs a role")
	}
	for i, r := range roles {
		if _, err := ParseStaffRole(string(r)); err != nil {
			return err
		}
		for _, other := range roles[:i] {
			if r == other {
				return fmt.Errorf("role %s is named twice", r)
			}
			if r.Checks(other) {
				return fmt.Errorf("nobody is %s and %s: one checks what the other does", other, r)
			}
		}
	}
	return nil
}
