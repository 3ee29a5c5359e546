package miniapp

// Sentences for people, by error code: those of the authority that a person can
// act on, and a few of this app. An error code that means a mistake of this app
// has no sentence; the page says "failed" and the log has the cause.

// Next steps, beside starting an action.
const (
	doAgain    = "again"    // the same action anew, under a new number
	doResume   = "resume"   // go on with this one
	doAsk      = "ask"      // ask for the result
	doEvidence = "evidence" // to the identity check, and then on
	doCounter  = "counter"  // the documents to bring to an agency
)

// way is one thing to do next, with the words on its button.
type way struct{ Do, ZH, EN string }

func again() way    { return way{doAgain, "重新办理", "Start again"} }
func resume() way   { return way{doResume, "继续办理", "Go on"} }
func askFor() way   { return way{doAsk, "查询结果", "Ask for the result"} }
func lookHere() way { return way{doEvidence, "去做实人认证", "To the identity check"} }
func counter() way {
	return way{doCounter, "到窗口办理：带什么、找谁", "In person: what to bring, whom to ask"}
}
func forgot() way {
	return way{actionReset, "忘记密码？马上找回", "Forgot it? Recover it now"}
}
func thaw() way { return way{actionUnfreeze, "解除冻结", "Unfreeze"} }
func stop() way { return way{actionFreeze, "不是我办的：马上冻结", "It was not me: freeze"} }

func sayAs(code, title, titleEN, next, nextEN string, ways ...way) outcome {
	return outcome{Code: code, Title: title, TitleEN: titleEN, Next: next, NextEN: nextEN, Ways: ways}
}

// words explains the error code or verdict of an action.
func words(code, action string) outcome {
	for _, explain := range []func(code, action string) (outcome, bool){wordsOfCourse, wordsOfPIN, wordsOfCard, wordsOfEvidence, wordsOfPhone, wordsOfCode} {
		if o, ok := explain(code, action); ok {
			return o
		}
	}
	return sayAs("failed", "办理没有成功", "That did not work",
		"请稍后再试；如果一直不行，请拨打 12333。", "Try again later; if it persists, call 12333.", again())
}

// wordsOfCourse are about how it went: left, lost, late.
func wordsOfCourse(code, _ string) (o outcome, ok bool) {
	switch code {
	case "left_by_holder":
		o = sayAs(code, "您取消了办理", "You called it off", "没有任何改变，随时可以重新办理。", "Nothing has changed. You can start again at any time.", again())
	case "ceremony_expired", "request_uri_invalid":
		o = sayAs(code, "页面放置太久，已经失效", "The page was open for too long", "请重新办理，您的密码没有改变。", "Start again. Your PIN has not changed.", again())
	case "ceremony_elsewhere", "ceremony_moved":
		o = sayAs(code, "这笔业务正在另一个页面办理", "This is being done in another window", "请回到那个页面办完，或者在这里接着办。", "Finish it there, or go on here.", resume(), askFor())
	case "pending":
		o = sayAs(code, "这笔业务还没有办完", "This is not finished yet", "可以继续办理，也可以稍后再查结果。", "Go on with it, or ask for the result later.", resume(), askFor())
	case "returning":
		o = sayAs(code, "密码页面还没有把结果带回来", "The PIN page has not brought the result back yet", "结果只由输入密码的那个页面带回。请回到那个页面；如果密码不是您在这里输入的，请重新办理。", "Only the page where the PIN was entered brings the result. Go back to it; if the PIN was not entered here, start again.", resume(), askFor(), again())
	case "not_returned":
		o = sayAs(code, "结果没有带回来", "The result did not come back", "为了安全，结果不能再取用。请在这里重新办理，并在打开的页面里办完。如果链接是别人发给您的，请不要再打开。", "To be safe, it cannot be fetched any more. Start again here, and finish on the page that opens. If somebody sent you a link, do not open it again.", again())
	case "enrolled":
		o = sayAs(code, "申领成功，但还没有关联到这里", "You have your e-card, but it is not linked here yet", "密码已设好。请用这个密码关联一次。", "Your PIN is set. Link the card here with it.", way{actionLink, "用密码关联", "Link by PIN"})
	case "too_many_requests":
		o = sayAs(code, "现在人太多", "Too many people are asking right now", "这次没有提交，也没有计数。请稍等一会儿再试。", "This was not taken, and nothing was counted. Wait a little and try again.", again())
	case "unreachable", "unavailable", "busy", "change_under_way", "temporarily_unavailable":
		o = sayAs(code, "暂时连不上密码服务", "The PIN service cannot be reached", "请稍等一会儿，再点“查询结果”。如果您已经输过密码，不用再输一次。", "Wait a little, then ask for the result. If you have entered your PIN, there is no need to enter it again.", askFor())
	case "not_found", "undecided":
		o = sayAs(code, "这笔业务没有办成", "This did not go through", "请重新办理。", "Please start again.", again())
	case "late":
		o = sayAs(code, "密码正确，但结果来得太晚", "The PIN was right, but the answer came too late", "核验结果只能用一次，一分钟内有效。请再核验一次。", "A verdict is good once, for one minute. Please verify once more.", again())
	case "receipt_stale", "code_invalid":
		o = sayAs(code, "核验之后情况有变化", "Something changed after the verdict", "为了安全，这次结果没有采用。请再办一次。", "To be safe, it was not used. Please try once more.", again())
	case "state":
		o = sayAs(code, "这个链接不是从本页面打开的", "This link was not opened from here", "为了安全，本次结果没有采用。请在这里重新办理。", "To be safe, the answer was not used. Please start again here.")
	}
	o.Open = code == "pending" || code == "returning" || code == "ceremony_elsewhere" || code == "ceremony_moved" || len(o.Ways) > 0 && o.Ways[0].Do == doAsk
	return o, o.Code != ""
}

// wordsOfPIN are about the PIN and its lock.
func wordsOfPIN(code, _ string) (o outcome, ok bool) {
	switch code {
	case "wrong_pin":
		o = sayAs(code, "密码不正确", "That PIN is not right", "想得起来就再试一次；想不起来可以马上找回，不用等。", "Try again, or recover it at once if you cannot remember.", again(), forgot())
	case "locked":
		o = sayAs(code, "密码已锁定", "The PIN is locked", "输错次数过多，到时会自动恢复。其他应用同样锁定；用了三天以上的，可能还能用。找回密码可以马上解锁。实体社保卡不受影响。", "Too many wrong PINs. It ends by itself at the time shown. Other apps are locked as well; one in use for three days or more may still work. Recovering the PIN ends it at once. The physical card is not affected.", forgot(), counter())
		o.UntilZH, o.UntilEN = "自动恢复", "ends by itself"
	case "blocked":
		o = sayAs(code, "密码已停用", "The PIN is blocked", "累计输错太多次，等下去不会恢复。找回密码就能继续使用。", "Too many wrong PINs in all: waiting does not help, recovering the PIN does.", forgot(), counter())
	case "pin_reset":
		o = sayAs(code, "密码已经找回并重设", "The PIN was recovered and set anew", "刚才的事还没有办，请用新密码重新办理。不是您本人找回的，请马上冻结。", "What you came for is not done yet: start again with the new PIN. If that was not you, freeze the card.", again(), stop())
	case "reset_planned":
		o = sayAs(code, "已登记找回密码，请明天再来", "The recovery is noted: come back tomorrow", "您用的是社保卡号，没有做实人认证，所以要等 24 小时。绑定手机已收到通知。", "You gave the card's number and no identity check, so it takes 24 hours. The bound phone was told.", stop())
		o.UntilZH, o.UntilEN = "可以重设的时间", "from when"
	case "weak_pin", "pin_format":
		o = sayAs(code, "这个密码不能用", "That PIN cannot be used", "请换一个不容易被猜到的密码。", "Choose one that is harder to guess.", again())
	}
	return o, o.Code != ""
}

// wordsOfCard are about how the card stands.
func wordsOfCard(code, action string) (o outcome, ok bool) {
	switch code {
	case "frozen":
		o = sayAs(code, "这张电子社保卡已冻结", "This e-card is frozen", "所有渠道都停用了。要恢复，需要短信验证码和密码。", "It is stopped in every channel. A code to the phone and the PIN bring it back.", thaw(), counter())
	case "not_frozen":
		o = sayAs(code, "这张电子社保卡没有冻结", "This e-card is not frozen", "可以直接使用，不用解冻。", "It can be used: there is nothing to undo.")
	case "cancelled":
		o = sayAs(code, "实体社保卡已注销", "The physical card was cancelled", "电子社保卡也就不能用了。请到窗口咨询。", "So the e-card cannot be used either. Ask at an agency.", counter())
	case "refused":
		o = sayAs(code, "没有关联成功", "The card was not linked", "请核对信息和密码；忘记密码可以在原来的应用里找回，或拨打 12333。", "Check the details and the PIN; a forgotten PIN is recovered in the app where you have the card, or call 12333.", again())
		if action != actionLink {
			o.Title, o.TitleEN = "没有办成", "That was refused"
		}
	case "already_enrolled":
		o = sayAs(code, "您已经有电子社保卡了", "You have an e-card already", "请用原来设的密码关联到这里。", "Link it here with the PIN that you have.", way{actionLink, "用密码关联", "Link by PIN"})
	case "card_restored":
		o = sayAs(code, "您已经有电子社保卡了，现在冻结着", "You have an e-card already, and it is frozen", "卡的资料刚恢复过，为安全起见先冻结了。请本人带身份证原件到经办窗口启用。", "What is kept of it was just restored, and it is frozen to be safe. Go to an agency with your original ID card.", counter())
	case "link_limit":
		o = sayAs(code, "这张卡今天已关联三次", "This card was linked three times within a day", "请在所示时间之后再关联。如果那不是您关联的，请在原来的应用里冻结这张卡，或拨打 12333。", "Link it again after the time shown. If it was not you who linked it, freeze the card in the app where you have it, or call 12333.")
		o.UntilZH, o.UntilEN = "可以再关联的时间", "link again from"
	case "links_full":
		o = sayAs(code, "这张卡已有十处关联", "This card has ten links already", "请先在不再用的应用里解除关联，再回来关联；不会办请拨打 12333。", "End the link in an app that you no longer use, then link it here; call 12333 if you need help.", again())
	case "too_many_open":
		o = sayAs(code, "有好几次还没有办完", "Several of these are still under way", "请回到没办完的页面办完或退出，或到所示时间再来。", "Go back to one that is open and finish or leave it, or come back after the time shown.", again())
	case "not_in_registry":
		o = sayAs(code, "没有查到相符的社会保障卡", "No matching social-security card was found", "请核对姓名和身份证号码，或拨打 12333 咨询。", "Check name and ID number, or call 12333.")
	}
	return o, o.Code != ""
}

// wordsOfEvidence are about the identity check.
func wordsOfEvidence(code, action string) (o outcome, ok bool) {
	switch code {
	case "evidence_required":
		o = sayAs(code, "还需要实人认证", "An identity check is needed as well", "请看一下镜头，证明是您本人。", "Look into the camera, so that we know that it is you.", lookHere(), counter())
		switch action {
		case actionReset:
			o.Next, o.NextEN = "验证码只说明手机在手上。找回密码还要看一下镜头，证明是您本人。", "A code shows only that the phone is there. To recover the PIN, look into the camera as well."
		case actionRebind:
			o.Next, o.NextEN = "密码正确。换绑手机还要看一下镜头，证明是您本人。", "The PIN was right. To change the phone, look into the camera as well."
		}
		o.Open = true
	case "ration_spent":
		o = sayAs(code, "现在办理的人太多", "Too many are here at once", "请等到所示时间再来。要马上冻结卡片的，请拨打 12333。", "Come back at the time shown. To freeze the card at once, call 12333.", again())
		o.UntilZH, o.UntilEN = "可以再试的时间", "again from"
	case "slow_down":
		o = sayAs(code, "为防止有人试探密码，请稍等", "Somebody may be guessing at PINs: please wait", "看一下镜头，证明是您本人，就能马上办理；也可以过二十分钟再来。没有算您输错。", "Look into the camera to go on at once, or come back in twenty minutes. It did not count as a wrong PIN.", lookHere(), again())
		o.Open = true
	case "evidence_invalid", "evidence_used", "challenge_expired":
		o = sayAs(code, "实人认证没有通过或已过期", "The identity check did not pass, or is too old", "请再做一次。一次认证只能用一次，五分钟内有效。", "Please do it again. A check is good once, for five minutes.", lookHere(), counter())
		o.Open = true
	case "face_mismatch":
		o = sayAs(code, "认证没有通过：镜头前不是本人", "The identity check failed: this is somebody else", "请持卡人本人正对镜头再做一次。不方便看镜头的，可以带身份证到窗口办理。", "The holder should look into the camera. Whoever cannot may go to an agency with the ID card.", lookHere(), counter())
		o.Open = true
	}
	return o, o.Code != ""
}

// wordsOfPhone are about the bound phone.
func wordsOfPhone(code, _ string) (o outcome, ok bool) {
	switch code {
	case "phone_bound_lately":
		o = sayAs(code, "绑定手机刚更换过，暂时不能在线办理", "The bound phone was changed lately", "这是为了防止有人偷换手机后找回密码。可以等到所示时间，急用请到窗口办理。", "This keeps out thieves who changed the phone. Wait until the time shown, or go to an agency if it cannot wait.", counter())
		o.UntilZH, o.UntilEN = "可以在线办理的时间", "online again from"
	case "card_contested":
		o = sayAs(code, "身份证号有争议，卡已冻结", "The ID number is contested, and the card frozen", "这个身份证号在登记中改为了另一个人。请带身份证原件到窗口核实。", "The number is registered to another person now. Please go to an agency with your ID card.", counter())
	case "phone_unconfirmed":
		o = sayAs(code, "绑定手机太久没有确认过", "The bound phone was not confirmed for too long", "号码可能已经换了人，所以不能凭它找回密码。请到窗口办理。", "The number may have another owner by now, so it recovers nothing. Please go to an agency.", counter())
	case "phone_not_bound":
		o = sayAs(code, "没有绑定手机", "No phone is bound", "没有可以接收验证码的手机，请到窗口办理。", "There is no phone that a code could go to. Please go to an agency.", counter())
	case "phone_invalid", "phone_same":
		o = sayAs(code, "这个手机号不能用", "That number cannot be bound", "请换一个新的 11 位手机号。", "Give another number of 11 digits.", again())
	case "online_recovery_off":
		o = sayAs(code, "这里还不能在线办理", "This cannot be done online here", "请到窗口办理。", "Please go to an agency.", counter())
	}
	return o, o.Code != ""
}

// wordsOfCode are about one-time codes and numbers that the holder typed.
func wordsOfCode(code, _ string) (o outcome, ok bool) {
	switch code {
	case "phone_code_wrong", "phone_code_format", "phone_code_expired":
		o = sayAs(code, "验证码不对或已过期", "The code is wrong or too old", "请看最近一条短信，或重新获取一个。", "Look at the latest text, or ask for another code.", resume())
		o.Open = true
	case "phone_codes_spent":
		o = sayAs(code, "验证码输错太多次", "Too many wrong codes", "24 小时内不能再用验证码办理；急用请到窗口。", "No code is taken for up to 24 hours. If it cannot wait, go to an agency.", counter())
		o.UntilZH, o.UntilEN = "可以再试的时间", "again from"
	case "phone_code_link_limit", "phone_codes_kept", "phone_code_channel_limit":
		o = sayAs(code, "这里不能再发验证码", "No more codes here", "请打开您常用的其他应用办理，或等到所示时间；急用请到窗口。", "Use another app in which you use this card, or ask again at the time shown. If it cannot wait, go to an agency.", counter())
		o.UntilZH, o.UntilEN = "可以再要的时间", "again from"
	case "phone_code_too_soon", "phone_code_limit", "phone_numbers_limit":
		o = sayAs(code, "验证码要得太多", "Too many codes were asked for", "请等到所示时间再要；急用请到窗口。", "Ask again at the time shown. If it cannot wait, go to an agency.", counter())
		o.UntilZH, o.UntilEN = "可以再要的时间", "again from"
	case "card_number_wrong", "card_numbers_spent":
		o = sayAs(code, "社保卡号不对", "The card's number is not right", "请重新办理，改用实人认证；或到窗口办理。", "Start again with the identity check instead, or go to an agency.", again(), counter())
	case "id_number_invalid", "id_number_15_digits":
		o = sayAs(code, "身份证号码不正确", "The ID number is not valid", "请核对 18 位身份证号码。", "Check its 18 characters.")
	}
	return o, o.Code != ""
}
