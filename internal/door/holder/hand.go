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

// The cookies. Each ceremony has a cookie of its own, so that two ceremonies in
// one browser do not throw each other out. "seen" only shows that cookies work.
const (
	handPrefix  = "hand-"
	seenCookie  = "seen"
	handAge     = 70 * time.Minute // a ceremony lasts an hour at most
	longestForm = 20               // characters of the number of a form
	mostHands   = 8                // ceremonies whose cookies one browser keeps
)

var idPattern = regexp.MustCompile(`^[a-z0-9]{1,64}$`)

// hand holds the secrets by which a request proves that its browser may go on with a
// ceremony. Bare means that the secret came in a form field, because the web view
// keeps no cookies. A redirect would lose it, so such posts are answered with the
// page.
type hand struct {
	ceremony.Hand
	bare bool
}

// handOf reads a hand from the cookie or, without one, from the form's hidden field.
func (h *handler) handOf(r *http.Request, id string) hand {
	secret, _, _ := strings.Cut(h.cookies.Get(r, handPrefix+id), ".")
	out := hand{Hand: ceremony.Hand{Secret: secret, Language: string(h.door.Preferences(r).Lang), Source: h.source(r)}}
	if r.Method != http.MethodPost {
		return out
	}
	out.RequestURI = r.PostFormValue("request_uri")
	if form := r.PostFormValue("form"); len(form) <= longestForm {
		out.Form = form
	}
	if given := r.PostFormValue("hand"); secret == "" && given != "" {
		out.Secret, out.bare = given, true
	}
	return out
}

// mark is a hash of a pushed request's address. It is in the ceremony's cookie, so
// that the door finds the ceremony when the address is opened again; the address
// itself is not kept.
func mark(requestURI string) string {
	sum := sha256.Sum256([]byte(requestURI))
	return hex.EncodeToString(sum[:8])
}

// keep gives the secret of a ceremony to this browser as a cookie.
func (h *handler) keep(w http.ResponseWriter, r *http.Request, id, requestURI, secret string) {
	kept := 0
	h.cookies.Each(r, handPrefix, func(other, _ string) {
		if kept++; kept >= mostHands {
			h.cookies.Set(w, handPrefix+other, "", -1)
		}
	})
	h.cookies.Set(w, handPrefix+id, secret+"."+mark(requestURI), handAge)
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
