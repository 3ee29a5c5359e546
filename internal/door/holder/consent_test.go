package holder

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/consent"
)

// TestTheTextStandsAboveItsButton: short, with a link to the whole, nothing ticked; the
// post says which text it was; and the whole text has a page that anybody can read.
func TestTheTextStandsAboveItsButton(t *testing.T) {
	text, err := consent.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	p := sample(liuma.ActionEnroll, ceremony.StepConfirm)
	p.Consent, p.ConsentHash = &text, "abc123"
	s := newSite(t, p)
	s.reads("/authorize?client_id=zj-hrss&request_uri=" + url.QueryEscape(pushedURI))
	s.do("POST", "/c/"+p.ID+"/begin", url.Values{"request_uri": {pushedURI}})
	body := s.reads("/c/" + p.ID)
	for _, want := range append(text.Short.ZH, `name="consent" value="abc123"`, "同意并继续", `href="/consent"`) {
		if !strings.Contains(body, want) {
			t.Errorf("does not say %q:\n%s", want, body)
		}
	}
	if strings.Contains(body, "checkbox") || strings.Index(body, text.Short.ZH[0]) > strings.Index(body, "同意并继续") {
		t.Error("a box, or the text is below its button")
	}
	if w := s.do("POST", "/c/"+p.ID+"/agree", url.Values{"consent": {"abc123"}}); w.Code != http.StatusSeeOther {
		t.Fatalf("%d", w.Code)
	}
	if got := s.fake.hands[len(s.fake.hands)-1].Consent; got != "abc123" {
		t.Errorf("agreed to %q", got)
	}
	whole := s.reads("/consent")
	for _, want := range append(text.Whole.ZH, "版本 "+text.Version) {
		if !strings.Contains(whole, want) {
			t.Errorf("/consent does not say %q", want)
		}
	}
	// Where nothing is to be agreed to, the page is as it was.
	bare := newSite(t, sample(liuma.ActionLink, ceremony.StepConfirm))
	bare.reads("/authorize?client_id=zj-hrss&request_uri=" + url.QueryEscape(pushedURI))
	bare.do("POST", "/c/"+p.ID+"/begin", url.Values{"request_uri": {pushedURI}})
	if body := bare.reads("/c/" + p.ID); strings.Contains(body, "consent") || strings.Contains(body, "同意") {
		t.Errorf("asks for consent:\n%s", body)
	}
}
