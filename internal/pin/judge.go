package pin

import (
	"bytes"
	"errors"
)

// Judge says whether a PIN may be set. It has no state; any number of
// goroutines may use it.
type Judge struct {
	rules  Rules
	common *pinSet
	often  commonPassphrases
}

// NewJudge makes a Judge for these rules.
func NewJudge(rules Rules) (*Judge, error) {
	if err := rules.Validate(); err != nil {
		return nil, err
	}
	common, err := loadList(rules.List)
	if err != nil {
		return nil, err
	}
	often, err := loadCommonPassphrases()
	if err != nil {
		return nil, err
	}
	return &Judge{rules: rules, common: common, often: often}, nil
}

// Check returns every reason to refuse p as the PIN of the holder with these facts,
// in the order of the Rule constants. If there is none, p is accepted. current is the
// PIN that p would replace, or nil. A wiped PIN is refused.
func (j *Judge) Check(p PIN, f Facts, current *PIN) []Finding {
	return j.check(p, newHolder(f), current)
}

// RefusesToAll reports whether the six digits of n, from 0 to 999999, are refused to
// every holder.
func (j *Judge) RefusesToAll(n int) bool {
	var d [Digits]byte
	for i := Digits - 1; i >= 0; i-- {
		d[i], n = byte('0'+n%10), n/10
	}
	return len(j.sixDigits(&d, &holder{}, false)) > 0
}

func (j *Judge) check(p PIN, h *holder, current *PIN) []Finding {
	var rules []Rule
	err := p.Use(func(secret []byte) error {
		if current != nil && current.Use(func([]byte) error { return nil }) != nil {
			return errors.New("pin: the current PIN is gone") // becomes RuleUnreadable below
		}
		same := current != nil && p.Equal(*current)
		if p.Passphrase() {
			rules = j.passphrase(secret, h, same)
		} else {
			rules = j.sixDigits((*[Digits]byte)(secret), h, same)
		}
		return nil
	})
	if err != nil {
		rules = []Rule{RuleUnreadable}
	}
	return findings(rules, p.Passphrase())
}

func findings(rules []Rule, passphrase bool) []Finding {
	if len(rules) == 0 {
		return nil
	}
	all := make([]Finding, len(rules))
	for i, r := range rules {
		all[i] = Finding{Rule: r, Sentence: Sentence(r, passphrase)}
	}
	return all
}

// sixDigits applies the rules to a PIN of ASCII digits.
func (j *Judge) sixDigits(d *[Digits]byte, h *holder, same bool) []Rule {
	r := j.rules
	var out []Rule
	add := func(on bool, rule Rule) {
		if on {
			out = append(out, rule)
		}
	}
	add(r.Birthday && h.bornOn(d[:]), RuleBirthday)
	out = append(out, j.numbers(d[:], h)...)
	add(r.Current && same, RuleCurrent)
	add(r.Repeat && repeat(d), RuleRepeat)
	add(r.Steps && steps(d), RuleSteps)
	add(r.Steps && halves(d), RuleHalves)
	add(r.Pairs && pairs(d), RulePairs)
	add(r.Triples && triples(d), RuleTriples)
	add(r.Mirror && mirror(d), RuleMirror)
	add(r.Keypad && keypad(d), RuleKeypad)
	if strong := r.Common && r.List == ListStrong; strong {
		add(love(d), RuleLove)
		add(year(d), RuleYear)
		add(date(d), RuleDate)
	}
	add(r.Common && j.common.has(d), RuleCommon)
	return out
}

// numbers applies the rules about the holder's numbers to the digits of a PIN or
// passphrase.
func (j *Judge) numbers(digits []byte, h *holder) []Rule {
	var out []Rule
	if j.rules.IDNumber && h.idNumber.shares(digits, j.rules.Run) {
		out = append(out, RuleIDNumber)
	}
	if j.rules.Phone && (h.phone.shares(digits, j.rules.Run) || h.bound.shares(digits, j.rules.Run)) {
		out = append(out, RulePhone)
	}
	if j.rules.CardNumber && h.cardNo.shares(digits, j.rules.Run) {
		out = append(out, RuleCardNumber)
	}
	return out
}

// bornOn reports whether a spelling of the birthday is in digits.
func (h *holder) bornOn(digits []byte) bool {
	for _, b := range h.birthday {
		if bytes.Contains(digits, b) {
			return true
		}
	}
	return false
}
