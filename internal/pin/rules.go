package pin

import (
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma"
)

// Rule is the stable code of a reason to refuse a PIN.
type Rule string

// The rules, in the order in which findings are given.
const (
	// RuleUnreadable: the PIN, or the current PIN to compare it with, was wiped
	// or never given. It is always the only finding and cannot be switched off.
	RuleUnreadable Rule = "unreadable"

	RuleBirthday   Rule = "birthday"    // the date in the ID number, in any order
	RuleIDNumber   Rule = "id_number"   // digits in a row of the ID number
	RulePhone      Rule = "phone"       // digits in a row of the phone number
	RuleCardNumber Rule = "card_number" // digits in a row of the physical card's number
	RuleCurrent    Rule = "current"     // the PIN that is being changed
	RuleRepeat     Rule = "repeat"      // 111111, 700007
	RuleSteps      Rule = "steps"       // 123456, 246802, 102030
	RuleHalves     Rule = "halves"      // 123789, 333234
	RulePairs      Rule = "pairs"       // 112233, 121212
	RuleTriples    Rule = "triples"     // 111222, 123123
	RuleMirror     Rule = "mirror"      // 123321
	RuleKeypad     Rule = "keypad"      // 147258, 159753
	RuleLove       Rule = "love"        // 520, 521 or 1314 at either end
	RuleYear       Rule = "year"        // begins with a year, 1950 to 2029
	RuleDate       Rule = "date"        // year, month and day, 850307
	RuleCommon     Rule = "common"      // chosen by many people
)

// RulesForAll are the rules that need no holder, in the order in which findings are given.
func RulesForAll() []Rule {
	return []Rule{RuleRepeat, RuleSteps, RuleHalves, RulePairs, RuleTriples, RuleMirror, RuleKeypad, RuleLove, RuleYear, RuleDate, RuleCommon}
}

// Finding is one reason to refuse a PIN. It reveals nothing about the PIN
// except that the rule matched.
type Finding struct {
	Rule Rule
	// Sentence says why the PIN is refused and how to choose better.
	Sentence liuma.Text
}

// List names a list of PINs that many people choose.
type List string

// The lists. Strong refuses every PIN that Basic refuses.
const (
	// ListBasic has about 3,000: the most frequent ones, and trivial patterns.
	ListBasic List = "basic"
	// ListStrong has more PINs. With it come the rules about choices that are common in
	// China: RuleDate, RuleYear and RuleLove.
	ListStrong List = "strong"
)

// Lists returns them, each stricter than the one before.
func Lists() []List { return []List{ListBasic, ListStrong} }

// Covers reports whether l refuses every PIN that other refuses.
func (l List) Covers(other List) bool {
	return slices.Index(Lists(), l) >= slices.Index(Lists(), other)
}

// Rules selects the rules that a Judge applies. Current applies only if a current PIN is
// given, in a change: anywhere else, comparing would cost a guess.
type Rules struct {
	Birthday, IDNumber, Phone, CardNumber, Current bool
	Repeat, Steps, Pairs, Triples, Mirror, Keypad  bool
	Common                                         bool
	// List is the list of Common; with ListStrong, love numbers, years and dates
	// are refused too. Without Common it has no effect.
	List List
	// Run is how many digits in a row of a holder's number refuse a PIN, read
	// forwards or backwards: 4 to 6. Lower is stricter.
	Run int
}

// NationalRules are all rules, with the strong list and six digits in a row.
func NationalRules() Rules {
	r := Floor()
	r.List = ListStrong
	return r
}

// Floor are the loosest rules that a nation may choose: all rules, with the basic list.
func Floor() Rules {
	return Rules{
		Birthday: true, IDNumber: true, Phone: true, CardNumber: true, Current: true,
		Repeat: true, Steps: true, Pairs: true, Triples: true, Mirror: true, Keypad: true,
		Common: true, List: ListBasic,
		Run: Digits,
	}
}

const minRun = 4

// Validate refuses a Run that is out of range and an unknown list; the zero Rules are
// invalid.
func (r Rules) Validate() error {
	if !slices.Contains(Lists(), r.List) {
		return fmt.Errorf("pin rules: list %q, want one of %v", r.List, Lists())
	}
	if r.Run < minRun || r.Run > Digits {
		return fmt.Errorf("pin rules: run of %d digits, want %d to %d", r.Run, minRun, Digits)
	}
	return nil
}

// Tighten returns the rules that refuse every PIN that r or other refuses.
func (r Rules) Tighten(other Rules) Rules {
	list := r.List
	if !list.Covers(other.List) {
		list = other.List
	}
	return Rules{
		Birthday:   r.Birthday || other.Birthday,
		IDNumber:   r.IDNumber || other.IDNumber,
		Phone:      r.Phone || other.Phone,
		CardNumber: r.CardNumber || other.CardNumber,
		Current:    r.Current || other.Current,
		Repeat:     r.Repeat || other.Repeat,
		Steps:      r.Steps || other.Steps,
		Pairs:      r.Pairs || other.Pairs,
		Triples:    r.Triples || other.Triples,
		Mirror:     r.Mirror || other.Mirror,
		Keypad:     r.Keypad || other.Keypad,
		Common:     r.Common || other.Common,
		List:       list,
		Run:        min(r.Run, other.Run),
	}
}

// Covers reports whether r refuses every PIN that other refuses.
func (r Rules) Covers(other Rules) bool { return r.Tighten(other) == r }
