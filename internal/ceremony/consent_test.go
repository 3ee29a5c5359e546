package ceremony_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// consents are what the card's row says its holder agreed to.
func (x *phoned) consents() (all []store.Consent) {
	x.T.Helper()
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) error {
		l, err := r.LinkByHandle(x.ch.Channel(), x.card)
		if err != nil {
			return err
		}
		c, err := r.Card(l.Card)
		all = c.Consents
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return all
}

// withConsent names a file of a version in the configuration.
func withConsent(t *testing.T, path, version string) consent.Text {
	t.Helper()
	text, err := consent.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	text.Version = version
	text.Whole.ZH = append(text.Whole.ZH, "第"+version+"版。")
	raw, err := json.Marshal(text)
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestConsent: whoever enrols agrees to the text that the page showed, which stays with
// the card; a changed one is asked for at the next act that has a page before the
// pad, verifying is not held up, and a page that showed another text agrees to nothing.
func TestConsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consent.json")
	first := withConsent(t, path, "7")
	x := newPhoned(t, testkit.Options{Configure: func(c *config.Config) { c.Consent = path }})
	all := x.consents()
	if len(all) != 1 || all[0].Version != "7" || all[0].Text != first.Hash() || all[0].Channel != x.ch.Channel() || all[0].At.IsZero() {
		t.Fatalf("after enrolment: %+v", all)
	}
	// The same text is not asked for again.
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionReset))
	if p.Step != ceremony.StepConfirm || p.Consent != nil || p.ConsentHash != "" {
		t.Fatalf("asked again: %+v", p.Consent)
	}
	if _, err := x.Authority().Leave(t.Context(), p.ID, h); err != nil {
		t.Fatal(err)
	}

	x.Close()
	second := withConsent(t, path, "8")
	x.Open()
	q := x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, nil)
	p, h = x.OpenPage(x.ch, q)
	if p.Consent != nil || p.Step != ceremony.StepPIN {
		t.Fatalf("verify was held up: %+v", p)
	}
	x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
	if all = x.consents(); len(all) != 1 {
		t.Fatalf("verify agreed to something: %+v", all)
	}

	reset := x.push(liuma.ActionReset)
	p, h = x.OpenPage(x.ch, reset)
	if p.Consent == nil || p.Consent.Version != "8" {
		t.Fatalf("the new text is not shown: %+v", p.Consent)
	}
	old := first.Hash()
	for name, shown := range map[string]string{"none": "", "the old one": hex.EncodeToString(old[:]), "another": "8"} {
		wrong := h
		wrong.Consent = shown
		if _, err := x.Authority().Agree(t.Context(), p.ID, wrong); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
			t.Errorf("a page that showed %s: %v", name, err)
		}
	}
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	if all = x.consents(); len(all) != 1 {
		t.Fatalf("kept before anybody proved to be the holder: %+v", all)
	}
	x.want(p, ceremony.StepCode, "")
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p, h = x.WithEvidence(x.ch, reset, x.who, p, h, h)
	x.want(x.GivePIN(p, h, liuma.RoleNew, "937104"), ceremony.StepDone, "")
	if all = x.consents(); len(all) != 2 || all[0].Version != "7" || all[1].Version != "8" || all[1].Text != second.Hash() {
		t.Errorf("after the reset: %+v", all)
	}
}

// TestNobodyIsToldOfACardByTheText: a link by an ID number is asked for nothing, whether
// there is a card or not.
func TestNobodyIsToldOfACardByTheText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consent.json")
	withConsent(t, path, "7")
	x := newPhoned(t, testkit.Options{Configure: func(c *config.Config) { c.Consent = path }})
	x.Close()
	withConsent(t, path, "8")
	x.Open()
	other := x.Channel("zj-other")
	for _, who := range x.People[:2] { // with a card, and without
		p, _ := x.OpenPage(other, x.PushFor(other, liuma.ActionLink, testkit.Subject(who), nil))
		if p.Consent != nil || p.ConsentHash != "" {
			t.Errorf("a link shows %+v", p.Consent)
		}
	}
}

// TestEnrolmentNeedsTheText: without having shown it, no page goes on.
func TestEnrolmentNeedsTheText(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	f := x.People[1]
	p, h := x.OpenPage(x.ch, x.PushFor(x.ch, liuma.ActionEnroll, testkit.Subject(f), &f))
	if p.Consent == nil || p.Consent.Version != "1" {
		t.Fatalf("%+v", p.Consent)
	}
	bare := h
	bare.Consent = ""
	if _, err := x.Authority().Agree(t.Context(), p.ID, bare); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("agreed to nothing: %v", err)
	}
	if p, err := x.Authority().Agree(t.Context(), p.ID, h); err != nil || p.Step != ceremony.StepCode {
		t.Errorf("%+v, %v", p.Step, err)
	}
}
