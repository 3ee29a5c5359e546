package holder

import (
	"net/http"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/test/gallery"
)

// TestPassphraseOnACountersPad: its fields are there, and nothing is to be kept on a
// device that is not the holder's.
func TestPassphraseOnACountersPad(t *testing.T) {
	p := gallery.AtCounter(liuma.TicketReset, ceremony.StepPIN)
	p.ID, p.Words = ceremonyID, ceremony.Words{Chosen: true}
	d := newDevice(t, p)
	id := liuma.NewTicketID()
	d.paired(&id)
	a := d.asks()
	if w, _ := d.sends("/desk/begin", d.signs("begin", d.challenge, a.Ticket)); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	saysAll(t, d.shows("/c/"+ceremonyID), `data-passphrase="offered"`, `data-chosen="passphrase"`, `data-shared="true"`)
}

// TestPadsOfPassphrases: what the page tells the pad, on a device of the holder's own.
func TestPadsOfPassphrases(t *testing.T) {
	for _, c := range []struct {
		words    ceremony.Words
		want     []string
		wantNone []string
	}{
		{ceremony.Words{}, nil, []string{"data-passphrase", "data-chosen", "data-shared"}},
		{ceremony.Words{Entered: true}, []string{`data-passphrase="offered"`}, []string{"data-chosen", "data-shared"}},
		{ceremony.Words{Entered: true, First: true}, []string{`data-passphrase="first"`}, []string{"data-chosen"}},
		{ceremony.Words{Chosen: true}, []string{`data-passphrase="offered"`, `data-chosen="passphrase"`}, nil},
	} {
		p := sample(liuma.ActionChange, ceremony.StepPIN)
		p.Words = c.words
		s := newSite(t, p)
		s.begin()
		body := s.do("GET", "/c/"+ceremonyID, nil).Body.String()
		saysAll(t, body, c.want...)
		for _, none := range c.wantNone {
			if strings.Contains(body, none) {
				t.Errorf("%+v: the page has %s", c.words, none)
			}
		}
	}
}

// TestAPassphraseThatIsNoneIsExplained: the page says why, in place of that nothing
// arrived.
func TestAPassphraseThatIsNoneIsExplained(t *testing.T) {
	for _, reason := range []string{pin.ReasonTooShort, pin.ReasonTooLong, pin.ReasonTooWide, pin.ReasonCharacter, pin.ReasonEncoding, pin.ReasonNotSixDigits} {
		p := sample(liuma.ActionReset, ceremony.StepPIN)
		p.Words, p.Code, p.Reason = ceremony.Words{Chosen: true, First: true}, liuma.CodePINFormat, reason
		s := newSite(t, p)
		s.begin()
		saysAll(t, s.do("GET", "/c/"+ceremonyID, nil).Body.String(), "这个密码没有采用", pin.FormatSentence(reason).ZH)
		p.Words = ceremony.Words{}
		s = newSite(t, p)
		s.begin()
		saysAll(t, s.do("GET", "/c/"+ceremonyID, nil).Body.String(), "密码没有送到")
	}
}
