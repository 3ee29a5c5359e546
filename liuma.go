// Package liuma holds the words of the domain: cards, versions, verdicts,
// standing, actions. It guarantees that each identifier has one type and one
// spelling, and that every error that may be shown outside the process has a
// stable error code and sentences that are safe to show. It trusts nothing and
// imports no other package of this module.
//
// Start here: Verdict and Standing, then error.go. docs/GLOSSARY.md has all the
// words.
package liuma

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// CardID names one electronic social-security card (电子社保卡). It is random,
// says nothing about its holder, and never changes.
type CardID [16]byte

// NewCardID draws a card identifier from the system's random source.
func NewCardID() CardID {
	var id CardID
	rand.Read(id[:]) // never fails since Go 1.24
	return id
}

// ParseCardID reads the 32 lower-case hexadecimal digits that String writes.
func ParseCardID(s string) (CardID, error) {
	var id CardID
	if len(s) != 2*len(id) {
		return CardID{}, fmt.Errorf("card id: %d characters, want %d", len(s), 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return CardID{}, fmt.Errorf("card id: %w", err)
	}
	if id.String() != s {
		return CardID{}, fmt.Errorf("card id: not in lower case")
	}
	return id, nil
}

func (id CardID) String() string { return hex.EncodeToString(id[:]) }

// LogValue makes a log in JSON name the card as 'liuma card head --card' takes it.
func (id CardID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// IsZero reports whether id names no card.
func (id CardID) IsZero() bool { return id == CardID{} }

// Version counts the PINs of a card: 1, 2, 3 … Zero means that no PIN was set.
// A number is never used for two PINs, so some numbers may be skipped.
type Version uint32

// Verifier is the Ed25519 public key that only the right PIN of one version of
// one card yields (docs/ARCHITECTURE.md, "Walk 1: an attempt, from thumb to
// verdict"). It is not secret.
type Verifier [32]byte

// IsZero reports whether no verifier was recorded.
func (v Verifier) IsZero() bool { return v == Verifier{} }

// ChannelID names a registered channel (渠道), for example "zj-hrss".
type ChannelID string

// ParseChannelID accepts 1 to 40 lower-case letters, digits and inner hyphens.
func ParseChannelID(s string) (ChannelID, error) {
	if !isName(s) {
		return "", fmt.Errorf("channel id %q: want 1 to 40 of a-z, 0-9 and inner hyphens", s)
	}
	return ChannelID(s), nil
}

// BusinessNo is the number that a channel gives to one request (业务流水号).
// One business number makes at most one attempt (I-11).
type BusinessNo string

// ParseBusinessNo accepts 1 to 64 letters, digits, '_', '.' and '-', the first
// of them a letter or a digit, so that it can stand in a URL path.
func ParseBusinessNo(s string) (BusinessNo, error) {
	if !isBusinessNo(s) {
		return "", fmt.Errorf("business number: want 1 to 64 letters, digits, '_', '.' or '-'")
	}
	return BusinessNo(s), nil
}

// Region is a GB/T 2260 code of two, four or six digits: 33, 3305, 330500.
// Trailing pairs of zeros are dropped, so 330000 and 33 are the same region.
// The empty region is the nation.
type Region string

// ParseRegion reads a code and reduces it to its shortest form.
func ParseRegion(s string) (Region, error) {
	if s == "" {
		return "", nil
	}
	if !isRegion(s) {
		return "", fmt.Errorf("region %q: want 2, 4 or 6 digits of GB/T 2260", s)
	}
	for len(s) > 2 && s[len(s)-2:] == "00" {
		s = s[:len(s)-2]
	}
	return Region(s), nil
}

// Contains reports whether other lies in r. Every region lies in itself and in
// the nation.
func (r Region) Contains(other Region) bool {
	return len(other) >= len(r) && other[:len(r)] == r
}

// Verdict is the outcome of an attempt.
type Verdict string

// The verdicts. Only Right and Wrong say anything about a PIN; both rest on the
// answers of t keepers and a durable row (I-9).
const (
	Right       Verdict = "right"
	Wrong       Verdict = "wrong"
	Locked      Verdict = "locked"      // too many wrong PINs within the guess window; ends by itself
	Blocked     Verdict = "blocked"     // too many over all time; ends only with a reset
	Suspended   Verdict = "suspended"   // standing forbids it: frozen, cancelled, or lost and no evidence
	Unavailable Verdict = "unavailable" // no quorum, or keepers that disagree
)

// Decided reports whether v is one of the verdicts above.
func (v Verdict) Decided() bool {
	switch v {
	case Right, Wrong, Locked, Blocked, Suspended, Unavailable:
		return true
	}
	return false
}

// Action is what a channel asks for on a holder's behalf. A channel is
// registered with the actions that it may ask for.
type Action string

// The actions. The last three are ceremonies of the hosted door only: they
// need a one-time code to the bound phone, which a native request cannot carry.
const (
	ActionEnroll   Action = "enroll"
	ActionLink     Action = "link"
	ActionVerify   Action = "verify"
	ActionChange   Action = "change"
	ActionFreeze   Action = "freeze"
	ActionReset    Action = "reset"    // a forgotten PIN is set anew
	ActionRebind   Action = "rebind"   // another phone takes the bound one's place
	ActionUnfreeze Action = "unfreeze" // a frozen card works again
)

// Actions lists every action, in the order in which help texts show them.
func Actions() []Action {
	return []Action{ActionEnroll, ActionLink, ActionVerify, ActionChange, ActionFreeze,
		ActionReset, ActionRebind, ActionUnfreeze}
}

// ParseAction reads an action's name.
func ParseAction(s string) (Action, error) {
	for _, a := range Actions() {
		if string(a) == s {
			return a, nil
		}
	}
	return "", fmt.Errorf("action %q: want enroll, link, verify, change, freeze, reset, rebind or unfreeze", s)
}

// ActionReportLoss is what a hotline does when a holder reports a loss by phone. No
// channel is registered for it.
const ActionReportLoss Action = "report_loss"

// ActionCounter is what a holder does at a counter, with a ticket. Nobody asks for it on a
// holder's behalf, and no channel is registered for it.
const ActionCounter Action = "counter"

// Role says which PIN of a request an envelope carries. It is part of what the
// device seals, so a current PIN cannot be passed off as a new one.
type Role string

// The roles. RoleOld is the current PIN in a change; elsewhere it is RoleCurrent.
const (
	RoleCurrent Role = "current"
	RoleOld     Role = "old"
	RoleNew     Role = "new"
	// RoleCheck is a new PIN that is to be judged and not to be set. Only the pad
	// of the hosted door seals for it.
	RoleCheck Role = "check"
)

// CodeWay is how a one-time code (验证码) reaches a phone.
type CodeWay string

// The ways. A call reads the code aloud, for people who get no texts or cannot read
// them. Empty stands for ByText.
const (
	ByText  CodeWay = "text"
	ByVoice CodeWay = "voice"
)

// ParseCodeWay reads a way; the empty one is ByText.
func ParseCodeWay(s string) (CodeWay, error) {
	switch w := CodeWay(s); w {
	case "":
		return ByText, nil
	case ByText, ByVoice:
		return w, nil
	}
	return "", fmt.Errorf("way of a code %q: want text or voice", s)
}

// PhysicalStatus is the registry's last status of the physical card (实体社保卡).
type PhysicalStatus string

// A lost card needs PIN and evidence together; a cancelled one stops the electronic
// card; a replaced one changes only the card number.
const (
	PhysicalNormal    PhysicalStatus = "normal"
	PhysicalLost      PhysicalStatus = "lost"
	PhysicalCancelled PhysicalStatus = "cancelled"
)

// Standing is whether, and how, the electronic card may be used now.
type Standing string

// A card that is in several of these states at once has the strictest: cancelled
// before frozen before reported before suspended.
const (
	StandingActive    Standing = "active"
	StandingSuspended Standing = "suspended" // physical card lost: PIN and evidence together
	StandingFrozen    Standing = "frozen"    // by the holder, a channel or the hotline
	// StandingReported: the holder reported a loss by phone. It ends by itself.
	StandingReported  Standing = "loss_reported"
	StandingCancelled Standing = "cancelled" // physical card cancelled: not at all
)

// StandingOf derives the standing from the physical card's status and from
// whether the card is frozen. It is never stored, so it cannot disagree with
// either.
func StandingOf(physical PhysicalStatus, frozen bool) Standing {
	switch {
	case physical == PhysicalCancelled:
		return StandingCancelled
	case frozen:
		return StandingFrozen
	case physical == PhysicalLost:
		return StandingSuspended
	}
	return StandingActive
}
