package admin_test

import (
	"errors"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/staff"
)

// TestWhoServesPrintsNoLetters: an operator who is clerk or supervisor as well neither
// prints what tells of a counter, nor takes it off the list; one of an agency has no
// letters, and one of a region those of that region.
func TestWhoServesPrintsNoLetters(t *testing.T) {
	w := admintest.New(t, admintest.Options{})
	sessions := w.Staffed(t)
	who := func(r liuma.StaffRole) staff.Caller {
		c, err := w.Staff(t).Who(t.Context(), sessions[r])
		must(t, err)
		return c
	}
	h := serve(t, w)
	w.Written(t)
	for i, c := range []struct {
		n    staff.NewMember
		want error
		sees int
	}{
		{staff.NewMember{ID: "both", Name: "周", Roles: []liuma.StaffRole{liuma.RoleOperator, liuma.RoleClerk}}, admin.ErrAtDesk, 0},
		{staff.NewMember{ID: "approves", Name: "周", Roles: []liuma.StaffRole{liuma.RoleOperator, liuma.RoleSupervisor}}, admin.ErrAtDesk, 0},
		{staff.NewMember{ID: "agency", Name: "周", Region: "3305", Agency: "huzhou", Roles: []liuma.StaffRole{liuma.RoleOperator}}, staff.ErrBounds, 0},
		{staff.NewMember{ID: "ningbo", Name: "周", Region: "3302", Roles: []liuma.StaffRole{liuma.RoleOperator}}, nil, 0},
		{staff.NewMember{ID: "huzhou", Name: "周", Region: "3305", Roles: []liuma.StaffRole{liuma.RoleOperator}}, nil, 2},
	} {
		remote := h.dial(t)
		remote.As(w.Session(t, w.Join(t, who(liuma.RoleOperator), who(liuma.RoleOfficer), c.n, uint32(4_000_000_200+i))))
		all, err := remote.Letters(t.Context(), "", "")
		if !errors.Is(err, c.want) || len(all) != c.sees {
			t.Errorf("%s lists %d: %v", c.n.ID, len(all), err)
		}
		_, print := remote.PrintLetters(t.Context(), letter.Order{Batch: "nothing"})
		_, post := remote.PostLetters(t.Context(), "nothing")
		_, back := remote.LetterBack(t.Context(), "nothing")
		for act, err := range map[string]error{"print": print, "post": post, "back": back, "written": remote.LettersPrinted(t.Context(), "nothing")} {
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s may %s: %v", c.n.ID, act, err)
			}
		}
	}
}
