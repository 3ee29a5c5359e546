package ceremony

import (
	"context"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// Act is one thing that a holder can request, as data: the first step of its
// ceremony, its moves, the cards that it may be about, the proofs that it takes, and
// the template of its one-time code. The functions among its members do the rest. To
// add an act, write a file with one such value and add one row to acts.
type Act struct {
	Action liuma.Action

	// First is the step of a ceremony that was just pushed.
	First Step
	// Moves are the act's own moves, beside those that all acts have (mayGo).
	Moves []Move
	// Linked says that the holder is named by the handle of a card that the
	// channel is linked to. Otherwise name and ID number name them, in a
	// channel that need not be linked yet.
	Linked bool
	// Proofs lists the proofs that the act takes, in the order in which it asks for
	// them. docs/RECOVERY.md says why no act can do with fewer (I-12). The policy may
	// ask for more (policy.Steps). At a counter, two members of staff replace these
	// proofs.
	Proofs []Proof
	// Roles are the PINs that its pad asks for.
	Roles []liuma.Role
	// Turns says that a holder who forgot the PIN may turn to a reset from its
	// pad, and come back.
	Turns bool
	// Rewind is the step to which the ceremony goes back when another browser goes
	// on with it after something was proved. Empty: the step does not change.
	Rewind Step
	// Evidenced is the step that follows when a new push brings evidence.
	Evidenced Step
	// CodeText is the template of the message with the act's one-time code; empty
	// if the act sends none.
	CodeText string
	// ConfirmsPhone says that the last page may offer a one-time code, to show
	// that the holder still has the bound phone.
	ConfirmsPhone bool
	// EvidenceFirst says that a push without evidence is refused.
	EvidenceFirst bool
	// Thaws says that a frozen card does not stop the act, because it ends the
	// freeze.
	Thaws bool
	// Uses says that a right PIN counts as a use of the card: the holder gets a
	// notice, if they asked for one on every use, and a reminder if the PIN is old.
	Uses bool
	// CodeEvent names, in the audit record, a right one-time code that ends the
	// ceremony.
	CodeEvent audit.Event

	// agree chooses the step after the holder has agreed at StepConfirm; nil: the
	// pad.
	agree func(*Ceremonies, store.Tx, *store.Ceremony, *details) (Step, error)
	// stands refuses an act that can no longer be completed. It is called at every
	// step except the pad for the present PIN; nil: the act can always be completed.
	stands func(*Ceremonies, store.Reader, store.Ceremony, details) error
	// address chooses the phone that the act's one-time codes go to; nil: the
	// bound phone.
	address func(*Ceremonies, store.Reader, store.Ceremony, details) (addressee, error)
	// coded chooses the step after a right one-time code; nil: the pad.
	coded func(*Ceremonies, store.Tx, *store.Ceremony, *details, addressee) (Step, error)
	// chooses finds the holder whose new PIN is being chosen and the facts that the
	// PIN is judged by. It fails if the ceremony lacks a proof that setting the PIN
	// needs; nil for acts whose pad takes no new PIN.
	chooses func(*Ceremonies, store.Reader, store.Ceremony, details, asking) (choosing, error)
	// run makes one attempt, or sets one PIN, for a native request or a try.
	run func(*Ceremonies, context.Context, asking) (authority.Verification, error)
	// right chooses the step after a right try; nil: the ceremony ends as done.
	right func(*Ceremonies, store.Tx, *store.Ceremony, *details, store.Request) (to Step, end bool, err error)
	// set writes the changes that come with a new PIN, in the transaction that makes
	// it the card's PIN. It may change the card and returns the audit event; nil for
	// acts that set no PIN.
	set func(*Ceremonies, store.Tx, *store.Card, *store.Request) (audit.Event, error)
}

// Proof names a kind of proof.
type Proof = policy.Proof

// The kinds of proof. ProofCardNo replaces ProofEvidence where a region's policy
// allows it, and is asked in addition where the policy says so.
const (
	ProofPIN      = policy.ProofPIN      // the card's present PIN
	ProofCode     = policy.ProofCode     // a one-time code, sent to a phone
	ProofEvidence = policy.ProofEvidence // a registered provider confirms that the holder is there
	ProofCardNo   = policy.ProofCardNo   // the number of the physical card
)

// takes reports whether the act takes a kind of proof.
func (a Act) takes(p Proof) bool { return slices.Contains(a.Proofs, p) }

// asksCurrent reports whether the act's pad asks for the present PIN of a card
// that the channel is linked to.
func (a Act) asksCurrent() bool {
	if !a.Linked {
		return false
	}
	for _, r := range a.Roles {
		if r == liuma.RoleCurrent || r == liuma.RoleOld {
			return true
		}
	}
	return false
}

// acting is the act that a ceremony is doing now: its own act, or the reset that its
// holder turned to.
func (s *Ceremonies) acting(c store.Ceremony, d details) Act {
	if d.Turned != "" {
		return s.acts[d.Turned]
	}
	return s.acts[c.Action]
}
