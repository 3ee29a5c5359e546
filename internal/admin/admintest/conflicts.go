package admintest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
)

// conflicts are listed masked, and decided once, with a reason.
func conflicts(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	imported := func(rows ...string) {
		t.Helper()
		file := w.File(t, []byte("id_number,name,phone,card_no\n"+strings.Join(rows, "\n")+"\n"))
		_, err := a.ImportRegistry(ctx, file, admin.ImportConfig{})
		must(t, err)
	}
	const one, two = "330521195503070026", "11010519491231002X"
	imported(one+",王淑珍,13800138000,A12345678", two+",赵六,13800138001,A12345679")
	imported(one+",李丽,13900139000,B12345678", two+",孙七,13900139001,B12345679")
	all, err := a.Conflicts(ctx, "")
	must(t, err)
	if len(all) != 2 || all[0].ID >= all[1].ID {
		t.Fatalf("%+v", all)
	}
	if rest, err := a.Conflicts(ctx, all[0].ID); err != nil || len(rest) != 1 || rest[0].ID != all[1].ID {
		t.Errorf("after the first: %+v, %v", rest, err)
	}
	shown, err := a.Conflict(ctx, all[0].ID)
	must(t, err)
	if fmt.Sprint(shown) != fmt.Sprint(all[0]) || shown.KeptAt != nil || strings.Contains(fmt.Sprintf("%+v", shown), "13800138") {
		t.Errorf("%+v", shown)
	}
	for _, reason := range []audit.Reason{"", " ", "two\nlines"} {
		_, err := a.ReplaceConflict(ctx, all[0].ID, reason)
		if kept := a.KeepConflict(ctx, all[0].ID, reason); !errors.Is(err, audit.ErrReason) || !errors.Is(kept, audit.ErrReason) {
			t.Errorf("reason %q: %v, %v", reason, err, kept)
		}
	}
	must(t, a.KeepConflict(ctx, all[0].ID, "checked"))
	if out, err := a.ReplaceConflict(ctx, all[1].ID, "seen"); err != nil || out.Card != "" {
		t.Errorf("replaced: %+v, %v", out, err)
	}
	if left, err := a.Conflicts(ctx, ""); err != nil || len(left) != 0 {
		t.Errorf("%+v, %v", left, err)
	}
	if kept, err := a.Conflict(ctx, all[0].ID); err != nil || kept.KeptAt == nil {
		t.Errorf("%+v, %v", kept, err)
	}
	for _, id := range []string{"", "none", all[1].ID} {
		_, shown := a.Conflict(ctx, id)
		_, replaced := a.ReplaceConflict(ctx, id, "seen")
		kept := a.KeepConflict(ctx, id, "seen")
		for _, err := range []error{shown, replaced, kept} {
			if !errors.Is(err, registry.ErrNoConflict) {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
}
