package notify

import (
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// Template names a kind of message text.
type Template string

// The templates. docs/NOTICES.md shows each text.
const (
	CodeBind     Template = "code_bind"
	CodeRebind   Template = "code_rebind"
	CodeReset    Template = "code_reset"
	CodeUnfreeze Template = "code_unfreeze"
	CodeConfirm  Template = "code_confirm"
	CodeNotices  Template = "code_notices" // to a contact for notices, who agrees by entering it

	PINSet             Template = "pin_set"
	PINChanged         Template = "pin_changed"
	PINReset           Template = "pin_reset"
	PINLocked          Template = "pin_locked"
	PINBlocked         Template = "pin_blocked"       // locked without an end
	StrangersStopped   Template = "strangers_stopped" // only known links still work
	StrangersLocked    Template = "strangers_locked"  // only known links still work until then
	PhoneChangedOld    Template = "phone_changed_old" // to the number that was bound before
	PhoneChangedNew    Template = "phone_changed_new" // to the new number
	ChannelLinked      Template = "channel_linked"
	ChannelUnlinked    Template = "channel_unlinked"
	CardFrozen         Template = "card_frozen"
	LossReported       Template = "loss_reported" // by phone; ends by itself
	CardUnfrozen       Template = "card_unfrozen"
	RotationReminder   Template = "rotation_reminder"
	EveryUse           Template = "every_use"
	UsedAlone          Template = "used_alone"           // a use proved by evidence, without the PIN
	EveryUseOff        Template = "every_use_off"        // no more messages about every use
	PersonChanged      Template = "person_changed"       // the registry changed facts about the holder
	IDNumberCorrection Template = "id_number_correction" // the holder's number will be changed after a wait
	CorrectionSooner   Template = "correction_sooner"    // two members of staff shortened that wait
	ResetPlanned       Template = "reset_planned"        // a reset by the physical card's number, after a wait of a day
	PersonShown        Template = "person_shown"         // the data held about the holder was written out
	TicketOpened       Template = "ticket_opened"        // at a counter; the text says for what
	PhoneAndPINChanged Template = "phone_pin_changed"    // both, in one act at a counter
	CardClosing        Template = "card_closing"         // at a counter: frozen now, and closed from a given time
	AgentFroze         Template = "agent_froze"          // at a counter, by a clerk at somebody else's request
	AgentClosing       Template = "agent_closing"        // like CardClosing, at somebody else's request
	NoticesNamed       Template = "notices_named"        // a person becomes the contact for notices of a holder without a phone
	NoticesEnded       Template = "notices_ended"        // that person is no longer the contact
)

// The languages of texts.
const (
	Chinese = "zh-CN"
	English = "en"
)

// shape holds the rules for a template, in any wording. The national wording is in the
// catalogue (package locale).
type shape struct {
	name   Template
	kind   string
	params []string // each must be in the text, and no others
	// the most short messages that the text may fill, with the longest values
	limits map[string]int
	// written is set for a one-time code that no call reads out
	written bool
}

// codeShape makes the rules for a one-time code. In Chinese it must fit into one short
// message: a code that is split over two cannot be read.
func codeShape(name Template) shape {
	return shape{name: name, kind: KindCode, params: []string{"code", "holder", "minutes"},
		limits: map[string]int{Chinese: 1, English: 2}}
}

// writtenShape is like codeShape, for a code that its text explains and that no call
// reads out.
func writtenShape(name Template) shape {
	s := codeShape(name)
	s.written = true
	return s
}

func noticeShape(name Template, params ...string) shape {
	params = append(params, "freeze", "holder")
	slices.Sort(params)
	return shape{name: name, kind: KindNotice, params: params,
		limits: map[string]int{Chinese: 2, English: 3}}
}

// shapes lists all templates.
func shapes() []shape {
	return []shape{
		codeShape(CodeBind),
		codeShape(CodeRebind),
		codeShape(CodeReset),
		codeShape(CodeUnfreeze),
		codeShape(CodeConfirm),
		writtenShape(CodeNotices),
		noticeShape(PINSet, "at", "channel"),
		noticeShape(PINChanged, "at", "channel"),
		noticeShape(PINReset, "at", "channel"),
		noticeShape(PINLocked, "at", "channel", "until"),
		noticeShape(PINBlocked, "at", "channel"),
		noticeShape(StrangersStopped, "at", "channel"),
		noticeShape(StrangersLocked, "at", "channel", "until"),
		noticeShape(PhoneChangedOld, "at", "channel", "phone"),
		noticeShape(PhoneChangedNew, "at", "channel"),
		noticeShape(ChannelLinked, "at", "channel"),
		noticeShape(ChannelUnlinked, "at", "channel"),
		noticeShape(CardFrozen, "at", "channel"),
		noticeShape(LossReported, "at", "channel", "until"),
		noticeShape(CardUnfrozen, "at", "channel"),
		noticeShape(RotationReminder, "at", "channel", "days"),
		noticeShape(EveryUse, "at", "channel"),
		noticeShape(UsedAlone, "at", "channel"),
		noticeShape(EveryUseOff, "at", "channel"),
		noticeShape(ResetPlanned, "at", "channel", "until"),
		noticeShape(PersonChanged, "at", "channel", "what"),
		noticeShape(IDNumberCorrection, "at", "channel"),
		noticeShape(CorrectionSooner, "at", "channel"),
		noticeShape(PersonShown, "at", "channel"),
		noticeShape(TicketOpened, "at", "channel", "what"),
		noticeShape(PhoneAndPINChanged, "at", "channel", "phone"),
		noticeShape(CardClosing, "at", "channel", "until"),
		noticeShape(AgentFroze, "at", "channel"),
		noticeShape(AgentClosing, "at", "channel", "until"),
		noticeShape(NoticesNamed, "at", "channel", "phone"),
		noticeShape(NoticesEnded, "at", "channel"),
	}
}

// national returns the national wording.
func (s shape) national(language string) string {
	return locale.In(locale.Lang(language)).Text(string(s.name))
}

// call returns the words of a call with a one-time code: each placeholder occurs once,
// and {code} twice.
func (s shape) call(language string) string {
	return locale.In(locale.Lang(language)).Call(string(s.name))
}

// DefaultSenderMark is the beginning of every text: in China a short message must begin
// with its sender's name.
func DefaultSenderMark() liuma.Text { return locale.Both((*locale.Words).SenderMark) }
