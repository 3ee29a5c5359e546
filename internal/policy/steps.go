package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
)

// A table of variants says which proofs an act asks for; a layer picks a variant by its
// name. The first variant of each act is the national one. Every other variant asks for
// all proofs of the first, and for more. So no layer can make a way that is not in
// docs/RECOVERY.md, or one with fewer than two independent factors (I-12).

// Proof names a kind of proof that an act asks its holder for.
type Proof string

// The kinds of proof. A code goes to the bound phone (at an enrolment, to the number in
// the registry). A new code goes to a number that is being bound: it shows that the
// number was typed correctly, and is not a factor.
const (
	ProofPIN      Proof = "pin"
	ProofCode     Proof = "code"
	ProofNewCode  Proof = "new_code"
	ProofEvidence Proof = "evidence"
	ProofCardNo   Proof = "card_no" // the number of the physical card
)

// Variant names one row of the table of variants. Empty is the national one.
type Variant string

// Steps says which variant of each act applies.
type Steps struct {
	Enroll   Variant `json:"enroll,omitempty"`
	Reset    Variant `json:"reset,omitempty"`
	Rebind   Variant `json:"rebind,omitempty"`
	Unfreeze Variant `json:"unfreeze,omitempty"`
}

// variant is one row of the table: the proofs that an act then asks for, in that order.
type variant struct {
	name   Variant
	proofs []Proof
}

// variants is the table. docs/RECOVERY.md says why each row is safe.
func variants(a liuma.Action) []variant {
	const code, newCode, evidence, number, pin = ProofCode, ProofNewCode, ProofEvidence, ProofCardNo, ProofPIN
	switch a {
	case liuma.ActionEnroll:
		return []variant{
			{"evidence-code", []Proof{evidence, code}},
			{"evidence-code-card", []Proof{evidence, code, number}},
		}
	case liuma.ActionReset:
		return []variant{
			{"code-evidence", []Proof{code, evidence}},
			{"code-card-evidence", []Proof{code, number, evidence}},
		}
	case liuma.ActionRebind:
		return []variant{
			{"pin-evidence-code", []Proof{pin, evidence, newCode}},
			{"pin-card-evidence-code", []Proof{pin, number, evidence, newCode}},
		}
	case liuma.ActionUnfreeze:
		return []variant{
			{"code-pin", []Proof{code, pin}},
			{"code-card-pin", []Proof{code, number, pin}},
			{"code-evidence-pin", []Proof{code, evidence, pin}},
			{"code-card-evidence-pin", []Proof{code, number, evidence, pin}},
		}
	}
	return nil
}

func nationalSteps() Steps {
	s := Steps{}
	for _, a := range s.acts() {
		*a.is = variants(a.action)[0].name
	}
	return s
}

// stepsOf is the variant of one act.
type stepsOf struct {
	action liuma.Action
	is     *Variant
}

// acts lists the acts in the order of the fields.
func (s *Steps) acts() []stepsOf {
	return []stepsOf{
		{liuma.ActionEnroll, &s.Enroll}, {liuma.ActionReset, &s.Reset},
		{liuma.ActionRebind, &s.Rebind}, {liuma.ActionUnfreeze, &s.Unfreeze},
	}
}

// proofsOf returns the proofs of a variant; ok is false if there is no such variant.
func proofsOf(a liuma.Action, name Variant) (proofs []Proof, ok bool) {
	for i, v := range variants(a) {
		if v.name == name || name == "" && i == 0 {
			return v.proofs, true
		}
	}
	return nil, false
}

// Of returns the proofs that an act asks for, in their order; nil for an act without
// variants. An unknown variant asks for everything, because it may come from a later
// release.
func (s Steps) Of(a liuma.Action) []Proof {
	for _, act := range s.acts() {
		if act.action != a {
			continue
		}
		proofs, ok := proofsOf(a, *act.is)
		if !ok {
			all := variants(a)
			proofs = all[len(all)-1].proofs
		}
		return slices.Clone(proofs)
	}
	return nil
}

// Asks reports whether an act asks for a proof.
func (s Steps) Asks(a liuma.Action, p Proof) bool { return slices.Contains(s.Of(a), p) }

// With returns the variants that ask for everything that s or other asks for.
func (s Steps) With(other Steps) Steps {
	theirs := other.acts()
	for i, act := range s.acts() {
		*act.is = both(act.action, *act.is, *theirs[i].is)
	}
	return s
}

func (s Steps) validate() error {
	for _, act := range s.acts() {
		if _, ok := proofsOf(act.action, *act.is); !ok {
			return fmt.Errorf("steps.%s: %q, want %s", act.action, *act.is, names(act.action))
		}
	}
	return nil
}

// names lists the variants of an act.
func names(a liuma.Action) string {
	var all []string
	for _, v := range variants(a) {
		all = append(all, string(v.name))
	}
	return strings.Join(all, ", ")
}

// covers reports whether variant a asks for everything that b asks for.
func covers(act liuma.Action, a, b Variant) bool {
	has, _ := proofsOf(act, a)
	wants, _ := proofsOf(act, b)
	return !slices.ContainsFunc(wants, func(p Proof) bool { return !slices.Contains(has, p) })
}

// both returns the variant with the fewest proofs that covers both; if one of them is
// unknown, the last variant, which has all proofs.
func both(act liuma.Action, a, b Variant) Variant {
	all := variants(act)
	_, ok := proofsOf(act, a)
	if _, also := proofsOf(act, b); !ok || !also {
		return all[len(all)-1].name
	}
	for _, v := range all {
		if covers(act, v.name, a) && covers(act, v.name, b) {
			return v.name
		}
	}
	panic("policy: no variant of " + string(act) + " covers both " + string(a) + " and " + string(b))
}

// Way is one way to complete an act online.
type Way struct {
	Needs []Proof
	// Twice: each proof is given twice, with Wait in between, and the bound phone is
	// told when the first round is over.
	Twice bool
	Wait  time.Duration
}

// CardNumberWait is how long a reset by the card's number waits.
const CardNumberWait = 24 * time.Hour

// Ways lists the ways to complete an act: the way of its variant and, for a reset in
// which the card's number may replace evidence, the one that waits. If the variant asks
// for the number in addition to evidence, it replaces nothing.
func (p Policy) Ways(a liuma.Action) []Way {
	needs := p.Steps.Of(a)
	if needs == nil {
		return nil
	}
	ways := []Way{{Needs: needs}}
	if a == liuma.ActionReset && p.NumberForEvidence() {
		ways = append(ways, Way{Needs: []Proof{ProofCode, ProofCardNo}, Twice: true, Wait: CardNumberWait})
	}
	return ways
}

// NumberForEvidence reports whether the number of the physical card may replace
// evidence in a reset.
func (p Policy) NumberForEvidence() bool {
	return p.Recovery.CardNumber && !p.Steps.Asks(liuma.ActionReset, ProofCardNo)
}
