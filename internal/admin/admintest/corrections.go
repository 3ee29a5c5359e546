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

// corrections are taken with a reason, listed masked, and cancelled until they
// count; a refusal says in words what is wrong.
func corrections(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	const former, number, other = "330521195503070026", "330521195503070034", "11010519491231002X"
	file := w.File(t, []byte("id_number,name,phone,card_no\n"+former+",王淑珍,13800138000,A12345678\n"+other+",赵六,13800138001,A12345679\n"))
	_, err := a.ImportRegistry(ctx, file, admin.ImportConfig{})
	must(t, err)
	ask := admin.NumberCorrection{Former: former, Number: number, CardNo: "A12345678"}
	if _, err := a.CorrectNumber(ctx, ask, " "); !errors.Is(err, audit.ErrReason) {
		t.Errorf("no reason: %v", err)
	}
	for want, q := range map[string]admin.NumberCorrection{
		"former_id_number": {Former: "330521195503070027", Number: number, CardNo: "A12345678"},
		"are the same":     {Former: former, Number: former, CardNo: "A12345678"},
		"card_no":          {Former: former, Number: number, CardNo: "A12345679"},
		"another person":   {Former: former, Number: other, CardNo: "A12345678"},
	} {
		if _, err := a.CorrectNumber(ctx, q, "a letter"); !errors.Is(err, admin.ErrCorrection) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "330521") {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for range 2 {
		out, err := a.CorrectNumber(ctx, ask, "a letter")
		if err != nil || out.State != "received" || out.Waiting == nil || out.Waiting.Number != "3305**********0034" {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	all, err := a.Corrections(ctx, "")
	must(t, err)
	if len(all) != 1 || all[0].Name != "王*珍" || all[0].Former != "3305**********0026" || all[0].By != "operator" || strings.Contains(fmt.Sprintf("%+v", all), "19550307") {
		t.Fatalf("%+v", all)
	}
	if rest, err := a.Corrections(ctx, all[0].ID); err != nil || len(rest) != 0 {
		t.Errorf("after the only one: %+v, %v", rest, err)
	}
	if _, err := a.GoOnUntold(ctx, all[0].ID, ""); !errors.Is(err, audit.ErrReason) {
		t.Errorf("no reason: %v", err)
	}
	if _, err := a.GoOnUntold(ctx, all[0].ID, "seen"); !errors.Is(err, registry.ErrNotUntold) {
		t.Errorf("one that was not stopped: %v", err)
	}
	if _, err := a.GoOnUntold(ctx, "nothing", "seen"); !errors.Is(err, registry.ErrUnknownCorrection) {
		t.Errorf("one that there is not: %v", err)
	}
	if err := a.CancelCorrection(ctx, all[0].ID, ""); !errors.Is(err, audit.ErrReason) {
		t.Errorf("no reason: %v", err)
	}
	must(t, a.CancelCorrection(ctx, all[0].ID, "a typing error"))
	for _, id := range []string{all[0].ID, "nothing", ""} {
		if err := a.CancelCorrection(ctx, id, "again"); !errors.Is(err, registry.ErrUnknownCorrection) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if out, err := a.CorrectNumber(ctx, ask, "it was right after all"); err != nil || out.State != "received" {
		t.Errorf("an operator insists: %+v, %v", out, err)
	}
}
