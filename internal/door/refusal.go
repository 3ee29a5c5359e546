package door

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
)

// Shown reduces err to what may leave the house, at a door that knows some
// codes. What nobody classified is an internal error and nothing more; the one
// refusal carries nothing that would tell its causes apart. If the request's
// context has ended, the caller is gone or the server is stopping, and nobody
// is at fault.
func Shown(r *http.Request, err error, known func(liuma.Code) bool) *liuma.Error {
	if r.Context().Err() != nil {
		return &liuma.Error{Code: liuma.CodeUnavailable}
	}
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || !known(e.Code) {
		return &liuma.Error{Code: liuma.CodeInternal}
	}
	switch e.Code {
	case liuma.CodeInternal, liuma.CodeRefused:
		return &liuma.Error{Code: e.Code}
	}
	return e
}

// Failed logs why a request was refused. The cause is never shown; errors in
// the house hold nothing personal, so it may be logged.
func (l *Log) Failed(v *Visit, r *http.Request, status int, code liuma.Code, cause error) {
	level := slog.LevelDebug
	switch {
	case r.Context().Err() != nil:
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case code == liuma.CodeUnauthenticated || code == liuma.CodeForbidden || code == liuma.CodeCodeInvalid:
		level = slog.LevelWarn
	}
	l.c.Logger.LogAttrs(r.Context(), level, "request failed",
		slog.String("request", v.id), slog.String("client", v.Client),
		slog.String("code", string(code)), slog.Any("cause", cause))
}

// RetryAfter is in whole seconds; zero means that waiting does not help.
func RetryAfter(e *liuma.Error, now time.Time) int {
	if !e.Until.IsZero() {
		return max(1, int(math.Ceil(e.Until.Sub(now).Seconds())))
	}
	switch e.Code {
	case liuma.CodeBusy, liuma.CodeChangeUnderWay:
		return 2
	case liuma.CodeUnavailable:
		return 5
	}
	return 0
}
