package ceremony

import (
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// acts is the table of acts: one row each.
func acts() map[liuma.Action]Act {
	table := map[liuma.Action]Act{}
	for _, a := range []Act{
		enroll(),
		link(),
		verify(),
		change(),
		reset(),
		rebind(),
		unfreeze(),
		atCounter(),
	} {
		table[a.Action] = a
	}
	return table
}

// ActOf is the act of an action, for the pages that show it; ok is false if no
// act has that action.
func ActOf(action liuma.Action) (act Act, ok bool) {
	act, ok = acts()[action]
	return act, ok
}

// hooks returns the hooks of an act's attempt. right runs after a right verdict; nil:
// nothing runs.
func (s *Ceremonies) hooks(q asking, right func(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error)) authority.Hooks {
	return authority.Hooks{
		Guard: q.guard,
		After: func(tx store.Tx, card *store.Card, row *store.Request) (ev audit.Event, err error) {
			if right != nil && row.Verdict == liuma.Right {
				if ev, err = right(tx, card, row); err != nil {
					return "", err
				}
			}
			if err := s.keepConsent(tx, card, *row); err != nil {
				return "", err
			}
			return s.advanced(tx, ev, *row)
		},
	}
}

// advanced moves the ceremony of a decided row on. The act's own audit event takes
// precedence over the event of the ceremony.
func (s *Ceremonies) advanced(tx store.Tx, own audit.Event, row store.Request) (audit.Event, error) {
	ev, err := s.advance(tx, row)
	if own != "" {
		ev = own
	}
	return ev, err
}

// settingHooks returns the hooks of an intent. It finds the act by the intent's
// request, so it works after a restart too.
func (s *Ceremonies) settingHooks(row store.Request) authority.Hooks {
	act := s.acts[row.Action]
	return authority.Hooks{
		After: func(tx store.Tx, card *store.Card, row *store.Request) (ev audit.Event, err error) {
			if row.Verdict == liuma.Right {
				if act.set == nil {
					return "", fmt.Errorf("ceremony: %q sets no PIN", row.Action)
				}
				if ev, err = act.set(s, tx, card, row); err != nil {
					return "", err
				}
			}
			if err := s.keepConsent(tx, card, *row); err != nil {
				return "", err
			}
			return s.advanced(tx, ev, *row)
		},
	}
}
