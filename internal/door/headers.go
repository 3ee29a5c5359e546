package door

import (
	"net/http"
	"strings"
)

// contentPolicy refuses all scripts and styles except the door's own files, every
// frame around a page, and every other origin. A form may post only to the door's own
// origin. Chromium applies form-action also to redirects after a post, so the way
// back to a channel is always a plain GET.
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

// setHeaders writes the headers of every answer. A handler whose answer is not
// personal may overwrite Cache-Control.
func setHeaders(h http.Header, secure bool) {
	h.Set("Content-Security-Policy", contentPolicy())
	h.Set("X-Frame-Options", "DENY") // web views that know no frame-ancestors
	// Not no-referrer: with it, browsers send Origin: null with posts to the
	// same origin. In web views without Sec-Fetch-Site, Origin is the only
	// header that tells the door's own forms from another site's. Other origins
	// get no referrer.
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

// Prefetched reports whether a browser fetches the page before the holder opens
// it. A request that changes something must not be answered then.
func Prefetched(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz", "X-Purpose"} {
		switch v := strings.ToLower(r.Header.Get(name)); {
		case strings.HasPrefix(v, "prefetch"), strings.HasPrefix(v, "prerender"), v == "preview":
			return true
		}
	}
	return false
}
