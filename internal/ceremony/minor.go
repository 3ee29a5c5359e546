package ceremony

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
)

// ofAge refuses a holder who is too young to get a card or a link alone: under 14, or
// under the age that the policy says. An unknown birthday is refused too; otherwise a
// child would only need a document without one. A person who already has a card keeps
// it at any age.
//
// home is the region that the registry names, and its rule counts too: the region of a
// request is only the channel's claim, and must not let a child avoid the rule of
// their own region. It is empty where the registry was not asked.
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
