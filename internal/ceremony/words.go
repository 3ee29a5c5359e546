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
	Entered bool // for the present PIN: the page has a way to type one
	Chosen  bool // for the new PIN
	First   bool // the pad opens with a field for a passphrase instead of six boxes
}

// The pads that a holder may have used last, in details.Pad.
const (
	padDigits = "digits"
	padWords  = "words"
)

// padRules are the rules that the pad follows: of the request's region and, where a card
// is known, of the card's region too. The bool says whether the card has a
// passphrase; it is told only to a page that came through a known link.
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

// words says where the pad of a page takes a passphrase. For the present PIN that is one
// setting for the whole service, so it is the same for every card; but through a known
// link, a card that has a passphrase always has a field for it, and it comes first. For a
// new PIN the rules decide. last is the pad that was used last.
func (s *Ceremonies) words(act Act, last string, rules policy.Policy, has bool) Words {
	entered := slices.Contains(act.Roles, liuma.RoleCurrent) || slices.Contains(act.Roles, liuma.RoleOld)
	w := Words{Entered: entered && (has || s.engine.Passphrases()), Chosen: act.setsPIN() && rules.Passphrase}
	w.First = (w.Entered || w.Chosen) && (last == padWords || last == "" && has && entered)
	return w
}
