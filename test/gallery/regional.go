package gallery

import (
	"io/fs"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/agencies"
	samples "github.com/liuma-pin/liuma/examples/policy"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/policy"
)

// Rules are the layers of the sample regions, for the page about regions.
func Rules() *policy.Layers {
	var files []policy.File
	names, err := fs.Glob(samples.Files, "*.yaml")
	if err != nil {
		panic(err) // the pattern is well formed
	}
	for _, name := range names {
		text, err := samples.Files.ReadFile(name)
		if err != nil {
			panic(err) // it was just listed
		}
		f, err := policy.ParseFile(name, text)
		if err != nil {
			panic(err) // the samples' own test reads them
		}
		files = append(files, f)
	}
	l, err := policy.NewLayers(policy.National(), files...)
	if err != nil {
		panic(err) // the same
	}
	return l
}

// Directory is the sample of agencies, as pages read it.
type Directory struct{ listing *agency.Listing }

// Listing is that sample.
func (d Directory) Listing() *agency.Listing { return d.listing }

// Agencies reads the sample.
func Agencies() Directory {
	regions, err := directory.Published()
	if err != nil {
		panic(err) // the list is built in
	}
	all, err := agency.Read(agencies.File, regions)
	if err != nil {
		panic(err) // the sample's own test reads it
	}
	return Directory{agency.NewListing(all, regions)}
}

// addWhere puts in the page about agencies.
func (c *collection) addWhere() {
	add := func(name, path string, says ...liuma.Text) {
		c.scenes = append(c.scenes, Scene{Name: name, Path: path, Says: says})
	}
	add("where", "/where", text("去哪里问", "Where to ask"), both("12333"), both("12393"))
	add("where-region", "/where?region=330502", text("吴兴区社会保险服务大厅", "Wuxing District Social Insurance Hall"), both("0572-0000004"), text("周一至周六", "Monday to Saturday"), text("（样例）", "(sample)"))
	add("where-above", "/where?region=330503", text("湖州市南浔区", "Nanxun District, Huzhou"), text("湖州市社会保险事业管理中心", "Huzhou Social Insurance Centre"))
	add("where-nobody", "/where?region=130102", text("请拨打 12333", "call 12333"))
	add("where-found", "/where?q=hzs", text("找到", "Found"), both("0571-0000002"))
	add("where-none", "/where?q=xyzzy&region=3305", text("没有找到", "Nothing was found"), text("到全国查找", "Look in the whole country"))
}

// addRegional puts in what a region's policy adds: the number of the physical card
// beside the other proofs, the change that must come first, evidence alone, and a
// loss reported by phone.
func (c *collection) addRegional() {
	const enroll, reset, rebind, unfreeze, verify = liuma.ActionEnroll, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionVerify
	const number, refused = ceremony.StepCardNo, ceremony.StepRefused
	asks := text("还要核对实体社保卡的卡号", "also asks for the number of the physical card")
	c.add("number-enroll", enroll, number, "", nil, asks, text("提交卡号", "Send the number"))
	c.add("number-reset", reset, number, "", forgotten(nil), asks, text("想起密码了，回去输入", "back to the PIN"))
	c.add("number-rebind", rebind, number, "", nil, asks)
	c.add("number-unfreeze", unfreeze, number, "", nil, asks)
	c.add("number-wrong", unfreeze, number, liuma.CodeCardNoWrong, nil, text("社保卡号不正确", "That card number is not right"))
	c.add("number-spent", reset, number, liuma.CodeCardNoSpent, until(9*time.Hour),
		text("社保卡号输错次数过多", "Too many wrong card numbers"), text("急需办理，请到柜台", "If it cannot wait"), text("明天（5 月 7 日）05:44", "tomorrow, 7 May, at 05:44"))
	c.add("number-needed", enroll, refused, liuma.CodeCardNoNeeded, nil, text("现在不能在线办理", "This cannot be done online now"))
	c.add("unfreeze-evidence", unfreeze, ceremony.StepEvidence, liuma.CodeEvidenceRequired, nil, text("解冻前还要做一次实人认证", "before the card is unfrozen"))
	more := func(p *ceremony.Page) {
		p.Steps = policy.Steps{Reset: "code-card-evidence", Unfreeze: "code-card-evidence-pin"}
	}
	card := text("请把卡准备好", "have the card at hand")
	c.add("reset-confirm-number", reset, ceremony.StepConfirm, "", more, card)
	c.add("unfreeze-confirm-number", unfreeze, ceremony.StepConfirm, "", more, card, text("还要做一次实人认证", "An identity check is asked for"))
	c.add("frozen-number", verify, refused, liuma.CodeFrozen, func(p *ceremony.Page) { more(p); p.Verdict = liuma.Suspended }, card)

	c.add("must-change", liuma.ActionChange, ceremony.StepPIN, liuma.CodePINTooOld, func(p *ceremony.Page) { p.Began = verify },
		text("密码用得太久了", "The PIN is so old"), both(`data-mode="change"`))
	c.asked("must-change-leave", "must-change", "ask=leave", text("确定不办了", "Cancel this?"))

	alone := func(p *ceremony.Page) { p.Alone = true }
	c.add("alone-evidence", verify, ceremony.StepEvidence, liuma.CodeEvidenceRequired, alone, text("不用输入密码", "need not enter the PIN"))
	c.add("alone-confirm", verify, ceremony.StepConfirm, "", alone, text("不用输入密码", "the PIN is not needed"), text("用实人认证办理", "Go on with an identity check"))
	c.add("alone-done", verify, ceremony.StepDone, "", alone, text("认证通过", "The identity check counts"))

	reported := func(p *ceremony.Page) { p.Verdict, p.Until = liuma.Suspended, Now().Add(50*time.Hour) }
	c.add("loss-reported", verify, refused, liuma.CodeLossReported, reported, text("已电话挂失", "was reported by phone"), text("22:44", "22:44"))
	c.add("loss-reported-pad", verify, ceremony.StepPIN, "", func(p *ceremony.Page) {
		p.ResetRefused, p.ResetRefusedUntil = liuma.CodeLossReported, Now().Add(50*time.Hour)
	}, text("不能在线找回密码：看原因和办法", "and what to do"))
	c.asked("loss-reported-reset", "loss-reported-pad", "ask=reset", text("到期前不能在线找回密码", "Until the report ends"))
	c.add("loss-reported-enroll", enroll, refused, liuma.CodeLossReported, reported, text("已电话挂失", "was reported by phone"))
	c.add("guardian-needed", enroll, refused, liuma.CodeGuardian, nil, text("监护人", "guardian"))
	c.add("birthday-unknown", enroll, refused, liuma.CodeBirthdayUnknown, nil, text("出生日期", "date of birth"))
	c.add("enroll-passport", enroll, ceremony.StepConfirm, "", func(p *ceremony.Page) {
		consented(p)
		p.NameMasked, p.IDMasked, p.Document = "M*****n", "DEU-C0*****47", liuma.DocumentPassport
	}, text("护照号码", "Passport"))
}

// addSurely puts in the questions before something that cannot be taken back.
func (c *collection) addSurely() {
	sure := text("确定不办了", "Cancel this?")
	c.asked("leave-phone", "rebind-phone", "ask=leave", sure)
	c.asked("leave-number", "number-unfreeze", "ask=leave", sure)
	c.asked("leave-evidence", "evidence", "ask=leave", sure)
	c.asked("freeze-sure-done", "alone-done", "ask=freeze", text("确定冻结", "Freeze it now"))
}
