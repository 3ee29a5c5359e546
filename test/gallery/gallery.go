// Package gallery lists every page that a holder can meet, each as a state of
// a ceremony that the real door draws with the real templates, and each with
// the words that must be on it. Tests of the door, of the scripts and of the
// pages in a browser all start from this one list, and so do the screenshots.
// It guarantees that a page is the same at every drawing: time stands still at
// Now, and everybody and every channel is invented. It trusts nothing and
// guarantees nothing to the product, which never imports it.
//
// Start here: Scenes.
package gallery

import (
	"crypto/ecdh"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/consent"
)

// Now is the time at which all pages are drawn: 20:44 in China.
func Now() time.Time { return time.Date(2026, 5, 6, 12, 44, 0, 0, time.UTC) }

// Scene is one page that a holder can meet.
type Scene struct {
	Name string
	Path string        // the address at which the door shows it
	Page ceremony.Page // the ceremony; without an ID where the page belongs to none
	Says []liuma.Text  // words, or pieces of markup, that must be on the page
	Care bool          // it is in care mode whatever its reader chose
}

// Scenes are all pages, in the order in which holders come to them.
func Scenes() []Scene {
	var c collection
	c.addPads()
	c.addResults()
	c.addCodes()
	c.addProofs()
	c.addRecovered()
	c.addSettings()
	c.addNoCode()
	c.addRegional()
	c.addWhere()
	c.addSurely()
	c.addCounter()
	c.addOthers()
	c.addGenuine()
	return c.scenes
}

// Ceremony is the page of a ceremony at a step, with everything on it that may
// be shown there.
func Ceremony(a liuma.Action, s ceremony.Step) ceremony.Page {
	p := ceremony.Page{
		ID: "abcdefghijklmnopqrstuvwxyz", Step: s, Action: a, Channel: "zj-hrss",
		ChannelName: text("浙里社保（虚构）", "Zheli Social Security (invented)"),
		Purpose:     "查询社保缴费年限", BusinessNo: "ZL20260506-000187", Region: "3305",
		NameMasked: "王*奶", IDMasked: "3305**********1228", PhoneMasked: "138****5678",
		Expires: Now().Add(15 * time.Minute),
	}
	if s != ceremony.StepPIN {
		return p
	}
	sum := sha256.Sum256([]byte("aad"))
	p.SealKeyID, p.SealKey, p.Try = "k-1", sealKey(), 1
	switch a {
	case liuma.ActionEnroll, liuma.ActionReset:
		p.AAD = map[liuma.Role][]byte{liuma.RoleNew: sum[:]}
	case liuma.ActionChange:
		p.AAD = map[liuma.Role][]byte{liuma.RoleOld: sum[:], liuma.RoleNew: sum[1:]}
	default:
		p.AAD = map[liuma.Role][]byte{liuma.RoleCurrent: sum[:]}
	}
	return p
}

// sealKey is a key without use: the base point of P-256.
func sealKey() []byte {
	one := make([]byte, 32)
	one[31] = 1
	key, err := ecdh.P256().NewPrivateKey(one)
	if err != nil {
		panic(err) // one is a scalar of P-256
	}
	return key.PublicKey().Bytes()
}

func text(zh, en string) liuma.Text { return liuma.Text{ZH: zh, EN: en} }

// both is a piece of markup that is the same in both languages.
func both(s string) liuma.Text { return text(s, s) }

// collection is the list while it is written.
type collection struct{ scenes []Scene }

// add puts in a step of a ceremony. code is the error code of the last move;
// change, unless nil, modifies the page from Ceremony.
func (c *collection) add(name string, a liuma.Action, s ceremony.Step, code liuma.Code, change func(*ceremony.Page), says ...liuma.Text) {
	p := Ceremony(a, s)
	p.ID, p.Code = strings.NewReplacer("-", "", "_", "").Replace(name), code
	if change != nil {
		change(&p)
	}
	c.scenes = append(c.scenes, Scene{Name: name, Path: "/c/" + p.ID, Page: p, Says: says})
}

// asked puts in a page that the address's query names in place of the page of
// the step.
func (c *collection) asked(name, of, ask string, says ...liuma.Text) {
	for _, s := range c.scenes {
		if s.Name == of {
			c.scenes = append(c.scenes, Scene{Name: name, Path: s.Path + "?" + ask, Page: s.Page, Says: says})
			return
		}
	}
	panic("gallery: no scene " + of)
}

// tries says how many tries are left.
func tries(n int) func(*ceremony.Page) { return func(p *ceremony.Page) { p.TriesLeft = &n } }

// verdict sets the result of the last try.
func verdict(v liuma.Verdict) func(*ceremony.Page) {
	return func(p *ceremony.Page) { p.Verdict = v }
}

// wrong is a wrong PIN with so many tries left.
func wrong(left int) func(*ceremony.Page) {
	return func(p *ceremony.Page) { p.Verdict, p.Try, p.TriesLeft = liuma.Wrong, 2, &left }
}

// lockedBefore is a pad that takes no PIN for eleven hours.
func lockedBefore(p *ceremony.Page) {
	tries(0)(p)
	p.Until = Now().Add(11 * time.Hour)
}

// consented shows the built-in text to agree to.
func consented(p *ceremony.Page) {
	if text, err := consent.Builtin(); err == nil {
		p.Consent, p.ConsentHash = &text, "0"
	}
}

// addPads puts in the way to the pad, and the pad.
func (c *collection) addPads() {
	const enroll, link, verify, change = liuma.ActionEnroll, liuma.ActionLink, liuma.ActionVerify, liuma.ActionChange
	const confirm, pad = ceremony.StepConfirm, ceremony.StepPIN
	c.add("enroll-confirm", enroll, confirm, "", consented, text("申领电子社保卡", "Apply for the electronic card"), text("同意并继续", "I agree"))
	c.add("enroll-pin", enroll, pad, "", nil, both(`data-mode="new"`))
	words := func(w ceremony.Words) func(*ceremony.Page) { return func(p *ceremony.Page) { p.Words = w } }
	c.add("enroll-passphrase", enroll, pad, "", words(ceremony.Words{Chosen: true, First: true}), both(`data-passphrase="first"`), both(`data-chosen="passphrase"`))
	c.add("enroll-offered", enroll, pad, "", words(ceremony.Words{Chosen: true}), both(`data-passphrase="offered"`))
	c.add("verify-offered", verify, pad, "", words(ceremony.Words{Entered: true}), both(`data-passphrase="offered"`))
	c.add("verify-passphrase", verify, pad, "", words(ceremony.Words{Entered: true, First: true}), both(`data-passphrase="first"`))
	c.add("change-passphrase", change, pad, "", words(ceremony.Words{Entered: true, Chosen: true, First: true}), both(`data-passphrase="first"`))
	c.add("change-to-digits", change, pad, "", words(ceremony.Words{Entered: true, First: true}), both(`data-passphrase="first"`))
	c.add("enroll-weak", enroll, pad, liuma.CodeWeakPIN, func(p *ceremony.Page) {
		p.Reason, p.Sentence, p.Try = "birthday", text("这里面有您的生日，认识您的人容易猜到。请换一个与生日无关的号码。",
			"This contains your birthday, which people who know you can guess. Choose something else."), 2
	}, text("这里面有您的生日，认识您的人容易猜到。", "This contains your birthday, which people who know you can guess."))
	c.add("link-confirm", link, confirm, "", nil, text("关联电子社保卡", "Link the electronic card"))
	c.add("link-pin", link, pad, "", nil, text("输入密码", "Enter PIN"))
	c.add("link-limit", link, ceremony.StepRefused, liuma.CodeLinkLimit, until(9*time.Hour), text("今天已关联三次", "three times within a day"), both("?ask=freeze"))
	c.add("links-full", link, ceremony.StepRefused, liuma.CodeLinksFull, nil, text("已有十处关联", "ten links already"), both("?ask=freeze"))
	c.add("link-refused", link, pad, liuma.CodeRefused, nil, text("未能通过核验", "The check did not succeed"))
	c.add("verify-pin", verify, pad, "", nil, text("验证电子社保卡密码", "Check the electronic card"), text("忘记密码？重新设置", "Set a new one"))
	c.add("verify-tries", verify, pad, "", tries(5), text(`data-note="还可试 5 次。"`, `data-note="5 tries left."`))
	c.add("verify-wrong", verify, pad, "", wrong(4), text("还可试 4 次", "4 tries left"))
	c.add("verify-last", verify, pad, liuma.CodeWrong, wrong(1), text("再错 1 次", "One more wrong PIN"))
	c.asked("verify-old-pad", "verify-wrong", "old=1", text("没有提交，不算次数", "did not count"), text("还可试 4 次", "4 tries left"))
	c.asked("verify-not-arrived", "verify-tries", "look=1", text("密码没有送到", "did not arrive"))
	c.add("verify-under-way", verify, pad, "", func(p *ceremony.Page) { p.Try = 2 }, both(`data-mode="current"`))
	c.asked("verify-still", "verify-under-way", "look=1", text("还在核验", "Still being checked"))
	c.add("verify-busy", verify, pad, liuma.CodeBusy, nil, text("不计入输错次数", "did not count"))
	c.add("verify-unavailable", verify, pad, "", verdict(liuma.Unavailable), text("暂时不可用", "cannot give a verdict"))
	c.add("verify-garbled", verify, pad, liuma.CodeEnvelopeInvalid, nil, text("密码没有送到", "did not arrive"))
	c.add("verify-locked-before", verify, pad, "", lockedBefore, text("现在输对了也不行", "Even the right PIN is not taken now"))
	c.add("unfreeze-locked-before", liuma.ActionUnfreeze, pad, "", lockedBefore, text("自动恢复。</p>", "It ends by itself"))
	c.add("change-pin", change, pad, "", nil, both(`data-mode="change"`))
	c.add("change-wrong", change, pad, liuma.CodeWrong, wrong(4), text("现在的密码不正确", "The present PIN is wrong"))
	c.add("more-time", verify, pad, "", func(p *ceremony.Page) { p.Expires = Now().Add(time.Minute) }, text("还需要时间吗？", "Do you need more time?"))
}

// addResults puts in how ceremonies end.
func (c *collection) addResults() {
	const enroll, link, verify, change = liuma.ActionEnroll, liuma.ActionLink, liuma.ActionVerify, liuma.ActionChange
	const done, refused = ceremony.StepDone, ceremony.StepRefused
	c.add("enroll-done", enroll, done, "", nil, text("申领成功", "Your electronic card is ready"))
	c.add("link-done", link, done, "", nil, text("关联成功", "is linked"))
	c.add("verify-done", verify, done, "", nil, text("验证通过", "The PIN is right"))
	c.add("change-done", change, done, "", nil, text("密码已修改", "The PIN was changed"))
	c.add("locked", verify, refused, liuma.CodeLocked, func(p *ceremony.Page) {
		p.Verdict, p.Until = liuma.Locked, Now().Add(12*time.Hour+28*time.Minute)
	}, text("明天（5 月 7 日）09:12", "tomorrow, 7 May, at 09:12"), text("找回密码，马上解锁", "Recover the PIN and unlock now"),
		text("关联满三天的应用可能还能用", "may still work"))
	c.add("locked-by-last", verify, refused, liuma.CodeLocked, verdict(liuma.Wrong), text("密码已锁定", "The PIN is locked"))
	c.add("blocked-by-last", verify, refused, liuma.CodeBlocked, verdict(liuma.Wrong), text("密码已停用", "The PIN is blocked"))
	c.add("refused-blocked", verify, refused, liuma.CodeBlocked, verdict(liuma.Blocked), text("密码已停用", "The PIN is blocked"))
	c.add("refused-frozen", verify, refused, liuma.CodeFrozen, verdict(liuma.Suspended), text("已冻结", "is frozen"))
	c.add("refused-cancelled", verify, refused, liuma.CodeCancelled, verdict(liuma.Suspended), text("已注销", "was cancelled"))
	c.add("refused-evidence-required", verify, refused, liuma.CodeEvidenceRequired, verdict(liuma.Suspended), text("去做实人认证", "Do the identity check"))
	c.add("refused-slow-down", link, refused, liuma.CodeSlowDown, nil, text("二十分钟", "twenty minutes"), text("去做实人认证", "Do the identity check"))
	c.add("suspended", change, refused, "", verdict(liuma.Suspended), text("去做实人认证", "Do the identity check"))
	c.add("refused-refused", verify, refused, liuma.CodeRefused, nil, text("未能通过核验", "The check did not succeed"))
	c.add("forbidden", verify, refused, liuma.CodeForbidden, nil, text("请换一个官方应用办理", "Use another official app"))
	c.add("not-in-registry", enroll, refused, liuma.CodeNotInRegistry, nil, text("没有查到", "No matching"))
	c.add("already-enrolled", enroll, refused, liuma.CodeAlreadyEnrolled, nil, text("已经有电子社保卡", "already have an electronic card"))
	c.add("card-closed", enroll, refused, liuma.CodeCardClosed, until(20*24*time.Hour), text("到期后可以重新申领", "You can apply anew later"), text("原来的卡和密码不会恢复", "do not come back"))
	c.add("card-restored", enroll, refused, liuma.CodeCardRestored, nil, text("卡已冻结", "the card is frozen"))
	c.add("expired", verify, ceremony.StepExpired, liuma.CodeCeremonyExpired, nil, text("已失效", "has expired"))
	c.add("not-returned", verify, refused, liuma.CodeNotReturned, nil, text("结果没有带回应用", "The result did not go back"), both("?ask=freeze"))
	c.add("left", verify, ceremony.StepLeft, liuma.CodeLeft, nil, text("已取消办理", "Cancelled"))
	c.add("elsewhere", verify, ceremony.StepPIN, "", func(p *ceremony.Page) { p.Elsewhere = true }, text("请到另一个页面继续", "Continue in the other window"))
}
