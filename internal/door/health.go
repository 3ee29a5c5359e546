package door

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// The words of the answers at HealthPath and ReadyPath. There are no others, because
// anybody may ask: the answer names no cause, no keeper and no count.
const (
	alive    = "alive"
	ready    = "ready"
	notReady = "not_ready"
)

// Alive answers HealthPath: the process lives. It checks nothing else, so that a database
// that is away does not make a supervisor end a process that is well.
func Alive(w http.ResponseWriter, _ *http.Request) { stands(w, http.StatusOK, alive) }

// ReadyOrNot answers ReadyPath by the result of ask: 200 for nil, else 503. The cause is
// not in the answer; it is in the log and in 'liuma status'.
func ReadyOrNot(ask func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTakes)
		defer cancel()
		if ask(ctx) != nil {
			stands(w, http.StatusServiceUnavailable, notReady)
			return
		}
		stands(w, http.StatusOK, ready)
	}
}

func stands(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, fmt.Sprintf("{\"status\":%q}\n", word)) // who does not read it loses it
}
