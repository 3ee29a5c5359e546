package liuma

// Explanation tells a person about an error code: what happened, and what to do
// next.
type Explanation struct{ What, Next Text }

// Explain returns the explanation of c. Unknown codes read as CodeInternal, so
// that a missing row cannot leak a raw code to a page.
func Explain(c Code) Explanation {
	if e, ok := explanation(c); ok {
		return e
	}
	e, _ := explanation(CodeInternal)
	return e
}

func explanation(c Code) (Explanation, bool) {
	if e, ok := requestExplanation(c); ok {
		return e, true
	}
	if e, ok := ceremonyExplanation(c); ok {
		return e, true
	}
	if e, ok := holderExplanation(c); ok {
		return e, true
	}
	if e, ok := codeExplanation(c); ok {
		return e, true
	}
	if e, ok := rationExplanation(c); ok {
		return e, true
	}
	return phoneExplanation(c)
}

func say(zhWhat, enWhat, zhNext, enNext string) (Explanation, bool) {
	return Explanation{What: Text{zhWhat, enWhat}, Next: Text{zhNext, enNext}}, true
}

// requestExplanation covers what a channel's developer meets.
func requestExplanation(c Code) (Explanation, bool) {
	switch c {
	case CodeInternal:
		return say("系统内部出错。", "Something failed on our side.",
			"请稍后再试；如仍不行，请拨打 12333。", "Try again later; if it persists, call 12333.")
	case CodeUnavailable:
		return say("密码服务暂时不可用，无法核验。", "The PIN service cannot give a verdict right now.",
			"请稍后再试，您的密码没有改变。", "Try again later. Your PIN has not changed.")
	case CodeBusy:
		return say("同一张卡正在办理另一笔请求。", "Another request for this card is under way.",
			"请等几秒再试，本次不计入输错次数。", "Wait a few seconds and try again; this did not count as a try.")
	case CodeTooManyRequests:
		return say("同时在办的请求太多，这一笔没有办理。", "Too many requests are under way at once, so this one was not taken.",
			"请等几秒再试，本次不计入输错次数。", "Wait a few seconds and try again; this did not count as a try.")
	case CodeBadRequest:
		return say("请求格式不正确。", "The request is malformed.",
			"请按接口文档检查所指字段。", "Check the named member against the API document.")
	case CodeUnauthenticated:
		return say("调用方身份未通过验证。", "The caller could not be authenticated.",
			"请用登记的密钥签发五分钟内有效的令牌后重试。", "Sign a fresh token (at most five minutes) with the registered key.")
	case CodeForbidden:
		return say("该调用方无权办理此事项或此地区。", "The caller is not registered for this action or region.",
			"请联系运营方登记所需的事项和地区。", "Ask the operator to register the action and region.")
	case CodeNotFound:
		return say("没有找到所查的记录。", "No such record.",
			"请核对编号。", "Check the number.")
	case CodeTooLarge:
		return say("请求内容过大。", "The request is too large.",
			"请缩短内容后重试。", "Shorten it and try again.")
	case CodeBusinessNoUsed:
		return say("该业务流水号已用于另一笔不同的请求。", "This business number was used for a different request.",
			"请换一个新的业务流水号。", "Use a new business number.")
	case CodeUndecided:
		return say("该业务流水号的请求中途中断，没有结论，也不会再有结论。", "The request with this business number was interrupted; it has no verdict and will get none.",
			"请换一个新的业务流水号重新办理。", "Start again with a new business number.")
	case CodeEnvelopeInvalid:
		return say("密码信封无法打开，或不是为这笔请求封装的。", "The PIN envelope does not open, or was not sealed for this request.",
			"请重新获取挑战值，在设备上重新封装。", "Fetch a new challenge and seal again on the device.")
	case CodeChallengeExpired:
		return say("挑战值已过期或无效。", "The challenge is expired or not ours.",
			"请重新获取挑战值后再试。", "Fetch a new challenge and try again.")
	case CodeEvidenceInvalid:
		return say("实人认证凭证无效。", "The evidence is not valid for this request.",
			"请重新做一次实人认证。", "Do the identity check again.")
	case CodeEvidenceUsed:
		return say("该实人认证凭证已经用过。", "This evidence was used before.",
			"请重新做一次实人认证。", "Do the identity check again.")
	case CodeReceiptInvalid:
		return say("回执无效。", "The receipt is not valid.",
			"请重新请求核验。", "Ask for a new verification.")
	case CodeReceiptSpent:
		return say("该回执已经兑付过。", "The receipt was redeemed before.",
			"一份回执只能用一次，请重新请求核验。", "A receipt serves once. Ask for a new verification.")
	case CodeReceiptStale:
		return say("核验之后卡的状态或密码已有变化，回执不再有效。", "The card's standing or PIN changed after the verdict.",
			"请重新请求核验。", "Ask for a new verification.")
	case CodeRequestURIInvalid:
		return say("这个链接已失效，或不是从渠道打开的。", "This link has expired, or was not opened from a channel.",
			"请回到原来的应用，重新进入。", "Go back to the app you came from and start again.")
	case CodeCodeInvalid:
		return say("授权码无效、已使用或已过期。", "The authorization code is unknown, used or expired.",
			"请按业务流水号查询结果，或重新发起。", "Ask for the result by business number, or start again.")
	}
	return Explanation{}, false
}

// holderExplanation covers what a holder meets on a page.
func holderExplanation(c Code) (Explanation, bool) {
	switch c {
	case CodeEvidenceRequired:
		return say("办理此事项还需要实人认证。", "This needs an identity check as well.",
			"请按提示完成实人认证后继续。", "Complete the identity check, then continue.")
	case CodeIDNumberInvalid:
		return say("身份证号码不正确。", "The ID number is not valid.",
			"请核对 18 位身份证号码。", "Check the 18 characters of the ID number.")
	case CodeIDNumber15:
		return say("15 位的旧身份证号码已停用。", "ID numbers of 15 digits are no longer in use.",
			"请使用现在身份证上的 18 位号码。", "Use the 18-character number on the current ID card.")
	case CodeNotInRegistry:
		return say("没有查到相符的社会保障卡。", "No matching social-security card was found.",
			"请核对姓名和身份证号码，或拨打 12333 咨询。", "Check name and ID number, or call 12333.")
	case CodeAlreadyEnrolled:
		return say("您已经申领过电子社保卡并设置了密码。", "You already have an e-card with a PIN.",
			"请直接用原来的密码关联本渠道。", "Link this channel with the PIN that you have.")
	case CodeCardRestored:
		return say("您已经有电子社保卡。我们刚恢复了这张卡的资料，为安全起见，卡已冻结。", "You already have an e-card. We have just restored what we keep of it, and the card is frozen to be safe.",
			"请本人带身份证原件到经办窗口启用。", "Go to an agency with your ID card to have it opened.")
	case CodePINFormat:
		return say("密码应为 6 位数字。", "A PIN has six digits.",
			"请重新输入 6 位数字。", "Enter six digits.")
	case CodeWeakPIN:
		return say("这个密码太容易被猜到。", "This PIN is too easy to guess.",
			"请换一个与生日、证件号、手机号无关的密码。", "Choose one that has nothing to do with your birthday, ID number or phone.")
	case CodeChangeUnderWay:
		return say("这张卡正在设置密码。", "A PIN is just being set for this card.",
			"请稍等片刻再试。", "Wait a moment and try again.")
	case CodeSlowDown:
		return say("可能有人在试探密码，为安全起见，这个密码暂时不能核验。", "Somebody may be guessing at PINs, so this one is not checked for now.",
			"请过二十分钟再试，或做一次实人认证马上办理。本次不计入输错次数，您的密码没有改变。", "Try again in twenty minutes, or do the identity check to go on at once. This did not count as a try, and your PIN has not changed.")
	case CodeRefused:
		return say("未能通过核验。", "The check did not succeed.",
			"请核对信息和密码，做一次实人认证再试；忘记密码可在已关联的渠道找回，或拨打 12333。", "Check the details and the PIN, and try again together with an identity check; a forgotten PIN can be recovered in a linked channel, or call 12333.")
	case CodeLinkLimit:
		return say("这张卡今天已关联三次。", "This card was linked three times within a day.",
			"请在所示时间之后再关联。如果那不是您关联的，请马上冻结这张卡。", "Link again after the time shown. If it was not you who linked it, freeze the card now.")
	case CodeLinksFull:
		return say("这张卡已有十处关联。", "This card has ten links already.",
			"请先在不再用的应用里解除关联，再回来办；不会办请拨打 12333。如果有的不是您关联的，请马上冻结这张卡。", "End the link in an app that you no longer use, then come back; call 12333 if you need help. If some of them are not yours, freeze the card now.")
	case CodeWrong:
		return say("密码不正确。", "That PIN is not right.",
			"请再试一次；想不起来可以找回密码。", "Try again, or recover the PIN if you cannot remember it.")
	case CodeLocked:
		return say("输错次数过多，密码已暂时锁定。", "Too many wrong PINs: the PIN is locked for now.",
			"请在所示时间之后再试，或找回密码立即解锁。实体社保卡不受影响。", "Try again after the time shown, or recover the PIN to unlock at once. The physical card is not affected.")
	case CodeBlocked:
		return say("累计输错次数过多，密码已停用。", "Too many wrong PINs in all: the PIN is blocked.",
			"请找回密码，或到经办机构办理。", "Recover the PIN, or visit an agency.")
	case CodeFrozen:
		return say("这张电子社保卡已冻结。", "This e-card is frozen.",
			"如需恢复使用，请由持卡人办理解冻，或拨打 12333。", "The holder can unfreeze it, or call 12333.")
	case CodeCancelled:
		return say("实体社保卡已注销，电子社保卡不能使用。", "The physical card was cancelled, so the e-card cannot be used.",
			"请到经办机构咨询。", "Ask at an agency.")
	}
	return Explanation{}, false
}

// ceremonyExplanation covers pages that are no longer the right one.
func ceremonyExplanation(c Code) (Explanation, bool) {
	switch c {
	case CodeCeremonyExpired:
		return say("页面放置时间过长，已经失效。", "This page was open for too long and has expired.",
			"请回到原来的应用，重新办理。您的密码没有改变。", "Go back to the app and start again. Your PIN has not changed.")
	case CodeCeremonyElsewhere:
		return say("这笔业务正在另一个页面办理。", "This is being done in another window.",
			"请在最先打开的页面继续，或回到应用重新进入。", "Continue in the window you opened first, or start again from the app.")
	case CodeCeremonyMoved:
		return say("这一步已经办过了。", "This step was done already.",
			"请查看最新的页面。", "Look at the latest page.")
	case CodeNotReturned:
		return say("核验的结果没有带回应用，这次办理不算数。", "The result did not come back to the app, so this one does not count.",
			"请从您自己的应用重新办理，在打开的页面里办完。如果页面是别人发给您的，不要再打开，请马上冻结电子社保卡，或拨打 12333。", "Start again from your own app, and finish on the page that it opens. If somebody sent you a link to this page, do not open it again: freeze the card now, or call 12333.")
	case CodeTooManyOpen:
		return say("这位持卡人在本渠道有十个流程还没有办完。", "Ten ceremonies of this holder are under way in this channel.", "请办完或退出其中一个，或到所示时间再来。", "Finish or leave one of them, or come back after the time shown.")
	case CodeLeft:
		return say("您已取消办理。", "You called this off.",
			"如需办理，请回到应用重新进入。", "Start again from the app if you want to.")
	}
	return Explanation{}, false
}

// The way that is always left, and what to bring.
const (
	counterZH = "请本人携带身份证原件到任一社保经办机构办理，或拨打 12333 咨询最近的网点。实体社保卡不受影响。"
	counterEN = "Go to any social-security agency in person with your original ID card, or call 12333 for the nearest one. The physical card is not affected."
)

// codeExplanation covers codes to a phone. Whatever cannot be done online leads
// to the counter.
func codeExplanation(c Code) (Explanation, bool) {
	switch c {
	case CodePhoneCodeFormat:
		return say("验证码应为 6 位数字。", "A code has six digits.",
			"请按短信重新输入，本次不计入输错次数。", "Type it as the text message shows; this did not count as a try.")
	case CodePhoneCodeWrong:
		return say("验证码不正确。", "That code is not right.",
			"请核对最近一条短信中的验证码。", "Check the latest text message.")
	case CodePhoneCodeExpired:
		return say("验证码尚未发送、已使用或已过期。", "No code is open: none was sent, or it was used or is too old.",
			"请重新获取验证码。", "Ask for a new code.")
	case CodePhoneCodesSpent:
		return say("验证码输错次数过多，24 小时内不能再用验证码办理。", "Too many wrong codes: no code is accepted for this card for up to 24 hours.",
			"请在所示时间之后再试；急需办理的，"+counterZH, "Try again after the time shown. If it cannot wait: g"+counterEN[1:])
	case CodePhoneCodeSoon:
		return say("验证码刚刚发送过。", "A code was sent to this number just now.",
			"请稍等，一分钟后可以重新获取。", "Wait a little; another can be sent after a minute.")
	case CodePhoneCodeLimit:
		return say("24 小时内获取验证码的次数已用完。", "As many codes were sent as this card and number get within 24 hours.",
			"请在所示时间之后再试；急需办理的，"+counterZH, "Try again after the time shown. If it cannot wait: g"+counterEN[1:])
	case CodePhoneCodeLink:
		return say("24 小时内从这个应用获取验证码的次数已用完。", "As many codes were asked for through this app as it gets within 24 hours.",
			"请在所示时间之后再试，或者打开您常用的其他应用办理；急需办理的，"+counterZH,
			"Try again after the time shown, or use another app in which you use this card. If it cannot wait: g"+counterEN[1:])
	case CodePhoneCodesKept:
		return say("这张卡今天余下的验证码只留给您常用的应用，防止他人用尽。", "The codes that are left today are kept for the apps in which you have used this card before, so that nobody else can use them up.",
			"请打开三天前就已在用的应用办理，或在所示时间之后再试；急需办理的，"+counterZH,
			"Use an app in which this card has been in use for three days, or try again after the time shown. If it cannot wait: g"+counterEN[1:])
	case CodePhoneCodeChannel:
		return say("这个应用发送的验证码过多，暂时不能再发。", "This app has had too many codes sent, and gets no more for now.",
			"请改用其他应用，或过一小时再试；急需办理的，"+counterZH, "Use another app, or try again in an hour. If it cannot wait: g"+counterEN[1:])
	case CodePhoneNumbers:
		return say("这张卡 24 小时内试过的新手机号过多。", "Too many new numbers were given for this card within 24 hours.",
			"请使用已经输入过的手机号，或在所示时间之后再试；急需办理的，"+counterZH,
			"Use one of the numbers that were given before, or try again after the time shown. If it cannot wait: g"+counterEN[1:])
	}
	return Explanation{}, false
}

// phoneExplanation covers phones, recovery and freezing.
func phoneExplanation(c Code) (Explanation, bool) {
	switch c {
	case CodePhoneInvalid:
		return say("手机号码不正确。", "That is not a mobile number.",
			"请输入 11 位手机号码。", "Type the 11 digits of a mobile number.")
	case CodePhoneSame:
		return say("这个手机号就是现在绑定的手机号。", "This is the number that is bound already.",
			"请输入新的手机号，或取消办理。", "Type another number, or call this off.")
	case CodePhoneNone:
		return say("没有可以接收验证码的绑定手机。", "No phone is bound that a code could go to.", counterZH, counterEN)
	case CodePhoneLate:
		return say("绑定手机不久前更换过，为防止盗用，暂不能在线办理。", "The bound phone was changed lately; to keep thieves out, this cannot be done online yet.",
			"请在所示时间之后再试；急需办理的，"+counterZH, "Try again after the time shown. If it cannot wait: g"+counterEN[1:])
	case CodePhoneStale:
		return say("绑定手机太久没有使用过，号码可能已经换人。", "The bound phone was not used for so long that it may have another owner by now.", counterZH, counterEN)
	case CodePINReset:
		return say("密码已经找回并重设，之前的办理已结束。", "The PIN was recovered and set anew; what was open has ended.",
			"请回到原来的应用，用新密码重新办理。", "Go back to the app and start again with the new PIN.")
	case CodeNotFrozen:
		return say("这张电子社保卡没有冻结。", "This e-card is not frozen.",
			"可以直接使用，无需解冻。", "It can be used; there is nothing to undo.")
	case CodeContested:
		return say("这个身份证号在登记中已改为另一个人，为安全起见，电子社保卡已冻结。", "This ID number is registered to another person now; to be safe, the e-card is frozen.", counterZH, counterEN)
	case CodeOnlineOff:
		return say("本服务暂未开通在线办理。", "This cannot be done online here.", counterZH, counterEN)
	case CodeResetPlanned:
		return say("已登记找回密码，24 小时后可以设置新密码，期间已通知绑定手机。", "The recovery is noted: a new PIN can be set after 24 hours. The bound phone was told.",
			"请在所示时间之后重新办理；如非本人操作，请立即冻结。", "Come back after the time shown. If it was not you, freeze the card at once.")
	case CodeCardNoWrong:
		return say("社保卡号不正确。", "That card number is not right.",
			"请核对实体社保卡上的卡号。", "Check the number on the physical card.")
	case CodeCardNoSpent:
		return say("社保卡号输错次数过多。", "Too many wrong card numbers.", "请改用实人认证，或"+counterZH, "Use the identity check instead, or: "+counterEN)
	case CodeFreezeCodeInvalid:
		return say("冻结码不正确、已使用或已过期。", "This freeze code is unknown, used or too old.",
			"请核对最近一条通知短信；也可以拨打 12333 立即冻结。", "Check the latest notice, or call 12333 to freeze at once.")
	case CodeFreezeCodeLimit:
		return say("这个网络输错冻结码的次数过多。", "Too many wrong freeze codes came from this network.",
			"请逐字核对通知短信里的冻结码，正确的随时有效；也可以拨打 12333 立即冻结。", "Check the code in the notice, letter by letter: a right one works at any time. Or call 12333 to freeze at once.")
	}
	return Explanation{}, false
}

// rationExplanation covers what a client may do only so often.
func rationExplanation(c Code) (Explanation, bool) {
	switch c {
	case CodeRationSpent:
		return say("该调用方在这段时间内办理此类事项的次数已达上限。", "This client has done this as often as its ration allows in this time.",
			"请在所示时间之后再试；如果这些请求不是贵方发出的，密钥可能已泄露，请马上告诉平台运营方。",
			"Try again after the time shown. If you did not send so many, your key may be in other hands: tell the operator at once.")
	case CodeFreezesSpent:
		return say("通过这个应用冻结的卡片过多，暂时不能在这里冻结。", "Too many cards were frozen through this app, so it cannot freeze this one now.",
			"请马上拨打 12333 冻结，或使用最近一条通知短信里的冻结码。", "Call 12333 to freeze it at once, or use the freeze code of the latest notice.")
	case CodeHotlineLimit:
		return say("这条热线短时间内冻结次数过多。", "This hotline asked for too many freezes.",
			"请到所示时间后再试，并马上告诉平台运营方。", "Try again after the time shown, and tell the operator at once.")
	}
	return Explanation{}, false
}
