// Package door is the common part of every door: the pages of holders, the JSON API, the protocol
// of hosted channels, the delivery reports of the gateway. It guarantees that each request has a
// random id, in X-Request-Id and in every log line about it; that a panic becomes an answer of the
// door's own and never shows its value; that the access log has exactly one line for the request,
// with method, route, status, size, duration, id and the client's id, and nothing of its address,
// its body or its sender; that every time and size of a connection and of a body is limited, and so
// are the open connections and the requests in work, for each source and client and in all; that no
// error without an error code is shown; that a client is known only by a signature under a key that
// is registered for it now; and that pages carry the strict headers (no inline code, no frame, no
// other origin, no cache) and take no posts from other sites. It trusts the doors with the content
// of their answers, the configured origin to be the address that browsers use, and the errors of
// the inner packages to hold nothing personal.
//
// Start here: Log.Serve in visit.go, the path of one request.
package door

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"time"
)

// Bounds are the limits on times and sizes of a connection.
type Bounds struct {
	Read        time.Duration // of a whole request
	Write       time.Duration // of the answer, from the end of the request's header
	Idle        time.Duration // between requests
	HeaderBytes int
}

// NewServer builds an HTTP server in which every time and size is limited. The caller sets Addr or
// listens itself, and shuts it down.
func NewServer(h http.Handler, b Bounds, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       b.Read,
		WriteTimeout:      b.Write,
		IdleTimeout:       b.Idle,
		MaxHeaderBytes:    b.HeaderBytes,
		// A TLS handshake must end within the time for a header.
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: streams, WriteByteTimeout: b.Write},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// CheckOrigin returns what is wrong with the public address of a door, and whether it is https. It
// must be an origin, to which paths are appended; plain http is allowed only on the loopback.
func CheckOrigin(origin string) (secure bool, err error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme+"://"+u.Host != origin {
		return false, errors.New("want an origin such as https://pin.example.cn, without path or slash at the end")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())) {
		return false, errors.New("want https, or http on the loopback")
	}
	return u.Scheme == "https", nil
}

// Loopback reports whether a host name means this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// CleanPath reports whether a path is in the form that http.ServeMux wants. The mux answers other
// paths with a redirect, which a POST must never follow.
func CleanPath(p string) bool { return p != "" && p[0] == '/' && path.Clean(p) == p }
