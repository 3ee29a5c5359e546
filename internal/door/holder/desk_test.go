package holder

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/test/gallery"
)

// pads is a counter with one pad, whose state a test sets.
type pads struct {
	mu     sync.Mutex
	state  counter.PadState // guarded by mu
	asked  []string         // ids; guarded by mu
	offers int              // guarded by mu
	source string           // of the last offer; guarded by mu
	err    error            // of an offer; guarded by mu
}

func (p *pads) PadState(_ context.Context, id string) (counter.PadState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, id)
	return p.state, nil
}

func (p *pads) OfferPad(_ context.Context, source string, key []byte) (counter.Offer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offers++
	p.source = source
	p.state.Why = counter.PadOffered
	return counter.Offer{ID: counter.PadID(key), Number: "ABCDEFGH"}, p.err
}

// challenges are good for their label and a minute.
type challenges struct{}

func (challenges) NewChallenge(label liuma.ChannelID, now time.Time, ttl time.Duration) (string, error) {
	return fmt.Sprintf("%s until %d", label, now.Add(ttl).Unix()), nil
}

func (challenges) CheckChallenge(label liuma.ChannelID, value string, now time.Time) error {
	var until int64
	if _, err := fmt.Sscanf(value, string(label)+" until %d", &until); err != nil || now.Unix() >= until {
		return errors.New("no such challenge")
	}
	return nil
}

// device is the browser of a pad, as its script talks to the door.
type device struct {
	*site
	key       *ecdsa.PrivateKey
	challenge string
}

func newDevice(t *testing.T, p ceremony.Page) *device {
	t.Helper()
	d := &device{site: newSite(t, p), key: newPadKey(t)}
	d.do("GET", "/desk", nil)
	return d
}

func newPadKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (d *device) public() string {
	raw, err := d.key.PublicKey.Bytes()
	if err != nil {
		d.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// signs makes the form of a question.
func (d *device) signs(what, challenge, ticket string) url.Values {
	d.t.Helper()
	sum := sha256.Sum256([]byte("liuma/1/desk-pad\n" + what + "\n" + challenge + "\n" + ticket))
	r, s, err := ecdsa.Sign(rand.Reader, d.key, sum[:])
	if err != nil {
		d.t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return url.Values{"key": {d.public()}, "challenge": {challenge}, "ticket": {ticket}, "signature": {base64.RawURLEncoding.EncodeToString(signature)}}
}

func (d *device) sends(to string, form url.Values) (*httptest.ResponseRecorder, padAnswer) {
	d.t.Helper()
	d.header.Set("Accept", "application/json")
	w := d.do("POST", to, form)
	d.header.Del("Accept")
	var a padAnswer
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			d.t.Fatalf("%v\n%s", err, w.Body)
		}
	}
	if a.Challenge != "" {
		d.challenge = a.Challenge
	}
	return w, a
}

// asks asks as the script does, with the last challenge.
func (d *device) asks() padAnswer {
	d.t.Helper()
	form := d.signs("ask", d.challenge, "")
	form.Set("offer", "1")
	w, a := d.sends("/desk/ask", form)
	if w.Code == http.StatusOK && a.State == padAgain {
		form = d.signs("ask", d.challenge, "")
		form.Set("offer", "1")
		w, a = d.sends("/desk/ask", form)
	}
	if w.Code != http.StatusOK {
		d.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return a
}

// shows is a page on a pad, which is in care mode.
func (d *device) shows(path string) string {
	d.t.Helper()
	body := d.do("GET", path, nil).Body.String()
	checkPage(d.t, ceremonyID, body, door.Chinese, true)
	return body
}

func (d *device) paired(ticket *liuma.TicketID) {
	d.fake.pads.mu.Lock()
	defer d.fake.pads.mu.Unlock()
	d.fake.pads.state = counter.PadState{Paired: true, Agency: "湖州市社保中心", Region: "3305", Ticket: ticket}
}

// TestAPadIsPairedByItsNumber: a new pad is offered once under a number, shows it until
// it is over, and says when it was paired before.
func TestAPadIsPairedByItsNumber(t *testing.T) {
	d := newDevice(t, ceremony.Page{})
	if a := d.asks(); a.State != padNumber || a.Number != "ABCD-EFGH" || a.Lost || a.Over {
		t.Errorf("%+v", a)
	}
	if _, a := d.sends("/desk/ask", d.signs("ask", d.challenge, "")); a.State != padNumber || a.Number != "" || a.Over || d.fake.pads.offers != 1 || d.fake.pads.source == "" {
		t.Errorf("%+v, offered %d times", a, d.fake.pads.offers)
	}
	d.paired(nil)
	if a := d.asks(); a.State != padBlank || a.Agency != "湖州市社保中心" || a.Clock != "20:44" {
		t.Errorf("%+v", a)
	}
	for _, id := range d.fake.pads.asked {
		if raw, _ := base64.RawURLEncoding.DecodeString(d.public()); id != counter.PadID(raw) {
			t.Errorf("asked for pad %q", id)
		}
	}
	d.fake.pads.state = counter.PadState{Why: counter.PadSignedOut}
	if a := d.asks(); a.State != padNumber || !a.Lost || a.Number == "" {
		t.Errorf("%+v", a)
	}
}

// TestAPadWithoutItsKeyLearnsNothing: without a signature of its own key, over a fresh
// challenge of that key, for what is asked, nothing is answered and the counter is not
// even asked.
func TestAPadWithoutItsKeyLearnsNothing(t *testing.T) {
	d := newDevice(t, ceremony.Page{})
	id := liuma.NewTicketID()
	d.paired(&id)
	d.asks()
	fresh, other := d.challenge, newPadKey(t)
	asked := len(d.fake.pads.asked)
	own := d.key
	d.key = other
	foreign := d.signs("ask", fresh, "").Get("signature")
	_, theirs := d.sends("/desk/ask", url.Values{"key": {d.public()}})
	d.key = own
	change := func(f url.Values, name, value string) url.Values { f.Set(name, value); return f }
	for name, form := range map[string]url.Values{
		"no challenge":          change(d.signs("ask", "", ""), "offer", "1"),
		"a made-up challenge":   d.signs("ask", "desk-pad/x until 99999999999", ""),
		"another's challenge":   d.signs("ask", theirs.Challenge, ""),
		"no signature":          change(d.signs("ask", fresh, ""), "signature", ""),
		"another's signature":   change(d.signs("ask", fresh, ""), "signature", foreign),
		"a beginning":           d.signs("begin", fresh, ""),
		"a ticket put to it":    change(d.signs("ask", fresh, ""), "ticket", id.String()),
		"a key of another kind": change(d.signs("ask", fresh, ""), "key", base64.RawURLEncoding.EncodeToString(make([]byte, 65))),
		"a short signature":     change(d.signs("ask", fresh, ""), "signature", "AAAA"),
		"a long field":          change(d.signs("ask", fresh, ""), "challenge", strings.Repeat("x", 201)),
		"two keys":              {"key": {d.public(), d.public()}},
	} {
		w, a := d.sends("/desk/ask", form)
		if w.Code == http.StatusOK && a.State != padAgain || a.Agency != "" || a.Ticket != "" || a.Number != "" || strings.Contains(w.Body.String(), "湖州") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if len(d.fake.pads.asked) != asked {
		t.Error("the counter was asked")
	}
	before := d.fake.calls()
	for name, form := range map[string]url.Values{
		"a question":          change(d.signs("ask", fresh, id.String()), "ticket", id.String()),
		"another ticket":      d.signs("begin", fresh, liuma.NewTicketID().String()),
		"no ticket":           d.signs("begin", fresh, ""),
		"a ticket put to it":  change(d.signs("begin", fresh, ""), "ticket", id.String()),
		"an old challenge":    d.signs("begin", "desk-pad/x until 1", id.String()),
		"another's signature": change(d.signs("begin", fresh, id.String()), "signature", foreign),
	} {
		if w, _ := d.sends("/desk/begin", form); w.Code < 400 || w.Code >= 500 || d.fake.calls() != before {
			t.Errorf("begun with %s: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestAChallengeOfAPadIsOld: after its minute it counts for nothing.
func TestAChallengeOfAPadIsOld(t *testing.T) {
	now := start
	d := &device{site: newSite(t, ceremony.Page{}, func(c *Config) { c.Now = func() time.Time { return now } }), key: newPadKey(t)}
	d.do("GET", "/desk", nil)
	d.asks()
	now = now.Add(time.Minute)
	if _, a := d.sends("/desk/ask", d.signs("ask", d.challenge, "")); a.State != padAgain || a.Challenge == "" {
		t.Errorf("%+v", a)
	}
}

// TestAPadGoesOnWithItsTicket: it begins what was sent to it, in its own browser and in
// care mode; its questions lead back there while that goes on, and not after it; and
// what is cleared leaves nothing.
func TestAPadGoesOnWithItsTicket(t *testing.T) {
	p := gallery.AtCounter(liuma.TicketReset, ceremony.StepConfirm)
	p.ID = ceremonyID
	d := newDevice(t, p)
	id := liuma.NewTicketID()
	d.paired(&id)
	a := d.asks()
	if a.State != padTicket || a.Ticket != id.String() {
		t.Fatalf("%+v", a)
	}
	w, _ := d.sends("/desk/begin", d.signs("begin", d.challenge, a.Ticket))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"next":"/c/`+ceremonyID+`"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	d.paired(nil)
	body := d.shows("/c/" + ceremonyID)
	for _, want := range []string{"王*奶", "经办人员：李娜", "湖州市社保中心（虚构）", " data-care>", `data-clear="0"`, "deskpad."} {
		if !strings.Contains(body, want) {
			t.Errorf("does not say %q:\n%s", want, body)
		}
	}
	if a := d.asks(); a.State != padBusy || a.Next != "/c/"+ceremonyID || a.Agency != "" {
		t.Errorf("%+v", a)
	}
	d.fake.pads.state = counter.PadState{Why: counter.PadSignedOut}
	if a := d.asks(); a.State != padBusy {
		t.Errorf("a ceremony ended with the pairing: %+v", a)
	}
	d.fake.page.Step = ceremony.StepDone
	if body := d.shows("/c/" + ceremonyID); !strings.Contains(body, `data-clear="20"`) || !strings.Contains(body, "屏幕过一会儿会自动清空") {
		t.Errorf("not cleared by itself:\n%s", body)
	}
	if a := d.asks(); a.State != padNumber {
		t.Errorf("%+v", a)
	}
	d.jar["__Host-lang"] = "en"
	if w := d.do("POST", "/desk/clear", nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/desk" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	for name := range d.jar {
		if name != "__Host-desk-pad" && name != "__Host-seen" {
			t.Errorf("the cookie %s stays", name)
		}
	}
	body = d.do("GET", "/c/"+ceremonyID, nil).Body.String()
	if strings.Contains(body, "王") || strings.Contains(body, "李娜") || !strings.Contains(body, `data-clear="20"`) {
		t.Errorf("the address shows somebody:\n%s", body)
	}
}

// TestThePadHasOnePage: the text to agree to opens in it and leads back, and reading it
// ends nothing.
func TestThePadHasOnePage(t *testing.T) {
	p := gallery.AtCounter(liuma.TicketEnroll, ceremony.StepConfirm)
	whole, err := consent.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	p.ID, p.Consent, p.ConsentHash = ceremonyID, &whole, "0"
	s := newSite(t, p)
	s.do("GET", "/counter", nil)
	s.do("POST", "/counter", url.Values{"ticket": {"ABCDEFGH"}})
	to := "/consent?from=" + ceremonyID
	if body := s.do("GET", "/c/"+ceremonyID, nil).Body.String(); strings.Contains(body, to) || !strings.Contains(body, `target="_blank"`) {
		t.Errorf("on a phone:\n%s", body)
	}
	s.jar["__Host-desk-pad"] = "1"
	if body := s.do("GET", "/c/"+ceremonyID, nil).Body.String(); !strings.Contains(body, to) || strings.Contains(body, `target="_blank"`) {
		t.Errorf("on a pad:\n%s", body)
	}
	if body := s.do("GET", to, nil).Body.String(); !strings.Contains(body, `href="/c/`+ceremonyID+`"`) || !strings.Contains(body, `data-clear="0"`) {
		t.Errorf("does not lead back:\n%s", body)
	}
	if body := s.do("GET", "/consent?from=//example.cn", nil).Body.String(); strings.Contains(body, "example.cn") {
		t.Errorf("leads away:\n%s", body)
	}
}

// TestAPadThatKeepsNoCookies: it is told so, and begins nothing.
func TestAPadThatKeepsNoCookies(t *testing.T) {
	d := newDevice(t, ceremony.Page{})
	id := liuma.NewTicketID()
	d.paired(&id)
	d.asks()
	clear(d.jar)
	if _, a := d.sends("/desk/ask", d.signs("ask", d.challenge, "")); a.State != padCookies || a.Ticket != "" {
		t.Errorf("%+v", a)
	}
	clear(d.jar)
	if w, _ := d.sends("/desk/begin", d.signs("begin", d.challenge, id.String())); w.Code < 400 || strings.Contains(d.fake.calls(), "begin") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestTheDeskNamesNobody: the page of a pad is the same for everybody, in care mode,
// without a choice of language, and nothing of it is kept.
func TestTheDeskNamesNobody(t *testing.T) {
	d := newDevice(t, gallery.AtCounter(liuma.TicketReset, ceremony.StepConfirm))
	w := d.do("GET", "/desk", nil)
	body := w.Body.String()
	if w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(body, " data-care>") || strings.Contains(body, "/preferences") || strings.Contains(body, "王") {
		t.Errorf("%v\n%s", w.Header(), body)
	}
	for _, csp := range w.Header()["Content-Security-Policy"] {
		if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "connect-src 'self'") {
			t.Errorf("policy %q", csp)
		}
	}
	if strings.Contains(d.fake.calls(), "look") {
		t.Error("the page of a pad looks at ceremonies")
	}
}
