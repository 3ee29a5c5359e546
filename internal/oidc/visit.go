package oidc

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/liuma-pin/liuma"
)

// visit is one request on its way through the door. It is the ResponseWriter
// that handlers get, so that the access log knows what was answered.
type visit struct {
	http.ResponseWriter
	id         string // of the request, random
	begun      time.Time
	status     int    // as written; zero until then
	client     string // id, once authenticated
	businessNo liuma.BusinessNo
}

func (v *visit) WriteHeader(status int) {
	if v.status == 0 {
		v.status = status
	}
	v.ResponseWriter.WriteHeader(status)
}

func (v *visit) Write(b []byte) (int, error) {
	if v.status == 0 {
		v.status = http.StatusOK
	}
	return v.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (v *visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

func newRequestID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// leave ends a visit: a panic becomes an internal error, and one line goes to
// the access log. The URL is not in it, only the route's pattern.
func (d *Door) leave(v *visit, r *http.Request) {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			panic(p)
		}
		d.panicked(v, r, p)
	}
	if !d.log.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	d.log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("method", methodWord(r.Method)),
		slog.String("route", r.Pattern),
		slog.Int("status", v.status),
		slog.Duration("took", d.now().Sub(v.begun)),
		slog.String("request", v.id),
		slog.String("client", v.client))
}

// methodWord keeps a made-up method out of the log.
func methodWord(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return m
	}
	return "other"
}

// panicked logs a panic by its type and stack. Its value may quote what it
// tripped over, so only the runtime's own words are kept.
func (d *Door) panicked(v *visit, r *http.Request, p any) {
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	d.log.ErrorContext(r.Context(), "panic in a handler", "request", v.id, "panic", what, "stack", string(debug.Stack()))
	if v.status == 0 {
		d.fail(v, r, liuma.Fail(liuma.CodeInternal, errors.New("panic")))
	}
}
