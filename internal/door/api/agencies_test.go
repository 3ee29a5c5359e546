package api_test

import (
	"bytes"
	"testing"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/examples/agencies"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestChannelsReadWhomToAsk: by region, up to the province where the county has none; a
// code that is none is refused, and so is who is no channel.
func TestChannelsReadWhomToAsk(t *testing.T) {
	e, sys := openWith(t, testkit.Options{People: 2})
	none, err := e.SDK(t, e.A).Agencies(t.Context(), "330502")
	if err != nil || none.Offices == nil || len(none.Offices)+len(none.Hotlines) != 0 || none.Region != "0" {
		t.Errorf("before the first import: %+v, %v", none, err)
	}
	if _, err := sys.System.Agencies.Import(t.Context(), bytes.NewReader(agencies.File), agency.ImportConfig{Actor: "operator"}); err != nil {
		t.Fatal(err)
	}
	for region, want := range map[string][3]string{"330502": {"330502", "huzhou-wuxing", "12333"}, "330503": {"3305", "huzhou", "12333"}, "340100": {"3401", "hefei", "962218"}, "": {"0", "", "12333"}} {
		got, err := e.SDK(t, e.A).Agencies(t.Context(), region)
		if err != nil || got.Region != want[0] || len(got.Hotlines) == 0 || got.Hotlines[0].Telephone != want[2] || (len(got.Offices) > 0) != (want[1] != "") ||
			want[1] != "" && got.Offices[0].Code != want[1] {
			t.Errorf("%q: %+v, %v", region, got, err)
		}
	}
	for _, region := range []string{"33050", "x", "../cards"} {
		if _, err := e.SDK(t, e.A).Agencies(t.Context(), region); err == nil {
			t.Errorf("%q is answered", region)
		}
	}
	if _, err := e.SDK(t, e.Hotline).Agencies(t.Context(), "33"); client.CodeOf(err) != client.CodeForbidden {
		t.Errorf("a hotline: %v", err)
	}
}
