package ceremony

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
)

// ofAge refuses who is too young to get a card or a link alone: under 14, or under the
// age that policy says. A birthday that nobody knows is refused too, or a
// child would only need a document without one. A card that exists is not asked
// for its holder's age: whoever has it keeps it.
//
// home is the region that the registry names, whose rule counts too: the region of a
// request is the channel's word, and no child gets round the own region's rule by it.
// It is empty where the registry was not asked.
func (s *Ceremonies) ofAge(p policy.Policy, home liuma.Region, born string) error {
	from := p.Minors.Alone
	if home != "" {
		from = max(from, authority.RulesSince(s.policy, home, "", p.Began).Minors.Alone)
	}
	switch {
	case born == "":
		return liuma.Fail(liuma.CodeBirthdayUnknown, nil)
	case !registry.OfAge(born, from, s.now()):
		return liuma.Fail(liuma.CodeGuardian, nil)
	}
	return nil
}
