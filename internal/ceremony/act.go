package ceremony

import (
	"context"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// Act is one thing that a holder can ask for, as data: where its ceremony
// begins, which moves it has, whom it may be about, what it proves, and which
// text goes with its code. What cannot be data is in its functions. A new act
// is a file with one such value, and one row in acts.
type Act struct {
	Action liuma.Action

	// First is the step of a ceremony that was just pushed.
	First Step
	// Moves are those that the act has besides the ones that all acts have
	// (mayGo).
	Moves []Move
	// Linked says that the holder is named by the handle of a card that the
	// channel is linked to. Otherwise name and ID number name them, in a
	// channel that need not be linked yet.
	Linked bool
	// Proofs are what the act takes, in the order in which it asks for them.
	// docs/RECOVERY.md says why these and no fewer (I-12).
	Proofs []Proof
	// Roles are the PINs that its pad asks for.
	Roles []liuma.Role
	// Turns says that a holder who forgot the PIN may turn to a reset from its
	// pad, and come back.
	Turns bool
	// Rewind is the step to which the ceremony goes back when another browser
	// goes on with it after something was proved; empty: it stays.
	Rewind Step
	// Evidenced is the step that evidence of a new push leads to.
	Evidenced Step
	// CodeText is the template of the text with its one-time code; empty where
	// the act sends none.
	CodeText string
	// ConfirmsPhone says that a code may be asked for at the end, to show that
	// the holder still has the bound phone.
	ConfirmsPhone bool
	// Thaws says that a frozen card does not stop the act: it ends the freeze.
	Thaws bool

	// agree leads on from the page that says who asks for what; nil leads to
	// the pad.
	agree func(*Ceremonies, store.Tx, *store.Ceremony, *details) (Step, error)
	// address says where its codes go; nil: to the bound phone.
	address func(*Ceremonies, store.Reader, store.Ceremony, details) (addressee, error)
	// coded leads on from a right code; nil leads to the pad.
	coded func(*Ceremonies, store.Tx, *store.Ceremony, *details, addressee) (Step, error)
	// run makes one attempt, or sets one PIN, for a request or a try.
	run func(*Ceremonies, context.Context, asking) (authority.Verification, error)
	// right leads on from a right try; nil ends the ceremony as done.
	right func(*Ceremonies, store.Tx, *store.Ceremony, *details, store.Request) (to Step, end bool, err error)
	// set writes what a new PIN brings with it, in the transaction that makes
	// it the card's; nil for acts that set none. It returns the audit event.
	set func(*Ceremonies, store.Tx, store.Card, store.Request) (audit.Event, error)
}

// Proof names a kind of proof.
type Proof string

// The kinds of proof. ProofCardNo stands in for ProofEvidence where a region's
// policy allows it.
const (
	ProofPIN      Proof = "pin"      // the PIN that is set
	ProofCode     Proof = "code"     // a one-time code, sent to a phone
	ProofEvidence Proof = "evidence" // a registered provider's word that the holder is there
	ProofCardNo   Proof = "card_no"  // the number of the physical card
)

// asksCurrent reports whether the act's pad asks for the PIN that is set, of a
// card that the channel is linked to.
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

// acting is the act that a ceremony is at: its own, or the one that its holder
// turned to.
func (s *Ceremonies) acting(c store.Ceremony, d details) Act {
	if d.Turned != "" {
		return s.acts[d.Turned]
	}
	return s.acts[c.Action]
}
