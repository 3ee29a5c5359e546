package holder

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// recovery are the sentences about the bound phone: one-time codes, reset,
// rebinding, freezing and unfreezing.
type recovery struct {
	ResetTitle, RebindTitle, UnfreezeTitle                        string
	NextReset, NextRebind, NextUnfreeze                           string
	StageAgree, StageCode, StageProve, StageNew, StagePIN         string
	StagePhone                                                    string
	SendTitle, CodeTitle, SendSay, ToBound, ToNew, ToRegistered   string
	CodeLabel, CodeGive, CodeSend, CodeResend, CodeWait, CodeOver string
	SpentTitle, SpentText                                         string
	CounterTitle, CounterOnly, CounterFace                        string
	CounterWhere, CounterBring, BringID, CounterAsk               string
	ProveTitle, ProveReset, ProveRebind, WhatNow                  string
	CardNoTitle, CardNoText, CardNoLabel, CardNoHint, CardNoGive  string
	PhoneTitle, PhoneSay, PhoneLabel, PhoneGive, PhoneOther       string

	RememberWay, ForgotWay, ForgotUnlock, ForgotBlocked                                                                                                   string
	NoResetTitle, NoResetWhy, NoLink, NoResetFrozen                                                                                                       string
	ForgotFrozen                                                                                                                                          string
	ResetDoneTitle, ResetDoneText, ReboundTitle, ReboundText                                                                                              string
	UnfrozenTitle, UnfrozenText, ResetEndText, ResetEndNext                                                                                               string
	WasResetTitle, WasResetText, PlannedTitle, PlannedText                                                                                                string
	StoppedTitle, StoppedText, StoppedNext                                                                                                                string
	PlannedNext, NotFrozenTitle, CounterNeeded                                                                                                            string
	FreezeAsk, FreezeSure, FreezeStops, ThawHow, ThawText                                                                                                 string
	FreezeYes, FreezeNo, FreezeTitle, FreezeSay, FreezeLabel                                                                                              string
	FreezeHint, FreezeGive, NoFreezeCode, NoFreezeCodeText                                                                                                string
	FrozenByCode, FrozenSince, FreezeAnother                                                                                                              string
	OfficialTitle, OfficialSay, OfficialFreeze, RealTitle                                                                                                 string
	RealName, RealNotice, RealNever                                                                                                                       string
	AfterTitle, ConfirmTitle, ConfirmText, EveryUse, On, Off                                                                                              string
	More, Stay, WhenSet, OverSet, OverReload, LinksTitle, LaneTitle, LaneText, LaneNext, LaneElsewhere, LaneElsewhereText, LaneReopen, OldPIN, OldPINText string
}

func recoveryWordings(t *wordings, say func(zh, en string) string) {
	t.ResetTitle = say("找回电子社保卡密码", "Recover the e-Card's PIN")
	t.RebindTitle = say("更换绑定手机", "Change the bound phone")
	t.UnfreezeTitle = say("解冻电子社保卡", "Unfreeze the e-Card")
	t.NextReset = say("先收一条短信验证码，再做一次实人认证，然后设置新密码。设好马上能用。",
		"You get a code by text message, do an identity check, and choose a new PIN. It works at once.")
	t.NextRebind = say("先输入密码，再做一次实人认证，然后输入新手机号和它收到的验证码。",
		"You enter the PIN, do an identity check, and give the new number and the code that it gets.")
	t.NextUnfreeze = say("先输入绑定手机收到的验证码，再输入密码。这张卡马上恢复使用。",
		"You enter a code that the bound phone gets, then the PIN. The card works again at once.")
	t.StageAgree = say("核对", "Start")
	t.StageCode = say("验证码", "Code")
	t.StageProve = say("认证", "ID check")
	t.StageNew = say("新密码", "New PIN")
	t.StagePIN = say("密码", "PIN")
	t.StagePhone = say("新号码", "Number")
	t.WhatNow = say("怎么做", "How it works")
	t.RememberWay = say("想起密码了，回去输入", "I remember it: back to the PIN")
	t.ForgotWay = say("忘记密码？重新设置", "Forgot the PIN? Set a new one")
	t.ForgotUnlock = say("找回密码，马上解锁", "Recover the PIN and unlock now")
	t.ForgotBlocked = say("找回密码", "Recover the PIN")
	t.NoResetTitle = say("现在不能在线找回密码", "The PIN cannot be recovered online now")
	t.NoResetWhy = say("不能在线找回密码：看原因和办法", "Why it cannot be recovered online, and what to do")
	t.NoLink = say("这张卡还没有关联到这个应用，不能在这里找回。可以在已关联的应用里找回，或到柜台办理。",
		"The card is not linked to this app, so it cannot be recovered here. Use an app that it is linked to, or go to a counter.")
	t.NoResetFrozen = say("这张卡已冻结，冻结期间不能在线找回密码。", "The card is frozen, and while it is, the PIN cannot be recovered online.")
	t.ForgotFrozen = say("卡冻结期间不能在线找回密码。请本人带身份证到柜台办理，解冻和找回密码可以一起办。",
		"While the card is frozen, the PIN cannot be recovered online. Take your ID card to a counter: both can be done there at once.")
	codeWordings(t, say)
	proveWordings(t, say)
	recoveredWordings(t, say)
	freezeWordings(t, say)
	afterWordings(t, say)
}

func codeWordings(t *wordings, say func(zh, en string) string) {
	t.SendTitle = say("先收一条验证码", "First, get a code")
	t.CodeTitle = say("请输入短信验证码", "Enter the code from the text message")
	t.SendSay = say("点“获取验证码”，我们给下面的手机号发一条短信，里面有 6 位数字。",
		"Press the button, and this phone is sent a text message with six digits.")
	t.ToBound = say("绑定的手机", "Bound phone")
	t.ToNew = say("新手机号", "New number")
	t.ToRegistered = say("社保登记的手机", "Phone on record")
	t.CodeLabel = say("验证码（6 位数字）", "Code (six digits)")
	t.CodeGive = say("下一步", "Next")
	t.CodeSend = say("获取验证码", "Send me a code")
	t.CodeResend = say("重新获取验证码", "Send a new code")
	t.CodeWait = say("{n} 秒后可以重新获取", "A new code can be sent in {n}\u00a0s")
	t.CodeOver = say("上一条验证码已过期，请重新获取。", "The last code is too old. Ask for a new one.")
	t.SpentTitle = say("验证码输错次数太多了", "Too many wrong codes")
	t.SpentText = say("为防止别人试出验证码，要等一段时间才能再试。急需办理，请到柜台。您的密码没有改变。",
		"So that nobody can find out a code by trying, it takes a while until you can try again. If it cannot wait, go to a counter. Your PIN has not changed.")
	t.CounterTitle = say("也可以到柜台办理", "It can also be done at a counter")
	t.CounterOnly = say("可以这样办：到柜台", "What you can do: go to a counter")
	t.CounterFace = say("不方便刷脸？到柜台办理", "Cannot show your face? Go to a counter")
	t.CounterWhere = say("去哪里", "Where")
	t.CounterBring = say("带什么", "Bring")
	t.BringID = say("本人身份证原件，本人到场", "Your original ID card; come yourself")
	t.CounterAsk = say("问最近的网点", "Nearest one")
}

func proveWordings(t *wordings, say func(zh, en string) string) {
	t.ProveTitle = say("请证明是您本人", "Show that it is you")
	t.ProveReset = say("单凭手机不能改密码，这样别人拿到您的手机也没有用。所以还要做一次实人认证。",
		"A phone alone cannot change the PIN, so nobody gains it by stealing yours. An identity check is needed as well.")
	t.ProveRebind = say("以后找回密码要靠绑定的手机，所以更换前还要做一次实人认证。",
		"The bound phone is what recovers the PIN. Before it is changed, an identity check is needed as well.")
	t.CardNoTitle = say("也可以用实体社保卡的卡号", "Or use the number of your physical card")
	t.CardNoText = say("用卡号要等 24 小时：先登记，我们发短信通知您；24 小时后再来一次，就能设置新密码。",
		"With the number it takes 24 hours: it is noted, the bound phone is told, and a day later you come back and set the new PIN.")
	t.CardNoLabel = say("实体社保卡的卡号", "Number of the physical card")
	t.CardNoHint = say("印在卡的正面。", "It is printed on the front.")
	t.CardNoGive = say("提交卡号", "Send the number")
	t.PhoneTitle = say("请输入新手机号", "Enter the new number")
	t.PhoneSay = say("验证码会发到这个新号码。旧号码会收到一条通知。", "The code goes to the new number. The old one gets a notice.")
	t.PhoneLabel = say("新手机号（11 位数字）", "New number (11 digits)")
	t.PhoneGive = say("下一步", "Next")
	t.PhoneOther = say("号码填错了？换一个", "Wrong number? Give another")
}

func recoveredWordings(t *wordings, say func(zh, en string) string) {
	t.ResetDoneTitle = say("新密码已设好", "The new PIN is set")
	t.ResetDoneText = say("马上能用，已经解锁，所有渠道都用新密码。请记牢，不要告诉任何人。",
		"It works at once and in every channel, and nothing is locked. Remember it, and tell it to nobody.")
	t.ReboundTitle = say("绑定手机已更换", "The bound phone was changed")
	t.ReboundText = say("以后验证码和通知都发到新号码，旧号码收到了通知。为防止盗用，刚更换的几天里不能在线找回密码。",
		"Codes and notices go to the new number from now on; the old one was told. To keep thieves out, the PIN cannot be recovered online for the first days.")
	t.UnfrozenTitle = say("已解冻，可以使用了", "The e-Card works again")
	t.UnfrozenText = say("所有渠道都恢复使用，密码没有改变。", "It can be used in every channel. The PIN has not changed.")
	t.ResetEndText = say("已经解锁，所有渠道都用新密码。请记牢，不要告诉任何人。",
		"Nothing is locked any more, and the new PIN counts in every channel. Remember it, and tell it to nobody.")
	t.ResetEndNext = say("请回到应用，用新密码重新办理刚才的业务。", "Go back to the app and start again with the new PIN.")
	t.WasResetTitle = say("新密码已设好，请再输入一次", "The new PIN is set: enter it once more")
	t.WasResetText = say("用新密码继续办理刚才的业务。", "With it you go on with what you were doing.")
	t.PlannedTitle = say("已登记，24 小时后设置新密码", "Noted: set the new PIN in 24 hours")
	t.PlannedText = say("卡号正确。为了安全要等 24 小时，已发短信通知绑定的手机。",
		"The number is right. For safety it takes 24 hours; the bound phone was told.")
	t.PlannedNext = say("到时间后两天内，再从应用里进入“找回密码”，输入新的验证码和卡号，就能设置新密码。",
		"Within two days after that time, choose “Recover the PIN” in the app again. With a new code and the number you can then set the new PIN.")
	t.WhenSet = say("什么时候可以设置", "When it can be set")
	t.OverSet = say("现在可以设置了。请回到应用，进入“找回密码”。", "It can be set now. Choose “Recover the PIN” in the app.")
	t.OverReload = say("现在可以了，请重新打开这一页。", "It is time: open this page again.")
	t.NotFrozenTitle = say("这张卡没有冻结", "The e-Card is not frozen")
	t.StoppedTitle = say("这个应用现在不能办理", "This app cannot do this now")
	t.StoppedText = say("这个应用已经停办这项业务。", "It was stopped for this app.")
	t.StoppedNext = say("请换一个官方应用办理。", "Use another official app.")
	t.CounterNeeded = say("现在不能在线办理", "This cannot be done online now")
}

func freezeWordings(t *wordings, say func(zh, en string) string) {
	t.FreezeAsk = say("不是您本人在办？冻结这张卡", "Not you? Freeze the e-Card")
	t.FreezeSure = say("要冻结这张电子社保卡吗？", "Freeze the e-Card?")
	t.FreezeStops = say("冻结后，这张卡在所有渠道马上停用，谁都不能用它办业务。实体社保卡不受影响，密码也不会变。",
		"It stops at once and in every channel: nobody can use it. The physical card and the PIN stay as they are.")
	t.ThawHow = say("以后怎样恢复", "How to use it again")
	t.ThawText = say("在关联了这张卡的应用里选“解冻”，用绑定手机的验证码和密码办理；也可以带身份证到柜台办理。",
		"Choose “Unfreeze” in an app that the card is linked to, with a code to the bound phone and the PIN; or take your ID card to a counter.")
	t.FreezeYes = say("确定冻结", "Freeze it now")
	t.FreezeNo = say("先不冻结，返回", "Do not freeze, go back")
	t.FreezeTitle = say("用冻结码冻结电子社保卡", "Freeze the e-Card with a freeze code")
	t.FreezeSay = say("我们发的通知短信里有一个冻结码。输入后，这张卡在所有渠道马上停用。不用登录。",
		"Every notice from us has a freeze code. Enter it, and the card stops at once in every channel. No log-in is needed.")
	t.FreezeLabel = say("冻结码（11 位字母和数字）", "Freeze code (11 letters and digits)")
	t.FreezeHint = say("照短信里的样子填，比如 K7M\u00a029QX\u00a0A4TW。大写小写、有没有空格都可以。", "As in the notice, such as K7M\u00a029QX\u00a0A4TW. Upper or lower case, with or without spaces.")
	t.FreezeGive = say("冻结这张卡", "Freeze the card")
	t.NoFreezeCode = say("没有冻结码？", "No freeze code?")
	t.NoFreezeCodeText = say("打咨询电话，工作人员可以马上为您冻结；也可以在关联了这张卡的应用里冻结。",
		"Call the help line: they can freeze it at once. Or freeze it in an app that the card is linked to.")
	t.FrozenByCode = say("已冻结。这张卡在所有渠道都停用了，密码没有改变。", "Done. It cannot be used in any channel now. The PIN has not changed.")
	t.FrozenSince = say("冻结时间", "Frozen since")
	t.FreezeAnother = say("再冻结一张卡", "Freeze another card")
	t.OfficialTitle = say("电子社保卡密码服务", "The e-Card's PIN")
	t.OfficialSay = say("这里是电子社保卡密码的官方页面。设置、修改、找回密码，请从您平时用的社保应用进入，不用在这里登录。",
		"This is the official page of the e-Card's PIN. To set, change or recover it, start from the app that you use; there is nothing to log in to here.")
	t.OfficialFreeze = say("手机丢了，或收到不是您办的通知？用短信里的冻结码，马上停用这张卡。",
		"Lost your phone, or a notice of something that you did not do? The freeze code in the notice stops the card at once.")
	t.RealTitle = say("怎样认出真的页面", "How to know that a page is real")
	t.RealName = say("最上面写着是哪个应用在请求，和您打开的应用一样。", "It names the app that asks, and that is the one you opened.")
	t.RealNotice = say("我们的短信里从来没有链接。", "Our text messages never have a link.")
	t.RealNever = say("没有任何人会向您要密码、验证码或冻结码。谁要，谁就是骗子。",
		"Nobody ever asks you for the PIN, a code or a freeze code. Whoever does is a cheat.")
}

func afterWordings(t *wordings, say func(zh, en string) string) {
	t.AfterTitle = say("还可以设置", "You may also set")
	t.ConfirmTitle = say("确认绑定的手机还在您手里", "Confirm that you still have the bound phone")
	t.ConfirmText = say("每年确认一次，忘记密码时才能在线找回。", "Once a year, so that a forgotten PIN can be recovered online.")
	t.EveryUse = say("每次用密码，都发短信告诉我", "Text me after every use of the PIN")
	t.On, t.Off = say("已开启", "On"), say("已关闭", "Off")
	t.OldPIN = say("这个密码用了很久了", "This PIN is quite old")
	t.OldPINText = say("建议换一个新密码：在应用里选“修改密码”。", "It is time for a new one: choose “Change the PIN” in the app.")
	t.LinksTitle = say("现在不能再关联", "No more links now")
	t.LaneTitle = say("这里不能输入密码了", "The PIN cannot be entered here")
	t.LaneText = say("有人在别处输错了很多次密码。为了保护您，新的和不常用的关联都停用了，您的密码没有改变。",
		"Too many wrong PINs were entered elsewhere. To protect you, new and little used links are stopped. Your PIN has not changed.")
	t.LaneNext = say("请在您一直使用的应用里输入，做一次实人认证再来，或在这里找回密码。",
		"Use the app that you have used for long, come again with an identity check, or recover the PIN here.")
	t.LaneElsewhere = say("其他关联已停用", "Other links are stopped")
	t.LaneElsewhereText = say("有人在别处输错了很多次密码。您在这个应用里不受影响。",
		"Somebody entered many wrong PINs elsewhere. In this app you are not affected.")
	t.LaneReopen = say("密码正确后，允许其他应用再试", "After a right PIN, let other apps try again")
	t.More = say("更多", "More")
	t.Stay = say("验证后先停在这里，我要设置短信提醒", "Stay here afterwards: I want to set notices")
}

func (t *wordings) proveAt(channel string) string {
	if t.english() {
		return "The button takes you back to " + channel + " for the identity check. Then you come back here by yourself and go on."
	}
	return "点下面的按钮，回到" + channel + "做实人认证。做完会自动回到这里，接着办。"
}

func (t *wordings) realAddress(start string) string {
	if t.english() {
		return "Its address begins with " + start + " (with the slash)."
	}
	return "网址以 " + start + " 开头，一个字符都不差。"
}

func (t *wordings) codeSent(at time.Time) string {
	clock := at.Format("15:04")
	if t.english() {
		return "Sent at " + clock + ", good for 10 minutes. Tell the code to nobody."
	}
	return clock + " 已发送，10 分钟内有效。验证码不要告诉任何人。"
}

func (t *wordings) resendFrom(moment string) string {
	if t.english() {
		return "A new code can be sent " + moment + "."
	}
	return moment + " 以后可以重新获取。"
}

func (t *wordings) agencies(region liuma.Text) string {
	name := t.of(region)
	switch {
	case t.english() && name == "":
		return "Any social-security agency"
	case t.english():
		return "Any social-security agency in " + name
	}
	return name + "任一社保经办机构"
}
