package ceremony

import (
	"errors"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// Words says where a pad takes a passphrase in place of six digits.
type Words struct {
	Entered bool // as the present PIN: there is a way to type one
	Chosen  bool // as the new PIN
	First   bool // the pad begins with a field for one, not with six boxes
}

// The pads that a holder may have used last, in details.Pad.
const (
	padDigits = "digits"
	padWords  = "words"
)

// words says what the pad of a page takes. Whether a present PIN may be typed as a
// passphrase goes by the service as a whole, so it is the same for every card; but
// through a known link a card with a passphrase has a field for it in any case, and
// first. A new PIN may be one by the rules of the request's region and, where a card is
// known, of the card's own.
func (s *Ceremonies) words(r store.Reader, c authority.Caller, cer store.Ceremony, d details, act Act) (Words, error) {
	rules, id := s.rules(cer), cer.Card
	has := false
	if d.Subject.Card != "" {
		l, err := r.LinkByHandle(c.Channel(), store.Handle(d.Subject.Card))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return Words{}, err
		}
		if id.IsZero() {
			id = l.Card
		}
		if err == nil && l.Card == id {
			card, err := s.engine.ReadCard(r, id)
			if err != nil {
				return Words{}, err
			}
			has = s.engine.HasPassphrase(card, l)
		}
	}
	if !id.IsZero() {
		card, err := s.engine.ReadCard(r, id)
		if err != nil {
			return Words{}, err
		}
		rules = s.engine.PolicyOf(card, c.Channel(), rules)
	}
	entered := slices.Contains(act.Roles, liuma.RoleCurrent) || slices.Contains(act.Roles, liuma.RoleOld)
	w := Words{Entered: entered && (has || s.engine.Passphrases()), Chosen: act.setsPIN() && rules.Passphrase}
	w.First = (w.Entered || w.Chosen) && (d.Pad == padWords || d.Pad == "" && has && entered)
	return w, nil
}
