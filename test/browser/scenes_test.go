package browser

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// adder puts a page into the gallery.
type adder func(name string, a liuma.Action, s ceremony.Step, code liuma.Code, more func(*ceremony.Page))

// addRecovery adds the pages of the bound phone: codes, a PIN set anew,
// another phone, freezing, and what can be set at the end.
func addRecovery(add adder) {
	const reset, rebind, unfreeze, verify = liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionVerify
	const confirm, code, evidence, phone = ceremony.StepConfirm, ceremony.StepCode, ceremony.StepEvidence, ceremony.StepPhone
	const pad, done, refused = ceremony.StepPIN, ceremony.StepDone, ceremony.StepRefused
	sent := func(left int, ready time.Duration) func(*ceremony.Page) {
		return func(p *ceremony.Page) {
			p.CodeSentAt, p.ResendAt, p.CodesLeft = galleryNow.Add(-15*time.Second), galleryNow.Add(ready), left
		}
	}
	forgot := func(more func(*ceremony.Page)) func(*ceremony.Page) {
		return func(p *ceremony.Page) {
			p.Began, p.CanRemember, p.CodesLeft = verify, true, 5
			if more != nil {
				more(p)
			}
		}
	}
	add("reset-confirm", reset, confirm, "", nil)
	add("code-first", reset, code, "", forgot(nil))
	add("code", reset, code, "", forgot(sent(5, 45*time.Second)))
	add("code-wrong", reset, code, liuma.CodePhoneCodeWrong, forgot(sent(3, 0)))
	add("code-soon", reset, code, liuma.CodePhoneCodeSoon, forgot(sent(5, 45*time.Second)))
	add("code-limit", reset, code, liuma.CodePhoneCodeLimit, forgot(sent(4, 11*time.Hour)))
	add("code-expired", reset, code, liuma.CodePhoneCodeExpired, func(p *ceremony.Page) {
		p.CodeSentAt, p.CodesLeft = galleryNow.Add(-11*time.Minute), 5
	})
	add("code-spent", reset, code, liuma.CodePhoneCodesSpent, func(p *ceremony.Page) { p.Until = galleryNow.Add(23 * time.Hour) })
	add("code-enroll", liuma.ActionEnroll, code, "", sent(5, 0))
	add("evidence", reset, evidence, liuma.CodeEvidenceRequired, forgot(nil))
	add("evidence-card-number", reset, evidence, liuma.CodeEvidenceRequired, func(p *ceremony.Page) { p.CardNoAllowed = true })
	add("evidence-card-number-wrong", reset, evidence, liuma.CodeCardNoWrong, func(p *ceremony.Page) { p.CardNoAllowed = true })
	add("reset-pin", reset, pad, "", forgot(nil))
	add("reset-planned", reset, refused, liuma.CodeResetPlanned, func(p *ceremony.Page) { p.Until = galleryNow.Add(24 * time.Hour) })
	add("reset-done", reset, done, "", func(p *ceremony.Page) { p.EveryUse, p.DeviceOffer = new(bool), true })
	add("reset-end", reset, ceremony.StepReset, liuma.CodePINReset, nil)
	add("was-reset", verify, pad, "", func(p *ceremony.Page) { p.WasReset = true })
	add("no-reset-pad", verify, pad, "", func(p *ceremony.Page) { p.ResetRefused = liuma.CodePhoneStale })
	add("no-reset-locked", verify, refused, liuma.CodeLocked, func(p *ceremony.Page) {
		p.Until = galleryNow.Add(11 * time.Hour)
		p.ResetRefused, p.ResetRefusedUntil = liuma.CodePhoneLate, galleryNow.Add(50*time.Hour)
	})
	for _, why := range []liuma.Code{liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodePhoneStale, liuma.CodeOnlineOff} {
		add("reset-refused-"+string(why), reset, refused, why, nil)
	}
	add("rebind-confirm", rebind, confirm, "", nil)
	add("rebind-pin", rebind, pad, "", nil)
	add("rebind-evidence", rebind, evidence, liuma.CodeEvidenceRequired, nil)
	add("rebind-phone", rebind, phone, "", nil)
	add("rebind-phone-invalid", rebind, phone, liuma.CodePhoneInvalid, nil)
	add("rebind-code", rebind, code, "", sent(5, 0))
	add("rebind-done", rebind, done, "", nil)
	add("unfreeze-confirm", unfreeze, confirm, "", nil)
	add("unfreeze-code", unfreeze, code, "", sent(5, 0))
	add("unfreeze-pin", unfreeze, pad, "", nil)
	add("unfreeze-done", unfreeze, done, "", nil)
	add("unfreeze-not-frozen", unfreeze, refused, liuma.CodeNotFrozen, nil)
	add("pin-reset", verify, refused, liuma.CodePINReset, nil)
	add("lane-closed", verify, refused, liuma.CodeBlocked, func(p *ceremony.Page) { p.LaneClosed = true })
	add("lane-reopen", verify, pad, "", func(p *ceremony.Page) { p.LaneClosed, p.DeviceKnown = true, true })
	add("settings", verify, done, "", func(p *ceremony.Page) {
		on := true
		p.EveryUse, p.CodesLeft, p.RemindChange = &on, 5, true
	})
	add("settings-code", verify, done, liuma.CodePhoneCodeWrong, func(p *ceremony.Page) {
		p.EveryUse = new(bool)
		sent(4, 0)(p)
	})
	add("settings-known", verify, done, "", func(p *ceremony.Page) { p.EveryUse, p.DeviceKnown = new(bool), true })
}

// besides are the addresses that show no step of a ceremony.
func besides() []scene {
	return []scene{
		{"no-reset", "/c/noresetpad?ask=reset"}, {"no-reset-until", "/c/noresetlocked?ask=reset"},
		{"freeze-sure", "/c/verifypin?ask=freeze"}, {"official", "/"}, {"freeze", "/freeze"},
		{"link-invalid", "/authorize"}, {"landing", "/authorize?client_id=zj-hrss&request_uri=urn:x"},
	}
}
