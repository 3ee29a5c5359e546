package door

import (
	"net/http"
	"strings"
)

// contentPolicy refuses all code and style that is not a file of our own, every
// frame around us, and every other origin. A form may post to us alone:
// Chromium holds redirects after a post to form-action as well, so the way back
// to a channel is always a plain GET.
func contentPolicy() string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self'",
		"connect-src 'self'",
		"form-action 'self'",
		"frame-ancestors 'none'",
		"base-uri 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
		"report-uri " + ReportPath,
	}, "; ")
}

// setHeaders writes what every answer carries. A handler of something that is
// not personal may overwrite Cache-Control.
func setHeaders(h http.Header, secure bool) {
	h.Set("Content-Security-Policy", contentPolicy())
	h.Set("X-Frame-Options", "DENY") // web views that know no frame-ancestors
	// Not no-referrer: with it, browsers post to ourselves with Origin: null,
	// and in web views that send no Sec-Fetch-Site that is all there is to
	// tell our own forms from another site's. Other origins get nothing.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Permissions-Policy", "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "+
		"magnetometer=(), microphone=(), midi=(), payment=(), screen-wake-lock=(), serial=(), usb=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=63072000")
	}
}

// Prefetched reports whether a browser asks ahead of its user. Nothing that
// changes anything may answer that.
func Prefetched(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz", "X-Purpose"} {
		switch v := strings.ToLower(r.Header.Get(name)); {
		case strings.HasPrefix(v, "prefetch"), strings.HasPrefix(v, "prerender"), v == "preview":
			return true
		}
	}
	return false
}
