package samples_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	samples "github.com/liuma-pin/liuma/examples/policy"
	"github.com/liuma-pin/liuma/internal/policy"
)

func layers(t *testing.T) *policy.Layers {
	t.Helper()
	files, err := policy.ReadDirectory(".")
	if err != nil {
		t.Fatal(err)
	}
	l, err := policy.NewLayers(policy.National(), files...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestTheSamplesDiffer reads the files as a server would, and wants of each what the
// README says.
func TestTheSamplesDiffer(t *testing.T) {
	l := layers(t)
	const day = 24 * time.Hour
	for _, want := range []struct {
		region      liuma.Region
		attempts    int
		loss        time.Duration
		agents      policy.Agents
		instead     bool // the card's number in place of evidence
		beside      bool // and beside, to reset
		first       bool // and to apply
		passphrases bool
		forced      bool
	}{
		{"1101", 6, 7 * day, policy.AgentsNone, false, false, false, false, false},
		{"3101", 3, 3 * day, policy.AgentsFreeze, false, true, false, false, false},
		{"4401", 5, 7 * day, policy.AgentsBoth, true, false, false, true, false},
		{"5101", 5, 0, policy.AgentsNone, false, false, false, true, false},
		{"6501", 6, 3 * day, policy.AgentsNone, false, false, true, false, true},
	} {
		for _, county := range []liuma.Region{want.region, want.region + "05"} {
			p := l.For(county, "")
			if p.Limits.Attempts != want.attempts || p.LossReport != want.loss || p.Agents != want.agents || p.NumberForEvidence() != want.instead ||
				p.Steps.Asks(liuma.ActionReset, policy.ProofCardNo) != want.beside || p.Steps.Asks(liuma.ActionEnroll, policy.ProofCardNo) != want.first ||
				p.Passphrase != want.passphrases || (p.ForceAfter > 0) != want.forced {
				t.Errorf("%s: %+v", county, p)
			}
		}
	}
	if !l.For("4401", "gz-benefits").EvidenceAlone || l.For("4401", "other").EvidenceAlone || l.For("3101", "gz-benefits").EvidenceAlone {
		t.Error("evidence alone is not for the named channel in its region alone")
	}
	if got := l.For("33", ""); got != policy.National() {
		t.Errorf("a region without a file: %+v", got)
	}
}

// TestTheFilesAreEmbedded: the demo has the same files.
func TestTheFilesAreEmbedded(t *testing.T) {
	names, err := fs.Glob(samples.Files, "*.yaml")
	if err != nil || len(names) != 6 {
		t.Errorf("%s, %v", strings.Join(names, " "), err)
	}
}
