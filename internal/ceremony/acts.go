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
	} {
		table[a.Action] = a
	}
	return table
}

// hooks are those of an attempt that an act makes. right follows a right
// verdict; nil: nothing does.
func (s *Ceremonies) hooks(q asking, right func(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error)) authority.Hooks {
	return authority.Hooks{
		Guard: q.guard,
		After: func(tx store.Tx, card *store.Card, row *store.Request) (ev audit.Event, err error) {
			if right != nil && row.Verdict == liuma.Right {
				if ev, err = right(tx, card, row); err != nil {
					return "", err
				}
			}
			return ev, s.advance(tx, *row)
		},
	}
}

// settingHooks are those of an intent, found by its request also after a
// restart.
func (s *Ceremonies) settingHooks(row store.Request) authority.Hooks {
	act := s.acts[row.Action]
	return authority.Hooks{
		After: func(tx store.Tx, card *store.Card, row *store.Request) (ev audit.Event, err error) {
			if row.Verdict == liuma.Right {
				if act.set == nil {
					return "", fmt.Errorf("ceremony: %q sets no PIN", row.Action)
				}
				if ev, err = act.set(s, tx, *card, *row); err != nil {
					return "", err
				}
			}
			return ev, s.advance(tx, *row)
		},
	}
}
