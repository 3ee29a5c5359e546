package door

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	langCookie    = "lang"
	careCookie    = "care"
	preferenceAge = 365 * 24 * time.Hour
)

// Preferences are a reader's choices for pages.
type Preferences struct {
	Lang Lang
	Care bool // 关怀版: larger, and fewer things
}

// Preferences reads them from ?lang=, the cookies and Accept-Language, in this order.
func (d *Pages) Preferences(r *http.Request) Preferences {
	p := Preferences{Lang: d.words.Accepted(r.Header.Get("Accept-Language")), Care: d.Cookies().Get(r, careCookie) == "1"}
	if l, ok := d.words.Named(d.Cookies().Get(r, langCookie)); ok {
		p.Lang = l
	}
	if l, ok := d.words.Named(r.URL.Query().Get("lang")); ok {
		p.Lang = l
	}
	return p
}

// KeepLang stores the language in the address for the pages that follow.
func (d *Pages) KeepLang(w http.ResponseWriter, r *http.Request) {
	if l, ok := d.words.Named(r.URL.Query().Get("lang")); ok {
		d.Cookies().Set(w, langCookie, string(l), preferenceAge)
	}
}

// BeginCare turns care mode on for the pages that follow, as on the pads of a counter,
// until the reader turns it off.
func (d *Pages) BeginCare(w http.ResponseWriter) {
	d.Cookies().Set(w, careCookie, "1", preferenceAge)
}

// ForgetPreferences drops a reader's choices, when the next reader is another person.
func (d *Pages) ForgetPreferences(w http.ResponseWriter) {
	for _, name := range []string{langCookie, careCookie} {
		d.Cookies().Set(w, name, "", -1)
	}
}

// savePreferences takes the header's plain form: lang, care and back, the page
// to return to.
func (d *Pages) savePreferences(w http.ResponseWriter, r *http.Request) {
	back := localPath(r.PostFormValue("back"))
	if l, ok := d.words.Named(r.PostFormValue("lang")); ok {
		d.Cookies().Set(w, langCookie, string(l), preferenceAge)
	}
	switch r.PostFormValue("care") {
	case "1":
		d.Cookies().Set(w, careCookie, "1", preferenceAge)
	case "0":
		d.Cookies().Set(w, careCookie, "", -1)
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// localPath returns a path only if it is an address on this host, without ?lang=, which
// would undo the choice.
func localPath(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.ContainsAny(back, "\\\r\n") {
		return "/"
	}
	q := u.Query()
	q.Del("lang")
	return (&url.URL{Path: u.Path, RawQuery: q.Encode()}).String()
}
