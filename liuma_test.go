package liuma_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

func TestIdentifiersHaveOneSpelling(t *testing.T) {
	id := liuma.NewCardID()
	if got, err := liuma.ParseCardID(id.String()); err != nil || got != id {
		t.Errorf("round trip: %v, %v", got, err)
	}
	for _, s := range []string{"", "00", strings.ToUpper(id.String()) + "", id.String() + "0", strings.Repeat("g", 32), strings.Repeat("A", 32)} {
		if _, err := liuma.ParseCardID(s); err == nil && s != id.String() {
			t.Errorf("ParseCardID(%q) passed", s)
		}
	}
	for in, want := range map[string]liuma.Region{"": "", "33": "33", "3305": "3305", "330000": "33", "330500": "3305", "330521": "330521"} {
		if got, err := liuma.ParseRegion(in); err != nil || got != want {
			t.Errorf("ParseRegion(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"3", "033", "33050", "3305000", "３３", "ab", "00"} {
		if _, err := liuma.ParseRegion(in); err == nil {
			t.Errorf("ParseRegion(%q) passed", in)
		}
	}
	if !liuma.Region("33").Contains("3305") || liuma.Region("3305").Contains("33") || !liuma.Region("").Contains("44") {
		t.Error("Contains")
	}
	for _, s := range []string{"", "-a", ".a", "a b", "a/b", "中", strings.Repeat("a", 65), "a\n"} {
		if _, err := liuma.ParseBusinessNo(s); err == nil {
			t.Errorf("ParseBusinessNo(%q) passed", s)
		}
	}
	for _, s := range []string{"", "-a", "a-", "A", "a_b", strings.Repeat("a", 41)} {
		if _, err := liuma.ParseChannelID(s); err == nil {
			t.Errorf("ParseChannelID(%q) passed", s)
		}
	}
}

// TestALogNamesTheCard: what stands in a log, of either form, is what commands take.
func TestALogNamesTheCard(t *testing.T) {
	id := liuma.NewCardID()
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "card", id)
	if !strings.Contains(out.String(), `"card":"`+id.String()+`"`) {
		t.Errorf("the log has no %s: %s", id, out.String())
	}
}

func TestStandingRanksCancelledOverFrozenOverSuspended(t *testing.T) {
	for _, tt := range []struct {
		physical liuma.PhysicalStatus
		frozen   bool
		want     liuma.Standing
	}{
		{liuma.PhysicalNormal, false, liuma.StandingActive},
		{liuma.PhysicalNormal, true, liuma.StandingFrozen},
		{liuma.PhysicalLost, false, liuma.StandingSuspended},
		{liuma.PhysicalLost, true, liuma.StandingFrozen},
		{liuma.PhysicalCancelled, true, liuma.StandingCancelled},
	} {
		if got := liuma.StandingOf(tt.physical, tt.frozen); got != tt.want {
			t.Errorf("%s, frozen %v: %s, want %s", tt.physical, tt.frozen, got, tt.want)
		}
	}
}

func TestErrorsShowTheirCodeAndKeepTheirCause(t *testing.T) {
	cause := errors.New("disk on fire")
	err := fmt.Errorf("while verifying: %w", liuma.FailField(liuma.CodeBusy, "pin", cause))
	if liuma.CodeOf(err) != liuma.CodeBusy || !errors.Is(err, cause) || !errors.Is(err, &liuma.Error{Code: liuma.CodeBusy}) {
		t.Errorf("%v", err)
	}
	if liuma.CodeOf(cause) != liuma.CodeInternal {
		t.Error("an unclassified error has a code that says something")
	}
}
