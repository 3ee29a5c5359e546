package door

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
)

// Shown reduces err to the error that may be shown, at a door that knows some error
// codes. An error without an error code is shown only as internal; the error code
// refused carries no detail. If the request's context has ended, the client is gone
// or the server is stopping, and that is no fault.
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

// Failed logs why a request was refused. The cause is never shown; this
// program's errors hold nothing personal, so it may be logged.
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
		slog.String("request", v.ID()), slog.String("client", v.Client),
		slog.String("code", string(code)), slog.Any("cause", cause))
}

// RetryAfter is in whole seconds; zero means that waiting does not help.
func RetryAfter(e *liuma.Error, now time.Time) int {
	if !e.Until.IsZero() {
		return max(1, int(math.Ceil(e.Until.Sub(now).Seconds())))
	}
	switch e.Code {
	case liuma.CodeBusy, liuma.CodeChangeUnderWay, liuma.CodeTooManyRequests:
		return 2
	case liuma.CodeUnavailable:
		return 5
	case liuma.CodeSlowDown:
		return 20 * 60 // two epochs of the guard's short span
	}
	return 0
}
