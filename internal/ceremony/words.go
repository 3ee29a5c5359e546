package ceremony

import (
	"errors"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
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

// padRules are what the pad goes by: the rules of the request's region and, where a card
// is known, of the card's own. They say besides whether that card has a
// passphrase, to a page that came through a known link alone.
func (s *Ceremonies) padRules(r store.Reader, c authority.Caller, cer store.Ceremony, d details) (policy.Policy, bool, error) {
	rules, id := s.rules(cer), cer.Card
	var link store.Link
	if d.Subject.Card != "" {
		l, err := r.LinkByHandle(c.Channel(), store.Handle(d.Subject.Card))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return policy.Policy{}, false, err
		}
		if link = l; id.IsZero() {
			id = l.Card
		}
	}
	if id.IsZero() {
		return rules, false, nil
	}
	card, err := s.engine.ReadCard(r, id)
	if err != nil {
		return policy.Policy{}, false, err
	}
	return s.engine.PolicyOf(card, c.Channel(), rules), link.Card == id && s.engine.HasPassphrase(card, link), nil
}

// words says what the pad of a page takes, by padRules. Whether a present PIN may be
// typed as a passphrase goes by the service as a whole, so it is the same for every card;
// but through a known link a card that has a passphrase has a field for it in any case,
// and first. A new PIN may be one by the rules. last is the pad that was used last.
func (s *Ceremonies) words(act Act, last string, rules policy.Policy, has bool) Words {
	entered := slices.Contains(act.Roles, liuma.RoleCurrent) || slices.Contains(act.Roles, liuma.RoleOld)
	w := Words{Entered: entered && (has || s.engine.Passphrases()), Chosen: act.setsPIN() && rules.Passphrase}
	w.First = (w.Entered || w.Chosen) && (last == padWords || last == "" && has && entered)
	return w
}
