package miniapp

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skip2/go-qrcode"

	"github.com/liuma-pin/liuma/client"
)

// The medical e-credential (医保电子凭证) is the app's second service, and one for which
// the PIN is not enough: whoever activates it gives evidence first and then the PIN,
// and nothing opens unless the answer says that both were proved. The credential itself
// is another authority's, with a PIN of its own; a real app would hand the holder on to
// it here. What the sample shows is a code that is good for one scan and one minute.
const (
	medicalPath = "/medical"
	medicalOpen = 5 * time.Minute // that codes can be drawn after a verdict
	codeLife    = time.Minute
)

func medicalOf(s *session) access { return s.medical }

// proved is what came of an answer that the client found to be genuine and about this
// request: its business number, purpose and card. How much it proves is for the service
// to look at. By the PIN alone the e-credential stays shut, whoever left the evidence
// out: this app, a region that took something else for it, or a forger of pushes.
func (a *App) proved(f flow, p *client.Proof) outcome {
	o := a.words.done(f.Action)
	if f.Action == actionMedical && p.ACR != client.ACRPINEvidence {
		o = a.words.of(halfProved, f.Action)
	}
	o.Proof, o.Received = p, received(p)
	return o
}

// code is what the QR code holds: a random value and its end. Nothing of the person is
// in it; who it is about is known here alone.
type code struct {
	value string
	until time.Time
}

// draw makes a code for a session, in place of the one before. It says no later end than
// that of the service.
func (m *memory) draw(id string, now time.Time) {
	m.with(id, func(s *session) {
		delete(m.codes, s.code.value)
		until := now.Add(codeLife)
		if s.medical.until.Before(until) {
			until = s.medical.until
		}
		// Capitals, digits and these marks make the smallest drawing.
		value := "LIUMA-SAMPLE:" + until.UTC().Format("20060102T150405Z") + ":" + rand.Text()
		s.code = code{value: value, until: until}
		m.codes[value] = id
	})
}

// good is a session's code while it is good, and the service open. The caller holds mu.
func (m *memory) good(s *session, now time.Time) (code, bool) {
	_, unused := m.codes[s.code.value]
	return s.code, unused && now.Before(s.code.until) && now.Before(s.medical.until)
}

// spend takes a code, once, while it is good.
func (m *memory) spend(value string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[m.codes[value]]
	if !ok || s.code.value != value {
		return false
	}
	_, good := m.good(s, now)
	delete(m.codes, value)
	return good
}

// medical is the data of the e-credential's page.
type medical struct {
	Open  bool // codes can be drawn
	Until time.Time
	Code  *drawn // nil: none is good
}

// drawn is a code as a drawing: dark squares on a white one.
type drawn struct {
	Size  int
	Dark  string // path
	Until time.Time
	Left  int // seconds
}

// drawnCode draws a code. A drawing is made here and goes into the page, so that the code
// is in no address, and in no log or cache of one.
func drawnCode(c code, now time.Time) (*drawn, error) {
	q, err := qrcode.New(c.value, qrcode.Medium)
	if err != nil {
		return nil, err
	}
	rows := q.Bitmap() // with a quiet zone
	var path strings.Builder
	for y, row := range rows {
		for x, dark := range row {
			if dark {
				path.WriteString("M" + strconv.Itoa(x) + " " + strconv.Itoa(y) + "h1v1h-1z")
			}
		}
	}
	left := int((c.until.Sub(now) + time.Second - 1) / time.Second)
	return &drawn{Size: len(rows), Dark: path.String(), Until: c.until, Left: left}, nil
}

// showMedical shows the e-credential for a few minutes after its activation, and only to
// the person who gave PIN and evidence. To show it again changes nothing: a reload
// draws no code.
func (a *App) showMedical(w http.ResponseWriter, r *http.Request) {
	at, open := a.opened(r, medicalOf)
	if at.no == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	now := a.c.Now()
	m := medical{Open: open, Until: at.until}
	var c code
	var good bool
	a.memory.with(a.session(r), func(s *session) { c, good = a.memory.good(s, now) })
	if open && good {
		var err error
		if m.Code, err = drawnCode(c, now); err != nil {
			a.c.Logger.ErrorContext(r.Context(), "code", "err", err)
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy", h.Get("Content-Security-Policy")+"; script-src 'self'") // which counts the seconds
	a.render(w, r, http.StatusOK, "medical", view{
		Title: a.words.say("medical.page"), Medical: m, BusinessNo: at.no, Received: a.receivedFor(r, at.no),
	})
}

// newCode draws another code while the service is open; the one before is good no more.
func (a *App) newCode(w http.ResponseWriter, r *http.Request) {
	if _, open := a.opened(r, medicalOf); open {
		a.memory.draw(a.session(r), a.c.Now())
	}
	http.Redirect(w, r, medicalPath, http.StatusSeeOther)
}

// readCode is for the scanner at a window: whether a code is good, said once. A real one
// would prove who it is, and be told whose code it was; the sample has no scanners to
// know and tells nothing.
func (a *App) readCode(w http.ResponseWriter, r *http.Request) {
	good := a.memory.spend(r.PostFormValue("code"), a.c.Now())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]bool{"good": good}) // the client has disconnected
}
