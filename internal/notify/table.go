package notify

import (
	"slices"

	"github.com/liuma-pin/liuma"
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

	PINSet           Template = "pin_set"
	PINChanged       Template = "pin_changed"
	PINReset         Template = "pin_reset"
	PINLocked        Template = "pin_locked"
	PINBlocked       Template = "pin_blocked"       // locked without end
	StrangersStopped Template = "strangers_stopped" // only known links go on
	StrangersLocked  Template = "strangers_locked"  // only known links go on until then
	PhoneChangedOld  Template = "phone_changed_old" // to the number that was bound before
	PhoneChangedNew  Template = "phone_changed_new" // to the new number
	ChannelLinked    Template = "channel_linked"
	ChannelUnlinked  Template = "channel_unlinked"
	CardFrozen       Template = "card_frozen"
	CardUnfrozen     Template = "card_unfrozen"
	RotationReminder Template = "rotation_reminder"
	EveryUse         Template = "every_use"
	EveryUseOff      Template = "every_use_off"  // no such messages any more
	PersonChanged    Template = "person_changed" // the registry changed what it says of the holder
	ResetPlanned     Template = "reset_planned"  // a reset by the physical card's number, which waits a day
)

// The languages of texts.
const (
	Chinese = "zh-CN"
	English = "en"
)

// shape holds the rules for a template, in any wording, and the national
// wording.
type shape struct {
	name   Template
	kind   string
	params []string // each must be in the text, and no other
	// most short messages that the text may fill with the longest values
	zh, en string
	limits map[string]int
	call   spoken // of a one-time code: what a call says
}

const (
	zhWarn = "如非本人操作，请立即拨打12333，或在官方页面输入冻结码{freeze}停用。"
	enWarn = " Not you? Call 12333, or enter freeze code {freeze} on the official page."
)

// codeText must fit into one short message in Chinese: a one-time code that is
// split over two cannot be read.
func codeText(name Template, zhFor, enFor string) shape {
	return shape{
		name: name, kind: KindCode, params: []string{"code", "holder", "minutes"},
		zh:     "验证码{code}，用于为{holder}" + zhFor + "，{minutes}分钟内有效。任何工作人员都不会索要，切勿告诉他人。",
		en:     "Code {code} to " + enFor + " {holder}, valid {minutes} min. No staff will ask for it. Tell nobody.",
		limits: map[string]int{Chinese: 1, English: 2},
		call:   codeCall(zhFor, enFor),
	}
}

func noticeText(name Template, zh, en string, params ...string) shape {
	params = append(params, "freeze", "holder")
	slices.Sort(params)
	return shape{name: name, kind: KindNotice, params: params, zh: zh, en: en,
		limits: map[string]int{Chinese: 2, English: 3}}
}

// shapes are all templates, with the wording of the nation.
func shapes() []shape {
	return []shape{
		codeText(CodeBind, "绑定手机", "bind a phone for"),
		codeText(CodeRebind, "换绑手机", "change the phone of"),
		codeText(CodeReset, "找回密码", "recover the PIN of"),
		codeText(CodeUnfreeze, "解除冻结", "unfreeze the card of"),
		codeText(CodeConfirm, "确认手机", "confirm the phone of"),

		noticeText(PINSet, "{holder}的电子社保卡已于{at}在{channel}设置密码。"+zhWarn,
			"A PIN was set for the card of {holder} at {channel} on {at}."+enWarn, "at", "channel"),
		noticeText(PINChanged, "{holder}的电子社保卡密码已于{at}在{channel}修改，各渠道即时生效。"+zhWarn,
			"The PIN of {holder} was changed at {channel} on {at}, for all channels."+enWarn, "at", "channel"),
		noticeText(PINReset, "{holder}的电子社保卡密码已于{at}在{channel}找回并重设。"+zhWarn,
			"The PIN of {holder} was forgotten and set anew at {channel} on {at}."+enWarn, "at", "channel"),
		noticeText(PINLocked, "{holder}的电子社保卡密码多次输错，已于{at}在{channel}锁定，{until}自动解锁。"+zhWarn,
			"Wrong PINs: PIN of {holder} locked at {channel} on {at}, until {until}."+enWarn, "at", "channel", "until"),
		noticeText(PINBlocked, "{holder}的电子社保卡密码输错次数过多，已于{at}在{channel}停用，找回密码后才能再用。"+zhWarn,
			"Wrong PINs: the PIN of {holder} was blocked at {channel} on {at}. Recover it."+enWarn, "at", "channel"),
		noticeText(StrangersStopped, "{holder}的电子社保卡密码在新关联处输错过多，已于{at}在{channel}停止新关联使用，常用应用不受影响。"+zhWarn,
			"Wrong PINs: at {channel} on {at} only known links of {holder} may go on."+enWarn, "at", "channel"),
		noticeText(StrangersLocked, "{holder}的电子社保卡密码在新关联多次输错，{at}在{channel}锁定至{until}，常用应用照常。"+zhWarn,
			"Wrong PINs at {channel}, {at}: until {until} {holder} needs a known link."+enWarn, "at", "channel", "until"),
		noticeText(PhoneChangedOld, "{holder}的电子社保卡已于{at}在{channel}改绑手机{phone}，本机不再是绑定手机。"+zhWarn,
			"The bound phone of {holder} was changed to {phone} at {channel} on {at}."+enWarn, "at", "channel", "phone"),
		noticeText(PhoneChangedNew, "本机已于{at}在{channel}绑定{holder}的电子社保卡。"+zhWarn,
			"This phone was bound to the card of {holder} at {channel} on {at}."+enWarn, "at", "channel"),
		noticeText(ChannelLinked, "{holder}的电子社保卡已于{at}关联到{channel}。"+zhWarn,
			"The card of {holder} was linked to {channel} on {at}."+enWarn, "at", "channel"),
		noticeText(ChannelUnlinked, "{holder}的电子社保卡在{channel}的一处关联已于{at}解除。"+zhWarn,
			"A link of the card of {holder} at {channel} ended on {at}."+enWarn, "at", "channel"),
		noticeText(CardFrozen, "{holder}的电子社保卡已于{at}在{channel}冻结，各渠道均已停用。有疑问请拨打12333。解冻后如需再次停用，冻结码{freeze}七日内有效。",
			"The card of {holder} was frozen at {channel} on {at}, in all channels. Questions? Call 12333. Freeze code after unfreezing: {freeze}.", "at", "channel"),
		noticeText(CardUnfrozen, "{holder}的电子社保卡已于{at}在{channel}解除冻结。"+zhWarn,
			"The card of {holder} was unfrozen at {channel} on {at}."+enWarn, "at", "channel"),
		noticeText(RotationReminder, "{holder}的电子社保卡密码自{at}起已用{days}天，刚在{channel}使用，建议更换。"+zhWarn,
			"The PIN of {holder}, used at {channel}, is {days} days old ({at}). Change it."+enWarn, "at", "channel", "days"),
		noticeText(EveryUse, "{holder}的电子社保卡已于{at}在{channel}使用，密码核验通过。"+zhWarn,
			"The PIN of {holder} was used at {channel} on {at}."+enWarn, "at", "channel"),
		noticeText(EveryUseOff, "{holder}的电子社保卡已于{at}在{channel}关闭每次用密码的短信提醒。"+zhWarn,
			"Texts at every use of the PIN of {holder} were turned off at {channel} on {at}."+enWarn, "at", "channel"),
		noticeText(ResetPlanned, "{holder}的电子社保卡已于{at}在{channel}登记找回密码，{until}起可重设。"+zhWarn,
			"PIN recovery for {holder} asked for at {channel} on {at}, from {until}."+enWarn, "at", "channel", "until"),
		noticeText(PersonChanged, "{holder}在社保卡登记中的{what}已于{at}由{channel}更改，绑定手机不变。"+zhWarn,
			"{holder}: {what} changed by {channel} on {at}."+enWarn, "at", "channel", "what"),
	}
}

// defaultSenderMark opens every text: in China the sender of a short message
// must be named at its beginning.
func defaultSenderMark() liuma.Text {
	return liuma.Text{ZH: "【电子社保卡】", EN: "[E-Social-Security Card] "}
}
