package holder

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/ceremony"
)

// The cookies: one for each ceremony, so that two of them in one browser do
// not throw each other out, one that only shows that cookies work, and one by
// which a known device is known, for all cards that it is a device of.
const (
	handPrefix   = "hand-"
	seenCookie   = "seen"
	deviceCookie = "device"
	handAge      = 70 * time.Minute     // a ceremony lasts an hour at most
	deviceAge    = 400 * 24 * time.Hour // the longest that browsers keep one
	mostHands    = 8                    // that a browser keeps of us
)

var idPattern = regexp.MustCompile(`^[a-z0-9]{1,64}$`)

// hand is what a request shows for a ceremony. Bare means that it came in a
// form because the web view keeps no cookies: then there is nothing to
// redirect to, and posts are answered with the page itself.
type hand struct {
	ceremony.Hand
	bare bool
}

// handOf reads a hand: the cookie, else the form's hidden field.
func (h *handler) handOf(r *http.Request, id string) hand {
	secret, _, _ := strings.Cut(h.cookies.Get(r, handPrefix+id), ".")
	out := hand{Hand: ceremony.Hand{Secret: secret, Device: h.cookies.Get(r, deviceCookie), Language: string(h.door.Preferences(r).Lang)}}
	if r.Method != http.MethodPost {
		return out
	}
	out.RequestURI = r.PostFormValue("request_uri")
	if given := r.PostFormValue("hand"); secret == "" && given != "" {
		out.Secret, out.bare = given, true
	}
	return out
}

// mark tells for which pushed request a cookie was set, so that the page at
// its address is known again, without keeping the address itself.
func mark(requestURI string) string {
	sum := sha256.Sum256([]byte(requestURI))
	return hex.EncodeToString(sum[:8])
}

// keep hands the secret of a ceremony to this browser.
func (h *handler) keep(w http.ResponseWriter, r *http.Request, id, requestURI, secret string) {
	kept := 0
	h.cookies.Each(r, handPrefix, func(other, _ string) {
		if kept++; kept >= mostHands {
			h.cookies.Set(w, handPrefix+other, "", -1)
		}
	})
	h.cookies.Set(w, handPrefix+id, secret+"."+mark(requestURI), handAge)
}

// keepDevice sets a known device's cookie: when it becomes one, and again
// whenever it gave a right PIN, for its life counts from then.
func (h *handler) keepDevice(w http.ResponseWriter, p ceremony.Page, by hand) {
	secret := p.Device
	if secret == "" && p.DeviceKnown {
		secret = by.Device
	}
	if secret != "" && !by.bare {
		h.cookies.Set(w, deviceCookie, secret, deviceAge)
	}
}

// begunHere finds the ceremony that this browser began from a pushed request.
func (h *handler) begunHere(r *http.Request, requestURI string) (id string) {
	want := mark(requestURI)
	h.cookies.Each(r, handPrefix, func(of, value string) {
		if _, begun, ok := strings.Cut(value, "."); ok && begun == want && idPattern.MatchString(of) {
			id = of
		}
	})
	return id
}
