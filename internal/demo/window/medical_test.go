package window_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma/test/printed"
)

// activates starts the medical e-credential in an app, up to the pad.
func (p *phone) activates(app string) {
	p.t.Helper()
	p.open(app + "/")
	p.press("start", "action", "medical")
	p.says("激活医保电子凭证")
	p.press("evidence")
	p.begin()
}

// TestMedicalCredential: PIN and evidence together open it, against the authority; a
// ceremony that was left goes on with the evidence that it had; the thief comes as far as
// the camera.
func TestMedicalCredential(t *testing.T) {
	s := newStage(t)
	p := newPhone(t, s)
	p.enroll(s.apps[0], "wang", goodPIN)

	p.activates(s.apps[0])
	p.give("current", wrongPIN)
	p.says("还可试 5 次")
	p.give("current", goodPIN)
	p.says(`data-medical="code"`)
	p.says("urn:liuma:acr:pin-evidence")
	p.says("stand-in") // and not face
	p.press("medical")
	p.says(`data-medical="code"`)

	s.Clock.Advance(6 * time.Minute)
	p.open(s.apps[0] + "/medical")
	p.says(`data-medical="closed"`)
	p.press("start", "action", "medical")
	p.press("evidence") // and then the holder leaves the page by the back button
	p.open(s.apps[0] + "/")
	p.says("还没有结果")
	p.press("resume")
	p.begin()
	p.give("current", goodPIN)
	p.says(`data-medical="code"`)

	thief := newPhone(t, s)
	thief.be(s.apps[0], "thief")
	thief.press("start", "action", "medical")
	thief.press("evidence")
	thief.says("镜头前不是本人")
	thief.open(s.apps[0] + "/medical")
	thief.says("您在扮演小偷")

	for party, words := range s.seen() {
		for _, secret := range []string{goodPIN, wrongPIN, "330502195603120626", "王桂珍", "LIUMA-SAMPLE"} {
			if printed.Has(words, secret) {
				t.Errorf("the window shows %s at %s", secret, party)
			}
		}
	}
}

// TestMedicalCredentialForgotten: who forgot the PIN sets a new one on the way, and then
// gives it: both are proved for the service, under its number.
func TestMedicalCredentialForgotten(t *testing.T) {
	s := newTexted(t)
	p, read := newPhone(t, s), 0
	p.be(s.apps[0], "wang")
	p.press("start", "action", "enroll")
	p.press("evidence")
	p.begin()
	p.agree()
	p.proves(s, &read)
	p.give("new", goodPIN)
	p.goBack()
	s.next(&read)
	s.Clock.Advance(73 * time.Hour)
	p.be(s.apps[0], "wang")
	p.activates(s.apps[0])
	p.press("forgot")
	p.proves(s, &read)
	p.give("new", newPIN) // the camera that came first counts for it as well
	p.give("current", newPIN)
	p.says(`data-medical="code"`)
	p.says("urn:liuma:acr:pin-evidence")
}
