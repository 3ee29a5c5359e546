package holder

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// noCode are the sentences for who got no one-time code, or cannot read it.
type noCode struct {
	NoCodeWay, NoCodeOrRead, NoCodeTitle, NoCallTitle          string
	NoCodeNumber, NoCodeLast, NoCodeCheck, NoCodeUntil         string
	CheckNumber, CheckSignal, CheckBlocked, CheckWait          string
	CheckCalls, NoCodeOld, OldBound, OldRegistered, OldConfirm string
	NoCodeCall, NoCallWay, NoCodeAhead, NoCodeBack, NoCodeCame string
	CallTitle, CallText, CallMe, CallWait, CallCode            string
	CodeTextInstead, CodeTextWait, OldUnfreeze                 string
}

func noCodeWordings(t *wordings, say func(zh, en string) string) {
	t.NoCodeWay = say("没有收到短信？", "No text message?")
	t.NoCodeOrRead = say("没有收到短信，或者看不清？", "No text message, or hard to read?")
	t.NoCodeCall = say("改用电话听验证码", "Have the code read out by phone")
	t.NoCodeTitle = say("没有收到短信", "No text message came")
	t.NoCodeAhead = say("收不到短信怎么办", "If no text message comes")
	t.NoCallWay = say("没有接到电话？", "No call?")
	t.NoCallTitle = say("没有接到电话", "No call came")
	t.NoCodeNumber = say("发到这个号码", "It goes to")
	t.NoCodeLast = say("上一次发送", "Last sent at")
	t.NoCodeCheck = say("先看一看", "Check first")
	t.CheckNumber = say("上面这个号码的卡，是不是插在您手边的手机里。", "Is the SIM card with this number in the phone beside you?")
	t.CheckSignal = say("手机有没有信号，有没有欠费停机，是不是开了飞行模式。", "Does it have a signal, is the account paid up, and flight mode off?")
	t.CheckBlocked = say("短信有没有被拦截：在短信里找“垃圾短信”“拦截短信”“通知短信”。",
		"Was the message filtered out? Look among blocked messages and notifications.")
	t.CheckWait = say("短信有时要一分钟才到，请等一等。", "A message can take a minute. Please wait a little.")
	t.CheckCalls = say("电话有没有被拦截，手机是不是静音。在通话记录里能看到未接来电。",
		"Was the call blocked, or the phone silent? Missed calls are in its call list.")
	t.NoCodeUntil = say("什么时候能再收验证码", "When a code can be sent again")
	t.CallTitle = say("打电话念给您听", "Have it read out by phone")
	t.CallText = say("会有电话打到上面的号码，把 6 位数字慢慢念两遍。请准备好纸和笔。电话里不会问您任何事。",
		"That number is called, and the six digits are read out slowly, twice. Have pen and paper ready. The call asks you nothing.")
	t.CallMe = say("接听语音电话", "Call me")
	t.CallWait = say("{n} 秒后可以打电话", "A call can be made in {n}\u00a0s")
	t.CallCode = say("请输入电话里念的验证码", "Enter the code from the call")
	t.CodeTextInstead = say("改用短信收验证码", "Send it by text instead")
	t.CodeTextWait = say("{n} 秒后可以改用短信", "A text can be sent in {n}\u00a0s")
	t.NoCodeOld = say("这个号码不用了？", "No longer your number?")
	t.OldBound = say("忘记密码时，号码在网上改不了。请本人带身份证到柜台，改手机号和设新密码可以一起办。",
		"While the PIN is forgotten, the number cannot be changed online. Take your ID card to a counter: both can be done there at once.")
	t.OldUnfreeze = say("卡冻结期间，号码在网上改不了。请本人带身份证到柜台，改手机号和解冻可以一起办。",
		"While the card is frozen, the number cannot be changed online. Take your ID card to a counter: both can be done there at once.")
	t.OldRegistered = say("这是社保登记的手机号。请先到柜台更改登记，再来申领。", "This is the number on record. Have it changed at a counter, then apply again.")
	t.OldConfirm = say("在应用里选“更换绑定手机”，用密码和实人认证办理；也可以到柜台办理。",
		"Choose “Change the bound phone” in the app, with the PIN and an identity check; or go to a counter.")
	t.NoCodeBack = say("返回上一页", "Go back")
	t.NoCodeCame = say("收到了，去输入验证码", "It came: enter the code")
}

// sendFrom says from when a code is sent by a way again.
func (t *wordings) sendFrom(by liuma.CodeWay, moment string) string {
	if by != liuma.ByVoice {
		return t.resendFrom(moment)
	}
	return t.of(liuma.Text{ZH: moment + " 以后可以打电话。", EN: "A call can be made " + moment + "."})
}

// noneNow says that no code is sent by a way, without a time.
func (t *wordings) noneNow(by liuma.CodeWay) string {
	if by == liuma.ByVoice {
		return t.of(liuma.Text{ZH: "现在不能打电话。", EN: "No call can be made now."})
	}
	return t.of(liuma.Text{ZH: "现在不能发短信。", EN: "No text can be sent now."})
}

// codeCalled is the hint beneath the label of a code that is read out.
func (t *wordings) codeCalled(at time.Time) string {
	clock := at.Format("15:04")
	if t.english() {
		return "Asked for at " + clock + ", good for 10 minutes. Tell the code to nobody."
	}
	return clock + " 已拨打，10 分钟内有效。验证码不要告诉任何人。"
}
