package holder

import (
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

// wordings holds the sentences of the pages in one language; liuma.Explain has
// the sentences of error codes. Every field is filled in both languages (a
// test).
type wordings struct {
	lang door.Lang
	recovery
	noCode

	Brand, Product, Skip, Care, OtherLang               string
	HelpLine, NeverAsk, WhoAsks, Registered             string
	VerifyTitle, EnrollTitle, LinkTitle, ChangeTitle    string
	Opening, Continue                                   string
	StageCheck, StageSet, StageEnter, StageDone, Stages string
	IsThisYou, Name, IDNumber, Phone, Region, For       string
	Holder, WhatNext, NextEnroll, NextLink              string
	ItIsMe, NotMe, Leave, BackPlain, LookAgain          string
	ChangeLead, BusinessNumber, RequestNumber           string
	Comma, Stop                                         string

	NoScriptTitle, NoScriptText, PadOpening, PadReload string
	MoreTimeTitle, MoreTimeText, MoreTime              string

	ForgotTitle, ForgotText, RecoverText string

	WrongTitle, WrongOldTitle, WrongAgain string
	NotSentTitle, NotSentText             string

	EnrolledTitle, EnrolledText, LinkedTitle, LinkedText      string
	ChangedTitle, ChangedText, VerifiedTitle, VerifiedText    string
	GoingTitle, GoingText                                     string
	CardName, LockedTitle, LockedText, WhenAgain, OverNow     string
	PhysicalCard, NotAffected, OtherApps, LockedToo           string
	BlockedTitle, BlockedText, FrozenTitle, FrozenText        string
	HowToGoOn, FrozenNext, EvidenceTitle, EvidenceText        string
	EvidenceNext, DoEvidence, CancelledTitle, RefusedTitle    string
	SlowTitle, SlowUncounted, SlowNext                        string
	NotInRegistryTitle, AlreadyEnrolledTitle                  string
	ExpiredTitle, ElsewhereTitle, LeftTitle, UnavailableTitle string
	NotReturnedTitle                                          string
}

// newWordings is the catalogue; each line has both languages.
func newWordings(lang door.Lang) *wordings {
	say := func(zh, en string) string {
		if lang == door.English {
			return en
		}
		return zh
	}
	t := &wordings{lang: lang}
	frameWordings(t, say)
	padWordings(t, say)
	resultWordings(t, say)
	refusalWordings(t, say)
	recoveryWordings(t, say)
	noCodeWordings(t, say)
	return t
}

func frameWordings(t *wordings, say func(zh, en string) string) {
	t.Brand = say("电子社保卡密码", "e-Card PIN")
	t.Product = say("电子社保卡", "e-Social Security Card")
	t.Skip = say("跳到正文", "Skip to content")
	t.Care = say("关怀版", "Large")
	t.OtherLang = say("English", "中文")
	t.HelpLine = say("咨询电话", "Help line")
	t.NeverAsk = say("工作人员不会向您要密码。", "No member of staff will ever ask for your PIN.")
	t.WhoAsks = say("谁在请求", "Who is asking")
	t.Registered = say("已登记的渠道", "Registered channel")
	t.VerifyTitle = say("验证电子社保卡密码", "Check the e-Card's PIN")
	t.EnrollTitle = say("申领电子社保卡", "Apply for the e-Card")
	t.LinkTitle = say("关联电子社保卡", "Link the e-Card")
	t.ChangeTitle = say("修改电子社保卡密码", "Change the e-Card's PIN")
	t.Opening = say("正在打开…", "Opening…")
	t.Continue = say("继续", "Continue")
	t.StageCheck = say("核对身份", "Identity")
	t.StageSet = say("设置密码", "Set PIN")
	t.StageEnter = say("输入密码", "Enter PIN")
	t.StageDone = say("完成", "Done")
	t.Stages = say("办理进度", "Progress")
	t.IsThisYou = say("请核对，这是您本人吗？", "Is this you? Please check.")
	t.Name = say("姓名", "Name")
	t.IDNumber = say("身份证号", "ID number")
	t.Phone = say("手机号", "Phone")
	t.Region = say("参保地", "Region")
	t.For = say("用来办理", "For")
	t.Holder = say("持卡人", "Holder")
	t.WhatNext = say("接下来做什么", "What comes next")
	t.NextEnroll = say("设置一个 6 位数字密码。以后办社保业务时，用它证明是您本人。",
		"You choose a 6-digit PIN. From then on it proves that it is you.")
	t.NextLink = say("输入您已有的电子社保卡密码，就能在这里使用这张卡。不用重新设置。",
		"You enter the PIN that your e-Card already has. Then the card works here, too.")
	t.ItIsMe = say("是我本人，继续", "It is me, continue")
	t.NotMe = say("不是我，返回", "Not me, go back")
	t.Leave = say("不办了，返回", "Cancel and go back")
	t.BackPlain = say("返回原来的应用", "Back to the app")
	t.LookAgain = say("重新打开这一页", "Open this page again")
	t.ChangeLead = say("改好后，所有渠道都用新密码。", "The new PIN will count in every channel.")
	t.BusinessNumber = say("业务流水号", "Business number")
	t.Comma, t.Stop = say("，", ": "), say("。", ".")
	t.RequestNumber = say("故障编号", "Fault number")
}

func padWordings(t *wordings, say func(zh, en string) string) {
	t.NoScriptTitle = say("请打开 JavaScript", "Please turn JavaScript on")
	t.NoScriptText = say(
		"密码要在您的手机上加密后才能发送，所以这一页需要 JavaScript。请在浏览器设置里打开，或换一个应用；也可以拨打 12333。",
		"The PIN is encrypted on your phone before it is sent, and this page needs JavaScript for that. Turn it on in the browser's settings, use another app, or call 12333.")
	t.PadOpening = say("密码键盘正在打开…", "Opening the number keys…")
	t.PadReload = say("一直没有出现？请点这里刷新", "Nothing appears? Reload")
	t.MoreTimeTitle = say("还需要时间吗？", "Do you need more time?")
	t.MoreTimeText = say("这一页两分钟后会失效。您的密码不会改变。", "This page ends in two minutes. Your PIN will not change.")
	t.MoreTime = say("再给我 10 分钟", "Ten more minutes")
	t.ForgotTitle = say("忘记密码怎么办？", "Forgot the PIN?")
	t.ForgotText = say(
		"先点“不办了，返回”，再在已关联的应用里选“找回密码”；也可以带身份证到经办机构办理，或拨打 12333。不要反复试，输错次数多了会锁定。",
		"Go back first, then choose “Recover the PIN” in an app that the card is linked to. Or take your ID card to an agency, or call 12333. Do not keep guessing: too many wrong PINs lock the card.")
	t.RecoverText = say(
		"回到应用后选“找回密码”，重新设置后马上能用；也可以带身份证到经办机构办理，或拨打 12333。",
		"Back in the app, choose “Recover the PIN”: a new PIN works at once. Or take your ID card to an agency, or call 12333.")
	t.WrongTitle = say("密码不正确", "Wrong PIN")
	t.WrongOldTitle = say("现在的密码不正确", "The present PIN is wrong")
	t.WrongAgain = say("请再输一次。", "Try again.")
	t.NotSentTitle = say("密码没有送到", "The PIN did not arrive")
	t.NotSentText = say("请再输入一次。您的密码没有改变，这次不算输错。", "Please enter it again. Your PIN has not changed, and this did not count as wrong.")
}

func resultWordings(t *wordings, say func(zh, en string) string) {
	t.EnrolledTitle = say("申领成功，密码已设好", "Your e-Card is ready")
	t.EnrolledText = say("请记牢密码，不要告诉任何人。", "Remember the PIN, and tell it to nobody.")
	t.LinkedTitle = say("关联成功", "The e-Card is linked")
	t.LinkedText = say("以后在这里办业务，也用同一个密码。", "From now on the same PIN works here, too.")
	t.ChangedTitle = say("密码已修改", "The PIN was changed")
	t.ChangedText = say("所有渠道都用新密码了。请记牢，不要告诉任何人。", "The new PIN counts in every channel. Remember it, and tell it to nobody.")
	t.VerifiedTitle = say("验证通过", "The PIN is right")
	t.VerifiedText = say("可以继续办理了。", "You can go on.")
	t.GoingTitle = say("正在返回", "Going back")
	t.GoingText = say("没有自动返回？请点下面的按钮。", "Nothing happens? Press the button.")
	t.CardName = say("电子社保卡", "e-Social Security Card")
}

func refusalWordings(t *wordings, say func(zh, en string) string) {
	t.LockedTitle = say("密码已锁定", "The PIN is locked")
	t.LockedText = say("输错的次数太多了。为了您的安全，密码暂时不能用。", "Too many wrong PINs. To protect you, the PIN cannot be used for now.")
	t.WhenAgain = say("什么时候能再试", "When to try again")
	t.OverNow = say("现在可以再试了。请返回原来的应用，重新进入。", "You can try again now. Go back to the app and start again.")
	t.PhysicalCard = say("实体社保卡", "Physical card")
	t.NotAffected = say("不受影响，照常使用", "Not affected")
	t.OtherApps = say("其他应用", "Other apps")
	t.LockedToo = say("同样锁定。用了三天以上的，可能还能用", "Locked as well. One in use for three days or more may still work")
	t.BlockedTitle = say("密码已停用", "The PIN is blocked")
	t.BlockedText = say("累计输错次数过多。等待不能恢复，需要重新设置密码。", "Too many wrong PINs in all. Waiting does not help: the PIN must be set anew.")
	t.FrozenTitle = say("电子社保卡已冻结", "The e-Card is frozen")
	t.FrozenText = say("这张卡在所有渠道都不能使用。您的密码没有改变。", "It cannot be used in any channel. Your PIN has not changed.")
	t.HowToGoOn = say("现在怎么办", "What to do now")
	t.FrozenNext = say("要恢复使用，在关联了这张卡的应用里选“解冻”，用绑定手机的验证码和密码办理。不是您自己冻结的，请拨打 12333。",
		"To use it again, choose “Unfreeze” in an app that the card is linked to, with a code to the bound phone and the PIN. If it was not you who froze it, call 12333.")
	t.EvidenceTitle = say("还需要实人认证", "An identity check is needed")
	t.EvidenceText = say("现在单凭密码还不能办理（例如实体社保卡已挂失），还要证明是您本人。", "For now the PIN alone is not enough for this card, for example because the physical card is reported lost.")
	t.EvidenceNext = say("点下面的按钮回到应用，做一次实人认证，再回来输入密码。不方便刷脸，可以到经办机构办理。",
		"The button takes you back to the app for an identity check; then you come back and enter the PIN. If you cannot show your face, visit an agency.")
	t.SlowTitle = say("请稍后再试", "Please wait a little")
	t.SlowUncounted = say("刚才没有算您输错，您的密码没有改变。", "It did not count as a wrong PIN, and your PIN has not changed.")
	t.SlowNext = say("着急的话，点下面的按钮回到应用，做一次实人认证，再回来输入密码，马上就能办。不着急，过二十分钟从应用重新进入。",
		"If you are in a hurry, use the button below: go back to the app, do an identity check, and enter the PIN again. Otherwise start again from the app in twenty minutes.")
	t.DoEvidence = say("去做实人认证", "Do the identity check")
	t.CancelledTitle = say("电子社保卡不能使用", "The e-Card cannot be used")
	t.RefusedTitle = say("未能通过核验", "The check did not succeed")
	t.NotInRegistryTitle = say("没有查到您的社保卡", "No matching card was found")
	t.AlreadyEnrolledTitle = say("您已经有电子社保卡了", "You already have an e-Card")
	t.ExpiredTitle = say("这个页面已失效", "This page has expired")
	t.ElsewhereTitle = say("请到另一个页面继续", "Continue in the other window")
	t.NotReturnedTitle = say("结果没有带回应用", "The result did not go back")
	t.LeftTitle = say("已取消办理", "Cancelled")
	t.UnavailableTitle = say("暂时不能办理", "Not possible right now")
}

func (t *wordings) english() bool { return t.lang == door.English }

// of picks this language of a bilingual text.
func (t *wordings) of(text liuma.Text) string {
	if t.english() {
		return text.EN
	}
	return text.ZH
}

func (t *wordings) call(number string) string {
	if t.english() {
		return "Call " + number
	}
	return "拨打 " + number
}

func (t *wordings) backTo(channel string) string {
	switch {
	case channel == "":
		return t.BackPlain
	case t.english():
		return "Back to " + channel
	}
	return "返回" + channel
}

func (t *wordings) triesLeft(n int) string {
	switch {
	case !t.english():
		return fmt.Sprintf("还可试 %d 次", n)
	case n == 1:
		return "1 try left"
	}
	return fmt.Sprintf("%d tries left", n)
}

func (t *wordings) wrongText(left int) string {
	switch {
	case !t.english():
		return fmt.Sprintf("请再输一次。再错 %d 次，密码会锁定。", left)
	case left == 1:
		return "Try again. One more wrong PIN locks it."
	}
	return fmt.Sprintf("Try again. %d more wrong PINs lock it.", left)
}

// lockedUntil is the wording above a pad while no PIN is taken, with the
// alternatives.
func (t *wordings) lockedUntil(moment string, forgot bool) string {
	zh, en := "现在输对了也不行，"+moment+"自动恢复。", "Even the right PIN is not taken now. It ends by itself "+moment+"."
	if forgot {
		zh, en = zh+"不想等，可以点下面的“忘记密码”，马上解锁。", en+" Or choose “Forgot the PIN” below, and unlock it at once."
	}
	return t.of(liuma.Text{ZH: zh, EN: en})
}

func (t *wordings) issued(day time.Time) string {
	if t.english() {
		return "Issued " + day.Format("2 January 2006")
	}
	return day.Format("2006 年 1 月 2 日") + "申领"
}

// moment says when something will be: today and tomorrow by name, later by date.
func (t *wordings) moment(at, now time.Time) string {
	clock, date := at.Format("15:04"), at.Format("1 月 2 日")
	if t.english() {
		date = at.Format("2 January")
	}
	switch midnight(at).Sub(midnight(now)).Round(24*time.Hour) / (24 * time.Hour) {
	case 0:
		return t.of(liuma.Text{ZH: "今天 " + clock, EN: "today at " + clock})
	case 1:
		return t.of(liuma.Text{ZH: "明天（" + date + "）" + clock, EN: "tomorrow, " + date + ", at " + clock})
	}
	return t.of(liuma.Text{ZH: date + " " + clock, EN: date + " at " + clock})
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}
