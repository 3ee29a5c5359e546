// Package policy holds the rules for a card: how many wrong PINs lock it, which PINs
// may be set, how long challenges, receipts and keys live. It guarantees that every
// Policy that Layers returns was validated, that none is looser than the national rule,
// and that Layers can tell for every value which layer set it. It trusts the operator
// who wrote the layers, within those bounds; the keepers enforce the limits themselves,
// and a policy can only tighten them.
//
// docs/decisions/0018-limits-only-tighten.md says why.
//
// Start here: Policy, then Layers.
package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
)

// Bounds that no layer can pass. The upper ones are the national rule; the lower ones
// prevent that a typing mistake makes the service unusable.
const (
	MaxChallengeTTL = 5 * time.Minute
	MinChallengeTTL = 30 * time.Second
	MaxReceiptTTL   = 60 * time.Second
	MinReceiptTTL   = 5 * time.Second
	MaxEvidenceAge  = 5 * time.Minute
	MinEvidenceAge  = 30 * time.Second
	MaxSealKeyLife  = 24 * time.Hour
	MinSealKeyLife  = 10 * time.Minute
	MaxLockFor      = 30 * 24 * time.Hour
	MaxWindow       = 30 * 24 * time.Hour
	MinRemindAfter  = 30 * 24 * time.Hour
	MaxRemindAfter  = 10 * 365 * 24 * time.Hour
	MinForceAfter   = 90 * 24 * time.Hour
	MaxForceAfter   = 10 * 365 * 24 * time.Hour
	MinLossReport   = 3 * 24 * time.Hour
	MaxLossReport   = 7 * 24 * time.Hour
	MinRefusalPace  = 500 * time.Millisecond // a wrong verdict waits that long for the last keeper
	MaxRefusalPace  = 5 * time.Second
)

// Policy holds every value that may differ between regions or channels. It is a plain
// value: a copy is independent. A duration of zero has a meaning only where the field's
// comment says so.
type Policy struct {
	// Limits bound wrong PINs. National: 6 within 24 h lock for 24 h; 30 since
	// the last proof close a lane or block the PIN. Layers may only lower the
	// numbers and lengthen the times (at most 30 days).
	Limits ledger.Limits

	// PIN selects the rules for new PINs. National: all rules, with the strong list.
	// The nation's layer may pick the basic list; lower layers may only add rules.
	PIN pin.Rules
	// Passphrase allows 8 to 64 characters in place of six digits. National:
	// off.
	Passphrase bool

	// ChallengeTTL is how long a challenge, and so an envelope and evidence
	// bound to it, can be used: 30 s to 5 min. National: 5 min.
	ChallengeTTL time.Duration
	// ReceiptTTL is how long a receipt can be redeemed: 5 s to 60 s.
	// National: 60 s.
	ReceiptTTL time.Duration
	// EvidenceMaxAge is how old evidence may be when it arrives: 30 s to
	// 5 min. National: 5 min.
	EvidenceMaxAge time.Duration
	// SealKeyLife is how long a seal key is given out; it is destroyed an hour later,
	// when no page that seals to it can be open. 10 min to 24 h. National: 24 h.
	SealKeyLife time.Duration

	// RemindAfter is the age of a PIN from which its holder is reminded to
	// choose a new one: 30 days to 10 years, or 0 for never. National: 365
	// days.
	RemindAfter time.Duration
	// ForceAfter is the age from which a PIN must be changed before it proves
	// anything to a service: 90 days to 10 years and not before RemindAfter, or 0
	// for never. National: never. NIST SP 800-63B-4 advises against it.
	ForceAfter time.Duration

	// Recovery bounds online recovery when the PIN is forgotten.
	Recovery Recovery

	// Steps picks the variant of each act, which determines the proofs that the act
	// asks for. National: the first variant of each act. Layers may only pick a variant
	// with more proofs.
	Steps Steps

	// EvidenceAlone lets a holder use a service with evidence alone, without the PIN;
	// the acr says so. National: off. It applies where a region permits it and the
	// channel's own layer names it.
	EvidenceAlone bool

	// LossReport is how long a loss that the holder reports by phone stops the card: 3
	// to 7 days, or 0 if hotlines take no such reports. National: 0; a region chooses.
	// It is not a freeze: freezes do not end with time.
	LossReport time.Duration

	// Agents says for which acts somebody else may come to a counter in the person's
	// place. National: none; a region chooses.
	Agents Agents

	// Hotline is the number that pages show. Empty: the configuration's number.
	Hotline string

	// Rations bound what each client may do.
	Rations Rations

	// Codes bounds the one-time codes of one channel.
	Codes Codes

	// Counter bounds a clerk's acts in a day.
	Counter Counter

	// RefusalPace is the time, counted from the request, after which a channel without
	// a link gets the error code refused: 500 ms to 5 s. It must be longer than an
	// attempt takes; otherwise the time would distinguish a wrong PIN from an unknown
	// holder. National: 800 ms.
	RefusalPace time.Duration

	// Minors sets the age from which a person enrolls and links alone.
	Minors Minors

	// Notices says which of the optional notices are sent.
	Notices Notices

	// Texts is the region's own sentence.
	Texts Texts

	// Retention says which data a region keeps for a shorter time than the
	// configuration.
	Retention Retention

	// AllowStandInEvidence accepts evidence of a stand-in provider, which
	// proves nothing. National: off. Only demos and tests set it.
	AllowStandInEvidence bool

	// Began is not a rule: it is when the act began for which the policy was read, so
	// that other values read for the same act are as strict as they were then. Zero:
	// now.
	Began time.Time
}

// National is the national rule.
func National() Policy {
	return Policy{
		Limits:         ledger.NationalLimits(),
		PIN:            pin.NationalRules(),
		ChallengeTTL:   5 * time.Minute,
		ReceiptTTL:     60 * time.Second,
		EvidenceMaxAge: 5 * time.Minute,
		SealKeyLife:    24 * time.Hour,
		RemindAfter:    365 * 24 * time.Hour,
		Recovery:       nationalRecovery(),
		Steps:          nationalSteps(),
		Rations:        nationalRations(),
		Codes:          nationalCodes(),
		Counter:        nationalCounter(),
		RefusalPace:    800 * time.Millisecond,
		Minors:         Minors{Alone: MinAlone},
		Notices:        nationalNotices(),
	}
}

// Validate refuses values that are out of bounds or looser than the national
// rule. The error names every such value.
func (p Policy) Validate() error {
	err := errors.Join(
		p.validateLimits(),
		p.validatePIN(),
		between("challenge_ttl", p.ChallengeTTL, MinChallengeTTL, MaxChallengeTTL),
		between("receipt_ttl", p.ReceiptTTL, MinReceiptTTL, MaxReceiptTTL),
		between("evidence_max_age", p.EvidenceMaxAge, MinEvidenceAge, MaxEvidenceAge),
		between("seal_key_life", p.SealKeyLife, MinSealKeyLife, MaxSealKeyLife),
		between("refusal_pace", p.RefusalPace, MinRefusalPace, MaxRefusalPace),
		p.validateAges(),
		p.Recovery.validate(),
		p.Steps.validate(),
		p.validateLossReport(),
		p.Agents.validate(),
		validHotline(p.Hotline),
		p.Rations.validate(),
		p.Codes.validate(),
		p.Counter.validate(),
		p.Minors.validate(),
		p.Texts.validate(),
		p.Retention.validate(),
	)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	return nil
}

func (p Policy) validateLimits() error {
	var errs []error
	if err := p.Limits.Validate(); err != nil {
		errs = append(errs, err)
	}
	if p.Limits != ledger.NationalLimits().Tighten(p.Limits) {
		errs = append(errs, errors.New("limits: looser than the national rule"))
	}
	if p.Limits.Window > MaxWindow || p.Limits.LockFor > MaxLockFor {
		errs = append(errs, errors.New("limits: window or lock above 30 days"))
	}
	return errors.Join(errs...)
}

func (p Policy) validatePIN() error {
	if err := p.PIN.Validate(); err != nil {
		return err
	}
	if !p.PIN.Covers(pin.Floor()) {
		return errors.New("pin: looser than the national rule")
	}
	return nil
}

func (p Policy) validateAges() error {
	var errs []error
	if p.RemindAfter != 0 {
		errs = append(errs, between("remind_after", p.RemindAfter, MinRemindAfter, MaxRemindAfter))
	}
	if p.ForceAfter != 0 {
		errs = append(errs, between("force_after", p.ForceAfter, MinForceAfter, MaxForceAfter))
		if p.ForceAfter < p.RemindAfter {
			errs = append(errs, errors.New("force_after: before remind_after, so nobody would be reminded"))
		}
	}
	return errors.Join(errs...)
}

func (p Policy) validateLossReport() error {
	if p.LossReport == 0 {
		return nil
	}
	return between("loss_report", p.LossReport, MinLossReport, MaxLossReport)
}

// validHotline accepts a telephone number in the form that pages show, or an empty
// string.
func validHotline(s string) error {
	if len(s) > 20 || strings.Trim(s, "0123456789-+") != "" {
		return fmt.Errorf("hotline: %q, want a telephone number", s)
	}
	return nil
}

func between(name string, d, low, high time.Duration) error {
	if d < low || d > high {
		return fmt.Errorf("%s: %v, want %v to %v", name, d, low, high)
	}
	return nil
}
