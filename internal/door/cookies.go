package door

import (
	"net/http"
	"strings"
	"time"
)

// Cookies names and sets the cookies of a door. They are Lax, because a holder comes
// from a channel's page by a link and the cookie must come along.
type Cookies struct{ secure bool }

// Cookies returns the door's cookies.
func (d *Pages) Cookies() Cookies { return Cookies{d.secure} }

// Name is a cookie's full name: with __Host- if there is TLS, so that no neighbouring
// host can set it.
func (c Cookies) Name(base string) string {
	if c.secure {
		return "__Host-" + base
	}
	return base
}

// Set sets a cookie that scripts cannot read. With age zero it ends with the browser;
// a negative age deletes it.
func (c Cookies) Set(w http.ResponseWriter, base, value string, age time.Duration) {
	c.set(w, base, value, age, http.SameSiteLaxMode)
}

// SetStrict sets a cookie that a link from another site does not bring along.
func (c Cookies) SetStrict(w http.ResponseWriter, base, value string, age time.Duration) {
	c.set(w, base, value, age, http.SameSiteStrictMode)
}

func (c Cookies) set(w http.ResponseWriter, base, value string, age time.Duration, from http.SameSite) {
	maxAge := int(age / time.Second)
	if age < 0 {
		maxAge = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: c.Name(base), Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: from,
	})
}

// Get returns a cookie's value, or an empty string.
func (c Cookies) Get(r *http.Request, base string) string {
	found, err := r.Cookie(c.Name(base))
	if err != nil {
		return ""
	}
	return found.Value
}

// Each calls f with every cookie whose name starts with a prefix: the rest of
// its name, and its value.
func (c Cookies) Each(r *http.Request, prefix string, f func(rest, value string)) {
	for _, found := range r.Cookies() {
		if rest, ok := strings.CutPrefix(found.Name, c.Name(prefix)); ok {
			f(rest, found.Value)
		}
	}
}
