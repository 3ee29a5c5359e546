package window

import (
	"context"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/keeper"
)

const (
	// conditionFor is how long the authority may take to look at the keepers.
	conditionFor = 2 * time.Second
	// healFor is how long a keeper may take to start.
	healFor = 30 * time.Second
)

// post is one keeper on the page.
type post struct {
	ID    keeper.ID `json:"id"`
	State string    `json:"state"` // of its process and the line to it: runs, mute, cut_off, killed or died
	PID   int       `json:"pid"`
	Why   string    `json:"why"` // with died
	// What the keeper says of itself; absent where it does not answer.
	Own *ownAccount `json:"own,omitempty"`
	// Fault is how the authority finds it; empty: it is there.
	Fault string `json:"fault"`
	Last  *Event `json:"last,omitempty"`
}

// ownAccount is since the keeper's process began, but for the sequence.
type ownAccount struct {
	Sequence uint64 `json:"sequence"`
	Counted  uint64 `json:"counted"`
	Commits  uint64 `json:"commits"`
}

// keepers answers with how each keeper stands, from its own machine and from the
// authority.
func (w *window) keepers(rw http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), conditionFor)
	defer cancel()
	found := map[keeper.ID]keeper.Fault{}
	for _, c := range w.c.Conditions(ctx) {
		found[c.ID] = c.Fault
	}
	all := []post{}
	for _, p := range w.c.Keepers.Posts() {
		s := p.Ask(ctx)
		shown := post{ID: p.ID, State: stateOf(s), PID: s.PID, Why: s.Why, Fault: string(found[p.ID]), Last: w.c.Hub.Last(string(p.ID))}
		if s.Own != nil {
			shown.Own = &ownAccount{Sequence: s.Own.Sequence, Counted: s.Own.Asked["spends"], Commits: s.Own.Asked["commits"]}
		}
		all = append(all, shown)
	}
	answer(rw, map[string]any{"keepers": all})
}

func stateOf(s posts.Standing) string {
	switch {
	case s.State != posts.Runs:
		return string(s.State)
	case s.Cut:
		return "cut_off"
	case s.Own == nil:
		return "mute"
	}
	return string(posts.Runs)
}

// act kills a keeper, cuts it off, or heals it.
func (w *window) act(rw http.ResponseWriter, r *http.Request) {
	p := w.c.Keepers.Post(keeper.ID(r.URL.Query().Get("id")))
	if p == nil {
		http.Error(rw, "id: no such keeper", http.StatusBadRequest)
		return
	}
	switch r.URL.Query().Get("do") {
	case "kill":
		p.Kill()
	case "cut":
		p.Cut()
	case "heal":
		// A visitor who leaves meanwhile stops it no more.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), healFor)
		defer cancel()
		if err := p.Heal(ctx); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
	default:
		http.Error(rw, "do: want kill, cut or heal", http.StatusBadRequest)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}
