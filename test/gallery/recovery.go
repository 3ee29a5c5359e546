package gallery

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// sent is a page 15 seconds after a one-time code was sent. Another can be sent
// after ready.
func sent(left int, ready time.Duration) func(*ceremony.Page) {
	return func(p *ceremony.Page) {
		p.CodeSentAt, p.ResendAt, p.CodesLeft = Now().Add(-15*time.Second), Now().Add(ready), left
	}
}

// sentOut is a page on which no code can be sent for a while.
func sentOut(ready time.Duration) func(*ceremony.Page) {
	return func(p *ceremony.Page) {
		p.ResendAt, p.Until, p.CodesLeft = Now().Add(ready), Now().Add(ready), 3
	}
}

// sentLongAgo is a page whose one-time code has expired.
func sentLongAgo(p *ceremony.Page) {
	p.CodeSentAt, p.CodesLeft = Now().Add(-11*time.Minute), 5
}

// forgotten is a reset that the holder turned to at the pad of a verification.
func forgotten(change func(*ceremony.Page)) func(*ceremony.Page) {
	return func(p *ceremony.Page) {
		p.Began, p.CanRemember, p.CodesLeft = liuma.ActionVerify, true, 5
		if change != nil {
			change(p)
		}
	}
}

// until is a page whose refusal ends after a while.
func until(after time.Duration) func(*ceremony.Page) {
	return func(p *ceremony.Page) { p.Until = Now().Add(after) }
}

// addCodes puts in the steps that take a one-time code.
func (c *collection) addCodes() {
	const reset, rebind, unfreeze, enroll = liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionEnroll
	const confirm, code = ceremony.StepConfirm, ceremony.StepCode
	c.add("reset-confirm", reset, confirm, "", nil, text("找回电子社保卡密码", "Recover the electronic card's PIN"))
	c.add("rebind-confirm", rebind, confirm, "", nil, text("更换绑定手机", "Change the bound phone"))
	c.add("unfreeze-confirm", unfreeze, confirm, "", nil, text("解冻电子社保卡", "Unfreeze the electronic card"))
	c.add("code-first", reset, code, "", forgotten(nil), text("获取验证码", "Send me a code"))
	c.add("code", reset, code, "", forgotten(sent(5, 45*time.Second)),
		text("20:43 已发送，10 分钟内有效", "Sent at 20:43, good for 10 minutes"), both("138****5678"),
		text("没有收到短信？", "No text message?"), text("想起密码了，回去输入", "back to the PIN"))
	c.add("code-reset", reset, code, "", sent(5, 45*time.Second), text("20:43 已发送，10 分钟内有效", "Sent at 20:43, good for 10 minutes"))
	c.add("code-wrong", reset, code, liuma.CodePhoneCodeWrong, forgotten(sent(3, 0)), text("还可试 3 次", "3 tries left"))
	c.add("code-malformed", reset, code, liuma.CodePhoneCodeFormat, sent(5, 45*time.Second), text("不计入输错次数", "did not count"))
	c.add("code-soon", reset, code, liuma.CodePhoneCodeSoon, forgotten(sent(5, 45*time.Second)), text("一分钟后可以重新获取", "after a minute"))
	c.add("code-limit", reset, code, liuma.CodePhoneCodeLimit, forgotten(sent(4, 11*time.Hour)),
		text("明天（5 月 7 日）07:44 以后可以重新获取", "tomorrow, 7 May, at 07:44"))
	c.add("code-link-limit", reset, code, liuma.CodePhoneCodeLink, forgotten(sentOut(11*time.Hour)), text("打开您常用的其他应用", "use another app"))
	c.add("code-kept", reset, code, liuma.CodePhoneCodesKept, forgotten(sentOut(11*time.Hour)), text("三天前就已在用的应用", "in use for three days"))
	c.add("code-channel-limit", reset, code, liuma.CodePhoneCodeChannel, forgotten(nil), text("改用其他应用", "Use another app"))
	c.add("rebind-numbers", rebind, code, liuma.CodePhoneNumbers, sentOut(11*time.Hour), text("已经输入过的手机号", "numbers that were given before"))
	c.add("code-expired", reset, code, liuma.CodePhoneCodeExpired, sentLongAgo, text("请重新获取验证码", "Ask for a new code"))
	c.add("code-old", reset, code, "", sentLongAgo, text("上一条验证码已过期", "too old"))
	c.add("code-spent", reset, code, liuma.CodePhoneCodesSpent, until(23*time.Hour), text("明天（5 月 7 日）19:44", "tomorrow, 7 May, at 19:44"))
	c.add("code-spent-later", reset, code, "", sent(0, 11*time.Hour), text("验证码输错次数太多了", "Too many wrong codes"))
	c.add("code-enroll", enroll, code, "", sent(5, 0), text("社保登记的手机", "Phone on record"))
	c.add("rebind-code", rebind, code, "", sent(5, 0), text("号码填错了？换一个", "Give another"))
	c.add("unfreeze-code", unfreeze, code, "", sent(5, 0), text("绑定的手机", "Bound phone"))
}

// offering is a page sent by text or call, with both ways on offer after so
// long; 0 is now.
func offering(by liuma.CodeWay, byText, byVoice time.Duration) func(*ceremony.Page) {
	return func(p *ceremony.Page) {
		sent(5, byText)(p)
		p.CodeBy = by
		p.Ways = []ceremony.CodeOffer{offer(liuma.ByText, byText), offer(liuma.ByVoice, byVoice)}
	}
}

func offer(by liuma.CodeWay, after time.Duration) ceremony.CodeOffer {
	o := ceremony.CodeOffer{Way: by, Left: 1}
	if after > 0 {
		o.ReadyAt = Now().Add(after)
	}
	if after > time.Minute {
		o.Left = 0
	}
	return o
}

// addNoCode puts in the pages for who got no code, or cannot read it.
func (c *collection) addNoCode() {
	const reset, rebind, unfreeze, enroll = liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionEnroll
	const code, ask, soon, tomorrow = ceremony.StepCode, "ask=no-code", 45 * time.Second, 11 * time.Hour
	c.add("code-or-call", reset, code, "", offering(liuma.ByText, soon, soon), text("或者看不清？", "or hard to read?"))
	c.add("code-called", reset, code, "", offering(liuma.ByVoice, soon, soon),
		text("请输入电话里念的验证码", "Enter the code from the call"), text("改用短信收验证码", "Send it by text instead"), text("没有接到电话？", "No call?"))
	c.add("code-texts-spent", reset, code, "", offering(liuma.ByText, tomorrow, 0), text("07:44 以后可以重新获取", "at 07:44"))
	c.add("code-ways-spent", reset, code, "", offering(liuma.ByText, tomorrow, 14*time.Hour), text("没有收到短信", "No text message"))
	c.asked("no-code", "code", ask, both("138****5678"), text("垃圾短信", "filtered out"), text("浙江省任一社保经办机构", "Any social-security agency in Zhejiang"))
	c.asked("no-code-first", "code-first", ask, text("收不到短信怎么办", "If no text message comes"), text("返回上一页", "Go back"))
	c.asked("no-code-call", "code-or-call", ask, text("接听语音电话", "Call me"), text("收到了，去输入验证码", "It came: enter the code"))
	c.asked("no-code-called", "code-called", ask, text("没有接到电话", "No call came"), text("未接来电", "Missed calls"))
	c.asked("no-code-texts-spent", "code-texts-spent", ask, text("接听语音电话", "Call me"), text("07:44 以后可以重新获取", "at 07:44"))
	c.asked("no-code-spent", "code-ways-spent", ask, text("什么时候能再收验证码", "When a code can be sent again"),
		text("可以这样办：到柜台", "What you can do: go to a counter"), text("10:44 以后可以打电话", "at 10:44"))
	c.asked("no-code-enroll", "code-enroll", ask, text("社保登记的手机号", "number on record"))
	c.asked("no-code-rebind", "rebind-code", ask, text("号码填错了？换一个", "Give another"))
	c.asked("no-code-unfreeze", "unfreeze-code", ask, text("改手机号和解冻可以一起办", "both can be done there"))
	c.asked("no-code-confirm", "settings-code", ask, text("在应用里选“更换绑定手机”", "Change the bound phone"))
}

// addProofs puts in the steps that take evidence, the number of the physical
// card, a new phone, and the pads of these ceremonies.
func (c *collection) addProofs() {
	const reset, rebind, unfreeze, verify = liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionVerify
	const evidence, phone, pad = ceremony.StepEvidence, ceremony.StepPhone, ceremony.StepPIN
	cardNo := func(p *ceremony.Page) { p.CardNoAllowed = true }
	c.add("evidence", reset, evidence, liuma.CodeEvidenceRequired, forgotten(nil), text("不方便刷脸？到柜台办理", "Cannot show your face?"))
	c.add("evidence-card-number", reset, evidence, liuma.CodeEvidenceRequired, cardNo, text("用卡号要等 24 小时", "it takes 24 hours"))
	c.add("evidence-card-number-wrong", reset, evidence, liuma.CodeCardNoWrong, cardNo, text("社保卡号不正确", "That card number is not right"))
	c.add("evidence-card-number-spent", reset, evidence, liuma.CodeCardNoSpent, func(p *ceremony.Page) {
		cardNo(p)
		until(time.Hour)(p)
	}, text("社保卡号输错次数过多", "Too many wrong card numbers"))
	c.add("rebind-evidence", rebind, evidence, liuma.CodeEvidenceRequired, nil, text("以后找回密码要靠绑定的手机", "what recovers the PIN"))
	c.add("rebind-phone", rebind, phone, "", nil, text("请输入新手机号", "Enter the new number"))
	c.add("rebind-phone-invalid", rebind, phone, liuma.CodePhoneInvalid, nil, text("手机号码不正确", "not a mobile number"))
	c.add("rebind-phone-same", rebind, phone, liuma.CodePhoneSame, nil, text("现在绑定的手机号", "bound already"))
	c.add("rebind-pin", rebind, pad, "", nil, both(`data-mode="current"`))
	c.add("unfreeze-pin", unfreeze, pad, "", nil, text("冻结期间不能在线找回密码", "While the card is frozen"))
	c.add("reset-pin", reset, pad, "", forgotten(nil), both(`data-mode="new"`))
	c.add("reset-weak", reset, pad, liuma.CodeWeakPIN, nil, text("太容易被猜到", "too easy to guess"))
	c.add("was-reset", verify, pad, "", func(p *ceremony.Page) { p.WasReset = true }, text("新密码已设好，请再输入一次", "enter it once more"))
	c.add("lane-reopen", verify, pad, "", func(p *ceremony.Page) { p.LaneClosed = true },
		text("允许其他应用再试", "let other apps try"))
}

// addRecovered puts in the last pages of these ceremonies, and the page for a
// forgotten PIN that cannot be reset online.
func (c *collection) addRecovered() {
	const reset, rebind, unfreeze, verify = liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionVerify
	const pad, done, refused = ceremony.StepPIN, ceremony.StepDone, ceremony.StepRefused
	restart := text("用新密码重新办理", "start again with the new PIN")
	c.add("reset-done", reset, done, "", func(p *ceremony.Page) { p.EveryUse = new(bool) }, text("已经解锁", "nothing is locked"))
	c.add("reset-end", reset, ceremony.StepReset, liuma.CodePINReset, nil, restart)
	c.add("reset-end-change", reset, ceremony.StepReset, liuma.CodePINReset, func(p *ceremony.Page) { p.Began = liuma.ActionChange }, text("不用再办", "nothing left to do"))
	c.add("pin-reset", verify, refused, liuma.CodePINReset, nil, restart)
	c.add("reset-planned", reset, refused, liuma.CodeResetPlanned, until(24*time.Hour), text("明天（5 月 7 日）20:44", "tomorrow, 7 May, at 20:44"))
	c.add("reset-unlinked", reset, refused, liuma.CodeRefused, nil, text("还没有关联到这个应用", "not linked to this app"))
	for _, why := range []liuma.Code{liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodePhoneStale, liuma.CodeOnlineOff, liuma.CodeNumberCorrecting} {
		c.add("reset-refused-"+string(why), reset, refused, why, nil, text("本人有效证件原件", "original document"))
	}
	c.add("rebind-done", rebind, done, "", nil, text("旧号码收到了通知", "the old one was told"))
	c.add("unfreeze-done", unfreeze, done, "", nil, text("已解冻，可以使用了", "works again"))
	c.add("unfreeze-not-frozen", unfreeze, refused, liuma.CodeNotFrozen, nil, text("没有冻结", "is not frozen"))
	c.add("unfreeze-contested", unfreeze, refused, liuma.CodeContested, nil, text("本人有效证件原件", "original document"))
	c.add("unfreeze-locked", unfreeze, refused, liuma.CodeLocked, verdict(liuma.Locked), text("解冻和找回密码可以一起办", "both can be done there"))
	c.add("lane-closed", verify, refused, liuma.CodeBlocked, func(p *ceremony.Page) { p.Verdict, p.LaneClosed = liuma.Blocked, true },
		text("做一次实人认证再来", "come again with an identity check"))
	why := text("不能在线找回密码：看原因和办法", "and what to do")
	c.add("no-reset-pad", verify, pad, "", func(p *ceremony.Page) { p.ResetRefused = liuma.CodePhoneStale }, why)
	c.add("no-reset-locked", verify, refused, liuma.CodeLocked, noReset(11*time.Hour, 50*time.Hour), why)
	c.add("no-reset-over", verify, refused, liuma.CodeLocked, noReset(11*time.Hour, 0), text("找回密码，马上解锁", "Recover the PIN and unlock now"))
	cannot := text("现在不能在线找回密码", "The PIN cannot be recovered online now")
	c.asked("no-reset", "no-reset-pad", "ask=reset", cannot)
	c.asked("no-reset-until", "no-reset-locked", "ask=reset", cannot)
	c.asked("leave-sure", "reset-pin", "ask=leave", text("确定不办了", "Cancel this?"))
	c.asked("freeze-sure", "verify-pin", "ask=freeze", text("确定冻结", "Freeze it now"))
}

// noReset is a locked PIN that cannot be set anew online for a while.
func noReset(locked, refused time.Duration) func(*ceremony.Page) {
	return func(p *ceremony.Page) {
		p.Verdict, p.Until = liuma.Locked, Now().Add(locked)
		p.ResetRefused, p.ResetRefusedUntil = liuma.CodePhoneLate, Now().Add(refused)
	}
}

// addSettings puts in the settings after a right PIN.
func (c *collection) addSettings() {
	setting := func(name string, code liuma.Code, on bool, change func(*ceremony.Page), says ...liuma.Text) {
		c.add(name, liuma.ActionVerify, ceremony.StepDone, code, func(p *ceremony.Page) {
			p.EveryUse, p.CodesLeft = &on, 5
			change(p)
		}, says...)
	}
	setting("passphrase-ended", "", true, func(p *ceremony.Page) { p.PassphraseEnded = true },
		text("这里不再用组合密码了", "Passphrases are no longer used here"))
	setting("settings", "", true, func(p *ceremony.Page) { p.RemindChange = true },
		text("已开启", ">On<"), text("这个密码用了很久了", "This PIN is quite old"))
	setting("settings-off", "", false, func(*ceremony.Page) {}, text("已关闭", ">Off<"))
	setting("settings-code", liuma.CodePhoneCodeWrong, false, sent(4, 0), text("还可试 4 次", "4 tries left"))
}

// addOthers puts in the pages that belong to no ceremony of this browser.
func (c *collection) addOthers() {
	c.scenes = append(c.scenes,
		Scene{Name: "official", Path: "/", Says: []liuma.Text{text("怎样认出真的页面", "How to know that a page is real")}},
		Scene{Name: "consent", Path: "/consent", Says: []liuma.Text{text("处理您的个人信息", "Your personal data"), text("版本", "Version")}},
		Scene{Name: "region", Path: "/region", Says: []liuma.Text{text("全国通用的规定", "The national rule")}},
		Scene{Name: "region-three-tries", Path: "/region?code=3101", Says: []liuma.Text{text("输错 3 次", "3 wrong PINs"), text("停用 3 天", "for 3 days"), text("别人可以带着自己的证件替您到柜台冻结", "somebody else can have your card frozen at a counter")}},
		Scene{Name: "region-agents", Path: "/region?code=4401", Says: []liuma.Text{text("还可以替您注销", "if you have moved abroad, closed")}},
		Scene{Name: "region-passphrases", Path: "/region?code=5101", Says: []liuma.Text{text("8 到 64 个字符", "8 to 64 characters"), text("每月最后一个工作日下午", "the last working day of a month"), text("每次使用密码都会发短信", "a text after every use")}},
		Scene{Name: "region-rotation", Path: "/region?code=6501", Says: []liuma.Text{text("要先更换才能使用", "must be changed")}},
		Scene{Name: "guide", Path: "/guide", Says: []liuma.Text{text("实体社保卡另有自己的密码", "a PIN of its own"), text("全国通用的规定", "The national rule"), text("工作人员从来不会问您的", "What staff never ask")}},
		Scene{Name: "guide-passphrases", Path: "/guide?code=5101", Says: []liuma.Text{text("汉字、字母、数字、符号都可以", "letters of any script, digits and signs")}},
		Scene{Name: "genuine", Path: "/genuine", Says: []liuma.Text{text("查的内容不会保存", "is not kept")}},
		Scene{Name: "freeze", Path: "/freeze", Says: []liuma.Text{text("用冻结码冻结电子社保卡", "Freeze the electronic card with a freeze code")}},
		Scene{Name: "link-invalid", Path: "/authorize", Says: []liuma.Text{text("这个页面已失效", "This page has expired")}},
		Scene{Name: "not-pushed", Path: "/authorize?client_id=zj-hrss&response_type=code&scope=openid", Says: []liuma.Text{text("给开发人员", "For developers")}},
		Scene{Name: "landing", Path: "/authorize?client_id=zj-hrss&request_uri=urn:x", Says: []liuma.Text{text("正在打开…", "Opening…")}},
	)
}
