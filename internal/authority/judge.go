package authority

import (
	"errors"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// Known holds the facts about a holder by which a new PIN is judged: the registry's, and the phone
// that is bound or being bound, which may be a different number. It prints redacted.
type Known struct {
	registry.Facts
	Bound string // the bound phone's number; empty: none
}

// Known reads these facts for a card.
func (a *Authority) Known(r store.Reader, card store.Card) (k Known, err error) {
	if k.Facts, err = a.Facts(r, card); err != nil {
		return Known{}, err
	}
	if _, k.Bound, err = a.Contact(r, card.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return Known{}, err
	}
	return k, nil
}

// JudgePIN refuses a weak PIN with the first rule that it breaks, of the service's policy or of the
// holder's own region. It refuses a passphrase where that region does not allow one. current is the
// PIN that is replaced, if the holder typed it too.
func (a *Authority) JudgePIN(p policy.Policy, chosen pin.PIN, f Known, current *pin.PIN) error {
	own := RulesSince(a.policy, f.Region, "", p.Began)
	if chosen.Passphrase() && !own.Passphrase { // the service's policy let the envelope open
		return &liuma.Error{Code: liuma.CodePINFormat, Field: "new_pin", Reason: pin.ReasonNotSixDigits}
	}
	judge, err := a.judges.of(p.PIN.Tighten(own.PIN))
	if err != nil {
		return liuma.Outward(err)
	}
	found := judge.Check(chosen, pin.Facts{Name: f.Name, IDNumber: f.IDNumber, Birthday: f.Born(), Phone: f.Phone, Bound: f.Bound, CardNo: f.CardNo}, current)
	if len(found) == 0 {
		return nil
	}
	return &liuma.Error{Code: liuma.CodeWeakPIN, Field: "new_pin", Reason: string(found[0].Rule), Sentence: found[0].Sentence}
}

// judges keeps one judge per set of rules: making one reads whole lists.
type judges struct {
	mu   sync.Mutex
	made map[pin.Rules]*pin.Judge // guarded by mu
}

func (j *judges) of(r pin.Rules) (*pin.Judge, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if made, ok := j.made[r]; ok {
		return made, nil
	}
	made, err := pin.NewJudge(r)
	if err == nil {
		j.made[r] = made
	}
	return made, err
}
